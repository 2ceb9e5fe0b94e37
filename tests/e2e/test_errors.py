# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every failure: exit status 1, no checksum, one line that names the file, the
place and the cause."""

import contextlib
import ctypes
import os
import pathlib
import random
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from conftest import BUILD, sums
from oracle import checksum, write_image
from qcow2_image import Image


def test_missing(fails, tmp_path):
    assert fails(tmp_path / "no") == f"{tmp_path}/no: No such file or directory"


def test_directory(fails, tmp_path):
    assert fails(tmp_path) == f"{tmp_path}: is a directory"


@pytest.mark.skipif(os.getuid() == 0 and not os.path.exists("/usr/bin/setpriv"),
                    reason="root may read everything")
def test_no_permission(fails, tmp_path):
    path = tmp_path / "disk"
    path.write_bytes(b"x" * 512)
    path.chmod(0)
    wrapper = []
    if os.getuid() == 0:
        wrapper = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]
    assert fails(path, wrapper=wrapper) == f"{path}: Permission denied"


def test_fifo_does_not_hang(fails, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert "is a FIFO, not a disk image" in fails(tmp_path / "fifo")


NO_PROC = pytest.mark.parametrize("no_proc", [False, True])


def without_proc(build, no_proc):
    return {"LD_PRELOAD": f"{build}/tests/no-proc.so"} if no_proc else {}


def test_empty_name(disksum, tmp_path):
    """A variable of a script that is not set."""
    write_image(tmp_path / "disk", "1k:A")
    done = disksum("", tmp_path / "disk", check=False)
    assert (done.returncode, done.stderr) == (1, "disksum: the name of an image is empty\n")
    assert done.stdout.endswith(f"  {tmp_path}/disk\n")


@pytest.mark.parametrize("args", [["-c"], ["--show"], ["--merge", "--write-list=m.blkhash"]],
                         ids=lambda args: args[0])
def test_empty_name_of_a_list(disksum, tmp_path, args):
    done = disksum(*args, "", check=False, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "disksum: the name of a list is empty\n" in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("place", ["image", "list", "backing", "data"])
@NO_PROC
def test_writer_of_fifo_stays_blocked(disksum, build, tmp_path, place, no_proc):
    """It waits for a reader, and we are none: what it writes later comes
    whole to the one that does read."""
    os.mkfifo(tmp_path / "fifo")
    image = tmp_path / ("fifo" if place == "image" else "disk")
    if place == "backing":
        Image(size=1 << 16, backing=b"fifo").write(image)
    elif place == "data":
        Image(size=1 << 16, data_file=b"fifo").write(image)
    elif place == "list":
        (tmp_path / "SUMS").write_text(f"{checksum(b'')}  {tmp_path}/fifo\n")
    args = ["-c", tmp_path / "SUMS"] if place == "list" else [image]
    with subprocess.Popen(["sh", "-c", "echo all >fifo"],
                          cwd=tmp_path) as writer:
        try:
            stat = pathlib.Path(f"/proc/{writer.pid}/stat")
            while stat.read_text().rsplit(")", 1)[1].split()[0] != "S":
                time.sleep(0.01)  # until it waits, in open()
            result = disksum(*args, check=False, cwd=tmp_path,
                             env=without_proc(build, no_proc))
            assert result.returncode == 1
            assert "is a FIFO, not a disk image" in result.stderr
            assert writer.poll() is None
            fifo = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
            assert writer.wait() == 0
            assert os.read(fifo, 100) == b"all\n"
            os.close(fifo)
        finally:
            writer.kill()


LEASE_HOLDER = """
import fcntl, os, signal, sys
fd = os.open(sys.argv[1], os.O_RDWR)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGIO])
fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_WRLCK)
print("held", flush=True)
signal.sigwait([signal.SIGIO])
os.write(fd, b"B" * 4096)
os.close(fd)
"""


@NO_PROC
def test_write_lease_is_waited_for(disksum, build, tmp_path, no_proc):
    """Who holds one is told, and writes what it has before it lets us in."""
    path = tmp_path / "disk"
    path.write_bytes(b"A" * 4096)
    with subprocess.Popen([sys.executable, "-c", LEASE_HOLDER, path],
                          stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n"
        # As long as it is open there may be a warning.
        out = disksum("-q", path, env=without_proc(build, no_proc)).stdout
        assert holder.wait() == 0
    assert sums(out) == [checksum(b"B" * 4096)]


@NO_PROC
@pytest.mark.parametrize("name", ["link", "/dev/stdin", "/dev/fd/0"])
def test_other_names_of_a_file(disksum, build, tmp_path, name, no_proc):
    content = write_image(tmp_path / "disk", "100k:A")
    (tmp_path / "link").symlink_to("disk")
    with open(tmp_path / "disk", "rb") as f:
        out = disksum(name, stdin=f, cwd=tmp_path,
                      env=without_proc(build, no_proc)).stdout
    assert out == f"{checksum(content)}  {name}\n"


def test_socket(fails, tmp_path):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"{tmp_path}/socket")
        assert fails(tmp_path / "socket") == \
            f"{tmp_path}/socket: is a socket, not a disk image"


def test_character_device(fails):
    assert fails("/dev/zero") == \
        "/dev/zero: is a character device, not a disk image"


def test_the_others_go_on(disksum, tmp_path):
    write_image(tmp_path / "a", "9k:A")
    write_image(tmp_path / "b", "70k:B")
    result = disksum(tmp_path / "a", tmp_path / "no", tmp_path / "b",
                     check=False)
    assert result.returncode == 1
    assert [line.split("/")[-1] for line in result.stdout.splitlines()] == \
        ["a", "b"]
    assert result.stderr == \
        f"disksum: {tmp_path}/no: No such file or directory\n"


# --- read errors ---------------------------------------------------------

@pytest.mark.parametrize("offset", [0, 1000, 65536, 3000001, 7999999])
@pytest.mark.parametrize("options", [
    [], ["-t", "1", "--queue-depth", "1"], ["-t", "8", "--queue-depth", "32"],
    ["-T", "none"]])
def test_bad_sector(fails, build, tmp_path, offset, options):
    path = tmp_path / "disk"
    write_image(path, "8000000:A")
    line = fails("-f", "raw", *options, path, env={
        "LD_PRELOAD": f"{build}/tests/read-error.so",
        "READ_ERROR_OFFSET": str(offset),
        "DISKSUM_READS": "threads"})
    # Direct reads give whole sectors.
    place = offset // 4096 * 4096 if "-T" in options else offset
    assert line == f"{path}: read error at offset {place}: Input/output error"


def test_bad_first_sector_while_probing(fails, build, tmp_path):
    write_image(tmp_path / "disk", "8k:A")
    assert fails(tmp_path / "disk", env={
        "LD_PRELOAD": f"{build}/tests/read-error.so",
        "READ_ERROR_OFFSET": "100"}) == \
        f"{tmp_path}/disk: read error at offset 100: Input/output error"


@pytest.mark.parametrize("offset", [0, 5, 2000000])
def test_pipe_breaks(fails, build, offset):
    assert fails(input=random.Random(1).randbytes(3000000), env={
        "LD_PRELOAD": f"{build}/tests/read-error.so",
        "READ_ERROR_OFFSET": str(offset)}) == \
        f"-: read error at offset {offset}: Input/output error"


@pytest.mark.parametrize("first", [0, 65536 + 4096, 3 << 20])
@pytest.mark.parametrize("options", [["-t", "1"], [], ["--block-size=5120"]])
def test_lost_pages_are_read_again(disksum, build, tmp_path, options, first):
    """A page that is gone when it is touched is no error if a read has it."""
    path = tmp_path / "disk"
    write_image(path, "4000000:A 1M:- 100k:B 100k:0")
    env = {"LD_PRELOAD": f"{build}/tests/lost-pages.so",
           "LOST_FROM": str(first), "DISKSUM_READS": "mmap"}
    block_size = 5120 if "--block-size=5120" in options else 65536
    assert disksum("-f", "raw", *options, path, env=env).stdout == \
        f"{checksum(path, block_size)}  {path}\n"


@pytest.mark.parametrize("odd", ["short", "again"])
@pytest.mark.parametrize("size", ["4M", "4000256", "3999999"])
def test_odd_answers_of_io_uring(disksum, build, tmp_path, odd, size):
    path = tmp_path / "disk"
    write_image(path, f"{size}:A")
    env = {"LD_PRELOAD": f"{build}/tests/odd-ring.so", "ODD_RING": odd,
           "DISKSUM_READS": "ring"}
    assert disksum("-f", "raw", "-T", "none", path, env=env).stdout == \
        f"{checksum(path)}  {path}\n"


@pytest.fixture
def device_and_file(loop_device, tmp_path):
    path = tmp_path / "backing"
    write_image(path, "4M:A 4M:- 100k:B 924k:0")
    return loop_device(path), path


@pytest.mark.parametrize("options", [
    [], ["-T", "none"], ["-T", "none", "--queue-depth=32", "--read-size=64k"]])
def test_block_device(disksum, device_and_file, options, reads):
    device, path = device_and_file
    out = disksum(*options, device, env={"DISKSUM_READS": reads}).stdout
    assert out == f"{checksum(path)}  {device}\n"


@pytest.mark.parametrize("options", [[], ["-T", "none"]])
def test_block_device_fails(fails, device_and_file, options, reads):
    """The file under the device is cut: real I/O errors, also of io_uring."""
    device, path = device_and_file
    os.truncate(path, 1 << 20)
    line = fails(*options, device, env={"DISKSUM_READS": reads})
    start, offset = line.split(" at offset ")
    assert start == f"{device}: read error"
    assert offset.endswith(": Input/output error")
    assert int(offset.split(":")[0]) >= 1 << 20


PAGE = os.sysconf("SC_PAGESIZE")
SYSFS = "/sys/kernel/mm/transparent_hugepage/enabled"


# fstatfs() finds the file systems of the kernel. FUSE has such files, too.
UNKNOWN = [BUILD / "tests/refuse-calls", "ENOSYS", "fstatfs"]


@pytest.mark.parametrize("options", [[], ["-f", "raw"], ["-T", "writeback"]])
@pytest.mark.parametrize("name, says", [
    ("/proc/version", "0, but has content"),
    ("/proc/cpuinfo", "0, but has content"),
    (SYSFS, f"{PAGE}, but has less content")])
def test_size_that_is_not_true(fails, disksum, options, name, says):
    """As of files that are made when they are read: by name there is no
    checksum of an empty disk; as standard input they are read to their end."""
    if not os.path.exists(name):
        pytest.skip(f"no {name}")
    assert fails(*options, name) == f"{name}: is generated by the kernel, " \
        "not a disk image; to read it, give it as standard input"
    assert fails(*options, name, wrapper=UNKNOWN) == f"{name}: reports a size of " \
        f"{says}; give it as standard input: disksum < FILE"
    with open(name, "rb") as f:
        out = disksum(*options, stdin=f).stdout
    assert sums(out) == [checksum(pathlib.Path(name).read_bytes())]


@pytest.mark.parametrize("name", ["/proc/version", "/proc/kmsg"])
def test_size_that_is_not_true_in_a_chain(fails, tmp_path, name):
    """Nothing is read: of kmsg, that takes messages from whoever logs them."""
    Image(size=1 << 16, backing=name.encode(),
          backing_format=b"raw").write(tmp_path / "disk")
    assert fails(tmp_path / "disk").startswith(
        f"{tmp_path}/disk: cannot open its backing file: {name}: "
        "is generated by the kernel")


def test_empty_file_that_can_not_be_read(fails):
    """Nothing is known of it: it is no empty disk."""
    assert fails("-f", "raw", "/proc/self/mem", wrapper=UNKNOWN) == \
        "/proc/self/mem: read error at offset 0: Input/output error"


# --- files that change ---------------------------------------------------

def changed(build, path, size, moment):
    return {"LD_PRELOAD": f"{build}/tests/change-file.so",
            "CHANGE_FILE": str(path), "CHANGE_SIZE": str(size),
            "CHANGE_AT": moment, "DISKSUM_READS": "mmap"}


@pytest.mark.parametrize("options, moment", [
    ([], "open"), (["-t", "1"], "open"), (["-T", "none"], "open"),
    ([], "map"), (["-t", "1"], "map")])
@pytest.mark.parametrize("size", [0, 1000000, 4096000, 7999999])
def test_shrinking_file(fails, build, tmp_path, options, moment, size):
    path = tmp_path / "disk"
    write_image(path, "8000000:A")
    line = fails("-f", "raw", *options, path,
                 env=changed(build, path, size, moment))
    assert line.startswith(f"{path}: ")
    assert "shrank while it was read" in line


@pytest.mark.parametrize("size", [0, 4096, 500000])
def test_shrinking_file_of_one_slot(disksum, build, tmp_path, size):
    """The first thread hashes it, and then the next one."""
    write_image(tmp_path / "disk", "1M:A")
    content = write_image(tmp_path / "next", "1M:B")
    result = disksum("-f", "raw", "disk", "next", cwd=tmp_path, check=False,
                     env=changed(build, tmp_path / "disk", size, "map"))
    assert result.returncode == 1
    assert result.stdout == f"{checksum(content)}  next\n"
    assert result.stderr == \
        f"disksum: disk: ends at offset {size}, before its size of 1048576: " \
        "it shrank while it was read\n"


@pytest.mark.parametrize("moment", ["open", "map"])
def test_shrinking_hole(fails, build, tmp_path, moment):
    path = tmp_path / "disk"
    write_image(path, "1M:A 64M:-")
    assert "shrank while it was read" in fails(
        "-f", "raw", path, env=changed(build, path, 2 << 20, moment))


def test_touched_file(fails, build, tmp_path):
    """Its size is the same, its times are others."""
    path = tmp_path / "disk"
    write_image(path, "1M:A")
    assert fails("-f", "raw", path, env=changed(build, path, 1 << 20, "open")) \
        == f"{path}: the file changed while it was read"


@pytest.mark.parametrize("moment", ["open", "map"])
def test_growing_file(fails, build, tmp_path, moment):
    path = tmp_path / "disk"
    write_image(path, "1M:A")
    assert fails("-f", "raw", path, env=changed(build, path, 2 << 20, moment)) \
        == f"{path}: the file changed while it was read"


# --- standard output -----------------------------------------------------

def test_full_device(disksum, tmp_path):
    write_image(tmp_path / "disk", "9k:A")
    with open("/dev/full", "wb") as full:
        result = disksum(tmp_path / "disk", stdout=full, check=False)
    assert result.returncode == 1
    assert result.stderr == "disksum: write error: No space left on device\n"


@pytest.mark.parametrize("args", [["disk"], ["--help"], ["--version"],
                                  ["--list-digests"]])
def test_closed_stdout(build, tmp_path, args):
    write_image(tmp_path / "disk", "9k:A")
    result = subprocess.run(
        ["sh", "-c", 'exec "$0" "$@" >&-', build / "disksum", *args],
        cwd=tmp_path, stderr=subprocess.PIPE)
    assert result.returncode == 1
    assert result.stderr.decode() == \
        "disksum: write error: Bad file descriptor\n"


def test_closed_stdin_is_no_empty_disk(build):
    result = subprocess.run(["sh", "-c", f"exec {build}/disksum <&-"],
                            capture_output=True)
    assert result.returncode == 1
    assert not result.stdout
    assert result.stderr.decode().startswith("disksum: -: ")


def test_reader_of_stdout_is_gone(build, tmp_path):
    """It dies of SIGPIPE, like every filter."""
    write_image(tmp_path / "disk", "9k:A")
    read, write = os.pipe()
    os.close(read)
    result = subprocess.run([build / "disksum", tmp_path / "disk"],
                            stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert result.returncode == -signal.SIGPIPE


# --- signals, limits -----------------------------------------------------

@contextlib.contextmanager
def at_work(build, *args, **kwargs):
    """A disksum with four workers, which have all begun."""
    ours, theirs = os.pipe()
    with subprocess.Popen(
            [build / "disksum", "-t", "4", f"--progress={theirs}", *args],
            pass_fds=[theirs], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, **kwargs) as process:
        os.close(theirs)
        try:
            assert os.read(ours, 100)
            while len(os.listdir(f"/proc/{process.pid}/task")) < 5:
                assert process.poll() is None
                time.sleep(0.01)
            yield process
        finally:
            process.kill()
            os.close(ours)


def interrupt(process):
    """Seconds from SIGINT to the end."""
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate()
    took = time.monotonic() - start
    assert process.returncode == -signal.SIGINT
    assert not out
    return took


@pytest.mark.parametrize("what", ["hole", "pipe", "direct", "plain hole"])
def test_sigint_ends_at_once(build, tmp_path, what):
    """Within 100 ms, in one of some attempts: the machine may be busy."""
    path = tmp_path / "disk"
    with open(path, "wb") as f:
        f.truncate(8 << 40 if "hole" in what else 0)
        if what == "direct":
            f.write(random.Random(1).randbytes(1 << 20) * 512)
    args = {"hole": [path], "pipe": [], "direct":
            ["-T", "none", "-d", "sha3-512", path],
            "plain hole": ["--plain=sha256", "--plain=md5", "-d", "sha1", path]}[what]
    times = []
    for _ in range(5):
        with at_work(build, *args) as process:
            times.append(interrupt(process))
    assert min(times) < 0.1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("what", ["hole", "pipe"])
def test_death_by_signal(build, tmp_path, number, what):
    """While the engine runs: it dies of just this, and prints nothing."""
    if what == "hole":
        with open(tmp_path / "disk", "wb") as f:
            f.truncate(8 << 40)
    with at_work(build, tmp_path / "disk" if what == "hole" else "-",
                 # Whoever runs the tests may ignore it (nohup).
                 preexec_fn=lambda: signal.signal(number, signal.SIG_DFL)
                 ) as process:
        process.send_signal(number)
        assert process.communicate() == (b"", b"")
        assert process.returncode == -number


def signal_thread(pid, thread, number):
    """A signal to the process, or to a thread: the number of one in /proc."""
    if thread is None:
        os.kill(pid, number)
    else:
        tids = sorted(map(int, os.listdir(f"/proc/{pid}/task")))
        assert ctypes.CDLL(None).tgkill(pid, tids[thread], int(number)) == 0


@pytest.mark.no_sanitizer
@pytest.mark.parametrize("number, thread", [
    (signal.SIGBUS, None), (signal.SIGBUS, 0), (signal.SIGBUS, 1),
    (signal.SIGBUS, -1),
    # Workers leave it, as most signals, to the first thread.
    (signal.SIGIO, None), (signal.SIGIO, 0)])
@pytest.mark.parametrize("what", ["hole", "pipe", "buffered", "direct"])
def test_signals_with_handlers(build, tmp_path, what, thread, number):
    """Sent by somebody they mean what they mean everywhere, whatever the thread
    does that gets them. The first image is there to install the handlers."""
    write_image(tmp_path / "first", "100k:A")
    with open(tmp_path / "disk", "wb") as f:
        f.truncate(8 << 40)
    args = {"hole": ["disk"], "pipe": ["-"], "buffered":
            ["--no-extents", "disk"], "direct":
            ["--no-extents", "-T", "none", "disk"]}[what]
    ours, theirs = os.pipe()
    with subprocess.Popen(
            [build / "disksum", "-t", "4", "--block-size=512",
             f"--progress={theirs}", "first", *args], pass_fds=[theirs], cwd=tmp_path,
            env={**os.environ, "DISKSUM_READS": "threads" if what == "direct"
                 else "mmap"},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as process:
        os.close(theirs)
        seen = b""
        while b"100/100\n0/100\n" not in seen:
            seen += os.read(ours, 100)
            assert process.poll() is None
        while len(os.listdir(f"/proc/{process.pid}/task")) < 5:
            time.sleep(0.01)  # all workers are there
        signal_thread(process.pid, thread, number)
        try:
            # It has work for an hour.
            assert process.wait(timeout=60) == -number
        finally:
            process.kill()
        assert process.stderr.read() == b""
    os.close(ours)


def test_few_descriptors(fails, tmp_path):
    write_image(tmp_path / "disk", "2M:A")
    line = fails(tmp_path / "disk", preexec_fn=lambda: resource.setrlimit(
        resource.RLIMIT_NOFILE, (4, 4)))
    assert "Too many open files" in line


@pytest.mark.sanitizer
def test_sanitizers_see_errors(fails, tmp_path):
    """The way out of an error, where nothing may leak."""
    fails(tmp_path / "no")
    fails(tmp_path)
    (tmp_path / "disk").write_bytes(b"QFI\xfb\0\0\0\3" + bytes(1000))
    fails("-f", "nosuch", tmp_path / "disk")
    assert sums("") == []
