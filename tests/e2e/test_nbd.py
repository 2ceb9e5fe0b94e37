# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exports of real servers: the checksum is that of the oracle."""

import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import threading
import time

import pytest

from conftest import sums
from nbd_server import free_vsock_port, vsock_answers
from oracle import checksum, random_spec, write_image

SPEC = "300k:A 1M:- 64k:0 5000:B 200k:- 3M:C 7M:- 512:D 1M:E"

for program in "nbdkit", "qemu-nbd":
    if not shutil.which(program):
        pytest.skip(f"no {program}", allow_module_level=True)


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """An image with data, zeros and holes, and its checksum."""
    path = tmp_path_factory.mktemp("nbd") / "image.raw"
    content = write_image(path, SPEC)
    return path, checksum(content)


def check(disksum, expected, *args, **kwargs):
    assert sums(disksum(*args, **kwargs).stdout) == [expected]


def bytes_read(disksum, *args):
    """The number of bytes that -v reports as read."""
    result = disksum("-v", *args, check=False)
    assert result.returncode == 0, result.stderr
    number, unit = re.search(r": read ([\d.]+) (\w+) in", result.stderr).groups()
    return float(number) * {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20}[unit]


# --- the same checksum, whatever the way -----------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("kind", ["qemu-nbd", "nbdkit", "nbdkit-single"])
def test_threads_depth_connections(disksum, servers, image, kind):
    path, expected = image
    if kind == "qemu-nbd":
        uri, _ = servers.qemu_nbd(path)
    elif kind == "nbdkit":
        uri, _ = servers.nbdkit("file", path)
    else:
        uri, _ = servers.nbdkit("--filter=multi-conn", "file", path,
                                "multi-conn-mode=disable")
    rnd = random.Random(kind)
    for threads in 1, 2, 3, 4:
        for connections in 1, 2, 4:
            depth = rnd.choice([1, 2, 3, 8, 32])
            check(disksum, expected, "-t", str(threads),
                  f"--connections={connections}", f"--queue-depth={depth}",
                  "--read-size=" + rnd.choice(["4k", "64k", "100k", "1M", "8M"]),
                  uri)


@pytest.mark.parametrize("depth", range(1, 33))
def test_every_depth(disksum, servers, image, depth):
    path, expected = image
    uri, _ = servers.nbdkit("file", path)
    check(disksum, expected, "-t", "2", f"--queue-depth={depth}",
          "--read-size=64k", uri)


def test_random_images(disksum, servers, tmp_path):
    rnd = random.Random("nbd")
    path = tmp_path / "image"
    path.touch()
    uri, _ = servers.nbdkit("file", path)
    for _ in range(30):
        content = write_image(path, random_spec(rnd))
        size = rnd.choice([512, 1536, 4096, 65536])
        out = disksum(f"--block-size={size}", "-t", "3", uri).stdout
        assert sums(out) == [checksum(content, size)]


def test_tcp(disksum, servers, image):
    path, expected = image
    uri, _ = servers.nbdkit_tcp("file", path)
    check(disksum, expected, uri)


def test_vsock(disksum, servers, image):
    """The server runs on this host: the kernel needs vsock_loopback."""
    path, expected = image
    port = free_vsock_port()
    if port is None:
        pytest.skip("no vsock loopback")
    servers.start(["nbdkit", "-f", "-r", "--vsock", "-p", str(port), "file",
                   path], lambda: vsock_answers(port))
    check(disksum, expected, f"nbd+vsock://1:{port}/")


def test_several_images(disksum, servers, image):
    path, expected = image
    one, _ = servers.nbdkit("file", path)
    two, _ = servers.qemu_nbd(path)
    assert sums(disksum(one, path, two, one).stdout) == [expected] * 4


def test_default_shared_of_qemu_nbd(disksum, servers, image):
    """By default it takes one connection, and does not answer a second one."""
    path, expected = image
    uri, _ = servers.qemu_nbd(path, shared=1)
    check(disksum, expected, "-t", "4", uri)


def test_fewer_connections_than_asked(disksum, servers, image):
    path, expected = image
    uri, _ = servers.qemu_nbd(path, shared=2)
    check(disksum, expected, "-t", "4", uri)


def test_number_of_connections(disksum, servers, image):
    path, expected = image
    uri, server = servers.nbdkit("-v", "file", path)
    check(disksum, expected, "-t", "4", "--connections=3", uri)
    assert server.log.read_text().count("accepted connection") == 3


def test_no_more_connections_than_threads(disksum, servers, image):
    path, expected = image
    uri, server = servers.nbdkit("-v", "file", path)
    check(disksum, expected, "-t", "2", "--connections=64", uri)
    assert server.log.read_text().count("accepted connection") == 2


def test_unordered_answers(disksum, servers, image):
    """Some reads take longer than others, so replies come out of order."""
    path, expected = image
    script = "\n".join([
        "case $1 in thread_model) echo parallel ;;",
        f"get_size) stat -c %s {path} ;;",
        "can_multi_conn) exit 3 ;;",
        "pread) [ $(($4 / 65536 % 3)) = 0 ] && sleep 0.05",
        f"dd if={path} iflag=skip_bytes,count_bytes skip=$4 count=$3 bs=64k"
        " status=none ;;",
        "*) exit 2 ;; esac"])
    plugin = servers.directory / "plugin.sh"
    plugin.write_text("#!/bin/sh\n" + script)
    plugin.chmod(0o755)
    uri, _ = servers.nbdkit("sh", plugin)
    check(disksum, expected, "-t", "3", "--read-size=256k", uri)


# --- sizes -----------------------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 65535, 65536, 65537,
                                  1000003])
def test_size(disksum, servers, tmp_path, size):
    path = tmp_path / "image"
    content = write_image(path, f"{size}:A")
    uri, _ = servers.nbdkit("file", path)
    check(disksum, checksum(content), uri)


def test_huge_export(disksum, servers):
    """The length of an extent has 32 bits, so a hole takes several."""
    size, block = 1 << 40, 16 << 20
    digest = hashlib.sha256(bytes(block)).digest()
    expected = hashlib.sha256(digest * (size // block) +
                              size.to_bytes(8, "little")).hexdigest()
    uri, _ = servers.nbdkit("memory", str(size))
    check(disksum, expected, "--block-size=16M", uri)
    assert bytes_read(disksum, "-f", "raw", "--block-size=16M", uri) == 0


def test_largest_export(fails, servers):
    """2^63 - 1 bytes, padded to a whole sector, are too large."""
    uri, _ = servers.nbdkit("null", str(2**63 - 1))
    assert "too large" in fails("-f", "raw", uri)


# --- extents ---------------------------------------------------------------

@pytest.mark.parametrize("kind", ["qemu-nbd", "nbdkit"])
def test_holes_are_not_read(disksum, servers, tmp_path, kind):
    path = tmp_path / "image"
    content = write_image(path, "1M:A 20M:- 1M:B 30M:-")
    if kind == "qemu-nbd":
        uri, _ = servers.qemu_nbd(path)
    else:
        uri, _ = servers.nbdkit("file", path)
    check(disksum, checksum(content), uri)
    assert bytes_read(disksum, uri) == 2 << 20


def test_server_sees_few_reads(disksum, servers, tmp_path):
    """The server counts: it reads the data once, and what the probe needs."""
    path = tmp_path / "image"
    content = write_image(path, "1M:A 20M:- 1M:B 30M:-")
    stats = tmp_path / "stats"
    uri, server = servers.nbdkit("--filter=stats", "file", path,
                                 f"statsfile={stats}")
    check(disksum, checksum(content), uri)
    server.stop()
    ops, mib = re.search(r"read: (\d+) ops, [\d.]+ s, ([\d.]+) MiB",
                         stats.read_text()).groups()
    assert int(ops) < 20 and float(mib) < 2.1


def test_server_without_extents(disksum, servers, image):
    path, expected = image
    uri, _ = servers.nbdkit("--filter=noextents", "file", path)
    check(disksum, expected, uri)
    assert bytes_read(disksum, uri) > 12 << 20


def test_server_without_structured_replies(disksum, servers, image):
    path, expected = image
    uri, _ = servers.nbdkit("--no-sr", "file", path)
    check(disksum, expected, uri)


def test_failed_extents_are_data(disksum, servers, image):
    path, expected = image
    uri, _ = servers.nbdkit("--filter=error", "file", path,
                            "error-extents-rate=100%")
    check(disksum, expected, uri)


def test_allocated_hole_is_data(disksum, servers):
    """A hole that need not read as zeros: HOLE without ZERO."""
    uri, _ = servers.nbdkit(
        "eval", "get_size=echo 1048576", "can_extents=exit 0",
        "extents=echo 0 1048576 hole",
        "pread=head -c $3 /dev/zero | tr '\\0' x")
    check(disksum, checksum(b"x" * 1048576), uri)


def test_extents_one_at_a_time(disksum, servers, image):
    """A server may reply with fewer extents than it was asked for."""
    path, expected = image
    uri, _ = servers.nbdkit(
        "eval", f"get_size=stat -c %s {path}", "can_extents=exit 0",
        "extents=echo $(($4 / 65536 * 65536)) 65536 0",
        f"pread=dd if={path} iflag=skip_bytes,count_bytes skip=$4 count=$3"
        " bs=64k status=none", "can_multi_conn=exit 3")
    check(disksum, expected, uri)


def test_many_extents(disksum, servers, tmp_path):
    path = tmp_path / "image"
    content = write_image(path, "4k:A 4k:- " * 2000 + "4k:-")
    for uri, _ in servers.qemu_nbd(path), servers.nbdkit("file", path):
        check(disksum, checksum(content), "-t", "3", uri)


# --- limits of the server --------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("minimum, preferred, maximum", [
    (1, 4096, 4096), (512, 4096, 65536), (4096, 4096, 32 << 20),
    (65536, 65536, 65536), (1, 4096, 5000)])
def test_block_sizes(disksum, servers, tmp_path, minimum, preferred, maximum):
    path = tmp_path / "image"
    content = write_image(path, "192k:A 64k:- 320k:B 64k:0 64k:- 1M:C")
    uri, _ = servers.nbdkit(
        "--filter=blocksize-policy", "file", path,
        f"blocksize-minimum={minimum}", f"blocksize-preferred={preferred}",
        f"blocksize-maximum={maximum}", "blocksize-error-policy=error")
    for block_size in 512, 1536, 65536:
        out = disksum(f"--block-size={block_size}", "-t", "2", uri).stdout
        assert sums(out) == [checksum(content, block_size)]


def test_large_reads(disksum, servers, tmp_path):
    path = tmp_path / "image"
    content = write_image(path, "40M:A")
    uri, _ = servers.nbdkit("file", path)
    check(disksum, checksum(content), "--read-size=64M", uri)


# --- formats ---------------------------------------------------------------

def qemu_img(*args):
    subprocess.run(["qemu-img", *map(os.fspath, args)], check=True,
                   stdout=subprocess.DEVNULL)


@pytest.mark.sanitizer
@pytest.mark.parametrize("options", [[], ["-c"],
                                     ["-c", "-o", "compression_type=zstd"],
                                     ["-o", "cluster_size=4k"]])
def test_qcow2(disksum, servers, image, tmp_path, options):
    path, expected = image
    qcow2 = tmp_path / "image.qcow2"
    qemu_img("convert", "-O", "qcow2", *options, path, qcow2)
    for uri, _ in (servers.nbdkit("file", qcow2), servers.qemu_nbd(qcow2),
                   servers.nbdkit("--filter=noextents", "file", qcow2)):
        check(disksum, expected, "-f", "qcow2", uri)
        check(disksum, expected, "-t", "4", "--queue-depth=3", "-f", "qcow2", uri)
    # Read as raw, it is the container itself.
    check(disksum, checksum(qcow2), "-f", "raw", uri)


def test_qcow2_with_backing_file(disksum, servers, image, tmp_path):
    """A job has reads of a file and of an export."""
    path, _ = image
    top = tmp_path / "top.qcow2"
    qemu_img("create", "-f", "qcow2", "-b", path, "-F", "raw", top)
    for offset in range(0, 6 << 20, 192 << 10):
        subprocess.run(["qemu-io", "-f", "qcow2", "-c",
                        f"write -P 7 {offset} 4k", top], check=True,
                       stdout=subprocess.DEVNULL)
    flat = tmp_path / "flat"
    qemu_img("convert", "-O", "raw", top, flat)
    uri, _ = servers.nbdkit("file", top)
    for options in [], ["-T", "none"], ["-t", "1", "--queue-depth=1"]:
        check(disksum, checksum(flat), *options, "-f", "qcow2", uri)


@pytest.mark.parametrize("name", ["base.raw", "socket-1", "../base.raw"])
def test_relative_backing_name(fails, servers, image, tmp_path, name):
    """An export has no directory, and the name must not select another server."""
    top = tmp_path / "top.qcow2"
    qemu_img("create", "-q", "-u", "-f", "qcow2", "-b", name, "-F", "raw", top,
             "1M")
    uri, _ = servers.nbdkit("file", top)
    servers.nbdkit("file", image[0])
    tcp, _ = servers.nbdkit_tcp("file", top)
    for source in [uri], [tcp], [tcp.rstrip("/")], \
            ["--", "[", "nbdkit", "file", top, "]"]:
        line = fails("-f", "qcow2", *source)
        assert line.endswith(f": cannot open its backing file '{name}': the "
                             "name is relative, but the image is in no directory")


def test_qcow2_read_by_the_server(disksum, servers, image, tmp_path):
    path, expected = image
    qcow2 = tmp_path / "image.qcow2"
    qemu_img("convert", "-O", "qcow2", path, qcow2)
    uri, _ = servers.qemu_nbd(qcow2, format="qcow2")
    check(disksum, expected, uri)


# --- names and TLS ---------------------------------------------------------

def test_export_names(disksum, fails, servers, image):
    path, expected = image
    uri, _ = servers.qemu_nbd(path, export="disk one")
    check(disksum, expected, uri.replace(" ", "%20"))
    line = fails(uri.replace("disk one", "other"))
    assert "cannot connect" in line and "other" in line


def test_exports_of_nbdkit(disksum, servers, tmp_path):
    contents = {name: write_image(tmp_path / name, f"1M:{name}")
                for name in "AB"}
    for name, content in contents.items():
        uri, _ = servers.nbdkit("file", f"dir={tmp_path}", path=f"/{name}")
        check(disksum, checksum(content), uri)


# --- errors ----------------------------------------------------------------

def test_nothing_there(fails, tmp_path):
    line = fails(f"nbd+unix:///?socket={tmp_path}/none")
    assert line.endswith("cannot connect: connect: No such file or directory")
    assert "Connection refused" in fails("nbd://localhost:1")


def test_bad_uri(fails):
    assert "cannot connect" in fails("nbd+unix:///")


def test_not_an_nbd_server(fails, servers, tmp_path):
    import socket
    path = servers.new_socket()
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()

        def serve():
            client, _ = s.accept()
            with client:
                client.sendall(b"220 mail.example.com ESMTP\r\n" + bytes(200))

        thread = threading.Thread(target=serve)
        thread.start()
        assert "cannot connect" in fails(f"nbd+unix:///?socket={path}")
        thread.join()


@pytest.mark.sanitizer
@pytest.mark.parametrize("options", [["-t", "1"], ["-t", "4"],
                                     ["-t", "4", "--connections=1"]])
def test_read_error(fails, servers, image, options):
    """All reads from the third MiB on fail."""
    path, _ = image
    uri, _ = servers.nbdkit(
        "eval", f"get_size=stat -c %s {path}", "can_multi_conn=exit 0",
        "pread=if [ $4 -ge 2097152 ]; then echo EIO no luck >&2; exit 1; fi;"
        f" dd if={path} iflag=skip_bytes,count_bytes skip=$4 count=$3 bs=64k"
        " status=none")
    line = fails(*options, uri)
    match = re.fullmatch(re.escape(uri) + r": read error at offset (\d+): "
                         "Input/output error", line)
    assert int(match[1]) >= 2097152


def test_error_filter(fails, servers, image):
    path, _ = image
    uri, _ = servers.nbdkit("--filter=error", "file", path,
                            "error-pread=ENOSPC", "error-pread-rate=100%")
    assert "read error at offset 0: No space left on device" in fails(uri)


def test_metadata_error(fails, servers, image, tmp_path):
    path, _ = image
    qcow2 = tmp_path / "image.qcow2"
    qemu_img("convert", "-O", "qcow2", path, qcow2)
    uri, _ = servers.nbdkit("--filter=error", "file", qcow2,
                            "error-pread=EIO", "error-pread-rate=100%")
    assert "read error at offset 0: Input/output error" in fails("-f", "qcow2",
                                                                 uri)


@pytest.fixture
def read_log(tmp_path):
    path = tmp_path / "read.log"
    path.touch()
    return path


@pytest.fixture
def slow_server(servers, image, read_log):
    """A server that takes its time for each read, so that it can be stopped
    meanwhile."""
    path, _ = image
    return servers.nbdkit("--filter=log", "--filter=delay",
                          "--filter=noextents", "file", path,
                          f"logfile={read_log}", "delay-read=300ms")


@pytest.mark.sanitizer
@pytest.mark.parametrize("options", [["-t", "1"], ["-t", "4"],
                                     ["-t", "4", "--connections=1"]])
def test_server_killed(fails, slow_server, read_log, options):
    uri, server = slow_server
    thread = server.signal_at_read(read_log, signal.SIGKILL)
    line = fails("--read-size=64k", "--queue-depth=2", *options, uri)
    thread.join()
    assert re.search(r": read error at offset \d+: Connection reset by peer$",
                     line)


@pytest.mark.sanitizer
def test_end_found_by_another_thread(fails, build, slow_server):
    """It wakes the thread that polls, which then finds the error."""
    uri, _ = slow_server
    line = fails("--read-size=64k", "--queue-depth=2", "-t", "4",
                 "--connections=1", uri,
                 env={"LD_PRELOAD": f"{build}/tests/failing-send.so"})
    assert re.search(r": read error at offset \d+: Connection reset by peer$",
                     line)


@pytest.mark.sanitizer
@pytest.mark.parametrize("options", [["-t", "1"], ["-t", "4"],
                                     ["-t", "4", "--connections=1"]])
def test_server_stalls(fails, slow_server, read_log, options):
    uri, server = slow_server
    thread = server.signal_at_read(read_log, signal.SIGSTOP)
    start = time.monotonic()
    line = fails("--timeout=1", "--read-size=64k", "--queue-depth=2", *options,
                 uri)
    assert time.monotonic() - start < 60  # not the default of 120
    thread.join()
    assert re.search(r": read error at offset \d+: the server does not answer "
                     r"\(--timeout is 1 s\)$", line)


def test_server_does_not_greet(fails, servers, image):
    path, _ = image
    uri, server = servers.nbdkit("file", path)
    server.signal(signal.SIGSTOP)
    assert fails("--timeout=1", uri).endswith(
        ": cannot connect: the server does not answer (--timeout is 1 s)")


def test_slow_is_not_stalled(disksum, servers, image):
    """Each reply comes in time, but all of them together take longer."""
    path, expected = image
    uri, _ = servers.nbdkit("--filter=delay", "file", path, "delay-read=100ms")
    start = time.monotonic()
    check(disksum, expected, "--timeout=1", "--read-size=256k", "-t", "1",
          "--queue-depth=1", uri)
    assert time.monotonic() - start > 1


@pytest.mark.parametrize("options", [["--connections=0"],
                                     ["--connections=65"], ["--timeout=x"]])
def test_bad_options(disksum, options):
    result = disksum(*options, "nbd://localhost", check=False)
    assert result.returncode == 2
    assert "invalid" in result.stderr
