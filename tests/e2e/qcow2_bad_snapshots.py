# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wrong snapshot tables, with -l and without."""
import struct

from qcow2_compare import Case
from qcow2_image import Image

CLUSTER = 4096
SIZE = 8 * CLUSTER


def snapshot_case(name, wanted, entries, *, size=SIZE, header=None, change=None):
    """`entries` are (id, name, fields); the second has b"2", the third b"3" and so on."""
    def build(directory):
        image = Image(size, cluster_bits=12)
        image.disk.data(0, b"active")
        for index, (ident, title, fields) in enumerate(entries):
            table = image.snapshot(ident, title, SIZE, **fields)
            table.data(1, b"snapshot %d" % index)
        image.header |= header or {}
        if change:
            change(image)
        return image.write(directory / "snapshots.qcow2")
    return Case(f"{name}, -l {wanted}" if wanted else name, build, snapshot=wanted)


def choice_cases():
    three = [(b"1", b"first", {}), (b"2", b"second", {}), (b"3", b"third", {})]
    for wanted in ["1", "2", "3", "first", "third", "4", "fir", "first ", " 1",
                   "snapshot.id=2", "snapshot.name=second", "snapshot.id=2,snapshot.name=second",
                   "snapshot.id=2,snapshot.name=third", "snapshot.id=second",
                   "snapshot.name=2", "snapshot.name=third,snapshot.id=3"]:
        yield snapshot_case("three", wanted, three)
    names = [(b"1", b"2", {}), (b"2", b"1", {}), (b"3", b"2", {}), (b"3", b"x", {})]
    for wanted in ["1", "2", "3", "x", "snapshot.name=2", "snapshot.name=1", "snapshot.id=3",
                   "snapshot.id=3,snapshot.name=x"]:
        yield snapshot_case("ids as names", wanted, names)
    odd = [(b"", b"", {}), (b"n\0ul", b"a\0b", {}), (b"7", b"with, comma", {}),
           (b"8", b"\xff\xfe", {}), (b"9", b"n" * 300, {}), (b"x" * 200, b"long id", {}),
           (b"10", b"caf\xc3\xa9", {})]
    for wanted in ["n", "a", "7", "8", "9", "n" * 300, "n" * 255, "x" * 200, "x" * 127,
                   "long id", "café", "with, comma"]:
        case = snapshot_case("odd names", wanted, odd)
        yield case._replace(name=f"odd names, -l {wanted[:12]} ({len(wanted)})")
    yield snapshot_case("none", "1", [])
    yield snapshot_case("odd names, no -l", None, odd)


def field_cases():
    """Each entry is tried with its own id, and with that of the next one."""
    for name, fields in {
            "no extra data": {"extra": b""}, "extra of 4 bytes": {"extra": bytes(4)},
            "extra of 8 bytes": {"extra": bytes(8)}, "extra of 16 bytes": {"extra": bytes(16)},
            "extra of 24 bytes": {"extra": bytes(24)},
            "extra of 1024 bytes": {"extra": bytes(1024)},
            "extra of 1025 bytes": {"extra": bytes(1025)},
            "extra of 2^32 - 1 bytes": {"extra_size": (1 << 32) - 1},
            "disk size 0": {"extra": struct.pack(">QQ", 0, 0)},
            "disk size smaller": {"extra": struct.pack(">QQ", 0, 2 * CLUSTER)},
            "disk size larger": {"extra": struct.pack(">QQ", 0, 1 << 40)},
            "disk size 2^64 - 1": {"extra": struct.pack(">QQ", 0, (1 << 64) - 1)},
            "machine state": {"vm_size": 12345},
            "machine state of 2^32 - 1": {"vm_size": (1 << 32) - 1},
            "id of 65535 bytes told": {"ident_size": 65535},
            "name of 65535 bytes told": {"name_size": 65535}}.items():
        for wanted in [None, "1", "2"]:
            yield snapshot_case(name, wanted, [(b"1", b"one", fields), (b"2", b"two", {})])


def l1_cases():
    """A snapshot's own L1 table: the first 12 bytes of its entry."""
    def l1(offset=None, size=None):
        def change(image):
            entry = bytearray(image.snapshots[0])
            if offset is not None:
                entry[0:8] = struct.pack(">Q", offset)
            if size is not None:
                entry[8:12] = struct.pack(">I", size)
            image.snapshots[0] = bytes(entry)
        return change

    for wanted in [None, "1"]:
        for offset in [0, 1, 512, CLUSTER, 2 * CLUSTER, 1 << 40, (1 << 56),
                       (1 << 63) - CLUSTER, 1 << 63, (1 << 64) - CLUSTER]:
            yield snapshot_case(f"L1 at {offset:#x}", wanted, [(b"1", b"one", {})],
                                change=l1(offset=offset))
        for offset in [(1 << 63) - (1 << 30) - CLUSTER, (1 << 63) - (1 << 30)]:
            yield snapshot_case(f"table at {offset:#x}", wanted, [(b"1", b"one", {})],
                                header={"snapshots_offset": offset})
        for size in [0, 2, 512, 513, 4 << 20, (4 << 20) + 1, 1 << 29, (1 << 32) - 1]:
            yield snapshot_case(f"L1 of {size:#x} entries", wanted, [(b"1", b"one", {})],
                                change=l1(size=size))
    yield snapshot_case("active disk larger", "1", [(b"1", b"one", {})], size=600 * CLUSTER)
    yield snapshot_case("active disk smaller", "1", [(b"1", b"one", {})], size=2 * CLUSTER)
    yield snapshot_case("active disk empty", "1", [(b"1", b"one", {})], size=0)


def fallback_cases():
    """If the L1 table of an id is misplaced, QEMU looks for the name. It does not if the
    table is too large, or beyond what can be read."""
    for title, place, form, value in [
            ("unaligned", 0, ">Q", CLUSTER + 8), ("at 2^63", 0, ">Q", 1 << 63),
            ("at 2^63 - 1 cluster", 0, ">Q", (1 << 63) - CLUSTER),
            ("beyond what is read", 0, ">Q", (1 << 63) - (1 << 30)),
            ("too large", 8, ">I", (4 << 20) + 1)]:
        def change(image, place=place, content=struct.pack(form, value)):
            entry = bytearray(image.snapshots[0])
            entry[place:place + len(content)] = content
            image.snapshots[0] = bytes(entry)
        for other in [b"7", b"two"]:
            for wanted in ["7", "snapshot.id=7", "snapshot.name=7"]:
                yield snapshot_case(f"L1 of id 7 {title}, name {other.decode()}", wanted,
                                    [(b"7", b"one", {}), (b"8", other, {})], change=change)


def table_cases():
    one = [(b"1", b"one", {})]
    for wanted in [None, "1", "one"]:
        yield snapshot_case("count 2 of 1", wanted, one, header={"nb_snapshots": 2})
        yield snapshot_case("count 0 of 1", wanted, one, header={"nb_snapshots": 0})
        yield snapshot_case("count 65536 of 1", wanted, one, header={"nb_snapshots": 65536})
        yield snapshot_case("table beyond the end", wanted, one,
                            header={"snapshots_offset": 1 << 40})
        yield snapshot_case("65536 beyond the end", wanted, one,
                            header={"snapshots_offset": 1 << 40, "nb_snapshots": 65536})
        yield snapshot_case("table is the header", wanted, one, header={"snapshots_offset": 0})
        yield snapshot_case("table is data", wanted, one,
                            header={"snapshots_offset": 3 * CLUSTER})
        yield snapshot_case("table unaligned", wanted, one,
                            header={"snapshots_offset": 3 * CLUSTER + 8})


CASES = [*choice_cases(), *field_cases(), *l1_cases(), *fallback_cases(), *table_cases()]
