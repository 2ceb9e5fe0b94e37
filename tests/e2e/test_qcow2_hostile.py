# SPDX-License-Identifier: LGPL-2.1-or-later
"""Bad images: the answer of QEMU, or one clear line. No crash, no hang."""
import pytest

import qcow2_bad_backing
import qcow2_bad_clusters
import qcow2_bad_deflate
import qcow2_bad_extensions
import qcow2_bad_header
import qcow2_bad_snapshots
import qcow2_bad_tables
from qcow2_compare import check_case

pytestmark = pytest.mark.one_thread

FAMILIES = [qcow2_bad_header, qcow2_bad_extensions, qcow2_bad_tables, qcow2_bad_clusters,
            qcow2_bad_deflate, qcow2_bad_snapshots, qcow2_bad_backing]


SANITIZED = 8       # each such case runs with the sanitizer builds, too


def cases():
    for family in FAMILIES:
        for index, case in enumerate(family.CASES):
            name = family.__name__.removeprefix("qcow2_bad_")
            marks = [pytest.mark.sanitizer] if index % SANITIZED == 0 else []
            yield pytest.param(case, id=f"{name}: {case.name}", marks=marks)


@pytest.mark.parametrize("case", cases())
def test_hostile(disksum, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)     # for the name of a data file
    check_case(disksum, tmp_path, case)
