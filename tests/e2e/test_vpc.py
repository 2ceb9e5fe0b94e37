# SPDX-License-Identifier: LGPL-2.1-or-later
"""VPC images, fixed and dynamic: each compared with QEMU and with a naive reader."""

import hashlib
import random
import subprocess

import pytest

import vpc_image
from conftest import sums
from image_compare import Case, check_case, check_image
from oracle import checksum
from qcow2_compare import bounded_memory
from qcow2_qemu import SPEC, create
from vpc_image import FIXED, SECTOR, Image, MiB, guest_bytes

SIZE = 40 << 10         # ten blocks of 4 KiB
BLOCK = 4096


def sample(size=SIZE, block_size=BLOCK, **options):
    """Blocks that are not in order, some of which are not stored."""
    image = Image(size, block_size=block_size, **options)
    for block in 3, 0, 7, 8:
        image.data(block, b"block %d " % block)
    return image


def fixed(size=SIZE, **options):
    image = Image(size, kind=FIXED, **options)
    for offset in range(0, size, 4096):
        image.put(offset, b"at %8d " % offset)
    return image


def with_fields(image, header=(), **footer):
    image.footer.update(footer)
    image.header.update(header)
    return image


def with_attributes(image, **attributes):
    for name, value in attributes.items():
        setattr(image, name, value)
    return image


# --- good images --------------------------------------------------------------

GEOMETRY = {"cylinders": 3, "heads": 2, "sectors": 5}
LARGEST = {"cylinders": 65535, "heads": 16, "sectors": 255}

GOOD = {
    "dynamic": sample(),
    "bitmaps are ignored": Image(SIZE, block_size=BLOCK),
    "blocks of a sector": sample(6 << 10, 512),
    "blocks of 2 MiB": sample(17 * MiB + 512, 2 * MiB),
    "a large bitmap": sample(38 * MiB, 4 * MiB),
    "empty": Image(SIZE, block_size=BLOCK),
    "no disk": Image(0),
    "more blocks than the disk has": sample(entries=1000),
    "not a whole block": sample(SIZE - 512),
    "the footer at the end is missing": with_attributes(sample(), last=False),
    "the footer at the end has 511 bytes": with_attributes(sample(), tail=511),
    "the footer at the end has 1 byte": with_attributes(sample(), tail=1),
    "fixed": fixed(),
    "fixed, with 511 bytes of a footer": with_attributes(fixed(), tail=511),
    "type 0 is dynamic": with_fields(sample(), type=0),
    "type 5 is dynamic": with_fields(sample(), type=5),
    "a fixed one with a header": with_fields(sample(), type=FIXED),
    "saved state": with_fields(sample(), saved_state=1),
    "the checksum of the header is wrong": with_fields(sample(), {"checksum": 7}),
    **{f"the size by {creator}": with_fields(
        sample(creator=creator), **GEOMETRY)
       for creator in (b"win ", b"qem2", b"d2v ", b"d2v\0", b"CTXS", b"tap\0", b"tap ", b"vpc ",
                       b"qemu", b"vbox", b"vs  ", b"vmm ", b"\0\0\0\0")},
    "the largest geometry": with_fields(sample(creator=b"vpc "), **LARGEST),
    "no geometry": with_fields(sample(creator=b"vpc "), cylinders=0),
    "fixed, by geometry": with_fields(fixed(creator=b"vpc "), **GEOMETRY),
    "fixed, larger than the file": with_fields(fixed(), current_size=SIZE + 4096),
    "fixed, its footer is content": with_fields(fixed(), current_size=SIZE + 512),
    "a size that is not whole sectors": with_fields(sample(), current_size=SIZE - 1),
}
for number in range(0, 10, 2):
    GOOD["bitmaps are ignored"].data(number, b"x", bytes([number, 0xf0]))


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("name", GOOD)
def test_good(disksum, tmp_path, name):
    check_image(disksum, GOOD[name].write(tmp_path / "disk.vhd"), "vpc", vpc_image)


@pytest.mark.parametrize("seed", range(6))
def test_random(disksum, tmp_path, seed):
    rnd = random.Random(seed)
    block_size = 512 << rnd.randrange(13)
    blocks = rnd.randrange(1, 16)
    image = Image(blocks * block_size - SECTOR * rnd.randrange(block_size // SECTOR),
                  block_size=block_size, entries=blocks + rnd.randrange(3))
    for block in rnd.sample(range(blocks), rnd.randrange(blocks + 1)):
        image.data(block, rnd.randbytes(rnd.randrange(1, 3000)), rnd.randbytes(3))
    check_image(disksum, image.write(tmp_path / "disk.vhd"), "vpc", vpc_image)


@pytest.mark.parametrize("options", ["", "subformat=fixed", "force_size=on",
                                     "subformat=fixed,force_size=on"])
def test_made_by_qemu(disksum, tmp_path, options):
    path = tmp_path / "disk.vhd"
    size = 3 * 4 * 17 * 512 * 30 if "force_size" not in options else 5 * MiB + 512
    create(str(path), SPEC, size=size, form="vpc", options=options)
    check_image(disksum, path, "vpc", vpc_image)


HYPER_V = "1340b8a51517ba5f0112c47694f3c8a4a2bb4f9933336a18cf0392f3490c6674"


def test_hyper_v(disksum, tmp_path):
    """The image of 127 GiB of nothing that Hyper-V of Windows Server 2012 R2 made, and QEMU
    has among its samples, byte for byte."""
    image = Image(127 << 30, uuid=bytes.fromhex("6d2d5fc8eebade4c8ceede3a12db7c98"))
    image.footer |= {"timestamp": 509185783, "creator_version": 0x60003, "cylinders": 65278,
                     "heads": 16, "sectors": 255}
    # It leaves space behind the table: a sector for more entries, and 7 more.
    image.put(image.end, b"\xff" * SECTOR)
    image.end += 8 * SECTOR
    path = image.write(tmp_path / "disk.vhd")
    content = path.read_bytes()
    assert hashlib.sha256(content).hexdigest() == HYPER_V
    check_image(disksum, path, "vpc", vpc_image, ways=[[], ["-T", "none"]])


@pytest.mark.sanitizer
def test_probed(disksum, tmp_path):
    """A dynamic image is recognised. A fixed one is raw, with a warning."""
    path = sample().write(tmp_path / "disk")
    assert sums(disksum(path).stdout) == [checksum(guest_bytes(path))]
    for tail in 512, 511:
        path = with_attributes(fixed(), tail=tail).write(tmp_path / "disk")
        done = disksum(path, check=False)
        assert sums(done.stdout) == [checksum(path)]
        assert "it looks like a vpc image, but is read as raw; -f vpc reads the disk in it" in \
            done.stderr


# --- odd and bad images -------------------------------------------------------

def case(name, build, differs=""):
    return Case(name, lambda directory: build().write(directory / "disk.vhd"), differs)


def odd_footers():
    values = {
        "cookie": [bytes(8), b"conectiX"],
        "data_offset": [0, 1, 511, 513, 1024, 1 << 20, 1 << 40, (1 << 63) - 1, 1 << 63,
                        (1 << 64) - 512, (1 << 64) - 1],
        "version": [0, 0xffffffff],
        "features": [0, 0xffffffff],
        "current_size": [0, 1, 511, 512, SIZE + 511, SIZE + 512, 1 << 32,
                         0xff000000 * 512, 0xff000001 * 512, 1 << 63,
                         (1 << 64) - 1],
        "type": [1, 6, 0xffffffff],
        "checksum": [0, 1, 0xffffffff],
    }
    for field, numbers in values.items():
        for value in numbers:
            yield case(f"{field} is {value}",
                       lambda f=field, v=value: with_fields(sample(), **{f: v}))
            if field in ("current_size", "checksum"):
                yield case(f"fixed, {field} is {value}",
                           lambda f=field, v=value: with_fields(fixed(), **{f: v}))


def odd_headers():
    values = {
        "cookie": [bytes(8), b"cxsparsE"],
        "table_offset": [0, 1, 512, 1535, 1537, 1 << 20, 1 << 40, (1 << 63) - 1, 1 << 63,
                         (1 << 64) - 40, (1 << 64) - 1],
        "version": [0, 0xffffffff],
        "max_entries": [0, 1, 9, 11, 100, 1 << 20, 536_870_785, 0x1fffffff,
                        0x20000000, 0x7fffffff, 1 << 31, 0xffffffff],
        "block_size": [0, 1, 256, 511, 512, 513, 2048, 3000, 8192, 12288, 1 << 20, 1 << 30,
                       1 << 31, 3 << 30, 0xffffffff],
    }
    for field, numbers in values.items():
        for value in numbers:
            yield case(f"header: {field} is {value}",
                       lambda f=field, v=value: with_fields(sample(), {f: v}))


def with_entry(block, value, **options):
    image = sample(**options)
    image.entry(block, value)
    return image


def odd_entries():
    for value in [0, 1, 2, 3, 10, 31, 35, 36, 37, 38, 39, 40, 100, 1 << 20, 1 << 31, 0xfffffffe]:
        yield case(f"entry {value}", lambda v=value: with_entry(1, v))
        yield case(f"entry {value}, not of the disk",
                   lambda v=value: with_entry(12, v, entries=13))
    yield case("all entries are the same", lambda: with_attributes(sample(), entries=[4] * 10))


def cuts():
    whole = 1536 + 512 + 4 * (512 + BLOCK) + 512
    for length in [0, 1, 7, 8, 511, 512, 513, 1024, 1535, 1536, 1540, 1575, 1576, 2048, 2049,
                   4096, whole - 1024, whole - 1023, whole - 513, whole - 512, whole - 511,
                   whole - 1, whole + 1, whole + 511, whole + 512]:
        yield case(f"cut after {length}", lambda n=length: with_attributes(sample(), length=n))
        yield case(f"fixed, cut after {length}",
                   lambda n=length: with_attributes(fixed(), length=n))


CASES = [
    *odd_footers(), *odd_headers(), *odd_entries(), *cuts(),
    case("only the footer at the end", lambda: with_attributes(sample(), start=False)),
    case("a footer of type 1 at the end", lambda: with_fields(fixed(), type=1)),
    case("fixed, without a sector", lambda: fixed(0)),
    case("no footer", lambda: with_attributes(sample(), start=False, last=False)),
    case("the header is the footer",
         lambda: with_fields(sample(), data_offset=0)),
]


@pytest.mark.one_thread
@pytest.mark.sanitizer(every=8)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_odd(disksum, tmp_path, case):
    check_case(disksum, tmp_path, case, "vpc", vpc_image)


def test_blocks_of_2_gib(disksum, tmp_path):
    """A block of 2 GiB has a bitmap of 512 KiB."""
    image = Image(1 << 40, block_size=1 << 31)
    at = image.block(3)
    image.put(at, b"\xff" * 524288)
    image.put(at + 524288 + (1 << 30), b"in the middle")
    path = image.write(tmp_path / "disk.vhd")
    large = "--block-size", "16M"
    with open(tmp_path / "raw", "wb") as file:
        file.seek(3 << 31 | 1 << 30)
        file.write(b"in the middle")
        file.truncate(1 << 40)
    assert disksum(*large, path, wrapper=bounded_memory()).stdout.split()[0] == \
        sums(disksum(*large, "-f", "raw", tmp_path / "raw").stdout)[0]


MESSAGES = {
    "not a VPC image: neither its start nor its end has the cookie 'conectix'":
        with_attributes(sample(), start=False, last=False),
    "broken VPC image: the checksum of the footer at 0 is wrong":
        with_fields(sample(), checksum=1),
    f"broken VPC image: the checksum of the footer at {SIZE} is wrong":
        with_fields(fixed(), checksum=1),
    "the VPC disk is too large: 4278190081 sectors, more than 4278190080":
        with_fields(sample(), current_size=0xff000001 * 512),
    "broken VPC image: the header at 1024 does not have the cookie 'cxsparse'":
        with_fields(sample(), data_offset=1024),
    "broken VPC image: the block size is 3000, which is not a power of 2, or is less than 512":
        with_fields(sample(), {"block_size": 3000}),
    "the VPC block table is too large: 536870785 entries, more than 536870784":
        with_fields(sample(), {"max_entries": 536_870_785}),
    "broken VPC image: its table has 9 blocks of 4096 bytes, too few for a disk of 40960 bytes":
        with_fields(sample(), {"max_entries": 9}),
    "broken VPC image: its block table, 40 bytes at 1048576, ends beyond the end of the file":
        with_fields(sample(), {"table_offset": 1 << 20}),
    "broken VPC image: block 1 ends beyond the end of the file": with_entry(1, 100),
    "broken VPC image: it is of type 3, which begins with a footer, but it has one at its end "
    "alone": with_attributes(sample(), start=False),
}


@pytest.mark.parametrize("message", MESSAGES)
def test_message(fails, tmp_path, message):
    path = MESSAGES[message].write(tmp_path / "disk.vhd")
    assert fails("-f", "vpc", path) == f"{path}: {message}"


def test_snapshot(fails, tmp_path):
    path = sample().write(tmp_path / "disk.vhd")
    assert fails("-l", "1", path) == f"{path}: a VPC image has no snapshots"


def test_claims(fails, tmp_path):
    """A header claims a table of 2 GB, which the file does not have."""
    path = with_fields(sample(), {"max_entries": 536_870_784}).write(tmp_path / "disk.vhd")
    assert "ends beyond the end of the file" in fails(path, wrapper=bounded_memory())


def test_large_table(disksum, tmp_path):
    """A table of 64 MiB is read by slices."""
    entries = 16 << 20
    image = Image(entries * 4096, block_size=4096)
    image.data(entries - 1, b"last")
    path = image.write(tmp_path / "disk.vhd")
    large = "--block-size", "16M"
    with open(tmp_path / "raw", "wb") as file:
        file.seek((entries - 1) * 4096)
        file.write(b"last" * 1024)
    assert sums(disksum(*large, path, wrapper=bounded_memory()).stdout) == \
        sums(disksum(*large, "-f", "raw", tmp_path / "raw").stdout)


# --- what the rest of the program does with one -------------------------------

def test_standalone(disksum, tmp_path):
    for image in sample(), fixed():
        path = image.write(tmp_path / "disk.vhd")
        assert sums(disksum("--standalone", "-f", "vpc", path).stdout) == \
            [checksum(guest_bytes(path))]


def test_export(disksum, servers, tmp_path):
    for name, image in ("dynamic", sample()), ("fixed", fixed()):
        path = image.write(tmp_path / name)
        uri, _ = servers.nbdkit("file", path)
        assert sums(disksum("-f", "vpc", uri).stdout) == [checksum(guest_bytes(path))]


def test_standard_input(disksum, tmp_path):
    path = sample().write(tmp_path / "disk.vhd")
    with open(path, "rb") as file:
        assert sums(disksum(stdin=file).stdout) == [checksum(guest_bytes(path))]


def test_holes_of_the_host(disksum, tmp_path):
    image = Image(64 * MiB)
    for block in range(32):
        image.data(block, b"\0")
    path = image.write(tmp_path / "disk.vhd")
    subprocess.run(["fallocate", "--dig-holes", path], check=True)
    done = disksum(path, check=False, env={"DISKSUM_DEBUG": "read"})
    assert sums(done.stdout) == [checksum(bytes(64 * MiB))]
    data = [line for line in done.stderr.splitlines() if not line.endswith("metadata")]
    assert sum(int(line.split("+")[-1].split(":")[0]) for line in data) < 32 * 8192


@pytest.mark.sanitizer
@pytest.mark.parametrize("kind", ["dynamic", "fixed"])
def test_below_qcow2(disksum, tmp_path, kind):
    base = (sample if kind == "dynamic" else fixed)().write(tmp_path / "base.vhd")
    top = tmp_path / "top.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", base.name, "-F", "vpc",
                    top], check=True, cwd=tmp_path)
    assert sums(disksum(top).stdout) == [checksum(guest_bytes(base))]


def test_lock(disksum, fails, tmp_path):
    """QEMU writes it."""
    path = sample().write(tmp_path / "disk.vhd")
    writer = subprocess.Popen(["qemu-io", "-f", "vpc", path], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE)
    try:
        writer.stdout.read(1)       # its prompt: the image is open
        assert "Use -U (--force-share)" in fails(path)
        done = disksum("-U", path, check=False)
        assert (done.returncode, sums(done.stdout)) == (0, [checksum(guest_bytes(path))])
    finally:
        writer.communicate(b"quit\n")
