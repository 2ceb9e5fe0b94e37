# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs of disksum in which the n-th call of a kind fails (tests/shims/failing-server.c), and
how they may end."""

import collections
import json
import os
import pathlib
import re
import select
import shutil
import signal
import struct
import subprocess
import zlib

from list_oracle import read_list

HANG = 90  # seconds
NO_FILTER = 77  # an exit status of the shim
SUPPRESSIONS = pathlib.Path(__file__).parents[1] / "lsan-suppressions"

# As the shim names them: functions that are called, and causes why system calls fail.
KINDS = ("memory", "map", "thread", "read", "ring", "open", "status", "socket", "wait",
         "write", "process")
CAUSES = ("limit", "device", "signal", "refused", "absent")

Fault = collections.namedtuple("Fault", "kind number how who", defaults=("one", "program"))
NONE = Fault("memory", 0)

# The status of waitpid(), how many calls of the kind there were and how many of them failed,
# which system call ("-": none), and the content of the files in its directory.
Outcome = collections.namedtuple("Outcome", "status calls failed name stdout stderr files")


def numbers(name, calls, count):
    """Which of so many calls fail in the run with this name: all with DISKSUM_FAULTS=all, or
    `count` of them, others for each name."""
    if os.environ.get("DISKSUM_FAULTS") == "all" or calls <= count:
        return range(1, calls + 1)
    first = zlib.crc32(name.encode()) % calls
    return sorted((first + calls * i // count) % calls + 1 for i in range(count))


class Program:
    """disksum with the arguments of a case, loaded once. It runs in a directory that has the
    files of the case."""

    def __init__(self, build, case, directory):
        self.case, self.directory = case, directory
        self.is_renewed = False
        self.process = subprocess.Popen(
            [*case.wrapper, build / "disksum", *map(os.fspath, case.args)], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, bufsize=0, env={
                **os.environ, **case.env, "FAILING_CALL": "disksum",
                "TMPDIR": os.fspath(directory), "LD_PRELOAD": build / "tests/failing-call.so",
                # The shim comes first, and calls the malloc() of the sanitizer.
                "ASAN_OPTIONS": "verify_asan_link_order=0",
                "LSAN_OPTIONS": f"suppressions={SUPPRESSIONS}:print_suppressions=0"})

    def renew(self):
        """Make the directory what it was."""
        shutil.rmtree(self.directory, ignore_errors=True)
        self.directory.mkdir()
        for name, content in self.case.files.items():
            (self.directory / name).write_bytes(content)
        self.is_renewed = True

    def read_answer(self, fault):
        """The server's two lines, of which the first comes at once."""
        answer = b""
        while answer.count(b"\n") < 2:
            if not select.select([self.process.stdout], [], [], HANG)[0]:
                os.killpg(int(answer.split()[0]), signal.SIGKILL)
                raise AssertionError(f"{fault}: it has not ended after {HANG} s")
            some = os.read(self.process.stdout.fileno(), 4096)
            assert some, "the shim's server has ended"
            answer += some
        _, status, calls, failed, name = answer.split()
        return int(status), int(calls), int(failed), name.decode()

    def run(self, fault=NONE):
        if not self.is_renewed:
            self.renew()
        self.process.stdin.write(b"%s %d %s %s %s\n" % (
            fault.kind.encode(), fault.number, fault.how.encode(), fault.who.encode(),
            os.fsencode(self.directory)))
        how = self.read_answer(fault)
        files = {}
        for entry in os.scandir(self.directory):
            path = pathlib.Path(entry)
            files[entry.name] = path.read_bytes() if entry.is_file() else None
        stdout, stderr = files.pop("stdout"), files.pop("stderr")
        self.is_renewed = files == self.case.files
        return Outcome(*how, stdout, stderr.decode(errors="replace"), files)

    def end(self):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


# --- how a run may end --------------------------------------------------------------

def is_warning(line):
    return line.startswith("disksum: ") and ": warning: " in line


# What disksum says of other programs. There are none.
UNTRUE = re.compile(r"another process|was replaced|changed while|shrank while")


# json-c writes this, without a newline, and goes on without random numbers.
OF_JSON_C = re.compile(r"error from getrandom\(\): (Operation not permitted|"
                       r"Function not implemented|Interrupted system call)")


def messages(outcome):
    text = outcome.stderr
    if outcome.name == "getrandom":
        text = OF_JSON_C.sub("", text)
    return [line for line in text.splitlines(keepends=True) if not is_warning(line)]


ASSERTION = re.compile(
    r"disksum: generator/states\.c:\d+: enter_STATE_DEAD: Assertion `nbd_get_error \(\)' failed\.\n")


def is_abort_of_libnbd(fault, outcome):
    """libnbd asserts that it has set an error, for which it has no memory. Without any, the C
    library cannot say which assertion failed."""
    lines = messages(outcome)
    known = lines == ["Unexpected error.\n"] if fault.how == "rest" else \
        len(lines) == 1 and ASSERTION.fullmatch(lines[0])
    return fault.kind == "memory" and outcome.status == signal.SIGABRT and known


def list_digests(data):
    """What a list says of the disk, or None if it is not whole."""
    try:
        found = read_list(data)
    except (AssertionError, struct.error):
        return None
    return found.mds, found.checksum, found.length


def is_same_output(case, good, bad):
    if case.printed == "list":
        return list_digests(bad.stdout) == list_digests(good.stdout)
    if case.printed == "json":
        return json.loads(bad.stdout).get("checksum") == json.loads(good.stdout)["checksum"]
    return bad.stdout == good.stdout


def is_good_part(case, good, bad):
    """Whether what was printed before an error is right: whole lines."""
    lines, expected = (o.stdout.splitlines(keepends=True) for o in (bad, good))
    if case.printed == "list":
        return list_digests(bad.stdout) in (None, list_digests(good.stdout))
    if not bad.stdout:
        return True
    # All was printed, and then the output could not be closed.
    if "write error" in bad.stderr and is_same_output(case, good, bad):
        return True
    if case.printed == "json":
        return "checksum" not in json.loads(bad.stdout)
    if case.printed == "check":
        return all(line in expected or re.fullmatch(r".*: FAILED( open or read)?\n".encode(),
                                                    line) for line in lines)
    if case.printed == "part":
        return all(line in expected for line in lines)
    return case.printed == "diff" and lines == expected[:len(lines)]


def is_same_list(case, good, bad):
    return list_digests(bad.files.get(case.writes, b"")) == \
        list_digests(good.files[case.writes])


# Without these calls, the directory of a socket cannot be removed.
REMOVALS = ("unlink", "rmdir", "unlinkat")
SOCKET_DIRECTORY = re.compile(r"disksum-\w{6}")


def has_good_files(case, good, bad, failed):
    """No file is left, and none is damaged. After an error, there may be a list up to it."""
    files = {name: content for name, content in bad.files.items()
             if bad.name not in REMOVALS or not SOCKET_DIRECTORY.fullmatch(name)}
    names = {name for name in files if files[name] != case.files.get(name)}
    if not case.writes:
        return not names and len(files) == len(case.files)
    if case.writes in names:
        return is_same_list(case, good, bad) and names == {case.writes}
    return failed and names <= {f"{case.writes}.part"}


def complaint(case, good, bad, fault=NONE):
    """What is wrong with how a run of a case ended, or None. good: a run in which nothing
    failed."""
    lines = messages(bad)
    if UNTRUE.search(bad.stderr):
        return "an untrue message"
    if bad.status == good.status and is_same_output(case, good, bad):
        # A run that fails in any case may fail for another reason.
        if len(lines) != len(messages(good)) and not (lines and case.status == case.trouble):
            return "a message after a good end"
        return None if has_good_files(case, good, bad, False) else "files after a good end"
    if bad.status != case.trouble << 8:
        return None if is_abort_of_libnbd(fault, bad) else "the exit status"
    if not all(line.startswith("disksum: ") and line.endswith("\n") for line in lines):
        return "not a message"
    # Whatever failed, another failure may be that of the output.
    others = [line for line in lines if not line.startswith("disksum: write error: ")]
    if not lines or len(others) > (3 if case.printed in ("part", "check") else 1):
        return "not one message"
    if not is_good_part(case, good, bad):
        return "the output"
    return None if has_good_files(case, good, bad, True) else "files"


# --- to let calls fail ---------------------------------------------------------------

def fail_some(program, name, kind, who, sample):
    """Let calls of a kind fail. Returns how many there were, how many failed, and what went
    wrong."""
    case, good = program.case, program.run()
    calls = program.run(NONE._replace(kind=kind, who=who)).calls
    failed, wrong = 0, []
    for how, count in sample.items():
        for number in numbers(f"{name} {kind} {how}", calls, count):
            fault = Fault(kind, number, how, who)
            bad = program.run(fault)
            # With threads, a run may make fewer calls than another.
            if bad.failed:
                failed += 1
                why = complaint(case, good, bad, fault)
                wrong += [(why, fault, bad)] if why else []
    return calls, failed, wrong


def fail_all(program, name, samples):
    """Let calls of each kind fail, as many as samples[kind] says. Returns a row of the
    table, and what went wrong."""
    case, good = program.case, program.run()
    assert good.status == case.status << 8
    assert all(each.encode() in good.stdout for each in case.sums)
    assert complaint(case, good, good) is None
    row, wrong = {}, []
    for kind, sample in samples.items():
        row[kind] = (0, 0)
        for who in ("program", "children") if case.children else ("program",):
            calls, failed, found = fail_some(program, name, kind, who, sample)
            row[kind] = (row[kind][0] + failed, row[kind][1] + calls)
            wrong += found
        # Every run opens something, and writes.
        assert row[kind][0] or kind not in ("open", "write", *CAUSES)
    return row, wrong


# --- the table -----------------------------------------------------------------------

def table(reports):
    """Lines that say how many calls of each kind the cases made, and how many failed."""
    rows = collections.defaultdict(dict)
    for report in reports:
        for name, value in report.user_properties:
            if name == "calls":
                rows[value[0]].update(value[1])
    kinds = [kind for kind in KINDS + CAUSES if any(kind in row for row in rows.values())]
    width = max(map(len, rows), default=0)
    heads = "".join([" " * width, *(f"{kind:>9}" for kind in kinds)])
    lines = ["".join([f"{case:{width}}", *(
        "%9s" % ("%d/%d" % row[kind] if kind in row else "-") for kind in kinds)])
        for case, row in rows.items()]
    return [heads, *lines] if rows else []
