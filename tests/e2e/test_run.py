# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/run.py, which counts what all others report: no test is lost."""

import importlib.util
import subprocess
import sys

import pytest


@pytest.fixture
def runner(root):
    spec = importlib.util.spec_from_file_location("run", root / "tests/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("output, status, counts", [
    ("1..2\nok 1 - a\nok 2 - b\n", 0, (2, 0, 0)),
    ("1..2\nok 1 - a\nnot ok 2 - b\n", 1, (1, 1, 0)),
    ("1..2\nok 1 - a\nok 2 # SKIP b\n", 0, (1, 0, 1)),
    ("1..2\nok 1 - a\nnot ok 2 # SKIP b\n", 0, (1, 0, 1)),
    ("ok 1 - a\n1..1\n", 0, (1, 0, 0)),
    ("1..1\nok 1 - a\n1..2\nok 1 - b\nok 2 - c\n", 0, (3, 0, 0)),
    ("1..0 # SKIP nothing to do\n", 0, (0, 0, 1)),
    ("1..5\nok 1 - a\n", 0, (1, 4, 0)),
    ("1..5\nok 1 - a\n", 1, (1, 4, 0)),
    ("1..1\nok 1 - a\nok 2 - b\n", 0, (2, 1, 0)),
    ("1..1\nok 1 - a\n", 1, (1, 1, 0)),
    ("1..0\n", 0, (0, 1, 0)),
    ("ok 1 - a\n", 0, (1, 1, 0)),
    ("words\n", 0, (0, 1, 0)),
    ("", 0, (0, 1, 0)),
])
def test_counts(runner, output, status, counts):
    count = runner.run_unit_test({
        "name": "test", "env": {},
        "cmd": ["sh", "-c", 'printf %s "$0"; exit $1', output, str(status)]})
    assert (count.passed, count.failed, count.skipped) == counts


def test_unknown_suite(root):
    done = subprocess.run([sys.executable, root / "tests/run.py", "asan", "all"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (
        2, b"", "run.py: no suite 'all'\n"
        "usage: tests/run.py [release|asan|tsan|clang]...\n")
