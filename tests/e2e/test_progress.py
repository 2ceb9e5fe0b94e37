# SPDX-License-Identifier: LGPL-2.1-or-later
"""The progress bar, SIGUSR1, and -v."""

import os
import re
import shutil
import signal
import socket
import subprocess
import time

import pytest

from conftest import kernels
from oracle import checksum, hole, write_image
from terminal import on_terminal

BAR = re.compile(r"\[=* *\] \d+\.\d% of [\d.]+ \wiB, .*/s, [\d:]+ left")


def test_quiet_by_default(disksum, build, tmp_path):
    path = hole(tmp_path / "disk", 6 << 40)
    assert disksum(path).stderr == ""
    write_image(tmp_path / "small", "1M:A")
    _, seen = on_terminal([build / "disksum", tmp_path / "small"])
    assert seen == ""


def test_asked_for(disksum, tmp_path):
    content = write_image(tmp_path / "disk", "3M:A")
    result = disksum("-p", tmp_path / "disk", check=False)
    assert result.stdout == f"{checksum(content)}  {tmp_path}/disk\n"
    lines = result.stderr.splitlines()
    assert lines and all(BAR.fullmatch(line) for line in lines)
    assert "100.0% of 3.0 MiB" in lines[-1]


def test_on_a_terminal(build, tmp_path):
    """A run that takes a while has a bar, which is wiped when it is done."""
    path = hole(tmp_path / "disk", 8 << 40)
    for columns in 40, 200:
        out, seen = on_terminal([build / "disksum", path], columns)
        assert out.endswith(f"  {path}\n")
        drawn = seen.split("\r")
        assert drawn[-1] == "\x1b[K"
        lines = [line.removesuffix("\x1b[K") for line in drawn[1:-1]]
        assert lines
        for line in lines:
            assert len(line) < columns
            assert "% of 8.0 TiB" in line


# By the width of the terminal: whole fields.
FIELDS = {6: r"\d+\.\d%|", 12: r"\d+\.\d%", 20: r"\d+\.\d%, [\d:?]+ left",
          30: r"\d+\.\d%, [\d.]+ \w+/s, [\d:?]+ left",
          45: r"\d+\.\d% of 2\.0 TiB, [\d.]+ \w+/s, [\d:?]+ left",
          80: r"\[=* *\] \d+\.\d% of 2\.0 TiB, [\d.]+ \w+/s, [\d:?]+ left"}


@pytest.mark.parametrize("columns", FIELDS)
def test_narrow_terminal(build, tmp_path, columns):
    path = hole(tmp_path / "disk", 2 << 40)
    _, seen = on_terminal([build / "disksum", "-p", path], columns)
    lines = re.findall(r"\r(.*?)\x1b\[K", seen)
    assert lines
    for line in lines:
        assert re.fullmatch(FIELDS[columns], line) and len(line) < columns


def test_terminal_that_changes(build, tmp_path):
    path = hole(tmp_path / "disk", 2 << 40)
    _, seen = on_terminal([build / "disksum", "-p", path], 80, then=20)
    lines = re.findall(r"\r(.*?)\x1b\[K", seen)
    assert re.fullmatch(FIELDS[80], lines[0])
    assert re.fullmatch(FIELDS[20], lines[-1])


def test_asked_for_on_a_terminal(build, tmp_path):
    write_image(tmp_path / "disk", "3M:A")
    _, seen = on_terminal([build / "disksum", "-p", tmp_path / "disk"])
    assert "100.0% of 3.0 MiB" in seen
    assert seen.endswith("\n")


def lines_of_descriptor(build, *arguments, **kwargs):
    """What --progress=FD writes to a pipe."""
    ours, theirs = os.pipe()
    done = subprocess.run(
        [build / "disksum", f"--progress={theirs}", *arguments],
        pass_fds=[theirs], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        timeout=60, check=False, **kwargs)
    os.close(theirs)
    with open(ours, encoding="ascii") as f:
        return done, f.read().splitlines()


def test_descriptor(build, tmp_path):
    """As nbdcopy: N/100, rising, to the end; and nothing on stderr."""
    path = hole(tmp_path / "disk", 6 << 40)
    done, lines = lines_of_descriptor(build, path)
    assert done.returncode == 0 and not done.stderr
    assert done.stdout.decode().endswith(f"  {path}\n")
    assert all(re.fullmatch(r"\d+/100", line) for line in lines)
    numbers = [int(line.split("/")[0]) for line in lines]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0 and numbers[-1] == 100


def test_descriptor_for_each_image(build, tmp_path):
    write_image(tmp_path / "a", "64k:A")
    done, lines = lines_of_descriptor(build, tmp_path / "a", tmp_path / "no",
                                      "-", input=b"x" * 1000)
    assert done.returncode == 1
    assert [line for line in lines if line in ("0/100", "100/100")] == \
        ["0/100", "100/100"] * 2


def test_descriptor_that_nobody_reads(build, tmp_path):
    content = write_image(tmp_path / "a", "64k:A")
    ours, theirs = os.pipe()
    os.close(ours)
    # Not what Python does to its children.
    done = subprocess.run(
        [build / "disksum", f"--progress={theirs}", "a"], pass_fds=[theirs],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGPIPE, signal.SIG_DFL),
        check=True)
    os.close(theirs)
    assert done.stdout.decode() == f"{checksum(content)}  a\n"
    assert not done.stderr


def test_bad_descriptors(disksum):
    for text in "1", "0", "99", "-1", "x", "", "99999999999", "2k", "2 ":
        result = disksum(f"--progress={text}", check=False, input="")
        assert result.returncode == 2 and not result.stdout
        assert f"invalid descriptor for progress '{text}'" in result.stderr


@pytest.mark.parametrize("what", ["pipe", "file", "socket"])
def test_descriptor_that_is_stdout(build, tmp_path, what):
    """By another number: checksums would have lines between them."""
    if what == "pipe":
        ours, theirs = os.pipe()
    elif what == "socket":
        ours, theirs = (s.detach() for s in socket.socketpair())
    else:
        ours = theirs = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    other = os.dup(theirs)
    done = subprocess.run([build / "disksum", f"--progress={other}"],
                          input=b"x", stdout=theirs, stderr=subprocess.PIPE,
                          pass_fds=[other], check=False)
    assert done.returncode == 2
    assert b"must be open for writing, and must not be standard output" in done.stderr
    for fd in {ours, theirs, other}:
        os.close(fd)


def test_descriptor_of_the_same_device(build):
    with open("/dev/null", "wb") as null:
        subprocess.run([build / "disksum", f"--progress={null.fileno()}"],
                       input=b"x", stdout=null, pass_fds=[null.fileno()],
                       check=True)


def test_sigusr1(build):
    """One line, on demand, for the size that is known so far."""
    process = subprocess.Popen([build / "disksum"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    # More than a pipe holds: when it is gone, the reader has begun.
    process.stdin.write(bytes(8 << 20))
    process.stdin.flush()
    process.send_signal(signal.SIGUSR1)
    line = process.stderr.readline().decode()
    assert re.fullmatch(r"disksum: -: [\d.]+ (B|\wiB), .*/s\n", line)
    out, err = process.communicate()
    assert out.decode() == f"{checksum(bytes(8 << 20))}  -\n"
    assert err == b""


def test_early_sigusr1(disksum, build, tmp_path):
    """It waits for the image. One that is done before the signal is seen has
    an answer, too: it may be one of many."""
    content = write_image(tmp_path / "disk", "1M:A")
    result = disksum("disk", cwd=tmp_path, check=False, env={
        "LD_PRELOAD": f"{build}/tests/early-signal.so"})
    assert result.returncode == 0
    assert result.stdout == f"{checksum(content)}  disk\n"
    assert re.fullmatch(r"disksum: disk: 100.0% of 1.0 MiB, .* left\n",
                        result.stderr)


def wait_for_handler(process):
    """Wait until SIGUSR1 does not end it."""
    while True:
        with open(f"/proc/{process.pid}/status") as f:
            caught = re.search(r"SigCgt:\s*(\w+)", f.read()).group(1)
        if int(caught, 16) & 1 << signal.SIGUSR1 - 1:
            break
        time.sleep(0.001)


def test_sigusr1_of_a_file(build, tmp_path):
    path = hole(tmp_path / "disk", 4 << 40)
    process = subprocess.Popen([build / "disksum", path],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for_handler(process)
    process.send_signal(signal.SIGUSR1)
    _, err = process.communicate()
    assert process.returncode == 0
    assert re.fullmatch(
        rf"disksum: {path}: \d+\.\d% of 4.0 TiB, .*/s, [\d:?]+ left\n",
        err.decode())


def test_time_left_of_a_plain_digest(build, tmp_path):
    """A hole is hashed like data, so the estimate counts it."""
    path = tmp_path / "disk"
    write_image(path, "1M:A")
    os.truncate(path, 1 << 40)
    process = subprocess.Popen([build / "disksum", "--plain=sha256", path],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    wait_for_handler(process)
    line = " 0.0%"
    while " 0.0%" in line:
        process.send_signal(signal.SIGUSR1)
        line = process.stderr.readline().decode()
    process.kill()
    process.communicate()
    left = re.search(r"% of 1.0 TiB, .*/s, ([\d:]+) left\n", line).group(1)
    # More than a minute. As if the hole took no time, it would be a second.
    assert not left.startswith("0:")


def test_verbose(disksum, tmp_path):
    write_image(tmp_path / "disk", "1M:A 3M:- 2M:0")
    result = disksum("-v", tmp_path / "disk", check=False)
    assert result.stdout.count("\n") == 1
    assert "raw, 6.0 MiB: 1.0 MiB of data, 2.0 MiB of zeros, " \
        "3.0 MiB of holes" in result.stderr
    assert "read 3.0 MiB in" in result.stderr
    assert "sha256 in blocks of 65536 bytes by" in result.stderr


def test_verbose_about_the_kernel(disksum, tmp_path):
    """What was chosen, and the speed of each; once for all images."""
    for name in "a", "b":
        write_image(tmp_path / name, "1M:A")
    lines = disksum("-v", "a", "b", cwd=tmp_path, check=False).stderr
    [line] = re.findall(r"disksum: sha256 kernel: (.*)\n", lines)
    found = re.fullmatch(r"(\w+), \d+\.\d GB/s(?: \((.*)\))?; BLKHASH_SHA256= "
                         "forces one", line)
    assert f" by {found[1]}, threads: " in lines
    others = re.findall(r"(\w+) \d+\.\d(?:, |$)", found[2] or "")
    assert sorted([found[1], *others]) == sorted(kernels())
    lines = disksum("-v", "a", cwd=tmp_path, check=False,
                    env={"BLKHASH_SHA256": "openssl"}).stderr
    assert "disksum: sha256 kernel: openssl, forced by BLKHASH_SHA256\n" in lines
    lines = disksum("-v", "-d", "sha1", "a", cwd=tmp_path, check=False).stderr
    assert "kernel" not in lines


def test_verbose_about_the_read_method(disksum, tmp_path):
    """What was chosen for each image, and the figures of both methods."""
    write_image(tmp_path / "large", "64M:A")
    write_image(tmp_path / "small", "1M:A")
    lines = disksum("-v", "small", "large", cwd=tmp_path, check=False).stderr
    assert "disksum: small: read method: mmap and copy in turn, not yet " \
        "compared; DISKSUM_READS= forces one\n" in lines
    assert re.search(r"disksum: large: read method: (mmap|copy), [\d.]+ ns/byte "
                     r"\((?!\1)(mmap|copy) [\d.]+\) for data; DISKSUM_READS= "
                     "forces one\n", lines)
    lines = disksum("-v", "small", cwd=tmp_path, check=False,
                    env={"DISKSUM_READS": "copy"}).stderr
    assert "disksum: small: read method: copy, forced by DISKSUM_READS\n" in lines
    lines = disksum("-v", "-", cwd=tmp_path, check=False, input="x").stderr
    assert "read method" not in lines


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="no qemu-img")
def test_verbose_of_a_compressed_image(disksum, tmp_path):
    with open(tmp_path / "disk", "wb") as f:
        f.write(b"words " * (1 << 20))
        f.truncate(8 << 20)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c",
                    "disk", "q"], cwd=tmp_path, check=True)
    result = disksum("-v", "q", cwd=tmp_path, check=False)
    assert "q: qcow2, 8.0 MiB: 6.0 MiB of data, " in result.stderr
    assert "disksum: q: 6.0 MiB was compressed\n" in result.stderr
    result = disksum("-v", "disk", cwd=tmp_path, check=False)
    assert "compressed" not in result.stderr
