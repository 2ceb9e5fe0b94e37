# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checksums that never change: other tools print the same."""

import pytest

from conftest import sums

EMPTY = "af5570f5a1810b7af78caf4bc70a660f0df51e42baf91d4de5b2328de0e83dfc"


@pytest.mark.sanitizer
def test_empty(disksum, tmp_path):
    (tmp_path / "disk").touch()
    assert disksum(tmp_path / "disk").stdout == \
        f"{EMPTY}  {tmp_path}/disk\n"
    assert disksum(input="").stdout == f"{EMPTY}  -\n"


@pytest.mark.sanitizer
@pytest.mark.parametrize("options", [
    [], ["-t", "1", "--queue-depth", "1"], ["-T", "none"]])
def test_six_gib_of_zeros(disksum, tmp_path, options):
    with open(tmp_path / "disk", "wb") as f:
        f.truncate(6 << 30)
    [checksum] = sums(disksum(*options, tmp_path / "disk").stdout)
    assert checksum.startswith("af207a38") and checksum.endswith("76d9")


def test_demo_image(disksum, root):
    assert sums(disksum(root / "demo/disk.raw").stdout) == [
        "731f1e2fc9bd8d9469caaddc83dbffe8e217640c1af5c8e1b109d994966eed3b"]
