# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs 'qemu-img checksum'."""

import os
import re
import subprocess

from conftest import BUILD, QEMU_IMG
from oracle import checksum

TIMEOUT = 60    # seconds; a run that takes longer hangs


def command(*args):
    return [QEMU_IMG, "checksum", *map(os.fspath, args)]


def run(*args, wrapper=(), env=None, **kwargs):
    """The result has returncode, stdout and stderr, as text."""
    kwargs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
              "stdin": subprocess.DEVNULL, **kwargs}
    return subprocess.run([*wrapper, *command(*args)], text=True, timeout=TIMEOUT,
                          errors="surrogateescape", check=False,
                          env={**os.environ, **(env or {})}, **kwargs)


def hashed(*args, **kwargs):
    """The checksum. The run must succeed, and say nothing on stderr."""
    done = run(*args, **kwargs)
    assert (done.returncode, done.stderr) == (0, ""), done
    line = re.fullmatch(r"\\?([0-9a-f]+)  .*\n", done.stdout)
    assert line, done
    return line[1]


def refused(*args, **kwargs):
    """The message of a run that must fail as every failure has to: exit status 1,
    nothing on stdout, a line on stderr, and one more if QEMU has a hint."""
    done = run(*args, **kwargs)
    return message_of(done)


def message_of(done):
    assert done.returncode == 1, done
    assert not done.stdout, done
    assert re.fullmatch(r"qemu-img: [^\n]+\n([^\n]+\n)?", done.stderr), done
    return done.stderr[len("qemu-img: "):-1]


def qemu_img(*args, **kwargs):
    """Another command of the same qemu-img."""
    done = subprocess.run([QEMU_IMG, *map(str, args)], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=TIMEOUT,
                          check=False, **kwargs)
    assert done.returncode == 0, done
    return done.stdout


def disksum_of(*args):
    """The checksum, by disksum. Its warnings are for its own tests."""
    done = subprocess.run([BUILD / "disksum", "-q", *map(os.fspath, args)],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=TIMEOUT, check=False)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout.lstrip("\\").split()[0]


def converted(*args):
    """The checksum of what 'qemu-img convert' makes of the last argument."""
    raw = f"{os.fspath(args[-1])}.converted"
    qemu_img("convert", *args[:-1], "-O", "raw", args[-1], raw)
    return checksum(raw)
