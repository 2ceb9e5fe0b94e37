# SPDX-License-Identifier: LGPL-2.1-or-later
"""Headers that are cut, out of range, or wrong."""
from qcow2_compare import Case
from qcow2_image import (BITMAPS, COMPRESSION_TYPE, CORRUPT, DATA_FILE, DATA_FILE_RAW, DIRTY,
                         EXT_FEATURE_NAMES, EXTENDED_L2, FIELDS, LAZY_REFCOUNTS, Image,
                         deflate, feature_name)

CLUSTER = 4096
CLUSTERS = 10
SIZE = CLUSTERS * CLUSTER


def sample(**options):
    """One cluster of each kind, small enough to be read in a moment."""
    image = Image(options.pop("size", SIZE), cluster_bits=options.pop("cluster_bits", 12),
                  **options)
    disk = image.disk
    disk.data(0, b"zero ")
    if image.header["version"] > 2:
        disk.zero(1)
        disk.zero(2, b"must not be seen")
    disk.compressed(4, deflate(b"four " * 1000)[:4000], sectors=7)
    disk.data(5, b"five ")
    disk.data(7, b"seven")
    disk.data(9, b"nine ")
    return image


def header_case(name, built=3, **fields):
    def build(directory):
        image = sample(version=built)
        image.header.update(fields)
        return image.write(directory / "header.qcow2")
    return Case(name, build)


def empty_case(name, **fields):
    """A disk without clusters. Its tables are beyond the end of the file, at an offset that
    is aligned for every cluster size, so only this field can be the reason to refuse it."""
    def build(directory):
        image = Image(CLUSTER, cluster_bits=12)
        image.header |= {"l1_table_offset": 1 << 40, "refcount_table_offset": 1 << 41,
                         "refcount_table_clusters": 1, "snapshots_offset": 1 << 42}
        image.header.update(fields)
        return image.write(directory / "empty.qcow2")
    return Case(f"empty, {name}", build)


def cut(length, version=3):
    def build(directory):
        image = sample(version=version)
        image.length = length
        return image.write(directory / "cut.qcow2")
    return Case(f"v{version} cut after {length} bytes", build)


def field_cases():
    """Each field in turn, with each of its odd values."""
    values = {
        "magic": [0, 0x514649FA, 0x51464900],
        "version": [0, 1, 2, 4, 0xFFFFFFFF],
        "backing_file_offset": [],                  # in qcow2_bad_backing.py
        "cluster_bits": [0, 8, 9, 10, 11, 13, 16, 21, 22, 31, 32, 63, 64, 0xFFFFFFFF],
        "size": [0, 1, 511, 512, 513, 4095, 4097, SIZE - 1, SIZE + 1, SIZE + 511,
                 512 * CLUSTER, 512 * CLUSTER + 511, 512 * CLUSTER + 512,
                 1 << 32, 1 << 55, (1 << 62), (1 << 63) - 512,
                 (1 << 63) - 1, 1 << 63, (1 << 64) - 512, (1 << 64) - 1],
        "crypt_method": [1, 2, 3, 0xFFFFFFFF],
        "l1_size": [0, 2, 511, 512, 513, 1 << 20, 4 << 20, (4 << 20) + 1, 1 << 28,
                    1 << 29, 1 << 31, 0xFFFFFFFF],
        "l1_table_offset": [0, 1, 8, 512, 4095, 4097, 2 * CLUSTER, 1 << 30, 1 << 40,
                            (1 << 56) - CLUSTER, 1 << 56, (1 << 63) - CLUSTER,
                            1 << 63, (1 << 64) - CLUSTER, (1 << 64) - 1],
        "refcount_table_offset": [0, 1, 512, 4097, CLUSTER, 1 << 40, (1 << 56),
                                  (1 << 63) - (1 << 30) - CLUSTER, (1 << 63) - (1 << 30),
                                  (1 << 63) - CLUSTER, 1 << 63, (1 << 64) - CLUSTER],
        "refcount_table_clusters": [0, 2, 2048, 2049, 1 << 20, 1 << 31, 0xFFFFFFFF],
        "nb_snapshots": [1, 2, 65536, 65537, 1 << 31, 0xFFFFFFFF],
        "snapshots_offset": [1, 8, CLUSTER, 1 << 40, 1 << 63, (1 << 64) - 1],
        "refcount_order": [0, 1, 2, 3, 4, 5, 6, 7, 8, 63, 0xFFFFFFFF],
        "header_length": [0, 1, 71, 72, 80, 96, 100, 103, 104, 105, 106, 108, 111, 112,
                          113, 120, 128, 1000, 4095, 4096, 4097, 1 << 31, 0xFFFFFFFF],
        "compression_type": [1, 2, 3, 255],
    }
    for name, numbers in values.items():
        assert name in FIELDS
        for number in numbers:
            yield header_case(f"{name} {number:#x}", **{name: number})
            yield empty_case(f"{name} {number:#x}", **{name: number})


def feature_cases():
    """Known and unknown bits; only unknown incompatible ones are refused."""
    for name, value in {
            "dirty": DIRTY, "corrupt": CORRUPT, "dirty and corrupt": DIRTY | CORRUPT,
            "data file without a name": DATA_FILE,
            "compression type but zlib": COMPRESSION_TYPE,
            "extended L2 but clusters of 4 KiB": EXTENDED_L2}.items():
        yield header_case(name, incompatible_features=value)
    for bit in [5, 6, 7, 15, 31, 32, 47, 62, 63]:
        yield header_case(f"incompatible bit {bit}", incompatible_features=1 << bit)
    yield header_case("all incompatible bits", incompatible_features=(1 << 64) - 1)
    for bit in [0, 1, 2, 31, 63]:
        yield header_case(f"compatible bit {bit}", compatible_features=1 << bit)
    yield header_case("all compatible bits", compatible_features=(1 << 64) - 1)
    for name, value in {"bitmaps": BITMAPS, "data file raw": DATA_FILE_RAW,
                        "bit 2": 4, "bit 63": 1 << 63, "all but raw": (1 << 64) - 3,
                        "all": (1 << 64) - 1}.items():
        yield header_case(f"autoclear {name}", autoclear_features=value)
    yield header_case("lazy refcounts and dirty", compatible_features=LAZY_REFCOUNTS,
                      incompatible_features=DIRTY)
    yield header_case("zstd and its bit", compression_type=1,
                      incompatible_features=COMPRESSION_TYPE)
    yield header_case("type 2 and its bit", compression_type=2,
                      incompatible_features=COMPRESSION_TYPE)
    yield header_case("zlib and its bit, short header", header_length=104,
                      incompatible_features=COMPRESSION_TYPE)
    yield header_case("zstd and its bit, short header", header_length=104,
                      compression_type=1, incompatible_features=COMPRESSION_TYPE)


def small_cluster_cases():
    """Extended L2 needs 32 subclusters of a sector."""
    for bits in [9, 12, 13, 14]:
        def build(directory, bits=bits):
            image = Image(1 << 18, cluster_bits=bits, extended_l2=True)
            image.disk.data(0, b"subclusters")
            return image.write(directory / "small.qcow2")
        yield Case(f"extended L2 with cluster_bits {bits}", build)


def feature_names_case(name, entries, bit=7, length=None):
    def build(directory):
        image = sample()
        image.header["incompatible_features"] = 1 << bit
        image.extension(EXT_FEATURE_NAMES, b"".join(entries), length)
        return image.write(directory / "names.qcow2")
    return Case(f"feature names: {name}", build)


def feature_names_cases():
    """The name of an unknown feature comes from the image, and goes to the terminal."""
    for name, text in {
            "plain": b"a feature", "empty": b"", "46 bytes": b"x" * 46,
            "an escape": b"\033[2J\033]0;title\007", "newlines": b"one\ntwo\rthree",
            "control bytes": bytes(range(1, 32)), "no UTF-8": b"\xff\xfe\x80\xc0",
            "C1 controls": "\u0085\u009b31m".encode(), "percent": b"%s%n%x%d",
            "line separator": "a\u2028b\u202ec".encode()}.items():
        yield feature_names_case(name, [feature_name(0, 7, text)])
    yield feature_names_case("of another kind", [feature_name(1, 7, b"compatible")])
    yield feature_names_case("of another bit", [feature_name(0, 8, b"eight")])
    yield feature_names_case("of bit 255", [feature_name(0, 255, b"none")])
    yield feature_names_case("half an entry", [feature_name(0, 7, b"half")[:20]])
    yield feature_names_case("twice", [feature_name(0, 7, b"one"), feature_name(0, 7, b"two")])
    yield feature_names_case("beyond the header", [feature_name(0, 7, b"a")], length=1 << 16)
    yield feature_names_case("of a bit that is known", [feature_name(0, 0, b"dirty\n")], bit=0)


CASES = [
    *(cut(length) for length in [0, 1, 3, 4, 7, 8, 20, 23, 24, 32, 36, 40, 48, 56, 60, 64,
                                 71, 72, 73, 80, 96, 100, 103, 104, 105, 111, 112, 113, 511,
                                 512, 4095, 4096, 4097, 4104, 8191, 8192, 8200, 8193, 12287,
                                 12288, 12800, 16384, 20480, 24576, 28672]),
    *(cut(length, 2) for length in [40, 48, 56, 64, 71, 72, 73, 111, 112, 4096, 8192]),
    *field_cases(),
    *(header_case(f"v2 {name} {value:#x}", built=2, **{name: value})
      for name, value in [("cluster_bits", 22), ("size", 1 << 63), ("crypt_method", 1),
                          ("l1_size", 0), ("l1_table_offset", 7), ("nb_snapshots", 1 << 20),
                          ("refcount_table_clusters", 0), ("version", 0), ("version", 1),
                          ("version", 3), ("version", 4)]),
    *feature_cases(),
    *small_cluster_cases(),
    *feature_names_cases(),
]
