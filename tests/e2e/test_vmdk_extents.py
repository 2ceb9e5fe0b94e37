# SPDX-License-Identifier: LGPL-2.1-or-later
"""VMDK images whose data is in other files: the descriptor, and the extents."""
import os
import random
import shutil
import subprocess

import pytest

from conftest import sums
from oracle import checksum
from qcow2_compare import convert
from vmdk_compare import NO_QEMU, WAYS, check_read, refused
from vmdk_image import SE_FIELDS, Cowd, SeSparse, Sparse, Stream, descriptor, pack

MiB = 1 << 20


@pytest.fixture
def flat(tmp_path):
    """A file of 1 MiB, with a hole."""
    path = tmp_path / "flat"
    content = random.Random(1).randbytes(MiB)
    with open(path, "wb") as file:
        file.write(content[:300000])
        file.seek(700000)
        file.write(content[700000:])
    return path


def write(tmp_path, *lines, name="image", **options):
    path = tmp_path / name
    path.write_text(descriptor(*lines, **options))
    return path


# --- flat -------------------------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("kind, form", [("FLAT", "monolithicFlat"), ("VMFS", "vmfs"),
                                        ("FLAT", "twoGbMaxExtentFlat")])
def test_flat(disksum, tmp_path, flat, kind, form):
    offset = " 0" if kind == "FLAT" else ""
    path = write(tmp_path, f'RW 2048 {kind} "flat"{offset}', type=form)
    assert check_read(disksum, path) == flat.read_bytes()


@pytest.mark.sanitizer
def test_flat_extents_of_one_file(disksum, tmp_path, flat):
    """In any order, at any offset, also beyond the end."""
    path = write(tmp_path, 'RW 1000 FLAT "flat" 1048', 'RW 3 FLAT "flat" 7',
                 f'RW 500 FLAT "{flat}" 2000', 'RW 1 FLAT "flat" 0',
                 'RW 10 FLAT "flat" 100000')
    check_read(disksum, path)


def test_flat_at_the_end_of_the_file(disksum, tmp_path, flat):
    """A file that is too short is followed by zeros."""
    os.truncate(flat, 1000001)
    path = write(tmp_path, 'RW 3000 FLAT "flat" 100')
    check_read(disksum, path)


# --- sparse -----------------------------------------------------------------

def sparse(sectors, seed, make=Sparse, **options):
    numbers = random.Random(seed)
    disk = make(sectors, **options)
    for number in range(-(-sectors // disk.grain)):
        if numbers.random() < 0.4:
            disk.data(number, numbers.randbytes(numbers.randrange(1, 300)))
    return disk


@pytest.mark.sanitizer
def test_split_sparse(disksum, tmp_path):
    """Extents of all grain sizes, the last of which is not full."""
    for number, (sectors, grain) in enumerate([(1280, 128), (640, 8), (96, 3), (1001, 16)]):
        sparse(sectors, number, grain=grain, gtes=number + 4).write(tmp_path / f"s{number}")
    path = write(tmp_path, *(f'RW 1 SPARSE "s{number}"' for number in range(4)),
                 type="twoGbMaxExtentSparse")
    assert len(check_read(disksum, path)) == 512 * (1280 + 640 + 96 + 1001)


def test_extent_that_ends_in_a_grain(disksum, tmp_path):
    """QEMU shows the rest of the grain, and not the beginning of the next extent."""
    for number in range(3):
        disk = Sparse(100, text="")
        disk.data(0, b"%d" % number)
        disk.write(tmp_path / f"s{number}")
    path = write(tmp_path, *(f'RW 100 SPARSE "s{number}"' for number in range(3)),
                 type="twoGbMaxExtentSparse")
    content = check_read(disksum, path, qemu=False)
    assert content == b"".join(bytes([48 + number]) * 51200 for number in range(3))


@pytest.mark.sanitizer
def test_mixed_extents(disksum, tmp_path, flat):
    sparse(2048, 1).write(tmp_path / "sparse")
    sparse(4096, 2, Stream, grain=32).write(tmp_path / "stream")
    sparse(100, 3, Cowd, grain=4).write(tmp_path / "cowd")
    sparse(800, 4, SeSparse).write(tmp_path / "sesparse")
    path = write(tmp_path, 'RW 77 FLAT "flat" 5', 'RW 1 SPARSE "sparse"',
                 'RW 1 SPARSE "stream"', 'RW 1 VMFSSPARSE "cowd"', 'RW 1 SESPARSE "sesparse"',
                 'RW 1000 VMFS "flat"', 'RW 1 SPARSE "cowd"', type="vmfs")
    check_read(disksum, path)


def test_extent_with_a_footer(disksum, tmp_path):
    """QEMU looks for the footer where the descriptor ends."""
    disk = sparse(2048, 1, Stream, footer=True)
    disk.write(tmp_path / "stream")
    path = write(tmp_path, 'RW 2048 SPARSE "stream"', type="twoGbMaxExtentSparse")
    check_read(disksum, path, qemu=False)


@pytest.mark.sanitizer
@pytest.mark.parametrize("grain", [1, 5, 128, 5000])
def test_cowd(disksum, tmp_path, grain):
    sparse(4097 * grain + 3 if grain < 100 else 37 * grain, 1, Cowd,
           grain=grain).write(tmp_path / "extent")
    check_read(disksum, write(tmp_path, 'RW 1 VMFSSPARSE "extent"', type="vmfsSparse"),
               ways=WAYS[:2])


@pytest.mark.sanitizer
def test_sesparse(disksum, tmp_path):
    disk = sparse(8 * 5000, 1, SeSparse)
    for number in 7, 9:
        disk.zero(number)
    disk.entry(8, SeSparse.UNMAPPED | 123)
    disk.entry(11, 0)
    disk.entry(12, SeSparse.place(4095))
    disk.write(tmp_path / "extent")
    check_read(disksum, write(tmp_path, 'RW 1 SESPARSE "extent"', type="seSparse"),
               ways=WAYS[:2])


@pytest.mark.parametrize("entry", [1, 4 << 60, 15 << 60, 1 << 59])
def test_sesparse_grain_of_unknown_kind(disksum, tmp_path, entry):
    disk = sparse(8 * 50, 1, SeSparse)
    disk.entry(30, entry)
    disk.write(tmp_path / "extent")
    path = write(tmp_path, 'RW 1 SESPARSE "extent"', type="seSparse")
    assert "a grain of unknown kind: at guest offset 122880" in refused(disksum, path)


@pytest.mark.parametrize("number", [1 << 51, (1 << 60) - 1])
def test_sesparse_grain_that_is_too_far_away(disksum, tmp_path, number):
    """It would begin at an offset of 2^63 and more. QEMU loses the upper bits of some."""
    disk = sparse(8 * 50, 1, SeSparse)
    disk.entry(30, SeSparse.place(number))
    disk.write(tmp_path / "extent")
    path = write(tmp_path, 'RW 1 SESPARSE "extent"', type="seSparse")
    line = refused(disksum, path, qemu=number == 1 << 51)
    assert "a grain that is too far away: at guest offset 122880" in line


@pytest.mark.parametrize("entry", [1, 2 << 60, 1 << 60 | 1 << 32, 1 << 60 | 0xffffffff])
def test_sesparse_table_of_unknown_kind(disksum, tmp_path, entry):
    disk = sparse(8 * 5000, 1, SeSparse)
    disk.directory(1, entry)
    disk.write(tmp_path / "extent")
    path = write(tmp_path, 'RW 1 SESPARSE "extent"', type="seSparse")
    assert "entry 1 of the grain directory is of unknown kind" in refused(disksum, path)


@pytest.mark.parametrize("part, field, value", [
    ("header", "magic", 1), ("header", "version", 1), ("header", "grain", 16),
    ("header", "gt_size", 32), ("header", "flags", 1), ("header", "r3", 1),
    ("header", "pad", 1), ("header", "gd_size", 0), ("header", "gd_size", 1 << 50),
    ("header", "gd", 1 << 60), ("header", "volatile", 1 << 60),
    ("header", "gd_size", 1 << 54), ("header", "grains", 1 << 54),
    ("second", "magic", 1), ("second", "replay", 1), ("second", "pad", 1)])
def test_sesparse_bad_header(disksum, tmp_path, part, field, value):
    disk = sparse(8 * 5000, 1, SeSparse)
    if field == "volatile":
        disk.second = {}
        disk.content = lambda: pack_se(disk, value)
    getattr(disk, part)[field] = value
    disk.write(tmp_path / "extent")
    path = write(tmp_path, 'RW 1 SESPARSE "extent"', type="seSparse")
    line = refused(disksum, path)
    if field == "replay":
        assert "has a journal that must be replayed" in line


def pack_se(disk, place):
    disk.put(0, pack(SE_FIELDS, disk.header))
    return bytes(disk.bytes)


@pytest.mark.parametrize("name", ["base.vmdk", "x" * 4096])
def test_name_of_a_parent_without_an_end(disksum, tmp_path, flat, name):
    """A quote is missing, or it comes after more than a path has."""
    quote = '"' if len(name) > 4000 else ""
    path = write(tmp_path, 'RW 2048 FLAT "flat" 0')
    path.write_text(path.read_text() + f'parentFileNameHint="{name}{quote}')
    assert "the name of its parent has no end, or is too long" in refused(disksum, path)


@pytest.mark.parametrize("sector", [1 << 54, (1 << 64) - 1])
def test_descriptor_that_is_too_far_away(disksum, tmp_path, sector):
    """Of a header without a capacity, which only says where the descriptor is."""
    disk = sparse(2048, 1, Sparse)
    disk.header |= {"capacity": 0, "descriptor": sector}
    line = refused(disksum, disk.write(tmp_path / "image"), qemu=False)
    assert f"its descriptor is at sector {sector}" in line


# --- what QEMU leaves out ---------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("lines, parts", [
    (['RDONLY 2048 FLAT "flat" 0'], "f"),
    (['RW 2048 FLAT "flat" 0', "RW 2048 ZERO"], "fz"),
    (["RW 2048 ZERO", 'RDONLY 2048 VMFS "flat"'], "zf"),
    (["RDONLY 2048 ZERO", 'RW 2048 FLAT "flat" 0', 'RW 2048 ZERO "nothing"'], "zfz"),
    (["RW 2048 ZERO"], "z")])
def test_all_extents_are_part_of_the_disk(disksum, tmp_path, flat, lines, parts):
    path = write(tmp_path, *lines)
    content = check_read(disksum, path, qemu=False)
    assert content == b"".join(flat.read_bytes() if part == "f" else bytes(MiB)
                               for part in parts)


def test_zeros_above_a_parent(disksum, tmp_path, flat):
    """An extent of zeros hides the parent."""
    write(tmp_path, 'RW 2048 FLAT "flat" 0', name="base")
    sparse(1024, 1, grain=16).write(tmp_path / "sparse")
    path = write(tmp_path, "RW 512 ZERO", 'RW 1 SPARSE "sparse"', 'RW 512 ZERO',
                 parent="base", parent_cid="12345678")
    check_read(disksum, path, qemu=False)


@pytest.mark.parametrize("lines, reason", [
    ([], "this VMDK image has no extents"),
    (["# no extent"], "this VMDK image has no extents"),
    (["NOACCESS 2048"], "that must not be read: 'NOACCESS 2048'"),
    (['NOACCESS 2048 FLAT "flat" 0'], "that must not be read"),
    (['RW 2048 FLAT "flat" 0', 'NOACCESS 1 ZERO'], "that must not be read"),
    (['RW 0 FLAT "flat" 0'], "the size of an extent: 'RW 0 FLAT"),
    (['RW -5 FLAT "flat" 0'], "the size of an extent"),
    (['RW 99999999999999999999999 FLAT "flat" 0'], "the size of an extent"),
    ([f'RW {1 << 54} FLAT "flat" 0'], "the size of an extent"),
    ([f'RW 1 FLAT "flat" {1 << 54}'], "an extent is too far away"),
    (['RW 2048 NOTHING "flat" 0'], "the type of an extent"),
    (['RW 2048 VMFSRDM "flat"'], "the type of an extent"),
    (['RW 2048 FLAT flat 0'], "the line of an extent"),
    (['RW 2048 FLAT "flat"'], "the offset of an extent"),
    (['RW 2048 FLAT "flat" -1'], "the offset of an extent"),
    (['RW 2048 VMFS "flat" 0'], "the offset of an extent"),
    (['RW 2048 SPARSE "flat" 0'], "an offset of a sparse extent"),
    (['RW 2048 SPARSE "flat"'], "is not sparse"),
    (['RW 2048 SESPARSE "flat"'], "this is not an seSparse extent"),
    (['RW 2048 FLAT "flat" 0', 'RW 2048'], "the line of an extent: 'RW 2048'"),
    (["RW" + 3000 * " " + '2048 FLAT "flat" 0'], "a line of this VMDK image is too long"),
    (["RW 2048 FLAT" + 3000 * " " + '"flat" 0'], "a line of this VMDK image is too long"),
    (['RW 2048 FLAT "' + 600 * "x" + '" 0'], ""),
    (['RW 2048 FLAT "nothing" 0'], "cannot open its extent: "),
    (['RW 2048 FLAT "." 0'], "is a directory"),
    (['RW 2048 FLAT "/dev/null" 0'], "is a character device"),
    (4 * [f'RW {(1 << 54) - (1 << 21)} FLAT "flat" 0'], "too large")])
def test_refused_lines(disksum, tmp_path, flat, lines, reason):
    path = write(tmp_path, *lines)
    assert reason in refused(disksum, path, qemu=False)


def test_lines_of_qemu(disksum, tmp_path, flat):
    """Blanks, and what is no extent."""
    path = write(tmp_path, '  RW\t100  FLAT   "flat"  1', 'RW 7 FLAT "flat"9 and more',
                 "RW", "RWX 100", "RW x", "RDONLY", 'rw 100 FLAT "flat" 0', "READ 100",
                 'RW +5 FLAT "flat" 0x5', "x RW 5 ZERO", '#RW 100 FLAT "flat" 0', "junk")
    assert len(check_qemu(disksum, path)) == 112 * 512


def check_qemu(disksum, path, *options):
    raw = convert(path, form="vmdk")
    assert raw, "QEMU refuses it"
    done = disksum(*options, path, check=False, env=NO_QEMU)
    assert done.returncode == 0, done
    assert sums(done.stdout) == [checksum(raw)]
    with open(raw, "rb") as file:
        return file.read()


@pytest.mark.parametrize("empty", ["\n", "\n\n\n", " \n\t\n", "\n \r\n \n"])
def test_empty_line_before_an_extent(disksum, tmp_path, flat, empty):
    """QEMU finds the extent from each of these lines."""
    path = write(tmp_path, 'RW 9 FLAT "flat" 0', empty + 'RW 5 FLAT "flat" 90')
    content = check_qemu(disksum, path)
    assert len(content) > 14 * 512
    done = disksum(path, check=False, env=NO_QEMU)
    assert "an extent counts twice, since there is an empty line before it" in done.stderr


def test_many_empty_lines(disksum, tmp_path, flat):
    """They pad a descriptor, or separate its parts."""
    count = 900         # QEMU needs a descriptor for each extent
    path = write(tmp_path, 'RW 9 FLAT "flat" 0')
    text = path.read_text()
    path.write_text(text.replace("createType", 3000 * "\n" + "createType") + 3000 * "\n")
    assert len(check_qemu(disksum, path)) == 9 * 512
    path.write_text(text.replace("RW", count * "\n" + "RW"))
    assert len(check_qemu(disksum, path)) > count * 9 * 512
    disk = Sparse(256, grain=16)
    disk.text = disk.text.ljust(20 * 512, "\n")
    disk.put(512, disk.text.encode())
    disk.data(3, b"grain")
    check_read(disksum, disk.write(tmp_path / "embedded"))


@pytest.mark.parametrize("more", [0, 1, 2])
def test_cid_at_the_end_of_the_text(disksum, tmp_path, flat, more):
    """QEMU looks for CIDs in 10,239 bytes."""
    path = write(tmp_path, 'RW 9 FLAT "flat" 0')
    head, tail = path.read_text().split("parentCID=ffffffff\n")
    path.write_text((head + tail).ljust(10239 - 11 + more, "#") + "parentCID=5\n")
    if more == 0:
        check_qemu(disksum, path)
    else:
        assert "no CID and parentCID" in refused(disksum, path)


def test_line_that_goes_on_in_the_next(disksum, tmp_path, flat):
    path = write(tmp_path, "RW", "7 FLAT", '"flat" 9', 'RW 5 FLAT "flat"', "3 x")
    check_qemu(disksum, path)


# --- the descriptor ---------------------------------------------------------

@pytest.mark.parametrize("type", [
    "custom", "fullDevice", "monolithicSparse", "streamOptimized", "monolithicflat", "", "x" * 500])
def test_type_that_qemu_does_not_read(disksum, tmp_path, flat, type):
    path = write(tmp_path, 'RW 2048 FLAT "flat" 0', type=type)
    assert "descriptors of the type" in refused(disksum, path)


@pytest.mark.parametrize("change", [
    ("createType", "Type"), ("CID=", "cid="), ("CID=12345678", "CID = 1"),
    ("parentCID=ffffffff", ""), ("CID=12345678", "CID=xyz"),
    ('createType="monolithicFlat"', 'createType="')])
def test_incomplete_descriptor(disksum, tmp_path, flat, change):
    path = write(tmp_path, 'RW 2048 FLAT "flat" 0')
    path.write_text(path.read_text().replace(*change))
    refused(disksum, path)


@pytest.mark.parametrize("change", [
    ("\nCID=12345678", "\n"), ("CID=12345678", "CID=0x12345678"), ("CID=12345678", "CID=-1"),
    ("CID=12345678", "CID=123456789abcdef0123456789"), ("\n", "\r\n"),
    ('createType="', "createType=>"), ("# Disk", "CIDabc\n# Disk")])
def test_odd_descriptor(disksum, tmp_path, flat, change):
    path = write(tmp_path, 'RW 2048 FLAT "flat" 0')
    path.write_bytes(path.read_text().replace(*change).encode())
    check_qemu(disksum, path, "-f", "vmdk")


def test_embedded_descriptor(disksum, tmp_path, flat):
    """Without a capacity, a sparse file is a descriptor only."""
    disk = Sparse(0, text=descriptor('RW 2048 FLAT "flat" 0'))
    path = disk.write(tmp_path / "image")
    check_read(disksum, path)
    disk.header["descriptor"] = 0
    disk.write(path)
    assert check_qemu(disksum, path) == b""


def test_descriptor_in_an_extent(disksum, tmp_path, flat):
    """QEMU follows these without end."""
    Sparse(0, text=descriptor('RW 2048 FLAT "flat" 0')).write(tmp_path / "inner")
    path = write(tmp_path, 'RW 1 SPARSE "inner"', type="twoGbMaxExtentSparse")
    assert "is another descriptor, which is not supported" in \
        refused(disksum, path, qemu=False)


@pytest.mark.parametrize("lines, reason", [
    (['RW 2048 SPARSE "image"', 'RW 2048 SPARSE "other"'], "an extent beside the one in it"),
    (['RW 2048 SPARSE "image"', "", "RDONLY 2048 ZERO"], "an extent beside the one in it"),
    (['NOACCESS 2048 SPARSE "image"'], "that must not be read")])
def test_extents_beside_an_embedded_one(disksum, tmp_path, lines, reason):
    disk = Sparse(2048, text=descriptor(*lines, type="monolithicSparse"))
    assert reason in refused(disksum, disk.write(tmp_path / "image"), qemu=False)


def test_readonly_embedded(disksum, tmp_path):
    disk = Sparse(2048, text=descriptor('RDONLY 2048 SPARSE "image"', type="monolithicSparse"))
    disk.data(1, b"x")
    check_read(disksum, disk.write(tmp_path / "image"))


def test_lone_extent(disksum, tmp_path):
    """One of several files says nothing of the others."""
    path = Sparse(2048, text="").write(tmp_path / "s001")
    assert "give the file that describes the image" in refused(disksum, path)
    path = Cowd(2048).write(tmp_path / "delta")
    assert "give the file that describes the image" in refused(disksum, path)


@pytest.mark.parametrize("padding", [b"\0", b" ", b"#\n"])
def test_long_descriptor(disksum, tmp_path, flat, padding):
    """QEMU reads 1 MiB, and leaves out what comes later. Zeros are the end."""
    path = write(tmp_path, 'RW 2048 FLAT "flat" 0')
    text = path.read_bytes()
    path.write_bytes(text.ljust(10 << 20, padding) if len(padding) == 1 else
                     text + padding * (5 << 20))
    if padding == b"\0":
        check_read(disksum, path)
    else:
        assert "has more than 1048575 bytes" in refused(disksum, path, qemu=False)


# --- many extents -----------------------------------------------------------

def test_many_extents_of_a_file(disksum, tmp_path, flat):
    """20,000 lines need one descriptor."""
    path = write(tmp_path, *(f'RW 1 FLAT "flat" {number % 2048}' for number in range(20000)))
    content = b"".join(flat.read_bytes()[at % MiB:at % MiB + 512]
                       for at in range(0, 20000 * 512, 512))
    result = disksum("-t", "1", path, env=NO_QEMU, wrapper=[shutil.which("prlimit"), "--nofile=20"])
    assert sums(result.stdout) == [checksum(content)]


def test_many_files(disksum, fails, tmp_path):
    """More than the soft limit of descriptors."""
    for number in range(100):
        (tmp_path / f"f{number}").write_bytes(bytes([number]) * 512)
    path = write(tmp_path, *(f'RW 1 FLAT "f{number}" 0' for number in range(100)))
    content = b"".join(bytes([number]) * 512 for number in range(100))
    result = disksum(path, env=NO_QEMU, wrapper=[shutil.which("prlimit"), "--nofile=60:200"])
    assert sums(result.stdout) == [checksum(content)]
    assert fails(path, env=NO_QEMU, wrapper=[shutil.which("prlimit"), "--nofile=60:60"]).endswith(
        ": Too many open files")


@pytest.mark.parametrize("line, count", [
    ("RW 1 ZERO\n", 65537), ('RW 1 VMFS "f"\n', 65537), ("\n\n\n\nRW 1 ZERO\n", 13108)])
def test_too_many_extents(disksum, tmp_path, flat, line, count):
    (tmp_path / "f").symlink_to("flat")
    path = write(tmp_path, count * line)
    assert "more than 65536 extents" in refused(disksum, path, qemu=False)


# --- names ------------------------------------------------------------------

def test_names_of_extents(disksum, tmp_path, flat):
    """They start from the directory of the image, and are absolute or relative."""
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "link").symlink_to("a/b/image")
    for name in "../../flat", str(flat), ".././../flat":
        path = write(tmp_path / "a" / "b", f'RW 2048 FLAT "{name}" 0')
        assert sums(disksum(path, env=NO_QEMU).stdout) == [checksum(flat)]
    write(tmp_path / "a" / "b", 'RW 2048 FLAT "flat" 0')
    assert sums(disksum(tmp_path / "link", env=NO_QEMU).stdout) == [checksum(flat)]
    assert sums(disksum("link", cwd=tmp_path, env=NO_QEMU).stdout) == [checksum(flat)]
    with open(path, "rb") as file:
        path.write_text(descriptor('RW 2048 FLAT "../../flat" 0'))
        assert sums(disksum(stdin=file, env=NO_QEMU).stdout) == [checksum(flat)]


def test_export_names_no_files(fails, servers, tmp_path, flat):
    for name in "flat", str(flat):
        path = write(tmp_path, f'RW 2048 FLAT "{name}" 0')
        uri, _ = servers.nbdkit("file", path)
        for args in [uri], ["--", "[", "nbdkit", "file", path, "]"], ["--trust-names", uri]:
            assert "the image is in no directory" in fails("-f", "vmdk", *args)


def test_trusted_name_of_a_server(disksum, fails, servers, tmp_path, flat):
    """QEMU reads the image then."""
    uri, _ = servers.nbdkit("file", flat)
    path = write(tmp_path, f'RW 2048 FLAT "{uri}" 0')
    assert fails(path) == f"{path}: its extent '{uri}' is not a plain file; use " \
        "--trust-names to follow such a name"
    done = disksum("--trust-names", path, check=False)
    if done.returncode:
        # QEMU 7.2 puts the directory of the image before the name.
        assert "QEMU: Could not open" in done.stderr
    else:
        assert sums(done.stdout) == [checksum(flat)]
    plain = write(tmp_path, 'RW 2048 FLAT "flat" 0', name="plain")
    assert sums(disksum("--trust-names", plain, env=NO_QEMU).stdout) == [checksum(flat)]


def test_standalone(fails, tmp_path, flat):
    path = write(tmp_path, 'RW 2048 FLAT "flat" 0')
    assert fails("--standalone", path) == f"{path}: refers to another file, its extent 'flat', " \
        "which --standalone refuses"


def test_locks_and_changes(disksum, fails, tmp_path, flat):
    path = write(tmp_path, 'RW 2048 FLAT "flat" 0')
    with subprocess.Popen(["qemu-io", "-f", "raw", flat], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        process.stdin.write(b"length\n")
        process.stdin.flush()
        process.stdout.readline()
        assert f"{flat}" in fails(path)
        assert sums(disksum("-U", path, check=False).stdout) == [checksum(flat)]
        process.stdin.close()
        process.wait()
    assert sums(disksum(path).stdout) == [checksum(flat)]
