# SPDX-License-Identifier: LGPL-2.1-or-later
"""What QEMU says when it cannot read an image arrives whole, on one line."""

import struct
import subprocess

import pytest

from luks import encrypt
from test_qemu import SECRET, directory, qemu_img, raw  # noqa: F401 (fixtures)
from test_qemu_read_only_formats import make_dmg

KEY = "The image is encrypted; give its key with --object secret,id=ID,file=PATH"


def crc32c(data):
    crc = 0xffffffff
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82f63b78 if crc & 1 else 0)
    return crc ^ 0xffffffff


def seal(block):
    """Put its checksum into a header or a log entry."""
    block[4:8] = bytes(4)
    block[4:8] = struct.pack("<I", crc32c(block))
    return block


def make_vhdx_with_log(path):
    """The headers name a log, which has an entry that changes nothing."""
    qemu_img("create", "-f", "vhdx", path, "1M")
    content = bytearray(path.read_bytes())
    guid = bytes(range(1, 17))
    for at in 64 << 10, 128 << 10:
        header = content[at:at + 4096]
        header[48:64] = guid
        content[at:at + 4096] = seal(header)
    log, = struct.unpack_from("<Q", content, at + 72)
    entry = b"loge" + struct.pack(
        "<IIIQII16sQQ", 0, 4096, 0, 1, 0, 0, guid, len(content), len(content))
    content[log:log + 4096] = seal(bytearray(entry.ljust(4096, b"\0")))
    path.write_bytes(content)


def test_hint_of_two_lines(fails, tmp_path):
    path = tmp_path / "disk.vhdx"
    make_vhdx_with_log(path)
    image = f"driver=vhdx,file.filename={path}"
    assert fails("--image-opts", image) == \
        f"{image}: QEMU: VHDX image file '{path}' opened read-only, but " \
        "contains a log that needs to be replayed. To replay the log, run: " \
        f"qemu-img check -r all '{path}'"


@pytest.mark.parametrize("kind", [0x80000006, 0x80000007])
def test_missing_module(fails, tmp_path, raw, kind):
    """QEMU only warns of it when it opens the image: another part of the disk
    could be read."""
    path = tmp_path / "disk.dmg"
    content = raw.read_bytes()
    make_dmg(path, content[:len(content) // 196608 * 196608], kind)
    done = subprocess.run(["qemu-img", "convert", "-O", "raw", path,
                           tmp_path / "out"], capture_output=True, text=True)
    said = [line.partition("warning: ")[2] for line in done.stderr.splitlines()
            if "is missing" in line]
    if not said:
        pytest.skip("QEMU has the module")
    offset = len(content) // 196608 * 196608 // 3 * 2
    for threads in "1", "4":
        assert fails("-t", threads, path) == \
            f"{path}: read error at offset {offset}: QEMU: {said[0]}"


def test_key_of_luks(fails, raw):
    path = encrypt(raw, raw.with_suffix(".luks"), "-O", "luks", "-o",
                   "key-secret=s,iter-time=100", secret=SECRET)
    reason = "QEMU: Parameter 'key-secret' is required for cipher"
    assert fails(path) == \
        f"{path}: {reason}. {KEY} --image-opts driver=luks,key-secret=ID," \
        "file.filename=..."
    image = f"driver=luks,file.filename={path}"
    assert fails("--image-opts", image) == \
        f"{image}: {reason}. {KEY}, and its ID as key-secret=ID"


def test_key_of_qcow(fails, raw):
    path = encrypt(raw, raw.with_suffix(".qcow"), "-O", "qcow", "-o",
                   "encrypt.format=aes,encrypt.key-secret=s", secret=SECRET)
    assert fails(path) == \
        f"{path}: QEMU: Parameter 'encrypt.key-secret' is required for " \
        f"cipher. {KEY} --image-opts driver=qcow,encrypt.key-secret=ID," \
        "file.filename=..."
