# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bitmaps of qcow2 images that must not be used: one line says why. Their images
are read all the same, as long as nobody asks for the bitmap."""

import struct
import subprocess

import pytest

from conftest import sums
from oracle import checksum
from qcow2_bitmap_image import (AUTO, EXTRA_COMPATIBLE, IN_USE, ONES, Bitmaps)
from qcow2_image import Image

pytestmark = pytest.mark.one_thread

CLUSTER = 512
SIZE = 20 << 20     # 40,960 bits of 512 bytes: ten clusters of 4,096 bits
DATA = b"\x0f" * CLUSTER


def make(path, content=None, *, version=3, extra_bitmaps=0, extension=None, **fields):
    """An image with a bitmap 'b0', valid but for what is given."""
    image = Image(SIZE, version=version, cluster_bits=9)
    image.disk.data(1, b"data")
    made = Bitmaps(image)
    for number in range(extra_bitmaps):
        made.add(b"other %d" % number, [0])
    made.add(b"b0", [0, ONES, DATA, 0, 0, 0, 0, 0, 0, ONES] if content is None else content,
             **fields)
    made.finish(**(extension or {}))
    if version == 2:
        del image.header["autoclear_features"]
    return image.write(path)


@pytest.fixture
def print_bitmap(build, tmp_path):
    def run(image, *args):
        return subprocess.run(
            [build / "tests/max-memory", "64000", build / "tests/print-bitmap", image,
             *args], capture_output=True, text=True, timeout=60)
    return run


def test_good(print_bitmap, tmp_path):
    done = print_bitmap(make(tmp_path / "image"), "b0")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("0 2097152 0\n2097152 2099200 1\n4196352 2048 0\n")


CASES = {
    "in use": ({"flags": IN_USE}, "it is in use: a program has the image open, or did not "
                                  "save the bitmap"),
    "in use and enabled": ({"flags": IN_USE | AUTO}, "it is in use"),
    "in use, with another size": ({"flags": IN_USE, "table_size": 3}, "it is in use"),
    "disabled": ({"flags": 0}, "it is disabled, so it has not recorded all changes"),
    "unknown flag": ({"flags": AUTO | 8}, "it has unknown flags: 0x8"),
    "all flags": ({"flags": 0xFFFFFFFF}, "it has unknown flags: 0xfffffff8"),
    "type 0": ({"type": 0}, "its type 0 is unknown"),
    "type 2": ({"type": 2}, "its type 2 is unknown"),
    "extra data": ({"extra": bytes(8), "extra_size": 8},
                   "its extra data is unknown, and must not be ignored"),
    "granularity 0": ({"granularity": 0}, "its granularity is 2^0 bytes, but must be 2^9"),
    "granularity 8": ({"granularity": 8}, "its granularity is 2^8 bytes, but must be 2^9"),
    "granularity 32": ({"granularity": 32}, "its granularity is 2^32 bytes"),
    "granularity 255": ({"granularity": 255}, "its granularity is 2^255 bytes"),
    "another granularity": ({"granularity": 10}, "its table has 10 entries instead of the 5 of "
                                                 f"a disk of {SIZE} bytes"),
    "no table": ({"table_size": 0}, "its table has 0 entries instead of the 10"),
    "table too short": ({"table_size": 9}, "its table has 9 entries instead of the 10"),
    "table too long": ({"table_size": 0xFFFFFFFF}, "its table has 4294967295 entries"),
    "table not aligned": ({"table": CLUSTER + 8}, "its table has an invalid offset: 520"),
    "table at 0": ({"table": 0}, "entry 0 of its table is invalid: 0x514649fb00000003"),
    "table beyond the end": ({"table": 1 << 40}, "its table does not lie in the file: 80 bytes "
                                                 "at 1099511627776"),
    "table at the end of numbers": ({"table": (1 << 64) - 512}, "its table does not lie in the "
                                                                "file"),
    "reserved high bit": ({"content": [1 << 56] + [0] * 9}, "entry 0 of its table is invalid: "
                                                            "0x100000000000000"),
    "reserved low bit": ({"content": [0] * 9 + [2]}, "entry 9 of its table is invalid: 0x2"),
    "data and all ones": ({"content": [0, 513] + [0] * 8}, "entry 1 of its table is invalid: "
                                                           "0x201"),
    "data beyond the end": ({"content": [1 << 40] + [0] * 9},
                            "its data does not lie in the file: entry 0 of its table has the "
                            "offset 1099511627776"),
    "data twice": ({"content": [0x600, 0x600] + [0] * 8}, "a cluster of it is used twice"),
}


@pytest.mark.sanitizer
@pytest.mark.parametrize("name", CASES)
def test_refused(print_bitmap, disksum, tmp_path, name):
    change, reason = CASES[name]
    image = make(tmp_path / "image", **change)
    done = print_bitmap(image, "b0")
    assert (done.returncode, done.stdout) == (1, ""), done
    assert done.stderr.startswith(f"{image}: bitmap 'b0' cannot be used: {reason}"), done
    assert done.stderr.count("\n") == 1
    content = bytearray(SIZE)
    content[512:1024] = b"data" * 128
    assert sums(disksum("-f", "qcow2", image).stdout) == [checksum(bytes(content))]


DIRECTORIES = {
    "autoclear bit": ({"bits": 0}, "bitmap 'b0' cannot be used: a program that does not know "
                                   "bitmaps has written to the image (autoclear bit 0 is not "
                                   "set)"),
    "too many": ({"count": 3}, "the bitmap directory is too short for its 3 bitmaps"),
    "too few": ({"count": 1}, "the bitmap directory has more than its 1 bitmaps"),
    "too short": ({"size": 56}, "an entry of the bitmap directory is too long: 32 bytes"),
    "empty": ({"size": 0}, "the bitmap directory is too short for its 2 bitmaps"),
    "too long": ({"size": 8192}, "the bitmap directory does not lie in the file: 8192 bytes at "),
    "most that is possible": ({"count": 65535}, "the bitmap directory is too short for its "
                                                "65535 bitmaps"),
}


@pytest.mark.parametrize("name", DIRECTORIES)
def test_directory(print_bitmap, tmp_path, name):
    change, reason = DIRECTORIES[name]
    image = make(tmp_path / "image", extra_bitmaps=1, extension=change)
    done = print_bitmap(image, "b0")
    assert (done.returncode, done.stdout) == (1, ""), done
    assert reason in done.stderr and done.stderr.count("\n") == 1


def test_version_2(print_bitmap, tmp_path):
    done = print_bitmap(make(tmp_path / "image", version=2), "b0")
    assert "(autoclear bit 0 is not set)" in done.stderr


def test_same_name(print_bitmap, tmp_path):
    image = Image(SIZE, cluster_bits=9)
    made = Bitmaps(image)
    for _ in range(2):
        made.add(b"b0", [0] * 10)
    made.finish()
    image.write(tmp_path / "image")
    assert "2 bitmaps have the same name" in print_bitmap(tmp_path / "image", "b0").stderr


def test_name_of_the_user(print_bitmap, tmp_path):
    image = make(tmp_path / "image")
    for name in "", "n" * 1024:
        assert "the name of a bitmap has 1 to 1023 bytes" in print_bitmap(image, name).stderr
    assert "no bitmap 'b0 '" in print_bitmap(image, "b0 ").stderr


@pytest.mark.parametrize("change", [
    {"extra": bytes(100), "extra_size": 100, "flags": AUTO | EXTRA_COMPATIBLE},
    {"flags": AUTO | EXTRA_COMPATIBLE},
])
def test_extra_data_that_may_be_ignored(print_bitmap, tmp_path, change):
    done = print_bitmap(make(tmp_path / "image", **change), "b0")
    assert (done.returncode, done.stderr) == (0, "")


def test_bad_bitmap_beside_a_good_one(print_bitmap, tmp_path):
    """What concerns another bitmap only does not matter."""
    image = Image(SIZE, cluster_bits=9)
    made = Bitmaps(image)
    made.add(b"b1", [7] * 3, flags=0xFF, type=9, granularity=77, table=12345)
    made.add(b"", [0])
    made.add(b"n" * 2000, [0])
    made.add(b"b0", [ONES] * 10)
    made.finish()
    image.write(tmp_path / "image")
    assert print_bitmap(tmp_path / "image", "b0").stdout == f"0 {SIZE} 1\n"


@pytest.mark.parametrize("what", ["table", "directory", "header"])
def test_data_in_metadata(print_bitmap, tmp_path, what):
    image = Image(SIZE, cluster_bits=9)
    made = Bitmaps(image)
    table = made.add(b"b0", [ONES] * 10)
    made.finish(**({"directory": 0} if what == "header" else {}))
    if what != "header":
        place = table if what == "table" else image.end - CLUSTER
        image.patch(table + 8, struct.pack(">Q", place))
    done = print_bitmap(image.write(tmp_path / "image"), "b0")
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    if what != "header":
        assert "bitmap 'b0' cannot be used: a cluster of it is used twice" in done.stderr


@pytest.mark.parametrize("there", [1, 2])
def test_data_at_the_end_of_the_file(print_bitmap, tmp_path, there):
    """The bytes that count must be in the file: one that was cut has lost some."""
    image = Image(5120, cluster_bits=9)     # ten bits: two bytes
    made = Bitmaps(image)
    table = made.add(b"b0", [0])
    made.finish()
    data = 1 << 20
    image.patch(table, struct.pack(">Q", data))
    image.patch(data, b"\x01\x02")
    image.length = data + there
    done = print_bitmap(image.write(tmp_path / "image"), "b0")
    if there == 2:
        assert (done.stdout, done.stderr) == ("0 512 1\n512 4096 0\n4608 512 1\n", "")
    else:
        assert "its data does not lie in the file" in done.stderr


def test_too_large(print_bitmap, tmp_path):
    """Its bits would take more than 512 MiB of memory."""
    for size, message in ((1 << 41), None), ((1 << 41) + 512, "it is too large: 536870913 bytes"):
        image = Image(size, cluster_bits=21)
        made = Bitmaps(image)
        made.add(b"b0", [0] * -(-size // 512 // 8 // (1 << 21)))
        made.finish()
        done = print_bitmap(image.write(tmp_path / "image"), "b0")
        assert (done.returncode, message or "") == (bool(message), message or ""), done
        assert (message or "") in done.stderr
