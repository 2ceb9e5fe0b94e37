# SPDX-License-Identifier: LGPL-2.1-or-later
"""--tag and --zero."""

import json
import os
import subprocess

import pytest

from lists import NAMES
from oracle import checksum
from qcow2_image import Image

CONTENT = b"x" * 700


def make(directory, name):
    with open(os.fsencode(directory) + b"/" + os.fsencode(name), "wb") as f:
        f.write(CONTENT)
    return name if name != "-" else "./-"


@pytest.mark.parametrize("digest, size, tag", [
    ("sha256", "64k", "BLKHASH-SHA256-64K"), ("sha256", "1M",
                                              "BLKHASH-SHA256-1M"),
    ("sha256", "512", "BLKHASH-SHA256-512"), ("md5", "1536",
                                              "BLKHASH-MD5-1536"),
    ("SHA512", "1024", "BLKHASH-SHA512-1K"), ("sha3-256", "2048k",
                                              "BLKHASH-SHA3-256-2M"),
    ("blake2b512", "1025k", "BLKHASH-BLAKE2B512-1025K"),
])
def test_tag(disksum, tmp_path, digest, size, tag):
    make(tmp_path, "disk")
    plain = disksum("-d", digest, "--block-size", size, "disk", cwd=tmp_path)
    line = disksum("--tag", "-d", digest, "--block-size", size, "disk",
                   cwd=tmp_path).stdout
    assert line == f"{tag} (disk) = {plain.stdout.split()[0]}\n"
    assert line == disksum("--tag", "-a", f"{digest}/{size}", "disk",
                           cwd=tmp_path).stdout
    assert disksum("-c", input=line, cwd=tmp_path).stdout == "disk: OK\n"


@pytest.mark.sanitizer
def test_every_digest(disksum, tmp_path):
    make(tmp_path, "disk")
    lines = "".join(disksum("--tag", "-d", name, "disk", cwd=tmp_path).stdout
                    for name in disksum("--list-digests").stdout.split())
    verdicts = disksum("-c", input=lines, cwd=tmp_path).stdout
    assert verdicts == "disk: OK\n" * lines.count("\n")


def test_digest_with_a_slash_in_its_name(disksum, tmp_path):
    """OpenSSL has such; a block size behind it is another one."""
    make(tmp_path, "disk")
    plain = disksum("-d", "sha512-256", "disk", cwd=tmp_path).stdout
    assert disksum("-d", "SHA2-512/256", "disk", cwd=tmp_path).stdout == plain
    line = disksum("--tag", "-d", "SHA2-512/256/1M", "disk",
                   cwd=tmp_path).stdout
    assert disksum("-c", input=line, cwd=tmp_path).stdout == "disk: OK\n"


@pytest.mark.parametrize("digest, message", [
    ("sha256/7", "invalid block size '7'"), ("sha256/", "invalid block size ''"),
    ("nix/64k", "unknown digest 'nix'"), ("/64k", "unknown digest ''"),
])
def test_bad_digests(disksum, digest, message):
    result = disksum("-d", digest, check=False)
    assert result.returncode == 2 and message in result.stderr


@pytest.mark.sanitizer
@pytest.mark.parametrize("style", ["--tag", "--json"])
def test_digest_list_of_a_part(disksum, tmp_path, style):
    """What --show and --merge print says which part of the image it is of, so
    that --check can verify the line of --merge, which names the image."""
    image = Image(64 << 10, cluster_bits=12)
    image.snapshot(b"1", b"a) \xff", 64 << 10).data(1, b"old")
    image.write(tmp_path / "disk")
    part = ["--snapshot=a) \udcff", "--offset=4k", "--length=20000"]
    for i in "12":
        disksum(*part, f"--shard={i}/2", "--block-size=512", f"--write-list={i}", "disk",
                cwd=tmp_path)
    line = disksum(style, "--merge", "--write-list=all", "1", "2", cwd=tmp_path).stdout
    assert disksum("-c", input=line, cwd=tmp_path).stdout == \
        "disk (snapshot=a%29%20%FF offset=4096 length=20000): OK\n"
    shown = disksum(style, "--show", "all", cwd=tmp_path).stdout
    if style == "--tag":
        assert line == "BLKHASH-SHA256-512 snapshot=a%29%20%FF offset=4096 " \
            f"length=20000 (disk) = {line[-65:]}"
        assert shown == line.replace("(disk)", "(all)")
    else:
        keys = ["snapshot", "snapshot-hex", "offset", "length", "checksum"]
        assert [json.loads(shown)[key] for key in keys] == \
            [json.loads(line)[key] for key in keys]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
@pytest.mark.parametrize("options", [["--tag"], ["-z"], ["--tag", "-z"]],
                         ids=" ".join)
def test_as_gnu(disksum, tmp_path, name, options):
    """But for the digits and the tag."""
    argument = make(tmp_path, name)
    gnu = subprocess.run(["sha256sum", *options, "--", argument], cwd=tmp_path,
                         stdout=subprocess.PIPE, check=True).stdout
    gnu = gnu.decode(errors="surrogateescape").replace(
        subprocess.run(["sha256sum"], input=CONTENT, stdout=subprocess.PIPE,
                       check=True).stdout[:64].decode(), checksum(CONTENT))
    if "--tag" in options:
        gnu = gnu.replace("SHA256 (", "BLKHASH-SHA256-64K (", 1)
    assert disksum(*options, "--", argument, cwd=tmp_path).stdout == gnu
