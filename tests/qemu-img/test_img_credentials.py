# SPDX-License-Identifier: LGPL-2.1-or-later
"""Secrets of encrypted images, and NBD servers with and without TLS."""

import shutil
import socket
import subprocess

import pytest

from img_checksum import disksum_of, hashed, refused, run
from luks import encrypt
from nbd_server import free_port, is_listening
from oracle import checksum, write_image
from pki import issue, make_authority, make_certificates

SECRET = "secret,id=s,data=open sesame"
WRONG = "secret,id=s,data=close sesame"
# A multiple of 4 KiB, as QEMU's client wants it if the server's blocks have that.
SPEC = "300k:A 1M:- 64k:0 5000:B 200k:- 2M:C 3M:- 3192:D"


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    path = tmp_path_factory.mktemp("raw") / "disk.raw"
    write_image(path, SPEC)
    return path


# --- encrypted images ------------------------------------------------------

def image_opts(kind, path):
    key = "key-secret" if kind == "luks" else "encrypt.key-secret"
    return f"driver={kind},{key}=s,file.filename={path}"


@pytest.fixture(scope="module", params=["luks", "qcow2"])
def encrypted(request, raw, tmp_path_factory):
    """(format, path)"""
    path = tmp_path_factory.mktemp("encrypted") / f"disk.{request.param}"
    options = "key-secret=s,iter-time=10" if request.param == "luks" else \
        "encrypt.format=luks,encrypt.key-secret=s,encrypt.iter-time=10"
    encrypt(raw, path, "-O", request.param, "-o", options, secret=SECRET)
    return request.param, path


def test_encrypted(encrypted, raw, tmp_path):
    image = image_opts(*encrypted)
    key = tmp_path / "key"
    key.write_text("open sesame")
    for secret in SECRET, f"secret,id=s,file={key}":
        for options in [], ["--serial"], ["-T", "none"]:
            assert hashed(*options, "--object", secret, "--image-opts", image) == \
                checksum(raw)
    assert disksum_of("--object", SECRET, "--image-opts", image) == checksum(raw)
    several = ["--object", "secret,id=other,data=x", f"--object={SECRET}"]
    assert hashed(*several, "--image-opts", image) == checksum(raw)


def test_wrong_secret(encrypted):
    image = image_opts(*encrypted)
    assert refused("--object", WRONG, "--image-opts", image) == \
        f"Could not open '{image}': Invalid password, cannot unlock any keyslot"
    assert "No secret with id 's'" in refused("--image-opts", image)
    form, path = encrypted
    assert "key-secret" in refused("-f", form, path)


def test_encrypted_backing_file(encrypted, raw, tmp_path):
    """The overlay is plain. Only what is below it needs the secret."""
    form, path = encrypted
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-u", "-b", path, "-F",
                    form, tmp_path / "top", str(raw.stat().st_size)], check=True)
    key = "key-secret" if form == "luks" else "encrypt.key-secret"
    image = f"driver=qcow2,file.filename={tmp_path}/top,backing.{key}=s"
    assert hashed("--object", SECRET, "--image-opts", image) == checksum(raw)
    assert "Invalid password" in refused("--object", WRONG, "--image-opts", image)


# --- NBD -------------------------------------------------------------------

def qemu_nbd_tcp(servers, *args):
    """Returns the port."""
    port = free_port()

    def connect():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0
    servers.start(["qemu-nbd", "-t", "-r", "-b", "127.0.0.1", "-p", str(port), "-e", "8",
                   "-f", "raw", *args], connect)
    return port


def refused_at_length(*args):
    """QEMU adds to the message a line with what the server said, or a hint."""
    done = run(*args)
    assert done.returncode == 1 and not done.stdout
    assert done.stderr.startswith("qemu-img: ")
    return done.stderr


@pytest.mark.parametrize("export", ["", "disk"])
def test_nbd(servers, raw, export):
    unix, _ = servers.qemu_nbd(raw, export=export)
    tcp = f"nbd://127.0.0.1:{qemu_nbd_tcp(servers, '-x', export, raw)}/{export}"
    for uri in unix, tcp:
        for options in [], ["-f", "raw"], ["--serial"], ["-p"]:
            done = run(*options, uri)
            assert done.returncode == 0
            assert done.stdout.endswith(f"{checksum(raw)}  {uri}\n")
        assert disksum_of(uri) == checksum(raw)


def test_unknown_export(servers, raw):
    uri, _ = servers.qemu_nbd(raw, export="disk")
    assert "Requested export not available\n" in refused_at_length(
        uri.replace("/disk", "/other"))


def test_nbdkit(servers, raw):
    """Servers with block status, without it, and with large minimal blocks."""
    for arguments in (["file", raw], ["--filter=noextents", "file", raw],
                      ["--filter=blocksize-policy", "file", raw, "blocksize-minimum=4k",
                       "blocksize-maximum=64k"]):
        uri, _ = servers.nbdkit(*arguments)
        for options in [], ["--serial"]:
            assert hashed(*options, "-f", "raw", uri) == checksum(raw)


def test_qcow2_over_nbd(servers, raw, tmp_path):
    """The server exports the file, and the image is in it."""
    path = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", raw, path], check=True)
    uri, _ = servers.qemu_nbd(path)
    assert hashed(uri) == hashed("-f", "qcow2", uri) == disksum_of("-f", "qcow2", uri) == \
        checksum(raw)


# --- TLS -------------------------------------------------------------------

@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    return make_certificates(tmp_path_factory.mktemp("pki"))


def x509(directory, endpoint, *more):
    return "--object=" + ",".join(["tls-creds-x509", "id=tls0", f"endpoint={endpoint}",
                                   f"dir={directory}", *more])


def nbd_opts(port, *more):
    return ",".join(["driver=raw", "file.driver=nbd", "file.server.type=inet",
                     "file.server.host=localhost", f"file.server.port={port}", *more])


def test_x509(servers, raw, certificates, tmp_path):
    port = qemu_nbd_tcp(servers, x509(certificates, "server", "verify-peer=on"),
                        "--tls-creds=tls0", raw)
    image = nbd_opts(port, "file.tls-creds=tls0")
    for options in [], ["--serial"]:
        assert hashed(x509(certificates, "client"), *options, "--image-opts", image) == \
            checksum(raw)
    assert disksum_of(x509(certificates, "client"), "--image-opts", image) == checksum(raw)
    # Without credentials, with none of that name, and with those of somebody else.
    assert "Did you forget a valid tls-creds?\n" in \
        refused_at_length("--image-opts", nbd_opts(port))
    assert "No TLS credentials with id 'tls0'" in refused("--image-opts", image)
    other = make_certificates(tmp_path)
    assert "certificate" in refused(x509(other, "client"), "--image-opts", image)
    assert "Unable to access credentials" in \
        refused(x509(tmp_path / "nothing", "client"), "--image-opts", image)


@pytest.mark.parametrize("wrong", ["authority", "host"])
def test_server_of_somebody_else(servers, raw, certificates, tmp_path, wrong):
    directory = tmp_path / "server"
    shutil.copytree(certificates, directory)
    if wrong == "authority":
        make_authority(directory)
        issue(directory, "server")
    else:
        issue(directory, "server", "elsewhere.example", "192.0.2.1")
    port = qemu_nbd_tcp(servers, x509(directory, "server", "verify-peer=off"),
                        "--tls-creds=tls0", raw)
    image = nbd_opts(port, "file.tls-creds=tls0")
    assert refused(x509(certificates, "client"), "--image-opts", image).startswith(
        f"Could not open '{image}': ")
    assert hashed(x509(certificates, "client", "verify-peer=off"), "--image-opts", image) \
        == checksum(raw)


def test_server_without_tls(servers, raw, certificates):
    image = nbd_opts(qemu_nbd_tcp(servers, raw), "file.tls-creds=tls0")
    assert "TLS" in refused_at_length(x509(certificates, "client"), "--image-opts", image)


@pytest.fixture
def keys(tmp_path):
    """A function that makes a directory with the key of alice."""
    if not shutil.which("psktool"):
        pytest.skip("no psktool")

    def make(name):
        directory = tmp_path / name
        directory.mkdir()
        subprocess.run(["psktool", "-u", "alice", "-p", directory / "keys.psk"], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return directory
    return make


def psk(directory, endpoint, user=""):
    return f"--object=tls-creds-psk,id=tls0,endpoint={endpoint},dir={directory}" + \
        (f",username={user}" if user else "")


def test_psk(servers, raw, keys):
    directory, other = keys("keys"), keys("other")
    sock = servers.new_socket()
    servers.start(["qemu-nbd", "-t", "-r", "-k", sock, "-e", "8", "-f", "raw",
                   psk(directory, "server"), "--tls-creds=tls0", raw],
                  lambda: is_listening(sock))
    image = f"driver=raw,file.driver=nbd,file.server.type=unix,file.server.path={sock}," \
        "file.tls-creds=tls0"
    for options in [], ["--serial"]:
        assert hashed(psk(directory, "client", "alice"), *options, "--image-opts", image) \
            == checksum(raw)
    for wrong in psk(other, "client", "alice"), psk(directory, "client", "bob"):
        refused_at_length(wrong, "--image-opts", image)
