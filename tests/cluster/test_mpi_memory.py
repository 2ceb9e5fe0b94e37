# SPDX-License-Identifier: LGPL-2.1-or-later
"""The memory of rank 0 does not depend on how fast the ranks are."""

import os
import signal
import subprocess
import sys
import time

import pytest

import mpi_job
from mpi_job import PROGRAM, disksum, job

from qcow2_image import ZERO, Image

MIB = 1 << 20


@pytest.fixture(autouse=True)
def needs_mpi():
    mpi_job.skip_without_mpi()


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return map(int, f.read().split())


def number(pid, file, key):
    """A number in a file of /proc with lines 'key: number'."""
    with open(f"/proc/{pid}/{file}", encoding="ascii") as f:
        [line] = [line for line in f if line.startswith(f"{key}:")]
    return int(line.split()[1])


def ranks(process):
    """The processes of the ranks, once they run the program."""
    return sorted(pid for pid in children(process.pid)
                  if os.readlink(f"/proc/{pid}/exe") == str(mpi_job.PROGRAM.resolve()))


def wait_until(process, condition):
    deadline = time.monotonic() + 60
    while not condition():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.01)


def stands_still(pid):
    """Whether a process reads nothing for a while."""
    before = number(pid, "io", "rchar")
    time.sleep(1)
    return number(pid, "io", "rchar") == before


def test_stopped_rank(tmp_path):
    """It has a slice at the beginning of the disk. Rank 0 can commit nothing after that:
    it hashes until the digests fill its window of 64 MiB, and then it waits. All digests
    of the disk are 128 MiB."""
    with open(tmp_path / "disk", "wb") as f:
        for _ in range(1024):
            f.write(os.urandom(MIB))
    options = ["-t1", "-d", "sha512", "--block-size=512", "disk"]
    process = subprocess.Popen(
        mpi_job.command(2, *options), cwd=tmp_path, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=mpi_job.environment({"DISKSUM_READS": "copy"}))
    try:
        wait_until(process, lambda: len(ranks(process)) == 2)
        first, second = ranks(process)
        wait_until(process, lambda: number(second, "io", "rchar") > 32 * MIB)
        os.kill(second, signal.SIGSTOP)
        wait_until(process, lambda: stands_still(first))
        assert number(first, "io", "rchar") > 256 * MIB
        assert number(first, "status", "RssAnon") < 112 * 1024
        os.kill(second, signal.SIGCONT)
        out, err = process.communicate(timeout=mpi_job.TIMEOUT)
    finally:
        process.kill()
        process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out == disksum(*options, cwd=tmp_path)


PEAK = """
import pathlib, resource, subprocess, sys
status = subprocess.call(sys.argv[1:])
pathlib.Path("peak").write_text(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""


def test_millions_of_holes(tmp_path):
    """Each cluster is a hole that does not look as the one before: 8 million of them take
    rank 0 no memory. The L1 table has the same L2 table nearly everywhere."""
    image = Image(size=512 << 30)
    table = image.disk.l2_offset(0)
    image.put(table, (ZERO.to_bytes(8, "big") + bytes(8)) * (image.disk.entries // 2))
    for index in range(1, 1023):
        image.disk.l1_entry(index, table)
    image.disk.data(1023 * image.disk.entries, b"A")
    image.write(tmp_path / "image")

    (tmp_path / "peak.py").write_text(PEAK)
    program = tmp_path / "wrapper"
    program.write_text(f"#!/bin/sh\nexec {sys.executable} peak.py {PROGRAM} \"$@\"\n")
    program.chmod(0o755)
    done = job(1, "-t1", "image", cwd=tmp_path, program=program)
    assert done.stdout == disksum("image", cwd=tmp_path)
    assert int((tmp_path / "peak").read_text(encoding="ascii")) < 128 * 1024
