# SPDX-License-Identifier: LGPL-2.1-or-later
"""Differencing VPC images, which QEMU reads without their parents: each compared with
a naive reader."""

import json
import os
import random
import struct
import subprocess

import pytest

import vpc_image
from conftest import sums
from image_compare import WAYS, Case, check_case
from oracle import checksum, write_image
from qcow2_compare import bounded_memory
from vpc_image import (DIFFERENCING, FIXED, FREE, MAC, MACX, SECTOR, W2KU, W2RU, WI2K, WI2R,
                       Image, guest_bytes, utf16)

pytestmark = pytest.mark.one_thread

SIZE = 48 << 10         # six blocks of 8 KiB
BLOCK = 8192
QEMU = "QEMU leaves the parent out"


def base(uuid=b"parent's own id.", **options):
    image = Image(SIZE, block_size=BLOCK, uuid=uuid, **options)
    for block in 0, 1, 3, 4:
        image.data(block, b"below %d " % block)
    return image


def child(parent, locators=((W2RU, utf16(".\\base.vhd")),), size=SIZE, **options):
    """Sectors of the image beside those of its parent, in blocks of each kind."""
    image = Image(size, kind=DIFFERENCING, block_size=BLOCK, parent=parent, **options)
    image.data(0, b"all of it ")
    for number in 0, 1, 5, 14, 15:
        image.sector(1, number, b"sector %d " % number)
    image.data(2, b"nothing below ", b"\xaa")
    image.sector(3, 7, b"one")
    image.data(5, b"no bit is set", b"\0")
    for locator in locators:
        image.locator(*locator)
    return image


def write(directory, locators=((W2RU, utf16(".\\base.vhd")),), below=None, **options):
    """A parent, base.vhd, and its child, disk.vhd."""
    parent = base() if below is None else below
    parent.write(directory / "base.vhd")
    return child(parent, locators, **options).write(directory / "disk.vhd")


def chain(disksum, path):
    """The layers below an image, as --json has them."""
    return json.loads(disksum("--json", path).stdout)["backing-chain"]


def check(disksum, path, *options, ways=WAYS, expected=None):
    expected = expected or checksum(guest_bytes(path))
    for way in ways:
        assert sums(disksum(*options, *way, path).stdout) == [expected], way


# --- what is here, and what is below ------------------------------------------

@pytest.mark.sanitizer
def test_sectors(disksum, tmp_path):
    path = write(tmp_path)
    content = guest_bytes(path)
    assert content[BLOCK:].startswith(b"sector 0 ")
    assert content[BLOCK + 2 * SECTOR:][:10] in (b"below 1 " * 999)[:8190]
    assert content[5 * BLOCK:] == bytes(BLOCK)
    check(disksum, path)
    check(disksum, path, "-f", "vpc", ways=[[]])


@pytest.mark.sanitizer
@pytest.mark.parametrize("seed", range(6))
def test_random(disksum, tmp_path, seed):
    """A chain of images of several block sizes, with bits at random."""
    rnd = random.Random(seed)
    size = 512 * rnd.randrange(1, 4000)
    parent = None
    for depth in range(4):
        block_size = 4096 << rnd.randrange(9)
        kind = DIFFERENCING if depth else vpc_image.DYNAMIC
        image = Image(size, kind=kind, block_size=block_size, parent=parent,
                      uuid=rnd.randbytes(16))
        blocks = len(image.entries)
        for block in rnd.sample(range(blocks), rnd.randrange(blocks + 1)):
            image.data(block, rnd.randbytes(rnd.randrange(1, 3000)),
                       rnd.choice([b"\xff", b"\0", rnd.randbytes(40), b"\x55"]))
        if parent:
            image.locator(W2RU, utf16(f".\\{depth - 1}.vhd"))
        path = image.write(tmp_path / f"{depth}.vhd")
        parent = image
    check(disksum, path, ways=[[], ["-T", "none", "-t", "4"]])


@pytest.mark.parametrize("size", [SIZE - BLOCK, SIZE + 3 * BLOCK + 512])
def test_another_size(disksum, tmp_path, size):
    """What the parent does not have is zeros."""
    parent = base()
    parent.write(tmp_path / "base.vhd")
    image = Image(size, kind=DIFFERENCING, block_size=BLOCK, parent=parent)
    image.locator(W2RU, utf16("base.vhd"))
    check(disksum, image.write(tmp_path / "disk.vhd"))


def test_large_bitmap(disksum, tmp_path):
    """A block of 512 MiB has a bitmap of 128 KiB, more than is read at once."""
    size = 1 << 30
    parent = Image(size, kind=FIXED, uuid=b"0123456789abcdef")
    for at in range(0, size, 3 << 20):
        parent.put(at, b"parent %12d" % at * 30)
    parent.write(tmp_path / "base.vhd")
    image = Image(size, kind=DIFFERENCING, block_size=512 << 20, parent=parent)
    at = image.block(0)
    for sector in 0, 1, 600_000, 8 * 65536 - 1, 8 * 65536, (512 << 11) - 1:
        image.put(at + sector // 8, bytes([0x80 >> sector % 8]))
        image.put(at + image.bitmap_size + sector * SECTOR, b"child %10d" % sector * 32)
    image.put(at, b"\xc0")
    image.locator(W2RU, utf16("base.vhd"))
    path = image.write(tmp_path / "disk.vhd")
    with open(tmp_path / "raw", "wb") as raw:
        for at in range(0, size, 3 << 20):
            raw.seek(at)
            raw.write(b"parent %12d" % at * 30)
        for sector in 0, 1, 600_000, 8 * 65536 - 1, 8 * 65536, (512 << 11) - 1:
            raw.seek(sector * SECTOR)
            raw.write(b"child %10d" % sector * 32)
        raw.truncate(size)
    assert sums(disksum(path, wrapper=bounded_memory()).stdout) == \
        sums(disksum("-f", "raw", tmp_path / "raw").stdout)


# --- how programs name a parent -----------------------------------------------

NAMED = {
    "Hyper-V": [(W2KU, utf16("C:\\VM\\base.vhd")), (W2RU, utf16(".\\base.vhd"))],
    "Hyper-V, moved": [(W2RU, utf16("..\\other\\base.vhd")),
                       (W2KU, utf16("\\\\?\\C:\\other\\base.vhd"))],
    "on a server": [(W2KU, utf16("\\\\server\\share\\base.vhd"))],
    "XenServer": [(MACX, b"file://./base.vhd"), (W2KU, utf16("./base.vhd")),
                  (W2RU, utf16("./base.vhd"))],
    "XenServer, without the others": [(MACX, b"file://base.vhd")],
    "Xen Orchestra": [(W2KU, utf16("base.vhd"))],
    "a URL": [(MACX, b"file:///nonexistent/bas%65.vhd")],
    "a URL of this host": [(MACX, b"file://localhost/nonexistent/base.vhd")],
    "an alias of a Macintosh before it": [(MAC, b"\0\1alias"), (MACX, b"file://base.vhd")],
    "Virtual PC, early": [(WI2K, b"C:\\base.vhd"), (WI2R, b".\\base.vhd")],
    "Virtual PC, earliest": [(WI2K, b"c:base.vhd")],
    "with a NUL": [(W2RU, utf16("base.vhd\0and more"))],
    "a locator that is not UTF-16": [(W2RU, b"\0\xd8" + utf16("base.vhd")),
                                     (W2KU, utf16("base.vhd"))],
    "a locator of an odd length": [(W2RU, utf16("base.vhd")[:-1]), (W2KU, utf16("base.vhd"))],
    "a locator that is too long": [(W2RU, utf16("base.vhd"), 8193), (W2KU, utf16("base.vhd"))],
    "a locator beyond the end": [(W2RU, b"", 16, 1 << 40), (W2RU, b"", 16, (1 << 64) - 8),
                                 (W2KU, utf16("base.vhd"))],
    "eight locators": [*[(W2RU, utf16(f"no{n}.vhd")) for n in range(2)],
                       *[(0, b"")] * 5, (W2RU, utf16("base.vhd"))],
}


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("name", NAMED)
def test_named(disksum, tmp_path, name):
    check(disksum, write(tmp_path, NAMED[name]), ways=[[]])


@pytest.mark.parametrize("name", ["base.vhd", "C:\\VM\\base.vhd", "..\\x\\base.vhd"])
def test_named_in_the_header(disksum, tmp_path, name):
    """The last name that is tried, in the other byte order."""
    (tmp_path / "x").mkdir()
    (tmp_path / "y").mkdir()
    parent = base()
    parent.write(tmp_path / "x/base.vhd")
    parent.write(tmp_path / "y/base.vhd")
    image = child(parent, [(W2RU, utf16("not here.vhd"))])
    image.header["parent_name"] = name.encode("utf-16-be")
    check(disksum, image.write(tmp_path / "y/disk.vhd"), ways=[[]])


def test_absolute(disksum, tmp_path):
    """As XenServer names a parent on a volume."""
    (tmp_path / "dev").mkdir()
    parent = base()
    parent.write(tmp_path / "dev/parent")
    image = child(parent, [(MACX, b"file://" + os.fsencode(tmp_path / "dev/parent"))])
    check(disksum, image.write(tmp_path / "disk.vhd"), ways=[[]])


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("name", [
    "b\u00e4se \U0001f4bf.vhd", "nbd:host:1.vhd", "file:base.vhd", "json:{}", "a b\n\x1b[31m.vhd",
    "-", "%2e.vhd", "fat:rw:x", "host_device:x", "ab:c"])
def test_odd_name(disksum, tmp_path, name):
    """Whatever it looks like, it is the name of a file beside the image."""
    parent = base()
    parent.write(tmp_path / name)
    path = child(parent, [(W2RU, utf16(name))]).write(tmp_path / "disk.vhd")
    check(disksum, path, ways=[[]])
    assert chain(disksum, path)[-1]["filename"].endswith(f"/{name}")


def test_the_first_that_exists_counts(disksum, fails, tmp_path):
    """It does not look for one with the right id."""
    path = write(tmp_path, [(W2RU, utf16("first.vhd")), (W2KU, utf16("base.vhd"))])
    check(disksum, path, ways=[[]])
    base(b"x" * 16).write(tmp_path / "first.vhd")
    assert "is not its parent: it has the id 78787878-7878-7878-7878-787878787878" in fails(path)


def test_probed_by_its_name(disksum, tmp_path):
    """The parent has no format of its own: a fixed one has a footer only."""
    parent = Image(SIZE, kind=FIXED, uuid=b"fixed parent's id")
    parent.put(0, b"content" * 5000)
    path = write(tmp_path, below=parent)
    check(disksum, path)
    assert disksum(path).stderr == ""


# --- raw parents --------------------------------------------------------------

def test_raw_parent(disksum, tmp_path):
    """XenServer records no id of a raw parent."""
    write_image(tmp_path / "base", "20k:A 9k:- 19k:B")
    path = child(None, [(W2RU, utf16("./base"))]).write(tmp_path / "disk.vhd")
    check(disksum, path)
    assert [layer["format"] for layer in chain(disksum, path)] == ["raw"]


def test_parent_that_may_be_raw(fails, tmp_path):
    """No id is recorded, but the parent has a footer."""
    for parent in base(), Image(SIZE, kind=FIXED):
        for tail in 512, 511:
            parent.tail = tail
            parent.write(tmp_path / "base.vhd")
            path = child(None).write(tmp_path / "disk.vhd")
            assert fails(path) == f"{path}: it records no id of its parent, which must be raw " \
                f"then, but '{tmp_path}/base.vhd' is a VPC image"


# --- what is refused ----------------------------------------------------------

@pytest.mark.sanitizer
def test_missing(fails, tmp_path):
    path = child(base()).write(tmp_path / "disk.vhd")
    line = fails(path)
    assert line == f"{path}: cannot open its backing file: {tmp_path}/base.vhd: " \
        "No such file or directory"


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("locators", [
    [], [(W2RU, b"")], [(W2RU, utf16("\0base.vhd"))], [(W2KU, utf16("C:\\dir\\"))],
    [(W2RU, b"\0\xdc\0\0")], [(W2RU, b"a")], [(MACX, b"base.vhd")], [(MACX, b"http://x/base.vhd")],
    [(MACX, b"file://%00base.vhd")], [(W2RU, utf16("base.vhd"), 1 << 31)],
    [(W2RU, utf16("base.vhd"), 0xffffffff)], [(7, utf16("base.vhd"))]])
def test_without_a_name(fails, tmp_path, locators):
    path = write(tmp_path, locators)
    assert fails(path) == f"{path}: broken VPC image: it has the differences from a parent, " \
        "but no name of it that can be read"


def test_another_parent(fails, tmp_path):
    path = write(tmp_path)
    base(bytes(range(16))).write(tmp_path / "base.vhd")
    assert fails(path) == f"{path}: '{tmp_path}/base.vhd' is not its parent: it has the id " \
        "00010203-0405-0607-0809-0a0b0c0d0e0f, not 70617265-6e74-2773-206f-776e2069642e"


def test_parent_of_another_format(fails, tmp_path):
    path = write(tmp_path)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "base.vhd", "1M"],
                   check=True)
    assert "not a VPC image" in fails(path)


@pytest.mark.sanitizer
def test_loops(fails, tmp_path):
    image = child(base(), [(W2RU, utf16("disk.vhd"))], uuid=b"parent's own id.")
    path = image.write(tmp_path / "disk.vhd")
    assert "the backing chain loops" in fails(path)
    a, b = (child(base(), [(W2RU, utf16(f"{other}.vhd"))], uuid=b"parent's own id.")
            for other in "ba")
    a.write(tmp_path / "a.vhd")
    b.write(tmp_path / "b.vhd")
    assert "the backing chain loops" in fails(tmp_path / "a.vhd")


def test_not_a_plain_file(fails, tmp_path):
    """Nothing else is opened, and nothing waits for a FIFO."""
    os.mkfifo(tmp_path / "base.vhd")
    path = child(base()).write(tmp_path / "disk.vhd")
    assert "base.vhd" in fails(path)
    for name in "/dev/null", "/proc/self/fd/0", "/proc/version", "/dev/stdin":
        path = child(base(), [(MACX, b"file://" + name.encode())]).write(path)
        assert name in fails(path)


def test_bounded_length_of_a_message(fails, tmp_path):
    """The name is at most as long as a path."""
    path = child(base(), [(W2RU, utf16("x" * 4096))]).write(tmp_path / "disk.vhd")
    assert "File name too long" in fails(path)
    path = child(base(), [(W2RU, utf16("\u20ac" * 4096))]).write(tmp_path / "disk.vhd")
    assert "File name too long" in fails(path)


def changed(name, change):
    def build(directory):
        parent = base()
        parent.write(directory / "base.vhd")
        image = child(parent)
        change(image)
        return image.write(directory / "disk.vhd")
    return Case(name, build, QEMU)


def set_entry(block, value):
    return lambda image: image.entry(block, value)


def set_header(**fields):
    return lambda image: image.header.update(fields)


CASES = [
    *(changed(f"entry {value}", set_entry(1, value))
      for value in (0, 1, 2, 3, 4, 5, 20, 36, 100, 1 << 31, 0xfffffffe, FREE)),
    changed("all blocks are the same", lambda image: setattr(image, "entries", [4] * 6)),
    changed("blocks overlap", lambda image: setattr(image, "entries", [4, 5, 6, 7, 8, 9])),
    # A bitmap is between two blocks: these two touch nevertheless.
    changed("blocks that follow each other", lambda image: setattr(
        image, "entries", [4, 20, 36, 52, FREE, FREE])),
    changed("the table is in a block", set_header(table_offset=4096)),
    changed("the table is beyond the end", set_header(table_offset=1 << 30)),
    changed("too many entries", set_header(max_entries=1 << 20)),
    changed("another block size", set_header(block_size=16384)),
    changed("large blocks", set_header(block_size=1 << 31)),
    changed("another id", set_header(parent_uuid=b"x" * 16)),
    changed("no id", set_header(parent_uuid=bytes(16))),
    changed("a wrong checksum", lambda image: image.footer.update(checksum=1)),
    changed("a cut", lambda image: setattr(image, "length", 30000)),
    changed("no disk", lambda image: image.footer.update(current_size=0)),
]


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_odd(disksum, tmp_path, case):
    check_case(disksum, tmp_path, case, "vpc", vpc_image)


def test_blocks_without_a_bitmap(fails, tmp_path):
    parent = base()
    parent.write(tmp_path / "base.vhd")
    image = Image(SIZE, kind=DIFFERENCING, block_size=2048, parent=parent)
    path = image.write(tmp_path / "disk.vhd")
    assert fails(path) == \
        f"{path}: differencing VPC images with blocks of 2048 bytes are not supported"


def test_read_by_qemu(disksum, fails, tmp_path):
    """QEMU would leave the parent out."""
    path = write(tmp_path)
    top = tmp_path / "top.qed"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qed", "-b", path.name, "-F", "vpc", top],
                   check=True, cwd=tmp_path)
    options = f"driver=vpc,file.filename={path}"
    described = json.dumps({"driver": "vpc", "file": {"driver": "file", "filename": str(path)}})
    for args in [top], ["--image-opts", options], [f"json:{described}"]:
        assert fails(*args).endswith(
            "QEMU would leave out the parent of this differencing VPC image")
    # A dynamic one is whole.
    base().write(path)
    for args in [top], ["--image-opts", options], [f"json:{described}"]:
        assert sums(disksum(*args).stdout) == [checksum(guest_bytes(path))]


@pytest.mark.parametrize("name", [b"\xff\xfe", b"\x1b[31m\n\r\7", b"a\x80\xe2\x80\xae"])
def test_message_is_printable(fails, tmp_path, name):
    """Whatever bytes are in a name."""
    for platform in MACX, WI2K:
        prefix = b"file://" if platform == MACX else b""
        path = child(base(), [(platform, prefix + name)]).write(tmp_path / "disk.vhd")
        line = fails(path)
        assert line.isprintable() and "cannot open its backing file" in line


# --- what the rest of the program does with one -------------------------------

def test_standalone(disksum, fails, tmp_path):
    path = write(tmp_path)
    assert fails("--standalone", path) == \
        f"{path}: refers to another file, its backing file 'base.vhd', which --standalone " \
        "refuses"
    assert sums(disksum("--standalone", tmp_path / "base.vhd").stdout) == \
        [checksum(guest_bytes(tmp_path / "base.vhd"))]


def test_export(disksum, fails, servers, tmp_path):
    """It is in no directory."""
    path = write(tmp_path)
    uri, _ = servers.nbdkit("file", path)
    assert "the name is relative, but the image is in no directory" in fails("-f", "vpc", uri)
    image = child(base(), [(MACX, b"file://" + os.fsencode(tmp_path / "base.vhd"))])
    uri, _ = servers.nbdkit("file", image.write(tmp_path / "absolute.vhd"))
    assert sums(disksum("-f", "vpc", uri).stdout) == [checksum(guest_bytes(path))]


def test_json(disksum, tmp_path):
    path = write(tmp_path)
    assert chain(disksum, path) == [
        {"filename": f"{tmp_path}/base.vhd", "format": "vpc"}]


def test_chain_of_many(disksum, tmp_path):
    """Checkpoints of Hyper-V, with memory for each."""
    parent = base()
    parent.write(tmp_path / "0.vhd")
    for number in range(1, 200):
        image = Image(SIZE, kind=DIFFERENCING, block_size=BLOCK, parent=parent,
                      uuid=struct.pack(">12xI", number))
        image.sector(number % 6, number % 16, b"number %d " % number)
        image.locator(W2RU, utf16(f".\\{number - 1}.vhd"))
        path = image.write(tmp_path / f"{number}.vhd")
        parent = image
    done = disksum(path, wrapper=bounded_memory())
    content = bytearray(guest_bytes(tmp_path / "0.vhd"))
    for number in range(1, 200):
        at = number % 6 * BLOCK + number % 16 * SECTOR
        content[at:at + SECTOR] = (b"number %d " % number * SECTOR)[:SECTOR]
    assert sums(done.stdout) == [checksum(content)]


@pytest.mark.sanitizer
def test_below_qcow2(disksum, tmp_path):
    path = write(tmp_path)
    top = tmp_path / "top.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", path.name, "-F", "vpc", top],
                   check=True, cwd=tmp_path)
    check(disksum, top, expected=checksum(guest_bytes(path)))
    assert [layer["format"] for layer in chain(disksum, top)] == ["vpc", "vpc"]


def test_parent_that_is_written(disksum, fails, tmp_path):
    path = write(tmp_path)
    writer = subprocess.Popen(["qemu-io", "-f", "vpc", tmp_path / "base.vhd"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        writer.stdout.read(1)       # its prompt: the image is open
        assert "Use -U (--force-share)" in fails(path)
        assert sums(disksum("-U", path, check=False).stdout) == [checksum(guest_bytes(path))]
    finally:
        writer.communicate(b"quit\n")
