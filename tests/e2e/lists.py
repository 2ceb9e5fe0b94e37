# SPDX-License-Identifier: LGPL-2.1-or-later
"""Lists of checksums, the same for disksum and for GNU's sha256sum, which is
the oracle for all that is not the checksum itself."""

import hashlib
import os
import re
import subprocess

from oracle import checksum

GNU = "sha256sum"

# Two files, and a list of them.
A, B = b"a" * 1024, b"b" * 70144
GOOD = "{0}  a\n{1}  b\n"

# Names that a list must bring back as they were.
NAMES = ["plain", "two words", " leading", "trailing ", "-", "--help", "*",
         "back\\slash", "new\nline", "return\rhere", "all\\of\nthem\r",
         "tab\there", "escape\x1b[31m", "ümläut", "\udcff\udc80",
         "a) = (b", "{", "#", "\\", "\r", "ends in \\", '"quoted"',
         "\udced\udca0\udc80", "%41", "\x7f"]


def sha(content):
    return hashlib.sha256(content).hexdigest()


class Twins:
    """Files, and lists of them, for both programs: in a template {0} is the
    checksum of the first file, by whoever checks the list, and {0^} the same
    in upper case."""

    def __init__(self, directory, contents):
        self.directory = directory
        self.sums = {"disksum": [], "gnu": []}
        for name, content in contents.items():
            path = os.fsencode(directory) + b"/" + os.fsencode(name)
            with open(path, "wb") as f:
                f.write(content)
            self.sums["disksum"].append(checksum(content))
            self.sums["gnu"].append(sha(content))

    def write(self, name, template, who):
        text = template
        for i, value in enumerate(self.sums[who]):
            text = text.replace(f"{{{i}}}", value)
            text = text.replace(f"{{{i}^}}", value.upper())
        text = text.replace("{bad}", "0" * 64)
        text = text.replace("{tag}", "BLKHASH-SHA256-64K"
                            if who == "disksum" else "SHA256")
        data = os.fsencode(text)
        if name != "-":
            with open(os.path.join(self.directory, name), "wb") as f:
                f.write(data)
        return data

    def run(self, who, command, options, lists, stdin=None):
        """lists: names and templates; the name "-" is standard input."""
        given = stdin
        for name, template in lists.items():
            data = self.write(name, template, who)
            if name == "-":
                given = data
        done = subprocess.run(
            [command, "-c", *options, *lists], cwd=self.directory,
            input=given or b"", stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=60)
        return [done.returncode, done.stdout, done.stderr]


def unescape(verdict):
    """Coreutils 9.1 escapes a name with a newline only, later ones, as we do,
    also those with a backslash or a carriage return."""
    if not verdict.startswith(b"\\"):
        return verdict
    return re.sub(rb"\\(.)", lambda m: {b"n": b"\n", b"r": b"\r"}.get(
        m[1], m[1]), verdict[1:])


def like_gnu(result):
    """Take away what is no concern of ours: the names of programs, and how GNU
    quotes those of missing files; and what we say that GNU does not: hints
    about what is no list of ours, and why a line is none."""
    status, out, err = result
    lines = []
    for line in err.decode(errors="surrogateescape").splitlines():
        if "check a list of" in line:
            continue
        line = line.removesuffix("; to print the checksum of a disk image, "
                                 "omit -c")
        line = line.replace("disksum: ", f"{GNU}: ", 1)
        before, found, _ = line.partition(": improperly formatted checksum")
        if line.endswith(": No such file or directory"):
            line = "No such file or directory"
        elif found:
            line = before + ": improperly formatted SHA256 checksum line"
        lines.append(line)
    out = [unescape(line) for line in out.split(b"\n")]
    return [status, out, "".join(line + "\n" for line in lines).encode(
        errors="surrogateescape")]
