# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stream-optimised VMDK images: compressed grains."""
import random
import struct
import zlib

import pytest

from conftest import sums
from oracle import checksum
from vmdk_compare import NO_QEMU, WAYS, check_read, refused
from vmdk_image import Sparse, Stream, descriptor

GRAIN = 65536


def bytes_of(seed, length=GRAIN):
    """Half of it can be compressed."""
    numbers = random.Random(seed)
    return b"".join(numbers.randbytes(64) + 64 * bytes([numbers.randrange(256)])
                    for _ in range(-(-length // 128)))[:length]


@pytest.mark.sanitizer
@pytest.mark.parametrize("footer", [False, True])
@pytest.mark.parametrize("markers", [False, True])
def test_stream(disksum, tmp_path, footer, markers):
    disk = Stream(40 * 128 + 77, footer=footer, markers=markers)
    for number in range(0, 41, 3):
        disk.data(number, bytes_of(number), level=number % 10 if markers else 1)
    disk.zero(4)        # without the flag, a grain in the descriptor
    disk.entry(4, 0)
    check_read(disksum, disk.write(tmp_path / "image"))


@pytest.mark.sanitizer
@pytest.mark.parametrize("grain", [1, 2, 3, 8, 100, 129, 1000, 4096, 8192])
def test_grain_sizes(disksum, tmp_path, grain):
    disk = Stream(9 * grain + 1, grain=grain, gtes=4)
    for number in 0, 1, 2, 5, 9:
        disk.data(number, bytes_of(number, grain * 512))
    check_read(disksum, disk.write(tmp_path / "image"), ways=WAYS[:2])


@pytest.mark.parametrize("order", ["backwards", "random"])
def test_grains_in_any_order(disksum, tmp_path, order):
    """The next grain of the disk is not the next one in the file."""
    disk = Stream(600 * 8, grain=8)
    numbers = list(range(600))
    random.Random(1).shuffle(numbers)
    for number in numbers if order == "random" else range(599, -1, -1):
        if number % 5:
            disk.data(number, bytes_of(number, 4096))
    check_read(disksum, disk.write(tmp_path / "image"))


@pytest.mark.sanitizer
def test_grains_that_overlap(disksum, tmp_path):
    """A grain is longer than the way to the next one; and one grain is used twice."""
    disk = Stream(2048, grain=64)
    inner = zlib.compress(bytes_of(2, 32768))
    inner = struct.pack("<QI", 0, len(inner)) + inner
    # The second is in the one stored block of the first, which begins after a marker
    # of 12 bytes, a header of 2, and its own of 5.
    content = (bytes_of(1, 512 - 19) + inner).ljust(32768, b"x")
    block = b"\1" + struct.pack("<HH", len(content), len(content) ^ 0xffff) + content
    first = disk.stream(0, b"\x78\1" + block + struct.pack(">I", zlib.adler32(content)))
    place = disk.bytes.index(inner)
    assert place == (first + 1) * 512
    disk.entry(1, place // 512)
    disk.entry(2, first)
    disk.entry(3, first)
    assert check_read(disksum, disk.write(tmp_path / "image"))[:32768] == content


@pytest.mark.sanitizer
def test_longest_streams(disksum, tmp_path):
    """Up to two grains of compressed bytes, most of which come after the end."""
    disk = Stream(1024, grain=8)
    stream = zlib.compress(bytes_of(1, 4096), 0)
    for number, size in enumerate([len(stream), 5000, 8000, 8180]):
        disk.stream(number, stream.ljust(8192, b"\0"), size=size)
    disk.data(10, b"next")
    check_read(disksum, disk.write(tmp_path / "image"))


@pytest.mark.sanitizer
def test_empty_blocks_before_the_data(disksum, tmp_path):
    """A stream that is longer than a grain, and much longer than it need be."""
    packer = zlib.compressobj(0)
    content = bytes_of(1, 4096)
    stream = b"".join(packer.compress(content[at:at + 4]) + packer.flush(zlib.Z_FULL_FLUSH)
                      for at in range(0, 1200, 4))
    stream += packer.compress(content[1200:]) + packer.flush()
    assert 4096 + 2000 < len(stream) < 8192
    disk = Stream(1024, grain=8)
    disk.stream(0, stream)
    disk.stream(9, stream)
    check_read(disksum, disk.write(tmp_path / "image"))


@pytest.mark.sanitizer
def test_short_grain_at_the_end(disksum, tmp_path):
    """What is beyond the end of the disk need not be in the grain."""
    disk = Stream(128 + 3)
    disk.data(0, b"full")
    disk.stream(1, zlib.compress(bytes_of(1, 3 * 512)))
    check_read(disksum, disk.write(tmp_path / "image"))
    disk.stream(1, zlib.compress(bytes_of(1, 3 * 512 - 1)))
    line = refused(disksum, disk.write(tmp_path / "image"))
    assert "for guest offset 65536, cannot be decoded" in line


def test_short_grain_below_an_overlay(disksum, tmp_path):
    """Nobody reads what is missing."""
    disk = Stream(256)
    disk.data(1, b"full")
    disk.stream(0, zlib.compress(bytes_of(1, 32768)))
    disk.write(tmp_path / "below")
    refused(disksum, tmp_path / "below")
    top = Sparse(256, grain=64, text=descriptor(type="monolithicSparse", parent="below",
                                                parent_cid="12345678"))
    top.data(1, b"top")
    check_read(disksum, top.write(tmp_path / "top"))


@pytest.mark.sanitizer
def test_the_sector_in_a_marker_does_not_count(disksum, tmp_path):
    disk = Stream(512)
    disk.stream(1, zlib.compress(bytes_of(1)), lba=1 << 50)
    check_read(disksum, disk.write(tmp_path / "image"))


@pytest.mark.sanitizer
def test_bytes_after_a_stream(disksum, tmp_path):
    disk = Stream(512)
    stream = zlib.compress(bytes_of(1))
    disk.stream(0, stream + b"garbage")
    disk.stream(1, stream, size=len(stream) + 300)
    check_read(disksum, disk.write(tmp_path / "image"))


GOOD = zlib.compress(bytes_of(1))


def window(stream, cinfo):
    """The same stream with another size of the window in its header."""
    first = 8 | cinfo << 4
    return bytes([first, 31 - (first << 8) % 31]) + stream[2:]


BAD = {
    "empty": b"",
    "no header": GOOD[2:],
    "cut": GOOD[:-5],
    "no checksum": GOOD[:-4],
    "half a checksum": GOOD[:-2],
    "bad checksum": GOOD[:-1] + bytes([GOOD[-1] ^ 1]),
    "too short": zlib.compress(bytes_of(1)[:-1]),
    "too long": zlib.compress(bytes_of(1) + b"x"),
    "much too long": zlib.compress(bytes(1 << 24)),
    "nothing": zlib.compress(b""),
    "bad check bits": GOOD[:1] + bytes([GOOD[1] ^ 1]) + GOOD[2:],
    "another method": bytes([0x77, 0x85]) + GOOD[2:],
    "a dictionary": bytes([0x78, 0x20 | (31 - (0x7820 % 31))]) + b"\0\0\0\1" + GOOD[2:],
    "a window of 64 KiB": window(GOOD, 8),
    "gzip": zlib.compressobj(wbits=31).compress(b"") + b"\x1f\x8b\x08" + GOOD[2:],
    "a broken block": GOOD[:2] + b"\7" + GOOD[3:],
}


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("name", BAD)
def test_bad_stream(disksum, tmp_path, name):
    disk = Stream(512)
    disk.data(0, b"good")
    disk.stream(1, BAD[name])
    line = refused(disksum, disk.write(tmp_path / "image"))
    assert line.endswith(", for guest offset 65536, cannot be decoded")


@pytest.mark.sanitizer
def test_small_window(disksum, tmp_path):
    """zlib does not hold a stream to the window that it promises."""
    disk = Stream(512)
    disk.stream(1, window(GOOD, 0))
    check_read(disksum, disk.write(tmp_path / "image"))


@pytest.mark.sanitizer
@pytest.mark.parametrize("size", [0, 2 * GRAIN + 1, 1 << 31, (1 << 32) - 1])
def test_bad_size_in_a_marker(disksum, tmp_path, size):
    disk = Stream(512)
    disk.stream(1, GOOD, size=size)
    assert "cannot be decoded" in refused(disksum, disk.write(tmp_path / "image"))


def test_without_markers_a_stream_has_a_grain(disksum, tmp_path):
    """QEMU gives zlib no more bytes than a grain has."""
    disk = Stream(512, markers=False)
    disk.stream(1, zlib.compress(random.Random(1).randbytes(GRAIN), 0))
    assert "cannot be decoded" in refused(disksum, disk.write(tmp_path / "image"))


def test_grain_beyond_the_end(disksum, tmp_path):
    disk = Stream(512)
    disk.entry(1, 1 << 20)
    assert "for guest offset 65536 lies beyond the end of the file" in \
        refused(disksum, disk.write(tmp_path / "image"))


@pytest.mark.sanitizer
def test_truncated(disksum, tmp_path):
    """Of a grain at the end, what the file lacks is zeros."""
    disk = Stream(512)
    disk.data(0, b"a")
    disk.data(1, bytes_of(1))
    path = disk.write(tmp_path / "image")
    content = path.read_bytes()
    for lost in 100, 10000:
        path.write_bytes(content[:-lost - 512])
        refused(disksum, path)
    disk = Stream(512, footer=True)
    disk.data(0, b"a")
    path.write_bytes(disk.content()[:-512])
    assert "there is no footer at offset" in refused(disksum, path)
    path.write_bytes(disk.content()[:1000])
    assert "too small for its footer" in refused(disksum, path)


@pytest.mark.parametrize("place, value", [(0, b"X"), (-1016, b"X"), (-1528, b"\1"),
                                          (-512, b"\1"), (-504, b"\1"), (-500, b"\1")])
def test_bad_footer(disksum, tmp_path, place, value):
    disk = Stream(512, footer=True)
    disk.data(0, b"a")
    content = bytearray(disk.content())
    if place == 0:
        content[-1024:-1020] = b"VMDK"
    elif place == -1016:
        content[-1020:-1016] = b"\4\0\0\0"
    else:
        content[place:place + 1 or None] = value
    path = tmp_path / "image"
    path.write_bytes(content)
    refused(disksum, path)


def test_footer_is_the_last_whole_sector(disksum, tmp_path):
    """A size that is not a multiple of a sector is rounded up."""
    disk = Stream(512, footer=True)
    disk.data(0, b"a")
    path = tmp_path / "image"
    path.write_bytes(disk.content()[:-100])
    check_read(disksum, path)
    path.write_bytes(disk.content() + b"x")
    refused(disksum, path)


def test_largest_compressed_grain(disksum, tmp_path):
    """QEMU takes up to 1 GiB, with three times as much memory."""
    disk = Stream(5 * 8192, grain=8192)
    disk.data(2, bytes_of(1))
    check_read(disksum, disk.write(tmp_path / "image"))
    disk.header["grain"] = 8193
    assert "compressed grains of 4194816 bytes are not supported" in \
        refused(disksum, disk.write(tmp_path / "image"), qemu=False)


def test_all_ways_agree(disksum, tmp_path):
    """Slots of any size, with clusters that are cut."""
    disk = Stream(300 * 128)
    for number in range(0, 300, 2):
        disk.data(number, bytes_of(number))
    path = disk.write(tmp_path / "image")
    content = check_read(disksum, path, ways=[])
    for way in (["--read-size", "4k"], ["--block-size", "1536"], ["--queue-depth", "64"],
                ["-t", "7", "--read-size", "100k"]):
        result = disksum(*way, path, env=NO_QEMU)
        block = 1536 if "1536" in way else 65536
        assert sums(result.stdout) == [checksum(content, block_size=block)]
