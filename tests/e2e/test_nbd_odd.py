# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers that send odd replies: the checksum is right, or one line says what is
wrong."""

import struct

import pytest

from conftest import sums
from odd_server import (CONTENT, DATA, DONE, ERROR, ERROR_OFFSET, OddServer,
                        chunk, data)
from oracle import checksum


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(answer):
        path = tmp_path / f"socket-{len(servers)}"
        servers.append(OddServer(path, answer))
        return f"nbd+unix:///?socket={path}"
    yield start
    for server in servers:
        server.stop()


def one(cookie, offset, length):
    return data(cookie, offset, length, DONE)


def parts(cookie, offset, length):
    """Eight chunks, in order."""
    step = length // 8
    return b"".join(data(cookie, offset + i * step, step, DONE if i == 7 else 0)
                    for i in range(8))


def backwards(cookie, offset, length):
    """Eight chunks, the last one first. The protocol allows that."""
    step = length // 8
    return b"".join(data(cookie, offset + i * step, step, 0 if i else DONE)
                    for i in reversed(range(8)))


@pytest.mark.sanitizer
@pytest.mark.parametrize("answer", [one, parts, backwards])
def test_parts(disksum, serve, answer):
    for options in [], ["-t", "1", "--queue-depth", "1"], ["--read-size", "64k"]:
        assert sums(disksum(*options, serve(answer)).stdout) == \
            [checksum(CONTENT)]


def test_half_comes_twice(disksum, serve):
    """libnbd only counts bytes, so the other half would be what was in memory. The
    read is requested once more, over zeros: the result is always the same."""
    def answer(cookie, offset, length):
        half = data(cookie, offset, length // 2)
        return half + data(cookie, offset, length // 2, DONE)
    uri = serve(answer)
    found = {sums(disksum("--read-size", size, uri,
                          env={"MALLOC_PERTURB_": perturb}).stdout)[0]
             for size in ["1M", "512k"] for perturb in ["0", "85", "170"]}
    assert len(found) == 1


def error(kind, cookie, offset, number=5, text=b"the disk is on fire"):
    payload = struct.pack(">IH", number, len(text)) + text
    if kind == ERROR_OFFSET:
        payload += struct.pack(">Q", offset)
    return chunk(cookie, kind, payload, DONE)


def test_error_with_an_offset(fails, serve):
    def answer(cookie, offset, length):
        if offset <= 700000 < offset + length:
            return error(ERROR_OFFSET, cookie, 700000)
        return one(cookie, offset, length)
    uri = serve(answer)
    assert fails(uri) == f"{uri}: read error at offset 700000: " \
        "Input/output error"


def test_error_without_an_offset(fails, serve):
    """The offset is found by smaller reads."""
    def answer(cookie, offset, length):
        if offset <= 700000 < offset + length:
            return error(ERROR, cookie, 0)
        return one(cookie, offset, length)
    uri = serve(answer)
    place = 700000 - 700000 % 4096
    assert fails(uri) == f"{uri}: read error at offset {place}: " \
        "Input/output error"


@pytest.mark.parametrize("name, answer", [
    ("no magic", lambda *_: b"x" * 64),
    ("another cookie", lambda cookie, *rest: one(cookie + 1000, *rest)),
    ("beyond what was asked", lambda cookie, offset, length: chunk(
        cookie, DATA, struct.pack(">Q", offset + length) + b"x", DONE)),
    ("a length of 4 GiB", lambda cookie, *_: struct.pack(
        ">IHHQI", 0x668E33EF, DONE, DATA, cookie, 0xFFFFFFFF)),
    ("a simple reply", lambda cookie, offset, length: struct.pack(
        ">IIQ", 0x67446698, 0, cookie) + CONTENT[offset:offset + length])])
def test_broken_protocol(fails, serve, name, answer):
    line = fails(serve(answer))
    assert ": the server violated the NBD protocol: " in line, name
    assert "read error at offset 0" in line


def test_ends_in_an_answer(fails, serve):
    uri = serve(lambda *args: one(*args)[:1000])
    assert fails("--timeout", "1", uri) == \
        f"{uri}: read error at offset 0: the server does not answer " \
        "(--timeout is 1 s)"


@pytest.mark.parametrize("size", [1 << 63, (1 << 64) - 1])
def test_export_of_more_than_any_file(fails, tmp_path, size):
    server = OddServer(tmp_path / "socket", one, size=size)
    assert fails(server.uri) == (
        f"{server.uri}: cannot connect: the export is larger than 2^63 - 1 bytes, or the server "
        "does not report its size")
    server.stop()
