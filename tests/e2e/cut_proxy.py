# SPDX-License-Identifier: LGPL-2.1-or-later
"""A proxy between disksum and an NBD server, which ends connections after so many bytes.

    cut_proxy.py LIMIT SERVER

is one as a command that disksum starts: the socket that listens is descriptor 3, and after so
many bytes from the server the process dies, with all of its connections."""

import os
import selectors
import signal
import socket
import struct
import sys
import threading

CLOSE, RESET, STALL, DIE = "close", "reset", "stall", "die"


class CutProxy:
    """Listens at `path`, a unix socket, or if it is None at a TCP port, and connects to the
    unix socket `server`. Connection number `only` (None: each) is cut after `limit` bytes:
    of those from the server, or to it (`upstream`). A reset by TCP throws away what the
    other side has not read yet, and on a unix socket is a close in both directions; a stall
    just goes silent; to die ends the whole process.

    For each connection, `passed` has the bytes [to the server, from the server]. `replies`
    has all bytes from the server."""

    def __init__(self, path, server, listener=None, limit=None, how=CLOSE):
        self.server = str(server)
        self.limit, self.how, self.upstream, self.only = limit, how, False, None
        self.passed, self.replies = [], bytearray()
        self.threads = []
        # A connection is counted and has its thread, or neither.
        self.lock = threading.Lock()
        if listener:
            self.listener = listener
        elif path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.uri = f"nbd+unix:///?socket={path}"
        else:
            self.listener = socket.create_server(("127.0.0.1", 0))
            self.uri = f"nbd://localhost:{self.listener.getsockname()[1]}"
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def cut(self, limit, how=CLOSE, *, upstream=False, only=None):
        """How the connections from now on end. Forgets those before."""
        with self.lock:
            threads = self.threads
        for thread in threads:
            thread.join()
        self.limit, self.how, self.upstream, self.only = limit, how, upstream, only
        self.passed, self.replies, self.threads = [], bytearray(), []

    def accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                limit = self.limit if self.only in (None, len(self.passed)) else None
                self.passed.append([0, 0])
                thread = threading.Thread(target=self.relay, daemon=True, args=[
                    client, self.passed[-1], limit, self.how, self.upstream])
                self.threads.append(thread)
                thread.start()

    def relay(self, client, passed, limit, how, upstream):
        server = socket.socket(socket.AF_UNIX)
        counted = 0 if upstream else 1
        with client, server, selectors.DefaultSelector() as ready:
            server.connect(self.server)
            ready.register(client, selectors.EVENT_READ, (0, server))
            ready.register(server, selectors.EVENT_READ, (1, client))
            while limit is None or passed[counted] < limit:
                for key, _ in ready.select():
                    way, other = key.data
                    size = 1 << 16
                    if way == counted and limit is not None:
                        size = min(size, limit - passed[counted])
                    try:
                        data = key.fileobj.recv(size) if size else b""
                        # Counted first: a client with its last byte is gone at once.
                        passed[way] += len(data)
                        if way == 1:
                            self.replies += data
                        other.sendall(data)
                    except OSError:
                        return
                    if not data and size:
                        return
            self.end(client, how)

    @staticmethod
    def end(client, how):
        if how == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
        if how == RESET and client.family == socket.AF_INET:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        elif how == CLOSE:
            client.shutdown(socket.SHUT_WR)
        elif how == STALL:
            # Until the client goes.
            try:
                while client.recv(1 << 16):
                    pass
            except OSError:
                pass

    def stop(self):
        # A close() alone does not wake accept().
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.cut(None)


def main():
    limit, server = sys.argv[1:]
    CutProxy(None, server, socket.socket(fileno=3), int(limit), DIE)
    while True:
        signal.pause()


if __name__ == "__main__":
    main()
