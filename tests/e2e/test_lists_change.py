# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists that are cut, grown, overwritten or replaced while they are read. What was read may
be a part, or a mixture: that is never a success."""

import os
import pathlib
import random
import re
import shutil
import subprocess

import pytest

from conftest import BUILD
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
    disksum(BLOCK, "--write-list=disk.blkhash", "disk")
    pathlib.Path("changes").write_text("[]", encoding="ascii")
    return pathlib.Path("disk.blkhash")


COMMANDS = {
    "base": [BLOCK, "--base=disk.blkhash", "--changes=changes", "--write-list=new", "disk"],
    "compared": ["--diff", "disk.blkhash", "disk"],
}


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("change", [cut, empty, grow, overwrite], ids=name)
def test_digest_list(digest_list, command, change):
    with held(*COMMANDS[command]) as h:
        h.wait_until_open(digest_list)
        change(digest_list)
        status, out, err = h.finish()
    assert (status, out) == (2 if command == "compared" else 1, "")
    assert re.fullmatch("disksum: disk.blkhash: (broken|incomplete) digest list: .*\n", err)
    assert not os.path.exists("new")


# --- digest lists that are read to their end at once ------------------------------

# Of the calls of read() for a list, two are for its header, and each of the others is for
# up to 1 MiB: after the third there is still something to read.
MOMENTS = 2, 3

CHANGE = {
    "cut": "truncate -s 1500000 {list}",
    "emptied": "truncate -s 0 {list}",
    "emptied and padded": "truncate -s 0 {list} && truncate -r other {list}",
    "grown": "printf more >>{list}",
    "written anew": "cp other {list}",
}

READERS = {
    "merged": ("part-1", ["--merge", "part-1", "part-2"]),
    "merged last": ("part-2", ["--merge", "part-2", "part-1"]),
    "merged into a list": ("part-2", ["--merge", "--write-list=new", "part-1", "part-2"]),
    "merged alone": ("whole", ["--merge", "whole"]),
    "shown": ("whole", ["--show", "whole"]),
    "shown as JSON": ("part-1", ["--show", "--json", "part-1"]),
}


@pytest.fixture(scope="module")
def long_lists(tmp_path_factory):
    """A directory with the list of a disk, those of its parts, and one of another disk. Each
    has more than 2 MiB."""
    directory = tmp_path_factory.mktemp("lists")
    for seed, lists in (1, {"whole": [], "part-1": ["--shard=1/2"], "part-2": ["--shard=2/2"]}), \
            (2, {"other": []}):
        (directory / "disk").write_bytes(random.Random(seed).randbytes(34 << 20))
        for list_name, options in lists.items():
            subprocess.run([BUILD / "disksum", "--digest=sha512", BLOCK, *options,
                            f"--write-list={list_name}", "disk"],
                           cwd=directory, check=True, stdout=subprocess.DEVNULL)
            assert (directory / list_name).stat().st_size > 2 << 20
    (directory / "disk").unlink()
    return directory


@pytest.fixture
def read_while(build, disksum, long_lists):
    """Run a reader. A command changes its list after so many reads."""
    def run(reader, command, reads):
        changed, args = READERS[reader]
        for list_name in os.listdir(long_lists):
            shutil.copy(long_lists / list_name, list_name)
        result = disksum(*args, check=False, env={
            "LD_PRELOAD": f"{build}/tests/change-file.so", "CHANGE_FILE": changed,
            "CHANGE_AT": "read", "CHANGE_READS": str(reads),
            "CHANGE_COMMAND": command.format(list=changed)})
        return result, (pathlib.Path(changed).read_bytes() !=
                        (long_lists / changed).read_bytes())
    return run


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize("change", CHANGE)
def test_read_to_its_end(read_while, long_lists, reader, change):
    """What was read of it before is not used."""
    for reads in MOMENTS:
        result, changed = read_while(reader, CHANGE[change], reads)
        assert changed
        assert (result.returncode, result.stdout) == (1, "")
        assert re.fullmatch(
            f"disksum: {READERS[reader][0]}: (broken|incomplete) digest list: .*\n",
            result.stderr), result.stderr
        assert sorted(os.listdir()) == sorted(os.listdir(long_lists))


@pytest.mark.parametrize("reader", READERS)
def test_replaced(disksum, read_while, long_lists, reader):
    """Another list takes its name, as in an atomic update: what was opened is read."""
    expected = disksum(*READERS[reader][1], cwd=long_lists).stdout
    pathlib.Path(long_lists / "new").unlink(missing_ok=True)
    for reads in MOMENTS:
        result, changed = read_while(reader, "mv other {list}", reads)
        assert changed
        assert (result.returncode, result.stdout, result.stderr) == (0, expected, "")
