# SPDX-License-Identifier: LGPL-2.1-or-later
"""A naive qcow2 reader: what the guest sees, cluster by cluster, without a cache.

    guest_bytes(path) -> the whole disk, as `qemu-img convert -f qcow2 -O raw` gives it
    Refused           -> QEMU does not open the image, or cannot read all of it

It reads from top to bottom as the specification does (docs/interop/qcow2.txt of QEMU);
comments tell where QEMU does something of its own.
"""
import ctypes
import os
import stat
import struct
import sys
import zlib

MAGIC = b"QFI\xfb"
OFFSET = 0x00FFFFFFFFFFFE00     # L1 and L2 entries: bits 9 to 55
COPIED = 1 << 63
COMPRESSED = 1 << 62
ZERO = 1
DATA_FILE, COMPRESSION_TYPE, EXTENDED_L2 = 1 << 2, 1 << 3, 1 << 4
KNOWN_INCOMPATIBLE = 0x1F
BITMAPS, DATA_FILE_RAW = 1 << 0, 1 << 1
SECTOR = 512
LONGEST = (1 << 63) - (1 << 30)     # QEMU reads nothing beyond this offset


class Refused(Exception):
    pass


def require(condition, why):
    if not condition:
        raise Refused(why)


class File:
    """Bytes of a host file. Beyond its end there are zeros."""

    def __init__(self, path):
        try:
            self.fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
            status = os.fstat(self.fd)
        except OSError as error:
            raise Refused(str(error)) from error
        require(not stat.S_ISFIFO(status.st_mode) and not stat.S_ISDIR(status.st_mode), "no file")
        self.size = status.st_size
        if stat.S_ISBLK(status.st_mode):
            self.size = os.lseek(self.fd, 0, os.SEEK_END)

    def __del__(self):
        if hasattr(self, "fd"):
            os.close(self.fd)

    def read(self, offset, length):
        have = max(0, min(length, self.size - offset))
        return (os.pread(self.fd, have, offset) if have else b"").ljust(length, b"\0")

    def numbers(self, offset, form):
        return struct.unpack(form, self.read(offset, struct.calcsize(form)))


class Raw:
    """A raw image, padded to whole sectors."""

    def __init__(self, path):
        self.file = File(path)
        self.size = -(-self.file.size // SECTOR) * SECTOR

    def read(self, offset, length):
        return self.file.read(offset, length)


class Qcow2:
    def __init__(self, path, snapshot=None):
        self.path = path
        self.file = File(path)
        self.read_header()
        self.read_extensions()
        self.check_tables()
        self.snapshots = self.read_snapshots()
        self.check_bitmaps()
        self.data = self.open_data_file()
        self.backing = self.open_backing()
        if snapshot is not None:
            self.l1_offset, self.l1_size = self.find_snapshot(snapshot)

    # Opening.

    def read_header(self):
        (magic, version, self.name_offset, self.name_size, bits, size, crypt,
         self.l1_size, self.l1_offset, self.refcounts, self.refcount_clusters,
         self.snapshot_count, self.snapshot_offset) = self.file.numbers(0, ">4sIQIIQIIQQIIQ")
        require(magic == MAGIC, "magic")
        require(version in (2, 3), "version")
        require(9 <= bits <= 21, "cluster_bits")
        self.version, self.bits, self.cluster_size = version, bits, 1 << bits
        self.size_told = size
        self.size = size // SECTOR * SECTOR     # rounded down, but not for every check
        require(size <= LONGEST, "size")
        incompatible, autoclear, order, self.header_length, compression = 0, 0, 4, 72, 0
        if version == 3:
            (incompatible, _, autoclear, order, self.header_length,
             compression) = self.file.numbers(72, ">QQQIIB")
            require(104 <= self.header_length <= self.cluster_size, "header_length")
            if self.header_length == 104:
                compression = 0
        require(self.name_offset <= self.cluster_size, "backing_file_offset")
        require(not incompatible & ~KNOWN_INCOMPATIBLE, "incompatible features")
        require(bool(incompatible & COMPRESSION_TYPE) == bool(compression)
                and compression <= 1, "compression type")
        require(order <= 6, "refcount order")
        require(crypt == 0, "encryption")
        self.zstd = compression == 1
        self.has_data_file = bool(incompatible & DATA_FILE)
        self.extended = bool(incompatible & EXTENDED_L2)
        require(not self.extended or bits >= 14, "subclusters of less than a sector")
        self.autoclear = autoclear
        self.entry_size = 16 if self.extended else 8
        self.entries = self.cluster_size // self.entry_size

    def read_extensions(self):
        self.backing_format = self.data_file = self.bitmaps = None
        at = self.header_length
        end = self.name_offset or self.cluster_size
        while at < end:
            kind, length = self.file.numbers(at, ">II")
            at += 8
            require(length <= end - at, "length of a header extension")
            payload = self.file.read(at, length)
            if kind == 0:
                break
            if kind == 0xE2792ACA:
                require(length < 16, "length of the backing format")
                self.backing_format = payload.partition(b"\0")[0]
            elif kind == 0x44415441:
                self.data_file = payload.partition(b"\0")[0]
            elif kind == 0x0537BE77:
                require(False, "crypto extension without encryption")
            elif kind == 0x23852875:
                require(length == 24, "length of the bitmaps extension")
                if self.autoclear & BITMAPS:    # otherwise they are out of date
                    self.bitmaps = struct.unpack(">IIQQ", payload)
                    self.check_bitmaps_extension()
            at += -(-length // 8) * 8

    def check_bitmaps_extension(self):
        count, reserved, size, offset = self.bitmaps
        require(reserved == 0, "reserved field of the bitmaps extension")
        require(0 < count <= 65535, "number of bitmaps")
        require(offset and offset % self.cluster_size == 0, "bitmap directory")
        require(size <= 65535 * 1024, "bitmap directory")

    def check_table(self, offset, entries, entry_size, limit, what):
        require(entries * entry_size <= limit, f"{what}: too large")
        require(offset + entries * entry_size <= LONGEST, f"{what}: offset")
        require(offset % self.cluster_size == 0, f"{what}: not aligned")

    def check_tables(self):
        require(self.refcount_clusters > 0, "no refcount table")
        self.check_table(self.refcounts, self.refcount_clusters, self.cluster_size,
                         8 << 20, "refcount table")
        self.check_table(self.snapshot_offset, self.snapshot_count, 40, 65536 * 40,
                         "snapshot table")
        self.check_table(self.l1_offset, self.l1_size, 8, 32 << 20, "L1")
        covered = self.entries * self.cluster_size
        require(self.l1_size >= -(-self.size_told // covered), "L1: too small for the size")

    def read_snapshots(self):
        snapshots, at = [], self.snapshot_offset
        for _ in range(self.snapshot_count):
            at = -(-at // 8) * 8
            (l1_offset, l1_size, ident_size, name_size, _, _, _, _,
             extra_size) = self.file.numbers(at, ">QIHHIIQII")
            require(extra_size <= 1024, "snapshot: extra data")
            at += 40 + extra_size
            ident = self.file.read(at, ident_size).partition(b"\0")[0]
            at += ident_size
            name = self.file.read(at, name_size).partition(b"\0")[0]
            at += name_size
            require(at - self.snapshot_offset <= 64 << 20, "snapshot table: too large")
            snapshots.append((ident, name, l1_offset, l1_size))
        return snapshots

    def find_snapshot(self, wanted):
        """NAME: any by its id first, then any by its name; or snapshot.id=, snapshot.name=."""
        if wanted.startswith("snapshot."):
            options = dict(option.split("=", 1) for option in wanted.split(","))
            keys = [("snapshot.id", "snapshot.name")]
        else:
            options = {0: wanted, 1: wanted}
            keys = [(0, None), (None, 1)]
        for ident, name in keys:
            for snapshot in self.snapshots:
                if all(key not in options or snapshot[place] == os.fsencode(options[key])
                       for place, key in enumerate((ident, name))):
                    offset, entries = snapshot[2:]
                    if ident is not None and name is None and \
                            self.misplaced(offset, entries):
                        break       # QEMU goes on to the names
                    self.check_table(offset, entries, 8, 32 << 20, "L1 of the snapshot")
                    return offset, entries
        raise Refused("no such snapshot")

    def misplaced(self, offset, entries):
        return entries <= 4 << 20 and (offset % self.cluster_size != 0 or
                                       offset + entries * 8 > (1 << 63) - 1)

    def check_bitmaps(self):
        """A bitmap directory has `count` entries, each complete within its size."""
        if self.bitmaps is None:
            return
        count, _, size, offset = self.bitmaps
        directory, at = self.file.read(offset, size), 0
        for _ in range(count):
            require(at + 24 <= size, "bitmap directory")
            name_size, extra_size = struct.unpack(">HI", directory[at + 18:at + 24])
            at += -(-(24 + extra_size + name_size) // 8) * 8
            require(at <= size and not extra_size, "bitmap directory")
        require(at == size, "bitmap directory")

    def open_data_file(self):
        if not self.has_data_file:
            require(not self.autoclear & DATA_FILE_RAW, "raw bit without a data file")
            return self.file
        require(self.data_file, "no name of the data file")
        return File(os.fsdecode(self.data_file))

    def open_backing(self):
        if self.name_offset == 0:
            return None
        room = min(1023, self.cluster_size - self.name_offset)
        require(self.name_size <= room, "backing file name")
        name = self.file.read(self.name_offset, self.name_size).partition(b"\0")[0]
        if not name:
            return None
        form = {b"qcow2": "qcow2", b"raw": "raw", None: "", b"": ""}.get(self.backing_format)
        require(form is not None, "backing format")
        name = os.fsdecode(name)
        if name.startswith("file:"):
            name = name[5:]
        else:
            require(":" not in name.partition("/")[0], "a protocol")
            name = os.path.join(os.path.dirname(self.path), name)
        return open_image(name, form)

    # Reading.

    def read(self, offset, length):
        pieces = []
        while length:
            start = offset % self.cluster_size
            count = min(length, self.cluster_size - start)
            if offset >= self.size:     # an image that ends before the one above it
                pieces.append(bytes(length))
                break
            pieces.append(self.read_cluster(offset - start)[start:start + count])
            offset += count
            length -= count
        return b"".join(pieces)

    def below(self, offset, length):
        if self.backing is None:
            return bytes(length)
        have = max(0, min(length, self.backing.size - offset))
        return (self.backing.read(offset, have) if have else b"").ljust(length, b"\0")

    def look_up(self, guest):
        """The L2 entry of a guest cluster, and its bitmap."""
        index, place = divmod(guest // self.cluster_size, self.entries)
        if index >= self.l1_size:       # the L1 of a snapshot may be shorter
            return 0, 0
        l2 = self.file.numbers(self.l1_offset + index * 8, ">Q")[0] & OFFSET
        if l2 == 0:
            return 0, 0
        require(l2 % self.cluster_size == 0, "L2: not aligned")
        at = l2 + place * self.entry_size
        if self.extended:
            return self.file.numbers(at, ">QQ")
        return self.file.numbers(at, ">Q")[0], 0

    def read_cluster(self, guest):
        size = min(self.cluster_size, self.size - guest)
        entry, bitmap = self.look_up(guest)
        if entry & COMPRESSED:
            require(not self.has_data_file, "compressed cluster, with a data file")
            return self.decompress(entry)[:size]
        host = entry & OFFSET
        allocated = host != 0 or (self.has_data_file and entry & COPIED != 0)
        if self.extended:
            return self.read_subclusters(guest, size, host, allocated, bitmap)
        if entry & ZERO:
            require(self.version == 3, "zero flag in version 2")
            if host:
                self.check_host(host, guest)
            return bytes(size)
        if not allocated:
            return self.below(guest, size)
        self.check_host(host, guest)
        return self.data.read(host, size)

    def read_subclusters(self, guest, size, host, allocated, bitmap):
        has_data, has_zeros = bitmap & 0xFFFFFFFF, bitmap >> 32
        require(not has_data & has_zeros, "subcluster with data, and zero")
        require(allocated or not has_data, "subcluster with data, but no offset")
        if allocated:
            self.check_host(host, guest)
        part, pieces = self.cluster_size // 32, []
        for start in range(0, size, part):
            bit, count = 1 << start // part, min(part, size - start)
            if has_zeros & bit:
                pieces.append(bytes(count))
            elif has_data & bit:
                pieces.append(self.data.read(host + start, count))
            else:
                pieces.append(self.below(guest + start, count))
        return b"".join(pieces)

    def check_host(self, host, guest):
        require(host % self.cluster_size == 0, "data cluster: not aligned")
        require(not self.has_data_file or host == guest, "data file: other offset")

    def decompress(self, entry):
        shift = 62 - (self.bits - 8)
        offset = entry & (1 << shift) - 1
        sectors = (entry & ~(COPIED | COMPRESSED)) >> shift
        stream = self.file.read(offset, (sectors + 1) * SECTOR - offset % SECTOR)
        unpack = inflate if not self.zstd else unzstd
        return unpack(stream, self.cluster_size)


def inflate(stream, size):
    """What follows a full cluster is ignored."""
    try:
        content = zlib.decompressobj(-15).decompress(stream, size)
    except zlib.error as error:
        raise Refused(f"deflate: {error}") from error
    require(len(content) == size, "deflate: too short")
    return content


class Buffer(ctypes.Structure):
    """ZSTD_inBuffer and ZSTD_outBuffer."""
    _fields_ = [("address", ctypes.c_void_p), ("size", ctypes.c_size_t),
                ("at", ctypes.c_size_t)]


def unzstd(stream, size):
    """Frames, until the cluster is full. The last one must be complete."""
    library = ctypes.CDLL("libzstd.so.1")
    library.ZSTD_createDStream.restype = ctypes.c_void_p
    library.ZSTD_decompressStream.restype = ctypes.c_size_t
    state = ctypes.c_void_p(library.ZSTD_createDStream())
    source = ctypes.create_string_buffer(stream, len(stream))
    target = ctypes.create_string_buffer(size)
    given = Buffer(ctypes.addressof(source), len(stream), 0)
    taken = Buffer(ctypes.addressof(target), size, 0)
    left = 0
    try:
        while taken.at < size:
            before = given.at, taken.at
            left = library.ZSTD_decompressStream(state, ctypes.byref(taken),
                                                 ctypes.byref(given))
            require(not library.ZSTD_isError(ctypes.c_size_t(left)), "zstd: bad stream")
            require((given.at, taken.at) != before, "zstd: too short")
    finally:
        library.ZSTD_freeDStream(state)
    require(left == 0, "zstd: the frame does not end with the cluster")
    return target.raw


def open_image(path, form):
    if form == "":      # no format is recorded: probe
        head = File(path).read(0, 8)
        version = int.from_bytes(head[4:], "big") if head[:4] == MAGIC else 0
        require(version != 1, "qcow, the first")
        form = "qcow2" if version else "raw"
    return Qcow2(path) if form == "qcow2" else Raw(path)


def guest_bytes(path, snapshot=None):
    sys.setrecursionlimit(5000)     # a long chain is followed layer by layer
    try:
        image = Qcow2(str(path), snapshot)
        return image.read(0, image.size)
    except RecursionError as error:
        raise Refused("a backing chain without an end") from error
