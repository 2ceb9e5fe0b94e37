# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lines as GNU's sha256sum writes them, for every name."""

import os
import re
import subprocess

import pytest

from conftest import BUILD
from oracle import checksum

NAMES = ["plain", "two words", " leading", "trailing ", "-", "--help", "*",
         "back\\slash", "new\nline", "return\rhere", "all\\of\nthem\r",
         "tab\there", "escape\x1b[31m", "ümläut", "\udcff\udc80"]


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_names(disksum, tmp_path, name):
    (tmp_path / name).write_bytes(b"x" * 700)
    argument = name if name != "-" else "./-"
    sha = subprocess.run(["sha256sum", "--", argument], cwd=tmp_path,
                         stdout=subprocess.PIPE, check=True).stdout
    sha = sha.decode(errors="surrogateescape")
    out = disksum("--", argument, cwd=tmp_path).stdout
    # But for the hex digits, which begin after a backslash or at once.
    start = sha.startswith("\\")
    assert out[:start] == sha[:start]
    assert out[start:start + 64] == checksum(b"x" * 700)
    assert out[start + 64:] == sha[start + 64:]


def test_messages_are_harmless(fails, tmp_path):
    """A name cannot drive the terminal."""
    line = fails("\x1b]0;owned\x07\nü \x9b31m", cwd=tmp_path)
    assert line == "\\033]0;owned\\007\\012ü \\302\\23331m: No such file " \
        "or directory"


def test_raw_control_bytes(fails, tmp_path):
    line = fails(os.fsdecode(b"a\x9bb"), cwd=tmp_path)
    assert line.startswith("a\\233b: ")


def test_message_is_one_write(tmp_path):
    """Messages of several processes in one file do not mix."""
    reader, writer = os.pipe2(os.O_DIRECT)  # keeps what each write() wrote apart
    with open(reader, "rb", 0), open(writer, "wb", 0):
        subprocess.run([BUILD / "disksum", "a\x1bb" * 50], cwd=tmp_path, stderr=writer)
        text = os.read(reader, 65536).decode()
    assert text == "disksum: " + "a\\033b" * 50 + ": No such file or directory\n"


def test_help_and_version(disksum):
    text = disksum("--help").stdout
    assert text.startswith("Usage: disksum ")
    assert "They differ from sha256sum's." in text
    # A screen, and the prompt.
    assert len(text.splitlines()) < 24
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii() and " \n" not in text
    version = disksum("-V").stdout
    assert version == disksum("--version").stdout
    assert version.startswith("disksum ")


def test_every_option_is_in_the_help(disksum, root):
    """Each in one place: with its letter, its argument and some words, or just its
    name, or its letter if it has one."""
    head, text = disksum("-h").stdout.split("What is hashed")
    source = "".join(path.read_text() for path in root.glob("cli/*-options.c"))
    rows = re.findall(r'\{\s+\.name = "(.*)",(?:\s+\.letter = \'(.)\',)?'
                      r'([^{}]*)\.help = ', source)
    assert len(rows) > 30
    described = {(letter, name) for name, letter, rest in rows
                 if ".brief" in rest or name in ("help", "version")}
    named = {f"-{letter}" if letter else f"--{name}"
             for name, letter, rest in rows} - \
        {f"-{letter}" if letter else f"--{name}" for letter, name in described}
    assert len(described) > 15 and len(named) > 10
    lines = [line for row in text.splitlines() for line in (row[:39], row[39:])]
    found = [match.groups("") for line in lines
             if (match := re.match(r" (?:-(\w), |    )--([a-z-]+)", line))]
    foot = {("h", "help"), ("V", "version")}
    assert sorted(found) == sorted((described - foot) | {("h", "help")})
    assert " -V, --version " in text
    alone = [name for line in lines if re.match(r" -[^\s,=]+( -|$| *$)", line)
             for name in line.split()]
    assert sorted(alone) == sorted(named)


def test_long_options(disksum):
    """What completions are told: of each option that --help has."""
    rows = [line.split("\t")
            for line in disksum("--long-options").stdout.splitlines()]
    text = disksum("--help").stdout
    assert len(rows) > 30
    for name, letter, argument, kind, words, help_text in rows:
        shown = f"{letter}, {name}" if letter != "-" else f"    {name}"
        if argument.startswith("["):
            shown += argument.replace("[", "[=")
        elif argument != "-":
            shown += f"={argument}"
        alone = letter if letter != "-" else name
        assert re.search(f"{re.escape(shown)}\\s| {alone}\\s", text)
        assert (kind == "-") == (argument == "-")
        assert kind != "-" or words == "-"
        assert re.fullmatch(r"[A-Za-z][A-Za-z0-9 ,;/-]+\w", help_text)
    assert {row[3] for row in rows} <= {
        "-", "file", "words", "digest", "snapshot", "bitmap", "object",
            "descriptor"}
