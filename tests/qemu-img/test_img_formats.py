# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images of every format: the checksum is disksum's, and that of the output of
'qemu-img convert'."""

import re
import subprocess

import pytest

from conftest import QEMU_IMG
from img_checksum import converted, disksum_of, hashed, qemu_img
from oracle import checksum, write_image
from qcow2_qemu import fill, parse
from test_qemu_read_only_formats import make_cloop, make_dmg

# Most parts end at an offset that is not a multiple of anything.
SPEC = "100k:A 1M:0 300k:B 2M:- 77k:C 1000:- 163k:0 3000:D 900k:- 512:E 65k:-"

FORMATS = {
    "raw": ["", "preallocation=falloc", "preallocation=full"],
    "qcow2": ["", "cluster_size=512", "cluster_size=4k,compat=0.10", "cluster_size=2M",
              "extended_l2=on", "extended_l2=on,cluster_size=16k", "lazy_refcounts=on",
              "preallocation=metadata", "preallocation=falloc", "refcount_bits=1"],
    "qcow": [""],
    "qed": ["", "cluster_size=4k,table_size=2", "cluster_size=1M"],
    "vmdk": ["", "zeroed_grain=on", "compat6=on", "subformat=monolithicFlat",
             "subformat=twoGbMaxExtentSparse", "subformat=twoGbMaxExtentFlat",
             "subformat=streamOptimized", "adapter_type=lsilogic"],
    "vdi": ["", "static=on"],
    "vhdx": ["", "subformat=fixed", "block_size=1M,block_state_zero=off"],
    "vpc": ["", "subformat=fixed", "force_size=on"],
    "parallels": ["", "cluster_size=64k", "cluster_size=4k"],
}

# Tested with their secrets (test_img_credentials.py), or not a format but a protocol.
ELSEWHERE = {"luks", "file"}


def supported():
    text = subprocess.run([QEMU_IMG, "--help"], stdout=subprocess.PIPE, text=True,
                          check=True).stdout
    # On one line, or on several that are indented.
    return re.search(r"^Supported.*formats:((?: .*\n|\n )+)", text, re.M)[1].split()


def need(form):
    if form not in supported():
        pytest.skip(f"this qemu-img has no {form}")


CASES = [(form, options) for form, some in FORMATS.items() for options in some]


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "disk.raw"
    write_image(path, SPEC)
    return path


def check_image(path, form, *options):
    """Returns the checksum, which is right."""
    right = converted("-f", form, path)
    assert disksum_of("-f", form, path) == right
    assert hashed("-f", form, path) == right
    assert hashed("-f", form, "--serial", path) == right
    # QEMU takes a fixed VPC image for a raw one, if it is not told.
    assert hashed(path) == converted(path)
    return right


@pytest.mark.parametrize("form, options", CASES)
def test_converted_image(tmp_path, raw, form, options):
    need(form)
    path = tmp_path / f"disk.{form}"
    qemu_img("convert", "-O", form, *(["-o", options] if options else []), raw, path)
    right = check_image(path, form)
    # The size of a VPC image is one that some geometry has.
    if form != "vpc" or "force_size" in options:
        assert right == checksum(raw)


@pytest.mark.parametrize("form, options", [
    case for case in CASES if "streamOptimized" not in case[1]])
def test_image_that_a_guest_wrote(tmp_path, form, options):
    """Data, zeros and discards at odd places of a new image."""
    need(form)
    path = tmp_path / f"disk.{form}"
    qemu_img("create", "-q", "-f", form, *(["-o", options] if options else []), path, "5M")
    fill(path, parse("3000:- 70k:A 200k:z 1M:- 513:B 130k:d 64k:0 1M:C 300k:d 5:D 1M:0 "
                     "128k:E"), form)
    right = check_image(path, form)
    assert right != checksum(bytes(5 << 20))


@pytest.mark.parametrize("form", FORMATS)
def test_empty_image(tmp_path, form):
    """Nothing is allocated."""
    need(form)
    path = tmp_path / f"disk.{form}"
    qemu_img("create", "-q", "-f", form, path, "3M")
    check_image(path, form)


@pytest.mark.parametrize("method, size", [
    ("zlib", "64k"), ("zlib", "4k"), ("zlib", "2M"), ("zstd", "64k"), ("zstd", "512")])
def test_compressed_qcow2(tmp_path, raw, method, size):
    path = tmp_path / "disk.qcow2"
    qemu_img("convert", "-c", "-O", "qcow2", "-o",
             f"compression_type={method},cluster_size={size}", raw, path)
    assert check_image(path, "qcow2") == checksum(raw)


def test_compressed_qcow(tmp_path):
    """Cluster by cluster: 'qemu-img convert -c' fails with this format."""
    path = tmp_path / "disk.qcow"
    qemu_img("create", "-q", "-f", "qcow", path, "1M")
    subprocess.run(["qemu-io", "-f", "qcow", path, "-c", "write -P 5 60k 8k",
                    *(word for offset in (0, 4, 100, 1020)
                      for word in ("-c", f"write -c -P {65 + offset % 7} {offset}k 4k"))],
                   check=True, stdout=subprocess.DEVNULL)
    check_image(path, "qcow")


@pytest.mark.parametrize("options", ["", "data_file_raw=on"])
def test_data_file(tmp_path, options):
    path, data = tmp_path / "disk.qcow2", tmp_path / "data"
    qemu_img("create", "-q", "-f", "qcow2", "-o",
             ",".join(filter(None, [f"data_file={data}", options])), path, "3M")
    fill(path, parse("3000:- 70k:A 200k:z 513:B 130k:d 1M:C"))
    check_image(path, "qcow2")


def test_every_format_is_tested(tmp_path):
    """Each that this qemu-img makes."""
    made = set()
    for form in supported():
        done = subprocess.run(
            [QEMU_IMG, "create", "-q", "-f", form, tmp_path / "disk", "1M"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
        if "does not support image creation" not in done.stdout and \
                "Unknown protocol" not in done.stdout:
            made.add(form)
    protocols = {"nbd", "ssh", "http", "https", "ftp", "ftps", "nfs", "iscsi", "iser",
                 "nvme", "rbd", "gluster", "host_device", "host_cdrom", "io_uring"}
    assert "qcow2" in made
    assert made - protocols - ELSEWHERE <= set(FORMATS)


@pytest.mark.parametrize("make", [make_dmg, make_cloop])
def test_format_that_qemu_does_not_write(tmp_path, raw, make):
    form = make.__name__.replace("make_", "")
    need(form)
    content = raw.read_bytes()
    content = content[:len(content) // 196608 * 196608]
    third = len(content) // 3
    content = content[:third] + bytes(third) + content[2 * third:]
    path = tmp_path / f"image.{form}"
    make(path, content)
    assert check_image(path, form) == checksum(content)
