# SPDX-License-Identifier: LGPL-2.1-or-later
"""Errors of reads and of block status: the first one on the disk is reported, whichever
request failed first, and there is no checksum."""

import errno
import os

import pytest

from img_checksum import disksum_of, hashed, qemu_img, refused, run
from oracle import checksum, write_image
from qcow2_qemu import fill, parse

MB = 1 << 20
CHUNK = MB
SIZE = 24 * MB + 4096


def blkdebug(path, *rules, form="raw"):
    """An option string: each rule is the options of an error that is injected."""
    words = [f"driver={form}", "file.driver=blkdebug", "file.image.driver=file",
             f"file.image.filename={path}"]
    for i, rule in enumerate(rules):
        words += [f"file.inject-error.{i}.{key}={value}" for key, value in rule.items()]
    return ",".join(words)


def bad_sector(offset, **more):
    return {"event": "read_aio", "sector": offset // 512, **more}


def message(what, offset, image, number=errno.EIO):
    return f"Error while {what} at offset {offset} of '{image}': {os.strerror(number)}"


def chunk_of(offset):
    return offset // CHUNK * CHUNK


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "disk.raw"
    write_image(path, f"{SIZE}:A")
    return path


BOTH = pytest.mark.parametrize("options", [[], ["--serial"]], ids=["", "serial"])


@BOTH
def test_no_error(raw, options):
    """The images of the other tests are good without their errors."""
    assert hashed(*options, "--image-opts", blkdebug(raw)) == disksum_of("-f", "raw", raw)


@BOTH
@pytest.mark.parametrize("offset", [
    0, MB - 512, MB, 2 * MB + 70000, 7 * MB, 15 * MB, 16 * MB, 17 * MB + 512,
    23 * MB, 24 * MB, SIZE - 512])
@pytest.mark.parametrize("once", ["on", "off"])
def test_any_chunk(raw, offset, once, options):
    image = blkdebug(raw, bad_sector(offset, once=once))
    assert refused(*options, "--image-opts", image) == \
        message("reading", chunk_of(offset), image)


@BOTH
def test_every_read_fails(raw, options):
    image = blkdebug(raw, {"event": "read_aio"})
    assert refused(*options, "--image-opts", image) == message("reading", 0, image)


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOMEM, errno.ENOSPC, errno.EACCES,
                                    errno.EINVAL, errno.ETIMEDOUT])
def test_its_reason(raw, number):
    image = blkdebug(raw, bad_sector(3 * MB, errno=number))
    assert refused("--image-opts", image) == message("reading", 3 * MB, image, number)


@BOTH
@pytest.mark.parametrize("immediately", ["on", "off"])
def test_first_of_several(raw, immediately, options):
    """Always the same. 'immediately' fails before the request is queued."""
    image = blkdebug(raw, *(
        bad_sector(offset, errno=number, immediately=immediately) for offset, number in [
            (20 * MB, errno.EPERM), (9 * MB, errno.ENOSPC), (5 * MB, errno.EACCES),
            (6 * MB, errno.EIO), (SIZE - 512, errno.EINVAL)]))
    first = message("reading", 5 * MB, image, errno.EACCES)
    for _ in range(30):
        assert refused(*options, "--image-opts", image) == first


@BOTH
def test_first_though_it_fails_last(tmp_path, servers, options):
    """The server delays the error of the first bad sector until the others came."""
    marker = tmp_path / "failed"
    uri, _ = servers.nbdkit(
        "eval", f"get_size=echo {8 * MB}", "thread_model=echo parallel", "pread=\n"
        f"if [ $4 -ge {3 * MB} ] && [ $4 -lt {4 * MB} ]; then\n"
        f"    for i in $(seq 500); do [ -e {marker} ] && break; sleep 0.01; done\n"
        "    echo EIO late >&2; exit 1\n"
        f"elif [ $4 -ge {5 * MB} ]; then\n"
        f"    touch {marker}; echo ENOSPC early >&2; exit 1\n"
        "fi\n"
        "head -c $3 /dev/zero", "can_extents=exit 3")
    # With one request at a time the others are not asked for.
    if options:
        marker.touch()
    assert refused(*options, "-f", "raw", uri) == message("reading", 3 * MB, uri)
    assert marker.exists()


def test_error_in_a_hole(tmp_path):
    """Nothing is read there, so it is not an error."""
    path = tmp_path / "disk"
    write_image(path, "1M:A 4M:- 1M:B")
    image = blkdebug(path, bad_sector(3 * MB))
    assert hashed("--image-opts", image) == disksum_of("-f", "raw", path)


@BOTH
def test_tables_of_an_image(tmp_path, options):
    """An L2 table cannot be loaded: this is found by block status."""
    path = tmp_path / "disk.qcow2"
    # One table maps 2 MiB.
    qemu_img("create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", path, "16M")
    fill(path, [(0, 16 * MB, "A")])
    image = blkdebug(path, {"event": "l2_load"}, form="qcow2")
    line = refused(*options, "--image-opts", image)
    assert line == message("getting block status", 0, image)


class Overlay:
    """A chain: a qcow2 image, which has the last 64 KiB of every 256 KiB, on the image
    whose errors are injected. So block status asks for 192 KiB of that at most; without
    the overlay the first request would meet every error, as it is for the whole disk."""

    def __init__(self, directory):
        self.base, self.path = directory / "base", directory / "overlay"
        content = bytearray(write_image(self.base, "16M:A"))
        qemu_img("create", "-q", "-f", "qcow2", self.path, "16M")
        pieces = [(offset, 65536, "B") for offset in range(192 << 10, 16 * MB, 256 << 10)]
        fill(self.path, pieces)
        for offset, length, letter in pieces:
            content[offset:offset + length] = letter.encode() * length
        self.checksum = checksum(content)

    def with_errors(self, *rules):
        below = blkdebug(self.base, *rules).replace("driver=raw", "backing.driver=raw", 1)
        return f"driver=qcow2,file.driver=file,file.filename={self.path}," + \
            below.replace(",file.", ",backing.file.")


@pytest.fixture(scope="module")
def overlay(tmp_path_factory):
    return Overlay(tmp_path_factory.mktemp("overlay"))


def bad_status(offset):
    return {"event": "none", "iotype": "block-status", "sector": offset // 512}


def test_no_error_below(overlay):
    assert hashed("--image-opts", overlay.with_errors()) == overlay.checksum


@BOTH
@pytest.mark.parametrize("offset", [0, 512, 3 * MB, 5 * MB - 512 - 65536, 11 * MB + 65536,
                                    15 * MB])
def test_block_status(overlay, offset, options):
    """The offset is that of the extent whose status is not known."""
    image = overlay.with_errors(bad_status(offset))
    line = message("getting block status", offset // (256 << 10) * (256 << 10), image)
    for _ in range(10):
        assert refused(*options, "--image-opts", image) == line


@BOTH
def test_read_error_and_an_unknown_extent(overlay, options):
    """What comes first on the disk is reported."""
    for read, status, line in [
            (5 * MB, 9 * MB, ("reading", 5 * MB)), (0, 1 * MB, ("reading", 0)),
            (9 * MB, 5 * MB, ("getting block status", 5 * MB)),
            (15 * MB, 14 * MB, ("getting block status", 14 * MB))]:
        # An event of its own would end the other rule.
        image = overlay.with_errors(bad_sector(read, event="none", iotype="read"),
                                    bad_status(status))
        for _ in range(10):
            assert refused(*options, "--image-opts", image) == message(*line, image)


@BOTH
def test_server_that_goes(tmp_path, servers, options):
    uri, _ = servers.nbdkit(
        "eval", f"get_size=echo {40 * MB}", "thread_model=echo parallel", "pread=\n"
        f"if [ $4 -ge {20 * MB} ]; then kill -9 $PPID; exit 1; fi\n"
        "head -c $3 /dev/zero", "can_extents=exit 3")
    done = run(*options, "-f", "raw", uri)
    assert done.returncode == 1 and not done.stdout
    assert "Error while reading at offset " in done.stderr


def test_image_that_is_not_there(tmp_path):
    for name in "nothing", tmp_path, f"nbd+unix:///?socket={tmp_path}/nothing":
        assert refused(name, cwd=tmp_path).startswith(f"Could not open '{name}': ")


@BOTH
def test_read_error_before_one_of_block_status(tmp_path, options):
    """In one chunk: what is before the extent of which the status is unknown is read."""
    base, top = tmp_path / "base", tmp_path / "top.qcow2"
    write_image(base, "16M:A")
    qemu_img("create", "-q", "-f", "qcow2", top, "16M")
    fill(top, parse("192k:- 64k:B " * 4))
    image = f"driver=qcow2,file.filename={top}," + ",".join(
        f"backing.{word}" for word in blkdebug(
            base, {"event": "none", "iotype": "read", "sector": 0},
            {"event": "none", "iotype": "block-status", "sector": 1024}).split(","))
    assert refused(*options, "--image-opts", image) == message("reading", 0, image)
    no_read_error = image.replace("iotype=read", "iotype=write")
    assert refused(*options, "--image-opts", no_read_error) == \
        message("getting block status", 512 << 10, no_read_error)
