# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lines as GNU's sha256sum writes them, for every name."""

import os
import re
import subprocess

import pytest

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


def test_help_and_version(disksum):
    text = disksum("--help").stdout
    assert text.startswith("Usage: disksum ")
    assert "cannot be compared" in text
    # A screen, and the prompt.
    assert len(text.splitlines()) < 24
    assert max(map(len, text.splitlines())) <= 80
    assert text.isascii() and " \n" not in text
    version = disksum("-V").stdout
    assert version == disksum("--version").stdout
    assert version.startswith("disksum ")


def test_every_option_is_in_the_help(disksum, root):
    """Each in one place, with its letter."""
    text = disksum("-h").stdout
    source = (root / "cli/options.c").read_text()
    table = source.split("long_options[] = {")[1].split("};")[0]
    rows = re.findall(r'{ "(.*)", .*, (\w+|\'\w\') }', table)
    assert len(rows) > 30
    assert set(re.findall(r"--([a-z-]+)", text)) == {row[0] for row in rows}
    for name, letter in rows:
        if letter.startswith("'"):
            assert f" -{letter[1]}, --{name}" in text
