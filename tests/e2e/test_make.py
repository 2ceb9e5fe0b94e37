# SPDX-License-Identifier: LGPL-2.1-or-later
"""What make tells: its targets, and the packages that are missing."""

import os
import re
import shutil
import subprocess

import pytest


def test_help_has_each_target(root):
    makefile = (root / "Makefile").read_text()
    out = subprocess.run(["make", "-C", root, "--no-print-directory", "help"],
                         check=True, stdout=subprocess.PIPE, text=True).stdout
    [phony] = re.findall(r"^\.PHONY: (.*)", makefile, re.M)
    assert sorted(re.findall(r"^    make ([\w-]+) +\S", out, re.M)) == \
        sorted(phony.split())
    assert all(len(line) < 80 for line in out.splitlines())


# --- scripts/install-packages --------------------------------------------

@pytest.fixture
def install(root, tmp_path):
    """Run it on a machine that has these programs, and such packages."""
    def run(programs, installed, uid=1000):
        bin = tmp_path / "bin"
        bin.mkdir()
        stubs = {
            "dpkg-query": f"case ' {installed} ' in *\" $3 \"*) echo installed ;; "
                          "*) exit 1 ;; esac",
            "id": f"echo {uid}",
            "apt-get": f'echo "apt-get $*" >>{tmp_path}/calls',
            "sudo": f'echo "sudo $*" >>{tmp_path}/calls; exec "$@"'}
        for name in ("sh", "grep", "env"):
            os.symlink(shutil.which(name), bin / name)
        for name in programs:
            (bin / name).write_text(f"#!/bin/sh\n{stubs[name]}\n")
            (bin / name).chmod(0o755)
        done = subprocess.run(["sh", root / "scripts/install-packages", "demo", "fuzz"],
                              env={"PATH": str(bin)}, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        calls = tmp_path / "calls"
        return done, calls.read_text().splitlines() if calls.exists() else []
    return run


DEBIAN = ["dpkg-query", "apt-get", "id"]
ALL = "qemu-utils clang libclang-rt-14-dev"
INSTALL = "apt-get install -y -qq --no-install-recommends clang libclang-rt-14-dev"


def test_nothing_is_missing(install):
    """Then nobody has to be root."""
    done, calls = install(DEBIAN, ALL)
    assert (done.returncode, done.stdout, done.stderr, calls) == (0, "", "", [])


def test_missing_for_root(install):
    done, calls = install(DEBIAN, "qemu-utils", uid=0)
    assert done.returncode == 0
    assert done.stdout == "Installing Debian packages: clang libclang-rt-14-dev\n"
    assert calls == ["apt-get update -qq", INSTALL]


def test_missing_with_sudo(install):
    done, calls = install([*DEBIAN, "sudo"], "qemu-utils")
    assert done.returncode == 0
    assert calls == ["sudo apt-get update -qq", "apt-get update -qq",
                     f"sudo env DEBIAN_FRONTEND=noninteractive {INSTALL}", INSTALL]


def test_missing_without_sudo(install):
    done, calls = install(DEBIAN, "qemu-utils")
    assert (done.returncode, done.stdout, calls) == (1, "", [])
    assert done.stderr == (
        "Debian packages are missing: clang libclang-rt-14-dev\n"
        "This is not root, and sudo is missing. As root, run:\n"
        "    apt-get install clang libclang-rt-14-dev\n")


def test_no_debian(install):
    """Whoever has installed all that is needed can go on."""
    done, calls = install([], "")
    assert (done.returncode, calls) == (0, [])
    assert done.stdout == \
        "Packages are installed on Debian only: going on with what is here\n"
