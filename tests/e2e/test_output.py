# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lines as GNU's sha256sum writes them, for every name."""

import fcntl
import os
import pathlib
import re
import select
import subprocess
import time

import pytest

from conftest import BUILD
from oracle import checksum, write_image

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


def has_to_wait(process):
    """Whether it waits in its only thread, so for nothing that it reads."""
    task = pathlib.Path(f"/proc/{process.pid}/task")
    return len(list(task.iterdir())) == 1 and \
        (task.parent / "stat").read_text().rsplit(")", 1)[1].split()[0] == "S"


def read_full_pipe(command, stream, cwd):
    """(status, what it prints to a non-blocking pipe that is full, and is read only
    when it has to wait)"""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    os.write(writer, bytes(4096))
    process = subprocess.Popen(
        command, cwd=cwd, stdin=subprocess.DEVNULL,
        **{"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, stream: writer})
    os.close(writer)
    text = b""
    while process.poll() is None:
        if has_to_wait(process) and select.select([reader], [], [], 0)[0]:
            text += os.read(reader, 4096)
        else:
            time.sleep(0.001)
    with open(reader, "rb") as f:
        text += f.read()
    return process.returncode, text[4096:]


FULL_PIPE = {
    "lines": ["stdout", *["a"] * 60],
    "json": ["stdout", "--json", *["a"] * 30],
    "verdicts": ["stdout", "-c", "--block-size=512", "SUMS"],
    "differences": ["stdout", "--diff", "a", "b"],
    "ranges": ["stdout", "--show", "--json", "list"],
    "list": ["stdout", "--write-list=-", "--block-size=512", "a"],
    "help": ["stdout", "--help"],
    "options": ["stdout", "--long-options"],
    "messages": ["stderr", *["no"] * 200],
    "usage": ["stderr", "--no-such-option"],
    "progress": ["stderr", "--progress=2", *["b"] * 300],
}


@pytest.mark.sanitizer(every=5)
@pytest.mark.one_thread  # the thread sanitizer has one of its own
@pytest.mark.parametrize("arguments", FULL_PIPE.values(), ids=FULL_PIPE)
def test_full_pipe_that_does_not_block(tmp_path, arguments):
    """It is waited for, and nothing is lost."""
    stream, *arguments = arguments
    write_image(tmp_path / "a", "512:A 512:0 " * 300)
    write_image(tmp_path / "b", "512:A 512:B " * 300)
    command = [BUILD / "disksum", *arguments]
    run = subprocess.run([command[0], "--block-size=512", "--write-list=list", "a"], cwd=tmp_path,
                         stdout=subprocess.PIPE, check=True)
    (tmp_path / "SUMS").write_bytes(run.stdout * 600)
    run = subprocess.run(command, cwd=tmp_path, stdin=subprocess.DEVNULL, check=False,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    status, text = read_full_pipe(command, stream, tmp_path)
    assert status == run.returncode
    # What depends on time.
    strip = re.compile(rb'"seconds":[\d.]+|^[1-9]\d?/100\n', re.M)
    assert strip.sub(b"", text) == strip.sub(b"", getattr(run, stream))


def test_every_line_goes_through_the_stream_that_waits(root):
    """stdio's own loses what a full pipe does not take."""
    for path in root.glob("cli/*.c"):
        if path.name in ("output.c", "message.c"):
            continue
        found = re.findall(r"\b(?:stdout|stderr|printf|puts|putchar)\b",
                           re.sub(r"/\*.*?\*/|\"(?:\\.|[^\"])*\"|format\(printf.*",
                                  "", path.read_text(), flags=re.S))
        assert not found, f"{path} uses {found}; see cli/output.h and cli/message.h"


def test_help_and_version(disksum):
    text = disksum("--help").stdout
    assert text.startswith("Usage: disksum ")
    assert "They differ from sha256sum's; see --plain." in text
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
