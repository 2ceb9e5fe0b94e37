# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that somebody else uses, and cache modes."""

import os

import pytest

from img_checksum import disksum_of, hashed, refused
from oracle import checksum, write_image
from qcow2_qemu import create
from test_locks import lock, qemu_io, running, wait_for_lock


@pytest.fixture
def disk(tmp_path):
    path = tmp_path / "disk"
    write_image(path, "1M:A 1M:- 64k:B 700:C")
    return path


def says(path):
    return f"Could not open '{path}': Failed to get shared \"write\" lock"


def test_writer(disk):
    with qemu_io(disk):
        assert refused("-f", "raw", disk).startswith(says(disk))
        for option in "-U", "--force-share":
            assert hashed("-f", "raw", option, disk) == checksum(disk)
        image = f"driver=raw,file.filename={disk}"
        assert refused("--image-opts", image).startswith(says(image))
        assert hashed("-U", "--image-opts", image) == checksum(disk)
    assert hashed("-f", "raw", disk) == checksum(disk)


def test_server_that_may_write(disk, servers):
    sock = servers.new_socket()
    with running("qemu-nbd", "-t", "-f", "raw", "-k", sock, disk) as server:
        wait_for_lock(disk, server)
        assert refused("-f", "raw", disk).startswith(says(disk))
        assert hashed("-U", "-f", "raw", disk) == checksum(disk)


def test_writer_of_a_backing_file(tmp_path):
    write_image(tmp_path / "base.raw", "1M:A")
    top = create(str(tmp_path / "top.qcow2"), "100k:- 5000:B", size=1 << 20,
                 backing=f"{tmp_path}/base.raw")
    right = hashed(top)
    with qemu_io(tmp_path / "base.raw"):
        assert "Failed to get shared \"write\" lock" in refused(top)
        assert hashed("-U", top) == disksum_of("-U", top) == right


def test_reader(disk):
    with qemu_io(disk, "-r"):
        assert hashed("-f", "raw", disk) == checksum(disk)


@pytest.mark.parametrize("byte, kind", [(101, 0), (103, 0)])
def test_lock_of_another_program(disk, byte, kind):
    with lock(disk, byte, kind):
        assert "Failed to get shared" in refused("-f", "raw", disk)
        assert hashed("-U", "-f", "raw", disk) == checksum(disk)


# --- cache modes -----------------------------------------------------------

MODES = ["none", "writeback", "writethrough", "directsync", "unsafe", "off"]


@pytest.fixture
def direct(disk):
    """Skips where the file system has no direct I/O."""
    try:
        os.close(os.open(disk, os.O_RDONLY | os.O_DIRECT))
    except OSError:
        pytest.skip("no direct I/O here")


@pytest.mark.parametrize("mode", MODES)
def test_cache_mode(disk, direct, mode):
    right = disksum_of("-f", "raw", disk)
    for options in [], ["--serial"]:
        assert hashed("-f", "raw", "-T", mode, *options, disk) == right
    path = create(str(disk.parent / "disk.qcow2"), "100k:A 1M:- 513:B 70k:z 1M:C")
    assert hashed(f"--source-cache={mode}", path) == disksum_of(path)


@pytest.mark.parametrize("size", [1, 511, 513, 4095, 4097, 65537, (1 << 20) + 1,
                                  (1 << 20) - 511])
def test_direct_io_of_odd_lengths(tmp_path, direct, size):
    content = write_image(tmp_path / "odd", f"{size}:A")
    assert hashed("-f", "raw", "-T", "none", tmp_path / "odd") == checksum(content)
