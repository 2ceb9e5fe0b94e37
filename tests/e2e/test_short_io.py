# SPDX-License-Identifier: LGPL-2.1-or-later
"""Reads and writes that do less than they might, or are interrupted, wherever there are
any; and pipes that do not block. The results are the same."""

import contextlib
import os
import re
import shlex
import subprocess
import threading
import time

import pytest

import small_images
from conftest import BUILD
from oracle import write_image
from test_output import has_to_wait

pytestmark = pytest.mark.usefixtures("here")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def short(build):
    return {"LD_PRELOAD": f"{build}/tests/short-io.so"}


@pytest.mark.parametrize("make", small_images.IMAGES, ids=lambda make: make.__name__)
def test_formats(disksum, tmp_path, short, make):
    small = make(tmp_path)
    expected = disksum(*small.args, small.path).stdout
    for options, reads in (["-t", "8"], "copy"), (["-t", "1"], "mmap"), (["-T", "none"], "threads"):
        assert disksum(*options, *small.args, small.path,
                       env={**short, "DISKSUM_READS": reads}).stdout == expected, options


@pytest.fixture
def things(disksum, here):
    """Two disks, and lists of all kinds."""
    write_image("a", "300k:A 1:B")
    write_image("b", "70k:0 230k:A 1:B")
    with open("SUMS", "w", encoding="ascii") as f:
        f.write(disksum("a", "b").stdout)
    with open("JSON", "w", encoding="ascii") as f:
        f.write(disksum("--json", "a", "b").stdout)
    for name in "a", "b":
        disksum("--block-size=4k", f"--write-list={name}.blkhash", name)
    for part in 1, 2:
        disksum("--block-size=4k", f"--write-list=part{part}", f"--shard={part}/2", "a")
    with open("changes", "w", encoding="ascii") as f:
        f.write(disksum("--diff", "--json", "a", "b", check=False).stdout)
    subprocess.run(["tar", "cf", "tar", "a", "b"], check=True)
    subprocess.run(["qemu-img", "convert", "-O", "qed", "b", "qed"], check=True)


COMMANDS = {
    "lines": "$d a b", "JSON": "$d --json a b", "standard input": "$d < a", "pipe": "cat a | $d",
    "plain": "$d --plain=sha256 a", "several digests": "$d -d sha256 -d md5 a",
    "check": "$d -c SUMS", "check JSON": "$d -c JSON", "check a pipe": "cat SUMS | $d -c -",
    "show": "$d --show a.blkhash", "show JSON": "$d --show --json a.blkhash",
    "show a pipe": "cat a.blkhash | $d --show -", "merge": "$d --merge part1 part2",
    "diff": "$d --diff a b", "diff lists": "$d --diff a.blkhash b.blkhash",
    "diff with a list": "$d --diff a b.blkhash",
    "diff with a list on stdin": "$d --diff - b < a.blkhash",
    "diff with a pipe": "cat a.blkhash | $d --diff - b", "diff JSON": "$d --diff --json a b",
    "list to a pipe": "$d --block-size=4k --write-list=- a | sha256sum",
    "list": "$d --block-size=4k --write-list=new a && $d --show --json new",
    "list of changes": "$d --block-size=4k --base=a.blkhash --changes=changes --write-list=new b && "
                       "$d --show new",
    "list of changes in a pipe": "cat changes | $d --block-size=4k --base=a.blkhash --changes=- "
                                 "--write-list=new b && $d --show new",
    "member": "$d -f raw --member=b tar", "QEMU": "$d qed",
    "secret": "$d --object secret,id=s,data=1234567 qed",
    "command": "$d -- [ qemu-nbd -r -f raw a ]", "missing": "$d no", "progress": "$d --progress=2 a",
    "help": "$d --help", "events": "DISKSUM_DEBUG=map $d a",
}
TIMES = re.compile(rb'"seconds":[0-9.]+,?')


def run(command, environment=None):
    with contextlib.suppress(FileNotFoundError):
        os.unlink("new")
    done = subprocess.run(
        command, shell=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, check=False, timeout=120,
        env={**os.environ, "d": str(BUILD / "disksum"), **(environment or {})})
    return done.returncode, TIMES.sub(b"", done.stdout), done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_commands(things, short, name):
    assert " " not in str(BUILD)
    expected = run(COMMANDS[name])
    assert expected[1] or name == "missing", expected
    # Only disksum is meant, and what it starts.
    command = COMMANDS[name].replace("$d", f"LD_PRELOAD={shlex.quote(short['LD_PRELOAD'])} $d")
    assert run(command) == expected


@pytest.mark.parametrize("kind", ["short", "again"])
def test_io_uring(disksum, build, tmp_path, kind):
    """As odd-ring.c says, with tables and all."""
    env = {"LD_PRELOAD": f"{build}/tests/odd-ring.so", "ODD_RING": kind, "DISKSUM_READS": "ring"}
    for make in small_images.qcow2_compressed, small_images.qcow2_chain, small_images.vhdx:
        small = make(tmp_path)
        result = disksum("-T", "none", small.path, env=env, check=False)
        if "cannot set up reads" in result.stderr:
            pytest.skip("this kernel refuses io_uring")
        assert result.stdout == disksum(small.path).stdout


# --- pipes that do not block --------------------------------------------------------

@pytest.mark.parametrize("args, name", [
    ([], "a"), (["-c"], "SUMS"), (["-c"], "JSON"), (["--show"], "a.blkhash"),
    (["--merge", "-", "part2"], "part1"), (["--diff", "-", "b"], "a.blkhash"),
    (["--diff", "b.blkhash", "/dev/stdin"], "a.blkhash"), (["--diff", "-", "b.blkhash"], "a"),
    (["--block-size=4k", "--base=a.blkhash", "--changes=-", "--write-list=new", "b"], "changes"),
], ids=lambda value: "-".join(value).replace("/", "") if isinstance(value, list) else value)
def test_input_that_does_not_block(disksum, things, args, name):
    """It is waited for, also before its first byte."""
    with open(name, "rb") as f:
        content = f.read()
    expected = disksum(*args, input=content, check=False)
    with contextlib.suppress(FileNotFoundError):
        os.unlink("new")
    assert expected.stdout
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    with subprocess.Popen([BUILD / "disksum", *args], stdin=ours, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE) as process:
        os.close(ours)

        def feed():
            with open(theirs, "wb", 0) as pipe:
                for piece in content[:1], content[1:7], content[7:1000], content[1000:]:
                    deadline = time.monotonic() + 1
                    while not has_to_wait(process) and time.monotonic() < deadline:
                        time.sleep(0.001)
                    while piece:
                        piece = piece[pipe.write(piece):]

        thread = threading.Thread(target=feed)
        thread.start()
        out, err = process.communicate()
        thread.join()
    assert (process.returncode, out.decode(), err.decode()) == \
        (expected.returncode, expected.stdout, expected.stderr)
