# SPDX-License-Identifier: LGPL-2.1-or-later
"""The names under which the program is called, as which it has the habits of
others, and -q."""

import contextlib
import itertools
import os
import pty
import re
import signal
import subprocess

import pytest

from conftest import sums
from oracle import checksum, write_image
from qcow2_image import Image
from terminal import read_pieces


@pytest.fixture
def blksum(build, tmp_path):
    os.symlink(build / "disksum", tmp_path / "blksum")

    def run(*args, env=None, wrapper=()):
        return subprocess.run([*wrapper, tmp_path / "blksum", *args],
                              cwd=tmp_path, env={**os.environ, **(env or {})},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, check=False)
    return run


def test_letters_of_blksum(blksum, disksum, tmp_path):
    """-c reads through the cache, -l lists the digests."""
    content = write_image(tmp_path / "disk", "100k:A")
    expected = f"{checksum(content)}  disk\n".encode()
    for options in ["-c"], ["--cache"], ["-T", "none", "-c"], \
            ["-d", "sha256", "-t", "2", "--queue-depth=4", "--read-size=256k"]:
        result = blksum(*options, "disk")
        assert (result.stdout, result.stderr) == (expected, b"")
    digests = disksum("--list-digests").stdout.encode()
    assert blksum("-l").stdout == digests
    assert blksum("--list-digests").stdout == digests


def test_long_options_of_blksum(blksum, disksum, tmp_path):
    """What has no letter there is as always."""
    write_image(tmp_path / "disk", "100k:A")
    (tmp_path / "S").write_text(disksum("disk", cwd=tmp_path).stdout)
    assert blksum("--check", "S").stdout == b"disk: OK\n"
    assert blksum("--snapshot=1", "disk").returncode == 1


def test_help_of_blksum(blksum, disksum):
    """With its letters, and else the same."""
    text, ours = blksum("-h").stdout.decode(), disksum("-h").stdout
    for there, here in (
            ("-c, --cache", "    --cache"), ("    --check", "-c, --check"),
            ("-l, --list-digests", "    --list-digests"),
            ("    --snapshot", "-l, --snapshot")):
        assert text.count(there) == ours.count(here) == 1
        text = text.replace(there, here)
    assert text == ours
    text, ours = blksum("--long-options").stdout.decode(), \
        disksum("--long-options").stdout
    assert "--cache\t-c\t" in text and "--check\t-\t" in text
    assert "--cache\t-\t" in ours and "--check\t-c\t" in ours


def test_cache_of_blksum(blksum, disksum, fails, build, tmp_path):
    """Reads are direct unless told otherwise, where the file system can."""
    content = write_image(tmp_path / "disk", "100k:A")
    expected = f"{checksum(content)}  disk\n"
    # Direct reads fail.
    no_ring = {"env": {"DISKSUM_READS": "ring"},
               "wrapper": [build / "tests/refuse-calls", "EPERM", "io_uring_setup"]}
    assert b"cannot set up reads" in blksum("disk", **no_ring).stderr
    for options in ["-c"], ["--cache"], ["-T", "writeback"]:
        assert blksum(*options, "disk", **no_ring).stdout.decode() == expected
    assert disksum("disk", cwd=tmp_path, **no_ring).stdout == expected
    assert blksum("disk").stdout.decode() == expected
    no_direct = {"LD_PRELOAD": f"{build}/tests/no-direct.so"}
    result = blksum("disk", env=no_direct)
    assert (result.stdout.decode(), result.stderr) == (expected, b"")
    assert fails("-T", "none", "disk", env=no_direct, cwd=tmp_path) == \
        "disk: the file system does not support direct I/O: Invalid argument"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("name", ["blksum", "disksum"])
def test_signal(build, tmp_path, name, number):
    """It dies of the signal; blksum tells of SIGTERM before."""
    os.symlink(build / "disksum", tmp_path / name)
    process = subprocess.Popen([tmp_path / name], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(bytes(8 << 20))  # when it is gone, the reader has begun
    process.stdin.flush()
    process.send_signal(number)
    out, err = process.communicate()
    told = name == "blksum" and number == signal.SIGTERM
    assert (out, err) == (b"", b"disksum: Terminated by signal 15\n" if told else b"")
    assert process.returncode == -number


@pytest.mark.sanitizer
def test_sigterm_wipes_the_bar(build, tmp_path):
    os.symlink(build / "disksum", tmp_path / "blksum")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [tmp_path / "blksum", "-p"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    seen = os.read(ours, 4096)  # the first bar
    assert seen.startswith(b"\r")
    process.send_signal(signal.SIGTERM)
    seen += b"".join(read_pieces(ours))
    process.communicate()
    assert process.returncode == -signal.SIGTERM
    assert seen.endswith(b"\x1b[K\r\x1b[Kdisksum: Terminated by signal 15\r\n")


@pytest.mark.sanitizer(every=2)
@pytest.mark.parametrize("blocking", [False, True])
def test_sigterm_does_not_wait(build, tmp_path, blocking):
    """Not even if nobody reads the message."""
    os.symlink(build / "disksum", tmp_path / "blksum")
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(theirs, bytes(4096))
    os.set_blocking(theirs, blocking)
    with subprocess.Popen([tmp_path / "blksum"], stdin=subprocess.PIPE,
                          stderr=theirs) as process:
        process.stdin.write(bytes(8 << 20))
        process.stdin.flush()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(timeout=60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGTERM
    for end in ours, theirs:
        os.close(end)


def test_ignored_sigterm(build, tmp_path):
    """It stays ignored, as for a child of a shell that traps it."""
    os.symlink(build / "disksum", tmp_path / "blksum")
    process = subprocess.Popen(
        [tmp_path / "blksum"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        preexec_fn=lambda: signal.signal(signal.SIGTERM, signal.SIG_IGN))
    process.stdin.write(bytes(8 << 20))
    process.stdin.flush()
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate()
    assert (out.decode(), err) == (f"{checksum(bytes(8 << 20))}  -\n", b"")


def most_in_flight(result):
    """The most slots at a time that were planned and not done."""
    assert result.returncode == 0
    steps = [1 if what == b"planned" else -1 for what in
             re.findall(rb"slot \d+: (planned|committed)", result.stderr)]
    return max(itertools.accumulate(steps))


@pytest.mark.parametrize("size, options, depth", [
    ("256k", ["--read-size=256k"], 1), ("768k", ["--read-size=256k"], 3),
    ("2097152", [], 2), ("4096", [], 1), ("8m", ["--queue-depth=2"], 2)])
def test_queue_size(blksum, tmp_path, size, options, depth):
    """What older versions had in place of --queue-depth: the bytes that a thread has
    in flight."""
    content = write_image(tmp_path / "disk", "16M:A")
    for queue in [f"--queue-size={size}"], ["--queue-size", size]:
        result = blksum("-t1", *queue, *options, "disk", env={"DISKSUM_DEBUG": "ring"})
        assert result.stdout.decode() == f"{checksum(content)}  disk\n"
        assert most_in_flight(result) <= depth


def test_bad_queue_size(blksum, disksum):
    for size in "", "x", "0", "-1", "1E":
        result = blksum(f"--queue-size={size}")
        assert (result.returncode, result.stdout) == (2, b"")
        assert f"invalid queue size '{size}'".encode() in result.stderr
    result = disksum("--queue-size=1M", check=False)
    assert (result.returncode, result.stderr.splitlines()[0]) == \
        (2, "disksum: unrecognized option '--queue-size=1M'")
    assert b"queue-size" not in blksum("--help").stdout
    assert b"queue-size" not in blksum("--long-options").stdout


def test_only_that_name(build, disksum, tmp_path):
    write_image(tmp_path / "disk", "100k:A")
    (tmp_path / "S").write_text(disksum("disk", cwd=tmp_path).stdout)
    os.symlink(build / "disksum", tmp_path / "notblksum")
    out = subprocess.run([tmp_path / "notblksum", "-c", "S"], cwd=tmp_path,
                         stdout=subprocess.PIPE, check=True).stdout
    assert out == b"disk: OK\n"


def test_checksum_as_a_command(disksum, tmp_path):
    """A script that calls 'qemu-img checksum' can call 'disksum checksum'."""
    content = write_image(tmp_path / "disk", "100k:A")
    out = disksum("disk", cwd=tmp_path).stdout
    for arguments in ["-f", "raw", "-T", "none", "disk"], ["disk"]:
        assert disksum("checksum", *arguments, cwd=tmp_path).stdout == out
    for arguments in [], ["-"]:
        assert disksum("checksum", *arguments, input=content,
                       cwd=tmp_path).stdout == out.replace("disk", "-")


@pytest.mark.parametrize("rest", [
    [], ["disk"], ["-f", "raw", "disk"], ["-U"], ["checksum"], ["--", "disk"]])
@pytest.mark.parametrize("kind", ["file", "link"])
def test_file_called_checksum(disksum, tmp_path, rest, kind):
    """Of 'disksum *' no image is left out without a word."""
    write_image(tmp_path / "disk", "100k:A")
    if kind == "file":
        write_image(tmp_path / "checksum", "100k:B")
    else:
        (tmp_path / "checksum").symlink_to("nowhere")
    result = disksum("checksum", *rest, input="", cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == \
        "disksum: 'checksum' is ambiguous: use ./checksum for the file, or " \
        "omit the subcommand\n" \
        "Try 'disksum --help' for more information.\n"


@pytest.mark.parametrize("arguments", [
    ["./checksum", "disk"], ["--", "checksum", "disk"], ["-U", "checksum",
                                                         "disk"]])
def test_image_called_checksum(disksum, tmp_path, arguments):
    contents = [write_image(tmp_path / "checksum", "100k:B"),
                write_image(tmp_path / "disk", "100k:A")]
    out = disksum(*arguments, cwd=tmp_path).stdout
    assert sums(out) == [checksum(content) for content in contents]


def test_quiet(disksum, tmp_path):
    """Errors only: no warnings, no progress."""
    write_image(tmp_path / "base", "64k:A")
    Image(size=65536, backing=b"base").write(tmp_path / "top")
    assert "warning" in disksum("top", cwd=tmp_path, check=False).stderr
    assert disksum("-q", "top", cwd=tmp_path).stdout
    assert disksum("-q", "-p", "base", cwd=tmp_path).stdout
    line = f"{'0' * 64}  top\n"
    for option in "-q", "--status":
        result = disksum("-c", option, input=line, cwd=tmp_path, check=False)
        assert result.returncode == 1 and ": warning: " not in result.stderr
    result = disksum("-q", "no", cwd=tmp_path, check=False)
    assert result.stderr == "disksum: no: No such file or directory\n"
