# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images whose author chose the name of another file: each is made at a path, and
records a name."""

import os
import struct
import subprocess

from qcow2_image import Image

SIZE = 1 << 20


def qemu_img(*args):
    subprocess.run(["qemu-img", *map(os.fspath, args)], check=True,
                   stdout=subprocess.DEVNULL)


def hostile(path, name):
    """A qcow2 image that records a name and no format."""
    Image(SIZE, backing=name.encode()).write(path)
    return path


def hostile_qed(path, name):
    name = name.encode()
    header = b"QED\0" + struct.pack("<IIIQQQQQII", 65536, 4, 1, 1, 0, 0, 65536, SIZE,
                                    72, len(name))
    assert len(header) == 64
    path.write_bytes((header.ljust(72, b"\0") + name).ljust(5 * 65536, b"\0"))
    return path


def hostile_qcow(path, name):
    name = name.encode()
    path.write_bytes((b"QFI\xfb" + struct.pack(">IQIIQBBHIQ", 1, 48, len(name), 0, SIZE,
                                               12, 9, 0, 0, 4096) + name)
                     .ljust(65536, b"\0"))
    return path


DESCRIPTOR = """# Disk DescriptorFile
version=1
CID=12345678
parentCID={cid}
createType="monolithicFlat"
{lines}
"""


def hostile_vmdk(path, name):
    """The descriptor names the file of an extent. QEMU cannot read a quote in a name,
    but does not need one either."""
    text = name.replace('"', "'")
    path.write_text(DESCRIPTOR.format(
        cid="ffffffff", lines=f'RW {SIZE // 512} FLAT "{text}" 0'))
    return path


def hostile_vmdk_parent(path, name):
    flat = path.with_suffix(".flat")
    flat.write_bytes(bytes(SIZE))
    text = name.replace('"', "'")
    path.write_text(DESCRIPTOR.format(
        cid="87654321", lines=f'RW {SIZE // 512} FLAT "{flat}" 0\n'
        f'parentFileNameHint="{text}"'))
    return path


MAKERS = [hostile, hostile_qed, hostile_qcow, hostile_vmdk, hostile_vmdk_parent]
