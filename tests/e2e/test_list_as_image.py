# SPDX-License-Identifier: LGPL-2.1-or-later
"""A digest list where an image or a list of checksums is expected."""

import pytest

from oracle import checksum, write_image


@pytest.mark.sanitizer
def test_list_as_image(disksum, fails, tmp_path):
    write_image(tmp_path / "disk", "200000:A")
    disksum("--write-list=list", "disk", cwd=tmp_path)
    data = (tmp_path / "list").read_bytes()
    why = "is a digest list, not an image; --show reads it ('-f raw' hashes the " \
        "bytes as they are)"
    assert fails("list", cwd=tmp_path) == f"list: {why}"
    assert fails("-", input=data) == f"-: {why}"
    for result in disksum("-f", "raw", "list", cwd=tmp_path), \
            disksum("-f", "raw", "-", input=data):
        assert result.stdout.startswith(checksum(data))
    assert fails("-c", "list", cwd=tmp_path) == \
        "list: is a digest list, not a list of checksums; --show reads it"


@pytest.mark.sanitizer
def test_guest_that_writes_a_list(disksum, servers, tmp_path):
    """To its disk: an export is raw."""
    (tmp_path / "disk").write_bytes(b"BLKLIST\0" + bytes(1000))
    uri, _ = servers.nbdkit("file", tmp_path / "disk")
    out = disksum(uri).stdout
    assert out.startswith(checksum(tmp_path / "disk"))
