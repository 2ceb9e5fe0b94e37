# SPDX-License-Identifier: LGPL-2.1-or-later
"""All tests: build, run, count. Ends with one line, 'N passed, N failed', and
', N skipped' where some were.

    tests/run.py [SUITE]...

A suite is a build and what runs on it: 'release' everything; 'asan' (addresses),
'tsan' (threads) and 'clang' (the other compiler, and what it knows of undefined
behaviour) the unit tests and the end-to-end tests that are marked for it.
"""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

ROOT = pathlib.Path(__file__).parents[1]


def sanitizer_suite(directory, sanitizer, compiler=None):
    """A build with a sanitizer, by the default compiler or this one."""
    return (directory, [f"-Db_sanitize={sanitizer}", "-Db_lundef=false",
                     "-Dbuildtype=debugoptimized"],
            ["-m", "sanitizer"], {"CC": compiler} if compiler else {})


# The directory of a build, its options, those of pytest, and the environment.
SUITES = {
    "release": ("build", [], [], {}),
    "asan": sanitizer_suite("build-asan", "address"),
    "tsan": sanitizer_suite("build-tsan", "thread"),
    "clang": sanitizer_suite("build-clang", "undefined", "clang"),
}

# The first report of a sanitizer ends the program that it is about.
os.environ |= {"UBSAN_OPTIONS": "halt_on_error=1:print_stacktrace=1",
               "TSAN_OPTIONS": "halt_on_error=1",
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


def run_unit_test(test):
    try:
        done = subprocess.run(test["cmd"], env={**os.environ, **test["env"]},
                              cwd=ROOT, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=300)
        output, status = done.stdout.decode(errors="replace"), done.returncode
    except subprocess.TimeoutExpired as e:
        output, status = (e.stdout or b"").decode(errors="replace"), "a hang"
    count = count_tap(output)
    if status and not count.failed:
        count.failed = 1  # it crashed, or a sanitizer ended it
    if count.failed:
        print(output)
        print(f"FAILED: {test['name']}: {status}")
    return count


def run_unit_tests(directory):
    listed = subprocess.run(["meson", "introspect", "--tests", directory],
                            cwd=ROOT, stdout=subprocess.PIPE, check=True)
    tests = json.loads(listed.stdout)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return sum(pool.map(run_unit_test, tests), Count())


def direct_io_works(directory):
    with tempfile.NamedTemporaryFile(dir=directory) as f:
        try:
            os.close(os.open(f.name, os.O_RDONLY | os.O_DIRECT))
        except OSError:
            return False
    return True


def run_end_to_end(directory, options):
    report = ROOT / directory / "end-to-end.xml"
    report.unlink(missing_ok=True)
    if not direct_io_works(tempfile.gettempdir()):
        options = [*options, f"--basetemp={ROOT / directory / 'tmp'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "--no-header", "--tb=short",
         "-p", "no:cacheprovider", "-n", str(os.cpu_count()),
         f"--junitxml={report}", *options,
         "tests/e2e"],
        cwd=ROOT, env={**os.environ, "DISKSUM_BUILD": str(ROOT / directory)},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    try:
        suite = xml.etree.ElementTree.parse(report).getroot().find("testsuite")
        number = {name: int(suite.get(name))
                  for name in ("tests", "failures", "errors", "skipped")}
    except (OSError, xml.etree.ElementTree.ParseError, AttributeError):
        number = {"tests": 1, "failures": 1, "errors": 0, "skipped": 0}
    failed = number["failures"] + number["errors"]
    if done.returncode and not failed:
        failed = 1
    if failed:
        print(done.stdout.decode(errors="replace"))
    return Count(max(number["tests"] - failed - number["skipped"], 0), failed,
                 number["skipped"])


def run_suite(name):
    directory, build_options, test_options, environment = SUITES[name]
    if not build(directory, build_options, environment):
        return Count(failed=1)
    unit = run_unit_tests(directory)
    print(f"{name}, unit tests: {unit}", flush=True)
    end_to_end = run_end_to_end(directory, test_options)
    print(f"{name}, end to end: {end_to_end}", flush=True)
    return unit + end_to_end


def main():
    unknown = [name for name in sys.argv[1:] if name not in SUITES]
    if unknown:
        print(f"run.py: no suite '{unknown[0]}'\n"
              f"usage: tests/run.py [{'|'.join(SUITES)}]...", file=sys.stderr)
        return 2
    count = sum(map(run_suite, sys.argv[1:] or SUITES), Count())
    print(count)
    return 1 if count.failed or not count.passed else 0


if __name__ == "__main__":
    sys.exit(main())
