# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of many TiB, with little in them."""
import hashlib
import os

import pytest

from conftest import sums
from qcow2_compare import convert
from qcow2_qemu import fill, qemu

TIB = 1 << 40
BLOCK = 4 << 20         # large, so that there are fewer to hash
OPTION = f"--block-size={BLOCK}"
# What an L2 table and a slice of one cover, with clusters of 64 KiB and 2 MiB,
# and a slice of the L1 table with clusters of 64 KiB.
BORDERS = [512 << 20, 4 << 30, 16 << 30, 512 << 30, 4 * TIB]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def pieces_of(size):
    """Ranges at both ends, and across each border."""
    starts = [0, *(border - 5000 for border in BORDERS if border < size), size - 9000]
    return [(start, 9000, "ABCDEFG"[index]) for index, start in enumerate(starts)]


def hole_checksum(size, pieces, block_size):
    """The checksum of a disk of holes, by its definition."""
    blocks = {}
    for offset, length, letter in pieces:
        for at in range(offset, offset + length):
            number, place = divmod(at, block_size)
            if number not in blocks:
                blocks[number] = bytearray(block_size)
            blocks[number][place] = ord(letter)
    zero = hashlib.sha256(bytes(block_size)).digest()
    root, done = hashlib.sha256(), 0
    for number, content in sorted(blocks.items()):
        root.update(zero * (number - done))
        content = content[:size - number * block_size]
        root.update(hashlib.sha256(content).digest())
        done = number + 1
    root.update(size.to_bytes(8, "little"))
    return root.hexdigest()


def create_large(size, cluster):
    qemu("create", "-q", "-f", "qcow2", "-o", f"cluster_size={cluster}", "image.qcow2", size)
    fill("image.qcow2", pieces_of(size))
    return hole_checksum(size, pieces_of(size), BLOCK)


@pytest.mark.parametrize("cluster", ["64k", "2M"])
def test_converted(disksum, cluster):
    expected = create_large(3 * TIB + 512, cluster)
    raw = convert("image.qcow2")
    for image in "image.qcow2", raw:
        done = disksum("-f", "raw" if image == raw else "qcow2", OPTION, image)
        assert sums(done.stdout) == [expected]
    os.remove(raw)


@pytest.mark.parametrize("cluster, size", [("64k", 16 * TIB), ("2M", 16 * TIB + 1024)])
def test_computed(disksum, cluster, size):
    """ext4 cannot have raw files of these sizes to compare with."""
    expected = create_large(size, cluster)
    for way in [], ["-T", "none"]:
        assert sums(disksum(OPTION, *way, "image.qcow2").stdout) == [expected]
