# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bitmaps for the images of qcow2_image.py, good or bad.

    bitmaps = Bitmaps(image)
    bitmaps.add(b"b0", [0, ONES, bytes])    a cluster of zeros, of ones, and of these bits
    bitmaps.finish()
    image.write(path)
"""
import struct

from qcow2_image import BITMAPS, EXT_BITMAPS

ONES = 1
IN_USE, AUTO, EXTRA_COMPATIBLE = 1, 2, 4


class Bitmaps:
    def __init__(self, image):
        self.image = image
        self.directory = b""
        self.count = 0

    def add(self, name, content, **fields):
        """content: an entry of the table for each cluster of bits, or their bytes. A
        field of the directory entry may be any number."""
        entries = [one if isinstance(one, int) else self.image.blob(one) for one in content]
        table = self.image.blob(struct.pack(f">{len(entries)}Q", *entries))
        values = {"table": table, "table_size": len(entries), "flags": AUTO, "type": 1,
                  "granularity": 9, "name_size": len(name), "extra_size": 0,
                  "extra": b""} | fields
        entry = struct.pack(
            ">QIIBBHI",
            values["table"],            # where its table is
            values["table_size"],       # entries of that
            values["flags"],
            values["type"],             # 1: which parts have changed
            values["granularity"],      # a bit stands for 1 << granularity bytes
            values["name_size"],        # bytes of the name
            values["extra_size"])       # bytes before it
        entry += values["extra"] + name
        self.directory += entry + bytes(-len(entry) % 8)
        self.count += 1
        return table

    def finish(self, *, bits=BITMAPS, **fields):
        values = {"count": self.count, "size": len(self.directory),
                  "directory": self.image.blob(self.directory)} | fields
        self.image.header["autoclear_features"] = bits
        self.image.extension(EXT_BITMAPS, struct.pack(
            ">IIQQ", values["count"], 0, values["size"], values["directory"]))
