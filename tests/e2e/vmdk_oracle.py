# SPDX-License-Identifier: LGPL-2.1-or-later
"""A naive reader of VMDK images: it reads a grain at a time, whole files, and nothing
that is not needed. Names are plain and start from the directory of the image."""
import os
import re
import struct
import zlib

SECTOR = 512
LINE = re.compile(r'^(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\w+)(?:\s+"([^"\n\r]+)")?(?:[ \t]+(\d+))?',
                  re.MULTILINE)


class Refused(Exception):
    pass


def part(content, offset, length):
    """Bytes of a file: beyond its end are zeros."""
    return content[offset:offset + length].ljust(length, b"\0")


def number(content, offset, form):
    return struct.unpack(form, part(content, offset, struct.calcsize(form)))[0]


class Extent:
    """read(start, length) gives bytes, or None for what the parent decides."""

    def __init__(self, sectors):
        self.size = sectors * SECTOR
        self.unit = self.size

    def read(self, start, length):
        return bytes(length)


class Flat(Extent):
    def __init__(self, sectors, path, offset):
        super().__init__(sectors)
        self.path, self.offset = path, offset * SECTOR

    def read(self, start, length):
        with open(self.path, "rb") as file:
            file.seek(self.offset + start)
            return file.read(length).ljust(length, b"\0")


class Grains(Extent):
    """A grain is looked up in two tables, whose entries have so many bytes."""
    form = "<I"

    def __init__(self, content, sectors, grain, gtes, gd):
        super().__init__(sectors)
        self.content, self.gtes, self.gd = content, gtes, gd
        self.unit = grain * SECTOR

    def table(self, entry):
        return entry

    def look_up(self, grain):
        width = struct.calcsize(self.form)
        table, index = divmod(grain, self.gtes)
        sector = self.table(number(self.content, self.gd * SECTOR + table * width, self.form))
        if sector == 0:
            return 0
        return number(self.content, sector * SECTOR + index * width, self.form)

    def grain(self, entry):
        return None if entry == 0 else part(self.content, entry * SECTOR, self.unit)

    def read(self, start, length):
        grain, skip = divmod(start, self.unit)
        content = self.grain(self.look_up(grain))
        if content is None:
            return None
        if len(content) < skip + length:
            raise Refused("the grain is too short")
        return content[skip:skip + length]


class Sparse(Grains):
    def __init__(self, content):
        h = content[:SECTOR]
        if number(h, 56, "<Q") == (1 << 64) - 1:
            end = -(-len(content) // SECTOR) * SECTOR
            h = part(content, end - 1024, SECTOR)
            if end < 1536 or h[:4] != b"KDMV" or number(content, end - 1528, "<Q") != 3 << 32 \
                    or any(part(content, end - 512, 16)):
                raise Refused("no footer")
        version, flags, capacity, grain = struct.unpack_from("<IIQQ", h, 4)
        gtes, _, gd, overhead = struct.unpack_from("<IQQQ", h, 44)
        if version > 3 or not 0 < gtes <= 512 or not 0 < grain <= 1 << 21 or \
                overhead * SECTOR > len(content) + 511 or gd >> 53 or \
                -(-capacity // (gtes * grain)) > 1 << 25:
            raise Refused("header")
        super().__init__(content, capacity, grain, gtes, gd)
        self.zeroed, self.markers = flags & 4, flags & 1 << 17
        self.compressed = number(h, 77, "<H") == 1

    def grain(self, entry):
        if entry == 1 and self.zeroed:
            return bytes(self.unit)
        if entry == 0 or not self.compressed:
            return super().grain(entry)
        start, size = entry * SECTOR, self.unit
        if self.markers:
            size = number(self.content, start + 8, "<I")
            start += 12
        if not 0 < size <= 2 * self.unit:
            raise Refused("the marker")
        stream = zlib.decompressobj()
        try:
            content = stream.decompress(part(self.content, start, size))
        except zlib.error as error:
            raise Refused("zlib") from error
        if not stream.eof or len(content) > self.unit:
            raise Refused("zlib")
        return content


class Cowd(Grains):
    def __init__(self, content):
        capacity, grain, gd, entries = struct.unpack_from("<IIII", part(content, 0, 28), 12)
        if not 0 < grain < 1 << 20 or entries * 4096 * grain < capacity:
            raise Refused("header")
        super().__init__(content, capacity, grain, 4096, gd)


class SeSparse(Grains):
    form = "<Q"

    def __init__(self, content):
        h = struct.unpack("<26Q", part(content, 0, 208))
        second = struct.unpack("<4Q", part(content, h[10] * SECTOR, 32))
        if h[:2] != (0xcafebabe, 0x200000001) or h[3:5] != (8, 64) or any(h[5:10]) or \
                any(content[208:512]) or second[0] != 0xcafecafe or second[3] or \
                any(part(content, h[10] * SECTOR + 32, 480)) or \
                h[17] * 64 * 4096 * 8 < h[2]:
            raise Refused("header")
        super().__init__(content, h[2], 8, 4096, h[16])
        self.tables, self.grains = h[18], h[24]

    def table(self, entry):
        if entry == 0:
            return 0
        if entry >> 32 != 0x10000000:
            raise Refused("grain directory")
        return self.tables + (entry & 0xffffffff) * 64

    def grain(self, entry):
        kind = entry >> 60
        if entry == 0:
            return None
        if kind in (1, 2):
            return bytes(self.unit)
        if kind != 3:
            raise Refused("kind")
        place = entry >> 48 & 0xfff | (entry & (1 << 48) - 1) << 12
        return part(self.content, (self.grains + place * 8) * SECTOR, self.unit)


def sparse_extent(path, kind="SPARSE"):
    with open(path, "rb") as file:
        content = file.read()
    if kind == "SESPARSE":
        return SeSparse(content)
    if content[:4] == b"COWD":
        return Cowd(content)
    if content[:4] != b"KDMV":
        raise Refused("magic")
    return Sparse(content)


def make_extent(directory, access, sectors, kind, name, offset):
    sectors = int(sectors)
    if access == "NOACCESS" or sectors == 0:
        raise Refused(access)
    if kind == "ZERO":
        return Extent(sectors)
    path = os.path.join(directory, name)
    if kind in ("FLAT", "VMFS"):
        return Flat(sectors, path, int(offset or 0))
    return sparse_extent(path, kind)


def first(pattern, text, default=None):
    found = re.search(pattern, text)
    return found.group(1) if found else default


class Image:
    def __init__(self, path):
        path = os.fspath(path)
        directory = os.path.dirname(path)
        with open(path, "rb") as file:
            head = file.read(1 << 20)
        if head[:4] in (b"KDMV", b"COWD"):
            text, at = head[512:512 + 10240], number(head, 28, "<Q") * SECTOR
        else:
            text, at = head[:10240], 0
        text = text.split(b"\0")[0].decode("latin-1")
        self.cid = first(r"CID=\s*([0-9a-fA-F]+)", text)
        parent_cid = first(r"parentCID=\s*([0-9a-fA-F]+)", text)
        if self.cid is None or parent_cid is None:
            raise Refused("CID")
        if head[:4] == b"COWD" or head[:4] == b"KDMV" and number(head, 12, "<Q"):
            self.extents = [sparse_extent(path)]
        else:
            lines = head[at:].split(b"\0")[0].decode("latin-1")
            self.extents = [make_extent(directory, *line) for line in LINE.findall(lines)]
        if not self.extents:
            raise Refused("no extents")
        name = first(r'parentFileNameHint="([^"]+)"', text)
        self.parent = Image(os.path.join(directory, name)) if name else None
        if self.parent and int(self.parent.cid, 16) != int(parent_cid, 16):
            raise Refused("the CID of the parent")
        self.size = sum(extent.size for extent in self.extents)

    def read(self, offset, length):
        """Bytes of the disk, where it ends zeros."""
        pieces, start = [], 0
        for extent in self.extents:
            at = max(offset - start, 0)
            while at < extent.size and start + at < offset + length:
                end = min(extent.size, offset + length - start)
                if extent.unit:
                    end = min(end, at - at % extent.unit + extent.unit)
                content = extent.read(at, end - at)
                if content is None:
                    content = self.parent.read(start + at, end - at) if self.parent \
                        else bytes(end - at)
                pieces.append(content)
                at = end
            start += extent.size
        return b"".join(pieces).ljust(length, b"\0")


def guest_bytes(path):
    image = Image(path)
    return image.read(0, image.size)
