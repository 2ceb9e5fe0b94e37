# SPDX-License-Identifier: LGPL-2.1-or-later
"""What 'make demo' shows, on its own image and on the user's."""

import re
import subprocess

from oracle import checksum, write_image


def demo(root, image):
    out = subprocess.run([root / "scripts/demo", image], cwd=root, check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    lines = out.stdout.decode().splitlines()
    return {name: sum for sum, name in
            (line.split("  ") for line in lines
             if re.match(r"[0-9a-f]{64}  ", line))}


def test_embedded_image(root):
    shown = demo(root, "demo/disk.raw")
    # sha256sum's, at the end, are different.
    files = {"sparse.raw": shown.pop("sparse.raw"),
             "disk.qcow2": shown.pop("disk.qcow2")}
    assert len(set(files.values())) == 2
    assert set(shown) == {"demo/disk.raw", "full.raw", "back.raw", "-"}
    assert set(shown.values()) == {checksum(root / "demo/disk.raw")}


def test_image_of_the_user(root, tmp_path):
    write_image(tmp_path / "disk", "1M:A 2M:- 100:B")
    path = f"{tmp_path}/disk"
    assert demo(root, path) == {path: checksum(path)}
