# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare disksum with QEMU, and both with a naive reader in Python, for images of
any format.

    CASES = [Case("truncated", build), Case("odd", build, differs="why")]
    check_case(disksum, tmp_path, case, "vdi", vdi_image)       a bad image, or a good one
    check_image(disksum, path, "vdi", vdi_image)                a good one, in every way

The naive reader is a module with guest_bytes(path), which raises Refused.
"""
from typing import Callable, NamedTuple

from oracle import checksum
from qcow2_compare import NAIVE, bounded_memory, check_refused, convert, sum_of

WAYS = [[], ["-T", "none"], ["-t", "1", "--queue-depth", "1"], ["-t", "4"]]


class Case(NamedTuple):
    """An odd image. QEMU is right, unless `differs` says why not: then the naive
    reader is."""
    name: str
    build: Callable             # build(directory) -> path of the image
    differs: str = ""


def naive_bytes(image, naive):
    """What the naive reader sees, or None if it refuses the image."""
    try:
        return naive.guest_bytes(image)
    except naive.Refused:
        return None


def right_sum(image, form, naive, differs=""):
    """The checksum that is right, or None if the image must be refused."""
    converted = None if differs else convert(image, form=form)
    if converted and converted.stat().st_size > NAIVE:
        return sum_of(converted)
    content = naive_bytes(image, naive)
    if differs:
        return None if content is None else checksum(content)
    if converted is None:
        assert content is None, "QEMU refuses what the naive reader reads"
        return None
    assert content == converted.read_bytes(), "the naive reader does not agree with QEMU"
    return checksum(content)


def check_case(disksum, directory, case, form, naive):
    image = case.build(directory)
    right = right_sum(image, form, naive, case.differs)
    done = disksum("-f", form, image, check=False, wrapper=bounded_memory())
    if right is None:
        check_refused(done)
    else:
        assert (done.returncode, done.stderr) == (0, ""), done
        assert done.stdout.split(maxsplit=1)[0] == right, done


def check_image(disksum, image, form, naive, *options, ways=None, differs=""):
    """Compare a good image, for every way to read."""
    right = right_sum(image, form, naive, differs)
    assert right, "it is refused"
    for way in WAYS if ways is None else ways:
        done = disksum("-f", form, *options, *way, image)
        assert done.stdout.split(maxsplit=1)[0] == right, (way, done)
