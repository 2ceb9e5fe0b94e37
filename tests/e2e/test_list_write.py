# SPDX-License-Identifier: LGPL-2.1-or-later
"""--write-list: the list of an image, written while it is hashed."""

import json
import os
import resource
import socket
import subprocess
import threading

import pytest

from conftest import BUILD, sums
from list_oracle import read_list, write_list
from oracle import checksum, write_image
from test_nbd_command import wait_until

OLD_LIST = write_list(b"old")

SPEC = "200000:A 300k:- 128k:0 70000:B 77:C"


@pytest.fixture
def image(tmp_path):
    """A raw image; returns its checksum."""
    return checksum(write_image(tmp_path / "disk", SPEC))


@pytest.fixture
def wrote(disksum, tmp_path):
    """Write the list of an image. Returns its bytes: it is whole, of this
    content, and the only new file."""
    def run(*args, expected, **kwargs):
        before = set(os.listdir(tmp_path))
        out = disksum("--write-list=list", *args, cwd=tmp_path, **kwargs).stdout
        assert sums(out) == [expected]
        assert set(os.listdir(tmp_path)) - before <= {"list"}
        written = (tmp_path / "list").read_bytes()
        assert read_list(written).checksum.hex() == expected
        return written
    return run


# --- every input ---------------------------------------------------------

@pytest.mark.sanitizer
def test_file(wrote, tmp_path, image):
    written = wrote("disk", expected=image)
    source = read_list(written).source
    assert json.loads(source)["filename"] == "disk"
    content = (tmp_path / "disk").read_bytes()
    assert written == write_list(content + bytes(-len(content) % 512), source)
    # Nothing depends on the time, nor on threads.
    assert wrote("disk", "-t3", "--read-size=64k", expected=image) == written


@pytest.mark.sanitizer
def test_pipe(wrote, tmp_path, image):
    content = (tmp_path / "disk").read_bytes()
    wrote("-", input=content, expected=image)
    wrote(input=b"", expected=checksum(b""))


def test_formats(wrote, tmp_path, image):
    for name in "qcow2", "vmdk", "vhdx":
        subprocess.run(["qemu-img", "convert", "-q", "-O", name, "-S64k",
                        "disk", f"disk.{name}"], cwd=tmp_path, check=True)
        subprocess.run(
            ["qemu-img", "convert", "-q", "-O", "raw", f"disk.{name}", "whole"],
            cwd=tmp_path, check=True)
        wrote(f"disk.{name}", expected=checksum(tmp_path / "whole"))


def test_export(wrote, servers, tmp_path, image):
    uri, _ = servers.nbdkit("file", tmp_path / "disk")
    wrote(uri, expected=image)


def test_command(wrote, image):
    wrote("--", "[", "nbdkit", "--exit-with-parent", "file", "disk", "]",
          expected=image)


def test_options(wrote, tmp_path, image):
    content = (tmp_path / "disk").read_bytes()
    wrote("-d", "sha1", "--block-size=4k", "disk",
          expected=checksum(content, 4096, "sha1"))


@pytest.mark.parametrize("name", ["SHA256", "sha2-256", "SHA-256"])
def test_other_name_of_a_digest(wrote, disksum, tmp_path, image, name):
    """The list has the one that --list-digests prints."""
    assert wrote("disk", "-d", name, expected=image) == wrote("disk", expected=image)
    (tmp_path / "changes").write_text("[]")
    disksum("-d", name, "--base=list", "--changes=changes", "disk", cwd=tmp_path)


def test_json(disksum, tmp_path, image):
    found = json.loads(disksum("--write-list=list", "--json", "disk", cwd=tmp_path).stdout)
    assert (found["checksum"], found["list"]) == (image, "list")
    assert "list" not in json.loads(disksum("--json", "disk", cwd=tmp_path).stdout)


# --- what is no regular file ---------------------------------------------

@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output(wrote, tmp_path, image, name):
    """The list has the checksum: a line would be in the way."""
    written = subprocess.run([BUILD / "disksum", "--write-list", name, "disk"],
                             cwd=tmp_path, check=True, stdout=subprocess.PIPE).stdout
    assert written == wrote("disk", expected=image)


def test_file_of_standard_output(wrote, tmp_path, image):
    with open(tmp_path / "out", "wb") as f:
        subprocess.run([BUILD / "disksum", "--write-list=out", "disk"], cwd=tmp_path,
                       check=True, stdout=f)
    assert (tmp_path / "out").read_bytes() == wrote("disk", expected=image)


@pytest.mark.parametrize("name", ["/dev/fd/1", "/proc/self/fd/1", "out"])
def test_json_on_the_same_output(tmp_path, image, name):
    with open(tmp_path / "out", "wb") as f:
        done = subprocess.run([BUILD / "disksum", "--json", "--write-list", name, "disk"],
                              cwd=tmp_path, stdout=f, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr.decode()) == \
        (1, f"disksum: {name}: is standard output, where --json and the list cannot both go\n")
    assert (tmp_path / "out").read_bytes() == b""


def test_descriptor(disksum, wrote, tmp_path, image):
    """From its offset on, as the shell's redirection."""
    with open(tmp_path / "other", "wb") as f:
        f.write(b"before")
        f.flush()
        out = disksum(f"--write-list=/dev/fd/{f.fileno()}", "disk", cwd=tmp_path,
                      pass_fds=[f.fileno()]).stdout
    assert sums(out) == [image]
    assert (tmp_path / "other").read_bytes() == b"before" + wrote("disk", expected=image)


def test_socket(disksum, wrote, tmp_path, image):
    ours, its = socket.socketpair()
    with ours, its:
        disksum(f"--write-list=/dev/fd/{its.fileno()}", "disk", cwd=tmp_path,
                pass_fds=[its.fileno()])
        its.close()
        with ours.makefile("rb") as f:
            assert f.read() == wrote("disk", expected=image)


def test_fifo(disksum, wrote, tmp_path, image):
    os.mkfifo(tmp_path / "fifo")
    read = []
    thread = threading.Thread(
        target=lambda: read.append((tmp_path / "fifo").read_bytes()))
    thread.start()
    assert sums(disksum("--write-list=fifo", "disk", cwd=tmp_path).stdout) == [image]
    thread.join()
    assert read == [wrote("disk", expected=image)]
    assert not (tmp_path / "fifo.part").exists()


def test_terminal(tmp_path, image):
    ours, its = os.openpty()
    result = subprocess.run([BUILD / "disksum", "--write-list=-", "disk"], cwd=tmp_path,
                            stdout=its, stderr=subprocess.PIPE)
    os.close(its)
    os.close(ours)
    assert (result.returncode, result.stderr) == \
        (1, b"disksum: -: is a terminal; a digest list is binary\n")


# --- errors --------------------------------------------------------------

@pytest.mark.parametrize("args, message", [
    (["--write-list=-"], "-: is standard error, where messages go"),
    (["--write-list=out"], "out: is standard error, where messages go"),
    (["--write-list=/dev/stderr"], "/dev/stderr: is standard error, where messages go")])
@pytest.mark.parametrize("out", ["out", "pipe", "/dev/null"])
def test_list_among_messages(build, tmp_path, image, args, message, out):
    """They would be mixed."""
    if out == "pipe" and args == ["--write-list=out"]:
        pytest.skip("has no name")
    with open(tmp_path / "out", "w") as f, open("/dev/null", "w") as null:
        to = {"out": f, "pipe": subprocess.PIPE, "/dev/null": null}[out]
        done = subprocess.run([build / "disksum", *args, "disk"], cwd=tmp_path, check=False,
                              stdout=to, stderr=subprocess.STDOUT)
    lines = {"out": (tmp_path / "out").read_bytes(), "pipe": done.stdout}.get(out)
    if lines is not None:
        assert (done.returncode, lines.decode()) == (1, f"disksum: {message}\n")
    else:
        assert done.returncode == 0, done


def test_list_among_progress(disksum, tmp_path, image):
    with open(tmp_path / "out", "w") as f:
        fd = f.fileno()
        done = disksum(f"--write-list=/dev/fd/{fd}", f"--progress={fd}", "disk", cwd=tmp_path,
                       pass_fds=[fd], check=False)
    assert (done.returncode, done.stdout, done.stderr) == \
        (1, "", f"disksum: /dev/fd/{fd}: is where the progress goes\n")


@pytest.mark.sanitizer
@pytest.mark.parametrize("spec", ["9k:A", "20M:A"])
def test_broken_pipe(fails, tmp_path, spec):
    """Also where no other thread writes."""
    write_image(tmp_path / "disk", spec)
    reader, writer = os.pipe()
    os.close(reader)
    line = fails(f"--write-list=/dev/fd/{writer}", "disk", cwd=tmp_path,
                 pass_fds=[writer])
    os.close(writer)
    assert line == f"/dev/fd/{writer}: write error: Broken pipe"


def test_full_device(fails, tmp_path, image):
    assert fails("--write-list=/dev/full", "disk", cwd=tmp_path) == \
        "/dev/full: write error: No space left on device"


@pytest.mark.sanitizer
@pytest.mark.parametrize("limit, left", [(200, False), (5000, False), (1 << 20, False),
                                         (1300000, True)])
def test_full_file_system(fails, tmp_path, limit, left):
    """What has no check cannot be resumed, and goes."""
    write_image(tmp_path / "disk", "20M:A")
    (tmp_path / "list").write_bytes(OLD_LIST)
    line = fails("--write-list=list", "--block-size=512", "disk", cwd=tmp_path,
                 restore_signals=False, preexec_fn=lambda: resource.setrlimit(
                     resource.RLIMIT_FSIZE, (limit, limit)))
    assert line == "list: write error: File too large"
    assert (tmp_path / "list").read_bytes() == OLD_LIST
    assert (tmp_path / "list.part").exists() == left


def test_image_that_fails(fails, tmp_path, image):
    for name, why in ("nosuch", "No such file or directory"), (".", "is a directory"):
        assert fails("--write-list=list", name, cwd=tmp_path) == f"{name}: {why}"
    assert os.listdir(tmp_path) == ["disk"]


def test_read_error(build, fails, tmp_path):
    """What was hashed before is kept if it can be resumed. With more reads in flight,
    it may not be in the list yet."""
    write_image(tmp_path / "disk", "20M:A")
    env = {"LD_PRELOAD": str(build / "tests/read-error.so"), "DISKSUM_READS": "copy"}
    for offset, left in (1 << 20, ["disk"]), (19 << 20, ["disk", "list.part"]):
        line = fails("--write-list=list", "--block-size=512", "-t1", "--queue-depth=1",
                     "disk", cwd=tmp_path, env={**env, "READ_ERROR_OFFSET": str(offset)})
        assert line == f"disk: read error at offset {offset}: Input/output error"
        assert sorted(os.listdir(tmp_path)) == left


@pytest.mark.parametrize("name, why", [
    ("none/list", "cannot open its directory: No such file or directory"),
    ("disk/list", "cannot open its directory: Not a directory"),
    ("sub", "is a directory"), ("sub/", "is a directory"),
    ("none/", "is a directory"), ("/dev/fd/77", "Bad file descriptor"),
    ("/dev/fd/0", "is not open for writing")])
def test_bad_names(fails, tmp_path, image, name, why):
    (tmp_path / "sub").mkdir()
    with open(os.devnull) as null:
        line = fails(f"--write-list={name}", "disk", cwd=tmp_path, stdin=null)
    assert line == f"{name}: {why}"
    assert sorted(os.listdir(tmp_path)) == ["disk", "sub"]


def test_block_device(fails, tmp_path, loop_device, image):
    device = loop_device(1 << 20)
    assert fails(f"--write-list={device}", tmp_path / "disk") == \
        f"{device}: is a block device"


@pytest.mark.parametrize("args, message", [
    (["--write-list=list", "a", "b"], "--write-list takes one image"),
    (["--write-list=list", "-c", "a"],
     "the --check and --write-list options are mutually exclusive"),
    (["--write-list=", "a"], "the --write-list option requires a file name"),
    (["--write-list=-", "--json", "a"],
     "--json and the list cannot both go to standard output"),
])
def test_wrong_usage(disksum, tmp_path, args, message):
    result = disksum(*args, check=False, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"disksum: {message}\n")
    assert os.listdir(tmp_path) == []


# --- what is there already -----------------------------------------------

def test_list_is_replaced(wrote, disksum, tmp_path, image):
    """Its name goes to the new one; who has the old one open, keeps it."""
    (tmp_path / "target").write_bytes(OLD_LIST)
    (tmp_path / "list").symlink_to("target")
    with open(tmp_path / "list", "rb") as old:
        wrote("disk", expected=image)
        assert old.read() == OLD_LIST
    assert not (tmp_path / "list").is_symlink()
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "list").stat().st_mode & 0o777 == 0o666 & ~umask


def test_part_with_another_name(fails, tmp_path, image):
    """Another user can make a link to any file."""
    (tmp_path / "victim").touch()
    os.link(tmp_path / "victim", tmp_path / "list.part")
    assert fails("--write-list=list", "disk", cwd=tmp_path) == \
        "list.part: has another name, too, so it may be another file"
    assert (tmp_path / "victim").read_bytes() == b""


def test_permissions(wrote, tmp_path, image):
    """A list that only some may read does not become one for all."""
    (tmp_path / "list").touch(0o440)
    wrote("disk", expected=image)
    assert (tmp_path / "list").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("target", ["victim", "nowhere"])
def test_link_to_follow(fails, tmp_path, image, target):
    (tmp_path / "victim").write_text("mine")
    (tmp_path / "list.part").symlink_to(target)
    assert fails("--write-list=list", "disk", cwd=tmp_path) == \
        "list.part: is a symbolic link"
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()
    assert (tmp_path / "list.part").is_symlink()


def test_part_that_is_no_list(fails, tmp_path, image):
    (tmp_path / "list.part").write_text("mine")
    assert fails("--write-list=list", "disk", cwd=tmp_path) == \
        "list.part: not a digest list"
    assert (tmp_path / "list.part").read_text() == "mine"
    (tmp_path / "list.part").unlink()
    os.mkfifo(tmp_path / "list.part")
    assert fails("--write-list=list", "disk", cwd=tmp_path) == \
        "list.part: is not a regular file"


@pytest.mark.parametrize("kept", [0, 20, 104, 200])
def test_useless_part(wrote, tmp_path, image, kept):
    """Without digests that a check covers it can just be replaced."""
    whole = wrote("disk", expected=image)
    (tmp_path / "list.part").write_bytes(whole[:kept])
    assert wrote("disk", expected=image) == whole
    assert not (tmp_path / "list.part").exists()


def test_two_writers(disksum, fails, tmp_path, image):
    """Of one list."""
    with subprocess.Popen([BUILD / "disksum", "--write-list=list", "-"],
                          cwd=tmp_path, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as first:
        # The header is written when the part is locked.
        while not (tmp_path / "list.part").exists() or \
                not (tmp_path / "list.part").stat().st_size:
            assert first.poll() is None
        first.stdin.write(b"x")
        first.stdin.flush()
        assert fails("--write-list=list", "disk", cwd=tmp_path) == \
            "list.part: another process is writing it"
        out, _ = first.communicate()
    assert sums(out.decode()) == [checksum(b"x")]


@pytest.mark.parametrize("removed", [True, False])
def test_part_without_its_name(tmp_path, removed):
    """Somebody has removed the part of a run that goes on, and may have begun another."""
    with subprocess.Popen([BUILD / "disksum", "--write-list=list", "-"],
                          cwd=tmp_path, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        while not (tmp_path / "list.part").exists() or \
                not (tmp_path / "list.part").stat().st_size:
            assert first.poll() is None
        (tmp_path / "list.part").unlink()
        if not removed:
            (tmp_path / "list.part").write_text("half")
        assert first.communicate(b"x") == \
            (b"", b"disksum: list.part: was removed or replaced while it was written\n")
    assert first.returncode == 1
    assert os.listdir(tmp_path) == ([] if removed else ["list.part"])
    assert removed or (tmp_path / "list.part").read_text() == "half"


def test_useless_part_without_its_name(tmp_path):
    """Another file of that name is not removed."""
    reader, writer = os.openpty()
    with subprocess.Popen([BUILD / "disksum", "--write-list=list", "-"],
                          cwd=tmp_path, stdin=writer, stderr=subprocess.DEVNULL) as first:
        while not (tmp_path / "list.part").exists() or \
                not (tmp_path / "list.part").stat().st_size:
            assert first.poll() is None
        (tmp_path / "list.part").unlink()
        (tmp_path / "list.part").write_text("half")
        os.close(writer)
        os.close(reader)
    assert first.returncode == 1
    assert (tmp_path / "list.part").read_text() == "half"


def test_part_that_is_standard_output(disksum, tmp_path, image):
    """The checksum would be written over the list."""
    with open(tmp_path / "list.part", "wb") as out:
        result = disksum("--write-list=list", "disk", cwd=tmp_path, stdout=out, check=False)
    assert (result.returncode, result.stderr) == \
        (1, "disksum: list.part: is standard output\n")
    assert (tmp_path / "list.part").read_bytes() == b""
    assert not (tmp_path / "list").exists()


NO_LIST = "{}: exists, and is not a digest list; remove it first, or give another name"


def test_what_is_no_list_is_not_replaced(fails, disksum, tmp_path, image):
    """FILE was forgotten, or is another image, or was made meanwhile."""
    content = (tmp_path / "disk").read_bytes()
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "over.qcow2", "1M"],
                   cwd=tmp_path, check=True)
    (tmp_path / "link").symlink_to("disk")
    disksum("--shard=1/1", "--write-list=part-1", "disk", cwd=tmp_path)
    for name in "disk", "link":
        for args in ["over.qcow2"], ["disk"], [], ["--merge", "part-1"], \
                ["--", "[", "nbdkit", "file", "disk", "]"]:
            assert fails(f"--write-list={name}", *args, cwd=tmp_path, input="") == \
                NO_LIST.format(name)
    assert (tmp_path / "disk").read_bytes() == content
    assert not (tmp_path / "disk.part").exists()
    (tmp_path / "guest.raw").write_bytes(OLD_LIST)
    assert fails("--write-list=guest.raw", "disk", cwd=tmp_path) == \
        "guest.raw: exists, and has the name of a raw disk"
    assert (tmp_path / "guest.raw").read_bytes() == OLD_LIST
    (tmp_path / "empty").touch()
    for name in "part-1", "empty":
        disksum(f"--write-list={name}", "disk", cwd=tmp_path)
        disksum("--show", name, cwd=tmp_path)


@pytest.mark.parametrize("content", [bytes(9 * 512), OLD_LIST + bytes(4096)], ids=["disk", "list"])
def test_descriptor_overwrites_nothing(disksum, tmp_path, image, content):
    """What is left of an old list would break the new one. Behind the end of a file a
    list may follow."""
    for offset, flags, status in (0, os.O_RDWR, 1), (512, os.O_RDWR, 1), (0, os.O_WRONLY, 1), \
            (0, os.O_RDWR | os.O_APPEND, 0), (len(content), os.O_WRONLY, 0):
        (tmp_path / "other").write_bytes(content)
        fd = os.open(tmp_path / "other", flags)
        os.lseek(fd, offset, os.SEEK_SET)
        done = disksum(f"--write-list=/dev/fd/{fd}", "disk", cwd=tmp_path, check=False,
                       pass_fds=[fd])
        os.close(fd)
        assert done.returncode == status, done
        after = (tmp_path / "other").read_bytes()
        assert after.startswith(content) and (len(after) == len(content)) == status


def test_file_that_is_made_meanwhile(build, tmp_path, image):
    """Nothing was there at the beginning."""
    with subprocess.Popen([build / "disksum", "--write-list=list"], cwd=tmp_path,
                          stdin=subprocess.PIPE, stderr=subprocess.PIPE) as p:
        wait_until((tmp_path / "list.part").exists)
        (tmp_path / "list").write_text("mine")
        _, line = p.communicate(b"x")
    assert (p.returncode, line.decode()) == (1, f"disksum: {NO_LIST.format('list')}\n")
    assert (tmp_path / "list").read_text() == "mine"


def test_name_of_the_image(fails, tmp_path):
    """It looks like a list."""
    (tmp_path / "disk").write_bytes(OLD_LIST)
    (tmp_path / "link").symlink_to("disk")
    os.link(tmp_path / "disk", tmp_path / "hard")
    for name in "disk", "link", "hard":
        assert fails(f"--write-list={name}", "-fraw", "disk", cwd=tmp_path) == \
            f"{name}: is the image that is hashed, or one of its files"
    assert (tmp_path / "disk").read_bytes() == OLD_LIST


@pytest.mark.parametrize("options", [[], ["-f", "raw"]])
@pytest.mark.parametrize("start", ["", "BLKLIST"])
def test_part_that_is_the_image(fails, tmp_path, start, options):
    """What it has may look like a list that has nothing yet: a guest chooses it."""
    content = start.encode().ljust(65536 * bool(start), b"\0")
    (tmp_path / "list.part").write_bytes(content)
    fails("-q", "--write-list=list", *options, "list.part", cwd=tmp_path)
    assert (tmp_path / "list.part").read_bytes() == content
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "list.part", "-F", "raw",
                    "over"], cwd=tmp_path, check=True)
    assert fails("-q", "--write-list=list", "over", cwd=tmp_path) == \
        "list.part: is the image that is hashed, or one of its files"
    assert fails("--write-list=list", "nosuch", cwd=tmp_path) == \
        "nosuch: No such file or directory"
    assert (tmp_path / "list.part").read_bytes() == content


@pytest.mark.parametrize("name", ["qcow2", "qed"])
@pytest.mark.sanitizer
def test_name_of_a_backing_file(fails, tmp_path, image, name):
    """Also of one that only QEMU opens."""
    subprocess.run(["qemu-img", "create", "-q", "-f", name, "-b", "disk", "-F", "raw", "over"],
                   cwd=tmp_path, check=True)
    with open(tmp_path / "disk", "r+b") as f:
        f.write(OLD_LIST)
    content = (tmp_path / "disk").read_bytes()
    assert fails("--write-list=disk", "over", cwd=tmp_path) == \
        "disk: is the image that is hashed, or one of its files"
    assert (tmp_path / "disk").read_bytes() == content


def test_pipe_of_the_image(fails, tmp_path):
    """It would hash its own list."""
    os.mkfifo(tmp_path / "fifo")
    fd = os.open(tmp_path / "fifo", os.O_RDWR)
    assert fails("--write-list=fifo", "-", cwd=tmp_path, stdin=fd) == \
        "fifo: is the image that is hashed, or one of its files"
    os.close(fd)


# --- confinement ---------------------------------------------------------

def test_qemu_cannot_rename(wrote, tmp_path, image):
    """A list of what QEMU reads."""
    subprocess.run(["qemu-img", "convert", "-q", "-O", "qed", "disk", "disk.qed"],
                   cwd=tmp_path, check=True)
    wrote("disk.qed", expected=image)
