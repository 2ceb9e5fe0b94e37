# SPDX-License-Identifier: LGPL-2.1-or-later
"""--show: what digest lists say."""

import json
import os
import subprocess

import pytest

from oracle import checksum, write_image


@pytest.fixture
def make_list(disksum, tmp_path):
    """Write an image, and its list. Returns the bytes of the image."""
    def make(name, spec, *args):
        content = write_image(tmp_path / f"{name}.raw", spec)
        disksum(f"--write-list={name}", *args, f"{name}.raw", cwd=tmp_path)
        return content
    return make


@pytest.mark.sanitizer
def test_lines(disksum, tmp_path, make_list):
    """As those of the images."""
    one, two = make_list("one", "200000:A"), make_list("t\\wo", "1M:- 5:B", "-d", "sha1/4k")
    out = disksum("--show", "one", "t\\wo", cwd=tmp_path).stdout
    assert out == f"{checksum(one)}  one\n\\{checksum(two, 4096, 'sha1')}  t\\\\wo\n"
    assert disksum("--show", "--tag", "t\\wo", cwd=tmp_path).stdout == \
        f"\\BLKHASH-SHA1-4K (t\\\\wo) = {checksum(two, 4096, 'sha1')}\n"
    assert disksum("--show", "-z", "one", cwd=tmp_path).stdout == f"{checksum(one)}  one\0"
    for words in ["--show"], ["--show", "-"]:
        assert disksum(*words, input=(tmp_path / "one").read_bytes()).stdout == \
            f"{checksum(one)}  -\n"


@pytest.mark.parametrize("spec, ranges", [
    ("", []), ("512:A", [(0, 512, "data")]), ("1M:-", [(0, 1 << 20, "zero")]),
    ("64k:A 64k:0 100k:A 92k:-", [(0, 65536, "data"), (65536, 65536, "zero"),
                                 (131072, 131072, "data"), (262144, 65536, "zero")]),
    # A short block of zeros has a digest of its own.
    ("64k:- 512:0", [(0, 65536, "zero"), (65536, 512, "data")]),
])
@pytest.mark.sanitizer
def test_json(disksum, tmp_path, make_list, spec, ranges):
    content = make_list("list", spec)
    shown = json.loads(disksum("--show", "--json", "list", cwd=tmp_path).stdout)
    assert [(r["start"], r["length"], "zero" if r["zero"] else "data")
            for r in shown["ranges"]] == ranges
    assert all(r["zero"] != r["data"] for r in shown["ranges"])
    assert shown["checksum"] == checksum(content)
    assert (shown["filename"], shown["virtual-size"], shown["algorithm"],
            shown["block-size"], shown["first-block"], shown["blocks"]) == \
        ("list", len(content), "sha256", 65536, 0, -(-len(content) // 65536))


@pytest.mark.sanitizer
def test_ranges_of_long_lists(disksum, tmp_path, make_list):
    """Runs go on over the checks of a list."""
    make_list("list", "20M:A 20M:- 20M:B", "--block-size=512")
    shown = json.loads(disksum("--show", "--json", "list", cwd=tmp_path).stdout)
    assert [(r["length"], r["zero"]) for r in shown["ranges"]] == \
        [(20 << 20, False), (20 << 20, True), (20 << 20, False)]


# --- what is no list -----------------------------------------------------

@pytest.mark.parametrize("options", [[], ["--json"]], ids=["line", "json"])
def test_no_list(fails, tmp_path, make_list, options):
    make_list("list", "200000:A 1M:-")
    whole = (tmp_path / "list").read_bytes()
    (tmp_path / "cut").write_bytes(whole[:-1])
    (tmp_path / "more").write_bytes(whole + b"\0")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "qcow2", "1M"],
                   cwd=tmp_path, check=True)
    for name, why in [
            ("list.raw", "not a digest list"),
            ("qcow2", "is a qcow2 image, not a digest list"),
            ("cut", f"incomplete digest list: it ends at offset {len(whole) - 1}"),
            ("more", f"broken digest list: bytes after the end at offset {len(whole)}"),
            (".", "is a directory"), ("none", "No such file or directory")]:
        assert fails("--show", *options, name, cwd=tmp_path) == f"{name}: {why}"


def test_device(fails, loop_device):
    device = loop_device(1 << 20)
    assert fails("--show", device) == f"{device}: is a raw image, not a digest list"


def test_one_of_several(disksum, tmp_path, make_list):
    content = make_list("list", "9k:A")
    result = disksum("--show", "none", "list", cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout) == (1, f"{checksum(content)}  list\n")


def test_flipped_bits(disksum, tmp_path, make_list):
    """One of each byte; unit tests flip all."""
    make_list("list", "512:A 1k:- 512:B", "--block-size=512", "-d", "md5")
    whole = (tmp_path / "list").read_bytes()
    names = [str(at) for at in range(len(whole))]
    for at, name in enumerate(names):
        broken = bytearray(whole)
        broken[at] ^= 1 << at % 8
        (tmp_path / name).write_bytes(broken)
    result = disksum("--show", *names, cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    lines = result.stderr.splitlines()
    assert [line.split(": ")[1] for line in lines] == names


def test_max_size(disksum, fails, tmp_path, make_list):
    make_list("list", "1M:-")
    disksum("--show", "--max-size=1M", "list", cwd=tmp_path)
    assert fails("--show", "--max-size=1023k", "list", cwd=tmp_path) == \
        "list: the disk has 1048576 bytes, more than --max-size allows"


@pytest.mark.parametrize("args, message", [
    (["--show", "-c", "a"], "the --check and --show options are mutually exclusive"),
    (["--show", "--write-list=a", "b"],
     "the --show and --write-list options are mutually exclusive"),
    (["--show", "--", "[", "nbdkit", "]"], "--show takes lists, not a command"),
])
def test_wrong_usage(disksum, tmp_path, args, message):
    result = disksum(*args, check=False, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"disksum: {message}\n")
    assert os.listdir(tmp_path) == []
