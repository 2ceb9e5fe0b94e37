# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every format in slices: a part of a disk begins anywhere in an image."""

import subprocess

import pytest

import mpi_job
from mpi_job import disksum, job

from nbd_server import Servers
from oracle import checksum, write_image


@pytest.fixture(autouse=True)
def needs_mpi():
    mpi_job.skip_without_mpi()


# With one thread, slices of 8 MiB; changes at odd places.
SPEC = "5000077:A 300k:- 9M:B 3M:0 700000:C 66M:- 8M:D 1000:-"


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """A directory with a raw disk, and its checksum."""
    directory = tmp_path_factory.mktemp("mpi")
    return directory, checksum(write_image(directory / "disk", SPEC))


def qemu_img(directory, *args):
    subprocess.run(["qemu-img", *args], cwd=directory, check=True, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("ranks", [2, 3])
@pytest.mark.parametrize("format, options", [
    ("qcow2", []), ("qcow2", ["-c"]), ("qcow2", ["-o", "cluster_size=512"]),
    ("qcow2", ["-o", "extended_l2=on"]), ("vmdk", []),
    ("vmdk", ["-o", "subformat=streamOptimized"]), ("vhdx", []), ("vdi", []),
    ("qed", [])])
def test_format(raw, tmp_path, ranks, format, options):
    """QED is what qemu-nbd reads, one for each rank and one for the map."""
    directory, expected = raw
    qemu_img(directory, "convert", "-O", format, *options, "disk", tmp_path / "image")
    assert job(ranks, "-t1", "image", cwd=tmp_path).stdout == f"{expected}  image\n"


def test_vpc(raw, tmp_path):
    """QEMU rounds the size up, so the expected result is that of one process."""
    qemu_img(raw[0], "convert", "-O", "vpc", "disk", tmp_path / "image")
    assert job(3, "-t1", "image", cwd=tmp_path).stdout == disksum("image", cwd=tmp_path)


def test_chain(raw, tmp_path):
    """Three files, the middle one with compressed clusters."""
    directory, _ = raw
    qemu_img(directory, "convert", "-c", "-O", "qcow2", "disk", tmp_path / "base")
    for below, above, byte in (("base", "middle", "0x11"), ("middle", "top", "0x22")):
        qemu_img(tmp_path, "create", "-f", "qcow2", "-F", "qcow2", "-b", below, above)
        offset = 12345678 if above == "top" else 12300000
        subprocess.run(["qemu-io", "-c", f"write -P {byte} {offset} 1M", above],
                       cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
    qemu_img(tmp_path, "convert", "-O", "raw", "top", "flat")
    expected = checksum(tmp_path / "flat")
    assert job(3, "-t1", "top", cwd=tmp_path).stdout == f"{expected}  top\n"


def test_export(raw, tmp_path):
    directory, expected = raw
    servers = Servers(tmp_path)
    try:
        uri, _ = servers.nbdkit("file", directory / "disk")
        assert job(2, "-t1", uri).stdout == f"{expected}  {uri}\n"
    finally:
        servers.stop()


@pytest.mark.parametrize("options", [
    ["-T", "none"], ["-d", "sha1/4k"], ["--block-size=1536"], ["-d", "blake2b512"],
    ["--no-extents"], ["--offset=1000001", "--length=20000003"],
    ["--queue-depth=1", "--read-size=64k"], ["--tag"], ["--zero"], ["-f", "raw", "-U"],
    ["--max-size=1G"]])
def test_options(raw, options):
    directory, _ = raw
    assert job(3, "-t1", *options, "disk", cwd=directory).stdout == \
        disksum(*options, "disk", cwd=directory)


def test_snapshot(raw, tmp_path):
    directory, expected = raw
    qemu_img(directory, "convert", "-O", "qcow2", "disk", tmp_path / "image")
    qemu_img(tmp_path, "snapshot", "-c", "old", "image")
    subprocess.run(["qemu-io", "-c", "write -P 7 9M 5M", "image"], cwd=tmp_path, check=True,
                   stdout=subprocess.DEVNULL)
    assert job(2, "-t1", "-l", "old", "image", cwd=tmp_path).stdout == f"{expected}  image\n"
