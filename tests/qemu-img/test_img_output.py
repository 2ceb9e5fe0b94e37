# SPDX-License-Identifier: LGPL-2.1-or-later
"""The line, the JSON object, digests, progress and usage errors."""

import json
import os
import re
import subprocess

import pytest

from conftest import BUILD
from img_checksum import command, disksum_of, hashed, message_of, qemu_img, refused, run
from oracle import checksum, write_image
from test_output import NAMES


@pytest.fixture
def disk(tmp_path):
    write_image(tmp_path / "disk", "100k:A 1M:- 3000:B")
    return tmp_path / "disk"


def check_list(text, directory):
    return subprocess.run([BUILD / "disksum", "-c"], input=text, cwd=directory, text=True,
                          errors="surrogateescape", capture_output=True, check=False)


# --- names -----------------------------------------------------------------

def as_file(name):
    """For QEMU, what is before a colon is a protocol, and - is no file."""
    return name if name not in ("-", "--help") else f"./{name}"


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_line(tmp_path, name):
    """The same line as disksum's and sha256sum's; disksum -c takes it."""
    content = write_image(tmp_path / name, "100k:A 70k:-")
    done = run("-f", "raw", as_file(name), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    own = subprocess.run([BUILD / "disksum", "-f", "raw", as_file(name)], cwd=tmp_path,
                         stdout=subprocess.PIPE, text=True, errors="surrogateescape",
                         check=True)
    assert done.stdout == own.stdout
    assert checksum(content) in done.stdout
    checked = check_list(done.stdout, tmp_path)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.endswith(": OK\n")


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_json_of_a_name(tmp_path, name):
    write_image(tmp_path / name, "100k:A 70k:-")
    done = run("-f", "raw", "--output=json", as_file(name), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    as_bytes = os.fsencode(as_file(name))
    assert bytes.fromhex(told.get("filename-hex", as_bytes.hex())) == as_bytes
    if "filename-hex" not in told:
        assert told["filename"] == as_file(name)
    # A list has an object on each line, or an array.
    for text in json.dumps(json.loads(done.stdout)), f"[{done.stdout}]", done.stdout:
        checked = check_list(text, tmp_path)
        assert (checked.returncode, checked.stderr) == (0, ""), text
        assert checked.stdout.endswith(": OK\n")


def test_list_of_a_changed_disk(disk):
    """So the tests above can fail."""
    for option in "human", "json":
        text = run(f"--output={option}", "-f", "raw", "disk", cwd=disk.parent).stdout
        with open(disk, "r+b") as f:
            f.write(os.urandom(16))
        checked = check_list(text, disk.parent)
        assert checked.returncode == 1 and "FAILED" in checked.stdout


# --- JSON ------------------------------------------------------------------

@pytest.mark.parametrize("form", ["raw", "qcow2", "vmdk"])
def test_json(disk, form):
    path = f"{disk}.{form}"
    qemu_img("convert", "-O", form, disk, path)
    done = run("--output=json", path)
    assert (done.returncode, done.stderr) == (0, "")
    size = os.path.getsize(disk)
    size += -size % 512
    assert json.loads(done.stdout) == {
        "filename": path, "format": form, "virtual-size": size, "construction": "blkhash",
        "algorithm": "sha256", "block-size": 65536, "checksum": checksum(disk)}


def test_json_has_members_of_disksum(disk):
    """All of them, with the same values."""
    mine = json.loads(run("--output=json", "-d", "SHA512", disk).stdout)
    theirs = json.loads(subprocess.run(
        [BUILD / "disksum", "--json", "-d", "SHA512", disk], stdout=subprocess.PIPE,
        check=True).stdout)
    assert mine == {key: theirs[key] for key in mine}


def test_human_is_the_default(disk):
    assert run(disk).stdout == run("--output=human", disk).stdout == \
        run("--output", "human", disk).stdout == f"{checksum(disk)}  {disk}\n"


# --- digests ---------------------------------------------------------------

@pytest.mark.parametrize("name", ["sha256", "sha512", "sha1", "sha384", "blake2b512",
                                  "blake2s256", "blake3", "sha3-256", "md5"])
def test_digest(disk, name):
    done = subprocess.run([BUILD / "disksum", "-d", name, disk], capture_output=True,
                          text=True, check=False)
    if done.returncode:
        assert refused("-d", name, disk) == f"Unknown digest '{name}'"
        return
    right = done.stdout.split()[0]
    for spelled in name, name.upper():
        for options in [], ["--serial"]:
            assert hashed("-d", spelled, *options, disk) == right
    assert json.loads(run("-d", name.upper(), "--output=json", disk).stdout)["algorithm"] \
        == name


def test_digest_by_definition(disk):
    assert hashed("--digest=sha512", disk) == checksum(disk, digest="sha512")
    assert hashed("-d", "sha3-256", disk) == checksum(disk, digest="sha3-256")
    assert len({hashed("-d", name, disk) for name in ("sha256", "sha3-256")}) == 2


@pytest.mark.parametrize("name", ["nonsense", "", "sha256 ", "sha", "none"])
def test_unknown_digest(disk, name):
    assert refused("-d", name, disk) == f"Unknown digest '{name}'"


def test_digest_that_computes_nothing(disk):
    """It is for measuring disksum; a checksum without bytes verifies nothing."""
    assert refused("-d", "null", disk) == "Digest 'null' computes nothing"


# --- progress --------------------------------------------------------------

@pytest.mark.parametrize("spec", ["", "512:A", "100k:A", "5M:A 7M:- 3M:B", "40M:-", "33M:A",
                                  "4k:A 124k:- " * 1001], ids=lambda spec: spec[:20])
@pytest.mark.parametrize("options", [[], ["--serial"]], ids=["", "serial"])
def test_progress(tmp_path, spec, options):
    """From 0 to 100, on stderr, since stdout is for the checksum."""
    content = write_image(tmp_path / "disk", spec)
    done = run("-p", "-f", "raw", *options, tmp_path / "disk")
    assert (done.returncode, done.stdout) == (0, f"{checksum(content)}  {tmp_path}/disk\n")
    *shown, rest = re.split(r"[\r\n]+", done.stderr)
    assert rest == ""
    percent = [float(re.fullmatch(r" +\((\d+\.\d\d)/100%\)", text)[1]) for text in shown]
    assert percent == sorted(percent)
    assert percent[0] == 0 and percent[-1] == 100


def test_progress_of_a_failure(tmp_path):
    image = f"driver=raw,file.driver=blkdebug,file.image.filename={tmp_path}/disk," \
        "file.inject-error.0.event=read_aio,file.inject-error.0.sector=16384"
    write_image(tmp_path / "disk", "16M:A")
    done = run("-p", "--image-opts", image)
    assert (done.returncode, done.stdout) == (1, "") and "100.00" not in done.stderr
    assert done.stderr.endswith(": Input/output error\n")


def test_progress_and_json(disk):
    done = run("-p", "--output=json", "-f", "raw", disk)
    assert json.loads(done.stdout)["checksum"] == checksum(disk)


# --- usage -----------------------------------------------------------------

HINT = "Try 'qemu-img checksum --help' for more information\n"


@pytest.mark.parametrize("args, says", [
    ([], "Expecting one image file name"),
    (["disk", "disk"], "Expecting one image file name"),
    (["--nonsense", "disk"], "unrecognized option '--nonsense'"),
    (["-x", "disk"], "unrecognized option '-x'"),
    (["-Xp", "disk"], "unrecognized option '-X'"),
    (["disk", "-f"], "missing argument for option '-f'"),
    (["disk", "--digest"], "missing argument for option '--digest'"),
    (["--output=xml", "disk"], "--output must be used with human or json as argument."),
    (["--output", "", "disk"], "--output must be used with human or json as argument."),
    (["--image-opts", "-f", "raw", "driver=raw"],
     "--image-opts and --format are mutually exclusive")])
def test_usage_error(disk, args, says):
    done = run(*args, cwd=disk.parent)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"qemu-img: {says}\n{HINT}"


@pytest.mark.parametrize("args, says", [
    (["-T", "garbage", "disk"], "Invalid source cache option: garbage"),
    (["-T", "", "disk"], "Invalid source cache option: "),
    (["-f", "garbage", "disk"], "Could not open 'disk': Unknown driver 'garbage'"),
    (["nothing"],
     "Could not open 'nothing': Could not open 'nothing': No such file or directory"),
    (["-f", "qcow2", "disk"],
     "Could not open 'disk': Image is not in qcow2 format"),
    (["--image-opts", "driver=garbage"],
     "Could not open 'driver=garbage': Unknown driver 'garbage'"),
    (["-l", "x", "disk"], "Failed to load snapshot: Block format 'raw' used by device '' "
     "does not support temporarily loading internal snapshots")])
def test_bad_argument(disk, args, says):
    done = run(*args, cwd=disk.parent)
    assert message_of(done) == says


@pytest.mark.parametrize("what", ["nonsense,id=x", "secret,id=x,file=/nonsense", "secret"])
def test_bad_object(disk, what):
    assert "Can't" not in refused("--object", what, disk)


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help(option):
    """Every option is in it, and it fits a terminal."""
    done = run(option)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: qemu-img checksum ")
    assert max(map(len, done.stdout.splitlines())) <= 80
    for name in ("-f, --format", "--image-opts", "-T, --source-cache", "-l, --snapshot",
                 "-d, --digest", "--output", "-U, --force-share", "-p, --progress",
                 "--serial", "--object"):
        assert f"\n  {name}" in done.stdout


@pytest.mark.parametrize("short, long", [
    ("-f raw", "--format=raw"), ("-T none", "--source-cache=none"), ("-d sha1", "--digest=sha1"),
    ("-U", "--force-share")])
def test_long_option(disk, short, long):
    assert hashed(*short.split(), disk) == hashed(*long.split(), disk)


def test_serial_is_the_same(disk):
    assert hashed("--serial", disk) == hashed(disk) == disksum_of(disk)


# --- standard output -------------------------------------------------------

@pytest.mark.parametrize("options", [[], ["--output=json"]])
def test_full_device(disk, options):
    with open("/dev/full", "w", encoding="utf-8") as full:
        done = run(*options, disk, stdout=full)
    assert done.returncode == 1
    assert done.stderr == \
        "qemu-img: Can't write the checksum: No space left on device\n"


@pytest.mark.parametrize("options", [[], ["--output=json"]])
def test_closed_stdout(disk, options):
    done = subprocess.run(["sh", "-c", 'exec "$0" "$@" >&-', *command(*options, disk)],
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert re.fullmatch(r"qemu-img: [^\n]+\n", done.stderr)


def test_reader_of_stdout_is_gone(disk):
    reader, writer = os.pipe()
    os.close(reader)
    done = run(disk, stdout=writer)
    os.close(writer)
    assert done.returncode != 0
