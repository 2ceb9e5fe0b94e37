# SPDX-License-Identifier: LGPL-2.1-or-later
"""What disksum is run on, and with which options, when its calls fail
(test_call_faults.py)."""

import dataclasses
import hashlib
import json
import os
import subprocess
import tarfile

from nbd_server import free_port, is_listening, is_reachable
from oracle import checksum, write_image

KIB, MIB = 1 << 10, 1 << 20
DISK = "150k:A 300k:- 70000:0 1M:B 1536:C 500k:- 99k:D"
SMALL = "70k:A 64k:- 3000:0 512:B"


@dataclasses.dataclass
class Case:
    """Arguments for disksum, which runs beside a directory ../images."""
    args: tuple
    sums: tuple = ()            # the checksums that it prints
    files: dict = dataclasses.field(default_factory=dict)   # where it runs
    env: dict = dataclasses.field(default_factory=dict)
    writes: str = ""            # the name of a list
    status: int = 0             # the exit status if nothing fails
    trouble: int = 1            # and after an error
    children: bool = False      # it starts processes that are its own
    printed: str = "lines"      # "part": lines may be missing; "json"; "check"
    wrapper: tuple = ()         # a command that runs it


class Maker:
    """Makes the images of cases."""

    def __init__(self, build, images, servers):
        self.build, self.images, self.servers = build, images, servers
        self.made = {}

    def run(self, *command):
        done = subprocess.run(command, cwd=self.images, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 0, done
        return done.stdout.decode()

    def disksum(self, *args):
        return self.run(self.build / "disksum", *args)

    def once(self, name, make):
        if name not in self.made:
            self.made[name] = make()
        return self.made[name]

    def raw(self, name="disk", spec=DISK):
        """The path of a raw image, from where disksum runs."""
        self.once(name, lambda: write_image(self.images / name, spec))
        return f"../images/{name}"

    def sum(self, name="disk", *args):
        return checksum(self.made[name], *args)

    def convert(self, name, form, *options, disk="disk"):
        self.raw(disk)
        self.run("qemu-img", "convert", "-f", "raw", "-O", form, *options, disk, name)
        return f"../images/{name}"

    def one(self, *args, **more):
        """A run that prints the checksum of the disk."""
        self.raw()
        return Case(args, (self.sum(),), **more)


# --- files --------------------------------------------------------------------

def small(m):
    return Case((m.raw("small", SMALL),), (m.sum("small"),))


def raw(m):
    return m.one("-t2", "--read-size=64k", m.raw())


def missing(m):
    return Case(("../images/missing",), status=1)


def ring(m):
    return m.one("-t2", "--read-size=64k", "-Tnone", m.raw(), env={"DISKSUM_READS": "ring"})


def direct(m):
    return m.one("-t2", "--read-size=64k", "-Tnone", m.raw())


def direct_threads(m):
    return m.one("-t1", "--queue-depth=3", "--read-size=64k", "-Tnone", m.raw(),
                 env={"DISKSUM_READS": "threads"})


def mmap(m):
    return m.one("-t1", "--read-size=64k", m.raw(), env={"DISKSUM_READS": "mmap"})


def pipe(m):
    m.raw("small", SMALL)
    return Case(("-t2",), (m.sum("small"),), {"stdin": m.made["small"]})


def several(m):
    """The second of three images is missing."""
    m.raw("small", SMALL)
    return Case((m.raw(), "../images/missing", m.raw("small", SMALL)),
                (m.sum(), m.sum("small")), status=1, printed="part")


def part(m):
    content = m.raw() and m.made["disk"][64 * KIB:64 * KIB + MIB]
    return Case(("--offset=64k", "--length=1M", m.raw()), (checksum(content),))


def member(m):
    m.convert("disk.vmdk", "vmdk", "-o", "subformat=streamOptimized")
    with tarfile.open(m.images / "disk.ova", "w") as tar:
        for name in "disk.vmdk", "small":
            m.raw("small", SMALL)
            tar.add(m.images / name, name)
    return m.one("--member=disk.vmdk", "../images/disk.ova")


def qcow2(m):
    return m.one("-t2", m.convert("disk.qcow2", "qcow2"))


def qcow2_compressed(m):
    return m.one("-t2", m.convert("zlib.qcow2", "qcow2", "-c"))


def qcow2_zstd(m):
    return m.one("-t1", m.convert("zstd.qcow2", "qcow2", "-c", "-o", "compression_type=zstd"))


def qcow2_chain(m):
    """A raw image, an empty overlay, and one with a cluster."""
    m.raw()
    m.run("qemu-img", "create", "-qf", "qcow2", "-Fraw", "-b", "disk", "middle.qcow2")
    m.run("qemu-img", "create", "-qf", "qcow2", "-Fqcow2", "-b", "middle.qcow2", "top.qcow2")
    m.run("qemu-io", "-c", "write -P 1 100k 64k", "top.qcow2")
    content = bytearray(m.made["disk"])
    content[100 * KIB:164 * KIB] = b"\1" * (64 * KIB)
    return Case(("../images/top.qcow2",), (checksum(content),))


def qcow2_data_file(m):
    return m.one(m.convert("data.qcow2", "qcow2", "-o", f"data_file={m.images}/data.raw"))


def qcow2_snapshot(m):
    m.convert("snapshot.qcow2", "qcow2")
    m.run("qemu-img", "snapshot", "-c", "first", "snapshot.qcow2")
    m.run("qemu-io", "-c", "write -P 1 0 64k", "snapshot.qcow2")
    return m.one("-lfirst", "../images/snapshot.qcow2")


def vmdk(m):
    return m.one("-t2", m.convert("sparse.vmdk", "vmdk"))


def vmdk_stream(m):
    return m.one(m.convert("stream.vmdk", "vmdk", "-o", "subformat=streamOptimized"))


def vmdk_extents(m):
    return m.one(m.convert("flat.vmdk", "vmdk", "-o", "subformat=twoGbMaxExtentFlat"))


def vhdx(m):
    return m.one(m.convert("disk.vhdx", "vhdx"))


def vpc(m):
    return m.one(m.convert("disk.vhd", "vpc", "-o", "force_size=on"))


def vdi(m):
    return m.one(m.convert("disk.vdi", "vdi"))


# --- servers ------------------------------------------------------------------

def export(m):
    uri, _ = m.servers.qemu_nbd(m.images / os.path.basename(m.raw()))
    return m.one("-t2", "--read-size=64k", uri)


def export_without_extents(m):
    uri, _ = m.servers.qemu_nbd(m.images / os.path.basename(m.raw()))
    return m.one("-t1", "--no-extents", uri)


def qcow2_export(m):
    m.convert("disk.qcow2", "qcow2")
    uri, _ = m.servers.qemu_nbd(m.images / "disk.qcow2")
    return m.one("-fqcow2", uri)


def named_export(m):
    """The server's default export is another disk."""
    path = m.servers.new_socket()
    m.raw(), m.raw("small", SMALL)
    nodes = []
    for node, disk, name in ("a", "disk", ""), ("b", "small", "small"):
        nodes += ["--blockdev", f"file,node-name={node},filename={m.images / disk},"
                  "read-only=on", "--export", f"nbd,id={node},node-name={node},name={name}"]
    m.servers.start(["qemu-storage-daemon", "--nbd-server",
                     f"addr.type=unix,addr.path={path}", *nodes], lambda: is_listening(path))
    return Case(("-t1", f"nbd+unix:///small?socket={path}"), (m.sum("small"),))


def export_of_host(m):
    """Neither the host nor the port is the default."""
    m.raw("small", SMALL)
    port = free_port()
    m.servers.start(["qemu-nbd", "-rt", "--bind=127.0.0.2", f"--port={port}", "-fraw",
                     m.images / "small"], lambda: is_reachable("127.0.0.2", port))
    return Case(("-t1", f"nbd://127.0.0.2:{port}"), (m.sum("small"),))


def command(m):
    return m.one("-t2", "--", "[", "sh", "-c", "exec nbdkit -r --exit-with-parent file $0 2>/dev/null",
                 m.raw(), "]", children=True)


def qed(m):
    """Which a qemu-nbd reads."""
    return m.one(m.convert("disk.qed", "qed"), children=True)


def image_opts(m):
    """A password is given to QEMU as an object."""
    return m.one("--image-opts", "--object=secret,id=s,data=x",
                 f"driver=raw,file.driver=file,file.filename={m.raw()}", children=True)


# --- options ------------------------------------------------------------------

def several_digests(m):
    m.raw("small", SMALL)
    content = m.made["small"] + bytes(-len(m.made["small"]) % 512)
    return Case(("-t2", "--plain=md5", "-dsha256", "../images/small"),
                (hashlib.md5(content).hexdigest(), m.sum("small")), printed="part")


def expect(m):
    m.raw("small", SMALL)
    return Case((f"--expect={m.sum('small')}", "../images/small"), printed="check")


def as_json(m):
    return m.one("--json", m.convert("disk.qcow2", "qcow2"), printed="json")


def check(m):
    m.raw(), m.raw("small", SMALL)
    lines = [f"{m.sum(name)}  ../images/{name}\n" for name in ("disk", "small")]
    return Case(("--check", "sums"), files={"sums": "".join(lines).encode()},
                printed="check")


def check_json(m):
    m.raw("small", SMALL)
    line = m.disksum("--json", "--block-size=4k", "small")
    (m.images / "sums.json").write_text(line.replace('"small"', '"../images/small"'))
    return Case(("--check", "sums"), files={"sums": (m.images / "sums.json").read_bytes()},
                printed="check")


# --- lists --------------------------------------------------------------------

def write(m):
    return m.one("-t2", "--write-list=list", m.convert("disk.qcow2", "qcow2"), writes="list")


def rewrite(m):
    """There is one of that name already."""
    return m.one("--write-list=list", m.raw(), files={"list": b"BLKLIST\0old"}, writes="list")


def resume(m):
    """The list has three chunks; the second is broken."""
    m.raw("long", "5M:A 3M:- 7M:B 100000:0")
    m.disksum("--write-list=long.blkhash", "-dsha512/512", "long")
    m.disksum("--write-list=long.blkhash", "-dsha512/512", "long")
    cut = (m.images / "long.blkhash").read_bytes()[:1200000]
    return Case(("-t2", "-dsha512/512", "--write-list=list", "--resume", "../images/long"),
                (m.sum("long", 512, "sha512"),), {"list.part": cut}, writes="list")


def list_on_stdout(m):
    return Case(("--write-list=-", m.raw()), printed="list")


def shard(m):
    return Case(("--shard=1/2", "--write-list=list", m.raw()), writes="list")


def parts(m):
    m.raw()
    for i in "12":
        m.disksum(f"--shard={i}/2", f"--write-list=part{i}", "disk")
    return ["../images/part2", "../images/part1"]


def merge(m):
    return m.one("--merge", *parts(m), printed="lines")


def merge_and_write(m):
    return m.one("--merge", "--write-list=list", *parts(m), writes="list")


def show(m):
    m.raw()
    m.disksum("--write-list=disk.blkhash", "disk")
    return m.one("--show", "--json", "../images/disk.blkhash", printed="json")


def base_and_changes(m):
    """Another program says what has changed."""
    m.raw()
    m.disksum("--write-list=disk.blkhash", "disk")
    content = bytearray(m.made["disk"])
    content[MIB:MIB + 512] = bytes(512)
    (m.images / "changed").write_bytes(content)
    changes = [{"offset": MIB, "length": 512, "type": 1, "description": "dirty"},
               {"offset": MIB + 512, "length": len(content) - MIB - 512, "type": 0,
                "description": "clean"},
               {"offset": 0, "length": MIB, "type": 0, "description": "clean"}]
    return Case(("--write-list=list", "--base=../images/disk.blkhash", "--changes=changes",
                 "../images/changed"), (checksum(content),),
                {"changes": json.dumps(changes).encode()}, writes="list")


def base_and_bitmap(m):
    m.convert("bitmap.qcow2", "qcow2")
    m.run("qemu-img", "bitmap", "--add", "bitmap.qcow2", "b0")
    m.disksum("--write-list=bitmap.blkhash", "bitmap.qcow2")
    m.run("qemu-io", "-c", "write -P 1 0 64k", "bitmap.qcow2")
    content = b"\1" * (64 * KIB) + m.made["disk"][64 * KIB:]
    return Case(("--write-list=list", "--base=../images/bitmap.blkhash", "--bitmap=b0",
                 "../images/bitmap.qcow2"), (checksum(content),), writes="list")


def base_image(m):
    m.raw()
    m.disksum("--write-list=below.blkhash", "disk")
    m.run("qemu-img", "create", "-qf", "qcow2", "-Fraw", "-b", "disk", "above.qcow2")
    m.run("qemu-io", "-c", "write -P 1 0 64k", "above.qcow2")
    content = b"\1" * (64 * KIB) + m.made["disk"][64 * KIB:]
    return Case(("--write-list=list", "--base=../images/below.blkhash",
                 "--base-image=../images/disk", "../images/above.qcow2"),
                (checksum(content),), writes="list")


def changed(m):
    """The disk, with 600 bytes changed in two sectors of the data."""
    m.raw()
    content = bytearray(m.made["disk"])
    content[5000:5600] = b"x" * 600
    (m.images / "other").write_bytes(content)
    return "../images/other"


def diff(m):
    return Case(("--diff", "-t2", m.raw(), changed(m)), status=1, trouble=2, printed="diff")


def diff_qcow2(m):
    return Case(("--diff", "--json", m.convert("disk.qcow2", "qcow2"), changed(m)), status=1, trouble=2,
                printed="diff")


def diff_lists(m):
    changed(m)
    for name in "disk", "other":
        m.disksum(f"--write-list={name}.blkhash", name)
    return Case(("--diff", "../images/disk.blkhash", "../images/other.blkhash"), status=1, trouble=2,
                printed="diff")


def diff_list_and_image(m):
    changed(m)
    m.disksum("--write-list=disk.blkhash", "disk")
    return Case(("--diff", "-fraw", "../images/disk.blkhash", "../images/other"), status=1,
                trouble=2, printed="diff")


def diff_list_in_pipe(m):
    """As a raw image, it could be compared, too."""
    changed(m)
    for name in "disk", "other":
        m.disksum(f"--write-list={name}.blkhash", name)
    return Case(("--diff", "-fraw", "-", "../images/other.blkhash"), status=1, trouble=2,
                printed="diff", files={"stdin": (m.images / "disk.blkhash").read_bytes()})


CASES = (small, raw, ring, direct, direct_threads, mmap, pipe, several, part, member, qcow2,
         qcow2_compressed, qcow2_zstd, qcow2_chain, qcow2_data_file, qcow2_snapshot, vmdk,
         vmdk_stream, vmdk_extents, vhdx, vpc, vdi, export, export_without_extents, qcow2_export, command,
         qed, image_opts, several_digests, expect, as_json, check, check_json, write,
         rewrite, resume, list_on_stdout, shard, merge, merge_and_write, show,
         base_and_changes, base_and_bitmap, base_image, diff, diff_qcow2, diff_lists,
         diff_list_and_image, diff_list_in_pipe)
