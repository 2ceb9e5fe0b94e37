# SPDX-License-Identifier: LGPL-2.1-or-later
"""Odd compressed clusters and subclusters."""
import random
import zlib

import zstd_frame as zstd
from qcow2_compare import Case
from qcow2_image import COMPRESSED, COPIED, ZERO, Image, deflate

CLUSTER = 65536
TEXT = b"".join(b"line %d of a text\n" % i for i in range(4000))[:CLUSTER]
NOISE = random.Random(7).randbytes(CLUSTER)


def compressed_case(name, stream=deflate(TEXT), *, kind=0, bits=16, **fields):
    """Guest cluster 1 is compressed; its neighbours are data."""
    def build(directory):
        image = Image(4 << bits, cluster_bits=bits, compression_type=kind)
        image.disk.data(0, b"before")
        image.disk.data(2, b"behind")
        image.disk.compressed(1, stream, **fields)
        return image.write(directory / "compressed.qcow2")
    return Case(f"{'zstd' if kind else 'zlib'} {name}", build)


def zlib_cases():
    whole = deflate(TEXT)
    yield compressed_case("plain")
    yield compressed_case("bit 63 set", flags=COPIED)
    yield compressed_case("bit 0 of the offset set", offset=0x20001)
    yield compressed_case("bytes behind the stream", whole + b"rubbish" * 20)
    yield compressed_case("second stream behind the first", whole + whole)
    yield compressed_case("two half streams", deflate(TEXT[:32768]) + deflate(TEXT[32768:]))
    yield compressed_case("stream too short", deflate(TEXT[:-1]))
    yield compressed_case("empty stream", deflate(b""))
    yield compressed_case("stream one byte longer", deflate(TEXT + b"x"))
    yield compressed_case("stream twice as long", deflate(TEXT + TEXT))
    yield compressed_case("a bomb of 64 MiB", deflate(bytes(64 << 20)))
    yield compressed_case("a zlib header before it", zlib.compress(TEXT))
    yield compressed_case("incompressible", deflate(NOISE, level=1))
    yield compressed_case("stored blocks", deflate(NOISE, level=0))
    yield compressed_case("fixed codes only", fixed_codes(TEXT))
    yield compressed_case("distances over 4 KiB", deflate(NOISE[:20000] * 4, -15)[:60000])
    far = (NOISE[:20000] * 4)[:CLUSTER]
    yield compressed_case("a full cluster, distances over 4 KiB", deflate(far, -15))
    # What follows the last byte of a full cluster.
    flushed = zlib.compressobj(9, zlib.DEFLATED, -12)
    body = flushed.compress(TEXT) + flushed.flush(zlib.Z_FULL_FLUSH)
    yield compressed_case("no last block", body)
    yield compressed_case("no last block, fills its sectors", body + bytes(-len(body) % 512))
    yield compressed_case("bad block behind the last byte", body + b"\x07" * 40)
    yield compressed_case("stored block with bad length behind it", body + b"\x00\x01\x02\x03")
    yield compressed_case("empty blocks behind it", body + b"\x00\x00\x00\xff\xff" * 9)
    for cutoff in range(4):
        yield sector_end_case(f"last {cutoff} bytes cut at a sector", whole, cutoff)
        yield sector_end_case(f"no last block, last {cutoff} bytes cut at a sector", body, cutoff)
    # Stored: three bits, then 16 bits of length and their complement, then the bytes.
    stored = b"\x00\xff\xff\x00\x00" + NOISE[:65535] + b"\x01\x01\x00\xfe\xff" + NOISE[-1:]
    yield compressed_case("stored to the byte", stored)
    yield compressed_case("stored, last length wrong", stored[:-5] + b"\x02\x00\xfe\xff" + b"x")
    exact = b"\x01\xff\xff\x00\x00" + NOISE[:65535]
    yield compressed_case("stored, one byte short", exact)
    for size in [1, 2, 5, 511, 512, 513, len(whole) - 1, len(whole) - 2, len(whole) - 10]:
        yield compressed_case(f"cut after {size} bytes", whole[:size])
    for value in [0x00, 0x01, 0x03, 0x06, 0x07, 0xFF, 0x55]:
        yield compressed_case(f"all bytes {value:#04x}", bytes([value]) * 4096)
    for seed in range(12):
        yield compressed_case(f"noise {seed}", random.Random(seed).randbytes(2048))
    for seed in range(30):
        yield compressed_case(f"flipped bit {seed}", flip(whole, seed))
    for sectors in [0, 1, 2, 5, 100, 127, 128, 254, 255]:
        yield compressed_case(f"told to have {sectors} more sectors", sectors=sectors)
    for name, offset in {"the header": 0, "its own L2": 2 * CLUSTER, "1 GiB": 1 << 30,
                         "the largest offset": (1 << 54) - 1}.items():
        yield compressed_case(f"at {name}", b"", sectors=9, offset=offset)


def sector_end_case(name, stream, cutoff):
    """The stream ends with a sector, so no zeros follow."""
    def build(directory):
        image = Image(2 * CLUSTER)
        image.disk.data(0, b"before")
        there = stream[:len(stream) - cutoff]
        room = image.blob(bytes(2 * CLUSTER))
        end = room + -(-len(there) // 512) * 512
        image.put(room, b"\xff" * (2 * CLUSTER))
        image.put(end - len(there), there)
        image.disk.compressed(1, there, offset=end - len(there))
        return image.write(directory / "sector.qcow2")
    return Case(f"zlib {name}", build)


def fixed_codes(content):
    packer = zlib.compressobj(9, zlib.DEFLATED, -12, 9, zlib.Z_FIXED)
    return packer.compress(content) + packer.flush()


def flip(stream, seed):
    place = random.Random(seed).randrange(len(stream) * 8)
    changed = bytearray(stream)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def zlib_size_cases():
    """The fields of the entry have other widths for each cluster size."""
    for bits in range(9, 22):
        content = (TEXT * 40)[:1 << bits]
        yield compressed_case(f"cluster_bits {bits}", deflate(content), bits=bits)
        most = (1 << bits - 8) - 1
        yield compressed_case(f"cluster_bits {bits}, most sectors", deflate(content),
                              bits=bits, sectors=most)
        if bits < 17:
            noise = (NOISE * 2)[:1 << bits]
            yield compressed_case(f"cluster_bits {bits}, incompressible", deflate(noise),
                                  bits=bits)


def zstd_cases():
    def case(name, stream, **fields):
        return compressed_case(name, stream, kind=1, **fields)

    half = CLUSTER // 2
    whole = zstd.raw(TEXT)
    yield case("plain", whole)
    yield case("content size told", zstd.raw(TEXT, content_size=CLUSTER))
    yield case("content size wrong", zstd.raw(TEXT, content_size=CLUSTER - 1))
    yield case("content size huge", zstd.raw(TEXT, content_size=1 << 62))
    yield case("repeated byte", zstd.repeated(b"r", CLUSTER))
    yield case("two frames", zstd.raw(TEXT[:half]) + zstd.raw(TEXT[half:]))
    yield case("two frames, the first too long", whole + zstd.raw(TEXT[half:]))
    yield case("64 frames", b"".join(zstd.raw(TEXT[at:at + 1024])
                                     for at in range(0, CLUSTER, 1024)))
    yield case("empty frame first", zstd.raw(b"") + whole)
    yield case("empty frame between", zstd.raw(TEXT[:half]) + zstd.raw(b"")
               + zstd.raw(TEXT[half:]))
    yield case("empty frame behind", whole + zstd.raw(b""))
    yield case("skippable frame first", zstd.skippable(b"skip") + whole)
    yield case("skippable frame between", zstd.raw(TEXT[:half]) + zstd.skippable(b"x" * 999, 15)
               + zstd.raw(TEXT[half:]))
    yield case("skippable frame behind", whole + zstd.skippable(b"skip"))
    yield case("skippable frames only", zstd.skippable(b"skip") * 100)
    yield case("skippable frame cut", zstd.skippable(b"skip" * 100)[:40])
    yield case("rubbish behind", whole + b"rubbish" * 30)
    yield case("rubbish between", zstd.raw(TEXT[:half]) + b"rubbish" + zstd.raw(TEXT[half:]))
    yield case("too short", zstd.raw(TEXT[:-1]))
    yield case("half", zstd.raw(TEXT[:half]))
    yield case("one byte longer", zstd.raw(TEXT + b"x"))
    yield case("twice as long", zstd.raw(TEXT + TEXT))
    yield case("a bomb of 256 MiB", zstd.repeated(b"b", 256 << 20))
    yield case("a bomb of 8 blocks of window 2^27", zstd.repeated(b"b", 1 << 20, window_log=27))
    yield case("block that ends the frame missing",
               zstd.frame(zstd.block(TEXT, last=False)))
    yield case("empty last block", zstd.frame(zstd.block(TEXT, last=False), zstd.block(b"")))
    yield case("empty last block cut",
               zstd.frame(zstd.block(TEXT, last=False), zstd.block(b""))[:-1])
    yield case("reserved block", zstd.frame(zstd.block(TEXT[:9], zstd.RESERVED)))
    yield case("packed block of rubbish", zstd.frame(zstd.block(NOISE[:900], zstd.PACKED)))
    yield case("block longer than allowed", zstd.frame(zstd.block(TEXT + TEXT + TEXT)))
    yield case("block longer than its window", zstd.raw(TEXT, window_log=10))
    yield case("reserved bit of the descriptor", zstd.raw(TEXT, reserved=1))
    yield case("a dictionary", zstd.raw(TEXT, dictionary=5))
    yield case("dictionary 0", zstd.raw(TEXT, dictionary=0))
    yield case("wrong checksum", zstd.raw(TEXT, check=0x12345678))
    yield case("checksum cut", zstd.raw(TEXT, check=0x12345678)[:-4])
    for log in [10, 16, 20, 26, 27, 28, 30, 31, 32, 41]:
        yield case(f"window 2^{log}", zstd.repeated(b"w", CLUSTER, window_log=log))
    for size in [0, 1, 4, 5, 6, 8, 9, 10, 1000, CLUSTER, len(whole) - 1]:
        yield case(f"cut after {size} bytes", whole[:size])
    for seed in range(12):
        yield case(f"flipped bit {seed}", flip(zstd.repeated(b"f", CLUSTER), seed))
    for seed in range(4):
        yield case(f"noise {seed}", random.Random(seed).randbytes(2048))
    yield case("a deflate stream", deflate(TEXT))
    yield case("at 1 GiB", b"", sectors=9, offset=1 << 30)
    for bits in [9, 12, 18, 21]:
        content = (TEXT * 40)[:1 << bits]
        yield case(f"cluster_bits {bits}", zstd.raw(content), bits=bits)
    yield compressed_case("a zstd frame", whole)


def end_cases():
    """A compressed cluster at the end of the file is padded with zeros."""
    for kind, stream in [(0, deflate(TEXT)), (1, zstd.raw(TEXT))]:
        for missing in [0, 1, 2, 100, 600]:
            def build(directory, kind=kind, stream=stream, missing=missing):
                image = Image(2 * CLUSTER, compression_type=kind)
                offset = image.disk.compressed(1, stream)
                # The refcounts follow, and are cut off.
                image.length = offset + len(stream) - missing
                return image.write(directory / "end.qcow2")
            yield Case(f"{'zstd' if kind else 'zlib'} ends {missing} bytes early", build)

    def partial(directory):        # the disk ends within a compressed cluster
        image = Image(CLUSTER + 1536)
        image.disk.compressed(1, deflate(TEXT))
        return image.write(directory / "partial.qcow2")
    yield Case("zlib last cluster partial", partial)

    def short_partial(directory):  # the stream has only what the guest sees
        image = Image(CLUSTER + 1536)
        image.disk.compressed(1, deflate(TEXT[:1536]))
        return image.write(directory / "partial.qcow2")
    yield Case("zlib last cluster partial and short", short_partial)

    def same(directory):           # all clusters have the same stream
        image = Image(64 * CLUSTER)
        offset = image.disk.compressed(0, deflate(TEXT))
        for guest in range(1, 64):
            image.disk.compressed(guest, deflate(TEXT), offset=offset)
        return image.write(directory / "same.qcow2")
    yield Case("zlib one stream for all", same)


def version_2(directory):
    image = Image(2 * CLUSTER, version=2)
    image.disk.compressed(1, deflate(TEXT), flags=ZERO)
    return image.write(directory / "v2.qcow2")


def subcluster_case(name, entry, bitmap, bits=16, size=4, backing=False):
    """An extended entry: the low half of the bitmap is `has data`, the high `is zero`."""
    def build(directory):
        options = {}
        if backing:
            below = Image(size << bits, cluster_bits=bits)
            below.disk.data(1, b"below")
            below.write(directory / "below.qcow2")
            options = {"backing": b"below.qcow2", "backing_format": b"qcow2"}
        image = Image(size << bits, cluster_bits=bits, extended_l2=True, **options)
        image.disk.data(0, b"before")
        host = image.disk.place(1, NOISE)
        image.disk.entry(1, entry(host) if callable(entry) else entry, bitmap)
        return image.write(directory / "extended.qcow2")
    return Case(f"subclusters {name}", build)


def subcluster_cases():
    def data(host):
        return host | COPIED

    low, high = 0xFFFFFFFF, 0xFFFFFFFF << 32
    for name, bitmap in {
            "none": 0, "all data": low, "all zero": high, "first data": 1,
            "last data": 1 << 31, "first zero": 1 << 32, "last zero": 1 << 63,
            "every other": 0x55555555, "data and zero": 0x55555555 | 0xAAAAAAAA << 32,
            "thirds": 0x92492492 | 0x49249249 << 32}.items():
        yield subcluster_case(f"{name}", data, bitmap)
        yield subcluster_case(f"{name}, backing file", data, bitmap, backing=True)
        yield subcluster_case(f"{name}, no offset", 0, bitmap)
        yield subcluster_case(f"{name}, no offset, backing file", 0, bitmap, backing=True)
    for name, bitmap in {"all both": low | high, "first both": 1 | 1 << 32,
                         "last both": 1 << 31 | 1 << 63}.items():
        yield subcluster_case(name, data, bitmap)
        yield subcluster_case(f"{name}, no offset", 0, bitmap)
    yield subcluster_case("bit 0 of the entry", lambda host: host | ZERO, low)
    yield subcluster_case("bit 0 without an offset", ZERO, 0)
    yield subcluster_case("COPIED without an offset", COPIED, 0)
    yield subcluster_case("COPIED without an offset, data", COPIED, low)
    for bitmap in [0, 1 << 32, high, low]:
        yield subcluster_case(f"unaligned, bitmap {bitmap:#x}",
                              lambda host: host + 2048, bitmap)
    yield subcluster_case("beyond the end", 1 << 40, low)
    for bits in [14, 15, 18, 21]:
        yield subcluster_case(f"cluster_bits {bits}", data, 0x0F0F0F0F | 0xF000F000 << 32, bits)

    stream = deflate(TEXT)
    for bitmap in [0, 1, low, high, low | high]:
        def build(directory, bitmap=bitmap):
            image = Image(2 * CLUSTER, extended_l2=True)
            offset = image.disk.compressed(1, stream)
            sectors = (offset + len(stream) - 1) // 512 - offset // 512
            image.disk.entry(1, COMPRESSED | sectors << 54 | offset, bitmap)
            return image.write(directory / "packed.qcow2")
        yield Case(f"subclusters of a compressed cluster, bitmap {bitmap:#x}", build)


CASES = [*zlib_cases(), *zlib_size_cases(), *zstd_cases(), *end_cases(),
         Case("zlib in version 2, bit 0 set", version_2), *subcluster_cases()]
