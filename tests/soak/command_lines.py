# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random command lines: every option of the table that --long-options prints, with values
that are right, almost right or nonsense. None may crash or hang, print a checksum with an
error, leave a file or a process behind, or write to what is not its list."""

import functools
import hashlib
import os
import pathlib
import re
import shlex
import subprocess
import time

import command_files
from case import HANG, Failure

LINES = 12                      # in a case
STATUS = 0, 1, 2                # as the manual has them
# Of a number for other programs, of several images, of one.
PROGRESS = re.compile(rb"\d+/100|\d+ of \d+.*|.*, .*/s(, .* left)?")
BLKSUM = "../blksum"            # a link, by which disksum is called like that

# The first half of the values of an option are good ones.
NUMBERS = ["1", "2", "3", "4", "16", "64", "1", "2", "3", "01", "255", "256", "257", "0", "-1",
           "+1", "01", " 1", "1 ", "", "1.5",
           "1e3", "0x10", "9223372036854775807", "9223372036854775808",
           "18446744073709551615", "18446744073709551616", "9" * 400]
SIZES = ["512", "1536", "4k", "64k", "64K", "1M", "16M", "130k", "65536", "4k", "64k", "512",
         "1M", "66048", "1024", "8192", "3k", "64k", "512", "511", "513", "17M", "64M", "65M",
         "1G", "7E", "8E", "16E", "1kk", "k", "64kB"]
NONSENSE = ["x", "ü", "\udcff", "%s%n%99999d", "\n", "=", ",", ":", "/", "../x", "a" * 70000,
            "sha256/", "/64k", "-", "--", "*", "'", "\\", "\x1b[31m", "{}", "null"]
BY_ARGUMENT = {
    "SIZE": SIZES + NUMBERS[-12:],
    "N": NUMBERS, "SECONDS": ["1", "60", "86400", "86401", "-1", "x"],
    "NAME": ["sha256", "SHA256", "md5", "blake3", "sha512/4k", "sha256/64k", "null", "none",
             "sha256/511", "b0", "b1", "disk.raw", "./disk.raw", "disk.vmdk", "missing"],
    "FMT": ["raw", "qcow2", "vmdk", "vpc", "vdi", "vhdx", "qed", "luks", "none", "QCOW2"],
    "HEX": ["0" * 64, "f" * 64, "sha256:" + "0" * 64, "md5:" + "0" * 32, "0", "x" * 64,
            "BLKHASH-SHA256-64K:" + "0" * 64],
    "SNAPSHOT": ["1", "one", "two", "snapshot.id=1", "snapshot.name=one", "snapshot.", ""],
    "DEF": ["secret,id=s,data=x", "secret,id=s,file=disk.raw", "secret", "tls-creds-x509,id=t",
            "tls-creds-x509,id=t,endpoint=client,dir=directory", "{}", "secret,id=s,data=x,,y"],
    "MODE": ["none", "off", "directsync", "writeback", "writethrough", "unsafe", "NONE"],
    "FORMAT": ["human", "json", "xml"],
    "FD": ["2", "1", "0", "3", "99", "-1", "x"],
    "I/N": ["1/1", "1/2", "2/2", "3/2", "0/1", "1/0", "slurm/2", "kubernetes/2", "1/2/3",
            "slurm:0-3", "slurm:3-0", "1/99999999999999999999"],
}
OUTPUTS = ["out.blkhash", "out.blkhash", "-", "/dev/full", "/dev/null", "directory",
           "missing/out", "disk.blkhash", "directory/out", "disk.raw", "/dev/fd/1", ""]
FILES = {"write-list": OUTPUTS,
         "base": [*command_files.LISTS, "cut.blkhash", "disk.raw", "missing", "-"],
         "base-image": ["disk.raw", "disk.qcow2", "missing", "top.qcow2"],
         "changes": ["changes.json", "SUMS", "missing", "-", "empty.raw"]}
MODES = ["check", "diff", "show", "merge"]
ENDS = ["help", "version", "list-digests"]      # they print something else

# What goes with a mode that takes few options; most lines have only these.
FITTING = {"show": {"json", "output", "quiet", "verbose", "zero", "tag", "max-size"},
           "merge": {"json", "output", "quiet", "verbose", "zero", "tag", "max-size",
                     "write-list"},
           "diff": {"json", "output", "quiet", "verbose", "threads", "queue-depth", "read-size",
                    "source-cache", "offset", "length", "format", "force-share", "max-size",
                    "no-extents", "standalone", "progress"}}


@functools.lru_cache
def table(program):
    """The options: (name, letter, argument)."""
    out = subprocess.run([program, "--long-options"], stdout=subprocess.PIPE, check=True,
                         text=True).stdout
    return [(line.split("\t")[0][2:], line.split("\t")[1][1:], line.split("\t")[2].strip("-"))
            for line in out.splitlines()]


def value_of(draw, name, argument):
    if draw.random() < 0.05:
        return draw.choice(NONSENSE)
    values = FILES.get(name) or BY_ARGUMENT[argument.strip("[]")]
    # Most values are good: else little else is reached.
    return draw.choice(values[:len(values) // 2 or 1] if draw.random() < 0.8 else values)


def option(draw, name, letter, argument):
    """The words of an option."""
    if not argument:
        return [f"-{letter}"] if letter and draw.random() < 0.5 else [f"--{name}"]
    if argument.startswith("["):
        return [f"--{name}"] if draw.random() < 0.5 else \
            [f"--{name}={value_of(draw, name, argument)}"]
    value = value_of(draw, name, argument)
    return draw.choice([[f"--{name}={value}"], [f"--{name}", value],
                        [f"-{letter}{value}"] if letter else [f"--{name}={value}"],
                        [f"-{letter}", value] if letter else [f"--{name}={value}"]])


def operands(draw, mode):
    if draw.random() < 0.07 and not mode:
        return ["--", *draw.choice(command_files.COMMANDS)]
    good = {"check": command_files.SUMS, "show": command_files.LISTS,
            "merge": command_files.LISTS, "diff": command_files.IMAGES + command_files.LISTS}
    good = good.get(mode, command_files.IMAGES)
    count = 2 if mode in ("diff", "merge") and draw.random() < 0.9 else \
        draw.choice([0, 1, 1, 1, 1, 2, 3])
    odd = command_files.ODD + ([] if mode else ["fifo"])
    return [draw.choice(good if draw.random() < 0.75 else
                        odd + command_files.IMAGES + command_files.LISTS)
            for _ in range(count)]


class Line:
    """A command line, and what is known of it."""

    def __init__(self, draw, program):
        options = table(program)
        self.mode = draw.choice([None] * 6 + MODES)
        chosen = [draw.choice(options) for _ in range(draw.choice([0, 1, 1, 1, 2, 2, 4]))]
        if draw.random() < 0.9:         # a mode or an end by chance makes most lines useless
            chosen = [one for one in chosen if one[0] not in MODES + ENDS]
        if self.mode in FITTING and draw.random() < 0.85:
            chosen = [one for one in chosen if one[0] in FITTING[self.mode]]
        if self.mode:
            chosen += [one for one in options if one[0] == self.mode]
        if any(one[0] == "resume" for one in chosen) and draw.random() < 0.8:
            chosen += [one for one in options if one[0] == "write-list"]
        self.options = {name for name, _, _ in chosen}
        words = [option(draw, *one) for one in chosen]
        self.modes = [name for name in MODES if name in self.options]
        self.outputs = [re.sub("^(--write-list=?)", "", word) for one in words for word in one]
        self.operands = operands(draw, self.mode)
        if draw.random() < 0.03:
            words.append([draw.choice(["--bogus", "-X", "--thr", "--json=1", "--", "-"])])
        draw.shuffle(words)
        self.words = [word for one in words for word in one]
        self.words = self.words + self.operands if draw.random() < 0.9 else \
            self.operands + self.words
        self.stdin = draw.choice(["/dev/null"] * 4 + ["disk.raw", "disk.blkhash", "SUMS",
                                                     "disk.qcow2", "closed", None])
        self.stdout = draw.choice([subprocess.PIPE] * 12 + ["/dev/full", "closed"])
        self.called = BLKSUM if draw.random() < 0.05 else None
        self.variables = draw.choice([{}, {}, {"SLURM_ARRAY_TASK_ID": draw.choice(
            ["1", "0", "2", "x", ""])}, {"JOB_COMPLETION_INDEX": "1"}])

    @property
    def starts_command(self):
        return "[" in self.words

    def describe(self, program):
        """For a shell, almost."""
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        stdout = "(a pipe)" if self.stdout == subprocess.PIPE else self.stdout
        return " ".join([*variables, shlex.join([self.called or program, *self.words]),
                         f"< {self.stdin or '(a pipe)'}", f"> {stdout}"])

    def run(self, program, mark):
        command = [self.called or program, *self.words]
        closed = "<&-" * (self.stdin == "closed") + ">&-" * (self.stdout == "closed")
        if closed:
            command = ["sh", "-c", f'exec "$0" "$@" {closed}', *command]
        command = [os.fsencode(word) for word in command]
        stdout = open(self.stdout, "wb") if self.stdout == "/dev/full" else subprocess.PIPE
        # None: a pipe without an end of its own.
        stdin = subprocess.PIPE if self.stdin in (None, "closed") else open(self.stdin, "rb")
        environment = {**os.environ, **self.variables, "DISKSUM_SOAK": mark, "TMPDIR": "../tmp"}
        with subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=subprocess.PIPE,
                              env=environment) as process:
            try:
                out, err = process.communicate(timeout=HANG)
            except subprocess.TimeoutExpired:
                process.kill()
                raise Failure("a hang") from None
        for file in stdin, stdout:
            if file != subprocess.PIPE:
                file.close()
        return process.returncode, out or b"", err


# --- what must hold ----------------------------------------------------------------

def state(directory="."):
    """Of all files: what they are, and their bytes."""
    found = {}
    for path in sorted(pathlib.Path(directory).rglob("*")):
        if path.is_symlink():
            found[str(path)] = os.readlink(path)
        elif path.is_file():
            found[str(path)] = hashlib.md5(path.read_bytes()).hexdigest()
        else:
            found[str(path)] = path.stat().st_mode
    return found


def require(condition, what):
    if not condition:
        raise Failure(what)


def check_stderr(line, err):
    require(not err or err.endswith(b"\n"), "stderr ends within a line")
    for one in err.splitlines():
        right = one.startswith((b"disksum: ", b"Try 'disksum ")) or \
            "progress" in line.options and PROGRESS.fullmatch(one)
        require(right, f"a line on stderr: {one!r}")


def failed_operands(line, err):
    """Those of which stderr says that they failed."""
    for name in set(line.operands):
        if not re.fullmatch(r"[\w./]+", name):
            continue
        for one in err.splitlines():
            start = b"disksum: " + os.fsencode(name) + b": "
            if one.startswith(start) and not one.startswith(start + b"warning: "):
                yield name
                break


def printed(out, name):
    """Whether there is a checksum of this name on stdout."""
    name = re.escape(os.fsencode(name))
    return re.search(rb"^[0-9a-f]{32,}  " + name + rb"$|\(" + name + rb"\) = [0-9a-f]{32}",
                     out, re.M) or \
        re.search(rb'"filename": ?"' + name + rb'".*"checksum"', out)


def check_hashed(line, status, out, err, known):
    """Checksums of images: none with an error, and the right ones."""
    if line.options & {"verbose", "progress"}:
        return                  # then stderr has other lines, too
    for name in failed_operands(line, err):
        require(not printed(out, name), f"a checksum of {name}, which failed")
        require(status, f"exit status 0, and {name} failed")
    if line.options - {"threads", "queue-depth", "read-size", "source-cache", "cache", "quiet",
                       "force-share", "no-extents", "standalone", "trust-names"}:
        return
    for one in out.splitlines():
        checksum, _, name = one.decode(errors="replace").partition("  ")
        require(checksum == known.get(name, checksum), f"a wrong checksum of {name}")


def check(line, status, out, err, known):
    require(status in STATUS, f"exit status {status}")
    if not line.starts_command:
        check_stderr(line, err)
    if line.options & set(ENDS):
        return
    if status == 2 and "diff" not in line.modes:
        require(not out, "output with wrong usage")
        require(err, "wrong usage without a message")
    if status == 1 and not line.options & {"diff", "expect", "check", "status"}:
        require(err, "a failure without a message")
    if line.stdout == "/dev/full" and status == 0:
        # Then nothing was to be printed.
        require(line.options & {"quiet", "status", "diff", "write-list", "shard", "check"},
                "success, and stdout is full")
    if not line.modes and not line.starts_command:
        check_hashed(line, status, out, err, known)


def allowed(line):
    """The files that a line may write."""
    if "write-list" not in line.options:
        return set()
    return {os.path.normpath(name) + suffix for name in line.outputs if name
            for suffix in ("", ".part")}


def leftovers(mark):
    """The processes that have this in their environment."""
    entry = f"DISKSUM_SOAK={mark}".encode()
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/environ"):
        try:
            if entry in path.read_bytes().split(b"\0"):
                found.append(path.parent.name)
        except OSError:
            pass
    return found


def wait_for_processes(mark):
    end = time.monotonic() + HANG
    while leftovers(mark):
        require(time.monotonic() < end, f"processes are left: {leftovers(mark)}")
        time.sleep(0.1)


def run_line(case, line, known, mark):
    before = state()
    case.log.append(line.describe(case.program)[:4000])
    status, out, err = line.run(case.program, mark)
    try:
        check(line, status, out, err, known)
        after = state()
        changed = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        require(changed <= allowed(line), f"files that were written: {changed}")
    except Failure as failure:
        raise Failure(f"{failure}\nstatus {status}, stdout {out[:2000]!r}, "
                      f"stderr {err[:2000]!r}") from None
    for name in changed:        # an image may have been replaced by a list
        known.pop(name, None)
        known.pop("link.raw", None)


def run(case):
    os.mkdir("tmp")
    os.mkdir("files")
    os.symlink(case.program, "blksum")
    os.chdir("files")
    known = command_files.write_all()
    mark = f"{case.name}.{os.getpid()}"
    for _ in range(LINES):
        run_line(case, Line(case.draw, case.program), known, mark)
    wait_for_processes(mark)
    require(not os.listdir("../tmp"), f"left in TMPDIR: {os.listdir('../tmp')}")
