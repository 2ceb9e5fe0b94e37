# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files of an image that are cut, grown, overwritten, punched or replaced while the image is
read: each of its files, of each format. There is no checksum of a mixture."""

import os
import subprocess

import pytest

import small_images
from test_writers import held


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    os.truncate(path, 0)


def grow(path):
    with open(path, "ab") as f:
        f.write(b"more")


def overwrite(path):
    with open(path, "r+b") as f:
        f.write(bytes(path.stat().st_size))


def punch(path):
    subprocess.run(["fallocate", "--punch-hole", "--offset=0",
                    f"--length={path.stat().st_size}", path], check=True)


CHANGES = [cut, empty, grow, overwrite, punch]


def name(value):
    return value.__name__


# With the thread sanitizer, a handler of signals does not run while write() waits: here each
# writer would wait for 45 s, until the kernel takes the lease of the file away.
@pytest.mark.no_sanitizer
@pytest.mark.parametrize("make", small_images.IMAGES, ids=name)
def test_changed(tmp_path, make):
    """After it was opened, before its data are read."""
    for change in CHANGES:
        directory = tmp_path / change.__name__
        directory.mkdir()
        small = make(directory)
        for number, file in enumerate(small.files()):
            if number:
                small = make(directory)
            with held(*small.args, small.path) as h:
                h.wait_until_open(file)
                change(file)
                status, out, err = h.finish()
            assert (status, out) == (1, ""), (change, file)
            assert err.startswith("disksum: ") and err.count("\n") == 1, err
            assert str(file) in err, (change, err)


@pytest.mark.parametrize("make", small_images.IMAGES, ids=name)
def test_replaced(disksum, tmp_path, make):
    """Another file takes its name, as in an atomic update: what was opened is read to its
    end."""
    small = make(tmp_path)
    expected = disksum(*small.args, small.path).stdout
    for file in small.files():
        with held(*small.args, small.path) as h:
            h.wait_until_open(file)
            other = tmp_path / "other"
            other.write_bytes(bytes(100_000))
            other.rename(file)
            assert h.finish() == (0, expected, "")
        small = make(tmp_path)
