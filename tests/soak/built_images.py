# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random images of the builders of tests/e2e: what QEMU can read, but does not write, and
differencing images, which it does not read. make(case) -> Disk; a naive reader gives
the bytes where QEMU cannot."""

import pathlib
import uuid
import zlib

import vdi_image
import vhdx_image
import vhdx_oracle
import vmdk_image
import vmdk_oracle
import vpc_image
import zstd_frame
from case import MIB, Disk
from qcow2_image import Image as Qcow2, deflate


def text(draw):
    return b"%d " % draw.randrange(1 << 30) * draw.choice([1, 1, 7])


def some(draw, count):
    """Some of the first numbers, in any order."""
    return draw.sample(range(count), draw.randrange(count + 1))


# --- qcow2 ----------------------------------------------------------------------

def add_cluster(draw, image, guest, zstd):
    content = (text(draw) * image.cluster_size)[:image.cluster_size]
    kind = draw.randrange(6)
    if kind == 0:
        image.disk.data(guest, content)
    elif kind == 1:
        image.disk.zero(guest, draw.choice([None, b"not seen"]))
    elif kind == 2 and image.entry_size == 16:
        data = draw.getrandbits(32) | draw.getrandbits(32)
        image.disk.subclusters(guest, content, data, draw.getrandbits(32) & ~data)
    else:
        level = draw.choice([0, 1, 9])
        image.disk.compressed(guest, zstd_frame.raw(content) if zstd else
                              deflate(content, level=level))


def built_qcow2(case):
    """Clusters of every kind, in any order in the file."""
    draw = case.draw
    extended, zstd = case.chance(0.4), int(case.chance(0.4))
    bits = draw.randint(14 if extended else 9, 17)
    count = draw.randint(1, 60)
    size = (count << bits) - draw.choice([0, 512, (1 << bits) - 512])
    below = None
    if case.chance(0.5):
        below = "base.qcow2", "qcow2"
        base = Qcow2(draw.choice([size, size // 1024 * 512]), cluster_bits=draw.randint(9, 16))
        clusters = -(-base.header["size"] >> base.cluster_bits) & 0xfff
        for guest in some(draw, min(clusters, 200)):
            base.disk.data(guest, text(draw))
        base.write(below[0])
    image = Qcow2(size, cluster_bits=bits, extended_l2=extended, compression_type=zstd,
                  backing=below and b"base.qcow2", backing_format=below and b"qcow2")
    for guest in some(draw, count):
        add_cluster(draw, image, guest, zstd)
    image.write("image.qcow2")
    return Disk("image.qcow2", "qcow2", below=below, alone=not below)


# --- VMDK -----------------------------------------------------------------------

def grains(draw, extent, sectors, zeros=False):
    count = -(-sectors // extent.grain)
    for number in some(draw, min(count, 300)):
        if zeros and draw.random() < 0.3:
            extent.zero(number)
        else:
            extent.data(number, text(draw))


def sparse_options(draw):
    return {"grain": draw.choice([1, 8, 16, 100, 128]),
            "gtes": draw.choice([1, 7, 128, 512, 512])}


def extent_of(draw, sectors, kind):
    """An extent, and the rest of its line in a descriptor."""
    if kind == "SPARSE":
        flags = vmdk_image.NEWLINES | draw.choice([0, vmdk_image.ZEROED])
        extent = vmdk_image.Sparse(sectors, flags=flags, rgd=draw.random() < 0.3,
                                   **sparse_options(draw))
        grains(draw, extent, sectors, zeros=flags & vmdk_image.ZEROED)
    elif kind == "VMFSSPARSE":
        extent = vmdk_image.Cowd(sectors, grain=draw.choice([1, 8, 128]))
        grains(draw, extent, sectors)
    else:
        extent = vmdk_image.SeSparse(sectors)
        grains(draw, extent, sectors, zeros=True)
    return extent


def built_extents(case):
    """A descriptor of several extents."""
    draw = case.draw
    kind, disk_type = draw.choice([
        ("SPARSE", "twoGbMaxExtentSparse"), ("FLAT", "twoGbMaxExtentFlat"),
        ("FLAT", "monolithicFlat"), ("VMFS", "vmfs"), ("VMFSSPARSE", "vmfsSparse"),
        ("SESPARSE", "seSparse")])
    lines = []
    for number in range(1 if disk_type == "monolithicFlat" else draw.randint(1, 4)):
        # Whole grains: QEMU shows the rest of a grain beyond the end of its extent.
        sectors = draw.randint(1, 12) * 25600 // draw.choice([1, 8]) if kind in (
            "SPARSE", "VMFSSPARSE", "SESPARSE") else draw.randint(1, 3000)
        name = f"extent{number}"
        if kind in ("FLAT", "VMFS"):
            offset = draw.choice([0, 0, 3])
            content = (text(draw) * 100)[:draw.choice([512, 999])] * draw.randint(0, 2000)
            pathlib.Path(name).write_bytes(content)
            end = f" {offset}" if kind == "FLAT" else ""
        else:
            extent_of(draw, sectors, kind).write(pathlib.Path(name))
            end = ""
        lines.append(f'RW {sectors} {kind} "{name}"{end}')
    pathlib.Path("image.vmdk").write_text(vmdk_image.descriptor(*lines, type=disk_type))
    return Disk("image.vmdk", "vmdk", alone=False)


def built_stream(case):
    """Compressed grains, with markers or without, and a footer."""
    draw = case.draw
    markers = case.chance(0.8)
    grain = draw.choice([1, 16, 128, 512])
    sectors = grain * draw.randint(1, 40)
    extent = vmdk_image.Stream(sectors, grain=grain, markers=markers,
                               footer=case.chance(0.5))
    for number in some(draw, sectors // grain):
        content = extent.fill(text(draw))
        if not markers:         # there is no length: a stream has a grain at most
            content = bytes(64) + extent.fill(b"z")[64:]
        extent.stream(number, zlib.compress(content, draw.choice([1, 6, 9])))
    extent.write(pathlib.Path("image.vmdk"))
    return Disk("image.vmdk", "vmdk")


def built_vmdk(case):
    make = case.draw.choice([built_extents, built_extents, built_stream])
    disk = make(case)
    disk.content = vmdk_oracle.guest_bytes("image.vmdk")
    return disk


# --- VDI ------------------------------------------------------------------------

def built_vdi(case):
    """Blocks in any order, some of them shared or discarded."""
    draw = case.draw
    count = draw.randint(1, 7)
    image = vdi_image.Image(count * MIB - 512 * draw.choice([0, 1, 2047]),
                            map_at=draw.choice([512, 1024, 4096]))
    for block in some(draw, count):
        image.data(block, text(draw))
    for block in some(draw, count)[:2]:
        image.entry(block, draw.choice([vdi_image.DISCARDED, vdi_image.FREE,
                                        max(0, len(image.stored) - 1)]))
    image.write("image.vdi")
    disk = Disk("image.vdi", "vdi")
    disk.content = vdi_image.guest_bytes("image.vdi")
    return disk


# --- VPC ------------------------------------------------------------------------

def built_vpc(case):
    """A chain of differencing images, which QEMU does not read as such."""
    draw = case.draw
    size = 512 * draw.randrange(1, 4000)
    parent = None
    for depth in range(draw.randint(1, 4)):
        kind = vpc_image.DIFFERENCING if depth else vpc_image.DYNAMIC
        image = vpc_image.Image(size, kind=kind, block_size=4096 << draw.randrange(9),
                                parent=parent, uuid=draw.randbytes(16))
        for block in some(draw, len(image.entries)):
            image.data(block, draw.randbytes(draw.randrange(1, 3000)),
                       draw.choice([b"\xff", b"\0", draw.randbytes(40), b"\x55"]))
        if parent:
            image.locator(vpc_image.W2RU, vpc_image.utf16(f".\\{depth - 1}.vhd"))
        name = image.write(f"{depth}.vhd")
        parent = image
        if case.chance(0.3):
            size = max(512, size + 512 * draw.choice([-1, 1, 900, -900]))
    disk = Disk(name, "vpc", alone=name == "0.vhd", for_qemu=False)
    disk.content = vpc_image.guest_bytes(name)
    return disk


# --- VHDX -----------------------------------------------------------------------

def vhdx_blocks(draw, image, has_parent):
    states = [vhdx_image.NOT_PRESENT, vhdx_image.UNDEFINED, vhdx_image.ZERO,
              vhdx_image.UNMAPPED]
    sectors = image.block_size // image.sector_size
    for block in some(draw, min(image.blocks, 5)):
        kind = draw.random()
        if kind < 0.3:
            image.block(block, draw.choice(states))
        elif kind < 0.7 and has_parent:
            runs, at = [], 0
            while at < sectors and len(runs) < 30:
                at += draw.choice([0, 1, 7, 64, 500])
                count = min(draw.choice([1, 8, 13, 300]), sectors - at)
                if count > 0:
                    runs.append((at, count))
                at += max(count, 0) + 1
            image.partial(block, text(draw), runs)
        else:
            image.data(block, text(draw))


def built_vhdx(case):
    """A chain of differencing images, or one that QEMU does not make."""
    draw = case.draw
    sector = draw.choice([512, 512, 4096])
    size = sector * draw.randrange(1, 6 * MIB // sector)
    identity = below = None
    for depth in range(draw.choice([1, 2, 2, 3])):
        options = {"block_size": draw.choice([1, 1, 2, 4]) * MIB, "sector_size": sector,
                   "data_guid": str(uuid.UUID(bytes=draw.randbytes(16)))}
        if below:
            options["parent"] = {"relative_path": f".\\{below}",
                                 "parent_linkage": vhdx_image.braces(identity)}
        image = vhdx_image.Image(size, **options)
        vhdx_blocks(draw, image, below)
        below, identity = image.write(f"{depth}.vhdx"), options["data_guid"]
        if case.chance(0.3):
            size = max(sector, size + sector * draw.choice([-1, 1, 100, -100]))
    disk = Disk(below, "vhdx", alone=below == "0.vhdx", for_qemu=False)
    disk.content = vhdx_oracle.guest_bytes(below)
    return disk
