# SPDX-License-Identifier: LGPL-2.1-or-later
"""Of several faults, the one at the lowest guest offset is reported, whatever the
number of threads, the queue depth and the order in which reads finish."""

import random
import shutil
import subprocess

import pytest

from oracle import write_image
from qcow2_image import COPIED, Image, deflate

ROUNDS = 6
WAYS = [["-t", "1", "--queue-depth", "1"], ["-t", "1"], ["-t", "8"],
        ["-t", "8", "--queue-depth", "1"], ["-t", "8", "-T", "none"]]
CLUSTER = 65536


def the_line(fails, *args, **kwargs):
    """The error message, which is the same with all options and in all rounds."""
    lines = {fails(*way, *args, **kwargs) for way in WAYS
             for _ in range(ROUNDS)}
    assert len(lines) == 1, lines
    return lines.pop()


def compressed_image(path, clusters, *, bad=(), unaligned=()):
    """Make an image of compressed clusters. Bad ones cannot be decoded; unaligned
    ones are not compressed, and their offset is invalid. Returns the offsets."""
    image = Image(clusters * CLUSTER)
    random_bytes = random.Random(2)
    offsets = {}
    for n in range(clusters):
        stream = deflate(random_bytes.randbytes(1000) * 66)
        if n in unaligned:
            image.disk.entry(n, 0x12345600 | COPIED)
        else:
            offsets[n] = image.disk.compressed(
                n, b"\xff" * 600 if n in bad else stream)
    image.write(path)
    return offsets


@pytest.mark.sanitizer
@pytest.mark.parametrize("bad", [(20, 21), (20, 40, 60, 100), (3, 127),
                                 tuple(range(17, 128))], ids=str)
def test_clusters_that_do_not_decode(fails, tmp_path, bad):
    path = tmp_path / "image"
    offsets = compressed_image(path, 128, bad=bad)
    assert the_line(fails, path) == \
        f"{path}: the compressed cluster at offset {offsets[bad[0]]}, " \
        f"for guest offset {bad[0] * CLUSTER}, cannot be decoded"


@pytest.mark.parametrize("bad, unaligned", [
    ((50,), (51,)), ((32,), (47,)), ((3, 60), (62,))], ids=str)
def test_cluster_before_a_bad_entry(fails, tmp_path, bad, unaligned):
    """A whole slot is planned before any of it is decoded."""
    path = tmp_path / "image"
    offsets = compressed_image(path, 128, bad=bad, unaligned=unaligned)
    assert the_line(fails, path) == \
        f"{path}: the compressed cluster at offset {offsets[bad[0]]}, " \
        f"for guest offset {bad[0] * CLUSTER}, cannot be decoded"


@pytest.mark.parametrize("bad, unaligned", [((51,), (50,)), ((100,), (3, 4))],
                         ids=str)
def test_bad_entry_before_a_cluster(fails, tmp_path, bad, unaligned):
    path = tmp_path / "image"
    compressed_image(path, 128, bad=bad, unaligned=unaligned)
    line = the_line(fails, path)
    assert line.endswith(f"at guest offset {unaligned[0] * CLUSTER}")
    assert "is not aligned" in line


def test_cluster_before_one_that_can_not_be_read(fails, build, tmp_path):
    """One read gets both clusters, and its first part succeeds."""
    path = tmp_path / "image"
    offsets = compressed_image(path, 64, bad=[20])
    line = the_line(fails, path, env={
        "LD_PRELOAD": f"{build}/tests/read-error.so",
        "READ_ERROR_OFFSET": str(offsets[24] + 100),
        "DISKSUM_READS": "threads"})
    assert line == f"{path}: the compressed cluster at offset {offsets[20]}, " \
        f"for guest offset {20 * CLUSTER}, cannot be decoded"


def test_server_that_fails_late(fails, servers):
    """All reads fail from an offset on: there late, behind it at once."""
    place = 5 * 512 * 1024 + 8192
    uri, _ = servers.nbdkit(
        "eval", "get_size=echo 16M", "can_multi_conn=exit 0", f"""pread=
if [ $(($4 + $3)) -gt {place} ]; then
    [ $4 -gt {place} ] || sleep 0.05
    echo EIO bad >&2
    exit 1
fi
head -c $3 /dev/zero""")
    lines = {fails("-f", "raw", *way, uri) for way in WAYS[:3]}
    assert lines == {f"{uri}: read error at offset {place}: "
                     "Input/output error"}


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="no qemu-img")
def test_truncated_vmdk(fails, tmp_path):
    path = tmp_path / "image.vmdk"
    content = write_image(tmp_path / "raw", "8M:A")
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o",
                    "subformat=streamOptimized", tmp_path / "raw", path],
                   check=True)
    with open(path, "r+b") as f:
        f.truncate(len(content) // 2)
    lines = {fails(*way, path) for way in WAYS[:3] for _ in range(3)}
    assert len(lines) == 1, lines
    offset = int(lines.pop().split(" for guest offset ")[1].split(",")[0])
    assert 3 << 20 <= offset < 4 << 20
