# SPDX-License-Identifier: LGPL-2.1-or-later
"""Random images that QEMU makes, in each format that it writes."""

import json
import os

from case import KIB, MIB, Disk, NoOracle, disk_size, fill, make_noise, other_size
from oracle import random_spec, write_image

SUFFIX = {"raw": "raw", "qcow2": "qcow2", "vmdk": "vmdk", "vdi": "vdi", "vhdx": "vhdx",
          "vpc": "vhd", "qed": "qed", "parallels": "hds", "qcow": "qcow"}
SMALL = 8 * MIB                 # what may be allocated as a whole


def create(case, name, form, size, options=(), backing=None):
    words = ["-o", ",".join(options)] if options else []
    below = ["-b", backing[0], "-F", backing[1]] if backing else []
    case.tool("qemu-img", "create", "-q", "-f", form, *words, *below, name, size)


# --- layers: make(case, name, size, backing), with what was drawn of their format ------

def raw_layer(case, name, size, backing=None):
    modes = ["off", "falloc", "full"] if size <= SMALL else ["off"]
    create(case, name, "raw", size, [f"preallocation={case.draw.choice(modes)}"])
    fill(case, name, "raw", size)


def qcow2_options(case, size, backing):
    """Options that go together, and the size of a cluster."""
    draw = case.draw
    if case.chance(0.15):
        cluster = 512 << draw.choice([0, 0, 1, 3, 7, 12])
        return ["compat=0.10", f"cluster_size={cluster}"], cluster
    options = []
    extended = case.chance(0.3)
    cluster = draw.choice([16, 16, 32, 64, 256, 2048]) * KIB if extended else \
        512 << draw.choice([0, 0, 1, 2, 3, 3, 5, 7, 7, 9, 12])
    if extended:
        options.append("extended_l2=on")
    options.append(f"cluster_size={cluster}")
    if case.chance(0.2):
        options.append("lazy_refcounts=on")
    if case.chance(0.2):
        options.append(f"refcount_bits={1 << draw.randrange(1, 7)}")
    options.append(f"compression_type={draw.choice(['zlib', 'zstd'])}")
    if case.chance(0.2) and (extended or not backing):
        modes = ["metadata", "falloc", "full"] if size <= SMALL else ["metadata"]
        options.append(f"preallocation={draw.choice(modes)}")
    return options, cluster


def qcow2_layer(case, name, size, backing=None):
    """Returns whether it has a data file."""
    options, cluster = qcow2_options(case, size, backing)
    data_file = "compat=0.10" not in options and case.chance(0.12)
    if data_file:
        is_raw = not backing and case.chance(0.5)
        options += [f"data_file={name}.data", f"data_file_raw={'on' if is_raw else 'off'}"]
    create(case, name, "qcow2", size, options, backing)
    # Whoever writes compressed clusters one by one into large ones waits for long.
    packs = not data_file and cluster <= 64 * KIB and case.chance(0.5)
    fill(case, name, "qcow2", size, cluster=cluster if packs else 0)
    if packs and case.chance(0.3):
        repack(case, name, options, backing)
    return data_file


def repack(case, name, options, backing):
    """Compress all clusters of an image, and write over some."""
    options = [one for one in options if not one.startswith("preallocation")]
    below = ["-B", backing[0], "-F", backing[1]] if backing else []
    if case.tool("qemu-img", "convert", "-q", "-c", "-O", "qcow2", "-o", ",".join(options),
                 *below, name, "packed", may_fail=True) is not None:
        os.replace("packed", name)


def vmdk_layer(case, name, size, backing=None):
    draw = case.draw
    kinds = ["monolithicSparse", "twoGbMaxExtentSparse"]
    if not backing:
        kinds += ["streamOptimized", "twoGbMaxExtentFlat", "monolithicFlat"]
    kind = draw.choice(kinds)
    options = [f"subformat={kind}"]
    if "Flat" not in kind and case.chance(0.4):
        options.append("zeroed_grain=on")
    if kind == "streamOptimized":
        raw_layer(case, "source", size)
        case.tool("qemu-img", "convert", "-q", "-f", "raw", "-O", "vmdk", "-o",
                  ",".join(options), "source", name)
        return True
    if case.chance(0.2):
        options.append("compat6=on")
    create(case, name, "vmdk", size, options, backing)
    fill(case, name, "vmdk", size)
    return kind != "monolithicSparse"


def vdi_layer(case, name, size, backing=None):
    create(case, name, "vdi", size, ["static=on"] if case.chance(0.2) and size <= SMALL else [])
    fill(case, name, "vdi", size)


def vhdx_layer(case, name, size, backing=None):
    draw = case.draw
    kind = "fixed" if case.chance(0.2) and size <= SMALL else "dynamic"
    options = [f"subformat={kind}"]
    if case.chance(0.7):
        options.append(f"block_size={draw.choice([1, 1, 2, 8, 32])}M")
    if case.chance(0.2):
        options.append("block_state_zero=off")
    create(case, name, "vhdx", size, options)
    fill(case, name, "vhdx", size)


def vpc_layer(case, name, size, backing=None):
    """Returns whether it is fixed: then it is not probed."""
    fixed = case.chance(0.2) and size <= SMALL and not backing
    options = [f"subformat={'fixed' if fixed else 'dynamic'}"]
    if case.chance(0.6):
        options.append("force_size=on")
    create(case, name, "vpc", size, options)
    fill(case, name, "vpc", virtual_size(case, name, "vpc"))
    return fixed


def qed_layer(case, name, size, backing=None):
    # QEMU cannot open what it makes with a table_size of 1.
    cluster, table = case.draw.choice([(4, 2), (4, 16), (64, 4), (64, 16), (256, 2)])
    create(case, name, "qed", size, [f"cluster_size={cluster}k", f"table_size={table}"],
           backing)
    fill(case, name, "qed", size)


def virtual_size(case, name, form):
    out = case.tool("qemu-img", "info", "--output=json", "-f", form, name)
    return json.loads(out)["virtual-size"]


LAYERS = {"raw": raw_layer, "qcow2": qcow2_layer, "vmdk": vmdk_layer, "vdi": vdi_layer,
          "vhdx": vhdx_layer, "vpc": vpc_layer, "qed": qed_layer}


# --- kinds of cases: make(case) -> Disk ----------------------------------------

def make_raw(case):
    """By QEMU, or of any size."""
    if case.chance(0.5):
        write_image("image.raw", random_spec(case.draw))
    else:
        raw_layer(case, "image.raw", disk_size(case.draw))
    return Disk("image.raw", "raw")


def make_base(case, size):
    """Something that can be below a qcow2 image."""
    form = case.draw.choice(["raw", "raw", "qcow2", "qcow2", "qcow2", "vmdk", "vdi", "vhdx",
                             "vpc", "qed"])
    name = f"base.{SUFFIX[form]}"
    if form == "vpc":
        vpc_layer(case, name, size, backing="dynamic only")
    else:
        LAYERS[form](case, name, size)
    return name, form


def make_qcow2(case):
    draw = case.draw
    size = disk_size(draw)
    below, native = None, True
    depth = draw.choice([0, 0, 0, 1, 1, 2, 4])
    if depth:
        below = make_base(case, size)
        native = below[1] != "qed"
    for layer in range(depth - 1):
        size = other_size(draw, size)
        name = f"layer{layer}.qcow2"
        qcow2_layer(case, name, size, below)
        below = name, "qcow2"
    size = other_size(draw, size)
    data_file = qcow2_layer(case, "image.qcow2", size, below)
    disk = Disk("image.qcow2", "qcow2", below=below, native=native,
                alone=not below and not data_file)
    snapshots = []
    for _ in range(draw.choice([0, 0, 1, 2, 5])):
        draw.choice(STEPS)(case, disk, snapshots)
    if snapshots and case.chance(0.6):
        disk.options = ["-l", draw.choice(snapshots)]
    elif native and case.chance(0.25):
        mark(case, disk)
    return disk


def snapshot(case, disk, snapshots):
    name = f"s{len(snapshots)}"
    if case.tool("qemu-img", "snapshot", "-c", name, disk.image, may_fail=True) is not None:
        snapshots.append(name)
        write_more(case, disk, snapshots)


def apply_snapshot(case, disk, snapshots):
    if snapshots:
        case.tool("qemu-img", "snapshot", "-a", case.draw.choice(snapshots), disk.image,
                  may_fail=True)


def delete_snapshot(case, disk, snapshots):
    if len(snapshots) > 1:
        name = snapshots.pop(case.draw.randrange(len(snapshots)))
        case.tool("qemu-img", "snapshot", "-d", name, disk.image)


def write_more(case, disk, snapshots):
    fill(case, disk.image, "qcow2", virtual_size(case, disk.image, "qcow2"), most=15)


def resize(case, disk, snapshots):
    size = other_size(case.draw, virtual_size(case, disk.image, "qcow2"))
    case.tool("qemu-img", "resize", "-q", "--shrink", "-f", "qcow2", disk.image, size,
              may_fail=True)
    write_more(case, disk, snapshots)


def rebase(case, disk, snapshots):
    """To another image, with the bytes of the old chain or without them; or to none."""
    if not disk.below:
        return
    if case.chance(0.3):
        words, below = ["-b", ""], None
    else:
        make_other = case.draw.choice([raw_layer, qcow2_layer])
        below = ("other.raw", "raw") if make_other == raw_layer else ("other.qcow2", "qcow2")
        make_other(case, below[0], other_size(case.draw, 3 * MIB))
        words = ["-b", below[0], "-F", below[1]]
    words += ["-u"] if case.chance(0.4) else []
    if case.tool("qemu-img", "rebase", "-q", "-f", "qcow2", *words, disk.image,
                 may_fail=True) is not None:
        disk.below, disk.native = below, True


def commit(case, disk, snapshots):
    if disk.below:
        case.tool("qemu-img", "commit", "-q", "-f", "qcow2", disk.image, may_fail=True)


def bitmap(case, disk, snapshots):
    case.tool("qemu-img", "bitmap", "--add", *(["--disable"] if case.chance(0.3) else []),
              disk.image, f"b{case.draw.randrange(3)}", may_fail=True)


def amend(case, disk, snapshots):
    # Not refcount_bits: QEMU 7.2 has been seen not to end.
    option = case.draw.choice(["lazy_refcounts=on", "lazy_refcounts=off", "compat=0.10",
                               "compat=1.1"])
    case.tool("qemu-img", "amend", "-q", "-f", "qcow2", "-o", option, disk.image,
              may_fail=True)


STEPS = [snapshot, snapshot, apply_snapshot, delete_snapshot, write_more, resize, rebase,
         rebase, commit, bitmap, amend]


def mark(case, disk):
    """A bitmap, a list, and what is written after it. QEMU loses the bitmap of an empty
    disk: there is "no memory" for it."""
    if virtual_size(case, disk.image, "qcow2") == 0:
        return
    granularity = case.draw.choice([512, 4096, 65536, MIB])
    if case.tool("qemu-img", "bitmap", "--add", "-g", granularity, disk.image, "mark",
                 may_fail=True) is None:
        return
    case.run("--write-list=since.blkhash", "-f", "qcow2", disk.image)
    write_more(case, disk, [])
    disk.since = ["--base=since.blkhash", "--bitmap=mark"]


def make_vmdk(case):
    draw = case.draw
    size = disk_size(draw)
    below, others = None, False
    for layer in range(draw.choice([0, 0, 1, 2])):
        name = f"layer{layer}.vmdk"
        vmdk_layer(case, name, size, below)
        below = name, "vmdk"
        size = other_size(draw, size)
    others = vmdk_layer(case, "image.vmdk", size, below)
    return Disk("image.vmdk", "vmdk", below=below, alone=not below and not others)


def make_vdi(case):
    vdi_layer(case, "image.vdi", disk_size(case.draw))
    return Disk("image.vdi", "vdi")


def make_vhdx(case):
    vhdx_layer(case, "image.vhdx", max(512, disk_size(case.draw)))
    return Disk("image.vhdx", "vhdx")


def make_vpc(case):
    fixed = vpc_layer(case, "image.vhd", max(512, disk_size(case.draw)))
    return Disk("image.vhd", "vpc", probed=not fixed)


def make_qemu(case):
    """What disksum leaves to QEMU."""
    draw = case.draw
    size = disk_size(draw)
    form = draw.choice(["qed", "qed", "parallels", "qcow", "luks"])
    if form == "luks":
        return make_luks(case, size)
    name = f"image.{SUFFIX[form]}"
    below = None
    if form != "parallels" and case.chance(0.4):
        raw_layer(case, "base.raw", other_size(draw, size))
        below = "base.raw", "raw"
    if form == "qed":
        qed_layer(case, name, size, below)
    else:
        create(case, name, form, max(512, size), backing=below)
        fill(case, name, form, virtual_size(case, name, form))
    return Disk(name, form, native=False, alone=False)


def make_luks(case, size):
    raw_layer(case, "source", min(size, SMALL))
    secret = "secret,id=s,data=letmein"
    for _ in range(50):         # QEMU measures the CPU for this, which sometimes fails
        if case.tool("qemu-img", "convert", "--object", secret, "-f", "raw", "-O", "luks",
                     "-o", "key-secret=s,iter-time=10", "source", "image.luks",
                     may_fail=True) is not None:
            break
    else:
        raise NoOracle("no LUKS image")
    return Disk("driver=luks,key-secret=s,file.filename=image.luks", "", native=False,
                alone=False, probed=False,
                options=["--object", secret, "--image-opts"])


def convert(case, disk, target="converted"):
    """What QEMU reads."""
    words = ["-f", disk.form] if disk.form else []
    case.tool("qemu-img", "convert", *words, *disk.options, "-O", "raw", disk.image, target)
    return target


__all__ = ["convert", "make_noise", "make_qcow2", "make_qemu", "make_raw", "make_vdi",
           "make_vhdx", "make_vmdk", "make_vpc"]
