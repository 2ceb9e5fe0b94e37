# SPDX-License-Identifier: LGPL-2.1-or-later
"""--offset and --length: a part of a disk, as if it were the whole disk."""

import hashlib
import json
import random
import signal
import subprocess

import pytest

from conftest import BUILD, sums
from diff_oracle import difference, parse
from oracle import SECTOR, checksum, random_spec, write_image

SPEC = "70000:A 300k:- 128k:0 200001:B 77:C"


def disk_of(content):
    """A disk is whole sectors."""
    return content + bytes(-len(content) % SECTOR)


def options(offset, length):
    return [*([f"--offset={offset}"] if offset else []),
            *([f"--length={length}"] if length is not None else [])]


def part(content, offset, length):
    return content[offset:None if length is None else offset + length]


def convert(source, target, *args):
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", target.suffix[1:], *args,
                    source, target], check=True)
    return target


@pytest.fixture
def images(tmp_path):
    """The same disk, in several formats; and its bytes."""
    raw = tmp_path / "disk.raw"
    content = disk_of(write_image(raw, SPEC))
    return content, [raw, *(convert(raw, tmp_path / name, *args) for name, args in (
        ("disk.qcow2", ["-c", "-o", "cluster_size=4k"]), ("disk.vmdk", []),
        ("stream.vmdk", ["-o", "subformat=streamOptimized"]), ("disk.vhdx", []),
        ("disk.vdi", [])))]


# --- any part ----------------------------------------------------------------

@pytest.mark.sanitizer
def test_any_part_of_any_format(disksum, images):
    content, paths = images
    size = len(content)
    rnd = random.Random(14)
    parts = [(0, None), (0, 0), (0, 1), (1, 1), (size, None), (size, 0), (size - 1, None),
             (size - 600, 500), (512, 65536), (65536, None),
             *((at, rnd.randrange(size - at)) for at in rnd.sample(range(size), 4))]
    for offset, length in parts:
        args = [*options(offset, length), *rnd.choice([["-t1"], ["--read-size=4k"], []]),
                *rnd.choice([["-T", "none"], [], ["--block-size=512"]])]
        blocks = 512 if "--block-size=512" in args else 65536
        expected = checksum(part(content, offset, length), blocks)
        assert sums(disksum(*args, *paths).stdout) == [expected] * len(paths)


# Each program reads from the same pipe.
TWO = '"$@" && sha256sum'


def test_pipe(tmp_path):
    """It is read to the end of the part, and no further: the next program gets what
    follows."""
    rnd = random.Random(14)
    content = write_image(tmp_path / "disk", random_spec(rnd) + " 300000:D")
    size = len(content)
    parts = [(0, 0), (0, None), (1, 1), (size, None), (size - 5, 5), (size // 2, None),
             *((at, rnd.randrange(size - at)) for at in rnd.sample(range(size), 5))]
    for offset, length in parts:
        run = subprocess.run(
            ["sh", "-c", TWO, "sh", BUILD / "disksum", "-f", "raw",
             *options(offset, length)], input=content, check=True, stdout=subprocess.PIPE)
        found, rest = run.stdout.decode().splitlines()
        end = size if length is None else offset + length
        assert found == f"{checksum(part(disk_of(content), offset, length))}  -"
        assert rest == f"{hashlib.sha256(content[end:]).hexdigest()}  -"


def test_pipe_is_probed(disksum, fails, images):
    """Whatever part is hashed."""
    content, paths = images
    for args in (["--offset=100k"], ["--length=1"], ["--offset=3", "--length=5"]):
        assert "from a pipe only a raw image" in \
            fails(*args, input=paths[1].read_bytes())
        assert disksum(*args, input=content).stdout == \
            disksum(*args, paths[0]).stdout.replace(str(paths[0]), "-")


def test_writer_of_a_pipe(disksum):
    """As with head, it may be told that nobody reads on."""
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE) as writer:
        done = disksum("--length=64k", stdin=writer.stdout)
        writer.stdout.close()
    assert sums(done.stdout) == [checksum(b"y\n" * 32768)]
    assert writer.returncode == -signal.SIGPIPE


def test_devices_and_exports(disksum, servers, loop_device, images):
    content, paths = images
    expected = [checksum(content[70001:370002])]
    args = ["--offset=70001", "--length=300001"]
    assert sums(disksum(*args, servers.nbdkit("file", paths[0])[0]).stdout) == expected
    assert sums(disksum(*args, "--", "[", "nbdkit", "file", paths[0], "]").stdout) == expected
    device = loop_device(paths[0])
    for cache in "none", "writeback":
        assert sums(disksum(*args, "-T", cache, device).stdout) == expected


def test_snapshot(disksum, tmp_path):
    path = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-qf", "qcow2", path, "1M"], check=True)
    for command in ("qemu-io -c 'write -P 1 0 1M'", "qemu-img snapshot -c s1",
                    "qemu-io -c 'write -P 2 0 1M'"):
        subprocess.run(f"{command} {path}", shell=True, check=True, stdout=subprocess.DEVNULL)
    assert sums(disksum("-l", "s1", "--offset=1000", "--length=2000", path).stdout) == \
        [checksum(b"\1" * 2000)]


# --- little is read -------------------------------------------------------------

def test_rest_is_not_read(disksum, tmp_path):
    """Nor counted."""
    path = tmp_path / "disk"
    write_image(path, "2M:A 40M:-")
    found = json.loads(disksum("--json", "--offset=1M", "--length=2M", path).stdout)
    assert (found["offset"], found["length"], found["virtual-size"]) == (1 << 20, 2 << 20, 2 << 20)
    assert (found["read"], found["data"], found["hole"]) == (1 << 20, 1 << 20, 1 << 20)
    assert "offset" not in json.loads(disksum("--json", path).stdout)


def test_progress_ends(disksum, images):
    """It is that of the part."""
    content, paths = images
    for source in ({"input": content}, {}):
        with open(paths[0].with_name("progress"), "w+b") as f:
            disksum(f"--progress={f.fileno()}", "--length=1000", pass_fds=[f.fileno()],
                    *([] if source else [paths[1]]), **source)
            f.seek(0)
            assert f.read().endswith(b"100/100\n")


# --- beyond the end -------------------------------------------------------------

def test_beyond_the_end(fails, images):
    content, paths = images
    size = len(content)
    for source, name in ((paths[1], paths[1]), (paths[0], paths[0]), ("-", "-")):
        for args, message in (
                ([f"--offset={size + 1}"], f"the offset {size + 1} is beyond the end of the "
                 f"disk, which has {size} bytes"),
                ([f"--offset={size}", "--length=1"], f"1 bytes at offset {size} end beyond "
                 f"the end of the disk, which has {size} bytes"),
                (["--offset=7E", "--length=7E"], f"the offset {7 << 60} is beyond"),
                (["--offset=1", "--length=7E"], f"{7 << 60} bytes at offset 1 end beyond")):
            assert fails(*args, source, input=content).startswith(f"{name}: {message}")


def test_max_size_is_that_of_the_part(disksum, fails, images):
    content, paths = images
    for kwargs in ({}, {"input": content}):
        args = [] if kwargs else [paths[1]]
        disksum("--max-size=1k", "--offset=99", "--length=1k", *args, **kwargs)
        # It is whole sectors.
        for size, length in ("1k", 1025), (1025, 1025), (511, 1):
            assert "--max-size allows" in fails(
                f"--max-size={size}", "--offset=99", f"--length={length}", *args, **kwargs)


# --- with other options -----------------------------------------------------------

def test_diff(disksum, tmp_path, images):
    """The ranges are relative to the part."""
    content, paths = images
    other = bytearray(content)
    other[100000:100010] = b"0123456789"
    (tmp_path / "other.raw").write_bytes(other)
    for offset, length in ((0, 200000), (99999, 40001), (0, 1), (100005, None)):
        done = disksum("--diff", *options(offset, length), paths[1], tmp_path / "other.raw",
                       check=False)
        assert parse(done.stdout) == difference(disk_of(part(content, offset, length)),
                                                disk_of(part(bytes(other), offset, length)))
        assert done.stderr == ""


def test_lists(disksum, fails, tmp_path, images):
    """A list of a part is not taken for that of another one."""
    content, paths = images
    args = ["--offset=5", "--length=300000"]
    disksum("--write-list=list", *args, paths[1], cwd=tmp_path)
    assert sums(disksum("--show", "list", cwd=tmp_path).stdout) == \
        [checksum(content[5:300005])]
    names = []
    for i in 1, 2:
        names.append(f"shard-{i}")
        disksum(f"--shard={i}/2", f"--write-list={names[-1]}", *args, paths[1], cwd=tmp_path)
    assert sums(disksum("--merge", *names, cwd=tmp_path).stdout) == \
        [checksum(content[5:300005])]
    whole = (tmp_path / "list").read_bytes()
    for other, key in ((["--offset=6", "--length=300000"], "offset"),
                       (["--offset=5", "--length=300001"], "length"),
                       (["--length=300000"], "offset")):
        (tmp_path / "list.part").write_bytes(whole)
        assert f"the {key} of '{paths[1]}' was " in \
            fails("--write-list=list", "--resume", *other, paths[1], cwd=tmp_path)
        disksum("--shard=2/2", "--write-list=shard-2", *other, paths[1], cwd=tmp_path)
        assert f"the {key} of '{paths[1]}' is " in fails("--merge", *names, cwd=tmp_path)
    (tmp_path / "list.part").write_bytes(whole)
    disksum("--write-list=list", "--resume", *args, paths[1], cwd=tmp_path)


def test_check(disksum, tmp_path, images):
    _, paths = images
    (tmp_path / "SUMS").write_text(disksum("--offset=9", *paths).stdout)
    assert disksum("-c", "--offset=9", tmp_path / "SUMS").stdout.count(": OK\n") == len(paths)
    assert disksum("-c", tmp_path / "SUMS", check=False).returncode == 1


@pytest.mark.parametrize("args, message", [
    (["--show", "--offset=1"], "the --offset and --show options are mutually exclusive"),
    (["--merge", "--length=1"], "the --length and --merge options are mutually exclusive"),
    (["--base=list", "--changes=c", "--length=1"],
     "the --length and --base options are mutually exclusive"),
    (["--offset=-1"], f"invalid offset '-1': must be 0 to {2**63 - 1}"),
    (["--length=8E"], f"invalid length '8E': must be 0 to {2**63 - 1}")])
def test_usage(disksum, args, message):
    done = disksum(*args, "x", check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, f"disksum: {message}")


@pytest.mark.parametrize("args", [["--offset=1", "--length=70000"], ["--offset=512"],
                                  ["--length=100k"]], ids=str)
def test_diff_with_a_list(disksum, tmp_path, images, args):
    """It must be that of the same part."""
    content, paths = images
    disksum("--write-list=whole.blkhash", paths[0], cwd=tmp_path)
    disksum("--write-list=part.blkhash", *args, paths[0], cwd=tmp_path)
    disksum("--write-list=other.blkhash", *args, "--length=99", paths[0], cwd=tmp_path)
    part = "part.blkhash"
    for a, b in (part, paths[1]), (paths[1], part), (part, part):
        disksum("--diff", *args, a, b, cwd=tmp_path)
    (tmp_path / "changed.raw").write_bytes(content[:65536 + 600] + b"x" + content[65536 + 601:])
    done = disksum("--diff", *args, part, "changed.raw", check=False, cwd=tmp_path)
    assert done.stdout.startswith("65536 ") and done.stdout.count("\n") == 1
    disksum("--diff", "--offset=0", "whole.blkhash", paths[1], cwd=tmp_path)
    for name in "whole.blkhash", "other.blkhash":
        done = disksum("--diff", *args, paths[1], name, check=False, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (
            2, f"disksum: {name}: is not the digest list of this part; the "
            f"{args[-1].split('=')[0]} option requires that, or two images\n")
