# SPDX-License-Identifier: LGPL-2.1-or-later
"""--shard and --merge: the parts of a disk, and all of it."""

import json
import os
import random
import shutil
import subprocess

import pytest

from conftest import BUILD, sums
from list_oracle import read_list, write_list
from oracle import checksum, write_image

SPEC = "200000:A 300k:- 128k:0 70000:B 77:C"


@pytest.fixture
def image(tmp_path):
    """A raw image; returns its checksum."""
    return checksum(write_image(tmp_path / "disk", SPEC))


@pytest.fixture
def shards(disksum, tmp_path):
    """Hash an image in parts. Returns their names."""
    def make(count, *args, disk="disk"):
        names = []
        for i in range(1, count + 1):
            names.append(f"part-{i}")
            out = disksum(f"--shard={i}/{count}", f"--write-list={names[-1]}", *args, disk,
                          cwd=tmp_path).stdout
            assert out == ""
        return names
    return make


# --- parts ---------------------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("count", [1, 3, 14])
def test_any_count(disksum, shards, tmp_path, image, count):
    """Also more parts than blocks. They are cut by length."""
    names = shards(count)
    lists = [read_list((tmp_path / name).read_bytes()) for name in names]
    total = sum(len(part.mds) for part in lists)
    assert total == 11
    assert [part.first for part in lists] == [i * total // count for i in range(count)]
    random.Random(count).shuffle(names)
    assert disksum("--merge", *names, cwd=tmp_path).stdout == f"{image}  disk\n"
    # The whole list is that of one run.
    disksum("--merge", "--write-list=whole", *names, cwd=tmp_path)
    disksum("--write-list=list", "disk", cwd=tmp_path)
    assert (tmp_path / "whole").read_bytes() == (tmp_path / "list").read_bytes()


def test_parts_are_not_read_twice(disksum, tmp_path):
    write_image(tmp_path / "disk", "4M:A")
    read = []
    for i in range(1, 5):
        out = disksum(f"--shard={i}/4", "--write-list=part", "--json", "disk",
                      cwd=tmp_path).stdout
        found = json.loads(out)
        assert "checksum" not in found
        assert found["virtual-size"] == 4 << 20
        read.append(found["read"])
    assert read == [1 << 20] * 4


@pytest.mark.sanitizer
def test_empty_disk(disksum, shards, tmp_path):
    write_image(tmp_path / "disk", "")
    assert disksum("--merge", *shards(3), cwd=tmp_path).stdout == f"{checksum(b'')}  disk\n"


def test_formats_and_options(disksum, shards, tmp_path, image):
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", "-c", "disk", "disk.qcow2"],
                   cwd=tmp_path, check=True)
    names = shards(3, "-d", "sha1/4k", disk="disk.qcow2")
    content = (tmp_path / "disk").read_bytes()
    out = disksum("--merge", "--tag", *names, cwd=tmp_path).stdout
    assert out == f"BLKHASH-SHA1-4K (disk.qcow2) = {checksum(content, 4096, 'sha1')}\n"


def test_export(disksum, shards, servers, tmp_path, image):
    """Whether all parts are of one, and of the same time, nobody can tell."""
    uri, _ = servers.nbdkit("file", tmp_path / "disk")
    names = shards(3, disk=uri)
    result = disksum("--merge", *names, cwd=tmp_path, check=False)
    assert (result.returncode, sums(result.stdout)) == (0, [image])
    assert result.stderr == f"disksum: {uri}: warning: cannot tell whether it changed between " \
        "the lists, except in size\n"
    assert sums(disksum("-q", "--merge", *names, cwd=tmp_path).stdout) == [image]


def test_resume(disksum, tmp_path):
    """A part, too, can be interrupted."""
    content = write_image(tmp_path / "disk", "24M:A")
    shard = ["--shard=2/2", "--write-list=b", "-d", "sha512/512"]
    disksum("--shard=1/2", "--write-list=a", "-d", "sha512/512", "disk", cwd=tmp_path)
    disksum(*shard, "disk", cwd=tmp_path)
    (tmp_path / "b.part").write_bytes((tmp_path / "b").read_bytes()[:1200000])
    found = json.loads(disksum(*shard, "--resume", "--json", "disk", cwd=tmp_path).stdout)
    assert found["known"] > 7 << 20
    assert found["known"] + found["data"] == 12 << 20
    assert sums(disksum("--merge", "a", "b", cwd=tmp_path).stdout) == \
        [checksum(content, 512, "sha512")]


def test_resume_of_another_part(fails, disksum, tmp_path):
    write_image(tmp_path / "disk", "24M:A")
    options = ["--write-list=a", "-d", "sha512/512"]
    disksum("--shard=1/2", *options, "disk", cwd=tmp_path)
    part = (tmp_path / "a").read_bytes()
    for shard, kept, why in [
            ("2/2", 1200000, "first block is 0, not 24576"),
            ("1/4", 1200000, "number of blocks is 16384, not 12288"),
            ("1/1", len(part), "number of blocks is 24576, not 49152")]:
        (tmp_path / "a.part").write_bytes(part[:kept])
        line = fails(f"--shard={shard}", *options, "--resume", "disk", cwd=tmp_path)
        assert line.startswith("a.part: cannot resume: its ")
        if shard != "1/4":
            assert line == f"a.part: cannot resume: its {why}"


def test_pipe(fails, tmp_path):
    assert fails("--shard=1/2", "--write-list=a", "-", input="x", cwd=tmp_path) == \
        "-: is a pipe: it cannot be divided into parts"
    assert os.listdir(tmp_path) == []


def test_lists_of_pipes(fails, disksum, tmp_path):
    """Nobody knows whether one is a part of the other."""
    for name, content in ("a", "x" * 70000), ("b", "x" * 5000), ("c", ""):
        disksum(f"--write-list={name}", input=content, cwd=tmp_path)
    for names in ("a", "b"), ("b", "c"), ("c", "b"), ("c", "c"):
        assert fails("--merge", *names, cwd=tmp_path).endswith(
            ": is a list of a pipe, which cannot be merged")


# --- what does not fit ---------------------------------------------------

def test_no_checksum_of_a_part(fails, disksum, shards, tmp_path, image):
    shards(3)
    assert fails("--show", "part-2", cwd=tmp_path) == \
        "part-2: is the list of a part of a disk, 4 blocks from block 3 on; it has no checksum"
    shown = json.loads(disksum("--show", "--json", "part-2", cwd=tmp_path).stdout)
    assert "checksum" not in shown
    assert (shown["first-block"], shown["blocks"], shown["virtual-size"]) == \
        (3, 4, (tmp_path / "disk").stat().st_size // 512 * 512 + 512)
    assert [(r["start"] // 65536, r["length"] // 65536) for r in shown["ranges"]] == \
        [(3, 1), (4, 3)]


def test_gap(fails, disksum, shards, tmp_path, image):
    """Where the lists were not cut alike, it is named by its blocks."""
    shards(3)
    for part in "3/4", "3/5":
        disksum(f"--shard={part}", f"--write-list=part-{part.replace('/', '-of-')}", "disk",
                cwd=tmp_path)
    for parts, why in [
            (["part-3-of-4", "part-3"], "part-3-of-4: begins at block 5: no list has the blocks "
             "before it"),
            (["part-3-of-5", "part-1"], "part-3-of-5: begins at block 4, but part-1 ends at "
             "block 3: no list has the blocks between them"),
            (["part-2", "part-1"], "disk: part 3/3 is missing")]:
        assert fails("--merge", "--write-list=whole", *parts, cwd=tmp_path) == why
        assert not (tmp_path / "whole").exists()
        assert not (tmp_path / "whole.part").exists()


def test_overlap(fails, disksum, shards, tmp_path, image):
    shards(3)
    disksum("--shard=1/2", "--write-list=half", "disk", cwd=tmp_path)
    assert fails("--merge", "half", "part-2", "part-3", cwd=tmp_path) == \
        "part-2: begins at block 3, but half ends at block 5: they overlap"
    assert "they overlap" in fails("--merge", "part-1", "part-1", cwd=tmp_path)


def test_other_disk(fails, disksum, shards, tmp_path, image):
    shards(2)
    shutil.copy2(tmp_path / "disk", tmp_path / "copy")
    for name, args, disk, why in [
            ("x", ["--block-size=4k"], "disk", "the block size is 4096, but 65536 in part-1"),
            ("x", ["-d", "sha1"], "disk", "the digest is sha1, but sha256 in part-1"),
            ("x", [], "copy", "the list is of another image than part-1: the inode of ")]:
        disksum("--shard=2/2", f"--write-list={name}", *args, disk, cwd=tmp_path)
        assert fails("--merge", "part-1", name, cwd=tmp_path).startswith(f"x: {why}")
    os.utime(tmp_path / "disk", (1, 1))
    disksum("--shard=2/2", "--write-list=x", "disk", cwd=tmp_path)
    assert "the mtime of 'disk' is " in fails("--merge", "part-1", "x", cwd=tmp_path)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("args, name, why", [
    (["--block-size=4k"], "disk", "the block size is 4096, but 65536 in "),
    (["-d", "sha1"], "disk", "the digest is sha1, but sha256 in "),
    ([], "longer", "the disk has 709120 bytes, but "),
    ([], "copy", "the list is of another image than ")])
def test_list_that_does_not_fit(fails, disksum, shards, tmp_path, image, number, args, name,
                                why):
    """The error is about the one that is of another disk, wherever it is among the others."""
    shards(4)
    shutil.copy(tmp_path / "disk", tmp_path / "copy")
    (tmp_path / "longer").write_bytes((tmp_path / "disk").read_bytes() + bytes(512))
    part = f"part-{number + 1}"
    disksum(f"--shard={number + 1}/4", f"--write-list={part}", *args, name, cwd=tmp_path)
    line = fails("--merge", *(f"part-{i}" for i in (1, 2, 3, 4)), cwd=tmp_path)
    assert line.startswith(f"{part}: {why}")
    if name == "copy":
        inodes = [(tmp_path / file).stat().st_ino for file in ("copy", "disk")]
        other = "part-2" if number == 0 else "part-1"
        assert line.endswith(f"{other}: the inode of 'copy' is {inodes[0]}, "
                             f"but that of 'disk' is {inodes[1]} there")


def other_host(source, **changes):
    """What another host would have recorded."""
    found = json.loads(source)
    found.update(filename=changes.get("name", "/other/disk"))
    found["files"][0].update(filename="/other/disk", device=77, **changes.get("file", {}))
    return json.dumps(found).encode()


@pytest.mark.sanitizer
def test_other_host(disksum, fails, shards, tmp_path, image):
    """It has other names for the files, and numbers for the devices."""
    shards(2)
    content = (tmp_path / "disk").read_bytes()
    content += bytes(-len(content) % 512)
    source = read_list((tmp_path / "part-1").read_bytes()).source
    (tmp_path / "part-2").write_bytes(write_list(content, other_host(source), first=5))
    assert disksum("--merge", "part-1", "part-2", cwd=tmp_path).stdout == f"{image}  disk\n"
    assert disksum("--merge", "part-2", "part-1", cwd=tmp_path).stdout == \
        f"{image}  /other/disk\n"
    for key, value in [("inode", 1), ("size", 5), ("ctime", "x"), ("kind", "other")]:
        changed = other_host(source, file={key: value})
        (tmp_path / "part-2").write_bytes(write_list(content, changed, first=5))
        line = fails("--merge", "part-1", "part-2", cwd=tmp_path)
        assert line.startswith("part-2: the list is of another image than part-1: the "
                               f"{key} of '/other/disk' is {value}, but that of 'disk' is ")
    for source in b"", b"[]", b"{", b"\0":
        (tmp_path / "part-2").write_bytes(write_list(content, source, first=5))
        assert fails("--merge", "part-1", "part-2", cwd=tmp_path) == \
            "part-2: broken list: its header does not say of which image it is"


# --- more of merging -----------------------------------------------------

def test_whole_lists(disksum, tmp_path, image):
    disksum("--write-list=list", "disk", cwd=tmp_path)
    assert disksum("--merge", "list", cwd=tmp_path).stdout == f"{image}  disk\n"
    data = (tmp_path / "list").read_bytes()
    assert disksum("--merge", input=data).stdout == f"{image}  disk\n"
    found = json.loads(disksum("--merge", "--json", "-", input=data).stdout)
    assert (found["filename"], found["checksum"], found["algorithm"], found["block-size"]) == \
        ("disk", image, "sha256", 65536)


def test_standard_output(disksum, shards, tmp_path, image):
    names = shards(2)
    disksum("--merge", "--write-list=whole", *names, cwd=tmp_path)
    with open(tmp_path / "out", "wb") as f:
        disksum("--merge", "--write-list=-", *names, cwd=tmp_path, stdout=f)
    assert (tmp_path / "out").read_bytes() == (tmp_path / "whole").read_bytes()


def test_no_part_of_bad_lists(disksum, fails, tmp_path):
    """What was merged before a list turned out to be bad cannot be resumed."""
    write_image(tmp_path / "disk", "20M:A")
    for i in "1", "2":
        disksum(f"--shard={i}/2", f"--write-list={i}", "--digest=sha512/512", "disk",
                cwd=tmp_path)
    bad = bytearray((tmp_path / "2").read_bytes())
    bad[-100] ^= 1
    (tmp_path / "2").write_bytes(bad)
    fails("--merge", "--write-list=whole", "1", "2", cwd=tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["1", "2", "disk"]


def test_name_of_a_part(fails, shards, tmp_path, image):
    names = shards(2)
    before = (tmp_path / "part-1").read_bytes()
    assert fails("--merge", "--write-list=part-1", *names, cwd=tmp_path) == \
        "part-1: is one of the lists that are merged"
    assert (tmp_path / "part-1").read_bytes() == before


@pytest.mark.sanitizer
def test_hostile_names(disksum, tmp_path):
    content = bytes(512)
    for source, name in [
            (b'{"filename": "a\\nb"}', "\\{}  a\\nb\n"),
            (b'{"filename": "\\ufffd", "filename-hex": "ff"}', "{}  \udcff\n"),
            (b'{"filename": "x", "filename-hex": "0"}', "{}  list\n"),
            (b'{"filename": "x", "filename-hex": "6100"}', "{}  list\n"),
            (b'{"filename": ""}', "{}  list\n"), (b'{"filename": 7}', "{}  list\n"), (b"", "{}  list\n")]:
        (tmp_path / "list").write_bytes(write_list(content, source))
        assert disksum("--merge", "list", cwd=tmp_path).stdout == name.format(checksum(content))


@pytest.mark.sanitizer
def test_hostile_name_on_a_terminal(tmp_path):
    (tmp_path / "list").write_bytes(write_list(bytes(512), b'{"filename": "\\u001b[2Ja"}'))
    ours, its = os.openpty()
    subprocess.run([BUILD / "disksum", "--merge", "list"], cwd=tmp_path, stdout=its, check=True)
    os.close(its)
    assert os.read(ours, 1000).decode() == f"{checksum(bytes(512))}  \\033[2Ja\r\n"
    os.close(ours)


def test_max_size(fails, shards, tmp_path, image):
    line = fails("--merge", "--max-size=64k", *shards(2), cwd=tmp_path)
    assert line == "part-1: the disk has 708608 bytes, more than --max-size allows"


@pytest.mark.parametrize("shard", ["", "1", "0/3", "4/3", "1/", "/2", "1/2/3", "a/b", "-1/2",
                                   "+1/2", " 1/2", "1/0", "1/99999999999", "1/4294967296"])
def test_bad_shard(disksum, shard):
    result = disksum(f"--shard={shard}", "--write-list=a", "disk", check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(
        f"disksum: invalid shard '{shard}': must be I/N with I from 1 to N, slurm/N, "
        "slurm:FIRST-LAST[:STEP] or kubernetes/N\n")


@pytest.mark.parametrize("args, message", [
    (["--shard=1/2", "a"], "the --shard option requires --write-list"),
    (["--merge", "--show", "a"], "the --show and --merge options are mutually exclusive"),
    (["--merge", "-c", "a"], "the --check and --merge options are mutually exclusive"),
    (["--merge", "--resume", "--write-list=b", "a"],
     "the --merge and --resume options are mutually exclusive"),
    (["--merge", "--shard=1/2", "--write-list=b", "a"],
     "the --merge and --shard options are mutually exclusive"),
    (["--merge", "--base=b", "--changes=c", "a"],
     "the --merge and --base options are mutually exclusive"),
    (["--merge", "--", "[", "x", "]"], "--merge takes lists, not a command"),
])
def test_wrong_usage(disksum, tmp_path, args, message):
    result = disksum(*args, check=False, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"disksum: {message}\n")
    assert os.listdir(tmp_path) == []
