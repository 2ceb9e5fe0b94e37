# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests on a cluster: what 'make check-cluster' runs. They have the fixtures of the
end-to-end tests, too. DISKSUM_BUILD is the directory of the build that is tested."""

import importlib.util
import pathlib
import sys

import pytest

END_TO_END = pathlib.Path(__file__).parents[1] / "e2e"


def load(name, path):
    """A module by a name of its own: there are two files conftest.py."""
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


sys.path[:0] = [str(pathlib.Path(__file__).parent), str(END_TO_END)]
shared = load("e2e_conftest", END_TO_END / "conftest.py")

# The helpers beside that file expect these here.
BUILD, ROOT, sums = shared.BUILD, shared.ROOT, shared.sums
build, root, disksum, fails = shared.build, shared.root, shared.disksum, shared.fails
servers = shared.servers
pytest_configure = shared.pytest_configure
pytest_terminal_summary = shared.pytest_terminal_summary

import slurm_node  # noqa: E402: found there


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
