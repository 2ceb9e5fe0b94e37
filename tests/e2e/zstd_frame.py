# SPDX-License-Identifier: LGPL-2.1-or-later
"""Zstandard frames made by hand (RFC 8878): only raw and repeated blocks, so that
every field is in sight, and can be wrong."""
import struct

MAGIC = 0xFD2FB528
SKIPPABLE = 0x184D2A50  # the first of 16
RAW, REPEAT, PACKED, RESERVED = range(4)


def block(content, kind=RAW, last=True, size=None):
    """Bit 0 of the header: the last block; bits 1 and 2: the kind; then the size.

    A block that repeats one byte tells how often in its size.
    """
    size = len(content) if size is None else size
    return (size << 3 | kind << 1 | last).to_bytes(3, "little") + content


def frame(*blocks, window_log=17, content_size=None, dictionary=None, check=None,
          reserved=0):
    """A frame around blocks that are made already."""
    # The descriptor: bits 6 and 7 the width of the content size (here 0 or 8 bytes),
    # bit 5 a single segment, bit 3 reserved, bit 2 a checksum, bits 0 and 1 the width
    # of the dictionary's id (here 0 or 4 bytes).
    descriptor = reserved << 3
    fields = bytes([window_log - 10 << 3])      # the window has 1 << window_log bytes
    if dictionary is not None:
        descriptor |= 3
        fields += struct.pack("<I", dictionary)
    if content_size is not None:
        descriptor |= 3 << 6
        fields += struct.pack("<Q", content_size)
    if check is not None:
        descriptor |= 1 << 2
    tail = b"" if check is None else struct.pack("<I", check)
    return struct.pack("<IB", MAGIC, descriptor) + fields + b"".join(blocks) + tail


def raw(content, **fields):
    """A frame of raw blocks, each as long as a block may be."""
    limit = 128 << 10
    pieces = [content[at:at + limit] for at in range(0, len(content), limit)] or [b""]
    blocks = [block(piece, last=piece is pieces[-1]) for piece in pieces]
    return frame(*blocks, **fields)


def repeated(byte, count, **fields):
    """A frame of one byte, `count` times."""
    limit = 128 << 10
    sizes = [min(limit, count - at) for at in range(0, count, limit)]
    blocks = [block(byte, REPEAT, last=index == len(sizes) - 1, size=size)
              for index, size in enumerate(sizes)]
    return frame(*blocks, **fields)


def skippable(content, number=0):
    return struct.pack("<II", SKIPPABLE + number, len(content)) + content
