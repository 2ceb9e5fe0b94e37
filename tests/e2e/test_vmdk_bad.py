# SPDX-License-Identifier: LGPL-2.1-or-later
"""Broken and hostile VMDK images: an error, or QEMU's answer, in little time and memory."""
import os
import random
import struct
import zlib

import pytest

from conftest import sums
from hostile_images import hostile_qed, hostile_vmdk_parent
from oracle import checksum
from qcow2_compare import bounded_memory, convert
from test_errors import changed
from vmdk_compare import NO_QEMU, check_read, refused
from vmdk_image import Cowd, Sparse, Stream, descriptor

pytestmark = pytest.mark.one_thread

U32, U64 = (1 << 32) - 1, (1 << 64) - 1
MiB = 1 << 20


def small(make=Sparse, **options):
    disk = make(2048, **options)
    disk.data(1, b"data")
    return disk


# Fields of the header with values that QEMU refuses as well.
HEADER = [
    ("version", 4), ("version", U32), ("capacity", U64), ("capacity", 1 << 60), ("grain", 0),
    ("grain", (1 << 21) + 1), ("grain", 1 << 63), ("grain", U64), ("gtes", 0), ("gtes", 513),
    ("gtes", U32), ("overhead", 1000), ("overhead", 1 << 63), ("overhead", U64),
    ("gd", 1 << 54), ("gd", U64 - 1), ("gd", U64), ("magic", b"KDMX")]


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("field, value", HEADER)
@pytest.mark.parametrize("make", [Sparse, Stream])
def test_bad_header(disksum, tmp_path, make, field, value):
    disk = small(make)
    disk.header[field] = value
    refused(disksum, disk.write(tmp_path / "image"))


@pytest.mark.parametrize("value", [1 << 54, U64])
def test_bad_redundant_directory(disksum, tmp_path, value):
    """QEMU reads it, and disksum does not."""
    disk = small(rgd=True)
    disk.header["rgd"] = value
    refused(disksum, disk.write(tmp_path / "image"))
    disk.header["flags"] = 0
    check_read(disksum, disk.write(tmp_path / "image"))


@pytest.mark.parametrize("field, value", [
    ("descriptor", 0), ("descriptor", U64), ("descriptor", 1 << 40), ("descriptor_size", 0),
    ("descriptor_size", U64), ("unclean", 1), ("newlines", b"\0\0\0\0"), ("compression", 2),
    ("compression", 257), ("overhead", 0), ("flags", 1 << 16 | 1), ("flags", 0xfff8ffff)])
def test_fields_that_do_not_count(disksum, tmp_path, field, value):
    disk = small()
    disk.header[field] = value
    check_read(disksum, disk.write(tmp_path / "image"), ways=[[]])


@pytest.mark.sanitizer
def test_cut_anywhere(disksum, tmp_path):
    """A file that ends early is refused, or what it lacks is zeros."""
    path = tmp_path / "image"
    content = small().content()
    for length in 0, 3, 4, 79, 80, 511, 512, 540, 600, 1024, 11000, 12000, len(content) - 1:
        path.write_bytes(content[:length])
        if convert(path, form="vmdk"):
            check_read(disksum, path, ways=[[]])
        else:
            refused(disksum, path)


@pytest.mark.parametrize("capacity, grain, gtes", [
    ((1 << 25) + 1, 1, 1), (1 << 36, 1, 512), ((1 << 55) + 1, 1 << 21, 512)])
def test_directory_that_is_too_large(disksum, tmp_path, capacity, grain, gtes):
    disk = small()
    disk.header |= {"capacity": capacity, "grain": grain, "gtes": gtes}
    refused(disksum, disk.write(tmp_path / "image"))


def test_largest_directory(disksum, tmp_path):
    """128 MiB, of which the file has none. It is read by slices."""
    disk = Sparse(2048)
    disk.header |= {"capacity": 1 << 25, "grain": 1, "gtes": 1, "gd": 1 << 40}
    path = disk.write(tmp_path / "image")
    result = disksum(path, env=NO_QEMU, wrapper=bounded_memory())
    with open(tmp_path / "raw", "wb") as file:
        file.truncate(1 << 34)
    assert result.stdout.split()[0] == disksum(tmp_path / "raw").stdout.split()[0]


def test_disk_of_exabytes_is_bounded(fails, tmp_path):
    disk = Sparse(2048)
    disk.header |= {"capacity": 1 << 53, "grain": 1 << 21, "gtes": 512}
    path = disk.write(tmp_path / "image")
    assert "more than --max-size allows" in fails("--max-size", "1T", path, env=NO_QEMU)


@pytest.mark.sanitizer
def test_tables_that_are_the_directory(disksum, tmp_path):
    """All of them the same, or the header."""
    disk = Sparse(512 * 128 * 20)
    for index in range(20):
        disk.directory(index, [disk.gd, 0, 0, 1, disk.gt][index % 5] or index)
    check_read(disksum, disk.write(tmp_path / "image"), ways=[[], ["-T", "none"]])


@pytest.mark.parametrize("field, value", [
    ("grain", 0), ("grain", 1 << 20), ("grain", U32), ("gd_entries", 0),
    ("gd_entries", (1 << 25) + 1)])
def test_bad_cowd(disksum, tmp_path, field, value):
    """QEMU divides by 0, or counts modulo 2^32."""
    disk = small(Cowd, grain=8)
    disk.put(512, b"CID=1\nparentCID=ffffffff\n")
    disk.header[field] = value
    assert "broken VMDK image" in refused(disksum, disk.write(tmp_path / "image"), qemu=False)


def test_grains_that_are_large_when_decoded(disksum, tmp_path):
    """16,384 entries name one grain: time for each, but no memory."""
    disk = Stream(16384 * 128)
    sector = disk.data(0, bytes([7]))
    for number in range(1, 16384):
        disk.entry(number, sector)
    path = disk.write(tmp_path / "image")
    assert path.stat().st_size < 200000
    result = disksum(path, env=NO_QEMU, wrapper=bounded_memory())
    with open(tmp_path / "raw", "wb") as file:
        for _ in range(1024):
            file.write(bytes([7]) * MiB)
    assert result.stdout.split()[0] == disksum(tmp_path / "raw").stdout.split()[0]


@pytest.mark.parametrize("options", [[], ["-t", "1"], ["-t", "16", "--queue-depth", "1"]])
def test_memory_of_large_grains(disksum, tmp_path, options):
    """Each is longer than its map says, and belongs to several slots."""
    disk = Stream(40 * 8191, grain=8191)
    packer = zlib.compressobj(0)
    content = random.Random(1).randbytes(8191 * 512)
    stream = b"".join(packer.compress(content[at:at + 64]) + packer.flush(zlib.Z_FULL_FLUSH)
                      for at in range(0, 8191 * 512, 64)) + packer.flush()
    assert len(stream) < 2 * 8191 * 512
    place = disk.stream(0, stream)
    for number in range(1, 40):
        disk.entry(number, place)
    path = disk.write(tmp_path / "image")
    result = disksum(*options, path, env=NO_QEMU, wrapper=bounded_memory())
    assert sums(result.stdout) == [checksum(40 * content)]


def test_time_of_lines(disksum, fails, tmp_path):
    """A descriptor of 1 MiB, of the shortest and of the longest lines."""
    for line in "RW", "RW 1", "#", "RW" + 900 * " ", 'RW 1 FLAT "' + 490 * "x" + '" 0', "\t":
        text = descriptor("LINES").replace("LINES", (line + "\n") * (1000000 // len(line + "\n")))
        path = tmp_path / "image"
        path.write_text(text)
        fails("-f", "vmdk", path, env=NO_QEMU)


def test_endless_line(disksum, tmp_path):
    path = tmp_path / "image"
    path.write_text(descriptor("RW 1 FLAT" + 900000 * " " + '"x" 0'))
    assert "a line of this VMDK image is too long" in refused(disksum, path, qemu=False)


def test_random_changes(disksum, tmp_path):
    """What a header says in places that are changed at random."""
    numbers = random.Random(42)
    path = tmp_path / "image"
    for make in Sparse, Stream, Cowd:
        disk = small(make, grain=8)
        if make == Cowd:
            disk.put(512, b"CID=1\nparentCID=ffffffff\n")
        content = disk.content()
        for _ in range(25):
            header = bytearray(content)
            for _ in range(numbers.randrange(1, 4)):
                # Not where a disk gets exabytes, for which time is needed.
                place = numbers.choice([*range(4, 15), *range(20, 23), *range(44, 47),
                                        *range(56, 60), *range(64, 68), 77])
                header[place] = numbers.choice([0, 1, 2, 4, 127, 128, 255])
            if make == Stream and struct.unpack_from("<Q", header, 20)[0] > 8192:
                continue
            path.write_bytes(header)
            done = disksum("--max-size=4G", "-f", "vmdk", path, check=False, env=NO_QEMU,
                           wrapper=bounded_memory())
            raw = convert(path, form="vmdk")
            if raw and os.path.getsize(raw) <= 64 * MiB:
                assert sums(done.stdout) == [checksum(raw)], header[:80].hex()
            elif not raw:
                assert done.returncode == 1, header[:80].hex()


def test_extent_that_changes(fails, build, tmp_path):
    (tmp_path / "flat").write_bytes(b"flat" * MiB)
    path = tmp_path / "image"
    path.write_text(descriptor('RW 8192 FLAT "flat" 0'))
    env = changed(build, tmp_path / "flat", 5 * MiB, "map") | NO_QEMU
    assert fails(path, env=env) == \
        f"{path}: {tmp_path}/flat: the file changed while it was read"


def test_little_stack_for_a_long_chain(fails, tmp_path):
    """The parents of an image that QEMU reads are looked at, in depth."""
    for number in range(1, 100):
        hostile_vmdk_parent(tmp_path / str(number), str(tmp_path / str(number + 1)))
    hostile_vmdk_parent(tmp_path / "100", "nothing")
    top = hostile_qed(tmp_path / "0", str(tmp_path / "1"))
    line = fails(top, wrapper=["prlimit", f"--stack={128 << 10}:", "--"])
    assert line.startswith(f"{top}: {tmp_path}/100: cannot open its parent ")
