# SPDX-License-Identifier: LGPL-2.1-or-later
"""VHDX images with a parent. QEMU refuses them, so the naive reader is the oracle."""
import json
import os
import random
import subprocess
import uuid

import pytest

from conftest import sums
from oracle import checksum
from qcow2_compare import bounded_memory
from test_locks import in_use, qemu_io
from vhdx_compare import check_good, naive_sum, qemu_sum, refusal
from vhdx_image import (BITMAP_PRESENT, FULLY_PRESENT, LOCATOR_VHDX, LOG_GUID, MIB, NOT_PRESENT,
                        PARTIALLY_PRESENT, UNDEFINED, UNMAPPED, ZERO, Image, braces, data,
                        locator)

pytestmark = pytest.mark.one_thread

BASE = str(uuid.UUID(int=0x83ed0ec324c849a6a9595e4bf1288bfb))
SIZE = 6 * MIB


def make_base(path, size=SIZE, identity=BASE, **options):
    image = Image(size, data_guid=identity, **options)
    for block in range(image.blocks - 1):
        image.data(block, b"parent %d, " % block)
    return image.write(path)


def child(size=SIZE, name=".\\base.vhdx", identity=BASE, parent=None, **options):
    pairs = {"relative_path": name, "parent_linkage": braces(identity)}
    return Image(size, parent=pairs if parent is None else parent, **options)


def check(disksum, path, ways=([], ["-T", "none"], ["-t", "1", "--queue-depth", "1"])):
    check_good(disksum, path, qemu=False, ways=ways)


# --- what is in the image, and what in the parent ----------------------------

@pytest.mark.sanitizer
def test_states(disksum, tmp_path):
    make_base(tmp_path / "base.vhdx")
    image = child()
    there = image.data(0, b"child")
    image.block(1, NOT_PRESENT, there)
    image.block(2, ZERO, there)
    image.block(3, UNMAPPED)
    image.block(4, UNDEFINED)
    check(disksum, image.write(tmp_path / "top.vhdx"))


@pytest.mark.sanitizer
def test_nothing_of_its_own(disksum, tmp_path):
    base = make_base(tmp_path / "base.vhdx")
    path = child().write(tmp_path / "top.avhdx")
    check(disksum, path)
    assert naive_sum(path) == naive_sum(base)


RUNS = {
    "first": [(0, 1)], "last": [(2047, 1)], "both ends": [(0, 3), (2040, 8)],
    "none": [], "all": [(0, 2048)], "all but the first": [(1, 2047)],
    "all but the last": [(0, 2047)], "bytes": [(8, 8), (24, 16)],
    "odd": [(n, 1) for n in range(0, 200, 2)], "across a byte": [(7, 2), (14, 5), (31, 34)],
}


@pytest.mark.sanitizer
@pytest.mark.parametrize("name", RUNS)
def test_sectors(disksum, tmp_path, name):
    """A bitmap says which sectors of a block are in the image."""
    make_base(tmp_path / "base.vhdx")
    image = child()
    image.partial(1, b"child, " * 9, RUNS[name])
    image.partial(2, b"third, " * 7, [(3, 5)])
    check(disksum, image.write(tmp_path / "top.vhdx"))


@pytest.mark.parametrize("seed", range(6))
def test_random_sectors(disksum, tmp_path, seed):
    rnd = random.Random(seed)
    sector_size, block_size = rnd.choice([512, 4096]), rnd.choice([1, 2, 4]) * MIB
    size = 3 * block_size + rnd.randrange(1, 100) * sector_size
    make_base(tmp_path / "base.vhdx", size, block_size=block_size, sector_size=sector_size)
    image = child(size, block_size=block_size, sector_size=sector_size)
    for block in range(image.blocks):
        state = rnd.choice([NOT_PRESENT, ZERO, FULLY_PRESENT] + 5 * [PARTIALLY_PRESENT])
        if state == FULLY_PRESENT:
            image.data(block, b"child %d, " % block)
        elif state == PARTIALLY_PRESENT:
            runs, at = [], 0
            while at < block_size // sector_size:
                count = rnd.choice([1, 1, 2, 7, 8, 9, 64, 300])
                if rnd.random() < 0.5:
                    runs.append((at, min(count, block_size // sector_size - at)))
                at += count
            image.partial(block, b"partly %d, " % block, runs)
        else:
            image.block(block, state)
    check(disksum, image.write(tmp_path / "top.vhdx"), ways=[[], ["-T", "none"]])


def test_chunks(disksum, tmp_path):
    """Each chunk has a bitmap of its own."""
    chunk = 4096
    size = (chunk + 2) * MIB
    base = Image(size, data_guid=BASE)
    image = child(size)
    for n in 0, chunk - 1, chunk, chunk + 1:
        there = base.place(b"")
        base.block(n, FULLY_PRESENT, there)
        base.put(there, b"parent %d" % n * 1000)
        there = image.partial(n, b"", [(n % 10, 3), (17 + n % 10, 1)])
        image.put(there, b"child %d" % n * 1000)
    base.write(tmp_path / "base.vhdx")
    check(disksum, image.write(tmp_path / "top.vhdx"), ways=[[]])


@pytest.mark.sanitizer
def test_bitmap_in_the_log(disksum, tmp_path):
    make_base(tmp_path / "base.vhdx")
    image = child()
    image.partial(1, b"child", [])
    image.header["log_guid"] = LOG_GUID
    image.log.entry([data(image.bitmaps[0], b"\x5a" * 4096)])
    path = image.write(tmp_path / "top.vhdx")
    check(disksum, path)
    image.header["log_guid"] = str(uuid.uuid4())
    image.write(tmp_path / "other.vhdx")
    assert naive_sum(path) != naive_sum(tmp_path / "other.vhdx")


@pytest.mark.parametrize("size", [512, MIB, 3 * MIB + 512, 9 * MIB])
def test_parent_of_another_size(disksum, tmp_path, size):
    """What the parent does not have is zeros."""
    make_base(tmp_path / "base.vhdx", size)
    image = child()
    image.data(5, b"child")
    image.partial(2, b"partly", [(1, 2000)])
    check(disksum, image.write(tmp_path / "top.vhdx"))


def test_parent_of_other_blocks(disksum, tmp_path):
    make_base(tmp_path / "base.vhdx", block_size=4 * MIB)
    image = child(block_size=2 * MIB)
    image.partial(1, b"child", [(0, 9), (17, 2000)])
    check(disksum, image.write(tmp_path / "top.vhdx"))


# --- chains ------------------------------------------------------------------

@pytest.mark.sanitizer
def test_chain(disksum, tmp_path):
    """Checkpoints of Hyper-V: each has a parent, the names of which end in .avhdx."""
    make_base(tmp_path / "disk.vhdx")
    below, name = BASE, ".\\disk.vhdx"
    for n in range(5):
        identity = str(uuid.uuid4())
        image = child(name=name, identity=below, data_guid=identity)
        image.partial(n, b"of %d, " % n, [(n, 100)])
        path = image.write(tmp_path / f"disk_{n}.avhdx")
        below, name = identity, f".\\disk_{n}.avhdx"
    check(disksum, path)
    chain = json.loads(disksum("--json", path).stdout)["backing-chain"]
    assert [layer["format"] for layer in chain] == 5 * ["vhdx"]
    assert chain[-1]["filename"] == f"{tmp_path}/disk.vhdx"


def test_below_qcow2(disksum, tmp_path):
    make_base(tmp_path / "base.vhdx")
    image = child()
    image.partial(1, b"child", [(5, 100)])
    path = image.write(tmp_path / "middle.vhdx")
    top = tmp_path / "top.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", path, "-F", "vhdx",
                    top, str(SIZE)], check=True)
    assert sums(disksum(top).stdout) == [naive_sum(path)]


def test_loops(disksum, tmp_path):
    """By its own name, by two images, and by a hard link."""
    first, second = str(uuid.uuid4()), str(uuid.uuid4())
    path = child(name="top.vhdx", identity=first, data_guid=first).write(tmp_path / "top.vhdx")
    assert "the backing chain loops" in refusal(disksum, path)
    child(name="other.vhdx", identity=second, data_guid=first).write(path)
    child(name="top.vhdx", identity=first, data_guid=second).write(tmp_path / "other.vhdx")
    assert "the backing chain loops" in refusal(disksum, path)
    os.link(path, tmp_path / "link.vhdx")
    child(name="link.vhdx", identity=first, data_guid=second).write(tmp_path / "other.vhdx")
    assert "the backing chain loops" in refusal(disksum, path)


# --- who the parent is -------------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("pairs", [
    {"parent_linkage": braces(BASE.upper())},
    {"parent_linkage": braces(str(uuid.uuid4())), "parent_linkage2": braces(BASE)},
    {"parent_linkage2": braces(BASE), "something": "else", "": ""}])
def test_identity(disksum, tmp_path, pairs):
    make_base(tmp_path / "base.vhdx")
    image = child(parent={"relative_path": "base.vhdx"} | pairs)
    check(disksum, image.write(tmp_path / "top.vhdx"), ways=[[]])


@pytest.mark.sanitizer
def test_another_parent(disksum, tmp_path):
    other = str(uuid.uuid4())
    make_base(tmp_path / "base.vhdx", identity=other)
    path = child().write(tmp_path / "top.vhdx")
    assert refusal(disksum, path) == \
        f"'{tmp_path}/base.vhdx' is not its parent, or has been changed since: it is " \
        f"{braces(other)}, not {braces(BASE)}"
    assert naive_sum(path) is None


def test_sector_size_of_the_parent(disksum, tmp_path):
    make_base(tmp_path / "base.vhdx", sector_size=4096)
    path = child().write(tmp_path / "top.vhdx")
    assert "has sectors of 512 bytes, but its parent" in refusal(disksum, path)


def test_parent_of_another_format(disksum, tmp_path):
    (tmp_path / "base.vhdx").write_bytes(bytes(SIZE))
    path = child().write(tmp_path / "top.vhdx")
    assert refusal(disksum, path) == \
        f"cannot open its backing file: {tmp_path}/base.vhdx: not a VHDX image"


# --- where the parent is -----------------------------------------------------

ELSEWHERE = "\\\\?\\Volume{26A21BDA-A627-11D7-9931-806E6F6E6963}\\path2\\"
NAMES = [
    # The names in the locator, and the file that is there, from the image's directory.
    ({"relative_path": ".\\.\\\\base.vhdx"}, "base.vhdx"),
    ({"relative_path": ".\\base.vhdx"}, "base.vhdx"),
    ({"relative_path": "base.vhdx"}, "base.vhdx"),
    ({"relative_path": "..\\a b\\..\\other\\b\u00e4se \u2603 \U0001f4be.vhdx"},
     "../other/b\u00e4se \u2603 \U0001f4be.vhdx"),
    ({"relative_path": "sub/base.vhdx"}, "sub/base.vhdx"),
    ({"relative_path": "nbd:base.vhdx"}, "nbd:base.vhdx"),
    ({"relative_path": "file:base.vhdx"}, "file:base.vhdx"),
    ({"relative_path": 'json:{"driver":"null-co"}'}, 'json:{"driver":"null-co"}'),
    ({"relative_path": "-f,x=%41 '\".vhdx"}, "-f,x=%41 '\".vhdx"),
    ({"relative_path": "a\nb\x1b.vhdx"}, "a\nb\x1b.vhdx"),
    ({"relative_path": "gone.vhdx", "volume_path": ELSEWHERE + "base.vhdx"}, "base.vhdx"),
    ({"relative_path": "gone.vhdx", "volume_path": ELSEWHERE + "gone2.vhdx",
      "absolute_win32_path": "\\\\?\\d:\\path\\base.vhdx"}, "base.vhdx"),
    ({"absolute_win32_path": "\\\\?\\d:\\path\\base.vhdx"}, "base.vhdx"),
    ({"absolute_win32_path": "D:\\path\\base.vhdx"}, "base.vhdx"),
    ({"absolute_win32_path": "D:base.vhdx"}, "base.vhdx"),
    ({"absolute_win32_path": "\\\\server\\share\\base.vhdx"}, "base.vhdx"),
    ({"relative_path": "\\path\\base.vhdx"}, "base.vhdx"),
    ({"volume_path": ELSEWHERE, "absolute_win32_path": "base.vhdx"}, "base.vhdx"),
]


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("pairs, there", NAMES)
def test_names(disksum, tmp_path, pairs, there):
    here = tmp_path / "here"
    (here / "sub").mkdir(parents=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "a b").mkdir()
    make_base(here / there)
    image = child(parent=pairs | {"parent_linkage": braces(BASE)})
    image.data(0, b"child")
    path = image.write(here / "top.vhdx")
    for name, directory in (path, tmp_path), ("top.vhdx", here), ("here/top.vhdx", tmp_path):
        assert sums(disksum(name, cwd=directory, env={"PATH": "/nothing"}).stdout) == \
            [naive_sum(path)]


def test_order_of_names(disksum, tmp_path):
    """The first that exists counts, even if it is not the parent."""
    make_base(tmp_path / "b.vhdx")
    make_base(tmp_path / "a.vhdx", identity=str(uuid.uuid4()))
    pairs = {"absolute_win32_path": "C:\\b.vhdx", "volume_path": ELSEWHERE + "a.vhdx",
             "parent_linkage": braces(BASE)}
    path = child(parent=pairs).write(tmp_path / "top.vhdx")
    assert "a.vhdx' is not its parent" in refusal(disksum, path)
    child(parent=pairs | {"relative_path": "b.vhdx"}).write(path)
    check(disksum, path, ways=[[]])
    os.unlink(tmp_path / "a.vhdx")
    child(parent=pairs).write(path)
    check(disksum, path, ways=[[]])


def test_absolute_path_of_this_host(disksum, tmp_path):
    make_base(tmp_path / "base.vhdx")
    (tmp_path / "sub").mkdir()
    path = child(name=f"{tmp_path}/base.vhdx").write(tmp_path / "sub/top.vhdx")
    check(disksum, path, ways=[[]])


@pytest.mark.sanitizer
@pytest.mark.parametrize("pairs, name", [
    ({"relative_path": "..\\disks\\base.vhdx"}, "../disks/base.vhdx"),
    ({"volume_path": ELSEWHERE + "base.vhdx"}, "base.vhdx"),
    ({"relative_path": "sub\\base.vhdx", "absolute_win32_path": "C:\\base.vhdx"},
     "sub/base.vhdx")])
def test_missing_parent(disksum, tmp_path, pairs, name):
    path = child(parent=pairs | {"parent_linkage": braces(BASE)}).write(tmp_path / "top.vhdx")
    assert refusal(disksum, path) == \
        f"cannot open its backing file: {tmp_path}/{name}: No such file or directory"


def test_fifo(disksum, tmp_path):
    os.mkfifo(tmp_path / "base.vhdx")
    path = child().write(tmp_path / "top.vhdx")
    assert "is a FIFO" in refusal(disksum, path)


# --- bad locators ------------------------------------------------------------

def text(value):
    return value.encode("utf-16-le")


LINKAGE = ("parent_linkage", braces(BASE))
PATH = ("relative_path", "base.vhdx")
LOCATORS = {
    "empty": (b"", "is too short"),
    "no header": (locator([LINKAGE, PATH])[:19], "is too short"),
    "no entries": (locator([], count=0), "it does not say who its parent is"),
    "entries without an end": (locator([LINKAGE, PATH], count=65535), "is too short"),
    "of another type": (locator([LINKAGE, PATH], kind=LOCATOR_VHDX[::-1].replace("-", "")),
                        "the parent of the VHDX image is not a VHDX image"),
    "no linkage": (locator([PATH]), "it does not say who its parent is"),
    "no path": (locator([LINKAGE]), "it does not name its parent"),
    "empty paths": (locator([LINKAGE, ("relative_path", ""), ("volume_path", "\\"),
                             ("absolute_win32_path", "C:")]), "it does not name its parent"),
    "other keys": (locator([("parent_linkagf", braces(BASE)), ("relative_patH", "base.vhdx")]),
                   "it does not say who its parent is"),
    "two of a key": (locator([LINKAGE, PATH, PATH]),
                     "its parent locator has two values for relative_path"),
    "no GUID": (locator([("parent_linkage", BASE), PATH]),
                "has a parent_linkage that is not a GUID"),
    "nearly a GUID": (locator([("parent_linkage", braces(BASE[:-1] + "g")), PATH]),
                      "has a parent_linkage that is not a GUID"),
    "a GUID of other letters": (locator([("parent_linkage2", "\u0660" * 38), PATH]),
                                "has a parent_linkage2 that is not a GUID"),
    "half a pair": (locator([LINKAGE, ("relative_path", text("a") + b"\x00\xd8")]),
                    "has a value of relative_path that is not UTF-16"),
    "half a unit": (locator([LINKAGE, ("volume_path", b"a\0b")]),
                    "has a value of volume_path that is not UTF-16"),
    "a long name": (locator([LINKAGE, ("relative_path", "b" * 4096)]),
                    "has a relative_path that is too long"),
    "an offset outside": (locator([LINKAGE, PATH])[:24] + b"\xff\xff\xff\xff"
                          + locator([LINKAGE, PATH])[28:],
                          "entry 0 of its parent locator is outside the locator"),
    "a length outside": (locator([LINKAGE, PATH])[:-1],
                         "entry 1 of its parent locator is outside the locator"),
}


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("name", LOCATORS)
def test_locators(disksum, tmp_path, name):
    content, line = LOCATORS[name]
    make_base(tmp_path / "base.vhdx")
    path = child(parent=content).write(tmp_path / "top.vhdx")
    assert line in refusal(disksum, path)
    assert qemu_sum(path) is None


def test_locator_of_more_than_a_mebibyte(disksum, tmp_path):
    make_base(tmp_path / "base.vhdx")
    for size in MIB, MIB + 1:
        image = child(parent=locator([LINKAGE, PATH]).ljust(size, b"\0"))
        image.metadata = image.allocate(4 * MIB)
        image.regions[1][1:3] = image.metadata, 4 * MIB
        path = image.write(tmp_path / "top.vhdx")
        if size == MIB:
            check(disksum, path, ways=[[]])
    assert refusal(disksum, path).endswith("the parent locator has 1048577 bytes, more than 1 MiB")


def test_longest_name(disksum, tmp_path):
    path = child(name="\u20ac" * 1365).write(tmp_path / "top.vhdx")
    assert refusal(disksum, path).endswith(": File name too long")


def test_thousands_of_keys(disksum, tmp_path):
    make_base(tmp_path / "base.vhdx")
    pairs = [LINKAGE, PATH] + [(f"key {n}", "value") for n in range(12000)]
    assert len(locator(pairs)) < MIB
    image = child(parent=locator(pairs))
    image.data(0, b"child")
    path = image.write(tmp_path / "top.vhdx")
    expected = naive_sum(path)
    assert sums(disksum(path, wrapper=bounded_memory()).stdout) == [expected]


@pytest.mark.sanitizer
@pytest.mark.parametrize("change, line", [
    (lambda image: image.entry(image.chunk, 0),
     "a block that is partly in the parent, but no bitmap that says which part"),
    (lambda image: image.entry(image.chunk, FULLY_PRESENT + 1 | 5 << 20),
     "but no bitmap that says which part"),
    (lambda image: image.entry(image.chunk, BITMAP_PRESENT), "within the header section"),
    (lambda image: image.entry(image.chunk, BITMAP_PRESENT | MIB), "overlaps metadata"),
    (lambda image: image.entry(image.chunk, BITMAP_PRESENT | 1 << 40),
     "a bitmap of sectors beyond the end of the file"),
    (lambda image: image.entry(image.chunk, BITMAP_PRESENT | (1 << 64) - MIB),
     "beyond the largest possible file"),
    (lambda image: image.block(1, PARTIALLY_PRESENT, 0), "within the header section"),
    (lambda image: image.block(1, PARTIALLY_PRESENT, 2 * MIB), "overlaps metadata"),
    (lambda image: image.block(1, PARTIALLY_PRESENT, 1 << 40), "beyond the end of the file")])
def test_bad_bitmaps(disksum, tmp_path, change, line):
    make_base(tmp_path / "base.vhdx")
    image = child()
    image.partial(1, b"child", [(0, 10)])
    change(image)
    path = image.write(tmp_path / "top.vhdx")
    said = refusal(disksum, path)
    assert line in said and "guest offset 1048576" in said
    assert naive_sum(path) is None


def test_bat_for_bitmaps(disksum, tmp_path):
    """The last entry is that of the last bitmap."""
    make_base(tmp_path / "base.vhdx")
    image = child(1 << 30)
    image.regions[0][2] = 8 * 4096
    path = image.write(tmp_path / "top.vhdx")
    assert "too few for a disk" in refusal(disksum, path)
    image.regions[0][2] = 8 * 4097
    image.write(path)
    check(disksum, path, ways=[[]])


# --- options -----------------------------------------------------------------

def test_standalone(disksum, tmp_path):
    make_base(tmp_path / "base.vhdx")
    path = child().write(tmp_path / "top.vhdx")
    assert refusal(disksum, path, "--standalone") == \
        "refers to another file, its backing file 'base.vhdx', which --standalone refuses"


def test_export(fails, disksum, servers, tmp_path):
    """An export is in no directory."""
    make_base(tmp_path / "base.vhdx")
    path = child().write(tmp_path / "top.vhdx")
    uri, _ = servers.qemu_nbd(path)
    assert fails("-f", "vhdx", uri).endswith(
        "the name is relative, but the image is in no directory")


def test_parent_in_use(disksum, fails, tmp_path):
    base = make_base(tmp_path / "base.vhdx")
    path = child().write(tmp_path / "top.vhdx")
    with qemu_io(base, format="raw"):
        assert in_use(f"{tmp_path}/base.vhdx") in fails(path)
        assert sums(disksum("-U", path).stdout) == [naive_sum(path)]


def test_empty_parent(disksum, tmp_path):
    make_base(tmp_path / "base.vhdx", 0)
    path = child(MIB).write(tmp_path / "top.vhdx")
    assert sums(disksum(path).stdout) == [checksum(bytes(MIB))]
