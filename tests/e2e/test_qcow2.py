# SPDX-License-Identifier: LGPL-2.1-or-later
"""Good qcow2 images, made by QEMU and by the builder: QEMU, the oracle and disksum agree."""
import os
import random
import subprocess

import pytest

import zstd_frame
from conftest import sums
from oracle import checksum
from qcow2_compare import bounded_memory, check_image
from qcow2_image import (DIRTY, EXT_FEATURE_NAMES, LAZY_REFCOUNTS, Image, deflate,
                         feature_name)
from qcow2_qemu import create, fill, qemu


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def random_pieces(seed, size, count, longest=100000):
    """Operations at any byte, which overwrite each other."""
    draw = random.Random(seed)
    for _ in range(count):
        offset = draw.randrange(size)
        length = min(size - offset, draw.randint(1, longest))
        yield offset, length, draw.choice("ABCDEFGH0zd-" if length > 512 else "ABCD0")


def trimmed(pieces, size):
    """No discard reaches beyond the end of the disk."""
    return [piece for piece in pieces if piece[2] != "d" or piece[0] + 1024 < size]


@pytest.mark.parametrize("options", [
    "compat=0.10", "compat=1.1", "compat=0.10,cluster_size=512",
    *(f"cluster_size={512 << bits}" for bits in range(13)),
    *(f"refcount_bits={1 << order},cluster_size=4k" for order in range(7)),
    *(f"extended_l2=on,cluster_size={16 << bits}k" for bits in range(8)),
    "lazy_refcounts=on", *(f"preallocation={mode}" for mode in ["metadata", "falloc", "full"]),
    "extended_l2=on,preallocation=metadata", "compression_type=zstd"])
def test_options(disksum, options):
    check_image(disksum, create("image.qcow2", options=options))


@pytest.mark.parametrize("size", [0, 512, 1024, 65024, 65536, 66048, 1 << 20, 3 << 20,
                                  (3 << 20) + 512, (32 << 20) + 1536])
def test_virtual_size(disksum, size):
    """The disk ends within a cluster, with data in the last sector."""
    qemu("create", "-q", "-f", "qcow2", "-o", "cluster_size=4k", "image.qcow2", size)
    if size:
        fill("image.qcow2", [(size - 512, 512, "Z")])
    check_image(disksum, "image.qcow2")


@pytest.mark.parametrize("size", ["1T", "1T-512"])
def test_large_hole(disksum, size):
    number = (1 << 40) - (512 if "-" in size else 0)
    qemu("create", "-q", "-f", "qcow2", "image.qcow2", number)
    fill("image.qcow2", [(1 << 35, 70000, "A"), (number - 1000, 1000, "Z")])
    check_image(disksum, "image.qcow2")


@pytest.mark.parametrize("kind", ["zlib", "zstd"])
@pytest.mark.parametrize("bits", range(9, 22))
def test_compressed(disksum, kind, bits):
    """Text, noise, zeros and holes; the last cluster is partial."""
    draw = random.Random(bits)
    size = min(1 << 20, 40 << bits) + 1536
    with open("source.raw", "wb") as file:
        for offset in range(0, size, max(4096, 1 << bits) // 3):
            file.seek(offset)
            piece = max(4096, 1 << bits) // draw.choice([3, 4, 5])
            file.write(draw.choice([b"text %d " % offset * (piece // 6), draw.randbytes(piece),
                                    bytes(piece)])[:piece])
        file.truncate(size)
    qemu("convert", "-c", "-f", "raw", "-O", "qcow2", "-o",
         f"cluster_size={1 << bits},compression_type={kind}", "source.raw", "image.qcow2")
    check_image(disksum, "image.qcow2")
    assert disksum("image.qcow2").stdout.split()[0] == checksum("source.raw")


@pytest.mark.parametrize("kind", ["zlib", "zstd"])
def test_compressed_and_not(disksum, kind):
    """Compressed clusters that were overwritten, and extended L2."""
    options = f"extended_l2=on,cluster_size=16k,compression_type={kind}"
    create("source.qcow2", "300k:A 100k:- 77k:B")
    qemu("convert", "-c", "-O", "qcow2", "-o", options, "source.qcow2", "image.qcow2")
    fill("image.qcow2", [(5000, 3000, "X"), (40000, 20000, "z"), (100000, 10, "Y")])
    check_image(disksum, "image.qcow2")


@pytest.mark.sanitizer
@pytest.mark.parametrize("seed", range(12))
def test_random(disksum, seed):
    """Hundreds of operations at any byte."""
    draw = random.Random(1000 + seed)
    size = draw.randrange(200000, 3 << 20) // 512 * 512
    options = draw.choice([
        "cluster_size=512", "cluster_size=4k", "cluster_size=64k", "compat=0.10",
        "extended_l2=on,cluster_size=16k", "extended_l2=on,cluster_size=64k",
        "cluster_size=2M", "refcount_bits=1"])
    qemu("create", "-q", "-f", "qcow2", "-o", options, "image.qcow2", size)
    fill("image.qcow2", trimmed(random_pieces(seed, size, 300), size))
    check_image(disksum, "image.qcow2")


@pytest.mark.sanitizer
@pytest.mark.parametrize("seed", range(6))
def test_random_chain(disksum, seed):
    """Four layers of different cluster sizes and lengths."""
    draw = random.Random(2000 + seed)
    below = None
    for layer in range(4):
        size = draw.randrange(100000, 1 << 20) // 512 * 512
        form = "raw" if layer == 0 and seed % 2 else "qcow2"
        name = f"{layer}.{form}"
        options = ["-o", draw.choice(["cluster_size=512", "cluster_size=4k", "compat=0.10",
                                      "extended_l2=on,cluster_size=16k"])]
        backing = ["-b", below, "-F", below.split(".")[1]] if below else []
        qemu("create", "-q", "-f", form, *(options if form == "qcow2" else []), *backing,
             name, size)
        fill(name, trimmed(random_pieces(seed * 10 + layer, size, 60, 30000), size), form)
        below = name
    check_image(disksum, below)


@pytest.mark.sanitizer
@pytest.mark.parametrize("seed", range(12))
def test_random_clusters(disksum, seed):
    """Every kind of cluster, in any order, by the builder."""
    draw = random.Random(3000 + seed)
    extended, zstd = bool(seed % 2), seed % 4 // 2
    bits = draw.randint(14 if extended else 9, 17)
    count = draw.randint(20, 80)
    size = (count << bits) - draw.choice([0, 512, (1 << bits) - 512])
    below = Image(size, cluster_bits=12)
    for guest in range(0, size >> 12, 3):
        below.disk.data(guest, b"below %d " % guest)
    below.write("below.qcow2")
    image = Image(size, cluster_bits=bits, extended_l2=extended, compression_type=zstd,
                  backing=b"below.qcow2", backing_format=b"qcow2")
    for guest in draw.sample(range(count), count):
        add_cluster(image, guest, draw, zstd)
    image.write("image.qcow2")
    qemu("check", "-q", "image.qcow2")      # the builder is right
    check_image(disksum, "image.qcow2")


def add_cluster(image, guest, draw, zstd):
    text = (b"cluster %d " % guest * 20000)[:image.cluster_size]
    kind = draw.choice(["none", "data", "zero", "zero data", "compressed", "compressed",
                        "subclusters"])
    if kind == "data":
        image.disk.data(guest, text)
    elif kind == "zero":
        image.disk.zero(guest)
    elif kind == "zero data":
        image.disk.zero(guest, b"not seen")
    elif kind == "compressed":
        image.disk.compressed(guest, zstd_frame.raw(text) if zstd else deflate(text))
    elif kind == "subclusters" and image.entry_size == 16:
        data = draw.getrandbits(32)
        image.disk.subclusters(guest, text, data, draw.getrandbits(32) & ~data)


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("order", range(7))
def test_refcounts_of_builder(disksum, version, order):
    image = Image(1 << 20, version=version, cluster_bits=10,
                  refcount_order=4 if version == 2 else order)
    for guest in range(0, 1000, 7):
        image.disk.data(guest, b"%d " % guest)
    image.write("image.qcow2")
    qemu("check", "-q", "image.qcow2")
    check_image(disksum, "image.qcow2")


@pytest.mark.sanitizer
@pytest.mark.parametrize("name", ["1", "2", "one", "two words", "snapshot.name=one",
                                  "snapshot.id=2", "snapshot.id=1,snapshot.name=one"])
def test_snapshot(disksum, name):
    create("image.qcow2", "200k:A 100k:- 50k:0 300k:B")
    qemu("snapshot", "-c", "one", "image.qcow2")
    fill("image.qcow2", [(70000, 150000, "C"), (300000, 70000, "z")])
    qemu("snapshot", "-c", "two words", "image.qcow2")
    fill("image.qcow2", [(0, 400000, "D")])
    check_image(disksum, "image.qcow2", snapshot=name)


@pytest.mark.parametrize("size", [300 << 10, 40 << 20])
def test_snapshot_and_resize(disksum, size):
    """With -l, the disk keeps its size, whatever that of the snapshot is."""
    create("image.qcow2", "700k:A", size=1 << 20, options="cluster_size=4k")
    qemu("snapshot", "-c", "one", "image.qcow2")
    qemu("snapshot", "-c", "other", "image.qcow2")
    qemu("resize", "-q", "--shrink", "image.qcow2", size)
    check_image(disksum, "image.qcow2", snapshot="one")
    check_image(disksum, "image.qcow2")


@pytest.mark.sanitizer
@pytest.mark.parametrize("raw", ["off", "on"])
def test_data_file(disksum, raw):
    create("image.qcow2", options=f"data_file=data.raw,data_file_raw={raw}")
    check_image(disksum, "image.qcow2")


@pytest.mark.parametrize("raw", ["off", "on"])
def test_data_file_preallocated(disksum, raw):
    create("image.qcow2", "100k:A", size=1 << 20, options=
           f"data_file=data.raw,data_file_raw={raw},preallocation=metadata,extended_l2=on")
    check_image(disksum, "image.qcow2")


@pytest.mark.parametrize("base", ["raw", "qcow2"])
@pytest.mark.parametrize("sizes", [(300, 500), (500, 300), (100, 50, 300), (300, 1, 300)])
def test_backing_sizes(disksum, base, sizes):
    """A short layer hides what is below its end. A long one is cut."""
    below = None
    for index, size in enumerate(sizes):
        name = f"{index}.{base if index == 0 else 'qcow2'}"
        create(name, f"{index * 5 + 1}:{'ABC'[index]} 20k:- 3000:{'DEF'[index]}"
               if size > 30 else "100:S", size=size * 1024, backing=below,
               form=base if index == 0 else "qcow2")
        below = name
    check_image(disksum, below)


@pytest.mark.parametrize("given", ["relative", "absolute", "file", "no format", "elsewhere"])
def test_backing_name(disksum, tmp_path, given):
    os.mkdir("images")
    create("images/base.raw", "40k:A 7:B 60k:C", form="raw")
    name = {"absolute": str(tmp_path / "images/base.raw"), "file": "file:images/base.raw"}
    image = Image(200 << 10, cluster_bits=12, backing=os.fsencode(name.get(given, "base.raw")),
                  backing_format=None if given == "no format" else b"raw")
    image.disk.data(3, b"overlay")
    image.write("images/overlay.qcow2")
    path = "images/overlay.qcow2"
    if given == "elsewhere":
        path = tmp_path / path
        os.chdir("/")
    check_image(disksum, path)


def test_features(disksum):
    """Bits that a reader need not know, and bits that only concern writers."""
    image = Image(1 << 20)
    image.disk.data(3, b"features")
    image.header |= {"incompatible_features": DIRTY, "autoclear_features": 1 << 40,
                     "compatible_features": LAZY_REFCOUNTS | 1 << 50}
    image.extension(EXT_FEATURE_NAMES, feature_name(1, 50, b"a feature to come"))
    image.extension(0x12345678, b"an extension to come")
    check_image(disksum, image.write("image.qcow2"))


def test_bitmaps(disksum):
    create("image.qcow2")
    qemu("bitmap", "--add", "image.qcow2", "first")
    qemu("bitmap", "--add", "--disable", "-g", "4096", "image.qcow2", "second")
    fill("image.qcow2", [(12345, 100000, "X")])
    check_image(disksum, "image.qcow2")


def test_reversed_clusters(disksum):
    """Host clusters in random order: no two extents can be joined."""
    draw = random.Random(5)
    image = Image(400 << 9, cluster_bits=9)
    for guest in draw.sample(range(400), 400):
        image.disk.data(guest, b"%d " % guest)
    check_image(disksum, image.write("image.qcow2"))


@pytest.mark.parametrize("form", ["qcow2", "raw"])
def test_probe(disksum, form):
    """Without -f, the image is probed. With -f raw, it is not."""
    create("image", "100k:A 30k:- 5:B")
    options = [] if form == "qcow2" else ["-f", "raw"]
    if form == "qcow2":
        qemu("convert", "-O", "raw", "image", "expected")
    done = disksum(*options, "image")
    assert done.stdout.split()[0] == checksum("expected" if form == "qcow2" else "image")


def test_host_holes(disksum):
    """Allocated clusters in holes of the host file."""
    image = Image(4 << 20)
    for guest in range(64):
        host = image.disk.data(guest, b"\0")
        if guest % 5 == 0:
            image.put(host + 70 * guest, b"a few bytes")
    check_image(disksum, image.write("image.qcow2"))


@pytest.mark.parametrize("options", [[], ["-c"]])
def test_block_device(disksum, loop_device, options):
    """The image ends before the device, as on LVM volumes of virtual machines."""
    create("source.qcow2", "1M:A 500k:- 77:B", size=4 << 20)
    device = loop_device(16 << 20)
    subprocess.run(["qemu-img", "convert", "-O", "qcow2", *options, "source.qcow2",
                    "image.qcow2"], check=True)
    subprocess.run(["dd", "status=none", "if=image.qcow2", f"of={device}", "conv=fsync"],
                   check=True)
    subprocess.run(["qemu-img", "convert", "-O", "raw", device, "raw"], check=True)
    for way in ["-f", "qcow2"], ["-f", "qcow2", "-T", "none"], ["-q"]:
        assert sums(disksum(*way, device).stdout) == [checksum("raw")]


def test_standalone(disksum, fails):
    create("base.qcow2", "100k:A", size=1 << 20)
    create("overlay.qcow2", "5k:B", size=1 << 20, backing="base.qcow2")
    create("data.qcow2", "5k:B", size=1 << 20, options="data_file=data.raw")
    assert sums(disksum("--standalone", "base.qcow2").stdout) == \
        sums(disksum("base.qcow2").stdout)
    assert fails("--standalone", "overlay.qcow2") == \
        "overlay.qcow2: refers to another file, its backing file 'base.qcow2', " \
        "which --standalone refuses"
    assert fails("--standalone", "data.qcow2") == \
        "data.qcow2: refers to another file, its data file 'data.raw', " \
        "which --standalone refuses"


@pytest.mark.parametrize("bits, options", [
    (21, ["--block-size=1536"]), (16, ["--block-size=1536", "--read-size=4k"]),
    (16, ["--block-size=66048", "--read-size=4k"]),
    (12, ["--block-size=512", "--read-size=4k"])])
def test_blocks_that_do_not_divide_clusters(disksum, bits, options):
    """A slot of whole pages holds a compressed cluster, whatever the blocks."""
    image = Image(3 << bits, cluster_bits=bits)
    content = random.Random(bits).randbytes(1 << bits)
    for cluster in 0, 2:
        image.disk.compressed(cluster, deflate(content))
    image.write("image.qcow2")
    block = int(options[0].removeprefix("--block-size="))
    out = disksum(*options, "image.qcow2").stdout
    assert sums(out) == [checksum(content + bytes(1 << bits) + content, block)]


@pytest.mark.parametrize("options", [
    ["-t", "16", "-T", "none"], ["-t", "16"],
    ["-t", "16", "--queue-depth", "256", "-T", "none"],
    ["-t", "2", "--block-size", "4M", "-T", "none"]])
def test_memory_for_compressed_clusters(disksum, options):
    """Large clusters, each of twice its size when compressed."""
    image = Image(64 << 21, cluster_bits=21)
    content = random.Random(0).randbytes(2 << 20)
    packed = deflate(content, level=0)
    for cluster in range(64):
        image.disk.compressed(cluster, packed, sectors=8191)
    image.write("image.qcow2")
    subprocess.run(["sync", "image.qcow2"], check=True)
    with open("image.qcow2", "rb") as f:
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    block = 4 << 20 if "--block-size" in options else 65536
    out = disksum(*options, "image.qcow2", wrapper=bounded_memory()).stdout
    assert sums(out) == [checksum(64 * content, block)]
