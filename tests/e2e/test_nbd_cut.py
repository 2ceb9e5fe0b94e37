# SPDX-License-Identifier: LGPL-2.1-or-later
"""A server that goes at any byte of a session: in the handshake, in the first replies, in
what it says of holes and changes, in the handshake of TLS; and a server that disksum has
started. Each time one line, and no checksum."""

import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys

import pytest

import cut_proxy
from conftest import BUILD, sums
from cut_proxy import CLOSE, RESET, STALL, CutProxy
from oracle import checksum, write_image
from pki import make_certificates
from qcow2_qemu import fill, qemu

CONTENT = random.Random(1).randbytes(200_000) + bytes(100_000)
DISCONNECT = 28  # bytes of the last request, which needs no reply


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    with open(path, "wb") as f:
        f.write(CONTENT[:200_000])
        f.truncate(len(CONTENT))
    return path


@pytest.fixture
def proxy(tmp_path, servers, disk, request):
    """A proxy to a server (nbdkit 1.32 does not survive all of this), on a unix socket or on
    TCP."""
    uri, _ = servers.qemu_nbd(disk)
    started = CutProxy(None if getattr(request, "param", "unix") == "TCP" else
                       tmp_path / "proxy", uri.split("?socket=")[1])
    yield started
    started.stop()


ONE = "--connections=1"

REASONS = [
    r"cannot connect: recv: server disconnected unexpectedly",
    r"cannot connect: (recv|send): (Connection reset by peer|Broken pipe)",
    r"cannot connect: connect: localhost:\d+: could not connect to remote host: "
    r"Connection reset by peer",
    r"read error at offset \d+: Connection reset by peer"]


def check_line(line, uri):
    assert line.startswith(f"{uri}: ")
    assert any(re.fullmatch(reason, line[len(uri) + 2:]) for reason in REASONS), line


@pytest.fixture
def measured(disksum, proxy):
    """The proxy, and the bytes [to the server, from it] of a session."""
    assert sums(disksum(ONE, proxy.uri).stdout) == [checksum(CONTENT)]
    passed = proxy.passed
    proxy.cut(None)
    return proxy, passed[0]


HANDSHAKE = 400  # and more: that of qemu-nbd, and the first reply to a read


@pytest.mark.parametrize("how, proxy", [(CLOSE, "unix"), (RESET, "unix"), (RESET, "TCP")],
                         indirect=["proxy"])
def test_server_goes(fails, measured, how):
    """After each byte of the handshake and of the first replies, and after some later."""
    proxy, (_, down) = measured
    for limit in [*range(0, HANDSHAKE, 1 if how == CLOSE else 3), down // 2, down - 1]:
        proxy.cut(limit, how)
        check_line(fails(ONE, proxy.uri), proxy.uri)


@pytest.mark.parametrize("how", [CLOSE, RESET])
def test_request_is_cut(disksum, fails, measured, how):
    """After each byte that was sent. The last request only says goodbye."""
    proxy, (up, _) = measured
    for limit in range(0, up - DISCONNECT, 1 if how == CLOSE else 5):
        proxy.cut(limit, how, upstream=True)
        check_line(fails(ONE, proxy.uri), proxy.uri)
    for limit in range(up - DISCONNECT + 1, up + 1, 9):
        proxy.cut(limit, how, upstream=True)
        assert sums(disksum(ONE, proxy.uri).stdout) == [checksum(CONTENT)]


@pytest.mark.parametrize("limit", [0, 17, 18, 100, 180, 300, 100_000])
@pytest.mark.parametrize("upstream", [False, True])
def test_server_stalls(fails, measured, limit, upstream):
    proxy, passed = measured
    limit = min(limit, passed[not upstream] - DISCONNECT - 1)
    proxy.cut(limit, STALL, upstream=upstream)
    line = fails(ONE, "--timeout=1", proxy.uri)
    assert "--timeout is 1 s" in line


def test_later_connection_goes(disksum, fails, measured):
    """In its handshake: the first is enough. Later: its reads fail."""
    proxy, _ = measured
    for limit in 0, 18, 30, 100, 150:
        proxy.cut(limit, CLOSE, only=1)
        assert sums(disksum("-t", "2", "--read-size=64k", proxy.uri).stdout) == \
            [checksum(CONTENT)]
        assert len(proxy.passed) > 1
    proxy.cut(65536, CLOSE, only=1)
    result = disksum("-t", "2", "--read-size=64k", proxy.uri, check=False)
    if result.returncode:
        check_line(result.stderr.removeprefix("disksum: ").rstrip("\n"), proxy.uri)
    else:
        # The other connection was so fast that this one had nothing to do.
        assert sums(result.stdout) == [checksum(CONTENT)]
    assert result.returncode == (0 if result.stdout else 1)


def test_server_goes_while_lists_are_written(fails, tmp_path, measured):
    """What is left can be resumed, or is not left."""
    proxy, (_, down) = measured
    for limit in 0, 100, 250, down // 2, down - 1:
        proxy.cut(limit)
        check_line(fails(ONE, f"--write-list={tmp_path}/list", "--block-size=4096", proxy.uri),
                   proxy.uri)
        assert not (tmp_path / "list").exists()
        (tmp_path / "list.part").unlink(missing_ok=True)


def test_interrupted_while_it_waits(measured):
    """A server that is silent does not keep anybody from ending disksum."""
    proxy, _ = measured
    for limit in 0, 100, 300:
        proxy.cut(limit, STALL)
        with subprocess.Popen([BUILD / "disksum", ONE, proxy.uri], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE) as process:
            while not proxy.passed or proxy.passed[0][1] < limit:
                assert process.poll() is None
            process.send_signal(signal.SIGINT)
            assert process.communicate(timeout=60) == (b"", b"")
            assert process.returncode == -signal.SIGINT


# --- holes and changes ------------------------------------------------------------

BLOCK_STATUS = struct.pack(">I2xH", 0x668e33ef, 5)    # without the flags


def status_replies(stream):
    """The (first byte, end) of each reply to a block status request."""
    found = []
    for at in range(len(stream) - 20):
        if stream[at:at + 4] + bytes(2) + stream[at + 6:at + 8] == BLOCK_STATUS:
            found.append((at, at + 20 + struct.unpack(">I", stream[at + 16:at + 20])[0]))
    return found


@pytest.fixture
def holes(tmp_path, servers):
    """A proxy to a disk with ten holes, of which a bitmap says that ten parts have changed."""
    spec = "64k:A 64k:- " * 10
    write_image(tmp_path / "raw", spec)
    image = tmp_path / "image"
    qemu("convert", "-f", "raw", "-O", "qcow2", tmp_path / "raw", image)
    qemu("bitmap", "--add", image, "b0")
    fill(image, [(n * 128 << 10, 512, "B") for n in range(10)])
    uri, _ = servers.qemu_nbd(image, "-B", "b0", format="qcow2")
    started = CutProxy(tmp_path / "proxy", uri.split("?socket=")[1])
    yield started
    started.stop()


@pytest.mark.sanitizer
@pytest.mark.one_thread
def test_server_goes_while_it_tells_of_holes(disksum, fails, holes):
    """Those that it has told are no zeros that anybody has seen."""
    disksum(ONE, holes.uri)
    (first, end), *more = status_replies(holes.replies)
    assert end - first > 150 and not more
    for how, step in (CLOSE, 7), (RESET, 41):
        for limit in range(first, end + 2, step):
            holes.cut(limit, how)
            check_line(fails(ONE, holes.uri), holes.uri)
            assert holes.passed[0][1] == limit


BITMAP_REASONS = [*REASONS, r"cannot read the bitmap 'b0' at offset \d+: "
                  "Connection reset by peer"]


def test_server_goes_while_it_tells_of_changes(disksum, fails, tmp_path, holes, monkeypatch):
    """Nothing is taken from the old list for a part that the server has not told."""
    monkeypatch.chdir(tmp_path)
    disksum("--write-list=old", tmp_path / "raw", "-f", "raw", "--block-size=64k")
    args = [ONE, "--block-size=64k", "--base=old", "--bitmap=b0", "--write-list=new"]
    holes.cut(None)
    expected = disksum(*args, holes.uri).stdout
    replies = status_replies(holes.replies)
    assert len(replies) == 4    # to two requests, of changes and holes
    os.unlink("new")
    for first, end in replies:
        for how, step in (CLOSE, 19), (RESET, 61):
            for limit in range(first, end + 2, step):
                holes.cut(limit, how)
                line = fails(*args, holes.uri).removeprefix(f"{holes.uri}: ")
                assert any(re.fullmatch(reason, line) for reason in BITMAP_REASONS), line
                assert not os.path.exists("new")
    holes.cut(None)
    assert disksum("--resume", *args, holes.uri).stdout == expected


# --- a server that disksum has started ------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.one_thread
def test_command_dies(disksum, fails, tmp_path, holes, monkeypatch):
    """After some byte that it has sent, in every kind of reply."""
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()

    def args(limit):
        return [ONE, "--", "[", sys.executable, cut_proxy.__file__, limit, holes.server, "]"]
    disksum(ONE, holes.uri)
    size = holes.passed[0][1]
    (first, end), = status_replies(holes.replies)
    for limit in 0, 1, 17, 60, 150, first, first + 30, end, end + 1, end + 16, size // 2, size - 1:
        line = fails(*args(str(limit)))
        assert re.search(r"\]: ((cannot connect|read error at offset \d+): .*)?"
                         r"the server was killed by signal 9 \(Killed\)$", line), line
    assert sums(disksum(*args(str(size + 1))).stdout) == sums(disksum(holes.uri).stdout)
    assert not list((tmp_path / "tmp").iterdir())


# --- TLS ------------------------------------------------------------------------

@pytest.fixture
def over_tls(tmp_path, servers, disk):
    """A proxy to a server that requires TLS."""
    if not shutil.which("certtool"):
        pytest.skip("no certtool")
    certificates = tmp_path / "pki"
    certificates.mkdir()
    make_certificates(certificates)
    uri, _ = servers.qemu_nbd(
        disk, "--object", f"tls-creds-x509,id=tls,endpoint=server,dir={certificates},"
        "verify-peer=off", "--tls-creds", "tls")
    started = CutProxy(None, uri.split("?socket=")[1])
    started.uri = started.uri.replace("nbd:", "nbds:") + \
        f"/?tls-certificates={certificates}"
    yield started
    started.stop()


TLS_REASONS = [re.compile(reason) for reason in (
    r"cannot connect: connect: localhost:\d+: could not connect to remote host: "
    r"Connection reset by peer",
    r"cannot connect: \w+: (The TLS connection was non-properly terminated|"
    r"Error in the (push|pull) function|Error decoding the received TLS packet)\.( \(-?\d+/\d+\))?",
    r"cannot connect: (recv|send): (server disconnected unexpectedly|Connection reset by peer|"
    r"Broken pipe)",
    r"read error at offset \d+: Connection reset by peer")]


def test_server_goes_in_tls(disksum, fails, over_tls):
    assert sums(disksum(ONE, over_tls.uri).stdout) == [checksum(CONTENT)]
    down = over_tls.passed[0][1]
    places = sorted({*range(0, 2400, 97), 37, 38, 39, *range(2400, down, 40_000), down - 100})
    for limit in places:
        for how in CLOSE, RESET:
            over_tls.cut(limit, how)
            line = fails(ONE, over_tls.uri)
            rest = line.removeprefix(f"{over_tls.uri}: ")
            assert any(reason.fullmatch(rest) for reason in TLS_REASONS), line
