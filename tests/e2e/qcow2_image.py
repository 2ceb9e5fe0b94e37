# SPDX-License-Identifier: LGPL-2.1-or-later
"""Write a qcow2 image byte for byte, good or bad.

    image = Image(size=1 << 20, cluster_bits=16)
    image.disk.data(0, b"A")               guest cluster 0: a cluster of "A"
    image.disk.zero(1)
    image.disk.compressed(2, deflate(b"B" * 65536))
    image.header["nb_snapshots"] = 7       any field, right or wrong
    image.disk.l1_entry(0, 1 << 40)        any entry of a table
    image.put(104, b"\\2")                  any byte
    image.write(path)

Host clusters are allocated in the order of the calls, so every offset is known at
once: image.disk.l1_offset, and what data() and the others return. The refcounts come
last, and are right for every cluster that was allocated by a call.

For use at a prompt, tests/make-qcow2 makes a command of it.
"""
import os
import struct
import zlib

COPIED = 1 << 63        # L1 and L2 entry: the refcount is exactly one
COMPRESSED = 1 << 62    # L2 entry: describes a compressed cluster
ZERO = 1                # L2 entry, version 3: the cluster reads as zeros

# The header: name -> (offset, struct format). All numbers are big endian.
FIELDS = {
    "magic": (0, ">I"),                   # "QFI\xfb"
    "version": (4, ">I"),                 # 2 or 3
    "backing_file_offset": (8, ">Q"),     # where the backing file's name is; 0: none
    "backing_file_size": (16, ">I"),      # bytes of that name, without a NUL
    "cluster_bits": (20, ">I"),           # a cluster has 1 << cluster_bits bytes
    "size": (24, ">Q"),                   # bytes that the guest sees
    "crypt_method": (32, ">I"),           # 0 none, 1 AES, 2 LUKS
    "l1_size": (36, ">I"),                # entries of the active L1 table
    "l1_table_offset": (40, ">Q"),        # where it is
    "refcount_table_offset": (48, ">Q"),  # where the table of refcount blocks is
    "refcount_table_clusters": (56, ">I"),
    "nb_snapshots": (60, ">I"),           # internal snapshots
    "snapshots_offset": (64, ">Q"),       # where their table is
    # From here on version 3 only.
    "incompatible_features": (72, ">Q"),
    "compatible_features": (80, ">Q"),
    "autoclear_features": (88, ">Q"),
    "refcount_order": (96, ">I"),         # a refcount has 1 << refcount_order bits
    "header_length": (100, ">I"),         # bytes of this header
    "compression_type": (104, ">B"),      # 0 zlib, 1 zstd; 7 bytes of padding follow
}
MAGIC = 0x514649FB
V2_LENGTH = 72
V3_LENGTH = 104         # the minimum for version 3
FULL_LENGTH = 112       # with the compression type

# Incompatible features.
DIRTY = 1 << 0
CORRUPT = 1 << 1
DATA_FILE = 1 << 2
COMPRESSION_TYPE = 1 << 3
EXTENDED_L2 = 1 << 4
# Compatible features.
LAZY_REFCOUNTS = 1 << 0
# Autoclear features.
BITMAPS = 1 << 0
DATA_FILE_RAW = 1 << 1

# Types of header extensions.
EXT_END = 0
EXT_BACKING_FORMAT = 0xE2792ACA
EXT_FEATURE_NAMES = 0x6803F857
EXT_BITMAPS = 0x23852875
EXT_CRYPTO = 0x0537BE77
EXT_DATA_FILE = 0x44415441


def deflate(content, window=-12, level=9):
    """A raw deflate stream, by default with the window that QEMU uses."""
    packer = zlib.compressobj(level, zlib.DEFLATED, window)
    return packer.compress(content) + packer.flush()


def feature_name(kind, bit, name):
    """An entry of the feature name table: kind 0 incompatible, 1 compatible, 2 autoclear."""
    return struct.pack(">BB46s", kind, bit, name)


def snapshot_entry(l1_offset, l1_size, ident, name, *, vm_size=0, extra=b"",
                   extra_size=None, ident_size=None, name_size=None):
    """One entry of the snapshot table; it ends at a multiple of 8 bytes."""
    entry = struct.pack(
        ">QIHHIIQII",
        l1_offset,                                               # its own L1 table
        l1_size,                                                 # entries of that
        len(ident) if ident_size is None else ident_size,        # bytes of the id
        len(name) if name_size is None else name_size,           # bytes of the name
        1700000000,                                              # seconds since 1970
        0,                                                       # and nanoseconds
        0,                                                       # guest clock in ns
        vm_size,                                                 # bytes of machine state
        len(extra) if extra_size is None else extra_size)        # bytes of extra data
    entry += extra + ident + name
    return entry + bytes(-len(entry) % 8)


class Table:
    """The map of a disk or a snapshot: an L1 table, and the L2 tables that it needs."""

    def __init__(self, image, size, l1_size=None):
        self.image = image
        # Entries of one L2 table; each covers one guest cluster.
        self.entries = image.cluster_size // image.entry_size
        covered = self.entries * image.cluster_size
        self.l1_size = -(-size // covered) if l1_size is None else l1_size
        self.l1_offset = image.allocate(self.l1_size * 8)
        self.l2_offsets = {}

    def l1_entry(self, index, value):
        self.image.put(self.l1_offset + index * 8, struct.pack(">Q", value))

    def l2_offset(self, index=0):
        """The offset of L2 table `index`, which is allocated by the first call."""
        if index not in self.l2_offsets:
            self.l2_offsets[index] = self.image.allocate(self.image.cluster_size)
            self.l1_entry(index, self.l2_offsets[index] | COPIED)
        return self.l2_offsets[index]

    def entry(self, guest, value, bitmap=0):
        """Set the L2 entry of guest cluster `guest` to any value."""
        at = self.l2_offset(guest // self.entries)
        at += guest % self.entries * self.image.entry_size
        self.image.put(at, struct.pack(">Q", value))
        if self.image.entry_size == 16:
            self.image.put(at + 8, struct.pack(">Q", bitmap))

    def place(self, guest, content):
        """Store the bytes of a cluster. Short content is repeated."""
        size = self.image.cluster_size
        content = (content * (size // len(content) + 1))[:size]
        if self.image.data_file is not None:
            self.image.data_file[guest * size] = content
            return guest * size
        host = self.image.allocate(size)
        self.image.put(host, content)
        return host

    def data(self, guest, content):
        host = self.place(guest, content)
        self.entry(guest, host | COPIED, 0x00000000FFFFFFFF)
        return host

    def zero(self, guest, content=None):
        """A zero cluster, which may have content that must not be seen."""
        host = 0 if content is None else self.place(guest, content) | COPIED
        if self.image.entry_size == 16:
            self.entry(guest, host, 0xFFFFFFFF00000000)
        else:
            self.entry(guest, host | ZERO)
        return host & ~COPIED

    def subclusters(self, guest, content, allocated, zero):
        """A cluster of 32 subclusters, with a bit in each bitmap."""
        host = 0 if content is None else self.place(guest, content) | COPIED
        self.entry(guest, host, zero << 32 | allocated)
        return host & ~COPIED

    def compressed(self, guest, stream, sectors=None, offset=None, flags=0):
        """A compressed cluster. The entry has its length in sectors of 512 bytes."""
        host = self.image.pack(stream) if offset is None else offset
        if sectors is None:     # after the one that has the first byte
            sectors = (host + max(len(stream), 1) - 1) // 512 - host // 512
        shift = 62 - (self.image.cluster_bits - 8)
        self.entry(guest, flags | COMPRESSED | sectors << shift | host)
        return host


class Image:
    def __init__(self, size=1 << 20, *, version=3, cluster_bits=16, refcount_order=4,
                 extended_l2=False, compression_type=0, l1_size=None, data_file=None,
                 data_file_raw=False, backing=None, backing_format=None):
        self.cluster_bits = cluster_bits
        self.cluster_size = 1 << cluster_bits
        self.entry_size = 16 if extended_l2 else 8
        self.refcount_order = refcount_order
        self.backing = backing          # name of the backing file, bytes
        self.extensions = []            # (type, payload, length that is told)
        self.snapshots = []             # entries, as snapshot_entry() gives them
        self.data_file = None if data_file is None else {}
        self.clusters = {}              # host cluster -> its bytes, where not zero
        self.references = {}            # host cluster -> refcount
        self.end = 0                    # of the host clusters that are allocated
        self.packed = 0                 # end of the last compressed cluster
        self.patches = []
        self.length = None              # cut the file here

        self.allocate(self.cluster_size)
        self.disk = Table(self, size, l1_size)
        features = ((DATA_FILE if data_file is not None else 0)
                    | (COMPRESSION_TYPE if compression_type else 0)
                    | (EXTENDED_L2 if extended_l2 else 0))
        self.header = {
            "magic": MAGIC,
            "version": version,
            "cluster_bits": cluster_bits,
            "size": size,
            "l1_size": self.disk.l1_size,
            "l1_table_offset": self.disk.l1_offset,
        }
        if version > 2:
            self.header |= {
                "incompatible_features": features,
                "autoclear_features": DATA_FILE_RAW if data_file_raw else 0,
                "refcount_order": refcount_order,
                "header_length": FULL_LENGTH,
                "compression_type": compression_type,
            }
        if backing_format is not None:
            self.extension(EXT_BACKING_FORMAT, backing_format)
        if data_file is not None:
            self.extension(EXT_DATA_FILE, data_file)

    # Host clusters.

    def allocate(self, length):
        offset = self.end
        first = offset >> self.cluster_bits
        count = -(-length // self.cluster_size)
        for cluster in range(first, first + count):
            self.references[cluster] = 1
        self.end += count * self.cluster_size
        return offset

    def put(self, offset, content):
        """Write bytes into the file."""
        while content:
            cluster, start = divmod(offset, self.cluster_size)
            piece = content[:self.cluster_size - start]
            page = self.clusters.setdefault(cluster, bytearray(self.cluster_size))
            page[start:start + len(piece)] = piece
            offset += len(piece)
            content = content[len(piece):]

    def patch(self, offset, content):
        """Write bytes into the file after everything else."""
        self.patches.append((offset, content))

    def blob(self, content):
        """Allocate clusters for bytes, such as a table that is made elsewhere."""
        offset = self.allocate(len(content))
        self.put(offset, content)
        return offset

    def pack(self, stream):
        """Store a compressed cluster after the last one, at any byte."""
        room = -self.packed % self.cluster_size
        # Only if nothing was allocated after the last one.
        start = self.packed if self.packed + room == self.end else self.end
        first = start >> self.cluster_bits
        last = (start + max(len(stream), 1) - 1) >> self.cluster_bits
        self.end = max(self.end, (last + 1) << self.cluster_bits)
        for cluster in range(first, last + 1):
            self.references[cluster] = self.references.get(cluster, 0) + 1
        self.put(start, stream)
        self.packed = start + len(stream)
        return start

    # The parts that are named by the header.

    def extension(self, kind, payload, length=None):
        self.extensions.append((kind, payload, len(payload) if length is None else length))

    def snapshot(self, ident, name, size, **fields):
        """Add a snapshot with a table of its own, which shares no cluster."""
        table = Table(self, size)
        fields.setdefault("extra", struct.pack(">QQ", 0, size))   # state, disk size
        self.snapshots.append(snapshot_entry(table.l1_offset, table.l1_size,
                                             ident, name, **fields))
        return table

    def finish(self):
        """The header, its extensions, the backing name, snapshots and refcounts."""
        header = {}
        if self.snapshots:
            header["nb_snapshots"] = len(self.snapshots)
            header["snapshots_offset"] = self.blob(b"".join(self.snapshots))
        names = b""
        for kind, payload, length in self.extensions:
            names += struct.pack(">II", kind, length) + payload + bytes(-len(payload) % 8)
        if self.extensions:
            names += struct.pack(">II", EXT_END, 0)
        start = self.header.get("header_length", V2_LENGTH)
        if self.backing is not None:
            header["backing_file_offset"] = start + len(names)
            header["backing_file_size"] = len(self.backing)
            names += self.backing
        self.put(start, names)
        header |= self.write_refcounts()
        for name, value in (header | self.header).items():
            offset, form = FIELDS[name]
            self.put(offset, struct.pack(form, value))

    def write_refcounts(self):
        bits = 1 << self.refcount_order
        per_block = self.cluster_size * 8 // bits
        blocks = 1
        while True:     # the blocks and their table count themselves
            table = -(-blocks * 8 // self.cluster_size)
            need = -(-(self.end // self.cluster_size + blocks + table) // per_block)
            if need <= blocks:
                break
            blocks = need
        table_offset = self.allocate(table * self.cluster_size)
        for index in range(blocks):
            block = self.allocate(self.cluster_size)
            self.put(table_offset + index * 8, struct.pack(">Q", block))
        for cluster, count in sorted(self.references.items()):
            index, place = divmod(cluster, per_block)
            count = min(count, (1 << bits) - 1)
            block = table_offset + (table + index) * self.cluster_size
            self.put_refcount(block, place, bits, count)
        return {"refcount_table_offset": table_offset, "refcount_table_clusters": table}

    def put_refcount(self, block, place, bits, count):
        if bits >= 8:
            self.put(block + place * bits // 8, count.to_bytes(bits // 8, "big"))
            return
        # Narrow refcounts fill a byte from its low end.
        at = block + place * bits // 8
        cluster, start = divmod(at, self.cluster_size)
        old = self.clusters.get(cluster, bytes(self.cluster_size))[start]
        self.put(at, bytes([old | count << place * bits % 8]))

    # The files.

    def write(self, path):
        self.finish()
        for offset, content in self.patches:
            self.put(offset, content)
        with open(path, "wb") as file:
            for cluster, content in sorted(self.clusters.items()):
                file.seek(cluster * self.cluster_size)
                file.write(content)
            file.truncate(self.end if self.length is None else self.length)
        return path

    def write_data_file(self, path, size):
        with open(path, "wb") as file:
            for offset, content in self.data_file.items():
                file.seek(offset)
                file.write(content)
            os.truncate(path, size)
        return path
