# SPDX-License-Identifier: LGPL-2.1-or-later
"""A case: all that is random in it comes from its name, such as "qcow2:17". It runs in
the current directory, which is empty at first."""

import dataclasses
import os
import pathlib
import random
import shlex
import subprocess
import sys
from typing import List, Optional, Tuple

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))

HANG = 300                      # seconds that no command takes
NAIVE = 24 << 20                # disks that are larger are compared by one checksum alone
QEMU_MEMORY = 4 << 30           # its address space

KIB, MIB = 1 << 10, 1 << 20


class Failure(AssertionError):
    """disksum is wrong, or QEMU."""


class NoOracle(Exception):
    """QEMU cannot read what it made, or cannot make it."""


@dataclasses.dataclass
class Disk:
    """An image, and what is known of it."""
    image: str
    form: str
    size: int = 0
    content: Optional[bytes] = None     # None: too large
    checksum: str = ""                  # the default one
    options: List[str] = dataclasses.field(default_factory=list)
    probed: bool = True                 # its format is found without -f
    alone: bool = True                  # it needs no other file
    native: bool = True                 # disksum needs no QEMU for it
    for_qemu: bool = True               # QEMU reads it
    below: Optional[Tuple[str, str]] = None     # the image below, and its format
    since: List[str] = dataclasses.field(default_factory=list)  # --base, --bitmap

    @property
    def words(self):
        """The format, as an option, and others that say what is hashed."""
        return [*(["-f", self.form] if self.form else []), *self.options]


class Case:
    def __init__(self, name, program):
        self.name, self.program = name, str(program)
        self.draw = random.Random(name)
        self.log = []           # the commands, as a shell takes them

    def chance(self, part):
        return self.draw.random() < part

    def tool(self, *command, may_fail=False, limit=True):
        """Run a program of QEMU, which gets a limited address space. Returns its output, or
        None if it fails and may."""
        command = [str(word) for word in command]
        self.log.append(shlex.join(command))
        limits = ["prlimit", f"--as={QEMU_MEMORY}"] if limit else []
        try:
            done = subprocess.run(
                [*limits, *command], stdin=subprocess.DEVNULL,
                capture_output=True, errors="replace", timeout=HANG)
        except subprocess.TimeoutExpired:
            raise NoOracle(f"{' '.join(command[:2])}: a hang") from None
        if done.returncode == 0:
            return done.stdout
        self.log.append(f"# {done.stderr.strip()}")
        if not may_fail or done.returncode < 0:
            why = done.stderr.strip() or done.stdout.strip() or done.returncode
            raise NoOracle(f"{' '.join(command[:2])}: {why}")
        return None

    def run(self, *words, env=None, stdin=None, status=0, may_tell=False):
        """Run disksum, which has to end so, and without a message unless it may tell
        one. Returns its stdout."""
        command = [self.program, *map(str, words)]
        where = "" if stdin is None else f" < {shlex.quote(stdin)}"
        variables = "".join(f"{name}={value} " for name, value in (env or {}).items())
        self.log.append(variables + shlex.join(command) + where)
        with open(stdin or os.devnull, "rb") as file:
            try:
                done = subprocess.run(command, stdin=file, capture_output=True,
                                      errors="surrogateescape", timeout=HANG,
                                      env={**os.environ, **(env or {})})
            except subprocess.TimeoutExpired:
                raise Failure("a hang") from None
        if done.returncode != status or done.stderr and not may_tell:
            raise Failure(f"exit status {done.returncode}, stderr: {done.stderr}")
        return done.stdout

    def require_equal(self, found, expected, what="the checksum"):
        if found != expected:
            raise Failure(f"{what}: {found!r}, expected {expected!r}")


# --- what is written to an image ----------------------------------------------

NOISE = {"noise-a": 4099, "noise-b": 977, "noise-c": 70001}


def make_noise():
    """Files of bytes that qemu-io repeats: no two sectors of them are alike."""
    for name, length in NOISE.items():
        pathlib.Path(name).write_bytes(random.Random(name).randbytes(length))


def disk_size(draw):
    """Whole sectors: mostly few, sometimes a large hole."""
    kind = draw.random()
    if kind < 0.03:
        return 0
    if kind < 0.08:
        return draw.choice([64 * MIB, 300 * MIB, 2 << 30, 5 << 30]) + 512 * draw.randrange(300)
    if kind < 0.2:
        return MIB * draw.randrange(1, 20)
    return 512 * draw.randrange(1, draw.choice([100, 3000, 12000]))


def other_size(draw, size):
    """The size of another layer of the disk."""
    if draw.random() < 0.6:
        return size
    return max(512, size + 512 * draw.choice([-2000, -128, -1, 1, 7, 128, 3000]))


def place(draw, size, longest):
    """An offset and a length, often at a border of something."""
    unit = draw.choice([1, 512, 4096, 65536])
    offset = min(draw.randrange(size) // unit * unit, size - 1)
    length = draw.choice([1, 512, 4096, 65536, draw.randrange(1, longest)])
    return offset, min(length, size - offset)


def operation(draw, size, longest, cluster):
    """A command of qemu-io."""
    offset, length = place(draw, size, longest)
    kind = draw.random()
    if cluster and kind < 0.15:
        offset -= offset % cluster
        return f"write -q -c -s {draw.choice(list(NOISE))} {offset} {min(cluster, size - offset)}"
    if kind < 0.25:
        return f"write -q -P {draw.randrange(256)} {offset} {length}"
    if kind < 0.65:
        return f"write -q -s {draw.choice(list(NOISE))} {offset} {length}"
    if kind < 0.75:
        return f"write -q -z {offset} {length}"
    if kind < 0.85:
        return f"write -q -zu {offset} {length}"
    offset, end = offset // 512 * 512, -(-(offset + length) // 512) * 512
    return f"discard -q {offset} {end - offset}"


def fill(case, image, form, size, *, cluster=0, most=40):
    """Write to an image. cluster: compressed ones are written, too."""
    if not size:
        return
    draw = case.draw
    longest = draw.choice([3000, 100000, 1000000])
    commands = [operation(draw, size, longest, cluster) for _ in range(draw.randrange(most))]
    if draw.random() < 0.2:
        commands.append(f"write -q -P 77 {size - 1} 1")
    if commands:
        # QEMU does not compress what is allocated already.
        case.tool("qemu-io", "-f", form, *(word for one in commands for word in ("-c", one)),
                  image, may_fail=cluster)
