# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where an image and a digest list differ, or two lists."""

import hashlib
import os
import random
import struct
import subprocess
import threading

import pytest

from diff_oracle import change, difference_of_blocks, pad
from list_oracle import CHECK, DIGESTS, END, UNKNOWN, ZERO, word, write_list
from oracle import random_spec, write_image
from test_diff import diff, trouble  # noqa: F401 (fixtures)


def contents(path, seed):
    """Two disks, some of one size."""
    rnd = random.Random(seed)
    a = write_image(path, random_spec(rnd)) if rnd.randrange(8) else b""
    b = change(a, seed, rnd.randrange(8))
    cut = rnd.randrange(len(b) + 1) if rnd.randrange(2) else len(b)
    return a, b[:cut] + rnd.choice([b"", b"", bytes(9000), rnd.randbytes(9000)])


@pytest.mark.sanitizer(every=5)
@pytest.mark.parametrize("seed", range(20))
def test_images_and_lists(diff, tmp_path, seed):  # noqa: F811
    """In any order, and as a pipe, too."""
    rnd = random.Random(-seed)
    a, b = contents(tmp_path / "a", seed)
    block_size = rnd.choice([512, 4096, 65536, 66048])
    digest = rnd.choice(["sha256", "sha1", "sha512"])
    length = rnd.choice([None, UNKNOWN])
    expected = difference_of_blocks(a, b, block_size)
    for name, content in ("a", a), ("b", b):
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"{name}.blkhash").write_bytes(write_list(
            pad(content), block_size=block_size, digest=digest, length=length))
    assert diff("-f", "raw", tmp_path / "a", tmp_path / "b.blkhash") == expected
    assert diff("-f", "raw", "-t1", tmp_path / "a.blkhash", tmp_path / "b") == expected
    assert diff(tmp_path / "a.blkhash", tmp_path / "b.blkhash") == expected
    assert diff("-f", "raw", "-", tmp_path / "b.blkhash", input=a) == expected
    assert diff("-f", "raw", tmp_path / "a", "-",
                input=(tmp_path / "b.blkhash").read_bytes()) == expected
    assert diff(tmp_path / "a.blkhash", "/dev/stdin",
                input=(tmp_path / "b.blkhash").read_bytes()) == expected
    for name in "a", "b":
        assert diff("-f", "raw", tmp_path / name, tmp_path / f"{name}.blkhash") == []


def test_lists_of_disksum(diff, disksum, servers, tmp_path):  # noqa: F811
    """Made by --write-list of one format, compared with another and with an export."""
    a = write_image(tmp_path / "a", "1M:A 1M:- 300k:B 200k:0 1000:A")
    b = change(a, 1)
    (tmp_path / "b").write_bytes(b)
    disksum("--write-list", tmp_path / "a.blkhash", tmp_path / "a")
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "-c",
                    tmp_path / "b", tmp_path / "b.qcow2"], check=True)
    expected = difference_of_blocks(a, b, 65536)
    uri, _ = servers.nbdkit("file", tmp_path / "b")
    assert diff(tmp_path / "a.blkhash", tmp_path / "b.qcow2") == expected
    assert diff(tmp_path / "a.blkhash", uri) == expected
    assert diff(tmp_path / "a.blkhash", tmp_path / "a") == []
    done = disksum("--diff", "-v", tmp_path / "a.blkhash", tmp_path / "b", check=False)
    assert f"{tmp_path}/a.blkhash and {tmp_path}/b: compared" in done.stderr


def test_names_of_pipes(diff, tmp_path):  # noqa: F811
    """A list may come through a FIFO, in any pieces."""
    a = write_image(tmp_path / "a", "300k:A")
    data = write_list(a)
    os.mkfifo(tmp_path / "fifo")

    def write():
        with open(tmp_path / "fifo", "wb", buffering=0) as f:
            for start in range(0, len(data), 50):
                f.write(data[start:start + 50])

    thread = threading.Thread(target=write)
    thread.start()
    assert diff(tmp_path / "a", tmp_path / "fifo") == []
    thread.join()


@pytest.mark.parametrize("pieces", [[b"BLK", b"LIST\0"], [b"BLK"], [b"B", b"LK", b"L", b"x"],
                                    [b""]], ids=repr)
def test_few_bytes_in_a_pipe(build, tmp_path, pieces):
    """What is in a pipe is known when there are enough bytes, or all."""
    is_list = pieces[-1] == b"LIST\0"
    other = tmp_path / ("disk" if is_list else "disk.blkhash")
    other.write_bytes(b"" if is_list else write_list(pad(b"".join(pieces))))
    with subprocess.Popen([build / "disksum", "--diff", "-", other],
                          stdin=subprocess.PIPE, bufsize=0) as p:
        for piece in pieces:
            p.stdin.write(piece)
        p.stdin.write(write_list(b"")[8:] if is_list else b"")
        p.stdin.close()
        assert p.wait(timeout=60) == 0


def test_list_that_cannot_be_looked_at(trouble, build, tmp_path):  # noqa: F811
    """It is not taken for a raw image."""
    (tmp_path / "b").write_bytes(b"x" * 9000)
    assert trouble("-f", "raw", "-", tmp_path / "b", input=write_list(pad(bytes(9000))),
                   wrapper=[build / "tests/refuse-calls", "EPERM", "tee"]) == \
        "-: cannot find out whether it is a digest list: Operation not permitted"


def test_name_that_cannot_be_opened(trouble, tmp_path):  # noqa: F811
    """The message is that for any image: nobody asked whether it is a list."""
    (tmp_path / "loop").symlink_to("loop")
    write_image(tmp_path / "b", "1k:A")
    assert trouble(tmp_path / "loop", tmp_path / "b") == \
        f"{tmp_path}/loop: Too many levels of symbolic links"


def test_quiet(disksum, tmp_path):
    """The lengths in the headers are enough."""
    a = write_image(tmp_path / "a", "9k:A")
    same = tmp_path / "same.blkhash"
    for name, disk, status in ("same", a, 0), ("longer", a + bytes(512), 1), \
            ("other", a[1:] + b"x", 1):
        digests = tmp_path / f"{name}.blkhash"
        digests.write_bytes(write_list(disk))
        done = disksum("-q", "--diff", tmp_path / "a", digests, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (status, "", "")
        done = disksum("-q", "--diff", digests, same, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (status, "", "")


# --- trouble ------------------------------------------------------------------

def test_lists_that_cannot_be_compared(trouble, tmp_path):  # noqa: F811
    disk = write_image(tmp_path / "disk", "300k:A")
    for name, options in (("whole", {}), ("sha1", {"digest": "sha1"}),
                          ("small", {"block_size": 4096}), ("end", {"first": 1}),
                          ("start", {"count": 3})):
        (tmp_path / f"{name}.blkhash").write_bytes(write_list(disk, **options))
    whole, sha1, small = (tmp_path / f"{name}.blkhash" for name in ("whole", "sha1", "small"))
    assert trouble(whole, sha1) == \
        f"{whole} has the digest sha256, and {sha1} has sha1; they cannot be compared"
    assert trouble(small, whole) == (
        f"{small} has blocks of 4096 bytes, and {whole} of 65536; they cannot be compared")
    for part in "start.blkhash", "end.blkhash":
        for other in "whole.blkhash", "disk":
            for names in (part, other), (other, part):
                assert trouble(*(tmp_path / name for name in names)) == (
                    f"{tmp_path}/{part}: has only a part of the disk; put the parts "
                    "together first (--merge)")


@pytest.mark.sanitizer
def test_broken_lists(trouble, tmp_path):  # noqa: F811
    """Nothing is printed for the blocks of a chunk that is broken."""
    disk = write_image(tmp_path / "disk", "300k:A 1M:-")
    data = bytearray(write_list(disk))
    (tmp_path / "good.blkhash").write_bytes(data)
    for at in 9, 100, 200, len(data) - 3:
        broken = data[:]
        broken[at] ^= 1
        bad = tmp_path / "broken.blkhash"
        bad.write_bytes(broken)
        for other in tmp_path / "good.blkhash", tmp_path / "disk":
            for names in (bad, other), (other, bad):
                assert trouble(*names).startswith(f"{bad}: ")
    bad.write_bytes(data[:-1])
    assert trouble(bad, tmp_path / "disk").startswith(f"{bad}: ")


def test_the_image_fails(trouble, build, tmp_path):  # noqa: F811
    disk = write_image(tmp_path / "disk", "3M:A")
    (tmp_path / "disk.blkhash").write_bytes(write_list(disk))
    assert trouble(tmp_path / "disk.blkhash", tmp_path / "disk", env={
        "LD_PRELOAD": str(build / "tests/read-error.so"), "DISKSUM_READS": "copy",
        "READ_ERROR_OFFSET": "2000000"}).startswith(
            f"{tmp_path}/disk: read error at offset 2000000")


NOT_CLEAR = ("{}: begins like a digest list; give a list as a FIFO or a name that ends in "
             ".blkhash, and a disk with -f")
NOT_CLEAR_STDIN = NOT_CLEAR.replace("a FIFO", "/dev/stdin")


def test_disk_that_looks_like_a_list(diff, trouble, loop_device, tmp_path):  # noqa: F811
    """A guest has written a list of the other disk to its own."""
    good = b"good".ljust(4096)
    fake = write_list(good, source=bytes(4096 - len(write_list(good, source=b""))))
    (tmp_path / "good.raw").write_bytes(good)
    for name in "guest.raw", "guest.img":
        (tmp_path / name).write_bytes(fake)
        assert diff("-f", "raw", tmp_path / "good.raw", tmp_path / name)
        assert "is a digest list, not an image" in trouble(tmp_path / "good.raw",
                                                           tmp_path / name)
    guest = tmp_path / "guest"
    guest.write_bytes(fake)
    assert diff("-f", "raw", tmp_path / "good.raw", guest)
    assert trouble(tmp_path / "good.raw", guest) == NOT_CLEAR.format(guest)
    (tmp_path / "link").symlink_to("guest.img")
    assert "is a digest list, not an image" in trouble(tmp_path / "good.raw", tmp_path / "link")
    device = loop_device(4096)
    with open(device, "wb") as file:
        file.write(fake)
    assert diff("-f", "raw", tmp_path / "good.raw", device)


def test_standard_input_that_looks_like_a_list(diff, trouble, build, tmp_path):  # noqa: F811
    """It may be a disk of a guest; but beside an image a pipe can only be a list."""
    disk = write_image(tmp_path / "disk", "9k:A")
    digests = tmp_path / "disk.blkhash"
    digests.write_bytes(write_list(disk))
    fake = digests.read_bytes()
    for options in [], ["-f", "raw"]:
        assert diff(*options, tmp_path / "disk", "-", input=fake) == []
    assert trouble(digests, "-", input=fake) == NOT_CLEAR_STDIN.format("-")
    assert diff("-f", "raw", digests, "-", input=fake)
    assert diff(digests, "/dev/stdin", input=fake) == []


def test_standard_input_with_a_name(diff, trouble, tmp_path):  # noqa: F811
    """A file that is redirected is what its name says."""
    write_image(tmp_path / "disk", "9k:A")
    fake = write_list((tmp_path / "disk").read_bytes())
    for name in "guest", "guest.img", "list.blkhash":
        (tmp_path / name).write_bytes(fake)
    (tmp_path / "link").symlink_to("list.blkhash")

    def call(function, name, *options, operand="-"):
        with open(tmp_path / name, "rb") as stdin:
            return function(*options, tmp_path / "disk", operand, stdin=stdin)
    for name in "list.blkhash", "link":
        assert call(diff, name) == call(diff, name, "-f", "raw") == []
        assert call(diff, name, operand="/dev/stdin") == []
        assert diff(tmp_path / "disk", tmp_path / name) == []
    assert "is a digest list, not an image" in call(trouble, "guest.img")
    assert call(diff, "guest.img", "-f", "raw") and call(diff, "guest", "-f", "raw")
    assert call(trouble, "guest") == NOT_CLEAR.format("-")


@pytest.mark.parametrize("name", ["/proc/kmsg", "/proc/version"])
def test_file_of_the_kernel(trouble, tmp_path, name):  # noqa: F811
    """It is not looked at: a read of /proc/kmsg takes messages, or waits for one."""
    write_image(tmp_path / "disk", "9k:A")
    assert "is generated by the kernel" in trouble(tmp_path / "disk", name)


def test_name_of_a_list(trouble, tmp_path):  # noqa: F811
    """It is read as one whatever is in it, and whatever format the other side has."""
    write_image(tmp_path / "disk", "9k:A")
    (tmp_path / "no.blkhash").write_bytes(bytes(512))
    for options in [], ["-f", "raw"]:
        assert "no.blkhash: not a digest list" in \
            trouble(*options, tmp_path / "no.blkhash", tmp_path / "disk")


def write_huge_list(path, content):
    """A list of 2^62 bytes, all zeros but for the first block. Its checksum is wrong, as
    nobody can wait for that."""
    def cut(chunk, check=b""):
        chunk += word(CHECK, 0)
        return chunk + hashlib.sha256(check + chunk).digest()
    blocks = 2**46
    head = cut(b"BLKLIST\0" + struct.pack("<IIQQQ32s", 1, 74, 65536, 0, 2**62, b"sha256") + b"{}")
    path.write_bytes(head + cut(
        word(DIGESTS, 1) + hashlib.sha256(content).digest() + word(ZERO, blocks - 1) +
        word(END, blocks) + struct.pack("<Q", 2**62) + bytes(32), head[-32:]))


@pytest.mark.sanitizer
def test_difference_before_exabytes_of_zeros(disksum, tmp_path):
    """Found before all of them are verified."""
    lists = tmp_path / "a.blkhash", tmp_path / "b.blkhash"
    for path in lists:
        write_huge_list(path, path.stem.encode())
    done = disksum("-q", "--diff", *lists, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
