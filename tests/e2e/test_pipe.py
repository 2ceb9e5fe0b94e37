# SPDX-License-Identifier: LGPL-2.1-or-later
"""Standard input: pipes, sockets, redirected files."""

import os
import random
import socket
import subprocess
import threading
import time

import pytest

from conftest import sums
from oracle import checksum, random_spec, write_image


@pytest.mark.sanitizer
@pytest.mark.parametrize("seed", range(20))
def test_pipe(disksum, tmp_path, seed):
    rnd = random.Random(seed)
    content = write_image(tmp_path / "disk", random_spec(rnd))
    block_size = rnd.choice([512, 4608, 65536, 1 << 20])
    args = ["-t", str(rnd.randrange(1, 9)),
            f"--queue-depth={rnd.choice([1, 2, 8, 32])}",
            f"--block-size={block_size}",
            "--read-size=" + rnd.choice(["4k", "100k", "1M"])]
    out = disksum(*args, input=content).stdout
    assert out == f"{checksum(content, block_size)}  -\n"
    out = disksum(*args, "-", input=content).stdout
    assert out == f"{checksum(content, block_size)}  -\n"


@pytest.mark.sanitizer
def test_slow_writer(disksum, build):
    """Bytes that come in odd pieces, with pauses."""
    process = subprocess.Popen([build / "disksum"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    rnd = random.Random(1)
    content = b""
    for _ in range(30):
        piece = rnd.randbytes(rnd.choice([1, 100, 65536, 100000]))
        process.stdin.write(piece)
        process.stdin.flush()
        content += piece
        time.sleep(0.005)
    out, _ = process.communicate()
    assert sums(out.decode()) == [checksum(content)]


def test_socket(disksum, build):
    content = random.Random(2).randbytes(3000000)
    ours, theirs = socket.socketpair()
    # What others leave behind: a descriptor that does not wait.
    theirs.setblocking(False)
    process = subprocess.Popen([build / "disksum"], stdin=theirs,
                               stdout=subprocess.PIPE)
    theirs.close()
    sender = threading.Thread(target=lambda: (ours.sendall(content),
                                              ours.close()))
    sender.start()
    out, _ = process.communicate()
    sender.join()
    assert sums(out.decode()) == [checksum(content)]


@pytest.mark.sanitizer
def test_redirected_file(disksum, tmp_path):
    """A file is read as a file: its holes are not read."""
    content = write_image(tmp_path / "disk", "100k:A 50M:- 77:B")
    with open(tmp_path / "disk", "rb") as f:
        result = disksum("-v", stdin=f, check=False)
    assert sums(result.stdout) == [checksum(content)]
    assert "50 MiB of holes" in result.stderr


def test_redirected_from_the_middle(disksum, tmp_path):
    """What was read before by somebody else is not part of the image."""
    content = write_image(tmp_path / "disk", "300k:A 50k:B")
    with open(tmp_path / "disk", "rb", buffering=0) as f:
        f.seek(70000)
        out = disksum(stdin=f).stdout
    assert sums(out) == [checksum(content[70000:])]


def test_fifo_as_standard_input(disksum, build, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    content = random.Random(3).randbytes(200000)
    process = subprocess.Popen(
        ["sh", "-c", f"exec {build}/disksum <{tmp_path}/fifo"],
        stdout=subprocess.PIPE)
    (tmp_path / "fifo").write_bytes(content)
    out, _ = process.communicate()
    assert sums(out.decode()) == [checksum(content)]
