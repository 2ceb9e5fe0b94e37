# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write a VHDX image byte for byte, good or bad.

    image = Image(size=5 << 20, block_size=1 << 20)
    image.data(0, b"A")                     block 0: a block of "A"
    image.block(1, ZERO)                    any state, at any place
    image.header["sequence_number"] = 7     any field, right or wrong
    image.entry(3, 1 << 40)                 any entry of the BAT
    image.put(104, b"\\2")                   any byte
    image.write(path)

Blocks are allocated in the order of the calls, so every offset is known at once. CRCs
come last, and are right unless `crc` of the structure says otherwise. A parent is
described by the keys of its locator:

    image = Image(size, parent={"relative_path": ".\\\\base.vhdx", "parent_linkage": text})
    image.partial(2, b"B", [(0, 3), (9, 1)])    sectors 0 to 2, and 9, are here

and a log by its entries, in order:

    image.log.entry([data(offset, 4096 bytes), zero(offset, length)])
"""
import struct
import uuid

KIB, MIB = 1 << 10, 1 << 20
LOG_SECTOR = 4096

# States of a block in the BAT.
NOT_PRESENT, UNDEFINED, ZERO, UNMAPPED, RESERVED, UNMAPPED_0_95 = range(6)
FULLY_PRESENT, PARTIALLY_PRESENT = 6, 7
BITMAP_PRESENT = 6

BAT = "2dc27766-f623-4200-9d64-115e9bfd4a08"
METADATA = "8b7ca206-4790-4b9a-b8fe-575f050f886e"

FILE_PARAMETERS = "caa16737-fa36-4d43-b3b6-33f0aa44e76b"
DISK_SIZE = "2fa54224-cd1b-4876-b211-5dbed83bf4b8"
DISK_ID = "beca12ab-b2e6-4523-93ef-c309e000c746"
LOGICAL_SECTOR_SIZE = "8141bf1d-a96f-4709-ba47-f233a8faab5f"
PHYSICAL_SECTOR_SIZE = "cda348c7-445d-4471-9cc9-e9885251c556"
PARENT_LOCATOR = "a8d35f2d-b30b-454d-abf7-d3d84834ab0c"
LOCATOR_VHDX = "b04aefb7-d19e-4a81-b789-25b8e9445913"

IS_USER, IS_DISK, IS_REQUIRED = 1, 2, 4     # flags of a metadata item
FIXED, HAS_PARENT = 1, 2                    # flags of the file parameters

NO_LOG = "00000000-0000-0000-0000-000000000000"
LOG_GUID = "11111111-2222-4333-8444-555555555555"

# A header: name -> (offset, struct format or "guid").
FIELDS = {
    "signature": (0, "4s"),
    "checksum": (4, "<I"),          # of 4 KiB
    "sequence_number": (8, "<Q"),   # the header with the larger one counts
    "file_write_guid": (16, "guid"),
    "data_write_guid": (32, "guid"),    # identifies the content to a child
    "log_guid": (48, "guid"),       # of the entries that are to be replayed
    "log_version": (64, "<H"),
    "version": (66, "<H"),
    "log_length": (68, "<I"),
    "log_offset": (72, "<Q"),
}


def crc_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc_table()


def crc32c(content):
    crc = 0xFFFFFFFF
    for byte in content:
        crc = TABLE[(crc ^ byte) & 0xFF] ^ crc >> 8
    return crc ^ 0xFFFFFFFF


def guid(text):
    return uuid.UUID(text).bytes_le


def braces(text):
    """A GUID as a parent locator has it."""
    return "{" + text + "}"


def sealed(content, crc=None):
    """A structure with its CRC, which is behind the signature."""
    content = bytearray(content)
    content[4:8] = bytes(4)
    content[4:8] = struct.pack("<I", crc32c(content) if crc is None else crc)
    return bytes(content)


# --- the log -----------------------------------------------------------------

def data(offset, content):
    """A descriptor: 4 KiB of the file."""
    return {"signature": b"desc", "offset": offset, "content": content}


def zero(offset, length):
    """A descriptor: zeros in the file."""
    return {"signature": b"zero", "offset": offset, "length": length}


class Log:
    """The entries of the log, one behind the other, from `at` on. The ring wraps."""

    def __init__(self, offset, length):
        self.offset, self.length = offset, length
        self.at = 0
        self.sequence = 1
        self.tail = None        # where the sequence begins
        self.writes = []        # (place in the log, bytes)

    def entry(self, descriptors, *, tail=None, sequence=None, log_guid=LOG_GUID, crc=None,
              flushed=0, last=0, padding=0, **fields):
        """Write an entry. Returns its place."""
        place = self.at
        number = self.sequence if sequence is None else sequence
        if self.tail is None:
            self.tail = place
        listed, sectors = b"", b""
        for one in descriptors:
            own = one.get("sequence", number)
            if one["signature"] == b"desc":
                content = one["content"]
                listed += struct.pack("<4s4s8sQQ", b"desc", content[-4:], content[:8],
                                      one["offset"], own)
                sectors += one.get("data", b"data")
                sectors += struct.pack("<I", number >> 32) + content[8:-4]
                sectors += struct.pack("<I", number & 0xFFFFFFFF)
            else:
                listed += struct.pack("<4sIQQQ", one["signature"], 0, one.get("length", 0),
                                      one["offset"], own)
        size = -(-(64 + len(listed)) // LOG_SECTOR) * LOG_SECTOR + len(sectors)
        size += padding * LOG_SECTOR
        head = struct.pack("<4sIIIQII16sQQ",
                           fields.get("signature", b"loge"), 0,
                           fields.get("length", size),
                           self.tail if tail is None else tail,
                           number,
                           fields.get("count", len(descriptors)), 0,
                           guid(log_guid), flushed, last)
        content = (head + listed).ljust(size - len(sectors) - padding * LOG_SECTOR, b"\0")
        self.write(sealed(content + sectors + bytes(padding * LOG_SECTOR), crc))
        self.sequence = number + 1
        return place

    def write(self, content):
        """Write bytes at the end of what is written."""
        while content:
            piece = content[:self.length - self.at]
            self.writes.append((self.at, piece))
            self.at = (self.at + len(piece)) % self.length
            content = content[len(piece):]


# --- the image ---------------------------------------------------------------

def locator(pairs, kind=LOCATOR_VHDX, count=None):
    """A parent locator: its keys and values, each a text, or bytes as they are."""
    pairs = [[text.encode("utf-16-le") if isinstance(text, str) else text for text in pair]
             for pair in (pairs.items() if isinstance(pairs, dict) else pairs)]
    count = len(pairs) if count is None else count
    table = guid(kind) + struct.pack("<HH", 0, count)
    at, texts = 20 + 12 * len(pairs), b""
    for key, value in pairs:
        table += struct.pack("<IIHH", at, at + len(key), len(key), len(value))
        texts += key + value
        at += len(key) + len(value)
    return table + texts


class Image:
    def __init__(self, size, block_size=MIB, sector_size=512, *, parent=None, fixed=False,
                 log_length=MIB, bat_length=None, data_guid=None):
        self.block_size, self.sector_size = block_size, sector_size
        self.chunk = (1 << 23) * sector_size // block_size      # blocks in it
        self.blocks = -(-size // block_size)
        entries = self.blocks + max(self.blocks - 1, 0) // self.chunk
        if parent is not None:
            entries = -(-self.blocks // self.chunk) * (self.chunk + 1)
        self.writes = []        # (offset, bytes), in order
        self.patches = []       # after all others
        self.bitmaps = {}       # chunk -> offset
        self.length = None      # cut the file here
        self.end = MIB
        self.log = Log(self.allocate(log_length), log_length)
        if bat_length is None:
            bat_length = max(-(-entries * 8 // MIB), 1) * MIB
        self.bat = self.allocate(bat_length)
        self.metadata = self.allocate(MIB)

        self.header = {
            "signature": b"head",
            "sequence_number": 8,
            "file_write_guid": str(uuid.UUID(int=1)),
            "data_write_guid": data_guid or str(uuid.UUID(int=2)),
            "log_guid": NO_LOG,
            "log_version": 0,
            "version": 1,
            "log_length": log_length,
            "log_offset": self.log.offset,
        }
        self.header_1 = {"sequence_number": 7}      # where the first one differs
        self.regions = [[BAT, self.bat, bat_length, 1], [METADATA, self.metadata, MIB, 1]]
        self.region_tables = [{}, {}]               # crc, signature, count
        flags = (FIXED if fixed else 0) | (HAS_PARENT if parent is not None else 0)
        # Of each item: its GUID, flags, and content.
        self.items = [
            [FILE_PARAMETERS, IS_REQUIRED, struct.pack("<II", block_size, flags)],
            [DISK_SIZE, IS_REQUIRED | IS_DISK, struct.pack("<Q", size)],
            [DISK_ID, IS_REQUIRED | IS_DISK, uuid.UUID(int=3).bytes_le],
            [LOGICAL_SECTOR_SIZE, IS_REQUIRED | IS_DISK, struct.pack("<I", sector_size)],
            [PHYSICAL_SECTOR_SIZE, IS_REQUIRED | IS_DISK, struct.pack("<I", 4096)]]
        if parent is not None:
            content = parent if isinstance(parent, bytes) else locator(parent)
            self.items.append([PARENT_LOCATOR, IS_REQUIRED, content])
        self.metadata_count = None
        self.metadata_signature = b"metadata"

    # The file.

    def allocate(self, length):
        offset = self.end
        self.end += -(-length // MIB) * MIB
        return offset

    def put(self, offset, content):
        self.writes.append((offset, content))

    def patch(self, offset, content):
        """Write bytes after everything else, past all CRCs."""
        self.patches.append((offset, content))

    # The BAT.

    def entry_offset(self, index):
        return self.bat + index * 8

    def index(self, block):
        """The place of a block in the BAT: each chunk has an entry more."""
        return block + block // self.chunk

    def entry(self, index, value):
        self.put(self.entry_offset(index), struct.pack("<Q", value))

    def block(self, block, state, offset=0):
        self.entry(self.index(block), offset | state)

    def place(self, content):
        """Allocate a block. Short content is repeated."""
        offset = self.allocate(self.block_size)
        if content:
            self.put(offset, (content * (self.block_size // len(content) + 1))
                     [:self.block_size])
        return offset

    def data(self, block, content):
        offset = self.place(content)
        self.block(block, FULLY_PRESENT, offset)
        return offset

    def bitmap(self, chunk):
        """The bitmap of a chunk's sectors, which the first call allocates."""
        if chunk not in self.bitmaps:
            self.bitmaps[chunk] = self.allocate(MIB)
            self.entry((self.chunk + 1) * (chunk + 1) - 1,
                       self.bitmaps[chunk] | BITMAP_PRESENT)
        return self.bitmaps[chunk]

    def partial(self, block, content, runs):
        """A block of which some sectors are here: (first, count) for each run."""
        offset = self.place(content)
        self.block(block, PARTIALLY_PRESENT, offset)
        sectors = self.block_size // self.sector_size
        bits = 0
        for first, count in runs:
            bits |= ((1 << count) - 1) << first
        self.put(self.bitmap(block // self.chunk) + block % self.chunk * sectors // 8,
                 bits.to_bytes(sectors // 8, "little"))
        return offset

    # What is written last.

    def header_bytes(self, changes):
        content = bytearray(4096)
        fields = self.header | changes
        for name, value in fields.items():
            if name == "crc":
                continue
            offset, form = FIELDS[name]
            value = guid(value) if form == "guid" else struct.pack(form, value)
            content[offset:offset + len(value)] = value
        return sealed(content, fields.get("crc"))

    def region_bytes(self, signature=b"regi", count=None, crc=None, regions=None):
        regions = self.regions if regions is None else regions
        content = struct.pack("<4sIII", signature, 0,
                              len(regions) if count is None else count, 0)
        for kind, offset, length, required in regions:
            content += struct.pack("<16sQII", guid(kind), offset, length, required)
        return sealed(content.ljust(64 * KIB, b"\0"), crc)

    def metadata_bytes(self):
        count = len(self.items) if self.metadata_count is None else self.metadata_count
        table = struct.pack("<8sHH20x", self.metadata_signature, 0, count)
        at, contents = 64 * KIB, b""
        for item in self.items:
            kind, flags, content = item[:3]
            offset = item[3] if len(item) > 3 else at
            table += struct.pack("<16sIIII", guid(kind), offset, len(content), flags, 0)
            if len(item) <= 3:
                contents += content
                at += len(content)
        return table.ljust(64 * KIB, b"\0") + contents

    def write(self, path):
        with open(path, "wb") as file:
            def put(offset, content):
                file.seek(offset)
                file.write(content)
            put(0, b"vhdxfile" + "a test".encode("utf-16-le"))
            put(64 * KIB, self.header_bytes(self.header_1))
            put(128 * KIB, self.header_bytes({}))
            for offset, changes in zip((192 * KIB, 256 * KIB), self.region_tables):
                put(offset, self.region_bytes(**changes))
            put(self.metadata, self.metadata_bytes())
            for offset, content in self.log.writes:
                put(self.log.offset + offset, content)
            for offset, content in self.writes + self.patches:
                put(offset, content)
            file.truncate(self.end if self.length is None else self.length)
        return path
