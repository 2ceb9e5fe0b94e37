# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates for tests, in a directory as libnbd, nbdkit and QEMU expect it:
ca-cert.pem, and ROLE-cert.pem and ROLE-key.pem for the server and the client."""

import shutil
import subprocess

import pytest


def certtool(directory, *args):
    subprocess.run(["certtool", *args], cwd=directory, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_authority(directory):
    """Make an authority with a key of its own."""
    if not shutil.which("certtool"):
        pytest.skip("no certtool")
    (directory / "ca.info").write_text("cn = Test\nca\ncert_signing_key\n")
    certtool(directory, "--generate-privkey", "--key-type=ecdsa",
             "--outfile=ca-key.pem")
    certtool(directory, "--generate-self-signed", "--load-privkey=ca-key.pem",
             "--template=ca.info", "--outfile=ca-cert.pem")


def issue(directory, role, host="localhost", address="127.0.0.1", more=""):
    """Issue a certificate by the authority of the directory for a role ("server" or
    "client"). It replaces the one that the role had."""
    (directory / f"{role}.info").write_text(
        f"cn = {host}\ndns_name = {host}\nip_address = {address}\n"
        f"tls_www_{role}\nencryption_key\nsigning_key\n{more}")
    certtool(directory, "--generate-privkey", "--key-type=ecdsa",
             f"--outfile={role}-key.pem")
    certtool(directory, "--generate-certificate",
             "--load-ca-certificate=ca-cert.pem",
             "--load-ca-privkey=ca-key.pem", f"--load-privkey={role}-key.pem",
             f"--template={role}.info", f"--outfile={role}-cert.pem")


def revoke(directory, role):
    """The authority revokes the certificate of a role."""
    (directory / "crl.info").write_text("crl_next_update = 3650\ncrl_number = 1\n")
    certtool(directory, "--generate-crl", "--load-ca-certificate=ca-cert.pem",
             "--load-ca-privkey=ca-key.pem", "--template=crl.info",
             f"--load-certificate={role}-cert.pem", "--outfile=ca-crl.pem")


def make_certificates(directory):
    """Make an authority, and certificates for both sides."""
    make_authority(directory)
    issue(directory, "server")
    issue(directory, "client")
    return directory
