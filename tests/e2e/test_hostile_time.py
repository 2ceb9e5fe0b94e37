# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small image cannot take more time than reading it does. The limits are of CPU time,
and many times what is used."""

import os
import resource
import struct

import pytest

import vhdx_image
from conftest import sums
from qcow2_image import Image
from hostile_images import SIZE, hostile_qed
from test_member import header, padded

SIZE_OF_TEXT = 900000  # less than the 1 MiB that are read of a descriptor

# Without qemu-nbd, whose time is its own.
NO_QEMU = {"PATH": "/nonexistent"}

HEAD = "# Disk DescriptorFile\nversion=1\nCID=12345678\nparentCID=ffffffff\n" \
    'createType="monolithicFlat"\n'
EXTENT = 'RW 8 FLAT "flat" 0\n'


def soon(function):
    """Run disksum, which must end within two seconds of CPU time."""
    def run(*args, **kwargs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        result = function(*args, **kwargs)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        assert after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime < 2
        return result
    return run


@pytest.fixture
def fails_soon(fails):
    return soon(fails)


@pytest.fixture(autouse=True)
def flat(tmp_path):
    (tmp_path / "flat").write_bytes(bytes(4096))


def below_qed(path):
    """An image that QEMU reads, so that the names below it are looked at first."""
    return hostile_qed(path.with_name("qed"), path.name)


def embedded(text):
    """A descriptor behind a header without a capacity."""
    return struct.pack("<4sIIQQQQ", b"KDMV", 1, 1, 0, 1, 1, 1).ljust(512, b"\0") + \
        text.encode()


@pytest.mark.parametrize("blank", ["\n", "\r\n", " \n", "\t\v\f \n"])
@pytest.mark.parametrize("extent", ["", EXTENT])
def test_empty_lines(fails_soon, tmp_path, blank, extent):
    """QEMU takes the square of their number."""
    path = tmp_path / "image"
    for text in (HEAD + extent + blank * (SIZE_OF_TEXT // len(blank)),
                 HEAD + blank * (SIZE_OF_TEXT // len(blank)) + extent):
        for content in text.encode(), embedded(text):
            path.write_bytes(content)
            line = fails_soon(path)
            assert "has no extents" in line or "more than 65536 extents" in line or \
                "a line of this VMDK image is too long" in line
            assert "more than 1000 empty lines in a row" in fails_soon(below_qed(path))


def test_name_of_all_members(fails, fails_soon, tmp_path):
    """A global header of pax names all members that follow, each of 512 bytes."""
    path = tmp_path / "x.tar"

    def write(size, count):
        record = b"%d path=%s\n" % (size, b"x" * (size - len("%d path=\n" % size)))
        path.write_bytes(header("g", size, b"g") + padded(record) + header("a") * count)

    write(1 << 20, 20000)
    assert fails_soon("--member=nix", path) == \
        f"{path}: broken tar archive: the global header at offset 0 has {1 << 20} bytes"
    write(1 << 16, 20000)
    assert fails_soon("--member=nix", path) == \
        f"{path}: no member 'nix', and no other is a disk"


@pytest.mark.parametrize("line", ["#", "R", "RW", "RW 1", "x" * 1000])
def test_many_lines(fails_soon, tmp_path, line):
    path = tmp_path / "image"
    line += "\n"
    path.write_text(HEAD + line * (SIZE_OF_TEXT // len(line)))
    line_error = "the line of an extent" if line == "RW 1\n" else "no extents"
    assert line_error in fails_soon(path)
    fails_soon(below_qed(path), env=NO_QEMU)


def test_extent_that_is_named_often(fails_soon, tmp_path):
    path, extent = tmp_path / "image", tmp_path / "extent"
    extent.write_bytes(embedded(HEAD + EXTENT + "#\n" * 500000))
    path.write_text(HEAD + 'RW 8 SPARSE "extent"\n' * 1000)
    assert "is another descriptor" in fails_soon(path)
    assert "cannot run 'qemu-nbd'" in fails_soon(below_qed(path), env=NO_QEMU)


@pytest.mark.parametrize("names", [["image"], ["./image", ".//image"]])
def test_image_that_names_itself(fails_soon, tmp_path, names):
    """The directory from which its names start may become longer and longer."""
    path = tmp_path / "image"
    lines = "".join(f'RW 8 SPARSE "{name}"\n' for name in names)
    hint = f'parentFileNameHint="{names[0]}"\n'
    path.write_bytes(embedded(hint + HEAD + lines + "#\n" * 500000))
    assert "is another descriptor" in fails_soon(path)
    assert "refers to too many other files" in fails_soon(below_qed(path), env=NO_QEMU)


def test_chain_that_is_named_by_many_names(fails_soon, tmp_path):
    """Each image names the next one twice: 2^20 ways lead to the last."""
    for number in range(20):
        lines = f'RW 8 SPARSE "{number + 1}"\n'
        (tmp_path / str(number)).write_bytes(embedded(HEAD + 2 * lines))
    (tmp_path / "20").write_bytes(embedded(HEAD + EXTENT))
    assert "is another descriptor" in fails_soon(tmp_path / "0")
    assert "cannot run 'qemu-nbd'" in fails_soon(below_qed(tmp_path / "0"), env=NO_QEMU)


def test_image_that_is_reached_twice(fails_soon, tmp_path):
    """That is no loop."""
    base = tmp_path / "base"
    Image(SIZE).write(base)
    os.symlink("base", tmp_path / "link")
    Image(SIZE, backing=b"link", backing_format=b"qcow2").write(tmp_path / "middle")
    path = hostile_qed(tmp_path / "image", "middle")
    assert "cannot run 'qemu-nbd'" in fails_soon(path, env=NO_QEMU)


@pytest.mark.no_sanitizer
def test_log_that_changes_a_place_often(disksum, tmp_path):
    """Each change is one of all bitmaps, which are one, too."""
    size, chunk = 1 << 40, 4 << 30
    identity = "11111111-2222-4333-8444-555555555555"
    vhdx_image.Image(4 << 20, data_guid=identity).write(tmp_path / "base")
    image = vhdx_image.Image(size, parent={
        "relative_path": "base", "parent_linkage": vhdx_image.braces(identity)})
    block, bitmap = image.place(None), image.bitmap(0)
    entries = struct.pack("<Q", block | vhdx_image.PARTIALLY_PRESENT) * image.chunk + \
        struct.pack("<Q", bitmap | vhdx_image.BITMAP_PRESENT)
    image.put(image.bat, entries * (size // chunk))
    image.header["log_guid"] = vhdx_image.LOG_GUID
    image.log.entry([vhdx_image.zero(bitmap, 1 << 20)] * 2048)
    path = image.write(tmp_path / "image")
    empty = tmp_path / "empty"
    empty.touch()
    os.truncate(empty, size)
    assert sums(soon(disksum)("-f", "vhdx", path).stdout) == sums(disksum(empty).stdout)
