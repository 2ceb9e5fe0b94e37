# SPDX-License-Identifier: LGPL-2.1-or-later
"""--check: a line says what was hashed; the options say what it leaves open."""

import json
import os
import re
import shutil
import subprocess
from urllib.parse import quote

import pytest

from lists import A, B
from oracle import checksum, write_image
from qcow2_image import Image

SNAPSHOTS = ["s1", "two words", "ümlaut", "a) = (b", "50%", "tab\there\n",
             "escape\x1b[31m", "\udcff", "https://user:password@host/"]


def test_digest_and_block_size(disksum, tmp_path):
    """A line says what it is, or it takes that from the options."""
    (tmp_path / "a").write_bytes(B)
    other = ["-d", "sha512", "--block-size", "4k"]
    for style in "--tag", "--json":
        line = disksum(style, *other, "a", cwd=tmp_path).stdout
        assert disksum("-c", input=line, cwd=tmp_path).stdout == "a: OK\n"
        assert disksum("-c", "-d", "md5/512", input=line,
                       cwd=tmp_path).stdout == "a: OK\n"
    plain = disksum(*other, "a", cwd=tmp_path).stdout
    assert disksum("-c", *other, input=plain, cwd=tmp_path).stdout == "a: OK\n"
    result = disksum("-cw", input=plain, cwd=tmp_path, check=False)
    assert result.returncode == 1 and not result.stdout
    assert "does not have the length of the digest; see -d" in result.stderr
    result = disksum("-c", "-d", "sha512", input=plain, cwd=tmp_path,
                     check=False)
    assert result.stdout == "a: FAILED\n"


def test_block_size_that_is_no_sector(disksum, tmp_path):
    (tmp_path / "a").write_bytes(A)
    for size in "1", "511", "1000", "16777217", "17M", "99999999999999999999":
        line = f"BLKHASH-SHA256-{size} (a) = {checksum(A)}\n"
        result = disksum("-cw", input=line, cwd=tmp_path, check=False)
        assert result.returncode == 1 and not result.stdout
        assert ": 1: improperly formatted checksum line: " in result.stderr


def test_unknown_digest_in_a_line(disksum, tmp_path):
    result = disksum("-cw", input=f"BLKHASH-NIX-64K (a) = {'0' * 64}\n",
                     check=False)
    assert "'standard input': 1: improperly formatted checksum line: " \
        "unknown digest" in result.stderr


@pytest.mark.parametrize("line", [
    "BLKHASH-NULL-64K (a) = {0}", '{{"filename":"a","algorithm":"null",'
    '"checksum":"{0}"}}', "NULL (a) = {0}", "{0}  a"], ids=str)
def test_digest_that_verifies_nothing(disksum, tmp_path, line):
    """Whether the library has it or not, for measurements."""
    (tmp_path / "a").write_bytes(A)
    for size in 1, 16, 32, 64:
        for options in [], ["-d", "null"], ["-d", "NULL/4k"]:
            result = disksum("-c", *options, cwd=tmp_path, check=False,
                             input=line.format("00" * size) + "\n")
            assert result.returncode and "OK" not in result.stdout


@pytest.mark.sanitizer
@pytest.mark.parametrize("style", ["--tag", "--json"])
def test_snapshot_in_a_line(disksum, tmp_path, style):
    """A line says of which disk it is, so several may be of one image. Those
    that do not say it take it from the options."""
    image = Image(64 << 10, cluster_bits=12)
    image.disk.data(0, b"active")
    for i, name in enumerate(SNAPSHOTS):
        image.snapshot(b"%d" % i, os.fsencode(name), 64 << 10).data(
            i, os.fsencode(name))
    image.write(tmp_path / "disk")
    lines = [disksum(style, "-l", name, "disk", cwd=tmp_path).stdout
             for name in SNAPSHOTS]
    lines.append(disksum(style, "disk", cwd=tmp_path).stdout)
    assert len({re.search("[0-9a-f]{64}", line)[0] for line in lines}) == \
        len(lines)
    verdicts = disksum("-c", input="".join(lines), cwd=tmp_path).stdout
    assert verdicts.splitlines() == [
        f"disk (snapshot={quote(os.fsencode(name), safe='/:@+')}): OK"
        for name in SNAPSHOTS] + ["disk: OK"]
    if style == "--tag":
        assert lines[3] == "BLKHASH-SHA256-64K snapshot=a%29%20%3D%20%28b " \
            f"(disk) = {lines[3][-65:]}"
    else:
        lines = [json.loads(line) for line in lines]
        assert lines[2]["snapshot"] == "ümlaut" and "snapshot" not in lines[-1]
        assert lines[7]["snapshot-hex"] == "ff"
        lines = [json.dumps(line) + "\n" for line in lines]
    wrong = lines[0].replace("s1", "two%20words" if style == "--tag" else
                             "two words")
    result = disksum("-c", input=wrong, cwd=tmp_path, check=False)
    assert result.stdout == "disk (snapshot=two%20words): FAILED\n"
    plain = disksum("-l", "s1", "disk", cwd=tmp_path).stdout
    assert disksum("-c", "-l", "s1", input=plain + lines[1],
                   cwd=tmp_path).stdout.count(": OK\n") == 2
    assert disksum("-c", input=plain, cwd=tmp_path, check=False).returncode


@pytest.mark.parametrize("style", ["--tag", "--json"])
def test_range_in_a_line(disksum, tmp_path, style):
    content = write_image(tmp_path / "a", "64k:A 64k:- 64k:B 700:C")
    parts = [["--offset=1000"], ["--length=1000"],
             ["--offset=512", "--length=64k"], ["--length=0"], ["--offset=0"]]
    lines = [disksum(style, *part, "a", cwd=tmp_path).stdout for part in parts]
    if style == "--tag":
        assert lines[2] == "BLKHASH-SHA256-64K offset=512 length=65536 (a) = " \
            f"{checksum(content[512:66048])}\n"
    assert disksum("-c", input="".join(lines), cwd=tmp_path).stdout == \
        "a (offset=1000): OK\na (length=1000): OK\n" \
        "a (offset=512 length=65536): OK\na (length=0): OK\na: OK\n"
    beyond = lines[0].replace("1000", "999999")
    result = disksum("-c", input=beyond, cwd=tmp_path, check=False)
    assert result.stdout == "a (offset=999999): FAILED open or read\n"
    wrong = lines[0].replace("1000", "1001")
    assert "a (offset=1001): FAILED\n" in disksum(
        "-c", input=wrong, cwd=tmp_path, check=False).stdout
    plain = disksum("--offset=1000", "a", cwd=tmp_path).stdout
    assert disksum("-c", "--offset=1000", input=plain + lines[0],
                   cwd=tmp_path).stdout.count("OK\n") == 2


@pytest.mark.parametrize("style", [[], ["--tag"], ["--json"]], ids=str)
def test_twin_in_another_format(disksum, tmp_path, style):
    """A list made on a raw image checks its qcow2 twin."""
    if not shutil.which("qemu-img"):
        pytest.skip("no qemu-img")
    write_image(tmp_path / "disk", "100k:A 300k:- 64k:0 5k:B")
    line = disksum(*style, "disk", cwd=tmp_path).stdout
    (tmp_path / "disk").rename(tmp_path / "raw")
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c",
                    "raw", "disk"], cwd=tmp_path, check=True)
    assert disksum("-c", input=line, cwd=tmp_path).stdout == "disk: OK\n"


@pytest.mark.parametrize("style", [[], ["--tag"], ["--json"]], ids=str)
def test_what_the_line_says_counts(disksum, tmp_path, style):
    """Every line that is printed is read back, whatever the options, if it says
    what it is."""
    (tmp_path / "a").write_bytes(B)
    part = ["--offset=512", "--length=64k"]
    lines = [disksum(*style, *options, "a", cwd=tmp_path).stdout
             for options in ([], ["-d", "sha512/4k", *part], ["--plain=sha256"],
                             ["--plain=blake2b512", *part], ["--plain=sha512-256"],
                             ["-d", "md5", "--plain=md5", *part])]
    if style:
        for options in [], ["-d", "sha1/512"], ["--plain=md5"]:
            verdicts = disksum("-c", *options, input="".join(lines), cwd=tmp_path)
            assert verdicts.stdout.count(": OK\n") == 7
    else:
        assert lines[5] == disksum("--tag", "-d", "md5", "--plain=md5", *part, "a",
                                   cwd=tmp_path).stdout
        for options, line in (([], lines[0]), (["--plain=sha256"], lines[2]),
                              (["--plain=SHA2-512/256"], lines[4])):
            assert disksum("-c", *options, input=line,
                           cwd=tmp_path).stdout == "a: OK\n"
