# SPDX-License-Identifier: LGPL-2.1-or-later
"""The qemu-nbd that disksum starts: its arguments, who can reach it, what others can
see of it, and how it starts when memory, processes or descriptors are short."""

import concurrent.futures
import os
import re
import secrets
import shutil
import socket
import subprocess

import pytest

from conftest import BUILD, sums
from oracle import checksum
from hostile_images import hostile, hostile_qed
from test_nbd_command import children_with, wait_until
from test_qemu import SLOW, slow_image
from test_qemu import directory, raw, silent, qed  # noqa: F401 (fixtures)


def pids_with(word):
    return [int(path.split("/")[2]) for path in children_with(word)]


def qemu_nbds(word):
    """Those that have executed qemu-nbd. Until then, and beside it, there is a disksum."""
    return [pid for pid in pids_with(word)
            if open(f"/proc/{pid}/cmdline", "rb").read().startswith(b"qemu-nbd")]


# --- what others can see ---------------------------------------------------

def test_socket_can_not_be_reached(directory, silent):
    """The socket has no name any more, whatever the umask."""
    with subprocess.Popen([BUILD / "disksum", "--image-opts", silent],
                          umask=0) as process:
        try:
            wait_until(lambda: qemu_nbds(silent))
            link = os.readlink(f"/proc/{qemu_nbds(silent)[0]}/fd/3")
            inode = re.fullmatch(r"socket:\[(\d+)\]", link)[1]
            with open("/proc/net/unix") as f:
                name = re.search(rf"\b{inode} (\S+)$", f.read(), re.M)[1]
            assert name.startswith(f"{directory}/disksum-")
            with socket.socket(socket.AF_UNIX) as s, \
                    pytest.raises(FileNotFoundError):
                s.connect(name)
            assert list(directory.iterdir()) == []
        finally:
            process.terminate()
    wait_until(lambda: not children_with(silent))


def test_directory_of_the_socket_is_private(disksum, directory, qed, tmp_path):
    """While the socket has a name, whatever the umask: by what the kernel is asked."""
    if not shutil.which("strace") or subprocess.run(
            ["strace", "-o", "/dev/null", "true"], stderr=subprocess.DEVNULL).returncode:
        pytest.skip("no strace here")
    log = tmp_path / "strace"
    disksum(qed, umask=0, wrapper=["strace", "-f", "-o", log,
                                    "-e", "trace=mkdir,mkdirat,chmod,fchmodat"])
    made = [line for line in log.read_text().splitlines()
            if "disksum-" in line]
    assert len(made) == 1 and re.search(r"mkdir.*, 0700\)\s+= 0", made[0])


def test_secret_in_a_file_is_not_seen(raw, tmp_path):
    """A secret is in no arguments and no environment of any process. QEMU has it,
    whether or not the image needs it."""
    key = tmp_path / "key"
    secret = secrets.token_hex()  # different from those of other tests
    key.write_text(secret)
    with subprocess.Popen([BUILD / "disksum", "--object",
                           f"secret,id=s,file={key}", *SLOW,
                           slow_image(raw)]) as process:
        try:
            wait_until(lambda: qemu_nbds(str(raw)))
            assert not children_with(secret)
            for pid in pids_with(str(raw)):
                with open(f"/proc/{pid}/environ", "rb") as f:
                    assert secret.encode() not in f.read()
            assert process.poll() is None
        finally:
            process.kill()
    wait_until(lambda: not children_with(str(raw)))


def test_secret_that_is_long(disksum, fails, raw, qed):
    """A secret may be as long as a pipe holds. A longer one is refused."""
    assert sums(disksum("--object", f"secret,id=s,data={'x' * 60000}",
                        qed).stdout) == [checksum(raw)]
    assert fails("--object", f"secret,id=s,data={'x' * 70000}", qed) == \
        f"{qed}: a secret is too long for a pipe; give it with " \
        "--object secret,id=ID,file=FILE"


# --- its arguments ---------------------------------------------------------

@pytest.fixture
def arguments(tmp_path, monkeypatch):
    """A function that returns the arguments of a qemu-nbd, and the descriptor by which
    a stand-in reports them, since it may not open a file for writing."""
    log = open(tmp_path / "arguments", "w+b")
    wrapper = tmp_path / "bin" / "qemu-nbd"
    wrapper.parent.mkdir()
    wrapper.write_text(f"#!/bin/bash\nprintf '%s\\n' \"$@\" >&{log.fileno()}\n"
                       f"exec {shutil.which('qemu-nbd')} \"$@\"\n")
    wrapper.chmod(0o755)
    monkeypatch.setenv("PATH", f"{wrapper.parent}:{os.environ['PATH']}")

    def read():
        log.seek(0)
        lines = log.read().decode().splitlines()
        log.seek(0)
        log.truncate()
        return lines
    yield read, log.fileno()
    log.close()


@pytest.mark.parametrize("options, cache", [
    ([], "writeback"), (["-T", "none"], "none"), (["-T", "writeback"], "writeback")])
def test_cache_mode(disksum, raw, qed, arguments, options, cache):
    read, fd = arguments
    for image in [qed], ["--image-opts", f"driver=qed,file.filename={qed}"]:
        done = disksum(*options, *image, pass_fds=[fd])
        assert sums(done.stdout) == [checksum(raw)]
        told = read()
        assert f"--cache={cache}" in told
        assert "--read-only" in told
        assert told[-2] == "--"


CREDENTIALS = {"SSH_AUTH_SOCK": "/agent", "LIBISCSI_CHAP_PASSWORD": "x",
               "KRB5CCNAME": "/tickets", "CEPH_ARGS": "--id admin", "HOME": "/home/x"}


def test_environment(disksum, raw, qed, tmp_path, servers):
    """A name that the user did not type gets no credentials of the environment."""
    log = open(tmp_path / "environment", "w+b")
    wrapper = tmp_path / "bin" / "qemu-nbd"
    wrapper.parent.mkdir()
    wrapper.write_text(f"#!/bin/bash\nenv >&{log.fileno()}\n"
                       f"exec {shutil.which('qemu-nbd')} \"$@\"\n")
    wrapper.chmod(0o755)
    env = {**CREDENTIALS, "PATH": f"{wrapper.parent}:{os.environ['PATH']}", "LC_ALL": "C",
           "https_proxy": "http://localhost:1"}

    def told(*args):
        log.seek(0)
        log.truncate()
        disksum(*args, env=env, pass_fds=[log.fileno()], check=False)
        log.seek(0)
        return dict(line.split("=", 1) for line in log.read().decode().splitlines()
                    if "=" in line)
    recorded = hostile(tmp_path / "recorded", "ssh://127.0.0.1:1/x")
    inside = hostile_qed(tmp_path / "inside", "ssh://127.0.0.1:1/x")
    for args in [qed], ["ssh://127.0.0.1:1/x"], ["--image-opts", "driver=raw,file.driver="
                                                  "ssh,file.host=127.0.0.1,file.path=/x"]:
        variables = told(*args)
        assert variables.items() >= env.items()
    for args in ([recorded], [inside], ["--image-opts", f"driver=qed,file.filename={inside}"]):
        variables = told("--trust-names", *args)
        assert variables["LC_ALL"] == "C" and variables["https_proxy"]
        assert variables["LISTEN_FDS"] == "1"
        assert not variables.keys() & CREDENTIALS.keys()
    log.close()


# --- limits ----------------------------------------------------------------

@pytest.mark.parametrize("number_of_secrets", [0, 5])
def test_few_descriptors(disksum, raw, qed, number_of_secrets):
    """With each limit, from none up to enough: the checksum, or one line."""
    objects = [f"--object=secret,id=s{n},data=x" for n in range(number_of_secrets)]
    for number in range(4, 40):
        result = disksum("-t", "2", *objects, qed, check=False,
                         wrapper=["prlimit", f"--nofile={number}", "--"])
        if result.returncode == 0:
            assert sums(result.stdout) == [checksum(raw)]
            break
        assert (result.returncode, result.stdout) == (1, ""), number
        assert result.stderr.startswith("disksum: "), number
        assert result.stderr.count("\n") == 1, number
    else:
        raise AssertionError(result.stderr)
    assert not children_with(str(qed))


def test_many_at_once(disksum, raw, qed):
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        for result in pool.map(lambda _: disksum("-t", "2", qed), range(8)):
            assert sums(result.stdout) == [checksum(raw)]
    assert not children_with(str(qed))
