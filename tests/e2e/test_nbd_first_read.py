# SPDX-License-Identifier: LGPL-2.1-or-later
"""The first read is a large one: nbd/nbd.c explains why."""

import re
import shutil

import pytest

from conftest import sums
from oracle import checksum, write_image

if not shutil.which("nbdkit"):
    pytest.skip("no nbdkit", allow_module_level=True)

LARGE = 4 << 20


@pytest.fixture
def large(tmp_path):
    path = tmp_path / "large"
    content = write_image(path, "5M:A 255M:-")
    return path, checksum(content)


def reads(log):
    """The (offset, length) of each read in the log of nbdkit's log filter."""
    pattern = re.compile(r" Read .*offset=(\w+) count=(\w+)")
    return [(int(m[1], 16), int(m[2], 16))
            for m in pattern.finditer(log.read_text())]


def run(disksum, servers, tmp_path, image, *filters, options=()):
    path, expected = image
    log = tmp_path / "log"
    uri, _ = servers.nbdkit("--filter=log", *filters, "file", path,
                            f"logfile={log}", *options)
    assert sums(disksum("-t", "2", uri).stdout) == [expected]
    return reads(log)


def test_once(disksum, servers, tmp_path, large):
    lengths = [length for _, length in run(disksum, servers, tmp_path, large)]
    assert lengths[0] == LARGE
    assert max(lengths[1:]) <= 512 << 10


def test_small_export(disksum, servers, tmp_path):
    path = tmp_path / "small"
    small = path, checksum(write_image(path, "5M:A 5M:-"))
    assert max(length for _, length in
               run(disksum, servers, tmp_path, small)) <= 512 << 10


def test_single_connection(disksum, servers, tmp_path, large):
    """If the read failed, there would be no other connection."""
    lengths = [length for _, length in run(
        disksum, servers, tmp_path, large, "--filter=multi-conn",
        options=["multi-conn-mode=disable"])]
    assert max(lengths) <= 512 << 10


def test_limit_of_the_server(disksum, servers, tmp_path, large):
    lengths = [length for _, length in run(
        disksum, servers, tmp_path, large, "--filter=blocksize-policy",
        options=["blocksize-maximum=1M", "blocksize-error-policy=error"])]
    assert max(lengths) <= 1 << 20


@pytest.mark.parametrize("way, seconds", [("echo EIO >&2; exit 1", 0),
                                          ("sleep 3", 1)])
def test_failure_is_ignored(disksum, servers, tmp_path, large, way, seconds):
    """If the large read fails, or takes too long, the export is still read."""
    path, expected = large
    failed = tmp_path / "failed"
    script = (f"if [ $3 -ge {LARGE} ]; then : > {failed}; {way}; fi; "
              f"dd if={path} iflag=skip_bytes,count_bytes skip=$4 count=$3 "
              "status=none")
    uri, _ = servers.nbdkit("eval", "get_size=echo 272629760",
                            f"pread={script}", "thread_model=echo parallel",
                            "can_multi_conn=exit 0", "can_extents=exit 0",
                            "extents=echo 0 5M; echo 5M 255M hole,zero")
    assert sums(disksum("-t", "2", f"--timeout={seconds}", uri).stdout) == \
        [expected]
    assert failed.exists()
