# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that another process uses are refused as by qemu-img, and locked against
writers as by qemu-img."""

import contextlib
import fcntl
import os
import struct
import subprocess
import time

import pytest

from conftest import BUILD, sums
from oracle import checksum, write_image
from test_errors import changed

HINT = "Use -U (--force-share) to read it anyway"


def in_use(name, lock='get shared "write" lock', hint=" " + HINT):
    return f"{name}: Failed to {lock}. Is another process using the image " \
        f"[{name}]?{hint}"


def locked(path):
    """The number of lock records that the kernel has for a file."""
    inode = f":{os.stat(path).st_ino} "
    with open("/proc/locks") as f:
        return sum(inode in line and " OFDLCK " in line for line in f)


def wait_for_lock(path, process, count=1):
    while locked(path) < count:
        assert process.poll() is None
        time.sleep(0.01)


@contextlib.contextmanager
def running(*args, **kwargs):
    with subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, **kwargs) as process:
        try:
            yield process
        finally:
            process.kill()


@contextlib.contextmanager
def qemu_io(path, *options, format="raw"):
    """A process that has an image open until the end of the block, for writing unless
    the options say otherwise."""
    with running("qemu-io", "-f", format, *options, path) as process:
        # The prompt comes when the image is open and locked.
        assert process.stdout.read(8) == b"qemu-io>"
        yield


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "disk.raw"
    write_image(path, "1M:A 1M:- 64k:B")
    return path


@pytest.fixture
def chain(tmp_path):
    """A chain: top.qcow2, mid.qcow2, base.raw. The data of top is in data.raw."""
    write_image(tmp_path / "base.raw", "2M:A")
    for args in (["-b", "base.raw", "-F", "raw", "mid.qcow2"],
                 ["-b", "mid.qcow2", "-F", "qcow2", "-o",
                  f"data_file={tmp_path}/data.raw", "top.qcow2"]):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", *args],
                       cwd=tmp_path, check=True)
    subprocess.run(["qemu-io", "-c", "write -P 7 64k 640k", "top.qcow2"],
                   cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    return tmp_path / "top.qcow2"


@pytest.mark.sanitizer
def test_writer(disksum, fails, raw):
    with qemu_io(raw):
        assert fails(raw) == in_use(raw)
        assert fails("-T", "none", raw) == in_use(raw)
        with open(raw, "rb") as f:
            assert fails(stdin=f) == in_use("-")
        for option in "-U", "--force-share":
            assert sums(disksum(option, raw).stdout) == [checksum(raw)]
    assert sums(disksum(raw).stdout) == [checksum(raw)]


def test_reader(disksum, raw):
    with qemu_io(raw, "-r"):
        assert sums(disksum(raw).stdout) == [checksum(raw)]


@pytest.mark.parametrize("read_only", [False, True])
def test_server(disksum, fails, raw, read_only):
    socket = raw.parent / "socket"
    option = ["--read-only"] if read_only else []
    with running("qemu-nbd", "--format=raw", f"--socket={socket}", *option,
                 raw) as server:
        wait_for_lock(raw, server)
        while not socket.exists():
            time.sleep(0.01)
        if read_only:
            assert sums(disksum(raw).stdout) == [checksum(raw)]
        else:
            assert fails(raw) == in_use(raw)


@pytest.mark.sanitizer
@pytest.mark.parametrize("writes, says", [
    ("top.qcow2", "{top}: Failed"),
    ("data.raw", "{top}: cannot open its data file: {file}: Failed"),
    ("mid.qcow2", "{top}: cannot open its backing file: {file}: Failed"),
    ("base.raw", "{top}: {mid}: cannot open its backing file: {file}: Failed"),
])
def test_every_file_of_a_chain(disksum, fails, chain, writes, says):
    expected = sums(disksum(chain).stdout)
    # The file is written through as it is, as if it were raw.
    with qemu_io(chain.parent / writes):
        assert fails(chain).startswith(says.format(
            top=chain, mid=chain.parent / "mid.qcow2",
            file=chain.parent / writes))
        assert sums(disksum("-U", chain).stdout) == expected


def test_block_device(disksum, fails, raw, loop_device):
    device = loop_device(raw)
    with qemu_io(device):
        assert fails(device) == in_use(device)
        assert sums(disksum("-U", device).stdout) == [checksum(raw)]
    with qemu_io(device, "-r"):
        assert sums(disksum(device).stdout) == [checksum(raw)]


F_OFD_SETLK = 37
READ, WRITE = 0, 1


@contextlib.contextmanager
def lock(path, byte, kind):
    """A lock that none of the other tools takes."""
    with open(path, "r+b") as f:
        fcntl.fcntl(f, F_OFD_SETLK, struct.pack(
            "hhqqi4x", kind, os.SEEK_SET, byte, 1, 0))
        yield


@pytest.mark.parametrize("byte, kind, says, forced", [
    (101, READ, 'get shared "write" lock', True),
    (103, READ, 'get shared "resize" lock', True),
    # In the middle of a commit: refused even with -U.
    (200, READ, 'get "consistent read" lock', False),
    # Not a lock of QEMU's. QEMU refuses the image, too.
    (100, WRITE, "lock byte 100", False),
    (201, WRITE, "lock byte 201", True),
    (203, WRITE, "lock byte 203", True),
    # Locks that do not concern readers.
    (99, WRITE, None, True), (102, READ, None, True), (104, READ, None, True),
    (201, READ, None, True), (203, READ, None, True)])
def test_each_lock(disksum, fails, raw, byte, kind, says, forced):
    """Refused, read with -U, or read, as by qemu-img."""
    with lock(raw, byte, kind):
        for options in [], ["-U"]:
            convert = subprocess.run(
                ["qemu-img", "convert", *options, "-f", "raw", "-O", "raw",
                 raw, raw.parent / "copy"], stderr=subprocess.PIPE)
            expected = bool(says) and not (options and forced)
            assert bool(convert.returncode) == expected
            if expected:
                assert f"Failed to {says}" in convert.stderr.decode()
                assert f"Failed to {says}. Is another process using the " \
                    f"image [{raw}]?" in fails(*options, raw)
            else:
                # A warning: it is open for writing.
                assert sums(disksum("-q", *options, raw).stdout) == \
                    [checksum(raw)]


# How others may use a file while it is read.
OTHERS = {
    "write": ["qemu-io", "-f", "raw", "-c", "read 0 512", "{}"],
    "read": ["qemu-io", "-r", "-f", "raw", "-c", "read 0 512", "{}"],
    "convert": ["qemu-img", "convert", "-f", "raw", "-O", "raw", "{}",
                "{}.copied"],
    "resize": ["qemu-img", "resize", "-q", "-f", "raw", "{}", "+1M"],
    "disksum": [f"{BUILD}/disksum", "-f", "raw", "{}"],
}


@pytest.mark.parametrize("force", [[], ["-U"]])
@pytest.mark.parametrize("other", OTHERS)
def test_others_while_it_reads(tmp_path, other, force):
    path = tmp_path / "disk.raw"
    command = [word.format(path) for word in OTHERS[other]]
    with open(path, "wb") as f:
        f.write(b"x" * (4 << 20))
        f.truncate(1 << 40)  # of small blocks, for a while
    readers = {
        "disksum": [f"{BUILD}/disksum", *force, "-f", "raw",
                    "--block-size=512", path],
        "qemu-img": ["qemu-img", "convert", *force, "-r", "512", "-f", "raw",
                     "-O", "raw", path, f"{path}.copy"]}
    results = {}
    for name, reader in readers.items():
        with running(*reader) as process:
            wait_for_lock(path, process, count=1 if force else 3)
            result = subprocess.run(command, stdout=subprocess.PIPE,
                                    stderr=subprocess.PIPE)
            assert process.poll() is None
            results[name] = result.returncode, result.stderr
    assert results["disksum"] == results["qemu-img"]
    refused = not force and other in ("write", "resize")
    assert bool(results["disksum"][0]) == refused
    if refused:
        assert b"lock" in results["disksum"][1]


def test_change_is_a_warning(disksum, fails, build, tmp_path):
    path = tmp_path / "disk"
    content = write_image(path, "1M:-")
    env = changed(build, path, 2 << 20, "open")
    assert fails("-f", "raw", path, env=env).endswith(
        "the file changed while it was read")
    write_image(path, "1M:-")
    result = disksum("-U", "-f", "raw", path, env=env, check=False)
    assert result.returncode == 0
    assert sums(result.stdout) == [checksum(content)]
    assert result.stderr == f"disksum: {path}: warning: the file changed " \
        "while it was read\n"
