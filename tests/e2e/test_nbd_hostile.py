# SPDX-License-Identifier: LGPL-2.1-or-later
"""Servers that want to take memory or time. None gets more of either than is in
proportion to the disk, and --timeout holds."""

import os
import resource
import struct
import threading
import time

import pytest

from conftest import sums
from odd_server import (ACK, CONTENT, DATA, DONE, ERROR, ERROR_OFFSET, GO, HAS_FLAGS,
                        HOLE, INFO, META_CONTEXT, MULTI_CONN, READ_ONLY,
                        SET_META_CONTEXT, STARTTLS, OddServer, chunk, data, extents,
                        flood, option_reply)
from oracle import checksum


@pytest.fixture
def serve(tmp_path):
    servers = []

    def start(answer, **options):
        servers.append(OddServer(tmp_path / f"socket-{len(servers)}", answer,
                                 **options))
        return servers[-1].uri
    yield start
    for server in servers:
        server.stop()


def one(cookie, offset, length):
    return data(cookie, offset, length, DONE)


def children_time():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# --- the handshake ----------------------------------------------------------

# libnbd stores all contexts, and does not return while bytes come.
CONTEXTS = (SET_META_CONTEXT, META_CONTEXT,
            struct.pack(">I", 1) + b"x" * 4000)
UNKNOWN_INFO = GO, INFO, b"\0\x63"


def endless(option, kind, payload, good=0):
    """Reply to an option without end, but not for the first good connections."""
    piece = option_reply(option, kind, payload)
    asked = []

    def reply(s, this):
        if this == option:
            asked.append(s)
            if len(asked) > good:
                flood(s, piece)
    return reply


@pytest.mark.parametrize("replies", [CONTEXTS, UNKNOWN_INFO],
                         ids=["contexts", "infos"])
def test_endless_handshake(build, fails, serve, replies):
    uri = serve(one, reply=endless(*replies))
    start = children_time()
    assert fails("--timeout", "60", uri,
                 wrapper=[build / "tests/max-memory", str(64 << 10)]) == \
        f"{uri}: cannot connect: too many replies in the handshake"
    assert children_time() - start < 10


@pytest.mark.parametrize("replies", [CONTEXTS, UNKNOWN_INFO],
                         ids=["contexts", "infos"])
def test_endless_handshake_of_later_connections(disksum, build, serve, replies):
    uri = serve(one, reply=endless(*replies, good=1),
                flags=HAS_FLAGS | READ_ONLY | MULTI_CONN)
    result = disksum("-t", "4", uri,
                     wrapper=[build / "tests/max-memory", str(128 << 10)])
    assert sums(result.stdout) == [checksum(CONTENT)]


def test_debug_of_libnbd(disksum, serve):
    """libnbd repeats names that the server has chosen."""
    def reply(s, option):
        if option == SET_META_CONTEXT:
            s.sendall(option_reply(option, META_CONTEXT, struct.pack(">I", 9) + b"\x1b[31m\n:x")
                      + option_reply(option, ACK))
            return True
    uri = serve(one, reply=reply, status=lambda *a: b"")
    result = disksum(uri, check=False, env={**os.environ, "LIBNBD_DEBUG": "1"})
    assert sums(result.stdout) == [checksum(CONTENT)]
    assert "\\033[31m\\012:x" in result.stderr
    # Before the first of ours, libnbd has not connected.
    _, lines = result.stderr.split("\ndisksum: ", 1)
    assert all(line.startswith("disksum: nbd: libnbd: ")
               for line in f"disksum: {lines}".splitlines())


def test_later_connections_keep_to_the_timeout(disksum, serve):
    """They get ten times as long as the first took, but not more than that."""
    never = threading.Event()
    uri = serve(one, greet=lambda n: never.wait(2 if n == 0 else 60),
                flags=HAS_FLAGS | READ_ONLY | MULTI_CONN)
    start = time.monotonic()
    assert sums(disksum("-t", "2", "--timeout", "5", uri).stdout) == \
        [checksum(CONTENT)]
    assert time.monotonic() - start < 15


@pytest.mark.parametrize("port", [0, 65536 + 10809, 1 << 32])
def test_port_that_would_be_another(fails, port):
    uri = f"nbd://127.0.0.1:{port}/"
    assert fails(uri) == f"{uri}: cannot connect: invalid port '{port}': " \
        "it must be from 1 to 65535"


# --- silence ----------------------------------------------------------------

def test_end_with_many_requests_in_flight(fails, serve):
    """What it takes is in proportion to their number, not to its square."""
    size = 64 << 30

    def stall(cookie, offset, length):
        if offset == 0 or offset + length == size:
            return hole(cookie, offset, length, DONE)
        return b""
    uri = serve(stall, size=size, block_sizes=(512, 512, 512))
    start = children_time()
    assert "--timeout" in fails("-t", "8", "--timeout", "3", uri)
    assert children_time() - start < 5


@pytest.mark.sanitizer
@pytest.mark.parametrize("slow", ["client", "server"])
@pytest.mark.parametrize("start_of_tls", [b"", b"\x16\3\3\0\x7a\2"], ids=["none", "some"])
def test_silence_in_the_handshake_of_tls(build, fails, serve, start_of_tls, slow):
    """libnbd would look for a reply all the time, and for 40 seconds. It may have
    returned before that, or not yet."""
    never = threading.Event()

    def reply(s, option):
        assert option == STARTTLS
        if slow == "server":
            never.wait(1)
        s.sendall(option_reply(option, ACK) + start_of_tls)
        return never.wait(100)
    uri = serve(one, reply=reply).replace("nbd", "nbds", 1) + "&tls-verify-peer=false"
    start = time.monotonic(), children_time()
    env = {"LD_PRELOAD": f"{build}/tests/slow-client.so"} if slow == "client" else {}
    assert fails("--timeout=4", uri, env={**os.environ, **env}) == \
        f"{uri}: cannot connect: the server does not answer (--timeout is 4 s)"
    assert time.monotonic() - start[0] < 35
    assert children_time() - start[1] < 2


# --- replies ----------------------------------------------------------------

def hole(cookie, offset, length, flags=0):
    return chunk(cookie, HOLE, struct.pack(">QI", offset, length), flags)


def nothing(cookie, offset, _length):
    return chunk(cookie, DATA, struct.pack(">Q", offset))


def same_byte(cookie, offset, _length):
    return data(cookie, offset, 1)


def error(cookie, _offset, _length):
    return chunk(cookie, ERROR, struct.pack(">IH", 5, 0))


def error_with_offset(cookie, offset, _length):
    return chunk(cookie, ERROR_OFFSET, struct.pack(">IHQ", 5, 0, offset))


@pytest.mark.parametrize("piece", [hole, nothing, same_byte, error,
                                   error_with_offset])
def test_endless_reply(fails, serve, piece):
    """Without the flag that ends it. Bytes come, so it is not silence."""
    def answer(*args):
        while True:
            yield piece(*args) * 10000
    uri = serve(answer)
    line = fails("-t", "1", "--timeout", "20", uri)
    assert line.startswith(f"{uri}: read error at offset ")
    assert ": the server violated the NBD protocol: " in line


@pytest.mark.parametrize("entry", [(512, 0), (1 << 20, 3), (0, 0)])
def test_endless_block_status(fails, serve, entry):
    def status(cookie, *_):
        while True:
            yield extents(cookie, entry) * 10000
    uri = serve(one, status=status)
    line = fails("-t", "1", "--timeout", "20", uri)
    assert ": the server violated the NBD protocol: " in line


def test_block_status_in_several_chunks(disksum, serve):
    """It is not allowed, but does no harm."""
    def status(cookie, offset, length):
        half = length // 2
        return extents(cookie, (half, 0)) + \
            extents(cookie, (length - half + 512, 0), flags=DONE)
    assert sums(disksum(serve(one, status=status)).stdout) == \
        [checksum(CONTENT)]


# --- block sizes ------------------------------------------------------------

def test_tiny_maximum_block_size(build, fails, serve):
    """128k requests of 512 bytes, for each read of 64 MiB."""
    def stall(cookie, offset, length):
        if offset == 0 or offset + length == 1 << 40:
            return hole(cookie, offset, length, DONE)
        return b""
    uri = serve(stall, size=1 << 40, block_sizes=(512, 512, 512))
    line = fails("-t", "1", "--queue-depth", "4", "--read-size", "64M",
                 "--timeout", "3", uri,
                 wrapper=[build / "tests/max-memory", str(320 << 10)])
    assert "--timeout" in line
