# SPDX-License-Identifier: LGPL-2.1-or-later
"""Standard streams that are closed: no file gets their descriptors, so nothing that is
printed ends up in one."""

import itertools
import os
import subprocess

import pytest

from conftest import BUILD, sums
from list_oracle import read_list
from oracle import checksum, write_image
from test_nbd_command import directory_for_sockets  # noqa: F401 (a fixture)

CLOSED = [closed for count in range(1, 4) for closed in itertools.combinations("012", count)]

# As in a bare chroot. unshare would open /dev/null itself.
NO_DEV = ["unshare", "--map-root-user", "--mount", "sh", "-c",
          'mount -t tmpfs none /dev && exec "$0" "$@"']


def no_dev_works():
    return not subprocess.run([*NO_DEV, "true"], stderr=subprocess.DEVNULL,
                              check=False).returncode


@pytest.fixture(params=["with /dev", "without /dev"])
def wrapper(request):
    """The start of a command that closes descriptors, which is formatted with them."""
    if request.param == "with /dev":
        return []
    if not no_dev_works():
        pytest.skip("cannot hide /dev")
    return NO_DEV


def run(wrapper, closed, *args, **kwargs):
    """With topics of debugging, there is something to print at any moment."""
    close = " ".join(f"{number}>&-" for number in closed)
    return subprocess.run(
        [*wrapper, "sh", "-c", f'exec "$0" "$@" {close}', BUILD / "disksum", *args],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120,
        check=False, **kwargs)


@pytest.mark.sanitizer(every=3)
@pytest.mark.parametrize("closed", CLOSED, ids="".join)
def test_list(wrapper, tmp_path, closed):
    content = write_image(tmp_path / "disk", "200000:A 300k:- 128k:0 70000:B 77:C")
    done = run(wrapper, closed, "--write-list=list", "disk", cwd=tmp_path,
               env={**os.environ, "DISKSUM_DEBUG": "map,read,ring,method"})
    assert done.returncode == ("1" in closed)
    assert read_list((tmp_path / "list").read_bytes()).checksum.hex() == checksum(content)
    assert sorted(os.listdir(tmp_path)) == ["disk", "list"]
    assert (tmp_path / "disk").read_bytes() == content
    assert bool(done.stderr) == ("2" not in closed)


@pytest.mark.parametrize("closed", ["1", "2", "02", "012"])
@pytest.mark.parametrize("kind", ["export", "command", "read by QEMU", "compared"])
def test_connection(wrapper, servers, tmp_path, directory_for_sockets,  # noqa: F811
                    closed, kind):
    """A message in the middle of a request would be an error of the protocol."""
    raw, qed = tmp_path / "disk", tmp_path / "disk.qed"
    content = write_image(raw, "3M:A 1M:- 1M:B")
    subprocess.run(["qemu-img", "convert", "-O", "qed", raw, qed], check=True)
    args = {"export": lambda: [servers.nbdkit("file", raw)[0]],
            "command": lambda: ["--", "[", "qemu-nbd", "-r", "-t", "-e8", "-f", "raw", raw, "]"],
            "read by QEMU": lambda: [qed], "compared": lambda: ["--diff", raw, qed]}[kind]()
    done = run(wrapper, closed, *args, env={
        **os.environ, **directory_for_sockets, "DISKSUM_DEBUG": "nbd,ring"})
    status = "1" in closed and kind != "compared"  # nothing is printed of equal disks
    assert done.returncode == status, done
    if "1" not in closed:
        assert sums(done.stdout.decode()) == [checksum(content)] * (kind != "compared")
