# SPDX-License-Identifier: LGPL-2.1-or-later
"""VDI images: each compared with QEMU and with a naive reader."""

import json
import random
import re
import subprocess

import pytest

import vdi_image
from conftest import sums
from image_compare import Case, check_case, check_image
from oracle import checksum
from qcow2_compare import bounded_memory, convert
from qcow2_qemu import SPEC, create
from vdi_image import DIFF, DISCARDED, FIXED, FREE, UNDO, Image, MiB, guest_bytes

SIZE = 5 * MiB + 1536


def sample(size=SIZE, **options):
    """One block of each kind, not in order. The last one is not a whole block."""
    image = Image(size, **options)
    image.data(3, b"three")
    image.data(0, b"zero ")
    image.entry(1, DISCARDED)
    image.data(4, b"four ")
    image.data(5, b"five ")
    return image


# --- good images --------------------------------------------------------------

GOOD = {
    "sample": sample(),
    "fixed": Image(3 * MiB, kind=FIXED),
    "empty": Image(4 * MiB),
    "no disk": Image(0),
    "one sector": Image(512),
    "the map is behind the blocks": sample(map_at=32 * MiB, data_at=512),
    "a gap before the blocks": sample(data_at=2 * MiB + 512),
    "more blocks than the disk has": sample(blocks=1000),
}


@pytest.mark.sanitizer
@pytest.mark.parametrize("name", GOOD)
def test_good(disksum, tmp_path, name):
    check_image(disksum, GOOD[name].write(tmp_path / "disk.vdi"), "vdi", vdi_image)


@pytest.mark.parametrize("seed", range(4))
def test_random(disksum, tmp_path, seed):
    """Blocks in any order, with others that are not stored between them."""
    rnd = random.Random(seed)
    blocks = rnd.randrange(1, 40)
    image = Image(blocks * MiB - 512 * rnd.randrange(2048))
    for block in rnd.sample(range(blocks), blocks):
        kind = rnd.choice("ddef")
        if kind == "d":
            image.data(block, rnd.randbytes(rnd.randrange(1, 5000)))
        elif kind == "e":
            image.entry(block, rnd.choice([FREE, DISCARDED]))
    check_image(disksum, image.write(tmp_path / "disk.vdi"), "vdi", vdi_image)


@pytest.mark.parametrize("options", ["", "static=on"])
def test_made_by_qemu(disksum, tmp_path, options):
    path = tmp_path / "disk.vdi"
    create(str(path), SPEC + " 3M:- 70000:F", form="vdi", options=options)
    check_image(disksum, path, "vdi", vdi_image)


@pytest.mark.sanitizer
def test_probed(disksum, tmp_path):
    path = sample().write(tmp_path / "disk")
    assert sums(disksum(path).stdout) == [checksum(guest_bytes(path))]


def bytes_read(debug):
    """The bytes of the disk that were read, by what DISKSUM_DEBUG=read says."""
    return sum(int(length) for length, how in
               re.findall(r"read: .*: \d+\+(\d+): (.*)", debug) if how != "metadata")


def test_holes_of_the_host(disksum, tmp_path):
    """What a file system does not store of a block is not read."""
    image = Image(64 * MiB, kind=FIXED)
    path = image.write(tmp_path / "disk.vdi")
    subprocess.run(["fallocate", "--dig-holes", path], check=True)
    debug = disksum(path, check=False, env={"DISKSUM_DEBUG": "read"})
    assert sums(debug.stdout) == [checksum(bytes(64 * MiB))]
    assert bytes_read(debug.stderr) < 65536
    # As data, if it is asked for.
    data = disksum("--no-extents", path, check=False, env={"DISKSUM_DEBUG": "read"})
    assert data.stdout == debug.stdout
    assert bytes_read(data.stderr) >= 64 * MiB


def test_a_run_of_blocks_is_one_extent(disksum, tmp_path):
    image = Image(8 * MiB)
    for block in range(8):
        image.data(block, b"run")
    path = image.write(tmp_path / "disk.vdi")
    done = disksum(path, check=False, env={"DISKSUM_DEBUG": "map"})
    assert sums(done.stdout) == [checksum(guest_bytes(path))]
    assert done.stderr.count("disksum: map: ") == 1


# --- odd and bad images -------------------------------------------------------

BEYOND = "QEMU takes what the file does not have of the map for block 0"


def changed(name, differs="", length=None, entries=(), **fields):
    def build(directory):
        image = sample()
        image.length = length
        for block, value in entries:
            image.entry(block, value)
        for field, value in fields.items():
            image[field] = value
        return image.write(directory / "disk.vdi")
    return Case(name, build, differs)


def odd_fields():
    values = {
        "u32Signature": [0, 0xbeda107e],
        "u32Version": [0, 1, 0x10000, 0x10002, 0x20001, 0xffffffff],
        "cbHeader": [0, 0xffffffff],
        "u32Type": [0, UNDO, DIFF, 99, 0xffffffff],
        "fFlags": [0xffffffff],
        "offBlocks": [0, 1, 256, 511, 513, 1024],
        "offData": [0, 1, 512, 513, 1 << 20, 0xfffffe00, 0xffffffff],
        "cbSector": [0, 1, 511, 4096, 0xffffffff],
        "cbDisk": [0, 1, 511, 513, SIZE - 1, SIZE + 1, 6 * MiB, 6 * MiB + 1, 1 << 40,
                   1 << 49, 1 << 50, 1 << 63, (1 << 64) - 512, (1 << 64) - 1],
        "cbBlock": [0, 1, 511, 512, MiB - 1, 2 * MiB, 1 << 31, 0xffffffff],
        "cbBlockExtra": [1, 512, 0xffffffff],
        "cBlocks": [0, 5, 6, 7, 1 << 20, 536_870_785, 1 << 30, 1 << 31,
                    0xffffffff],
        "cBlocksAllocated": [0, 0xffffffff],
        "uuidCreate": [bytes(16), b"\xff" * 16],
        "uuidLinkage": [b"l" * 16, bytes(15) + b"\1"],
        "uuidParentModify": [b"p" * 16, b"\1" + bytes(15)],
    }
    for field, numbers in values.items():
        for value in numbers:
            yield changed(f"{field} is {value}", **{field: value})


CASES = [
    *odd_fields(),
    *(changed(f"the map is at {at:#x}", BEYOND, offBlocks=at)
      for at in (1 << 30, 0xfffffe00)),
    *(changed(f"cut after {length} bytes", BEYOND if 511 <= length < 536 else "", length=length)
      for length in (0, 1, 64, 68, 256, 511, 512, 513, 535, 536, 1023, 1024, 1025,
                     MiB, MiB + 1023, MiB + 1024, MiB + 1025, 4 * MiB + 1, 5 * MiB + 1023)),
    *(changed(f"an entry {value:#x}", entries=[(2, value)])
      for value in (1, 3, 4, 5, 100, 1 << 20, 1 << 31, 0xfffffffd)),
    changed("all entries are the same", entries=[(n, 1) for n in range(6)]),
    changed("the map is the header", offBlocks=0, offData=0),
    changed("block 0 is the header", offData=0),
]


@pytest.mark.one_thread
@pytest.mark.sanitizer(every=8)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_odd(disksum, tmp_path, case):
    check_case(disksum, tmp_path, case, "vdi", vdi_image)


MESSAGES = {
    "not a VDI image: the signature at offset 64 is wrong": {"u32Signature": 1},
    "VDI version 1.0 is not supported, only 1.1": {"u32Version": 0x10000},
    "VDI with sectors of 4096 bytes is not supported, only of 512": {"cbSector": 4096},
    "VDI with blocks of 2097152 bytes is not supported, only of 1048576":
        {"cbBlock": 2 * MiB},
    "the link UUID is not zero": {"uuidLinkage": b"x" * 16},
    "the parent UUID is not zero": {"uuidParentModify": b"x" * 16},
    "broken VDI image: the block map is at 513, which is not a multiple of 512":
        {"offBlocks": 513},
    "broken VDI image: the data is at 1, which is not a multiple of 512": {"offData": 1},
    "the VDI block map is too large: 536870785 entries, more than 536870784":
        {"cBlocks": 536_870_785},
    "broken VDI image: its map has 5 blocks, too few for a disk of 5244416 bytes":
        {"cBlocks": 5},
    "broken VDI image: its block map, 24 bytes at 1073741824, ends beyond the end of the "
    "file": {"offBlocks": 1 << 30},
}


@pytest.mark.parametrize("message", MESSAGES)
def test_message(fails, tmp_path, message):
    path = changed("", **MESSAGES[message]).build(tmp_path)
    said = fails("-f", "vdi", path)
    assert said.startswith(f"{path}: ") and said.endswith(message)


def test_snapshot(fails, tmp_path):
    path = sample().write(tmp_path / "disk.vdi")
    assert fails("-l", "1", path) == f"{path}: a VDI image has no snapshots"


@pytest.mark.sanitizer
def test_read_error(fails, build, tmp_path):
    """Where a block cannot be read, its place in the file is named."""
    path = sample().write(tmp_path / "disk.vdi")
    shim = build / "tests/read-error.so"
    if build.name == "build-tsan":
        pytest.skip("the sanitizer must be loaded first")
    message = fails(path, env={"LD_PRELOAD": shim, "READ_ERROR_OFFSET": str(2 * MiB)})
    assert "read error at offset" in message


# --- large disks --------------------------------------------------------------

def test_large_table(disksum, tmp_path):
    """The map of 8 TiB has 32 MiB. It is read by slices."""
    blocks = 8 << 20
    image = Image(blocks * MiB, blocks=0, data_at=512 + 4 * blocks)
    image["cBlocks"] = blocks
    image.data(0, b"first")
    path = image.write(tmp_path / "disk.vdi")
    with open(path, "r+b") as file:
        file.seek(512)
        file.write(bytes(4) + b"\xff" * (4 * blocks - 4))
    with open(tmp_path / "raw", "wb") as file:
        file.write((b"first" * MiB)[:MiB])
        file.truncate(blocks * MiB)
    large = "--block-size", "16M"
    done = disksum(*large, path, wrapper=bounded_memory())
    assert sums(done.stdout) == sums(disksum(*large, "-f", "raw", tmp_path / "raw").stdout)


def test_claims(disksum, fails, tmp_path):
    """A header claims 335 million blocks, and the file has no map for them."""
    image = Image(MiB, blocks=1)
    for blocks in 335_000_000, 536_870_784:
        image["cBlocks"] = blocks
        path = image.write(tmp_path / "disk.vdi")
        done = disksum(path, wrapper=bounded_memory())
        assert sums(done.stdout) == [checksum(bytes(MiB))]
    image["cbDisk"] = 536_870_784 * MiB
    image.write(path)
    assert "ends beyond the end of the file" in fails(path, wrapper=bounded_memory())


# --- what the rest of the program does with one -------------------------------

def test_standalone(disksum, tmp_path):
    path = sample().write(tmp_path / "disk.vdi")
    assert sums(disksum("--standalone", path).stdout) == [checksum(guest_bytes(path))]


def test_export(disksum, servers, tmp_path):
    path = sample().write(tmp_path / "disk.vdi")
    uri, _ = servers.nbdkit("file", path)
    assert sums(disksum("-f", "vdi", uri).stdout) == [checksum(guest_bytes(path))]


def test_standard_input(disksum, tmp_path):
    path = sample().write(tmp_path / "disk.vdi")
    with open(path, "rb") as file:
        done = disksum("-", stdin=file)
    assert sums(done.stdout) == [checksum(guest_bytes(path))]


@pytest.mark.sanitizer
def test_chain(disksum, tmp_path):
    """Below a qcow2 overlay."""
    base = sample().write(tmp_path / "base.vdi")
    top = tmp_path / "top.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base.name, "-F", "vdi",
                    top], check=True, cwd=tmp_path)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 7 1M 70000", top], check=True,
                   stdout=subprocess.DEVNULL)
    expected = checksum(convert(top))
    for options in [], ["-T", "none"]:
        assert sums(disksum(*options, top).stdout) == [expected]
    out = json.loads(disksum("--json", top).stdout)
    assert json.dumps(out).count(str(base)) == 1 and '"vdi"' in json.dumps(out)


def test_lock(disksum, fails, tmp_path):
    """QEMU writes it."""
    path = sample().write(tmp_path / "disk.vdi")
    daemon = subprocess.Popen(
        ["qemu-io", "-f", "vdi", path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        daemon.stdout.read(1)       # its prompt: the image is open
        assert "Use -U (--force-share)" in fails(path)
        done = disksum("-U", path, check=False)
        assert (done.returncode, sums(done.stdout)) == (0, [checksum(guest_bytes(path))])
    finally:
        daemon.communicate(b"quit\n")
