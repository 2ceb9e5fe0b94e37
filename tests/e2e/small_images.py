# SPDX-License-Identifier: LGPL-2.1-or-later
"""A small image of each kind that disksum reads, with the places of its structures: for
tests that make something happen at each of them."""

import dataclasses
import pathlib
import random
import struct

import vdi_image
import vhdx_image
import vmdk_image
import vpc_image
import zstd_frame
from list_oracle import write_list
from oracle import write_image
from qcow2_bitmap_image import Bitmaps
from qcow2_image import EXT_FEATURE_NAMES, Image, deflate, feature_name

KIB = 1 << 10
CLUSTER = 4096


@dataclasses.dataclass
class Small:
    """args: what to give to disksum, without the name of the image; places: name ->
    (file, offset) of structures that it reads; others: of those that it does not."""
    path: pathlib.Path
    places: dict
    args: tuple = ()
    others: dict = dataclasses.field(default_factory=dict)

    def files(self):
        """All files that the disk is read from."""
        return list(dict.fromkeys([self.path] + [file for file, _ in self.places.values()]))


def half_random(seed, size=CLUSTER):
    """Bytes that can be compressed, but not to nothing."""
    rnd = random.Random(seed)
    return b"".join(rnd.randbytes(64) + bytes(64) for _ in range(size // 128))


def data(seed, size=CLUSTER):
    return random.Random(seed).randbytes(size)


# --- raw, qcow2 ---------------------------------------------------------------

def raw(directory):
    path = directory / "image"
    write_image(path, "300k:A 100k:- 100k:B")
    return Small(path, {"first": (path, 0), "middle": (path, 123456), "after a hole":
                        (path, 401 * KIB), "last": (path, 500 * KIB - 1)}, ("-f", "raw"),
                 {"hole": (path, 350 * KIB)})


def new_qcow2(**options):
    return Image(80 * CLUSTER, cluster_bits=12, **options)


def qcow2(directory, version=3):
    path = directory / "image"
    image = new_qcow2(version=version)
    if version > 2:
        image.extension(EXT_FEATURE_NAMES, feature_name(0, 0, b"dirty"))
    first = image.disk.data(1, data(1))
    last = image.disk.data(79, data(2))
    places = {"header": (path, 0), "L1 table": (path, image.disk.l1_offset),
              "L2 table": (path, image.disk.l2_offset()), "first cluster": (path, first),
              "last cluster": (path, last + CLUSTER - 1)}
    if version > 2:
        places["extensions"] = (path, 112)
    image.write(path)
    return Small(path, places, (), {"refcounts": (path, image.end - 1)})


def qcow2_v2(directory):
    return qcow2(directory, version=2)


def qcow2_compressed(directory):
    path = directory / "image"
    image = new_qcow2()
    at = [image.disk.compressed(n, deflate(half_random(n))) for n in range(70)]
    image.write(path)
    return Small(path, {"L2 table": (path, image.disk.l2_offset()), "first": (path, at[0]),
                        "middle": (path, at[33] + 7), "last": (path, at[69])})


def qcow2_zstd(directory):
    path = directory / "image"
    image = new_qcow2(compression_type=1)
    at = [image.disk.compressed(n, zstd_frame.raw(data(n, 3000)) + zstd_frame.repeated(b"r", 1096))
          for n in range(8)]
    image.write(path)
    return Small(path, {"first": (path, at[0]), "last": (path, at[7] + 100)})


def qcow2_extended(directory):
    path = directory / "image"
    image = Image(20 * 16384, cluster_bits=14, extended_l2=True)
    at = image.disk.subclusters(3, data(3, 16384), allocated=0b1010, zero=0b0100)
    image.write(path)
    return Small(path, {"L2 table": (path, image.disk.l2_offset()),
                        "subcluster": (path, at + 512)},
                 (), {"subcluster that is not there": (path, at)})


def qcow2_chain(directory):
    path, middle, base = (directory / name for name in ("image", "middle", "base"))
    write_image(base, f"{80 * CLUSTER}:A")
    below = new_qcow2(backing=b"base", backing_format=b"raw")
    there = below.disk.data(5, data(5))
    below.write(middle)
    image = new_qcow2(backing=b"middle", backing_format=b"qcow2")
    top = image.disk.data(7, data(7))
    image.write(path)
    return Small(path, {
        "data": (path, top), "header of the middle": (middle, 0),
        "L1 table of the middle": (middle, below.disk.l1_offset),
        "L2 table of the middle": (middle, below.disk.l2_offset()),
        "data of the middle": (middle, there), "base": (base, 50 * CLUSTER),
        "start of the base": (base, 0)}, (), {"hidden": (base, 7 * CLUSTER)})


def qcow2_data_file(directory):
    path, other = directory / "image", directory / "data"
    image = new_qcow2(data_file=bytes(other))
    image.disk.data(0, data(0))
    image.disk.data(9, data(9))
    image.write_data_file(other, 80 * CLUSTER)
    image.write(path)
    return Small(path, {"header": (path, 0), "L2 table": (path, image.disk.l2_offset()),
                        "first": (other, 0), "last": (other, 9 * CLUSTER)})


def qcow2_snapshot(directory):
    path = directory / "image"
    image = new_qcow2()
    hidden = image.disk.data(0, data(0))
    table = image.snapshot(b"1", b"old", 80 * CLUSTER)
    there = table.data(2, data(2))
    image.write(path)
    at = struct.unpack(">Q", bytes(image.clusters[0][64:72]))[0]
    return Small(path, {"snapshot table": (path, at), "its L1 table": (path, table.l1_offset),
                        "its L2 table": (path, table.l2_offset()), "data": (path, there)},
                 ("--snapshot=old",), {"data of now": (path, hidden)})


def qcow2_bitmap(directory):
    """A bitmap says that the second block has changed since a list was written."""
    path, old = directory / "image", directory / "list"
    image = new_qcow2()
    there = image.disk.data(17, data(17))
    known = image.disk.data(79, data(79))
    made = Bitmaps(image)
    bits = image.blob(bytes(16) + b"\xff" * 16)      # each of them for 512 bytes
    table = made.add(b"b0", [bits])
    made.finish()
    directory_of_bitmaps = image.end - CLUSTER
    image.write(path)
    old.write_bytes(write_list(bytes(79 * CLUSTER) + data(79)))
    return Small(path, {
        "bitmap directory": (path, directory_of_bitmaps), "bitmap table": (path, table),
        "bitmap": (path, bits), "changed": (path, there)},
        (f"--base={old}", "--bitmap=b0"), {"known": (path, known)})


# --- VMDK ---------------------------------------------------------------------

SECTOR = 512


def vmdk(directory):
    path = directory / "image"
    disk = vmdk_image.Sparse(2048, grain=16)
    grains = [disk.data(n, data(n, 8192)) for n in (0, 1, 100)]
    disk.write(path)
    return Small(path, {
        "header": (path, 0), "descriptor": (path, SECTOR), "directory": (path, disk.gd * SECTOR),
        "grain table": (path, disk.gt * SECTOR), "grain": (path, grains[0] * SECTOR),
        "last grain": (path, grains[2] * SECTOR + 8191)})


def vmdk_stream(directory):
    path = directory / "image"
    disk = vmdk_image.Stream(2048, grain=16, footer=True)
    grains = [disk.data(n, half_random(n, 8192)) for n in range(60)]
    path = disk.write(path)
    end = path.stat().st_size
    return Small(path, {
        "header": (path, 0), "footer": (path, end - 2 * SECTOR), "marker of a grain":
        (path, grains[5] * SECTOR), "grain": (path, grains[40] * SECTOR + 600),
        "marker of the footer": (path, end - 3 * SECTOR), "end of the stream":
        (path, end - SECTOR)})


def vmdk_extents(directory):
    path, flat, sparse = (directory / name for name in ("image", "flat", "sparse"))
    write_image(flat, "100k:A")
    disk = vmdk_image.Sparse(200, grain=8, text="")
    grain = disk.data(2, data(2))
    disk.write(sparse)
    path.write_text(vmdk_image.descriptor('RW 200 FLAT "flat" 0', 'RW 200 SPARSE "sparse"'))
    return Small(path, {
        "descriptor": (path, 0), "flat": (flat, 50000), "header of an extent": (sparse, 0),
        "directory of an extent": (sparse, disk.gd * SECTOR),
        "table of an extent": (sparse, disk.gt * SECTOR),
        "grain of an extent": (sparse, grain * SECTOR)})


def vmdk_parent(directory):
    path, base = directory / "image", directory / "base"
    below = vmdk_image.Sparse(400, grain=8)
    there = below.data(5, data(5))
    below.write(base)
    disk = vmdk_image.Sparse(400, grain=8, text=vmdk_image.descriptor(
        'RW 400 SPARSE "image"', type="monolithicSparse", parent_cid="12345678",
        parent="base"))
    grain = disk.data(2, data(2))
    disk.write(path)
    return Small(path, {
        "grain": (path, grain * SECTOR), "header of the parent": (base, 0),
        "descriptor of the parent": (base, SECTOR),
        "directory of the parent": (base, below.gd * SECTOR),
        "table of the parent": (base, below.gt * SECTOR),
        "grain of the parent": (base, there * SECTOR)})


def vmdk_cowd(directory):
    path, extent = directory / "image", directory / "extent"
    disk = vmdk_image.Cowd(400, grain=8)
    grain = disk.data(2, data(2))
    disk.write(extent)
    path.write_text(vmdk_image.descriptor('RW 400 VMFSSPARSE "extent"', type="vmfsSparse"))
    return Small(path, {"header": (extent, 0), "directory": (extent, disk.gd * SECTOR),
                        "table": (extent, disk.gt * SECTOR), "grain": (extent, grain * SECTOR)})


def vmdk_sesparse(directory):
    path, extent = directory / "image", directory / "extent"
    disk = vmdk_image.SeSparse(400)
    disk.data(2, data(2))
    disk.write(extent)
    path.write_text(vmdk_image.descriptor('RW 400 SESPARSE "extent"', type="seSparse"))
    return Small(path, {"header": (extent, 0), "volatile header": (extent, SECTOR),
                        "directory": (extent, disk.gd * SECTOR),
                        "table": (extent, disk.gt * SECTOR),
                        "grain": (extent, disk.first * SECTOR)})


# --- VDI, VPC, VHDX -----------------------------------------------------------

def vdi(directory):
    path = directory / "image"
    image = vdi_image.Image(3 << 20)
    image.data(2, data(2, 1 << 20))
    image.write(path)
    return Small(path, {"header": (path, 0), "map": (path, image.map_at),
                        "block": (path, image.data_at), "last": (path, image.data_at + 999999)})


VPC = {"block_size": 8192}


def vpc(directory):
    path = directory / "image"
    image = vpc_image.Image(12 * 8192, **VPC)
    image.data(1, data(1, 8192))
    image.write(path)
    return Small(path, {
        "footer": (path, 0), "header": (path, 512), "table": (path, image.table_at),
        "block": (path, image.starts[1] + image.bitmap_size)},
        (), {"bitmap that is not needed": (path, image.starts[1])})


def vpc_fixed(directory):
    path = directory / "image"
    image = vpc_image.Image(64 * KIB, kind=vpc_image.FIXED)
    image.put(0, data(1, 64 * KIB))
    image.write(path)
    return Small(path, {"first": (path, 0), "last": (path, 64 * KIB - 1),
                        "footer": (path, 64 * KIB)}, ("-f", "vpc"))


def vpc_parent(directory):
    path, base = directory / "image", directory / "base"
    below = vpc_image.Image(12 * 8192, uuid=b"parent's own id.", **VPC)
    below.data(1, data(1, 8192))
    below.write(base)
    image = vpc_image.Image(12 * 8192, kind=vpc_image.DIFFERENCING, parent=below, **VPC)
    image.sector(1, 3, b"here")
    image.locator(vpc_image.W2RU, vpc_image.utf16(".\\base"))
    image.write(path)
    locator = struct.unpack(">Q", image.locators[0][16:24])[0]
    return Small(path, {
        "bitmap": (path, image.starts[1]), "locator": (path, locator),
        "block": (path, image.starts[1] + image.bitmap_size + 3 * 512),
        "footer of the parent": (base, 0), "header of the parent": (base, 512),
        "table of the parent": (base, below.table_at),
        "block of the parent": (base, below.starts[1] + below.bitmap_size)})


def vhdx_places(path, image):
    return {"signature": (path, 0), "first header": (path, 64 * KIB),
            "second header": (path, 128 * KIB), "region table": (path, 192 * KIB),
            "metadata table": (path, image.metadata),
            "metadata": (path, image.metadata + 64 * KIB), "BAT": (path, image.bat)}


def vhdx(directory):
    path = directory / "image"
    image = vhdx_image.Image(3 << 20)
    block = image.data(1, data(1, 1 << 20))
    image.write(path)
    return Small(path, vhdx_places(path, image) | {"block": (path, block + 500000)},
                 (), {"second region table": (path, 256 * KIB)})


def vhdx_log(directory):
    path = directory / "image"
    image = vhdx_image.Image(3 << 20)
    image.header["log_guid"] = vhdx_image.LOG_GUID
    block = image.place(data(1, 1 << 20))
    bat = struct.pack("<512Q", 0, block | vhdx_image.FULLY_PRESENT, *[0] * 510)
    image.log.entry([vhdx_image.data(image.bat, bat)])
    image.write(path)
    places = vhdx_places(path, image)
    log = image.log.offset
    return Small(path, places | {"entry of the log": (path, log), "log": (path, log + 4096),
                                 "block": (path, block)})


def vhdx_parent(directory):
    identity = "83ed0ec3-24c8-49a6-a959-5e4bf1288bfb"
    path, base = directory / "image", directory / "base"
    below = vhdx_image.Image(3 << 20, data_guid=identity)
    there = below.data(1, data(1, 1 << 20))
    below.write(base)
    image = vhdx_image.Image(3 << 20, parent={
        "relative_path": ".\\base", "parent_linkage": vhdx_image.braces(identity)})
    block = image.partial(1, data(2, 1 << 20), [(5, 3)])
    image.write(path)
    return Small(path, vhdx_places(path, image) | {
        "bitmap of sectors": (path, image.bitmap(0)), "sector": (path, block + 6 * 512),
        "header of the parent": (base, 128 * KIB), "BAT of the parent": (base, below.bat),
        "block of the parent": (base, there)})


IMAGES = [raw, qcow2, qcow2_v2, qcow2_compressed, qcow2_zstd, qcow2_extended, qcow2_chain,
          qcow2_data_file, qcow2_snapshot, qcow2_bitmap, vmdk, vmdk_stream, vmdk_extents,
          vmdk_parent, vmdk_cowd, vmdk_sesparse, vdi, vpc, vpc_fixed, vpc_parent, vhdx,
          vhdx_log, vhdx_parent]
