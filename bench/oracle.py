# SPDX-License-Identifier: LGPL-2.1-or-later
"""The checksum of an image, computed in the plainest way, to check by."""
import hashlib
import os

BLOCK = 65536
ZERO = bytes(BLOCK)
ZERO_DIGEST = hashlib.sha256(ZERO).digest()


def checksum(path):
    """The checksum (SHA-256) of a file, and how many bytes of its blocks are
    not zero. The size must be a multiple of the block size."""
    root = hashlib.sha256()
    data = 0
    size = os.path.getsize(path)
    assert size % BLOCK == 0

    with open(path, 'rb', buffering=0) as file:
        offset = 0
        while offset < size:
            begin, end = extent(file, offset, size)
            add_zeros(root, (begin - offset) // BLOCK)
            file.seek(begin)
            for _ in range(begin, end, BLOCK):
                block = file.read(BLOCK)
                if block == ZERO:
                    root.update(ZERO_DIGEST)
                else:
                    root.update(hashlib.sha256(block).digest())
                    data += BLOCK
            offset = end
    root.update(size.to_bytes(8, 'little'))
    return root.hexdigest(), data


def checksum_of_block(content):
    """The checksum of a disk of one block, or a part of one."""
    root = hashlib.sha256(hashlib.sha256(content).digest())
    root.update(len(content).to_bytes(8, 'little'))
    return root.hexdigest()


def extent(file, offset, size):
    """The next blocks that are not all in a hole."""
    try:
        begin = os.lseek(file.fileno(), offset, os.SEEK_DATA)
    except OSError:  # holes to the end
        return size, size
    end = os.lseek(file.fileno(), begin, os.SEEK_HOLE)
    return begin // BLOCK * BLOCK, -(-end // BLOCK) * BLOCK


def add_zeros(root, blocks):
    many = 4096
    for _ in range(blocks // many):
        root.update(ZERO_DIGEST * many)
    root.update(ZERO_DIGEST * (blocks % many))
