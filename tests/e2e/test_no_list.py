# SPDX-License-Identifier: LGPL-2.1-or-later
"""--check: files that are not lists of checksums."""

import os

import pytest

from lists import A, B, Twins
from oracle import checksum, write_image


def test_an_image_by_mistake(fails, tmp_path):
    write_image(tmp_path / "disk", "64k:- 64k:A")
    advice = "omit -c to print its checksum"
    assert fails("-c", "disk", cwd=tmp_path) == \
        f"disk: is a raw disk image, not a list of checksums; {advice}"
    (tmp_path / "q").write_bytes(b"QFI\xfb\0\0\0\x03" + bytes(96))
    assert fails("-c", "q", cwd=tmp_path) == \
        f"q: is a qcow2 image, not a list of checksums; {advice}"
    (tmp_path / "v").write_text("# Disk DescriptorFile\nversion=1\n")
    assert "is a vmdk image" in fails("-c", "v", cwd=tmp_path)


@pytest.mark.parametrize("start", [
    "{0}  a\n", "\\{0^}  \\\\\n", "{tag} (a) = {0}\n", "# of today\n",
    '{"filename":"a"}\n', "\ufeff{0}  a\n", "garbage\n{0}  a\n"], ids=ascii)
def test_a_nul_in_a_list(build, tmp_path, start):
    """It spoils its line alone."""
    lists = {"S": start + "{1}  b\0\n{1}  b\n"}
    done = Twins(tmp_path, {"a": A, "b": B}).run(
        "disksum", build / "disksum", ["-w"], lists)
    assert done[0] == ("\\" in start)
    assert done[1].endswith(b"b: OK\n")
    assert b"improperly formatted checksum line: contains a NUL byte\n" \
        in done[2]


def test_text_before_a_nul(fails, tmp_path):
    """A boot sector may have lines, too."""
    (tmp_path / "disk").write_bytes(b"Missing\n\r0123\n\n" + bytes(496))
    assert "is a raw disk image" in fails("-c", tmp_path / "disk")


def test_an_image_of_text(fails, tmp_path):
    (tmp_path / "disk").write_text("x" * 511 + "\n")
    assert fails("-c", "disk", cwd=tmp_path) == \
        "disk: no properly formatted checksum lines found; to print the " \
        "checksum of a disk image, omit -c"


def test_a_block_device(fails, loop_device, tmp_path):
    """It is an image, whatever it has: here, a list."""
    (tmp_path / "a").write_bytes(A)
    (tmp_path / "S").write_text(f"{checksum(A)}  {tmp_path}/a\n" * 100)
    os.truncate(tmp_path / "S", 8192)
    device = loop_device(tmp_path / "S")
    assert f"{device}: is a raw disk image" in fails("-c", device)


def test_warn_of_what_is_no_list(disksum, tmp_path):
    (tmp_path / "a").write_bytes(A)
    (tmp_path / "S").write_text("x\n" * 100)
    result = disksum("-cw", "S", cwd=tmp_path, check=False)
    lines = result.stderr.splitlines()
    assert len(lines) == 22
    assert lines[19].startswith("disksum: S: 20: improperly formatted")
    assert lines[20] == "disksum: S: more such lines follow"
    (tmp_path / "S").write_text(f"{checksum(A)}  a\n" + "x\n" * 100)
    result = disksum("-cw", "S", cwd=tmp_path, check=False)
    assert result.stderr.count(": improperly formatted") == 100


def test_endless(fails):
    assert "is a raw disk image" in fails("-c", "/dev/zero")


def test_endless_line(fails, tmp_path):
    with open(tmp_path / "S", "wb") as f:
        f.write(b"x" * (40 << 20))
    assert fails("-c", "S", cwd=tmp_path) == \
        "S: a line is too long for a list of checksums"


def test_a_list_of_zero(disksum, fails, tmp_path):
    (tmp_path / "a").write_bytes(A)
    for style in [], ["--tag"]:
        out = disksum("-z", *style, "a", cwd=tmp_path).stdout
        assert "written with --zero cannot be checked" in \
            fails("-c", input=out, cwd=tmp_path)


def test_utf16(fails, tmp_path):
    (tmp_path / "S").write_bytes(f"{checksum(A)}  a\r\n".encode("utf-16"))
    assert fails("-c", "S", cwd=tmp_path) == \
        "S: is UTF-16 text; a list must be UTF-8"
