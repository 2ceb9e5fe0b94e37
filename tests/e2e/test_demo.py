# SPDX-License-Identifier: LGPL-2.1-or-later
"""What 'make demo' shows, on its own image and on the user's."""

import re
import subprocess

from oracle import checksum, write_image


def demo(root, image):
    """What disksum printed, and what sha256sum did: checksums by name."""
    out = subprocess.run([root / "scripts/demo", image], cwd=root, check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    parts = out.stdout.decode().split("$ sha256sum")
    return [dict(reversed(line.split("  ")) for line in part.splitlines()
                 if re.match(r"[0-9a-f]{64}  ", line)) for part in parts]


def test_embedded_image(root):
    ours, sha256sum = demo(root, "demo/disk.raw")
    assert set(ours) == {"demo/disk.raw", "sparse.raw", "full.raw",
                         "disk.qcow2", "zlib.qcow2", "-"}
    assert set(ours.values()) == {checksum(root / "demo/disk.raw")}
    assert len(set(sha256sum.values())) == 3


def test_image_of_the_user(root, tmp_path):
    write_image(tmp_path / "disk", "1M:A 2M:- 100:B")
    path = f"{tmp_path}/disk"
    assert demo(root, path) == [{path: checksum(path)}]
