# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a guest writes into its disk is not a format, where a server exports it."""

import pytest

from conftest import sums
from hostile_images import SIZE, hostile, qemu_img
from oracle import checksum


@pytest.mark.parametrize("format", ["qcow2", "vmdk", "vdi", "vpc"])
def test_export_is_raw(disksum, servers, tmp_path, format):
    """An export is raw, whatever a guest has made it look like."""
    path = tmp_path / "disk"
    qemu_img("create", "-q", "-f", format, path, str(SIZE))
    uri, _ = servers.nbdkit("file", path)
    for args in [uri], ["--", "[", "nbdkit", "file", path, "]"]:
        done = disksum(*args, check=False)
        assert sums(done.stdout) == [checksum(path)]
        assert done.stderr.count("\n") == 1
        assert f"it looks like a {format} image, but is read as raw; -f {format} " \
            "reads the disk in it" in done.stderr
        assert disksum("-f", "raw", *args).stdout == done.stdout


def test_export_names_no_local_file(disksum, servers, tmp_path):
    """A guest writes the header of an overlay into its disk."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"password" * 64)
    path = hostile(tmp_path / "disk", str(secret))
    uri, _ = servers.nbdkit("file", path)
    done = disksum(uri, check=False)
    assert sums(done.stdout) == [checksum(path)]


def test_backing_export_without_a_format_is_raw(disksum, servers, tmp_path):
    below = tmp_path / "below"
    qemu_img("create", "-q", "-f", "qcow2", below, str(SIZE))
    uri, _ = servers.nbdkit("file", below)
    path = hostile(tmp_path / "image", uri)
    done = disksum("--trust-names", path, check=False)
    content = below.read_bytes().ljust(SIZE, b"\0")
    assert sums(done.stdout) == [checksum(content[:SIZE])]
