# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ranks that are confined exchange large messages, whatever moves them.

The other tests have small messages only, which all transports copy.
"""

import shutil
import subprocess

import pytest

import mpi_job
from mpi_job import disksum, job

from oracle import write_image

# 1 MiB of digests for each slice of 8 MiB.
OPTIONS = ["-t1", "-d", "sha512", "--block-size=512", "disk"]

UCX = ["--mca", "pml", "ucx", "--mca", "pml_ucx_tls", "any", "--mca", "pml_ucx_devices", "any"]


@pytest.fixture(autouse=True)
def needs_mpi():
    mpi_job.skip_without_mpi()


@pytest.fixture
def disk(tmp_path):
    write_image(tmp_path / "disk", "40M:A")
    return tmp_path


def assert_same(disk, **kwargs):
    assert job(3, *OPTIONS, cwd=disk, **kwargs).stdout == disksum(*OPTIONS, cwd=disk)


@pytest.mark.parametrize("transports", ["self,vader", "self,tcp"])
def test_open_mpi(disk, transports):
    """By default, vader reads the memory of the sender."""
    assert_same(disk, env={"OMPI_MCA_btl": transports,
                           "OMPI_MCA_btl_tcp_if_include": "lo"})


@pytest.mark.parametrize("transports", [None, "all", "self,sysv,tcp,cma", "self,sysv", "self,tcp"])
def test_ucx(disk, transports):
    """Also if the user asks for one that would read the memory of the sender."""
    if not shutil.which("ompi_info") or "pml: ucx" not in subprocess.run(
            ["ompi_info"], stdout=subprocess.PIPE, text=True, check=True).stdout:
        pytest.skip("this MPI has no UCX")
    assert_same(disk, mpirun=UCX, env={"UCX_TLS": transports} if transports else None)
