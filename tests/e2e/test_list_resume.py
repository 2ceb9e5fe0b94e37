# SPDX-License-Identifier: LGPL-2.1-or-later
"""--resume: the list of a run that was interrupted."""

import json
import os
import random
import shutil
import subprocess
import time

import pytest

from conftest import BUILD, sums
from list_oracle import read_list
from oracle import checksum, write_image

# The list has two chunks: the first 1 MiB has a check, which covers 8 MiB of data.
SPEC = "5M:A 3M:- 7M:B 100000:0"
BLOCK = "--digest=sha512/512"


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """An image, its checksum and its list."""
    directory = tmp_path_factory.mktemp("resume")
    content = write_image(directory / "disk", SPEC)
    subprocess.run([BUILD / "disksum", "--write-list=list", BLOCK, "disk"],
                   cwd=directory, check=True, stdout=subprocess.DEVNULL)
    return directory, checksum(content, 512, "sha512"), (directory / "list").read_bytes()


@pytest.fixture
def resume(disksum, tmp_path, case):
    """Go on with a part. Returns how many bytes were read of the image: the
    checksum and the list are as without an interruption."""
    directory, expected, whole = case

    def run(part, *args):
        (tmp_path / "list.part").write_bytes(part)
        out = disksum("--write-list=list", "--resume", BLOCK, "--json", *args,
                      directory / "disk", cwd=tmp_path).stdout
        found = json.loads(out)
        assert found["checksum"] == expected
        assert found["data"] + found["zero"] + found["hole"] + found["known"] == \
            found["virtual-size"]
        assert os.listdir(tmp_path) == ["list"]
        assert digests(tmp_path / "list") == digests(directory / "list")
        return found["read"]
    return run


def digests(path):
    """All that a list says but how it was cut into chunks."""
    found = read_list(path.read_bytes())
    return found.mds, found.checksum, found.length


# --- cut ------------------------------------------------------------------

def test_cut_at_any_byte(resume, case):
    _, _, whole = case
    rnd = random.Random(1)
    everything = resume(b"")
    cuts = sorted({0, 1, 8, 71, 72, len(whole) - 1, len(whole),
                   *range(len(whole) - 200, len(whole), 50),
                   *(rnd.randrange(len(whole)) for _ in range(4))})
    read = [resume(whole[:cut]) for cut in cuts]
    # The more there is, the less is read.
    assert read == sorted(read, reverse=True)
    assert read[0] == everything and read[-1] == 0
    assert 0 < resume(whole[:1200000]) < everything - (7 << 20)


@pytest.mark.parametrize("zeros", [1, 4096, 400000])
def test_tail_of_zeros(resume, case, zeros):
    """As some file systems leave it after a power cut."""
    _, _, whole = case
    resume(whole[:-zeros] + bytes(zeros))
    resume(whole[:1100000] + bytes(zeros))


@pytest.mark.sanitizer
def test_damage(resume, case):
    """What follows it is not used."""
    _, _, whole = case
    broken = bytearray(whole)
    broken[1200000] ^= 1
    assert resume(bytes(broken)) == resume(whole[:1100000])


def test_threads(resume, case):
    _, _, whole = case
    for threads in "1", "7":
        resume(whole[:1100000], "-t", threads, "--read-size=64k")


# --- killed ---------------------------------------------------------------

def test_killed(disksum, tmp_path, case):
    """At random moments, again and again."""
    directory, expected, _ = case
    rnd = random.Random(2)
    command = [BUILD / "disksum", "--write-list=list", "--resume", BLOCK, "-q",
               directory / "disk"]
    killed = 0
    for _ in range(8):
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as process:
            time.sleep(rnd.random() * 0.08)
            process.kill()
            out, _ = process.communicate()
        killed += process.returncode != 0
        # It may die after its last word, too.
        assert sums(out.decode()) == [expected] if out else process.returncode
    assert killed
    out = disksum("--write-list=list", "--resume", BLOCK, directory / "disk", cwd=tmp_path).stdout
    assert sums(out) == [expected]
    assert os.listdir(tmp_path) == ["list"]
    assert digests(tmp_path / "list") == digests(directory / "list")


def test_killed_twice(tmp_path, disksum, case):
    """Each time when there is one more chunk in the list."""
    content = write_image(tmp_path / "large", "40M:A")
    for chunks in 1, 2:
        with subprocess.Popen(
                [BUILD / "disksum", "--write-list=list", "--resume", BLOCK, "-t1", "large"],
                cwd=tmp_path, stdout=subprocess.PIPE) as process:
            while process.poll() is None and \
                    size_of(tmp_path / "list.part") <= chunks << 20:
                pass
            process.kill()
            if process.wait() == 0:
                pytest.skip("this machine is too fast")
    found = json.loads(disksum("--write-list=list", "--resume", BLOCK, "--json", "large",
                               cwd=tmp_path).stdout)
    assert found["checksum"] == checksum(content, 512, "sha512")
    assert found["known"] >= 15 << 20
    assert found["read"] == found["virtual-size"] - found["known"]


def size_of(path):
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def test_with_an_older_list(disksum, tmp_path):
    """What the part does not have may be known from there."""
    write_image(tmp_path / "disk", "16M:A")
    disksum("--write-list=old", BLOCK, "disk", cwd=tmp_path)
    with open(tmp_path / "disk", "r+b") as f:
        f.seek(12 << 20)
        f.write(b"x" * (1 << 20))
    (tmp_path / "changes").write_text(
        f'[{{"offset": {12 << 20}, "length": {1 << 20}, "exists": "true"}}]')
    disksum("--write-list=new", BLOCK, "disk", cwd=tmp_path)
    new = (tmp_path / "new").read_bytes()
    (tmp_path / "new.part").write_bytes(new[:1200000])
    found = json.loads(disksum(
        "--write-list=new", "--resume", "--base=old", "--changes=changes", BLOCK, "--json",
        "disk", cwd=tmp_path).stdout)
    assert found["checksum"] == checksum(tmp_path / "disk", 512, "sha512")
    assert (found["read"], found["known"]) == (1 << 20, 15 << 20)
    assert read_list((tmp_path / "new").read_bytes()).mds == read_list(new).mds


@pytest.fixture
def bad_base(disksum, tmp_path):
    """An image, and the options for a list that turns out to be that of another disk at
    its end only; what has changed are the last 2 MiB."""
    write_image(tmp_path / "disk", "24M:A")
    disksum("--write-list=old", BLOCK, "-", input="B" * (25 << 20), cwd=tmp_path)
    (tmp_path / "changes").write_text(
        f'[{{"offset": {22 << 20}, "length": {2 << 20}, "exists": "true"}}]')
    return ["--write-list=new", BLOCK, "--base=old", "--changes=changes", "-t1",
            "--queue-depth=1"]


def test_older_list_of_another_disk(disksum, fails, tmp_path, bad_base):
    """None of its digests can be resumed."""
    assert fails(*bad_base, "disk", cwd=tmp_path) == \
        "old: is the list of a disk of 26214400 bytes, but the disk of 'disk' has 25165824"
    assert not (tmp_path / "new.part").exists()
    disksum("--write-list=new", BLOCK, "disk", cwd=tmp_path)
    part = (tmp_path / "new").read_bytes()[:1200000]
    (tmp_path / "new.part").write_bytes(part)
    fails(*bad_base, "--resume", "disk", cwd=tmp_path)
    assert part.startswith((tmp_path / "new.part").read_bytes())
    found = json.loads(disksum("--write-list=new", "--resume", "--json", BLOCK, "disk",
                               cwd=tmp_path).stdout)
    assert found["checksum"] == checksum(tmp_path / "disk", 512, "sha512")
    assert found["known"] > 7 << 20


@pytest.mark.parametrize("good", [True, False])
def test_older_list_before_an_error(build, disksum, fails, tmp_path, bad_base, good):
    """It is verified before the image is read."""
    if good:
        disksum("--write-list=old", BLOCK, "disk", cwd=tmp_path)
    line = fails(*bad_base, "disk", cwd=tmp_path, env={
        "LD_PRELOAD": str(build / "tests/read-error.so"), "DISKSUM_READS": "copy",
        "READ_ERROR_OFFSET": str(23 << 20)})
    assert line == (f"disk: read error at offset {23 << 20}: Input/output error" if good else
                    "old: is the list of a disk of 26214400 bytes, but the disk of 'disk' has "
                    "25165824")
    assert (tmp_path / "new.part").exists() == good


# --- another image --------------------------------------------------------

@pytest.fixture
def refused(fails, tmp_path, case):
    """A part of the list of a copy of the image, as it was. Returns why it is
    not resumed; nothing changes."""
    directory, _, _ = case
    shutil.copy(directory / "disk", tmp_path / "disk")
    subprocess.run([BUILD / "disksum", "--write-list=list", BLOCK, "disk"], cwd=tmp_path,
                   check=True, stdout=subprocess.DEVNULL)
    part = (tmp_path / "list").read_bytes()[:1200000]

    def run(*args):
        (tmp_path / "list.part").write_bytes(part)
        line = fails("--write-list=list", "--resume", *(args or [BLOCK, "disk"]), cwd=tmp_path)
        assert (tmp_path / "list.part").read_bytes() == part
        assert line.startswith("list.part: ")
        return line[len("list.part: "):]
    return run


def test_other_options(refused):
    assert refused("-d", "sha512/4k", "disk") == \
        "cannot resume: its block size is 512, not 4096"
    assert refused("-d", "sha1/512", "disk") == \
        "cannot resume: its digest is sha512, not sha1"


@pytest.mark.sanitizer
def test_changed_image(refused, tmp_path):
    """Each change on its own."""
    disk = tmp_path / "disk"
    before = disk.stat()

    def why(field):
        line = refused()
        assert f"the {field} of 'disk' was " in line, line
    os.utime(disk, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    why("mtime")
    os.utime(disk, ns=(before.st_atime_ns, before.st_mtime_ns))
    why("ctime")
    shutil.copy2(disk, tmp_path / "copy")
    os.replace(tmp_path / "copy", disk)
    why("inode")
    os.truncate(disk, 16 << 20)
    assert refused() == "cannot resume: its disk size is 15828992, not 16777216"


def test_other_backing_file(disksum, fails, tmp_path):
    """Of the same size."""
    for name in "one", "two":
        write_image(tmp_path / name, f"20M:{name[0]}")
    make = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b"]
    subprocess.run([*make, "one", "over"], cwd=tmp_path, check=True)
    disksum("--write-list=list", BLOCK, "over", cwd=tmp_path)
    (tmp_path / "list.part").write_bytes((tmp_path / "list").read_bytes()[:1200000])
    os.replace(tmp_path / "two", tmp_path / "one")
    line = fails("--write-list=list", "--resume", BLOCK, "over", cwd=tmp_path)
    assert "the list is of another image: the inode of 'one' was " in line


def test_changed_while_it_was_read(fails, build, tmp_path):
    """Nobody can go on with that: where a mapping changes no time, it would not be noticed."""
    path = tmp_path / "disk"
    write_image(path, SPEC)
    assert fails(f"--write-list={tmp_path}/list", BLOCK, path, env={
        "LD_PRELOAD": f"{build}/tests/change-file.so", "CHANGE_FILE": str(path),
        "CHANGE_SIZE": str(path.stat().st_size), "CHANGE_AT": "open"}) == \
        f"{path}: the file changed while it was read"
    assert os.listdir(tmp_path) == ["disk"]


# --- what cannot be compared ----------------------------------------------

def test_export(disksum, servers, tmp_path, case):
    directory, expected, whole = case
    uri, _ = servers.nbdkit("file", directory / "disk")
    disksum("--write-list=list", BLOCK, uri, cwd=tmp_path)
    part = (tmp_path / "list").read_bytes()[:1200000]
    for options, warns in ([], True), (["-q"], False):
        (tmp_path / "list.part").write_bytes(part)
        result = disksum("--write-list=list", "--resume", BLOCK, *options, uri, cwd=tmp_path,
                         check=False)
        assert sums(result.stdout) == [expected]
        assert result.stderr == (
            f"disksum: {uri}: warning: cannot tell whether it has changed "
            "since the interrupted run, except in size\n" if warns else "")


def test_device(disksum, loop_device, tmp_path, case):
    directory, _, whole = case
    device = loop_device(directory / "disk")
    out = disksum("--write-list=list", BLOCK, device, cwd=tmp_path).stdout
    (tmp_path / "list.part").write_bytes((tmp_path / "list").read_bytes()[:1200000])
    result = disksum("--write-list=list", "--resume", BLOCK, device, cwd=tmp_path,
                     check=False)
    assert (result.returncode, result.stdout) == (0, out)
    assert result.stderr.startswith(f"disksum: {device}: warning: cannot tell ")


def test_pipe(fails, tmp_path):
    assert fails("--write-list=list", "--resume", "-", input="x", cwd=tmp_path) == \
        "-: is a pipe: it cannot be resumed"
    assert os.listdir(tmp_path) == []


def test_part_of_a_pipe(disksum, fails, tmp_path, case):
    """Nobody knows of which disk it is, and a pipe cannot be read again."""
    directory, _, _ = case
    disksum("--write-list=list", BLOCK, "-", input="A" * 12000000, cwd=tmp_path)
    os.truncate(tmp_path / "list", 1200000)
    os.rename(tmp_path / "list", tmp_path / "list.part")
    assert fails("--write-list=list", BLOCK, "--resume", directory / "disk", cwd=tmp_path) == \
        "list.part: cannot resume: it is the list of a pipe"
    assert fails("--write-list=list", BLOCK, "-", input="x", cwd=tmp_path) == \
        "list.part: was left by an interrupted run; remove it"


def test_list_in_a_pipe(fails, tmp_path, case):
    directory, _, _ = case
    assert fails("--write-list=/dev/null", "--resume", directory / "disk") == \
        "/dev/null: is not a regular file: it cannot be resumed"


# --- the part -------------------------------------------------------------

def test_part_without_resume(fails, tmp_path, case):
    directory, _, whole = case
    (tmp_path / "list.part").write_bytes(whole[:1200000])
    assert fails("--write-list=list", BLOCK, directory / "disk", cwd=tmp_path) == \
        "list.part: was left by an interrupted run; continue it with --resume, or remove it"
    assert (tmp_path / "list.part").read_bytes() == whole[:1200000]


def test_no_part(disksum, tmp_path, case):
    directory, expected, whole = case
    result = disksum("--write-list=list", "--resume", BLOCK, "-v", directory / "disk",
                     cwd=tmp_path, check=False)
    assert sums(result.stdout) == [expected]
    assert "disksum: list.part: nothing to resume; starting from the beginning\n" in \
        result.stderr
    assert digests(tmp_path / "list") == digests(directory / "list")


def test_part_of_another_user(fails, tmp_path, case):
    """In a directory for all: who made it chose the digests in it."""
    directory, _, whole = case
    if os.geteuid() != 0:
        pytest.skip("not root")
    (tmp_path / "list.part").write_bytes(whole[:1200000])
    os.chown(tmp_path / "list.part", 12345, 12345)
    (tmp_path).chmod(0o1777)
    line = fails("--write-list=list", "--resume", BLOCK, directory / "disk", cwd=tmp_path)
    assert line == "list.part: belongs to another user"


def test_usage(disksum):
    result = disksum("--resume", "disk", check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(
        "disksum: the --resume option requires --write-list\n")
