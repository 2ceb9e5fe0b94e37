# SPDX-License-Identifier: LGPL-2.1-or-later
"""Good VHDX images, by QEMU and byte for byte: dynamic and fixed ones."""
import json
import os
import random
import subprocess
import uuid

import pytest

from conftest import sums
from oracle import checksum
from test_locks import in_use, qemu_io
from vhdx_compare import check_good, naive_sum, qemu_sum, refusal
from vhdx_image import (FULLY_PRESENT, MIB, NOT_PRESENT, RESERVED, UNDEFINED, UNMAPPED,
                        UNMAPPED_0_95, ZERO, Image, crc32c)


def qemu_img(*args):
    subprocess.run(["qemu-img", *map(os.fspath, args)], check=True, stdout=subprocess.DEVNULL)


def write_patterns(path, commands, form="vhdx"):
    options = [word for command in commands for word in ("-c", command)]
    subprocess.run(["qemu-io", "-f", form, *options, path], check=True,
                   stdout=subprocess.DEVNULL)


def make(tmp_path, size=5 * MIB, **options):
    """An image with data in its blocks 0 and 3, and the image before it is written."""
    image = Image(size, **options)
    image.data(0, b"first")
    image.data(3, b"fourth")
    return image, tmp_path / "disk.vhdx"


# --- by QEMU -----------------------------------------------------------------

@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize("block_size", [1, 2, 4, 8, 16, 32, 64, 128, 256])
def test_by_qemu(disksum, tmp_path, block_size, fixed):
    """Patterns at places that nothing divides, in three blocks."""
    path, block = tmp_path / "disk.vhdx", block_size * MIB
    options = f"block_size={block}" + (",subformat=fixed" if fixed else "")
    qemu_img("create", "-q", "-f", "vhdx", "-o", options, path, str(2 * block + 1536))
    rnd = random.Random(block_size)
    write_patterns(path, [
        f"write -P {rnd.randrange(1, 256)} {rnd.randrange(2 * block // 512) * 512} 1536"
        for _ in range(6)] + [f"write -P 7 {block - 2560} 5k", f"write -P 9 {2 * block} 1k"])
    check_good(disksum, path, ways=[[], ["-T", "none"]])


@pytest.mark.sanitizer
@pytest.mark.parametrize("size", [512, 1536, MIB, MIB + 512, 3 * MIB - 512])
def test_sizes(disksum, tmp_path, size):
    path = tmp_path / "disk.vhdx"
    qemu_img("create", "-q", "-f", "vhdx", "-o", "block_size=1M", path, str(size))
    write_patterns(path, [f"write -P 5 {size - 512} 512"])
    check_good(disksum, path)


def test_empty_disk(disksum, tmp_path):
    """Without blocks. QEMU's own has a BAT of 64 MiB."""
    path = tmp_path / "disk.vhdx"
    qemu_img("create", "-q", "-f", "vhdx", path, "0")
    assert sums(disksum(path).stdout) == [checksum(b"")]


def test_converted(disksum, tmp_path):
    raw, path = tmp_path / "raw", tmp_path / "disk.vhdx"
    raw.write_bytes(random.Random(1).randbytes(3 * MIB) + bytes(2 * MIB) + b"end" * 5120)
    for options in "block_size=1M", "subformat=fixed", "block_state_zero=off":
        qemu_img("convert", "-O", "vhdx", "-o", options, raw, path)
        assert sums(disksum(path).stdout) == [checksum(raw)]
        check_good(disksum, path)


# --- byte for byte -----------------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("fixed", [False, True])
def test_states(disksum, tmp_path, fixed):
    """A block that is not present reads as zeros, wherever its entry points."""
    image, path = make(tmp_path, 16 * MIB, fixed=fixed)
    there = image.place(b"not to be seen")
    for n, state in enumerate([NOT_PRESENT, UNDEFINED, ZERO, UNMAPPED, UNMAPPED_0_95]):
        image.block(5 + n, state)
        image.block(10 + n, state, there)
    image.block(15, FULLY_PRESENT, there)
    check_good(disksum, image.write(path))


@pytest.mark.sanitizer
def test_order_of_blocks(disksum, tmp_path):
    """Runs, backwards, twice the same, and reserved bits that are set."""
    image = Image(20 * MIB)
    places = [image.place(b"block %d, " % n) for n in range(10)]
    order = [0, 1, 2, 9, 8, 7, 3, 3, 4, 5, 6, 6]
    for block, n in enumerate(order):
        image.block(block, FULLY_PRESENT, places[n])
    image.block(13, FULLY_PRESENT, places[4] | 0xFFFF8)
    check_good(disksum, image.write(tmp_path / "disk.vhdx"))


@pytest.mark.sanitizer
@pytest.mark.parametrize("block_size, chunk", [(MIB, 4096), (256 * MIB, 16)])
def test_chunks(disksum, tmp_path, block_size, chunk):
    """The entry of a chunk's bitmap is between those of its blocks and the next. QEMU 7.2
    leaves garbage there, which nothing may depend on."""
    image = Image((2 * chunk + 3) * block_size - 1024, block_size)
    used = [0, chunk - 1, chunk, chunk + 1, 2 * chunk - 1, 2 * chunk, 2 * chunk + 2]
    for block in used:
        offset = image.place(b"")
        image.block(block, FULLY_PRESENT, offset)
        for at in 0, 5000, block_size - 1600:
            image.put(offset + at, b"block %d at %d" % (block, at))
    image.entry(chunk, 0xFFFFFFF00000 | ZERO)
    image.entry(2 * chunk + 1, ZERO)
    check_good(disksum, image.write(tmp_path / "disk.vhdx"), ways=[[], ["-T", "none"]])


@pytest.mark.parametrize("block_size", [MIB, 32 * MIB])
def test_large_sectors(disksum, tmp_path, block_size):
    """Of 4096 bytes, which QEMU refuses. A chunk is eight times as large."""
    chunk = (32 << 30) // block_size
    image = Image((chunk + 2) * block_size, block_size, 4096)
    for block in 0, chunk - 1, chunk, chunk + 1:
        offset = image.place(b"")
        image.block(block, FULLY_PRESENT, offset)
        image.put(offset + block_size - 5000, b"block %d" % block)
    check_good(disksum, image.write(tmp_path / "disk.vhdx"), qemu=False, ways=[[]])


@pytest.mark.parametrize("sector_size, size, rest", [(512, MIB + 700, 188), (4096, MIB + 4608, 512)])
def test_size_is_rounded_down(disksum, tmp_path, sector_size, size, rest):
    """To whole sectors."""
    image = Image(size, sector_size=sector_size)
    image.data(0, b"first")
    image.data(1, b"last")
    path = image.write(tmp_path / "disk.vhdx")
    check_good(disksum, path, qemu=sector_size == 512, ways=[[]])
    assert json.loads(disksum("--json", path).stdout)["virtual-size"] == size - rest


def test_last_block_ends_with_the_disk(disksum, tmp_path):
    """QEMU made such images: the file ends before the block does."""
    image, path = make(tmp_path, 3 * MIB + 1536)
    image.length = image.end - MIB + 1536
    check_good(disksum, image.write(path))


def test_last_block_behind_the_first_chunk(disksum, tmp_path):
    """The same, but QEMU counts the entry of the bitmap as a block, and refuses it."""
    image = Image((4096 << 20) + 1536)
    offset = image.place(b"")
    image.put(offset, b"last")
    image.block(4096, FULLY_PRESENT, offset)
    image.length = offset + 1536
    check_good(disksum, image.write(tmp_path / "disk.vhdx"), qemu=False, ways=[[]])


# --- headers and tables ------------------------------------------------------

HEADERS = {
    "the second": ({}, {}, True),
    "the first": ({"sequence_number": 9}, {"data_write_guid": str(uuid.uuid4())}, True),
    "the second, the CRC of the first is wrong": ({"crc": 1}, {}, True),
    "the first, the CRC of the second is wrong":
        ({"sequence_number": 1}, {"sequence_number": 2, "crc": 1}, True),
    "the first, the second has version 2": ({}, {"version": 2, "sequence_number": 9}, True),
    "the first, the second has no signature":
        ({}, {"signature": b"tail", "sequence_number": 9}, True),
    "a large number": ({}, {"sequence_number": (1 << 64) - 1}, True),
    "both are the same": ({"sequence_number": 8}, {}, True),
    "equal numbers": ({"sequence_number": 8, "file_write_guid": str(uuid.uuid4())}, {}, False),
    "none, by the CRC": ({"crc": 1}, {"crc": 2}, False),
    "none, by the version": ({"version": 0}, {"version": 2}, False),
}


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("name", HEADERS)
def test_headers(disksum, tmp_path, name):
    first, second, good = HEADERS[name]
    image, path = make(tmp_path)
    image.header_1 = image.header | {"sequence_number": 7, "crc": None} | first
    image.header |= second
    image.write(path)
    if good:
        check_good(disksum, path)
    else:
        assert naive_sum(path) is None and qemu_sum(path) is None
        assert refusal(disksum, path) == \
            "broken VHDX image: neither of its headers is valid"


def test_newer_header_counts(disksum, tmp_path):
    """It is the one that says where the log is."""
    image, path = make(tmp_path)
    image.header_1["log_offset"] = 12345
    check_good(disksum, image.write(path), ways=[[]])
    image.header_1["sequence_number"] = 9
    image.write(path)
    assert "its log is at 12345" in refusal(disksum, path)


@pytest.mark.parametrize("change", [{"crc": 1}, {"signature": b"none"}])
def test_second_region_table(disksum, tmp_path, change):
    """QEMU does not use it."""
    image, path = make(tmp_path)
    image.region_tables[0] = change
    check_good(disksum, image.write(path), qemu=False, ways=[[]])


def test_first_region_table_counts(disksum, tmp_path):
    image, path = make(tmp_path)
    image.region_tables[1] = {"regions": []}
    check_good(disksum, image.write(path), ways=[[]])


@pytest.mark.sanitizer
def test_parts_in_another_order(disksum, tmp_path):
    """Regions, items and blocks; and some that are not known, and not required."""
    image, path = make(tmp_path)
    unknown = [[str(uuid.UUID(int=n + 1)), image.allocate(MIB), MIB, 0] for n in range(20)]
    image.regions = unknown + image.regions[::-1]
    image.items = [[str(uuid.UUID(int=n + 1)), 3, b"unknown"] for n in range(40)] + \
        image.items[::-1]
    image.data(4, b"behind all of them")
    check_good(disksum, image.write(path))


def test_full_tables(disksum, tmp_path):
    image, path = make(tmp_path)
    image.regions += [[str(uuid.UUID(int=n + 1)), image.allocate(MIB), MIB, 0]
                      for n in range(2045)]
    image.items += [[str(uuid.UUID(int=n + 1)), 1, b"x"] for n in range(2042)]
    check_good(disksum, image.write(path), ways=[[]])


def test_large_bat(disksum, tmp_path):
    """QEMU reads all of it. It may be longer than the disk needs."""
    image = Image(3 * MIB, bat_length=64 * MIB)
    image.data(2, b"third")
    check_good(disksum, image.write(tmp_path / "disk.vhdx"), ways=[[]])


def test_identity_of_a_log_without_entries(disksum, tmp_path):
    image, path = make(tmp_path)
    image.header["log_guid"] = str(uuid.uuid4())
    check_good(disksum, image.write(path), ways=[[]])


# --- options, and where an image may be --------------------------------------

def test_probed(disksum, tmp_path):
    image, path = make(tmp_path)
    image.write(path)
    done = disksum("-v", path, check=False)
    assert done.stderr.startswith(f"disksum: {path}: vhdx, ")
    with open(path, "rb") as f:
        assert sums(disksum(stdin=f).stdout) == [naive_sum(path)]


def test_without_qemu(disksum, tmp_path):
    image, path = make(tmp_path)
    image.write(path)
    assert sums(disksum("--standalone", path, env={"PATH": "/nothing"}).stdout) == \
        [naive_sum(path)]


@pytest.mark.sanitizer
def test_snapshot(disksum, tmp_path):
    image, path = make(tmp_path)
    assert refusal(disksum, image.write(path), "-l", "1") == "a VHDX image has no snapshots"


def test_export(disksum, servers, tmp_path):
    image, path = make(tmp_path)
    uri, _ = servers.qemu_nbd(image.write(path))
    assert sums(disksum("-f", "vhdx", uri).stdout) == [naive_sum(path)]
    assert sums(disksum("-f", "vhdx", "--", "[", "nbdkit", "file", path, "]").stdout) == \
        [naive_sum(path)]


def test_below_qcow2(disksum, tmp_path):
    image, path = make(tmp_path)
    image.write(path)
    top = tmp_path / "top.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", "-b", path, "-F", "vhdx", top, "7M")
    write_patterns(top, ["write -P 3 1000k 100k", "write -z 3M 64k"], form="qcow2")
    raw = tmp_path / "raw"
    qemu_img("convert", "-O", "raw", top, raw)
    done = disksum("--json", top)
    assert json.loads(done.stdout)["checksum"] == checksum(raw)
    assert [layer["format"] for layer in json.loads(done.stdout)["backing-chain"]] == ["vhdx"]


def test_holes_of_the_host(disksum, tmp_path):
    """A block that is present, and has holes: they are not read."""
    path = tmp_path / "disk.vhdx"
    qemu_img("create", "-q", "-f", "vhdx", "-o", "subformat=fixed", path, "64M")
    write_patterns(path, ["write -P 7 20000k 64k"])
    check_good(disksum, path, ways=[[], ["--no-extents"]])
    assert json.loads(disksum("--json", path).stdout)["read"] <= MIB


def test_in_use(disksum, fails, tmp_path):
    image, path = make(tmp_path)
    image.write(path)
    with qemu_io(path, format="vhdx"):
        assert fails(path) == in_use(path)
        assert sums(disksum("-U", path).stdout) == [naive_sum(path)]


def test_memory_of_the_largest(disksum, tmp_path):
    """64 TiB in blocks of 1 MiB: a BAT of 512 MiB. QEMU reads all of it."""
    image = Image(64 << 40, MIB)
    image.block(2, RESERVED)
    path = image.write(tmp_path / "disk.vhdx")
    assert "at guest offset 2097152" in refusal(disksum, path)


def test_memory_of_a_large_one(disksum, tmp_path):
    image = Image(1 << 40, MIB)
    image.data(123456, b"somewhere")
    check_good(disksum, image.write(tmp_path / "disk.vhdx"), ways=[[]], qemu=None)


def test_crc():
    """The builder's, by its usual check value."""
    assert crc32c(b"123456789") == 0xE3069283
