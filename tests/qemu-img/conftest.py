# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests of 'qemu-img checksum'. They need a qemu-img that has it: the program at
DISKSUM_QEMU_IMG, or qemu-img in the build that is tested."""

import os
import pathlib
import sys

import pytest

sys.path.append(str(pathlib.Path(__file__).parents[1] / "e2e"))

from shared import conftest as shared  # noqa: E402: found there

# The helpers beside that file expect these here.
BUILD, ROOT, sums = shared.BUILD, shared.ROOT, shared.sums
build, disksum, servers = shared.build, shared.disksum, shared.servers
pytest_terminal_summary = shared.pytest_terminal_summary

QEMU_IMG = pathlib.Path(os.environ.get("DISKSUM_QEMU_IMG", BUILD / "qemu-img")).absolute()

# This qemu-img makes the images, too, with whichever helper.
os.environ["PATH"] = f"{QEMU_IMG.parent}{os.pathsep}{os.environ['PATH']}"
# The library is that of the build, whatever was there when qemu-img was linked.
os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(
    filter(None, [str(BUILD.absolute()), os.environ.get("LD_LIBRARY_PATH")]))


def pytest_configure(config):
    shared.pytest_configure(config)
    if not os.access(QEMU_IMG, os.X_OK):
        raise pytest.UsageError(
            f"no {QEMU_IMG}: 'make check-qemu-img' builds it; or name one in "
            "DISKSUM_QEMU_IMG")


@pytest.fixture(autouse=True)
def no_credentials_at_home(tmp_path_factory, monkeypatch):
    """So that neither program finds credentials of the user who runs the tests."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
