#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""All tests: build, run, count. Ends with one line, 'N passed, N failed', and
', N skipped' where some were.

    tests/run.py [SUITE]... [-k EXPRESSION] [TEST]... [OPTION-OF-PYTEST]...

A suite is a build and what runs on it: 'release' everything; 'clang' (the other
compiler, and what it finds of bad addresses and undefined behaviour) and 'tsan'
(threads) the unit tests and the end-to-end tests that are marked for it. 'threads'
is that of 'tsan' with almost all end-to-end tests, and 8 threads. It takes long, so
it runs only if it is named.

Without arguments all tests of the other suites run, and only failures are shown. A
choice of tests runs one by one, with its output, in 'release' if no suite is
given:

    tests/run.py release -k snapshot
    tests/run.py -k 'leaf and not threads'
    tests/run.py clang tests/unit/leaf.c tests/e2e/test_raw.py
    tests/run.py tests/e2e/test_errors.py::test_missing --pdb

-k means what it means to pytest; a unit test is chosen by its name or by that
of a function in it. A test that is named by its file runs in any suite. An
option of pytest that takes a value is written as one word: -n2.
"""

import argparse
import concurrent.futures
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).parents[1]


def sanitizer_suite(directory, sanitizer, compiler=None, marks="sanitizer"):
    """A build with a sanitizer, by the default compiler or this one, and the marks of
    its tests."""
    return (directory, [f"-Db_sanitize={sanitizer}", "-Db_lundef=false",
                     "-Dbuildtype=debugoptimized"],
            ["-m", marks], {"CC": compiler} if compiler else {})


# The directory of a build, its options, those of pytest, and the environment.
SUITES = {
    "release": ("build", [], [], {}),
    "clang": sanitizer_suite("build-clang", "address,undefined", "clang"),
    "tsan": sanitizer_suite("build-tsan", "thread", marks="sanitizer and not one_thread"),
    "threads": sanitizer_suite("build-tsan", "thread", marks="not no_sanitizer"),
}
DEFAULT_SUITES = ["release", "clang", "tsan"]

USAGE = f"tests/run.py [{'|'.join(SUITES)}]... [-k EXPRESSION] [TEST]..."

NO_TESTS = 5  # the exit status of pytest where it found none to run
SKIPPED = 77  # what meson takes for a skipped test

# The first report of a sanitizer ends the program that it is about.
os.environ |= {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
               "TSAN_OPTIONS": f"halt_on_error=1:suppressions={ROOT}/tests/tsan-suppressions",
               "PYTHONDONTWRITEBYTECODE": "1"}


class Count:
    def __init__(self, passed=0, failed=0, skipped=0):
        self.passed, self.failed, self.skipped = passed, failed, skipped

    def __add__(self, other):
        return Count(self.passed + other.passed, self.failed + other.failed,
                     self.skipped + other.skipped)

    def __str__(self):
        text = f"{self.passed} passed, {self.failed} failed"
        return text + (f", {self.skipped} skipped" if self.skipped else "")


def build(directory, options, environment):
    """Every warning is an error."""
    options = ["-Dtests=true", "-Dwerror=true", *options]
    if (ROOT / directory / "build.ninja").exists():
        command = ["meson", "configure", directory, *options]
    else:
        command = ["meson", "setup", directory, *options]
    for step in command, ["ninja", "-C", directory]:
        done = subprocess.run(step, cwd=ROOT, env={**os.environ, **environment},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if done.returncode:
            print(done.stdout.decode(errors="replace"))
            print(f"FAILED: {' '.join(step)}")
            return False
    return True


def count_tap(output):
    """What a unit test reports, in the Test Anything Protocol. What it planned
    and did not report has failed, and so has a test without a plan."""
    count = Count()
    planned, skipped_all = None, False
    for line in output.splitlines():
        plan = re.match(r"1\.\.(\d+)(\s*# SKIP)?", line, re.I)
        if plan:
            planned = (planned or 0) + int(plan.group(1))
            skipped_all = skipped_all or plan.group(2)
        elif re.match(r"(not )?ok \d+ .*# SKIP", line, re.I):
            count.skipped += 1
        elif line.startswith("ok "):
            count.passed += 1
        elif line.startswith("not ok "):
            count.failed += 1
    reported = count.passed + count.failed + count.skipped
    if planned is None or (planned == 0 and not skipped_all):
        print(f"no plan, {reported} reported")
        count.failed += 1
    elif planned != reported:
        print(f"{planned} planned, {reported} reported")
        count.failed += max(planned - reported, 1)
    elif planned == 0:
        count.skipped += 1
    return count


def holds(expression, name):
    """Whether an expression of -k is true of a name."""
    def word(match):
        if match[0] in ("and", "or", "not"):
            return match[0]
        return str(match[0].lower() in name.lower())
    return eval(re.sub(r"[^\s()]+", word, expression))


class Choice:
    """The tests that are asked for: all, or some with their output."""

    def __init__(self, expression=None, paths=(), options=()):
        self.expression, self.options = expression, list(options)
        self.unit = [path for path in paths if path.endswith(".c")]
        self.end_to_end = [path for path in paths if not path.endswith(".c")]
        self.all = not (expression or paths or options)

    def has_unit_test(self, test):
        if self.expression is None and not self.unit:
            return self.all
        source = source_of(test)
        if self.unit and str(source.relative_to(ROOT)) not in self.unit:
            return False
        if self.end_to_end and not self.unit:
            return False
        names = [test["name"], *re.findall(r"\btest_\w+", source.read_text())]
        return self.expression is None or any(
            holds(self.expression, name) for name in names)

    def pytest_options(self, of_suite):
        """None: no end-to-end test can be meant."""
        if self.unit and not self.end_to_end:
            return None
        options = [] if self.end_to_end else list(of_suite)
        if self.expression:
            options += ["-k", self.expression]
        return [*options, *self.options, *(self.end_to_end or ["tests/e2e"])]


def source_of(test):
    """The file of a unit test, or of a target of the fuzzer."""
    kind, name = pathlib.Path(test["cmd"][0]).name.split("-", 1)
    directory = {"test": "unit", "replay": "fuzz"}[kind]
    return ROOT / "tests" / directory / f"{name}.c"


def run_program(test, live):
    """The output of a unit test, and how it ended."""
    with subprocess.Popen(test["cmd"], env={**os.environ, **test["env"]},
                          cwd=ROOT, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT) as process:
        if live:
            output = b""
            for line in process.stdout:
                sys.stdout.buffer.write(line)
                sys.stdout.flush()
                output += line
            return output, process.wait()
        try:
            return process.communicate(timeout=300)[0], process.returncode
        except subprocess.TimeoutExpired:
            process.kill()
            return process.communicate()[0], "a hang"


def run_unit_test(test, suite="release", live=False):
    output, status = run_program(test, live)
    output = output.decode(errors="replace")
    count = count_tap(output)
    if status and not count.failed:
        count.failed = 1  # it crashed, or a sanitizer ended it
    if count.failed:
        if not live:
            print(output)
        print(f"FAILED: {test['name']}: {status}\n"
              f"run it again: tests/run.py {suite} -k {test['name']}", flush=True)
    return count


def run_unit_tests(directory, suite, choice):
    listed = subprocess.run(["meson", "introspect", "--tests", directory],
                            cwd=ROOT, stdout=subprocess.PIPE, check=True)
    tests = [test for test in json.loads(listed.stdout)
             if "disksum:unit" in test["suite"] and choice.has_unit_test(test)]
    with concurrent.futures.ThreadPoolExecutor(
            os.cpu_count() if choice.all else 1) as pool:
        return sum(pool.map(lambda test: run_unit_test(
            test, suite, live=not choice.all), tests), Count())


def direct_io_works(directory):
    with tempfile.NamedTemporaryFile(dir=directory) as f:
        try:
            os.close(os.open(f.name, os.O_RDONLY | os.O_DIRECT))
        except OSError:
            return False
    return True


def run_end_to_end(directory, options, live=False, suite=""):
    """Of a build, by pytest. Not live: in parallel, and shows failures alone."""
    if not importlib.util.find_spec("pytest"):
        print("pytest is missing (python3-pytest): no end-to-end test runs")
        return Count(failed=1)
    directory = ROOT / directory
    report = directory / "end-to-end.xml"
    report.unlink(missing_ok=True)
    if live:
        options = ["-v", *options]
    elif importlib.util.find_spec("xdist"):
        # Many tests wait for a server or a signal.
        options = ["-q", "-n", str(os.cpu_count() + 1), *options]
    if not direct_io_works(tempfile.gettempdir()):
        options = [*options, f"--basetemp={directory / 'tmp'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--no-header", "--tb=short",
         "-p", "no:cacheprovider", f"--junitxml={report}", *options],
        cwd=ROOT, env={**os.environ, "DISKSUM_BUILD": str(directory),
                       "DISKSUM_SUITE": suite},
        stdout=None if live else subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
        number = {name: int(suite.get(name))
                  for name in ("tests", "failures", "errors", "skipped")}
    except (OSError, xml.etree.ElementTree.ParseError, AttributeError):
        number = {"tests": 1, "failures": 1, "errors": 0, "skipped": 0}
    failed = number["failures"] + number["errors"]
    if done.returncode not in (0, NO_TESTS) and not failed:
        failed = 1
    if failed and not live:
        print(done.stdout.decode(errors="replace"))
    return Count(max(number["tests"] - failed - number["skipped"], 0), failed,
                 number["skipped"])


def run_suite(name, choice):
    directory, build_options, test_options, environment = SUITES[name]
    if not build(directory, build_options, environment):
        return Count(failed=1)
    unit = run_unit_tests(directory, name, choice)
    print(f"{name}, unit tests: {unit}", flush=True)
    options = choice.pytest_options(test_options)
    if options is None:
        return unit
    end_to_end = run_end_to_end(directory, options, not choice.all, name)
    print(f"{name}, end to end: {end_to_end}", flush=True)
    return unit + end_to_end


def test_for_meson(directory, *options):
    """The end-to-end tests of a build, for 'meson test'."""
    if not importlib.util.find_spec("pytest"):
        print("skipped: pytest is missing (python3-pytest)")
        return SKIPPED
    # Meson builds what the tests of its own need, and a test that installs
    # would build the rest while others run it.
    subprocess.run(["ninja", "-C", directory], stdout=subprocess.DEVNULL, check=True)
    count = run_end_to_end(directory, [*options, "tests/e2e"])
    print(count)
    return 1 if count.failed or not count.passed else 0


def parse(arguments):
    """The suites and the choice of tests; None: that is no use of it."""
    parser = argparse.ArgumentParser(
        usage=USAGE, allow_abbrev=False, description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-k", metavar="EXPRESSION")
    parser.add_argument("tests", nargs="*")
    known, options = parser.parse_known_intermixed_args(arguments)
    paths = [word for word in known.tests if "/" in word]
    suites = [word for word in known.tests if "/" not in word]
    for word in suites:
        if word not in SUITES:
            print(f"run.py: no suite '{word}'\nusage: {USAGE}", file=sys.stderr)
            return None
    try:
        holds(known.k or "all", "")
    except SyntaxError:
        print(f"run.py: -k: not an expression: {known.k}", file=sys.stderr)
        return None
    choice = Choice(known.k, paths, options)
    return suites or (DEFAULT_SUITES if choice.all else ["release"]), choice


def main():
    if sys.argv[1:2] == ["--end-to-end"]:
        return test_for_meson(*sys.argv[2:])
    parsed = parse(sys.argv[1:])
    if not parsed:
        return 2
    suites, choice = parsed
    count = sum((run_suite(suite, choice) for suite in suites), Count())
    if not count.passed + count.failed + count.skipped:
        print("no test was chosen")
    print(count)
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
