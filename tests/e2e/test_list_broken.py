# SPDX-License-Identifier: LGPL-2.1-or-later
"""Digest lists whose checks are right, and whose records are not."""

import fcntl
import hashlib
import os
import pathlib
import struct
import subprocess
import termios
import time

import pytest

from conftest import sums
from list_oracle import CHECK, DIGESTS, END, MAX_CHUNK, UNKNOWN, ZERO, word, write_list
from oracle import checksum

pytestmark = pytest.mark.one_thread

BLOCK = 65536
A, B = (hashlib.sha256(letter * BLOCK).digest() for letter in (b"A", b"B"))
NO_BYTES = hashlib.sha256(bytes(BLOCK)).digest()


def root(*digests, length):
    length = struct.pack("<Q", length)
    return length + hashlib.sha256(b"".join(digests) + length).digest()


def make_list(path, *chunks, length=UNKNOWN, block_size=BLOCK, source=b"{}"):
    """A list of these chunks, with right checks."""
    header = b"BLKLIST\0" + struct.pack("<IIQQQ32s", 1, 72 + len(source), block_size, 0,
                                        length, b"sha256") + source
    content, check = b"", b""
    for chunk in header, *chunks:
        chunk += word(CHECK, 0)
        check = hashlib.sha256(check + chunk).digest()
        content += chunk + check
    path.write_bytes(content)
    return path


@pytest.fixture
def broken(fails, tmp_path):
    """What is wrong with a list of these chunks."""
    def run(*chunks, **options):
        path = make_list(tmp_path / "list", *chunks, **options)
        start = f"{path}: broken digest list: "
        [line] = {fails(*mode, path) for mode in (["--show"], ["--show", "--json"])}
        assert line.startswith(start), line
        return line.removeprefix(start)
    return run


def test_good_list(disksum, tmp_path):
    """The lists here are right but for what is wrong with them."""
    two = word(DIGESTS, 2) + A + B + word(END, 2) + root(A, B, length=2 * BLOCK)
    content = b"A" * BLOCK + b"B" * BLOCK
    path = make_list(tmp_path / "list", two)
    assert path.read_bytes()[-100:] == write_list(content, length=UNKNOWN)[-100:]
    assert sums(disksum("--show", path).stdout) == [checksum(content)]


@pytest.mark.sanitizer
@pytest.mark.parametrize("count", [0, 1])
def test_check_of_nothing(broken, count):
    chunks = [word(DIGESTS, 1) + A] * count
    assert broken(*chunks, b"").startswith("a check of nothing at offset ")


@pytest.mark.sanitizer
def test_zero_block_with_a_digest(broken):
    chunk = word(DIGESTS, 2) + A + NO_BYTES + word(END, 2) + root(A, NO_BYTES, length=2 * BLOCK)
    assert broken(chunk).startswith("the digest of a block of zeros in a record at offset ")


@pytest.mark.parametrize("length", [BLOCK, 2 * BLOCK + 1, 0, 1 << 63, UNKNOWN])
def test_length_that_is_not_that_of_the_blocks(broken, length):
    chunk = word(DIGESTS, 2) + A + B + word(END, 2) + root(A, B, length=length)
    assert broken(chunk).startswith("a length that does not fit the number of blocks at offset ")


@pytest.mark.sanitizer
def test_short_block_among_zeros(broken):
    """Only a whole block can be one of zeros."""
    chunk = word(ZERO, 2) + word(END, 2) + root(NO_BYTES, NO_BYTES, length=2 * BLOCK - 1)
    assert broken(chunk).startswith("a short block among zeros at offset ")


@pytest.mark.sanitizer
def test_chunk_of_more_than_a_mebibyte(broken):
    """It has more digests than fit, but no more than its word may say."""
    blocks = MAX_CHUNK // 32
    digests = [struct.pack("<Q", i) * 4 for i in range(blocks)]
    chunk = word(ZERO, 1) + word(DIGESTS, blocks) + b"".join(digests)
    end = word(END, blocks + 1) + root(NO_BYTES, *digests, length=(blocks + 1) * BLOCK)
    assert len(chunk) > MAX_CHUNK
    assert broken(chunk, end).startswith("the distance of checks is more than 1 MiB at offset ")


@pytest.mark.sanitizer
def test_checksum_of_another_disk(broken):
    chunk = word(DIGESTS, 2) + A + B + word(END, 2) + root(B, A, length=2 * BLOCK)
    assert broken(chunk) == "its digests do not give its checksum"


def test_more_blocks_than_a_list_can_have(disksum, fails, tmp_path):
    """Of a disk of unknown length, which may have 2^63 - 1 blocks of a byte."""
    chunk = word(ZERO, (1 << 62) - 1) + word(ZERO, 1)
    path = make_list(tmp_path / "list", chunk, block_size=1)
    assert "two records of the same kind in a row" in fails("--max-size=7E", "--show", path)
    small = word(ZERO, 2) + word(END, 2)
    zero = hashlib.sha256(b"\0").digest()
    path = make_list(tmp_path / "list", small + root(zero, zero, length=2), block_size=1)
    assert sums(disksum("--show", path).stdout) == [checksum(bytes(2), 1, sector=1)]


def is_asleep(process, pipe):
    """Whether it has read all of a pipe, and waits."""
    there = bytearray(4)
    fcntl.ioctl(pipe, termios.FIONREAD, there)
    state = pathlib.Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return not any(there) and state == "S"


def test_slow_pipe_that_does_not_block(build):
    """A list may come from a descriptor that another program made non-blocking."""
    content = b"A" * BLOCK
    whole = write_list(content)
    out, into = os.pipe()
    os.set_blocking(out, False)
    with subprocess.Popen([build / "disksum", "--show"], stdin=out, stdout=subprocess.PIPE,
                          text=True) as process:
        for at in range(0, len(whole), 50):
            os.write(into, whole[at:at + 50])
            while not is_asleep(process, out):
                assert process.poll() is None
                time.sleep(0.001)
        os.close(into)
        assert sums(process.stdout.read()) == [checksum(content)]
    os.close(out)
    assert process.returncode == 0
