# SPDX-License-Identifier: LGPL-2.1-or-later
"""An NBD server that replies in each order in which disksum can wait for reads: in one piece or
several, with pieces of other replies between them, and with errors. The checksum is right,
or the fault at the lowest offset is reported."""

import itertools
import struct

import pytest

from conftest import sums
from odd_server import (
    CONTENT, DISCONNECT, DONE, ERROR, ERROR_OFFSET, OddServer, chunk, data, receive)
from oracle import checksum

STEP = 8192     # of a block, which is a slot, which is a read
BLOCKS, DEPTH = 5, 3
EIO = 5


def all_orders(done=()):
    """Those in which blocks can come back: one is read when all are done that are a whole queue
    before it."""
    if len(done) == BLOCKS:
        yield done
        return
    first = min(set(range(BLOCKS)) - set(done))
    for block in range(first, min(first + DEPTH, BLOCKS)):
        if block not in done:
            yield from all_orders((*done, block))


ORDERS = list(all_orders())


def whole(cookie, offset):
    return [data(cookie, offset, STEP, DONE)]


def pieces(cookie, offset):
    """Four of them, and an empty end."""
    quarter = STEP // 4
    return [data(cookie, at, quarter) for at in range(offset, offset + STEP, quarter)] + \
        [chunk(cookie, 0, b"", DONE)]


def backwards(cookie, offset):
    """The last piece first: it is read once more."""
    *parts, end = pieces(cookie, offset)
    return [*reversed(parts), end]


def fault(cookie, offset):
    """Of every other block, a piece and the place of the error."""
    if offset // STEP % 2 == 0:
        return [chunk(cookie, ERROR, struct.pack(">IH", EIO, 0), DONE)]
    place = offset + STEP // 4
    return [data(cookie, offset, STEP // 4),
            chunk(cookie, ERROR_OFFSET, struct.pack(">IHQ", EIO, 0, place), DONE)]


class Server(OddServer):
    """Replies to connection n in the order n, as soon as all blocks are asked for that can be.
    mixed: to all of them at once, a piece of each in turn."""

    def __init__(self, path, reply, mixed, bad):
        self.reply_to, self.mixed, self.bad = reply, mixed, bad
        self.sessions = []
        super().__init__(path, None, size=BLOCKS * STEP)

    def client(self, s, number):
        try:
            with s:
                self.handshake(s)
                self.sessions.append(Session(self, s, ORDERS[number]))
                self.sessions[-1].run()
        except (EOFError, OSError):
            pass


class Session:
    def __init__(self, server, s, order):
        self.server, self.s, self.order = server, s, order
        self.waiting, self.done, self.failed = {}, [], False

    def expected(self):
        """How many blocks disksum asks for before it gets another one."""
        if self.failed or len(self.done) == BLOCKS:
            return 0
        first = min(set(range(BLOCKS)) - set(self.done))
        return sum(block not in self.done for block in range(first, min(first + DEPTH, BLOCKS)))

    def run(self):
        while True:
            _, _, kind, cookie, offset, length = struct.unpack(">IHHQQI", receive(self.s, 28))
            if kind == DISCONNECT:
                return
            block, rest = divmod(offset, STEP)
            if length == STEP and rest == 0 and block not in [*self.waiting, *self.done]:
                self.waiting[block] = cookie
                while self.waiting and len(self.waiting) >= self.expected():
                    self.answer()
            else:
                # The first reads, of everything and of sectors that tell what the disk is; and
                # what is read again.
                bad = length > 512 and any(b * STEP < offset + length and (b + 1) * STEP > offset
                                           for b in self.server.bad)
                self.s.sendall(
                    chunk(cookie, ERROR, struct.pack(">IH", EIO, 0), DONE)
                    if bad else data(cookie, offset, length, DONE))

    def answer(self):
        blocks = [block for block in self.order if block in self.waiting]
        if not self.server.mixed:
            blocks = blocks[:1]
        replies = []
        for block in blocks:
            cookie, offset = self.waiting.pop(block), block * STEP
            self.done.append(block)
            bad = block in self.server.bad
            self.failed = self.failed or bad
            replies.append((fault if bad else self.server.reply_to)(cookie, offset))
        for parts in itertools.zip_longest(*replies):
            self.s.sendall(b"".join(part for part in parts if part))


def bad_sets():
    return [bad for count in range(BLOCKS + 1)
            for bad in itertools.combinations(range(BLOCKS), count)]


@pytest.mark.sanitizer(every=3)
@pytest.mark.parametrize("reply, mixed", [
    (whole, False), (whole, True), (pieces, False), (pieces, True), (backwards, False),
    (backwards, True)])
def test_orders(disksum, tmp_path, reply, mixed):
    assert len(ORDERS) > 20
    for number, bad in enumerate(bad_sets()[::1 if reply is whole else 4]):
        server = Server(tmp_path / str(number), reply, mixed, bad)
        done = disksum("-t1", f"--queue-depth={DEPTH}", f"--block-size={STEP}",
                       f"--read-size={STEP}", *[server.uri] * len(ORDERS), check=False)
        server.stop()
        if bad:
            place = bad[0] * STEP + (STEP // 4 if bad[0] % 2 else 0)
            assert done.stderr.splitlines() == [
                f"disksum: {server.uri}: read error at offset {place}: Input/output error"
            ] * len(ORDERS), bad
            assert done.stdout == ""
        else:
            assert (done.stderr, sums(done.stdout)) == (
                "", [checksum(CONTENT[:BLOCKS * STEP], STEP)] * len(ORDERS))
            if not mixed:
                assert [tuple(session.done) for session in server.sessions] == ORDERS
