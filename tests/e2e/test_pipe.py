# SPDX-License-Identifier: LGPL-2.1-or-later
"""Standard input: pipes, sockets and redirected files."""

import fcntl
import os
import random
import shutil
import socket
import subprocess
import threading
import time

import pytest

from conftest import sums
from oracle import checksum, random_spec, write_image
from qcow2_image import Image
from test_locks import locked


@pytest.mark.sanitizer
@pytest.mark.parametrize("seed", range(20))
def test_pipe(disksum, tmp_path, seed):
    rnd = random.Random(seed)
    content = write_image(tmp_path / "disk", random_spec(rnd))
    block_size = rnd.choice([512, 4608, 65536, 1 << 20])
    args = ["-t", str(rnd.randrange(1, 9)),
            f"--queue-depth={rnd.choice([1, 2, 8, 32])}",
            f"--block-size={block_size}",
            "--read-size=" + rnd.choice(["4k", "100k", "1M"])]
    out = disksum(*args, input=content).stdout
    assert out == f"{checksum(content, block_size)}  -\n"
    out = disksum(*args, "-", input=content).stdout
    assert out == f"{checksum(content, block_size)}  -\n"


@pytest.mark.sanitizer
def test_slow_writer(disksum, build):
    """The bytes come in pieces of odd sizes, with pauses."""
    process = subprocess.Popen([build / "disksum"], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE)
    rnd = random.Random(1)
    content = b""
    for _ in range(30):
        piece = rnd.randbytes(rnd.choice([1, 100, 65536, 100000]))
        process.stdin.write(piece)
        process.stdin.flush()
        content += piece
        time.sleep(0.005)
    out, _ = process.communicate()
    assert sums(out.decode()) == [checksum(content)]


def feed(build, stdin, write, *args):
    """Run disksum; write() writes to its standard input and closes it."""
    process = subprocess.Popen([build / "disksum", *args], stdin=stdin,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    os.close(stdin)
    write()
    out, err = process.communicate()
    return process.returncode, out, err


@pytest.mark.parametrize("args", [
    [], ["--block-size", "512", "--read-size", "4k"],
    ["--block-size", "65024", "-t", "3"]])
def test_packets(build, args):
    """In a pipe that is written with O_DIRECT, what a read leaves of a packet is
    lost."""
    reader, writer = os.pipe2(os.O_DIRECT)
    content = random.Random(4).randbytes(3000 * 1000)

    def write():
        for i in range(0, len(content), 1000):
            os.write(writer, content[i:i + 1000])
        os.close(writer)
    status, out, err = feed(build, reader, write, *args)
    size = int(args[1]) if args else 65536
    assert (status, err) == (0, "")
    assert sums(out) == [checksum(content, size)]


@pytest.mark.parametrize("kind", [socket.SOCK_SEQPACKET, socket.SOCK_DGRAM])
def test_socket_for_messages(build, kind):
    ours, theirs = socket.socketpair(socket.AF_UNIX, kind)
    status, out, err = feed(build, theirs.detach(), ours.close)
    assert (status, out) == (1, "")
    assert err == "disksum: -: is a message-oriented socket; only a stream " \
        "socket can be read\n"


def test_socket(disksum, build):
    content = random.Random(2).randbytes(3000000)
    ours, theirs = socket.socketpair()
    # Another process may have made the descriptor non-blocking.
    theirs.setblocking(False)
    process = subprocess.Popen([build / "disksum"], stdin=theirs,
                               stdout=subprocess.PIPE)
    theirs.close()
    sender = threading.Thread(target=lambda: (ours.sendall(content),
                                              ours.close()))
    sender.start()
    out, _ = process.communicate()
    sender.join()
    assert sums(out.decode()) == [checksum(content)]


@pytest.mark.sanitizer
def test_redirected_file(disksum, tmp_path):
    """A redirected file is read as a file, without its holes."""
    content = write_image(tmp_path / "disk", "100k:A 50M:- 77:B")
    with open(tmp_path / "disk", "rb") as f:
        result = disksum("-v", stdin=f, check=False)
    assert sums(result.stdout) == [checksum(content)]
    assert "50 MiB of holes" in result.stderr


def overlay(directory):
    """Make top, an overlay of base in the same directory. Returns its content."""
    directory.mkdir()
    content = write_image(directory / "base", "100k:A 28k:B")
    Image(size=len(content), backing=b"base").write(directory / "top")
    return content


def test_redirected_overlay(disksum, tmp_path):
    """The backing file is found beside it, whatever the working directory. Messages
    name it "-"."""
    content = overlay(tmp_path / "o")
    with open(tmp_path / "o/top", "rb") as f:
        result = disksum(stdin=f, check=False, cwd="/")
    assert result.stdout == f"{checksum(content)}  -\n"
    assert result.stderr.startswith("disksum: -: warning: no format ")
    (tmp_path / "o/base").unlink()
    with open(tmp_path / "o/top", "rb") as f:
        result = disksum(stdin=f, check=False)
    assert result.returncode == 1 and not result.stdout
    assert result.stderr == "disksum: -: cannot open its backing file: " \
        f"{tmp_path}/o/base: No such file or directory\n"


def test_redirected_file_that_is_gone(disksum, fails, tmp_path):
    """Another image has its name now."""
    overlay(tmp_path / "o")
    path = tmp_path / "disk"
    content = write_image(path, "100k:A")
    with open(path, "rb") as f, open(tmp_path / "o/top", "rb") as top:
        path.unlink()
        assert sums(disksum(stdin=f).stdout) == [checksum(content)]
        write_image(path, "100k:B")
        (tmp_path / "disk (deleted)").write_bytes(bytes(512))
        assert sums(disksum(stdin=f).stdout) == [checksum(content)]
        (tmp_path / "o/top").unlink()
        assert fails(stdin=top) == "-: cannot open its backing file 'base': " \
            "the name is relative, but the image is in no directory"


@pytest.mark.skipif(not shutil.which("qemu-img"), reason="no qemu-img")
@pytest.mark.parametrize("gone", [False, True])
def test_redirected_container(disksum, tmp_path, gone):
    """QEMU, whose standard input is another, opens the file of ours."""
    content = write_image(tmp_path / "disk", "100k:A")
    content += bytes(-len(content) % 512)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qed", "disk",
                    "v"], cwd=tmp_path, check=True)
    with open(tmp_path / "v", "rb") as f:
        if gone:
            (tmp_path / "v").unlink()
        result = disksum("--json", stdin=f)
    assert f'"checksum":"{checksum(content)}"' in result.stdout
    assert '"format":"qed"' in result.stdout


@pytest.fixture
def not_for_us(disksum, tmp_path):
    """Run disksum with a file on standard input that it has no permission to open."""
    wrapper = []
    if os.getuid() == 0:
        if not shutil.which("setpriv"):
            pytest.skip("root may read everything")
        wrapper = ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]

    def run(*args, flags=0):
        fd = os.open(tmp_path / "disk", os.O_RDONLY | flags)
        os.chmod(tmp_path / "disk", 0)
        before = fcntl.fcntl(fd, fcntl.F_GETFL)
        result = disksum(*args, stdin=fd, wrapper=wrapper, check=False)
        # What is shared with others is as it was.
        assert fcntl.fcntl(fd, fcntl.F_GETFL) == before
        assert os.lseek(fd, 0, os.SEEK_CUR) == 0
        assert locked(tmp_path / "disk") == 0
        os.close(fd)
        os.chmod(tmp_path / "disk", 0o600)
        return result
    return run


@pytest.mark.parametrize("options, holes", [
    ([], True), (["-U"], True), (["--no-extents"], False)])
def test_redirected_file_that_is_not_for_us(not_for_us, tmp_path, options,
                                            holes):
    """It is still read as a file, through the descriptor."""
    content = write_image(tmp_path / "disk", "100k:A 50M:- 77:B")
    result = not_for_us("-v", *options, "-", "-")
    assert sums(result.stdout) == [checksum(content)] * 2, result.stderr
    assert ("50 MiB of holes" in result.stderr) == holes


def test_direct_reads_of_a_file_that_is_not_for_us(not_for_us, tmp_path):
    content = write_image(tmp_path / "disk", "100k:A")
    result = not_for_us("-T", "none")
    assert (result.returncode, result.stdout, result.stderr) == (
        1, "", "disksum: -: cannot be opened again, which direct I/O needs\n")
    for options in [], ["-T", "none"]:
        result = not_for_us(*options, flags=os.O_DIRECT)
        assert (sums(result.stdout), result.stderr) == ([checksum(content)], "")


def test_redirected_file_without_proc(disksum, build, tmp_path):
    """Also a qcow2, but its path is unknown."""
    content = overlay(tmp_path / "o")
    env = {"LD_PRELOAD": f"{build}/tests/no-proc.so"}
    with open(tmp_path / "o/base", "rb") as f:
        assert sums(disksum(stdin=f, env=env).stdout) == [checksum(content)]
    with open(tmp_path / "o/top", "rb") as f:
        result = disksum(stdin=f, env=env, check=False)
    assert (result.returncode, result.stdout) == (1, "")
    assert "'base': the name is relative, but the image is in no directory" in \
        result.stderr


@pytest.mark.parametrize("redirection, says", [
    ("<.", "is a directory"), (">disk", "is not open for reading"),
    (">>disk", "is not open for reading"), ("<&-", "is not open for reading")])
def test_redirected_in_vain(build, tmp_path, redirection, says):
    result = subprocess.run(
        ["sh", "-c", f'exec "$0" 0{redirection}', build / "disksum"],
        cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr == f"disksum: -: {says}\n"


def test_redirected_to_and_fro(build, tmp_path):
    content = write_image(tmp_path / "disk", "100k:A")
    result = subprocess.run(["sh", "-c", 'exec "$0" -q <>disk',
                             build / "disksum"], cwd=tmp_path,
                            stdout=subprocess.PIPE)
    assert result.stdout.decode() == f"{checksum(content)}  -\n"


@pytest.mark.parametrize("option", [["-f", "qcow2"], ["-l", "1"]])
def test_only_raw_from_front_to_back(fails, tmp_path, option):
    says = "can only be read as a raw image"
    assert fails(*option, input=b"x" * 512) == f"-: a pipe {says}"
    write_image(tmp_path / "disk", "100k:A")
    with open(tmp_path / "disk", "rb", buffering=0) as f:
        f.seek(512)
        assert fails(*option, stdin=f) == \
            f"-: a file that is not at its beginning {says}"
    with open("/proc/version", "rb") as f:
        assert fails(*option, stdin=f) == \
            f"-: a file that does not report its size {says}"


def test_redirected_from_the_middle(disksum, tmp_path):
    """Bytes that another process has read are not part of the image."""
    content = write_image(tmp_path / "disk", "300k:A 50k:B")
    with open(tmp_path / "disk", "rb", buffering=0) as f:
        f.seek(70000)
        out = disksum(stdin=f).stdout
    assert sums(out) == [checksum(content[70000:])]


def test_a_pipe_is_read_once(disksum, tmp_path):
    """The second time nothing is left, which is an error, not an empty disk."""
    error = "disksum: -: standard input has already been read\n"
    result = disksum("-", "-", input=b"x" * 1000, check=False)
    assert result.returncode == 1
    assert result.stdout == f"{checksum(b'x' * 1000)}  -\n"
    assert result.stderr == error
    (tmp_path / "S").write_text(f"{checksum(b'x' * 1000)}  -\n"
                                f"{checksum(b'')}  -\n")
    result = disksum("-c", tmp_path / "S", input=b"x" * 1000, check=False)
    assert result.returncode == 1
    assert result.stdout == "-: OK\n-: FAILED open or read\n"
    assert result.stderr.startswith(error)


@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/proc/self/fd/0"])
@pytest.mark.parametrize("redirected", [False, True])
def test_a_list_on_standard_input(disksum, tmp_path, name, redirected):
    """An image of this list, or of a later one, cannot be there, too."""
    line = f"{checksum(b'')}  -\n"
    (tmp_path / "S").write_text(line)
    kwargs = {"stdin": open(tmp_path / "S", "rb")} if redirected else \
        {"input": line}
    result = disksum("-cw", name, tmp_path / "S", check=False, **kwargs)
    assert result.returncode == 1
    assert ": 1: improperly formatted checksum line: standard input is the " \
        "list\n" in result.stderr
    assert "OK" not in result.stdout


def test_a_file_is_read_twice(disksum, tmp_path):
    content = write_image(tmp_path / "disk", "100k:A")
    with open(tmp_path / "disk", "rb") as f:
        out = disksum("-", "-", stdin=f).stdout
    assert sums(out) == [checksum(content)] * 2


def test_fifo_as_standard_input(disksum, build, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    content = random.Random(3).randbytes(200000)
    process = subprocess.Popen(
        ["sh", "-c", f"exec {build}/disksum <{tmp_path}/fifo"],
        stdout=subprocess.PIPE)
    (tmp_path / "fifo").write_bytes(content)
    out, _ = process.communicate()
    assert sums(out.decode()) == [checksum(content)]
