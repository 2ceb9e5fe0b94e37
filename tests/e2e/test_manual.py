# SPDX-License-Identifier: LGPL-2.1-or-later
"""The manual page of the command says what happens: its examples run, and the
keys of --json are those that it has. (Its options: test_build.py.)"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess

import pytest

from conftest import sums
from diff_oracle import change
from nbd_server import free_port
from oracle import checksum, write_image
from qcow2_compare import convert
from test_nbd_tls import certificates  # noqa: F401: a fixture


def section(root, title):
    page = (root / "man/disksum.1.scd").read_text()
    [text] = re.findall(rf"^# {title}\n(.*?)(?=^# [A-Z]|\Z)", page, re.M | re.S)
    return text


# --- JSON ---------------------------------------------------------------------

def documented(root):
    """The keys, and the types of their values."""
    return dict(re.findall(r"^\*([a-z-]+)\* \((\w+)\)$", section(root, "JSON"),
                           re.M))


def printed(value):
    """Each key with the type of its value, also of objects within."""
    names = {str: "string", int: "number", float: "number", list: "array"}
    for key, part in value.items():
        yield key, names[type(part)]
        for below in part if isinstance(part, list) else []:
            yield from printed(below)


def test_json_keys(disksum, root, tmp_path):
    write_image(tmp_path / "base\udcff", "64k:A")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw",
                    "-b", b"base\xff", b"top\xff"], cwd=tmp_path, check=True)
    out = disksum("--json", "top\udcff", "no\udcff", "no", cwd=tmp_path,
                  check=False).stdout
    top, no_utf8, no = map(json.loads, out.splitlines())
    listed = json.loads(disksum("--json", "--write-list=list", "base\udcff",
                                cwd=tmp_path).stdout)
    subprocess.run(["qemu-img", "snapshot", "-c", "s", b"top\xff"], cwd=tmp_path,
                   check=True)
    part = json.loads(disksum("--json", "-l", "s", "top\udcff", cwd=tmp_path).stdout)
    subprocess.run(["tar", "-cf", "tar", b"base\xff"], cwd=tmp_path, check=True)
    member = json.loads(disksum("--json", "--member=base\udcff", "tar", cwd=tmp_path).stdout)
    assert member["member-hex"] == b"base\xff".hex()
    del member["member-hex"]
    assert {key: value for line in (top, no, listed, part, member)
            for key, value in printed(line)} == documented(root)
    assert set(documented(root)) - set(top) == {"error", "list", "snapshot",
                                                 "member"}
    assert set(no_utf8) == {"filename", "filename-hex", "error"}
    assert set(no) == {"filename", "error"}
    assert sum(top[key] for key in ("data", "zero", "hole", "known")) == \
        top["virtual-size"]


# --- examples -----------------------------------------------------------------

def commands(root):
    """What the section has behind prompts, in its order."""
    for block in re.findall(r"(?:^\t.*\n(?:^[^\n]+\n)*)", section(
            root, "EXAMPLES"), re.M):
        text = re.sub(r"\+\+$", "", block, flags=re.M)
        text = re.sub(r"\\(.)", r"\1", text)
        for command in re.split(r"^[$#] ", text.lstrip("\t"), flags=re.M)[1:]:
            yield command.rstrip()


@pytest.fixture
def desk(tmp_path, build, certificates):  # noqa: F811: the fixture
    """A directory with all that the examples name, a larger volume, and a
    snapshot of another content."""
    for tool in "qemu-img", "qemu-nbd", "nbdkit", "psktool", "xz":
        if not shutil.which(tool):
            pytest.skip(f"no {tool}")

    def run(*command, **kwargs):
        subprocess.run(command, cwd=tmp_path, check=True,
                       stdout=subprocess.DEVNULL, **kwargs)

    write_image(tmp_path / "before", "500k:B 500k:-")
    run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", "before",
        "disk.qcow2")
    run("qemu-img", "snapshot", "-c", "before-upgrade", "disk.qcow2")
    run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", "before",
        "full.qcow2")
    for below, top, write in (("full", "monday", "write -P 1 100k 200k"),
                              ("monday", "tuesday", "write -P 2 200k 640k")):
        run("qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b",
            f"{below}.qcow2", f"{top}.qcow2")
        for image in f"{top}.qcow2", "disk.qcow2":
            run("qemu-io", "-f", "qcow2", "-c", write, image)
    for copy, *options in (["disk.raw", "-O", "raw"], ["volume.qcow2", "-O", "qcow2"],
                           ["backup.qcow2", "-O", "qcow2", "-c"]):
        run("qemu-img", "convert", *options, "disk.qcow2", copy)
    run("xz", "-k", "disk.raw")
    shutil.copy(tmp_path / "disk.raw", tmp_path / "volume")
    os.truncate(tmp_path / "volume", 4 << 20)
    (tmp_path / "migrated").write_bytes(change((tmp_path / "disk.raw").read_bytes(), 1, 5))
    shutil.copytree(certificates, tmp_path / "pki")
    (tmp_path / "bin").mkdir()
    os.symlink(build / "disksum", tmp_path / "bin/disksum")
    (tmp_path / "bin/ssh").write_text(
        '#!/bin/sh\n[ "$1" != -n ] || shift\nshift\nexec sh -c "$*"\n')
    (tmp_path / "bin/ssh").chmod(0o755)
    return tmp_path


def run_in(desk, command):
    env = {**os.environ, "PATH": f"{desk}/bin:{os.environ['PATH']}"}
    return subprocess.run(["sh", "-c", command], cwd=desk, env=env,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def start_server(servers, command, desk, port):
    def connect():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    address = {"qemu-nbd": "-b 127.0.0.1", "nbdkit": "-f -i 127.0.0.1"}
    program, _, rest = command.partition(" ")
    servers.start(["sh", "-c", f"cd {desk} && exec {program} -p {port} "
                   f"{address[program]} {rest}"], connect)


def test_examples(root, desk, servers):
    disk, snapshot, volume = (checksum(desk / name) for name in (
        "disk.raw", "before", "volume"))
    assert len({disk, snapshot, volume}) == 3
    others = {"disksum disk.raw disk.qcow2": [disk, disk],
              "disksum /dev/vg/volume disk.qcow2": [volume, disk],
              "disksum -l before-upgrade disk.qcow2": [snapshot],
              "disksum -p -T none /dev/vg/volume": [volume]}
    below = {f"{day}.qcow2": [checksum(convert(desk / f"{day}.qcow2"))]
             for day in ("full", "monday")}
    port = None
    checked = 0
    for command in commands(root):
        local = command.replace("/dev/vg/volume", f"{desk}/volume") \
            .replace("/dev/old/volume", "disk.raw") \
            .replace("/dev/new/volume", "migrated") \
            .replace("/etc/pki/nbd", f"{desk}/pki") \
            .replace("host/", f"localhost:{port}/")
        if re.match("qemu-nbd|nbdkit", command):
            port = free_port()
            start_server(servers, local, desk, port)
            continue
        done = run_in(desk, local)
        differs = command.endswith("> ranges")
        assert done.returncode == differs, (command, done.stderr)
        out = done.stdout.decode()
        if "--check" in command:
            assert re.fullmatch("(disk.raw|-): OK\n", out)
        elif "--expect" in command:
            assert out == "disk.qcow2: OK\n"
        elif "--json" in command:
            assert json.loads(out)["virtual-size"] == 1024000
        elif out and "disksum" in command:
            expected = below.get(command.split()[-1], others.get(command, [disk]))
            assert sums(out) == expected, command
        checked += bool(out)
    assert checked >= 12
    assert disk in (desk / "SUM.tuesday").read_text()
    assert (desk / "migrated").read_bytes() == (desk / "disk.raw").read_bytes()


def test_running_machine(root, daemon, disksum, tmp_path, monkeypatch):
    """The disk of one moment, by the commands of the manual, while the guest goes on."""
    monkeypatch.chdir(tmp_path)
    text = section(root, "EXAMPLES")
    [block] = re.findall(r"```\n(.*?)```", text, re.S)
    [create] = [one for one in commands(root) if "moment.qcow2" in one]
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "volume.qcow2", "4M"], check=True)
    subprocess.run(["qemu-img", "bitmap", "--add", "volume.qcow2", "monday"], check=True)
    disksum("--write-list=monday.blkhash", "volume.qcow2")
    guest = daemon("volume.qcow2")
    guest.write((1 << 20, 100000, "A"))
    expected = sums(disksum(guest.uri).stdout)
    subprocess.run(create.split(), check=True, stdout=subprocess.DEVNULL)
    for command in map(json.loads, re.split(r"\n(?={)", block)):
        if command["execute"] != "nbd-server-start":  # the daemon has one
            guest.qmp(command["execute"], **command["arguments"])
    guest.write((2 << 20, 1, "B"))
    [command] = re.findall(r"^\t(disksum .*\+\+\n.*)", text, re.M)
    words = shlex.split(command.replace("++", "").replace("\\\\\n", "")
                        .replace("moment.sock", "guest"))
    assert sums(disksum(*words[1:]).stdout) == expected
    guest.quit()
    assert "tuesday" in subprocess.run(["qemu-img", "info", "volume.qcow2"], check=True,
                                       stdout=subprocess.PIPE, text=True).stdout


def test_example_that_stops(root, desk):
    """... when the copy is another disk."""
    [command] = [c for c in commands(root) if "exit 1" in c]
    for image, status in (("backup.qcow2", 0), ("monday.qcow2", 1), ("no", 1)):
        done = run_in(desk, command.replace("backup.qcow2", image))
        assert done.returncode == status


def test_certificates(root):
    """Where they come from is said in one place, of which this is the name."""
    tls = section(root, "NBD").split("## TLS")[1]
    assert re.findall(r"\*([a-z-]+)\*\(\d\)", tls) == ["nbdkit-tls"]
