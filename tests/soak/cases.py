# SPDX-License-Identifier: LGPL-2.1-or-later
"""Cases by their names, KIND:NUMBER, and what to do when one fails."""

import contextlib
import os
import pathlib
import shutil
import subprocess
import tempfile

import built_images
import command_lines
import qemu_images
import vhdx_oracle
import vmdk_oracle
import vpc_image
from case import HANG, Case, Failure, NoOracle, make_noise
from oracle import checksum
from ways import compare, learn

# kind -> what makes its images. A kind that is there twice is drawn twice as often.
IMAGES = {
    "raw": [qemu_images.make_raw],
    "qcow2": [qemu_images.make_qcow2] * 3 + [built_images.built_qcow2],
    "vmdk": [qemu_images.make_vmdk, built_images.built_vmdk],
    "vdi": [qemu_images.make_vdi, built_images.built_vdi],
    "vhdx": [qemu_images.make_vhdx, built_images.built_vhdx],
    "vpc": [qemu_images.make_vpc, built_images.built_vpc],
    "qemu": [qemu_images.make_qemu],
}
KINDS = [*IMAGES, "commands"]

# Of ten cases, so many are of the kind.
OFTEN = ["qcow2"] * 4 + ["raw", "vmdk", "vmdk", "vdi", "vhdx", "vpc", "qemu", "commands"]


def convert(case, disk):
    """What QEMU reads. What it refuses disksum need not read, but it must not crash."""
    try:
        return qemu_images.convert(case, disk)
    except NoOracle:
        status = subprocess.run([case.program, *disk.words, disk.image],
                                capture_output=True, timeout=HANG).returncode
        if status not in (0, 1):
            raise Failure(f"exit status {status}") from None
        raise


def run_image(case, kind):
    make_noise()
    disk = case.draw.choice(IMAGES[kind])(case)
    if not disk.for_qemu:
        pathlib.Path("converted").write_bytes(disk.content)
        disk.size, disk.checksum = len(disk.content), checksum(disk.content)
    else:
        naive = disk.content
        learn(disk, convert(case, disk))
        if naive is not None and checksum(naive) != disk.checksum:
            raise NoOracle("QEMU and the naive reader do not agree")
    compare(case, disk)


def run(case):
    """In the current directory."""
    kind = case.name.partition(":")[0]
    try:
        if kind == "commands":
            command_lines.run(case)
        else:
            run_image(case, kind)
    except (vpc_image.Refused, vhdx_oracle.Refused, vmdk_oracle.Refused) as refused:
        raise NoOracle(f"the naive reader refuses it: {refused}") from refused


def explain(case, directory, why):
    """How a case failed, and how it is run again."""
    build = pathlib.Path(case.program).parent
    return "\n".join([
        f"{case.name}: {why}", "",
        f"the files: {directory}", "what was done there:",
        *(f"    {line}" for line in case.log[-40:]),
        f"again: tests/soak/run --build={build} {case.name}"])


@contextlib.contextmanager
def scratch(parent=None):
    """A directory, which is removed unless the case fails."""
    directory = tempfile.mkdtemp(prefix="disksum-soak-", dir=parent)
    try:
        with contextlib.chdir(directory):
            yield directory
    except Failure:
        raise
    except BaseException:
        shutil.rmtree(directory)
        raise
    shutil.rmtree(directory)


def run_case(name, program, parent=None):
    """Run a case in a directory of its own. Raises Failure, with all there is to say;
    NoOracle if there is nothing to compare with."""
    case = Case(name, os.path.abspath(program))
    with scratch(parent) as directory:
        try:
            run(case)
        except (Failure, subprocess.TimeoutExpired, ValueError, KeyError, IndexError,
                AssertionError) as error:
            # What disksum printed may be no JSON, no line, or no list.
            why = str(error) if isinstance(error, Failure) else repr(error)
            raise Failure(explain(case, directory, why)) from error
    return case


__all__ = ["KINDS", "NoOracle", "OFTEN", "run_case"]
