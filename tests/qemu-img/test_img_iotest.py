# SPDX-License-Identifier: LGPL-2.1-or-later
"""contrib/qemu/iotests in QEMU's own runner. It needs QEMU's source, which has the
runner: DISKSUM_QEMU_SOURCE, or the tree that 'make qemu-img' built."""

import os
import pathlib
import shutil
import subprocess

import pytest

from conftest import QEMU_IMG, ROOT

SOURCE = pathlib.Path(os.environ.get("DISKSUM_QEMU_SOURCE", ROOT / "build-qemu/source"))
IOTESTS = SOURCE.absolute() / "tests/qemu-iotests"

# The runner asks an emulator for its machines, devices and formats before any test. This
# test starts no guest, so no emulator is needed.
EMULATOR = """#!/bin/sh
case $* in
    *format=help*) echo 'Supported formats: raw'; echo 'Supported formats (read-only): raw' ;;
    *'-device help'*) echo 'name "virtio-blk-pci", bus PCI' ;;
    *) echo 'none                 empty machine (default)' ;;
esac
"""


@pytest.fixture
def check(tmp_path):
    """A function that runs the test, with a format: a tree that has the runner's files
    and only this test, and a build as the runner expects it."""
    if not (IOTESTS / "check").exists():
        pytest.skip("no QEMU source in DISKSUM_QEMU_SOURCE")
    for program in "qemu-io", "qemu-nbd", "qemu-storage-daemon":
        if not shutil.which(program):
            pytest.skip(f"no {program}")
    tree, build = tmp_path / "source", tmp_path / "build/tests/qemu-iotests"
    (tree / "tests").mkdir(parents=True)
    for file in IOTESTS.iterdir():
        if file.name != "tests":
            (tree / file.name).symlink_to(file)
    for file in (ROOT / "contrib/qemu/iotests").iterdir():
        shutil.copy(file, tree / "tests")
    build.mkdir(parents=True)
    (build / "check").symlink_to(tree / "check")
    emulator = tmp_path / "emulator"
    emulator.write_text(EMULATOR)
    emulator.chmod(0o755)

    def run(form):
        done = subprocess.run(
            ["/usr/bin/python3", build / "check", f"-{form}", "img-checksum"], cwd=build,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300,
            check=False, env={
                **os.environ, "QEMU_PROG": str(emulator), "QEMU_IMG_PROG": str(QEMU_IMG),
                "QEMU_IO_PROG": shutil.which("qemu-io"),
                "QEMU_NBD_PROG": shutil.which("qemu-nbd"),
                "QSD_PROG": shutil.which("qemu-storage-daemon")})
        return done.returncode, done.stdout
    run.tree = tree
    return run


@pytest.mark.parametrize("form", ["raw", "qcow2", "qcow", "qed", "vdi", "vhdx", "vmdk",
                                  "vpc", "parallels"])
def test_passes(check, form):
    status, text = check(form)
    assert status == 0, text
    assert "Passed all 1 iotests" in text


def test_can_fail(check):
    """The runner compares the output with the other file."""
    (check.tree / "tests/img-checksum.out").write_text("something else\n")
    status, text = check("qcow2")
    assert status != 0 and "Failures: img-checksum" in text


def test_not_for_other_formats(check):
    status, text = check("luks")
    assert status == 0 and "not suitable for this image format: luks" in text
