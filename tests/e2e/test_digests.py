# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every digest that --list-digests prints."""

import hashlib
import json
import subprocess

import pytest

from conftest import sums
from oracle import checksum, write_image

SPEC = "100k:A 70k:- 3000:B 64k:0"


@pytest.fixture
def image(tmp_path):
    return tmp_path / "disk", write_image(tmp_path / "disk", SPEC)


def test_list(disksum):
    names = disksum("--list-digests").stdout.split()
    assert names == sorted(set(names))
    assert {"sha256", "sha512", "sha1", "blake2b512", "blake3"} <= set(names)


def test_hashlib_agrees(disksum, image):
    path, content = image
    known = {name.replace("_", "-"): name for name in
             hashlib.algorithms_available if not name.startswith("shake")}
    # OpenSSL and hashlib write some names differently.
    known |= {"blake2b512": "blake2b", "blake2s256": "blake2s"}
    names = [name for name in disksum("--list-digests").stdout.split()
             if name in known]
    assert len(names) > 10
    for name in names:
        expected = checksum(content, digest=known[name])
        assert sums(disksum("-d", name, path).stdout) == [expected]
        assert sums(disksum("-a", name.upper(), path).stdout) == [expected]


def test_json_of_every_digest(disksum, image):
    """What is printed can be checked."""
    path, _ = image
    names = disksum("--list-digests").stdout.split()
    text = "".join(disksum("--json", "-d", name, path).stdout for name in names)
    assert [json.loads(line)["algorithm"] for line in text.splitlines()] == \
        names
    assert disksum("-c", input=text).stdout == f"{path}: OK\n" * len(names)


# --- null ----------------------------------------------------------------

def test_null(disksum, image):
    """It is for measuring: the disk is read, and there is no checksum."""
    path, content = image
    assert disksum("-d", "null", path).stdout == f"  {path}\n"
    assert disksum("-a", "NULL/4k", "--tag", path).stdout == f"BLKHASH-NULL-4K ({path}) = \n"
    assert disksum("-d", "null", input=content).stdout == "  -\n"
    assert "null" not in disksum("--list-digests").stdout
    said = json.loads(disksum("-d", "null/512", "--json", path).stdout)
    assert said["algorithm"] == "null" and "checksum" not in said
    data = json.loads(disksum("-d", "sha256/512", "--json", path).stdout)
    assert said["read"] == data["read"] and said["hole"] == data["hole"]
    assert said["data"] == data["data"] + data["zero"] > data["data"]


@pytest.mark.parametrize("line", [
    "  {}", "00  {}", "BLKHASH-NULL-64K ({}) = ", "BLKHASH-NULL-64K ({}) = 00", "NULL ({}) = ",
    "BLKHASH-NULL-64K ({}) = " + 64 * "0",
    '{{"filename":"{}","algorithm":"null","block-size":65536}}',
    '{{"filename":"{}","algorithm":"null","block-size":65536,"checksum":""}}',
    '{{"filename":"{}","algorithm":"NULL","checksum":"00"}}'])
def test_null_verifies_nothing(disksum, image, line):
    path, _ = image
    result = disksum("-c", input=line.format(path) + "\n", check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert "no properly formatted checksum lines" in result.stderr


@pytest.mark.parametrize("options", [
    ["--check", "sums"], ["--write-list=list", "disk"], ["--diff", "disk", "disk"],
    ["--write-list=new", "--base=list", "--changes=json", "disk"], ["--show", "list"],
    ["--merge", "list"]])
def test_null_is_refused(disksum, tmp_path, options):
    result = disksum("-d", "null", *options, cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert "the digest null computes nothing, so it cannot be used with the --" in \
        result.stderr.splitlines()[0]
    assert not list(tmp_path.iterdir())


def b3sum(data):
    return bytes.fromhex(subprocess.run(
        ["b3sum", "--no-names"], input=data, stdout=subprocess.PIPE,
        check=True).stdout.decode())


def test_blake3_is_that_of_b3sum(disksum, image):
    path, content = image
    content += bytes(-len(content) % 512)
    root = b"".join(b3sum(content[i:i + 65536])
                    for i in range(0, len(content), 65536))
    expected = b3sum(root + len(content).to_bytes(8, "little")).hex()
    assert sums(disksum("-d", "blake3", path).stdout) == [expected]


def test_shake(disksum, image):
    """Extendable output has the length of OpenSSL 3.0's default."""
    path, content = image
    content += bytes(-len(content) % 512)
    for name, size in ("shake128", 16), ("shake256", 32):
        root = hashlib.new(name)
        for i in range(0, len(content), 65536):
            root.update(hashlib.new(name, content[i:i + 65536]).digest(size))
        root.update(len(content).to_bytes(8, "little"))
        assert sums(disksum("-d", name, path).stdout) == [root.hexdigest(size)]
