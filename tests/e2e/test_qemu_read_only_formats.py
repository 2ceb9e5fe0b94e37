# SPDX-License-Identifier: LGPL-2.1-or-later
"""Formats that QEMU reads, but cannot write: images made byte for byte."""

import base64
import struct
import zlib

import pytest

from conftest import sums
from oracle import checksum
from test_qemu import expected
from test_qemu import directory, raw  # noqa: F401 (fixtures)


def make_dmg(path, content, kind=0x80000005):
    """A part is stored, a part is zeros, and a part is compressed, as this kind
    says: by zlib."""
    third = len(content) // 1536
    parts = [content[i * third * 512:(i + 1) * third * 512] for i in range(3)]
    packed = zlib.compress(parts[2])
    chunks = [(1, 0, 0, len(parts[0])), (2, third, 0, 0),
              (kind, 2 * third, len(parts[0]), len(packed))]
    table = b"mish" + bytes(200) + b"".join(
        struct.pack(">IIQQQQ", kind, 0, first, third, offset, length)
        for kind, first, offset, length in chunks)
    table += struct.pack(">IIQQQQ", 0xffffffff, 0, 3 * third, 0, 0, 0)
    plist = b"<data>" + base64.b64encode(table) + b"</data>"
    trailer = bytearray(512)
    trailer[:4] = b"koly"
    data = parts[0] + packed
    struct.pack_into(">QQ", trailer, 0x18, 0, len(data))
    struct.pack_into(">QQ", trailer, 0xd8, len(data), len(plist))
    struct.pack_into(">Q", trailer, 0x1ec, 3 * third)
    path.write_bytes(data + plist + trailer)


def make_cloop(path, content):
    size = 65536
    blocks = [zlib.compress(content[i:i + size].ljust(size, b"\0"))
              for i in range(0, len(content), size)]
    offset = 136 + 8 * (len(blocks) + 1)
    head = (b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && mount -r -t iso9660 "
            b"/dev/cloop $1\n").ljust(128, b"\0")
    head += struct.pack(">II", size, len(blocks))
    for block in [*blocks, b""]:
        head += struct.pack(">Q", offset)
        offset += len(block)
    path.write_bytes(head + b"".join(blocks))


@pytest.mark.parametrize("make", [make_dmg, make_cloop])
def test_format_that_qemu_does_not_write(disksum, tmp_path, raw, make):
    content = raw.read_bytes()
    content = content[:len(content) // 196608 * 196608]
    if make == make_dmg:
        third = len(content) // 3
        content = content[:third] + bytes(third) + content[2 * third:]
    path = tmp_path / make.__name__.replace("make_", "image.")
    make(path, content)
    assert expected(path) == checksum(content)
    assert sums(disksum(path).stdout) == [checksum(content)]
