# SPDX-License-Identifier: LGPL-2.1-or-later
"""Persistent bitmaps of qcow2 images, and what a server exports of them: all that
was written since they were made."""

import json
import random
import re
import subprocess

import pytest

from qcow2_bitmap_image import ONES, Bitmaps
from qcow2_bitmap_oracle import IN_USE, bitmaps
from qcow2_image import Image
from qcow2_qemu import fill, qemu

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
TIB = 1 << 40


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def read_bitmap(build):
    """The ranges of a bitmap, as disksum reads it: (offset, length, changed)."""
    def run(image, name, *options):
        done = subprocess.run([build / "tests/print-bitmap", image, name, *map(str, options)],
                              capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), done
        return [tuple(map(int, line.split())) for line in done.stdout.splitlines()]
    return run


@pytest.fixture
def refuses(build):
    """The line that says why a bitmap cannot be used."""
    def run(image, name, *options):
        done = subprocess.run([build / "tests/print-bitmap", image, name, *options],
                              capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done
        return done.stderr.rstrip("\n")
    return run


def nbdinfo(uri, name):
    done = subprocess.run(["nbdinfo", f"--map=qemu:dirty-bitmap:{name}", "--json", uri],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done
    return [(one["offset"], one["length"], one["type"]) for one in json.loads(done.stdout)]


def check(read_bitmap, servers, image, name):
    """All readers agree. Returns the ranges."""
    ranges = read_bitmap(image, name)
    assert ranges == bitmaps(image)[name].changes()
    uri, server = servers.qemu_nbd(image, "-B", name, format="qcow2")
    assert ranges == nbdinfo(uri, name)
    assert ranges == read_bitmap(uri, name)
    server.stop()
    return ranges


def dirty(ranges):
    return [(offset, length) for offset, length, changed in ranges if changed]


# --- images of qemu-img ----------------------------------------------------

@pytest.mark.sanitizer(every=3)
@pytest.mark.parametrize("granularity", [512, 4 * KIB, 64 * KIB, MIB, 2 * GIB])
def test_granularity(read_bitmap, servers, granularity):
    size = 3 * GIB + 512
    qemu("create", "-q", "-f", "qcow2", "image", size)
    qemu("bitmap", "--add", "-g", granularity, "image", "b0")
    writes = [(0, 1), (70000, 5), (131071, 2), (GIB, 3 * MIB + 1), (size - 512, 512)]
    fill("image", [(*write, "X") for write in writes])
    ranges = check(read_bitmap, servers, "image", "b0")
    for offset, length in writes:
        last = offset + length - 1
        for at in offset, last:
            assert [one for one in dirty(ranges) if one[0] <= at < sum(one)]
    assert all(offset % granularity == 0 for offset, _, _ in ranges)


def test_nothing_and_all(read_bitmap, servers):
    qemu("create", "-q", "-f", "qcow2", "image", 10 * MIB)
    qemu("bitmap", "--add", "image", "b0")
    assert check(read_bitmap, servers, "image", "b0") == [(0, 10 * MIB, 0)]
    fill("image", [(0, 10 * MIB, "0")])
    assert check(read_bitmap, servers, "image", "b0") == [(0, 10 * MIB, 1)]


def test_every_kind_of_write(read_bitmap, servers):
    """Zeros and discards change a disk, too."""
    qemu("create", "-q", "-f", "qcow2", "image", MIB)
    fill("image", [(0, MIB, "A")])
    qemu("bitmap", "--add", "image", "b0")
    fill("image", [(0, 64 * KIB, "0"), (192 * KIB, 64 * KIB, "d"), (384 * KIB, 1, "B"),
                   (640 * KIB, 64 * KIB, "z")])
    assert dirty(check(read_bitmap, servers, "image", "b0")) == \
        [(at * KIB, 64 * KIB) for at in (0, 192, 384, 640)]


def test_commands(read_bitmap, refuses, servers):
    """--add, --disable, --enable, --clear, --merge and --remove."""
    qemu("create", "-q", "-f", "qcow2", "image", 4 * MIB)
    qemu("bitmap", "--add", "image", "b0")
    qemu("bitmap", "--add", "-g", "4k", "image", "b1")
    qemu("bitmap", "--add", "--disable", "image", "off")
    fill("image", [(MIB, 10, "A")])
    assert dirty(check(read_bitmap, servers, "image", "b0")) == [(MIB, 64 * KIB)]
    assert dirty(check(read_bitmap, servers, "image", "b1")) == [(MIB, 4 * KIB)]
    assert "bitmap 'off' cannot be used: it is disabled" in refuses("image", "off")
    qemu("bitmap", "--enable", "--merge", "b1", "image", "off")
    qemu("bitmap", "--clear", "image", "b0")
    fill("image", [(2 * MIB, 10, "A")])
    assert dirty(check(read_bitmap, servers, "image", "b0")) == [(2 * MIB, 64 * KIB)]
    assert dirty(check(read_bitmap, servers, "image", "off")) == \
        [(MIB, 64 * KIB), (2 * MIB, 64 * KIB)]
    qemu("bitmap", "--disable", "image", "b1")
    assert "it is disabled" in refuses("image", "b1")
    qemu("bitmap", "--remove", "image", "b1")
    assert refuses("image", "b1") == "image: no bitmap 'b1'; it has 'b0', 'off'"
    qemu("bitmap", "--remove", "image", "b0")
    qemu("bitmap", "--remove", "image", "off")
    assert refuses("image", "b0") == "image: no bitmap 'b0'; it has no bitmaps"


@pytest.mark.parametrize("options", ["cluster_size=512", "cluster_size=2M",
                                     "extended_l2=on", "data_file=data.raw"])
def test_options_of_images(read_bitmap, servers, options):
    qemu("create", "-q", "-f", "qcow2", "-o", options, "image", 40 * MIB)
    qemu("bitmap", "--add", "-g", "512", "image", "b0")
    fill("image", [(at * 3 * MIB, 1000 * at, "A") for at in range(1, 12)])
    check(read_bitmap, servers, "image", "b0")


def test_resized(read_bitmap, servers):
    """QEMU resizes the bitmaps with the disk."""
    qemu("create", "-q", "-f", "qcow2", "image", 4 * MIB)
    qemu("bitmap", "--add", "image", "b0")
    fill("image", [(3 * MIB, 10, "A")])
    qemu("resize", "image", 9 * MIB)
    ranges = check(read_bitmap, servers, "image", "b0")
    assert (3 * MIB, 64 * KIB) in dirty(ranges) and sum(ranges[-1][:2]) == 9 * MIB


def test_of_the_backing_file(read_bitmap, refuses):
    """It has recorded nothing since the overlay was made."""
    qemu("create", "-q", "-f", "qcow2", "base", 4 * MIB)
    qemu("bitmap", "--add", "base", "b0")
    qemu("create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", "base", "overlay")
    assert refuses("overlay", "b0") == "overlay: no bitmap 'b0'; it has no bitmaps"
    qemu("bitmap", "--add", "overlay", "b1")
    assert read_bitmap("overlay", "b1") == [(0, 4 * MIB, 0)]


def test_large_disk(read_bitmap, servers):
    qemu("create", "-q", "-f", "qcow2", "image", 20 * TIB)
    qemu("bitmap", "--add", "image", "b0")
    fill("image", [(at * TIB + 5, 10, "A") for at in range(20)])
    assert len(dirty(check(read_bitmap, servers, "image", "b0"))) == 20


def test_no_such_bitmap(refuses):
    """Its error has the names of some."""
    image = Image(MIB)
    made = Bitmaps(image)
    for name in b"one", b"two words", b"it's", b"n" * 1000, *[b"%d" % n for n in range(100)]:
        made.add(name, [0])
    made.finish()
    image.write("image")
    assert re.fullmatch(r"image: no bitmap 'One'; it has 'one', 'two words', 'it's', '0', .*, "
                        r"'\d+' and \d+ more", line := refuses("image", "One"))
    assert len(line) < 500 and "nnn" not in line


def test_no_such_bitmap_among_long_names(refuses):
    image = Image(MIB)
    made = Bitmaps(image)
    for letter in b"a", b"b":
        made.add(letter * 1000, [0])
    made.finish()
    image.write("image")
    assert refuses("image", "One") == \
        "image: no bitmap 'One'; the names of its 2 bitmaps are too long to show"


def test_other_formats(refuses):
    for form in "raw", "vmdk", "vdi", "vpc", "vhdx":
        qemu("create", "-q", "-f", form, form, 4 * MIB)
        assert refuses(form, "b0", form) == \
            f"{form}: no bitmap 'b0': only qcow2 images and NBD exports have bitmaps, " \
            f"and this is a {form} image"


def test_image_that_qemu_reads(refuses):
    qemu("create", "-q", "-f", "qcow2", "image", MIB)
    qemu("bitmap", "--add", "image", "b0")
    name = 'json:{"driver":"qcow2","file":{"driver":"file","filename":"image"}}'
    assert "QEMU reads this image" in refuses(name, "b0")


# --- a daemon --------------------------------------------------------------

def test_daemon(daemon, read_bitmap, servers):
    """Bitmaps that are made while a guest writes."""
    qemu("create", "-q", "-f", "qcow2", "image", 4 * GIB)
    guest = daemon("image")
    guest.write((0, 100 * KIB, "A"))
    guest.bitmap("add", "b0", persistent=True, granularity=32 * KIB)
    guest.write((GIB, 100 * KIB, "B"), (5, 1, "C"))
    guest.bitmap("add", "b1", persistent=True)
    guest.bitmap("add", "gone", persistent=False)
    guest.write((2 * GIB, 1, "D"))
    guest.quit()
    assert dirty(check(read_bitmap, servers, "image", "b0")) == \
        [(0, 32 * KIB), (GIB, 128 * KIB), (2 * GIB, 32 * KIB)]
    assert dirty(check(read_bitmap, servers, "image", "b1")) == [(2 * GIB, 64 * KIB)]
    assert "gone" not in bitmaps("image")
    guest = daemon("image")
    guest.bitmap("clear", "b1")
    guest.write((3 * GIB, 1, "E"))
    guest.quit()
    assert len(dirty(check(read_bitmap, servers, "image", "b0"))) == 4
    assert dirty(check(read_bitmap, servers, "image", "b1")) == [(3 * GIB, 64 * KIB)]


def test_killed_daemon(daemon, refuses, servers):
    qemu("create", "-q", "-f", "qcow2", "image", MIB)
    qemu("bitmap", "--add", "image", "b0")
    guest = daemon("image")
    guest.write((0, 5, "A"))
    guest.kill()
    assert bitmaps("image")["b0"].flags & IN_USE
    assert "bitmap 'b0' cannot be used: it is in use: " in refuses("image", "b0")
    qemu("bitmap", "--add", "image", "b1")
    assert "it is in use: " in refuses("image", "b0")


def test_running_daemon(daemon, refuses):
    qemu("create", "-q", "-f", "qcow2", "image", MIB)
    guest = daemon("image")
    assert "another process" in refuses("image", "b0")
    guest.quit()


def test_export_of_a_daemon(daemon, read_bitmap, refuses):
    """Read while the guest goes on."""
    qemu("create", "-q", "-f", "qcow2", "image", GIB + 512)
    qemu("bitmap", "--add", "-g", "512", "image", "b0")
    qemu("bitmap", "--add", "image", "b1")
    guest = daemon("image", "bitmaps.0=b0")
    guest.write(*[(at * 100 * KIB, at + 1, "A") for at in range(200)])
    ranges = read_bitmap(guest.uri, "b0")
    assert len(dirty(ranges)) == 200
    assert ranges == nbdinfo(guest.uri, "b0")
    assert ranges == read_bitmap(guest.uri, "b0", "raw", 70000)
    assert refuses(guest.uri, "b1") == \
        f"{guest.uri}: the server has no bitmap 'b1' of this export (no metadata context " \
        "'qemu:dirty-bitmap:b1')"
    guest.quit()
    assert ranges == bitmaps("image")["b0"].changes()


# --- exports ---------------------------------------------------------------

def test_server_without_bitmaps(refuses, servers):
    uri, _ = servers.nbdkit("memory", "1M")
    assert "the server has no bitmap 'b0' of this export" in refuses(uri, "b0")


def test_image_in_an_export(read_bitmap, servers):
    """With -f qcow2 the bitmap is that of the image, not that of the export."""
    qemu("create", "-q", "-f", "qcow2", "image", MIB)
    qemu("bitmap", "--add", "image", "b0")
    fill("image", [(70000, 1, "A")])
    uri, _ = servers.qemu_nbd("image")
    assert dirty(read_bitmap(uri, "b0", "qcow2")) == [(64 * KIB, 64 * KIB)]


def test_many_ranges_of_an_export(read_bitmap, servers):
    """More than are kept at once: every other sector."""
    qemu("create", "-q", "-f", "qcow2", "image", 128 * MIB)
    image = Image(128 * MIB, cluster_bits=16)
    made = Bitmaps(image)
    made.add(b"b0", [b"\x55" * 32768])
    made.finish()
    image.write("image")
    uri, _ = servers.qemu_nbd("image", "-B", "b0", format="qcow2")
    ranges = read_bitmap(uri, "b0")
    assert len(ranges) == 262144
    assert ranges == read_bitmap("image", "b0")


# --- images that are made byte for byte ------------------------------------

def random_cluster(draw, size):
    kind = draw.randrange(4)
    if kind < 2:
        return kind and ONES
    data = bytearray()
    while len(data) < size:     # runs of bits of all lengths, at any place
        length = draw.randrange(1, 1 + draw.choice([1, 3, 8, 64, 200, 5000, 100000]))
        text = "10"[draw.randrange(2)] * length
        data += int(text, 2).to_bytes(-(-length // 8), "little")
    return bytes(data[:size])


# cluster_bits, granularity_bits, and how many clusters of bits at most.
SHAPES = [(9, 9, 40), (9, 12, 40), (9, 16, 40), (12, 9, 20), (12, 16, 20), (16, 9, 6),
          (16, 16, 6), (16, 31, 1), (21, 9, 2), (21, 16, 2), (21, 31, 2)]


@pytest.mark.sanitizer(every=3)
@pytest.mark.parametrize("shape", SHAPES)
def test_random(read_bitmap, shape):
    cluster_bits, granularity, most = shape
    draw = random.Random(str(shape))
    clusters = draw.randrange(most) + 1
    covered = 8 << cluster_bits + granularity
    size = (clusters - 1) * covered + draw.randrange(covered // 512) * 512 + 512
    image = Image(size, cluster_bits=cluster_bits)
    made = Bitmaps(image)
    for name in b"other", b"b0", b"last":
        made.add(name, [random_cluster(draw, 1 << cluster_bits) for _ in range(clusters)],
                 granularity=granularity)
    made.finish()
    image.write("image")
    ranges = read_bitmap("image", "b0")
    assert ranges == bitmaps("image")["b0"].changes()
    step = max(size // 997, 1)
    assert ranges == read_bitmap("image", "b0", "qcow2", step)


def test_many_clusters(read_bitmap):
    """The table has several slices, and the directory, too."""
    clusters = 20000
    image = Image(clusters << 21, cluster_bits=9, l1_size=(clusters << 21) >> 15)
    made = Bitmaps(image)
    bits = [0] * clusters
    for at in [0, 1, 8191, 8192, 8193, 16384, clusters - 1]:
        bits[at] = ONES
    bits[8190] = b"\xfe" + bytes(511)
    for number in range(70):
        made.add(b"%01000d" % number, [0] * clusters, table_size=number)
    made.add(b"b0", bits)
    made.finish()
    image.write("image")
    ranges = read_bitmap("image", "b0")
    assert ranges == bitmaps("image")["b0"].changes()
    assert len(dirty(ranges)) == 5
