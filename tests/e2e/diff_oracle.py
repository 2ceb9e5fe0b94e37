# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where two disks differ, by the definition; and disks that differ here and there."""

import json
import random

SECTOR = 512


def pad(content):
    """A disk is whole sectors."""
    return content + bytes(-len(content) % SECTOR)


def kind(a, b):
    if a == b:
        return None
    if not any(a):
        return "zero in A"
    return "differs" if any(b) else "zero in B"


def merge(pieces):
    """Neighbours of one kind are one range."""
    ranges = []
    for start, length, what in pieces:
        if ranges and ranges[-1][0] + ranges[-1][1] == start and ranges[-1][2] == what:
            start, before, _ = ranges.pop()
            length += before
        ranges.append((start, length, what))
    return ranges


def difference(a, b, unit=SECTOR):
    """The ranges (start, length, what) of two contents, by units of this size."""
    a, b = pad(a), pad(b)
    size = min(len(a), len(b))
    pieces = []
    for start in range(0, size, unit):
        end = min(start + unit, size)
        what = kind(a[start:end], b[start:end])
        if what:
            pieces.append((start, end - start, what))
    if len(a) != len(b):
        pieces.append((size, abs(len(a) - len(b)),
                       "only in A" if len(a) > len(b) else "only in B"))
    return merge(pieces)


def parse(stdout):
    """What --diff printed, as text or as JSON."""
    ranges = []
    for line in stdout.splitlines():
        if line.startswith("{"):
            value = json.loads(line)
            assert list(value) == ["start", "length", "what"]
            ranges.append(tuple(value.values()))
        else:
            start, length, what = line.split(maxsplit=2)
            ranges.append((int(start), int(length), what))
    return ranges


def change(content, seed, parts=6):
    """A copy with other bytes or zeros here and there, at places that no sector
    divides."""
    rnd = random.Random(seed)
    copy = bytearray(content)
    for _ in range(parts if content else 0):
        start = rnd.randrange(len(content))
        length = min(rnd.choice([1, 100, 700, 5000, 70000]), len(content) - start)
        copy[start:start + length] = rnd.choice([bytes, rnd.randbytes])(length)
    return bytes(copy)


def difference_of_blocks(a, b, block_size):
    """The same by the digests of blocks. Where the shorter disk ends within a block, the
    two digests are of different lengths: the bytes are equal if both are zeros, and
    otherwise count as different."""
    a, b = pad(a), pad(b)
    size = min(len(a), len(b))
    whole = size if len(a) == len(b) else size - size % block_size
    pieces = difference(a[:whole], b[:whole], block_size)
    if whole < size:
        blocks = a[whole:whole + block_size], b[whole:whole + block_size]
        longer = int(len(b) > len(a))
        if not any(blocks[longer]) and any(blocks[1 - longer]):
            pieces.append((whole, size - whole, "zero in " + "AB"[longer]))
        elif any(blocks[0]) or any(blocks[1]):
            pieces.append((whole, size - whole, "differs"))
    if len(a) != len(b):
        pieces.append((size, abs(len(a) - len(b)),
                       "only in A" if len(a) > len(b) else "only in B"))
    return merge(pieces)
