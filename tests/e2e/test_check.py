# SPDX-License-Identifier: LGPL-2.1-or-later
"""--check: verdicts, warnings and the exit status are those of GNU's
sha256sum, which checks the same lists about the same files."""

import contextlib
import json
import os
import pty
import shutil
import subprocess
import random
import re
import time
from urllib.parse import quote

import pytest

from lists import NAMES, Twins, like_gnu, sha, unescape
from oracle import checksum, write_image
from qcow2_image import Image

A, B = b"a" * 1024, b"b" * 70144
OPTIONS = [[], ["--ignore-missing"], ["--quiet"], ["--status"], ["--strict"],
           ["--warn"], ["-w", "--status"], ["--status", "-w"],
           ["--quiet", "--status"], ["--status", "--quiet"], ["-w", "--quiet"],
           ["--ignore-missing", "--strict", "--quiet"],
           ["--ignore-missing", "--status"]]

SHA1, SHA512 = "da39a3ee5e6b4b0d3255bfef95601890afd80709", "0" * 128
GOOD = "{0}  a\n{1}  b\n"
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


def test_names_on_a_terminal(build, disksum, tmp_path):
    """A name of a list cannot drive it; a pipe gets the bytes as they are."""
    names = ["a\x1b]0;owned\x07b", "back\\slash\x1b[2J", "c\u202ed", "é",
             "\udc9b31m"]
    for name in names:
        (tmp_path / name).write_bytes(bytes(512))
    (tmp_path / "S").write_bytes(os.fsencode(disksum(*names, cwd=tmp_path).stdout))
    ours, theirs = pty.openpty()
    subprocess.run([build / "disksum", "-c", "S"], cwd=tmp_path, stdout=theirs,
                   check=True)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # at the end
        while True:
            shown += os.read(ours, 4096)
    os.close(ours)
    assert shown.decode().splitlines() == ["a\\033]0;owned\\007b: OK", "\\back\\\\slash\\033[2J: OK",
                     "c\\342\\200\\256d: OK", "é: OK", "\\23331m: OK"]
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


def test_digest_and_block_size(disksum, tmp_path):
    """A line says what it is; a plain one takes it from the options."""
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


SNAPSHOTS = ["s1", "two words", "ümlaut", "a) = (b", "50%", "tab\there\n",
             "escape\x1b[31m", "\udcff", "https://user:password@host/"]


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


def test_unknown_digest_in_a_line(disksum, tmp_path):
    result = disksum("-cw", input=f"BLKHASH-NIX-64K (a) = {'0' * 64}\n",
                     check=False)
    assert "'standard input': 1: improperly formatted checksum line: " \
        "unknown digest" in result.stderr


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


# --- what is no list ---------------------------------------------------------

def test_an_image_by_mistake(fails, tmp_path):
    write_image(tmp_path / "disk", "64k:- 64k:A")
    advice = "omit -c to print its checksum"
    assert fails("-c", "disk", cwd=tmp_path) == \
        f"disk: is a raw disk image, not a list of checksums; {advice}"
    (tmp_path / "q").write_bytes(b"QFI\xfb\0\0\0\x03" + bytes(96))
    assert fails("-c", "q", cwd=tmp_path) == \
        f"q: is a qcow2 image, not a list of checksums; {advice}"
    (tmp_path / "v").write_text("# Disk DescriptorFile\nversion=1\n")
    assert "is a vmdk image" in fails("-c", "v", cwd=tmp_path)


@pytest.mark.parametrize("start", [
    "{0}  a\n", "\\{0^}  \\\\\n", "{tag} (a) = {0}\n", "# of today\n",
    '{"filename":"a"}\n', "\ufeff{0}  a\n", "garbage\n{0}  a\n"], ids=ascii)
def test_a_nul_in_a_list(build, tmp_path, start):
    """It spoils its line alone."""
    lists = {"S": start + "{1}  b\0\n{1}  b\n"}
    done = Twins(tmp_path, {"a": A, "b": B}).run(
        "disksum", build / "disksum", ["-w"], lists)
    assert done[0] == ("\\" in start)
    assert done[1].endswith(b"b: OK\n")
    assert b"improperly formatted checksum line: contains a NUL byte\n" \
        in done[2]


def test_text_before_a_nul(fails, tmp_path):
    """A boot sector may have lines, too."""
    (tmp_path / "disk").write_bytes(b"Missing\n\r0123\n\n" + bytes(496))
    assert "is a raw disk image" in fails("-c", tmp_path / "disk")


def test_an_image_of_text(fails, tmp_path):
    (tmp_path / "disk").write_text("x" * 511 + "\n")
    assert fails("-c", "disk", cwd=tmp_path) == \
        "disk: no properly formatted checksum lines found; to print the " \
        "checksum of a disk image, omit -c"


def test_a_block_device(fails, loop_device, tmp_path):
    """It is an image, whatever it has: here, a list."""
    (tmp_path / "a").write_bytes(A)
    (tmp_path / "S").write_text(f"{checksum(A)}  {tmp_path}/a\n" * 100)
    os.truncate(tmp_path / "S", 8192)
    device = loop_device(tmp_path / "S")
    assert f"{device}: is a raw disk image" in fails("-c", device)


def test_warn_of_what_is_no_list(disksum, tmp_path):
    (tmp_path / "a").write_bytes(A)
    (tmp_path / "S").write_text("x\n" * 100)
    result = disksum("-cw", "S", cwd=tmp_path, check=False)
    lines = result.stderr.splitlines()
    assert len(lines) == 22
    assert lines[19].startswith("disksum: S: 20: improperly formatted")
    assert lines[20] == "disksum: S: more such lines follow"
    (tmp_path / "S").write_text(f"{checksum(A)}  a\n" + "x\n" * 100)
    result = disksum("-cw", "S", cwd=tmp_path, check=False)
    assert result.stderr.count(": improperly formatted") == 100


def test_endless(fails):
    assert "is a raw disk image" in fails("-c", "/dev/zero")


def test_endless_line(fails, tmp_path):
    with open(tmp_path / "S", "wb") as f:
        f.write(b"x" * (40 << 20))
    assert fails("-c", "S", cwd=tmp_path) == \
        "S: a line is too long for a list of checksums"


def test_a_list_of_zero(disksum, fails, tmp_path):
    (tmp_path / "a").write_bytes(A)
    for style in [], ["--tag"]:
        out = disksum("-z", *style, "a", cwd=tmp_path).stdout
        assert "written with --zero cannot be checked" in \
            fails("-c", input=out, cwd=tmp_path)


def test_utf16(fails, tmp_path):
    (tmp_path / "S").write_bytes(f"{checksum(A)}  a\r\n".encode("utf-16"))
    assert fails("-c", "S", cwd=tmp_path) == \
        "S: is UTF-16 text; a list must be UTF-8"


# --- lists of other programs --------------------------------------------------

HINT = "check a list of sha256sum or a similar program with that program, or with " \
    "--plain=NAME if it is of raw disks; a list of disksum may need the --digest " \
    "and --block-size that it was made with\n"
PLAIN_HINT = "plain digests are those of raw disks; check a list of files in other " \
    "formats with the program that made it\n"


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


def run(*command, **kwargs):
    if not shutil.which(command[0]):
        pytest.skip(f"no {command[0]}")
    return subprocess.run(command, stdout=subprocess.PIPE, check=True, **kwargs).stdout


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


@pytest.mark.parametrize("options", [["-d", "sha512"], ["-d", "sha256/4k"]],
                         ids=str)
def test_a_list_made_with_other_options(disksum, tmp_path, options):
    (tmp_path / "a").write_bytes(B)
    text = disksum(*options, "a", cwd=tmp_path).stdout
    result = disksum("-c", input=text, cwd=tmp_path, check=False)
    assert result.returncode == 1
    assert result.stderr.endswith(f"disksum: 'standard input': {HINT}")


def test_block_size_that_is_no_sector(disksum, tmp_path):
    (tmp_path / "a").write_bytes(A)
    for size in "1", "511", "1000", "16777217", "17M", "99999999999999999999":
        line = f"BLKHASH-SHA256-{size} (a) = {checksum(A)}\n"
        result = disksum("-cw", input=line, cwd=tmp_path, check=False)
        assert result.returncode == 1 and not result.stdout
        assert ": 1: improperly formatted checksum line: " in result.stderr


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
