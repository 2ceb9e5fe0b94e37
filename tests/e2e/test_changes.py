# SPDX-License-Identifier: LGPL-2.1-or-later
"""--base with --changes: what other programs print of a disk, as they print it."""
import json
import os
import shutil
import subprocess

import pytest

from oracle import checksum, write_image
from qcow2_compare import convert, qemu_img
from qcow2_qemu import create, fill, parse

BLOCK = 64 << 10
SPEC = "300k:A 200k:- 1M:B 500k:C"
WRITES = "100k:- 5000:D 700k:- 70k:z 200k:- 1:E"


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=60)
    return done.stdout


def check(disksum, old, changes, new, content, *options, **kwargs):
    """The checksum of what has changed since the list `old`. Returns the blocks that were
    not read."""
    found = json.loads(disksum("--json", f"--base={old}", f"--changes={changes}", *options,
                               new, **kwargs).stdout)
    assert found["checksum"] == checksum(content)
    assert found["known"] > 0
    return -(-found["known"] // BLOCK)


def unchanged(ranges, size):
    """The blocks without a byte of a range, which are not the same bytes perforce: a
    cluster is written as a whole."""
    changed = {block for start, length in ranges
               for block in range(start // BLOCK, -(-(start + length) // BLOCK))}
    return -(-size // BLOCK) - len(changed)


# --- the programs -------------------------------------------------------------

@pytest.fixture
def overlay(disksum, tmp_path):
    """A list of an image, an overlay on it, and its bytes."""
    base = create(str(tmp_path / "base.qcow2"), SPEC)
    disksum(f"--write-list={tmp_path}/old", base)
    create(str(tmp_path / "top.qcow2"), WRITES, backing=base, size=parse_size(base))
    return (tmp_path / "old", tmp_path / "top.qcow2",
            convert(tmp_path / "top.qcow2").read_bytes())


def parse_size(image):
    return json.loads(qemu_img("info", "--output=json", image).stdout)["virtual-size"]


@pytest.mark.sanitizer
def test_qemu_img_map(disksum, tmp_path, overlay):
    old, top, content = overlay
    changes = tmp_path / "changes"
    changes.write_bytes(run("qemu-img", "map", "--output=json", top))
    ranges = [(part["start"], part["length"]) for part in json.loads(changes.read_bytes())
              if part["depth"] == 0]
    assert ranges
    assert check(disksum, old, changes, top, content) == unchanged(ranges, len(content))


def test_map_of_the_image_itself(disksum, tmp_path, overlay):
    """Without a backing file, all of an image may have changed."""
    _, top, content = overlay
    flat = tmp_path / "flat.qcow2"
    run("qemu-img", "convert", "-O", "qcow2", top, flat)
    old, changes = tmp_path / "flat.old", tmp_path / "changes"
    disksum(f"--write-list={old}", flat)
    changes.write_bytes(run("qemu-img", "map", "--output=json", flat))
    found = json.loads(disksum("--json", f"--base={old}", f"--changes={changes}",
                               flat).stdout)
    assert (found["checksum"], found["known"]) == (checksum(content), 0)


@pytest.mark.sanitizer
def test_nbdinfo(disksum, fails, servers, tmp_path):
    """A bitmap that qemu-nbd exports."""
    if not shutil.which("nbdinfo"):
        pytest.skip("no nbdinfo")
    image = create(str(tmp_path / "disk.qcow2"), SPEC)
    disksum(f"--write-list={tmp_path}/old", image)
    qemu_img("bitmap", "--add", image, "nightly")
    fill(image, parse(WRITES))
    content = convert(image).read_bytes()
    uri, _ = servers.qemu_nbd(image, "-B", "nightly", format="qcow2")
    changes = tmp_path / "changes"
    changes.write_bytes(run("nbdinfo", "--map=qemu:dirty-bitmap:nightly", "--json", uri))
    ranges = [(part["offset"], part["length"]) for part in json.loads(changes.read_bytes())
              if part["type"] == 1]
    assert ranges
    assert check(disksum, tmp_path / "old", changes, image, content) == \
        unchanged(ranges, len(content))

    changes.write_bytes(run("nbdinfo", "--map", "--json", uri))
    assert fails(f"--base={tmp_path}/old", f"--changes={changes}", image) == \
        f"{changes}: range 1: is not of a bitmap, and does not say what has changed; use " \
        "nbdinfo --map=qemu:dirty-bitmap:NAME --json"
    # What is left of a program that fails is nothing.
    with open(changes, "wb") as file:
        subprocess.run(["nbdinfo", "--map=qemu:dirty-bitmap:weekly", "--json", uri],
                       stdout=file, stderr=subprocess.DEVNULL, timeout=60)
    assert fails(f"--base={tmp_path}/old", f"--changes={changes}", image) == \
        f"{changes}: is empty; did the program that wrote it fail?"


@pytest.fixture
def copies(disksum, tmp_path):
    """A list, two disks, and the bytes of both."""
    before = write_image(tmp_path / "before.raw", SPEC)
    disksum(f"--write-list={tmp_path}/old", tmp_path / "before.raw")
    after = bytearray(before)
    for offset, length, kind in parse(WRITES):
        if kind != "-":
            after[offset:offset + length] = (b"" if kind == "z" else kind.encode()).ljust(
                length, b"\0")
    (tmp_path / "after.raw").write_bytes(after)
    return tmp_path, before, bytes(after)


@pytest.mark.sanitizer
@pytest.mark.parametrize("same", [False, True])
def test_disksum_diff(disksum, copies, same):
    directory, before, after = copies
    new = "before.raw" if same else "after.raw"
    done = disksum("--diff", "--json", directory / "before.raw", directory / new,
                   check=False)
    assert (done.returncode, done.stderr) == (int(not same), "")
    (directory / "changes").write_text(done.stdout)
    content = before if same else after
    ranges = [(start, BLOCK) for start in range(0, len(before), BLOCK)
              if before[start:start + BLOCK] != content[start:start + BLOCK]]
    assert bool(ranges) != same
    assert check(disksum, directory / "old", directory / "changes", directory / new,
                 content) == unchanged(ranges, len(content))


def test_cut_list_of_differences(disksum, fails, copies):
    directory, _, _ = copies
    done = disksum("--diff", "--json", directory / "before.raw", directory / "after.raw",
                   check=False)
    lines = done.stdout.splitlines(keepends=True)
    changes = directory / "changes"
    options = f"--base={directory}/old", f"--changes={changes}", directory / "after.raw"
    changes.write_text("".join(lines[:-1]))
    assert fails(*options) == \
        f"{changes}: the last line of disksum --diff is missing; did it fail?"
    changes.write_text("".join(lines[1:]))
    assert "has ranges of" in fails(*options)


# --- where they are read from ---------------------------------------------------

def rbd(*ranges):
    return json.dumps([{"offset": offset, "length": length, "exists": "true"}
                       for offset, length in ranges])


def test_standard_input(disksum, copies):
    directory, _, after = copies
    check(disksum, directory / "old", "-", directory / "after.raw", after,
          input=rbd((0, 1 << 20), (1 << 20, 100 << 10)))


def test_standard_input_is_the_image(disksum, copies):
    directory, _, _ = copies
    done = disksum(f"--base={directory}/old", "--changes=-", "-", input="[]", check=False)
    assert done.returncode != 0 and not done.stdout


def test_pipe(disksum, copies):
    """As a shell has it for <(rbd diff ...)."""
    directory, _, after = copies
    readable, writable = os.pipe()
    os.write(writable, rbd((0, 1 << 20), (1 << 20, 100 << 10)).encode())
    os.close(writable)
    check(disksum, directory / "old", f"/dev/fd/{readable}", directory / "after.raw",
          after, pass_fds=[readable])
    os.close(readable)


def test_memory(disksum, build, copies):
    """A map of any length is never in memory."""
    directory, _, after = copies
    with open(directory / "changes", "w") as file:
        file.write("[\n")
        for i in range(300000):
            file.write('{ "offset": %d, "length": 1, "type": 1, "description": "dirty"},\n'
                       % (i % 1000))
        file.write('{ "offset": 1000, "length": 0, "type": 0, "description": "clean"}\n]\n')
    disksum(f"--base={directory}/old", f"--changes={directory}/changes",
            directory / "after.raw", wrapper=[build / "tests/max-memory", "60000"])
