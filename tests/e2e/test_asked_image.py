# SPDX-License-Identifier: LGPL-2.1-or-later
"""An error of another file of an image names the image that was asked for, too: among a
hundred, the name of a missing base says little."""

import json
import os

import pytest

from hostile_images import hostile_qed, qemu_img
from oracle import checksum

MiB = 1 << 20


def overlay(path, name, format="raw"):
    qemu_img("create", "-q", "-u", "-f", "qcow2", "-b", name, "-F", format, path, "1M")
    return path


@pytest.fixture
def chain(tmp_path):
    """top.qcow2 over middle.qcow2 over a base, which a test makes, or not."""
    def make(base, format="raw"):
        overlay(tmp_path / "middle.qcow2", base, format)
        return overlay(tmp_path / "top.qcow2", "middle.qcow2", "qcow2")
    return make


@pytest.mark.sanitizer
def test_missing_base(fails, tmp_path, chain):
    top = chain("base")
    assert fails(top) == f"{top}: {tmp_path}/middle.qcow2: cannot open its backing file: " \
        f"{tmp_path}/base: No such file or directory"
    # The one that is next to it was always named, once.
    middle = tmp_path / "middle.qcow2"
    assert fails(middle) == \
        f"{middle}: cannot open its backing file: {tmp_path}/base: No such file or directory"
    with open(top, "rb") as f:
        assert fails(stdin=f).startswith(f"-: {middle}: cannot open its backing file: ")


@pytest.mark.sanitizer
def test_stopped_server(disksum, fails, servers, tmp_path, chain):
    base = tmp_path / "base"
    base.write_bytes(b"base" * (MiB // 4))
    uri, server = servers.nbdkit("file", base)
    top = chain(uri)
    args = ["--trust-names", top]
    assert checksum(base) in disksum(*args).stdout
    server.stop()
    line = fails(*args)
    assert line.startswith(f"{top}: {tmp_path}/middle.qcow2: cannot open its backing file: "
                           f"{uri}: cannot connect")
    listed = tmp_path / "SUMS"
    listed.write_text(f"{checksum(base)}  {top}\n")
    done = disksum("--trust-names", "-c", listed, check=False)
    assert done.stdout == f"{top}: FAILED open or read\n"
    assert done.stderr.splitlines()[0] == f"disksum: {line}"
    done = disksum("--json", *args, check=False)
    assert json.loads(done.stdout)["error"] == line


@pytest.mark.parametrize("side", [0, 1])
def test_server_that_cannot_read(disksum, fails, servers, tmp_path, chain, side):
    """Of two images that are compared, the right one is named."""
    uri, _ = servers.nbdkit("--filter=error", "pattern", "1M", "error-pread=EIO",
                            "error-pread-rate=100%")
    top = chain(uri)
    cause = f"{top}: {uri}: read error at offset 0: Input/output error"
    assert fails("--trust-names", top) == cause
    other = tmp_path / "other"
    other.write_bytes(b"other" * MiB)
    images = [top, other] if side == 0 else [other, top]
    done = disksum("--trust-names", "--diff", *images, check=False)
    assert (done.returncode, done.stderr) == (2, f"disksum: {cause}\n")


def test_broken_base(fails, tmp_path, chain):
    (tmp_path / "base").write_bytes(b"QFI\xfb" + bytes(1000))
    line = fails(chain("base", "qcow2"))
    assert line.startswith(f"{tmp_path}/top.qcow2: {tmp_path}/middle.qcow2: cannot open its "
                           f"backing file: {tmp_path}/base: ")


def test_extent_of_a_parent(fails, tmp_path):
    """A VMDK without its flat file, below an overlay."""
    path = tmp_path / "disk.vmdk"
    qemu_img("create", "-q", "-f", "vmdk", "-o", "subformat=monolithicFlat", path, "1M")
    os.unlink(tmp_path / "disk-flat.vmdk")
    top = overlay(tmp_path / "top.qcow2", "disk.vmdk", "vmdk")
    cause = f"{path}: cannot open its extent: {tmp_path}/disk-flat.vmdk: No such file or " \
        "directory"
    assert fails(path) == cause
    assert fails(top) == f"{top}: cannot open its backing file: {cause}"


def test_chain_that_qemu_reads(fails, tmp_path):
    top = hostile_qed(tmp_path / "top", str(overlay(tmp_path / "middle", "base")))
    assert fails(top) == f"{top}: {tmp_path}/middle: cannot open its backing file " \
        f"'{tmp_path}/base': No such file or directory"


def test_base_that_changes(fails, build, tmp_path, chain):
    base = tmp_path / "base"
    base.write_bytes(b"base" * (MiB // 4))
    line = fails(chain("base"), env={
        "LD_PRELOAD": f"{build}/tests/change-file.so", "CHANGE_FILE": str(base),
        "CHANGE_SIZE": str(2 * MiB), "CHANGE_AT": "map"})
    assert line == f"{tmp_path}/top.qcow2: {base}: the file changed while it was read"


def test_secret_in_a_name(fails, tmp_path):
    """It stays masked where the name comes twice."""
    uri = "nbd://user:hunter2@localhost:1/export"
    top = overlay(tmp_path / "top.qcow2", uri)
    line = fails("--trust-names", top)
    assert line.startswith(f"{top}: ") and "hunter2" not in line
