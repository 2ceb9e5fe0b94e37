# SPDX-License-Identifier: LGPL-2.1-or-later
"""A bad sector in each structure of each format, and a file that ends there although it
says that it is longer: one line that names the file, the offset and the cause."""

import os
import re

import pytest

import small_images
from oracle import checksum, write_image
from qcow2_qemu import qemu
from small_images import CLUSTER, KIB
from test_qemu_read_only_formats import make_cloop, make_dmg
from test_writers import held

# Options, and the value of DISKSUM_READS.
WAYS = {
    "copied": ([], "copy"), "mapped": ([], "mmap"), "8 threads": (["-t", "8"], "copy"),
    "serial": (["-t", "1", "--queue-depth", "1"], "copy"),
    "direct": (["-T", "none"], "threads"), "io_uring": (["-T", "none"], "ring"),
}
DIRECT_SECTOR = 4096

PLACES = [(make, name) for make, names in (
    (small_images.raw, "first, middle, after a hole, last"),
    (small_images.qcow2, "header, extensions, L1 table, L2 table, first cluster, last cluster"),
    (small_images.qcow2_v2, "header, L1 table, L2 table, first cluster, last cluster"),
    (small_images.qcow2_compressed, "L2 table, first, middle, last"),
    (small_images.qcow2_zstd, "first, last"),
    (small_images.qcow2_extended, "L2 table, subcluster"),
    (small_images.qcow2_chain, "data, header of the middle, L1 table of the middle, "
     "L2 table of the middle, data of the middle, base, start of the base"),
    (small_images.qcow2_data_file, "header, L2 table, first, last"),
    (small_images.qcow2_snapshot, "snapshot table, its L1 table, its L2 table, data"),
    (small_images.qcow2_bitmap, "bitmap directory, bitmap table, bitmap, changed"),
    (small_images.vmdk, "header, descriptor, directory, grain table, grain, last grain"),
    (small_images.vmdk_stream, "header, footer, marker of a grain, grain, "
     "marker of the footer, end of the stream"),
    (small_images.vmdk_extents, "descriptor, flat, header of an extent, "
     "directory of an extent, table of an extent, grain of an extent"),
    (small_images.vmdk_parent, "grain, header of the parent, descriptor of the parent, "
     "directory of the parent, table of the parent, grain of the parent"),
    (small_images.vmdk_cowd, "header, directory, table, grain"),
    (small_images.vmdk_sesparse, "header, volatile header, directory, table, grain"),
    (small_images.vdi, "header, map, block, last"),
    (small_images.vpc, "footer, header, table, block"),
    (small_images.vpc_fixed, "first, last, footer"),
    (small_images.vpc_parent, "bitmap, locator, block, footer of the parent, "
     "header of the parent, table of the parent, block of the parent"),
    (small_images.vhdx, "signature, first header, second header, region table, "
     "metadata table, metadata, BAT, block"),
    (small_images.vhdx_log, "entry of the log, log, BAT, block"),
    (small_images.vhdx_parent, "bitmap of sectors, sector, header of the parent, "
     "BAT of the parent, block of the parent"),
) for name in names.split(", ")]


def ids(value):
    return value.__name__ if callable(value) else value.replace(" ", "-")


every_place = pytest.mark.parametrize("make, name", PLACES, ids=ids)


@pytest.fixture
def fault(build, tmp_path):
    """Environment for a fault at an offset of a file."""
    def at(file, offset, reads, **variables):
        return {"LD_PRELOAD": f"{build}/tests/read-error.so {build}/tests/odd-ring.so",
                "READ_ERROR_FILE": str(file), "READ_ERROR_OFFSET": str(offset),
                "ODD_RING": "error", "DISKSUM_READS": reads, **variables}
    return at


@pytest.fixture
def ways(disksum, tmp_path):
    """Those that this kernel allows."""
    (tmp_path / "probe").write_bytes(bytes(4096))
    result = disksum("-T", "none", tmp_path / "probe", check=False,
                     env={"DISKSUM_READS": "ring"})
    return [way for name, way in WAYS.items()
            if name != "io_uring" or "cannot set up reads" not in result.stderr]


def test_every_place_is_named(tmp_path):
    """The list above has what the images have."""
    for make in small_images.IMAGES:
        directory = tmp_path / make.__name__
        directory.mkdir()
        named = {name for other, name in PLACES if other == make}
        places = set(make(directory).places)
        # Those of any VHDX image are named once.
        assert named == places or (make.__name__[:5] == "vhdx_" and named < places), make


@every_place
def test_bad_sector(fails, tmp_path, fault, ways, make, name):
    small = make(tmp_path)
    file, offset = small.places[name]
    for options, reads in ways:
        line = fails(*options, *small.args, small.path, env=fault(file, offset, reads))
        found = re.search(f"{re.escape(str(file))}: read error at offset ([0-9]+): "
                          "Input/output error$", line)
        assert found, line
        # Direct reads fail by sectors, and may begin within one.
        first = offset - offset % DIRECT_SECTOR if "-T" in options else offset
        assert first <= int(found[1]) <= offset, line


@every_place
def test_early_end(fails, tmp_path, fault, ways, make, name):
    """As if another host had truncated the file: its size here is the old one. A table that
    is gone is not a table of zeros."""
    small = make(tmp_path)
    file, offset = small.places[name]
    for options, reads in ways:
        line = fails(*options, *small.args, small.path,
                     env=fault(file, offset, reads, READ_ERROR_END="1"))
        assert re.search(f"{re.escape(str(file))}: (ends|read error) at offset [0-9]+[:,] .*"
                         "it shrank while it was read$", line), line


@pytest.mark.parametrize("make", small_images.IMAGES, ids=ids)
def test_sector_that_is_not_needed(disksum, tmp_path, fault, make):
    """What is not read cannot fail."""
    small = make(tmp_path)
    expected = disksum(*small.args, small.path).stdout
    for file, offset in small.others.values():
        assert disksum(*small.args, small.path, env=fault(file, offset, "copy")).stdout == \
            expected


@pytest.mark.parametrize("options", [["-t", "1"], ["-t", "8"]], ids=str)
def test_first_of_all_places(fails, tmp_path, fault, options):
    """A table at the end of the file is needed before data at its start."""
    small = small_images.qcow2_chain(tmp_path)
    for name in "base", "L2 table of the middle", "L1 table of the middle":
        file, offset = small.places[name]
        line = fails(*options, small.path,
                     env=fault(file, offset, "copy", READ_ERROR_LENGTH=str(1 << 40)))
        first = 0 if name == "base" else offset
        assert f"{file}: read error at offset {max(first, offset)}: " in line


def test_log_that_goes_bad_later(fails, tmp_path, fault):
    """It was whole when it was verified. The offset is that in the log."""
    small = small_images.vhdx_log(tmp_path)
    file, offset = small.places["log"]
    assert fails(small.path, env=fault(file, offset, "copy", READ_ERROR_AFTER="1")) == \
        f"{file}: read error at offset {offset}: Input/output error"


@pytest.mark.parametrize("after", [0, 1, 2, 3])
def test_sector_that_fails_later(disksum, tmp_path, fault, after):
    """The first reads of it succeed: there is a checksum, the right one, or an error."""
    small = small_images.qcow2_compressed(tmp_path)
    expected = disksum(small.path).stdout
    for name, (file, offset) in small.places.items():
        result = disksum(small.path, check=False,
                         env=fault(file, offset, "copy", READ_ERROR_AFTER=str(after)))
        assert result.returncode == (0 if result.stdout else 1), name
        assert result.stdout in ("", expected), name


# --- what QEMU reads ------------------------------------------------------------

def converted(form, *options):
    def make(path, content):
        raw = path.with_name("raw")
        raw.write_bytes(content)
        qemu("convert", "-f", "raw", "-O", form, *options, raw, path)
    return make


READ_BY_QEMU = {
    "dmg": make_dmg, "cloop": make_cloop,
    "parallels": converted("parallels", "-o", "cluster_size=64k"),
    "qed": converted("qed", "-o", "cluster_size=4k,table_size=2"), "qcow": converted("qcow"),
}


@pytest.mark.sanitizer(every=3)
@pytest.mark.one_thread
@pytest.mark.parametrize("name", READ_BY_QEMU)
def test_bad_sector_where_qemu_reads(disksum, tmp_path, fault, name):
    """The offset is that in the disk, or QEMU says what it could not read."""
    path = tmp_path / f"image.{name}"
    content = write_image(tmp_path / "content", "64k:A 64k:- 64k:B")
    READ_BY_QEMU[name](path, content)
    expected = disksum(path).stdout
    failed = 0
    for offset in range(0, path.stat().st_size, path.stat().st_size // 9):
        result = disksum(path, env=fault(path, offset, "copy"), check=False)
        if result.returncode == 0:
            assert (result.stdout, result.stderr) == (expected, ""), offset   # not needed
            continue
        assert (result.returncode, result.stdout) == (1, ""), offset
        assert re.fullmatch(f"disksum: {re.escape(str(path))}: (read error at offset [0-9]+: "
                            "Input/output error|QEMU: .*)\n", result.stderr), offset
        failed += 1
    assert failed > 3


# --- lists ----------------------------------------------------------------------

LISTS = {
    "sums": ("SUMS", ["-c", "SUMS"]), "JSON": ("JSON", ["-c", "JSON"]),
    "list": ("a.blkhash", ["--show", "a.blkhash"]), "compared": ("a.blkhash", ["--diff", "a.blkhash", "b"]),
    "compared with": ("b.blkhash", ["--diff", "a", "b.blkhash"]),
    "part": ("part1", ["--merge", "part1", "part2"]),
    "base": ("a.blkhash", ["--block-size=512", "--base=a.blkhash", "--changes=changes",
                        "--write-list=new", "b"]),
    "changes": ("changes", ["--block-size=512", "--base=a.blkhash", "--changes=changes",
                            "--write-list=new", "b"]),
}


@pytest.mark.parametrize("name", LISTS)
def test_bad_sector_in_a_list(disksum, tmp_path, monkeypatch, fault, name):
    """What stands before it may be verified, but that is no success."""
    monkeypatch.chdir(tmp_path)
    write_image("a", "100k:A")
    write_image("b", "512:A 512:B " * 100)
    for file, args in (("SUMS", ["a", "b"]), ("JSON", ["--json", "a", "b"]),
                       ("changes", ["--diff", "--json", "a", "b"])):
        with open(file, "w", encoding="ascii") as f:
            f.write(disksum(*args, check=False).stdout)
    for disk in "a", "b":
        disksum("--block-size=512", f"--write-list={disk}.blkhash", disk)
    for part in 1, 2:
        disksum("--block-size=512", f"--write-list=part{part}", f"--shard={part}/2", "a")
    file, args = LISTS[name]
    for offset in 0, 10, os.path.getsize(file) // 2, os.path.getsize(file) - 1:
        result = disksum(*args, check=False, env=fault(file, offset, "copy"))
        assert result.returncode == (2 if "--diff" in args else 1), offset
        assert re.search(f"^disksum: {file}: read error( at offset {offset})?: "
                         "Input/output error(; so part 1/2 is missing)?$", result.stderr, re.M)
        assert result.stderr.count("\n") == 1
        assert not re.search("[0-9a-f]{64}", result.stdout)
        assert not os.path.exists("new")


# --- devices ------------------------------------------------------------------

def resize(path, device, size):
    os.truncate(path, size)
    assert os.system(f"losetup --set-capacity {device}") == 0


def device_image(path):
    """A qcow2 image whose L2 table comes last."""
    image = small_images.new_qcow2()
    host = image.disk.place(3, b"data")
    image.disk.entry(3, host | 1 << 63)
    image.write(path)
    size = 64 * KIB
    os.truncate(path, size)
    return image.disk.l2_offset(), size


@pytest.fixture
def device(loop_device, tmp_path):
    path = tmp_path / "backing"
    place, size = device_image(path)
    return path, loop_device(path), place, size


def test_device_that_shrinks(device):
    """Its tables are gone: that is not an empty disk."""
    path, name, place, size = device
    with held("-f", "qcow2", name) as h:
        h.wait_until_open(name)
        resize(path, name, place)
        assert h.finish() == (
            1, "", f"disksum: {name}: ends at offset {place}, before its size of {size}: "
            "it shrank while it was read\n")


@pytest.mark.parametrize("new", [48 * KIB, 128 * KIB])
def test_device_that_is_resized(device, new):
    """Where nothing is read, it is noticed at the end."""
    path, name, place, size = device
    assert place + CLUSTER <= new
    with held("-f", "qcow2", name) as h:
        h.wait_until_open(name)
        resize(path, name, new)
        assert h.finish() == (
            1, "", f"disksum: {name}: the device was resized while it was read: "
            f"from {size} to {new} bytes\n")


def test_device_that_stays(disksum, device):
    _, name, _, _ = device
    content = bytes(3 * CLUSTER) + (b"data" * CLUSTER)[:CLUSTER] + bytes(76 * CLUSTER)
    assert disksum("-f", "qcow2", name).stdout == f"{checksum(content)}  {name}\n"
