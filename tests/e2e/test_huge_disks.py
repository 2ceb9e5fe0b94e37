# SPDX-License-Identifier: LGPL-2.1-or-later
"""Disks of almost 2^63 bytes: offsets near the end, and sizes beyond. All of such a disk takes
hours, since each zero block is in the root; a part of it, or a comparison, does not."""

import json
import os
import pathlib
import tempfile

import pytest

from conftest import sums
from list_oracle import read_list
from oracle import checksum

END = (1 << 63) - 65536     # of the largest file: where the kernel rounds up, nothing overflows
LAST_SECTOR = (1 << 63) - 512
LAST = b"last sectors" * 100 + bytes(336)   # three of them


@pytest.fixture
def huge():
    """Makes a sparse file of this size, which ends in the sectors above."""
    directory = pathlib.Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=directory if directory.is_dir() else None) as made:
        def make(name, size=END, data=LAST):
            path = pathlib.Path(made) / name
            with open(path, "wb") as f:
                try:
                    f.truncate(size)
                except OSError:
                    pytest.skip("the file system has no files of this size")
                os.pwrite(f.fileno(), data, size - len(data))
            return path
        yield make


@pytest.mark.sanitizer
@pytest.mark.parametrize("options", [
    [], ["-T", "none"], ["--block-size=16M"], ["-t1", "--queue-depth=1"]], ids=" ".join)
def test_end_of_a_file(disksum, huge, options):
    path = huge("disk")
    block = 16 << 20 if "--block-size=16M" in options else 65536
    for start in len(LAST), 512, 70000 * 512:
        content = LAST.rjust(start, b"\0")[-start:]
        for length in [], [f"--length={start}"]:
            out = disksum(*options, f"--offset={END - start}", *length, path).stdout
            assert sums(out) == [checksum(content, block)]


def test_end_of_an_export(disksum, fails, servers):
    """Larger than any file, with the numbers 1 to 4 in its last sector."""
    content = bytes([1, 2, 3, 4]).ljust(512, b"\0").rjust(1 << 20, b"\0")
    for size, ok in (LAST_SECTOR, True), ((1 << 63) - 1, False):
        uri, _ = servers.nbdkit("data", f"@{LAST_SECTOR - 512} 1 2 3 4", f"size={size}")
        options = [f"--offset={LAST_SECTOR - (1 << 20)}", f"--length={1 << 20}", uri]
        if ok:
            assert sums(disksum(*options).stdout) == [checksum(content)]
        else:
            assert fails(*options) == f"{uri}: the file is too large"


def test_beyond_the_end(disksum, fails, huge):
    path = huge("disk")
    assert sums(disksum(f"--offset={END}", path).stdout) == [checksum(b"")]
    for offset, length in (END - 512, 513), (END - 512, END), (512, END), (END, 1):
        line = fails(f"--offset={offset}", f"--length={length}", path)
        assert line == f"{path}: {length} bytes at offset {offset} end beyond the end of the " \
            f"disk, which has {END} bytes"
    for option in "--offset", "--length":
        for value in (1 << 63), (1 << 64) - 1, (1 << 64), (1 << 70):
            done = disksum(f"{option}={value}", path, check=False)
            assert done.returncode == 2 and f"'{value}'" in done.stderr


@pytest.mark.parametrize("more", [1, 65536 - 512, 65535])
def test_file_that_is_too_large(fails, huge, more):
    """On tmpfs, lseek() would find no data in it."""
    path = huge("disk", END + more)
    for options in [], [f"--offset={END - 512}"], ["-T", "none"]:
        assert fails(*options, path) == f"{path}: the file is too large"


def test_limit_of_the_size(fails, huge):
    path = huge("disk")
    assert fails("--max-size=7E", path) == \
        f"{path}: the disk has {END} bytes, more than --max-size allows"


@pytest.mark.parametrize("parts", [70_000, 1_000_000])
def test_last_part(disksum, huge, tmp_path, parts):
    path = huge("disk")
    disksum(f"--shard={parts}/{parts}", f"--offset={END - (1 << 40)}", "--write-list=part", path,
            cwd=tmp_path)
    part = read_list((tmp_path / "part").read_bytes())
    assert part.length == 1 << 40


def test_difference_at_the_end(disksum, huge):
    """Holes of both are not compared."""
    one, two = huge("one"), huge("two", data=LAST[:-512] + b"x" * 512)
    assert disksum("--diff", one, one).stdout == ""
    done = disksum("--diff", "--json", one, two, check=False)
    assert done.returncode == 1 and not done.stderr
    found, end = [json.loads(line) for line in done.stdout.splitlines()]
    assert found == {"start": END - 512, "length": 512, "what": "differs"}
    assert end == {"compared": END, "different": 512}
