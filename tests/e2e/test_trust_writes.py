# SPDX-License-Identifier: LGPL-2.1-or-later
"""The author of an image cannot choose what is written."""

import hashlib
import json
import os

import pytest

from conftest import BUILD, sums
from hostile_images import MAKERS, SIZE, hostile, hostile_qed
from qcow2_image import Image


@pytest.fixture(params=["landlock", "no landlock"])
def kernel(request):
    """A prefix of the command, for a kernel with and without Landlock."""
    if request.param == "landlock":
        return []
    return [BUILD / "tests/refuse-calls", "ENOSYS", "landlock_create_ruleset"]


class Victim:
    """An image of this host that another names, in a chain: what a guest has not
    written yet, a copy-on-read filter writes into it. A bit that a program which
    opens it for writing clears is set."""

    def __init__(self, directory):
        self.base = directory / "victim.raw"
        self.path = directory / "victim.qcow2"
        self.base.write_bytes(b"disk" * (SIZE // 4))
        image = Image(SIZE, backing=os.fsencode(self.base), backing_format=b"raw")
        image.header["autoclear_features"] = 1 << 7
        image.write(self.path)
        self.sums = self.state()

    def state(self):
        return [hashlib.sha256(path.read_bytes()).hexdigest()
                for path in (self.base, self.path)]

    def node(self):
        """A graph that writes into it, whatever locks there are."""
        return {"driver": "copy-on-read", "read-only": False, "file": {
            "driver": "qcow2", "read-only": False, "file": {
                "driver": "file", "filename": str(self.path), "locking": "off",
                "read-only": False}}}

    def name(self):
        return "json:" + json.dumps(self.node(), separators=(",", ":"))


@pytest.fixture
def victim(tmp_path):
    victim = Victim(tmp_path)
    yield victim
    assert victim.state() == victim.sums


def run(disksum, *args, **kwargs):
    """disksum may succeed, or fail with one line."""
    done = disksum(*args, check=False, **kwargs)
    assert done.returncode in (0, 1)
    if done.returncode:
        assert not sums(done.stdout)
    return done


@pytest.mark.parametrize("options", [[], ["--trust-names"], ["-U"]])
@pytest.mark.parametrize("make", MAKERS)
def test_image_does_not_write(disksum, victim, tmp_path, kernel, make, options):
    path = make(tmp_path / "image", victim.name())
    run(disksum, *options, path, wrapper=kernel)


@pytest.mark.parametrize("options", [[], ["--trust-names"]])
def test_second_image_of_a_chain_does_not_write(disksum, victim, tmp_path, kernel,
                                                options):
    below = hostile(tmp_path / "below.qcow2", victim.name())
    top = tmp_path / "top.qcow2"
    Image(SIZE, backing=b"below.qcow2", backing_format=b"qcow2").write(top)
    qed = hostile_qed(tmp_path / "top.qed", str(below))
    for path in top, qed:
        run(disksum, *options, path, wrapper=kernel)


@pytest.mark.parametrize("options", [[], ["--trust-names"]])
def test_image_in_an_export_does_not_write(disksum, victim, servers, tmp_path, kernel,
                                           options):
    path = hostile(tmp_path / "image", victim.name())
    uri, _ = servers.nbdkit("file", path)
    run(disksum, *options, "-f", "qcow2", uri, wrapper=kernel)
    run(disksum, *options, "-f", "qcow2", "--", "[", "nbdkit", "file", path, "]",
        wrapper=kernel)


def test_image_in_a_list_does_not_write(disksum, victim, tmp_path, kernel):
    path = hostile(tmp_path / "image", victim.name())
    for name in path, victim.name():
        line = f"{'0' * 64}  {name}\n"
        for options in [], ["--trust-names"]:
            disksum("-c", *options, input=line, check=False, wrapper=kernel)


def test_typed_description_does_not_write(disksum, victim, tmp_path, kernel):
    """Neither the description that the user wrote writes, nor an image that it opens."""
    path = hostile(tmp_path / "image", victim.name())
    for args in [victim.name()], ["--image-opts", f"driver=qcow2,file.filename={path}"]:
        run(disksum, *args, wrapper=kernel)
