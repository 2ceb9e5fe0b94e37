# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a failing test says."""

import os
import subprocess

import pytest


def run_failing(build, *args):
    return subprocess.run(
        [build / "tests/failing", *args], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP"})


@pytest.mark.sanitizer
def test_unit_test_prints_its_case(build):
    """That of the test that fails, and not of another."""
    done = run_failing(build)
    assert done.returncode == 2
    lines = done.stdout.splitlines()
    failed = next(i for i, line in enumerate(lines)
                  if line.startswith("not ok") and "test_sizes" in line)
    assert "# the last case: size 2048, kernel none" in lines[:failed]
    assert done.stdout.count("the last case") == 1


@pytest.mark.sanitizer
def test_assertion_of_the_code_prints_the_case(build):
    done = run_failing(build, "abort")
    assert "# the last case: size 2048, kernel none\n" in done.stdout
    assert "Assertion" in done.stdout
    assert done.returncode != 0


@pytest.mark.sanitizer
def test_sanitizer_prints_the_case(build):
    symbols = subprocess.run(["nm", "-D", build / "tests/failing"],
                             stdout=subprocess.PIPE, text=True).stdout
    if "__asan_init" not in symbols:
        pytest.skip("not built with the address sanitizer")
    done = run_failing(build, "memory")
    assert "heap-buffer-overflow" in done.stdout
    assert "# the last case: size 2048, kernel none\n" in done.stdout
