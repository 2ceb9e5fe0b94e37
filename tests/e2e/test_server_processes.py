# SPDX-License-Identifier: LGPL-2.1-or-later
"""The processes of a server that disksum starts: none of them is left behind, nor
is the directory of the socket, however disksum ends."""

import contextlib
import os
import pathlib
import random
import re
import shutil
import signal
import subprocess
import time

import pytest

from conftest import BUILD, sums
from test_nbd import image  # noqa: F401 (a fixture)
from test_nbd_command import (  # noqa: F401 (a fixture)
    children_with, directory_for_sockets, is_running, wait_until)


def sleeps(number):
    """Whether a 'sleep' of this many seconds runs."""
    return is_running("sleep", number)


def new_number():
    """A number of seconds that no other process has in its arguments."""
    return f"4321.{random.getrandbits(60)}"


def wait_for_none(*words):
    for word in words:
        wait_until(lambda: not children_with(word))


# Servers that leave children: in a session of their own, or by a second fork.
# The last one keeps the socket, so disksum waits for an answer.
DETACHED = {
    "setsid": "setsid sleep {0} & wait",
    "child of a child": "(setsid sleep {0} &) ; sleep {0}",
    "leader gone": "(setsid sh -c 'sleep {0} & sleep {0}' &) ; exit 0",
}


def start_detached(script, number, directory):
    return subprocess.Popen(
        [BUILD / "disksum", "--", "[", "sh", "-c", script.format(number), "]"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **directory})


# A server that outlives its parent. (Not nbdkit: with socket activation it sets
# PR_SET_PDEATHSIG, so it ends with a shell that is still there by then.)
ORPHAN = "sh -c 'LISTEN_PID=$$ exec qemu-nbd -r -t -e 4 -f raw {}'"


def check_detached(script, number, directory, end):
    with start_detached(script, number, directory) as process:
        wait_until(lambda: sleeps(number))
        process.send_signal(end)
    wait_for_none(number)


@pytest.mark.sanitizer
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("how", DETACHED)
def test_detached_children_end_with_us(directory_for_sockets, how, end):
    check_detached(DETACHED[how], new_number(), directory_for_sockets, end)


def test_children_that_ignore_signals(directory_for_sockets):
    """They are stopped by SIGKILL."""
    script = "trap '' TERM; (setsid sh -c 'sleep {0}; sleep {0}' &); sleep {0}"
    check_detached(script, new_number(), directory_for_sockets, signal.SIGTERM)


@pytest.mark.sanitizer
@pytest.mark.parametrize("how", DETACHED)
def test_detached_children_end_with_the_image(fails, directory_for_sockets, how):
    number = new_number()
    assert "does not answer" in fails(
        "--timeout=1", "--", "[", "sh", "-c", DETACHED[how].format(number), "]",
        env=directory_for_sockets)
    assert not children_with(number)


# --- no /proc ----------------------------------------------------------------

# As in a bare chroot: children can only be found by their process group.
NO_PROC = ["unshare", "--map-root-user", "--mount", "sh", "-c",
           "mount -t tmpfs none /proc && exec \"$0\" \"$@\""]


def no_proc_works():
    return not subprocess.run([*NO_PROC, "true"], stderr=subprocess.DEVNULL).returncode


@pytest.mark.no_sanitizer
@pytest.mark.skipif(not no_proc_works(), reason="cannot hide /proc")
@pytest.mark.parametrize("close_range", ["there", "ENOSYS"])
@pytest.mark.parametrize("leaves", ["exec", ""])
def test_no_proc(disksum, build, image, directory_for_sockets, close_range, leaves):
    path, expected = image
    number = new_number()
    script = f"sleep {number} & {leaves} nbdkit -r file {path}"
    if not leaves:
        script = f"sleep {number} & {ORPHAN.format(path)} & exit"
    wrapper = NO_PROC if close_range == "there" else \
        [*NO_PROC, build / "tests/refuse-calls", close_range, "close_range"]
    # Otherwise the library is found by /proc/self/exe.
    env = {**directory_for_sockets, "LD_LIBRARY_PATH": str(build)}
    result = disksum("--", "[", "sh", "-c", script, "]", wrapper=wrapper, env=env)
    assert sums(result.stdout) == [expected]
    assert not children_with(number)
    assert not children_with(str(path))


# A /proc of another PID namespace, in which numbers stand for other processes.
OTHER_PROC = ["unshare", "--map-root-user", "--pid", "--fork", "sh", "-c"]


def other_proc_works():
    return not subprocess.run([*OTHER_PROC, "true"], stderr=subprocess.DEVNULL).returncode


@pytest.mark.skipif(not other_proc_works(), reason="no PID namespaces here")
def test_proc_of_another_namespace(directory_for_sockets):
    number, other = new_number(), new_number()
    script = f"'{BUILD}/disksum' --timeout=1 -- [ sh -c 'sleep {number} & sleep {number}' ]"
    with subprocess.Popen([*OTHER_PROC, f"{script}; sleep {other}"],
                          env={**os.environ, **directory_for_sockets},
                          stderr=subprocess.DEVNULL) as process:
        try:
            # The namespace, which would end them all, is still there.
            wait_until(lambda: sleeps(other))
            assert not sleeps(number)
        finally:
            # One that ends may end the others.
            for path in children_with(other):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(path.split("/")[2]), signal.SIGKILL)
            process.kill()


def test_name_of_the_watcher(directory_for_sockets):
    """'killall disksum' leaves it alone, so that it can end the server."""
    number = new_number()
    with start_detached("sleep {0}; sleep {0}", number, directory_for_sockets) as process:
        wait_until(lambda: sleeps(number))
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        names = [pathlib.Path(f"/proc/{pid}/comm").read_text()
                 for pid in children.read_text().split()]
        process.send_signal(signal.SIGKILL)
    assert names == ["nbd-watcher\n"]
    wait_for_none(number)


# --- killed at any moment ----------------------------------------------------

def strace_works():
    return shutil.which("strace") and subprocess.run(
        ["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode == 0


def calls_of(command, log, env):
    """The system calls of the first process, in the order of strace."""
    subprocess.run(["strace", "-o", log, *command], env=env, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [line.split("(")[0] for line in log.read_text().splitlines()
            if re.match(r"\w+\(", line)]


@pytest.mark.skipif(not strace_works(), reason="no strace here")
@pytest.mark.parametrize("kind", ["command", "qemu"])
def test_killed_at_any_moment(image, directory_for_sockets, tmp_path, kind):
    """SIGKILL at each system call, from the first that makes a process or
    socket to the last."""
    path, _ = image
    link = tmp_path / "disk"
    link.symlink_to(path)
    number = new_number()
    what = ["--image-opts", f"driver=raw,file.driver=file,file.filename={link}"]
    if kind == "command":
        what = ["--", "[", "sh", "-c", f"setsid sleep {number} 3>&- &"
                f"LISTEN_PID=$$ exec nbdkit -r file {link}", "]"]
    command = [BUILD / "disksum", "-t", "1", *what]
    env = {**os.environ, **directory_for_sockets}
    calls = calls_of(command, tmp_path / "log", env)
    first = next(n for n, call in enumerate(calls) if call in ("socketpair", "socket", "mkdir"))
    killed = 0
    for n in range(first, len(calls)):
        # strace counts each system call for itself.
        done = subprocess.run(
            ["strace", "-o", "/dev/null", "-e",
             f"inject={calls[n]}:signal=KILL:when={calls[:n + 1].count(calls[n])}",
             *command], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert done.returncode in (0, -signal.SIGKILL), calls[n]
        killed += done.returncode != 0
        wait_for_none(str(link), number)
        wait_until(lambda: not list(pathlib.Path(env["TMPDIR"]).iterdir()))
    # A run may read, or wait, less often than another.
    assert killed > (len(calls) - first) * 0.75


def test_group_is_killed(directory_for_sockets):
    """As a shell kills a job."""
    number = new_number()
    process = subprocess.Popen(
        [BUILD / "disksum", "--", "[", "sh", "-c", f"setsid sleep {number} & wait", "]"],
        env={**os.environ, **directory_for_sockets}, start_new_session=True)
    wait_until(lambda: sleeps(number))
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    wait_for_none(number)


# --- the watcher -------------------------------------------------------------

def children_of(pid):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            if int(path.read_text().rpartition(")")[2].split()[1]) == pid:
                found.append(int(path.parent.name))
        except OSError:
            pass
    return found


@pytest.fixture
def waiting(directory_for_sockets):
    """(a disksum that waits for its server, its watcher, a word in the server's
    arguments)"""
    word = new_number()
    process = subprocess.Popen(
        [BUILD / "disksum", "--", "[", "sleep", word, "]"], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        env={**os.environ, **directory_for_sockets})
    try:
        wait_until(lambda: sleeps(word))
        yield process, children_of(process.pid)[0], word
    finally:
        process.kill()
        process.wait()
    wait_for_none(word)


def test_watcher_keeps_nothing_open(waiting):
    """None of the user's streams, nor any other descriptor of disksum."""
    def links():
        directory = pathlib.Path(f"/proc/{watcher}/fd")
        return sorted(re.sub(r":.*\d.*", "", os.readlink(path)) for path in directory.iterdir())
    process, watcher, _ = waiting
    wait_until(lambda: links() == ["anon_inode:[signalfd]", "socket"])


def test_watcher_is_asked_to_end(waiting):
    """It ignores the signals, and still stops the server later."""
    process, watcher, word = waiting
    for number in signal.SIGTERM, signal.SIGINT, signal.SIGHUP:
        os.kill(watcher, number)
    assert children_of(watcher) and process.poll() is None
    process.terminate()
    process.wait()
    wait_for_none(word)


@pytest.mark.sanitizer
def test_watcher_is_killed(waiting):
    """The kernel kills the server, and disksum fails."""
    process, watcher, word = waiting
    os.kill(watcher, signal.SIGKILL)
    assert process.wait(60) == 1
    wait_for_none(word)


# --- whether the server is there ---------------------------------------------

@pytest.mark.sanitizer
def test_shell_leaves_the_socket_to_a_child(disksum, image, directory_for_sockets):
    """The shell exits, but its child is the server now."""
    path, expected = image
    for end in "exit 0", "exit 7", "kill -9 $$":
        script = f"{ORPHAN.format(path)} & {end}"
        result = disksum("--", "[", "sh", "-c", script, "]", env=directory_for_sockets)
        assert sums(result.stdout) == [expected]
    assert not children_with(str(path))


def test_child_has_the_socket_and_ends(fails, directory_for_sockets):
    """When no process is left, the exit status is that of the command."""
    assert fails("--", "[", "sh", "-c", "sleep 0.25 & exit 5", "]",
                 env=directory_for_sockets).endswith(": the server exited with status 5")


def test_child_without_the_socket_lives(fails, directory_for_sockets):
    """A process is left, so the error is not that the server ended."""
    number = new_number()
    line = fails("--", "[", "sh", "-c", f"sleep {number} 3>&- & exit 5", "]",
                 env=directory_for_sockets)
    assert "cannot connect" in line and "exited with" not in line
    assert not children_with(number)


def test_program_that_is_not_loaded(fails, build, directory_for_sockets, image):
    path, _ = image
    env = {**directory_for_sockets, "LD_PRELOAD": f"{build}/tests/hanging-exec.so"}
    for what, program in ((["--", "[", "nbdkit", "file", path, "]"], "nbdkit"),
                          (["--image-opts", f"driver=raw,file.filename={path}"],
                           "qemu-nbd")):
        start = time.monotonic()
        assert fails("--timeout=1", *what, env=env).endswith(
            f": cannot run '{program}': timed out (--timeout is 1 s)")
        assert time.monotonic() - start >= 1
        assert not children_with(str(path))


# --- the directory of the socket -----------------------------------------------

def test_no_tmpdir(disksum, image):
    path, expected = image
    result = disksum("--", "[", "nbdkit", "file", path, "]", env={"TMPDIR": ""})
    assert sums(result.stdout) == [expected]


@pytest.mark.parametrize("kind, cause", [
    ("missing", "No such file or directory"), ("file", "Not a directory"),
    ("long", "File name too long"), ("closed", "Permission denied")])
def test_bad_tmpdir(fails, image, servers, kind, cause):
    path, _ = image
    directory = servers.directory / kind  # not as long as pytest's own
    wrapper = []
    if kind == "file":
        directory.touch()
    if kind == "long":
        directory = servers.directory / ("x" * 100)
        directory.mkdir()
    if kind == "closed":
        directory.mkdir(0o555)
        if os.getuid() == 0:
            if not shutil.which("setpriv"):
                pytest.skip("root may write everywhere")
            wrapper = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]
    for what in (["--", "[", "nbdkit", "file", path, "]"],
                 ["--image-opts", f"driver=raw,file.filename={path}"]):
        assert fails(*what, env={"TMPDIR": str(directory)}, wrapper=wrapper).endswith(
            f": cannot create a socket in '{directory}': {cause}")
    assert kind in ("missing", "file") or not list(directory.iterdir())
