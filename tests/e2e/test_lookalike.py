# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is no disk, but is given as one: its bytes are hashed, with a warning."""

import gzip
import shutil
import subprocess
import zipfile

import pytest

from conftest import sums
from hostile_images import hostile
from oracle import checksum

CONTENT = b"disk" * 16384


def compressed(program, *args):
    def make(path):
        if not shutil.which(program):
            pytest.skip(f"no {program}")
        path.write_bytes(subprocess.run([program, *args], input=CONTENT, check=True,
                                        stdout=subprocess.PIPE).stdout)
    return make


def make_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("disk.raw", CONTENT)


def text(content):
    return lambda path: path.write_text(content)


GZIP = compressed("gzip", "-c"), "a gzip file", "decompress it with 'gzip -d' first"

KINDS = {
    "gzip": GZIP,
    "xz": (compressed("xz", "-c"), "an xz file", "decompress it with 'xz -d' first"),
    "lzma": (compressed("xz", "-c", "--format=lzma"), "an lzma file",
             "decompress it with 'xz -d' first"),
    "zstd": (compressed("zstd", "-c"), "a zstd file",
             "decompress it with 'zstd -d' first"),
    "bzip2": (compressed("bzip2", "-c"), "a bzip2 file",
              "decompress it with 'bzip2 -d' first"),
    "lz4": (compressed("lz4", "-c"), "an lz4 file", "decompress it with 'lz4 -d' first"),
    "lz4 -l": (compressed("lz4", "-c", "-l"), "an lz4 file",
               "decompress it with 'lz4 -d' first"),
    "lzip": (compressed("lzip", "-c"), "an lzip file",
             "decompress it with 'lzip -d' first"),
    "lzop": (compressed("lzop", "-c"), "an lzop file",
             "decompress it with 'lzop -d' first"),
    "zip": (make_zip, "a zip archive", "extract the disk with 'unzip' first"),
    "html": (text("\n<!doctype HTML>\n<title>404 Not Found</title>\n"),
             "a web page (HTML)", "get the image again if it is a server's error message"),
    "lfs": (text("version https://git-lfs.github.com/spec/v1\n"
                 f"oid sha256:{64 * '0'}\nsize 65536\n"),
            "a Git LFS pointer", "get the file with 'git lfs pull'"),
    "bom": (text("\ufeff# Disk DescriptorFile\nversion=1\n"),
            "a VMDK descriptor with a byte order mark",
            "remove the mark, its first 3 bytes"),
}


def warning(name, what, advice):
    return f"disksum: {name}: warning: it looks like {what}, but is read as raw; " \
        f"{advice}; -f raw stops this warning\n"


@pytest.mark.sanitizer(every=6)
@pytest.mark.parametrize("kind", KINDS)
def test_kind(disksum, tmp_path, kind):
    make, what, advice = KINDS[kind]
    path = tmp_path / "disk.img"
    make(path)
    done = disksum(path, check=False)
    assert (done.returncode, sums(done.stdout)) == (0, [checksum(path)])
    assert done.stderr == warning(path, what, advice)
    assert disksum("-f", "raw", path).stdout == done.stdout
    assert disksum("-q", path).stdout == done.stdout


@pytest.fixture
def zipped(tmp_path):
    path = tmp_path / "disk.gz"
    path.write_bytes(gzip.compress(CONTENT).ljust(1024, b"\0"))
    return path


@pytest.mark.sanitizer
@pytest.mark.parametrize("way", [
    "pipe", "file", "list", "export", "command", "blkdebug", "device"])
def test_input(disksum, loop_device, servers, tmp_path, zipped, way):
    """Wherever it is read from."""
    name, args, more = "-", [], {"input": zipped.read_bytes()}
    if way == "file":
        more = {"stdin": open(zipped, "rb")}
    elif way == "list":
        args = [f"--write-list={tmp_path}/list"]
    elif way == "export":
        name, _ = servers.nbdkit("file", zipped)
        args = [name]
    elif way == "command":
        args = ["--", "[", "nbdkit", "file", zipped, "]"]
    elif way == "blkdebug":
        name = f"blkdebug::{zipped}"
        args = [name]
    elif way == "device":
        name = loop_device(zipped)
        args = [name]
    done = disksum(*args, check=False, **more)
    assert (done.returncode, sums(done.stdout)) == (0, [checksum(zipped)])
    expected = warning(name, *GZIP[1:])
    if way == "command":
        assert done.stderr.endswith(expected.partition(": warning: ")[2])
    else:
        assert done.stderr == expected


def test_backing_file(disksum, tmp_path, zipped):
    """Unless its format is recorded."""
    top = hostile(tmp_path / "top", str(zipped))
    done = disksum(top, check=False)
    assert warning(zipped, *GZIP[1:]) in done.stderr
    subprocess.run(["qemu-img", "rebase", "-q", "-u", "-b", zipped, "-F", "raw", top],
                   check=True)
    assert disksum(top).stdout == done.stdout


@pytest.mark.parametrize("options", [["-q"], ["-f", "raw"]])
def test_pipe_without_a_warning(disksum, zipped, options):
    done = disksum(*options, input=zipped.read_bytes())
    assert sums(done.stdout) == [checksum(zipped)]


def test_check_and_diff(disksum, tmp_path, zipped):
    listed = tmp_path / "SUMS"
    listed.write_text(f"{checksum(zipped)}  {zipped}\n")
    expected = warning(zipped, *GZIP[1:])
    done = disksum("-c", listed, check=False)
    assert (done.stdout, done.stderr) == (f"{zipped}: OK\n", expected)
    assert disksum("-c", "-q", listed).stdout == ""
    done = disksum("--diff", zipped, zipped, check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr.startswith(expected)
    digests = tmp_path / "zipped.blkhash"
    disksum("-q", f"--write-list={digests}", zipped)
    done = disksum("--diff", digests, "-", input=zipped.read_bytes(), check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == warning("-", *GZIP[1:])


@pytest.mark.parametrize("more", [0, 1, 511, -1, -504])
def test_vpc_of_fixed_size_in_a_pipe(disksum, tmp_path, more):
    """Its footer comes last, in any part of the last read."""
    raw, path = tmp_path / "raw", tmp_path / "image"
    raw.write_bytes(b"disk" * 262144)
    subprocess.run(["qemu-img", "convert", "-O", "vpc", "-o",
                    "subformat=fixed,force_size=on", raw, path], check=True)
    content = path.read_bytes()
    content = content + bytes(more) if more > 0 else content[:len(content) + more]
    for options in [], ["--read-size=4k", "--block-size=512"]:
        done = disksum(*options, input=content, check=False)
        assert done.returncode == 0
        found = "-: warning: it looks like a vpc image, but is read as raw; from a " \
            "file, -f vpc reads the disk in it; -f raw stops this warning\n"
        assert done.stderr == (f"disksum: {found}" if more <= 0 else "")
