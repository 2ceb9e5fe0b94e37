# SPDX-License-Identifier: LGPL-2.1-or-later
"""Messages between ranks: those of one do not wait for those of others, and all leave."""

import os
import signal
import subprocess

import pytest

import mpi_job
from mpi_job import BUILD, disksum, job
from test_mpi_memory import MIB, number, ranks, wait_until

from oracle import write_image

SHIM = BUILD / "tests/mpi-sends.so"


@pytest.fixture(autouse=True)
def needs_mpi():
    mpi_job.skip_without_mpi()


@pytest.mark.parametrize("count", [1, 4])
def test_all_leave(tmp_path, count):
    """Before MPI ends: the last ones close images, and stop ranks."""
    write_image(tmp_path / "disk", "20M:A")
    write_image(tmp_path / "other", "70M:B")
    options = ["-t1", "disk", "other"]
    assert job(count, *options, cwd=tmp_path, env={"LD_PRELOAD": SHIM}).stdout == \
        disksum(*options, cwd=tmp_path)


def is_stopped(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        return f.read().rpartition(")")[2].split()[0] == "T"


def test_rank_stopped_while_it_sends(tmp_path):
    """The digests of a slice are a message of 1 MiB and more, of which rank 0 has only the
    beginning. The other ranks hash all that the stopped one has not got: that is two
    slices, of a twelfth of the disk at most."""
    write_image(tmp_path / "disk", "240M:A")
    options = ["-t1", "-d", "sha512", "--block-size=512", "disk"]
    program = tmp_path / "wrapper"
    program.write_text("#!/bin/sh\n"
                       "[ $OMPI_COMM_WORLD_RANK != 1 ] || export STOP_AFTER_SEND=100000\n"
                       f"LD_PRELOAD={SHIM} exec {mpi_job.PROGRAM} \"$@\"\n")
    program.chmod(0o755)
    process = subprocess.Popen(
        mpi_job.command(3, *options, program=program), cwd=tmp_path,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=mpi_job.environment({"DISKSUM_READS": "copy"}))
    try:
        wait_until(process, lambda: len(ranks(process)) == 3)
        pids = ranks(process)
        wait_until(process, lambda: any(map(is_stopped, pids)))
        [stopped] = filter(is_stopped, pids)
        pids.remove(stopped)
        wait_until(process, lambda: sum(number(pid, "io", "rchar") for pid in pids) >=
                   200 * MIB)
        os.kill(stopped, signal.SIGCONT)
        out, err = process.communicate(timeout=mpi_job.TIMEOUT)
    finally:
        for pid in ranks(process) if process.poll() is None else ():
            os.kill(pid, signal.SIGKILL)
        process.kill()
        process.communicate()
    assert (process.returncode, err) == (0, "")
    assert out == disksum(*options, cwd=tmp_path)
