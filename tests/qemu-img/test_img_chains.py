# SPDX-License-Identifier: LGPL-2.1-or-later
"""Backing chains, internal snapshots, and images that options describe."""

import json
import subprocess

import pytest

from img_checksum import converted, disksum_of, hashed, qemu_img, refused
from oracle import checksum, write_image
from qcow2_qemu import create, fill, parse

MB = 1 << 20


def both(*args):
    """The checksum, with and without --serial."""
    one, other = hashed(*args), hashed("--serial", *args)
    assert one == other
    return one


# --- chains ----------------------------------------------------------------

def overlay(path, below, size=None, form="qcow2", below_form="raw"):
    qemu_img("create", "-q", "-f", form, "-b", below, "-F", below_form, path,
             *([str(size)] if size else []))
    return path


@pytest.mark.parametrize("size", [512, 70144, MB - 512, MB, MB + 512, 3 * MB + 4096, 9 * MB])
@pytest.mark.parametrize("wrote", ["", "100k:- 30k:A 200:z 1000:B 128k:d 5000:0"])
def test_overlay_of_another_size(tmp_path, size, wrote):
    """What the backing file has beyond the overlay is not seen; beyond the backing file
    there are zeros."""
    content = write_image(tmp_path / "base", "300k:A 700k:- 100k:B 40k:0 1000k:C")
    top = overlay(tmp_path / "top.qcow2", tmp_path / "base", size)
    fill(top, [piece for piece in parse(wrote) if piece[0] + piece[1] <= size])
    right = converted(top)
    if not wrote:
        assert right == checksum(content[:size].ljust(size, b"\0"))
    assert both(top) == disksum_of(top) == right


def test_sizes_go_up_and_down(tmp_path):
    """The short image in the middle hides the end of the lowest one."""
    write_image(tmp_path / "base", "5M:A")
    below, below_form = tmp_path / "base", "raw"
    for n, size in enumerate([3 * MB + 512, 1 * MB + 1536, 6 * MB, 2 * MB - 512, 4 * MB]):
        top = overlay(tmp_path / f"{n}.qcow2", below, size, below_form=below_form)
        fill(top, [(n * 100000, 3000, chr(66 + n))])
        below, below_form = top, "qcow2"
        assert both(top) == disksum_of(top) == converted(top)


def test_long_chain(tmp_path):
    content = bytearray(write_image(tmp_path / "base", "4M:A"))
    below, below_form = tmp_path / "base", "raw"
    for n in range(20):
        below = overlay(tmp_path / f"{n}.qcow2", below, below_form=below_form)
        below_form = "qcow2"
        fill(below, [(n * 200000, 5000, "B")])
        content[n * 200000:n * 200000 + 5000] = b"B" * 5000
    assert both(below) == disksum_of(below) == checksum(content)


@pytest.mark.parametrize("form", ["qed", "qcow", "vmdk"])
def test_chain_of_another_format(tmp_path, form):
    write_image(tmp_path / "base.raw", "300k:A 700k:- 100k:B 40k:0 932k:C")
    # VMDK knows VMDK parents only.
    base, below_form = tmp_path / "base.raw", "raw"
    if form == "vmdk":
        base, below_form = tmp_path / "base.vmdk", "vmdk"
        qemu_img("convert", "-O", "vmdk", tmp_path / "base.raw", base)
    top = overlay(tmp_path / f"top.{form}", base, form=form, below_form=below_form)
    fill(top, parse("130k:- 70k:A 1M:- 1000:B"), form)
    assert both("-f", form, top) == disksum_of("-f", form, top) == \
        converted("-f", form, top)


def test_missing_backing_file(tmp_path):
    write_image(tmp_path / "base", "1M:A")
    top = overlay(tmp_path / "top.qcow2", tmp_path / "base")
    (tmp_path / "base").unlink()
    assert "Could not open backing file" in refused(top)


# --- internal snapshots ----------------------------------------------------

@pytest.fixture
def snapshots(tmp_path):
    """An image with two snapshots, and the checksums of both and of now."""
    path = create(str(tmp_path / "disk.qcow2"), size=3 * MB)
    right = []
    for letter, name in ("X", "before"), ("Y", "with space"), ("Z", None):
        fill(path, [(5000, 100000, letter), (2 * MB, 70000, "0"), (MB, 512, letter)])
        right.append(converted(path))
        if name:
            qemu_img("snapshot", "-c", name, path)
    assert len(set(right)) == 3
    return path, right


@pytest.mark.parametrize("name, number", [
    ("before", 0), ("1", 0), ("with space", 1), ("2", 1), ("snapshot.name=before", 0),
    ("snapshot.id=2", 1), ("snapshot.id=2,snapshot.name=with space", 1)])
def test_snapshot(snapshots, name, number):
    path, right = snapshots
    assert both("-l", name, path) == hashed(f"--snapshot={name}", "-f", "qcow2", path) == \
        converted("-l", name, path) == right[number]
    assert disksum_of("-l", name, path) == right[number]
    assert both("--image-opts", "-l", name, f"driver=qcow2,file.filename={path}") == \
        right[number]
    # The image was not changed.
    assert both(path) == right[2]


@pytest.mark.parametrize("name", ["after", "3", "snapshot.id=3", "snapshot.name=1",
                                  "snapshot.id=1,snapshot.name=with space", ""])
def test_unknown_snapshot(snapshots, name):
    assert refused("-l", name, snapshots[0]).startswith("Failed to load snapshot: ")


@pytest.mark.parametrize("name", ["snapshot.nonsense=1", "snapshot.id=1,nonsense=2"])
def test_bad_snapshot_option(snapshots, name):
    assert "nonsense" in refused("-l", name, snapshots[0])


def test_snapshot_of_another_size(tmp_path):
    """QEMU shows it with the size that the disk has now."""
    path = create(str(tmp_path / "disk.qcow2"), "100k:A 1M:- 100k:B")
    small = converted(path)
    qemu_img("snapshot", "-c", "small", path)
    qemu_img("resize", "-q", path, "7M")
    right = converted("-l", "small", path)
    assert both("-l", "small", path) == disksum_of("-l", "small", path) == right != small


# --- options ---------------------------------------------------------------

def test_json_names(tmp_path):
    content = write_image(tmp_path / "base", "300k:A 700k:- 77k:B")
    file = {"driver": "file", "filename": str(tmp_path / "base")}
    for options, right in [
            ({"driver": "raw", "file": file}, content),
            ({"driver": "raw", "file": file, "offset": 65536, "size": 66048},
             content[65536:65536 + 66048])]:
        name = "json:" + json.dumps(options)
        for more in [], ["-U"], ["-T", "none"]:
            assert both(*more, name) == disksum_of(name) == checksum(right)


def test_image_opts(tmp_path):
    content = write_image(tmp_path / "a,b", "300k:A 700k:- 77k:B")
    name = f"driver=raw,offset=512,size=70144,file.filename={tmp_path}/a,,b"
    for more in [], ["-U"], ["-T", "none"]:
        assert both("--image-opts", *more, name) == disksum_of("--image-opts", name) == \
            checksum(content[512:512 + 70144])


def test_image_opts_of_a_chain(tmp_path):
    """Options name another backing file than the image."""
    write_image(tmp_path / "one", "1M:A")
    write_image(tmp_path / "other", "1M:B")
    qemu_img("create", "-q", "-f", "qcow2", tmp_path / "top", "1M")
    fill(tmp_path / "top", [(5000, 100000, "X")])
    found = set()
    for base in "one", "other":
        name = f"driver=qcow2,file.filename={tmp_path}/top,backing.driver=raw," \
            f"backing.file.filename={tmp_path}/{base}"
        raw = tmp_path / f"{base}.raw"
        qemu_img("convert", "--image-opts", "-O", "raw", name, raw)
        assert both("--image-opts", name) == checksum(raw)
        found.add(checksum(raw))
    assert len(found) == 2


@pytest.mark.parametrize("name", ["driver=raw", "driver=raw,file.filename=", "nonsense",
                                  "driver=raw,file.filename=/dev/null,nonsense=1"])
def test_bad_image_opts(name):
    assert refused("--image-opts", name).startswith(f"Could not open '{name}': ")


@pytest.mark.parametrize("driver", ["throttle", "quorum"])
def test_filter(tmp_path, driver):
    """Drivers above a disk do not change what is on it."""
    content = write_image(tmp_path / "disk", "300k:A 2M:- 77k:B")
    below = f"file.driver=raw,file.file.driver=file,file.file.filename={tmp_path}/disk"
    options = {"throttle": f"driver=throttle,throttle-group=t,{below}",
               "quorum": "driver=quorum,vote-threshold=2," + ",".join(
                   below.replace("file.driver=raw", f"children.{n}.driver=raw").replace(
                       "file.file.", f"children.{n}.file.") for n in range(2))}
    assert both("--object", "throttle-group,id=t", "--image-opts", options[driver]) == \
        checksum(content)


def test_no_image_is_changed(tmp_path):
    """Not even by lazy refcounts, or the mark of a dirty image."""
    path = create(str(tmp_path / "disk.qcow2"), options="lazy_refcounts=on")
    with subprocess.Popen(["qemu-io", "-f", "qcow2", path], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as dirty:
        dirty.stdin.write(b"write -P 9 0 100k\nflush\n")
        dirty.stdin.flush()
        while b"bytes at offset" not in dirty.stdout.readline():
            pass
        dirty.kill()
    with open(path, "rb") as f:
        before = f.read()
    right = hashed(path)
    with open(path, "rb") as f:
        assert f.read() == before
    assert right == disksum_of(path)
