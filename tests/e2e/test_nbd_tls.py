# SPDX-License-Identifier: LGPL-2.1-or-later
"""NBD over TLS, with certificates and with keys, given in the URI or as an object;
and what libnbd would not verify, so that disksum refuses it."""

import re
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import threading

import pytest

from conftest import sums
from oracle import checksum, write_image
from pki import issue, make_authority, make_certificates, revoke

SPEC = "300k:A 1M:- 64k:0 5000:B 200k:- 3M:C 7M:- 512:D"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """An image, and its checksum."""
    path = tmp_path_factory.mktemp("nbd") / "image.raw"
    content = write_image(path, SPEC)
    return path, checksum(content)


@pytest.fixture(autouse=True)
def no_credentials_at_home(tmp_path, monkeypatch):
    """So libnbd does not find credentials of the user who runs the tests."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))


def check(disksum, expected, *args, **kwargs):
    assert sums(disksum(*args, **kwargs).stdout) == [expected]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A directory of certificates, for the server and the client."""
    return make_certificates(tmp_path_factory.mktemp("pki"))


@pytest.mark.sanitizer
def test_x509(disksum, fails, servers, image, certificates):
    path, expected = image
    uri, _ = servers.nbdkit_tcp(
        "--tls=require", f"--tls-certificates={certificates}",
        "--tls-verify-peer", "file", path, scheme="nbds",
        query=f"?tls-certificates={certificates}")
    for options in ["-t", "1"], ["-t", "4"], ["-t", "4", "--connections=1"]:
        check(disksum, expected, *options, uri)
    assert "cannot connect" in fails(uri.replace("nbds:", "nbd:"))


def x509_object(directory, *more):
    return "--object=" + ",".join(
        ["tls-creds-x509", "id=tls0", "endpoint=client", f"dir={directory}", *more])


@pytest.mark.sanitizer
def test_x509_object(disksum, fails, servers, image, certificates, tmp_path):
    path, expected = image
    directory = tmp_path / "a, b"
    shutil.copytree(certificates, directory)
    uri, _ = servers.nbdkit_tcp(
        "--tls=require", f"--tls-certificates={certificates}",
        "--tls-verify-peer", "file", path, scheme="nbds")
    escaped = str(directory).replace(",", ",,")
    check(disksum, expected, x509_object(certificates), uri)
    check(disksum, expected, x509_object(escaped), uri)
    assert "cannot connect" in fails(uri)
    assert "cannot connect" in fails(x509_object(tmp_path), uri)
    # Other images do not use the credentials.
    check(disksum, expected, x509_object(tmp_path), path)


REFUSED = {
    "authority": "is signed by an unknown authority",
    "expired": "has expired",
    "not yet": "is not yet valid",
    "host": "is for another host",
}


def impostor(directory, kind):
    """Replace the certificate of the server by one in which one thing is wrong."""
    if kind == "authority":
        make_authority(directory)
        issue(directory, "server")
    elif kind == "host":
        issue(directory, "server", "elsewhere.example", "192.0.2.1")
    else:
        years = (2001, 2002) if kind == "expired" else (2091, 2092)
        issue(directory, "server",
              more='activation_date="{}-01-01 00:00:00"\n'
                   'expiration_date="{}-01-01 00:00:00"\n'.format(*years))
    return directory


@pytest.fixture(params=sorted(REFUSED))
def wrong(request, certificates, tmp_path):
    """(the certificates of an impostor, what disksum says is wrong)"""
    directory = tmp_path / "server"
    shutil.copytree(certificates, directory)
    return impostor(directory, request.param), REFUSED[request.param]


def x509_server(servers, directory, path, **kwargs):
    return servers.nbdkit_tcp("--tls=require", f"--tls-certificates={directory}",
                              "file", path, scheme="nbds", **kwargs)[0]


@pytest.mark.sanitizer
def test_server_certificate(disksum, fails, servers, image, certificates, wrong):
    """With the URI's and the object's certificates; verify-peer=off takes any server."""
    path, expected = image
    directory, reason = wrong
    uri = x509_server(servers, directory, path)
    query = f"{uri}?tls-certificates={certificates}"
    assert fails(query) == \
        f"{query}: cannot connect: the server's certificate {reason}"
    assert fails(x509_object(certificates), uri) == \
        f"{uri}: cannot connect: the server's certificate {reason}"
    check(disksum, expected, x509_object(certificates, "verify-peer=off"), uri)
    check(disksum, expected, f"{query}&tls-verify-peer=false")


@pytest.mark.parametrize("kind", ["authority", "host"])
@pytest.mark.parametrize("where", ["inet", "unix"])
def test_server_certificate_through_qemu(disksum, fails, servers, image, certificates,
                                         tmp_path, where, kind):
    """QEMU verifies the certificate itself, also on a unix socket."""
    path, expected = image
    directory = tmp_path / "server"
    shutil.copytree(certificates, directory)
    (tmp_path / "empty").mkdir()

    def source():
        arguments = ["--tls=require", f"--tls-certificates={directory}", "file", path]
        if where == "inet":
            port = re.search(r":(\d+)/", servers.nbdkit_tcp(*arguments)[0])[1]
            server = f"file.server.host=localhost,file.server.port={port}"
        else:
            path_of_socket = servers.nbdkit(*arguments)[0].split("=")[1]
            server = f"file.server.path={path_of_socket},file.tls-hostname=localhost"
        return ["--image-opts", f"driver=raw,file.driver=nbd,file.server.type={where},"
                f"{server},file.tls-creds=tls0"]

    credentials = x509_object(certificates)
    good = source()
    check(disksum, expected, credentials, *good)
    assert "Unable to access credentials" in fails(x509_object(tmp_path / "empty"), *good)
    impostor(directory, kind)
    assert fails(credentials, *source()).endswith(
        "certificate hasn't got a known issuer" if kind == "authority" else
        "Certificate does not match the hostname localhost")


@pytest.mark.sanitizer
def test_revoked_certificate(disksum, fails, servers, image, certificates, tmp_path):
    path, expected = image
    directory = tmp_path / "pki"
    shutil.copytree(certificates, directory)
    uri = x509_server(servers, directory, path, query=f"?tls-certificates={directory}")
    check(disksum, expected, uri)
    revoke(directory, "server")
    assert fails(uri).endswith("the server's certificate has been revoked")
    for text in "", "not PEM\n":
        (directory / "ca-crl.pem").write_text(text)
        assert fails(uri).endswith(f"cannot verify the server: {directory}/ca-crl.pem: "
                                   "Base64 decoding error.")


@pytest.mark.parametrize("order", [1, -1])
def test_revoked_by_one_of_two_authorities(disksum, fails, servers, image, tmp_path, order):
    """They have the same name, as when an authority gets another key."""
    path, expected = image
    revoking, other = tmp_path / "revoking", tmp_path / "other"
    for directory, role in (revoking, "server"), (other, "client"):
        directory.mkdir()
        make_certificates(directory)
        revoke(directory, role)
    uri = x509_server(servers, revoking, path, query=f"?tls-certificates={tmp_path}")
    for name in "ca-cert.pem", "ca-crl.pem":
        (tmp_path / name).write_text("".join(
            (directory / name).read_text() for directory in (revoking, other)[::order]))
    assert fails(uri).endswith("the server's certificate has been revoked")
    shutil.copy(other / "ca-crl.pem", tmp_path)
    check(disksum, expected, uri)


def test_server_that_is_not_verified(disksum, servers, image, certificates, tmp_path):
    """So it does not matter that there is no authority."""
    path, expected = image
    directory = tmp_path / "pki"
    shutil.copytree(certificates, directory)
    uri = x509_server(servers, certificates, path,
                      query=f"?tls-certificates={directory}&tls-verify-peer=false")
    (directory / "ca-cert.pem").write_text("no certificate\n")
    check(disksum, expected, uri)


@pytest.mark.parametrize("then, options", [("goes", []), ("is silent", ["--timeout=5"])])
def test_server_that_shows_its_certificate_once(fails, certificates, tmp_path, then,
                                                options):
    """The second connection, for the reason, fails or gets no answer."""
    server = Impostor(make_certificates(tmp_path), then=then)
    uri = f"nbds://127.0.0.1:{server.port}/?tls-certificates={certificates}"
    assert fails(*options, uri).endswith(
        "the server's certificate cannot be verified")


# --- a server without TLS, or with less of it -------------------------------

def test_server_without_tls(disksum, fails, servers, image, certificates):
    path, expected = image
    uri, _ = servers.nbdkit_tcp("file", path)
    check(disksum, expected, uri)
    secure = uri.replace("nbd:", "nbds:")
    for query in f"?tls-certificates={certificates}", "?tls-verify-peer=false":
        assert "server refused TLS" in fails(secure + query)
    old, _ = servers.nbdkit_tcp("--oldstyle", "file", path, scheme="nbds",
                                query=f"?tls-certificates={certificates}")
    assert "oldstyle" in fails(old)


def test_tls_without_nbds(disksum, fails, servers, image, certificates):
    """The s is missing in nbds://, so the connection would not be encrypted."""
    path, _ = image
    uri, _ = servers.nbdkit_tcp("file", path)
    for query in f"tls-certificates={certificates}", "tls-psk-file=/x", "tls-verify-peer=1":
        assert fails(f"{uri}?{query}").endswith(
            f": cannot connect: the parameter '{query[:query.index('=')]}' requires TLS; "
            "use nbds://")
    assert fails("nbd+unix:///?socket=/x&tls-psk-file=/x").endswith(
        "'tls-psk-file' requires TLS; use nbds+unix://")


class Impostor:
    """A server that replies to STARTTLS, shows a certificate and goes.

    It does so for ever, or only once, and then "goes" or "is silent". It may
    require a certificate of the client."""

    def __init__(self, directory, then=None, version=None, requires=False, resets=False):
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if version:
            self.context.maximum_version = version
        if requires:
            self.context.verify_mode = ssl.CERT_REQUIRED
        self.context.load_cert_chain(directory / "server-cert.pem", directory / "server-key.pem")
        self.resets = resets
        self.then = then
        self.error = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            client, _ = self.listener.accept()
            with client:
                if self.then == "goes":
                    self.listener.close()
                client.sendall(b"NBDMAGICIHAVEOPT" + struct.pack(">H", 1))
                client.recv(20, socket.MSG_WAITALL)
                client.sendall(struct.pack(">QIII", 0x3E889045565A9, 5, 1, 0))
                if self.resets:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
                try:
                    self.context.wrap_socket(client, server_side=True).close()
                except OSError as error:
                    self.error = error
            if self.then:
                return


def test_client_certificate(fails, servers, image, certificates, tmp_path):
    """The server does not know the issuer, or the client has no certificate. In
    TLS 1.3 the client learns of it after its handshake is complete."""
    path, _ = image
    uri, _ = servers.nbdkit_tcp(
        "--tls=require", f"--tls-certificates={certificates}",
        "--tls-verify-peer", "file", path, scheme="nbds")
    directory = make_certificates(tmp_path)
    shutil.copy(certificates / "ca-cert.pem", directory)
    assert "cannot connect" in fails(x509_object(directory), uri)
    for name in "client-cert.pem", "client-key.pem":
        (directory / name).unlink()
    assert NO_CLIENT_CERTIFICATE.format(directory) in fails(x509_object(directory), uri)


NO_CLIENT_CERTIFICATE = "The server may require a client certificate: " \
    "there is no {}/client-cert.pem"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("how", ["alert", "reset"])
def test_end_for_want_of_a_client_certificate(fails, tmp_path, how, version):
    """A server says that it ends the connection, or just does, at any moment."""
    directory = make_certificates(tmp_path)
    (directory / "client-cert.pem").unlink()
    server = Impostor(directory, version=version, requires=how == "alert",
                      resets=how == "reset")
    uri = f"nbds://localhost:{server.port}/?tls-certificates={directory}"
    for _ in range(10):
        assert NO_CLIENT_CERTIFICATE.format(directory) in fails(uri)


@pytest.mark.sanitizer
def test_qom_type(disksum, fails, servers, image, certificates, tmp_path):
    """QEMU also takes the type of an object as a key, at any place."""
    path, expected = image
    uri, _ = servers.nbdkit_tcp(
        "--tls=require", f"--tls-certificates={certificates}",
        "--tls-verify-peer", "file", path, scheme="nbds")
    rest = f"id=tls0,endpoint=client,sanity-check=on,dir={certificates}"
    for text in [f"qom-type=tls-creds-x509,{rest}", f"{rest},qom-type=tls-creds-x509",
                 f"secret,{rest},qom-type=tls-creds-x509", f"tls-creds-x509,{rest},"]:
        check(disksum, expected, f"--object={text}", "--object=secret,id=s,data=x", uri)
    # The last type counts: this object is not credentials.
    assert "cannot connect" in fails(
        f"--object=tls-creds-x509,{rest},qom-type=secret", uri)


@pytest.mark.sanitizer
@pytest.mark.parametrize("objects, reason", [
    (["tls-creds-x509,id=a,endpoint=client"], "a directory is required: dir=DIR"),
    (["tls-creds-x509"], "a directory is required: dir=DIR"),
    (["tls-creds-x509,id=a,dir=/x,endpoint=server"], "the endpoint must be 'client'"),
    (["tls-creds-psk,id=a,dir=/x,priority=NORMAL"], "'priority' is supported by QEMU only"),
    (["passwordid=s,id=a,dir=/x,qom-type=tls-creds-x509"],
     "'passwordid' is supported by QEMU only"),
    (["tls-creds-anon,id=a,endpoint=client"], "'tls-creds-anon' cannot be used for nbds://"),
    (["tls-cred-x509,id=a,dir=/x"], "'tls-cred-x509' cannot be used for nbds://"),
    (["TLS-creds-x509,id=a,dir=/x"], "'TLS-creds-x509' cannot be used for nbds://"),
    (["tls-creds-x509,id=a,dir="], "a directory is required: dir=DIR"),
    (["tls-creds-psk,dir"], "options must have the form KEY=VALUE, not 'dir'"),
    (["id=a,tls-creds-psk,qom-type=tls-creds-psk"],
     "options must have the form KEY=VALUE, not 'tls-creds-psk'"),
    (["tls-creds-x509,id=a,dir=/x,verifypeer=off"], "unknown option 'verifypeer'"),
    (["tls-creds-x509,id=a,dir=/x,username=alice"], "unknown option 'username'"),
    (["tls-creds-x509,id=a,dir=/x,verify-peer=ON"],
     "verify-peer must be on or off, not 'ON'"),
    (["tls-creds-psk,id=a,dir=/x", "qom-type=tls-creds-x509,id=b,dir=/x"],
     "more than one was given"),
    *([[json], "JSON is supported by QEMU only; use tls-creds-x509,id=ID,dir=DIR"]
      for json in [
          '{"qom-type": "tls-creds-x509", "id": "a", "dir": "/x"}',
          "{'qom-type': 'tls-creds-x509', 'id': 'a', 'dir': '/x'}",
          '{"qom-type": "tls\\u002dcreds-x509", "id": "a", "dir": "/x"}',
          '{"qom\\u002dtype": "tls-creds-x509", "id": "a", "dir": "/x"}',
          '{"qom-type": "secret", "qom-type": "tls-creds-x509", "dir": "/x"}',
          '{qom-type: "tls-creds-x509"}', '{"id": "a"}', "{"]),
])
def test_bad_object(disksum, fails, image, objects, reason):
    options = [f"--object={o}" for o in objects]
    assert fails(*options, "nbds://localhost:1") == \
        f"nbds://localhost:1: the TLS credentials: {reason}"
    # Other images do not use the credentials.
    check(disksum, image[1], *options, image[0])


@pytest.fixture
def keys(tmp_path):
    """A function that makes a directory with the keys of a user."""
    if not shutil.which("psktool"):
        pytest.skip("no psktool")

    def make(name, user):
        directory = tmp_path / name
        directory.mkdir()
        subprocess.run(["psktool", "-u", user, "-p", directory / "keys.psk"],
                       check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return directory
    return make


def psk_server(servers, directory, path, user=""):
    return servers.nbdkit("--tls=require", f"--tls-psk={directory}/keys.psk",
                          "file", path, scheme="nbds+unix",
                          path=f"{user}/")[0]


@pytest.mark.sanitizer
def test_psk(disksum, fails, servers, image, keys):
    path, expected = image
    directory, other = keys("keys", "alice"), keys("other", "alice")
    uri = psk_server(servers, directory, path, "alice@")
    check(disksum, expected, f"{uri}&tls-psk-file={directory}/keys.psk")
    assert "cannot connect" in fails(f"{uri}&tls-psk-file={other}/keys.psk")


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_key_against_a_certificate(fails, certificates, keys, version):
    """A server that has a certificate, but not the key, is refused."""
    server = Impostor(certificates, version=version)
    line = fails(f"nbds://alice@127.0.0.1:{server.port}/"
                 f"?tls-psk-file={keys('keys', 'alice')}/keys.psk")
    assert "cannot connect: gnutls_handshake: " in line


def test_key_without_a_user(disksum, fails, servers, image, keys):
    path, expected = image
    directory = keys("keys", "alice")
    uri = psk_server(servers, directory, path) + f"&tls-psk-file={directory}/keys.psk"
    check(disksum, expected, uri, env={"LOGNAME": "alice"})
    assert fails(uri, env={"LOGNAME": "bob"}).endswith(
        "; name the user of the key: USER@ after the :// of the URI, or username=USER "
        "in the object")


@pytest.mark.parametrize("user, option", [("alice", ",username=alice"), ("qemu", "")])
def test_psk_object(disksum, fails, servers, image, keys, user, option):
    path, expected = image
    directory, other = keys("keys", user), keys("other", user)
    uri = psk_server(servers, directory, path)

    def psk_object(where, how=option):
        return f"--object=tls-creds-psk,id=tls0,endpoint=client,dir={where}{how}"

    check(disksum, expected, psk_object(directory), uri)
    assert "cannot connect" in fails(psk_object(other), uri)
    assert "cannot connect" in fails(psk_object(directory, ",username=bob"), uri)


def test_server_killed(fails, servers, image, certificates, tmp_path):
    path, _ = image
    log = tmp_path / "read.log"
    log.touch()
    uri, server = servers.nbdkit_tcp(
        "--tls=require", f"--tls-certificates={certificates}",
        "--filter=log", "--filter=delay", "--filter=noextents", "file", path,
        f"logfile={log}", "delay-read=300ms", scheme="nbds",
        query=f"?tls-certificates={certificates}")
    thread = server.signal_at_read(log, signal.SIGKILL)
    line = fails("--read-size=64k", "--queue-depth=2", "-t", "2", uri)
    thread.join()
    assert re.search(r": read error at offset \d+: \w", line)
