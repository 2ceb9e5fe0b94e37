# SPDX-License-Identifier: LGPL-2.1-or-later
"""--no-extents: ranges that are reported as holes are read, and must be zeros."""

import json
import re
import subprocess

import pytest

from conftest import sums
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


def lie(servers, content, hole):
    """An export of this content that reports a range of it as a hole."""
    image = servers.directory / "content"
    image.write_bytes(content)
    start, end = hole
    return servers.nbdkit(
        "eval", f"get_size=echo {len(content)}",
        f"pread=dd if={image} iflag=skip_bytes,count_bytes skip=$4 count=$3 bs=64k 2>/dev/null",
        "can_extents=exit 0",
        f"extents=echo 0 {start}; echo {start} {end - start} hole,zero; "
        f"echo {end} {len(content) - end}")[0]


def with_data(start):
    return bytes(start) + b"A" * 1000 + bytes(4 * MiB - start - 1000)


@pytest.mark.parametrize("start", [MiB, MiB + 1, MiB + 70001, 2 * MiB - 1])
def test_data_in_a_hole(disksum, servers, start):
    content = with_data(start)
    uri = lie(servers, content, (MiB, 2 * MiB))
    told = content[:MiB] + bytes(MiB) + content[2 * MiB:]

    assert sums(disksum(uri).stdout) == [checksum(told)]
    result = disksum("--no-extents", uri, check=False)
    assert result.returncode == 0
    assert sums(result.stdout) == [checksum(content)]
    assert re.fullmatch(rf"disksum: .*: warning: found data at offset {start}, "
                        r"which was reported as a hole\n", result.stderr)
    disksum("--no-extents", "-q", uri)


def test_data_beside_a_hole(disksum, servers):
    content = with_data(2 * MiB)
    uri = lie(servers, content, (MiB, 2 * MiB))
    assert sums(disksum("--no-extents", uri).stdout) == [checksum(content)]


def test_through_qemu(disksum, tmp_path):
    image = tmp_path / "image.qed"
    raw = tmp_path / "image.raw"
    content = write_image(raw, SPEC)
    subprocess.run(["qemu-img", "convert", "-O", "qed", raw, image], check=True)
    seen = counts(disksum, "--no-extents", image)
    assert seen["checksum"] == checksum(content)
    assert seen["read"] == seen["virtual-size"]
