# SPDX-License-Identifier: LGPL-2.1-or-later
"""NBD over TLS, with certificates and with keys, given in two ways."""

import re
import shutil
import signal
import subprocess
import threading

import pytest

from conftest import sums
from oracle import checksum, write_image
from pki import issue, make_authority, make_certificates

SPEC = "300k:A 1M:- 64k:0 5000:B 200k:- 3M:C 7M:- 512:D"


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    """An image, and its checksum."""
    path = tmp_path_factory.mktemp("nbd") / "image.raw"
    content = write_image(path, SPEC)
    return path, checksum(content)


def check(disksum, expected, *args, **kwargs):
    assert sums(disksum(*args, **kwargs).stdout) == [expected]


@pytest.fixture(scope="module")
def certificates(tmp_path_factory):
    """A folder as libnbd and nbdkit want it, for both."""
    return make_certificates(tmp_path_factory.mktemp("pki"))


@pytest.mark.sanitizer
def test_x509(disksum, fails, servers, image, certificates, tmp_path):
    path, expected = image
    uri, _ = servers.nbdkit_tcp(
        "--tls=require", f"--tls-certificates={certificates}",
        "--tls-verify-peer", "file", path, scheme="nbds",
        query=f"?tls-certificates={certificates}")
    for options in ["-t", "1"], ["-t", "4"], ["-t", "4", "--connections=1"]:
        check(disksum, expected, *options, uri)
    assert "can not connect" in fails(uri.replace("nbds:", "nbd:"))
    assert "can not connect" in fails(uri.replace(f"={certificates}",
                                                  f"={tmp_path}"))


def x509_object(folder, *more):
    return "--object=" + ",".join(
        ["tls-creds-x509", "id=tls0", "endpoint=client", f"dir={folder}", *more])


@pytest.mark.sanitizer
def test_x509_object(disksum, fails, servers, image, certificates, tmp_path):
    path, expected = image
    folder = tmp_path / "a, b"
    shutil.copytree(certificates, folder)
    uri, _ = servers.nbdkit_tcp(
        "--tls=require", f"--tls-certificates={certificates}",
        "--tls-verify-peer", "file", path, scheme="nbds")
    escaped = str(folder).replace(",", ",,")
    check(disksum, expected, x509_object(certificates), uri)
    check(disksum, expected, x509_object(escaped), uri)
    assert "can not connect" in fails(uri)
    assert "can not connect" in fails(x509_object(tmp_path), uri)
    # It is of no concern to others.
    check(disksum, expected, x509_object(tmp_path), path)


def test_x509_object_verifies_the_server(disksum, fails, servers, image, certificates,
                                         tmp_path):
    path, expected = image
    uri, _ = servers.nbdkit_tcp("--tls=require", f"--tls-certificates={certificates}",
                                "file", path, scheme="nbds")
    folder = tmp_path / "other"
    shutil.copytree(certificates, folder)
    make_authority(folder)
    assert "can not connect" in fails(x509_object(folder), uri)
    check(disksum, expected, x509_object(folder, "verify-peer=off"), uri)


@pytest.mark.parametrize("kind", ["expired", "not yet", "host"])
def test_server_certificate(disksum, fails, servers, image, certificates, tmp_path,
                            kind):
    """Of the right authority, but out of date or of another host. By the query
    and by the object; whoever trusts any server may go on."""
    path, expected = image
    folder = tmp_path / "server"
    shutil.copytree(certificates, folder)
    if kind == "host":
        issue(folder, "server", "elsewhere.example", "192.0.2.1")
    else:
        issue(folder, "server", more='activation_date="{}-01-01 00:00:00"\n'
              'expiration_date="{}-01-01 00:00:00"\n'.format(
                  *((2001, 2002) if kind == "expired" else (2091, 2092))))
    uri, _ = servers.nbdkit_tcp("--tls=require", f"--tls-certificates={folder}",
                                "file", path, scheme="nbds")
    assert "can not connect" in fails(f"{uri}?tls-certificates={certificates}")
    assert "can not connect" in fails(x509_object(certificates), uri)
    check(disksum, expected, x509_object(certificates, "verify-peer=off"), uri)


def test_client_certificate(fails, servers, image, certificates, tmp_path):
    """The server does not know who issued it, or there is none. TLS 1.3 tells the
    client when it thinks that all is well."""
    path, _ = image
    uri, _ = servers.nbdkit_tcp(
        "--tls=require", f"--tls-certificates={certificates}",
        "--tls-verify-peer", "file", path, scheme="nbds")
    folder = make_certificates(tmp_path)
    shutil.copy(certificates / "ca-cert.pem", folder)
    assert "can not connect" in fails(x509_object(folder), uri)
    for name in "client-cert.pem", "client-key.pem":
        (folder / name).unlink()
    assert "can not connect" in fails(x509_object(folder), uri)


@pytest.mark.sanitizer
def test_qom_type(disksum, fails, servers, image, certificates, tmp_path):
    """QEMU's other spelling of what an object is: a key, at any place."""
    path, expected = image
    uri, _ = servers.nbdkit_tcp(
        "--tls=require", f"--tls-certificates={certificates}",
        "--tls-verify-peer", "file", path, scheme="nbds")
    rest = f"id=tls0,endpoint=client,sanity-check=on,dir={certificates}"
    for text in [f"qom-type=tls-creds-x509,{rest}", f"{rest},qom-type=tls-creds-x509",
                 f"secret,{rest},qom-type=tls-creds-x509", f"tls-creds-x509,{rest},"]:
        check(disksum, expected, f"--object={text}", "--object=secret,id=s,data=x", uri)
    # The last one counts: this is no credentials.
    assert "can not connect" in fails(
        f"--object=tls-creds-x509,{rest},qom-type=secret", uri)


@pytest.mark.sanitizer
@pytest.mark.parametrize("objects, reason", [
    (["tls-creds-x509,id=a,endpoint=client"], "they need a folder: dir=FOLDER"),
    (["tls-creds-x509"], "they need a folder: dir=FOLDER"),
    (["tls-creds-x509,id=a,dir=/x,endpoint=server"], "the endpoint must be 'client'"),
    (["tls-creds-psk,id=a,dir=/x,priority=NORMAL"], "'priority' is for QEMU only"),
    (["passwordid=s,id=a,dir=/x,qom-type=tls-creds-x509"],
     "'passwordid' is for QEMU only"),
    (["tls-creds-anon,id=a,endpoint=client"], "'tls-creds-anon' is not for nbds://"),
    (["tls-cred-x509,id=a,dir=/x"], "'tls-cred-x509' is not for nbds://"),
    (["TLS-creds-x509,id=a,dir=/x"], "'TLS-creds-x509' is not for nbds://"),
    (["tls-creds-x509,id=a,dir="], "they need a folder: dir=FOLDER"),
    (["tls-creds-psk,dir"], "their options have the form KEY=VALUE, not 'dir'"),
    (["id=a,tls-creds-psk,qom-type=tls-creds-psk"],
     "their options have the form KEY=VALUE, not 'tls-creds-psk'"),
    (["tls-creds-x509,id=a,dir=/x,verifypeer=off"], "there is no option 'verifypeer'"),
    (["tls-creds-x509,id=a,dir=/x,username=alice"], "there is no option 'username'"),
    (["tls-creds-x509,id=a,dir=/x,verify-peer=ON"],
     "verify-peer must be on or off, not 'ON'"),
    (["tls-creds-psk,id=a,dir=/x", "qom-type=tls-creds-x509,id=b,dir=/x"],
     "there are several; which is meant?"),
    (['{"qom-type": "tls-creds-x509", "id": "a", "dir": "/x"}'],
     "JSON is for QEMU only; write them as tls-creds-x509,id=ID,dir=FOLDER"),
])
def test_bad_object(disksum, fails, image, objects, reason):
    options = [f"--object={o}" for o in objects]
    assert fails(*options, "nbds://localhost:1") == \
        f"nbds://localhost:1: the TLS credentials: {reason}"
    # QEMU may know better, and others do not care.
    check(disksum, image[1], *options, image[0])


@pytest.fixture
def keys(tmp_path):
    """Makes a folder with keys of a user."""
    if not shutil.which("psktool"):
        pytest.skip("no psktool")

    def make(name, user):
        folder = tmp_path / name
        folder.mkdir()
        subprocess.run(["psktool", "-u", user, "-p", folder / "keys.psk"],
                       check=True, stdout=subprocess.DEVNULL,
                       stderr=subprocess.DEVNULL)
        return folder
    return make


def psk_server(servers, folder, path, user=""):
    return servers.nbdkit("--tls=require", f"--tls-psk={folder}/keys.psk",
                          "file", path, scheme="nbds+unix",
                          path=f"{user}/")[0]


@pytest.mark.sanitizer
def test_psk(disksum, fails, servers, image, keys):
    path, expected = image
    folder, other = keys("keys", "alice"), keys("other", "alice")
    uri = psk_server(servers, folder, path, "alice@")
    check(disksum, expected, f"{uri}&tls-psk-file={folder}/keys.psk")
    assert "can not connect" in fails(f"{uri}&tls-psk-file={other}/keys.psk")


@pytest.mark.parametrize("user, option", [("alice", ",username=alice"), ("qemu", "")])
def test_psk_object(disksum, fails, servers, image, keys, user, option):
    path, expected = image
    folder, other = keys("keys", user), keys("other", user)
    uri = psk_server(servers, folder, path)

    def psk_object(where, how=option):
        return f"--object=tls-creds-psk,id=tls0,endpoint=client,dir={where}{how}"

    check(disksum, expected, psk_object(folder), uri)
    assert "can not connect" in fails(psk_object(other), uri)
    assert "can not connect" in fails(psk_object(folder, ",username=bob"), uri)


def test_server_killed(fails, servers, image, certificates):
    path, _ = image
    uri, server = servers.nbdkit_tcp(
        "--tls=require", f"--tls-certificates={certificates}",
        "--filter=delay", "--filter=noextents", "file", path,
        "delay-read=300ms", scheme="nbds",
        query=f"?tls-certificates={certificates}")
    timer = threading.Timer(1, server.signal, [signal.SIGKILL])
    timer.start()
    line = fails("--read-size=64k", "--queue-depth=2", "-t", "2", uri)
    timer.join()
    assert re.search(r": read error at offset \d+: \w", line)
