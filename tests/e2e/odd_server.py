# SPDX-License-Identifier: LGPL-2.1-or-later
"""An NBD server whose answers are odd, or against the protocol, as no real
server's are."""

import socket
import struct
import threading

SIZE = 1 << 20
CONTENT = bytes(i * 7 % 251 for i in range(SIZE))

OPTION_MAGIC = 0x3E889045565A9  # of replies
STARTTLS, STRUCTURED, SET_META_CONTEXT, GO = 5, 8, 10, 7
ACK, INFO, META_CONTEXT, UNSUPPORTED = 1, 3, 4, 0x80000001
INFO_EXPORT, INFO_BLOCK_SIZE = 0, 3
READ, DISCONNECT, BLOCK_STATUS = 0, 2, 7
DATA, HOLE, STATUS, ERROR, ERROR_OFFSET = 1, 2, 5, 0x8001, 0x8002
DONE = 1
HAS_FLAGS, READ_ONLY, MULTI_CONN = 1, 2, 256
SO_SNDBUFFORCE = 32  # of Linux
CONTEXT = 7  # the number of base:allocation


def receive(s, n):
    data = b""
    while len(data) < n:
        part = s.recv(n - len(data))
        if not part:
            raise EOFError
        data += part
    return data


def option_reply(option, kind, payload=b""):
    return struct.pack(">QIII", OPTION_MAGIC, option, kind,
                       len(payload)) + payload


def chunk(cookie, kind, payload, flags=0):
    return struct.pack(">IHHQI", 0x668E33EF, flags, kind, cookie,
                       len(payload)) + payload


def data(cookie, offset, length, flags=0):
    return chunk(cookie, DATA, struct.pack(">Q", offset)
                 + CONTENT[offset:offset + length], flags)


def extents(cookie, *pairs, flags=0):
    """A block status chunk: pairs of length and flags."""
    return chunk(cookie, STATUS, struct.pack(
        ">I", CONTEXT) + b"".join(struct.pack(">II", *p) for p in pairs), flags)


def flood(s, piece, size=1 << 22):
    """Send it without end, so that the client's socket does not run dry, if the
    kernel allows large buffers."""
    many = piece * (size // len(piece) + 1)
    try:
        s.setsockopt(socket.SOL_SOCKET, SO_SNDBUFFORCE, 2 * size)
    except PermissionError:
        pass
    while True:
        s.sendall(many)


class OddServer:
    """answer(cookie, offset, length) gives the bytes of an answer to a read,
    status() those of an answer to a block status request; None: there are no
    extents. Either may be a generator, which is sent piece by piece. greet(n)
    is called before connection n is greeted, and reply(s, option), if it
    returns True, has replied to an option itself."""

    def __init__(self, path, answer, status=None, greet=None, reply=None,
                 size=SIZE, flags=HAS_FLAGS | READ_ONLY, block_sizes=None):
        self.answers = {READ: answer, BLOCK_STATUS: status}
        self.greet, self.reply = greet, reply
        self.size, self.flags, self.block_sizes = size, flags, block_sizes
        self.connections = 0
        if path:
            self.listener = socket.socket(socket.AF_UNIX)
            self.listener.bind(str(path))
            self.uri = f"nbd+unix:///?socket={path}"
        else:
            self.listener = socket.socket()
            self.listener.bind(("127.0.0.1", 0))
            self.uri = f"nbd://127.0.0.1:{self.listener.getsockname()[1]}"
        self.listener.listen(64)
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                s, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.client, args=[s, self.connections],
                             daemon=True).start()
            self.connections += 1

    def client(self, s, number):
        try:
            with s:
                if self.greet:
                    self.greet(number)
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

            def reply(kind, *values):
                s.sendall(option_reply(option, kind, *values))
            if self.reply and self.reply(s, option):
                continue
            if option == STRUCTURED:
                reply(ACK)
            elif option == SET_META_CONTEXT and self.answers[BLOCK_STATUS]:
                reply(META_CONTEXT,
                      struct.pack(">I", CONTEXT) + b"base:allocation")
                reply(ACK)
            elif option == GO:
                reply(INFO, struct.pack(">HQH", INFO_EXPORT, self.size,
                                        self.flags))
                if self.block_sizes:
                    reply(INFO, struct.pack(">HIII", INFO_BLOCK_SIZE,
                                            *self.block_sizes))
                reply(ACK)
                return
            else:
                reply(UNSUPPORTED)

    def command(self, s):
        _, _, kind, cookie, offset, length = struct.unpack(
            ">IHHQQI", receive(s, 28))
        if kind == DISCONNECT:
            raise EOFError
        answer = self.answers[kind](cookie, offset, length)
        for piece in [answer] if isinstance(answer, bytes) else answer:
            s.sendall(piece)

    def stop(self):
        self.listener.close()
