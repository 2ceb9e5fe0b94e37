# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server that disksum starts may ask for a password on the terminal: it gets
what the user types, job control works, and the shell has its terminal back."""

import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time

import pytest

from conftest import BUILD
from test_nbd import image  # noqa: F401 (a fixture)
from test_nbd_command import (  # noqa: F401 (a fixture)
    children_with, directory_for_sockets, wait_until)
from test_qemu_network import web_server

PASSWORD = "open sesame"

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="no bash")


class Terminal:
    """A pseudoterminal and the program that leads its session."""

    def __init__(self, command, env):
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], list(map(str, command)), {**os.environ, **env})
        self.seen = ""

    def type(self, text):
        os.write(self.fd, text.encode())

    def read_until(self, pattern):
        """Read until the output matches the pattern. Returns the match."""
        deadline = time.monotonic() + 60
        while not (match := re.search(pattern, self.seen)):
            left = deadline - time.monotonic()
            assert left > 0 and select.select([self.fd], [], [], left)[0], self.seen
            try:
                self.seen += os.read(self.fd, 4096).decode(errors="replace")
            except OSError as e:  # no process has it open any more
                raise AssertionError(self.seen) from e
        self.seen = self.seen[match.end():]
        return match

    def close(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.fd)


class Console(Terminal):
    """The same, but no session has it yet."""

    def __init__(self, command, env):
        self.fd, slave = pty.openpty()
        self.pid = subprocess.Popen(
            command, stdin=slave, stdout=slave, stderr=slave,
            env={**os.environ, **env}, start_new_session=True).pid
        os.close(slave)
        self.seen = ""


@pytest.fixture
def server(image, tmp_path):
    """(a command whose server asks for the password, the checksum)"""
    path, expected = image
    script = tmp_path / "server"
    script.write_text(f"""#!/bin/bash
printf 'Password: ' >/dev/tty
read -rs password </dev/tty || exit 8
[ "$password" = "{PASSWORD}" ] || exit 9
LISTEN_PID=$$ exec nbdkit -r file {path}
""")
    script.chmod(0o755)
    return [BUILD / "disksum", "--", "[", script, "]"], expected


@pytest.fixture
def start(directory_for_sockets, server):
    """A function that starts a program on a terminal. No server may be left."""
    terminals = []

    def run(*command, kind=Terminal, **env):
        terminals.append(kind(command, {**directory_for_sockets, **env}))
        return terminals[-1]
    yield run
    for terminal in terminals:
        terminal.close()
    wait_until(lambda: not children_with(str(server[0][3])))


@pytest.fixture
def shell(start):
    """An interactive shell with job control."""
    terminal = start("bash", "--norc", "--noprofile", "-i", PS1="ready> ", TERM="dumb")
    terminal.read_until("ready> ")
    terminal.type("bind 'set enable-bracketed-paste off'\n")
    terminal.read_until("ready> ")
    return terminal


def state_of(pid):
    """A letter, as in ps."""
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]


def pid_of_disksum(shell, server):
    """It is a child of the shell."""
    return next(int(path.split("/")[2]) for path in children_with(str(server[0][3]))
                if open(path.replace("cmdline", "stat")).read().split()[3] == str(shell.pid))


def line(command):
    return " ".join(map(str, command)) + "\n"


def run_in_shell(shell, command, prompt="Password: "):
    shell.type(line(command))
    shell.read_until(prompt)


def expect_status(shell, status):
    """The shell has the terminal back, in its own modes."""
    shell.read_until("ready> ")
    shell.type("echo status-$?-$(stty -a | grep -o '[-]*echo\\b')\n")
    assert shell.read_until(r"status-(\d+-\S+)")[1] == f"{status}-echo"
    shell.read_until("ready> ")


def continue_in_foreground(shell, server):
    """Until the server has the terminal, and runs. A ^Z that is typed before may be
    lost with the SIGCONT of the shell, or of disksum, that follows."""
    pid = pid_of_disksum(shell, server)

    def runs():
        processes = [int(path.split("/")[2]) for path in children_with(str(server[0][3]))]
        return os.tcgetpgrp(shell.fd) not in (shell.pid, pid) and \
            all(state_of(each) != "T" for each in processes)
    shell.type("fg\n")
    wait_until(runs)


@pytest.mark.sanitizer
def test_password(shell, server):
    command, expected = server
    run_in_shell(shell, command)
    shell.type(PASSWORD + "\n")
    shell.read_until(f"{expected}  ")
    expect_status(shell, 0)


@pytest.mark.sanitizer
def test_wrong_password(shell, server):
    run_in_shell(shell, server[0])
    shell.type("open\n")
    shell.read_until("the server exited with status 9")
    expect_status(shell, 1)


@pytest.mark.parametrize("key, number", [("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)])
def test_interrupt(shell, server, key, number):
    """The key ends disksum, too."""
    shell.type("ulimit -c 0\n")
    shell.read_until("ready> ")
    run_in_shell(shell, server[0])
    shell.type(key)
    expect_status(shell, 128 + number)
    wait_until(lambda: not children_with(str(server[0][3])))


@pytest.mark.parametrize("key, number", [("\x03", signal.SIGINT), ("\x1c", signal.SIGQUIT)])
@pytest.mark.parametrize("traps", [
    "trap '' TERM; trap 'sleep 0.5; kill -KILL $!; exit 7' INT QUIT",
    "trap '' INT QUIT; trap 'sleep 0.5; kill -KILL $!; exit 7' TERM"])
def test_interrupted_server_reads_no_more(shell, server, key, number, traps):
    """A read that waits for the terminal goes on waiting for as long as the server
    takes to end, or to be ended. The shell has its terminal back after that."""
    command, _ = server
    command[3].write_text(f"""#!/bin/bash
printf 'Password: ' >/dev/tty
(trap '' INT QUIT; exec cat </dev/tty) &
{traps}
wait
""")
    shell.type("ulimit -c 0\n")
    shell.read_until("ready> ")
    run_in_shell(shell, command)
    pid = pid_of_disksum(shell, server)
    wait_until(lambda: os.tcgetpgrp(shell.fd) not in (shell.pid, pid))
    time.sleep(0.2)  # for the read
    shell.type(key)
    expect_status(shell, 128 + number)


def test_interrupt_is_ignored(start, server):
    """Both go on, as after "nohup"."""
    command, expected = server
    terminal = start("sh", "-c", f"trap '' INT; {line(command)}")
    terminal.read_until("Password: ")
    wait_until(lambda: os.tcgetpgrp(terminal.fd) != terminal.pid)
    terminal.type("\x03")
    time.sleep(1.5)  # longer than the server gets to end
    terminal.type(PASSWORD + "\n")
    terminal.read_until(f"{expected}  ")


PID_1 = ["unshare", "--map-root-user", "--pid", "--fork", "--mount-proc",
         "--kill-child"]


def is_pid_1_possible():
    return not subprocess.run([*PID_1, "true"], stderr=subprocess.DEVNULL).returncode


@pytest.mark.skipif(not shutil.which("setsid"), reason="no setsid")
@pytest.mark.parametrize("key", ["\x03", "\x1a"])
def test_first_process_of_a_container(start, server, tmp_path, key):
    """What is typed reaches the server, not all processes there are."""
    if not is_pid_1_possible():
        pytest.skip("no PID namespaces here")
    command, _ = server
    log = tmp_path / "log"
    bystander = tmp_path / "bystander"
    # A shell keeps SIGINT ignored, as it is for what "&" starts.
    bystander.write_text(f"""#!{sys.executable}
import signal, time
for number in signal.SIGINT, signal.SIGTSTP:
    signal.signal(number, lambda *_: open("{log}", "a").write("hit\\n"))
open("{log}", "a").write("ready\\n")
while True:
    time.sleep(0.1)
""")
    asks = command[3].read_text().split("\n", 1)
    command[3].write_text(f"""{asks[0]}
setsid {bystander} & while ! [ -s {log} ]; do sleep 0.1; done
trap 'echo server >>{log}; exit 7' INT
{asks[1]}""")
    bystander.chmod(0o755)
    terminal = start(*PID_1, "setsid", "-c", command[0], "--timeout=3",
                     *command[1:], kind=Console)
    terminal.read_until("Password: ")
    terminal.type(key)
    terminal.read_until("disksum: ")
    time.sleep(0.5)  # for the bystander to write
    assert "hit" not in log.read_text()


def test_stop_and_continue(shell, server):
    command, expected = server
    run_in_shell(shell, command)
    for _ in range(2):
        shell.type("\x1a")
        shell.read_until("Stopped")
        expect_status(shell, 128 + signal.SIGTSTP)
        continue_in_foreground(shell, server)
    shell.type(PASSWORD + "\n")
    shell.read_until(f"{expected}  ")
    expect_status(shell, 0)


@pytest.mark.no_sanitizer
@pytest.mark.parametrize("shim", ["slow-lend", "slow-signals"])
def test_stop_while_the_terminal_is_lent(shell, server, build, shim):
    """The server's group is in the foreground, and nobody has told it yet, or it reads that
    after the signal that stops it. It is not continued: it would read what is typed for the
    shell."""
    command, expected = server
    run_in_shell(shell, [f"LD_PRELOAD={build}/tests/{shim}.so", *command])
    pid = pid_of_disksum(shell, server)
    wait_until(lambda: os.tcgetpgrp(shell.fd) not in (shell.pid, pid))
    shell.type("\x1a")
    shell.read_until("Stopped")
    time.sleep(0.1)  # for the server to read
    expect_status(shell, 128 + signal.SIGTSTP)
    continue_in_foreground(shell, server)
    shell.type(PASSWORD + "\n")
    shell.read_until(f"{expected}  ")
    expect_status(shell, 0)


def test_background(shell, server):
    """disksum stops as if it had read from the terminal itself, and goes on in the
    foreground."""
    command, expected = server
    shell.type(line(command).rstrip() + " &\n")
    shell.read_until("Password: ")
    shell.type("wait $!\n")
    shell.read_until("Stopped")
    shell.read_until("ready> ")
    continue_in_foreground(shell, server)
    shell.type(PASSWORD + "\n")
    shell.read_until(f"{expected}  ")
    expect_status(shell, 0)


def test_modes_in_a_job_from_the_background(shell, server):
    """Those of its shell, and not those of a prompt that is edited meanwhile."""
    command, expected = server
    shell.type(f"(true; {line(command).rstrip()}; stty -a | tr '\\n' ' '; true) &\n")
    shell.read_until("Password: ")
    time.sleep(0.2)  # for the request, while the shell is at its prompt
    shell.type("fg\n")
    job = pathlib.Path(f"/proc/{shell.pid}/task/{shell.pid}/children").read_text().split()
    wait_until(lambda: os.tcgetpgrp(shell.fd) not in (shell.pid, *map(int, job)))
    shell.type(PASSWORD + "\n")
    shell.read_until(f"{expected}  ")
    modes = shell.read_until("speed (.*?)ready> ")[1].split()
    assert {"icanon", "echo", "icrnl"} <= set(modes)


@pytest.mark.no_sanitizer
def test_server_that_asks_again(shell, server, build):
    """It catches SIGTTIN, and goes on reading. The last of many such signals may be read
    when the server has the terminal already, and nobody has told it yet."""
    command, expected = server
    nbdkit = command[3].read_text().splitlines()[-1].split(maxsplit=2)[2]
    command[3].write_text(f"#!/bin/sh\n{build}/tests/ask-again && LISTEN_PID=$$ exec {nbdkit}\n")
    for _ in range(8):
        run_in_shell(shell, command)
        pid = pid_of_disksum(shell, server)
        wait_until(lambda pid=pid: os.tcgetpgrp(shell.fd) not in (shell.pid, pid))
        shell.type(PASSWORD + "\n")
        shell.read_until(f"{expected}  ")
        expect_status(shell, 0)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_killed(shell, server, number):
    run_in_shell(shell, server[0])
    pid = pid_of_disksum(shell, server)
    wait_until(lambda: os.tcgetpgrp(shell.fd) not in (shell.pid, pid))
    os.kill(pid, number)
    # A server that still runs would read what is typed for the shell.
    wait_until(lambda: not children_with(str(server[0][3])))
    expect_status(shell, 128 + number)


def test_script_has_its_terminal_back(start, server, tmp_path):
    """Without job control: after success, failure and SIGKILL."""
    command, expected = server
    script = tmp_path / "script"
    wait = "until [ $(ps -o tpgid= -p $$) = $(ps -o pgid= -p $$) ]; do sleep 0.05; done"
    script.write_text(f"""
{line(command)}read a </dev/tty; echo "got $a"
{line(command)}read b </dev/tty; echo "got $b"
sh -c '{line(command).strip()} & echo "pid $!"; wait $!'
{wait}; echo ready; read c </dev/tty; echo "got $c"
""")
    terminal = start("sh", script)
    terminal.read_until("Password: ")
    terminal.type(PASSWORD + "\nfirst\n")
    terminal.read_until(f"{expected}  ")
    terminal.read_until("got first")
    terminal.read_until("Password: ")
    terminal.type("wrong\nsecond\n")
    terminal.read_until("exited with status 9")
    terminal.read_until("got second")
    pid = int(terminal.read_until(r"pid (\d+)")[1])
    terminal.read_until("Password: ")
    os.kill(pid, signal.SIGKILL)
    terminal.read_until("ready")
    terminal.type("third\n")
    terminal.read_until("got third")


def test_stop_without_job_control(start, server):
    """No shell would continue it, so it goes on by itself."""
    command, expected = server
    terminal = start(*command)
    terminal.read_until("Password: ")
    terminal.type("\x1a" + PASSWORD + "\n")
    terminal.read_until(f"{expected}  ")


def test_qemu_never_gets_it(start, server, tmp_path, monkeypatch, image):
    fake = tmp_path / "bin" / "qemu-nbd"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\nread line </dev/tty && echo $line >{tmp_path}/line\n")
    fake.chmod(0o755)
    terminal = start(BUILD / "disksum", "--timeout=1", "--image-opts",
                     f"driver=raw,file.filename={image[0]}",
                     PATH=f"{fake.parent}:{os.environ['PATH']}")
    terminal.type("secret\n")
    terminal.read_until("the server does not answer")
    assert not (tmp_path / "line").exists()


def test_nbdkit_asks(shell, image):
    """nbdkit reads the password from standard input, without echo."""
    if not list(pathlib.Path("/usr/lib").glob("**/nbdkit-curl-plugin.so")):
        pytest.skip("no curl plugin of nbdkit")
    path, expected = image
    with web_server(path.parent) as url:
        run_in_shell(shell, [BUILD / "disksum", "--", "[", "nbdkit", "curl",
                             f"{url}/{path.name}", "user=me", "password=-", "]"],
                     "password: ")
        shell.type(PASSWORD + "\n")
        shell.read_until(f"{expected}  ")
        expect_status(shell, 0)
