# SPDX-License-Identifier: LGPL-2.1-or-later
"""Outputs that take no more: a full disk, a quota, a pipe that nobody reads, a disk that
fails when the file is synced or closed. Whatever is printed: no success, one line, and
never a part of a list in place of a whole one."""

import errno
import os
import random
import resource
import signal
import subprocess

import pytest

from conftest import BUILD
from oracle import write_image

MANY = 4000     # differences, and lines: more than stdio's buffer


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Disks, and lists of them."""
    directory = tmp_path_factory.mktemp("things")

    def run(*args):
        return subprocess.run([BUILD / "disksum", *args], cwd=directory, check=True,
                              stdout=subprocess.PIPE).stdout
    write_image(directory / "a", "300k:A")
    write_image(directory / "b", "512:A 512:0 " * MANY)
    write_image(directory / "zeros", f"{MANY}k:0")
    (directory / "noise").write_bytes(random.Random(1).randbytes(20 << 20))
    (directory / "SUMS").write_bytes(run("a", "b") * 200)
    for name in "b", "zeros":
        run("--block-size=512", f"--write-list={name}.blkhash", name)
    for part in 1, 2:
        run("--block-size=512", f"--write-list=part{part}", f"--shard={part}/2", "b")
    return directory


@pytest.fixture(autouse=True)
def things(made, tmp_path, monkeypatch):
    for path in made.iterdir():
        os.link(path, tmp_path / path.name)
    monkeypatch.chdir(tmp_path)


# Each prints more than a buffer, where it can.
OUTPUTS = {
    "lines": ["a"] * 300, "zero": ["--zero", "a"], "JSON": ["--json", *["a"] * 100],
    "tags": ["--tag", "-d", "sha256", "-d", "md5", "a"], "plain": ["--plain=sha256", "a"],
    "verdicts": ["-c", "SUMS"], "expected": ["--expect", "0" * 64, "a"],
    "show": ["--show", "b.blkhash"], "ranges": ["--show", "--json", "b.blkhash"],
    "differences": ["--diff", "b", "zeros"], "differences in JSON":
    ["--diff", "--json", "b", "zeros"], "differences of lists": ["--diff", "b.blkhash", "zeros.blkhash"],
    "differences from a list": ["--diff", "b", "zeros.blkhash"], "merge": ["--merge", "part1", "part2"],
    "list": ["--block-size=512", "--write-list=-", "b"], "help": ["--help"],
    "version": ["--version"], "digests": ["--list-digests"], "options": ["--long-options"],
    "verbose": ["-v", "a"], "failures": ["no", "a"],
}
every_output = pytest.mark.parametrize("name", OUTPUTS)


def trouble(args):
    return 2 if "--diff" in args else 1


def start(args, **options):
    return subprocess.run([BUILD / "disksum", *args], stdin=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, check=False, timeout=120, **options)


def check(args, done, reason):
    """One line about the output, the last one."""
    lines = done.stderr.decode().splitlines()
    place = "-: " if "--write-list=-" in args else ""
    assert done.returncode == trouble(args), done
    assert [line for line in lines if "write error" in line] == lines[-1:] == \
        [f"disksum: {place}write error: {reason}"], done


@every_output
def test_full(name):
    with open("/dev/full", "wb") as full:
        done = start(OUTPUTS[name], stdout=full)
    check(OUTPUTS[name], done, "No space left on device")


def broken_pipe(args, **options):
    read, write = os.pipe()
    os.close(read)
    done = start(args, stdout=write, **options)
    os.close(write)
    return done


@every_output
def test_broken_pipe(name):
    """It dies of SIGPIPE, as every filter, whatever thread has written. A list is no filter's
    output: it says why it is not whole."""
    done = broken_pipe(OUTPUTS[name])
    if name == "list":
        check(OUTPUTS[name], done, "Broken pipe")
    else:
        assert done.returncode == -signal.SIGPIPE
        assert b"write error" not in done.stderr


@every_output
def test_broken_pipe_where_the_signal_is_ignored(name):
    done = broken_pipe(OUTPUTS[name], restore_signals=False,
                       preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_IGN))
    check(OUTPUTS[name], done, "Broken pipe")


def fault(build, **variables):
    return {**os.environ, "LD_PRELOAD": f"{build}/tests/write-error.so", "WRITE_ERROR": "EIO",
            "WRITE_ERROR_FILE": "-", "WRITE_ERROR_CALL": "write", "WRITE_ERROR_AT": "0", **variables}


@every_output
def test_error_of_one_write(build, name):
    """The next write would succeed, and all would look well but for what is missing. Nothing
    is written after it."""
    args = OUTPUTS[name]
    whole = start(args, stdout=subprocess.PIPE).stdout
    for at in sorted({0, min(10, len(whole) - 1), len(whole) // 2, len(whole) - 1}):
        done = start(args, stdout=subprocess.PIPE,
                     env=fault(build, WRITE_ERROR_ONCE="1", WRITE_ERROR_AT=str(at)))
        check(args, done, "Input/output error")
        if "JSON" not in name:    # which has times
            assert done.stdout == whole[:at]
        assert len(done.stdout) <= at + 10


# A list is synced, and then closed by the end of the process.
@pytest.mark.parametrize("name", [name for name in OUTPUTS if name != "list"])
def test_error_at_close(build, name):
    """As of a network file system, and of a quota on it."""
    done = start(OUTPUTS[name], stdout=subprocess.PIPE,
                 env=fault(build, WRITE_ERROR="EDQUOT", WRITE_ERROR_CALL="close"))
    check(OUTPUTS[name], done, "Disk quota exceeded")


# --- standard error -----------------------------------------------------------------

@pytest.mark.parametrize("args", [["-v", "a"], ["no", "a"], ["--progress=2", "a"], ["-c", "SUMS"],
                                  ["--progress", "a"]], ids=str)
@pytest.mark.parametrize("how", ["full", "closed"])
def test_messages_that_nobody_gets(args, how):
    """The result and the exit status are those with messages."""
    expected = start(args, stdout=subprocess.PIPE)
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [BUILD / "disksum", *args], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=full, check=False, timeout=120,
            preexec_fn=(lambda: os.close(2)) if how == "closed" else None)
    if how == "closed" and args[0] == "--progress=2":
        assert done.returncode == 2     # there is no such descriptor
    else:
        assert (done.returncode, done.stdout) == (expected.returncode, expected.stdout)


def test_events_that_nobody_gets(disksum):
    with open("/dev/full", "wb") as full:
        out = disksum("a", stderr=full, check=False, env={"DISKSUM_DEBUG": "map,read,ring"})
    assert (out.returncode, out.stdout) == (0, disksum("a").stdout)


# --- list files ---------------------------------------------------------------------

# A disk whose list has 1.3 MB, in two chunks.
NOISE = ["--block-size=512", "--write-list=new", "noise"]


def check_no_list(fails, args, reason, name="new", **options):
    assert fails(*args, **options) == f"{name}: write error: {reason}"
    assert not os.path.exists("new")


@pytest.mark.parametrize("at", [0, 100, 500, 900_000, 1_200_000])
@pytest.mark.parametrize("error", ["ENOSPC", "EDQUOT", "EIO"])
def test_list_does_not_fit(disksum, fails, build, at, error):
    """What there is of it is kept if it has digests, and can be resumed."""
    reason = os.strerror(getattr(errno, error))
    check_no_list(fails, NOISE, reason, env=fault(
        build, WRITE_ERROR=error, WRITE_ERROR_FILE="new.part", WRITE_ERROR_AT=str(at)))
    assert os.path.exists("new.part") == (at > 1 << 20)    # there is a whole chunk
    whole = disksum("--write-list=whole", *NOISE[:1], "noise").stdout
    assert disksum("--resume", *NOISE).stdout == whole
    assert disksum("--show", "--json", "new").stdout.replace("new", "whole") == \
        disksum("--show", "--json", "whole").stdout


@pytest.mark.parametrize("call", ["fsync", "write"])
def test_old_list_stays(disksum, fails, build, call):
    disksum("--block-size=512", "--write-list=new", "b")
    with open("new", "rb") as f:
        old = f.read()
    assert fails(*NOISE, env=fault(build, WRITE_ERROR_FILE="new.part", WRITE_ERROR_CALL=call,
                                   WRITE_ERROR_AT="1000000")) == \
        "new: write error: Input/output error"
    with open("new", "rb") as f:
        assert f.read() == old


def test_list_cannot_be_synced(fails, build):
    check_no_list(fails, NOISE, "Input/output error", env=fault(
        build, WRITE_ERROR_FILE="new.part", WRITE_ERROR_CALL="fsync"))


def test_directory_cannot_be_synced(fails, build, tmp_path):
    """The list is there, but may not be after a crash."""
    assert fails(*NOISE, env=fault(build, WRITE_ERROR_FILE=str(tmp_path),
                                   WRITE_ERROR_CALL="fsync")) == \
        "new: cannot sync its directory: Input/output error"


@pytest.mark.parametrize("disposition", [signal.SIG_IGN, signal.SIG_DFL], ids=str)
def test_limit_of_the_file_size(fails, disposition):
    """ulimit -f, also where the signal is ignored, as in many services."""
    def limit():
        signal.signal(signal.SIGXFSZ, disposition)
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    check_no_list(fails, NOISE, "File too large", preexec_fn=limit, restore_signals=False)


def test_limit_of_the_file_size_of_standard_output(build):
    """The message may go to a file with the same limit. The thread sanitizer writes a
    file of 512 KiB when it starts."""
    limit = 1 << 20
    with open("out", "w") as out:
        out.seek(limit)
        done = subprocess.run([build / "disksum", "a"], stdout=out, stderr=subprocess.PIPE,
                              check=False, preexec_fn=lambda: resource.setrlimit(
                                  resource.RLIMIT_FSIZE, (limit, limit)))
    assert (done.returncode, done.stderr) == (1, b"disksum: write error: File too large\n")


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 400 KiB."""
    where = tmp_path / "small"
    where.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "none", where],
                      stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    yield where
    subprocess.run(["umount", where], check=True)


def test_small_disk(disksum, fails, small_disk):
    path = small_disk / "new"
    args = [NOISE[0], f"--write-list={path}", NOISE[2]]
    assert fails(*args) == f"{path}: write error: No space left on device"
    assert not path.exists()
    args[2] = "a"
    assert disksum(*args).stdout == disksum(NOISE[0], "a").stdout
    assert os.listdir(small_disk) == ["new"]


def test_merged_list_does_not_fit(fails, build):
    check_no_list(fails, ["--merge", "--write-list=new", "part1", "part2"],
                  "No space left on device",
                  env=fault(build, WRITE_ERROR="ENOSPC", WRITE_ERROR_FILE="new.part",
                            WRITE_ERROR_AT="600"))


def test_list_of_a_pipe_does_not_fit(fails, build):
    with open("b", "rb") as f:
        check_no_list(fails, ["--block-size=512", "--write-list=new"],
                      "No space left on device", stdin=f,
                      env=fault(build, WRITE_ERROR="ENOSPC", WRITE_ERROR_FILE="new.part",
                                WRITE_ERROR_AT="300"))
