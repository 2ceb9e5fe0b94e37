# SPDX-License-Identifier: LGPL-2.1-or-later
"""--json: one object a line, for every image and every name."""

import json
import os
import random
import re
import shutil
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


# --- rewritten by other programs ---------------------------------------------

def jq(*arguments):
    def rewrite(text):
        if not shutil.which("jq"):
            pytest.skip("no jq")
        return subprocess.run(["jq", *arguments], input=text.encode(), check=True,
                              stdout=subprocess.PIPE).stdout.decode()
    return rewrite


def python(**options):
    """A value, of a list of the objects."""
    def rewrite(text):
        value = options.pop("value", lambda o: o)(
            [json.loads(line) for line in text.splitlines()])
        return json.dumps(value, **options)
    return rewrite


REWRITTEN = {
    "jq .": jq("."), "jq -s .": jq("-s", "."), "jq -cs .": jq("-cs", "."),
    "jq --tab -s [.]": jq("--tab", "-s", "[., []]"),
    "python": python(indent=2), "python, one line": python(),
    "nested": python(indent=1, value=lambda o: [o[:1], [], o[1:]]),
    "without newlines": lambda text: text.replace("\n", ""),
    "comma first": lambda text: "[" + "\n,".join(text.splitlines()) + "\n]",
    "in crlf": lambda text: python(indent=2)(text).replace("\n", "\r\n"),
    "among others": lambda text: "# of today\n" + python(indent=2)(text) +
    f"\n{checksum(b'x')}  x\n" + text,
}


@pytest.mark.sanitizer
@pytest.mark.parametrize("rewrite", REWRITTEN.values(), ids=REWRITTEN)
def test_rewritten(disksum, tmp_path, rewrite):
    """Objects over several lines, several in a line, and in arrays."""
    names = ["x", "two words", "[{", '}]"', "\\", "new\nline", "\udcff"]
    for name in names:
        with open(os.fsencode(tmp_path) + b"/" + os.fsencode(name), "wb") as f:
            f.write(b"x")
    text = rewrite(disksum("--json", "--", *names, cwd=tmp_path).stdout)
    verdicts = disksum("-c", "--strict", input=text, cwd=tmp_path).stdout
    expected = [*names[:4], "\\\\", "new\\nline", "\udcff"]
    assert set(verdicts.splitlines()) == {
        "\\" * ("\\" in name) + f"{name}: OK" for name in expected}
    bad = disksum("-c", input=text.replace(checksum(b"x"), "0" * 64),
                  cwd=tmp_path, check=False).stdout
    assert bad == verdicts.replace("OK", "FAILED")


OK = '{"filename":"a","checksum":"%s"}' % checksum(b"a")


@pytest.mark.sanitizer
@pytest.mark.parametrize("text, good, bad", [
    (f"{OK} x\n{OK}", 2, [1]), (f"{OK},{OK}\n{OK}", 2, [1]),
    ("{\n" + OK, 1, [1]), ('{"a":\n' + OK, 1, [1]),
    ('{"filename":"a",\n\n' + f"{OK}\n{OK}", 2, [1]),
    ('{"backing-chain":[\n' + f"{OK}\n{OK}\nx", 2, [1, 4]),
    ('{"filename":"a\n' + OK, 1, [1]), (f'{{"a":"}}\n{OK}\n"', 1, [1, 3]),
    (f"[\n{OK},\n{OK}", 2, [1]), (f"[\n[{OK},\n{OK}]\n", 2, [1]),
    (f"[\n{OK},\nx\n{OK}\n]", 2, [3]), (f"[1,\n{OK}\n", 1, [1]),
    (f"[{OK},1]\n{OK}", 2, [1, 1]), (f"]\n{OK}]\n,{OK}", 1, [1, 2, 3]),
    (f"[[[{OK}]]]\n{OK}", 1, [1, 1]), (f"[section]\n{OK}", 1, [1]),
    (f"[{OK},\n\"\n{OK}]", 2, [2]), (f"{OK}\n {{}}\n{OK}", 2, [2]),
    (f"[\n\n\n {{\n\n}},\n{OK}]", 1, [4]), (f"[{OK}", 1, [1]),
    (f"[\n{checksum(b'a')}  a\n{OK}\n[]]x", 2, [4]),
    (f"{OK}\n[[{OK}\0]]\n{OK}", 3, [2, 2]),
    ('{"a":[' * 40 + f"\n{OK}" * 2, 2, [1]),
], ids=lambda value: ascii(value)[:50])
def test_what_is_no_object(disksum, tmp_path, text, good, bad):
    """It is named by its line, and spoils nothing else."""
    (tmp_path / "a").write_bytes(b"a")
    result = disksum("-cw", input=text, cwd=tmp_path, check=False)
    assert result.stdout == "a: OK\n" * good
    named = re.findall(r"input': (\d+): improperly", result.stderr)
    assert sorted(map(int, named)) == bad


@pytest.mark.parametrize("text, why", [
    (f"[[[{OK}]]]", "JSON arrays are nested more than twice"),
    (f"[{OK}, 1]", "something else among JSON objects"),
    (f"{OK} x", "something else among JSON objects")])
def test_why_it_is_no_object(disksum, tmp_path, text, why):
    result = disksum("-cw", input=text, cwd=tmp_path, check=False)
    assert f"input': 1: improperly formatted checksum line: {why}\n" in result.stderr


def test_objects_without_an_end(disksum, tmp_path):
    """Each is looked at anew, which must not take time for each of the others;
    and an array may have any length."""
    (tmp_path / "a").write_bytes(b"a")
    text = '{"a":[\n' * 50000 + "{\n" * 50000 + "[" + f"{OK},\n" * 20000 + "]"
    result = disksum("-c", input=text, cwd=tmp_path, check=False)
    assert result.stdout == "a: OK\n" * 20000
    assert "100000 lines are improperly formatted" in result.stderr


def test_one_object_at_a_time(build, tmp_path):
    """Whoever writes them may wait for the verdict."""
    (tmp_path / "a").write_bytes(b"a")
    with subprocess.Popen([build / "disksum", "-c"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, cwd=tmp_path) as process:
        process.stdin.write(b"[\n")
        for _ in range(3):
            process.stdin.write(OK.replace(",", ",\n").encode())
            process.stdin.flush()
            assert process.stdout.readline() == b"a: OK\n"
            process.stdin.write(b",")
