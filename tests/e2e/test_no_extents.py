# SPDX-License-Identifier: LGPL-2.1-or-later
"""--no-extents: what file systems report as holes is read, and must be zeros. Servers
are not asked for theirs."""

import json
import re
import subprocess

import pytest

import vmdk_image
from conftest import sums
from hostile_images import SIZE, hostile
from oracle import checksum, write_image

SPEC = "300k:A 1M:- 64k:0 5000:B 200k:- 3M:C 7M:- 512:D 1M:E 3M:-"
MiB = 1 << 20


def counts(disksum, *args):
    result = disksum("--json", *args)
    assert not result.stderr
    return json.loads(result.stdout)


@pytest.mark.sanitizer
@pytest.mark.parametrize("cache", ["none", "writeback"])
def test_holes_of_a_file_are_read(disksum, tmp_path, cache):
    image = tmp_path / "image.raw"
    content = write_image(image, SPEC)
    seen = counts(disksum, "--no-extents", "-T", cache, image)
    assert seen["checksum"] == checksum(content)
    assert seen["read"] == len(content)
    assert seen["hole"] == 0
    assert seen["zero"] > 9 * MiB


def test_holes_under_qcow2_clusters_are_read(disksum, tmp_path):
    image = tmp_path / "image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-o",
                    "preallocation=metadata", image, "4M"], check=True)
    content = bytes(4 * MiB)
    without = counts(disksum, image)
    seen = counts(disksum, "--no-extents", image)
    assert without["checksum"] == seen["checksum"] == checksum(content)
    assert without["read"] == 0
    assert seen["read"] > 0


def test_an_unallocated_cluster_has_nothing_to_read(disksum, tmp_path):
    image = tmp_path / "image.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "4M"], check=True)
    assert counts(disksum, "--no-extents", image)["hole"] == 4 * MiB


def with_data(start):
    return bytes(start) + b"A" * 1000 + bytes(4 * MiB - start - 1000)


@pytest.fixture
def lies(disksum, build):
    """Run disksum where the file system reports a hole from 1 to 2 MiB."""
    def run(*args):
        return disksum(*args, check=False, env={
            "LD_PRELOAD": f"{build}/tests/false-hole.so", "FALSE_HOLE": str(MiB),
            "HOLE_LENGTH": str(MiB)})
    return run


@pytest.mark.parametrize("start", [MiB, MiB + 1, MiB + 70001, 2 * MiB - 1])
def test_data_in_a_hole(lies, tmp_path, start):
    content = with_data(start)
    path = tmp_path / "disk"
    path.write_bytes(content)
    told = content[:MiB] + bytes(MiB) + content[2 * MiB:]

    assert sums(lies(path).stdout) == [checksum(told)]
    result = lies("--no-extents", path)
    assert result.returncode == 0
    assert sums(result.stdout) == [checksum(content)]
    assert result.stderr == f"disksum: {path}: warning: found data at offset {start}, " \
        "which was reported as a hole\n"
    assert lies("--no-extents", "-q", path).stderr == ""


def test_the_first_of_two_files(disksum, build, tmp_path):
    """Whatever is read first: here what follows is in the page cache."""
    for name in ("first", "second"):
        write_image(tmp_path / name, "5M:A")
    (tmp_path / "disk").write_text(vmdk_image.descriptor(
        'RW 4096 FLAT "first" 0', 'RW 8192 FLAT "second" 0'))
    done = disksum("-t1", "--no-extents", tmp_path / "disk", check=False, env={
        "LD_PRELOAD": f"{build}/tests/false-hole.so:{build}/tests/slow-read.so",
        "FALSE_HOLE": str(MiB), "HOLE_LENGTH": str(2 * MiB), "DISKSUM_READS": "copy",
        "SLOW_READ_OFFSET": str(MiB), "SLOW_READ_SECONDS": "0"})
    assert done.stderr == f"disksum: {tmp_path}/first: warning: found data at offset {MiB}, " \
        "which was reported as a hole\n"


def test_data_beside_a_hole(lies, tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(with_data(2 * MiB))
    result = lies("--no-extents", path)
    assert (sums(result.stdout), result.stderr) == ([checksum(path)], "")


# What a server is asked.
ASKED = re.compile("block status|base:allocation|qemu:dirty-bitmap:b0$", re.MULTILINE)


def asked(disksum, *args):
    done = disksum(*args, check=False, env={"DISKSUM_DEBUG": "nbd"})
    assert done.returncode == 0
    return done, set(ASKED.findall(done.stderr))


@pytest.mark.sanitizer
@pytest.mark.parametrize("way", ["uri", "command", "backing file", "qemu", "diff"])
def test_no_status_is_asked(disksum, servers, tmp_path, way):
    """A server may not know where its holes are, or take long to find out. This one would
    say that all is a hole."""
    content = with_data(MiB)
    path = servers.directory / "content"
    path.write_bytes(content)
    command = [
        "eval", f"get_size=echo {len(content)}",
        f"pread=dd if={path} iflag=skip_bytes,count_bytes skip=$4 count=$3 bs=64k 2>/dev/null",
        "can_extents=exit 0", f"extents=echo 0 {len(content)} hole,zero"]
    args = ["--", "[", "nbdkit", *command, "]"]
    if way != "command":
        uri, _ = servers.nbdkit(*command)
        args = [uri]
    if way == "backing file":
        args = ["--trust-names", "-q", hostile(tmp_path / "top", uri)]
        content = content[:SIZE]
    elif way == "qemu":
        args = [tmp_path / "image.qed"]
        subprocess.run(["qemu-img", "convert", "-O", "qed", path, *args], check=True)
    elif way == "diff":
        args = ["--diff", uri, path]
    done, seen = asked(disksum, "--no-extents", *args)
    assert not seen
    assert done.stdout == "" if way == "diff" else sums(done.stdout) == [checksum(content)]


def test_no_status_but_of_the_bitmap(disksum, servers, tmp_path):
    """--bitmap cannot do without."""
    image, listed = tmp_path / "image", tmp_path / "list"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "4M"], check=True)
    subprocess.run(["qemu-img", "bitmap", "--add", image, "b0"], check=True)
    subprocess.run(["qemu-io", "-f", "qcow2", "-c", "write -P 1 1M 1M", image], check=True,
                   stdout=subprocess.DEVNULL)
    uri, _ = servers.qemu_nbd(image, "-B", "b0", format="qcow2")
    before = tmp_path / "before"
    before.write_bytes(bytes(4 * MiB))
    disksum(f"--write-list={listed}", before)
    done, seen = asked(disksum, "--no-extents", f"--base={listed}", "--bitmap=b0",
                       f"--write-list={tmp_path}/new", uri)
    assert sums(done.stdout) == [checksum(bytes(MiB) + b"\1" * MiB + bytes(2 * MiB))]
    assert seen == {"block status", "qemu:dirty-bitmap:b0"}


def test_through_qemu(disksum, tmp_path):
    image = tmp_path / "image.qed"
    raw = tmp_path / "image.raw"
    content = write_image(raw, SPEC)
    subprocess.run(["qemu-img", "convert", "-O", "qed", raw, image], check=True)
    seen = counts(disksum, "--no-extents", image)
    assert seen["checksum"] == checksum(content)
    assert seen["read"] == seen["virtual-size"]
