# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs disksum-mpi in jobs of Open MPI on this machine."""

import os
import pathlib
import shutil
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[2]
BUILD = pathlib.Path(os.environ.get("DISKSUM_BUILD", ROOT / "build")).absolute()
PROGRAM = BUILD / "disksum-mpi"

sys.path.append(str(ROOT / "tests/e2e"))

# Root may start jobs, also in a container; ranks share the CPUs, and talk by memory
# that both map. Nothing leaves the machine.
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_btl": "self,vader",
    "OMPI_MCA_oob_tcp_if_include": "lo",
}

# So long takes no test, unless the job hangs.
TIMEOUT = 120


def skip_without_mpi():
    if not shutil.which("mpirun") or not PROGRAM.exists():
        pytest.skip("no MPI")


def command(ranks, *args, program=PROGRAM, mpirun=()):
    """The words that start a job. Without --quiet, mpirun says in many lines that the
    exit status was not 0."""
    return ["mpirun", "--quiet", "-n", str(ranks), *mpirun, program,
            *map(os.fspath, args)]


def environment(env=None):
    return {**os.environ, **ENVIRONMENT, **(env or {})}


def job(ranks, *args, check=True, input=None, env=None, cwd=None, **kwargs):
    """Run disksum-mpi. check: it must succeed, and say nothing on stderr."""
    done = subprocess.run(command(ranks, *args, **kwargs), input=input,
                          stdin=None if input is not None else subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          env=environment(env), cwd=cwd, timeout=TIMEOUT,
                          encoding="utf-8", errors="surrogateescape")
    if check:
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done


def fails(ranks, *args, stdout="", **kwargs):
    """Run disksum-mpi, which must fail as every failure has to: exit status 1, and one
    line on stderr. Returns what follows the name of this host in it."""
    done = job(ranks, *args, check=False, **kwargs)
    assert done.returncode == 1, done
    assert done.stdout == stdout
    start = f"disksum-mpi: {os.uname().nodename}: "
    assert done.stderr.startswith(start)
    assert done.stderr.endswith("\n")
    assert done.stderr.count("\n") == 1
    return done.stderr[len(start):-1]


def disksum(*args, **kwargs):
    """What one process prints."""
    return subprocess.run([BUILD / "disksum", *map(os.fspath, args)], check=True,
                          stdout=subprocess.PIPE, encoding="utf-8",
                          errors="surrogateescape", **kwargs).stdout
