# SPDX-License-Identifier: LGPL-2.1-or-later
"""--base: what is known of a disk from an older list of it."""
import json
import os

import pytest

import list_oracle
from conftest import sums
from oracle import checksum, write_image

KIB = 1 << 10
BLOCK = 64 * KIB
SPEC = "300k:A 200k:- 100k:B 12345:C"


@pytest.fixture
def disk(disksum, tmp_path):
    """A raw disk, its list, and its bytes."""
    path = tmp_path / "disk.raw"
    content = bytearray(write_image(path, SPEC))
    disksum(f"--write-list={path}.blkhash", path)
    return path, f"{path}.blkhash", content


def change(path, content, offset, new):
    """Write to the disk."""
    content[offset:offset + len(new)] = new
    with open(path, "r+b") as file:
        file.seek(offset)
        file.write(new)


def ranges(path, *changed):
    """A file of ranges, as 'rbd diff --format json' prints them."""
    path.write_text(json.dumps([{"offset": offset, "length": length, "exists": "true"}
                                for offset, length in changed]))
    return f"--changes={path}"


def check(disksum, disk, *options):
    """The checksum with the list is that of the bytes. Returns what --json says."""
    path, old, content = disk
    found = json.loads(disksum("--json", f"--base={old}", *options, path).stdout)
    assert found["checksum"] == checksum(content)
    size = -(-len(content) // 512) * 512
    assert sum(found[key] for key in ("data", "zero", "hole", "known")) == size
    return found


# --- ranges that changed --------------------------------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("offset, length, blocks", [
    (0, 1, 1), (BLOCK - 1, 1, 1), (BLOCK - 1, 2, 2), (BLOCK, BLOCK, 1), (100, 70000, 2),
    (3 * BLOCK + 5, 3 * BLOCK, 4), (626680, 9, 1), (0, 626745, 10)])
def test_changes(disksum, disk, tmp_path, offset, length, blocks):
    """Blocks in which a byte has changed are read, no others."""
    path, _, content = disk
    change(path, content, offset, b"!" * length)
    found = check(disksum, disk, ranges(tmp_path / "ranges", (offset, length)))
    size = found["virtual-size"]
    last = size % BLOCK if offset + length > size // BLOCK * BLOCK else 0
    read = blocks * BLOCK - (BLOCK - last if last else 0)
    assert found["known"] == size - read


def test_several_changes(disksum, disk, tmp_path):
    path, _, content = disk
    changed = [(1000, 3), (1200, 1), (BLOCK + 100, 512), (6 * BLOCK, 5 * KIB), (600000, 77)]
    for offset, length in changed:
        change(path, content, offset, b"?" * length)
    found = check(disksum, disk, ranges(tmp_path / "ranges", *changed))
    assert found["known"] == 6 * BLOCK


def test_no_changes(disksum, disk, tmp_path):
    found = check(disksum, disk, ranges(tmp_path / "ranges"))
    assert (found["known"], found["read"]) == (found["virtual-size"], 0)


def test_data_becomes_zeros_and_back(disksum, disk, tmp_path):
    path, _, content = disk
    change(path, content, 0, bytes(2 * BLOCK))
    change(path, content, 5 * BLOCK, b"x" * BLOCK)
    check(disksum, disk,
          ranges(tmp_path / "ranges", (0, 2 * BLOCK), (5 * BLOCK, BLOCK)))


def test_changes_that_are_left_out(disksum, disk, tmp_path):
    """disksum believes the ranges: the checksum is that of a disk which has the old
    bytes elsewhere. The manual says so."""
    path, old, content = disk
    before = bytes(content)
    change(path, content, 0, b"!")
    change(path, content, BLOCK, b"!")
    mixed = b"!" + before[1:]
    done = disksum(f"--base={old}", ranges(tmp_path / "ranges", (0, 1)), path)
    assert sums(done.stdout) == [checksum(mixed)] != [checksum(content)]


def test_new_list(disksum, disk, tmp_path):
    """The new list replaces the old one, and is the next base."""
    path, old, content = disk
    for offset in 5, 300000, 600000:
        change(path, content, offset, b"changed")
        check(disksum, disk, ranges(tmp_path / "ranges", (offset, 7)), f"--write-list={old}")


def test_other_options(disksum, disk, tmp_path):
    """Ways to read and to print it."""
    path, _, content = disk
    change(path, content, 70000, b"!")
    option = ranges(tmp_path / "ranges", (70000, 1))
    for way in ["-t", "4"], ["-T", "none"], ["--no-extents"], \
            ["-t", "1", "--queue-depth", "1"], ["--read-size", "4k"]:
        check(disksum, disk, option, *way)
    check(disksum, disk, option, "-f", "raw")


def test_verbose(disksum, disk, tmp_path):
    path, old, _ = disk
    done = disksum("-v", f"--base={old}", ranges(tmp_path / "ranges", (0, 1)), path,
                   check=False)
    assert done.returncode == 0
    assert f"disksum: {path}: 548 KiB was not read; its digests are from {old}\n" in done.stderr


# --- lists that cannot be the base -----------------------------------------------

@pytest.fixture
def refused(fails, disk, tmp_path):
    """Run with a base that is refused, and return why."""
    def run(old, *options, image=None):
        return fails(f"--base={old}", ranges(tmp_path / "ranges"), *options, image or disk[0])
    return run


def test_missing(refused, tmp_path):
    assert refused(tmp_path / "none") == f"{tmp_path}/none: No such file or directory"


def test_directory(refused, tmp_path):
    assert refused(tmp_path) == f"{tmp_path}: is a directory"


def test_no_list(refused, disk):
    assert str(disk[0]) in refused(disk[0])


def test_another_block_size(refused, disk):
    assert refused(disk[1], "--block-size=4k") == \
        f"{disk[1]}: has digests of blocks of 65536 bytes, but --block-size is 4096"


def test_another_digest(refused, disk):
    assert refused(disk[1], "-d", "sha512") == \
        f"{disk[1]}: has digests of sha256, but --digest is sha512"


def test_another_size(refused, disk, tmp_path):
    other = tmp_path / "other.raw"
    write_image(other, "1000k:A")
    assert refused(disk[1], image=other) == \
        f"{disk[1]}: is the list of a disk of 627200 bytes, but the disk of '{other}' has 1024000"


def test_list_of_a_pipe(disksum, refused, disk, tmp_path):
    """It has its size at the end only. The ranges do not say of which image they are."""
    _, old, content = disk
    disksum(f"--write-list={old}", input=bytes(content))
    check(disksum, disk, ranges(tmp_path / "ranges"))
    disksum(f"--write-list={old}", input=bytes(content[:600000]))
    assert "600064 bytes" in refused(old)


@pytest.mark.parametrize("first, count", [(0, 9), (1, 9), (3, 2)])
def test_part(refused, disk, tmp_path, first, count):
    """The list of a part, which has no checksum to verify it by."""
    part = tmp_path / "part"
    part.write_bytes(list_oracle.write_list(bytes(disk[2]) + bytes(-len(disk[2]) % 512),
                                            first=first, count=count))
    assert refused(part) == f"{part}: is the list of a part of a disk; --base requires " \
        "the list of a whole disk"


def test_interrupted(refused, disk, tmp_path):
    whole = open(disk[1], "rb").read()
    cut = tmp_path / "cut"
    for size in 10, 200, len(whole) - 100, len(whole) - 1:
        cut.write_bytes(whole[:size])
        assert str(cut) in refused(cut)


@pytest.mark.sanitizer(every=50)
@pytest.mark.parametrize("place", range(0, 100, 7))
def test_one_bit(disksum, fails, disk, tmp_path, place):
    """A list with a flipped bit: no checksum is printed, wherever the bit is."""
    broken = bytearray(open(disk[1], "rb").read())
    broken[len(broken) * place // 100] ^= 1 << place % 8
    (tmp_path / "broken").write_bytes(broken)
    path, _, content = disk
    change(path, content, 0, b"!" * len(content))
    fails(f"--base={tmp_path}/broken", ranges(tmp_path / "ranges", (0, len(content))), path)


def test_pipe_as_image(fails, disk, tmp_path):
    message = fails(f"--base={disk[1]}", ranges(tmp_path / "ranges"), "-", input=b"x" * 626745)
    assert message == "-: is a pipe; --base cannot be used with pipes"


def test_standard_input(disksum, disk, tmp_path):
    """A file on standard input is an image as any other."""
    path, old, content = disk
    change(path, content, 0, b"!")
    with open(path, "rb") as file:
        done = disksum(f"--base={old}", ranges(tmp_path / "ranges", (0, 1)), "-", stdin=file)
    assert sums(done.stdout) == [checksum(content)]


# --- usage -------------------------------------------------------------------------

@pytest.mark.parametrize("options", [
    ["--base=old", "disk"],
    ["--base=old", "--base-image=a", "--changes=b", "disk"],
    ["--base=old", "--base-image=a", "--bitmap=b", "disk"],
    ["--base-image=a", "disk"], ["--bitmap=a", "disk"], ["--changes=a", "disk"],
    ["--base=old", "--changes=a", "disk", "disk"],
    ["--base=old", "--changes=a", "-c", "list"],
    ["--base=old", "--changes=a", "--diff", "a", "b"],
    ["--base=old", "--changes=a", "--show", "a"],
    ["--base=old", "--changes=a", "--merge", "a"],
    ["--base=", "--changes=a", "disk"],
])
def test_usage(disksum, options):
    done = disksum(*options, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("disksum: ")


# --- together with --resume ------------------------------------------------------

@pytest.mark.sanitizer
def test_resume(disksum, tmp_path):
    """What the interrupted list has is newer than what the old one has."""
    path, old, new = (tmp_path / name for name in ("disk", "old", "new"))
    options = ["--digest=sha512/512", f"--write-list={new}", "--json", path]
    content = bytearray(write_image(path, "10M:A"))
    disksum(*options)
    old.write_bytes(new.read_bytes())
    # The first 8 MiB of the disk have a check in the list.
    changed = [(700, 1), (5 << 20, 9000), (9 << 20, 1000)]
    for offset, length in changed:
        change(path, content, offset, b"!" * length)
    full = json.loads(disksum(*options).stdout)
    whole = new.read_bytes()
    new.rename(f"{new}.part")
    os.truncate(f"{new}.part", 1_200_000)
    done = disksum("-v", "--resume", f"--base={old}", ranges(tmp_path / "ranges", *changed),
                   *options, check=False)
    found = json.loads(done.stdout)
    assert found["checksum"] == full["checksum"] == checksum(content, 512, "sha512")
    assert found["read"] == 1024 and found["known"] == (10 << 20) - 1024
    assert new.read_bytes() == whole
    assert f"its digests are from {old} and {new}.part\n" in done.stderr


def test_no_part_of_a_bad_list(fails, tmp_path):
    """What is wrong with a list may turn out at its end. Nobody can go on with what was
    taken from it before, then."""
    path, old = tmp_path / "disk", tmp_path / "old"
    disk = bytes(write_image(path, "20M:A"))
    old.write_bytes(list_oracle.write_list(disk[:-512], b"{}", 1024, "sha512",
                                           length=list_oracle.UNKNOWN))
    assert fails("--digest=sha512/1024", f"--write-list={tmp_path}/new", f"--base={old}",
                 ranges(tmp_path / "ranges"), path) == \
        f"{old}: is the list of a disk of 20971008 bytes, but the disk of '{path}' has 20971520"
    assert sorted(os.listdir(tmp_path)) == ["disk", "old", "ranges"]


def test_list_is_verified_before_its_digests_are_written(disksum, fails, disk, tmp_path):
    """A run that is killed cannot do so afterwards. So nothing of the image is read first, and
    a list in a pipe cannot be the base of another that is written."""
    path, old, content = disk
    broken = bytearray(open(old, "rb").read())
    broken[-1] ^= 1
    (tmp_path / "broken").write_bytes(broken)
    done = disksum(f"--write-list={tmp_path}/new", f"--base={tmp_path}/broken",
                   ranges(tmp_path / "ranges", (0, len(content))), path, check=False,
                   env={"DISKSUM_DEBUG": "map"})
    assert done.returncode == 1 and "a wrong check" in done.stderr
    assert "map:" not in done.stderr and not (tmp_path / "new.part").exists()

    whole = open(old, "rb").read()
    assert fails(f"--write-list={tmp_path}/new", "--base=-", ranges(tmp_path / "ranges"), path,
                 input=whole) == "-: with --write-list, the --base option requires a list in a " \
        "file, which is read twice"
    assert disksum("--base=-", ranges(tmp_path / "ranges"), path, input=whole).stdout == \
        disksum(path).stdout


# --- together with --shard ---------------------------------------------------------

@pytest.mark.sanitizer
def test_shards(disksum, disk, tmp_path):
    """Each part is hashed with the old list of the whole disk."""
    path, old, content = disk
    change(path, content, 200000, b"!")
    option = ranges(tmp_path / "ranges", (200000, 1))
    parts = [tmp_path / f"part{number}" for number in range(1, 4)]
    for number, part in enumerate(parts, 1):
        disksum(f"--shard={number}/3", f"--write-list={part}", f"--base={old}", option, path)
    assert sums(disksum("--merge", *parts).stdout) == [checksum(content)]
