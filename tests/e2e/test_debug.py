# SPDX-License-Identifier: LGPL-2.1-or-later
"""DISKSUM_DEBUG writes the events of its topics, and changes nothing else."""

import re

import pytest

from conftest import sums
from oracle import checksum, write_image
from qcow2_image import Image, deflate

DISK = "1M:A 64k:- 64k:B 3M:-"


@pytest.fixture
def disk(tmp_path):
    write_image(tmp_path / "disk", DISK)
    return tmp_path / "disk"


@pytest.fixture
def events(disksum):
    """Run disksum with a topic: its result, and its events without their
    prefix."""
    def run(topic, *args, env=None, **kwargs):
        result = disksum(*args, check=False, **kwargs,
                         env={**(env or {}), "DISKSUM_DEBUG": topic})
        prefix = f"disksum: {topic}: "
        lines = result.stderr.splitlines()
        return result, [line[len(prefix):] for line in lines
                        if line.startswith(prefix)]
    return run


def check(result, path, lines):
    """The checksum is right, and there is nothing but events."""
    assert result.returncode == 0
    assert sums(result.stdout) == [checksum(path)]
    assert len(lines) == len(result.stderr.splitlines())


def test_off(disksum, disk):
    for value in "", ",", ",,":
        disksum(disk, env={"DISKSUM_DEBUG": value})


@pytest.mark.sanitizer
def test_map(events, disk):
    result, lines = events("map", disk)
    check(result, disk, lines)
    assert lines == [f"guest 0+1048576: data in {disk} at 0",
                     "guest 1048576+65536: zeros",
                     f"guest 1114112+65536: data in {disk} at 1114112",
                     "guest 1179648+3145728: zeros"]


def test_map_of_a_hole_that_is_read(events, disk):
    result, lines = events("map", "--no-extents", disk)
    check(result, disk, lines)
    assert f"guest 1048576+65536: data in {disk} at 1048576, " \
        "reported as a hole" in lines


def test_map_of_compressed_clusters(events, tmp_path):
    path = tmp_path / "qcow2"
    image = Image(2 * 65536)
    offset = image.disk.compressed(0, deflate(b"x" * 65536))
    image.write(path)
    result, lines = events("map", path)
    assert sums(result.stdout) == [checksum(b"x" * 65536 + bytes(65536))]
    assert lines == [f"guest 0+65536: compressed in {path} at {offset}",
                     "guest 65536+65536: zeros"]


@pytest.mark.sanitizer
@pytest.mark.parametrize("method, how", [("mmap", "mmap"),
                                         ("copy", "page cache")])
def test_reads_from_the_page_cache(events, disk, method, how):
    result, lines = events("read", "-f", "raw", disk,
                           env={"DISKSUM_READS": method})
    check(result, disk, lines)
    assert sorted(lines) == [f"{disk}: 0+1048576: {how}",
                             f"{disk}: 1114112+65536: {how}"]


def test_reads_of_metadata(events, disk):
    """The probe looks at the first bytes."""
    result, lines = events("read", disk)
    check(result, disk, lines)
    assert f"{disk}: 0+512: metadata" in lines


@pytest.mark.sanitizer
def test_direct_reads(events, disk, reads):
    result, lines = events("read", "-T", "none", disk,
                           env={"DISKSUM_READS": reads})
    check(result, disk, lines)
    how = {"ring": "io_uring", "threads": "threads"}[reads]
    assert f"{disk}: 0+1048576: {how}" in lines


def test_read_error(events, disk, build):
    result, lines = events("read", disk, env={
        "LD_PRELOAD": f"{build}/tests/read-error.so",
        "READ_ERROR_OFFSET": "8192", "DISKSUM_READS": "copy"})
    assert result.returncode == 1
    assert any(": failed at 8192: Input/output error" in line
               for line in lines), lines


def test_pipe(events, disk):
    result, lines = events("read", "-f", "raw", input=disk.read_bytes())
    assert sums(result.stdout) == [checksum(disk)]
    assert re.fullmatch(r"-: 0\+1048576: pipe: \d+ bytes", lines[0])
    assert lines[-1].endswith(": pipe: 0 bytes")


@pytest.mark.sanitizer
def test_ring(events, disk):
    result, lines = events("ring", "-t", "2", disk)
    check(result, disk, lines)
    planned = [line for line in lines if "planned" in line]
    committed = [line for line in lines if "committed" in line]
    assert planned[0].startswith("slot 0: planned: 1")
    assert committed == [f"slot {n}: committed" for n in range(len(planned))]
    assert f"end after slots: {len(planned)}" in lines


def test_ring_that_fails(events, disk, build):
    result, lines = events("ring", disk, env={
        "LD_PRELOAD": f"{build}/tests/read-error.so",
        "READ_ERROR_OFFSET": "8192", "DISKSUM_READS": "copy"})
    assert result.returncode == 1
    assert f"slot 0: failed: {disk}: read error at offset 8192: " \
        "Input/output error" in lines


def test_method(events, tmp_path):
    """A trial takes eight slots by each method."""
    write_image(tmp_path / "disk", "32M:A")
    result, lines = events("method", tmp_path / "disk")
    check(result, tmp_path / "disk", lines)
    assert re.fullmatch(r"data: mmap \d+\.\d{3} ns/byte, "
                        r"copy \d+\.\d{3} ns/byte: (mmap|copy) for \d+ slots",
                        lines[0])


def test_method_that_is_forced(events, disk):
    result, lines = events("method", disk, env={"DISKSUM_READS": "copy"})
    check(result, disk, lines)
    assert lines == ["copy, forced by DISKSUM_READS"]


def test_several_topics(disksum, disk):
    result = disksum(disk, check=False, env={"DISKSUM_DEBUG": "map,,ring,"})
    assert {line.split(": ")[1] for line in result.stderr.splitlines()} == \
        {"map", "ring"}


def test_no_topic(disksum, disk):
    result = disksum(disk, check=False, env={"DISKSUM_DEBUG": "all,mapp"})
    assert result.returncode == 0
    assert result.stderr == "".join(
        f"disksum: warning: DISKSUM_DEBUG: '{word}' is not a topic; the "
        "topics are map, read, ring, method, nbd\n" for word in ("all", "mapp"))


def test_secrets_are_masked(events, disk):
    """Names are shown as they are in all messages."""
    disk.with_name("https:").mkdir()
    disk.rename(disk.with_name("https:") / "user:hunter2@host")
    result, lines = events("read", f"{disk.parent}/https://user:hunter2@host")
    assert result.returncode == 0 and lines
    assert "hunter2" not in result.stderr
    assert "user:***@host" in lines[0]
