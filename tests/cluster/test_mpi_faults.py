# SPDX-License-Identifier: LGPL-2.1-or-later
"""disksum-mpi when something fails: one line, with the host; no checksum; no hang."""

import json
import os
import shutil
import signal
import subprocess
import time

import pytest

import mpi_job
from mpi_job import BUILD, PROGRAM, disksum, fails, job

from oracle import checksum, write_image

LINE = "Input/output error"


@pytest.fixture(autouse=True)
def needs_mpi():
    mpi_job.skip_without_mpi()


def wrapper(tmp_path, script):
    """A program that runs disksum-mpi: 'rank' is the rank's number, in a line of sh that
    comes before."""
    path = tmp_path / "wrapper"
    path.write_text(f"#!/bin/sh\nrank=$OMPI_COMM_WORLD_RANK\n{script}\n"
                    f"exec {PROGRAM} \"$@\"\n")
    path.chmod(0o755)
    return path


# --- what cannot be read -----------------------------------------------------------

def bad_sector(tmp_path, offset, ranks):
    """Each of these ranks has a bad sector there; offset: for sh."""
    return wrapper(tmp_path, f"case $rank in {ranks})\n"
                   f"    export READ_ERROR_OFFSET={offset} LD_PRELOAD={BUILD}/tests/read-error.so\n"
                   "esac")


def test_missing(tmp_path):
    assert fails(3, "no", cwd=tmp_path) == "no: No such file or directory"


def test_read_error_on_one_rank(tmp_path):
    """At first, rank 0 gets the slices 0 and 2, and rank 1 gets 1 and 3."""
    write_image(tmp_path / "disk", "40M:A")
    program = bad_sector(tmp_path, "9000000", "1")
    line = fails(2, "-t1", "disk", cwd=tmp_path, program=program)
    assert line == f"disk: read error at offset 9000000: {LINE}"


@pytest.mark.parametrize("offsets", [(17, 9), (17, 26), (1, 9)])
def test_lowest_offset(tmp_path, offsets):
    """Each rank has a bad sector in one of its slices of 8 MiB: that with the lowest
    offset is the error, whoever finds one first."""
    write_image(tmp_path / "disk", "40M:A")
    program = bad_sector(tmp_path, f"$(({offsets[0]} + rank * {offsets[1] - offsets[0]}))000000",
                         "*")
    line = fails(2, "-t1", "disk", cwd=tmp_path, program=program)
    assert line == f"disk: read error at offset {min(offsets)}000000: {LINE}"


@pytest.mark.parametrize("ranks", [1, 5])
def test_bad_sector_on_all_ranks(tmp_path, ranks):
    write_image(tmp_path / "disk", "60M:A")
    line = fails(ranks, "-t1", "disk", cwd=tmp_path,
                 program=bad_sector(tmp_path, "50000001", "*"))
    assert line == f"disk: read error at offset 50000001: {LINE}"


def test_other_images_are_hashed(tmp_path):
    content = write_image(tmp_path / "good", "70M:A")
    write_image(tmp_path / "bad", "90M:B")
    write_image(tmp_path / "small", "64k:C")
    program = bad_sector(tmp_path, str(80 << 20), "*")
    small = checksum(tmp_path / "small")
    done = job(3, "-t1", "good", "bad", "no", "small", cwd=tmp_path, program=program,
               check=False)
    assert done.returncode == 1
    assert done.stdout == f"{checksum(content)}  good\n{small}  small\n"
    host = os.uname().nodename
    assert done.stderr == \
        f"disksum-mpi: {host}: bad: read error at offset {80 << 20}: {LINE}\n" \
        f"disksum-mpi: {host}: no: No such file or directory\n"


def test_json(tmp_path):
    write_image(tmp_path / "disk", "20M:A")
    done = job(2, "-t1", "--json", "disk", "no", cwd=tmp_path, check=False)
    assert done.returncode == 1
    disk, no = map(json.loads, done.stdout.splitlines())
    one = json.loads(disksum("--json", "disk", cwd=tmp_path))
    assert {key: value for key, value in disk.items() if key != "seconds"} == \
        {key: value for key, value in one.items() if key != "seconds"}
    assert no == {"filename": "no",
                  "error": f"{os.uname().nodename}: no: No such file or directory"}


def test_broken_table(tmp_path):
    """What rank 0 finds when it cuts the disk into slices."""
    write_image(tmp_path / "disk", "40M:A")
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", "disk", "image"], cwd=tmp_path,
                   check=True)
    with open(tmp_path / "image", "r+b") as f:
        f.seek(40)
        table = int.from_bytes(f.read(8), "big")
        f.seek(table)
        entry = int.from_bytes(f.read(8), "big") & ~(1 << 63)
        f.seek(entry + 300 * 8)
        f.write((entry + 512).to_bytes(8, "big"))
    line = fails(2, "-t1", "image", cwd=tmp_path)
    assert line == subprocess.run(
        [BUILD / "disksum", "image"], cwd=tmp_path, stderr=subprocess.PIPE,
        text=True).stderr.removeprefix("disksum: ").rstrip("\n")


# --- ranks that see something else ---------------------------------------------------

def other_directory(tmp_path, rank):
    """That rank starts elsewhere, so it finds other files by the same names."""
    other = tmp_path / "other"
    other.mkdir()
    return other, wrapper(tmp_path, f"[ $rank != {rank} ] || cd {other}")


@pytest.mark.parametrize("rank", [1, 2])
def test_another_file(tmp_path, rank):
    """The same bytes, but not the same file."""
    write_image(tmp_path / "disk", "1M:A")
    other, program = other_directory(tmp_path, rank)
    shutil.copy2(tmp_path / "disk", other / "disk")
    host = os.uname().nodename
    inodes = [os.stat(directory / "disk").st_ino for directory in (other, tmp_path)]
    assert fails(3, "disk", cwd=tmp_path, program=program) == \
        f"disk: is not what {host} has: the inode of 'disk' is {inodes[0]}, " \
        f"but {inodes[1]} there"


def test_another_size(tmp_path):
    write_image(tmp_path / "disk", "1M:A")
    other, program = other_directory(tmp_path, 1)
    write_image(other / "disk", "2M:A")
    assert fails(2, "disk", cwd=tmp_path, program=program) == \
        f"disk: is not what {os.uname().nodename} has: the virtual size of 'disk' is " \
        f"{2 << 20}, but {1 << 20} there"


def test_another_backing_file(tmp_path):
    other, program = other_directory(tmp_path, 1)
    for directory in tmp_path, other:
        write_image(directory / "base", "1M:A")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "base",
                    "top"], cwd=tmp_path, check=True)
    (other / "top").hardlink_to(tmp_path / "top")
    line = fails(2, "top", cwd=tmp_path, program=program)
    assert line.startswith(f"top: is not what {os.uname().nodename} has: the inode of 'base' ")


def test_missing_on_one_rank(tmp_path):
    write_image(tmp_path / "disk", "1M:A")
    _, program = other_directory(tmp_path, 1)
    assert fails(2, "disk", cwd=tmp_path, program=program) == \
        "disk: No such file or directory"


# --- ends of ranks ----------------------------------------------------------------

def children(pid):
    """The processes below a process, with their names."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        for child in f.read().split():
            try:
                with open(f"/proc/{child}/comm", encoding="utf-8") as name:
                    yield int(child), name.read().strip()
            except FileNotFoundError:
                pass
            yield from children(child) if os.path.exists(f"/proc/{child}") else ()


@pytest.fixture
def running(tmp_path):
    """A job that waits for a server, with three ranks: its process, and a function that
    gives the processes of the ranks."""
    from nbd_server import Servers
    servers = Servers(tmp_path)
    uri, _ = servers.nbdkit("--filter=delay", "pattern", "size=100M", "rdelay=60")
    process = subprocess.Popen(
        mpi_job.command(3, "-t1", "--write-list=list", uri), cwd=tmp_path,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=mpi_job.environment())

    def ranks():
        return sorted(pid for pid, name in children(process.pid) if name == "disksum-mpi")
    deadline = time.monotonic() + 60
    while len(ranks()) < 3 or not (tmp_path / "list.part").exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield process, ranks
    process.kill()
    process.communicate()
    servers.stop()


def assert_nothing_is_left(tmp_path, process, ranks):
    out, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert out == ""
    assert "disksum-mpi: " not in err
    assert not (tmp_path / "list").exists()
    deadline = time.monotonic() + 20
    while any(os.path.exists(f"/proc/{pid}") for pid in ranks):
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize("rank", [0, 2])
def test_killed_rank(running, tmp_path, rank):
    process, ranks = running
    pids = ranks()
    os.kill(pids[rank], signal.SIGKILL)
    assert_nothing_is_left(tmp_path, process, pids)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_job(running, tmp_path, number):
    process, ranks = running
    pids = ranks()
    process.send_signal(number)
    assert_nothing_is_left(tmp_path, process, pids)
