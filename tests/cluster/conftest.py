# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests on a cluster: what 'make check-cluster' runs. They have the fixtures of the
end-to-end tests, too. DISKSUM_BUILD is the directory of the build that is tested."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.with_name("e2e"))]

import slurm_node  # noqa: E402: found there
from shared import conftest as shared  # noqa: E402: likewise

# The helpers beside that file expect these here.
BUILD, ROOT, sums = shared.BUILD, shared.ROOT, shared.sums
build, root, disksum, fails = shared.build, shared.root, shared.disksum, shared.fails
servers = shared.servers
pytest_configure = shared.pytest_configure
pytest_terminal_summary = shared.pytest_terminal_summary


@pytest.fixture(scope="session")
def cluster():
    """A Slurm of one node, for all tests of this process."""
    if not slurm_node.is_installed():
        pytest.skip("no Slurm")
    slurm = slurm_node.Slurm()
    try:
        slurm.start()
        yield slurm
    finally:
        slurm.stop()
