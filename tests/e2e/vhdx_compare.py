# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare disksum with QEMU, and with the naive reader of VHDX."""
import vhdx_oracle
from conftest import sums
from qcow2_compare import bounded_memory, check_refused, convert, sum_of

WAYS = [], ["-T", "none"], ["-t", "1", "--queue-depth", "1"], ["-t", "4"], ["--no-extents"]


def naive_sum(image):
    """The checksum, or None if the image is broken."""
    try:
        return vhdx_oracle.guest_sum(image)
    except vhdx_oracle.Refused:
        return None


def qemu_sum(image):
    """The checksum, or None if QEMU refuses the image."""
    converted = convert(image, form="vhdx")
    return sum_of(converted) if converted else None


def check_good(disksum, image, *, qemu=True, ways=WAYS):
    """Every way to read it gives what QEMU and the naive reader find. qemu: False if
    QEMU refuses it, None if it is too slow."""
    expected = naive_sum(image)
    assert expected, "the naive reader refuses it"
    if qemu is not None:
        assert qemu_sum(image) == (expected if qemu else None)
    for way in ways:
        done = disksum("-f", "vhdx", *way, image, wrapper=bounded_memory())
        assert sums(done.stdout) == [expected], way


def refusal(disksum, image, *options):
    """The line that says why it is refused, after the name of the image."""
    done = disksum("-f", "vhdx", *options, image, check=False, wrapper=bounded_memory())
    check_refused(done)
    start = f"disksum: {image}: "
    assert done.stderr.startswith(start)
    return done.stderr[len(start):-1]
