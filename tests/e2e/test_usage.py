# SPDX-License-Identifier: LGPL-2.1-or-later
"""Wrong usage, in the words of getopt."""

import pytest

from conftest import kernels
from oracle import checksum, write_image


@pytest.mark.parametrize("args", [
    ["-t", "0"], ["-t", "257"], ["-t", "x"], ["--queue-depth=0"],
    ["--queue-depth=257"], ["--read-size=4095"], ["--read-size=65M"],
    ["--block-size=0"], ["--block-size=511"], ["--block-size=513"],
    ["--block-size=17M"], ["-d", "sha257"], ["-d", ""], ["-T", "direct"],
    ["--no-such-option"], ["-Z"], ["-t"]])
def test_wrong_usage(disksum, args):
    result = disksum(*args, check=False, input="")
    assert result.returncode == 2
    assert not result.stdout
    lines = result.stderr.splitlines()
    assert len(lines) == 2
    assert lines[1] == "Try 'disksum --help' for more information."


@pytest.mark.parametrize("argument, message", [
    ("--bogus", "unrecognized option '--bogus'"),
    ("--bogus=1", "unrecognized option '--bogus=1'"),
    ("--b\x1b[31m\n\xff", "unrecognized option '--b\\033[31m\\012ÿ'"),
    ("--st", "option '--st' is ambiguous; possibilities: '--standalone' "
     "'--status' '--strict'"),
    ("--st=1", "option '--st=1' is ambiguous; possibilities: '--standalone' "
     "'--status' '--strict'"),
    ("--format", "option '--format' requires an argument"),
    ("--block-s", "option '--block-size' requires an argument"),
    ("--help=1", "option '--help' doesn't allow an argument"),
    ("--tag=", "option '--tag' doesn't allow an argument"),
    ("-f", "option requires an argument -- 'f'"),
    ("-vf", "option requires an argument -- 'f'"),
    ("-x", "invalid option -- 'x'"), ("-vx", "invalid option -- 'x'"),
    ("-\x1b", "invalid option -- '\\033'"), ("-:", "invalid option -- ':'"),
    ("-\udcff", "invalid option -- '\\377'"),
    ("-=3", "invalid option -- '='"), ("-x=3", "invalid option -- 'x'"),
    ("-U=", "option '-U' doesn't allow an argument"),
    ("-Uv=3", "option '-v' doesn't allow an argument"),
    ("-p=3", "option '-p' doesn't allow an argument; use --progress=FD"),
], ids=ascii)
def test_words_of_getopt(disksum, build, argument, message):
    """But for the name of the program, and what would drive the terminal."""
    result = disksum("-v", argument, check=False, input="")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"disksum: {message}\n" \
        "Try 'disksum --help' for more information.\n"


COMMAND = ["--", "[", "nbdkit", "null", "]"]
LISTS = ["--show", "--merge"]
IMAGE_OPTIONS = ["--format=raw", "--snapshot=1", "--image-opts"]
HASH_OPTIONS = ["--digest=sha1", "--algorithm=sha1", "--block-size=4k"]


@pytest.mark.parametrize("arguments, message", [
    *[(["-f", word, "--image-opts", "driver=raw,file.filename=disk"],
       "the --image-opts and --format options are mutually exclusive")
      for word in ("raw", "qcow2", "nosuch")],
    (["-c", "-f", "raw", "--image-opts", "SUMS"],
     "the --image-opts and --format options are mutually exclusive"),
    (["--image-opts", *COMMAND], "--image-opts takes option strings, not a command"),
    *[([mode, *lists, *COMMAND], f"{mode} takes lists, not a command")
      for mode in ("--check", *LISTS) for lists in ([], ["SUMS"])],
    (["-c", "[", "nbdkit", "null", "]"], "--check takes lists, not a command"),
    *[(["--diff", *COMMAND, "disk"][:n], None) for n in (6, 7)],
    *[([mode, option, "list"],
       f"the {mode} and {option.split('=')[0]} options are mutually exclusive")
      for mode in LISTS for option in IMAGE_OPTIONS + HASH_OPTIONS],
    *[(["--diff", option, "disk", "disk"],
       f"the --diff and {option.split('=')[0]} options are mutually exclusive")
      for option in HASH_OPTIONS],
], ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_options_that_do_not_go_together(disksum, tmp_path, arguments, message):
    """One of them would do nothing. Nothing is read, or started."""
    result = disksum(*arguments, check=False, cwd=tmp_path, input="")
    assert (result.returncode, result.stdout) == (2, "")
    line, hint = result.stderr.splitlines()
    assert hint == "Try 'disksum --help' for more information."
    assert line == f"disksum: {message}" or not message


def test_abbreviated_options(disksum, tmp_path):
    content = write_image(tmp_path / "disk", "9k:A")
    out = disksum("--dig", "sha1", "--block=4k", "--thr=2", "--ta", "disk",
                  cwd=tmp_path).stdout
    assert out == f"BLKHASH-SHA1-4K (disk) = {checksum(content, 4096, 'sha1')}\n"


@pytest.mark.parametrize("word", ["nosuch", "img", "ova", "vmdk2"])
def test_unknown_format(fails, tmp_path, word):
    """QEMU has the last word: it has more drivers than there are formats."""
    write_image(tmp_path / "disk", "9k:A")
    assert fails("-f", word, tmp_path / "disk") == \
        f"{tmp_path}/disk: QEMU: Unknown driver '{word}'"


@pytest.mark.parametrize("word, message", [
    ("vhd", "unknown format 'vhd': the format of .vhd files is 'vpc'"),
    ("VHD", "unknown format 'VHD': the format of .vhd files is 'vpc'"),
    ("avhdx", "unknown format 'avhdx': the format of .avhdx files is 'vhdx'"),
    ("hds", "unknown format 'hds': the format of .hds files is 'parallels'"),
    ("VMDK", "unknown format 'VMDK'; did you mean 'vmdk'?"),
    ("Qcow2", "unknown format 'Qcow2'; did you mean 'qcow2'?"),
])
def test_format_that_is_nearly_right(disksum, word, message):
    result = disksum("-f", word, "no such image", check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"disksum: {message}\n" \
        "Try 'disksum --help' for more information.\n"


def test_forced_kernel_is_missing(disksum, tmp_path):
    write_image(tmp_path / "disk", "9k:A")
    result = disksum(tmp_path / "disk", env={"BLKHASH_SHA256": "nosuch"},
                     check=False)
    assert result.returncode == 1
    assert not result.stdout
    assert result.stderr == (
        "disksum: BLKHASH_SHA256: no kernel 'nosuch'; this machine has "
        f"{', '.join(kernels())}\n")


@pytest.mark.parametrize("ways", ["view", "ring,copy"])
def test_forced_way_to_read_is_unknown(disksum, tmp_path, ways):
    write_image(tmp_path / "disk", "9k:A")
    result = disksum(tmp_path / "disk", env={"DISKSUM_READS": ways}, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == (f"disksum: DISKSUM_READS: no way to read '{ways}'; "
                             "there are ring, threads, mmap and copy\n")


def test_unknown_digest_with_a_kernel(disksum, tmp_path):
    write_image(tmp_path / "disk", "9k:A")
    result = disksum("-d", "nosuch", tmp_path / "disk", check=False,
                     env={"BLKHASH_SHA256": "openssl"})
    assert result.returncode == 2
    assert result.stderr.startswith("disksum: unknown digest 'nosuch'")
