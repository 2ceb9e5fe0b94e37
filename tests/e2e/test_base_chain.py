# SPDX-License-Identifier: LGPL-2.1-or-later
"""--base-image: all restore points of a backup chain, each on the list of the one
below, so that each byte is read once."""
import random

import pytest

import qcow2_image
import vpc_image
from base_chain import check_chain, hash_chain, hash_on, on, qemu_content
from conftest import sums
from oracle import checksum
from qcow2_qemu import create, fill, qemu
from vhdx_image import FULLY_PRESENT, MIB, NOT_PRESENT, ZERO, Image, braces
from vhdx_oracle import guest_bytes as vhdx_bytes
from vpc_image import W2RU, utf16

KIB = 1 << 10
CLUSTER = 64 * KIB
OVERLAYS = 30


def test_restore_points(disksum, tmp_path):
    """A full image and 30 overlays, with two clusters in each."""
    clusters, stored = 128, range(80)
    rnd = random.Random(1)
    content, images, contents, expected = bytearray(clusters * CLUSTER), [], [], 0
    for number in range(1 + OVERLAYS):
        backing = {"backing": b"%d.qcow2" % (number - 1), "backing_format": b"qcow2"}
        image = qcow2_image.Image(len(content), **backing if number else {})
        for cluster in rnd.sample(range(clusters), 2) if number else stored:
            new = bytes([1 + number]) * CLUSTER
            image.disk.data(cluster, new)
            content[cluster * CLUSTER:(cluster + 1) * CLUSTER] = new
            expected += CLUSTER
        images.append(image.write(tmp_path / f"{number}.qcow2"))
        contents.append(bytes(content))
    found = hash_chain(disksum, images)
    assert [one["checksum"] for one in found] == [checksum(one) for one in contents]
    # Each byte that is stored is read once.
    assert sum(one["read"] for one in found) == expected
    assert all(one["known"] == len(content) - 2 * CLUSTER for one in found[1:])


@pytest.mark.sanitizer(every=3)
@pytest.mark.parametrize("seed", range(5))
def test_qcow2(disksum, tmp_path, seed):
    """Clusters and subclusters of all sizes, zeros and compressed ones, at odd
    offsets, in images that are not read in blocks of 64 KiB only."""
    rnd = random.Random(seed)
    size = 2 * MIB + 512 * rnd.randrange(100)
    images = []
    for number in range(4):
        options = [f"cluster_size={1 << rnd.randrange(9, 18)}"]
        if rnd.random() < 0.5:
            options = [f"cluster_size={1 << rnd.randrange(14, 18)}", "extended_l2=on"]
        pieces = []
        for _ in range(6):
            kind, offset = rnd.choice("0zdABCD"), rnd.randrange(size)
            pieces.append((offset, min(rnd.randrange(1, 200 * KIB), size - offset), kind))
        backing = str(images[-1]) if images else None
        image = create(tmp_path / f"{number}.qcow2", "", size, ",".join(options), backing)
        # A discard is of whole sectors, but what is below must not come back.
        fill(image, [p for p in pieces if p[2] != "d" or p[0] + 512 < size])
        images.append(image)
    check_chain(disksum, images, [qemu_content(image, "qcow2") for image in images])


def test_compressed(disksum, tmp_path):
    base = create(tmp_path / "base.raw", "300k:A 200k:B 12k:-", form="raw")
    above = create(tmp_path / "above.qcow2", "100k:- 70k:C 342k:-", backing=str(base))
    qemu("convert", "-q", "-c", "-O", "qcow2", "-B", base, "-F", "raw", above,
         tmp_path / "packed.qcow2")
    images = [base, tmp_path / "packed.qcow2"]
    found = check_chain(disksum, images, [base.read_bytes(), qemu_content(above, "qcow2")])
    assert found[1]["known"] == 384 * KIB


def test_blocks_of_other_sizes(disksum, tmp_path):
    """A block is known if none of its bytes is above."""
    base = create(tmp_path / "base.qcow2", "1000k:A 24k:-", 1 << 20)
    top = create(tmp_path / "top.qcow2", "200k:- 5k:B 800k:-", 1 << 20, "cluster_size=4k",
                 backing=str(base))
    for block_size, known in ("512", 2032), ("4k", 2032), ("64k", 1920), ("1M", 0), ("2M", 0):
        lists = ["--block-size", block_size, f"--write-list={base}.blkhash"]
        disksum(*lists, base)
        full = disksum("--block-size", block_size, top).stdout
        done = disksum("--block-size", block_size, "-v", *on(base), top, check=False)
        assert done.returncode == 0 and done.stdout == full
        assert known or "was not read" not in done.stderr


@pytest.mark.sanitizer
def test_vmdk(disksum, tmp_path):
    images = [tmp_path / "0.vmdk"]
    qemu("create", "-q", "-f", "vmdk", "-o", "zeroed_grain=on", images[0], 3 * MIB)
    fill(images[0], [(0, MIB, "A"), (2000000, 5000, "B")], "vmdk")
    for number, pieces in enumerate(([(70000, 70000, "C")],
                                     [(100, 100, "D"), (2900000, 100000, "E")], []), 1):
        images.append(tmp_path / f"{number}.vmdk")
        qemu("create", "-q", "-f", "vmdk", "-b", images[-2], "-F", "vmdk", images[-1])
        fill(images[-1], pieces, "vmdk")
    found = check_chain(disksum, images, [qemu_content(image, "vmdk") for image in images])
    assert [one["known"] for one in found] == \
        [0, 3 * MIB - 2 * CLUSTER, 3 * MIB - 3 * CLUSTER, 3 * MIB]


@pytest.mark.sanitizer
def test_vhdx(disksum, tmp_path):
    size = 6 * MIB
    ids = [f"83ed0ec3-24c8-49a6-a959-5e4bf1288bf{n}" for n in range(3)]

    def child(number):
        return Image(size, data_guid=ids[number], parent={
            "relative_path": f".\\{number - 1}.vhdx",
            "parent_linkage": braces(ids[number - 1])})

    base = Image(size, data_guid=ids[0])
    for block in range(5):
        base.data(block, b"base %d, " % block)
    middle, top = child(1), child(2)
    middle.data(0, b"middle")
    middle.block(1, ZERO)
    middle.partial(2, b"sectors", [(0, 3), (1000, 40)])
    top.block(3, FULLY_PRESENT, top.place(b"top"))
    top.block(4, NOT_PRESENT)
    images = [image.write(tmp_path / f"{n}.vhdx")
              for n, image in enumerate((base, middle, top))]
    found = check_chain(disksum, images, [vhdx_bytes(image) for image in images])
    # Of the third block, the sectors are in the first, eighth and ninth 64 KiB.
    assert found[1]["known"] == 4 * MIB - 3 * CLUSTER
    assert found[2]["known"] == 5 * MIB


@pytest.mark.sanitizer
def test_vpc(disksum, tmp_path):
    size, block_size = MIB, 128 * KIB
    parent, images = None, []
    for number in range(3):
        image = vpc_image.Image(
            size, kind=vpc_image.DIFFERENCING if parent else vpc_image.DYNAMIC,
            block_size=block_size, parent=parent, uuid=b"%016d" % number)
        if parent:
            image.locator(W2RU, utf16(f".\\{number - 1}.vhd"))
            image.sector(number, 5, b"sector")
        image.data(0 if number else 7, b"layer %d " % number)
        images.append(image.write(tmp_path / f"{number}.vhd"))
        parent = image
    found = check_chain(disksum, images, [vpc_image.guest_bytes(image) for image in images])
    assert [one["known"] for one in found] == [0, size - 3 * CLUSTER, size - 3 * CLUSTER]


# --- the file below -----------------------------------------------------------

def test_any_file_below(disksum, tmp_path):
    """Not only the next one, and by any name."""
    base = create(tmp_path / "base.raw", "200k:A 100k:B 212k:-", form="raw")
    middle = create(tmp_path / "middle.qcow2", "64k:C 448k:-", backing=str(base))
    top = create(tmp_path / "top.qcow2", "400k:- 10k:D 102k:-", backing=str(middle))
    content = qemu_content(top, "qcow2")
    (tmp_path / "link").symlink_to("base.raw")
    disksum(f"--write-list={base}.blkhash", base)
    for name in base, tmp_path / "link", f"file:{base}", "base.raw", "./base.raw":
        done = disksum("--json", f"--base={base}.blkhash", f"--base-image={name}", top,
                       cwd=tmp_path)
        assert f'"checksum":"{checksum(content)}"' in done.stdout
        assert '"known":393216,' in done.stdout


def test_short_layer(disksum, tmp_path):
    """A layer that ends earlier than the disk hides what is below."""
    base = create(tmp_path / "base.raw", "512k:A", form="raw")
    middle = create(tmp_path / "middle.qcow2", "64k:C", 192 * KIB, backing=str(base))
    top = create(tmp_path / "top.qcow2", "", 512 * KIB, backing=str(middle))
    images = [base, top]
    disksum(f"--write-list={base}.blkhash", base)
    found = check_chain(disksum, images, [base.read_bytes(), qemu_content(top, "qcow2")])
    assert found[1]["known"] == 128 * KIB


def test_shards(disksum, tmp_path):
    """What is above a file, from the middle of the disk on."""
    base = create(tmp_path / "base.raw", "600k:A", form="raw")
    top = create(tmp_path / "top.qcow2", "500k:- 5k:B 95k:-", backing=str(base))
    hash_on(disksum, base)
    expected = sums(disksum(top).stdout)
    for number in 1, 2:
        disksum(f"--shard={number}/2", f"--write-list={tmp_path}/{number}", *on(base), top)
    assert sums(disksum("--merge", tmp_path / "1", tmp_path / "2").stdout) == expected


@pytest.fixture
def pair(disksum, tmp_path):
    """A base with its list, and an overlay."""
    base = create(tmp_path / "base.raw", "300k:A 12k:-", form="raw")
    top = create(tmp_path / "top.qcow2", "100k:- 10k:B 202k:-", backing=str(base))
    disksum(f"--write-list={base}.blkhash", base)
    return base, top


def test_not_in_the_chain(fails, pair, tmp_path):
    base, top = pair
    other = create(tmp_path / "other.raw", "312k:A", form="raw")
    assert fails(f"--base={base}.blkhash", f"--base-image={other}", top) == \
        f"{top}: '{other}' is not in its backing chain, which has '{top}', '{base}'"
    assert fails(f"--base={base}.blkhash", f"--base-image={top}", top) == \
        f"{top}: '{top}' is the image itself, not a file below it"
    assert fails(f"--base={base}.blkhash", f"--base-image={tmp_path}/none", top) == \
        f"{tmp_path}/none: No such file or directory"


def test_resized(disksum, fails, pair):
    base, top = pair
    qemu("resize", "-q", top, 400 * KIB)
    assert fails(*on(base), top) == \
        f"{top}: the disk was resized: it has 409600 bytes, and that of '{base}' has 319488"
    disksum(top)


def test_changed_base(fails, pair):
    """A base that changed after its list was made."""
    base, top = pair
    with open(base, "r+b") as file:
        file.write(b"!")
    assert "changed" in fails(*on(base), top)


def test_list_of_another_file(disksum, fails, pair, tmp_path):
    base, top = pair
    other = create(tmp_path / "other.raw", "312k:C", form="raw")
    disksum(f"--write-list={other}.blkhash", other)
    fails(f"--base={other}.blkhash", f"--base-image={base}", top)


@pytest.mark.parametrize("form", ["qed", "qcow"])
def test_what_qemu_reads(disksum, fails, tmp_path, form):
    """QEMU reads an image and all that is below it: to disksum, it is one file."""
    base = create(tmp_path / "base.raw", "300k:A 12k:-", form="raw")
    middle, top = tmp_path / f"middle.{form}", tmp_path / "top.qcow2"
    qemu("create", "-q", "-f", form, "-b", base, "-F", "raw", middle)
    qemu("create", "-q", "-f", "qcow2", "-b", middle, "-F", form, top)
    fill(top, [(70000, 5, "B")])
    for image in base, middle:
        disksum(f"--write-list={image}.blkhash", image)
    expected = disksum(top).stdout
    assert disksum(*on(middle), top).stdout == expected
    message = fails(*on(base), top)
    assert "QEMU reads" in message and "all layers below it" in message


def test_device_below(disksum, tmp_path, loop_device):
    """Nobody can see whether it has changed, so there is a warning."""
    base = loop_device(1 << 20)
    top = tmp_path / "top.qcow2"
    qemu("create", "-q", "-f", "qcow2", "-b", base, "-F", "raw", top)
    fill(top, [(70000, 5, "B")])
    disksum(f"--write-list={tmp_path}/list", base)
    done = disksum(f"--base={tmp_path}/list", f"--base-image={base}", top, check=False)
    assert done.stdout == disksum(top).stdout
    assert done.stderr == f"disksum: {top}: warning: cannot tell whether '{base}' has changed " \
        "since the list was written, except in size\n"


def test_export_below(disksum, tmp_path, servers):
    """By its URI, as the image has it."""
    content = bytes(range(256)) * 1024
    (tmp_path / "disk").write_bytes(content)
    uri, _ = servers.nbdkit("file", tmp_path / "disk")
    top = tmp_path / "top.qcow2"
    qemu("create", "-q", "-f", "qcow2", "-b", uri, "-F", "raw", "-u", top, len(content))
    disksum(f"--write-list={tmp_path}/list", uri)
    for name, warnings in (uri, 1), (f"{uri}x", 0):
        done = disksum("--trust-names", f"--base={tmp_path}/list", f"--base-image={name}", top,
                       check=False)
        assert (done.returncode, done.stderr.count("except in size")) == (not warnings, warnings)
