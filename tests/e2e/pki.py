# SPDX-License-Identifier: LGPL-2.1-or-later
"""Certificates for tests, in a folder as libnbd, nbdkit and QEMU want it:
ca-cert.pem, and NAME-cert.pem and NAME-key.pem of a server and a client."""

import shutil
import subprocess

import pytest


def certtool(folder, *args):
    subprocess.run(["certtool", *args], cwd=folder, check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_authority(folder):
    """Of several, no two have the same key."""
    if not shutil.which("certtool"):
        pytest.skip("no certtool")
    (folder / "ca.info").write_text("cn = Test\nca\ncert_signing_key\n")
    certtool(folder, "--generate-privkey", "--key-type=ecdsa",
             "--outfile=ca-key.pem")
    certtool(folder, "--generate-self-signed", "--load-privkey=ca-key.pem",
             "--template=ca.info", "--outfile=ca-cert.pem")


def issue(folder, role, host="localhost", address="127.0.0.1", more=""):
    """A certificate by the authority of the folder, for a role ("server",
    "client"), in place of the one it had."""
    (folder / f"{role}.info").write_text(
        f"cn = {host}\ndns_name = {host}\nip_address = {address}\n"
        f"tls_www_{role}\nencryption_key\nsigning_key\n{more}")
    certtool(folder, "--generate-privkey", "--key-type=ecdsa",
             f"--outfile={role}-key.pem")
    certtool(folder, "--generate-certificate",
             "--load-ca-certificate=ca-cert.pem",
             "--load-ca-privkey=ca-key.pem", f"--load-privkey={role}-key.pem",
             f"--template={role}.info", f"--outfile={role}-cert.pem")


def revoke(folder, role):
    """The authority takes back the certificate of a role."""
    (folder / "crl.info").write_text("crl_next_update = 3650\ncrl_number = 1\n")
    certtool(folder, "--generate-crl", "--load-ca-certificate=ca-cert.pem",
             "--load-ca-privkey=ca-key.pem", "--template=crl.info",
             f"--load-certificate={role}-cert.pem", "--outfile=ca-crl.pem")


def make_certificates(folder):
    """An authority, and what it says of both sides."""
    make_authority(folder)
    issue(folder, "server")
    issue(folder, "client")
    return folder
