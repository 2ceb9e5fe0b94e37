# SPDX-License-Identifier: LGPL-2.1-or-later
"""Old kernels and strict seccomp filters: no system call that is newer than Linux
4.18 is needed, nor another one that containers forbid."""

import shutil
import subprocess

import pytest

from conftest import sums
from oracle import checksum, write_image
from test_nbd_command import children_with

# What is newer than Linux 4.18, and some that are often forbidden: of disksum,
# its libraries and the servers. They go together as kernels have them.
CALLS = [
    "close_range", "io_uring_setup", "io_uring_setup,io_uring_enter,io_uring_register",
    "openat2", "pidfd_open,pidfd_send_signal,pidfd_getfd", "faccessat2",
    "landlock_create_ruleset", "landlock_add_rule", "landlock_restrict_self",
    "landlock_create_ruleset,landlock_add_rule,landlock_restrict_self",
    "statx", "copy_file_range", "rseq", "memfd_create", "getrandom", "preadv2",
    "process_madvise,epoll_pwait2,futex_waitv",
    "close_range,io_uring_setup,openat2,pidfd_open,pidfd_send_signal,faccessat2,"
    "landlock_create_ruleset,statx,copy_file_range,rseq,memfd_create,preadv2"]

# glibc does without clone3() only if it is not there: where it is forbidden, no
# program can start a thread.
CASES = [(error, calls) for error in ("ENOSYS", "EPERM") for calls in CALLS] + \
    [("ENOSYS", "clone3")]


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """(the arguments for each image of a disk, its checksum, their directory)"""
    directory = tmp_path_factory.mktemp("kernels")
    raw = directory / "disk.raw"
    content = write_image(raw, "100k:A 1M:0 300k:B 2M:- 77k:C 163k:0")
    for form in "qcow2", "qed":
        subprocess.run(["qemu-img", "convert", "-O", form, raw, directory / f"disk.{form}"],
                       check=True)
    images = [[raw], ["-T", "none", raw], [directory / "disk.qcow2"],
              ["-T", "none", directory / "disk.qcow2"], [directory / "disk.qed"]]
    if shutil.which("nbdkit"):
        images.append(["--", "[", "nbdkit", "file", raw, "]"])
    return images, checksum(content), directory


@pytest.mark.parametrize("error, calls", CASES)
def test_refused_calls(disksum, build, images, tmp_path, error, calls):
    images, expected, directory = images
    for image in images:
        result = disksum(*image, wrapper=[build / "tests/refuse-calls", error, calls],
                         env={"TMPDIR": str(tmp_path)})
        assert sums(result.stdout) == [expected], image
    assert not children_with(str(directory))
    assert list(tmp_path.iterdir()) == []
