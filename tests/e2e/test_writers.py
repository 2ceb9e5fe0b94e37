# SPDX-License-Identifier: LGPL-2.1-or-later
"""Files that another process has open for writing, or opens while they are read;
and writes through a mapping, which may change no time."""

import contextlib
import fcntl
import mmap
import os
import pathlib
import shutil
import subprocess
import tempfile
import time

import pytest

from conftest import BUILD, sums
from oracle import checksum, write_image
from qcow2_image import Image
from test_output import has_to_wait

HAS_OPEN = "another process has this file open for writing"
OPENED = "another process opened the file for writing while it was read"
CLOSED = "another process opened this file for writing while it was read, " \
    "and closed it unchanged"


def has_lease(path):
    inode = f":{os.stat(path).st_ino} "
    with open("/proc/locks") as f:
        return any(inode in line and " LEASE " in line for line in f)


@pytest.fixture(autouse=True)
def leases(tmp_path):
    """Skip the tests where the file system has no leases."""
    with open(tmp_path / "leased", "wb"):
        pass
    with open(tmp_path / "leased", "rb") as f:
        try:
            fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        except OSError:
            pytest.skip("no leases here")
        fcntl.fcntl(f, fcntl.F_SETLEASE, fcntl.F_UNLCK)


class Held:
    """A disksum that has opened its images and then blocks, because it writes its
    progress to a full pipe."""

    def __init__(self, *args):
        self.pipe, ours = os.pipe()
        os.set_blocking(ours, False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(ours, b"x")
        os.set_blocking(ours, True)
        self.process = subprocess.Popen(
            [BUILD / "disksum", f"--progress={ours}", *args], pass_fds=[ours],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.close(ours)

    def wait_for_lease(self, path):
        while not has_lease(path):
            assert self.process.poll() is None
            time.sleep(0.01)

    def wait_until_open(self, path):
        """Wait until it waits for the reader of its progress: it has opened the image, this
        file, too."""
        while not has_to_wait(self.process):
            assert self.process.poll() is None
            time.sleep(0.01)
        assert any(os.path.realpath(link) == os.path.realpath(path) for link in
                   pathlib.Path(f"/proc/{self.process.pid}/fd").iterdir())

    def finish(self):
        """Let it go on. Returns its exit status, stdout and stderr."""
        while os.read(self.pipe, 1 << 16):
            pass
        out, err = self.process.communicate()
        return self.process.returncode, out, err


@contextlib.contextmanager
def held(*args, leases=()):
    h = Held(*args)
    try:
        for path in leases:
            h.wait_for_lease(path)
        yield h
    finally:
        h.process.kill()
        h.process.communicate()
        os.close(h.pipe)


@contextlib.contextmanager
def open_to_write(path):
    """Open a file for writing, which does not wait until the kernel removes the
    lease."""
    limit = int(pathlib.Path("/proc/sys/fs/lease-break-time").read_text())
    start = time.monotonic()
    with open(path, "r+b") as f:
        assert time.monotonic() - start < limit
        yield f


@pytest.fixture
def disk(tmp_path):
    write_image(tmp_path / "disk", "1M:A 1M:- 100k:B")
    return tmp_path / "disk"


def is_tmpfs(directory):
    kind = subprocess.run(["stat", "-f", "-c", "%T", directory], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()
    return kind in ("tmpfs", "ramfs")


@pytest.fixture
def on_disk(tmp_path):
    if is_tmpfs(tmp_path):
        pytest.skip("the tests run in memory, where mappings change no time")


@pytest.fixture
def in_memory():
    """A directory on tmpfs."""
    if not os.access("/dev/shm", os.W_OK) or not is_tmpfs("/dev/shm"):
        pytest.skip("no tmpfs on /dev/shm")
    directory = pathlib.Path(tempfile.mkdtemp(dir="/dev/shm"))
    yield directory
    shutil.rmtree(directory)


def warning(path, text):
    return f"disksum: {path}: warning: {text}\n"


# --- files that are open for writing before --------------------------------

@pytest.mark.sanitizer
@pytest.mark.parametrize("how", ["open", "mapped"])
def test_open_before(disksum, disk, how):
    """A process that could write is a warning."""
    with open(disk, "r+b") as f:
        memory = mmap.mmap(f.fileno(), 0)
        if how == "mapped":
            f.close()
        result = disksum(disk, check=False)
        assert (result.returncode, result.stderr) == (0, warning(disk, HAS_OPEN))
        assert sums(result.stdout) == [checksum(disk)]
        for option in "-q", "-U":
            assert disksum(option, disk).stdout == result.stdout
        disk.with_name("SUMS").write_text(result.stdout)
        assert disksum("-c", "--status", disk.with_name("SUMS")).stdout == ""
        memory.close()
    assert sums(disksum(disk).stdout) == [checksum(disk)]


@pytest.fixture
def overlay(tmp_path):
    """An overlay, top, of base."""
    content = write_image(tmp_path / "base", "1M:A 1M:- 64k:B")
    Image(size=len(content), backing=b"base",
          backing_format=b"raw").write(tmp_path / "top")
    return tmp_path / "top"


@pytest.mark.sanitizer
def test_written_by_mapping(overlay, on_disk):
    """A page that is dirty already is written again. That alone changes no time until
    the kernel writes the page to the disk."""
    with open(overlay, "r+b") as f, mmap.mmap(f.fileno(), 0) as memory:
        memory[-1] ^= 1
        with held(overlay) as h:
            h.wait_for_lease(overlay.with_name("base"))  # opened after it
            memory[-1] ^= 1
            assert h.finish() == (
                1, "", warning(overlay, HAS_OPEN) +
                f"disksum: {overlay}: the file changed while it was read\n")


@pytest.fixture
def chain(overlay):
    """A chain: all, top, base. The data of all is in another file."""
    directory = overlay.parent
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "top",
                    "-F", "qcow2", "-o", f"data_file={directory}/data", "all"],
                   cwd=directory, check=True)
    return directory / "all"


@pytest.mark.parametrize("name", ["all", "data", "top", "base"])
def test_open_file_of_a_chain(disksum, chain, name):
    path = chain.with_name(name)
    expected = sums(disksum(chain).stdout)
    with open(path, "r+b"):
        result = disksum(chain, check=False)
        assert (result.returncode, result.stderr) == (0, warning(path, HAS_OPEN))
        assert sums(result.stdout) == expected


def test_open_file_of_an_extent(disksum, disk):
    """Each is named once, however often QEMU has it open."""
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "vmdk", "-o",
                    "subformat=monolithicFlat", "disk", "v.vmdk"],
                   cwd=disk.parent, check=True)
    names = [disk.with_name("v.vmdk"), disk.with_name("v-flat.vmdk")]
    for arguments in [names[0]], ["--image-opts", f"driver=vmdk,file.filename={names[0]}"]:
        with open(names[0], "r+b"), open(names[1], "r+b"):
            result = disksum(*arguments, check=False)
        assert result.returncode == 0
        assert sorted(result.stderr.splitlines(True)) == \
            sorted(warning(name, HAS_OPEN) for name in names)


# --- files that are opened for writing meanwhile ---------------------------

@pytest.mark.no_sanitizer
@pytest.mark.parametrize("name", ["all", "data", "top", "base"])
def test_opened_and_kept(chain, name):
    path = chain.with_name(name)
    with held(chain, leases=[path]) as h, open_to_write(path):
        status, out, err = h.finish()
    asked = f"{chain}: " if path != chain else ""
    assert (status, out, err) == (1, "", f"disksum: {asked}{path}: {OPENED}\n")


@pytest.mark.no_sanitizer
def test_opened_by_force(disk):
    with held("-U", disk, leases=[disk]) as h, open_to_write(disk):
        status, out, err = h.finish()
    assert (status, err) == (0, warning(disk, OPENED))
    assert sums(out) == [checksum(disk)]


@pytest.mark.no_sanitizer
def test_opened_and_closed(disk, on_disk):
    """The times show that nothing was written."""
    with held(disk, leases=[disk]) as h:
        with open_to_write(disk):
            pass
        status, out, err = h.finish()
    assert (status, err) == (0, warning(disk, CLOSED))
    assert sums(out) == [checksum(disk)]


@pytest.mark.no_sanitizer
def test_opened_and_closed_in_memory(in_memory):
    """On tmpfs the times do not show it."""
    path = in_memory / "disk"
    write_image(path, "1M:A")
    with held(path, leases=[path]) as h:
        with open_to_write(path) as f, mmap.mmap(f.fileno(), 0) as memory:
            memory[0] ^= 1
        assert h.finish() == (1, "", f"disksum: {path}: {OPENED}\n")


@pytest.mark.no_sanitizer
def test_mapped_and_closed(disk, on_disk):
    with held(disk, leases=[disk]) as h:
        with open_to_write(disk) as f, mmap.mmap(f.fileno(), 0) as memory:
            memory[0] ^= 1
        assert h.finish() == (
            1, "", f"disksum: {disk}: the file changed while it was read\n")


def test_refused_machine(disk, on_disk):
    """QEMU opens the image, finds it locked, and gives up. That is only a warning."""
    with held("-f", "raw", disk, leases=[disk]) as h:
        machine = subprocess.run(
            ["qemu-io", "-f", "raw", "-c", "write 0 512", disk],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        assert machine.returncode == 1 and b"lock" in machine.stdout
        status, out, err = h.finish()
    assert (status, err) == (0, warning(disk, CLOSED))
    assert sums(out) == [checksum(disk)]


def test_several_are_opened_at_once(chain):
    """One signal for all leases releases all of them."""
    paths = [chain.with_name(name) for name in ("all", "data", "top", "base")]
    with held(chain, leases=paths) as h:
        writers = [subprocess.Popen(["sh", "-c", ': <>"$0"', path])
                   for path in paths]
        assert [writer.wait() for writer in writers] == [0] * 4
        assert h.process.poll() is None


@pytest.mark.sanitizer
def test_opened_while_workers_read(tmp_path):
    """The lease is released whatever the workers wait for."""
    path = tmp_path / "disk"
    with open(path, "wb") as f:
        f.truncate(1 << 40)
    with subprocess.Popen(
            [BUILD / "disksum", "--block-size=512", "-t", "4", path],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while not has_lease(path):
            assert process.poll() is None
            time.sleep(0.01)
        for _ in range(3):
            with open_to_write(path):
                assert process.poll() is None
        process.kill()


def test_readers_are_no_writers(disksum, disk):
    with held(disk, leases=[disk]) as h, open(disk, "rb"):
        assert sums(disksum(disk).stdout) == [checksum(disk)]
        status, out, err = h.finish()
    assert (status, err) == (0, "")
    assert sums(out) == [checksum(disk)]


LINKS = {
    "linked": lambda path: os.link(path, path.with_name("link")),
    "renamed": lambda path: path.rename(path.with_name("renamed")),
    "removed": lambda path: path.unlink(),
    "protected": lambda path: path.chmod(0o400),
}


@pytest.mark.parametrize("how", LINKS)
def test_only_the_ctime_changed(disk, how):
    """Hard links and renames, as of backups and mv, are not writes."""
    expected = checksum(disk)
    with held(disk, leases=[disk]) as h:
        LINKS[how](disk)
        status, out, err = h.finish()
    assert (status, err) == (0, "")
    assert sums(out) == [expected]


@pytest.mark.no_sanitizer
def test_written_and_linked(disk):
    """A write is detected even if the mtime is restored."""
    before = os.stat(disk)
    with held(disk, leases=[disk]) as h:
        with open_to_write(disk) as f:
            f.write(b"x")
        os.utime(disk, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert h.finish() == (
            1, "", f"disksum: {disk}: the file changed while it was read\n")


@pytest.mark.skipif(os.getuid() != 0 or not shutil.which("setpriv"),
                    reason="needs a file of another user")
def test_file_of_another_user(disksum, disk):
    """A lease is not permitted, which needs no warning."""
    os.chown(disk, 65534, 65534)
    disk.chmod(0o644)
    wrapper = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]
    with open(disk, "r+b"):
        assert sums(disksum(disk, wrapper=wrapper).stdout) == [checksum(disk)]
