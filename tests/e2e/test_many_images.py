# SPDX-License-Identifier: LGPL-2.1-or-later
"""100,000 images in one call, and lists of as many lines or runs: memory does not grow with
them. (Nor does time, but for what each costs; the bench measures that.)"""

import re
import subprocess

import pytest

from oracle import checksum

pytestmark = pytest.mark.no_sanitizer

FEW, MANY = 1_000, 100_000
GROWTH = 2 << 10    # in KiB: of what is kept of a file that is read, and of the heap


@pytest.fixture
def measure(build, tmp_path):
    """Run disksum in a directory. Returns what it prints, and the most KiB that it had in
    memory."""
    def run(*args, status=0):
        done = subprocess.run(
            [build / "tests/max-memory", "0", "sh", "-c", '"$0" "$@" || echo "status $?"',
             build / "disksum", *args], cwd=tmp_path, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=600, check=False)
        [most] = re.findall(rb"^max-memory: (\d+) KiB\n$", done.stderr)
        out, failed, number = done.stdout.decode().partition("status ")
        assert (int(number) if failed else 0) == status
        return out, int(most)
    return run


def test_arguments(measure, tmp_path):
    """Their own text is in memory anyway."""
    sums = {}
    for name in "abc":
        (tmp_path / name).write_bytes(name.encode() * 512)
        sums[name] = checksum(name.encode() * 512)
    most = {}
    for count in FEW, MANY:
        names = ("abc" * count)[:count]
        out, most[count] = measure("--block-size=64k", *names)
        assert out == "".join(f"{sums[name]}  {name}\n" for name in names)
    text = (MANY - FEW) * (len("a") + 1 + 8)
    assert most[MANY] <= most[FEW] + (text >> 10) + GROWTH


def test_lines(measure, tmp_path):
    (tmp_path / "disk").write_bytes(b"x" * 512)
    most = {}
    for count in FEW, MANY:
        (tmp_path / "SUMS").write_text(f"{checksum(b'x' * 512)}  disk\n" * count)
        out, most[count] = measure("-c", "SUMS")
        assert out == "disk: OK\n" * count
    assert most[MANY] <= most[FEW] + GROWTH


# The smaller image fills all buffers, those of a chunk of a list too. Pages that are mapped
# would count.
BOUNDED = ["-T", "none", "-t1", "--queue-depth=2", "--read-size=64k"]


def test_runs(measure, tmp_path):
    """Of a digest list: each block is one."""
    few, many = 50_000, 50_000 + MANY
    most = {few: {}, many: {}}
    for count, kib in most.items():
        (tmp_path / "a").write_bytes((b"a" * 512 + bytes(512)) * (count // 2))
        (tmp_path / "b").write_bytes((bytes(512) + b"b" * 512) * (count // 2))

        def step(name, *args, **kwargs):
            out, kib[name] = measure(*args, **kwargs)
            return out
        small = [*BOUNDED, "--block-size=512"]
        step("write", *small, "--write-list=a.blkhash", "a")
        step("write", *small, "--write-list=b.blkhash", "b")
        for part in "12":
            step("part", *small, f"--shard={part}/2", f"--write-list=part-{part}", "a")
        step("merge", "--merge", "--write-list=merged", "part-1", "part-2")
        written = (tmp_path / "a.blkhash").read_bytes()
        assert (tmp_path / "merged").read_bytes() == written
        assert step("show", "--show", "--json", "a.blkhash").count('"zero":true') == count // 2
        out = step("compare", "--diff", "a.blkhash", "b.blkhash", status=1)
        assert out.count("zero in") == count
        step("compare with an image", "--diff", *BOUNDED, "a.blkhash", "b", status=1)
        (tmp_path / "resumed.part").write_bytes(written[:-100])
        step("resume", *small, "--write-list=resumed", "--resume", "a")
        assert (tmp_path / "resumed").read_bytes() == written
    for name, kib in most[few].items():
        assert most[many][name] <= kib + GROWTH, (name, most)
