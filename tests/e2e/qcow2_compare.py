# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compare disksum, and the Python oracle, with QEMU."""
import hashlib
import os
import pathlib
import subprocess
from typing import Callable, NamedTuple, Optional

import qcow2_oracle
from conftest import BUILD
from oracle import checksum

TIMEOUT = 20                    # seconds for one run of qemu-img
QEMU_MEMORY = 4 << 30           # its address space
MEMORY = 256 << 20              # resident bytes of disksum, for a bad image
NAIVE = 64 << 20                # the Python oracle is too slow for larger disks


class Case(NamedTuple):
    """An odd image. QEMU is right, unless `differs` says why not."""
    name: str
    build: Callable             # build(directory) -> path of the image
    snapshot: Optional[str] = None
    differs: str = ""           # why the answer is not QEMU's
    either: str = ""            # why QEMU's answer is not the only one: to refuse is
                                # right as well, or to read `expect` where QEMU refuses
    expect: Optional[bytes] = None      # what it is then; None with `differs`: refused


def qemu_img(*args, **options):
    return subprocess.run(["prlimit", f"--as={QEMU_MEMORY}", "qemu-img", *map(str, args)],
                          stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT,
                          errors="replace", **options)


def convert(image, snapshot=None, form="qcow2"):
    """The raw image that QEMU makes of it, or None."""
    target = pathlib.Path(f"{image}.converted")
    choice = ["-l", snapshot] if snapshot else []
    try:
        done = qemu_img("convert", "-f", form, "-O", "raw", *choice, image, target)
    except subprocess.TimeoutExpired:
        return None
    # A failure must come from the image, not from the output.
    assert "while writing" not in done.stderr and "resize" not in done.stderr, done.stderr
    return target if done.returncode == 0 else None


def sparse_checksum(path):
    """Like checksum(), but fast for a large file of holes."""
    size = os.path.getsize(path)
    blocks, tail = divmod(size, 65536)
    zero = hashlib.sha256(bytes(65536)).digest()
    root, done = hashlib.sha256(), 0
    with open(path, "rb") as file:
        def holes(until):
            for start in range(done, until, 65536):
                root.update(zero * min(65536, until - start))
        while done < blocks:
            try:
                start = os.lseek(file.fileno(), done * 65536, os.SEEK_DATA) // 65536
            except OSError:
                start = blocks
            start = min(start, blocks)
            holes(start)
            done = start
            if done < blocks:
                file.seek(done * 65536)
                root.update(hashlib.sha256(file.read(65536)).digest())
                done += 1
        if tail:
            file.seek(blocks * 65536)
            root.update(hashlib.sha256(file.read(tail)).digest())
    root.update(size.to_bytes(8, "little"))
    return root.hexdigest()


def sum_of(path):
    return checksum(path) if os.path.getsize(path) <= NAIVE else sparse_checksum(path)


def check_oracle(image, converted, case):
    """The Python oracle must agree with QEMU as well."""
    if case.either:
        return
    snapshot = case.snapshot
    if converted is None:
        try:
            qcow2_oracle.guest_bytes(image, snapshot)
        except qcow2_oracle.Refused:
            return
        raise AssertionError("QEMU refuses what the oracle reads")
    if os.path.getsize(converted) > NAIVE:
        return
    with open(converted, "rb") as file:
        assert qcow2_oracle.guest_bytes(image, snapshot) == file.read(), \
            "the oracle does not agree with QEMU"


def check_refused(done):
    """One clear line, and no checksum."""
    assert done.returncode == 1, done
    assert done.stdout == "", done
    assert done.stderr.endswith("\n") and done.stderr.count("\n") == 1, done
    assert done.stderr.startswith("disksum: "), done
    assert done.stderr[:-1].isprintable(), done


def expected_sums(case, image):
    """The checksums that are right. If there are none, the image must be refused."""
    if case.differs:
        return [] if case.expect is None else [checksum(case.expect)]
    converted = convert(image, case.snapshot)
    check_oracle(image, converted, case)
    sums = [sum_of(converted)] if converted else []
    if case.either and case.expect is not None:
        sums.append(checksum(case.expect))
    return sums


def bounded_memory():
    """A wrapper that limits memory. Sanitizers need more."""
    if BUILD.name in ("build-clang", "build-tsan"):
        return []
    return [BUILD / "tests" / "max-memory", str(MEMORY >> 10)]


def check_case(disksum, directory, case, *options):
    image = case.build(directory)
    choice = ["-l", case.snapshot] if case.snapshot else []
    sums = expected_sums(case, image)

    done = disksum("-f", "qcow2", *options, *choice, image, check=False,
                   wrapper=bounded_memory())

    if not sums or case.either and done.returncode:
        check_refused(done)
    else:
        assert done.returncode == 0, done
        assert done.stdout.split(maxsplit=1)[0] in sums, done


def check_image(disksum, image, *options, form="qcow2", snapshot=None):
    """Compare a good image with QEMU and the oracle, for every way to read."""
    converted = convert(image, snapshot, form)
    assert converted, "QEMU refuses it"
    if form == "qcow2":
        check_oracle(image, converted, Case("good", None, snapshot))
    expected = sum_of(converted)
    choice = ["-l", snapshot] if snapshot else []
    for way in ([], ["-T", "none"], ["-t", "1", "--queue-depth", "1"], ["-t", "4"]):
        done = disksum("-f", form, *options, *way, *choice, image, check=False)
        assert done.returncode == 0, done
        assert not done.stderr or "warning: no format is recorded" in done.stderr, done
        assert done.stdout.split(maxsplit=1)[0] == expected, (way, done)
