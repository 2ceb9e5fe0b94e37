# SPDX-License-Identifier: LGPL-2.1-or-later
"""A naive VHDX reader: what the guest sees, block by block, without a cache.

    guest_bytes(path) -> the whole disk
    guest_sum(path)   -> its checksum, also for a large disk of few blocks
    Refused           -> the image is broken

It reads as the specification does, [MS-VHDX]. The log is replayed into a dictionary of
sectors, before anything but the headers is read.
"""
import hashlib
import os
import re
import struct
import uuid

import vhdx_image as form
from qcow2_oracle import File, Refused, require

MIB = 1 << 20
UNKNOWN_REQUIRED = "a required part is not known"


def guid_at(content, offset):
    return str(uuid.UUID(bytes_le=bytes(content[offset:offset + 16])))


def is_intact(content, signature):
    return content[:4] == signature and form.sealed(content) == content


class Vhdx:
    def __init__(self, path, seen=()):
        self.path = os.fspath(path)
        self.file = File(path)
        self.sectors = {}       # offset -> what the log puts there
        self.file_size = self.file.size
        self.read_headers()
        self.replay_log()
        self.read_regions()
        self.read_metadata()
        self.parent = None
        if self.has_parent:
            key = os.stat(path).st_ino
            require(key not in seen, "a loop of parents")
            self.parent = self.open_parent((*seen, key))

    def read(self, offset, length):
        """The file after its log was replayed."""
        content = bytearray(self.file.read(offset, length))
        if self.sectors:
            for start in range(offset // 4096 * 4096, offset + length, 4096):
                if start in self.sectors:
                    for at in range(max(start, offset), min(start + 4096, offset + length)):
                        content[at - offset] = self.sectors[start][at - start]
        return bytes(content)

    # Opening.

    def read_headers(self):
        require(self.file.read(0, 8) == b"vhdxfile", "signature")
        headers = [self.file.read(offset, 4096) for offset in (64 << 10, 128 << 10)]
        valid = [h for h in headers
                 if is_intact(h, b"head") and struct.unpack_from("<H", h, 66)[0] == 1]
        require(valid, "no header")
        numbers = [struct.unpack_from("<Q", h, 8)[0] for h in valid]
        require(len(set(numbers)) == len(valid) or valid[0] == valid[1], "equal headers")
        header = valid[numbers.index(max(numbers))]
        self.data_guid = guid_at(header, 32)
        self.log_guid = guid_at(header, 48)
        version, _, self.log_length, self.log_offset = struct.unpack_from("<HHIQ", header, 64)
        require(version == 0, "version of the log")
        require(self.log_offset >= MIB and self.log_offset % MIB == 0, "place of the log")
        require(self.log_offset + self.log_length < 1 << 63, "place of the log")
        self.used = [(self.log_offset, self.log_length)]

    def read_regions(self):
        tables = [self.read(offset, 64 << 10) for offset in (192 << 10, 256 << 10)]
        valid = [table for table in tables if is_intact(table, b"regi")]
        require(valid, "no region table")
        table, found = valid[0], {}
        [count] = struct.unpack_from("<I", table, 8)
        require(count <= 2047, "too many regions")
        for at in range(16, 16 + 32 * count, 32):
            kind = guid_at(table, at)
            offset, length, required = struct.unpack_from("<QII", table, at + 16)
            require(MIB <= offset <= 1 << 62, "place of a region")
            for other, size in self.used:
                require(offset >= other + size or other >= offset + length, "overlap")
            self.used.append((offset, length))
            require(kind not in found, "two regions of a kind")
            if kind in (form.BAT, form.METADATA):
                found[kind] = offset, length
            else:
                require(not required & 1, UNKNOWN_REQUIRED)
        require(len(found) == 2, "a region is missing")
        self.bat, self.bat_length = found[form.BAT]
        self.metadata = found[form.METADATA][0]

    def read_metadata(self):
        table, found = self.read(self.metadata, 64 << 10), {}
        require(table[:8] == b"metadata", "metadata table")
        [count] = struct.unpack_from("<H", table, 10)
        require(count <= 2047, "too many items")
        known = [form.FILE_PARAMETERS, form.DISK_SIZE, form.DISK_ID,
                 form.LOGICAL_SECTOR_SIZE, form.PHYSICAL_SECTOR_SIZE, form.PARENT_LOCATOR]
        for at in range(32, 32 + 32 * count, 32):
            kind = guid_at(table, at)
            offset, length, flags = struct.unpack_from("<III", table, at + 16)
            if kind not in known:
                require(not flags & form.IS_REQUIRED, UNKNOWN_REQUIRED)
                continue
            require(kind not in found, "two items of a kind")
            found[kind] = self.metadata + offset, length
        require(set(known[:-1]) <= set(found), "an item is missing")

        def numbers(kind, layout):
            return struct.unpack(layout, self.read(found[kind][0], struct.calcsize(layout)))
        self.block_size, flags = numbers(form.FILE_PARAMETERS, "<II")
        require(self.block_size in [MIB << n for n in range(9)], "block size")
        self.has_parent = bool(flags & form.HAS_PARENT)
        require(self.has_parent == (form.PARENT_LOCATOR in found), "parent locator")
        [self.sector] = numbers(form.LOGICAL_SECTOR_SIZE, "<I")
        require(self.sector in (512, 4096), "sector size")
        [size] = numbers(form.DISK_SIZE, "<Q")
        require(size <= 64 << 40, "size")
        self.size = size // self.sector * self.sector
        self.chunk = (1 << 23) * self.sector // self.block_size
        blocks = -(-self.size // self.block_size)
        entries = blocks + max(blocks - 1, 0) // self.chunk
        if self.has_parent:
            entries = -(-blocks // self.chunk) * (self.chunk + 1)
            self.locator = self.read(*found[form.PARENT_LOCATOR])
        require(entries * 8 <= self.bat_length, "length of the BAT")
        require(self.bat + entries * 8 <= self.file_size, "end of the BAT")

    # The log.

    def log_read(self, at, length):
        return b"".join(self.file.read(self.log_offset + (at + n) % self.log_length, 4096)
                        for n in range(0, length, 4096))

    def log_entry(self, at):
        """The entry there, or None."""
        head = self.log_read(at, 4096)
        length, tail, number, count = struct.unpack_from("<IIQI", head, 8)
        if head[:4] != b"loge" or guid_at(head, 32) != self.log_guid or number == 0 or \
                length == 0 or length % 4096 or length > self.log_length:
            return None
        content = self.log_read(at, length)
        if not is_intact(content, b"loge"):
            return None
        require(tail % 4096 == 0, "tail")
        flushed, last = struct.unpack_from("<QQ", content, 48)
        first = -(-(64 + 32 * count) // 4096) * 4096
        require(first <= length, "descriptors")
        entry = {"at": at, "length": length, "tail": tail, "number": number,
                 "flushed": flushed, "last": last, "changes": []}
        for place in range(64, 64 + 32 * count, 32):
            kind, trailing, leading, offset, own = \
                struct.unpack_from("<4s4s8sQQ", content, place)
            require(own == number and offset % 4096 == 0, "descriptor")
            if kind == b"zero":
                size = int.from_bytes(leading, "little")
                require(size % 4096 == 0, "descriptor of zeros")
                entry["changes"].append((offset, size, None))
                continue
            require(kind == b"desc", "descriptor")
            sector = content[first:first + 4096]
            require(len(sector) == 4096 and sector[:4] == b"data", "data sector")
            require(sector[4:8] + sector[-4:] == struct.pack(
                "<II", number >> 32, number & 0xFFFFFFFF), "data sector")
            entry["changes"].append((offset, 4096, leading + sector[8:-4] + trailing))
            first += 4096
        return entry

    def active_sequence(self):
        """As the specification finds it."""
        best, any_valid, tail = [], False, 0
        while True:
            current, head = [], tail
            while True:
                entry = self.log_entry(head % self.log_length)
                if entry is None or current and entry["number"] != current[-1]["number"] + 1:
                    break
                any_valid = True
                current.append(entry)
                head += entry["length"]
            begins = [entry["at"] for entry in current]
            valid = bool(current) and current[-1]["tail"] in begins
            if valid and (not best or current[-1]["number"] > best[-1]["number"]):
                best = current[begins.index(current[-1]["tail"]):]
            old, tail = tail, head if valid else tail + 4096
            if tail % self.log_length <= old and tail >= self.log_length:
                break
        require(best or not any_valid, "no complete sequence")
        return best

    def replay_log(self):
        if self.log_guid == form.NO_LOG or self.log_length == 0:
            return
        require(self.log_length % MIB == 0, "length of the log")
        entries = self.active_sequence()
        if not entries:
            return
        require(entries[-1]["flushed"] <= self.file.size, "the file is truncated")
        self.file_size = max(self.file_size, entries[-1]["last"])
        for entry in entries:
            for offset, length, content in entry["changes"]:
                for at in range(0, length, 4096):
                    self.sectors[offset + at] = content or bytes(4096)
                self.file_size = max(self.file_size, offset + length)

    # The parent.

    def locator_pairs(self):
        content, pairs = self.locator, {}
        require(guid_at(content, 0) == form.LOCATOR_VHDX, "type of the parent")
        [count] = struct.unpack_from("<H", content, 18)
        for at in range(20, 20 + 12 * count, 12):
            key, value, key_length, value_length = struct.unpack_from("<IIHH", content, at)
            key = content[key:key + key_length].decode("utf-16-le")
            pairs[key] = content[value:value + value_length].decode("utf-16-le")
        return pairs

    def open_parent(self, seen):
        pairs = self.locator_pairs()
        names = []
        for key in "relative_path", "volume_path", "absolute_win32_path":
            name = pairs.get(key, "")
            if re.match(r"\\|[A-Za-z]:", name):     # a place of another computer
                name = re.split(r"\\|^[A-Za-z]:", name)[-1]
            if name:
                names.append(name.replace("\\", "/"))
        directory = os.path.dirname(self.path)
        paths = [os.path.join(directory, name) for name in names]
        there = [path for path in paths if os.path.exists(path)]
        require(there, "no parent")
        parent = Vhdx(there[0], seen)
        known = [pairs[key].strip("{}").lower()
                 for key in ("parent_linkage", "parent_linkage2") if key in pairs]
        require(parent.data_guid in known, "another parent")
        require(parent.sector == self.sector, "sector size of the parent")
        return parent

    # Reading.

    def entry(self, index):
        [entry] = struct.unpack("<Q", self.read(self.bat + 8 * index, 8))
        return entry & 7, entry >> 20 << 20

    def check_place(self, offset, length, in_log=False):
        require(MIB <= offset <= 1 << 62, "place of a block")
        for start, size in self.used:
            require(offset >= start + size or start >= offset + length, "overlap")
        for start in () if in_log else self.sectors:
            require(offset >= start + 4096 or start >= offset + length,
                    "the log changes a block")

    def read_block(self, block):
        """Bytes, or None for zeros."""
        size = min(self.block_size, self.size - block * self.block_size)
        state, offset = self.entry(block + block // self.chunk)
        if state in (form.FULLY_PRESENT, form.PARTIALLY_PRESENT):
            self.check_place(offset, self.block_size)
            require(offset + size <= self.file_size, "a block beyond the end")
        if state == form.FULLY_PRESENT:
            return self.file.read(offset, size)
        if state == form.NOT_PRESENT:
            return self.read_parent(block, size)
        if state == form.PARTIALLY_PRESENT:
            require(self.parent, "partial, without a parent")
            return self.read_partial(block, self.file.read(offset, size))
        require(state != form.RESERVED, "state of a block")
        return None

    def read_parent(self, block, size):
        parent, start = self.parent, block * self.block_size
        if parent and parent.block_size == self.block_size and parent.size >= start + size:
            content = parent.read_block(block)      # perhaps no bytes
            return content and content[:size]
        return parent and parent.read_guest(start, size)

    def read_partial(self, block, here):
        chunk = block // self.chunk
        state, offset = self.entry((chunk + 1) * (self.chunk + 1) - 1)
        require(state == form.BITMAP_PRESENT, "no bitmap")
        self.check_place(offset, MIB, in_log=True)
        require(offset + MIB <= self.file_size, "place of the bitmap")
        bitmap = self.read(offset, MIB)
        first = block % self.chunk * (self.block_size // self.sector)
        below = self.parent.read_guest(block * self.block_size, len(here))
        pieces = []
        for at in range(0, len(here), self.sector):
            bit = first + at // self.sector
            source = here if bitmap[bit // 8] >> bit % 8 & 1 else below
            pieces.append(source[at:at + self.sector])
        return b"".join(pieces)

    def read_guest(self, offset, length):
        pieces = []
        while length:
            block, start = divmod(offset, self.block_size)
            count = min(length, self.block_size - start)
            have = max(0, min(count, self.size - offset))
            piece = self.read_block(block) if have else None
            pieces.append((piece or bytes(self.block_size))[start:start + have])
            pieces.append(bytes(count - have))
            offset += count
            length -= count
        return b"".join(pieces)


def guest_bytes(path):
    image = Vhdx(path)
    return image.read_guest(0, image.size)


def guest_sum(path):
    image = Vhdx(path)
    root, zero = hashlib.sha256(), hashlib.sha256(bytes(65536)).digest()
    for block in range(-(-image.size // image.block_size)):
        size = min(image.block_size, image.size - block * image.block_size)
        content = image.read_block(block)
        if content is None and size == image.block_size:
            root.update(zero * (size // 65536))
            continue
        content = content or bytes(size)
        for at in range(0, size, 65536):
            root.update(hashlib.sha256(content[at:at + 65536]).digest())
    root.update(image.size.to_bytes(8, "little"))
    return root.hexdigest()


__all__ = ["Refused", "Vhdx", "guest_bytes", "guest_sum"]
