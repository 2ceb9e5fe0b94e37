# SPDX-License-Identifier: LGPL-2.1-or-later
"""disksum-mpi warns as disksum does: each line once, with the host."""

import fcntl
import os

import pytest

import mpi_job
from mpi_job import BUILD, disksum, fails, job

from oracle import write_image

MIB = 1 << 20
HAS_OPEN = "another process has this file open for writing"


@pytest.fixture(autouse=True)
def needs_mpi():
    mpi_job.skip_without_mpi()


def warned(*lines):
    host = os.uname().nodename
    return "".join(f"disksum-mpi: {host}: {line}\n" for line in sorted(lines))


def warnings(ranks, *args, **kwargs):
    """The lines of a job that prints what disksum prints, sorted."""
    done = job(ranks, *args, check=False, **kwargs)
    assert done.returncode == 0
    assert done.stdout == disksum("-q", *args, cwd=kwargs["cwd"])
    return "".join(sorted(done.stderr.splitlines(keepends=True)))


def false_hole(start, length, bad_sector=1 << 60):
    """The environment of ranks whose file system reports a hole there. The disk may have a
    bad sector, too."""
    env = {"LD_PRELOAD": f"{BUILD}/tests/false-hole.so:{BUILD}/tests/read-error.so",
           "FALSE_HOLE": str(start), "HOLE_LENGTH": str(length),
           "READ_ERROR_OFFSET": str(bad_sector)}
    return [word for name, value in env.items() for word in ("-x", f"{name}={value}")]


def false_hole_at(name, offset):
    return f"{name}: warning: found data at offset {offset}, which was reported as a hole"


@pytest.mark.parametrize("ranks", [1, 3])
def test_false_hole_in_many_slices(tmp_path, ranks):
    """Each slice has data where the hole should be: the lowest offset is printed."""
    write_image(tmp_path / "disk", "130M:A")
    hole = false_hole(20 * MIB, 100 * MIB)
    assert warnings(ranks, "-t1", "--no-extents", "disk", cwd=tmp_path, mpirun=hole) == \
        warned(false_hole_at("disk", 20 * MIB))
    assert warnings(ranks, "-t1", "-q", "--no-extents", "disk", cwd=tmp_path,
                    mpirun=hole) == ""


def test_false_hole_behind_a_fault(tmp_path):
    """At first, rank 1 gets the second slice of 8 MiB. Whether anybody reads what lies behind
    a fault is a matter of luck."""
    write_image(tmp_path / "disk", "40M:A")
    line = fails(2, "-t1", "--no-extents", "disk", cwd=tmp_path,
                 mpirun=false_hole(9 * MIB, MIB, bad_sector=MIB))
    assert line == f"disk: read error at offset {MIB}: Input/output error"


def test_false_hole_in_small_images(tmp_path):
    names = ["a", "b", "c"]
    for name in names:
        write_image(tmp_path / name, "4M:A")
    assert warnings(2, "--no-extents", *names, cwd=tmp_path, mpirun=false_hole(MIB, MIB)) == \
        warned(*(false_hole_at(name, MIB) for name in names))


@pytest.fixture
def open_for_writing(tmp_path):
    """Make images that this process has open for writing."""
    files = []

    def make(name, spec):
        write_image(tmp_path / name, spec)
        with open(tmp_path / name, "rb") as f:
            try:
                fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_RDLCK)
            except OSError:
                pytest.skip("no leases here")
        files.append(open(tmp_path / name, "r+b"))
    yield make
    for file in files:
        file.close()


@pytest.mark.parametrize("names", [["large"], ["small"], ["large", "small", "other"]])
def test_another_writer(tmp_path, open_for_writing, names):
    """All ranks open a large image, and the only one, and see the same."""
    for name in names:
        open_for_writing(name, "70M:A" if name == "large" else "1M:A")
    assert warnings(3, "-t1", *names, cwd=tmp_path) == \
        warned(*(f"{name}: warning: {HAS_OPEN}" for name in names))


def test_another_writer_of_one_side(tmp_path, open_for_writing):
    write_image(tmp_path / "a", "70M:A")
    open_for_writing("b", "70M:A")
    assert warnings(3, "-t1", "--diff", "a", "b", cwd=tmp_path) == \
        warned(f"b: warning: {HAS_OPEN}")
