# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write a VPC image (VHD) byte for byte, good or bad, and read one naively.

    image = Image(5 << 20)                  dynamic, with blocks of 2 MiB
    image.data(0, b"A")                     block 0: 2 MiB of "A"
    image.sector(1, 3, b"B")                sector 3 of block 1, and its bit
    image.entry(2, 1 << 20)                 any entry of the table
    image.footer["type"] = 7                any field, right or wrong
    image.header["max_entries"] = 0
    image.locator(W2RU, utf16(".\\\\base.vhd"))    of a differencing image
    image.write(path)

    guest_bytes(path)                       the whole disk, sector by sector

Blocks are stored in the order of the calls. The checksums are right unless a field
has one.
"""
import os
import struct
import urllib.parse

SECTOR = 512
MiB = 1 << 20
FIXED, DYNAMIC, DIFFERENCING = 2, 3, 4      # types
FREE = 0xffffffff                           # an entry: the block is not stored

# Platforms of locators.
W2RU, W2KU, MACX = 0x57327275, 0x57326b75, 0x4d616358
WI2R, WI2K, MAC = 0x57693272, 0x5769326b, 0x4d616320

# All numbers are big-endian. name -> (offset, struct format)
FOOTER = {
    "cookie": (0, "8s"),                    # "conectix"
    "features": (8, ">I"),
    "version": (12, ">I"),
    "data_offset": (16, ">Q"),              # where the header is
    "timestamp": (24, ">I"),
    "creator": (28, "4s"),                  # the program that made it
    "creator_version": (32, ">I"),
    "creator_os": (36, "4s"),
    "original_size": (40, ">Q"),
    "current_size": (48, ">Q"),             # bytes that the guest sees, or
    "cylinders": (56, ">H"),                # their product, in sectors
    "heads": (58, ">B"),
    "sectors": (59, ">B"),
    "type": (60, ">I"),
    "checksum": (64, ">I"),                 # of the footer
    "uuid": (68, "16s"),
    "saved_state": (84, ">B"),
}
HEADER = {
    "cookie": (0, "8s"),                    # "cxsparse"
    "data_offset": (8, ">Q"),
    "table_offset": (16, ">Q"),
    "version": (24, ">I"),
    "max_entries": (28, ">I"),              # of the table
    "block_size": (32, ">I"),
    "checksum": (36, ">I"),                 # of the header
    "parent_uuid": (40, "16s"),
    "parent_timestamp": (56, ">I"),
    "parent_name": (64, "512s"),            # UTF-16BE
}
LOCATORS = 576                              # 8 of them, in the header
MAX_GEOMETRY = 65535 * 16 * 255
CURRENT_SIZE = b"win ", b"qem2", b"d2v ", b"CTXS", b"tap\0"     # creators


def utf16(text):
    """A name of Windows, as locators have it."""
    return text.encode("utf-16-le", "surrogatepass")


def pack(fields, values, size):
    packed = bytearray(size)
    for name, value in values.items():
        offset, form = fields[name]
        struct.pack_into(form, packed, offset, value)
    return packed


def checksum(packed, at):
    return ~sum(packed[:at] + packed[at + 4:]) & 0xffffffff


class Image:
    def __init__(self, size, *, kind=DYNAMIC, block_size=2 * MiB, creator=b"win ", uuid=b"u" * 16,
                 parent=None, entries=None):
        """parent: the image below, or None if that is raw."""
        self.size, self.kind, self.block_size = size, kind, block_size
        self.bitmap_size = -(-(block_size // SECTOR // 8) // SECTOR) * SECTOR
        self.entries = [FREE] * (-(-size // block_size) if entries is None else entries)
        self.table_at = 1536
        self.end = -(-(1536 + 4 * len(self.entries)) // SECTOR) * SECTOR
        self.changes = []
        self.locators = []
        self.starts = {}
        self.length = None
        self.tail = SECTOR                  # bytes of the footer at the end
        self.start, self.last = True, True  # whether there is a footer there
        self.uuid = uuid
        self.footer = {
            "cookie": b"conectix", "features": 2, "version": 0x10000,
            "data_offset": (1 << 64) - 1 if kind == FIXED else 512,
            "creator": creator, "creator_os": b"Wi2k",
            "original_size": size, "current_size": size,
            "cylinders": min(size // SECTOR // 68, 65535), "heads": 4, "sectors": 17,
            "type": kind, "uuid": uuid}
        self.header = {
            "cookie": b"cxsparse", "data_offset": (1 << 64) - 1,
            "table_offset": self.table_at, "version": 0x10000,
            "max_entries": len(self.entries), "block_size": block_size,
            "parent_uuid": parent.uuid if parent else bytes(16)}

    def put(self, offset, data):
        self.changes.append((offset, data))

    def entry(self, block, value):
        self.entries[block] = value

    def block(self, block):
        """The offset of a block's bitmap in the file. The first call allocates it."""
        if block not in self.starts:
            self.starts[block] = self.end
            self.entry(block, self.end // SECTOR)
            self.end += self.bitmap_size + self.block_size
        return self.starts[block]

    def data(self, block, content, bitmap=b"\xff"):
        """Store a block. Short content is repeated, and so is the bitmap."""
        at, size = self.block(block), self.block_size
        used = -(-size // SECTOR // 8)
        self.put(at, (bitmap * used)[:used])
        self.put(at + self.bitmap_size, (content * (size // len(content) + 1))[:size])

    def sector(self, block, number, content):
        """Store a sector of a block in which data() stored none."""
        at = self.block(block)
        bits = next((data for offset, data in self.changes if offset == at), None)
        if bits is None:
            bits = bytearray(-(-self.block_size // SECTOR // 8))
            self.put(at, bits)
        bits[number // 8] |= 0x80 >> number % 8
        self.put(at + self.bitmap_size + number * SECTOR, (content * SECTOR)[:SECTOR])

    def locator(self, platform, data, length=None, offset=None):
        """Add the name of a parent."""
        space = -(-len(data) // SECTOR) * SECTOR
        if offset is None:
            offset, self.end = self.end, self.end + space
            self.put(offset, data.ljust(space, b"\0"))
        self.locators.append(struct.pack(
            ">IIIIQ", platform, space, len(data) if length is None else length, 0, offset))

    def packed_footer(self):
        packed = pack(FOOTER, self.footer, SECTOR)
        if "checksum" not in self.footer:
            packed[64:68] = struct.pack(">I", checksum(packed, 64))
        return packed

    def packed_header(self):
        packed = pack(HEADER, self.header, 1024)
        locators = b"".join(self.locators)
        packed[LOCATORS:LOCATORS + len(locators)] = locators
        if "checksum" not in self.header:
            packed[36:40] = struct.pack(">I", checksum(packed, 36))
        return packed

    def write(self, path):
        with open(path, "wb") as file:
            if self.kind == FIXED:
                self.end = self.size
            else:
                file.write(self.packed_footer() if self.start else bytes(SECTOR))
                file.write(self.packed_header())
                file.seek(self.table_at)
                file.write(struct.pack(f">{len(self.entries)}I", *self.entries)
                           .ljust(-(-4 * len(self.entries) // SECTOR) * SECTOR, b"\xff"))
            file.truncate(self.end)
            for offset, data in self.changes:
                file.seek(offset)
                file.write(data)
            file.seek(self.end)
            file.write((self.packed_footer() if self.last else bytes(SECTOR))[:self.tail])
            if self.length is not None:
                file.truncate(self.length)
        return path


class Refused(Exception):
    pass


def require(condition, why):
    if not condition:
        raise Refused(why)


class Reader:
    """What the guest sees: QEMU 7.2 is right, but for differencing images."""

    def __init__(self, path, depth=0):
        require(depth < 20, "a loop")
        with open(path, "rb") as file:
            self.content = file.read()
        self.end = -(-len(self.content) // SECTOR) * SECTOR
        footer = self.read(0, SECTOR)
        at_start = footer[:8] == b"conectix"
        if not at_start:
            require(self.end >= SECTOR, "no footer")
            footer = self.read(self.end - SECTOR, SECTOR)
            require(footer[:8] == b"conectix", "no footer")
        get = self.getter(FOOTER, footer)
        require(get("checksum") == checksum(footer, 64), "checksum")
        sectors = get("cylinders") * get("heads") * get("sectors")
        if get("creator") in CURRENT_SIZE or sectors == MAX_GEOMETRY:
            sectors = get("current_size") // SECTOR
        require(sectors <= 0xff000000, "size")
        self.size, self.kind, self.uuid = sectors * SECTOR, get("type"), get("uuid")
        self.parent = None
        require(at_start or self.kind == FIXED, "type")
        if at_start:
            self.read_header(get("data_offset"))
            if self.kind == DIFFERENCING:
                self.parent = self.open_parent(path, depth)

    def read(self, offset, length):
        return self.content[offset:offset + length].ljust(length, b"\0")

    @staticmethod
    def getter(fields, packed):
        return lambda name: struct.unpack_from(fields[name][1], packed, fields[name][0])[0]

    def read_header(self, at):
        self.header = self.read(at, 1024)
        get = self.getter(HEADER, self.header)
        require(get("cookie") == b"cxsparse", "cookie of the header")
        self.block_size, count = get("block_size"), get("max_entries")
        require(self.block_size >= SECTOR and self.block_size & (self.block_size - 1) == 0,
                "block size")
        require(count <= 536_870_784 and count * self.block_size >= self.size, "entries")
        self.bitmap_size = -(-(self.block_size // SECTOR // 8) // SECTOR) * SECTOR
        at = get("table_offset")
        require(at + 4 * count <= self.end, "table")
        self.table = struct.unpack(f">{count}I", self.read(at, 4 * count))
        for entry in self.table:
            require(entry == FREE or entry * SECTOR + self.bitmap_size + self.block_size
                    <= self.end, "a block beyond the end")

    def names(self):
        """The names of the parent, the best one first."""
        found = []
        for number in range(8):
            platform, _, length, _, offset = struct.unpack_from(
                ">IIIIQ", self.header, LOCATORS + 24 * number)
            data = self.read(offset, length) if length <= 8192 else b""
            found.append((platform, data))
        for wanted in W2RU, W2KU, MACX, WI2R, WI2K:
            for platform, data in found:
                if platform == wanted:
                    yield from self.paths(platform, data)
        yield from self.paths(None, self.header[64:576])

    @staticmethod
    def paths(platform, data):
        try:
            if platform in (W2RU, W2KU):
                name = data.decode("utf-16-le")
            elif platform is None:
                name = data.decode("utf-16-be")
            else:
                name = os.fsdecode(data)
        except UnicodeDecodeError:
            return
        name = name.partition("\0")[0]
        if platform == MACX:
            if not name.startswith("file://"):
                return
            name = name.removeprefix("file://")
            name = "/" + name[10:] if name.startswith("localhost/") else name
            name = urllib.parse.unquote(name, errors="surrogateescape")
        else:
            name = name.replace("\\", "/")
            if name[:1].isalpha() and name[:1].isascii() and name[1:2] == ":":
                name = name[2:].rpartition("/")[2]
            elif name.startswith("//"):
                name = name.rpartition("/")[2]
        yield name
        if name.startswith("/"):
            yield name.rpartition("/")[2]

    def open_parent(self, path, depth):
        for name in self.names():
            below = os.path.join(os.path.dirname(path), name)
            if name and os.path.exists(below):
                break
        else:
            raise Refused("no parent")
        wanted = self.getter(HEADER, self.header)("parent_uuid")
        if wanted == bytes(16):
            return Raw(below)
        parent = Reader(below, depth + 1)
        require(parent.uuid == wanted, "another parent")
        return parent

    def sector(self, number):
        offset = number * SECTOR
        if offset >= self.size:
            return bytes(SECTOR)
        if self.kind == FIXED:
            return self.read(offset, SECTOR)
        block, skip = divmod(offset, self.block_size)
        at = self.table[block] * SECTOR
        if self.kind == DIFFERENCING:
            index = skip // SECTOR
            if self.table[block] == FREE or \
                    not self.content[at + index // 8] & (0x80 >> index % 8):
                return self.parent.sector(number)
        if self.table[block] == FREE:
            return bytes(SECTOR)
        return self.read(at + self.bitmap_size + skip, SECTOR)


class Raw:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.content = file.read()
        size = -(-len(self.content) // SECTOR) * SECTOR
        require(self.content[:8] != b"conectix" and
                self.content[max(0, size - SECTOR):][:8] != b"conectix", "no id")

    def sector(self, number):
        return self.content[number * SECTOR:(number + 1) * SECTOR].ljust(SECTOR, b"\0")


def guest_bytes(path):
    reader = Reader(path)
    return b"".join(reader.sector(number) for number in range(reader.size // SECTOR))
