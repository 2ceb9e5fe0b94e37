# SPDX-License-Identifier: LGPL-2.1-or-later
"""--base with --bitmap: what has not changed since a list was written is not read
again, and the checksum is that of a full run."""

import json
import os
import subprocess

import pytest

from conftest import sums
from qcow2_bitmap_image import Bitmaps
from qcow2_image import Image
from qcow2_qemu import fill, qemu

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
BLOCK = 64 * KIB


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def night(disksum):
    """Hash an image by its last list, and write the next. Returns what was read: the
    bytes of the disk that were not known."""
    def run(*image, name="b0"):
        found = json.loads(disksum("--json", "--base=old", f"--bitmap={name}",
                                   "--write-list=new", *image).stdout)
        full = json.loads(disksum("--json", "--write-list=full", *image).stdout)
        assert found["checksum"] == full["checksum"]
        assert sums(disksum("--show", "new").stdout) == [full["checksum"]]
        os.rename("new", "old")
        return found["virtual-size"] - found["known"]
    return run


def create(size, *options, form="qcow2"):
    qemu("create", "-q", "-f", form, *options, "image", size)


@pytest.mark.sanitizer
def test_nights(disksum, night):
    """A bitmap that goes on, and one that is cleared when its list is written."""
    create(20 * MIB + 512)
    fill("image", [(0, 5 * MIB, "A"), (15 * MIB, MIB, "B")])
    for name in "b0", "b1":
        qemu("bitmap", "--add", "image", name)
    disksum("--write-list=old", "image")
    assert night("image") == 0
    fill("image", [(MIB, 1, "C"), (10 * MIB - 1, 2, "D"), (20 * MIB, 512, "E")])
    assert night("image") == 3 * BLOCK + 512
    fill("image", [(15 * MIB, 128 * KIB, "0"), (0, 5, "F")])
    assert night("image") == 6 * BLOCK + 512
    qemu("bitmap", "--clear", "image", "b1")
    assert night("image", name="b1") == 0
    fill("image", [(3 * MIB, 3 * MIB, "d"), (5 * MIB, 1, "G")])
    assert night("image", name="b1") == 3 * MIB


@pytest.mark.parametrize("granularity, read", [(512, 2), (4 * KIB, 2), (MIB, 16), (2 * GIB, 80)])
def test_granularity(disksum, night, granularity, read):
    """Larger or smaller than blocks."""
    create(5 * MIB)
    fill("image", [(0, 5 * MIB, "A")])
    qemu("bitmap", "--add", "-g", granularity, "image", "b0")
    disksum("--write-list=old", "image")
    fill("image", [(BLOCK + 70, 1, "B"), (3 * BLOCK, 512, "B"), (4 * BLOCK - 512, 512, "B")])
    assert night("image") == read * BLOCK


def test_overlay(disksum, night):
    """Its bitmap records what is written to the overlay, and the rest is below."""
    create(4 * MIB)
    fill("image", [(0, 2 * MIB, "A")])
    os.rename("image", "base")
    create(4 * MIB, "-b", "base", "-F", "qcow2")
    qemu("bitmap", "--add", "image", "b0")
    disksum("--write-list=old", "image")
    fill("image", [(MIB, 1, "B"), (3 * MIB, 1, "C")])
    assert night("image") == 2 * BLOCK


def test_what_the_bitmap_missed(disksum, night):
    """Only dirty blocks are read: a change that the bitmap does not have is not seen."""
    create(4 * MIB)
    fill("image", [(0, 4 * MIB, "A")])
    before = disksum("--write-list=old", "image").stdout
    fill("image", [(0, 1, "B")])
    qemu("bitmap", "--add", "image", "b0")
    assert disksum("--base=old", "--bitmap=b0", "image").stdout == before


def test_export(disksum, night, servers):
    create(8 * MIB)
    fill("image", [(0, 8 * MIB, "A")])
    qemu("bitmap", "--add", "image", "b0")
    # The URI is the identity of an export: a server of the same socket comes again.
    uri, server = servers.qemu_nbd("image", "-B", "b0", format="qcow2")
    disksum("--write-list=old", uri)
    server.stop()
    fill("image", [(MIB, 1, "B"), (5 * MIB, MIB, "0")])
    servers.servers.clear()
    again, _ = servers.qemu_nbd("image", "-B", "b0", format="qcow2")
    assert again == uri
    assert night(uri) == 17 * BLOCK


def test_command(disksum, night):
    create(8 * MIB)
    fill("image", [(0, 8 * MIB, "A")])
    qemu("bitmap", "--add", "image", "b0")
    server = ["--", "[", "qemu-nbd", "-r", "-f", "qcow2", "-B", "b0", "image", "]"]
    disksum("--write-list=old", *server)
    fill("image", [(MIB, 1, "B"), (5 * MIB, MIB, "0")])
    assert night(*server) == 17 * BLOCK


def test_live_export(daemon, disksum, night):
    """A guest that goes on, whose bitmap the daemon exports."""
    create(GIB)
    fill("image", [(0, MIB, "A"), (500 * MIB, MIB, "B")])
    qemu("bitmap", "--add", "image", "b0")
    guest = daemon("image", "bitmaps.0=b0")
    disksum("--write-list=old", guest.uri)
    guest.write((100, 1, "C"), (500 * MIB, 100 * KIB, "0"), (900 * MIB, 1, "D"))
    assert night(guest.uri) == 4 * BLOCK
    guest.quit()


@pytest.mark.parametrize("options, reason", [
    (["--bitmap=b1", "image"], "image: no bitmap 'b1'; it has 'b0', 'off'"),
    (["--bitmap=off", "image"], "image: bitmap 'off' cannot be used: it is disabled"),
    (["--bitmap=b0", "-l", "snap", "image"], "image: a bitmap records the changes of the active "
                                             "disk, not those of a snapshot"),
    (["--bitmap=b0", "-f", "raw", "image"], "only qcow2 images and NBD exports have bitmaps, and "
                                            "this is a raw image"),
    (["--bitmap=b\n\x1b[2J", "image"], r"no bitmap 'b\012\033[2J'; it has"),
])
def test_refused(disksum, fails, options, reason):
    create(MIB)
    qemu("snapshot", "-c", "snap", "image")
    qemu("bitmap", "--add", "image", "b0")
    qemu("bitmap", "--add", "--disable", "image", "off")
    given = [one for one in options if not one.startswith("--bitmap")]
    disksum("--write-list=old", *given)
    line = fails("--base=old", "--write-list=new", *options)
    assert reason in line
    assert sorted(os.listdir()) == ["image", "old"]


CHANGES_BELOW = {
    "written": (["qemu-io", "-f", "raw", "-c", "write -q -P 9 1M 64k", "below"],
                "the mtime of 'below' was "),
    "another": (["qemu-img", "rebase", "-u", "-b", "other", "-F", "raw", "image"],
                "the inode of 'other' was "),
    "none": (["qemu-img", "rebase", "-u", "-b", "", "image"],
             "'image' was read from 2 files, and is from 1 now"),
}


@pytest.mark.parametrize("command, reason", CHANGES_BELOW.values(), ids=CHANGES_BELOW)
def test_what_is_below_has_changed(disksum, fails, night, command, reason):
    """A bitmap knows nothing of it."""
    for name in "below", "other":
        qemu("create", "-q", "-f", "raw", name, "4M")
    create(4 * MIB, "-b", "below", "-F", "raw")
    qemu("bitmap", "--add", "image", "b0")
    disksum("--write-list=old", "image")
    fill("image", [(2 * MIB, 1, "A")])
    # As when a machine starts whose user must read it.
    os.chmod("below", 0o640)
    assert night("image") == BLOCK
    subprocess.run(command, check=True)
    args = "--base=old", "--bitmap=b0", "image"
    assert fails(*args).startswith(f"old: the list is of another image: {reason}")
    # In a copy it cannot be told.
    os.rename("image", "moved")
    subprocess.run(["cp", "moved", "image"], check=True)
    os.unlink("moved")
    disksum(*args)


CHANGES_BELOW_QEMU = {
    "written": (["qemu-io", "-f", "raw", "-c", "write -q -P 9 1M 64k", "a"],
                "the mtime of 'a' was "),
    "another": (["qemu-img", "rebase", "-u", "-b", "other", "-F", "raw", "image"],
                "it was not read from 'other'"),
    "none": (["qemu-img", "rebase", "-u", "-b", "", "image"],
             "'image' was read from 3 files, and is from 1 now"),
}


@pytest.mark.parametrize("command, reason", CHANGES_BELOW_QEMU.values(), ids=CHANGES_BELOW_QEMU)
def test_list_of_what_qemu_has_read(disksum, fails, command, reason):
    """Its files are in the order of their names."""
    for name in "a", "other":
        qemu("create", "-q", "-f", "raw", name, "4M")
    qemu("create", "-q", "-f", "qcow2", "-b", "a", "-F", "raw", "z")
    create(4 * MIB, "-b", "z", "-F", "qcow2")
    qemu("bitmap", "--add", "image", "b0")
    disksum("--write-list=old", "--image-opts", "driver=qcow2,file.filename=image")
    fill("image", [(2 * MIB, 1, "A")])
    assert disksum("--base=old", "--bitmap=b0", "image").stdout == disksum("image").stdout
    subprocess.run(command, check=True)
    assert fails("--base=old", "--bitmap=b0", "image").startswith(
        f"old: the list is of another image: {reason}")


def test_list_of_the_bytes_of_the_image(disksum, fails):
    """It is of the same file."""
    create(4 * MIB)
    qemu("bitmap", "--add", "image", "b0")
    os.truncate("image", 4 * MIB)
    disksum("-f", "raw", "--write-list=old", "image")
    assert fails("--base=old", "--bitmap=b0", "image") == \
        "old: the list is of another image: the format of 'image' was raw, and is qcow2 now"


def test_names_that_drive_a_terminal(disksum, fails):
    image = Image(MIB)
    made = Bitmaps(image)
    made.add(b"\x1b[2J\n", [0])
    made.finish()
    image.write("image")
    disksum("--write-list=old", "image")
    assert fails("--base=old", "--bitmap=b0", "image") == \
        r"image: no bitmap 'b0'; it has '\033[2J\012'"
