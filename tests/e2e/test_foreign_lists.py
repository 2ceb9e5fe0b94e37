# SPDX-License-Identifier: LGPL-2.1-or-later
"""--check: lists that other programs have made."""

import os
import re
import shutil
import subprocess

import pytest

from lists import A, B, GOOD, NAMES, Twins, sha, unescape
from oracle import checksum, write_image

HINT = "check a list of sha256sum or a similar program with that program, or with " \
    "--plain=NAME if it is of raw disks; a list of disksum may need the --digest " \
    "and --block-size that it was made with\n"
PLAIN_HINT = "plain digests are those of raw disks; check a list of files in other " \
    "formats with the program that made it\n"


def run(*command, **kwargs):
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]}")
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, **kwargs).stdout


def test_a_list_of_sha256sum(disksum, tmp_path):
    """A publisher's SHA256SUMS: said once, when no line is right."""
    twins = Twins(tmp_path, {"a": A, "b": B})
    twins.write("S", GOOD, "gnu")
    result = disksum("-c", "S", cwd=tmp_path, check=False)
    assert result.stdout == "a: FAILED\nb: FAILED\n"
    assert result.stderr.count(HINT) == 1
    assert disksum("-c", "--plain=sha256", "S", cwd=tmp_path).stdout == \
        "a: OK\nb: OK\n"
    result = disksum("-c", "--status", "S", cwd=tmp_path, check=False)
    assert (result.returncode, result.stderr) == (1, "")
    sha512 = "0" * 128 + "  a\n"
    result = disksum("-c", input=sha512, cwd=tmp_path, check=False)
    assert result.stderr.count(HINT) == 1
    for options, text in (([], "SHA256 (a) = {bad}\n"),
                          (["--plain=sha256"], "{0}  a\n")):
        text = text.format(checksum(A), bad="0" * 64)
        result = disksum("-c", *options, input=text, cwd=tmp_path, check=False)
        assert result.stdout == "a: FAILED\n"
        assert result.stderr.count(PLAIN_HINT) == 1 and HINT not in result.stderr
    ours = disksum("a", cwd=tmp_path).stdout
    for text in ours + "0" * 64 + "  b\n", "garbage\n", ours + sha512:
        result = disksum("-c", input=text, cwd=tmp_path, check=False)
        assert "sha256sum" not in result.stderr


@pytest.mark.parametrize("options", [["-d", "sha512"], ["-d", "sha256/4k"]],
                         ids=str)
def test_a_list_made_with_other_options(disksum, tmp_path, options):
    (tmp_path / "a").write_bytes(B)
    text = disksum(*options, "a", cwd=tmp_path).stdout
    result = disksum("-c", input=text, cwd=tmp_path, check=False)
    assert result.returncode == 1
    assert result.stderr.endswith(f"disksum: 'standard input': {HINT}")


@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("command", [
    "cksum -a md5", "cksum -a sha1", "cksum -a sha224", "cksum -a sha256",
    "cksum -a sha384", "cksum -a sha512", "cksum -a blake2b", "cksum -a sm3",
    "cksum -a sha256 --untagged", "sha256sum --tag", "b2sum --tag", "b2sum", "b3sum",
    "md5sum", "shasum --tag -a 512224", "shasum --tag -a 512256",
    *(f"openssl dgst -{name}" for name in (
        "md5", "sha1", "sha256", "sha512", "sha512-256", "sha3-256", "blake2b512",
        "blake2s256", "ripemd160", "shake128", "sm3", "sha256 -r"))])
def test_plain_sum_of_another_program(disksum, tmp_path, command):
    """A list made of raw disks checks their qcow2 twins."""
    if not shutil.which("qemu-img"):
        pytest.skip("no qemu-img")
    names = ["disk", "a (b) = c"]
    for name in names:
        write_image(tmp_path / name, "64k:A 64k:- 64k:0 512:B")
    lines = run(*command.split(), *names, cwd=tmp_path).decode()
    for name in names:
        (tmp_path / name).rename(tmp_path / "raw")
        run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "raw", name, cwd=tmp_path)
    plain = {"cksum": "sha256", "b2sum": "blake2b512", "b3sum": "blake3",
             "md5sum": "md5", "openssl": "sha256"}.get(command.split()[0])
    options = [] if "(" in lines.split("\n")[0][:20] else [f"--plain={plain}"]
    assert disksum("-c", *options, input=lines, cwd=tmp_path).stdout == \
        "disk: OK\na (b) = c: OK\n"
    bad = re.sub("[0-9a-f]{32,}", lambda m: m[0][1:] + m[0][0], lines)
    assert disksum("-c", *options, input=bad, cwd=tmp_path, check=False).stdout == \
        "disk: FAILED\na (b) = c: FAILED\n"


@pytest.mark.parametrize("tool", [["cksum", "-a", "sha512"], ["sha256sum", "--tag"]],
                         ids=" ".join)
def test_names_of_another_program(build, tmp_path, tool):
    """It writes and reads them as we do."""
    names = [name if name != "-" else "./-" for name in NAMES
             if not name.startswith("\\")]
    for name in names:
        with open(os.path.join(os.fsencode(tmp_path), os.fsencode(name)), "wb") as f:
            f.write(A)
    lines = run(*tool, "--", *map(os.fsencode, names), cwd=tmp_path)
    verdicts = [subprocess.run([command, "-c"], input=lines, cwd=tmp_path, check=True,
                               stdout=subprocess.PIPE).stdout
                for command in (tool[0], build / "disksum")]
    gnu, ours = ([unescape(line) for line in text.split(b"\n")] for text in verdicts)
    assert gnu == ours and len(ours) == len(names) + 1


@pytest.mark.parametrize("line, why", [
    ("BLAKE2b-256 (a) = " + "0" * 64, "BLAKE2b is supported only with 512 bits"),
    ("HMAC-SHA2-256(a)= " + "0" * 64, "unknown digest"),
    ("SKEIN256 (a) = " + "0" * 64, "unknown digest"),
    ("SHA256 (a) = " + "0" * 128, "does not have the length of the digest"),
    ("NULL (a) = " + "0" * 64, "verifies nothing"),
    ("SHA256 block=4k (a) = " + "0" * 64, "unknown part of an image"),
    ('{"filename":"a","construction":"sha256sum","checksum":"%s"}' % ("0" * 64),
     "unknown construction"),
    ('{"filename":"a","construction":"blkhash","algorithm":"sha256","checksum":"%s"}'
     % sha(A), "the block size is missing"),
], ids=lambda value: value[:24])
def test_what_is_no_plain_sum(disksum, tmp_path, line, why):
    (tmp_path / "a").write_bytes(A)
    result = disksum("-cw", "--plain=sha256", input=line + "\n", cwd=tmp_path,
                     check=False)
    assert result.returncode == 1 and not result.stdout
    assert why in result.stderr and ("omit -c" in result.stderr) == (line[0] == "{")
