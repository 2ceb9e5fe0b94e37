# SPDX-License-Identifier: LGPL-2.1-or-later
"""DISKSUM_DEBUG=nbd: connections, what is negotiated, requests and replies."""

import re
import shutil
import signal

import pytest

from conftest import sums
from oracle import write_image
from test_debug import check, events  # noqa: F401 (a fixture)
from test_nbd import image, read_log, slow_server  # noqa: F401 (fixtures)
from test_nbd_odd import ERROR_OFFSET, error, parts, serve  # noqa: F401 (a fixture)

if not shutil.which("nbdkit"):
    pytest.skip("no nbdkit", allow_module_level=True)


@pytest.mark.sanitizer
def test_one_connection(events, servers, tmp_path):
    path = tmp_path / "disk"
    write_image(path, "640k:A 384k:-")
    uri, _ = servers.nbdkit(
        "--filter=multi-conn", "--filter=blocksize-policy", "file", path,
        "multi-conn-mode=disable", "blocksize-minimum=4k", "blocksize-preferred=64k",
        "blocksize-maximum=512k")
    result, lines = events("nbd", "-t", "1", "-f", "raw", uri)
    check(result, path, lines)
    # Replies come in any order.
    assert sorted(lines) == sorted("connection 1: " + line for line in [
        f"connecting to {uri}",
        "connected: 1048576 bytes; block sizes: minimum 4096, preferred 65536, "
        "maximum 524288; flags: structured-replies df base:allocation",
        "cookie 1: block status 0+1048576",
        "cookie 1: extent 0+655360: data",
        "cookie 1: extent 655360+393216: zeros",
        "cookie 1: complete",
        "cookie 2: read 0+524288",
        "cookie 3: read 524288+131072",
        "cookie 2: chunk 0+524288",
        "cookie 2: complete",
        "cookie 3: chunk 524288+131072",
        "cookie 3: complete",
        "closed"])


def test_connections(events, servers, image):
    path, expected = image
    uri, _ = servers.nbdkit("file", path)
    result, lines = events("nbd", "-t", "3", uri)
    assert sums(result.stdout) == [expected]
    assert {line.split(":")[0] for line in lines} == \
        {f"connection {n}" for n in (1, 2, 3)}


@pytest.mark.sanitizer
def test_chunks(events, serve):
    _, lines = events("nbd", "-t", "1", "-f", "raw", serve(parts))
    assert [line for line in lines if "cookie 1: " in line] == \
        ["connection 1: cookie 1: read 0+524288"] + \
        [f"connection 1: cookie 1: chunk {n * 65536}+65536" for n in range(8)] + \
        ["connection 1: cookie 1: complete"]


def test_error_chunk(events, serve):
    result, lines = events("nbd", "-t", "1", "-f", "raw", serve(
        lambda cookie, offset, length: error(ERROR_OFFSET, cookie, offset + 512)))
    assert result.returncode == 1
    assert "connection 1: cookie 1: error chunk 512+0" in lines
    assert "connection 1: cookie 1: complete: Input/output error" in lines


def test_ended(events, serve):
    result, lines = events("nbd", serve(lambda *_: b"x" * 64))
    assert result.returncode == 1
    assert any(re.match("connection 1: ended: the server violated the NBD protocol: ", line)
               for line in lines), lines


def test_silence(events, slow_server, read_log):
    uri, server = slow_server
    thread = server.signal_at_read(read_log, signal.SIGSTOP)
    result, lines = events("nbd", "--timeout=1", "-t", "1", "--read-size=64k", uri)
    thread.join()
    assert result.returncode == 1
    assert "connection 1: ended: the server does not answer (--timeout is 1 s)" in lines


def test_qemu_has_no_fragments(events, image):
    path, expected = image
    if not shutil.which("qemu-nbd"):
        pytest.skip("no qemu-nbd")
    result, lines = events("nbd", "--image-opts", f"driver=raw,file.filename={path}")
    assert sums(result.stdout) == [expected]
    assert any(": read (DF) " in line for line in lines)
    assert not any(": read " in line and "(DF)" not in line for line in lines)
    assert re.fullmatch(r"server \d+: started: qemu-nbd", lines[0])
    assert re.fullmatch(r"server \d+: stopped", lines[-1])
