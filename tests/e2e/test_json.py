# SPDX-License-Identifier: LGPL-2.1-or-later
"""--json: one object a line, for every image and every name."""

import json
import os
import random
import subprocess

import pytest

from lists import NAMES
from oracle import checksum, write_image


def objects(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


@pytest.mark.sanitizer
def test_fields(disksum, tmp_path):
    content = write_image(tmp_path / "disk", "128k:A 64k:0 1M:- 100:B")
    [line] = objects(disksum("--json", "-d", "SHA512/32k", "disk",
                             cwd=tmp_path))
    assert 0 <= line.pop("seconds") < 100
    size = len(content) + -len(content) % 512
    assert size == line["data"] + line["zero"] + line["hole"]
    assert line.pop("hole") >= 960 << 10 and line.pop("data") >= 128 << 10
    assert line.pop("zero") >= 32 << 10 and line.pop("read") >= 192 << 10
    assert line == {
        "filename": "disk", "format": "raw", "virtual-size": size,
        "construction": "blkhash", "algorithm": "sha512",
        "block-size": 32768, "backing-chain": [], "known": 0,
        "checksum": checksum(content, 32768, "sha512")}


def test_output_is_another_name(disksum, tmp_path):
    write_image(tmp_path / "disk", "64k:A")
    a, b = (objects(disksum(option, "disk", cwd=tmp_path))[0]
            for option in ("--json", "--output=json"))
    assert a.keys() == b.keys() and a["checksum"] == b["checksum"]
    plain = disksum("disk", cwd=tmp_path).stdout
    assert disksum("--json", "--output=human", "disk",
                   cwd=tmp_path).stdout == plain


def test_backing_chain(disksum, tmp_path):
    """From the top down, each with its name and format."""
    write_image(tmp_path / "base", "64k:A")
    for below, top, kind in (("base", "mid", "raw"), ("mid", "t\udcffp",
                                                       "qcow2")):
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", kind,
                        "-b", below, os.fsencode(top)], cwd=tmp_path,
                       check=True)
    [line] = objects(disksum("--json", "t\udcffp", cwd=tmp_path))
    assert line["format"] == "qcow2"
    assert line["backing-chain"] == [{"filename": "mid", "format": "qcow2"},
                                     {"filename": "base", "format": "raw"}]


def test_failures(disksum, tmp_path):
    """An object, a line on stderr, exit status 1; and the others go on."""
    write_image(tmp_path / "a", "64k:A")
    write_image(tmp_path / "b", "64k:B")
    result = disksum("--json", "a", "no", ".", "b", cwd=tmp_path, check=False)
    assert result.returncode == 1
    a, no, dot, b = objects(result)
    assert no == {"filename": "no", "error": "no: No such file or directory"}
    assert dot == {"filename": ".", "error": ".: is a directory"}
    assert "checksum" in a and "checksum" in b
    assert result.stderr == "disksum: no: No such file or directory\n" \
        "disksum: .: is a directory\n"


def test_a_failure_in_a_list(disksum, tmp_path):
    """It must not pass as checked."""
    write_image(tmp_path / "a", "64k:A")
    made = disksum("--json", "a", "no", cwd=tmp_path, check=False).stdout
    result = disksum("-c", input=made, cwd=tmp_path, check=False)
    assert result.returncode == 1
    assert result.stdout == "a: OK\nno: FAILED open or read\n"
    assert "'standard input': 2: records an error for no, not a checksum\n" \
        in result.stderr


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names(disksum, tmp_path, name):
    raw = os.fsencode(name)
    with open(os.fsencode(tmp_path) + b"/" + raw, "wb") as f:
        f.write(b"x" * 512)
    out = disksum("--json", "--", name if name != "-" else "./-",
                  cwd=tmp_path).stdout
    assert out.count("\n") == 1 and out.isprintable() or out.endswith("\n")
    line = json.loads(out.encode())  # strict: it must be UTF-8
    try:
        raw.decode()
        assert line["filename"] == (name if name != "-" else "./-")
        assert "filename-hex" not in line
    except UnicodeDecodeError:
        assert bytes.fromhex(line["filename-hex"]) == raw
        assert "\ufffd" in line["filename"]


@pytest.mark.sanitizer
@pytest.mark.parametrize("seed", range(4))
def test_random_names(disksum, tmp_path, seed):
    """Valid JSON, and the name comes back, by any bytes of it."""
    rnd = random.Random(seed)
    names = set()
    for _ in range(40):
        name = bytes(rnd.choice(b"\xc3\xbc\xe2\x82\xac\xf0\x9f\x98\x80\xff\xc0"
                                b"\xed\xa0\xf4\x90ab\\\"\n\t\x01\x7f{}")
                     for _ in range(rnd.randrange(1, 12)))
        names.add(name)
        with open(os.fsencode(tmp_path) + b"/" + name, "wb") as f:
            f.write(name)
    names = sorted(names)
    out = disksum("--json", "--", *names, cwd=tmp_path).stdout
    lines = [json.loads(line) for line in out.encode().splitlines()]
    assert [bytes.fromhex(line["filename-hex"]) if "filename-hex" in line
            else line["filename"].encode() for line in lines] == names
    verdicts = disksum("-c", input=out, cwd=tmp_path).stdout
    assert verdicts.count(": OK\n") == len(names)


def test_terminal_controls(disksum, tmp_path):
    """What could drive a terminal is escaped, whoever chose the name."""
    name = "a\x7f\x9b31m\u202e\U000e0041äb"
    content = write_image(tmp_path / name, "64k:A")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", name,
                    "top"], cwd=tmp_path, check=True)
    result = disksum("--json", "top", name, cwd=tmp_path)
    assert set(result.stdout) - set(map(chr, range(32, 127))) == {"\n", "ä"}
    top, line = objects(result)
    assert top["backing-chain"][0]["filename"].endswith(name)
    assert line["filename"] == name and line["checksum"] == checksum(content)
    assert "OK" in disksum("-c", input=result.stdout.splitlines()[1], cwd=tmp_path).stdout


def test_pipe(disksum):
    [line] = objects(disksum("--json", input=b"x" * 1000))
    assert line["filename"] == "-" and line["format"] == "raw"
    assert line["checksum"] == checksum(b"x" * 1000)
    assert line["virtual-size"] == 1024


def test_written_by_others(disksum, tmp_path):
    """A program that writes JSON its own way: order, blanks, escapes, and
    fields that nobody knows."""
    content = write_image(tmp_path / "dïsk", "64k:A")
    line = json.dumps({"note": [1, {"deep": None}], "checksum":
                       checksum(content).upper(), "filename": "dïsk"}, indent=1)
    line = line.replace("\n", "\t")
    assert "\\u00ef" in line
    assert disksum("-c", input=line, cwd=tmp_path).stdout == "dïsk: OK\n"


@pytest.mark.sanitizer
@pytest.mark.parametrize("text", [
    "{" * 100000, '{"filename":' + "[" * 100000, '{"filename":"a"', "{}", "{",
    '{"filename":"a","checksum":1}', '{"filename":"a","checksum":"00"} {}',
    '{"filename":"","checksum":"00"}', '{"filename":"a\\u0000","checksum":"00"}',
    '{"a":' + "1" * 5000 + '}', '{"filename":"a","checksum":"00","x":NaN}',
    '{"block-size":99999999999999999999,"filename":"a","checksum":"00"}',
], ids=lambda text: text[:30])
def test_malformed(disksum, text):
    result = disksum("-c", input=text + "\n", check=False)
    assert result.returncode == 1 and not result.stdout
    assert "no properly formatted checksum lines found" in result.stderr
