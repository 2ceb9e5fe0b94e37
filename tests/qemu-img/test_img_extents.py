# SPDX-License-Identifier: LGPL-2.1-or-later
"""Borders between data, zeros and holes anywhere, and sizes of all kinds. A block of
the checksum is 64 KiB, and a chunk that is read 1 MiB."""

import os
import random

import pytest

from img_checksum import converted, disksum_of, hashed, qemu_img, refused
from oracle import checksum, random_spec, write_image
from qcow2_compare import bounded_memory, sparse_checksum
from qcow2_qemu import create, fill

MB = 1 << 20


def check_raw(path, right):
    assert disksum_of("-f", "raw", path) == right
    assert hashed("-f", "raw", path) == right
    assert hashed("-f", "raw", "--serial", path) == right


# --- sizes -----------------------------------------------------------------

SIZES = [0, 1, 511, 512, 513, 4096, 65535, 65536, 65537, 66048, 131072, 131073,
         MB - 512, MB - 1, MB, MB + 1, MB + 512, MB + 65536, 3 * MB - 77,
         16 * MB - 512, 16 * MB, 16 * MB + 512, 17 * MB, 17 * MB + 512]


@pytest.mark.parametrize("kind", "A0-")
@pytest.mark.parametrize("size", SIZES)
def test_size(tmp_path, size, kind):
    """Of the disk; one sector of 512 bytes is the unit, and the rest zeros."""
    content = write_image(tmp_path / "disk", f"{size}:{kind}")
    check_raw(tmp_path / "disk", checksum(content))


@pytest.mark.parametrize("kind", "A-")
@pytest.mark.parametrize("size", [0, 512, 65024, 65536, 66048, MB - 512, MB + 512])
def test_size_of_qcow2(tmp_path, size, kind):
    path = tmp_path / "disk.qcow2"
    qemu_img("create", "-q", "-f", "qcow2", path, size)
    if kind == "A" and size:
        fill(path, [(0, size, "A")])
    right = checksum((b"A" if kind == "A" else b"\0") * size)
    assert hashed(path) == hashed("--serial", path) == disksum_of(path) == right


# --- borders ---------------------------------------------------------------

SPECS = {
    "one block of zeros": "64k:A 64k:- 64k:B",
    "a block of zeros that begins early": "60k:A 72k:- 60k:B",
    "a block of zeros that begins late": "68k:A 124k:- 64k:B",
    "nearly a block of zeros": "64k:A 60k:- 68k:B",
    "a block of zeros in two halves": "64k:A 32k:- 32k:0 64k:B",
    "zeros at the end of the chunk": "960k:A 64k:- 64k:B",
    "zeros over the end of the chunk": "1020k:A 8k:- 64k:B",
    "zeros after the end of the chunk": "1M:A 64k:- 64k:B",
    "a late chunk": "100k:- 3M:A 4k:- 1M:B",
    "a page in each block": "4k:A 60k:- " * 40,
    "a page at the end of each block": "60k:- 4k:A " * 40,
    "a page at each border": "62k:- 4k:A 62k:- " * 20,
    "pages and holes": "4k:A 4k:- " * 400,
    "blocks and holes": "64k:A 64k:- " * 40,
    "blocks and holes, a page late": "4k:- " + "64k:A 64k:- " * 40,
    "chunks and holes": "1M:A 1M:- " * 4,
    "chunks and holes, a page late": "4k:- " + "1M:A 1M:- " * 4,
    "a hole at the beginning": "1M:- 4k:A",
    "a hole at the end": "4k:A 1M:-",
    "a small hole at the end": "1M:A 4k:-",
    "no whole block at the end": "1M:A 68k:- 512:B",
    "many chunks": "20M:A 4k:- 20M:B",
}


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_border(tmp_path, spec):
    content = write_image(tmp_path / "disk", spec)
    check_raw(tmp_path / "disk", checksum(content))


@pytest.mark.parametrize("seed", range(40))
def test_random_borders(tmp_path, seed):
    rnd = random.Random(seed)
    content = write_image(tmp_path / "disk", random_spec(rnd, 40))
    check_raw(tmp_path / "disk", checksum(content))


@pytest.mark.parametrize("seed", range(20))
def test_random_pages(tmp_path, seed):
    """Data and holes of some pages each, with a chunk's worth now and then."""
    rnd = random.Random(seed)
    content = write_image(tmp_path / "disk", " ".join(
        f"{rnd.choice([4, 4, 4, 8, 28, 60, 64, 68, 128, 1020, 1024])}k:{rnd.choice('AB--')}"
        for _ in range(rnd.randrange(1, 100))))
    check_raw(tmp_path / "disk", checksum(content))


@pytest.mark.parametrize("options", ["cluster_size=512", "cluster_size=1k",
                                     "cluster_size=4k", "extended_l2=on,cluster_size=16k",
                                     "cluster_size=2M"])
@pytest.mark.parametrize("seed", range(4))
def test_random_clusters(tmp_path, options, seed):
    """Extents of 512 bytes and more: a hole of a file has at least a page."""
    rnd = random.Random(f"{options} {seed}")
    spec = " ".join(
        f"{rnd.choice([1, 1, 2, 7, 8, 127, 128, 129, 300]) * 512}:{rnd.choice('AB-0zd')}"
        for _ in range(rnd.randrange(1, 50)))
    path = create(str(tmp_path / "disk.qcow2"), spec, options=options)
    right = converted(path)
    assert hashed(path) == hashed("--serial", path) == disksum_of(path) == right


@pytest.mark.parametrize("form", ["qcow2", "vmdk", "vdi", "vhdx", "parallels", "qed"])
@pytest.mark.parametrize("seed", range(3))
def test_random_guest(tmp_path, form, seed):
    """A disk of several chunks, in each format."""
    rnd = random.Random(f"{form} {seed}")
    pieces, offset = [], 0
    while offset < 12 * MB:
        length = rnd.choice([512, 4096, 12345, 65536, 70000, 300 << 10, 2 * MB])
        pieces.append((offset, min(length, 12 * MB - offset), rnd.choice("AB---0")))
        offset += length
    path = tmp_path / f"disk.{form}"
    qemu_img("create", "-q", "-f", form, path, 12 * MB)
    fill(path, pieces, form)
    right = converted("-f", form, path)
    for options in [], ["--serial"]:
        assert hashed("-f", form, *options, path) == right
    assert disksum_of("-f", form, path) == right


def test_part_of_a_file(tmp_path):
    """The raw driver's offset and size, with borders that no page has."""
    content = write_image(tmp_path / "disk", "300k:A 1M:- 77k:B 1M:- 5000:C")
    for offset, size in (512, 1536), (1024, 2 * MB), (299520, 66048), (131072, 1310720):
        image = f"driver=raw,offset={offset},size={size}," \
            f"file.driver=file,file.filename={tmp_path}/disk"
        assert hashed("--image-opts", image) == disksum_of("--image-opts", image) == \
            checksum(content[offset:offset + size])


# --- large disks -----------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["--serial"]])
def test_large_hole(tmp_path, options):
    """1 TiB, and some data at odd places."""
    raw, path = tmp_path / "disk.raw", tmp_path / "disk.qcow2"
    qemu_img("create", "-q", "-f", "raw", raw, "1T")
    qemu_img("create", "-q", "-f", "qcow2", path, "1T")
    pieces = [(5000, 3000, "A"), ((40 << 30) - 700, 70000, "B"),
              ((1 << 40) - 512, 512, "C"), (16 << 30, 512, "D")]
    for image, form in (raw, "raw"), (path, "qcow2"):
        fill(image, pieces, form)
        right = disksum_of("-f", form, image)
        assert hashed("-f", form, *options, image, wrapper=bounded_memory()) == right
    assert right == disksum_of("-f", "raw", raw)


def test_large_hole_by_definition(tmp_path):
    """The zeros of a chunk have at most 16 GiB."""
    for size in (16 << 30) - 65536, (16 << 30) + 65536, (33 << 30) + 512:
        raw = tmp_path / f"{size}"
        qemu_img("create", "-q", "-f", "raw", raw, size)
        fill(raw, [(size - 70000, 1000, "A")], "raw")
        assert hashed("-f", "raw", raw) == sparse_checksum(raw)


@pytest.mark.parametrize("kind, options", [("fifo", ["-f", "raw"]), ("fifo", []), ("zero", []),
                                           ("directory", [])])
def test_file_without_a_length(tmp_path, kind, options):
    path = tmp_path / "disk"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "zero":
        path = "/dev/zero"
    else:
        path.mkdir()
    assert refused(*options, path) == \
        f"Could not open '{path}': not a regular file or block device"


@pytest.mark.parametrize("options", [[], ["--serial"]], ids=["", "serial"])
def test_part_of_a_file_that_begins_within_a_sector(tmp_path, options):
    """QEMU's extents are no whole sectors then, and it tells nothing of the last bytes.
    (Its 'convert' loses 256 bytes after the hole.)"""
    content = write_image(tmp_path / "disk", "1M:A 3M:- 1M:B")
    image = f"driver=raw,offset=256,file.filename={tmp_path}/disk"
    assert hashed(*options, "--image-opts", image) == checksum(content[256:] + bytes(256))
