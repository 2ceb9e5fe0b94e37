# SPDX-License-Identifier: LGPL-2.1-or-later
"""disksum-mpi prints what disksum prints."""

import pytest

import mpi_job
from mpi_job import disksum, job

from oracle import checksum, hole, write_image


@pytest.fixture(autouse=True)
def needs_mpi():
    mpi_job.skip_without_mpi()


# --- sizes --------------------------------------------------------------------

RANKS = range(1, 6)


@pytest.mark.parametrize("ranks", RANKS)
def test_slices(tmp_path, ranks):
    """Of 8 MiB and more, with holes between them and in them."""
    content = write_image(tmp_path / "disk", "30000001:A 9M:- 20M:B 65M:- 3M:0 11M:C 700:-")
    done = job(ranks, "-t1", "disk", cwd=tmp_path)
    assert done.stdout == f"{checksum(content)}  disk\n"


@pytest.mark.parametrize("ranks", [1, 2, 5])
@pytest.mark.parametrize("spec", ["", "1:A", "64k:A", "65537:A", "200k:-", "3:A 100M:-"])
def test_less_than_a_slice(tmp_path, ranks, spec):
    """Also no block at all, and fewer blocks than ranks."""
    content = write_image(tmp_path / "disk", spec)
    assert job(ranks, "disk", cwd=tmp_path).stdout == f"{checksum(content)}  disk\n"


def test_huge_hole_is_no_work(tmp_path):
    """Its digests are computed on rank 0, and nothing else is done for it."""
    hole(tmp_path / "disk", 256 << 30)
    assert job(2, "disk", cwd=tmp_path).stdout == disksum("disk", cwd=tmp_path)
