# SPDX-License-Identifier: LGPL-2.1-or-later
"""The images of tests/make-qcow2, which is for people at a prompt."""

import subprocess

import pytest

from conftest import sums
from oracle import checksum

CLUSTER = 65536


@pytest.fixture
def make(root, tmp_path):
    """Make an image; its path."""
    def run(*args):
        path = tmp_path / "disk.qcow2"
        subprocess.run([root / "tests/make-qcow2", path, *args], check=True,
                       cwd=tmp_path)
        return path
    return run


def guest_bytes(path):
    """By QEMU."""
    raw = path.with_suffix(".raw")
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", path, raw],
                   check=True, cwd=path.parent)
    return raw.read_bytes()


def data(text, size=CLUSTER):
    """A cluster for each letter; - is a cluster of zeros."""
    return b"".join(bytes(size) if c == "-" else c.encode() * size for c in text)


@pytest.mark.parametrize("args, letters, cluster", [
    ([], "", CLUSTER),
    (["A", "3:-", "2:zB", "0", "0C", "D"], "A---BB--D", CLUSTER),
    (["--zstd", "2:zA", "zB"], "AAB", CLUSTER),
    (["--version=2", "--cluster-size=512", "100:A", "2:-", "zB"],
     "A" * 100 + "--B", 512),
    (["--extended-l2", "A", "0", "-", "zB"], "A--B", CLUSTER),
    (["--size=320k", "A"], "A----", CLUSTER),
    (["--snapshot=1,first", "--snapshot=2,second", "A"], "A", CLUSTER),
    (["--data-file=data", "A", "-", "B"], "A-B", CLUSTER)])
def test_good_image(disksum, make, args, letters, cluster):
    path = make(*args)
    content = data(letters, cluster)
    assert guest_bytes(path) == content
    subprocess.run(["qemu-img", "check", "-q", path], check=True, cwd=path.parent)
    assert sums(disksum(path, cwd=path.parent).stdout) == [checksum(content)]


def test_entry(disksum, make):
    """The header, the L1 table, and then the first cluster, which is there twice."""
    path = make("--cluster-size=16k", "A", "=0x8000000000008000")
    content = data("AA", 16384)
    assert guest_bytes(path) == content
    assert sums(disksum(path).stdout) == [checksum(content)]


def test_backing_file(disksum, make, tmp_path):
    (tmp_path / "base").write_bytes(data("XYZ"))
    path = make("--backing=base", "--backing-format=raw", "-", "A", "0")
    assert sums(disksum(path).stdout) == [checksum(data("XA-"))]


@pytest.mark.parametrize("args, reason", [
    (["--set=refcount_order=7", "A"], "refcount_order is 7"),
    (["--set=incompatible_features=0x80", "A"], "bit 7"),
    (["=0x8000000000000200"], "not aligned"),
    (["--l1=0=0x200", "A"], "entry 0 of the L1 table"),
    (["--extension=0x0537be77=1234567890123456", "A"], "an encryption header"),
    (["--put=4=00000004", "A"], "version 4"),
    (["--length=100", "A"], "header_length is 0")])
def test_bad_image(fails, make, args, reason):
    assert reason in fails(make(*args))


def test_wrong_use(root, tmp_path):
    for arg in "--set=nothing=1", "--set=size", "AB", "--cluster-size=1000", "":
        done = subprocess.run([root / "tests/make-qcow2", tmp_path / "disk", arg],
                              capture_output=True, text=True)
        assert done.returncode == 2 and "error: " in done.stderr
    assert not (tmp_path / "disk").exists()
