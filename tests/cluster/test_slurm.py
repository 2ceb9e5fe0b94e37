# SPDX-License-Identifier: LGPL-2.1-or-later
"""examples/slurm on a real Slurm: job arrays, a task that is killed and requeued, and the
merge that depends on them. The scripts run as they stand."""

import contextlib
import os
import pathlib
import re
import shlex
import signal
import subprocess
import time

import pytest

from conftest import BUILD, ROOT
from list_oracle import read_list
from oracle import checksum, write_image
from slurm_node import wait_for

PARTS = 5

# With these blocks, the list of each part but the last has more than 1 MiB: a check before
# its end.
SPEC = "60M:A 9M:- 100000:0 1234:B"
BLOCKS = ["--digest=sha512/512"]


class Work:
    """An image that is hashed on the cluster, and the directory of its lists."""

    def __init__(self, cluster, tmp_path):
        self.cluster = cluster
        self.image = tmp_path / "disk"
        self.directory = tmp_path / "lists"
        self.bin = tmp_path / "bin"
        self.bin.mkdir()
        self.program("")

    def program(self, script):
        """What a task does before it runs disksum."""
        (self.bin / "disksum").write_text(
            f'#!/bin/sh\nprogram={shlex.quote(str(BUILD.absolute()))}/disksum\n{script}\n'
            'exec "$program" "$@"\n')
        (self.bin / "disksum").chmod(0o755)

    def stall(self, task):
        """The first run of a task stops before it writes the end of its list, as if it had
        very much to hash: again, if it is continued, as Slurm does before it ends a task."""
        self.program(f'''
            if [ "${{SLURM_ARRAY_TASK_ID-}}.${{SLURM_RESTART_COUNT:-0}}" = {task}.0 ]; then
                exec strace -f -qq -o strace.out -P "$PWD/part-{task}.blkhash.part" \\
                    -e trace=write -e inject=write:error=EINTR:signal=STOP:when=2+ \\
                    "$program" "$@"
            fi''')

    def run_submit(self, *args):
        return subprocess.run(
            [ROOT / "examples/slurm/submit", *args, *BLOCKS], text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**self.cluster.environment,
                 "PATH": f"{self.bin}:{self.cluster.environment['PATH']}"})

    def submit(self, *args, tasks=None):
        """The numbers of the array and of the merge."""
        choice = [] if tasks is None else ["-a", tasks]
        done = self.run_submit(*choice, self.image, self.directory, str(PARTS), *args)
        assert (done.returncode, done.stderr) == (0, "")
        return re.fullmatch(r"array (\d+), merge (\d+)\n", done.stdout).groups()

    def wait_for_stall(self, task):
        """Until there is a part of the list; returns the process."""
        part = self.directory / f"part-{task}.blkhash.part"

        def writers():
            if not part.exists() or part.stat().st_size < 1 << 20:
                return None
            return [int(fd.parts[2]) for fd in pathlib.Path("/proc").glob("[0-9]*/fd/*")
                    if target(fd) == str(part)]
        return wait_for(f"a stall of task {task}", writers)[0]

    def finish(self, merge, *tasks):
        """Until the merge is through, without the two minutes that Slurm waits before it
        runs a task again; returns its state. But a node refuses ("Job credential revoked")
        what was submitted in the very second in which it ended the task."""
        known = {}

        def state():
            for task in tasks:
                shown = self.cluster.ask("scontrol", "show", "job", task, "-o")
                now = re.findall(r" (?:JobState|Restarts)=(\w+)", shown)
                before, since = known.setdefault(task, (now, time.monotonic()))
                if now != before:
                    del known[task]
                elif "PENDING" in now and time.monotonic() > since + 2:
                    self.cluster.ask("scontrol", "update", f"jobid={task}", "starttime=now")
            found = self.cluster.state(merge)
            return found in ("COMPLETED", "FAILED", "CANCELLED") and found
        return wait_for("the merge", state, self.explain)

    def explain(self):
        logs = [f"== {path.name}\n{path.read_text()}" for path in self.directory.glob("*.log")]
        return "\n".join([self.cluster.ask("squeue", "-a", "-r"), *logs, self.cluster.logs()])

    def log(self, name):
        return (self.directory / f"{name}.log").read_text()


def target(link):
    """Of a link that may be gone already."""
    try:
        return os.readlink(link)
    except OSError:
        return None


@pytest.fixture
def work(cluster, tmp_path):
    found = Work(cluster, tmp_path)
    yield found
    cluster.end_jobs()


@pytest.fixture
def expected(work):
    """The checksum of a new image."""
    return checksum(write_image(work.image, SPEC), 512, "sha512")


# --- without faults ------------------------------------------------------

@pytest.mark.parametrize("format", ["raw", "qcow2"])
def test_array(work, disksum, tmp_path, format):
    """The names have what shells and Slurm take for something else. The list is that of
    one run on one machine."""
    work.image = tmp_path / "a 'disk'\n$HOME %a\\ *\n"
    work.directory = tmp_path / "-lists \"of %j\" "
    content = write_image(tmp_path / "raw", SPEC)
    subprocess.run(["qemu-img", "convert", "-O", format, tmp_path / "raw", work.image], check=True)
    array, merge = work.submit()
    assert work.finish(merge) == "COMPLETED", work.explain()
    alone = disksum(*BLOCKS, f"--write-list={tmp_path}/list", work.image).stdout
    assert checksum(content, 512, "sha512") in alone
    assert work.log("merge") == alone
    found = read_list((work.directory / "disk.blkhash").read_bytes())
    assert found.mds == read_list((tmp_path / "list").read_bytes()).mds
    for part in range(1, PARTS + 1):
        assert work.cluster.state(f"{array}_{part}") == "COMPLETED"
        assert work.log(f"part-{part}").startswith(f"task {array}_{part}, restart 0, on ")
    assert not list(work.directory.glob("*.part"))


@pytest.mark.parametrize("indexes, alone, part", [
    ("1-4", "3", "3/4"), ("0-3", "3", "4/4"), ("3-9:2", "5", "2/4")])
def test_indexes(work, expected, disksum, tmp_path, indexes, alone, part):
    """Any array, and a task of it that is submitted again alone."""
    def submit(array):
        shard = f"{BUILD.absolute()}/disksum --shard=slurm:{indexes} " \
            "--write-list=$SLURM_ARRAY_TASK_ID.list disk"
        job = work.cluster.submit(f"--array={array}", "--output=/dev/null", "--wrap", shard,
                                  cwd=tmp_path)
        after = work.cluster.submit(f"--dependency=afterok:{job}", "--output=/dev/null",
                                    "--wrap", "true", cwd=tmp_path)
        assert work.finish(after) == "COMPLETED"
    submit(indexes)
    lists = sorted(path.name for path in tmp_path.glob("*.list"))
    assert len(lists) == 4
    assert disksum("--merge", *lists, cwd=tmp_path).stdout == disksum("disk", cwd=tmp_path).stdout
    before = (tmp_path / f"{alone}.list").read_bytes()
    (tmp_path / f"{alone}.list").unlink()
    line = disksum("--merge", *tmp_path.glob("*.list"), check=False).stderr
    assert line == f"disksum: disk: part {part} is missing\n"
    submit(alone)
    assert (tmp_path / f"{alone}.list").read_bytes() == before


def test_directory_of_another_run(work, expected):
    """Its lists would be taken for those of this one."""
    work.directory.mkdir()
    done = work.run_submit(work.image, work.directory, str(PARTS))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("File exists\n")
    assert os.listdir(work.directory) == []


def test_no_image(work):
    done = work.run_submit(work.image, work.directory, str(PARTS))
    assert (done.returncode, done.stdout) == (1, "")
    assert not work.directory.exists()


# --- tasks that fail -----------------------------------------------------

def test_task_that_is_killed(work, expected):
    """The script has Slurm run it again. It goes on with its list, and the merge waits."""
    work.stall(3)
    array, merge = work.submit()
    process = work.wait_for_stall(3)
    assert work.cluster.state(merge) == "PENDING"
    os.kill(process, signal.SIGKILL)
    assert work.finish(merge, f"{array}_3") == "COMPLETED", work.explain()
    assert work.log("merge") == f"{expected}  {work.image}\n"
    runs = work.log("part-3").split(f"task {array}_3, restart ")[1:]
    assert [run[0] for run in runs] == ["0", "1"], work.explain()
    assert re.search(r"resuming after [1-9]\d* of \d+ blocks", runs[1])


def end(process):
    """Slurm has ended it; but once in some hundred times, strace loses the signal."""
    until = time.monotonic() + 10
    with contextlib.suppress(ProcessLookupError):
        while time.monotonic() < until:
            os.kill(process, 0)
            time.sleep(0.1)
        os.kill(process, signal.SIGKILL)


def test_task_that_is_requeued(work, expected):
    """As after a preemption: Slurm ends it, and runs it again."""
    work.stall(2)
    array, merge = work.submit()
    stalled = work.wait_for_stall(2)
    work.cluster.ask("scontrol", "requeue", f"{array}_2")
    end(stalled)
    assert work.finish(merge, f"{array}_2") == "COMPLETED", work.explain()
    assert work.log("merge") == f"{expected}  {work.image}\n"
    assert re.search(r"resuming after [1-9]\d* of \d+ blocks", work.log("part-2"))


def test_task_that_is_cancelled(work, expected):
    """The merge does not wait for ever. It says what to submit again, and that goes on
    where the task was."""
    work.stall(4)
    array, merge = work.submit()
    stalled = work.wait_for_stall(4)
    work.cluster.ask("scancel", f"{array}_4")
    assert work.finish(merge) == "FAILED", work.explain()
    assert work.cluster.state(f"{array}_4") == "CANCELLED"
    end(stalled)
    assert work.log("merge") == "disksum: part-4.blkhash: No such file or directory; " \
        "so part 4/5 is missing\n"
    assert not (work.directory / "disk.blkhash").exists()

    work.program("")
    [missing] = re.findall(r"parts? (\S+)/5 ", work.log("merge"))
    array, merge = work.submit(tasks=missing)
    assert work.finish(merge) == "COMPLETED", work.explain()
    assert work.log("merge").endswith(f"\n{expected}  {work.image}\n")
    assert re.search(r"resuming after [1-9]\d* of \d+ blocks", work.log("part-4"))


def test_bad_sector(work, expected):
    """The task is tried three times. The merge names its part."""
    offset = 20 << 20  # in part 2
    work.program(f"export LD_PRELOAD={BUILD.absolute()}/tests/read-error.so "
                 f"READ_ERROR_OFFSET={offset}")
    array, merge = work.submit()
    assert work.finish(merge, f"{array}_2") == "FAILED", work.explain()
    assert work.cluster.state(f"{array}_2") == "FAILED"
    lines = work.log("part-2").splitlines()
    assert [line.split(",")[1] for line in lines if line.startswith("task ")] == \
        [" restart 0", " restart 1", " restart 2"], work.explain()
    assert sum("Input/output error" in line for line in lines) == 3
    assert work.log("merge").endswith("; so part 2/5 is missing\n")


def test_wrong_usage(work, expected):
    """Nobody tries that again."""
    _, merge = work.submit("--block-size=1")
    assert work.finish(merge) == "FAILED", work.explain()
    for part in range(1, PARTS + 1):
        assert "invalid block size '1'" in work.log(f"part-{part}")
        assert work.log(f"part-{part}").count("restart ") == 1


# --- submit alone ----------------------------------------------------------

def submit_with(sbatch, root, directory, **env):
    """With a program in the place of sbatch, for what Slurm has no part in."""
    program = directory / "bin" / "sbatch"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\n{sbatch}\n")
    program.chmod(0o755)
    (directory / "disk").touch()
    return subprocess.run(
        [root / "examples/slurm/submit", "disk", "sums", "4"], cwd=directory,
        env={**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", **env},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=False)


def test_submit_and_cdpath(root, tmp_path):
    other = tmp_path / "other" / "sums"
    other.mkdir(parents=True)
    done = submit_with("pwd >where; echo 7", root, tmp_path, CDPATH=str(other.parent))
    assert (done.returncode, done.stdout) == (0, "array 7, merge 7\n")
    assert (tmp_path / "sums" / "where").read_text() == f"{tmp_path}/sums\n"


def test_submit_that_fails_can_be_repeated(root, tmp_path):
    done = submit_with("echo no such partition >&2; exit 1", root, tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "no such partition\n")
    assert not (tmp_path / "sums").exists()
