# SPDX-License-Identifier: LGPL-2.1-or-later
"""Broken header extensions, and odd data files."""
import struct

from qcow2_compare import Case
from qcow2_image import (BITMAPS, DATA_FILE, DATA_FILE_RAW, EXT_BACKING_FORMAT, EXT_BITMAPS,
                         EXT_CRYPTO, EXT_DATA_FILE, EXT_END, EXT_FEATURE_NAMES, COPIED, ZERO,
                         Image, deflate)

CLUSTER = 4096
EITHER = "nobody needs a bitmap to read a disk"


def extension_case(name, *extensions, version=3, header_length=112):
    """Extensions are (type, payload) or (type, payload, length in the header)."""
    def build(directory):
        image = Image(4 * CLUSTER, version=version, cluster_bits=12)
        image.disk.data(1, b"one ")
        if version > 2:
            image.header["header_length"] = header_length
        for extension in extensions:
            image.extension(*extension)
        return image.write(directory / "extensions.qcow2")
    return Case(f"v{version} {name}", build)


def extension_cases():
    for version in [2, 3]:
        def case(name, *extensions, version=version):
            return extension_case(name, *extensions, version=version)
        yield case("unknown", (0x12345678, b"payload"))
        yield case("unknown and empty", (0x12345678, b""))
        yield case("unknown, 3000 bytes", (0x12345678, b"x" * 3000))
        yield case("unknown, to the end of the cluster",
                   (0x12345678, b"", CLUSTER - (112 if version == 3 else 72) - 8))
        yield case("unknown, one byte beyond the cluster",
                   (0x12345678, b"", CLUSTER - (112 if version == 3 else 72) - 7))
        yield case("end twice", (EXT_END, b""), (EXT_BACKING_FORMAT, b"x" * 100))
        yield case("end with a payload", (EXT_END, b"payload"))
        yield case("end that is too long", (EXT_END, b"", 1 << 20))
        yield case("backing format without a backing file", (EXT_BACKING_FORMAT, b"nonsense"))
        for length in [0, 1, 14, 15, 16, 17, 100]:
            yield case(f"backing format of {length} bytes", (EXT_BACKING_FORMAT, b"f" * length))
        yield case("backing format twice, the first too long",
                   (EXT_BACKING_FORMAT, b"f" * 16), (EXT_BACKING_FORMAT, b"raw"))
        yield case("crypto without encryption", (EXT_CRYPTO, bytes(16)))
        yield case("crypto of a wrong length", (EXT_CRYPTO, bytes(8)))
        yield case("data file without its bit", (EXT_DATA_FILE, b"nothing.raw"))
        yield case("data file name empty without its bit", (EXT_DATA_FILE, b""))
        yield case("feature names empty", (EXT_FEATURE_NAMES, b""))
        yield case("feature names of an odd length", (EXT_FEATURE_NAMES, b"x" * 47))
        for length in [1 << 12, 1 << 16, (1 << 31) - 1, 1 << 31, 0xFFFFFFF8, 0xFFFFFFFF]:
            yield case(f"unknown, length {length:#x}", (0x12345678, b"", length))
            yield case(f"feature names, length {length:#x}", (EXT_FEATURE_NAMES, b"", length))
        yield case("200 of them", *[(0x1000 + index, b"") for index in range(200)])
    yield extension_case("after 104 bytes", (0x12345678, b"payload"), header_length=104)
    yield extension_case("after 105 bytes", (0x12345678, b"payload"), header_length=105)
    yield extension_case("at the end", (0x12345678, b""), header_length=CLUSTER - 24)
    yield extension_case("half of one at the end", (0x12345678, b""), header_length=CLUSTER - 4)


def bitmaps_case(title, *, count=1, reserved=0, size=None, offset=None, length=None, bits=BITMAPS,
                 version=3, either="", **fields):
    """A bitmap directory of one entry, valid but for what the case says."""
    def build(directory):
        image = Image(4 * CLUSTER, version=version, cluster_bits=12)
        image.disk.data(1, b"one ")
        table = image.blob(bytes(CLUSTER))      # one entry: all bits are 0
        values = {"table": table, "table_size": 1, "flags": 0, "type": 1, "granularity": 16,
                  "name": b"bitmap", "extra": 0} | fields
        bitmaps = struct.pack(
            ">QIIBBHI",
            values["table"],            # where the bitmap table is
            values["table_size"],       # its entries
            values["flags"],            # bit 0 in use, bit 1 automatic
            values["type"],             # 1: dirty tracking
            values["granularity"],      # a bit stands for 1 << granularity bytes
            values.get("name_size", len(values["name"])),
            values["extra"]) + values["name"]
        bitmaps += bytes(-len(bitmaps) % 8)
        where = image.blob(bitmaps)
        image.header["autoclear_features"] = bits
        if version == 2:
            del image.header["autoclear_features"]
        image.extension(EXT_BITMAPS, struct.pack(
            ">IIQQ",
            count,                                      # bitmaps
            reserved,                                   # zero
            len(bitmaps) if size is None else size,     # bytes of the directory
            where if offset is None else offset), length)
        return image.write(directory / "bitmaps.qcow2")
    content = bytes(CLUSTER) + b"one " * (CLUSTER // 4) + bytes(2 * CLUSTER)
    return Case(f"bitmaps v{version} {title}", build, either=either, expect=content)


def bitmaps_cases():
    yield bitmaps_case("good")
    yield bitmaps_case("good, without the bit", bits=0)
    yield bitmaps_case("in version 2", version=2)
    for bits in [0, BITMAPS]:
        for name, fields in {
                "no bitmap": {"count": 0}, "65535 bitmaps": {"count": 65535},
                "65536 bitmaps": {"count": 65536}, "2^32 - 1 bitmaps": {"count": (1 << 32) - 1},
                "reserved field": {"reserved": 1}, "unaligned": {"offset": CLUSTER + 512},
                "length 23": {"length": 23}, "length 16": {"length": 16},
                "length 25": {"length": 25}, "empty": {"length": 0},
                "directory of 64 MiB and more": {"size": (65535 << 10) + (1 << 20)},
                "directory of 2^63": {"size": 1 << 63}}.items():
            # An error in the directory concerns only those who read bitmaps.
            loose = EITHER if name == "65535 bitmaps" else ""
            yield bitmaps_case(f"{name}, bits {bits}", bits=bits, either=loose, **fields)
    for name, fields in {
            "directory of 0 bytes": {"size": 0}, "directory too small": {"size": 24},
            "directory too large": {"size": 4096}, "two, but one is there": {"count": 2},
            "directory at 0": {"offset": 0}, "directory beyond the end": {"offset": 1 << 40},
            "table unaligned": {"table": 512}, "table at 0": {"table": 0},
            "table beyond the end": {"table": 1 << 40}, "table of 2^32 - 1":
            {"table_size": (1 << 32) - 1}, "no table": {"table_size": 0},
            "unknown flags": {"flags": 4}, "in use": {"flags": 1}, "type 2": {"type": 2},
            "granularity 8": {"granularity": 8}, "granularity 32": {"granularity": 32},
            "no name": {"name": b""}, "name of 1024": {"name": b"n" * 1024},
            "extra data": {"extra": 8}, "name size too large": {"name_size": 60000}}.items():
        yield bitmaps_case(name, either=EITHER, **fields)


def data_file_case(name, change=None, *, file_name=b"data.raw", size=8 * CLUSTER, raw=False,
                   missing=False, **options):
    """The name of the data file is looked up in the current directory."""
    def build(directory):
        image = Image(8 * CLUSTER, cluster_bits=12, data_file=file_name, data_file_raw=raw)
        image.disk.data(1, b"one ")
        image.disk.data(4, b"four")
        image.disk.zero(5, b"not seen")
        image.disk.place(6, b"in the data file only")
        for key, value in options.items():
            image.header[key] = value
        if change:
            change(image)
        if not missing:
            image.write_data_file(directory / "data.raw", size)
        (directory / "images").mkdir()
        return image.write(directory / "images" / "tables.qcow2")
    return Case(f"data file {name}", build)


def data_file_cases():
    yield data_file_case("good")
    yield data_file_case("raw bit", raw=True)
    yield data_file_case("missing", missing=True)
    yield data_file_case("empty", size=0)
    yield data_file_case("cut in a cluster", size=4 * CLUSTER + 1000)
    yield data_file_case("cut, raw bit", size=3 * CLUSTER, raw=True)
    yield data_file_case("longer", size=20 * CLUSTER)
    yield data_file_case("raw bit but not its own", autoclear_features=DATA_FILE_RAW,
                         incompatible_features=0)
    yield data_file_case("no bit", incompatible_features=0)
    yield data_file_case("name empty", file_name=b"")
    yield data_file_case("name with a NUL", file_name=b"data.raw\0rest")
    yield data_file_case("name ./", file_name=b"./data.raw")
    yield data_file_case("name of a directory", file_name=b"images")
    yield data_file_case("name file:", file_name=b"file:data.raw")
    yield data_file_case("name json:", file_name=b'json:{"driver":"raw"}')
    yield data_file_case("name with a protocol", file_name=b"nothing:data.raw")
    yield data_file_case("name of 1500 bytes", file_name=b"x" * 1500)
    yield data_file_case("name with an escape", file_name=b"\033[2J\n", missing=True)
    yield data_file_case("name twice", lambda image: image.extension(EXT_DATA_FILE, b"gone"))
    yield data_file_case("other offset", lambda image:
                         image.disk.entry(1, 2 * CLUSTER | COPIED))
    yield data_file_case("other offset of a zero cluster", lambda image:
                         image.disk.entry(5, 2 * CLUSTER | COPIED | ZERO))
    yield data_file_case("offset 0, COPIED", lambda image: (
        image.disk.place(0, b"zero"), image.disk.entry(0, COPIED)))
    yield data_file_case("offset 0, not COPIED", lambda image: (
        image.disk.place(0, b"zero"), image.disk.entry(0, 0)))
    yield data_file_case("offset 0, COPIED, elsewhere", lambda image:
                         image.disk.entry(3, COPIED))
    yield data_file_case("without COPIED", lambda image: image.disk.entry(4, 4 * CLUSTER))
    yield data_file_case("raw bit, table says zero", lambda image:
                         image.disk.entry(4, ZERO), raw=True)
    yield data_file_case("raw bit, table says nothing", lambda image:
                         image.disk.entry(4, 0), raw=True)
    yield data_file_case("compressed cluster", lambda image:
                         image.disk.compressed(2, deflate(b"c" * CLUSTER), offset=CLUSTER))

    def no_name(directory):
        image = Image(8 * CLUSTER, cluster_bits=12)
        image.header["incompatible_features"] = DATA_FILE
        return image.write(directory / "no-name.qcow2")
    yield Case("data file without a name", no_name)


CASES = [*extension_cases(), *bitmaps_cases(), *data_file_cases()]
