# SPDX-License-Identifier: LGPL-2.1-or-later
"""Digest lists by docs/digest-list.md, written and read naively."""

import hashlib
import struct
import types

UNKNOWN = 2**64 - 1
MAX_CHUNK = 1 << 20
ZERO, DIGESTS, CHECK, END = range(4)


def word(kind, count):
    return struct.pack("<Q", kind << 62 | count)


def write_list(disk, source=b"{}", block_size=65536, digest="sha256", first=0, count=UNKNOWN,
               length=None):
    """A list of the bytes of a disk, or of `count` of its blocks, that was written fast. The
    header says another length if one is given."""
    def hash_of(data):
        return hashlib.new(digest, data).digest()

    def cut(chunk, check):
        chunk += word(CHECK, 0)
        return chunk + hash_of(check + chunk)
    blocks = [disk[i:i + block_size] for i in range(0, len(disk), block_size)]
    part = blocks[first:first + count]
    chunks = [cut(b"BLKLIST\0" + struct.pack(
        "<IIQQQ32s", 1, 72 + len(source), block_size, first,
        len(disk) if length is None else length, digest.encode()) + source, b"")]
    md_size = len(hash_of(b""))
    chunk, last, record, number = bytearray(), None, 0, 0
    end = struct.pack("<Q", len(disk))
    if part == blocks:
        end += hash_of(b"".join(map(hash_of, blocks)) + end)
    for block in part + [None]:
        kind = END if block is None else ZERO if block == bytes(block_size) else DIGESTS
        data = {END: end, ZERO: b"", DIGESTS: hash_of(block or b"")}[kind]
        if kind != last or len(chunk) + len(data) > MAX_CHUNK:
            if len(chunk) + 8 + len(data) > MAX_CHUNK:
                chunks.append(cut(chunk, chunks[-1][-md_size:]))
                chunk = bytearray()
            last, record, number = kind, len(chunk), 0
            chunk += bytes(8)
        number = len(part) if kind == END else number + 1
        chunk[record:record + 8] = word(kind, number)
        chunk += data
    return b"".join(chunks + [cut(chunk, chunks[-1][-md_size:])])


def read_list(data):
    """What a list says, and the digests of its blocks. Asserts that all is right."""
    magic, version, at, block_size, first, length, name = struct.unpack_from("<8sIIQQQ32s", data)
    assert (magic, version) == (b"BLKLIST\0", 1) and 0 < block_size <= 1 << 24
    digest = name.rstrip(b"\0").decode()
    zero_md = hashlib.new(digest, bytes(block_size)).digest()
    size = len(zero_md)
    mds, source, checksum, checks, kind = [], data[72:at], b"", [0], None
    while at < len(data):
        last, (number,) = kind, struct.unpack_from("<Q", data, at)
        kind, number, at = number >> 62, number & 2**62 - 1, at + 8
        if kind == CHECK:
            chunk = data[checks[-1]:at]
            assert number == 0 and data[at:at + size] == hashlib.new(digest, chunk).digest()
            assert len(chunk) - 8 - (size if checks[1:] else 0) in range(1, MAX_CHUNK + 1)
            checks, at = checks + [at], at + size
        elif kind == END:
            assert number == len(mds) and data[at:at + 8] == struct.pack("<Q", length) or \
                length == UNKNOWN
            [length], at = struct.unpack_from("<Q", data, at), at + 8
            if first == 0 and number == -(-length // block_size):
                checksum, at = data[at:at + size], at + size
                assert checksum == hashlib.new(
                    digest, b"".join(mds) + struct.pack("<Q", length)).digest()
        else:
            assert 0 < number <= -(-length // block_size) - first - len(mds)
            found = [zero_md] * number if kind == ZERO else [
                data[at + i * size:at + (i + 1) * size] for i in range(number)]
            assert last != kind and (kind == ZERO or zero_md not in found)
            mds, at = mds + found, at + (kind == DIGESTS) * number * size
    assert (last, kind, at) == (END, CHECK, len(data))
    return types.SimpleNamespace(block_size=block_size, digest=digest, first=first, length=length,
                                 source=source, mds=mds, checksum=checksum, checks=checks[1:])
