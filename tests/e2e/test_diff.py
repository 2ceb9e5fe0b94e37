# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where two images differ."""

import json
import os
import random
import re
import shutil
import subprocess

import pytest

from conftest import ROOT
from diff_oracle import change, difference, parse
from oracle import random_spec, write_image


@pytest.fixture
def diff(disksum):
    """Run --diff. Returns the ranges; the exit status must say the same."""
    def run(*args, **kwargs):
        done = disksum("--diff", *args, check=False, **kwargs)
        assert done.stderr == ""
        assert done.returncode == (1 if done.stdout else 0)
        return parse(done.stdout)
    return run


@pytest.fixture
def trouble(disksum):
    """Run --diff, which must fail. Returns the message."""
    def run(*args, **kwargs):
        done = disksum("--diff", *args, check=False, **kwargs)
        assert done.returncode == 2
        assert done.stderr.startswith("disksum: ") and done.stderr.endswith("\n")
        assert done.stderr.count("\n") == 1
        return done.stderr[len("disksum: "):-1]
    return run


def convert(source, target, fmt, *options):
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", fmt, *options, source,
                    target], check=True)
    return target


# --- raw ----------------------------------------------------------------------

@pytest.mark.sanitizer(every=6)
@pytest.mark.parametrize("seed", range(16))
def test_random_images(diff, tmp_path, seed):
    """Any content, read in any way."""
    rnd = random.Random(seed)
    a = write_image(tmp_path / "a", random_spec(rnd))
    b = change(a, seed, rnd.randrange(8)) + rnd.randbytes(rnd.choice([0, 0, 1, 5000]))
    write = rnd.choice(["cp --sparse=always", "cp --sparse=never"])
    (tmp_path / "plain").write_bytes(b)
    subprocess.run([*write.split(), tmp_path / "plain", tmp_path / "b"], check=True)
    for options, method in (([], "mmap"), (["-t1", "--queue-depth=1"], "copy"),
                            (["--read-size=4k"], "mmap"), (["-T", "none"], "threads")):
        assert diff("-f", "raw", *options, tmp_path / "a", tmp_path / "b",
                    env={"DISKSUM_READS": method}) == difference(a, b)
    assert diff("-f", "raw", tmp_path / "b", tmp_path / "a") == difference(b, a)


@pytest.mark.parametrize("spec, other, expected", [
    ("", "", []),
    ("100:A", "100:A 412:0", []),  # the same disk: whole sectors
    ("1M:A", "1M:A", []),
    ("64k:-", "64k:0", []),
    ("64k:-", "64k:A", [(0, 65536, "zero in A")]),
    ("1000:A 64k:-", "1000:A 100:0", [(1536, 65024, "only in A")]),
    ("", "512:-", [(0, 512, "only in B")]),
], ids=str)
def test_small_images(diff, tmp_path, spec, other, expected):
    a = write_image(tmp_path / "a", spec)
    b = write_image(tmp_path / "b", other)
    assert difference(a, b) == expected
    assert diff(tmp_path / "a", tmp_path / "b") == expected


def test_same_answer_as_cmp_and_qemu(diff, tmp_path):
    """They find the same first difference."""
    for seed in range(10):
        a = write_image(tmp_path / "a", "300k:A 100k:- 200k:B")
        (tmp_path / "b").write_bytes(change(a, seed, seed % 3))
        ranges = diff(tmp_path / "a", tmp_path / "b")
        cmp = subprocess.run(["cmp", "-l", tmp_path / "a", tmp_path / "b"],
                             stdout=subprocess.PIPE)
        compare = subprocess.run(["qemu-img", "compare", "-f", "raw", "-F", "raw",
                                  tmp_path / "a", tmp_path / "b"],
                                 stdout=subprocess.PIPE)
        assert cmp.returncode == compare.returncode == bool(ranges)
        sectors = {(int(line.split()[0]) - 1) // 512 for line in
                   cmp.stdout.splitlines()}
        assert sectors == {sector for start, length, _ in ranges for sector in
                           range(start // 512, (start + length) // 512)}


def test_two_windows_lose_pages(diff, build, tmp_path):
    """Both files are mapped, and pages of both are gone."""
    a = write_image(tmp_path / "a", "5M:A")
    b = change(a, 1)
    (tmp_path / "b").write_bytes(b)
    for lost in 0, 3 << 20:
        assert diff(tmp_path / "a", tmp_path / "b", env={
            "LD_PRELOAD": f"{build}/tests/lost-pages.so", "LOST_FROM": str(lost),
            "DISKSUM_READS": "mmap"}) == difference(a, b)


def test_holes_of_terabytes(disksum, tmp_path):
    """However large they are, they take no time, and nothing is read."""
    for name in "a", "b":
        (tmp_path / name).touch()
        os.truncate(tmp_path / name, 8 << 40)
    done = disksum("--diff", "-v", tmp_path / "a", tmp_path / "b", check=False)
    assert (done.returncode, done.stdout) == (0, "")
    assert "read 0 B" in done.stderr
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", tmp_path / "q", "8T"],
                   check=True)
    disksum("--diff", tmp_path / "a", tmp_path / "q")


# --- formats ------------------------------------------------------------------

FORMATS = [("qcow2",), ("qcow2", "-c"), ("qcow2", "-c", "-o", "compression_type=zstd"),
           ("qcow2", "-c", "-o", "cluster_size=2M"), ("vmdk",),
           ("vmdk", "-o", "subformat=streamOptimized"), ("vhdx",), ("vdi",),
           ("vpc", "-o", "force_size=on")]


@pytest.mark.sanitizer(every=3)
@pytest.mark.parametrize("fmt", FORMATS, ids=" ".join)
def test_formats(diff, tmp_path, fmt):
    """Against a raw image, and against each other format, from both sides."""
    a = write_image(tmp_path / "a", "1M:A 200k:- 70k:0 3000k:B 4M:- 900k:A")
    b = change(a, str(fmt), 12)
    (tmp_path / "b").write_bytes(b)
    image = convert(tmp_path / "a", tmp_path / "image", *fmt)
    assert diff(image, tmp_path / "a") == []
    assert diff(image, tmp_path / "b") == difference(a, b)
    assert diff("--read-size=64k", tmp_path / "b", image) == difference(b, a)
    other = convert(tmp_path / "b", tmp_path / "other",
                    *FORMATS[(FORMATS.index(fmt) + 1) % len(FORMATS)])
    assert diff(image, other) == difference(a, b)
    assert diff("-T", "none", "-t1", image, other) == difference(a, b)


def test_chain(disksum, diff, tmp_path):
    """What both images have in the same file is not read."""
    a = write_image(tmp_path / "base", "20M:A 1M:- 3M:B")
    for name in "one", "two":
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b",
                        "base", name], cwd=tmp_path, check=True)
    b = bytearray(a)
    for start, length in (1000 * 1000, 3000), (20 << 20, 100), (23 << 20, 1 << 16):
        subprocess.run(["qemu-io", "-f", "qcow2", "-c", f"write -P 7 {start} {length}",
                        "two"], cwd=tmp_path, check=True, stdout=subprocess.DEVNULL)
        b[start:start + length] = b"\x07" * length
    assert diff(tmp_path / "one", tmp_path / "two") == difference(a, b)
    assert diff(tmp_path / "base", tmp_path / "two") == difference(a, b)
    assert diff(tmp_path / "two", tmp_path / "two") == []
    done = disksum("--diff", tmp_path / "base", tmp_path / "two", check=False,
                   env={"DISKSUM_DEBUG": "read", "DISKSUM_READS": "copy"})
    places = [line for line in done.stderr.splitlines() if f"{tmp_path}/base" in line]
    assert 0 < len(places) < 20 and "0+" not in places


@pytest.mark.sanitizer
def test_exports(diff, servers, tmp_path):
    a = write_image(tmp_path / "a", "3M:A 1M:- 100k:B 2M:-")
    b = change(a, 5)
    (tmp_path / "b").write_bytes(b)
    one, _ = servers.nbdkit("file", tmp_path / "a")
    two, _ = servers.nbdkit("file", tmp_path / "b")
    copy = convert(tmp_path / "b", tmp_path / "copy", "qcow2", "-c")
    assert diff(one, two) == difference(a, b)
    assert diff(one, copy) == difference(a, b)
    assert diff(tmp_path / "b", one) == difference(b, a)
    assert diff(one, one) == []


def test_formats_of_qemu(diff, tmp_path):
    """Two images that qemu-nbd reads."""
    a = write_image(tmp_path / "a", "300k:A 200k:-")
    b = change(a, 3)
    (tmp_path / "b").write_bytes(b)
    one = convert(tmp_path / "a", tmp_path / "one", "qcow")
    two = convert(tmp_path / "b", tmp_path / "two", "qed")
    assert diff(one, two) == difference(a, b)


# --- output -------------------------------------------------------------------

def test_lines(disksum, tmp_path):
    a = write_image(tmp_path / "a", "64k:A 64k:-")
    (tmp_path / "b").write_bytes(a[:1000] + b"x" + a[1001:] + b"y")
    args = "--diff", tmp_path / "a", tmp_path / "b"
    assert disksum(*args, check=False).stdout == "512 512 differs\n131072 512 only in B\n"
    assert disksum("--json", *args, check=False).stdout.splitlines() == [
        '{"start":512,"length":512,"what":"differs"}',
        '{"start":131072,"length":512,"what":"only in B"}',
        '{"compared":131584,"different":1024}']
    assert disksum("--json", "--diff", tmp_path / "a", tmp_path / "a").stdout == \
        '{"compared":131072,"different":0}\n'
    assert disksum("--json", "-q", *args, check=False).stdout == ""


def test_quiet(disksum, tmp_path):
    """It stops at the first difference: the bad sector behind it is not read."""
    a = write_image(tmp_path / "a", "20M:A")
    (tmp_path / "b").write_bytes(b"x" + a[1:])
    shutil.copy(tmp_path / "a", tmp_path / "c")
    for name, status in ("b", 1), ("c", 0), ("no", 2):
        done = disksum("-q", "--diff", tmp_path / "a", tmp_path / name, check=False)
        assert (done.returncode, done.stdout) == (status, "")
    read = disksum("-q", "--diff", "-t1", "--queue-depth=1", tmp_path / "a",
                   tmp_path / "b", check=False,
                   env={"DISKSUM_DEBUG": "read", "DISKSUM_READS": "copy"}).stderr
    assert read.count("page cache") == 2
    os.truncate(tmp_path / "c", 21 << 20)
    read = disksum("-q", "--diff", tmp_path / "a", tmp_path / "c", check=False,
                   env={"DISKSUM_DEBUG": "ring"})
    assert (read.returncode, read.stderr) == (1, "")


def test_verbose_and_progress(disksum, tmp_path):
    a = write_image(tmp_path / "a", "1M:A 1M:-")
    (tmp_path / "b").write_bytes(change(a[:1 << 20], 1) + bytes(1 << 20))
    done = disksum("--diff", "-v", "--progress=2", tmp_path / "a", tmp_path / "a",
                   check=False)
    assert done.returncode == 0
    assert "not read, as it is known: 2.0 MiB" in done.stderr
    assert "100/100" in done.stderr
    done = disksum("--diff", "-v", tmp_path / "a", tmp_path / "b", check=False)
    assert f"{tmp_path}/a and {tmp_path}/b: compared 2.0 MiB" in done.stderr
    assert "different: " in done.stderr


def repair_by_dd(directory):
    """As the manual says it."""
    page = (ROOT / "man/disksum.1.scd").read_text()
    [command] = [block for block in page.split("\n\n") if "of=copy.raw" in block]
    command = re.sub(r"\+\+$", "", command.replace(r"\\", "\\"), flags=re.M)
    command = re.sub(r"^[$>] ", "", command.lstrip("\t"), flags=re.M)
    subprocess.run(["sh", "-c", command], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


@pytest.mark.parametrize("seed", range(3))
def test_repair_a_copy(diff, disksum, tmp_path, build, seed, monkeypatch):
    monkeypatch.setenv("PATH", f"{build}:{os.environ['PATH']}")
    good = write_image(tmp_path / "good.raw", "300k:A 100k:- 1M:B 200k:0")
    (tmp_path / "copy.raw").write_bytes(change(good, seed, 10))
    assert diff(tmp_path / "good.raw", tmp_path / "copy.raw")
    repair_by_dd(tmp_path)
    assert (tmp_path / "copy.raw").read_bytes() == good
    disksum("--diff", tmp_path / "good.raw", tmp_path / "copy.raw")


# --- trouble ------------------------------------------------------------------

@pytest.mark.parametrize("args", [
    ["a"], ["a", "b", "c"], [], ["--check", "a", "b"], ["--tag", "a", "b"],
    ["-z", "a", "b"], ["--write-list=x", "a", "b"], ["--show", "a", "b"],
    ["--", "[", "true", "]"]])
def test_usage(disksum, tmp_path, args):
    for name in "abc":
        write_image(tmp_path / name, "9k:A")
    done = disksum("--diff", *args, check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.endswith("Try 'disksum --help' for more information.\n")


def test_other_errors(disksum, trouble, tmp_path):
    write_image(tmp_path / "a", "9k:A")
    (tmp_path / "bad").write_bytes(b"QFI\xfb\0\0\0\x03" + bytes(100))
    assert trouble(tmp_path / "a", tmp_path / "no") == \
        f"{tmp_path}/no: No such file or directory"
    assert trouble(tmp_path / "bad", tmp_path / "a").startswith(f"{tmp_path}/bad: ")
    assert trouble(tmp_path / "a", tmp_path / "bad").startswith(f"{tmp_path}/bad: ")
    write_image(tmp_path / "b", "9k:B")
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = disksum("--diff", tmp_path / "a", tmp_path / "b", check=False, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "disksum: write error: No space left on device\n"


def test_read_errors(trouble, build, tmp_path):
    """The file that cannot be read is named, and the place in it. The shim fails
    reads of both files, but what is zeros in both is not read."""
    write_image(tmp_path / "a", "2M:A 2M:-")
    write_image(tmp_path / "b", "1M:A 3M:-")
    env = {"LD_PRELOAD": str(build / "tests/read-error.so"), "DISKSUM_READS": "copy"}
    for a, b in ("a", "b"), ("b", "a"):
        assert trouble(tmp_path / a, tmp_path / b, env={
            **env, "READ_ERROR_OFFSET": "1500000"}).startswith(
                f"{tmp_path}/a: read error at offset 1500000")


def test_change_while_it_is_compared(trouble, build, tmp_path):
    write_image(tmp_path / "a", "2M:A")
    write_image(tmp_path / "b", "2M:B")
    for changed in "a", "b":
        for quiet in [], ["-q"]:
            for name in "a", "b":
                os.truncate(tmp_path / name, 2 << 20)
            message = trouble(*quiet, tmp_path / "a", tmp_path / "b", env={
                "LD_PRELOAD": str(build / "tests/change-file.so"),
                "CHANGE_FILE": str(tmp_path / changed), "CHANGE_SIZE": "3000000",
                "CHANGE_AT": "map", "DISKSUM_READS": "mmap"})
            assert message.startswith(f"{tmp_path}/{changed}: ")


def test_standard_input(diff, trouble, tmp_path):
    a = write_image(tmp_path / "a", "200k:A")
    b = change(a, 2)
    (tmp_path / "b").write_bytes(b)
    with open(tmp_path / "a", "rb") as f:
        assert diff("-", tmp_path / "b", stdin=f) == difference(a, b)
    with open(tmp_path / "a", "rb") as f:
        assert diff(tmp_path / "b", "-", stdin=f) == difference(b, a)
    for args in (tmp_path / "b", "-"), ("-", tmp_path / "b"):
        assert trouble(*args, input=a) == \
            "-: a pipe can be compared with a digest list, but not with an image"


def test_keys_of_json(diff, disksum, tmp_path):
    """Other programs know the keys from nbdinfo and qemu-img."""
    write_image(tmp_path / "a", "9k:A")
    write_image(tmp_path / "b", "9k:B")
    out = disksum("--diff", "--json", tmp_path / "a", tmp_path / "b", check=False).stdout
    ranges, end = map(json.loads, out.splitlines())
    assert ranges == {"start": 0, "length": 9216, "what": "differs"}
    assert end == {"compared": 9216, "different": 9216}
