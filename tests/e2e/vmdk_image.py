# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write VMDK images byte for byte, good or bad.

    disk = Sparse(sectors=2048)             an extent that is an image
    disk.data(0, b"A")                      grain 0: a grain of "A"
    disk.zero(1)                            a zeroed grain
    disk.header["capacity"] = 7             any field, right or wrong
    disk.entry(3, 1 << 20)                  any entry of a grain table
    disk.write(path)

    path.write_text(descriptor('RW 2048 SPARSE "extent"'))

Stream is compressed, Cowd and SeSparse are those of VMFS. Grains are allocated in the
order of the calls, after the grain directory and all grain tables.
"""
import struct
import zlib

SECTOR = 512

# The header: name -> (offset, struct format). All numbers are little endian; places
# and sizes are in sectors.
FIELDS = {
    "magic": (0, "4s"),
    "version": (4, "<I"),
    "flags": (8, "<I"),
    "capacity": (12, "<Q"),             # of the disk
    "grain": (20, "<Q"),                # of a grain
    "descriptor": (28, "<Q"),           # where the embedded descriptor is
    "descriptor_size": (36, "<Q"),
    "gtes": (44, "<I"),                 # entries of a grain table
    "rgd": (48, "<Q"),                  # the redundant grain directory
    "gd": (56, "<Q"),                   # the grain directory; -1: see the footer
    "overhead": (64, "<Q"),             # before the first grain
    "unclean": (72, "B"),
    "newlines": (73, "4s"),
    "compression": (77, "<H"),          # 1: deflate
}
COWD_FIELDS = {
    "magic": (0, "4s"), "version": (4, "<I"), "flags": (8, "<I"), "capacity": (12, "<I"),
    "grain": (16, "<I"), "gd": (20, "<I"), "gd_entries": (24, "<I"), "next": (28, "<I"),
}
SE_FIELDS = {name: (8 * n, "<Q") for n, name in enumerate(
    "magic version capacity grain gt_size flags r1 r2 r3 r4 volatile volatile_size "
    "journal_header journal_header_size journal journal_size gd gd_size gts gts_size "
    "bitmap bitmap_size backmap backmap_size grains grains_size".split())}
SE_FIELDS |= {"pad": (511, "B")}
SE_VOLATILE = {"magic": (0, "<Q"), "free_gt": (8, "<Q"), "sequence": (16, "<Q"),
               "replay": (24, "<Q"), "pad": (511, "B")}

# Flags of the header.
NEWLINES = 1
RGD = 2
ZEROED = 4
COMPRESSED = 1 << 16
MARKERS = 1 << 17

AT_END = (1 << 64) - 1
ZEROED_GRAIN = 1                        # entry of a grain table, with the flag ZEROED

# Types of markers.
EOS, GRAIN_TABLE, GRAIN_DIRECTORY, FOOTER = range(4)

DESCRIPTOR = """# Disk DescriptorFile
version=1
CID={cid}
parentCID={parent_cid}
createType="{type}"
{parent}
# Extent description
{lines}
# The Disk Data Base
#DDB
ddb.virtualHWVersion = "4"
"""


def descriptor(*lines, type="monolithicFlat", cid="12345678", parent_cid="ffffffff",
               parent=None):
    hint = "" if parent is None else f'parentFileNameHint="{parent}"\n'
    return DESCRIPTOR.format(cid=cid, parent_cid=parent_cid, type=type, parent=hint,
                             lines="\n".join(lines))


def pack(fields, values):
    """The bytes of the first sector."""
    sector = bytearray(SECTOR)
    for name, value in values.items():
        offset, form = fields[name]
        struct.pack_into(form, sector, offset, value)
    return bytes(sector)


def marker(count, size, kind):
    return struct.pack("<QII", count, size, kind).ljust(SECTOR, b"\0")


class File:
    """A file that is allocated by sectors."""

    def __init__(self):
        self.bytes = bytearray()
        self.length = None              # cut the file here

    def end(self):
        return len(self.bytes) // SECTOR

    def allocate(self, content, align=1):
        """Write bytes at the end. Returns their sector."""
        self.bytes += bytes(-len(self.bytes) % (align * SECTOR))
        sector = self.end()
        self.bytes += content
        self.bytes += bytes(-len(self.bytes) % SECTOR)
        return sector

    def put(self, offset, content):
        if offset + len(content) > len(self.bytes):
            self.bytes += bytes(offset + len(content) - len(self.bytes))
        self.bytes[offset:offset + len(content)] = content

    def content(self):
        return bytes(self.bytes[:self.length])

    def write(self, path):
        path.write_bytes(self.content())
        return path


class Grains(File):
    """What has a grain directory, grain tables and grains."""
    form = "<I"
    grain = gtes = tables = 0

    def fill(self, content):
        size = self.grain * SECTOR
        return (content * (size // len(content) + 1))[:size] if content else bytes(size)

    def make_tables(self, sectors):
        """A grain directory, and all grain tables after it."""
        width = struct.calcsize(self.form)
        grains = -(-sectors // self.grain)
        self.tables = -(-grains // self.gtes)
        self.table_size = -(-self.gtes * width // SECTOR)
        self.gd = self.allocate(bytes(self.tables * width))
        self.gt = self.allocate(bytes(self.tables * self.table_size * SECTOR))
        for index in range(self.tables):
            self.directory(index, self.gt + index * self.table_size)

    def directory(self, index, value):
        width = struct.calcsize(self.form)
        self.put(self.gd * SECTOR + index * width, struct.pack(self.form, value))

    def entry(self, number, value):
        width = struct.calcsize(self.form)
        table, index = divmod(number, self.gtes)
        self.put((self.gt + table * self.table_size) * SECTOR + index * width,
                 struct.pack(self.form, value))

    def data(self, number, content):
        """A grain. Short content is repeated."""
        sector = self.allocate(self.fill(content))
        self.entry(number, sector)
        return sector


class Sparse(Grains):
    def __init__(self, sectors=2048, *, grain=128, gtes=512, version=1, flags=NEWLINES,
                 text=None, rgd=False, room=20):
        super().__init__()
        self.grain, self.gtes = grain, gtes
        self.allocate(bytes(SECTOR))
        self.text = descriptor(f'RW {sectors} SPARSE "image"',
                               type="monolithicSparse") if text is None else text
        at = self.allocate(self.text.encode().ljust(room * SECTOR, b"\0"))
        self.make_tables(sectors)
        second = 0
        if rgd:
            second, self.gd = self.gd, 0
            self.make_tables(sectors)
            flags |= RGD
        self.header = {
            "magic": b"KDMV", "version": version, "flags": flags, "capacity": sectors,
            "grain": grain, "descriptor": at, "descriptor_size": room, "gtes": gtes,
            "rgd": second, "gd": self.gd, "overhead": self.end(),
            "newlines": b"\n \r\n"}

    def zero(self, number):
        self.entry(number, ZEROED_GRAIN)

    def content(self):
        self.put(0, pack(FIELDS, self.header))
        return super().content()


class Stream(Sparse):
    """Compressed grains. With a footer, the header does not know the grain directory."""

    def __init__(self, sectors=2048, *, markers=True, footer=False, **options):
        super().__init__(sectors, version=options.pop("version", 3), **options)
        self.header["flags"] |= COMPRESSED | (MARKERS if markers else 0)
        self.header["compression"] = 1
        self.footer = dict(self.header) if footer else None
        if footer:
            self.header["gd"] = AT_END

    def stream(self, number, stream, size=None, lba=None):
        """A grain, of any bytes."""
        if self.header["flags"] & MARKERS:
            stream = struct.pack("<QI", number * self.grain if lba is None else lba,
                                 len(stream) if size is None else size) + stream
        sector = self.allocate(stream)
        self.entry(number, sector)
        return sector

    def data(self, number, content, level=6):
        return self.stream(number, zlib.compress(self.fill(content), level))

    def content(self):
        if self.footer is None:
            return super().content()
        self.put(0, pack(FIELDS, self.header))
        return bytes(self.bytes) + marker(1, 0, FOOTER) + pack(FIELDS, self.footer) + \
            marker(0, 0, EOS)


class Cowd(Grains):
    def __init__(self, sectors=2048, *, grain=1):
        super().__init__()
        self.grain, self.gtes = grain, 4096
        self.allocate(bytes(4 * SECTOR))
        self.make_tables(sectors)
        self.header = {"magic": b"COWD", "version": 1, "flags": 3, "capacity": sectors,
                       "grain": grain, "gd": self.gd, "gd_entries": self.tables}

    def content(self):
        self.put(0, pack(COWD_FIELDS, self.header))
        return super().content()


class SeSparse(Grains):
    """Grains are numbered from the first one; their number is in two parts of an entry."""
    form = "<Q"
    ALLOCATED, ZERO, UNMAPPED = 3 << 60, 2 << 60, 1 << 60

    def __init__(self, sectors=2048):
        super().__init__()
        self.grain, self.gtes = 8, 4096
        self.allocate(bytes(2 * SECTOR))
        self.make_tables(sectors)
        for index in range(self.tables):
            self.directory(index, 1 << 60 | index)
        self.first = self.allocate(b"")
        self.header = {
            "magic": 0xcafebabe, "version": 0x200000001, "capacity": sectors, "grain": 8,
            "gt_size": 64, "volatile": 1, "volatile_size": 1, "gd": self.gd,
            "gd_size": -(-self.tables * 8 // SECTOR), "gts": self.gt,
            "gts_size": self.tables * 64, "grains": self.first}
        self.second = {"magic": 0xcafecafe}

    @staticmethod
    def place(grain):
        return SeSparse.ALLOCATED | (grain & 0xfff) << 48 | grain >> 12

    def data(self, number, content):
        sector = self.allocate(self.fill(content))
        grain = (sector - self.first) // self.grain
        self.entry(number, self.place(grain))
        return grain

    def zero(self, number):
        self.entry(number, self.ZERO)

    def content(self):
        self.put(0, pack(SE_FIELDS, self.header))
        self.put(SECTOR * self.header["volatile"], pack(SE_VOLATILE, self.second))
        return super().content()
