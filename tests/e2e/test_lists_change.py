# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists that are cut, grown, overwritten or replaced while they are read. What was read may
be a part, or a mixture: that is never a success."""

import os
import pathlib
import random
import re

import pytest

from oracle import write_image
from test_changes_while_read import cut, empty, overwrite
from test_writers import held

KIB = 1 << 10
BUFFER = 64 * KIB       # of what is read of a text at once


def cut_at_a_line(path):
    """Not in the middle of one: what is left looks whole."""
    text = path.read_bytes()
    os.truncate(path, text.index(b"\n", BUFFER + 100) + 1)


def grow(path):
    text = path.read_bytes()
    with open(path, "ab") as f:
        f.write(text[-400:])


def exchange(path):
    """In place, as an editor or a shell may write it: the other list has the same size."""
    text = path.read_bytes()
    with open(path, "r+b") as f:
        f.write(text.swapcase())


CHANGES = [cut_at_a_line, empty, grow, exchange]


def name(value):
    return value.__name__


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


# --- lists of checksums ---------------------------------------------------------

LINES = 1500


@pytest.fixture(params=["lines", "JSON"])
def checksums(request, disksum):
    """A list of many images, and what it prints."""
    write_image("disk", "64k:A")
    options = ["--json"] if request.param == "JSON" else []
    line = disksum(*options, "disk").stdout
    pathlib.Path("SUMS").write_text(line * LINES, encoding="ascii")
    return pathlib.Path("SUMS")


@pytest.mark.parametrize("change", CHANGES, ids=name)
def test_list_of_checksums(checksums, change):
    """After its first lines were read."""
    with held("-c", checksums) as h:
        h.wait_until_open(checksums)
        change(checksums)
        status, out, err = h.finish()
    assert status == 1
    assert re.search("^disksum: SUMS: the file changed while it was read$", err, re.M), err
    assert 0 < out.count("disk: OK\n") <= LINES + 400


def test_list_of_checksums_is_replaced(checksums):
    """What was opened is read to its end."""
    with held("-c", checksums) as h:
        h.wait_until_open(checksums)
        pathlib.Path("other").write_text("other\n", encoding="ascii")
        os.rename("other", checksums)
        assert h.finish() == (0, "disk: OK\n" * LINES, "")


# --- digest lists ---------------------------------------------------------------

BLOCK = "--block-size=512"


@pytest.fixture
def digest_list(disksum):
    """The list of a disk, of which more than the header is read while the disk is."""
    pathlib.Path("disk").write_bytes(random.Random(1).randbytes(4 << 20))
    disksum(BLOCK, "--write-list=list", "disk")
    pathlib.Path("changes").write_text("[]", encoding="ascii")
    return pathlib.Path("list")


COMMANDS = {
    "base": [BLOCK, "--base=list", "--changes=changes", "--write-list=new", "disk"],
    "compared": ["--diff", "list", "disk"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("change", [cut, empty, grow, overwrite], ids=name)
def test_digest_list(digest_list, command, change):
    with held(*COMMANDS[command]) as h:
        h.wait_until_open(digest_list)
        change(digest_list)
        status, out, err = h.finish()
    assert (status, out) == (2 if command == "compared" else 1, "")
    assert re.fullmatch("disksum: list: (broken|incomplete) digest list: .*\n", err)
    assert not os.path.exists("new")
