# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whether an image is still the one that a list was begun for: --resume asks first."""
import os
import shutil

import pytest

from oracle import checksum, write_image
from conftest import sums
from qcow2_compare import convert, qemu_img
from qcow2_qemu import create

SPEC = "300k:A 200k:- 1M:B 500k:C"


@pytest.fixture
def interrupted(disksum, tmp_path):
    """Hash an image, and leave its list as if that had been interrupted at the very
    end. Returns the list."""
    def interrupt(*args, **kwargs):
        whole = tmp_path / "list"
        disksum(f"--write-list={whole}", *args, **kwargs)
        whole.rename(tmp_path / "list.part")
        return whole
    return interrupt


def other(disksum, whole, *args, **kwargs):
    """Resume, and be refused. Returns the cause."""
    before = (whole.parent / "list.part").read_bytes()
    done = disksum(f"--write-list={whole}", "--resume", *args, check=False, **kwargs)
    start = f"disksum: {whole}.part: the list is of another image: "
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(start) and done.stderr.count("\n") == 1, done.stderr
    assert not whole.exists()
    assert (whole.parent / "list.part").read_bytes() == before
    return done.stderr.removeprefix(start).strip()


def resumes(disksum, whole, content, *args, **kwargs):
    done = disksum(f"--write-list={whole}", "--resume", *args, **kwargs)
    assert sums(done.stdout) == [checksum(content)]


# --- files ---------------------------------------------------------------------

def append(path):
    os.truncate(path, os.stat(path).st_size + 512)


def write(path):
    with open(path, "r+b") as file:
        file.write(b"!")


def write_in_secret(path):
    """With the mtime of before."""
    before = os.stat(path)
    write(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replace(path):
    """By a copy that looks the same."""
    shutil.copy2(path, f"{path}.new")
    os.rename(f"{path}.new", path)


def make(change, path, only_times):
    """Make a change; only_times: the image must stay good."""
    if only_times and change == write:
        os.utime(path)
    elif only_times and change == write_in_secret:
        os.chmod(path, 0o600)
    else:
        change(path)


CHANGES = {append: "size", write: "mtime", write_in_secret: "ctime", replace: "inode"}


@pytest.mark.sanitizer(every=5)
@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("which", ["base.raw", "data", "top.qcow2"])
def test_chain(disksum, interrupted, tmp_path, which, change):
    """Any file of the chain decides."""
    write_image(tmp_path / "base.raw", SPEC)
    create(str(tmp_path / "top.qcow2"), "70k:D", backing="base.raw",
           size=os.stat(tmp_path / "base.raw").st_size,
           options=f"data_file={tmp_path}/data")
    whole = interrupted(tmp_path / "top.qcow2")
    make(change, tmp_path / which, which == "top.qcow2")
    cause = other(disksum, whole, tmp_path / "top.qcow2")
    field = CHANGES[change]
    assert cause.startswith(f"the {field} of '{tmp_path}/{which}' was "), cause


def test_same_file_by_another_name(disksum, interrupted, tmp_path):
    """A name is not the identity."""
    content = write_image(tmp_path / "disk", SPEC)
    whole = interrupted(tmp_path / "disk")
    resumes(disksum, whole, content, "disk", cwd=tmp_path)


def test_another_snapshot(disksum, interrupted, tmp_path):
    image = create(str(tmp_path / "disk"), SPEC)
    for name in "one", "two":
        qemu_img("snapshot", "-c", name, image)
    content = convert(image).read_bytes()
    whole = interrupted("-l", "one", image)
    assert other(disksum, whole, image) == \
        f"the snapshot of '{image}' was one, and is none now"
    assert other(disksum, whole, "-l", "two", image) == \
        f"the snapshot of '{image}' was one, and is two now"
    resumes(disksum, whole, content, "-l", "one", image)


@pytest.mark.parametrize("change", CHANGES)
def test_files_of_qemu(disksum, interrupted, tmp_path, change):
    """What a qemu-nbd reads is known by its files, too."""
    disk = tmp_path / "disk.qed"
    done = qemu_img("create", "-q", "-f", "qed", disk, "1M")
    if done.returncode:
        pytest.skip("this QEMU has no qed")
    whole = interrupted(disk)
    make(change, disk, True)
    field = CHANGES[change]
    assert other(disksum, whole, disk).startswith(f"the {field} of '{disk}' was ")


def test_description(disksum, interrupted, tmp_path):
    """An option string says which bytes are the disk."""
    disk = tmp_path / "disk"
    content = write_image(disk, SPEC)
    text = f"driver=raw,file.filename={disk},size=512k,offset="
    whole = interrupted("--image-opts", f"{text}0")
    assert other(disksum, whole, "--image-opts", f"{text}65536").startswith(
        f"the description of '{text}65536' was driver=raw")
    resumes(disksum, whole, content[:512 << 10], "--image-opts", f"{text}0")
    whole = interrupted("--image-opts", f"{text}0")
    write(disk)
    assert other(disksum, whole, "--image-opts", f"{text}0").startswith(
        f"the mtime of '{disk}' was ")
