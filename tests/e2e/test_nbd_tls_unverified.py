# SPDX-License-Identifier: LGPL-2.1-or-later
"""Connections that the installed libnbd would not verify, or not as the user said."""

import os
import re
import shutil

import pytest

from pki import make_certificates
from test_nbd_tls import (  # noqa: F401 (fixtures)
    certificates, check, image, impostor, no_credentials_at_home, x509_object,
    x509_server)
from tls_fault_cases import another_user


@pytest.fixture
def missing(request, tmp_path, certificates):
    """A function that makes a directory without a readable CA certificate."""
    def make(kind):
        directory = tmp_path / "certificates"
        if kind == "empty":
            directory.mkdir()
        elif kind != "none":
            shutil.copytree(certificates, directory)
        if kind == "file":
            directory = directory / "ca-cert.pem"
        elif kind == "unreadable":
            (directory / "ca-cert.pem").chmod(0)
        elif kind in ("directory", "pipe"):
            (directory / "ca-cert.pem").unlink()
            (os.mkdir if kind == "directory" else os.mkfifo)(directory / "ca-cert.pem")
        elif kind == "closed":
            directory.chmod(0)
            request.addfinalizer(lambda: directory.chmod(0o700))
        return directory
    return make


def as_user():
    """A wrapper under which the modes of files apply to root as well."""
    if os.getuid() != 0:
        return []
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv")
    return ["setpriv", "--bounding-set=-all", "--inh-caps=-all", "--"]


@pytest.mark.parametrize("kind, reason", [
    ("none", "No such file or directory"), ("empty", "No such file or directory"),
    ("file", "Not a directory"), ("unreadable", "Permission denied"),
    ("closed", "Permission denied"), ("directory", "Is a directory"),
    ("pipe", "Invalid argument")])
def test_no_authority(fails, servers, image, certificates, missing, kind, reason):
    path, _ = image
    uri = x509_server(servers, certificates, path)
    directory = missing(kind)
    expected = ": cannot connect: cannot verify the server: " \
        f"{directory}/ca-cert.pem: {reason}"
    for args in [f"{uri}?tls-certificates={directory}"], [x509_object(directory), uri]:
        assert fails(*args, wrapper=as_user()).endswith(expected)


def test_no_authority_and_no_verification(disksum, servers, image, certificates, tmp_path):
    """Nothing needs the CA certificate then."""
    path, expected = image
    uri = x509_server(servers, certificates, path)
    directory = tmp_path / "empty"
    directory.mkdir()
    check(disksum, expected, f"{uri}?tls-certificates={directory}&tls-verify-peer=false")
    check(disksum, expected, x509_object(directory, "verify-peer=off"), uri)


@pytest.mark.parametrize("name", ["ca-crl.pem", "client-cert.pem", "client-key.pem"])
def test_unreadable_file(fails, servers, image, certificates, tmp_path, name):
    """libnbd would go on as if the file did not exist."""
    directory = tmp_path / "pki"
    shutil.copytree(certificates, directory)
    uri = x509_server(servers, certificates, image[0],
                      query=f"?tls-certificates={directory}")
    (directory / name).unlink(missing_ok=True)
    (directory / name).symlink_to("nowhere")
    assert f"{directory}/{name}: " in fails(uri)
    (directory / name).unlink()
    (directory / name).touch(mode=0)
    assert fails(uri, wrapper=as_user()).endswith(f"{directory}/{name}: Permission denied")


def test_no_directory(fails, servers, image, certificates):
    uri = x509_server(servers, certificates, image[0])
    assert re.fullmatch(re.escape(uri) + r": cannot connect: libnbd [0-9.]+ does not "
                        "verify a server without a CA certificate; give "
                        "tls-certificates=DIRECTORY in the URI", fails(uri))
    for query in "?tls-certificates=", "?tls-certificates":
        assert fails(uri + query).endswith(
            "cannot connect: tls-certificates needs a directory")


@pytest.mark.parametrize("place", [".pki/libnbd", ".config/pki/libnbd"])
def test_directory_at_home(disksum, fails, servers, image, certificates, tmp_path, place):
    """libnbd looks there, except for root."""
    path, expected = image
    home = tmp_path / "home"
    shutil.copytree(certificates, home / place)
    uri = x509_server(servers, certificates, path)
    bad = x509_server(servers, impostor(shutil.copytree(certificates, tmp_path / "bad"),
                                        "authority"), path)
    if os.getuid() == 0:
        assert "does not verify a server" in fails(uri)
    user = another_user()
    check(disksum, expected, uri, wrapper=user)
    assert fails(bad, wrapper=user).endswith("certificate is signed by an unknown authority")
    if place.startswith(".pki"):
        # It is that, or none.
        shutil.copytree(tmp_path / "bad", home / ".config/pki/libnbd")
        assert fails(bad, wrapper=user).endswith("is signed by an unknown authority")
        (home / place / "ca-cert.pem").unlink()
        check(disksum, expected, bad, wrapper=user)


@pytest.mark.parametrize("transport", ["unix", "vsock"])
@pytest.mark.parametrize("kind", ["authority", "right"])
def test_sockets(disksum, fails, servers, image, certificates, tmp_path, transport, kind):
    """There is no host name to verify, so libnbd verifies nothing."""
    path, expected = image
    directory = shutil.copytree(certificates, tmp_path / "server")
    if kind != "right":
        impostor(directory, kind)
    uri, _ = servers.nbdkit("--tls=require", f"--tls-certificates={directory}",
                            "file", path, scheme="nbds+unix")
    if transport == "vsock":
        uri = "nbds+vsock://1/?"
    query = f"{uri}&tls-certificates={certificates}"
    for args in [query], [x509_object(certificates), uri], [uri]:
        assert re.search(": cannot connect: libnbd [0-9.]+ does not verify the "
                         f"certificate of a server on a {transport} socket; use "
                         "tls-psk-file=FILE or tls-verify-peer=false$", fails(*args))
    if transport == "unix":
        check(disksum, expected, f"{query}&tls-verify-peer=false")
        check(disksum, expected, x509_object(certificates, "verify-peer=off"), uri)


@pytest.mark.parametrize("version, verifies", [
    ("1.14.2", False), ("1.18.4", False), ("1.18.5", True), ("1.18.10", True),
    ("1.19.9", False), ("1.20.2", False), ("1.20.3", True), ("1.20.10", True),
    ("1.21.4", False), ("1.22.0", True), ("1.23.1", True), ("2.0.0", True),
    ("unknown", False)])
def test_versions_of_libnbd(disksum, fails, build, servers, image, certificates, tmp_path,
                            version, verifies):
    """Later versions verify, but the named directory must still have a certificate."""
    path, expected = image
    env = {"LD_PRELOAD": f"{build}/tests/libnbd-version.so", "LIBNBD_VERSION": version}
    on_unix, _ = servers.nbdkit(
        "--tls=require", f"--tls-certificates={certificates}", "file", path,
        scheme="nbds+unix", query=f"&tls-certificates={certificates}")
    no_directory = on_unix[:on_unix.index("&")]
    for uri in on_unix, no_directory:
        if verifies:
            check(disksum, expected, uri, env=env)
        else:
            assert f"libnbd {version} does not verify" in fails(uri, env=env)
    assert "cannot verify the server: " in fails(
        f"nbds://localhost:1/?tls-certificates={tmp_path}", env=env)


@pytest.mark.sanitizer
@pytest.mark.parametrize("query, word", [
    ("tls-certificate=DIR", "tls-certificate"),
    ("tls-certificatess=DIR", "tls-certificatess"),
    ("TLS-certificates=DIR", "TLS-certificates"),
    ("tls_certificates=DIR", "tls_certificates"),
    ("tls-certificates =DIR", "tls-certificates "),
    ("tls%2dcertificate=DIR", "tls-certificate"),
    ("tls-certificates=DIR&tls-hostname=localhost", "tls-hostname"),
    ("tls-type=x509;tls-certificates=DIR", "tls-type"),
    ("tls-certificates=DIR&foo", "foo"),
    ("&&=x&verify-peer=false&tls-certificates=DIR", "verify-peer"),
])
def test_unknown_parameter(fails, servers, image, certificates, query, word):
    """libnbd would ignore the parameter."""
    uri = x509_server(servers, certificates, image[0])
    uri += "?" + query.replace("DIR", str(certificates)).replace(" ", "%20")
    assert fails(uri) == \
        f"{uri}: cannot connect: the URI has an unknown parameter '{word}'; those for " \
        "TLS are tls-certificates, tls-psk-file and tls-verify-peer"
    plain = uri.replace("nbds:", "nbd:")
    assert f"'{word}'" in fails(plain) or "requires TLS" in fails(plain)


@pytest.mark.sanitizer
@pytest.mark.parametrize("query", [
    "tls-certificates=DIR", "tls-certificates=/nowhere&tls-certificates=DIR",
    "tls%2Dcertificates=DIR", "&=x&&tls-certificates=DIR&#?tls-certificate=x",
    "tls-verify-peer=On;tls-certificates=DIR", "tls-certificates=DIR&tls-verify-peer=1"])
def test_query(disksum, fails, servers, image, certificates, tmp_path, query):
    """The query is parsed as libnbd parses it, so the directory that is checked is
    the one that libnbd uses."""
    path, expected = image
    uri = x509_server(servers, certificates, path)
    other = tmp_path / "a%b"
    make_certificates(tmp_path)
    shutil.copytree(tmp_path, other, ignore=lambda *_: ["a%b", "home"])
    check(disksum, expected, f"{uri}?" + query.replace("DIR", str(certificates)))
    assert fails(f"{uri}?" + query.replace("DIR", f"{tmp_path}/a%25b")).endswith(
        "the server's certificate is signed by an unknown authority")


def test_verify_peer_of_the_uri(disksum, fails, servers, image, certificates):
    path, expected = image
    uri = x509_server(servers, certificates, path)
    for word in "0", "false", "No", "off", "F":
        check(disksum, expected, f"{uri}?tls-verify-peer={word}")
    for word in "", "flase", "00", "disable":
        assert fails(f"{uri}?tls-verify-peer={word}").endswith(
            f"tls-verify-peer must be true or false, not '{word}'")
    assert "does not verify" in fails(f"{uri}?tls-verify-peer=yes")
    assert "does not verify" in fails(f"{uri}?tls-verify-peer=no&tls-verify-peer=yes")


def test_the_uri_takes_the_place_of_the_object(disksum, fails, servers, image,
                                               certificates, tmp_path):
    """verify-peer=off is for the object's own certificates."""
    path, expected = image
    directory = shutil.copytree(certificates, tmp_path / "server")
    impostor(directory, "authority")
    uri = x509_server(servers, directory, path)
    query = f"{uri}?tls-certificates={certificates}"
    for text in ["tls-creds-x509,id=a,dir=/x,verify-peer=off",
                 "tls-creds-psk,id=a,dir=/x,verify-peer=off", "tls-creds-anon,id=a"]:
        assert fails(f"--object={text}", query).endswith("is signed by an unknown authority")
        check(disksum, expected, f"--object={text}",
              f"{uri}?tls-certificates={directory}")
    assert fails(f"{query}&tls-psk-file=/x").endswith(
        "cannot connect: tls-certificates and tls-psk-file are mutually exclusive")
