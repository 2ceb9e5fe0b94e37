# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers that disksum starts: -- [ COMMAND ARG... ]."""

import contextlib
import glob
import os
import re
import shutil
import signal
import subprocess
import sys
import time

import pytest

from conftest import sums
from test_nbd import bytes_read, image  # noqa: F401 (a fixture)

@pytest.fixture
def directory_for_sockets(servers):
    """The environment with a TMPDIR, in which nothing may be left behind."""
    directory = servers.directory / "tmp"
    directory.mkdir()
    yield {"TMPDIR": str(directory)}
    assert list(directory.iterdir()) == []


def arguments_with(word):
    """The cmdline of all processes that have a word in it, by its path. Zombies have
    none. A process may end at any moment, so nobody reads it again."""
    found = {}
    for path in glob.glob("/proc/[0-9]*/cmdline"):
        with contextlib.suppress(OSError), open(path, "rb") as f:
            arguments = f.read()
            if word.encode() in arguments:
                found[path] = arguments
    return found


def children_with(word):
    return list(arguments_with(word))


def is_running(program, word):
    """Whether a program runs that has the word in its arguments."""
    return any(program.encode() in arguments.split(b"\0")[0]
               for arguments in arguments_with(word).values())


def wait_until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.sanitizer
@pytest.mark.parametrize("command", [
    ["nbdkit", "-r", "file"], ["nbdkit", "-r", "--filter=exitlast", "file"],
    ["nbdkit", "--filter=cow", "file"],
    ["qemu-nbd", "-r", "-t", "-e", "4", "-f", "raw"]])
def test_command(disksum, image, directory_for_sockets, command):
    path, expected = image
    for threads in "1", "4":
        result = disksum("-t", threads, "--", "[", *command, path, "]",
                         env=directory_for_sockets)
        name = " ".join(["[", *command, str(path), "]"])
        assert result.stdout == f"{expected}  {name}\n"
    assert not children_with(str(path))


def test_command_has_several_connections(disksum, image, directory_for_sockets):
    path, expected = image
    result = disksum("-t", "3", "--", "[", "nbdkit", "-v", "file", path, "]",
                     env=directory_for_sockets, check=False)
    assert sums(result.stdout) == [expected]
    assert result.stderr.count("accepted connection") == 3


def test_command_that_is_not_there(fails, directory_for_sockets):
    # A directory of PATH that the user cannot search would be another reason.
    assert "cannot run 'no-such-server': No such file or directory" in fails(
        "--", "[", "no-such-server", "]",
        env={**directory_for_sockets, "PATH": "/usr/bin:/bin"})


def test_command_that_ends(fails, directory_for_sockets):
    assert fails("--", "[", "sh", "-c", "exit 3", "]",
                 env=directory_for_sockets).endswith(
        ": the server exited with status 3")
    assert "signal 9" in fails("--", "[", "sh", "-c", "kill -9 $$", "]",
                               env=directory_for_sockets)


@pytest.mark.sanitizer
@pytest.mark.parametrize("threads", ["1", "4"])
def test_command_that_ends_while_it_is_read(fails, directory_for_sockets, threads):
    line = fails("-f", "raw", "-t", threads, "--", "[", "nbdkit", "--log=null", "eval",
                 "get_size=echo 64M", "can_multi_conn=exit 0",
                 "pread=[ $4 -lt 8388608 ] || kill -9 $PPID; head -c $3 /dev/zero",
                 "]", env=directory_for_sockets)
    assert re.search(r": read error at offset \d+: the server was killed by signal 9 "
                     r"\(Killed\)$", line)


def test_command_that_does_not_serve(fails, directory_for_sockets):
    assert "does not answer" in fails("--timeout=1", "--", "[", "sleep",
                                      "1000.125", "]", env=directory_for_sockets)
    assert not children_with("1000.125")


def test_command_that_ignores_signals(fails, directory_for_sockets):
    """It is stopped by SIGKILL in the end."""
    script = ("import signal, time; signal.signal(15, signal.SIG_IGN); "
              "time.sleep(1000.25)")
    assert "does not answer" in fails("--timeout=1", "--", "[", sys.executable,
                                      "-c", script, "]",
                                      env=directory_for_sockets)
    assert not children_with("1000.25)")


@pytest.mark.parametrize("words", [["[", "nbdkit"], ["[", "]"]])
def test_bad_command(disksum, words):
    result = disksum("--", *words, check=False)
    assert result.returncode == 2
    assert "-- [ COMMAND ARG... ]" in result.stderr


def test_command_without_dashes(disksum, image, directory_for_sockets):
    """As with nbdcopy. Without -- the command cannot have options."""
    path, expected = image
    assert sums(disksum("[", "nbdkit", "file", path, "]",
                        env=directory_for_sockets).stdout) == [expected]


def test_bracket_can_be_a_file(disksum, image, tmp_path):
    path, expected = image
    for name in "[", "disk", "]":
        shutil.copy(path, tmp_path / name)
    assert sums(disksum("[", cwd=tmp_path).stdout) == [expected]
    assert sums(disksum("[", "disk", cwd=tmp_path).stdout) == [expected] * 2
    assert sums(disksum("./[", "disk", "]", cwd=tmp_path).stdout) == \
        [expected] * 3


@pytest.mark.parametrize("words", [["x", "--", "[", "true", "]"],
                                   ["-U", "x", "y", "-v", "--", "[", "true"]])
def test_command_after_an_image(disksum, words):
    result = disksum(*words, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith("disksum: an image and a command cannot "
                                    "both be given; use ./[ for a file\n")


@pytest.mark.parametrize("words", [["[", "]"], ["[", "touch made", "]"], ["[", "sh", "-c",
                                                                         "touch made", "]"]])
@pytest.mark.parametrize("dashes", [[], ["--"]])
def test_files_in_brackets_are_no_command(disksum, tmp_path, words, dashes):
    """The shell may expand 'disksum *' to this, and xargs passes names in any order. No
    command is started."""
    for word in words:
        (tmp_path / word).write_bytes(b"")
    result = disksum(*dashes, *words, cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    if "-c" not in words or dashes:
        assert result.stderr.startswith(
            "disksum: '[' is ambiguous, as there is a file of this name: use ./[ for the "
            "file; start a command in another directory\n")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(words)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_command_ends_with_us(build, image, directory_for_sockets, number,
                              tmp_path):
    path, _ = image
    link = tmp_path / f"link-{number}"
    link.symlink_to(path)
    process = subprocess.Popen(
        [build / "disksum", "--", "[", "nbdkit", "-r", "--filter=delay", "file",
         link, "delay-read=500ms", "]"], stdout=subprocess.DEVNULL,
        env={**os.environ, **directory_for_sockets})
    try:
        wait_until(lambda: is_running("nbdkit", str(link)))
        wait_until(lambda: not os.listdir(directory_for_sockets["TMPDIR"]))
    finally:
        process.send_signal(number)
        process.wait()
    wait_until(lambda: not children_with(str(link)))


def write_sleeper(path, seconds):
    """A script for nbdkit whose reads take so many seconds."""
    path.write_text(f"""#!/bin/sh
case "$1" in
get_size) echo 1M ;;
pread) sleep {seconds} ;;
*) exit 2 ;;
esac
""")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_children_end_with_us(build, directory_for_sockets, number, tmp_path):
    """The server is in the middle of a read, and has a child of its own."""
    seconds = f"1234.{number:03}"
    script = write_sleeper(tmp_path / "sleeper", seconds)
    process = subprocess.Popen(
        [build / "disksum", "--", "[", "nbdkit", "sh", script, "]"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **directory_for_sockets})
    try:
        wait_until(lambda: children_with(seconds))
    finally:
        process.send_signal(number)
        process.wait()
    wait_until(lambda: not children_with(seconds)
               and not children_with(str(script)))


def test_children_end_with_the_image(disksum, directory_for_sockets, tmp_path):
    script = write_sleeper(tmp_path / "sleeper", "1234.25")
    done = disksum("--timeout=1", "--", "[", "nbdkit", "sh", script, "]",
                   env=directory_for_sockets, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "the server does not answer (--timeout is 1 s)" in done.stderr
    assert not children_with("1234.25")


def test_stdin_of_the_server(disksum, directory_for_sockets):
    script = """
case "$1" in
get_size) echo 64K ;;
pread) head -c "$3" /dev/zero ;;
*) exit 2 ;;
esac
"""
    done = disksum("--json", "--", "[", "nbdkit", "sh", "-", "]", input=script,
                   env=directory_for_sockets)
    assert '"virtual-size":65536' in done.stdout.replace(" ", "")
