# SPDX-License-Identifier: LGPL-2.1-or-later
"""--member: disks in tar archives. Python's tarfile is the oracle, and tar makes what
tarfile cannot."""

import io
import json
import os
import random
import shutil
import subprocess
import tarfile

import pytest

from conftest import sums
from oracle import checksum, write_image

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT,
           "pax": tarfile.PAX_FORMAT}
SPEC = "70000:A 300k:- 128k:0 200001:B 77:C"
OVF = b"<?xml version='1.0'?><Envelope/>"


def member(name, size=0, **fields):
    info = tarfile.TarInfo(name)
    info.size = size
    for key, value in fields.items():
        setattr(info, key, value)
    return info


def archive(path, members, form="gnu", **options):
    """Write an archive of (name, content), or of (TarInfo, content)."""
    with tarfile.open(path, "w", format=FORMATS[form], **options) as tar:
        for name, content in members:
            info = name if isinstance(name, tarfile.TarInfo) else member(name, len(content))
            tar.addfile(info, io.BytesIO(content))
    return path


def header(name, size=0, kind=b"0", **fields):
    """A header of ustar, with any fields."""
    return member(name, size, type=kind, **fields).tobuf(tarfile.USTAR_FORMAT)


def sign(block):
    """Make the checksum of a header right."""
    block = bytearray(block)
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(content):
    return content + bytes(-len(content) % 512)


@pytest.fixture
def disks(tmp_path):
    """Images of one disk, in an appliance; returns the sum, and the paths."""
    raw = tmp_path / "disk.raw"
    content = write_image(raw, SPEC)
    paths = [raw]
    for name, *args in (
            ("disk.qcow2", "-c", "-o", "cluster_size=4k"), ("disk.vhdx",), ("disk.vdi",),
            ("sparse.vmdk",), ("stream.vmdk", "-o", "subformat=streamOptimized")):
        paths.append(tmp_path / name)
        subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", paths[-1].suffix[1:],
                        *args, raw, paths[-1]], check=True)
    return checksum(content), paths


@pytest.fixture
def ova(tmp_path, disks):
    """As VMware writes them: the description first."""
    subprocess.run(["tar", "-cf", "x.ova", "--format=ustar", "x.ovf",
                    *(path.name for path in disks[1])], cwd=tmp_path, check=True) \
        if (tmp_path / "x.ovf").write_bytes(OVF) else None
    return tmp_path / "x.ova"


# --- any archive -------------------------------------------------------------------

@pytest.mark.sanitizer(every=3)
@pytest.mark.one_thread
@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("seed", range(2))
def test_random_archives(disksum, fails, tmp_path, form, seed):
    """Names of all lengths, members of all sizes and types, and twice the same name:
    the last one counts, as it does for tar."""
    rnd = random.Random(f"{form} {seed}")
    names = ["a", "./b", "d/" * 70 + "e", "x" * 98, "x" * 99, "x" * 100, "ü"]
    if form != "ustar":
        names += ["y" * 101, "z" * 300, "ü" * 120, "w" * 5000]
    members = []
    for _ in range(30):
        name = rnd.choice(names)
        content = rnd.randbytes(rnd.choice([0, 1, 511, 512, 513, rnd.randrange(70000)]))
        fields = {"mtime": rnd.choice([0, 1e9 + 0.5]), "uname": rnd.choice(["", "ü"])}
        if rnd.random() < 0.2:
            fields |= {"type": rnd.choice([tarfile.DIRTYPE, tarfile.FIFOTYPE])}
            name, content = "other", b""
        members.append((member(name, len(content), **fields), content))
    path = archive(tmp_path / "x.tar", members, form,
                   pax_headers={"comment": "é" * 99} if form == "pax" else None)
    contents = {info.name: content for info, content in members}
    contents.pop("other", None)
    for name, content in contents.items():
        assert sums(disksum("-f", "raw", f"--member={name}", path).stdout) == \
            [checksum(content)]
        other = name[2:] if name.startswith("./") else f"./{name}"
        assert sums(disksum("-f", "raw", f"--member={other}", path).stdout) == \
            [checksum(content)]
    assert fails("--member=nix", path).startswith(f"{path}: no member 'nix'")


@pytest.mark.parametrize("form", ["gnu", "pax"])
def test_more_than_8_gib(disksum, tmp_path, form):
    """Base 256, or a record of pax; the archive is sparse, its member is not."""
    path, size = tmp_path / "x.tar", (9 << 30) + 5
    with open(path, "wb") as f:
        f.write(member("large.raw", size).tobuf(FORMATS[form]))
        f.seek(size - 5, os.SEEK_CUR)
        f.write(padded(b"last1"))
        f.write(header("small", 4) + padded(b"tiny"))
    assert sums(disksum("--member=small", path).stdout) == [checksum(b"tiny")]
    line = json.loads(disksum("--json", "--member=large.raw", "--offset=9G", path).stdout)
    assert line["checksum"] == checksum(b"last1")
    assert line["virtual-size"] == 512 and line["read"] == 5


@pytest.mark.parametrize("args", [["--format=gnu"], *(
    ["--format=pax", f"--sparse-version={v}"] for v in ("0.0", "0.1", "1.0"))], ids=str)
def test_sparse_members(disksum, fails, tmp_path, args):
    """They are refused. What follows them is found, however many holes they have."""
    content = write_image(tmp_path / "after", "3000:A")
    write_image(tmp_path / "sparse", "64k:A 64k:- " * 40)
    done = subprocess.run(["tar", "-cSf", "x.tar", *args, "sparse", "after"], cwd=tmp_path,
                          check=False)
    if done.returncode:
        pytest.skip("no such tar")
    assert sums(disksum("--member=after", "x.tar", cwd=tmp_path).stdout) == [checksum(content)]
    assert fails("--member=sparse", "x.tar", cwd=tmp_path) == \
        "x.tar: its member 'sparse' is stored without its holes; extract it first"


def test_global_headers(disksum, tmp_path):
    """A size or a name for all that follow, until it is taken back."""
    def pax(kind, **records):
        return tarfile.TarInfo._create_pax_generic_header(records, kind, "utf-8")

    path = tmp_path / "x.tar"
    path.write_bytes(
        pax(b"g", size="3") + header("a", 0) + padded(b"aaa") +
        pax(b"x", size="") + header("b", 5) + padded(b"bbbbb") +
        pax(b"x", path="c") + pax(b"x", size="4") + header("nix") + padded(b"cccc") +
        pax(b"g", size="") + header("d", 1) + padded(b"d") +
        # Pax comes before GNU.
        header("././@LongLink", 3, b"L") + padded(b"no\0") + pax(b"x", path="e") +
        header("x", 2) + padded(b"ee"))
    for name, content in ("a", b"aaa"), ("b", b"bbbbb"), ("c", b"cccc"), ("d", b"d"), \
            ("e", b"ee"):
        assert sums(disksum(f"--member={name}", path).stdout) == [checksum(content)]


def test_old_archives(disksum, tmp_path):
    """Of UNIX version 7, without a magic; and with the checksum of signed bytes."""
    v7 = bytearray(header("ü", 5))
    v7[156] = 0
    v7[257:] = bytes(255)
    signed = bytearray(sign(v7))
    total = sum(b - 256 * (b > 127) for b in signed[:148] + b" " * 8 + signed[156:])
    signed[148:156] = b"%06o\0 " % total
    for block in sign(v7), bytes(signed), sign(bytes(v7[:124]) + b"     5 " + bytes(v7[131:])):
        (tmp_path / "x.tar").write_bytes(block + padded(b"bytes"))
        assert sums(disksum("--member=ü", tmp_path / "x.tar").stdout) == [checksum(b"bytes")]


# --- members that are not there ------------------------------------------------------

def test_what_is_no_file(fails, tmp_path):
    path = archive(tmp_path / "x.tar", [
        (member("link", type=tarfile.SYMTYPE, linkname="a"), b""),
        (member("hard", type=tarfile.LNKTYPE, linkname="a"), b""),
        (member("dir", type=tarfile.DIRTYPE), b""), (member("a", 3), b"abc"),
        (member("fifo", type=tarfile.FIFOTYPE), b""), (member("chr", type=tarfile.CHRTYPE), b""),
        (member("blk", type=tarfile.BLKTYPE), b""), (member("next", type=b"M"), b"")])
    for name, message in (
            ("link", "is a symbolic link"), ("hard", "is a hard link to another member"),
            ("dir", "is a directory"), ("fifo", "is a FIFO"), ("chr", "is a device"),
            ("blk", "is a device"), ("next", "is not a regular file")):
        # tar writes the name of a directory with a slash.
        name += "/" * (name == "dir")
        assert fails(f"--member={name}", path) == f"{path}: its member '{name}' {message}"


@pytest.mark.parametrize("more, message", [
    (1, "it ends within a header"), (0, "it ends within a sparse member")])
def test_sparse_member_that_is_cut(fails, tmp_path, more, message):
    """More headers follow that of a sparse member, each of which says if there is one more."""
    block = bytearray(header("sparse", 512, b"S"))
    block[257:265] = b"ustar  \0"
    block[482] = 1              # more of them
    path = tmp_path / "x.tar"
    path.write_bytes(sign(block) + bytes(504) + bytes([more]) + bytes(7))
    for name in "sparse", "other":
        assert message in fails(f"--member={name}", path)


def test_the_disks_are_named(fails, tmp_path, disks):
    """By their names, or by their bytes; not too many."""
    qcow2 = disks[1][1].read_bytes()
    path = archive(tmp_path / "x.tar", [
        ("x.ovf", OVF), ("disk", qcow2), ("b.VHD", b"b"), ("empty.raw", b""), ("c.img", b"c")])
    assert fails("--member=nix", path) == \
        f"{path}: no member 'nix'; its disks: 'disk', 'b.VHD' and 'c.img'"
    archive(path, [(f"{i:03}{'x' * 5000}.raw", b"raw") for i in range(300)])
    line = fails("--member=nix", path)
    assert line.endswith(" and 292 more") and len(line) < 4096
    archive(path, [("README", b"hello")])
    assert fails("--member=nix", path) == f"{path}: no member 'nix', and no other is a disk"


def test_what_is_no_archive(fails, tmp_path, disks):
    for path in disks[1]:
        assert fails("--member=a", path) == f"{path}: is not a tar archive"
    path = archive(tmp_path / "x.tar", [("a", b"a")])
    subprocess.run(["gzip", path], check=True)
    assert fails("--member=a", f"{path}.gz") == f"{path}.gz: is not a tar archive; it looks " \
        "like a gzip file: decompress it with 'gzip -d' first"
    for content, message in (b"", "no member 'a'"), (b"short", "is not a tar archive"), \
            (bytes(10240), "no member 'a'"):
        path.write_bytes(content)
        assert message in fails("--member=a", path)


def test_broken_archives(fails, tmp_path):
    path, name = tmp_path / "x.tar", "--member=b"
    first = header("a", 3) + padded(b"aaa")
    second = header("b", 600) + padded(b"b" * 600)
    negative = bytearray(header("b", 1))
    negative[124:136] = b"\xff" * 12
    many = bytearray(header("b", 1))
    many[124:136] = b"\x80" + b"\xff" * 11
    letters = bytearray(header("b", 1))
    letters[124:136] = b"12x\0" + bytes(8)
    for content, message in (
            (first + b"x" + second[1:], "the header at offset 1024 is wrong"),
            (first + second[:600], "it ends at 1624, within the member of 600 bytes whose "
             "header is at offset 1024"),
            (first + second[:100], "the header at offset 1024 is wrong"),
            (first + sign(negative), "the size in the header at offset 1024 is wrong"),
            (first + sign(many), "the size in the header at offset 1024 is wrong"),
            (first + sign(letters), "the size in the header at offset 1024 is wrong"),
            (header("p", 2 << 20, b"x") + bytes(2 << 20), "the extended header at offset 0 "
             f"has {2 << 20} bytes"),
            *((header("p", len(text), b"x") + padded(text) + second,
               "the pax header at offset 0 is wrong")
              for text in (b"6 a=b", b"7 a=b\n", b"0 a=b\n", b"6 abc\n", b"x a=b\n",
                           b"9 size=x\n", b"10 path=\0\n", b"30 size=9999999999999999999999\n",
                           b"99999999999999999999 a=b\n", b" a=b\n"))):
        path.write_bytes(content)
        assert fails(name, path) == f"{path}: broken tar archive: {message}"


@pytest.mark.sanitizer(every=8)
@pytest.mark.one_thread
@pytest.mark.parametrize("seed", range(8))
def test_mutated_archives(disksum, tmp_path, seed):
    """Whatever is in it: a checksum, or one line."""
    rnd = random.Random(seed)
    path = archive(tmp_path / "x.tar", [("a" * 300, b"a" * 700), ("b", b"b" * 3)],
                   ["gnu", "pax"][seed % 2])
    whole = path.read_bytes()
    for _ in range(10):
        content = bytearray(whole)
        for _ in range(rnd.randrange(1, 4)):
            at = rnd.randrange(4096)
            content[at] = rnd.choice([0, 0x80, 0xff, ord("7"), ord("x"), ord("S"), at % 256])
            start = at - at % 512
            content[start:start + 512] = sign(content[start:start + 512])
        path.write_bytes(content)
        done = disksum("--member=b", path, check=False)
        assert (done.returncode, len(done.stdout.splitlines()),
                len(done.stderr.splitlines())) in [(0, 1, 0), (1, 0, 1)]


# --- images in members ----------------------------------------------------------------

@pytest.mark.sanitizer
def test_images(disksum, ova, disks):
    """As if they were files, however they are read: none is aligned to more than a
    sector."""
    expected, paths = disks
    for path in paths:
        name = f"--member={path.name}"
        for args in ([], ["-T", "none"], ["-t1", "--queue-depth=1"], ["--no-extents"],
                     ["--read-size=4k", "-T", "none"], ["-f", path.suffix[1:]]):
            assert sums(disksum(name, *args, ova).stdout) == [expected]
        with open(ova, "rb") as f:
            assert disksum(name, stdin=f).stdout == f"{expected}  -\n"


@pytest.mark.parametrize("method", ["mmap", "copy"])
def test_read_methods(disksum, ova, disks, method):
    for path in disks[1][:2]:
        out = disksum(f"--member={path.name}", ova, env={"DISKSUM_READS": method}).stdout
        assert sums(out) == [disks[0]]


def test_direct_reads(disksum, ova, disks, reads):
    for path in disks[1][:2]:
        out = disksum("-T", "none", f"--member={path.name}", ova,
                      env={"DISKSUM_READS": reads}).stdout
        assert sums(out) == [disks[0]]


def test_exports(disksum, servers, ova, disks):
    for path in disks[1]:
        name = f"--member={path.name}"
        assert sums(disksum(name, servers.nbdkit("file", ova)[0]).stdout) == [disks[0]]
        assert sums(disksum(name, "--", "[", "nbdkit", "file", ova, "]").stdout) == [disks[0]]
    os.truncate(ova, ova.stat().st_size + 65535 & ~65535)  # whole blocks
    odd = servers.nbdkit("--filter=blocksize-policy", "file", ova, "blocksize-minimum=4096",
                         "blocksize-preferred=65536", "blocksize-error-policy=error")[0]
    assert sums(disksum("--member=disk.qcow2", odd).stdout) == [disks[0]]


def test_only_the_member_is_read(disksum, tmp_path):
    write_image(tmp_path / "a", "1M:A")
    write_image(tmp_path / "b", "1M:B 3M:-")
    path = archive(tmp_path / "x.tar", [(name, (tmp_path / name).read_bytes())
                                        for name in ("a", "b", "a")])
    subprocess.run(["cp", "--sparse=always", path, tmp_path / "y.tar"], check=True)
    found = json.loads(disksum("--json", "--member=b", tmp_path / "y.tar").stdout)
    assert (found["member"], found["virtual-size"]) == ("b", 4 << 20)
    assert (1 << 20) <= found["read"] < (1 << 20) + 8192


def test_snapshot_and_part(disksum, tmp_path, disks):
    path = disks[1][1]
    before = disksum("--offset=700", "--length=100k", path).stdout
    subprocess.run(["qemu-img", "snapshot", "-c", "s", path], check=True)
    subprocess.run(["qemu-io", "-c", "write -P 9 0 64k", path], check=True,
                   stdout=subprocess.DEVNULL)
    tar = archive(tmp_path / "x.tar", [("x", path.read_bytes())])
    args = ["--member=x", "--offset=700", "--length=100k"]
    assert sums(disksum("-l", "s", *args, tar).stdout) == sums(before)
    assert sums(disksum(*args, tar).stdout) != sums(before)


def test_names_in_a_member(disksum, fails, tmp_path):
    """It is in no directory."""
    content = write_image(tmp_path / "base", SPEC)
    for base, name in ("base", "relative"), (tmp_path / "base", "absolute"):
        subprocess.run(["qemu-img", "create", "-qf", "qcow2", "-F", "raw", "-b", base, name],
                       check=True, cwd=tmp_path)
    subprocess.run(["qemu-img", "create", "-qf", "vmdk", "-o", "subformat=monolithicFlat",
                    "flat.vmdk", "1M"], check=True, cwd=tmp_path)
    path = archive(tmp_path / "x.tar", [(name, (tmp_path / name).read_bytes()) for name in (
        "relative", "absolute", "flat.vmdk", "flat-flat.vmdk")])
    assert fails("--member=relative", path) == \
        f"{path}: relative: cannot open its backing file 'base': the name is relative, but " \
        "the image is in no directory"
    assert fails("--member=flat.vmdk", path).startswith(
        f"{path}: flat.vmdk: cannot open its extent 'flat-flat.vmdk'")
    assert sums(disksum("--member=absolute", path).stdout) == [checksum(content)]
    assert "--standalone refuses" in fails("--standalone", "--member=absolute", path)


def test_formats_of_qemu(fails, tmp_path):
    subprocess.run(["qemu-img", "create", "-qf", "qed", tmp_path / "x.qed", "1M"], check=True)
    path = archive(tmp_path / "x.tar", [("x.qed", (tmp_path / "x.qed").read_bytes())])
    assert fails("--member=x.qed", path) == \
        f"{path}: x.qed: QEMU reads images in the format 'qed', but not in an archive; " \
        "extract it first"
    assert "not in an archive" in fails("--member=x.qed", "-f", "luks", path)


def test_probing_of_a_member(disksum, fails, tmp_path, disks):
    """By its name, as a file is."""
    qcow2, fixed = disks[1][1].read_bytes(), tmp_path / "fixed.vhd"
    subprocess.run(["qemu-img", "create", "-qf", "vpc", "-o", "subformat=fixed", fixed, "1M"],
                   check=True)
    path = archive(tmp_path / "x.tar", [("disk.img", qcow2), ("x.dmg", b"x" * 512),
                                        ("fixed.vhd", fixed.read_bytes())])
    done = disksum("--member=disk.img", path, check=False)
    assert sums(done.stdout) == [disks[0]]
    assert done.stderr.startswith(f"disksum: {path}: disk.img: warning: it looks like a qcow2")
    assert "format 'dmg'" in fails("--member=x.dmg", path)
    assert "vpc image, but is read as raw" in \
        disksum("--member=fixed.vhd", path, check=False).stderr
    disksum("--member=fixed.vhd", "-f", "vpc", path)


# --- faults ---------------------------------------------------------------------------

def test_read_error(disksum, fails, build, ova):
    """It names the archive, the member, and the offset in that."""
    with tarfile.open(ova) as tar:
        start = tar.getmember("disk.raw").offset_data
        qcow2 = tar.getmember("disk.qcow2").offset_data
    # Whether another one is a disk is of no interest then.
    disksum("--member=disk.raw", ova, env={
        "LD_PRELOAD": f"{build}/tests/read-error.so", "DISKSUM_READS": "copy",
        "READ_ERROR_OFFSET": str(qcow2 + 5)})
    for args in [], ["-T", "none"]:
        line = fails("--member=disk.raw", *args, ova, env={
            "LD_PRELOAD": f"{build}/tests/read-error.so", "DISKSUM_READS": "copy"
            if not args else "threads", "READ_ERROR_OFFSET": str(start + 5000)})
        assert line.startswith(f"{ova}: disk.raw: read error at offset ")
        assert 5000 - 4096 <= int(line.split("offset ")[1].split(":")[0]) <= 5000
        # A bad sector elsewhere does no harm.
        disksum("--member=disk.vdi", *args, ova, env={
            "LD_PRELOAD": f"{build}/tests/read-error.so", "DISKSUM_READS": "copy"
            if not args else "threads", "READ_ERROR_OFFSET": str(start + 5000)})


def test_change_while_it_is_read(disksum, fails, build, ova):
    def change(size):
        return {"LD_PRELOAD": f"{build}/tests/change-file.so", "CHANGE_FILE": str(ova),
                "CHANGE_AT": "open", "CHANGE_SIZE": str(size)}

    size = ova.stat().st_size
    assert fails("--member=disk.raw", ova, env=change(size)) == \
        f"{ova}: disk.raw: the file changed while it was read"
    assert disksum("-U", "--member=disk.raw", ova, env=change(size), check=False).stderr == \
        f"disksum: {ova}: disk.raw: warning: the file changed while it was read\n"
    line = fails("--member=disk.raw", ova, env=change(100000))
    # The header of the next member was beyond the end already.
    assert line.startswith(f"{ova}: ") and line.endswith("it shrank while it was read")


def test_lock(fails, ova):
    with subprocess.Popen(["qemu-io", "-f", "raw", ova], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as writer:
        writer.stdout.read(1)  # its prompt: the image is open
        line = fails("--member=disk.raw", ova)
        writer.communicate(b"quit\n")
    assert line.startswith(f"{ova}: ") and 'Failed to get shared "write" lock' in line


# --- with other options -----------------------------------------------------------------

def test_lists(disksum, fails, tmp_path, ova, disks):
    """A list knows its member. It does not take the place of the archive."""
    args = ["--member=disk.qcow2", ova]
    disksum("--write-list=list", *args, cwd=tmp_path)
    assert sums(disksum("--show", "list", cwd=tmp_path).stdout) == [disks[0]]
    shutil.copy(tmp_path / "list", tmp_path / "list.part")
    assert f"the member of '{ova}' was disk.qcow2, and is disk.raw now" in \
        fails("--write-list=list", "--resume", "--member=disk.raw", ova, cwd=tmp_path)
    disksum("--write-list=list", "--resume", *args, cwd=tmp_path)
    assert "is not a digest list" in fails(f"--write-list={ova}", *args)


@pytest.mark.parametrize("style", ["--tag", "--json"])
def test_check(disksum, tmp_path, ova, disks, style):
    lines = "".join(disksum(style, f"--member={path.name}", "x.ova", cwd=tmp_path).stdout
                    for path in disks[1])
    out = disksum("-c", input=lines, cwd=tmp_path).stdout
    assert out == "".join(f"x.ova (member={path.name}): OK\n" for path in disks[1])
    plain = disksum("--member=disk.raw", "x.ova", cwd=tmp_path).stdout
    assert disksum("-c", "--member=disk.vdi", input=plain, cwd=tmp_path).stdout == \
        "x.ova: OK\n"


def test_diff(disksum, tmp_path, ova):
    """The same place of the same archive is not read."""
    done = disksum("--diff", "-v", "--member=disk.qcow2", ova, ova, check=False)
    assert (done.returncode, done.stdout) == (0, "") and "read 0 B" in done.stderr
    disksum("--write-list=disk.blkhash", "--member=disk.qcow2", ova, cwd=tmp_path)
    disksum("--diff", "--member=disk.qcow2", "disk.blkhash", ova, cwd=tmp_path)
    done = disksum("--diff", "--member=disk.raw", "disk.blkhash", ova, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (
        2, "disksum: disk.blkhash: is not the digest list of this part; the --member option "
        "requires that, or two images\n")
    other = archive(tmp_path / "y.tar", [("other", bytes(512)), ("disk.raw", bytes(512))])
    done = disksum("--diff", "--member=disk.raw", other, ova, check=False)
    assert done.stdout.startswith("0 512 zero in A\n")


@pytest.mark.parametrize("args, message", [
    (["--show"], "the --member and --show options are mutually exclusive"),
    (["--merge"], "the --member and --merge options are mutually exclusive"),
    (["--image-opts"], "the --member and --image-opts options are mutually exclusive")])
def test_usage(disksum, args, message):
    done = disksum("--member=a", *args, "x", check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"disksum: {message}")


def test_what_has_no_members(fails, ova):
    assert fails("--member=a", input=ova.read_bytes()) == \
        "-: a pipe cannot be read as an archive; --member requires a file"
    name = f'json:{{"driver":"raw","file":{{"driver":"file","filename":"{ova}"}}}}'
    assert "--member requires a plain name" in fails("--member=a", name)


# --- archives that are given as images ----------------------------------------------------

def test_appliance(disksum, fails, ova, tmp_path, loop_device):
    """It is refused, unless it may be a guest's disk."""
    line = fails(ova)
    assert line.startswith(f"{ova}: is an OVA archive, not an image; --member=NAME hashes a "
                           "disk in it: 'disk.raw', ")
    assert "with --member" in fails(input=ova.read_bytes())
    outer = archive(tmp_path / "outer.tar", [("x.ova", ova.read_bytes())])
    assert fails("--member=x.ova", outer).startswith(
        f"{outer}: x.ova: is an OVA archive, not an image; extract it first, then --member=NAME")
    expected = [checksum(ova.read_bytes())]
    assert sums(disksum("-f", "raw", ova).stdout) == expected
    shutil.copy(ova, tmp_path / "x.img")
    for place in [tmp_path / "x.img"], [loop_device(ova)], ["--", "[", "nbdkit", "file", ova, "]"]:
        done = disksum(*place, check=False)
        assert sums(done.stdout) == expected
        assert "warning: it looks like an OVA archive, but is read as raw; --member=NAME " \
            "reads a disk in it" in done.stderr
    broken = ova.read_bytes()[:1024] + b"x" * 512
    ova.write_bytes(broken)
    assert "is an OVA archive" in fails(ova)


def test_other_archives(disksum, tmp_path):
    path = archive(tmp_path / "x.tar", [("a.vmdk", b"a")])
    outer = archive(tmp_path / "outer.tar", [("x.tar", path.read_bytes())])
    for args, kwargs, name, first in (
            ([path], {}, path, ""), ([], {"input": path.read_bytes()}, "-", "from a file, "),
            (["--member=x.tar", outer], {}, f"{outer}: x.tar", "extract it first, then ")):
        done = disksum(*args, check=False, **kwargs)
        assert sums(done.stdout) == [checksum(path.read_bytes())]
        assert done.stderr == f"disksum: {name}: warning: it looks like a tar archive, but is " \
            f"read as raw; {first}--member=NAME reads a disk in it; -f raw stops this warning\n"
    path.write_bytes(b"x" + path.read_bytes()[1:])  # the checksum is wrong
    disksum(path)


def test_disk_of_nbdkit(disksum, servers, ova, disks):
    """Of an appliance through nbdkit. A message says which option reads it."""
    uri = servers.nbdkit("--filter=tar", "file", ova, "tar-entry=stream.vmdk")[0]
    assert "-f vmdk reads the disk in it" in disksum(uri, check=False).stderr
    assert sums(disksum("-f", "vmdk", uri).stdout) == [disks[0]]
