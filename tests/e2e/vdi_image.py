# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write a VDI image byte for byte, good or bad, and read one naively.

    image = Image(size=5 << 20)
    image.data(0, b"A")             guest block 0: 1 MiB of "A"
    image.entry(1, DISCARDED)       any entry of the block map
    image["cBlocks"] = 7            any field of the header, right or wrong
    image.write(path)

    guest_bytes(path)               the whole disk, block by block

Blocks are stored in the order of the calls.
"""
import struct

MiB = 1 << 20
SIGNATURE = 0xbeda107f
DYNAMIC, FIXED, UNDO, DIFF = 1, 2, 3, 4     # types
FREE = 0xffffffff           # an entry: never allocated
DISCARDED = 0xfffffffe      # allocated once, and now zeros

# The header of version 1.1: name -> (offset, struct format). The names are
# VirtualBox's. All numbers are little-endian.
FIELDS = {
    "szFileInfo": (0x00, "64s"),
    "u32Signature": (0x40, "<I"),
    "u32Version": (0x44, "<I"),         # the major version in the upper half
    "cbHeader": (0x48, "<I"),           # bytes of what follows
    "u32Type": (0x4c, "<I"),
    "fFlags": (0x50, "<I"),
    "szComment": (0x54, "256s"),
    "offBlocks": (0x154, "<I"),         # where the block map is
    "offData": (0x158, "<I"),           # where block 0 is
    "cCylinders": (0x15c, "<I"),
    "cHeads": (0x160, "<I"),
    "cSectors": (0x164, "<I"),
    "cbSector": (0x168, "<I"),
    "u32Dummy": (0x16c, "<I"),
    "cbDisk": (0x170, "<Q"),            # bytes that the guest sees
    "cbBlock": (0x178, "<I"),
    "cbBlockExtra": (0x17c, "<I"),      # bytes before each block, which nobody uses
    "cBlocks": (0x180, "<I"),           # entries of the block map
    "cBlocksAllocated": (0x184, "<I"),
    "uuidCreate": (0x188, "16s"),
    "uuidModify": (0x198, "16s"),
    "uuidLinkage": (0x1a8, "16s"),      # the parent, and when it was changed
    "uuidParentModify": (0x1b8, "16s"),
}


class Image:
    def __init__(self, size, *, kind=DYNAMIC, blocks=None, map_at=512, data_at=None):
        blocks = -(-size // MiB) if blocks is None else blocks
        self.blocks, self.map_at = blocks, map_at
        self.data_at = -(-(map_at + 4 * blocks) // 512) * 512 if data_at is None else data_at
        self.entries = {}
        self.stored = []
        self.changes = []
        self.length = None
        self.fields = {
            "szFileInfo": b"<<< Oracle VM VirtualBox Disk Image >>>\n",
            "u32Signature": SIGNATURE, "u32Version": 0x10001, "cbHeader": 0x190,
            "u32Type": kind, "offBlocks": map_at, "offData": self.data_at,
            "cbSector": 512, "cbDisk": size, "cbBlock": MiB, "cBlocks": blocks,
            "uuidCreate": b"c" * 16, "uuidModify": b"m" * 16}
        if kind == FIXED:
            for block in range(blocks):
                self.data(block, b"\0")

    def __setitem__(self, name, value):
        self.fields[name] = value

    def entry(self, block, value):
        self.entries[block] = value

    def data(self, block, content):
        """Store a block. Short content is repeated."""
        self.entry(block, len(self.stored))
        self.stored.append((content * (MiB // len(content) + 1))[:MiB])

    def put(self, offset, data):
        self.changes.append((offset, data))

    def header(self):
        fields = {"cBlocksAllocated": len(self.stored)} | self.fields
        header = bytearray(512)
        for name, value in fields.items():
            offset, form = FIELDS[name]
            struct.pack_into(form, header, offset, value)
        return header

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.header())
            file.seek(self.map_at)
            file.write(b"".join(struct.pack("<I", self.entries.get(block, FREE))
                                for block in range(self.blocks)))
            for index, content in enumerate(self.stored):
                file.seek(self.data_at + index * MiB)
                file.write(content)
            for offset, data in self.changes:
                file.seek(offset)
                file.write(data)
            if self.length is not None:
                file.truncate(self.length)
        return path


class Refused(Exception):
    pass


def guest_bytes(path):
    """What the guest sees, by the header and the map, with nothing in between."""
    with open(path, "rb") as file:
        content = file.read()

    def get(name, header=content[:512].ljust(512, b"\0")):
        offset, form = FIELDS[name]
        return struct.unpack_from(form, header, offset)[0]

    none = bytes(16)
    wrong = [
        get("u32Signature") != SIGNATURE, get("u32Version") != 0x10001,
        get("offBlocks") % 512, get("offData") % 512, get("cbSector") != 512,
        get("cbBlock") != MiB, get("uuidLinkage") != none, get("uuidParentModify") != none,
        get("cBlocks") > 536_870_784]
    size = -(-get("cbDisk") // 512) * 512
    if any(wrong) or size > get("cBlocks") * MiB:
        raise Refused(path)
    disk = []
    for block in range(-(-size // MiB)):
        at = get("offBlocks") + 4 * block
        if at + 4 > len(content):
            raise Refused("an entry that is not in the file")
        number, = struct.unpack("<I", content[at:at + 4])
        at = get("offData") + number * MiB
        stored = b"" if number in (FREE, DISCARDED) else content[at:at + MiB]
        disk.append(stored.ljust(MiB, b"\0"))
    return b"".join(disk)[:size]
