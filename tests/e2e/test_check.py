# SPDX-License-Identifier: LGPL-2.1-or-later
"""--check: verdicts, warnings and the exit status are those of GNU's
sha256sum, which checks the same lists about the same files."""

import contextlib
import json
import os
import pty
import subprocess
import random
import time

import pytest

from lists import A, B, GOOD, NAMES, Twins, like_gnu, sha
from oracle import checksum, write_image

OPTIONS = [[], ["--ignore-missing"], ["--quiet"], ["--status"], ["--strict"],
           ["--warn"], ["-w", "--status"], ["--status", "-w"],
           ["--quiet", "--status"], ["--status", "--quiet"], ["-w", "--quiet"],
           ["--ignore-missing", "--strict", "--quiet"],
           ["--ignore-missing", "--status"]]

SHA1, SHA512 = "da39a3ee5e6b4b0d3255bfef95601890afd80709", "0" * 128
LISTS = {
    "good": {"S": GOOD},
    "binary": {"S": "{0} *a\n{1}  b\n"},
    "one blank": {"S": "{0} a\n{1} b\n{1}  b\n"},
    "blanks are mixed": {"S": "{0}  a\n{1} b\n"},
    "no newline at the end": {"S": GOOD[:-1]},
    "crlf": {"S": GOOD.replace("\n", "\r\n")},
    "upper case": {"S": GOOD.replace("{0}", "{0^}")},
    "comments": {"S": f"# of today\n\n{GOOD}\r\n#\n"},
    "leading blanks": {"S": f" \t{GOOD}"},
    "tagged": {"S": "{tag} (a) = {0}\n{tag} (b) = {1}\n"},
    "tagged tightly": {"S": "{tag}(a)={0}\n{tag} (b)   =  {1}\n"},
    "tagged badly": {"S": "{tag} (a) = {0} \n{tag} (b) {1}\n{tag} (b) = \n"},
    "mixed": {"S": "{tag} (a) = {0}\n{1}  b\n"},
    "bad": {"S": "{bad}  a\n{1}  b\n"},
    "all bad": {"S": "{bad}  a\n{bad}  b\n"},
    "missing": {"S": "{0}  a\n{0}  no\n"},
    "two missing": {"S": "{0}  a\n{0}  no\n{0}  no2\n"},
    "all missing": {"S": "{0}  no\n"},
    "missing and bad": {"S": "{bad}  a\n{0}  no\n"},
    "garbage": {"S": "garbage\n"},
    "garbage and good": {"S": f"garbage\n{GOOD}"},
    "two of garbage": {"S": f"garbage\n{GOOD}more of it\n"},
    "too short": {"S": "{0}\n{0} \n{0}  \n"},
    "hex is cut": {"S": f"abcd  a\n{GOOD}"},
    "hex is longer": {"S": "{0}0  a\n{0}00  a\n" + GOOD},
    "no hex": {"S": "x{0}  a\n" + GOOD},
    "empty": {"S": ""},
    "only comments": {"S": "# nothing\n"},
    "standard input": {"-": GOOD},
    "standard input has garbage": {"-": "garbage\n"},
    "itself": {"-": "{0}  -\n" + GOOD},
    "two lists": {"S": GOOD, "T": "{bad}  a\n"},
    "the second is missing": {"S": GOOD, "-": GOOD, "T": ""},
    "another digest, one blank": {"S": f"{SHA1} README\n{{0}}  b\n{{0}}  a\n"},
    "another digest, two blanks": {"S": f"{SHA512}  c\n{{0}} a\n{{1}} b\n"},
    "another digest, in another list": {"S": f"{SHA1} README\n",
                                        "T": "{0}  b\n{0}  a\n"},
    "escapes": {"S": "\\{0}  a\n\\{0}  a\\\n\\{0}  \\a\n\\{0}  no\\\\\\n\n"},
    "tagged escapes": {"S": "\\{tag} (n\\no) = {0}\n\\{tag} (\\a) = {0}\n"},
    "a directory": {"S": "{0}  a\n{1}  b\n{0}  no/\n"},
}


@pytest.fixture
def twins(tmp_path):
    return Twins(tmp_path, {"a": A, "b": B})


@pytest.mark.parametrize("lists", LISTS.values(), ids=LISTS)
def test_as_gnu(build, twins, lists):
    for i, options in enumerate(OPTIONS):
        gnu = twins.run("gnu", "sha256sum", options, lists)
        ours = twins.run("disksum", build / "disksum", options, lists)
        assert like_gnu(ours) == like_gnu(gnu), options
        if i % 4 == 0:
            plain = twins.run("gnu", build / "disksum", ["--plain=sha256", *options],
                              lists)
            assert like_gnu(plain) == like_gnu(gnu), options


def test_a_list_that_is_not_there(build, twins):
    gnu = twins.run("gnu", "sha256sum", ["no"], {"S": GOOD})
    ours = twins.run("disksum", build / "disksum", ["no"], {"S": GOOD})
    assert like_gnu(ours) == like_gnu(gnu)


def random_line(rnd):
    name = rnd.choice(["a", "b", "no", " a", "a ", "*a", "-", "a\\nb", "a)"])
    return rnd.choice(["{0}", "{1}", "{bad}", "\\{0}", " {0}", "{0}\\",
                       "{tag} (" + name + ") = {0}", "{tag} (a) = {1}",
                       "{tag}", "#", "{0} *b", "{1}\tb"]) + \
        rnd.choice(["", " ", "  ", " *", "\t", "   ", "\r", "("]) + \
        rnd.choice([name, name, "", "\r", "\udcff"])


@pytest.mark.parametrize("seed", range(60))
def test_random_lines(build, tmp_path, seed):
    """Well-formed lines, and such that only look so."""
    rnd = random.Random(seed)
    twins = Twins(tmp_path, {"a": A, "b": B})
    lists = {"S": "".join(random_line(rnd) + "\n"
                          for _ in range(rnd.randrange(1, 12)))}
    options = rnd.choice(OPTIONS)
    gnu = twins.run("gnu", "sha256sum", options, lists)
    ours = twins.run("disksum", build / "disksum", options, lists)
    assert like_gnu(ours) == like_gnu(gnu)
    plain = twins.run("gnu", build / "disksum", ["--plain=sha256", *options], lists)
    assert like_gnu(plain) == like_gnu(gnu)


@pytest.mark.sanitizer
@pytest.mark.parametrize("seed", range(8))
def test_garbage(disksum, tmp_path, seed):
    """Nothing that stands in a list makes it crash, hang or succeed."""
    rnd = random.Random(seed)
    (tmp_path / "a").write_bytes(A)
    line = f"{checksum(A)}  a\n"
    json = '{"filename":"a","checksum":"%s","x":[{"y":1e5}]}\n' % checksum(A)
    tag = f"BLKHASH-SHA256-64K (a) = {checksum(A)}\n"
    for _ in range(10):
        data = bytearray((rnd.choice([line, json, tag]) * 3).encode())
        for _ in range(rnd.randrange(1, 40)):
            data[rnd.randrange(len(data))] = rnd.randrange(256)
        (tmp_path / "S").write_bytes(data)
        result = disksum("-c", "--strict", "S", cwd=tmp_path, check=False)
        assert result.returncode in (0, 1)
        assert "ERROR" not in result.stderr
    (tmp_path / "S").write_bytes(rnd.randbytes(5000))
    assert disksum("-c", "S", cwd=tmp_path, check=False).returncode == 1


@pytest.mark.parametrize("style", [[], ["--tag"], ["--json"]], ids=str)
@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names(disksum, tmp_path, name, style):
    """What is printed can be checked, whatever the name."""
    with open(os.fsencode(tmp_path) + b"/" + os.fsencode(name), "wb") as f:
        f.write(A)
    argument = name if name != "-" else "./-"
    out = disksum(*style, "--", argument, cwd=tmp_path).stdout
    assert out.count("\n") == 1
    if name != "plain":
        out += disksum(*style, "--", argument, cwd=tmp_path).stdout
    verdict = disksum("-c", input=out, cwd=tmp_path).stdout
    plain = disksum("--", argument, cwd=tmp_path).stdout
    backslash = plain.startswith("\\")
    shown = "\\" * backslash + plain[backslash + 66:-1]
    assert verdict == f"{shown}: OK\n" * out.count("\n")
    bad = disksum("-c", input=out.replace(checksum(A), "0" * 64),
                  cwd=tmp_path, check=False)
    assert bad.returncode == 1
    assert bad.stdout == f"{shown}: FAILED\n" * out.count("\n")


@pytest.mark.parametrize("style", [[], ["--tag"], ["--json"]], ids=str)
@pytest.mark.parametrize("name", [b"%c", b" %c "], ids=str)
def test_every_byte_in_a_name(disksum, tmp_path, name, style):
    """"./" is for what is no file otherwise."""
    names = [name % i for i in range(1, 256)]
    names = [b"./" + n if b":" in n or n == b"-" else n for n in names
             if b"/" not in n and n != b"."]
    for n in names:
        with open(os.path.join(os.fsencode(tmp_path), n), "wb") as f:
            f.write(n)
    text = disksum(*style, "--", *names, cwd=tmp_path).stdout
    assert text.count("\n") == len(names)
    verdicts = disksum("-c", "--strict", input=text, cwd=tmp_path).stdout
    assert verdicts.count(": OK\n") == len(names)


def at_a_terminal(*command, **kwargs):
    """The lines that a terminal gets."""
    ours, theirs = pty.openpty()
    subprocess.run(command, stdout=theirs, check=True, **kwargs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # at the end
        while True:
            shown += os.read(ours, 4096)
    os.close(ours)
    return shown.decode().splitlines()


def test_names_on_a_terminal(build, disksum, tmp_path):
    """A name of a list, or of a file, cannot drive it; a pipe gets the bytes as they are."""
    names = ["a\x1b]0;owned\x07b", "back\\slash\x1b[2J", "c\u202ed", "é",
             "\udc9b31m"]
    for name in names:
        (tmp_path / name).write_bytes(bytes(512))
    (tmp_path / "S").write_bytes(os.fsencode(disksum(*names, cwd=tmp_path).stdout))
    safe = ["a\\033]0;owned\\007b", "back\\\\slash\\033[2J", "c\\342\\200\\256d", "é", "\\23331m"]
    assert at_a_terminal(build / "disksum", "-c", "S", cwd=tmp_path) == \
        [f"{safe[0]}: OK", f"\\{safe[1]}: OK", *(f"{name}: OK" for name in safe[2:])]
    digest = checksum(bytes(512))
    for options, line in ([], f"{digest}  %s"), (["--tag"], f"BLKHASH-SHA256-64K (%s) = {digest}"):
        lines = [line % name for name in safe]
        assert at_a_terminal(build / "disksum", *options, "--", *names, cwd=tmp_path) == \
            [lines[0], f"\\{lines[1]}", *lines[2:]]
    assert disksum("-c", "S", cwd=tmp_path).stdout.splitlines() == \
        [f"{names[0]}: OK", "\\back\\\\slash\x1b[2J: OK",
         *(f"{name}: OK" for name in names[2:])]


@pytest.fixture
def check_pieces(build, tmp_path):
    """Write a list to a pipe, piece by piece: the result."""
    def run(*pieces):
        with subprocess.Popen([build / "disksum", "-c"], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              cwd=tmp_path) as process:
            for piece in pieces:
                process.stdin.write(piece)
                process.stdin.flush()
                time.sleep(0.05)
            out, err = process.communicate()
        return process.returncode, out.decode(), err.decode()
    return run


def test_pieces(check_pieces, tmp_path):
    (tmp_path / "a").write_bytes(A)
    line = f"{checksum(A)}  a\n".encode()
    ok = (0, "a: OK\n", "")
    assert check_pieces(b"\xef", b"\xbb\xbf" + line) == ok
    assert check_pieces(line[:1], line[1:40], line[40:-1], b"\n") == ok
    assert check_pieces() == (1, "", "disksum: 'standard input': no properly "
                              "formatted checksum lines found; to print the "
                              "checksum of a disk image, omit -c\n")
    assert "is UTF-16 text" in check_pieces(b"\xff", b"\xfex\0")[2]
    assert "is a qcow2 image" in check_pieces(b"QFI", b"\xfb\0\0\0\x03")[2]
    vdi = b"<<< Oracle VM VirtualBox Disk Image >>>\n" + bytes(24) + \
        b"\x7f\x10\xda\xbe"
    assert "is a vdi image" in check_pieces(vdi[:40], vdi[40:])[2]


@pytest.mark.parametrize("line", [f"{checksum(A)}  a\n", f"SHA256 (a) = {sha(A)}\n"],
                         ids=str)
def test_one_line_at_a_time(build, tmp_path, line):
    """Whoever writes them may wait for the verdict."""
    (tmp_path / "a").write_bytes(A)
    with subprocess.Popen([build / "disksum", "-c"], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, cwd=tmp_path) as process:
        for _ in range(3):
            process.stdin.write(line.encode())
            process.stdin.flush()
            assert process.stdout.readline() == b"a: OK\n"


def test_fifo(build, disksum, tmp_path):
    (tmp_path / "a").write_bytes(A)
    os.mkfifo(tmp_path / "S")
    with subprocess.Popen([build / "disksum", "-c", "S"], cwd=tmp_path,
                          stdout=subprocess.PIPE) as process:
        (tmp_path / "S").write_text(f"{checksum(A)}  a\n" * 1000)
        assert process.communicate()[0] == b"a: OK\n" * 1000


@pytest.mark.sanitizer
def test_crlf_of_every_style(disksum, tmp_path):
    (tmp_path / "a").write_bytes(A)
    text = "".join(disksum(*style, "a", cwd=tmp_path).stdout
                   for style in ([], ["--tag"], ["--json"]))
    text = "\ufeff" + text.replace("\n", "\r\n")
    assert disksum("-c", input=text, cwd=tmp_path).stdout == "a: OK\n" * 3


def test_standard_input_in_a_list(disksum, tmp_path):
    (tmp_path / "S").write_text(f"{checksum(A)}  -\n")
    assert disksum("-c", tmp_path / "S", input=A).stdout == "-: OK\n"


def test_missing_backing_file_is_not_ignored(disksum, tmp_path):
    write_image(tmp_path / "base", "64k:A")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
                    "-b", "base", "top"], cwd=tmp_path, check=True)
    line = disksum("top", cwd=tmp_path).stdout
    (tmp_path / "base").unlink()
    result = disksum("-c", "--ignore-missing", input=line, cwd=tmp_path,
                     check=False)
    assert result.returncode == 1
    assert result.stdout == "top: FAILED open or read\n"


@pytest.mark.parametrize("name", [
    "nbd+unix:///?socket=/gone", "nbd:unix:/gone", "https:/gone",
    'json:{"driver":"file","filename":"/gone"}'])
def test_only_files_are_missing(disksum, tmp_path, name):
    """A server that is down was not verified."""
    (tmp_path / "a").write_bytes(A)
    text = f"{checksum(A)}  a\n" + "{}  {}\n".format("0" * 64, name)
    result = disksum("-c", "--ignore-missing", input=text, cwd=tmp_path,
                     check=False)
    assert result.returncode == 1
    assert result.stdout == f"a: OK\n{name}: FAILED open or read\n"


def test_missing_files_of_every_name(disksum, tmp_path):
    (tmp_path / "a").write_bytes(A)
    text = f"{checksum(A)}  a\n" + "".join(
        f"{'0' * 64}  {name}\n" for name in ("no", "./n:o", "file:no"))
    assert disksum("-c", "--ignore-missing", input=text,
                   cwd=tmp_path).stdout == "a: OK\n"


def test_json_name_gets_no_secret(disksum, tmp_path):
    """A list could send the secrets of the user to a server of its author."""
    name = json.dumps({"driver": "luks", "key-secret": "s", "file": {
        "driver": "file", "filename": str(tmp_path / "disk")}})
    (tmp_path / "disk").write_bytes(b"LUKS\xba\xbe\0\x01" + bytes(1 << 20))
    line = f"{'0' * 64}  json:{name}\n"
    secret = ["--object", "secret,id=s,data=x"]
    assert "No secret with id 's'" in disksum(
        "-c", *secret, input=line, check=False).stderr
    for options in (["-c", "--trust-names", *secret], [*secret, f"json:{name}"]):
        result = disksum(*options, input=line, check=False)
        assert result.returncode == 1 and "No secret" not in result.stderr


@pytest.mark.parametrize("options, message", [
    (["-c", "--tag"], "the --tag option is meaningless when verifying"),
    (["-c", "-z"], "the --zero option is not supported when verifying"),
    (["-c", "--json"], "the --json option is not supported when verifying"),
    (["--ignore-missing"], "the --ignore-missing option is meaningful only"),
    (["--status"], "the --status option is meaningful only when verifying"),
    (["--strict"], "the --strict option is meaningful only when verifying"),
    (["--warn"], "the --warn option is meaningful only when verifying"),
    (["-q", "-w"], "the --warn option is meaningful only when verifying"),
    (["-w", "-q"], "the --warn option is meaningful only when verifying"),
    (["--status", "-q"], "the --status option is meaningful only when"),
    (["--json", "--tag"], "the --json and --tag options are mutually"),
    (["--output=json", "-z"], "the --json and --zero options are mutually"),
    (["--output=xml"], "invalid output format 'xml': must be human or json"),
], ids=str)
def test_options_that_do_not_go_together(disksum, options, message):
    result = disksum(*options, "a", check=False)
    assert result.returncode == 2 and not result.stdout
    assert result.stderr.startswith(f"disksum: {message}")


def test_write_error(disksum, tmp_path):
    (tmp_path / "a").write_bytes(A)
    with open("/dev/full", "wb") as full:
        result = disksum("-c", input=f"{checksum(A)}  a\n" * 3, cwd=tmp_path,
                         check=False, stdout=full)
    assert result.returncode == 1
    assert result.stderr == "disksum: write error: No space left on device\n"
