# SPDX-License-Identifier: LGPL-2.1-or-later
"""--expect: whether an image has the checksum that the user has."""

import hashlib
import json
import subprocess

import pytest

from list_oracle import read_list
from oracle import checksum, write_image

HINT = "disksum: {}: a checksum of sha256sum or a similar program needs " \
    "--plain={}\n"


def other(hexadecimal):
    """Another checksum, of which the last bit differs."""
    return hexadecimal[:-1] + format(int(hexadecimal[-1], 16) ^ 1, "x")


@pytest.fixture
def content(tmp_path):
    return write_image(tmp_path / "disk", "100k:A 64k:- 4k:B")


@pytest.fixture
def verdict(disksum, tmp_path):
    """Run it: (exit status, stdout, stderr)."""
    def run(*args, **kwargs):
        result = disksum(*args, cwd=tmp_path, check=False, **kwargs)
        return result.returncode, result.stdout, result.stderr
    return run


NAMES = pytest.mark.parametrize("prefix, options, size, digest", [
    ("", [], 65536, "sha256"), ("sha256:", [], 65536, "sha256"),
    ("SHA-256:", [], 65536, "sha256"), ("md5:", [], 65536, "md5"),
    ("sha256/1M:", [], 1 << 20, "sha256"),
    ("sha1:", ["--block-size=4k"], 4096, "sha1"),
    ("BLKHASH-SHA256-64K:", [], 65536, "sha256"),
    ("BLKHASH-SHA3-256-512:", [], 512, "sha3_256"),
    ("", ["-d", "sha512"], 65536, "sha512"),
    ("", ["-d", "sha512/4k", "-d", "SHA512/4k"], 4096, "sha512"),
    ("SHA2-512:", ["-d", "sha512/4k"], 4096, "sha512"),
    ("", ["--plain=sha256"], 0, "sha256"), ("", ["--plain=md5"], 0, "md5"),
    ("sha256:", ["--plain=SHA256"], 0, "sha256"),
])


@NAMES
@pytest.mark.sanitizer(every=5)
def test_names(verdict, content, prefix, options, size, digest):
    expected = checksum(content, size, digest) if size else \
        hashlib.new(digest, content).hexdigest()
    arguments = [*options, f"--expect={prefix}{expected.upper()}"]
    assert verdict(*arguments, "disk") == (0, "disk: OK\n", "")
    assert verdict(*arguments, "-q", "disk") == (0, "", "")
    arguments = [*options, "--expect", f"{prefix}{other(expected)}"]
    status, out, err = verdict(*arguments, "disk")
    assert (status, out) == (1, "disk: FAILED\n")
    # Who names the size of a block has a checksum of disksum.
    if size and "/" not in prefix and not prefix.startswith("BLKHASH"):
        name = options[1].split("/")[0] if "-d" in options else \
            prefix[:-1] or "sha256"
        assert err == HINT.format("disk", name)
    else:
        assert err == ""
    assert verdict(*arguments, "-q", "disk") == (1, "disk: FAILED\n", "")


def test_inputs(verdict, content, tmp_path):
    """Any image, a command, and standard input: a file or a pipe."""
    expected = f"--expect={checksum(content)}"
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", tmp_path / "disk",
                    tmp_path / "a\nb"], check=True)
    assert verdict(expected, "a\nb") == (0, "\\a\\nb: OK\n", "")
    for arguments in [], ["-"]:
        assert verdict(expected, *arguments, input=content) == (0, "-: OK\n", "")
    with (tmp_path / "disk").open() as f:
        assert verdict(expected, stdin=f) == (0, "-: OK\n", "")
    command = ["[", "nbdkit", "file", "disk", "]"]
    assert verdict(expected, "--", *command) == \
        (0, f"{' '.join(command)}: OK\n", "")


def test_publisher_of_a_raw_image(verdict, content, tmp_path):
    """The checksum of 'sha256sum disk.raw' verifies the qcow2, and the hint says how."""
    expected = subprocess.run(
        ["sha256sum", tmp_path / "disk"], check=True,
        stdout=subprocess.PIPE).stdout.decode().split()[0]
    subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", tmp_path / "disk",
                    tmp_path / "copy"], check=True)
    assert verdict("--expect", expected, "copy") == \
        (1, "copy: FAILED\n", HINT.format("copy", "sha256"))
    assert verdict("--expect", expected, "--plain=sha256", "copy") == \
        (0, "copy: OK\n", "")


def test_errors(fails, content, tmp_path):
    """An error is neither OK nor FAILED."""
    expected = f"--expect={checksum(content)}"
    assert fails(expected, "no", cwd=tmp_path) == "no: No such file or directory"
    assert fails(expected, "-q", "no", cwd=tmp_path) == \
        "no: No such file or directory"


def test_full_output(disksum, content, tmp_path):
    """A verdict that nobody can read is an error."""
    with open("/dev/full", "w") as full:
        result = disksum(f"--expect={checksum(content)}", "disk", cwd=tmp_path,
                         stdout=full, check=False)
    assert result.returncode == 1
    assert "No space left on device" in result.stderr


def test_json(verdict, content):
    expected = checksum(content)
    for value, status in (expected, 0), (other(expected), 1):
        for options in [], ["-q"]:
            code, out, err = verdict("--json", f"--expect=sha256:{value}",
                                     *options, "disk")
            assert (code, err) == (status, "")
            found = json.loads(out)
            assert found["checksum"] == expected
            assert found["expected"] == value
            assert found["matches"] is (status == 0)
    code, out, _ = verdict("--json", f"--expect={expected}", "no")
    assert code == 1 and set(json.loads(out)) == {"filename", "error"}


@pytest.mark.parametrize("plain", [False, True])
def test_write_list(verdict, content, tmp_path, plain):
    """The list is that of the disk, also of one that is not as expected: it says
    where that differs. With --plain, its checksum is not what is expected."""
    expected = hashlib.sha256(content).hexdigest() if plain else checksum(content)
    options = ["--plain=sha256"] if plain else []
    for value, status, word in (expected, 0, "OK"), (other(expected), 1, "FAILED"):
        assert verdict(*options, "-q", "--write-list=list", "--expect", value,
                       "disk") == (status, "" if status == 0
                                   else f"disk: {word}\n", "")
        written = read_list((tmp_path / "list").read_bytes())
        assert written.checksum.hex() == checksum(content)
        (tmp_path / "list").unlink()
    code, out, _ = verdict(*options, "--json", "--write-list=list", "--expect",
                           expected, "disk")
    objects = [json.loads(line) for line in out.splitlines()]
    assert code == 0 and len(objects) == 1 + plain
    assert ["matches" in o for o in objects] == [False, True][-len(objects):]
    assert ["list" in o for o in objects] == [True, False][:len(objects)]


def test_base(verdict, disksum, content, tmp_path):
    """What is known from an older list counts."""
    disksum("--write-list=list", "disk", cwd=tmp_path)
    (tmp_path / "changes").write_text("[]")
    assert verdict("--base=list", "--changes=changes",
                   f"--expect={checksum(content)}", "disk") == \
        (0, "disk: OK\n", "")


SUM = "0" * 64


@pytest.mark.parametrize("args, message", [
    (["--expect="], "--expect: not a checksum in hexadecimal: ''"),
    (["--expect=sha256:"], "--expect: not a checksum in hexadecimal: ''"),
    (["--expect=x" + SUM[1:]],
     f"--expect: not a checksum in hexadecimal: 'x{SUM[1:]}'"),
    (["--expect=" + SUM[1:]],
     "--expect: the checksum has 63 digits, but one of sha256 has 64; see "
     "--digest and --plain"),
    (["--expect=" + SUM * 5],
     "--expect: the checksum has 320 digits, but one of sha256 has 64; see "
     "--digest and --plain"),
    (["--expect=md5:" + SUM],
     "--expect: the checksum has 64 digits, but one of md5 has 32; see "
     "--digest and --plain"),
    (["--expect=null:" + SUM], "the digest null computes nothing, so it cannot be "
     "used with the --expect option"),
    (["--expect=", "--plain=null"], "the digest null computes nothing, so it cannot "
     "be used with the --expect option"),
    (["--expect=nix:" + SUM], "unknown digest 'nix'; see --list-digests"),
    (["--expect=BLKHASH-SHA256:" + SUM],
     "unknown digest 'BLKHASH-SHA256'; see --list-digests"),
    (["--expect=sha256/7:" + SUM],
     "invalid block size '7': must be 512 to 16777216"),
    (["--expect=sha256:" + SUM, "-d", "md5"],
     "--expect names sha256, but md5 is computed"),
    (["--expect=md5:" + SUM, "--plain=sha256"],
     "--expect names md5, but sha256 is computed"),
    (["--expect=sha256/64k:" + SUM, "--plain=sha256"],
     "--expect names sha256 in blocks of 65536 bytes, but another digest is "
     "computed"),
    (["--expect=BLKHASH-SHA256-64K:" + SUM, "-d", "sha256/1M"],
     "--expect names SHA256 in blocks of 65536 bytes, but another digest is "
     "computed"),
    (["--expect=" + SUM, "-d", "sha256", "-d", "md5"],
     "--expect takes one digest"),
    (["--expect=" + SUM, "-d", "sha256", "--plain=sha256"],
     "--expect takes one digest"),
    (["--expect=" + SUM, "--plain=sha256", "--plain=md5", "--write-list=l"],
     "--expect takes one digest"),
    (["--expect=" + SUM, "--expect=" + SUM],
     "there can be only one --expect option"),
    (["--expect=" + SUM, "b"], "--expect takes one image"),
    (["--expect=" + SUM, "--check"],
     "the --expect and --check options are mutually exclusive"),
    (["--expect=" + SUM, "--diff", "b"],
     "the --expect and --diff options are mutually exclusive"),
    (["--expect=" + SUM, "--show"],
     "the --expect and --show options are mutually exclusive"),
    (["--expect=" + SUM, "--merge"],
     "the --expect and --merge options are mutually exclusive"),
    (["--expect=" + SUM, "--shard=1/2", "--write-list=l"],
     "the --expect and --shard options are mutually exclusive"),
    (["--expect=" + SUM, "--tag"],
     "the --expect and --tag options are mutually exclusive"),
    (["--expect=" + SUM, "-z"],
     "the --expect and --zero options are mutually exclusive"),
    (["--expect=" + SUM, "--write-list=-"],
     "--expect and the list cannot both go to standard output"),
])
def test_wrong_usage(disksum, tmp_path, args, message):
    result = disksum(*args, "a", cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"disksum: {message}\n" \
        "Try 'disksum --help' for more information.\n"
    assert not list(tmp_path.iterdir())
