# SPDX-License-Identifier: LGPL-2.1-or-later
"""Passwords in names are masked in every message, line, verdict and JSON object,
whether or not they are escaped. (tests/unit/mask.c tests the parser.)"""

import json
import os
import re
import signal
import subprocess

import pytest

from conftest import BUILD
from oracle import checksum, write_image
from test_nbd_command import wait_until

# Each begins and ends with the word that is searched for.
PASSWORDS = ["swordfish", "swordfish'swordfish", "swordfish/swordfish",
             "swordfish#swordfish", "swordfish swordfish", "swordfish@swordfish",
             'swordfish"?\\ä\udcff\nswordfish', "1/swordfish", "swordfish://swordfish",
             "swordfish%20,,swordfish", "x https://swordfish"]


def hidden(result):
    return "swordfish" not in result.stdout and \
        "swordfish" not in result.stderr and "***" in result.stdout + result.stderr


@pytest.fixture(params=PASSWORDS, ids=map(str, range(len(PASSWORDS))))
def password(request):
    return request.param


def test_in_messages(disksum, password):
    for name in [f"https://alice:{password}@127.0.0.1:1/x",
                 f"ssh://alice:{password}@127.0.0.1:1/x",
                 f"nbds://alice:x{password}@127.0.0.1:1/x"]:
        for options in [], ["-f", "vmdk"], ["--json"], ["-v"], ["-c"]:
            result = disksum("--timeout=4", *options, name, check=False)
            assert result.returncode == 1 and result.stdout.count("\n") <= 1
            assert hidden(result), result
    result = disksum(f"--threads=https://alice:{password}@h/", check=False)
    assert result.returncode == 2 and hidden(result)


@pytest.mark.parametrize("key", ["sig", "X-Amz-Signature", "access_token"])
def test_token_in_the_query(disksum, key):
    for options in [], ["--json"], ["-v"], ["-c"]:
        result = disksum(*options, f"https://127.0.0.1:1/x?a=b&{key}=swordfish%2Fswordfish&c=d",
                         check=False)
        assert result.returncode == 1 and hidden(result), result
        assert "?a=b&" in result.stdout + result.stderr


@pytest.mark.parametrize("name", [
    r'{"driver":"https","url":"https://127.0.0.1:1/x?a=b\u0026sig\u003dswordfish"}',
    r'{"driver":"https","c\u006fokie":"swordfish","url":"https://127.0.0.1:1/x"}',
    r'{"driver":"https","url":"https:\u002f\u002falice:swordfish\u0040127.0.0.1:1/x"}',
    r'{"file.filename":"json:{\u0022cookie\u0022:\u0022swordfish\u0022}"}'])
def test_behind_escapes(disksum, name):
    """Some programs escape more in JSON than they have to."""
    for options in [], ["--json"], ["-v"], ["-c"]:
        result = disksum(*options, f"json:{name}", check=False)
        assert result.returncode == 1 and hidden(result), result


@pytest.mark.parametrize("quote", [r"\"", r"\u0022", r"\u0027"])
def test_json_in_json(disksum, quote):
    """There is no way to take a secret out of it, so it must not become an argument of
    QEMU."""
    inner = "{'cookie':'swordfish'}".replace("'", quote)
    result = disksum(f'json:{{"driver":"raw","file.filename":"json:{inner}"}}', check=False)
    assert (result.returncode, result.stdout) == (1, "") and hidden(result)
    assert "other users would see the password" in result.stderr


def test_names_keep_their_escapes(disksum, tmp_path):
    """Only what hides a secret is undone, and only in what is shown."""
    for number, name in enumerate([r'{"\u0041"}', '{"A"}', r'{"pass\u0022:\u0022b"}']):
        content = write_image(tmp_path / name, f"{number + 1}k:A")
        line = disksum("--tag", f"./{name}", cwd=tmp_path).stdout
        assert checksum(content) in line
        assert name.replace("\\", "\\\\") in line
    out = disksum("--", "[", "sh", "-c", 'echo "$1" >&2; exit 1', "x", r'{"a\u003d":1}', "]",
                  check=False).stderr
    assert r'{"a\u003d":1}' in out.splitlines()


def test_in_names_of_lines(disksum, tmp_path, password):
    """A file has such a name, as a program that mirrors a server creates it: all forms
    of its lines and verdicts."""
    name = f"https://alice:{password}@host/disk"
    path = os.fsencode(f"{tmp_path}/./{name}")
    os.makedirs(os.path.dirname(path))
    content = write_image(path, "64k:A")
    for options in [], ["--tag"], ["-z"], ["--json"], ["-v"]:
        result = disksum(*options, f"./{name}", cwd=tmp_path, check=False)
        assert result.returncode == 0 and hidden(result), options
        assert checksum(content) in result.stdout
        if options == ["--json"]:
            line = json.loads(result.stdout)
            assert line["filename"].startswith("./https://alice:***@")
            assert "filename-hex" not in line
    # A list that has the password does not get it back in a verdict.
    text = json.dumps({"filename-hex": os.fsencode(f"./{name}").hex(),
                       "checksum": checksum(content)})
    result = disksum("-c", input=text, cwd=tmp_path)
    assert result.stdout.endswith(": OK\n") and hidden(result)


def test_in_hex(disksum, tmp_path):
    """A name that is not UTF-8 is written in bytes, without the password."""
    [line] = map(json.loads, disksum(
        "--json", b"https://a:sword\xfffish@h/\xff", check=False).stdout.splitlines())
    assert line["filename"] == "https://a:***@h/\ufffd"
    assert bytes.fromhex(line["filename-hex"]) == b"https://a:***@h/\xff"


def test_in_a_backing_chain(disksum, tmp_path, password):
    name = f"./https://alice:{password}@host/disk"
    path = os.fsencode(f"{tmp_path}/{name}")
    os.makedirs(os.path.dirname(path))
    write_image(path, "64k:A")
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-F", "raw",
                    "-b", os.fsencode(name), tmp_path / "top.qcow2", "64k"],
                   check=True)
    result = disksum("--json", "top.qcow2", cwd=tmp_path)
    assert hidden(result)
    [below] = json.loads(result.stdout)["backing-chain"]
    assert below["filename"].startswith("./https://alice:***@")
    os.unlink(path)
    for options in [], ["--json"]:
        result = disksum(*options, "top.qcow2", cwd=tmp_path, check=False)
        assert result.returncode == 1 and hidden(result)


def test_in_a_command(disksum, servers, tmp_path, password):
    write_image(tmp_path / "disk", "64k:A")
    for word in (f"https://alice:{password}@host/", f"password={password}",
                 f"PGPASSWORD={password}", f"header=Authorization: {password}",
                 "password=x,swordfish"):
        for options in [], ["--tag"], ["--json"], ["-v"]:
            result = disksum(*options, "--", "[", "sh", "-c", 'exec nbdkit file "$0"',
                             tmp_path / "disk", word, "]", check=False)
            assert result.returncode == 0 and hidden(result)


def catches_sigusr1(pid):
    with open(f"/proc/{pid}/status") as f:
        caught = re.search(r"SigCgt:\s*(\w+)", f.read())[1]
    return int(caught, 16) & 1 << signal.SIGUSR1 - 1


def test_in_progress(tmp_path, password):
    """The progress that a signal asks for."""
    name = f"https://alice:{password}@host/disk"
    path = os.fsencode(f"{tmp_path}/./{name}")
    os.makedirs(os.path.dirname(path))
    with open(path, "wb") as f:
        f.truncate(1 << 42)
    with subprocess.Popen([BUILD / "disksum", "--no-extents", path],
                          stderr=subprocess.PIPE) as process:
        try:
            os.set_blocking(process.stderr.fileno(), False)
            said = b""

            def is_told():
                nonlocal said
                process.send_signal(signal.SIGUSR1)
                said += process.stderr.read() or b""
                return b"\n" in said

            wait_until(lambda: catches_sigusr1(process.pid))
            wait_until(is_told)
        finally:
            process.kill()
    assert b"swordfish" not in said and b"***" in said


@pytest.mark.parametrize("name", [
    "https://alice:***@host/disk", "driver=raw,file.url=https://h/,file.cookie=***"])
def test_mask_in_a_list(disksum, name):
    """No server is asked with the mask as the password."""
    for line in f"{'0' * 64}  {name}\n", json.dumps(
            {"filename": name, "checksum": "0" * 64}):
        result = disksum("-c", input=line, check=False)
        assert result.returncode == 1
        assert result.stdout == f"{name}: FAILED open or read\n"
        assert f"'standard input': 1: the secret in {name} is masked in the " \
            "list; use a name without it, and --object\n" in result.stderr


@pytest.mark.parametrize("name", [
    "nbd://127.0.0.1:1/a@b", "https://127.0.0.1:1/disk@1", "ssh://alice@127.0.0.1:1/a@b",
    "file.filename=/a@b:c,driver=raw"])
def test_names_without_passwords(disksum, name):
    """These names are shown as they are."""
    result = disksum("--timeout=4", "--json", name, check=False)
    assert json.loads(result.stdout)["filename"] == name
    assert name in result.stderr
