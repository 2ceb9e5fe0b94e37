# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container is never hashed as if it were the disk inside."""

import subprocess

import pytest

from conftest import sums
from oracle import checksum

# How each format is made; a way that needs nothing but qemu-img.
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
        "can be read ('-f raw' would hash the container)"


# Without qemu-nbd, which reads containers.
NO_QEMU = {"PATH": "/nonexistent"}


def refused(line, path):
    return line == f"{path}: can not run 'qemu-nbd', of the package " \
        "qemu-utils: No such file or directory"


@pytest.mark.parametrize("format", FORMATS)
def test_container(disksum, fails, tmp_path, format):
    path = tmp_path / "image"
    subprocess.run(FORMATS[format].format(path).split(), check=True)
    assert refused(fails(path, env=NO_QEMU), path)
    assert refused_pipe(fails(input=path.read_bytes()), format)
    # Whoever wants the container's own checksum can say so.
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


@pytest.mark.parametrize("format, start, end", [
    ("dmg", b"", b"koly" + bytes(508)),
    ("bochs", b"Bochs Virtual HD Image\0", b""),
    ("cloop", b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop", b""),
    ("vmdk", b"COWD", b""),
    ("vmdk", b"# Disk DescriptorFile\n", b""),
    ("parallels", b"WithouFreSpacExt", b""),
    ("luks", b"LUKS\xba\xbe\0\1", b""),
    ("luks", b"LUKS\xba\xbe\0\2", b"")])
def test_magic(fails, tmp_path, format, start, end):
    path = tmp_path / "image"
    path.write_bytes(start + bytes(4096 - len(start)) + end)
    assert refused(fails(path, env=NO_QEMU), path)
    # Nor does QEMU find an image in it.
    assert fails(path).startswith(f"{path}: QEMU: ")


# What stands before the version in the text that describes a VMDK image.
@pytest.mark.parametrize("text", [
    "version=1\n", "version=2\r\n", "version=3\n", "# anything\nversion=1\n",
    "#\r\nversion=1\r\n", " \nversion=1\n", "   \r\n#\n \nversion=2\n",
    "\nversion=1\n", "version=1", "version=4\n", "version=1 \n", " #\nversion=1\n",
    "\r\nversion=1\n", "# version=1\n", "#" * 505 + "\nversion=1\n"])
def test_vmdk_text(disksum, tmp_path, text):
    """Taken for VMDK when QEMU's probing takes it for that."""
    path = tmp_path / "image"
    path.write_bytes(text.encode() + b"createType=\n".ljust(1024))
    info = subprocess.run(["qemu-img", "info", "--output=json", path],
                          capture_output=True, text=True)
    done = disksum(path, env=NO_QEMU, check=False)
    if info.returncode == 0:
        assert '"format": "raw"' in info.stdout
        assert sums(done.stdout) == [checksum(path)]
    else:
        assert refused(done.stderr.removeprefix("disksum: ").rstrip(), path)


def test_fixed_vpc(disksum, tmp_path):
    """QEMU takes it for raw; nobody should get that unawares."""
    raw, path = tmp_path / "raw", tmp_path / "image"
    raw.write_bytes(b"disk" * 131072)
    subprocess.run(["qemu-img", "convert", "-O", "vpc", "-o",
                    "subformat=fixed,force_size=on", raw, path], check=True)
    done = disksum(path, check=False)
    assert sums(done.stdout) == [checksum(path)]
    assert done.stderr == f"disksum: {path}: warning: it ends like a vpc " \
        "image, and is read as raw, as QEMU does; -f vpc reads the disk in it\n"
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
