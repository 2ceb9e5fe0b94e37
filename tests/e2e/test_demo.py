# SPDX-License-Identifier: LGPL-2.1-or-later
"""What 'make demo' shows, on its own image and on the user's."""

import os
import re
import shutil
import subprocess

import pytest

from oracle import checksum, write_image

pytestmark = pytest.mark.no_sanitizer  # the demo runs build/disksum


def demo(root, image):
    """What disksum printed, and what sha256sum did: checksums by name."""
    out = subprocess.run([root / "scripts/demo", image], cwd=root, check=True,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    parts = out.stdout.decode().split("$ sha256sum")
    return [dict(reversed(line.split("  ")) for line in part.splitlines()
                 if re.match(r"[0-9a-f]{64}  ", line)) for part in parts]


def test_embedded_image(root):
    ours, sha256sum = demo(root, "demo/disk.raw")
    assert set(ours) == {"demo/disk.raw", "sparse.raw", "full.raw",
                         "disk.qcow2", "zlib.qcow2", "-"}
    assert set(ours.values()) == {checksum(root / "demo/disk.raw")}
    assert len(set(sha256sum.values())) == 3


def test_image_of_the_user(root, tmp_path):
    write_image(tmp_path / "disk", "1M:A 2M:- 100:B")
    path = f"{tmp_path}/disk"
    assert demo(root, path) == [{path: checksum(path)}]


def test_an_image_is_read_once(root, build, tmp_path):
    """What is shown is all that is run."""
    tree = tmp_path / "tree"
    (tree / "build").mkdir(parents=True)
    shutil.copytree(root / "scripts", tree / "scripts")
    (tree / "build/disksum").write_text(
        f'#!/bin/sh\necho run >>{tmp_path}/runs\nexec {build}/disksum "$@"\n')
    (tree / "build/disksum").chmod(0o755)
    write_image(tmp_path / "disk", "1M:A")
    demo(tree, f"{tmp_path}/disk")
    assert (tmp_path / "runs").read_text() == "run\n"


def run_as_make_does(root, *variables):
    """What 'make demo' does when all is built and installed."""
    # As from a shell, also within 'make check'.
    env = {name: value for name, value in os.environ.items()
           if not name.startswith("MAKE") and name != "IMAGE"}
    planned = subprocess.run(["make", "-n", "demo", *variables], cwd=root,
                             env=env, check=True, stdout=subprocess.PIPE)
    command = planned.stdout.decode().splitlines()[-1]
    return subprocess.run(["sh", "-c", command], cwd=root,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("name", ["my disk", "it's", '"', "a;b", "*", "-d"])
def test_name_for_make(root, tmp_path, name):
    write_image(tmp_path / name, "64k:A")
    done = run_as_make_does(root, f"IMAGE={tmp_path}/{name}")
    assert done.returncode == 0
    assert checksum(tmp_path / name) in done.stdout.decode()
    assert f": {64 << 10} bytes" in done.stdout.decode()


@pytest.mark.parametrize("variables", [[], ["IMAGE="]], ids=str)
def test_default_image(root, variables):
    assert b"zlib.qcow2" in run_as_make_does(root, *variables).stdout


def test_a_file_that_is_not_there(root, tmp_path):
    done = run_as_make_does(root, f"IMAGE={tmp_path}/no disk")
    assert (done.returncode, done.stdout, done.stderr.decode()) == \
        (1, b"", f"demo: {tmp_path}/no disk: no such file\n")


def test_an_export(root, servers, tmp_path):
    write_image(tmp_path / "disk", "64k:A")
    uri, _ = servers.nbdkit("file", tmp_path / "disk")
    done = run_as_make_does(root, f"IMAGE={uri}")
    assert done.returncode == 0
    assert done.stdout.decode() == \
        f"\n# The image as it is\n$ disksum -v -- {uri}\n" \
        f"{checksum(tmp_path / 'disk')}  {uri}\n"
