# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that qemu-img and qemu-io make, from lines of text."""
import re
import subprocess

from qcow2_compare import qemu_img

UNITS = {"": 1, "k": 1 << 10, "M": 1 << 20}
SPEC = "32k:A 64k:- 3000:0 200:B 70k:z 513:C 128k:d 5:D 100k:0 31k:E"


def parse(spec):
    """A text such as "32k:A 64k:- 3000:0" -> pieces of (offset, length, kind)."""
    pieces, offset = [], 0
    for word in spec.split():
        number, unit, kind = re.fullmatch(r"(\d+)([kM]?):(.)", word).groups()
        length = int(number) * UNITS[unit]
        pieces.append((offset, length, kind))
        offset += length
    return pieces


def command(offset, length, kind):
    """The command of qemu-io for a piece: - none, 0 zeros, z unmapped zeros, d discard."""
    if kind == "0":
        return f"write -z {offset} {length}"
    if kind == "z":
        return f"write -zu {offset} {length}"
    if kind == "d":
        start = -(-offset // 512) * 512     # whole sectors only
        return f"discard {start} {max(512, (offset + length - start) // 512 * 512)}"
    return f"write -P {ord(kind)} {offset} {length}"


def qemu(*args):
    done = qemu_img(*args)
    assert done.returncode == 0, done


def fill(image, pieces, form="qcow2"):
    commands = [part for piece in pieces if piece[2] != "-"
                for part in ("-c", command(*piece))]
    done = subprocess.run(["qemu-io", "-f", form, *commands, str(image)],
                          capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done


def create(name, spec=SPEC, size=None, options="", backing=None, form="qcow2"):
    """An image made by QEMU, with what the text says in it."""
    pieces = parse(spec)
    size = size or -(-sum(length for _, length, _ in pieces) // 512) * 512
    below = ["-b", backing, "-F", "raw" if backing.endswith("raw") else "qcow2"] \
        if backing else []
    extra = ["-o", options] if options else []
    qemu("create", "-q", "-f", form, *extra, *below, name, size)
    fill(name, pieces, form)
    return name
