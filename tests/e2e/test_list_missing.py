# SPDX-License-Identifier: LGPL-2.1-or-later
"""--merge, where parts are missing or bad: it names all that must be hashed again."""

import os
import random
import shutil

import pytest

from list_oracle import read_list, write_list
from oracle import checksum, write_image

PARTS = 16


@pytest.fixture
def image(tmp_path):
    """A raw image; returns its checksum."""
    return checksum(write_image(tmp_path / "disk", "12M:A 8M:- 5000k:B"))


@pytest.fixture
def names(disksum, tmp_path, image):
    """The lists of all parts. Their blocks are many more than the parts."""
    found = []
    for i in range(1, PARTS + 1):
        found.append(f"part-{i}")
        disksum(f"--shard={i}/{PARTS}", f"--write-list={found[-1]}", "--block-size=4k", "disk",
                cwd=tmp_path)
    return found


@pytest.fixture
def refused(fails, tmp_path):
    """The error for lists in any order, which leaves nothing behind."""
    def run(names):
        before = sorted(os.listdir(tmp_path))
        names = list(names)
        random.Random(1).shuffle(names)
        line = fails("--merge", "--write-list=whole", *names, cwd=tmp_path)
        assert sorted(os.listdir(tmp_path)) == before
        return line
    return run


def damage(path):
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def without(names, *parts):
    return [name for name in names if int(name.split("-")[1]) not in parts]


@pytest.mark.sanitizer
@pytest.mark.parametrize("parts, message", [
    ([1], "part 1/16 is missing"),
    ([16], "part 16/16 is missing"),
    ([3, 7, 8, 9], "parts 3,7-9/16 are missing"),
    ([1, 2, 10, 16], "parts 1-2,10,16/16 are missing"),
    (range(2, 16), "parts 2-15/16 are missing")])
def test_missing(refused, names, parts, message):
    """The user named those that are there, as the pattern of a shell does."""
    assert refused(without(names, *parts)) == f"disk: {message}"


def test_hash_what_is_missing(disksum, refused, names, tmp_path, image):
    """The message is all that one has to know to go on."""
    line = refused(without(names, 5, 11, 12))
    assert line == "disk: parts 5,11-12/16 are missing"
    for part in 5, 11, 12:
        disksum(f"--shard={part}/16", f"--write-list=again-{part}", "--block-size=4k", "disk",
                cwd=tmp_path)
    out = disksum("--merge", *without(names, 5, 11, 12), "again-12", "again-5", "again-11",
                  cwd=tmp_path).stdout
    assert out == disksum("--block-size=4k", "disk", cwd=tmp_path).stdout


@pytest.mark.sanitizer
def test_no_file(refused, names, tmp_path):
    """The user named them all."""
    for part in 3, 4:
        (tmp_path / f"part-{part}").unlink()
    (tmp_path / "part-9").unlink()
    (tmp_path / "part-9").mkdir()
    line = refused(names)
    assert line.endswith("; so parts 3-4,9/16 are missing")
    assert line.split(";")[0] in [
        "part-3: No such file or directory", "part-4: No such file or directory",
        "part-9: is a directory"]


@pytest.mark.sanitizer
def test_bad_and_missing(refused, names, tmp_path):
    """One fault is described. All parts that are concerned have their number."""
    damage(tmp_path / "part-6")
    assert refused(names).startswith("part-6: broken digest list: a wrong check at offset ")
    assert refused(names).endswith("; so part 6/16 is missing")
    damage(tmp_path / "part-14")
    os.truncate(tmp_path / "part-11", (tmp_path / "part-11").stat().st_size - 1)
    line = refused(without(names, 2))
    assert line.endswith("; so parts 2,6,11,14/16 are missing")
    assert line.startswith(("part-6: broken ", "part-14: broken ", "part-11: incomplete "))


def test_list_of_a_task_that_was_killed(refused, names, tmp_path):
    """It still has its other name, and is incomplete."""
    part = (tmp_path / "part-8").read_bytes()
    (tmp_path / "part-8").unlink()
    (tmp_path / "part-8.part").write_bytes(part[:-50])
    line = refused([*without(names, 8), "part-8.part"])
    assert line == "part-8.part: incomplete digest list: it ends at offset " \
        f"{len(part) - 50}; so part 8/16 is missing"


def test_bad_header(refused, names, tmp_path):
    for part, content in [(2, b""), (3, b"BLKLIST\0"), (4, b"x")]:
        (tmp_path / f"part-{part}").write_bytes(content)
    assert refused(names).endswith("; so parts 2-4/16 are missing")


def test_list_that_is_not_needed(refused, names, tmp_path):
    """It is an error all the same, but nothing is missing."""
    assert refused([*names, "part-17"]) == "part-17: No such file or directory"
    shutil.copy(tmp_path / "part-3", tmp_path / "bad")
    damage(tmp_path / "bad")
    assert "missing" not in refused([*names, "bad"])


def test_nothing_to_open(refused, names):
    assert refused(["none"]) == "none: No such file or directory"


def test_whole_list_is_bad(refused, disksum, names, tmp_path):
    disksum("--write-list=list", "disk", cwd=tmp_path)
    damage(tmp_path / "list")
    assert refused(["list"]).startswith("list: broken digest list: ")
    assert "missing" not in refused(["list"])


def test_part_of_another_disk(refused, disksum, names, tmp_path):
    """The others are all of one."""
    shutil.copy(tmp_path / "disk", tmp_path / "copy")
    disksum("--shard=3/16", "--write-list=part-3", "--block-size=4k", "copy", cwd=tmp_path)
    line = refused(names)
    assert line.startswith("part-3: the list is of another image than part-")
    assert " of 'copy' is " in line and ", but that of 'disk' is " in line


def test_other_cut(refused, disksum, names, tmp_path):
    """Lists that were not cut alike are no parts of one number."""
    disksum("--shard=3/5", "--write-list=other", "--block-size=4k", "disk", cwd=tmp_path)
    line = refused([*names[:3], "other"])
    assert line.endswith(": no list has the blocks between them")


def test_out_of_descriptors(fails, names, tmp_path):
    """That says nothing of the lists."""
    line = fails("--merge", *names, cwd=tmp_path, wrapper=["prlimit", "--nofile=12:12"])
    assert line.endswith(": Too many open files")


def test_many_parts(fails, disksum, tmp_path, image):
    """The line can be read, and given to a scheduler."""
    count = 4096
    content = (tmp_path / "disk").read_bytes()[-5 * count * 512:]
    (tmp_path / "disk").write_bytes(content)
    disksum("--write-list=list", "--block-size=512", "disk", cwd=tmp_path)
    source = read_list((tmp_path / "list").read_bytes()).source
    for part in range(100, count, 100):
        (tmp_path / f"part-{part}").write_bytes(
            write_list(content, source, 512, first=5 * (part - 1), count=5))
    line = fails("--merge", *tmp_path.glob("part-*"), cwd=tmp_path)
    ranges = [f"{part + 1}-{min(part + 99, count)}" for part in range(0, count, 100)]
    assert line == f"disk: parts {','.join(ranges)}/4096 are missing"
