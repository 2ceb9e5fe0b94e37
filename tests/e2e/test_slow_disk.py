# SPDX-License-Identifier: LGPL-2.1-or-later
"""A disk that takes long to answer, but answers: nothing of disksum's gives it up, and all
else works meanwhile. DISKSUM_SLOW_DISK: for how many seconds. By default it is longer than
what disksum waits for other things; with 61 or more the tests take some minutes."""

import os
import signal
import subprocess
import time

import pytest

from conftest import BUILD, sums
from oracle import checksum, write_image
from small_images import qcow2, qcow2_compressed

SECONDS = int(os.environ.get("DISKSUM_SLOW_DISK", "2"))
PLACE = 100_000


@pytest.fixture
def slow(build):
    return {**os.environ, "DISKSUM_READS": "copy", "LD_PRELOAD": f"{build}/tests/slow-read.so",
            "SLOW_READ_SECONDS": str(SECONDS), "SLOW_READ_OFFSET": str(PLACE)}


def start(*args, **options):
    return subprocess.Popen([BUILD / "disksum", *args], stdin=subprocess.DEVNULL,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def result(process):
    out, err = process.communicate(timeout=60 + 60 * SECONDS)
    assert (process.returncode, err) == (0, "")
    return sums(out)


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    write_image(path, "300k:A")
    return path


@pytest.mark.parametrize("options", [[], ["-t", "8"], ["-T", "none"],
                                     ["-t", "1", "--queue-depth", "1"]], ids=str)
def test_file(disk, slow, options):
    """There is no limit for files, whatever --timeout says."""
    begin = time.monotonic()
    with start("-f", "raw", "--timeout=1", *options, disk,
               env={**slow, "DISKSUM_READS": "threads" if "-T" in options else "copy"}) as process:
        assert result(process) == [checksum(disk)]
    assert time.monotonic() - begin >= SECONDS


def test_tables(tmp_path, slow):
    """The header comes after as long, and each table, and data."""
    small = qcow2(tmp_path)
    expected = sums(subprocess.run([BUILD / "disksum", small.path], check=True, text=True,
                                   stdout=subprocess.PIPE).stdout)
    with start(small.path, env={**slow, "SLOW_READ_OFFSET": "0",
                                "SLOW_READ_LENGTH": "1000000"}) as process:
        assert result(process) == expected


def test_progress_and_interrupt(tmp_path, slow):
    """Meanwhile there is progress, a report is printed when it is asked for, and ^C ends it."""
    path = tmp_path / "disk"
    write_image(path, "8M:A")
    ours, theirs = os.pipe()
    with start("-f", "raw", "-t", "1", f"--progress={theirs}", path, pass_fds=[theirs],
               env={**slow, "SLOW_READ_SECONDS": "600", "SLOW_READ_OFFSET": str(6 << 20)}) as process:
        os.close(theirs)
        seen = b""
        while not seen.endswith(b"/100\n") or seen == b"0/100\n":
            seen += os.read(ours, 100)
            assert process.poll() is None
        process.send_signal(signal.SIGUSR1)
        assert process.stderr.readline().startswith(f"disksum: {path}: ")
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "")
        assert process.returncode == -signal.SIGINT
    os.close(ours)


# --- servers ------------------------------------------------------------------------

def delayed(servers, path, **options):
    return servers.nbdkit("--filter=delay", "file", path, f"delay-read={SECONDS}",
                          **options)[0]


@pytest.mark.parametrize("options", [
    [], ["--timeout=0"], [f"--timeout={SECONDS + 30}"], ["--connections=1", "-t", "8"]], ids=str)
def test_server(servers, disk, options):
    uri = delayed(servers, disk)
    begin = time.monotonic()
    with start(*options, uri) as process:
        assert result(process) == [checksum(disk)]
    assert time.monotonic() - begin >= SECONDS


def test_server_that_is_slower_than_its_limit(fails, servers, disk):
    """Only that of the user is one."""
    uri = delayed(servers, disk)
    assert "(--timeout is 1 s)" in fails("--timeout=1", uri)


def test_tables_on_a_server(servers, tmp_path):
    """A reply for each of them."""
    small = qcow2_compressed(tmp_path)
    with start(small.path) as process:
        expected = result(process)
    with start("-f", "qcow2", delayed(servers, small.path)) as process:
        assert result(process) == expected


def test_handshake(servers, disk):
    """The disk is slow to be opened."""
    uri, _ = servers.nbdkit("--filter=delay", "file", disk, f"delay-open={SECONDS}")
    with start(uri) as process:
        assert result(process) == [checksum(disk)]


def test_command(disk):
    """One that starts slowly, and reads slowly."""
    command = f"sleep {SECONDS}; " \
        f"exec nbdkit -f -r --filter=delay file {disk} delay-read={SECONDS}"
    with start("--", "[", "sh", "-c", command, "]") as process:
        assert result(process) == [checksum(disk)]


def test_disk_below_qemu(servers, tmp_path, disk):
    """QEMU waits for it, and disksum for QEMU: when it opens the image, and when it reads."""
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qed", disk, tmp_path / "qed"],
                   check=True)
    uri = delayed(servers, tmp_path / "qed")
    socket = uri.split("?socket=")[1]
    with start("--image-opts", f"driver=qed,file.driver=nbd,file.path={socket}") as process:
        assert result(process) == [checksum(disk)]
