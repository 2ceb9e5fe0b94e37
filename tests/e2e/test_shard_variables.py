# SPDX-License-Identifier: LGPL-2.1-or-later
"""--shard with the number of the part in a variable of a scheduler."""

import os

import pytest

from list_oracle import read_list
from oracle import checksum, write_image

BLOCKS = 48
SLURM, KUBERNETES = "SLURM_ARRAY_TASK_ID", "JOB_COMPLETION_INDEX"


@pytest.fixture(autouse=True)
def no_scheduler(monkeypatch):
    """The tests themselves may be a task of an array."""
    for name in list(os.environ):
        if name.startswith("SLURM_") or name == KUBERNETES:
            monkeypatch.delenv(name)


@pytest.fixture
def image(tmp_path):
    return checksum(write_image(tmp_path / "disk", "1000k:A 1M:- 1048k:B"))


@pytest.mark.sanitizer(every=3)
@pytest.mark.parametrize("shard, variable, indexes", [
    ("slurm/16", SLURM, range(1, 17)),
    ("slurm:1-16", SLURM, range(1, 17)),
    ("slurm:0-15", SLURM, range(16)),
    ("slurm:3-9:2", SLURM, range(3, 10, 2)),
    ("slurm:3-10:2", SLURM, range(3, 11, 2)),
    ("slurm:7-7", SLURM, [7]),
    ("slurm:5-6:9", SLURM, [5]),
    ("kubernetes/5", KUBERNETES, range(5)),
    ("slurm/1", SLURM, [1]),
    ("kubernetes/1", KUBERNETES, [0]),
])
def test_all_tasks(disksum, tmp_path, image, shard, variable, indexes):
    """Each has its part, and together they have the disk."""
    names = []
    for place, index in enumerate(indexes):
        names.append(f"part-{index}")
        disksum(f"--shard={shard}", f"--write-list={names[-1]}", "disk", cwd=tmp_path,
                env={variable: str(index)})
        first = read_list((tmp_path / names[-1]).read_bytes()).first
        assert first == BLOCKS * place // len(indexes)
    assert disksum("--merge", *names, cwd=tmp_path).stdout == f"{image}  disk\n"


def test_task_that_is_submitted_alone(disksum, tmp_path, image):
    """Slurm then counts one task. That does not change which part it has."""
    disksum("--shard=7/16", "--write-list=by-number", "disk", cwd=tmp_path)
    disksum("--shard=slurm/16", "--write-list=by-task", "disk", cwd=tmp_path,
            env={SLURM: "7", "SLURM_ARRAY_TASK_COUNT": "1", "SLURM_ARRAY_TASK_MIN": "7",
                 "SLURM_ARRAY_TASK_MAX": "7", "SLURM_ARRAY_TASK_STEP": "1"})
    assert (tmp_path / "by-task").read_bytes() == (tmp_path / "by-number").read_bytes()


@pytest.mark.parametrize("shard, variable, index, why", [
    ("slurm/16", SLURM, "0", "0, not 1 to 16"),
    ("slurm/16", SLURM, "17", "17, not 1 to 16"),
    ("slurm:0-15", SLURM, "16", "16, not 0 to 15"),
    ("slurm:3-9:2", SLURM, "4", "4, not one of 3 to 9 by steps of 2"),
    ("slurm:3-9:2", SLURM, "11", "11, not one of 3 to 9 by steps of 2"),
    ("slurm:3-9:2", SLURM, "1", "1, not one of 3 to 9 by steps of 2"),
    ("kubernetes/4", KUBERNETES, "4", "4, not 0 to 3"),
    ("kubernetes/4", KUBERNETES, "", "not a number: ''"),
    ("slurm/4", SLURM, "1 ", "not a number: '1 '"),
    ("slurm/4", SLURM, "-1", "not a number: '-1'"),
    ("slurm/4", SLURM, "1\n", "not a number: '1\\012'"),
    ("slurm/4", SLURM, "4294967297", "not a number: '4294967297'"),
])
def test_bad_index(fails, tmp_path, image, shard, variable, index, why):
    line = fails(f"--shard={shard}", "--write-list=part", "disk", cwd=tmp_path,
                 env={variable: index})
    assert line == f"--shard={shard}: {variable} is {why}"
    assert os.listdir(tmp_path) == ["disk"]


@pytest.mark.parametrize("shard, line", [
    ("slurm/4", f"{SLURM} is not set: this is not a task of a job array"),
    ("slurm:0-3", f"{SLURM} is not set: this is not a task of a job array"),
    ("kubernetes/4", f"{KUBERNETES} is not set: this is not a pod of an indexed Job")])
def test_no_variable(fails, tmp_path, image, shard, line):
    """The variable of another scheduler is no substitute."""
    other = KUBERNETES if shard.startswith("slurm") else SLURM
    assert fails(f"--shard={shard}", "--write-list=part", "disk", cwd=tmp_path,
                 env={other: "1"}) == f"--shard={shard}: {line}"


@pytest.mark.parametrize("shard", [
    "slurm", "slurm/", "slurm/0", "slurm/-1", "slurm/4294967296", "slurm/1/4", "slurm/4 ",
    "slurm:", "slurm:4", "slurm:1-", "slurm:-4", "slurm:4-1", "slurm:1-4:", "slurm:1-4:0",
    "slurm:1-4%2", "slurm:1,3", "slurm:0-4294967295", "slurms/4", "Slurm/4", "kubernetes",
    "kubernetes:0-3", "kubernetes/0", "auto/4"])
def test_wrong_usage(disksum, tmp_path, shard):
    result = disksum(f"--shard={shard}", "--write-list=part", "disk", cwd=tmp_path,
                     check=False, env={SLURM: "1", KUBERNETES: "1"})
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"disksum: invalid shard '{shard}': must be I/N with ")
    assert os.listdir(tmp_path) == []
