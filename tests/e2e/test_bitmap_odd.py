# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers whose answers about a bitmap are odd: it is right, or one line says what
is wrong."""

import struct
import subprocess

import pytest

from odd_server import (ACK, CONTEXT, DONE, ERROR, META_CONTEXT, SET_META_CONTEXT, SIZE,
                        STATUS, OddServer, chunk, data, extents, option_reply)

BITMAP = CONTEXT + 1    # the number of the context of the bitmap 'b0'
HALF = SIZE // 2


@pytest.fixture
def ask(build, tmp_path):
    """What print-bitmap makes of a server's answers to block status requests."""
    servers = []

    def reply(s, option):
        if option != SET_META_CONTEXT:
            return False
        for number, name in (CONTEXT, b"base:allocation"), (BITMAP, b"qemu:dirty-bitmap:b0"):
            s.sendall(option_reply(option, META_CONTEXT, struct.pack(">I", number) + name))
        s.sendall(option_reply(option, ACK))
        return True

    def run(status):
        servers.append(OddServer(tmp_path / "socket", read, status, reply=reply))
        return subprocess.run(
            [build / "tests/max-memory", "64000", build / "tests/print-bitmap",
             servers[0].uri, "b0"], capture_output=True, text=True, timeout=60)
    yield run
    for server in servers:
        server.stop()


def read(cookie, offset, length):
    return data(cookie, offset, length, DONE)


def changes(cookie, *pairs, flags=DONE):
    return chunk(cookie, STATUS, struct.pack(">I", BITMAP)
                 + b"".join(struct.pack(">II", *pair) for pair in pairs), flags)


ANSWERS = {
    "all at once": lambda cookie, offset, length: changes(cookie, (HALF, 0), (HALF, 1)),
    "a sector each time": lambda cookie, offset, length: changes(
        cookie, (512, int(offset >= HALF))),
    "another context first": lambda cookie, offset, length: extents(
        cookie, (length, 3)) + changes(cookie, (HALF, 0), (HALF, 1)),
    "another context after": lambda cookie, offset, length: changes(
        cookie, (HALF, 0), (HALF, 1), flags=0) + extents(cookie, (512, 0), flags=DONE),
    "beyond the end": lambda cookie, offset, length: changes(
        cookie, (HALF, 0), (1 << 31, 1)),
    "unknown flags": lambda cookie, offset, length: changes(
        cookie, (HALF, 0), (HALF, 0x80000000)),
    "in two chunks": lambda cookie, offset, length: changes(
        cookie, (HALF, 0), flags=0) + changes(cookie, (HALF, 1)),
    "neighbours alike": lambda cookie, offset, length: changes(
        cookie, *[(512, 0)] * (HALF // 512), *[(512, 1)] * (HALF // 512)),
}


@pytest.mark.sanitizer(every=3)
@pytest.mark.parametrize("name", ANSWERS)
def test_odd(ask, name):
    done = ask(ANSWERS[name])
    assert (done.stdout, done.stderr) == (f"0 {HALF} 0\n{HALF} {HALF} 1\n", "")


def test_each_byte(ask):
    """More ranges than are kept."""
    def status(cookie, offset, length):
        end = min(offset + length, offset + 70000)
        return changes(cookie, *[(1, at % 2) for at in range(offset, end)])
    done = ask(status)
    assert done.stderr == ""
    assert done.stdout == "".join(f"{at} 1 {at % 2}\n" for at in range(SIZE))


WRONG = {
    "nothing": (lambda cookie, offset, length: chunk(cookie, 0, b"", DONE), "Protocol error"),
    "another context only": (lambda cookie, offset, length: extents(
        cookie, (length, 0), flags=DONE), "Protocol error"),
    "an error": (lambda cookie, offset, length: chunk(
        cookie, ERROR, struct.pack(">IH", 12, 0), DONE), "Cannot allocate memory"),
    "an empty range": (lambda cookie, offset, length: changes(cookie, (0, 0)),
                       "the server violated the NBD protocol: an extent is empty"),
    "an endless reply": (lambda cookie, offset, length: (
        changes(cookie, (length, 0), flags=0) for _ in range(1 << 20)),
        "the server violated the NBD protocol: the reply has more than was requested"),
}


@pytest.mark.sanitizer(every=2)
@pytest.mark.parametrize("name", WRONG)
def test_wrong(ask, tmp_path, name):
    """Unlike a hole that is not reported, it cannot be taken for data: that would be
    to read all of the disk."""
    answer, reason = WRONG[name]
    done = ask(answer)
    uri = f"nbd+unix:///?socket={tmp_path / 'socket'}"
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{uri}: cannot read the bitmap 'b0' at offset 0: {reason}\n"


def test_end_of_the_connection(ask):
    def status(cookie, offset, length):
        raise EOFError
    done = ask(status)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cannot read the bitmap 'b0' at offset 0: " in done.stderr
