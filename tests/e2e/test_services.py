# SPDX-License-Identifier: LGPL-2.1-or-later
"""What containers and services forbid: the seccomp filters of tests/profiles, and what a
strict unit of systemd sees of the host."""

import shutil
import signal
import subprocess

import pytest

from conftest import BUILD, ROOT
from test_limits import (  # noqa: F401 (fixtures)
    CASES, as_user, directory_for_sockets, disk, runner, users_work)

PROFILES = ROOT / "tests/profiles"


def profile_works():
    """The numbers of the filters are those of one architecture."""
    program = BUILD / "tests/seccomp-profile"
    return program.exists() and subprocess.run(
        [program, PROFILES / "docker", "true"], stderr=subprocess.DEVNULL,
        check=False).returncode == 0


pytestmark = [pytest.mark.no_sanitizer,
              pytest.mark.skipif(not profile_works(), reason="no seccomp filters here")]


def profile(name):
    """The start of a command that runs under a filter."""
    return [BUILD / "tests/seccomp-profile", PROFILES / name]


@pytest.fixture
def deadly(tmp_path):
    """As without SystemCallErrorNumber=, which is the default."""
    text = (PROFILES / "systemd").read_text()
    assert text.count("filter EPERM") == 1
    (tmp_path / "deadly").write_text(text.replace("filter EPERM", "filter kill"))
    return profile(tmp_path / "deadly")


@pytest.mark.parametrize("name", CASES)
def test_filter(runner, name):  # noqa: F811
    assert runner.run(name, profile("docker"))


@pytest.mark.parametrize("name", CASES)
def test_filter_that_kills(runner, deadly, name):  # noqa: F811
    """Who makes another call than those that it allows, as for Landlock."""
    assert runner.run(name, deadly)


def test_filters_refuse(deadly):
    """What these tests rely on."""
    def chroot(wrapper):
        done = subprocess.run([*wrapper, "chroot", "/usr", "true"], check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        return done.returncode, b"Operation not permitted" in done.stderr
    assert chroot(profile("docker")) == (125, True)
    assert chroot(profile("systemd")) == (125, True)
    assert chroot(deadly) == (-signal.SIGSYS, False)


# ProtectSystem=strict, PrivateTmp=yes, PrivateDevices=yes, ProtectProc=invisible,
# ProcSubset=pid, for a user without capabilities but that to read the test's files.
STRICT = """
    mount --make-rprivate / && mount --bind "$TMPDIR" "$TMPDIR" &&
    mount -t proc -o hidepid=invisible,subset=pid none /proc &&
    mount -t tmpfs -o mode=755 none /dev && mknod -m 666 /dev/null c 1 3 &&
    mknod -m 666 /dev/zero c 1 5 && mknod -m 666 /dev/urandom c 1 9 && mkdir /dev/shm &&
    mount -o remount,ro,bind / / && exec "$0" "$@"
"""


def strict(user):
    return ["unshare", "--mount", "sh", "-c", STRICT, *as_user(user)]


def strict_works(directory):
    return users_work() and shutil.which("unshare") and subprocess.run(
        ["env", f"TMPDIR={directory}", *strict(54321), "true"], stderr=subprocess.DEVNULL,
        check=False).returncode == 0


@pytest.mark.parametrize("name", CASES)
def test_strict_unit(runner, name):  # noqa: F811
    if not strict_works(runner.out):
        pytest.skip("cannot make a mount namespace")
    runner.out.chmod(0o777)
    assert runner.run(name, [*strict(54321), *profile("systemd")])


@pytest.mark.parametrize("name", CASES)
def test_read_only_root(runner, name):  # noqa: F811
    """What writes nothing works, whatever TMPDIR is; the rest says so."""
    read_only = ["unshare", "--mount", "sh", "-c",
                 'mount -o remount,ro,bind / / && exec "$0" "$@"']
    if subprocess.run([*read_only, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("cannot make a mount namespace")
    writes = name in ("command", "read by QEMU", "list")
    assert runner.run(name, read_only) == (not writes)


@pytest.mark.parametrize("name", CASES)
def test_no_proc(runner, name):  # noqa: F811
    """What QEMU reads is not seen without it, and so not whether it changes."""
    hidden = ["unshare", "--map-root-user", "--mount", "sh", "-c",
              'mount -t tmpfs none /proc && exec "$0" "$@"',
              "env", f"LD_LIBRARY_PATH={BUILD}"]  # otherwise found by /proc/self/exe
    if subprocess.run([*hidden, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
        pytest.skip("cannot hide /proc")
    assert runner.run(name, hidden) == (name != "read by QEMU")
