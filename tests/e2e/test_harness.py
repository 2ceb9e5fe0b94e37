# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a failing test says: its case, and how to run it again."""

import os
import re
import subprocess
import sys

import pytest


def run_failing(build, *args, left_out=""):
    return subprocess.run(
        [build / "tests/failing", *args], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
        env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "TAP", "DISKSUM_LEFT_OUT": left_out})


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


def test_unit_test_is_left_out(build):
    """That of this name, and none that has it within its own: those are skipped."""
    def skipped(left_out):
        return re.findall("# SKIP (.*)", run_failing(build, left_out=left_out).stdout)
    others = "test_sizes_of_it a_test_sizes test_without_cases"
    assert skipped(others) == ["test_without_cases"]
    assert skipped(f"{others} test_sizes") == ["test_sizes", "test_without_cases"]


def test_all_unit_tests_print_their_case(root):
    """cmocka's own macro would run them as well."""
    for path in (root / "tests/unit").glob("*.c"):
        assert "cmocka_run_group_tests(tests" not in path.read_text(), path


FAILING = """
import pytest

@pytest.mark.parametrize("size", [512, 4096])
def test_size(size):
    assert size == 512

@pytest.fixture
def broken():
    assert False

def test_error(broken):
    pass
"""


@pytest.mark.parametrize("suite", ["", "clang"])
def test_end_to_end_test_prints_its_command(root, build, tmp_path, suite):
    """It runs just this test."""
    (tmp_path / "test_failing.py").write_text(FAILING)
    env = {**os.environ, "PYTHONPATH": str(root / "tests/e2e"),
           "DISKSUM_BUILD": str(build), "DISKSUM_SUITE": suite}

    def pytest_in_tree(*args, **kwargs):
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "conftest", "-p",
             "no:cacheprovider", *args], cwd=tmp_path, env=env,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    out = pytest_in_tree("-q").stdout
    again = out.split("to run one again", 1)[1].splitlines()[1:3]
    start = "tests/run.py clang" if suite else \
        f"DISKSUM_BUILD={build} {sys.executable} -m pytest"
    assert again == [f"{start} 'test_failing.py::test_size[4096]'",
                     f"{start} test_failing.py::test_error"]
    if not suite:
        done = subprocess.run(f"{again[0]} -p conftest", shell=True, text=True,
                              cwd=tmp_path, env=env, stdout=subprocess.PIPE)
        assert "1 failed" in done.stdout and "passed" not in done.stdout
