# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that disksum has QEMU read: the checksum is that of the output of 'qemu-img
convert', and no process or file is left behind."""

import contextlib
import os
import signal
import socket
import subprocess

import pytest

from conftest import BUILD, sums
from luks import encrypt
from nbd_server import is_listening
from oracle import checksum, write_image
from test_errors import changed
from test_locks import HINT, in_use, qemu_io
from test_nbd_command import (
    arguments_with, children_with, is_running, wait_until)

SECRET = "secret,id=s,data=open sesame"


def qemu_img(*args, **kwargs):
    subprocess.run(["qemu-img", *map(os.fspath, args)], check=True,
                   stdout=subprocess.DEVNULL, **kwargs)


def expected(path, *options):
    """The checksum, by QEMU and the oracle."""
    raw = f"{path}.expected"
    qemu_img("convert", *options, "-O", "raw", path, raw)
    return checksum(raw)


@pytest.fixture(autouse=True)
def directory(tmp_path_factory, monkeypatch):
    """TMPDIR, which must be empty in the end."""
    directory = tmp_path_factory.mktemp("sockets")
    monkeypatch.setenv("TMPDIR", str(directory))
    yield directory
    assert list(directory.iterdir()) == []


@pytest.fixture
def raw(tmp_path):
    path = tmp_path / "disk.raw"
    write_image(path, "100k:A 1M:0 300k:B 2M:- 77k:C 163k:0")
    return path


@pytest.fixture
def qed(raw):
    path = raw.with_suffix(".qed")
    qemu_img("convert", "-O", "qed", raw, path)
    return path


SLOW = ["--object", "throttle-group,id=t,x-bps-read=524288", "--image-opts"]


def slow_image(path):
    return f"driver=raw,file.driver=throttle,file.throttle-group=t," \
        f"file.file.driver=file,file.file.filename={path}"


# --- formats ---------------------------------------------------------------

FORMATS = [
    ("vmdk", ""), ("vmdk", "subformat=monolithicFlat"),
    ("vmdk", "subformat=twoGbMaxExtentSparse"),
    ("vmdk", "subformat=twoGbMaxExtentFlat"),
    ("vmdk", "subformat=streamOptimized"),
    ("qed", ""), ("qed", "cluster_size=4k,table_size=2"),
    ("parallels", ""), ("parallels", "cluster_size=64k"), ("qcow", "")]


@pytest.mark.sanitizer
@pytest.mark.parametrize("format, options", FORMATS)
def test_format(disksum, raw, format, options):
    path = raw.with_suffix("." + format)
    qemu_img("convert", "-O", format, *(["-o", options] if options else []),
             raw, path)
    right = expected(path, "-f", format)
    assert sums(disksum("-f", format, path).stdout) == [right]
    assert sums(disksum("-f", format, "-T", "none", "-t", "1", path).stdout) \
        == [right]
    assert sums(disksum(path).stdout) == [right]
    with open(path, "rb") as f:
        if "twoGb" not in options and "Flat" not in options:
            assert sums(disksum(stdin=f).stdout) == [right]


@pytest.mark.sanitizer
@pytest.mark.parametrize("below", [False, True])
def test_parallels_snapshot(disksum, tmp_path, below):
    """The image does not say that it has a parent; the file beside it does."""
    image, top = tmp_path / "disk.hds", tmp_path / "top"
    qemu_img("create", "-q", "-f", "parallels", image, "1M")
    qemu_img("create", "-q", "-f", "qcow2", "-b", image, "-F", "parallels", top)
    args = [top if below else image]
    right = [checksum(bytes(1 << 20))]
    assert sums(disksum(*args).stdout) == right
    one = "<Image><GUID>{5fbaabe3}</GUID><Type>Compressed</Type><File>disk.hds</File></Image>"
    for images in 0, 1, 2, 300:
        (tmp_path / "DiskDescriptor.xml").write_text(
            f"<Parallels_disk_image><StorageData><Storage>{images * one}</Storage>"
            "</StorageData></Parallels_disk_image>")
        done = disksum(*args, check=False)
        assert sums(done.stdout) == right
        assert done.stderr == (
            f"disksum: {image}: warning: it is read alone, but DiskDescriptor.xml beside it "
            "names several images of the disk; merge them first\n" if images > 1 else "")
    assert sums(disksum("-q", *args).stdout) == right
    (tmp_path / "DiskDescriptor.xml").unlink()
    os.mkfifo(tmp_path / "DiskDescriptor.xml")
    assert sums(disksum(*args).stdout) == right


def test_verbose_names_the_format(disksum, qed):
    result = disksum("-v", qed, check=False)
    assert result.stderr.startswith(f"disksum: {qed}: qed, ")
    # QEMU passes on where the holes are.
    assert "MiB of holes" in result.stderr


def test_several_images(disksum, raw, qed):
    assert sums(disksum(qed, raw, qed).stdout) == 3 * [checksum(raw)]


# --- secrets and option strings --------------------------------------------

@pytest.fixture
def luks(raw):
    return encrypt(raw, raw.with_suffix(".luks"), "-O", "luks", "-o",
                   "key-secret=s,iter-time=100", secret=SECRET)


@pytest.fixture
def encrypted(raw):
    return encrypt(raw, raw.with_suffix(".qcow2"), "-O", "qcow2", "-o",
                   "encrypt.format=luks,encrypt.key-secret=s,"
                   "encrypt.iter-time=100", secret=SECRET)


def test_luks(disksum, fails, raw, luks):
    image = f"driver=luks,key-secret=s,file.filename={luks}"
    assert sums(disksum("--object", SECRET, "--image-opts", image).stdout) == \
        [checksum(raw)]
    line = fails("--object", "secret,id=s,data=wrong", "--image-opts", image)
    assert line == f"{image}: QEMU: Invalid password, cannot unlock any keyslot"
    assert fails("--image-opts", image) == \
        f"{image}: QEMU: No secret with id 's'"
    assert "'key-secret' is required" in fails(luks)


def test_encrypted_qcow2(disksum, fails, tmp_path, raw, encrypted):
    image = f"driver=qcow2,encrypt.key-secret=s,file.filename={encrypted}"
    key = tmp_path / "key"
    key.write_text("open sesame")
    for secret in SECRET, f"secret,id=s,file={key}":
        assert sums(disksum("--object", "secret,id=other,data=x",
                            f"--object={secret}", "--image-opts",
                            image).stdout) == [checksum(raw)]
    line = fails("--object", "secret,id=s,data=wrong", "--image-opts", image)
    assert line == f"{image}: QEMU: Invalid password, cannot unlock any keyslot"
    assert "--image-opts" in fails(encrypted)


@pytest.mark.sanitizer
def test_bad_object(fails, qed):
    assert "/nothing" in fails("--object", "secret,id=s,file=/nothing", qed)
    assert "nonsense" in fails("--object", "nonsense,id=s", qed)


@pytest.mark.sanitizer
def test_json(disksum, raw, qed):
    image = ('json:{"driver": "qed", "file": {"driver": "file", '
             f'"filename": "{qed}"}}}}')
    for options in [], ["-U"]:
        assert sums(disksum(*options, image).stdout) == [checksum(raw)]


def test_image_opts(disksum, raw):
    image = f"driver=raw,offset=65536,size=131072,file.filename={raw}"
    content = raw.read_bytes()[65536:65536 + 131072]
    for options in [], ["-U"]:
        assert sums(disksum("--image-opts", *options, image).stdout) == \
            [checksum(content)]


def test_snapshot(disksum, raw):
    path = raw.with_suffix(".qcow2")
    qemu_img("convert", "-O", "qcow2", raw, path)
    qemu_img("snapshot", "-c", "before", path)
    subprocess.run(["qemu-io", "-c", "write -P 9 0 1M", path], check=True,
                   stdout=subprocess.DEVNULL)
    image = f"driver=qcow2,file.filename={path}"
    for name in "before", "1", "snapshot.name=before":
        assert sums(disksum("--image-opts", "-l", name, image).stdout) == \
            [checksum(raw)]


# --- names -----------------------------------------------------------------

@pytest.mark.parametrize("name", [
    "a,b", "a,,b=c", "50%41%", "-f", "--help", "a b", "a'b\"c", "ä", "a\nb",
    "back\\slash", "./a:b", "./json:{}", "file:name", "file:a:b",
    'file:json:{"driver":"null-co"}', "file:nbd:..", "driver=raw"])
def test_name(disksum, raw, qed, name):
    qed.rename(raw.parent / name.removeprefix("file:"))
    for options in [], ["-U"], ["-f", "qed"]:
        assert sums(disksum(*options, "--", name, cwd=raw.parent).stdout) == \
            [checksum(raw)]


def test_unknown_protocol(fails, raw):
    assert fails("a:b") == "a:b: QEMU: Unknown protocol 'a'"
    raw.rename(raw.parent / "a:b")
    assert fails("a:b", cwd=raw.parent) == \
        "a:b: QEMU: Unknown protocol 'a'. There is a file of this name: " \
        "write ./ before the name"


def test_network_protocol(fails):
    """Nothing listens there, or the module is missing."""
    assert fails("https://127.0.0.1:1/x").startswith(
        "https://127.0.0.1:1/x: QEMU: ")


@contextlib.contextmanager
def server(raw):
    path = raw.parent / "socket"
    process = subprocess.Popen(["qemu-nbd", "-r", "-t", "-e", "9", "-f", "raw",
                                "-k", path, raw])
    try:
        wait_until(lambda: is_listening(path))
        yield path
    finally:
        process.kill()
        process.wait()


def test_nbd_in_a_format(disksum, raw, qed):
    with server(qed) as path:
        uri = f"nbd+unix:///?socket={path}"
        assert sums(disksum("-f", "qed", uri).stdout) == [checksum(raw)]


@pytest.mark.sanitizer
def test_server_ends_with_its_first_client(disksum, raw, qed, servers):
    """The names in an image are found without another connection."""
    parallels = raw.with_suffix(".parallels")
    qemu_img("convert", "-O", "parallels", raw, parallels)
    uri, _ = servers.qemu_nbd(parallels, shared=1, persistent=False)
    assert sums(disksum("-f", "parallels", uri).stdout) == [expected(parallels)]
    uri, _ = servers.qemu_nbd(qed, shared=1, persistent=False)
    assert sums(disksum("-f", "qed", uri).stdout) == [checksum(raw)]


def test_container_by_a_command(fails, qed):
    assert fails("-f", "qed", "--", "[", "nbdkit", "file", qed, "]").endswith(
        ": an image in the format 'qed' cannot be read from this export; start "
        "the server first, and give its URI")


def test_container_with_tls(fails):
    uri = "nbds://127.0.0.1:1/x"
    assert fails("-f", "qed", uri).startswith(
        f"{uri}: a qed image is read by QEMU, which cannot open this URI; "
        "give it as --image-opts driver=qed,file.driver=nbd,")


@pytest.mark.parametrize("kind", ["qed", "probe", "json", "nbd+unix", "nbd"])
def test_backing_file(disksum, fails, raw, qed, kind):
    with server(raw) as path:
        name, format = {
            "qed": ("disk.qed", "qed"), "probe": (str(qed), "qed"),
            "json": ('json:{"driver":"qed","file":{"driver":"file",'
                     f'"filename":"{qed}"}}}}', "qed"),
            "nbd+unix": (f"nbd+unix:///?socket={path}", "raw"),
            "nbd": (f"nbd:unix:{path}", "raw")}[kind]
        top = raw.parent / "top.qcow2"
        qemu_img("create", "-f", "qcow2", "-u", "-b", name,
                 "-F", format, top, "4M")
        if kind == "probe":
            # The extension that names the format becomes an unknown one.
            content = top.read_bytes()
            assert content.count(b"\xe2\x79\x2a\xca") == 1
            top.write_bytes(content.replace(b"\xe2\x79\x2a\xca", b"none"))
        subprocess.run(["qemu-io", "-c", "write -P 9 64k 640k", top],
                       check=True, stdout=subprocess.DEVNULL)
        plain = kind in ("qed", "probe")
        result = disksum(*([] if plain else ["--trust-names"]), top, check=False)
        assert sums(result.stdout) == [expected(top)]
        assert result.stderr.count("\n") == (kind == "probe")
        if not plain:
            assert fails(top) == f"{top}: its backing file '{name}' is not a " \
                "plain file; use --trust-names to follow such a name"


def test_standalone(fails, qed):
    assert fails("--standalone", qed) == \
        f"{qed}: QEMU reads this image, and may open other files, " \
        "which --standalone refuses"


# --- errors ----------------------------------------------------------------

def test_missing(fails, tmp_path):
    for options in [], ["-f", "qed"]:
        assert fails(*options, tmp_path / "no") == \
            f"{tmp_path}/no: No such file or directory"
    assert fails("--image-opts", "file.filename=/no") == \
        "file.filename=/no: QEMU: Could not open '/no': " \
        "No such file or directory"


def test_fifo(fails, tmp_path):
    os.mkfifo(tmp_path / "fifo")
    assert "is a FIFO" in fails("-f", "qed", tmp_path / "fifo")


@pytest.mark.sanitizer
def test_no_qemu(fails, qed, tmp_path):
    assert fails(qed, env={"PATH": str(tmp_path)}) == \
        f"{qed}: cannot run 'qemu-nbd' (package qemu-utils): " \
        "No such file or directory"


@pytest.mark.sanitizer
def test_broken(fails, qed):
    os.truncate(qed, 512)
    assert fails(qed).startswith(f"{qed}: QEMU: ")


def test_loop(tmp_path, fails):
    """QEMU opens the loop until it has no descriptors left."""
    path = tmp_path / "loop.qcow2"
    qemu_img("create", "-f", "qcow2", path, "1M")
    name = ('json:{"driver":"qcow2","file":{"driver":"file","filename":'
            f'"{path}"}}}}')
    qemu_img("rebase", "-u", "-F", "qcow2", "-b", name, path)
    line = fails("--trust-names", path,
                 wrapper=["prlimit", "--nofile=200", "--"])
    assert line == f"{path}: cannot open its backing file: {name}: QEMU: " \
        f"Could not open backing file: Could not open '{path}': " \
        "Too many open files"


def test_much_is_said(fails, qed, tmp_path):
    """QEMU's message is longer than a pipe holds."""
    fake = tmp_path / "bin" / "qemu-nbd"
    fake.parent.mkdir()
    fake.write_text("#!/bin/sh\necho 'qemu-nbd: warning: old' >&2\n"
                    "echo 'qemu-nbd: is tired' >&2\n"
                    "yes qemu-nbd: more | head -c 500000 >&2\nexit 1\n")
    fake.chmod(0o755)
    line = fails(qed, env={"PATH": f"{fake.parent}:{os.environ['PATH']}"})
    assert line == f"{qed}: QEMU: is tired"


def test_read_error(fails, raw):
    image = "driver=raw,file.driver=blkdebug,file.image.driver=file," \
        f"file.image.filename={raw},file.inject-error.0.event=none," \
        "file.inject-error.0.iotype=read,file.inject-error.0.sector=100," \
        "file.inject-error.0.errno=5"
    # From sector 100 to the next page.
    assert fails("--image-opts", image) == \
        f"{image}: read error at offset 49152: Input/output error"


def test_file_changes(fails, disksum, build, qed):
    env = changed(build, qed, qed.stat().st_size + 65536, "open")
    assert fails(qed, env=env) == \
        f"{qed}: the file changed while it was read"


@pytest.mark.sanitizer
def test_in_use(disksum, fails, raw, qed):
    image = f"driver=qed,file.filename={qed}"
    text = ('json:{"driver": "qed", "file": {"driver": "file", '
            f'"filename": "{qed}"}}}}')
    with qemu_io(qed, format="qed"):
        assert fails(qed) == in_use(qed)
        assert fails("--image-opts", image).endswith(
            f"[{qed}]? {HINT}")
        assert fails(text).endswith(f"[{qed}]? {HINT}")
        for args in [qed], ["--image-opts", image], [text]:
            assert sums(disksum("-U", *args).stdout) == [checksum(raw)]


@pytest.fixture
def flat(raw):
    """A VMDK image whose data is in another file."""
    path = raw.with_name("flat.vmdk")
    qemu_img("convert", "-O", "vmdk", "-o", "subformat=monolithicFlat", raw,
             path)
    return path, raw.with_name("flat-flat.vmdk")


def test_files_of_qemu_in_use(fails, disksum, raw, flat):
    """qemu-nbd by itself would let other processes write these files."""
    path, extent = flat
    top = raw.with_name("top.qcow2")
    qemu_img("create", "-f", "qcow2", "-b", raw, "-F", "raw", top)
    for name, image in [
            (extent, ["--image-opts", f"driver=vmdk,file.filename={path}"]),
            (raw, ["--image-opts", f"driver=raw,file.filename={raw}"]),
            (raw, ["--image-opts", f"driver=file,filename={raw}"]),
            (raw, ['json:{"driver": "raw", "file": {"driver": "file", '
                   f'"filename": "{raw}"}}}}']),
            (raw, ["--image-opts", f"driver=qcow2,file.filename={top}"])]:
        with qemu_io(name):
            named = "" if str(name) in image[-1] else f"{image[-1]}: "
            assert fails(*image) == named + in_use(name)
            assert sums(disksum("-U", *image).stdout) == [checksum(raw)]
        assert sums(disksum(*image).stdout) == [checksum(raw)]


@pytest.mark.parametrize("force", [False, True])
def test_files_of_qemu_change(raw, force):
    ours, theirs = os.pipe()
    with open(ours) as progress, subprocess.Popen(
            [BUILD / "disksum", *(["-U"] if force else []), f"--progress={theirs}", *SLOW,
             slow_image(raw)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            pass_fds=[theirs]) as process:
        os.close(theirs)
        assert progress.readline()  # all files are open
        os.utime(raw)
        out, err = process.communicate()
    text = "the file changed while it was read\n"
    if force:
        assert process.returncode == 0 and len(sums(out)) == 1
        assert err == f"disksum: {raw}: warning: {text}"
    else:
        assert (process.returncode, out) == (1, "")
        assert err == f"disksum: {raw}: {text}"


@pytest.mark.parametrize("text, where", [
    ('json:{"driver":"raw","force-share":FS,"file":{"driver":"file",'
     '"filename":"NAME"}}', None),
    ('json:{ "file": {"driver":"file","filename":"NAME"}, "driver":"raw" }', None),
    ("driver=raw,file.filename=NAME,", "--image-opts"),
    ("driver=raw,file.filename=NAME,force-share=on", "--image-opts")])
def test_force_share_given_too(disksum, raw, text, where):
    name = text.replace("NAME", str(raw)).replace("FS", "true")
    options = ["-U", *([where] if where else [])]
    assert sums(disksum(*options, name).stdout) == [checksum(raw)]
    assert disksum("-U", "json:{}", check=False).stderr.count(
        "Must specify either driver or file") == 1


def test_descriptors(disksum, raw, qed):
    """A descriptor of disksum has another number in QEMU."""
    for name in "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0":
        with open(qed, "rb") as f:
            assert sums(disksum(name, stdin=f).stdout) == [checksum(raw)]
    with open(raw, "rb") as f:
        image = "driver=raw,file.filename=/dev/stdin"
        assert sums(disksum("--image-opts", image, stdin=f).stdout) == \
            [checksum(raw)]
    fd = os.open(qed, os.O_RDONLY)
    try:
        assert sums(disksum(f"/dev/fd/{fd}", pass_fds=[fd]).stdout) == \
            [checksum(raw)]
    finally:
        os.close(fd)


def test_path_through_the_directory_of_descriptors(disksum, raw, qed):
    """The path begins like that of a descriptor, but is not one."""
    for directory in "/dev/fd/..", "/proc/self/fd/..":
        path = directory + "/../.." * 3 + str(qed)
        assert sums(disksum(path).stdout) == [checksum(raw)]


def test_passwords_are_not_shown(disksum, fails, tmp_path):
    name = "https://alice:hunter2@127.0.0.1:1/x"
    assert fails(name).startswith(
        "https://alice:***@127.0.0.1:1/x: QEMU: ")
    done = disksum("--json", name, check=False)
    assert "hunter2" not in done.stderr
    assert "hunter2" not in done.stdout.split('"error"')[1]
    # The password in a name that an image records.
    top = tmp_path / "top.qcow2"
    qemu_img("create", "-u", "-f", "qcow2", "-b", name, "-F", "raw", top, "1M")
    for args in ([top], ["--trust-names", top],
                 ["--image-opts", f"driver=qcow2,file.filename={top}"],
                 ["--trust-names", "--image-opts",
                  f"driver=qcow2,file.filename={top}"]):
        line = fails(*args)
        assert "hunter2" not in line


# --- the end ---------------------------------------------------------------

@pytest.mark.parametrize("moment", ["starts", "reads"])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT,
                                    signal.SIGTERM])
def test_it_ends_with_us(raw, number, moment):
    ours, theirs = os.pipe()
    process = subprocess.Popen(
        [BUILD / "disksum", f"--progress={theirs}", *SLOW, slow_image(raw)],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pass_fds=[theirs])
    os.close(theirs)
    with process, open(ours) as progress:
        try:
            wait_until(lambda: is_running("qemu-nbd", str(raw)))
            if moment == "reads":
                assert progress.readline() == "0/100\n"
        finally:
            process.send_signal(number)
        assert process.stderr.read() == b""
        assert process.wait() == -number
    wait_until(lambda: not children_with(str(raw)))


@pytest.mark.parametrize("call, cause", [("", "No such file or directory"),
                                         ("getdents64", "Operation not permitted")])
def test_files_that_cannot_be_found(build, fails, qed, call, cause):
    """Nobody would notice that one of them changes. /proc may be that of other processes,
    and the descriptors of a program that not everybody may read are root's."""
    options = {"wrapper": [build / "tests/refuse-calls", "EPERM", call]} if call else \
        {"env": {**os.environ, "LD_PRELOAD": f"{build}/tests/no-proc.so"}}
    assert fails(qed, **options) == \
        f"{qed}: cannot find out in /proc which files QEMU reads: {cause}"


@pytest.fixture
def silent(tmp_path):
    """An option string for a server that never answers: QEMU waits for it."""
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(f"{tmp_path}/silent")
        s.listen()
        yield f"driver=nbd,server.type=unix,server.path={tmp_path}/silent"


def test_silent_server(fails, silent):
    assert "does not answer" in fails("--timeout=1", "--image-opts", silent)
    assert not children_with(silent)


def test_killed_while_it_opens(directory, silent):
    with subprocess.Popen([BUILD / "disksum", "--image-opts", silent]) as p:
        wait_until(lambda: is_running("qemu-nbd", silent))
        # The name of the socket is removed by now.
        assert list(directory.iterdir()) == []
        p.kill()
    wait_until(lambda: not children_with(silent))


@pytest.mark.sanitizer
def test_qemu_is_killed(raw):
    ours, theirs = os.pipe()
    with subprocess.Popen(
            [BUILD / "disksum", f"--progress={theirs}", *SLOW, slow_image(raw)],
            pass_fds=[theirs], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE) as process:
        os.close(theirs)
        os.read(ours, 100)  # it has begun to read
        [server] = [path for path, arguments in arguments_with(str(raw)).items()
                    if arguments.startswith(b"qemu-nbd\0")]
        os.kill(int(server.split("/")[2]), signal.SIGKILL)
        out, err = process.communicate()
    os.close(ours)
    assert process.returncode == 1
    assert out == b""
    assert err.count(b"\n") == 1
    assert b"at offset " in err
    assert err.endswith(b": qemu-nbd was killed by signal 9 (Killed)\n")


def test_ends_at_the_end(disksum, qed):
    disksum(qed)
    assert not children_with(str(qed))
