# SPDX-License-Identifier: LGPL-2.1-or-later
"""External data files, with other features of an image."""
import os

import pytest

from qcow2_compare import Case, check_case, check_image
from qcow2_image import Image
from qcow2_qemu import create, fill, qemu

PIECES = "5k:- 100k:C 60k:0 20k:- 70k:D 1k:z"
SIZE = 1 << 20


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("options", ["", ",cluster_size=4k", ",extended_l2=on"])
@pytest.mark.parametrize("form", ["raw", "qcow2"])
def test_backing_file(disksum, form, options):
    """Bytes of the data file in a cluster that is not data are not seen."""
    create(f"base.{form}", "300k:A 3000:B", size=SIZE // 2, form=form)
    create("image.qcow2", PIECES, size=SIZE, backing=f"base.{form}",
           options=f"data_file=data.raw{options}")
    with open("data.raw", "r+b") as file:
        file.seek(SIZE - 4096)
        file.write(b"not seen" * 512)
    check_image(disksum, "image.qcow2")


def test_data_file_below(disksum):
    create("base.qcow2", PIECES, size=SIZE, options="data_file=base.raw")
    create("image.qcow2", "30k:- 20k:E 30k:0", size=SIZE, backing="base.qcow2",
           options="data_file=data.raw")
    check_image(disksum, "image.qcow2")


def test_raw_with_backing_file(disksum, tmp_path):
    """qemu-img does not make such an overlay: its data file would not be raw."""
    def build(directory):
        (directory / "base.raw").write_bytes(b"base" * 20000)
        image = Image(20 << 12, cluster_bits=12, data_file=b"data.raw", data_file_raw=True,
                      backing=b"base.raw", backing_format=b"raw")
        image.disk.data(3, b"overlay")
        image.write_data_file(directory / "data.raw", 20 << 12)
        return image.write(directory / "image.qcow2")
    check_case(disksum, tmp_path, Case("raw with a backing file", build))


@pytest.mark.parametrize("raw", ["off", "on"])
def test_block_device(disksum, loop_device, raw):
    """The data file is longer than the disk."""
    device = loop_device(SIZE + 65536)
    with open(device, "r+b") as file:
        file.write(b"not seen" * 16384)
    create("image.qcow2", PIECES, size=SIZE,
           options=f"data_file={device},data_file_raw={raw}")
    check_image(disksum, "image.qcow2")


@pytest.mark.parametrize("length", [0, 1, 65536, 170001])
@pytest.mark.parametrize("raw", ["off", "on"])
def test_short(disksum, raw, length):
    """The data file is shorter than the disk, and zeros follow."""
    create("image.qcow2", PIECES, size=SIZE,
           options=f"data_file=data.raw,data_file_raw={raw}")
    os.truncate("data.raw", length)
    check_image(disksum, "image.qcow2")


def test_short_block_device(disksum, loop_device):
    device = loop_device(10 << 12)
    with open(device, "r+b") as file:
        file.write(b"device  " * (10 << 9))
    image = Image(20 << 12, cluster_bits=12, data_file=device.encode())
    for guest in range(2, 20):
        image.disk.data(guest, b"what the device has")
    check_image(disksum, image.write("image.qcow2"))


def test_resized(disksum):
    create("image.qcow2", PIECES, size=SIZE, options="data_file=data.raw")
    qemu("resize", "-q", "image.qcow2", 3 * SIZE + 512)
    fill("image.qcow2", [(3 * SIZE, 512, "E")])
    check_image(disksum, "image.qcow2")


@pytest.mark.parametrize("length", [4095, 4096, 60000])
def test_name_that_is_too_long(fails, tmp_path, length):
    """No path has so many bytes."""
    image = Image(1 << 20, data_file=b"x" * length)
    path = image.write(tmp_path / "image.qcow2")
    message = fails(path)
    assert ("the name of the data file is too long" in message) == (length > 4095)
    assert "ile name too long" in message or length > 4095
