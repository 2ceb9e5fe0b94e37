# SPDX-License-Identifier: LGPL-2.1-or-later
"""An image is never hashed as if it were raw, unless it is raw to QEMU."""

import re
import struct
import subprocess

import pytest

from conftest import sums
from oracle import checksum
from hostile_images import hostile, hostile_qed

# How to make an image of each format with qemu-img.
FORMATS = {
    "qcow": "qemu-img create -q -f qcow {} 1M",
    "qed": "qemu-img create -q -f qed {} 1M",
    "vmdk": "qemu-img create -q -f vmdk {} 1M",
    "vdi": "qemu-img create -q -f vdi {} 1M",
    "vhdx": "qemu-img create -q -f vhdx {} 1M",
    "vpc": "qemu-img create -q -f vpc {} 1M",
    "parallels": "qemu-img create -q -f parallels {} 1M",
}


def refused_pipe(line, format):
    return line == f"-: is a {format} image; from a pipe only a raw image " \
        "can be read ('-f raw' hashes the bytes as they are)"


# Without qemu-nbd, which reads all formats but these.
NATIVE = {"vdi", "vhdx", "vmdk", "vpc"}
NO_QEMU = {"PATH": "/nonexistent"}


def refused(line, path):
    return line == f"{path}: cannot run 'qemu-nbd' (package qemu-utils): " \
        "No such file or directory"


@pytest.mark.parametrize("format", FORMATS)
def test_container(disksum, fails, tmp_path, format):
    path = tmp_path / "image"
    subprocess.run(FORMATS[format].format(path).split(), check=True)
    if format in NATIVE:
        assert sums(disksum(path, env=NO_QEMU).stdout) != [checksum(path)]
    else:
        assert refused(fails(path, env=NO_QEMU), path)
    assert refused_pipe(fails(input=path.read_bytes()), format)
    # -f raw prints the checksum of the container.
    assert sums(disksum("-f", "raw", path).stdout) == [checksum(path)]
    with open(path, "rb") as f:
        assert sums(disksum("-f", "raw", stdin=f).stdout) == [checksum(path)]


def test_qcow2_from_a_pipe(fails, tmp_path):
    path = tmp_path / "image"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1M"],
                   check=True)
    assert refused_pipe(fails(input=path.read_bytes()), "qcow2")
    assert fails("-f", "qcow2", input=path.read_bytes()) == \
        "-: a pipe can only be read as a raw image"


BOCHS = b"Bochs Virtual HD Image".ljust(32, b"\0") + \
    b"Redolog".ljust(16, b"\0") + b"Growing".ljust(16, b"\0") + b"\0\0\2\0"
CLOOP = b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0 && " \
    b"mount -r -t iso9660 /dev/cloop $1\n"


@pytest.mark.parametrize("format, start, size", [
    ("bochs", BOCHS, 4096),
    ("bochs", BOCHS[:66] + b"\1\0", 4096),
    ("cloop", CLOOP, 4096),
    ("parallels", b"WithouFreSpacExt\2\0\0\0", 4096),
    ("parallels", b"WithoutFreeSpace\2\0\0\0", 4096),
    ("luks", b"LUKS\xba\xbe\0\1", 4096)])
def test_magic(fails, tmp_path, format, start, size):
    path = tmp_path / "image"
    path.write_bytes(start.ljust(size, b"\0"))
    assert refused(fails(path, env=NO_QEMU), path)
    # QEMU recognises the format, too, but there is no image.
    assert fails(path).startswith(f"{path}: QEMU: ")


@pytest.mark.parametrize("start, like", [
    (BOCHS[:21], ""), (BOCHS[:23], "Bochs"), (BOCHS[:48], "Bochs"),
    (BOCHS[:66] + b"\3\0", "Bochs"), (BOCHS.replace(b"Growing", b"Undoable"), "Bochs"),
    (CLOOP[:38], ""), (CLOOP[:-1] + b" ", ""),
    (b"WithouFreSpacExt", "Parallels"), (b"WithoutFreeSpace\1\0\0\0", "Parallels"),
    (b"LUKS\xba\xbe\0\2", "")])
def test_content_of_a_disk(disksum, tmp_path, start, like):
    """The file begins like a container, but is raw to QEMU. (cryptsetup makes LUKS 2
    on a disk.) There is a warning if it can only be one of another kind."""
    path = tmp_path / "image"
    path.write_bytes(start.ljust(4096, b"\0"))
    info = subprocess.run(["qemu-img", "info", "--output=json", path],
                          capture_output=True, text=True, check=True)
    assert '"format": "raw"' in info.stdout
    done = disksum(path, check=not like)
    assert sums(done.stdout) == [checksum(path)]
    assert not like or f"it looks like a {like} image of a " in done.stderr


def test_dmg_by_its_name(disksum, fails, tmp_path):
    """QEMU recognises DMG by the name, and looks for the trailer near the end."""
    content = bytes(4096) + b"koly" + bytes(508)
    path, named = tmp_path / "image", tmp_path / "image.dmg"
    path.write_bytes(content)
    done = disksum(path, check=False)
    assert sums(done.stdout) == [checksum(content)]
    assert "looks like a dmg image, but is read as raw" in done.stderr
    for padding in 0, 1, 511, 4096:
        named.write_bytes(content + bytes(padding))
        assert fails(named).startswith(f"{named}: QEMU: ")
        assert sums(disksum("-f", "raw", named).stdout) == [checksum(named)]


def test_vmdk_text_of_another_version(disksum, tmp_path):
    path = tmp_path / "image"
    path.write_bytes(b"# Disk DescriptorFile\nversion=4\n".ljust(1024))
    done = disksum(path, check=False)
    assert sums(done.stdout) == [checksum(path)]
    assert "looks like a vmdk image, but is read as raw" in done.stderr


FLAT = 'RW 2048 FLAT "flat" 0\n'


@pytest.mark.parametrize("extents", [
    "", "# no extent\n", 'RDONLY 2048 FLAT "flat" 0\n', "RW 2048 ZERO\n",
    "NOACCESS 2048\n", 'RW 0 FLAT "flat" 0\n', 'RW 2048 NOTHING "flat" 0\n',
    FLAT + 'RDONLY 2048 FLAT "flat" 0\n', FLAT + "RW 2048 ZERO\n",
    FLAT + "RW" + 3000 * " " + '2048 FLAT "flat" 0\n', FLAT + "RW 2048"])
def test_vmdk_of_which_qemu_shows_a_part(disksum, fails, tmp_path, extents):
    (tmp_path / "flat").write_bytes(b"disk" * 262144)
    path = tmp_path / "image"
    head = "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n" \
        'createType="monolithicFlat"\n'
    options = "--image-opts", f"driver=vmdk,file.filename={path}"
    path.write_text(head + FLAT)
    assert sums(disksum(*options).stdout) == [checksum(tmp_path / "flat")]
    path.write_text(head + extents)
    for arguments in options, [hostile_qed(tmp_path / "above", str(path))]:
        line = fails(*arguments)
        assert "QEMU would leave out an extent" in line or \
            "a line of this VMDK image is too long" in line or \
            line.endswith(f"{path}: this VMDK image has no extents")


def test_embedded_vmdk_of_which_qemu_shows_a_part(disksum, fails, tmp_path):
    """QEMU does not look at the descriptor of an image that has a capacity."""
    path = tmp_path / "image"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vmdk", path, "1M"], check=True)
    content = path.read_bytes()
    options = "--image-opts", f"driver=vmdk,file.filename={path}"
    text = content[512:10752].rstrip(b"\0")
    for more in b"", b"# RW\n", b"RWX 1\n":
        path.write_bytes(content[:512] + (text + more).ljust(10240, b"\0") + content[10752:])
        for arguments in options, [path]:
            assert sums(disksum(*arguments).stdout) == [checksum(bytes(1 << 20))]
    for more in b'RW 2048 SPARSE "other"\n', b"\nRDONLY 2048 ZERO\n", b"NOACCESS 1\n":
        path.write_bytes(content[:512] + (text + more).ljust(10240, b"\0") + content[10752:])
        assert "QEMU would leave out an extent" in fails(*options)


def test_vmdk_with_the_longest_type_of_extent(disksum, tmp_path):
    path, extent, raw = (tmp_path / name for name in ("image", "extent", "raw"))
    header = struct.pack("<4s8I", b"COWD", 1, 3, 2048, 8, 4, 1, 0, 0)
    extent.write_bytes(header.ljust(2048, b"\0") + bytes(2048))
    path.write_text("# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
                    'createType="vmfsSparse"\nRW 2048 VMFSSPARSE "extent"\n')
    subprocess.run(["qemu-img", "convert", "-O", "raw", path, raw], check=True)
    for arguments in [path], ["--image-opts", f"driver=vmdk,file.filename={path}"]:
        assert sums(disksum(*arguments).stdout) == [checksum(raw)]


# Descriptors that are, or are not, VMDK to QEMU's probing.
@pytest.mark.parametrize("text", [
    "version=1\n", "version=2\r\n", "version=3\n", "# anything\nversion=1\n",
    "#\r\nversion=1\r\n", " \nversion=1\n", "   \r\n#\n \nversion=2\n",
    "\nversion=1\n", "version=1", "version=4\n", "version=1 \n", " #\nversion=1\n",
    "\r\nversion=1\n", "# version=1\n", "#" * 505 + "\nversion=1\n"])
def test_vmdk_text(disksum, tmp_path, text):
    """disksum takes a file for VMDK if QEMU does."""
    path = tmp_path / "image"
    path.write_bytes(text.encode() +
                     b'createType="monolithicFlat"\nCID=1\nparentCID=ffffffff\n'
                     b'RW 2048 FLAT "flat" 0\n'.ljust(1024))
    (tmp_path / "flat").write_bytes(bytes(1 << 20))
    info = subprocess.run(["qemu-img", "info", "--output=json", path],
                          capture_output=True, text=True)
    done = disksum(path, env=NO_QEMU, check=False)
    assert info.returncode == 0
    if '"format": "raw"' in info.stdout:
        assert sums(done.stdout) == [checksum(path)]
    else:
        assert sums(done.stdout) == [checksum(tmp_path / "flat")]


@pytest.mark.parametrize("format, start", [
    ("qcow2", b"QFI\xfb\0\0\0\3"), ("qcow", b"QFI\xfb\0\0\0\1"), ("qed", b"QED\0"),
    ("vmdk", b"KDMV"), ("vmdk", b"COWD"), ("vmdk", b"version=1\n"), ("vhdx", b"vhdxfile"),
    ("vpc", b"conectix"), ("luks", b"LUKS\xba\xbe\0\1"),
    ("parallels", b"WithoutFreeSpace\2\0\0\0")])
def test_two_formats(disksum, fails, tmp_path, format, start):
    """The text before the header of a VDI image is the magic of another format. Which of
    them QEMU takes depends on the order in which it was linked."""
    raw, path, top = (tmp_path / name for name in ("raw", "image", "top"))
    raw.write_bytes(b"disk" * 131072)
    subprocess.run(["qemu-img", "convert", "-O", "vdi", raw, path], check=True)
    with open(path, "r+b") as f:
        f.write(start)
    line = fails(path)
    assert line.startswith(f"{path}: looks like both a ")
    assert "vdi" in line and f"a {format} " in line and "-f" in line
    assert sums(disksum("-f", "vdi", path).stdout) == [checksum(raw)]
    assert sums(disksum("-f", "raw", path).stdout) == [checksum(path)]
    # QEMU would also choose one for an image that names it.
    for make in hostile, hostile_qed:
        assert "image: looks like both a " in fails(make(top, "image"))
    assert "image: looks like both a " in fails("--image-opts", f"file.filename={path}")


def test_two_formats_in_an_export(disksum, servers, tmp_path):
    """An export is raw whatever it looks like."""
    path = tmp_path / "image"
    path.write_bytes(b"conectix".ljust(64) + b"\x7f\x10\xda\xbe" + bytes(4028))
    uri, _ = servers.nbdkit("file", path)
    done = disksum(uri, check=False)
    assert sums(done.stdout) == [checksum(path)]
    assert "is read as raw" in done.stderr


def test_cloop_that_is_named_dmg(fails, tmp_path):
    path = tmp_path / "image.dmg"
    path.write_bytes(CLOOP.ljust(4096, b"\0"))
    assert "looks like both a cloop and a dmg image" in fails(path)


def test_fixed_vpc(disksum, tmp_path):
    """It is raw to QEMU, so there is a warning."""
    raw, path = tmp_path / "raw", tmp_path / "image"
    raw.write_bytes(b"disk" * 131072)
    subprocess.run(["qemu-img", "convert", "-O", "vpc", "-o",
                    "subformat=fixed,force_size=on", raw, path], check=True)
    done = disksum(path, check=False)
    assert sums(done.stdout) == [checksum(path)]
    assert done.stderr == f"disksum: {path}: warning: it looks like a " \
        "vpc image, but is read as raw; -f vpc reads the disk in it; -f raw " \
        "stops this warning\n"
    for options, content in (["-f", "raw"], path), (["-f", "vpc"], raw):
        done = disksum(*options, path)
        assert (sums(done.stdout), done.stderr) == ([checksum(content)], "")
    top = tmp_path / "top"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "image",
                    "-F", "raw", top], check=True)
    assert disksum(top).stderr == ""


def test_almost_a_magic(disksum, tmp_path):
    path = tmp_path / "image"
    for content in b"QFI\xfb", b"QFI\xfb" + bytes(4), b"QFI\xfa\0\0\0\3", \
            b"\0QFI\xfb", b"conectiX":
        path.write_bytes(content)
        assert sums(disksum(path).stdout) == [checksum(content)]


@pytest.mark.parametrize("name", ["disk.raw", "disk.img", "disk.qcow2", "device"])
def test_probed_where_raw_disks_are(disksum, loop_device, tmp_path, name):
    """A guest that writes a raw disk can make it look like another format."""
    path = tmp_path / name
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, "1M"],
                   check=True)
    if name == "device":
        path.write_bytes(path.read_bytes().ljust(1 << 20, b"\0"))
        path = loop_device(path)
    done = disksum(path, check=False)
    assert sums(done.stdout) == [checksum(bytes(1 << 20))]
    assert ("give -f qcow2 or -f raw" in done.stderr) == (name != "disk.qcow2")
    assert disksum("-f", "qcow2", path).stderr == ""
    assert disksum("-q", path).stderr == ""


def test_formats_are_named_once(root):
    """The names are in the table of formats and in their own files. Other code takes
    them from the table, but for that of raw."""
    table = root / "format/formats.c"
    names = set(re.findall(r'\.name = "(.*)"', table.read_text())) - {"raw"}
    assert len(names) > 10
    found = set()
    for room in "common", "reader", "nbd", "qemu", "format", "image", "engine", "cli":
        for path in (root / room).glob("*.c"):
            used = names & set(re.findall(r'"(\w+)"', path.read_text()))
            found |= {path.name for name in used
                      if path != table and not path.name.startswith(name)}
    assert not found
