# SPDX-License-Identifier: LGPL-2.1-or-later
"""NBD servers for tests, on unix sockets and loopback TCP."""

import os
import signal
import socket
import subprocess
import threading
import time


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def is_listening(path):
    """Whether a unix socket listens, without a connection to it. The path is there a
    moment earlier."""
    accepts = 1 << 16  # __SO_ACCEPTCON
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as f:
        fields = [line.split(maxsplit=7) for line in f]
    return any(len(words) == 8 and words[7].rstrip("\n") == os.fspath(path) and
               int(words[3], 16) & accepts for words in fields[1:])


def is_reachable(host, port):
    """Connects: a server that ends with its last client must be persistent."""
    try:
        socket.create_connection((host, port)).close()
    except ConnectionRefusedError:
        return False
    return True


def vsock_answers(port):
    try:
        with socket.socket(socket.AF_VSOCK) as s:
            s.settimeout(1)
            return s.connect_ex((1, port)) == 0  # CID 1: this host
    except OSError:
        return False


def free_vsock_port():
    """A port, or None if the host cannot reach itself by vsock."""
    try:
        with socket.socket(socket.AF_VSOCK) as s:
            s.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
            s.listen()
            port = s.getsockname()[1]
            return port if vsock_answers(port) else None
    except OSError:
        return None


class Server:
    """A running server. connect() tells whether it listens."""

    def __init__(self, command, connect, log):
        self.log = log
        with open(log, "wb") as stderr:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=stderr,
                stderr=stderr)
        try:
            self.wait_for(connect)
        except BaseException:
            self.stop()
            raise

    def wait_for(self, connect):
        deadline = time.monotonic() + 20
        while not connect():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.01)

    def signal(self, number):
        self.process.send_signal(number)

    def signal_at_read(self, log, number):
        """Send a signal after some reads: they are in the log of nbdkit's log
        filter. Returns the thread that does it, to be joined."""
        def run():
            deadline = time.monotonic() + 60
            while log.read_text().count(" Read ") < 4:
                assert time.monotonic() < deadline
                time.sleep(0.01)
            self.signal(number)

        thread = threading.Thread(target=run)
        thread.start()
        return thread

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Servers:
    """Starts servers. stop() stops them all."""

    def __init__(self, directory):
        self.directory = directory
        self.servers = []

    def start(self, command, connect):
        log = self.directory / f"server-{len(self.servers)}.log"
        self.servers.append(Server(command, connect, log))
        return self.servers[-1]

    def new_socket(self):
        return self.directory / f"socket-{len(self.servers)}"

    def nbdkit(self, *args, path="/", scheme="nbd+unix", query=""):
        """Start nbdkit on a unix socket. Returns (URI, server)."""
        sock = self.new_socket()
        server = self.start(["nbdkit", "-f", "-r", "-U", sock,
                             *map(os.fspath, args)],
                            lambda: is_listening(sock))
        return f"{scheme}://{path}?socket={sock}{query}", server

    def nbdkit_tcp(self, *args, path="/", scheme="nbd", query=""):
        port = free_port()

        def connect():
            with socket.socket() as s:
                return s.connect_ex(("127.0.0.1", port)) == 0

        server = self.start(["nbdkit", "-f", "-r", "-i", "127.0.0.1", "-p",
                             str(port), *map(os.fspath, args)], connect)
        return f"{scheme}://localhost:{port}{path}{query}", server

    def qemu_nbd(self, image, *args, export="", format="raw", shared=8,
                 persistent=True):
        sock = self.new_socket()
        server = self.start(["qemu-nbd", *(["-t"] if persistent else []),
                             "-r", "-k", sock, "-f", format,
                             "-e", str(shared), "-x", export,
                             *args, image],
                            lambda: is_listening(sock))
        return f"nbd+unix:///{export}?socket={sock}", server

    def stop(self):
        for server in self.servers:
            server.stop()
