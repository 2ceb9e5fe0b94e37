# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every digest that --list-digests prints."""

import hashlib
import json
import os
import subprocess

import pytest

from conftest import sums
from list_oracle import read_list
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
    ["--check", "sums"], ["--expect=00", "disk"], ["--expect=NULL/4k:", "disk"],
    ["--write-list=list", "disk"], ["--diff", "disk", "disk"],
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


# --- several in one pass --------------------------------------------------

# What is given: the digest and the size of its blocks in the tag, for hashlib, and
# in bytes. Several lanes of one digest, and blocks larger than a slot.
SEVERAL = {
    "sha256": ("SHA256-4K", "sha256", 4096),
    "SHA1/512": ("SHA1-512", "sha1", 512),
    "sha256/16M": ("SHA256-16M", "sha256", 16 << 20),
    "blake2b512/64k": ("BLAKE2B512-64K", "blake2b", 65536),
    "sha256/64k": ("SHA256-64K", "sha256", 65536),
    "md5": ("MD5-4K", "md5", 4096),
}
GIVEN = [word for name in SEVERAL for word in ("-d", name)]


def lines_of_several(content, *names):
    mds = [checksum(content, size, digest) for _, digest, size in SEVERAL.values()]
    return "".join(f"BLKHASH-{tag} ({name}) = {md}\n" for name in names
                   for (tag, _, _), md in zip(SEVERAL.values(), mds))


@pytest.mark.sanitizer
@pytest.mark.parametrize("options", [
    ["-t1", "--queue-depth=1"], ["-t2", "--read-size=4k"], ["-t4", "-T", "none"]],
    ids=" ".join)
def test_several(disksum, tmp_path, options):
    """In the order of the options, wherever --block-size is."""
    content = write_image(tmp_path / "disk", "17M:A 1M:- 100k:B 3M:0 77:C")
    subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", tmp_path / "disk",
                    tmp_path / "copy"], check=True)
    expected = lines_of_several(content, "disk", "copy", "-")
    for size in ["--block-size=4k", *GIVEN], [*GIVEN, "--block-size=4k"]:
        out = disksum(*size, *options, "disk", "copy", "-", input=content,
                      cwd=tmp_path).stdout
        assert out == expected
    lines = "".join(out.splitlines(True)[:12])
    assert disksum("-c", input=lines, cwd=tmp_path).stdout == \
        "disk: OK\n" * 6 + "copy: OK\n" * 6


def test_same_digest_counts_once(disksum, image):
    path, content = image
    one = disksum("-d", "sha256", path).stdout
    assert sums(one) == [checksum(content)]
    for names in ["sha256", "SHA256"], ["sha256/64k", "SHA2-256", "sha-256/65536"], \
            ["sha256"] * 40:
        arguments = [word for name in names for word in ("-a", name)]
        assert disksum(*arguments, path).stdout == one
    out = disksum("-d", "sha1", "-d", "md5", "-d", "SHA1", path).stdout
    assert [line.split()[0] for line in out.splitlines()] == \
        ["BLKHASH-SHA1-64K", "BLKHASH-MD5-64K"]


def test_own_block_size_wins(disksum, image):
    path, content = image
    for arguments in ["-d", "sha256/4k", "--block-size=1M"], \
            ["--block-size=1M", "-d", "sha256/4k"]:
        assert sums(disksum(*arguments, path).stdout) == [checksum(content, 4096)]


def test_json_of_several(disksum, image):
    path, content = image
    out = disksum("--json", "-d", "md5", "-d", "sha1/4k", path).stdout
    objects = [json.loads(line) for line in out.splitlines()]
    assert [(o["filename"], o["algorithm"], o["block-size"], o["checksum"])
            for o in objects] == [
        (str(path), "md5", 65536, checksum(content, digest="md5")),
        (str(path), "sha1", 4096, checksum(content, 4096, "sha1"))]
    result = disksum("--json", "-d", "md5", "-d", "sha1/4k", "no", check=False)
    assert set(json.loads(result.stdout)) == {"filename", "error"}


def test_list_of_the_first(disksum, image, tmp_path):
    path, content = image
    out = disksum("--json", "-d", "sha1/4k", "-d", "md5/512",
                  f"--write-list={tmp_path}/list", path).stdout
    objects = [json.loads(line) for line in out.splitlines()]
    assert ["list" in o for o in objects] == [True, False]
    written = read_list((tmp_path / "list").read_bytes())
    assert (written.digest, written.block_size) == ("sha1", 4096)
    assert written.checksum.hex() == objects[0]["checksum"] == \
        checksum(content, 4096, "sha1")


def test_last_one_counts_in_blksum(build, image, tmp_path):
    path, content = image
    os.symlink(build / "disksum", tmp_path / "blksum")
    for arguments in ["-d", "md5", "-d", "sha1"], ["-d", "md5/4k", "-a", "sha1"]:
        out = subprocess.run([tmp_path / "blksum", *arguments, path], check=True,
                             stdout=subprocess.PIPE).stdout.decode()
        assert sums(out) == [checksum(content, digest="sha1")]


@pytest.mark.parametrize("args, message", [
    (["-d", "md5/12k", "-d", "sha1/8k", "a"],
     "block sizes 12288 and 8192: one must be a multiple of the other"),
    (["-d", "md5", "-d", "sha1/512", "-d", "sha1/96k", "a"],
     "block sizes 65536 and 98304: one must be a multiple of the other"),
    ([word for n in range(17) for word in ("-d", f"sha1/{512 << n % 16}")] +
     ["-d", "md5", "-d", "sha256", "a"], "more than 16 digests"),
    (["-d", "md5", "-d", "nix", "a"], "unknown digest 'nix'; see --list-digests"),
    (["-d", "md5", "-d", "sha1", "-c", "a"],
     "with the --check option, there can be only one digest"),
    (["-d", "md5", "-d", "sha1", "--diff", "a", "b"],
     "with the --diff option, there can be only one digest"),
    (["-d", "md5", "-d", "sha1", "--show", "a"],
     "with the --show option, there can be only one digest"),
    (["-d", "md5", "-d", "sha1", "--merge", "a"],
     "with the --merge option, there can be only one digest"),
    (["-d", "md5", "-d", "sha1", "--base=l", "--bitmap=b", "a"],
     "with the --base option, there can be only one digest"),
    (["-d", "md5", "-d", "sha1", "--write-list=l", "--resume", "a"],
     "with the --resume option, there can be only one digest"),
    (["-d", "md5", "-d", "sha1", "--write-list=l", "--shard=1/2", "a"],
     "with the --shard option, there can be only one digest"),
    (["-d", "md5", "-d", "sha1", "--write-list=/dev/stdout", "a"],
     "the checksums of several digests and the list cannot both go to standard "
     "output"),
], ids=lambda value: "" if isinstance(value, list) else value)
def test_wrong_usage_of_several(disksum, tmp_path, args, message):
    result = disksum(*args, cwd=tmp_path, check=False)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr == f"disksum: {message}\n" \
        "Try 'disksum --help' for more information.\n"
    assert not list(tmp_path.iterdir())
