# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line of progress of several images, and terminals without escapes."""

import os
import pty
import re
import subprocess
import time
import unicodedata

import pytest

from oracle import hole, write_image
from terminal import on_terminal, read_pieces, resize

SIZE = r"[\d.]+ (?:B|\wiB)"
IMAGE = rf"100\.0% of {SIZE}, {SIZE}/s"


@pytest.fixture
def images(disksum, tmp_path):
    """Seven images and a list of them."""
    names = [f"disk{i}" for i in range(1, 8)]
    for i, name in enumerate(names):
        write_image(tmp_path / name, f"{64 + 4 * i}k:A")
    (tmp_path / "SUMS").write_text(disksum(*names, cwd=tmp_path).stdout)
    return names


def drawn(seen):
    """The lines that a terminal was shown, each in the place of the one before."""
    return re.findall(r"\r([^\r\n]*?)\x1b\[K", seen)


def columns_of(text):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else
               0 if unicodedata.combining(c) else 1 for c in text)


def test_log(disksum, images, tmp_path):
    """What a log gets at the end: which one, and what it was."""
    for arguments in images, ["-c", "SUMS"]:
        start = time.monotonic()
        result = disksum("-p", *arguments, cwd=tmp_path, check=False)
        assert result.returncode == 0 and "\x1b" not in result.stderr
        lines = result.stderr.splitlines()
        assert re.fullmatch(rf"7 of 7, 0:00 left: disk7: {IMAGE}", lines[-1])
        assert len(lines) < 2 + time.monotonic() - start


def test_one_image_has_a_bar(disksum, images, tmp_path):
    (tmp_path / "ONE").write_text((tmp_path / "SUMS").read_text().split("\n")[0] + "\n")
    for arguments in [images[0]], ["-c", "ONE"]:
        result = disksum("-p", *arguments, cwd=tmp_path, check=False)
        assert re.fullmatch(rf"\[=+\] {IMAGE}, 0:00 left\n", result.stderr)


@pytest.mark.parametrize("lists, shown", [
    (["SUMS"], "7 of 7"), (["SUMS", "SUMS"], "14 of 14"), (["odd"], "8 of 8"),
    ([], "image 7"), (["/dev/stdin", "SUMS"], "image 14"),
])
@pytest.mark.sanitizer(every=4)
@pytest.mark.parametrize("redirected", [True, False], ids=["file", "pipe"])
def test_count_of_a_list(build, images, tmp_path, lists, shown, redirected):
    """Its lines are counted, unless it is a pipe, which can be read only once."""
    text = (tmp_path / "SUMS").read_text()
    (tmp_path / "odd").write_text(f"# a comment\n\nnot a line\n{text}{'0' * 64}  no\n")
    if redirected and lists in ([], ["/dev/stdin", "SUMS"]):
        shown = {"image 7": "7 of 7", "image 14": "14 of 14"}[shown]
    with open(tmp_path / "SUMS") as f:
        result = subprocess.run(
            [build / "disksum", "-p", "-c", *lists], cwd=tmp_path, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            **({"stdin": f} if redirected else {"input": text.encode()}))
    assert result.stdout.decode().count("OK\n") == (14 if "14" in shown else 7)
    lines = [line for line in result.stderr.decode().splitlines()
             if not line.startswith("disksum: ")]
    assert re.match(rf"{shown}[,:] ", lines[-1])


def test_missing_images_count(disksum, images, tmp_path):
    result = disksum("-p", "no", images[0], "none", cwd=tmp_path, check=False)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == "3 of 3, 0:00 left: none"


@pytest.mark.parametrize("columns, line", [
    (8, r"7 of 7"), (20, r"7 of 7, 0:00 left"), (30, r"7 of 7, 0:00 left: disk7"),
    (45, rf"7 of 7, 0:00 left: disk7: 100\.0%(?:, {SIZE}/s)?"),
    (80, rf"7 of 7, 0:00 left: disk7: {IMAGE}"), (5, "")])
def test_width(build, images, tmp_path, columns, line):
    """Whole fields, on one line."""
    _, seen = on_terminal([build / "disksum", "-p", *images], columns, cwd=tmp_path)
    lines = drawn(seen)
    assert re.fullmatch(line, lines[-1])
    assert all(len(line) < columns for line in lines)
    assert seen.endswith("\n") and seen.count("\n") == 1


@pytest.mark.sanitizer(every=2)
@pytest.mark.parametrize("name", [
    "a" * 200 + "/disk", "漢" * 80, "e\u0301" * 80, "n" * 200 + "\x1b[2J\n",
    "\x9b\u202e" * 50], ids=["long", "wide", "combining", "control", "order"])
def test_long_and_odd_names(build, images, tmp_path, name):
    """The beginning is cut off, and nothing drives the terminal."""
    (tmp_path / os.path.dirname(name)).mkdir(exist_ok=True)
    write_image(tmp_path / name, "64k:A")
    _, seen = on_terminal([build / "disksum", "-p", images[0], "./" + name], 80,
                          cwd=tmp_path)
    lines = drawn(seen)
    last = lines[-1]
    assert last.startswith("2 of 2, 0:00 left: ...") and "\x1b" not in last
    assert "\x9b" not in last and "\u202e" not in last
    assert 70 < columns_of(last) < 80 or "\u0301" in last
    assert all(columns_of(line) < 80 for line in lines)


def test_secret_in_a_name(build, images, tmp_path):
    _, seen = on_terminal([build / "disksum", "-p", images[0],
                           "nbd://user:hunter2@localhost:1/x"], 120, cwd=tmp_path,
                          status=1)
    assert "2 of 2, 0:00 left: nbd://user:***@localhost:1/x" in seen
    assert "hunter2" not in seen


@pytest.mark.sanitizer
def test_verdicts_on_the_same_terminal(build, images, tmp_path):
    """The line is wiped before each of them."""
    ours, theirs = pty.openpty()
    resize(theirs, 80)
    process = subprocess.Popen(
        [build / "disksum", "-p", "-c", "SUMS"], cwd=tmp_path, stdin=theirs,
        stdout=theirs, stderr=theirs, env={**os.environ, "TERM": "xterm"})
    os.close(theirs)
    seen = b"".join(read_pieces(ours))
    assert process.wait() == 0
    seen = seen.decode()
    assert len(drawn(seen)) >= 7
    lines = re.sub(r"[^\r\n]*\r[^\r\n]*\x1b\[K", "", seen).split("\r\n")
    assert lines[:7] == [f"{name}: OK" for name in images]
    assert re.match(r"7 of 7, 0:00 left: ", drawn(seen)[-1])


def test_many_short_images(build, tmp_path):
    """None takes a second, but all do."""
    paths = [hole(tmp_path / f"disk{i}", 512 << 30) for i in range(12)]
    out, seen = on_terminal([build / "disksum", *paths], 200)
    assert out.count("\n") == 12
    lines = drawn(seen)
    assert lines[-1] == ""  # it is wiped at the end
    numbers = [int(re.match(r"(\d+) of 12", line)[1]) for line in lines if line]
    assert numbers and numbers == sorted(numbers)
    assert any(re.match(r"\d+ of 12, \d:\d\d left: .*/disk\d+", line) for line in lines)


@pytest.mark.parametrize("arguments, lines", [
    (["--plain=sha256", "data", "holes"], []),
    (["-c", "SUMS"], ["SHA256 (data) = {0}", "SHA256 (holes) = {0}"])])
def test_time_left_of_plain_digests(build, tmp_path, arguments, lines):
    """They have the holes of the next images, too."""
    write_image(tmp_path / "data", "16M:A")
    hole(tmp_path / "holes", 15 << 40)
    (tmp_path / "SUMS").write_text("\n".join(lines).format("0" * 64))
    process = subprocess.Popen(
        [build / "disksum", "-p", *arguments], cwd=tmp_path,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    line = ""
    while not re.match(r"2 of 2, \S+ left: holes: ", line):
        line = process.stderr.readline().decode()
        assert line
    process.kill()
    process.communicate()
    # Hours. As if holes took no time, it would be some minutes.
    assert re.match(r"2 of 2, \d+:\d\d:\d\d left", line)


@pytest.mark.parametrize("term", ["dumb", "", None])
def test_terminal_without_escapes(build, images, tmp_path, term):
    """As a log: whole lines with -p."""
    for command in [build / "disksum", "-p", images[0]], \
            [build / "disksum", "-p", *images]:
        _, seen = on_terminal(command, cwd=tmp_path, term=term)
        assert re.fullmatch(rf"(?:.*{IMAGE}.*\r\n)+", seen) and "\x1b" not in seen


def test_nothing_on_a_terminal_without_escapes(build, tmp_path):
    """Not even if it takes more than a second."""
    command = [build / "disksum", hole(tmp_path / "hole", 6 << 40)]
    assert on_terminal(command, term="dumb")[1] == ""


def test_sigusr1(disksum, build, images, tmp_path):
    result = disksum("-q", *images[:2], cwd=tmp_path, check=False, env={
        "LD_PRELOAD": f"{build}/tests/early-signal.so"})
    assert result.stderr.splitlines()[0].startswith("disksum: disk1: 100.0% of ")
    assert result.stderr.splitlines()[0].endswith(" left; 1 of 2")
