# SPDX-License-Identifier: LGPL-2.1-or-later
"""tests/run.py, which counts what all others report: no test is lost."""

import importlib.util
import json
import re
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


UNIT_TESTS = ["leaf", "leaf-shani", "corpus-qcow2", "qcow2"]


def unit_test(name):
    program = "replay-qcow2" if name == "corpus-qcow2" else \
        f"test-{name.split('-')[0]}"
    return {"name": name, "cmd": [f"/build/tests/{program}", "argument"]}


@pytest.mark.parametrize("arguments, suites, unit, end_to_end", [
    ("", ["release", "clang", "tsan"], UNIT_TESTS, ["MARK", "tests/e2e"]),
    ("tsan", ["tsan"], UNIT_TESTS, ["MARK", "tests/e2e"]),
    ("release -k leaf", ["release"], ["leaf", "leaf-shani"],
     ["MARK", "-k", "leaf", "tests/e2e"]),
    ("-k LEAF-", ["release"], ["leaf-shani"], ["MARK", "-k", "LEAF-", "tests/e2e"]),
    ("clang tsan -k scattered_blocks", ["clang", "tsan"], ["leaf", "leaf-shani"],
     ["MARK", "-k", "scattered_blocks", "tests/e2e"]),
    ("clang tests/unit/qcow2.c", ["clang"], ["qcow2"], None),
    ("tests/fuzz/qcow2.c", ["release"], ["corpus-qcow2"], None),
    ("tests/e2e/test_raw.py::test_a[x] -x --maxfail=2", ["release"], [],
     ["-x", "--maxfail=2", "tests/e2e/test_raw.py::test_a[x]"]),
    ("tests/e2e/test_raw.py tests/unit/leaf.c", ["release"], ["leaf", "leaf-shani"],
     ["tests/e2e/test_raw.py"]),
])
def test_choice(runner, arguments, suites, unit, end_to_end):
    chosen, choice = runner.parse(arguments.split())
    assert chosen == suites
    assert choice.all == (unit == UNIT_TESTS)
    assert [name for name in UNIT_TESTS
            if choice.has_unit_test(unit_test(name))] == unit
    assert choice.pytest_options(["MARK"]) == end_to_end


@pytest.mark.parametrize("expression, holds", [
    ("leaf", True), ("Leaf", True), ("root", False), ("not leaf", False),
    ("leaf and root", False), ("root or (leaf and not x)", True)])
def test_expression(runner, expression, holds):
    assert runner.holds(expression, "leaf-shani") == holds


def test_bad_expression(root):
    done = subprocess.run([sys.executable, root / "tests/run.py", "-k", "a b"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (
        2, b"", "run.py: -k: not an expression: a b\n")


def test_no_pytest(root, build):
    """What 'meson test' runs: it is skipped, and says why."""
    done = subprocess.run([sys.executable, "-I", "-S", root / "tests/run.py",
                           "--end-to-end", build], stdout=subprocess.PIPE)
    assert done.returncode == 77
    assert b"pytest is missing" in done.stdout


def test_all_tests_are_in_a_suite(build):
    """Of meson, which must not run a test in both or in none."""
    tests = json.loads(subprocess.run(
        ["meson", "introspect", "--tests", build],
        stdout=subprocess.PIPE, check=True).stdout)
    assert {test["suite"][0] for test in tests} == {"disksum:unit", "disksum:e2e"}
    assert all(len(test["suite"]) == 1 for test in tests)
    assert len([test for test in tests if test["suite"] == ["disksum:e2e"]]) == 1


def test_files_that_the_readme_names(root):
    """In backquotes, below tests/ or from the root."""
    readme = (root / "tests/README.md").read_text()
    named = re.findall(r"`([\w/.-]+/[\w.-]*)[` ]", readme)
    assert len(named) > 20
    assert [name for name in named if not name.startswith("build") and
            not any(token in name for token in ("NAME", "TARGET")) and
            not (root / name).exists() and
            not (root / "tests" / name).exists()] == []


def test_unknown_suite(root):
    done = subprocess.run([sys.executable, root / "tests/run.py", "clang", "all"],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stdout, done.stderr.decode()) == (
        2, b"", "run.py: no suite 'all'\n"
        "usage: tests/run.py [release|clang|tsan|threads]... [-k EXPRESSION] "
        "[TEST]...\n")
