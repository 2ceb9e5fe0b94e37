# SPDX-License-Identifier: LGPL-2.1-or-later
"""The author of an image, a guest and a server cannot choose what is opened, or where
connections go."""

import contextlib
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import threading

import pytest

from conftest import BUILD, sums
from hostile_images import (
    DESCRIPTOR, MAKERS, SIZE, hostile, hostile_qcow, hostile_qed, hostile_vmdk,
    hostile_vmdk_parent, qemu_img)
from oracle import checksum
from qcow2_image import BITMAPS, EXT_BITMAPS, Image
from test_trust_writes import run
from vmdk_image import Sparse


# --- names that images record ----------------------------------------------

@contextlib.contextmanager
def listener(path):
    """Listen on a socket, and list the connections to it."""
    came = []
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    client, _ = server.accept()
                    came.append(client)
                    client.close()
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield came
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


FOREIGN = ["nbd+unix:///?socket=SOCKET", "nbds+unix://alice@/?socket=SOCKET",
           "nbd:unix:SOCKET", "json:{'driver':'nbd','server.type':'unix',"
           "'server.path':'SOCKET'}", "https://127.0.0.1:1/x", "ssh://127.0.0.1/x",
           "fat:/etc", "a:b"]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("name", FOREIGN)
def test_recorded_name_is_refused(fails, tmp_path, make, name):
    socket_path = tmp_path / "s"
    name = name.replace("SOCKET", str(socket_path))
    path = make(tmp_path / "image", name)
    with listener(socket_path) as came:
        line = fails(path)
        for word in "image: its ", name, "is not a plain file; use --trust-names":
            assert word in line
        assert not came


@pytest.mark.parametrize("make", MAKERS)
def test_recorded_name_below_is_refused(fails, tmp_path, make):
    """The second image of a chain records the name."""
    below = make(tmp_path / "below", "nbd+unix:///?socket=/x")
    above = hostile_qed(tmp_path / "above", str(below))
    assert "use --trust-names to follow such a name" in fails(above)


def hostile_data_file(path, name):
    Image(SIZE, data_file=name.encode()).write(path)
    return path


@pytest.mark.parametrize("length", [1500, 5000])
@pytest.mark.parametrize("make", [hostile, hostile_qed, hostile_qcow, hostile_data_file])
def test_recorded_name_below_is_too_long(fails, tmp_path, make, length):
    """QEMU refuses names of more than 1,023 bytes, or finds no such file."""
    below = make(tmp_path / "below", "x" * length)
    above = hostile_qed(tmp_path / "above", str(below))
    assert re.search("ile name too long|Failed to read backing filename", fails(above))


def test_descriptor_below_has_no_end(disksum, tmp_path):
    """The header says that it has 2^64 - 1 sectors: the names in it are looked for as far
    as QEMU reads it."""
    image = Sparse(2048)
    image.data(0, b"data")
    image.header["descriptor_size"] = (1 << 64) - 1
    image.write(tmp_path / "below")
    above = hostile_qed(tmp_path / "above", str(tmp_path / "below"))
    assert sums(disksum(above).stdout) == [checksum((b"data" * 16384).ljust(SIZE, b"\0"))]


@pytest.mark.parametrize("make, driver", [
    (hostile, "qcow2"), (hostile_qed, "qed"), (hostile_vmdk, "vmdk")])
def test_recorded_name_below_a_description_is_refused(fails, tmp_path, make, driver):
    """The user chose the file that QEMU opens, but not the names in it."""
    socket_path = tmp_path / "a,b"
    path = make(tmp_path / "c,d", f"nbd+unix:///?socket={socket_path}")
    doubled = str(path).replace(",", ",,")
    node = {"driver": driver, "file": {"driver": "file", "filename": str(path)}}
    with listener(socket_path) as came:
        for args in (["--image-opts", f"driver={driver},file.filename={doubled}"],
                     ["--image-opts", f"file.driver=file,file.filename={doubled}"],
                     ["json:" + json.dumps(node)],
                     ["json:" + json.dumps(node).replace('"', "'")]):
            assert "use --trust-names to follow such a name" in fails(*args)
        assert not came
        args = ["--image-opts", f"driver={driver},file.filename={doubled}"]
        assert "together with --object" in fails(
            "--trust-names", "--object", "secret,id=s,data=x", *args)


@pytest.mark.parametrize("drivers", [
    ["raw", "qcow2"], ["raw", "copy-on-read", "qcow2"], ["copy-on-read", "raw", "qcow2"]])
def test_recorded_name_below_drivers_is_refused(fails, tmp_path, drivers):
    """The format of the file is not that of the first driver."""
    path = hostile(tmp_path / "image", "nbd+unix:///?socket=/x")
    node = {"driver": "file", "filename": str(path)}
    for driver in reversed(drivers):
        node = {"driver": driver, "file": node}
    options = ",".join(f"{i * 'file.'}driver={driver}" for i, driver in enumerate(drivers))
    options += f",{len(drivers) * 'file.'}filename={path}"
    for args in ["json:" + json.dumps(node)], ["--image-opts", options]:
        assert "use --trust-names to follow such a name" in fails(*args)


def test_recorded_name_beside_a_raw_image_is_refused(fails, tmp_path):
    """One of two files has a format, and the other one is probed."""
    path = hostile(tmp_path / "image", "nbd+unix:///?socket=/x")
    raw = tmp_path / "raw"
    raw.write_bytes(bytes(SIZE))
    options = "driver=quorum,vote-threshold=1,children.0.driver=raw," \
        f"children.0.file.filename={raw},children.1.file.filename={path}"
    assert "use --trust-names to follow such a name" in fails("--image-opts", options)


@pytest.mark.parametrize("name", ["h\u00e9", "\u6f22", "\U0001f4bf", "a\tb", "a\"b\\c"])
def test_recorded_name_below_an_escaped_name_is_refused(fails, tmp_path, name):
    path = hostile(tmp_path / name, "nbd+unix:///?socket=/x")
    node = {"driver": "qcow2", "file": {"driver": "file", "filename": str(path)}}
    for text in json.dumps(node), json.dumps(node, ensure_ascii=False):
        assert "use --trust-names to follow such a name" in fails("json:" + text)


@pytest.mark.parametrize("format", ["preallocate", "blkdebug", "file", "QCOW2"])
@pytest.mark.parametrize("options", [[], ["--trust-names"]])
def test_recorded_format_is_one_of_images(fails, tmp_path, format, options):
    """QEMU accepts any of its drivers as a format."""
    base, path = tmp_path / "base", tmp_path / "image"
    base.write_bytes(bytes(SIZE))
    Image(SIZE, backing=b"base", backing_format=format.encode()).write(path)
    above = hostile_qed(tmp_path / "above", str(path))
    for image in path, above:
        assert f"'{format}', is not an image format" in fails(*options, image)


def test_recorded_data_file_is_json(fails, tmp_path):
    """QEMU without the fix of CVE-2024-4467 takes the name for a graph."""
    image = Image(SIZE, data_file=b'json:{"driver":"null-co"}')
    image.write(tmp_path / "image")
    above = hostile_qed(tmp_path / "above", str(tmp_path / "image"))
    assert "is not a plain file; use --trust-names" in fails(above)


def test_recorded_data_file_is_a_fifo(fails, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    image = Image(SIZE, data_file=os.fsencode(fifo))
    image.write(tmp_path / "image")
    args = ["--image-opts", f"driver=qcow2,file.filename={tmp_path / 'image'}"]
    for options in [tmp_path / "image"], args:
        assert re.search("FIFO|is not a regular file", fails(*options))


def test_recorded_name_is_followed_when_trusted(disksum, servers, tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(b"disk" * (SIZE // 4))
    uri, _ = servers.nbdkit("file", disk)
    for make in hostile, hostile_qed, hostile_qcow:
        path = make(tmp_path / "image", uri)
        done = disksum("--trust-names", path, check=False)
        assert sums(done.stdout) == [checksum(disk)]


def test_trusted_name_gets_no_credentials(fails, servers, tmp_path):
    """A recorded name gets no credentials: neither its own, nor the user's, nor a file."""
    keys = tmp_path / "keys"
    keys.mkdir()
    subprocess.run(["psktool", "-u", "alice", "-p", keys / "keys.psk"], check=True,
                   stdout=subprocess.DEVNULL)
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(SIZE))
    uri, _ = servers.nbdkit("--tls=require", f"--tls-psk={keys}/keys.psk", "file", disk,
                            scheme="nbds+unix", path="alice@/")
    typed = f"--object=tls-creds-psk,id=t,endpoint=client,dir={keys},username=alice"
    for name, options in ((f"{uri}&tls-psk-file={keys}/keys.psk", []), (uri, [typed])):
        path = hostile(tmp_path / "image", name)
        assert "use --trust-names to follow" in fails(*options, path)
        line = fails("--trust-names", *options, path)
        assert "would get your credentials" in line


@contextlib.contextmanager
def unopened_fifo(path):
    """A process that waits to write into a FIFO goes on waiting."""
    os.mkfifo(path)
    with subprocess.Popen(["sh", "-c", f"exec echo lost >{path}"]) as writer:
        try:
            yield path
            assert writer.poll() is None
            assert path.read_bytes() == b"lost\n"
        finally:
            writer.kill()


@pytest.mark.parametrize("make", MAKERS)
def test_recorded_fifo_is_not_opened(fails, tmp_path, make):
    with unopened_fifo(tmp_path / "fifo") as fifo:
        line = fails(make(tmp_path / "image", str(fifo)))
        assert "FIFO" in line or "is not a regular file or block device" in line


@pytest.mark.parametrize("make", MAKERS[1:])
def test_relative_name_in_an_image_without_a_name(fails, tmp_path, make):
    """A number would be a descriptor of QEMU: that of the image itself, in a loop."""
    path = make(tmp_path / "image", "10")
    with open(path, "rb") as image:
        path.unlink()
        # disksum itself looks for a parent in /dev, as it does for that of a qcow2.
        names = ["-"] if make == hostile_vmdk_parent else ["-", "/dev/stdin", "/proc/self/fd/0"]
        for name in names:
            line = fails(name, stdin=image)
            assert re.match(rf"{name}: cannot open its [a-z ]+ '10': the name is relative, but "
                            "the image is in no directory$", line)


# Names in places where a reader may not look, but QEMU does.

FLAT = f"RW {SIZE // 512} FLAT"


def parent_behind_nul(path, name):
    hostile_vmdk_parent(path, name)
    text = path.read_bytes()
    path.write_bytes(text.replace(b'Hint="', b"Hint\0\0"))
    return path


def text_of_another_version(path, name):
    """The content is not that of a VMDK image, but -f vmdk reads it as one."""
    hostile_vmdk(path, name)
    path.write_text(path.read_text().replace("version=1", "version=9"))
    return path


def parent_of_another_version(path, name):
    below = text_of_another_version(path.with_suffix(".below"), name)
    return hostile_vmdk_parent(path, str(below))


def backing_format_vmdk(path, name):
    below = text_of_another_version(path.with_suffix(".below"), name)
    middle = path.with_suffix(".qcow2")
    Image(SIZE, backing=os.fsencode(below), backing_format=b"vmdk").write(middle)
    return hostile_qed(path, str(middle))


def qed_name_in_header(path, name):
    """The name overlaps the header, which begins at offset 0: QED."""
    os.symlink(name, path.parent / "QED")
    hostile_qed(path, "none")
    with open(path, "r+b") as file:
        file.seek(56)
        file.write(struct.pack("<II", 0, 4))
    return path


def qed_long_name(path, name):
    return hostile_qed(path, 1100 * "/" + name)


def embedded(path, text):
    header = struct.pack("<4sIIQQQQI", b"KDMV", 1, 3, 0, 128, 1, 20, 512)
    path.write_bytes(header.ljust(512, b"\0") + text.encode().ljust(10240, b"\0"))
    return path


def extent_of_an_extent(path, name):
    """A name in an extent starts from the directory of the image."""
    directory = path.parent / "extents"
    directory.mkdir()
    (directory / "disk").write_bytes(bytes(SIZE))
    os.symlink(name, path.parent / "disk")
    embedded(directory / "extent", DESCRIPTOR.format(cid="ffffffff", lines=f'{FLAT} "disk" 0'))
    path.write_text(DESCRIPTOR.format(
        cid="ffffffff", lines=f'RW {SIZE // 512} SPARSE "extents/extent"'))
    return path


def extent_with_file_prefix(path, name):
    os.symlink(name, path.parent / "file:disk")
    return hostile_vmdk(path, "file:disk")


def extent_of_a_long_line(path, name):
    """The name seems to end earlier than it does."""
    (path.parent / "disk").write_bytes(bytes(SIZE))
    os.symlink(name, path.parent / "disk.1")
    words = f'{FLAT[3:]} "disk'
    line = "RW " + (2000 - 3 - len(words)) * " " + words + '.1" 0'
    path.write_text(DESCRIPTOR.format(cid="ffffffff", lines=line))
    return path


@pytest.mark.parametrize("make", [
    parent_behind_nul, parent_of_another_version, backing_format_vmdk, qed_name_in_header,
    qed_long_name, extent_of_an_extent, extent_with_file_prefix, extent_of_a_long_line])
def test_odd_name_is_found(fails, tmp_path, make):
    with unopened_fifo(tmp_path / "fifo") as fifo:
        line = fails(make(tmp_path / "image", str(fifo)))
        assert "QEMU: " not in line


def serve_in_turn(servers, directory, first, then, reads):
    """Serve an image. After some reads of its header, another takes its place."""
    count = directory / "count"
    count.write_bytes(b"")
    return servers.nbdkit(
        "eval", f"get_size=stat -c %s {first}",
        f"pread=file={first}; if [ $4 = 0 ]; then echo >>{count}; "
        f"[ $(wc -l <{count}) -le {reads} ] || file={then}; fi; "
        "dd if=$file skip=$4 count=$3 iflag=skip_bytes,count_bytes status=none")[0]


def without_name(path, image):
    """A QED image without the name of its backing file."""
    header = bytearray(image.read_bytes())
    header[16] = 0
    path.write_bytes(header)
    return path


@pytest.mark.parametrize("reads", range(1, 5))
def test_server_changes_an_image_after_the_look(disksum, servers, tmp_path, reads):
    """The server gives QEMU other names than disksum: the first reads of the header show
    none."""
    socket_path = tmp_path / "s"
    evil = hostile_qed(tmp_path / "evil", f"nbd+unix:///?socket={socket_path}")
    clean = without_name(tmp_path / "clean", evil)
    with listener(socket_path) as came:
        run(disksum, "-f", "qed", serve_in_turn(servers, tmp_path, clean, evil, reads))
        assert not came


@pytest.mark.parametrize("reads", range(1, 5))
@pytest.mark.parametrize("has_name", [False, True])
def test_server_names_a_fifo_after_the_look(disksum, servers, tmp_path, reads, has_name):
    below = tmp_path / "below"
    below.write_bytes(os.urandom(SIZE))
    with unopened_fifo(tmp_path / "fifo") as fifo:
        evil = hostile_qed(tmp_path / "evil", str(fifo))
        clean = hostile_qed(tmp_path / "clean", str(below)) if has_name else \
            without_name(tmp_path / "clean", evil)
        run(disksum, "-f", "qed", serve_in_turn(servers, tmp_path, clean, evil, reads))


@pytest.mark.parametrize("has_name", [False, True])
def test_owner_names_a_fifo_after_the_look(disksum, tmp_path, has_name):
    """A qemu-nbd that waits until the image is another."""
    below, image, gate = (tmp_path / name for name in ("below", "image", "gate"))
    below.write_bytes(bytes(SIZE))
    os.mkfifo(gate)
    program = tmp_path / "bin" / "qemu-nbd"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\nread line <{gate}\n"
                       f"exec {shutil.which('qemu-nbd')} \"$@\"\n")
    program.chmod(0o755)
    with unopened_fifo(tmp_path / "fifo") as fifo:
        evil = hostile_qed(tmp_path / "evil", str(fifo)).read_bytes()
        hostile_qed(image, str(below))
        if not has_name:
            without_name(image, image)

        def change():
            with open(gate, "w") as f:
                image.write_bytes(evil)
                f.write("go on\n")
        thread = threading.Thread(target=change)
        thread.start()
        done = run(disksum, image, env={
            **os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"})
        thread.join()
    assert done.returncode == 1
    assert "while it was read" in done.stderr


@pytest.mark.parametrize("format, make", [("qed", hostile_qed), ("qcow", hostile_qcow)])
def test_backing_file_of_an_export(disksum, servers, tmp_path, format, make):
    below = tmp_path / "a,b=:c"
    below.write_bytes(os.urandom(SIZE))
    uri, _ = servers.nbdkit("file", make(tmp_path / "image", str(below)))
    for options in [], ["-U"]:
        done = disksum(*options, "-f", format, uri)
        assert sums(done.stdout) == [checksum(below)]


def hostile_data_file(path, name):
    Image(SIZE, data_file=os.fsencode(name)).write(path)
    return path


def data_file_below(path, name):
    below = hostile_data_file(path.with_suffix(".below"), name)
    return hostile_qed(path, str(below))


@pytest.mark.parametrize("make", [*MAKERS, hostile_data_file, data_file_below])
@pytest.mark.parametrize("options", [[], ["--trust-names"]])
def test_recorded_descriptor(fails, tmp_path, make, options):
    """Which file that is depends on the process. It may be the image itself."""
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(SIZE))
    (tmp_path / "link").symlink_to("/proc/self/fd/0")
    names = ["/dev/stdin", "/dev/fd/0", "/proc/self/cwd/disk", str(tmp_path / "link")]
    for name in names + [f"/proc/self/fd/{number}" for number in range(25)]:
        with open(disk, "rb") as stdin:
            line = fails(*options, make(tmp_path / "image", name), stdin=stdin, cwd=tmp_path)
            assert "QEMU: " not in line
            assert "leads to a file that a process has open" in line or \
                "No such file or directory" in line or "FIFO" in line or \
                "is not a regular file or block device" in line or \
                "is a character device" in line


@pytest.mark.parametrize("make", [*MAKERS, hostile_data_file, data_file_below])
@pytest.mark.parametrize("options", [[], ["--trust-names"]])
def test_recorded_file_of_the_kernel(fails, tmp_path, make, options):
    """A read of /proc/kmsg waits for ever, and takes the messages."""
    (tmp_path / "link").symlink_to("/proc/uptime")
    for name in "/proc/kmsg", "/proc/uptime", "/sys/kernel/uevent_seqnum", str(tmp_path / "link"):
        assert "is generated by the kernel" in fails(
            *options, make(tmp_path / "image", name), cwd=tmp_path)


@pytest.mark.parametrize("error", ["ENOSYS", "EPERM"])
@pytest.mark.parametrize("make", [hostile, hostile_qed, hostile_data_file])
def test_recorded_descriptor_on_an_older_kernel(fails, tmp_path, make, error):
    """A path can lead to a descriptor in many ways."""
    wrapper = [BUILD / "tests/refuse-calls", error, "openat2"]
    disk = tmp_path / "disk"
    disk.write_bytes(bytes(SIZE))
    (tmp_path / "link").symlink_to("/proc/self/fd")
    (tmp_path / "second").symlink_to("link/0")
    up = os.path.relpath("/", tmp_path)
    for name in ("/dev/stdin", "/dev/fd/0", "/proc/self/fd/0", "//proc/self/fd/0",
                 "/./proc//self/./fd/0", "/dev/../proc/self/fd/0", f"{up}/proc/self/fd/0",
                 f"{tmp_path}/link/0", f"{tmp_path}/second", "/proc/self/cwd/disk",
                 f"/proc/self/root{disk}"):
        with open(disk, "rb") as stdin:
            assert "leads to a file that a process has open" in fails(
                make(tmp_path / "image", name), stdin=stdin, cwd=tmp_path, wrapper=wrapper)


@pytest.mark.parametrize("make", [hostile, hostile_qed])
def test_recorded_link_on_an_older_kernel(disksum, tmp_path, make):
    disk = tmp_path / "disk"
    disk.write_bytes(os.urandom(SIZE))
    (tmp_path / "link").symlink_to(f".//{disk.name}")
    (tmp_path / "second").symlink_to(tmp_path / "link")
    (tmp_path / "here").symlink_to(".")
    for name in "disk", "second", f"{tmp_path}/here/./here/../{tmp_path.name}/second":
        done = disksum(make(tmp_path / "image", name), check=False,
                       wrapper=[BUILD / "tests/refuse-calls", "ENOSYS", "openat2"])
        assert sums(done.stdout) == [checksum(disk)]


def test_vmdk_that_names_itself(fails, tmp_path):
    path = tmp_path / "image"
    lines = 50 * f'RW 2048 SPARSE "{path}"\n'
    embedded(path, DESCRIPTOR.format(cid="ffffffff", lines=lines))
    assert fails(path).endswith("is another descriptor, which is not supported")
    above = hostile_qed(tmp_path / "above", str(path))
    assert fails(above).endswith(": refers to too many other files")


# --- bounds ----------------------------------------------------------------

def test_max_size(disksum, fails, servers, tmp_path):
    path, image = tmp_path / "disk", tmp_path / "image"
    path.write_bytes(bytes(SIZE))
    qemu_img("create", "-q", "-f", "qcow2", image, "1T")
    uri, _ = servers.nbdkit("file", path)
    for args in [path], [uri], ["-"]:
        kwargs = {"input": bytes(SIZE)} if args == ["-"] else {}
        expected = [checksum(path)]
        assert sums(disksum("--max-size=1M", *args, **kwargs).stdout) == expected
        line = fails(f"--max-size={SIZE - 1}", *args, **kwargs)
        assert line.startswith(f"{args[0]}: ") and "--max-size allows" in line
    assert fails("--max-size=1023G", image) == f"{image}: the disk has " \
        f"{1 << 40} bytes, more than --max-size allows"
    done = disksum("--max-size=0", path, check=False)
    assert done.returncode == 2


@pytest.mark.parametrize("beyond", [0, 65536, 1 << 40])
def test_bitmap_directory_beyond_the_end(fails, tmp_path, beyond):
    path = tmp_path / "image"
    Image(SIZE).write(path)
    end = -(-path.stat().st_size // 65536) * 65536
    image = Image(SIZE)
    image.header["autoclear_features"] = BITMAPS
    image.extension(EXT_BITMAPS, struct.pack(">IIQQ", 1, 0, 512, end + beyond))
    image.write(path)
    info = subprocess.run(["qemu-img", "info", path], capture_output=True)
    assert info.returncode == 1
    assert "the bitmap directory begins beyond the end" in fails(path)


@pytest.mark.parametrize("make", MAKERS[1:])
def test_standalone_opens_nothing_else(fails, tmp_path, make):
    """The image is refused before anything that it names is looked at."""
    with unopened_fifo(tmp_path / "fifo") as fifo:
        for name in str(fifo), "/nonexistent", "nbd://localhost":
            path = make(tmp_path / "image", name)
            for args in ([path], ["--image-opts", f"file.filename={path}"],
                         ["json:" + json.dumps({"file": {"filename": str(path)}})]):
                line = fails("--standalone", *args)
                assert line.endswith(": QEMU reads this image, and may open other files, "
                                     "which --standalone refuses") or \
                    re.search(": refers to another file, its extent '.*', which --standalone "
                              "refuses$", line)


def test_standalone_and_trust(disksum, tmp_path):
    done = disksum("--standalone", "--trust-names", tmp_path / "x", check=False)
    assert done.returncode == 2
    assert "mutually exclusive" in done.stderr
