# SPDX-License-Identifier: LGPL-2.1-or-later
"""FILE.part of --write-list, changed by another program while it is written: nobody can read
such a list, so it is not a success."""

import contextlib
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest

from conftest import BUILD, sums
from list_oracle import read_list
from oracle import checksum
from test_changes_while_read import cut, empty, name
from test_server_processes import strace_works
from test_writers import held

# A chunk of the list, 1 MiB, has the digests of 8 MiB.
BLOCK = "--digest=sha512/512"
PART = pathlib.Path("list.part")
CHANGED = "disksum: list.part: was changed while it was written\n"


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture(scope="module")
def content():
    """The first chunk of its list is written before all of it was hashed."""
    return random.Random(1).randbytes(9 << 20)


@pytest.fixture(scope="module")
def expected(content):
    return checksum(content, 512, "sha512")


@contextlib.contextmanager
def writer(content):
    """A disksum that has hashed this, has written a chunk, and waits for more."""
    with subprocess.Popen([BUILD / "disksum", BLOCK, "--write-list=list", "-"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        try:
            process.stdin.write(content)
            process.stdin.flush()
            while not PART.exists() or PART.stat().st_size < 1 << 20:
                assert process.poll() is None
            yield process
        finally:
            process.kill()


def finish(process):
    out, err = process.communicate()
    return process.returncode, out.decode(), err.decode()


def flip(path, offset):
    with open(path, "r+b") as f:
        f.seek(offset)
        byte = f.read(1)[0]
        f.seek(offset)
        f.write(bytes([byte ^ 1]))


def flip_magic(path):
    flip(path, 0)


def flip_version(path):
    flip(path, 8)


def flip_block_size(path):
    flip(path, 23)


def flip_name_of_digest(path):
    flip(path, 40)


def flip_digest(path):
    flip(path, 500_000)


def flip_last_byte(path):
    flip(path, path.stat().st_size - 1)


def lengthen(path):
    os.truncate(path, 100 << 20)


def write_text(path):
    path.write_text("something else\n", encoding="ascii")


CHANGES = [cut, empty, lengthen, write_text, flip_magic, flip_version, flip_block_size,
           flip_name_of_digest, flip_digest, flip_last_byte]


@pytest.mark.parametrize("change", CHANGES, ids=name)
def test_changed(content, change):
    with writer(content) as process:
        change(PART)
        assert finish(process) == (1, "", CHANGED)
    assert not os.path.exists("list")


def test_written_over(content, expected):
    """What another program appends is gone with the next chunk."""
    with writer(content) as process:
        with open(PART, "ab") as f:
            f.write(b"more")
        status, out, err = finish(process)
    assert (status, err, sums(out)) == (0, "", [expected])
    assert read_list(pathlib.Path("list").read_bytes()).checksum.hex() == expected
    assert os.listdir() == ["list"]


@pytest.mark.no_sanitizer
@pytest.mark.skipif(not strace_works(), reason="no strace here")
def test_cannot_be_read_back(fails, content):
    """That is told, whatever the error."""
    pathlib.Path("disk").write_bytes(content)
    error = fails(BLOCK, f"--write-list={pathlib.Path('list').absolute()}", "disk", wrapper=[
        "strace", "-f", "-qq", "-o", "/dev/null", "-P", PART.absolute(),
        "-e", "trace=read", "-e", "inject=read:error=EINVAL"])
    assert error.endswith("list.part: read error at offset 0: Invalid argument")
    assert not os.path.exists("list")


def is_stopped(process):
    stat = pathlib.Path(f"/proc/{process.pid}/stat").read_text()
    return stat.rpartition(")")[2].split()[0] in "tT"


@pytest.mark.no_sanitizer
@pytest.mark.skipif(not strace_works(), reason="no strace here")
def test_a_list_in_its_place(disksum, content):
    """Of another disk. It comes when all was written, and can be read."""
    pathlib.Path("disk").write_bytes(content)
    pathlib.Path("turn").write_bytes(content[::-1])
    disksum(BLOCK, "--write-list=another", "turn")
    another = pathlib.Path("another").read_bytes()
    with subprocess.Popen(
            ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync",
             "-e", "inject=fsync:signal=STOP:when=1", BUILD / "disksum", BLOCK,
             "--write-list=list", "disk"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            # A call that strace looks at stops it, too, but not for long.
            stopped, limit = 0, time.monotonic() + 60
            while stopped < 4:
                assert process.poll() is None and time.monotonic() < limit
                time.sleep(0.05)
                stopped = stopped + 1 if is_stopped(process) and PART.exists() and \
                    PART.stat().st_size == len(another) else 0
            PART.write_bytes(another)
            process.send_signal(signal.SIGCONT)
            assert finish(process) == (1, "", CHANGED)
        finally:
            process.kill()
    assert not os.path.exists("list")


@pytest.fixture
def part(disksum, content):
    """What an interrupted run has left: a chunk."""
    pathlib.Path("disk").write_bytes(content)
    disksum(BLOCK, "--write-list=list", "disk")
    os.rename("list", PART)
    os.truncate(PART, (1 << 20) + 100_000)
    return PART


@pytest.mark.sanitizer
@pytest.mark.parametrize("change", [empty, flip_magic, flip_digest], ids=name)
def test_resumed(disksum, part, expected, change):
    """What it had is in it no more. The next run begins with what is good."""
    with held(BLOCK, "--write-list=list", "--resume", "disk") as h:
        h.wait_until_open("disk")
        change(part)
        assert h.finish() == (1, "", CHANGED)
    assert sorted(os.listdir()) == ["disk", "list.part"]
    if change is flip_digest:
        assert sums(disksum(BLOCK, "--write-list=list", "--resume", "disk").stdout) == [expected]
        assert read_list(pathlib.Path("list").read_bytes()).checksum.hex() == expected


def test_merged(disksum, content):
    pathlib.Path("disk").write_bytes(content * 2)
    for number in "1", "2":
        disksum(BLOCK, f"--shard={number}/2", f"--write-list={number}", "disk")
    os.mkfifo("fifo")
    with subprocess.Popen([BUILD / "disksum", "--merge", "--write-list=list", "1", "fifo"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        second = pathlib.Path("2").read_bytes()
        with open("fifo", "wb") as fifo:
            fifo.write(second[:-1])
            fifo.flush()
            while PART.stat().st_size < 1 << 20:
                assert process.poll() is None
            flip_digest(PART)
            fifo.write(second[-1:])
        assert finish(process) == (1, "", CHANGED)
    assert not os.path.exists("list")
