# SPDX-License-Identifier: LGPL-2.1-or-later
"""-l with every other feature of an image."""
import pytest

from conftest import sums
from oracle import checksum
from qcow2_compare import check_image, qemu_img
from qcow2_image import Image, Table, snapshot_entry
from qcow2_qemu import create, fill, qemu

OTHER = [(0, 50000, "X"), (70000, 150000, "Y"), (300000, 70000, "z"), (400000, 65536, "d")]


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def check_snapshots(disksum, image):
    """What is written after a snapshot is not in it."""
    qemu("snapshot", "-c", "one", image)
    fill(image, OTHER)
    qemu("snapshot", "-c", "two", image)
    fill(image, [(0, 500000, "Z")])
    for snapshot in "one", "two", None:
        check_image(disksum, image, snapshot=snapshot)


@pytest.mark.parametrize("kind", ["zlib", "zstd"])
def test_compressed(disksum, kind):
    create("source.qcow2", size=1 << 20)
    qemu("convert", "-c", "-O", "qcow2", "-o", f"compression_type={kind}", "source.qcow2",
         "image.qcow2")
    check_snapshots(disksum, "image.qcow2")


@pytest.mark.parametrize("options", [
    "cluster_size=2M", "compat=0.10", "extended_l2=on,cluster_size=16k",
    "extended_l2=on,cluster_size=128k"])
def test_options(disksum, options):
    check_snapshots(disksum, create("image.qcow2", size=1 << 20, options=options))


@pytest.mark.parametrize("form", ["raw", "qcow2"])
@pytest.mark.parametrize("size", [200 << 10, 2 << 20])
def test_backing_file(disksum, form, size):
    """A snapshot sees what is below it, as the active disk does."""
    create(f"base.{form}", "64k:A 3000:- 100k:B", size=size, form=form)
    create("image.qcow2", "100k:- 10k:C 20k:0", size=1 << 20, backing=f"base.{form}")
    check_snapshots(disksum, "image.qcow2")


@pytest.mark.parametrize("raw", [False, True])
def test_data_file(disksum, raw):
    """QEMU does not make such a snapshot, but reads it."""
    size = 20 << 12
    image = Image(size, cluster_bits=12, data_file=b"data.raw", data_file_raw=raw)
    table = image.snapshot(b"1", b"one", size)
    for guest in range(0, 20, 3):
        image.disk.data(guest, b"active %d " % guest)
    for guest in range(0, 20, 2):
        table.data(guest, b"snapshot %d " % guest)
    table.zero(5)
    image.write("image.qcow2")
    image.write_data_file("data.raw", size)
    for snapshot in "one", None:
        check_image(disksum, "image.qcow2", snapshot=snapshot)


def test_data_file_made_by_qemu(fails):
    create("image.qcow2", options="data_file=data.raw")
    assert qemu_img("snapshot", "-c", "one", "image.qcow2").returncode != 0
    assert fails("-l", "one", "image.qcow2") == "image.qcow2: no snapshot 'one'"


def test_sizes(disksum):
    """Each snapshot is of a disk of another size: L1 tables of 1 to 5 entries."""
    create("image.qcow2", "700k:A", size=1 << 20, options="cluster_size=4k")
    for name, size in [("first", 1 << 20), ("large", 9 << 20), ("small", 5120),
                       ("odd", (3 << 20) + 512)]:
        qemu("resize", "-q", "--shrink", "image.qcow2", size)
        fill("image.qcow2", [(size - 1536, 1536, name[0])])
        qemu("snapshot", "-c", name, "image.qcow2")
    for name in "first", "large", "small", "odd", None:
        check_image(disksum, "image.qcow2", snapshot=name)


def test_many(disksum):
    """The snapshot table is larger than 64 KiB."""
    image = Image(8 << 9, cluster_bits=9)
    for number in range(1, 2001):
        table = image.snapshot(b"%d" % number, b"name %d" % number, 8 << 9)
        table.data(number % 8, b"%d " % number)
    image.write("image.qcow2")
    for wanted in "1", "2000", "name 1234":
        check_image(disksum, "image.qcow2", snapshot=wanted)


@pytest.mark.parametrize("wanted", ["1", "2", "3", "snapshot.name=1", "snapshot.name=2",
                                    "snapshot.id=1", "snapshot.id=2,snapshot.name=1"])
def test_id_is_name_of_another(disksum, wanted):
    create("image.qcow2", "100k:A", size=1 << 20)
    for name in "2", "1", "1000":       # their ids are 1, 2 and 3
        qemu("snapshot", "-c", name, "image.qcow2")
        fill("image.qcow2", [(5000, 90000, name[-1])])
    check_image(disksum, "image.qcow2", snapshot=wanted)


def test_applied_and_deleted(disksum, fails):
    create("image.qcow2")
    for name in "one", "two", "three":
        qemu("snapshot", "-c", name, "image.qcow2")
        fill("image.qcow2", [(30000, 200000, name[1])])
    qemu("snapshot", "-a", "two", "image.qcow2")
    qemu("snapshot", "-d", "one", "image.qcow2")
    for snapshot in "two", "3", None:
        check_image(disksum, "image.qcow2", snapshot=snapshot)
    assert fails("-l", "one", "image.qcow2") == "image.qcow2: no snapshot 'one'"


@pytest.mark.parametrize("wanted", ["snapshot.", "snapshot.x=1", "snapshot.id",
                                    "snapshot.id=1,x", "snapshot.name=one,snapshot.x=2"])
def test_parameters_that_qemu_does_not_know(fails, wanted):
    create("image.qcow2", "100k:A")
    qemu("snapshot", "-c", "one", "image.qcow2")
    assert qemu_img("convert", "-l", wanted, "-O", "raw", "image.qcow2", "raw").returncode
    assert fails("-l", wanted, "image.qcow2") == f"image.qcow2: invalid snapshot '{wanted}'"


@pytest.mark.parametrize("count", [1000, 1030])
def test_table_of_64_mebibytes(disksum, fails, count):
    """Names of 64 KiB, most of them in holes of the file. QEMU takes no larger table."""
    image = Image(8 << 16)
    image.disk.data(0, b"active")
    table = Table(image, 8 << 16)
    table.data(1, b"snapshot")
    image.header |= {"nb_snapshots": count, "snapshots_offset": image.end}
    start = image.end
    image.allocate(count << 16)
    image.put(start, snapshot_entry(table.l1_offset, table.l1_size, b"1", b"one",
                                    extra=bytes(16)))
    entry = snapshot_entry(table.l1_offset, table.l1_size, b"2", b"", extra=bytes(16),
                           name_size=65479)
    assert len(entry) == 64 and 57 + 65479 == 65536
    for number in range(1, count):
        image.put(start + 64 + (number - 1 << 16), entry)
    image.write("image.qcow2")
    if count == 1000:
        content = bytes(1 << 16) + (b"snapshot" * 8192).ljust(7 << 16, b"\0")
        assert sums(disksum("-l", "one", "image.qcow2").stdout) == [checksum(content)]
    else:
        assert qemu_img("info", "image.qcow2").returncode
        assert fails("image.qcow2") == \
            "image.qcow2: broken qcow2 image: the snapshot table is too large"
