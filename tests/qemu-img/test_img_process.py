# SPDX-License-Identifier: LGPL-2.1-or-later
"""A file that shrinks, signals, and memory: what happens while it reads. A server that
answers when a test lets it makes sure that it is reading."""

import os
import signal
import subprocess
import time

import pytest

from img_checksum import TIMEOUT, command, disksum_of, hashed, message_of
from oracle import checksum, write_image
from qcow2_compare import bounded_memory
from qcow2_image import COPIED, Image
from qcow2_qemu import fill, parse

MB = 1 << 20


def wait_until(condition):
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


class Run(subprocess.Popen):
    """It runs beside the test, and is killed with it."""

    def __init__(self, *args):
        super().__init__(command(*args), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)

    def __exit__(self, *exception):
        self.kill()
        super().__exit__(*exception)

    def result(self):
        out, err = self.communicate(timeout=TIMEOUT)
        return subprocess.CompletedProcess(self.args, self.returncode, out, err)


class HeldServer:
    """An export of zeros that are read (8 MiB) which answers once release() is called."""

    def __init__(self, servers):
        self.asked = servers.directory / "asked"
        self.go = servers.directory / "go"
        self.uri, _ = servers.nbdkit(
            "eval", f"get_size=echo {8 * MB}", "thread_model=echo parallel",
            f"pread=touch {self.asked}; for i in $(seq {100 * TIMEOUT}); do\n"
            f"    [ -e {self.go} ] && break; sleep 0.01; done; head -c $3 /dev/zero",
            "can_extents=exit 3")

    def wait_for_a_read(self):
        wait_until(self.asked.exists)

    def release(self):
        self.go.touch()


@pytest.fixture
def held(servers):
    server = HeldServer(servers)
    yield server
    server.release()


# --- a file that shrinks ---------------------------------------------------

@pytest.fixture
def chain(held, tmp_path):
    """A local overlay on the server's export."""
    path = tmp_path / "top.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", path, str(8 * MB)], check=True)
    fill(path, parse("100k:- 5000:A 3M:- 70k:B"))
    return path, f"driver=qcow2,file.filename={path},backing.driver=raw," \
        f"backing.file.driver=nbd,backing.file.server.type=unix," \
        f"backing.file.server.path={held.uri.split('=')[1]}"


# What the guest sees.
CHAIN = (bytes(102400) + b"A" * 5000 + bytes(3 * MB) + b"B" * 71680).ljust(8 * MB, b"\0")

OPTIONS = pytest.mark.parametrize("options", [[], ["--serial"]], ids=["", "serial"])


@OPTIONS
def test_file_that_does_not_change(held, chain, options):
    path, image = chain
    with Run(*options, "--image-opts", image) as run:
        held.wait_for_a_read()
        held.release()
        done = run.result()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{checksum(CHAIN)}  {image}\n"


@OPTIONS
@pytest.mark.parametrize("cut", [1, 65536])
def test_file_that_shrinks(held, chain, options, cut):
    path, image = chain
    with Run(*options, "--image-opts", image) as run:
        held.wait_for_a_read()
        os.truncate(path, path.stat().st_size - cut)
        held.release()
        done = run.result()
    assert message_of(done) == f"'{path}' became shorter while it was read"


@OPTIONS
def test_removed_file_that_shrinks(held, chain, options):
    """Its name is gone, and QEMU still reads it."""
    path, image = chain
    with Run(*options, "--image-opts", image) as run, open(path, "r+b") as f:
        held.wait_for_a_read()
        path.unlink()
        f.truncate(65536)
        held.release()
        done = run.result()
    assert message_of(done) == f"'{path}' became shorter while it was read"


def test_replaced_file(held, chain, tmp_path):
    """The name is that of a shorter file now; the one that is read is whole."""
    path, image = chain
    with Run("--image-opts", image) as run:
        held.wait_for_a_read()
        (tmp_path / "other").write_bytes(b"short")
        os.rename(tmp_path / "other", path)
        held.release()
        done = run.result()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{checksum(CHAIN)}  {image}\n"


def test_file_that_grows(held, chain):
    """Its writer allocates, which is no reason to refuse what -U asks for."""
    path, image = chain
    with Run("-U", "--image-opts", image) as run:
        held.wait_for_a_read()
        os.truncate(path, path.stat().st_size + 65536)
        held.release()
        done = run.result()
    assert (done.returncode, done.stderr) == (0, "")


@OPTIONS
@pytest.mark.parametrize("left", [0, 5 * MB, 12 * MB - 1])
def test_raw_file_that_shrinks(tmp_path, options, left):
    """QEMU reads zeros where the file was; here 2 MiB a second, so six seconds."""
    path = tmp_path / "disk"
    write_image(path, "12M:A")
    image = f"driver=raw,file.driver=throttle,file.throttle-group=t," \
        f"file.file.driver=file,file.file.filename={path}"
    with Run("--object", f"throttle-group,id=t,x-bps-read={2 * MB}", *options,
             "--image-opts", image) as run:
        def has_read():
            with open(f"/proc/{run.pid}/io", encoding="ascii") as f:
                return int(f.readline().split()[1]) >= 3 * MB
        wait_until(has_read)
        assert run.poll() is None
        os.truncate(path, left)
        done = run.result()
    assert message_of(done) == f"'{path}' became shorter while it was read"


# --- signals ---------------------------------------------------------------

@OPTIONS
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal(held, number, options):
    """It dies by the signal, so that a script stops, too."""
    with Run("-f", "raw", *options, held.uri) as run:
        held.wait_for_a_read()
        run.send_signal(number)
        done = run.result()
    assert done.returncode == -number
    assert not done.stdout


def test_stop_and_continue(held):
    with Run("-f", "raw", held.uri) as run:
        held.wait_for_a_read()
        run.send_signal(signal.SIGSTOP)
        held.release()
        run.send_signal(signal.SIGCONT)
        done = run.result()
    assert done.stdout == f"{checksum(bytes(8 * MB))}  {held.uri}\n"


# --- memory ----------------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["-T", "none"], ["--serial"]], ids=" ".join)
def test_memory(tmp_path, options):
    """64 GiB of holes, and 2 GiB of data, half of it scattered: 256 MiB are enough.
    Clusters of the file are used again and again, as it would be large otherwise."""
    path, bits = tmp_path / "disk", 21
    image = Image(66 << 30, cluster_bits=bits)
    places = []
    for letter in b"ABCDEFGH":
        places.append(image.allocate(1 << bits))
        image.put(places[-1], bytes([letter]) * (1 << bits))
    for n in range(1024):
        # Every 33rd cluster, and the last ones in a row.
        guest = n * 33 if n < 512 else (66 << 30 >> bits) - 1 - (n - 512)
        image.disk.entry(guest, places[n % 8] | COPIED)
    image.write(path)
    right = disksum_of(path)
    assert hashed(*options, path, wrapper=bounded_memory()) == right
