# SPDX-License-Identifier: LGPL-2.1-or-later
"""VMDK images that are one file: what is in them, and how they are read."""
import json
import os
import random
import subprocess

import pytest

from conftest import sums
from oracle import checksum, write_image
from qcow2_image import Image
from vmdk_compare import NO_QEMU, check_large, check_read, refused
from vmdk_image import (
    COMPRESSED, MARKERS, NEWLINES, ZEROED, Cowd, Sparse, Stream, descriptor)

SPEC = "100k:A 1M:0 300k:B 2M:- 77k:C 163k:0 5M:- 33000:D 2560:-"

SUBFORMATS = ["monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse",
              "twoGbMaxExtentFlat", "streamOptimized"]


def qemu_img(*args):
    subprocess.run(["qemu-img", *map(os.fspath, args)], check=True,
                   stdout=subprocess.DEVNULL)


def qemu_io(path, *commands):
    arguments = [word for command in commands for word in ("-c", command)]
    subprocess.run(["qemu-io", "-f", "vmdk", *arguments, path], check=True,
                   stdout=subprocess.DEVNULL)


def create(path, size, subformat="monolithicSparse", *options):
    qemu_img("create", "-q", "-f", "vmdk", "-o",
             ",".join([f"subformat={subformat}", *options]), path, str(size))
    return path


# --- images of QEMU ---------------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("subformat", SUBFORMATS)
def test_converted(disksum, tmp_path, subformat):
    content = write_image(tmp_path / "raw", SPEC)
    content += bytes(-len(content) % 512)
    path = tmp_path / "image"
    qemu_img("convert", "-f", "raw", "-O", "vmdk", "-o", f"subformat={subformat}",
             tmp_path / "raw", path)
    assert check_read(disksum, path) == content
    result = disksum("--json", path, env=NO_QEMU)
    assert '"format":"vmdk"' in result.stdout


@pytest.mark.parametrize("subformat", SUBFORMATS[:-1])
@pytest.mark.parametrize("zeroed", [False, True])
def test_written(disksum, tmp_path, subformat, zeroed):
    """Grains in the order of writes, which begin and end at any byte."""
    flat = "Flat" in subformat
    path = create(tmp_path / "image", (9 << 20) + 512, subformat,
                  *([] if flat else [f"zeroed_grain={'on' if zeroed else 'off'}"]))
    numbers = random.Random(subformat)
    commands = []
    for _ in range(60):
        start = numbers.randrange(9 << 20)
        length = numbers.randrange(1, 200000)
        length = min(length, (9 << 20) + 512 - start)
        commands.append(f"write -P {numbers.randrange(1, 256)} {start} {length}")
    if not flat and zeroed:
        commands += ["write -z 1M 640k", "write -z 3145728 64k", "write -P 7 3200000 100"]
    qemu_io(path, *commands)
    check_read(disksum, path)


@pytest.mark.parametrize("subformat", ["monolithicSparse", "twoGbMaxExtentSparse"])
def test_large(disksum, tmp_path, subformat):
    """Data at the borders of extents and of grain tables."""
    path = create(tmp_path / "image", (5 << 30) + 65536, subformat)
    qemu_io(path, f"write -P 1 {(2 << 30) - 700} 1400", f"write -P 2 {(4 << 30) - 3} 70000",
            f"write -P 3 {5 << 30} 65536", f"write -P 4 {(32 << 20) - 512} 1024",
            "write -P 5 0 1", f"write -P 6 {64 << 20} 32M")
    check_large(disksum, path)


def test_holes_cost_nothing(disksum, tmp_path):
    path = create(tmp_path / "image", 1 << 40)
    result = disksum("-v", path, check=False, env=NO_QEMU)
    qemu_img("create", "-q", "-f", "raw", tmp_path / "raw", "1T")
    assert sums(result.stdout) == sums(disksum(tmp_path / "raw").stdout)
    assert f"{path}: vmdk, 1.0 TiB: 0 B of data, 0 B of zeros, 1.0 TiB of holes" in \
        result.stderr


# --- sparse extents ---------------------------------------------------------

def fill(disk, grains, seed=0):
    """Grains in any order, some of them more than once, and some not at all."""
    numbers = random.Random(seed)
    for _ in range(grains):
        disk.data(numbers.randrange(grains), numbers.randbytes(numbers.randrange(1, 600)))
    return disk


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("grain", [1, 2, 3, 7, 8, 100, 128, 129, 1024, 5000])
@pytest.mark.parametrize("gtes", [1, 3, 512])
def test_grain_sizes(disksum, tmp_path, grain, gtes):
    """Not only powers of two."""
    sectors = 23 * grain + grain // 2 + 1
    disk = fill(Sparse(sectors, grain=grain, gtes=gtes), 24, grain)
    check_read(disksum, disk.write(tmp_path / "image"),
               ways=[[], ["-T", "none"]])


def test_largest_grain(disksum, tmp_path):
    """A grain of 1 GiB, of which the file has a part."""
    disk = Sparse(5 << 20, grain=1 << 21, gtes=1)
    disk.entry(1, disk.allocate(b"grain" * 100000))
    check_large(disksum, disk.write(tmp_path / "image"))


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("version", [0, 1, 2, 3])
@pytest.mark.parametrize("flags", [NEWLINES, ZEROED, NEWLINES | ZEROED])
def test_versions_and_flags(disksum, tmp_path, version, flags):
    """Entry 1 is a place, unless the flag says that it means zeros."""
    disk = Sparse(1000, version=version, flags=flags, grain=8, rgd=bool(version & 1))
    disk.data(0, b"first")
    disk.zero(1)
    disk.zero(2)
    disk.data(100, b"last")
    check_read(disksum, disk.write(tmp_path / "image"))


def test_redundant_directory_does_not_count(disksum, tmp_path):
    disk = Sparse(2048, rgd=True)
    disk.data(3, b"data")
    disk.put(disk.header["rgd"] * 512, b"\xff" * 4)
    check_read(disksum, disk.write(tmp_path / "image"))


def test_flag_of_compression_does_not_count(disksum, tmp_path):
    disk = Sparse(2048, flags=COMPRESSED | MARKERS)
    disk.data(3, b"data")
    check_read(disksum, disk.write(tmp_path / "image"))


@pytest.mark.sanitizer
def test_tables_in_any_order(disksum, tmp_path):
    """Tables that are shared, missing, apart, in the directory, or beyond the end."""
    disk = Sparse(8 * 512 * 16, grain=8, gtes=512)
    for number in 0, 511, 512, 1000, 5000, 8000, 8191:
        disk.data(number, b"%d " % number)
    first = disk.gt
    for index, table in enumerate([4, 0, 3, 3, 2, None, 8, 15, 14, 13, 1, 5]):
        disk.directory(index, 0 if table is None else first + table * disk.table_size)
    disk.directory(12, disk.gd)
    disk.directory(13, disk.end() + 100)
    disk.directory(14, 0xffffffff)
    check_read(disksum, disk.write(tmp_path / "image"))


@pytest.mark.sanitizer
def test_grains_at_any_place(disksum, tmp_path):
    """Grains that overlap each other, the header and the tables, or the end."""
    disk = Sparse(2048, grain=16)
    sector = disk.data(0, b"some bytes")
    disk.data(1, b"more of them")
    for number, place in enumerate([sector + 1, 2, disk.gd, disk.end() - 3, disk.end() + 5,
                                    0xffffffff, sector, sector + 16], 3):
        disk.entry(number, place)
    disk.length = disk.end() * 512 - 700
    check_read(disksum, disk.write(tmp_path / "image"))


def test_directory_beyond_the_end(disksum, tmp_path):
    disk = Sparse(2048)
    disk.data(0, b"lost")
    disk.header["gd"] = 1 << 40
    assert check_read(disksum, disk.write(tmp_path / "image")) == bytes(2048 * 512)


@pytest.mark.sanitizer
@pytest.mark.parametrize("grain", [1, 8, 100, 4096])
def test_cowd_alone(disksum, tmp_path, grain):
    """Only one with a CID is an image, for whoever put it there."""
    disk = fill(Cowd(17 * grain + 1, grain=grain), 17)
    disk.put(512, b"CID=1\nparentCID=ffffffff\n")
    check_read(disksum, disk.write(tmp_path / "image"))


def test_holes_of_the_host(disksum, tmp_path):
    """Data of the image, of which the file has a hole, is not read."""
    path = create(tmp_path / "image", 64 << 20)
    qemu_io(path, "write -P 1 0 64M")
    flat = create(tmp_path / "flat.vmdk", 64 << 20, "monolithicFlat")
    for image, holes in (path, path), (flat, tmp_path / "flat-flat.vmdk"):
        size = holes.stat().st_size
        subprocess.run(["fallocate", "-p", "-o", "10M", "-l", str(size - (11 << 20)), holes],
                       check=True)
        assert json.loads(disksum("--json", image, env=NO_QEMU).stdout)["read"] < 54 << 20
        check_large(disksum, image)


# --- chains -----------------------------------------------------------------

def overlay(path, parent, *commands):
    qemu_img("create", "-q", "-f", "vmdk", "-b", parent, "-F", "vmdk", path)
    if commands:
        qemu_io(path, *commands)
    return path


@pytest.fixture
def base(tmp_path):
    path = create(tmp_path / "base.vmdk", 3 << 20, "monolithicSparse", "zeroed_grain=on")
    qemu_io(path, "write -P 1 0 1M", "write -P 2 2000000 5000")
    return path


@pytest.mark.sanitizer
def test_parents(disksum, tmp_path, base):
    middle = overlay(tmp_path / "middle.vmdk", base, "write -P 3 70000 70000")
    top = overlay(tmp_path / "top.vmdk", middle, "write -P 4 100 100",
                  "write -P 5 2900000 100000")
    check_read(disksum, top)
    result = disksum("--json", top, env=NO_QEMU)
    assert result.stdout.count('"format":"vmdk"') >= 3


def test_parent_by_a_relative_name(disksum, tmp_path, base):
    disk = Sparse(3 * 2048 + 2048, text=descriptor(
        type="monolithicSparse", parent="base.vmdk", parent_cid=cid_of(base)))
    disk.data(1, b"above")
    check_read(disksum, disk.write(tmp_path / "top"))


def cid_of(path):
    return path.read_bytes().split(b"CID=")[1].split(b"\n")[0].decode()


@pytest.mark.parametrize("name, found", [
    (r"C:\VMs\disk\base.vmdk", True), (r"\\server\share\base.vmdk", True),
    (r"..\disk\base.vmdk", True), (r"C:\VMs\other.vmdk", False), ("C:\\", False),
    ("C:\\json:{}", False), (r"C:\nbd:x", False), (r"C:\..", False)])
def test_parent_with_a_name_of_windows(disksum, fails, tmp_path, base, name, found):
    """The parent is beside the image."""
    disk = Sparse(3 * 2048, text=descriptor(type="monolithicSparse", parent=name,
                                            parent_cid=cid_of(base)))
    disk.data(1, b"above")
    path = disk.write(tmp_path / "top")
    if found:
        plain = Sparse(3 * 2048, text=disk.text.replace(name, "base.vmdk"))
        plain.data(1, b"above")
        content = check_read(disksum, plain.write(tmp_path / "plain"))
        assert sums(disksum(path, env=NO_QEMU).stdout) == [checksum(content)]
    else:
        fails(path, env=NO_QEMU)


def test_parent_with_a_backslash(disksum, tmp_path, base):
    r"""On Linux, a\b can be a file."""
    base.rename(tmp_path / "a\\base.vmdk")
    create(tmp_path / "base.vmdk", 3 << 20)
    disk = Sparse(3 * 2048, text=descriptor(type="monolithicSparse", parent="a\\base.vmdk",
                                            parent_cid=cid_of(tmp_path / "a\\base.vmdk")))
    check_read(disksum, disk.write(tmp_path / "top"))


def test_parent_was_changed(disksum, fails, tmp_path, base):
    top = overlay(tmp_path / "top", base)
    before = cid_of(base)
    qemu_io(base, "write -P 9 0 1")
    assert cid_of(base) != before
    line = refused(disksum, top)
    assert "was changed, or is another disk" in line and before in line


def test_parent_of_another_format(disksum, tmp_path):
    (tmp_path / "base").write_bytes(bytes(1 << 20))
    disk = Sparse(2048, text=descriptor(type="monolithicSparse", parent="base"))
    assert "not a VMDK image" in refused(disksum, disk.write(tmp_path / "top"))


def test_loop_of_parents(disksum, tmp_path):
    disk = Sparse(2048, text=descriptor(type="monolithicSparse", parent="./link",
                                        parent_cid="12345678"))
    disk.write(tmp_path / "image")
    os.link(tmp_path / "image", tmp_path / "link")
    assert "the backing chain loops" in refused(disksum, tmp_path / "image", qemu=False)


def test_missing_parent(disksum, tmp_path):
    disk = Sparse(2048, text=descriptor(type="monolithicSparse", parent="nothing"))
    path = disk.write(tmp_path / "image")
    assert refused(disksum, path) == f"{path}: cannot open its backing file: " \
        f"{tmp_path}/nothing: No such file or directory"


@pytest.mark.parametrize("above, below", [("qcow2", "vmdk"), ("vmdk", "vmdk"), ("qcow2", "stream")])
def test_mixed_chain(disksum, tmp_path, above, below):
    """The grains of the parent are cut by clusters, also compressed ones."""
    disk = fill((Stream if below == "stream" else Sparse)(4096, grain=96), 42)
    disk.write(tmp_path / "below")
    if above == "qcow2":
        image = Image(2 << 20, cluster_bits=9, backing=b"below", backing_format=b"vmdk")
        for cluster in range(0, 4096, 7):
            image.disk.data(cluster, b"%d" % cluster)
        image.write(tmp_path / "top")
    else:
        disk = fill(Sparse(4096, grain=5, text=descriptor(
            type="monolithicSparse", parent="below", parent_cid="12345678")), 400)
        disk.write(tmp_path / "top")
    qemu_img("convert", "-O", "raw", tmp_path / "top", tmp_path / "raw")
    for way in [], ["-T", "none"]:
        result = disksum(*way, tmp_path / "top", env=NO_QEMU)
        assert sums(result.stdout) == [checksum(tmp_path / "raw")]


# --- exports, options -------------------------------------------------------

def test_export(disksum, servers, tmp_path, base):
    content = check_read(disksum, base)
    uri, _ = servers.nbdkit("file", base)
    for args in [uri], ["--", "[", "nbdkit", "file", base, "]"]:
        assert sums(disksum("-f", "vmdk", *args).stdout) == [checksum(content)]


def test_standalone(disksum, fails, tmp_path, base):
    content = check_read(disksum, base)
    assert sums(disksum("--standalone", base).stdout) == [checksum(content)]
    top = overlay(tmp_path / "top", base)
    assert fails("--standalone", top) == \
        f"{top}: refers to another file, its backing file '{base}', " \
        "which --standalone refuses"


def test_snapshot(fails, base):
    assert fails("-l", "1", base) == f"{base}: a VMDK image has no snapshots"


def test_standard_input(disksum, base):
    with open(base, "rb") as file:
        assert disksum(stdin=file, env=NO_QEMU).stdout.split()[0] == \
            disksum(base).stdout.split()[0]
