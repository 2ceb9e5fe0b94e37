# SPDX-License-Identifier: LGPL-2.1-or-later
"""L1 and L2 tables that are misplaced, overlap, or have odd entries."""
from qcow2_compare import Case
from qcow2_image import COMPRESSED, COPIED, ZERO, Image

CLUSTER = 4096
L2_ENTRIES = CLUSTER // 8
COVERED = L2_ENTRIES * CLUSTER      # by one L2 table: 2 MiB


def table_case(name, change, **options):
    """A disk of two L2 tables, which `change(image)` breaks."""
    def build(directory):
        options.setdefault("cluster_bits", 12)
        image = Image(COVERED + 8 * CLUSTER, **options)
        image.disk.data(0, b"first")
        image.disk.data(3, b"third")
        image.disk.data(L2_ENTRIES, b"second table")
        change(image)
        return image.write(directory / "tables.qcow2")
    return Case(name, build)


def l1(name, value, index=0):
    """An L1 entry: bits 9 to 55 are the offset of an L2 table, bit 63 is COPIED."""
    def change(image):
        there = value(image) if callable(value) else value
        image.disk.l1_entry(index, there)
    return table_case(f"L1 {name}", change)


def l2(name, value, version=3, **options):
    """An L2 entry: bits 9 to 55 are the host offset, 0 ZERO, 62 COMPRESSED, 63 COPIED."""
    def change(image):
        host = image.disk.data(5, b"fifth")
        image.disk.entry(5, value(host) if callable(value) else value)
    return table_case(f"L2 v{version} {name}", change, version=version, **options)


def l1_cases():
    yield l1("points at itself", lambda image: image.disk.l1_offset | COPIED)
    yield l1("second points at the L1", lambda image: image.disk.l1_offset, 1)
    yield l1("points at the header", 0x0000000000000000 | COPIED)
    yield l1("zero", 0)
    yield l1("points at data", lambda image: image.disk.l2_offset() + CLUSTER)
    yield l1("shared by both", lambda image: image.disk.l2_offset(), 1)
    yield l1("without COPIED", lambda image: image.disk.l2_offset())
    yield l1("next to the end", lambda image: image.end)
    yield l1("1 GiB", 1 << 30)
    yield l1("64 PiB", (1 << 56) - CLUSTER)
    yield l1("all ones", (1 << 64) - 1)
    for offset in [1, 8, 511]:
        yield l1(f"reserved bits {offset}", lambda image, o=offset: image.disk.l2_offset() + o)
    for offset in [512, 1024, 2048, 3584]:
        yield l1(f"unaligned by {offset}", lambda image, o=offset: image.disk.l2_offset() + o)
    for bit in [0, 8, 56, 57, 61, 62]:
        yield l1(f"reserved bit {bit}",
                 lambda image, b=bit: image.disk.l2_offset() | COPIED | 1 << b)
    yield l1("only reserved bits", 1 << 62 | 1 << 56 | 0x1FF)


def l2_cases():
    for version in [2, 3]:
        yield l2("zero flag alone", ZERO, version)
        yield l2("zero flag and COPIED", ZERO | COPIED, version)
        yield l2("zero flag with an offset", lambda host: host | ZERO | COPIED, version)
        yield l2("zero flag, unaligned", lambda host: host + 512 | ZERO, version)
        yield l2("COPIED without an offset", COPIED, version)
        yield l2("without COPIED", lambda host: host, version)
        for bits in [1, 2, 8, 56, 57, 60, 61]:
            yield l2(f"reserved bit {bits}", lambda host, b=bits: host | COPIED | 1 << b,
                     version)
        yield l2("only reserved bits", 0x3F000000000001FE, version)
    yield l2("zero flag beyond the end", 1 << 40 | ZERO)
    yield l2("all ones", (1 << 64) - 1)
    yield l2("all but compressed", (1 << 64) - 1 & ~COMPRESSED)
    yield l2("all but compressed and zero", (1 << 64) - 2 & ~COMPRESSED)
    for offset in [512, 1024, 2048, 3584]:
        yield l2(f"unaligned by {offset}", lambda host, o=offset: host + o)
    yield l2("points at the L1", CLUSTER)
    yield l2("beyond the end", 1 << 30)
    yield l2("64 PiB", (1 << 56) - CLUSTER)


def end_cases():
    """Bytes beyond the end of the file are zeros."""
    def last_cluster(image):
        image.disk.data(6, b"last")
        return image.end

    for missing in [1, 511, 512, 1000, CLUSTER // 2, CLUSTER - 1, CLUSTER]:
        def change(image, missing=missing):
            image.length = last_cluster(image) - missing
        yield table_case(f"data cluster without its last {missing} bytes", change)

    def runs(image):
        for guest in range(8, 40):      # one run, a part of which is in the file
            image.disk.data(guest, b"run %d" % guest)
        image.length = image.end - 20 * CLUSTER - 100
    yield table_case("a run of clusters that leaves the file", runs)

    def backwards(image):
        hosts = [image.disk.data(guest, b"%d " % guest) for guest in range(8, 40)]
        for guest, host in zip(range(8, 40), reversed(hosts)):
            image.disk.entry(guest, host | COPIED)
    yield table_case("host clusters in reverse order", backwards)

    def same(image):
        for guest in range(8, 40):
            image.disk.entry(guest, image.disk.l2_offset() + CLUSTER)
    yield table_case("one host cluster for all", same)


def big_cases():
    """Tables that repeat: a large disk of few bytes. They may only cost time."""
    def shared(directory):
        image = Image(32 * COVERED, cluster_bits=12)
        image.disk.data(1, b"shared")
        for index in range(32):
            image.disk.l1_entry(index, image.disk.l2_offset())
        return image.write(directory / "shared.qcow2")
    yield Case("one L2 table for all 32", shared)

    def all_l1(directory):     # an L1 table of 32 MiB, all beyond the end of the file
        image = Image(1 << 20, cluster_bits=9, l1_size=0)
        image.disk.l1_offset = 1 << 30
        image.header |= {"l1_size": 4 << 20, "l1_table_offset": 1 << 30}
        return image.write(directory / "l1.qcow2")
    yield Case("the largest L1, behind the end", all_l1)

    def large(directory, bits, size):
        image = Image(1 << 20, cluster_bits=bits, l1_size=0)
        covered = 1 << bits - 3 + bits
        image.header |= {"l1_size": -(-size // covered), "l1_table_offset": 1 << 40,
                         "size": size}
        return image.write(directory / "large.qcow2")
    for bits, size in [(9, 64 << 30), (16, 1 << 40), (21, 1 << 40)]:
        yield Case(f"{size >> 30} GiB of nothing, cluster_bits {bits}",
                   lambda directory, b=bits, s=size: large(directory, b, s))

    def loop(directory):       # every L1 entry and every L2 entry is the same cluster
        image = Image(COVERED, cluster_bits=12)
        image.disk.l2_offset()
        table = image.disk.l2_offset()
        image.put(table, (table | COPIED).to_bytes(8, "big") * L2_ENTRIES)
        return image.write(directory / "loop.qcow2")
    yield Case("an L2 table that maps itself 512 times", loop)


CASES = [*l1_cases(), *l2_cases(), *end_cases(), *big_cases()]
