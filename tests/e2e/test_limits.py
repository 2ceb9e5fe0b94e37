# SPDX-License-Identifier: LGPL-2.1-or-later
"""ulimit: with too little of anything there is one line and exit status 1. With more
there is the right checksum, and nothing between the two."""

import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import BUILD
from oracle import checksum, write_image
from test_nbd_command import children_with, directory_for_sockets  # noqa: F401 (a fixture)

pytestmark = pytest.mark.no_sanitizer

# Several slots for each of a few threads.
SPEC = "100k:A 1M:0 2500000:B 2M:- 77k:C 99k:0"


@pytest.fixture(scope="module")
def disk(tmp_path_factory):
    """A directory that all users may read, with a disk in several formats; its checksum."""
    directory = tmp_path_factory.mktemp("limits")
    expected = checksum(write_image(directory / "raw", SPEC))

    def qemu_img(*args):
        subprocess.run(["qemu-img", *args], cwd=directory, check=True, stdout=subprocess.DEVNULL)
    qemu_img("convert", "-c", "-O", "qcow2", "raw", "base")
    qemu_img("create", "-f", "qcow2", "-b", "base", "-F", "qcow2", "middle")
    qemu_img("create", "-f", "qcow2", "-b", "middle", "-F", "qcow2", "top")
    qemu_img("convert", "-O", "vmdk", "-o", "subformat=streamOptimized", "raw", "vmdk")
    qemu_img("convert", "-O", "qed", "raw", "qed")
    write_list = [BUILD / "disksum", "--write-list"]
    for part in ["raw.blkhash"], ["part-1", "--shard=1/2"], ["part-2", "--shard=2/2"]:
        subprocess.run([*write_list, *part, "raw"], cwd=directory, check=True,
                       stdout=subprocess.DEVNULL)
    (directory / "SUMS").write_text(f"{expected}  raw\n{expected}  top\n" * 3)
    return directory, expected


# What is run, in the directory of the disk. OUT is another one, for new files.
CASES = {
    "raw": ["raw"],
    "direct": ["-T", "none", "-t", "8", "raw"],
    "pipe": ["-"],
    "chain": ["top"],
    "compressed": ["-t", "8", "vmdk"],
    "export": ["URI"],
    "command": ["--", "[", "nbdkit", "-r", "file", "DISK/raw", "]"],
    "read by QEMU": ["qed"],
    "several": ["-d", "sha256", "--plain=sha256", "raw"],
    "many": ["--json", *["raw", "top"] * 8],
    "list": ["--write-list=OUT/list", "top"],
    "merged": ["--merge", "part-1", "part-2"],
    "shown": ["--show", "raw.blkhash"],
    "checked": ["-c", "SUMS"],
    "compared": ["--diff", "raw", "top"],
    "compared with a list": ["--diff", "raw.blkhash", "top"],
}


class Runner:
    """Runs cases under a limit, and looks at how they end."""

    def __init__(self, disk, uri, directory):
        (self.disk, self.expected), self.uri, self.out = disk, uri, directory

    def arguments(self, name):
        words = {"URI": self.uri, "OUT/list": f"{self.out}/list", "DISK/raw": f"{self.disk}/raw"}
        for argument in CASES[name]:
            for word, value in words.items():
                argument = argument.replace(word, value)
            yield argument

    def run(self, name, wrapper):
        """Whether it succeeds. If not, it has failed as it must."""
        # No time limit of disksum's own: a server without descriptors only waits.
        command = [*wrapper, BUILD / "disksum", "--timeout=2", *self.arguments(name)]
        with open(self.disk / "raw", "rb") as stdin:
            done = subprocess.run(command, cwd=self.disk, stdin=stdin, timeout=120, check=False,
                                  stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                  env={**os.environ, "TMPDIR": str(self.out)})
        # A server that the user starts has the same stderr.
        lines = [line for line in done.stderr.decode().splitlines()
                 if line.startswith("disksum: ") or name != "command"]
        assert all(line.startswith("disksum: ") for line in lines), (command, done)
        self.check(name, command, done, lines)
        assert not children_with(str(self.out)), command
        files = sorted(path.name for path in self.out.iterdir())
        for file in files:
            (self.out / file).unlink()
        if name != "list":
            assert files == [], command
        elif done.returncode:
            assert files in ([], ["list.part"]), command
        else:
            assert files == ["list"], command
        return done.returncode == 0

    def check(self, name, command, done, lines):
        out = done.stdout.decode()
        if done.returncode == 0:
            assert not lines, (command, done)
            found = {"compared": 0, "compared with a list": 0, "many": 16,
                     "checked": 0}.get(name, 1)
            assert out.count(self.expected) == found, (command, done)
            assert out.count(": OK\n") == (6 if name == "checked" else 0), (command, done)
        else:
            assert done.returncode == (2 if name.startswith("compared") else 1), (command, done)
            assert self.expected not in out or name == "many", (command, done)
            assert len(lines) == 1 or name in ("many", "checked") and lines, (command, done)


@pytest.fixture
def runner(disk, servers, directory_for_sockets):  # noqa: F811
    uri, _ = servers.nbdkit("file", disk[0] / "raw")
    os.chmod(uri.split("socket=")[1], 0o777)
    return Runner(disk, uri, pathlib.Path(directory_for_sockets["TMPDIR"]))


def starts(wrapper):
    """Whether the program is loaded: before that it cannot say anything."""
    done = subprocess.run([*wrapper, BUILD / "disksum", "--version"], check=False,
                          stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return done.returncode in (0, 1) and b"prlimit" not in done.stderr


def sweep(runner, name, values, wrapper):
    """With which values the case succeeds: with the last one at least."""
    values = [value for value in values if starts(wrapper(value))]
    outcomes = {value: runner.run(name, wrapper(value)) for value in values}
    assert outcomes[values[-1]], name
    return outcomes


MiB = 1 << 20


@pytest.mark.parametrize("name", CASES)
def test_descriptors(runner, name):
    """What works with a few of them works with more, which could be used for more."""
    outcomes = sweep(runner, name, [*range(3, 14), 64],
                     lambda n: ["prlimit", f"--nofile={n}", "--"])
    least = min(value for value in outcomes if outcomes[value])
    assert 4 <= least <= 12
    assert all(outcomes[value] for value in outcomes if value >= least), outcomes


@pytest.mark.parametrize("name", CASES)
def test_address_space(runner, name):
    sweep(runner, name, [*range(50 * MiB, 60 * MiB, 2 * MiB), 80 * MiB, 120 * MiB, 4096 * MiB],
          lambda n: ["prlimit", f"--as={n}", "--"])


@pytest.mark.parametrize("name", CASES)
def test_stack(runner, name):
    sweep(runner, name, [kib << 10 for kib in (24, 48, 96, 128, 192)],
          lambda n: ["prlimit", f"--stack={n}", "--"])


# The limit of processes does not bind root, who may read everything.
USER = ["setpriv", "--reuid={0}", "--regid={0}", "--clear-groups",
        "--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search", "--"]


def as_user(number):
    return [word.format(number) for word in USER]


def users_work():
    return os.getuid() == 0 and shutil.which("setpriv") and subprocess.run(
        [*as_user(54321), "true"], stderr=subprocess.DEVNULL, check=False).returncode == 0


@pytest.mark.skipif(not users_work(), reason="cannot become another user")
@pytest.mark.parametrize("name", CASES)
def test_processes(runner, name):
    """Threads count, too; and those of all programs of the user, who therefore is nobody
    else's."""
    user = as_user(100_000 + os.getpid())
    runner.out.chmod(0o777)
    sweep(runner, name, [*range(1, 10), 100],
          lambda n: [*user, "prlimit", f"--nproc={n}", "--"])


@pytest.mark.parametrize("name", ["direct", "export", "read by QEMU", "list"])
def test_locked_memory(runner, name):
    """io_uring needs some on older kernels. Threads read where it is refused."""
    for size in 0, 4096, 65536:
        assert runner.run(name, ["prlimit", f"--memlock={size}", "--"])
