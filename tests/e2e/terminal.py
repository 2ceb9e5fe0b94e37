# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a program shows on a terminal."""

import fcntl
import os
import pty
import struct
import subprocess
import termios


def resize(terminal, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ,
                struct.pack("HHHH", 24, columns, 0, 0))


def read_pieces(ours):
    """What the terminal gets, until no program has it open; then close it."""
    try:
        while data := os.read(ours, 4096):
            yield data
    except OSError:
        pass  # Linux: all other ends are closed
    os.close(ours)


def on_terminal(command, columns=80, then=None, term="xterm", status=0, cwd=None):
    """Run with stderr on a terminal: (stdout, what the terminal got). then: its
    width when the first bar is there. term: its type; None: not known."""
    ours, theirs = pty.openpty()
    resize(theirs, columns)
    env = {name: value for name, value in os.environ.items() if name != "TERM"}
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, cwd=cwd,
                               stdout=subprocess.PIPE, stderr=theirs,
                               env=env if term is None else {**env, "TERM": term})
    os.close(theirs)
    seen = b""
    for data in read_pieces(ours):
        if then and not seen:
            resize(ours, then)
        seen += data
    out = process.stdout.read().decode()
    process.stdout.close()
    assert process.wait() == status
    return out, seen.decode()
