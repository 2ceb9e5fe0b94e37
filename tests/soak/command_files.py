# SPDX-License-Identifier: LGPL-2.1-or-later
"""The files that random command lines name: images, lists and others, good and bad."""

import os
import pathlib
import random
import tarfile

import list_oracle
import vdi_image
import vmdk_image
import vpc_image
from oracle import checksum, write_image
from qcow2_bitmap_image import Bitmaps
from qcow2_image import Image, deflate

DISK = "40k:A 30k:- 3000:0 512:B 60k:C"


def write_images():
    disk = write_image("disk.raw", DISK)
    pathlib.Path("odd.raw").write_bytes(disk[:-77])
    write_image("empty.raw", "")
    write_image("sparse.img", "1000k:- 1:A 999k:-")
    pathlib.Path("garbage").write_bytes(random.Random("garbage").randbytes(9000))
    image = Image(512 * 300, cluster_bits=12)
    image.disk.data(1, b"one ")
    image.disk.compressed(2, deflate(b"two " * 1024))
    image.snapshot(b"1", b"one", 512 * 300).data(0, b"then ")
    bitmaps = Bitmaps(image)
    bitmaps.add(b"b0", [], granularity_bits=16)
    bitmaps.finish()
    image.write("disk.qcow2")
    content = pathlib.Path("disk.qcow2").read_bytes()
    pathlib.Path("cut.qcow2").write_bytes(content[:5000])
    top = Image(512 * 300, cluster_bits=9, backing=b"disk.raw", backing_format=b"raw")
    top.disk.data(7, b"top ")
    top.write("top.qcow2")
    Image(512, backing=b"missing.raw", backing_format=b"raw").write("orphan.qcow2")
    sparse = vmdk_image.Sparse(512)
    sparse.data(1, b"vmdk ")
    sparse.write(pathlib.Path("disk.vmdk"))
    vdi = vdi_image.Image(1 << 20)
    vdi.data(0, b"vdi ")
    vdi.write("disk.vdi")
    vpc = vpc_image.Image(1 << 18, block_size=1 << 16)
    vpc.data(1, b"vpc ")
    vpc.write("disk.vhd")
    return disk


def write_lists(disk):
    whole = list_oracle.write_list(disk + bytes(-len(disk) % 512))
    pathlib.Path("disk.blkhash").write_bytes(whole)
    pathlib.Path("cut.blkhash").write_bytes(whole[:-40])
    for number, first, count in (1, 0, 1), (2, 1, 10):
        pathlib.Path(f"{number}.blkhash").write_bytes(
            list_oracle.write_list(disk + bytes(-len(disk) % 512), first=first, count=count))
    right = checksum(disk)
    pathlib.Path("SUMS").write_text(f"{right}  disk.raw\n{'0' * 64}  disk.vdi\n")
    pathlib.Path("TAGS").write_text(f"BLKHASH-SHA256-64K (disk.raw) = {right}\nno line\n")
    pathlib.Path("JSON").write_text(
        '{"filename": "disk.raw", "algorithm": "sha256", "block-size": 65536, '
        f'"construction": "blkhash", "checksum": "{right}"}}\n[1, {{"a"')
    pathlib.Path("changes.json").write_text('[{"offset": 0, "length": 65536, "type": 1}]')


def write_archives():
    for name, members in ("archive.tar", ["disk.raw", "disk.qcow2"]), \
            ("disk.ova", ["a.ovf", "disk.vmdk"]):
        with tarfile.open(name, "w") as archive:
            for member in members:
                info = tarfile.TarInfo(member)
                source = pathlib.Path(member)
                info.size = source.stat().st_size if source.exists() else 0
                with open(source if source.exists() else os.devnull, "rb") as file:
                    archive.addfile(info, file)


def write_others():
    os.mkdir("directory")
    os.mkfifo("fifo")
    os.symlink("disk.raw", "link.raw")
    os.symlink("loop", "loop")
    for name in b"new\nline.raw", "ümlaut.raw".encode(), b"\xff.raw", b"-q", b"a:b", b"a b.raw":
        pathlib.Path(os.fsdecode(name)).write_bytes(b"named")


def write_all():
    """In the current directory. Returns the default checksums that are known."""
    disk = write_images()
    write_lists(disk)
    write_archives()
    write_others()
    return {name: checksum(name) for name in ("disk.raw", "odd.raw", "empty.raw", "sparse.img",
                                              "garbage", "link.raw")}


IMAGES = ["disk.raw", "odd.raw", "empty.raw", "sparse.img", "garbage", "disk.qcow2",
          "top.qcow2", "disk.vmdk", "disk.vdi", "disk.vhd", "link.raw"]
LISTS = ["disk.blkhash", "1.blkhash", "2.blkhash"]
SUMS = ["SUMS", "TAGS", "JSON"]
# A FIFO would be waited for as a list.
ODD = ["cut.qcow2", "orphan.qcow2", "cut.blkhash", "archive.tar", "disk.ova", "directory",
       "loop", "missing", "/dev/null", "/dev/full", "-", "", ".", "new\nline.raw",
       "ümlaut.raw", "\udcff.raw", "./-q", "a:b", "./a:b", "a b.raw", "x" * 5000,
       "directory/missing", "disk.raw/x", "json:{}", "json:{\"driver\":\"raw\"}", "nbd:",
       "nbd://", "nbd+unix:///?socket=missing", "nbd+unix:///x?socket=disk.raw", "file:disk.raw",
       "nbds+unix:///?socket=missing&tls-certificates=directory", "fat:directory",
       "/proc/self/fd/0", "/dev/stdin", "/proc/version", "driver=raw,file.filename=disk.raw"]
COMMANDS = [["[", "nbdkit", "null", "100k", "]"], ["[", "true", "]"], ["[", "missing", "]"],
            ["[", "nbdkit", "pattern", "64k", "]"], ["["], ["[", "]"], ["]"]]
