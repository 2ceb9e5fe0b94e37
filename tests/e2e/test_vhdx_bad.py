# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad VHDX images: QEMU and the naive reader refuse each of them, and so does disksum,
in one line that says what is wrong. Where QEMU reads one, `differs` says why."""
import struct
from typing import Callable, NamedTuple

import pytest

from conftest import sums
from qcow2_compare import bounded_memory
from vhdx_compare import naive_sum, qemu_sum, refusal
from vhdx_image import (BAT, DISK_ID, DISK_SIZE, FILE_PARAMETERS, FULLY_PRESENT, IS_REQUIRED,
                        IS_USER, LOGICAL_SECTOR_SIZE, METADATA, MIB, PARENT_LOCATOR,
                        PARTIALLY_PRESENT, PHYSICAL_SECTOR_SIZE, RESERVED, ZERO, Image)

pytestmark = pytest.mark.one_thread

UNKNOWN = "01234567-89ab-4cde-8f01-23456789abcd"


class Case(NamedTuple):
    name: str
    change: Callable    # change(image)
    line: str           # a part of what is said
    differs: str = ""   # why QEMU reads it


CASES = []


def case(name, line, differs=""):
    def add(change):
        CASES.append(Case(name, change, line, differs))
    return add


# --- the header --------------------------------------------------------------

def header(name, line, differs="", **fields):
    case(name, line, differs)(lambda image: image.header.update(fields))


header("version of the log", "the version of its log is 1", log_version=1)
header("log in the header", "its log is at 0,", log_offset=0)
header("log not aligned", "its log is at 1049088,", log_offset=MIB + 512)
header("log where no file ends", "beyond the largest file", "QEMU does not look at an empty log",
       log_offset=(1 << 63) - MIB)
header("log at the end of all numbers", "beyond the largest file", "likewise",
       log_offset=(1 << 64) - MIB)
header("log over the BAT", "overlaps another one", log_offset=2 * MIB)
header("log over metadata", "overlaps another one", log_length=3 * MIB)
header("length of a log", "its log has 4096 bytes", log_guid=UNKNOWN, log_length=4096)


@case("no signature", "not a VHDX image")
def _(image):
    image.patch(0, b"vhdxfilf")


@case("empty behind the signature", "neither of its headers")
def _(image):
    image.patch(64 << 10, bytes(192 << 10))


@case("a file of one sector", "neither of its headers")
def _(image):
    image.length = 512


# --- the region table --------------------------------------------------------

@case("both region tables", "neither copy of its region table")
def _(image):
    image.region_tables = [{"crc": 1}, {"crc": 2}]


@case("signature of the region tables", "neither copy of its region table")
def _(image):
    image.region_tables = [{"signature": b"Regi"}] * 2


@case("too many regions", "has 2048 entries, more than 2047")
def _(image):
    image.region_tables[0] = {"count": 2048}


@case("regions without an end", "has 4294967295 entries")
def _(image):
    image.region_tables[0] = {"count": (1 << 32) - 1}


@case("no region", "no region for the BAT")
def _(image):
    image.regions = []


@case("no BAT", "no region for the BAT")
def _(image):
    del image.regions[0]


@case("no metadata", "no region for metadata")
def _(image):
    del image.regions[1]


@case("two BATs", "two regions for the BAT")
def _(image):
    image.regions.append([BAT, image.allocate(MIB), MIB, 1])


@case("two of metadata", "two regions for metadata")
def _(image):
    image.regions.append([METADATA, image.allocate(MIB), MIB, 1])


@case("an unknown region", "a region that is required but unknown")
def _(image):
    image.regions.append([UNKNOWN, image.allocate(MIB), MIB, 1])


@case("a BAT behind the end", "its BAT, at 1073741824, ends beyond the end of the file",
      "QEMU takes what is missing for zeros")
def _(image):
    image.regions[0][1] = 1 << 30


@case("a BAT that is cut", "its BAT, at 6291456, ends beyond the end of the file", "likewise")
def _(image):
    image.regions[0][1] = image.end
    image.length = image.end + 39


@case("overlap of the BAT", "overlaps another one")
def _(image):
    image.regions[0][2] = 2 * MIB


@case("overlap of one that is unknown", "overlaps another one")
def _(image):
    image.regions.append([UNKNOWN, image.metadata, MIB, 0])


@case("a region that wraps", "a region has an invalid offset", "QEMU's check overflows")
def _(image):
    image.regions.append([UNKNOWN, (1 << 64) - MIB, 2 * MIB, 0])


@case("a region in the header section", "a region has an invalid offset",
      "QEMU does not know that it overlaps anything")
def _(image):
    image.regions.append([UNKNOWN, 512 << 10, 4096, 0])


# --- metadata ----------------------------------------------------------------

def item(image, kind, content):
    for one in image.items:
        if one[0] == kind:
            one[2] = content


@case("no metadata table", "no metadata table at offset 3145728")
def _(image):
    image.metadata_signature = b"metadatb"


@case("too many items", "has 2048 entries, more than 2047")
def _(image):
    image.metadata_count = 2048


@case("far too many items", "has 65535 entries")
def _(image):
    image.metadata_count = 65535


@case("an unknown item", "a metadata item that is required but unknown")
def _(image):
    image.items.append([UNKNOWN, IS_REQUIRED, b"x"])


NAMES = {FILE_PARAMETERS: "file parameters", DISK_SIZE: "size of the disk",
         DISK_ID: "identity of the disk", LOGICAL_SECTOR_SIZE: "logical sector size",
         PHYSICAL_SECTOR_SIZE: "physical sector size"}
for place, (kind, text) in enumerate(NAMES.items()):
    case(f"no {text}", f"no metadata item for the {text}")(
        lambda image, place=place: image.items.pop(place))
    case(f"two of {text}", f"two metadata items for the {text}")(
        lambda image, place=place: image.items.append(image.items[place]))
    case(f"two of {text}, one by a user", f"two metadata items for the {text}")(
        lambda image, place=place: image.items.append(
            [image.items[place][0], IS_USER, b"12345678"]))

for size in 0, 512, MIB - 1, MIB + 512, 3 * MIB, 512 * MIB, 1 << 31, (1 << 32) - 1:
    case(f"blocks of {size} bytes", f"the block size is {size},")(
        lambda image, size=size: item(image, FILE_PARAMETERS, struct.pack("<II", size, 0)))
for size in 0, 1, 256, 513, 1024, 2048, 8192, (1 << 32) - 1:
    case(f"sectors of {size} bytes", f"the sector size is {size},")(
        lambda image, size=size: item(image, LOGICAL_SECTOR_SIZE, struct.pack("<I", size)))


@case("a parent, but no locator", "does not say where its parent is")
def _(image):
    item(image, FILE_PARAMETERS, struct.pack("<II", MIB, 2))


@case("a locator, but no parent", "that it has none")
def _(image):
    image.items.append([PARENT_LOCATOR, IS_REQUIRED, bytes(20)])


for size in (1 << 40, 64 << 40):
    case(f"a BAT for less than {size >> 40} TiB", "too few for a disk of")(
        lambda image, size=size: item(image, DISK_SIZE, struct.pack("<Q", size)))
for size in ((64 << 40) + 1, 1 << 60, (1 << 64) - 1):
    case(f"a disk of {size} bytes", "more than 64 TiB", None)(
        lambda image, size=size: item(image, DISK_SIZE, struct.pack("<Q", size)))


@case("an item behind the end of the file", "the block size is 0,")
def _(image):
    image.items[0].append((1 << 32) - 8)


# --- blocks ------------------------------------------------------------------

def block(name, line, state, offset, differs=""):
    case(name, line, differs)(lambda image: image.block(
        1, state, offset(image) if callable(offset) else offset))


block("an unknown state", "a block in an unknown state: at guest offset 1048576", RESERVED, 0)
block("partially present", "a block that is partly in a parent, which the image does not have: "
      "at guest offset 1048576", PARTIALLY_PRESENT, lambda image: image.place(b"x"))
block("at offset 0", "a block within the header section: at guest offset 1048576",
      FULLY_PRESENT, 0, "QEMU repeats the first sector of the file")
block("in the log", "a block that overlaps metadata", FULLY_PRESENT, MIB)
block("in the BAT", "a block that overlaps metadata", FULLY_PRESENT, 2 * MIB)
block("in metadata", "a block that overlaps metadata", FULLY_PRESENT, 3 * MIB)
block("behind the end", "for guest offset 1048576 lies beyond the end of the file",
      FULLY_PRESENT, lambda image: image.end)
block("far behind the end", "lies beyond the end of the file", FULLY_PRESENT, 1 << 50)
block("where no file ends", "a block beyond the largest possible file", FULLY_PRESENT, (1 << 64) - MIB)
block("where no file ends, by one", "a block beyond the largest possible file", FULLY_PRESENT, 1 << 63)


@case("over a region that is unknown", "a block that overlaps metadata")
def _(image):
    image.regions.append([UNKNOWN, image.data(1, b"x"), MIB, 0])


@case("a block that is cut", "for guest offset 2096640 lies beyond the end of the file")
def _(image):
    image.data(1, b"x")
    image.length = image.end - 512


@case("the last block is cut", "lies beyond the end of the file")
def _(image):
    image.data(4, b"x")
    image.length = image.end - MIB + 512


@case("all ones", "a block that is partly in a parent")
def _(image):
    for index in range(5):
        image.entry(index, (1 << 64) - 1)


def make(case, path):
    image = Image(4 * MIB + 1536)
    image.data(0, b"first")
    image.block(2, ZERO)
    image.data(3, b"fourth")
    case.change(image)
    return image.write(path)


@pytest.mark.sanitizer(every=8)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_bad(disksum, tmp_path, case):
    path = make(case, tmp_path / "disk.vhdx")
    line = refusal(disksum, path)
    assert case.line in line
    assert naive_sum(path) is None
    if case.differs is not None:
        assert bool(qemu_sum(path)) == bool(case.differs)


def test_line():
    """The names of cases are those of tests."""
    assert len({case.name for case in CASES}) == len(CASES)


# --- larger ones -------------------------------------------------------------

def test_all_blocks_are_one(disksum, tmp_path):
    """Legal: 16 GiB of one block of 1 MiB. It costs time, but not memory."""
    image = Image(16 << 30)
    there = image.place(b"again")
    entry = struct.pack("<Q", there | FULLY_PRESENT)
    image.put(image.bat, entry * (image.blocks + 3))
    path = image.write(tmp_path / "disk.vhdx")
    done = disksum("--max-size", "1G", path, check=False, wrapper=bounded_memory())
    assert "more than --max-size allows" in done.stderr
    image = Image(1 << 30)
    image.put(image.bat, entry * image.blocks)
    image.place(b"again")
    image.write(path)
    assert sums(disksum(path, wrapper=bounded_memory()).stdout) == [naive_sum(path)]


def test_bytes_that_are_cut(disksum, tmp_path):
    """Anywhere: the file is refused, or what is missing is not needed."""
    image = Image(3 * MIB)
    image.data(2, b"third")
    path = image.write(tmp_path / "disk.vhdx")
    whole = path.read_bytes()
    right = naive_sum(path)
    rest = sorted({*range(0, 300 << 10, 13333), 2 * MIB, 2 * MIB + 23, 2 * MIB + 24,
                   3 * MIB + 31, 3 * MIB + 65535, 3 * MIB + 65600, 4 * MIB, 5 * MIB - 512,
                   5 * MIB - 511})
    for length in rest:
        path.write_bytes(whole[:length])
        expected = naive_sum(path)
        assert expected in (None, right)
        done = disksum("-f", "vhdx", path, check=False)
        assert (sums(done.stdout) or [None]) == [expected], length
