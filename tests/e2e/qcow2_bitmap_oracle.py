# SPDX-License-Identifier: LGPL-2.1-or-later
"""A naive reader of the persistent bitmaps of a qcow2 image, after QEMU's
docs/interop/qcow2.txt. It believes what the image says."""

import re
import struct

EXT_BITMAPS = 0x23852875
IN_USE, AUTO = 1, 2


class Bitmap:
    def __init__(self, file, cluster_size, size, head, name):
        self.file, self.cluster_size, self.size = file, cluster_size, size
        self.table, self.entries, self.flags, _, bits = struct.unpack(">QIIBB", head)
        self.granularity = 1 << bits
        self.name = name

    def bits(self):
        """(count, value) of runs of bits, not joined."""
        self.file.seek(self.table)
        table = struct.unpack(f">{self.entries}Q", self.file.read(8 * self.entries))
        for entry in table:
            offset = entry & ~1
            if offset == 0:
                yield 8 * self.cluster_size, entry & 1
                continue
            self.file.seek(offset)
            data = self.file.read(self.cluster_size)
            text = bin(int.from_bytes(data, "little"))[2:].zfill(8 * len(data))
            for run in re.finditer("0+|1+", text[::-1]):
                yield len(run[0]), int(run[0][0])

    def changes(self):
        """(offset, length, changed) of ranges of the disk; no two neighbours are alike."""
        ranges, offset = [], 0
        for count, value in self.bits():
            length = min(count * self.granularity, self.size - offset)
            if ranges and ranges[-1][2] == value:
                ranges[-1][1] += length
            elif length:
                ranges.append([offset, length, value])
            offset += length
        return [tuple(one) for one in ranges]


def bitmaps(path):
    """The bitmaps of an image, by their names. Those that are out of date count, too."""
    file = open(path, "rb")
    header = file.read(112)
    cluster_size = 1 << struct.unpack(">I", header[20:24])[0]
    size, = struct.unpack(">Q", header[24:32])
    at, = struct.unpack(">I", header[100:104])
    while True:
        file.seek(at)
        kind, length = struct.unpack(">II", file.read(8))
        if kind in (0, EXT_BITMAPS):
            break
        at += 8 + length + -length % 8
    if kind == 0:
        return {}
    count, _, _, at = struct.unpack(">IIQQ", file.read(24))
    found = {}
    for _ in range(count):
        file.seek(at)
        head = file.read(24)
        name_length, extra = struct.unpack(">HI", head[18:24])
        file.seek(extra, 1)
        name = file.read(name_length).decode()
        found[name] = Bitmap(file, cluster_size, size // 512 * 512, head[:18], name)
        at += -(-(24 + extra + name_length) // 8) * 8
    return found
