# SPDX-License-Identifier: LGPL-2.1-or-later
"""The n-th call of disksum-mpi fails on one rank, or all from the n-th on
(tests/shims/failing-call.c): the job ends with the right checksum, or with one line and exit
status 1. It does not hang, and leaves no file. Here, a sample of the calls fails, or with
DISKSUM_FAULTS=all each of them.

Calls by the libraries do not fail: MPI has its own ways to end a job."""

import collections
import os
import struct
import subprocess

import pytest

import mpi_job
from mpi_job import BUILD, PROGRAM

from call_faults import list_digests, numbers
from oracle import checksum, write_image

SPEC = "150k:A 300k:- 1M:B 3000:0 20M:C"
SAMPLE = {"one": 4, "rest": 1}
KINDS = "memory", "map", "thread", "read", "open", "status", "wait", "write", "process"

Outcome = collections.namedtuple("Outcome", "status stdout stderr files calls failed")


@pytest.fixture(autouse=True)
def needs_mpi():
    mpi_job.skip_without_mpi()


class Job:
    """A job in a directory of its own, in which calls fail on one rank."""

    def __init__(self, directory, ranks, rank, args):
        self.ranks, self.args = ranks, args
        self.directory = directory / "run"
        self.directory.mkdir()
        self.counts = directory / "counts"
        self.wrapper = directory / "wrapper"
        self.wrapper.write_text(
            f"#!/bin/sh\nif [ $OMPI_COMM_WORLD_RANK = {rank} ]; then\n"
            "    export FAILING_CALL=disksum-mpi FAILING_CALL_ORDER=\"$ORDER\" "
            f"LD_PRELOAD={BUILD}/tests/failing-call.so\n"
            f"fi\nexec {PROGRAM} \"$@\"\n")
        self.wrapper.chmod(0o755)

    def run(self, kind, number, how="one"):
        for name in os.listdir(self.directory):
            (self.directory / name).unlink()
        done = mpi_job.job(self.ranks, *self.args, cwd=self.directory, check=False,
                           program=self.wrapper,
                           env={"ORDER": f"{kind} {number} {how} {self.counts}"})
        files = {name: (self.directory / name).read_bytes()
                 for name in os.listdir(self.directory)}
        return Outcome(done.returncode, done.stdout, done.stderr, files,
                       *struct.unpack("qq", self.counts.read_bytes()))


def is_good_end(good, bad):
    """Whether it ended as if nothing had failed."""
    return (bad.status, bad.stdout, bad.stderr) == (0, good.stdout, "") and \
        list(map(list_digests, bad.files.values())) == \
        list(map(list_digests, good.files.values()))


def is_good_failure(good, bad):
    """A rank may fail after rank 0 has printed the checksum. Whatever failed, another failure
    may be that of the output. A list that is not complete may be left, to be resumed."""
    lines = bad.stderr.splitlines(keepends=True)
    others = [line for line in lines if line != "disksum-mpi: write error: Input/output error\n"]
    return bad.status == 1 and bad.stdout in ("", good.stdout) and lines and \
        len(others) <= 1 and \
        all(line.startswith("disksum-mpi: ") and line.endswith("\n") for line in lines) and \
        (set(bad.files) <= {"list.part"} or is_same_list(good, bad))


def is_same_list(good, bad):
    return set(bad.files) == {"list"} and \
        list_digests(bad.files["list"]) == list_digests(good.files["list"])


@pytest.mark.parametrize("ranks, rank", [(1, 0), (2, 0), (2, 1)])
def test_each_call(tmp_path, ranks, rank):
    content = write_image(tmp_path / "disk", SPEC)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", "disk", "image"], cwd=tmp_path,
                   check=True)
    job = Job(tmp_path, ranks, rank, ["-t1", "--write-list=list", "../image"])
    for kind in KINDS:
        good = job.run(kind, 0)
        assert (good.status, good.stderr) == (0, "")
        assert checksum(content) in good.stdout
        assert list(good.files) == ["list"]
        failed = 0
        for how, count in SAMPLE.items():
            chosen = numbers(f"{ranks} {rank} {kind} {how}", good.calls, count)
            # All calls of a kind fail, too.
            for number in sorted({*chosen, 1} if how == "rest" else chosen):
                bad = job.run(kind, number, how)
                # What ranks do is a matter of time, so a run may make fewer calls.
                failed += bad.failed
                assert is_good_end(good, bad) or is_good_failure(good, bad), \
                    (kind, number, how, bad._replace(files=list(bad.files)))
        assert failed or kind == "map"
