# SPDX-License-Identifier: LGPL-2.1-or-later
"""An NBD server that sends odd replies to reads, also some that violate the
protocol, as no real server does. Its export has 1 MiB."""

import socket
import struct
import threading

SIZE = 1 << 20
CONTENT = bytes(i * 7 % 251 for i in range(SIZE))

OPTION_MAGIC = 0x3E889045565A9  # of replies
STRUCTURED, GO = 8, 7
DATA, ERROR, ERROR_OFFSET = 1, 0x8001, 0x8002
DONE = 1


def receive(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def chunk(cookie, kind, payload, flags=0):
    return struct.pack(">IHHQI", 0x668E33EF, flags, kind, cookie,
                       len(payload)) + payload


def data(cookie, offset, length, flags=0):
    return chunk(cookie, DATA, struct.pack(">Q", offset)
                 + CONTENT[offset:offset + length], flags)


class OddServer:
    """answer(cookie, offset, length) returns the bytes of the reply to a read."""

    def __init__(self, path, answer):
        self.answer = answer
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.client, args=[s], daemon=True).start()

    def client(self, s):
        try:
            with s:
                self.handshake(s)
                while True:
                    self.command(s)
        except (EOFError, OSError):
            pass

    def handshake(self, s):
        s.sendall(b"NBDMAGICIHAVEOPT" + struct.pack(">H", 3))
        receive(s, 4)
        while True:
            _, option, length = struct.unpack(">QII", receive(s, 16))
            receive(s, length)

            def reply(kind, payload=b""):
                s.sendall(struct.pack(">QIII", OPTION_MAGIC, option, kind,
                                      len(payload)) + payload)
            if option == STRUCTURED:
                reply(1)
            elif option == GO:
                reply(3, struct.pack(">HQH", 0, SIZE, 1 | 2))
                reply(1)
                return
            else:
                reply(0x80000001)

    def command(self, s):
        _, _, kind, cookie, offset, length = struct.unpack(
            ">IHHQQI", receive(s, 28))
        if kind == 2:
            raise EOFError
        s.sendall(self.answer(cookie, offset, length))

    def stop(self):
        self.listener.close()
