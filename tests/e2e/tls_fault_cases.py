# SPDX-License-Identifier: LGPL-2.1-or-later
"""Exports over TLS, for test_call_faults.py."""

import os
import shutil

import pytest

from fault_cases import SMALL, Case
from pki import issue, make_certificates, revoke

URI_DIRECTORY = "?tls-certificates=../images/pki"


def serve(m, *options, **more):
    """The URI of an export of the small image, by a server that requires TLS. With more than
    one thread for a connection, nbdkit 1.32 aborts now and then when the client goes, in
    nettle_chacha_poly1305_encrypt()."""
    m.raw("small", SMALL)
    return m.servers.nbdkit_tcp("--threads=1", "--tls=require", *options, "file",
                                m.images / "small", scheme="nbds", **more)[0]


def certificates(m, name):
    """Make a directory of certificates, by an authority of its own."""
    directory = m.images / name
    directory.mkdir(parents=True)
    return make_certificates(directory)


def keys(m, name):
    """Make a key for alice."""
    if not shutil.which("psktool"):
        pytest.skip("no psktool")
    m.run("psktool", "-u", "alice", "-p", name)
    return m.images / name


# --- servers that are verified --------------------------------------------------

def export_by_certificate(m):
    """Both sides have one, and there is a list of those that were revoked."""
    directory = certificates(m, "pki")
    revoke(directory, "client")
    issue(directory, "client")
    uri = serve(m, f"--tls-certificates={directory}", "--tls-verify-peer",
                query=URI_DIRECTORY)
    return Case(("-t1", uri), (m.sum("small"),))


def export_by_key(m):
    uri = serve(m, f"--tls-psk={keys(m, 'keys.psk')}", query="?tls-psk-file=../images/keys.psk")
    return Case(("-t1", uri.replace("localhost", "alice@localhost")), (m.sum("small"),))


TLS_CASES = export_by_certificate, export_by_key


# --- servers that are not ---------------------------------------------------------

def refused(*args, **more):
    return Case(("-t1", *args), status=1, **more)


def another_authority(m):
    certificates(m, "pki")
    return refused(serve(m, f"--tls-certificates={certificates(m, 'other')}",
                         query=URI_DIRECTORY))


def another_host(m):
    """The credentials are an object."""
    directory = certificates(m, "pki")
    issue(directory, "server", "elsewhere.example", "192.0.2.1")
    return refused("--object=tls-creds-x509,id=tls0,endpoint=client,dir=../images/pki",
                   serve(m, f"--tls-certificates={directory}"))


def authority_of_another_directory(m):
    """There are two at home, and the first is for nbds://."""
    certificates(m, "home/.pki/libnbd")
    directory = certificates(m, "home/.config/pki/libnbd")
    return refused(serve(m, f"--tls-certificates={directory}"),
                   env={"HOME": "../images/home"}, wrapper=another_user())


def another_user():
    """A wrapper under which root is not root, but may read all files."""
    if os.getuid() != 0:
        return ()
    if not shutil.which("setpriv"):
        pytest.skip("no setpriv")
    return ("setpriv", "--securebits=+no_setuid_fixup", "--reuid=65534",
            "--inh-caps=+dac_override", "--ambient-caps=+dac_override")


def another_key(m):
    uri = serve(m, f"--tls-psk={keys(m, 'other.psk')}", query="?tls-psk-file=../images/keys.psk")
    keys(m, "keys.psk")
    return refused(uri.replace("localhost", "alice@localhost"))


def certificate_in_place_of_a_key(m):
    """libnbd by itself would not verify it."""
    uri = serve(m, f"--tls-certificates={certificates(m, 'other')}",
                query="?tls-psk-file=../images/keys.psk")
    keys(m, "keys.psk")
    return refused(uri.replace("localhost", "alice@localhost"))


def revoked_certificate(m):
    directory = certificates(m, "pki")
    revoke(directory, "server")
    return refused(serve(m, f"--tls-certificates={directory}", query=URI_DIRECTORY))


# And why they are refused.
HOSTILE = (
    (another_authority, "the server's certificate is signed by an unknown authority"),
    (another_host, "the server's certificate is for another host"),
    (authority_of_another_directory,
     "the server's certificate is signed by an unknown authority"),
    (revoked_certificate, "the server's certificate has been revoked"),
    (another_key, "cannot connect: gnutls_handshake: "),
    (certificate_in_place_of_a_key, "cannot connect: gnutls_handshake: "))
