# SPDX-License-Identifier: LGPL-2.1-or-later
"""The checksum by its definition, and images from lines of text."""

import hashlib
import os
import random

SECTOR = 512


def checksum(content, block_size=65536, digest="sha256", sector=SECTOR):
    """The checksum of bytes, or of the file at a path, as the command prints
    it: a disk is padded to whole sectors. The library does not: sector=1."""
    if not isinstance(content, (bytes, bytearray)):
        with open(content, "rb") as f:
            content = f.read()
    content = bytes(content) + bytes(-len(content) % sector)
    root = hashlib.new(digest)
    for start in range(0, len(content), block_size):
        block = content[start:start + block_size]
        root.update(hashlib.new(digest, block).digest())
    root.update(len(content).to_bytes(8, "little"))
    return root.hexdigest()


def parse_size(text):
    units = {"k": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    if text[-1] in units:
        return int(text[:-1]) * units[text[-1]]
    return int(text)


def hole(path, size):
    """An image of zeros that were never written."""
    with open(path, "wb") as f:
        f.truncate(size)
    return path


def write_image(path, spec):
    """Write a raw image as a spec describes it: "32k:A 3000:0 64k:-" is 32 KiB
    of data, 3,000 zeros that are written, and a hole. Returns its bytes. The
    letter of data seeds it, so that no two pages are alike."""
    content = bytearray()
    with open(path, "wb") as f:
        for part in spec.split():
            size, kind = part.split(":")
            size = parse_size(size)
            if kind in "-0":
                data = bytes(size)
            else:
                data = random.Random(kind).randbytes(size)
            if kind == "-":
                f.seek(size, os.SEEK_CUR)
            else:
                f.write(data)
            content += data
        f.truncate(len(content))
    return bytes(content)


def random_spec(rnd, parts=12):
    """A spec whose changes stand at places that nothing divides, and at
    others that much does."""
    spec = []
    for _ in range(rnd.randrange(parts + 1)):
        unit = rnd.choice([1, 512, 4096, 65536])
        size = rnd.randrange(40) * unit + rnd.choice([0, 0, 0, 1, 77, 511])
        spec.append(f"{size}:{rnd.choice('AB0-')}")
    return " ".join(spec)
