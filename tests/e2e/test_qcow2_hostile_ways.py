# SPDX-License-Identifier: LGPL-2.1-or-later
"""A sample of the bad images: every way to read them has the same result."""
import random

import pytest

import qcow2_oracle
from oracle import checksum
from qcow2_compare import bounded_memory, check_refused
from test_qcow2_hostile import FAMILIES

WAYS = [["-T", "none"], ["-t", "16", "--queue-depth", "32"]]
BLOCK = 1 << 20
SMALL = 1 << 20         # the oracle is too slow for larger disks


def sample():
    draw = random.Random(1)
    for family in FAMILIES:
        name = family.__name__.removeprefix("qcow2_bad_")
        for case in draw.sample(family.CASES, 4):
            yield pytest.param(case, id=f"{name}: {case.name}")


def verdict(disksum, image, *options):
    """(exit status, the sum or the line without the image's name)."""
    done = disksum("-f", "qcow2", *options, image, check=False, wrapper=bounded_memory())
    # If the format of a backing file is not recorded, a warning comes first.
    lines = [line for line in done.stderr.splitlines(True)
             if "warning: no format is recorded" not in line]
    done.stderr = "".join(lines)
    if done.returncode:
        check_refused(done)
        return done.returncode, done.stderr.replace(str(image), "IMAGE")
    assert done.stderr == ""
    return 0, done.stdout.split()[0]


@pytest.mark.parametrize("case", sample())
def test_ways(disksum, servers, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    image = case.build(tmp_path)
    choice = ["-l", case.snapshot] if case.snapshot else []
    expected = verdict(disksum, image, *choice)
    for way in WAYS:
        assert verdict(disksum, image, *choice, *way) == expected, way

    large = verdict(disksum, image, *choice, f"--block-size={BLOCK}")
    if expected[0]:
        assert large == expected
    else:
        assert large[0] == 0
        check_sum(image, case, large[1])

    # Relative names in an export are refused.
    if not with_backing_file(image):
        for uri, _ in servers.nbdkit("file", image), servers.qemu_nbd(image):
            assert verdict(disksum, uri, *choice) == expected, uri


def check_sum(image, case, digest):
    if case.differs or case.either:
        return
    disk = qcow2_oracle.Qcow2(str(image), case.snapshot)
    if disk.size <= SMALL:
        assert digest == checksum(disk.read(0, disk.size), BLOCK)


def with_backing_file(image):
    with open(image, "rb") as file:
        return any(file.read(16)[8:])
