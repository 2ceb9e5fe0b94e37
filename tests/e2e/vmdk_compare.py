# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare disksum with QEMU, and with the naive reader."""
import vmdk_oracle
from conftest import sums
from oracle import checksum
from qcow2_compare import bounded_memory, check_refused, convert, sum_of

# For which disksum must not start QEMU.
NO_QEMU = {"PATH": "/nonexistent"}

WAYS = [], ["-T", "none"], ["-t", "1", "--queue-depth", "1"], ["--no-extents", "-t", "3"]


def check_read(disksum, path, qemu=True, ways=WAYS):
    """An image that can be read. QEMU agrees, unless qemu is false."""
    content = vmdk_oracle.guest_bytes(path)
    if qemu:
        converted = convert(path, form="vmdk")
        assert converted, "QEMU refuses it"
        with open(converted, "rb") as file:
            assert file.read() == content, "the naive reader does not agree with QEMU"
    for way in ways:
        done = disksum("-f", "vmdk", *way, path, check=False, env=NO_QEMU,
                       wrapper=bounded_memory())
        assert (done.returncode, done.stderr) == (0, ""), (way, done)
        assert sums(done.stdout) == [checksum(content)], way
    return content


def check_large(disksum, path):
    """An image that is too large for the naive reader."""
    expected = sum_of(convert(path, form="vmdk"))
    for way in [], ["-T", "none"]:
        done = disksum("-f", "vmdk", *way, path, env=NO_QEMU, wrapper=bounded_memory())
        assert sums(done.stdout) == [expected]


def refused(disksum, path, *options, qemu=True):
    """The line for an image that cannot be read. QEMU refuses it, too, unless qemu is
    false."""
    if qemu:
        assert convert(path, form="vmdk") is None, "QEMU reads it"
    done = disksum("-f", "vmdk", *options, path, check=False, env=NO_QEMU,
                   wrapper=bounded_memory())
    check_refused(done)
    return done.stderr[len("disksum: "):-1]
