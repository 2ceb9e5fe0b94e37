# SPDX-License-Identifier: LGPL-2.1-or-later
"""disksum-mpi --diff: the ranges of one process."""

import json
import os
import subprocess

import pytest

import mpi_job
from mpi_job import BUILD, PROGRAM, job

from oracle import write_image

A = "5000077:A 300k:- 9M:B 3M:0 700000:C 66M:- 8M:D 1000:-"
# Of the same length: changes in data, in a hole, and at the ends of slices.
B = [(0, 1), (5000000, 3000), (8388000, 1000), (9000000, 512), (40000000, 5000),
     (86000000, 100000)]


@pytest.fixture(autouse=True)
def needs_mpi():
    mpi_job.skip_without_mpi()


@pytest.fixture
def disks(tmp_path):
    content = bytearray(write_image(tmp_path / "a", A))
    subprocess.run(["cp", "--sparse=always", "a", "b"], cwd=tmp_path, check=True)
    with open(tmp_path / "b", "r+b") as f:
        for offset, length in B:
            f.seek(offset)
            f.write(bytes(x ^ 0x5a for x in content[offset:offset + length]))
    return tmp_path


def same_as_one_process(ranks, *args, cwd):
    one = subprocess.run([BUILD / "disksum", "--diff", *args], cwd=cwd, text=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    done = job(ranks, "-t1", "--diff", *args, cwd=cwd, check=False)
    assert (done.returncode, done.stdout, done.stderr) == \
        (one.returncode, one.stdout, one.stderr)
    return done


@pytest.mark.parametrize("ranks", range(1, 6))
def test_ranges(disks, ranks):
    """Those that lie in two slices are one range."""
    done = same_as_one_process(ranks, "a", "b", cwd=disks)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) >= len(B)
    assert same_as_one_process(ranks, "a", "a", cwd=disks).returncode == 0


@pytest.mark.parametrize("options", [["--json"], ["-q"], ["-T", "none"],
                                     ["--offset=1000", "--length=20000001"]])
def test_options(disks, options):
    same_as_one_process(3, *options, "a", "b", cwd=disks)


def test_formats(disks):
    subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", "b", "b.qcow2"], cwd=disks,
                   check=True)
    same_as_one_process(3, "a", "b.qcow2", cwd=disks)


@pytest.mark.parametrize("quiet", [[], ["-q"]])
def test_lengths(disks, quiet):
    os.truncate(disks / "b", 20000000)
    assert same_as_one_process(2, *quiet, "a", "b", cwd=disks).returncode == 1
    assert same_as_one_process(2, *quiet, "b", "a", cwd=disks).returncode == 1


def test_empty(tmp_path):
    for name in "ab":
        (tmp_path / name).touch()
    assert same_as_one_process(2, "a", "b", cwd=tmp_path).returncode == 0


def trouble(ranks, *args, found=(), **kwargs):
    """The message. found: lines, of which the first ones may have been printed."""
    done = job(ranks, "-t1", "--diff", *args, check=False, **kwargs)
    lines = done.stdout.splitlines()
    assert (done.returncode, lines) == (2, list(found[:len(lines)]))
    start = f"disksum-mpi: {os.uname().nodename}: "
    assert done.stderr.startswith(start)
    assert done.stderr.count("\n") == 1
    return done.stderr.removeprefix(start)[:-1]


def test_missing(disks):
    assert trouble(2, "a", "no", cwd=disks) == "no: No such file or directory"


def test_read_error(disks):
    """What was found before it may have been printed, as by one process."""
    env = {"READ_ERROR_OFFSET": "9000000", "LD_PRELOAD": f"{BUILD}/tests/read-error.so"}
    whole = subprocess.run([BUILD / "disksum", "--diff", "--json", "b", "a"], cwd=disks,
                           text=True, stdout=subprocess.PIPE, check=False)
    before = [line for line in whole.stdout.splitlines()
              if json.loads(line).get("start", 9000000) < 9000000]
    assert before and whole.returncode == 1
    line = trouble(2, "--json", "b", "a", cwd=disks, found=before,
                   mpirun=[word for name, value in env.items()
                           for word in ("-x", f"{name}={value}")])
    assert line == "b: read error at offset 9000000: Input/output error"


def test_rank_that_sees_another_file(disks):
    """The second of the two."""
    other = disks / "other"
    other.mkdir()
    (other / "a").hardlink_to(disks / "a")
    write_image(other / "b", A)
    wrapper = disks / "wrapper"
    wrapper.write_text(f"#!/bin/sh\n[ $OMPI_COMM_WORLD_RANK != 1 ] || cd other\n"
                       f"exec {PROGRAM} \"$@\"\n")
    wrapper.chmod(0o755)
    assert trouble(2, "a", "b", cwd=disks, program=wrapper).startswith(
        f"b: is not what {os.uname().nodename} has: the inode of 'b' is ")


def test_list(disks):
    subprocess.run([BUILD / "disksum", "--write-list=a.blkhash", "a"], cwd=disks, check=True)
    assert trouble(2, "a.blkhash", "a", cwd=disks) == \
        "a.blkhash: is a digest list: 'disksum --diff' compares it, with another list or an image"


@pytest.mark.parametrize("words, message", [
    (["a"], "--diff takes two images or digest lists"),
    (["a", "b", "--files-from=a"], "the --diff and --files-from options are mutually exclusive"),
    (["a", "b", "-d", "sha1"], "the --diff and --digest options are mutually exclusive")])
def test_usage(disks, words, message):
    done = job(2, "--diff", *words, cwd=disks, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"disksum-mpi: {message}\n" \
        "Try 'disksum-mpi --help' for more information.\n"
