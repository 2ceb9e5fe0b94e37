# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images that QEMU reads from servers on this host: http, https and ssh, by the
modules of the package qemu-block-extra."""

import base64
import contextlib
import getpass
import glob
import http.server
import json
import os
import pwd
import re
import secrets
import shutil
import socket
import ssl
import subprocess
import threading
from urllib.parse import quote

import pytest

from conftest import BUILD, sums
from nbd_server import free_port, is_listening
from oracle import checksum, write_image
from pki import make_certificates
from test_qemu import directory, raw, qed  # noqa: F401 (fixtures)


def needs_module(name):
    """Distributions have QEMU's modules in different places."""
    if not any(glob.glob(f"/usr/{directory}/block-{name}.so")
               for directory in ("lib/*/qemu", "lib/qemu", "lib64/qemu*")):
        pytest.skip(f"no module of QEMU for {name}")


# --- http ------------------------------------------------------------------

@pytest.fixture
def ask(disksum):
    """Run disksum on a URL. Returns its standard output, or its error message.

    On a busy host QEMU 7.2 now and then waits for ever for bytes that are there
    (`qemu-img convert` did so in 6 of 50 runs). disksum gives up then, and is
    asked again."""
    def run(*args):
        for _ in range(8):
            result = disksum("--timeout=4", *args, check=False)
            if not re.search("does not answer|timed out", result.stderr):
                break
        if result.returncode == 0:
            assert not result.stderr
            return result.stdout
        assert result.returncode == 1 and not result.stdout
        assert re.fullmatch(r"disksum: .*\n", result.stderr)
        return result.stderr[len("disksum: "):-1]
    return run


class Handler(http.server.BaseHTTPRequestHandler):
    """Serve ranges of the files in a directory, as the web server of any mirror."""

    protocol_version = "HTTP/1.1"

    def file(self):
        path = self.server.directory / self.path.lstrip("/")
        return path if path.is_file() else None

    def answer(self, status, size, more=()):
        self.send_response(status)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(size))
        for name, value in more:
            self.send_header(name, value)
        self.end_headers()

    def is_refused(self):
        """Refuse a request without the expected headers."""
        if all(self.headers[key] == value
               for key, value in self.server.expected.items()):
            return False
        self.answer(401, 0, [("WWW-Authenticate", 'Basic realm="images"')])
        return True

    def do_HEAD(self):
        if self.is_refused():
            return
        path = self.file()
        self.answer(200 if path else 404, path.stat().st_size if path else 0)

    def do_GET(self):
        if self.is_refused():
            return
        path = self.file()
        if not path:
            self.answer(404, 0)
            return
        size = path.stat().st_size
        first, last = re.fullmatch(r"bytes=(\d+)-(\d+)",
                                   self.headers["Range"]).groups()
        first, last = int(first), min(int(last), size - 1)
        self.answer(206, last + 1 - first,
                    [("Content-Range", f"bytes {first}-{last}/{size}")])
        with open(path, "rb") as f:
            f.seek(first)
            self.wfile.write(f.read(last + 1 - first))

    def log_message(self, *args):
        pass


class WebServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *args):
        """A client may go away at any time."""


@contextlib.contextmanager
def web_server(directory, certificates=None, **expected):
    """Yields the URL. Each request must have the expected headers."""
    needs_module("curl")
    server = WebServer(("127.0.0.1", 0), Handler)
    server.directory = directory
    server.expected = expected
    if certificates:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificates / "server-cert.pem",
                                certificates / "server-key.pem")
        # In the thread of the connection, so no client waits for another's handshake.
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever,
                              kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http{'s' if certificates else ''}://127.0.0.1:" \
            f"{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_http(ask, raw, qed):
    with web_server(raw.parent) as url:
        for args in [[f"{url}/disk.qed"], ["-f", "qed", f"{url}/disk.qed"],
                     ["-T", "none", f"{url}/disk.qed"],
                     [f"{url}/disk.raw"], ["-f", "raw", f"{url}/disk.raw"],
                     ["--image-opts", f"driver=raw,file.driver=http,"
                      f"file.url={url}/disk.raw"]]:
            assert sums(ask(*args)) == [checksum(raw)]


def test_http_member(ask, raw):
    """QEMU reads the archive; what is in it is read here."""
    subprocess.run(["qemu-img", "convert", "-c", "-O", "qcow2", "-f", "raw", "disk.raw",
                    "disk.qcow2"], cwd=raw.parent, check=True)
    subprocess.run(["tar", "-cf", "x.ova", "disk.raw", "disk.qcow2"], cwd=raw.parent, check=True)
    with web_server(raw.parent) as url:
        for name in "disk.raw", "disk.qcow2":
            assert sums(ask(f"--member={name}", f"{url}/x.ova")) == [checksum(raw)]
        assert ask("--member=x", f"{url}/x.ova") == \
            f"{url}/x.ova: no member 'x'; its disks: 'disk.raw' and 'disk.qcow2'"


def test_token_in_the_query(ask, raw):
    """QEMU needs it."""
    raw.rename(raw.with_name("disk?sig=swordfish"))
    with web_server(raw.parent) as url:
        line = ask(f"{url}/disk?sig=swordfish")
    assert sums(line) == [checksum(raw.with_name("disk?sig=swordfish"))]
    assert line.endswith("/disk?sig=***\n")


def test_https(ask, tmp_path_factory, raw, qed):
    certificates = make_certificates(tmp_path_factory.mktemp("pki"))
    with web_server(raw.parent, certificates) as url:
        options = f"driver=qed,file.driver=https,file.url={url}/disk.qed"
        text = json.dumps({"driver": "raw", "file": {
            "driver": "https", "url": f"{url}/disk.raw", "sslverify": False}})
        for args in [["--image-opts", f"{options},file.sslverify=off"],
                     [f"json:{text}"]]:
            assert sums(ask(*args)) == [checksum(raw)]
        # The authority of the certificate is not known.
        for args in [f"{url}/disk.raw"], ["--image-opts", options]:
            assert "certificate" in ask(*args)


def test_http_below_a_qcow2(ask, raw, qed):
    with web_server(raw.parent) as url:
        top = raw.with_name("top.qcow2")
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b",
                        f"{url}/disk.qed", "-F", "qed", top], check=True)
        assert sums(ask("--trust-names", top)) == [checksum(raw)]
        # A name that is relative to a URL is a URL.
        shutil.copy(raw, raw.with_name("a"))
        subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-b", "a", "-F",
                        "raw", raw.with_name("b")], check=True)
        assert sums(ask("--trust-names", f"{url}/b")) == [checksum(raw)]
        assert ask(f"{url}/b") == f"{url}/b: its backing file 'a' is not a " \
            "plain file; use --trust-names to follow such a name"


def test_http_error(ask, raw):
    with web_server(raw.parent) as url:
        line = ask(f"{url}/none.raw")
        assert line.startswith(f"{url}/none.raw: QEMU: ") and "404" in line
    line = ask(f"{url}/disk.raw")
    assert line.startswith(f"{url}/disk.raw: QEMU: ") and "connect" in line


def test_https_asked_of_a_plain_server(ask, raw):
    with web_server(raw.parent) as url:
        assert "QEMU: " in ask(f"{url.replace('http', 'https')}/disk.raw")


@pytest.mark.parametrize("what", ["status", "short"])
def test_http_error_later(ask, raw, monkeypatch, what):
    """The server has only the start of the image."""
    whole = Handler.do_GET

    def get(self):
        first = int(re.match(r"bytes=(\d+)", self.headers["Range"])[1])
        if first < 1 << 20:
            whole(self)
        elif what == "status":
            self.answer(503, 0)
        else:
            self.answer(206, 1 << 20)
            self.wfile.write(b"too little")
            self.close_connection = True

    monkeypatch.setattr(Handler, "do_GET", get)
    with web_server(raw.parent) as url:
        assert re.search(r"disk\.raw: read error at offset \d+: ",
                         ask("-f", "raw", f"{url}/disk.raw"))


# --- passwords -------------------------------------------------------------

@pytest.fixture
def small(tmp_path):
    """An image that QEMU reads in one request."""
    path = tmp_path / "disk.raw"
    write_image(path, "1k:A 1k:B")
    return path


def basic(user, password):
    text = base64.b64encode(f"{user}:{password}".encode()).decode()
    return f"Basic {text}"


def with_password(url, user, password):
    return url.replace("://", f"://{user}:{password}@")


PASSWORDS = ["swordfish", "sword'fish", 'sword"fish', "sword/fish", "sword#fish?",
             "sword fish", "sword@fish:", "sword%2Ffish", "sword,fish,,", "sw\\ord\n",
             "schwärtfisch", "x" * 3000, "%", "***"]


@pytest.mark.parametrize("password", PASSWORDS, ids=range(len(PASSWORDS)))
def test_http_password(ask, small, password):
    """The server accepts only this password, which is escaped in the URL, in every form
    in which QEMU can be given a URL."""
    with web_server(small.parent, Authorization=basic("ice@x", password)) as url:
        url = f"{with_password(url, 'ice%40x', quote(password, safe=''))}/disk.raw"
        shown = re.sub(r":[^:]*@", ":***@", url)
        assert ask(url) == ask("-f", "raw", url) == f"{checksum(small)}  {shown}\n"
        options = "driver=raw,file.driver=http,file.url="
        assert ask("--image-opts", f"{options}{url}") == \
            f"{checksum(small)}  {options}{shown}\n"
        text = json.dumps({"file": {"url": url, "driver": "http", "readahead": 65536},
                           "driver": "raw"}).replace("/", "\\/")
        assert sums(ask("-U", f"json:{text}")) == [checksum(small)]


def test_http_password_that_is_wrong(ask, small):
    with web_server(small.parent, Authorization=basic("alice", "swordfish")) as url:
        for user, password in ("bob", "swordfish"), ("alice", "carp"), ("alice", ""):
            line = ask(f"{with_password(url, user, password)}/disk.raw")
            assert "401" in line and not re.search("swordfish|carp", line)


@pytest.mark.parametrize("password", ["sword'fish", 'sword"\\fish', "sword fish", ",=",
                                      "sword@fish:", "x@h", "%%4"])
def test_http_password_without_escapes(ask, small, password):
    """It is clear where the password ends."""
    with web_server(small.parent, Authorization=basic("alice", password)) as url:
        url = with_password(url, "alice", password)
        assert sums(ask(f"{url}/disk.raw")) == [checksum(small)]
        text = json.dumps({"driver": "raw", "file.driver": "http",
                           "file.url": f"{url}/disk.raw"})
        assert sums(ask(f"json:{text}")) == [checksum(small)]


@pytest.mark.sanitizer
def test_http_password_of_a_qed(ask, raw, qed):
    """The QEMU that reads the format does not need the password."""
    with web_server(raw.parent, Authorization=basic("alice", "swordfish")) as url:
        url = f"{with_password(url, 'alice', 'swordfish')}/disk.qed"
        for args in [url], ["-f", "qed", url]:
            assert sums(ask(*args)) == [checksum(raw)]


def test_http_password_without_a_user(ask, small):
    with web_server(small.parent, Authorization=basic("", "swordfish")) as url:
        assert sums(ask(f"{with_password(url, '', 'swordfish')}/disk.raw")) == \
            [checksum(small)]


def test_http_password_in_an_image(ask, small, tmp_path):
    """--trust-names uses the password, and does not show it."""
    top = tmp_path / "top.qcow2"
    with web_server(small.parent, Authorization=basic("alice", "sword fish")) as url:
        url = f"{with_password(url, 'alice', 'sword%20fish')}/disk.raw"
        subprocess.run(["qemu-img", "create", "-q", "-u", "-f", "qcow2", "-b", url,
                        "-F", "raw", top, "2k"], check=True)
        line = json.loads(ask("--trust-names", "--json", top))
        shown = url.replace("sword%20fish", "***")
        assert line["checksum"] == checksum(small)
        assert line["backing-chain"] == [{"filename": shown, "format": "raw"}]
        assert f"its backing file '{shown}' is not a plain file" in ask(top)


def test_http_cookie(ask, small):
    with web_server(small.parent, Cookie="a=sword,fish; b=c") as url:
        image = f"driver=raw,file.driver=http,file.url={url}/disk.raw"
        assert ask("--image-opts", f"{image},file.cookie=a=sword,,fish; b=c") == \
            f"{checksum(small)}  {image},file.cookie=***\n"
        text = json.dumps({"driver": "raw", "file": {
            "driver": "http", "url": f"{url}/disk.raw", "cookie": "a=sword,fish; b=c"}})
        assert sums(ask(f"json:{text}")) == [checksum(small)]


@pytest.mark.parametrize("definition", [
    "secret,id=s,data=sword,,fish", "qom-type=secret,data=sword,,fish,id=s",
    "secret,format=base64,data=c3dvcmQsZmlzaA==,id=s",
    '{"qom-type": "secret", "id": "s", "data": "sw\\u006frd,fish"}'])
def test_secret_in_an_object(ask, small, definition):
    """Every form in which QEMU accepts the secret."""
    with web_server(small.parent, Authorization=basic("alice", "sword,fish")) as url:
        assert sums(ask(
            "--object", definition, "--image-opts",
            f"driver=raw,file.driver=http,file.url={url}/disk.raw,"
            "file.username=alice,file.password-secret=s")) == [checksum(small)]


@pytest.mark.parametrize("name, reason", [
    *[(f"https://alice:{password}@host/disk.raw",
       "write / ? # and @ in it as %2F %3F %23 and %40")
      for password in ["carp/pike", "carp?pike", "carp#pike", "c@a'r#carp/pike",
                       "c@a r?pike", "80#/pike"]],
    ("https://alice:carp%00pike@host/disk.raw", "a NUL byte"),
    ("https://alice:carp%ffpike@host/disk.raw", "is not valid UTF-8"),
    ("ssh://alice:carp@host/disk.raw", "give a key to ssh-agent"),
    ("iscsi://alice%carp@host/iqn/1", "password-secret=ID"),
    ("rbd:pool/image:id=alice:key=carp", "--object secret,id=ID,file=FILE"),
    ('json:{"driver": "iscsi", "url": "iscsi://alice%carp@host/", "cookie": 1', "secret"),
    ('json:{"driver": "rbd", "filename": "rbd:pool/image:key=carp"}', "secret")])
def test_password_that_can_not_be_hidden(fails, tmp_path, monkeypatch, name, reason):
    """No QEMU is started."""
    if "UTF-8" not in reason:
        monkeypatch.setenv("PATH", str(tmp_path))
    line = fails("-f", "qed", name) if "json:" not in name else fails(name)
    assert reason in line and "***" in line
    assert not re.search("carp|pike", line)


def test_at_sign_that_ends_no_password(ask, small):
    (small.parent / "a@b").mkdir()
    (small.parent / "a@b/c").write_bytes(small.read_bytes())
    with web_server(small.parent) as url:
        assert sums(ask(f"{url}/a@b/c")) == [checksum(small)]
    with web_server(small.parent, Authorization=basic("alice", "swordfish")) as url:
        assert sums(ask(f"{with_password(url, 'alice', 'swordfish')}/a@b/c")) == \
            [checksum(small)]


def everybody_sees():
    """The arguments and environments of all processes, by path."""
    seen = {}
    for path in glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/proc/[0-9]*/environ"):
        with contextlib.suppress(OSError), open(path, "rb") as f:
            seen[path] = f.read()
    return seen


SECRETS = [
    ["{private}"], ["-f", "raw", "{private}"],
    ["--image-opts", "driver=raw,file.driver=http,file.url={private}"],
    ['json:{{"driver": "http", "url": "{private}"}}'],
    ["--image-opts", "driver=raw,file.driver=http,file.url={url},file.cookie={secret}"],
    ["--object", "secret,id=s,data={secret}", "{url}"],
    ['--object={{"qom-type":"secret","id":"s","data":"{secret}"}}', "{url}"]]


@pytest.mark.parametrize("args", SECRETS, ids=range(len(SECRETS)))
def test_secrets_in_no_arguments(small, monkeypatch, args):
    """Secrets are in no arguments and no environment of any process."""
    here, go_on = threading.Event(), threading.Event()
    whole = Handler.do_GET

    def get(self):
        here.set()
        go_on.wait()
        whole(self)

    monkeypatch.setattr(Handler, "do_GET", get)
    secret = secrets.token_hex()
    with web_server(small.parent) as url:
        words = {"url": f"{url}/disk.raw", "secret": secret,
                 "private": f"{with_password(url, 'alice', secret)}/disk.raw"}
        with subprocess.Popen(
                [BUILD / "disksum", *[word.format(**words) for word in args]],
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                assert here.wait(60)
                seen = everybody_sees().values()
            finally:
                go_on.set()
                process.kill()
    assert not [text for text in seen if secret.encode() in text]
    assert [text for text in seen if words["url"].encode() in text and
            text.startswith(b"qemu-nbd\0")]


# --- ssh -------------------------------------------------------------------

@pytest.fixture
def ssh_agent(tmp_path, servers, monkeypatch):
    """An agent with a key, so that no key of the user is needed. The public key is in
    user.pub."""
    if not shutil.which("ssh-agent"):
        pytest.skip("no ssh-agent")
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        pytest.skip("ssh needs a name for the user")
    for name in "user", "host":
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f",
                        tmp_path / name], check=True)
    path = servers.new_socket()
    servers.start(["ssh-agent", "-D", "-a", path],
                  lambda: is_listening(path))
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    subprocess.run(["ssh-add", "-q", tmp_path / "user"], check=True)


@pytest.fixture
def ssh_port(tmp_path, servers, ssh_agent):
    """A server on a port of its own, for the user who runs the test. The package is not
    installed for this test, because it would open the host to others."""
    sshd = shutil.which("sshd", path="/usr/sbin:/sbin:/usr/bin")
    if not sshd:
        pytest.skip("no sshd")
    needs_module("ssh")
    if os.getuid() == 0:
        os.makedirs("/run/sshd", mode=0o755, exist_ok=True)  # as its service does
    port = free_port()
    config = tmp_path / "sshd_config"
    config.write_text(f"""
        ListenAddress 127.0.0.1
        Port {port}
        HostKey {tmp_path}/host
        AuthorizedKeysFile {tmp_path}/user.pub
        AuthenticationMethods publickey
        PermitRootLogin yes
        StrictModes no
        UsePAM no
        PidFile none
        Subsystem sftp internal-sftp
    """)

    def connect():
        with socket.socket() as s:
            return s.connect_ex(("127.0.0.1", port)) == 0

    servers.start([sshd, "-D", "-e", "-f", config], connect)
    return port


def ssh_options(port, path):
    return f"file.driver=ssh,file.server.host=127.0.0.1,file.server.port={port}," \
        f"file.user={getpass.getuser()},file.path={path}"


def test_ssh(disksum, fails, raw, qed, ssh_port):
    for driver, path in ("qed", qed), ("raw", raw):
        image = f"driver={driver},{ssh_options(ssh_port, path)}," \
            "file.host-key-check.mode=none"
        assert sums(disksum("--image-opts", image).stdout) == [checksum(raw)]
    uri = f"ssh://{getpass.getuser()}@127.0.0.1:{ssh_port}{qed}" \
        "?host_key_check=no"
    assert sums(disksum(uri).stdout) == [checksum(raw)]
    line = fails(uri.replace(".qed", ".none"))
    assert "disk.none" in line and "no such file" in line.lower()
    # The key of the host is not known.
    assert "key" in fails("--image-opts",
                          f"driver=qed,{ssh_options(ssh_port, qed)}")


def test_ssh_refused(fails, raw):
    needs_module("ssh")
    uri = f"ssh://127.0.0.1:{free_port()}{raw}"
    assert fails(uri) == f"{uri}: QEMU: Failed to connect to " \
        f"'{uri.split('/')[2]}': Connection refused"
