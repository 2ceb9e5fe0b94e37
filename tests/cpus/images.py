# SPDX-License-Identifier: LGPL-2.1-or-later
"""Images, and what disksum must print of them on any CPU. Bytes that it writes are compared
with those of the build of this machine."""

import functools
import hashlib
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests/e2e"))
from list_oracle import read_list, write_list  # noqa: E402
from oracle import checksum, hole, write_image  # noqa: E402

# Two disks that differ: in data, in a hole, in size of a run.
SPEC = "200000:A 300k:- 128k:0 70000:B 77:C 1M:- 3M:D 333:0 438:E"
OTHER = "200000:A 300k:- 128k:0 69999:B 78:C 1M:- 3M:D 771:F"

# Six GiB of zeros, which do not fit in 32 bits.
ZEROS = ("af207a38", "76d9")

DIGESTS = ["sha256", "sha512", "sha1", "sha3-256", "blake2b512", "md5"]

# The name of an image, and how qemu-img makes it.
CONVERTED = {
    "disk.qcow2": ["-O", "qcow2"],
    "zlib.qcow2": ["-c", "-O", "qcow2"],
    "zstd.qcow2": ["-c", "-O", "qcow2", "-o", "compression_type=zstd"],
    "extended.qcow2": ["-O", "qcow2", "-o", "extended_l2=on"],
    "disk.vmdk": ["-O", "vmdk"],
    "stream.vmdk": ["-O", "vmdk", "-o", "subformat=streamOptimized"],
    "disk.vdi": ["-O", "vdi"],
    "disk.vhdx": ["-O", "vhdx"],
    "disk.vpc": ["-O", "vpc", "-o", "force_size=on"],
    "disk.qed": ["-O", "qed"],
}


@functools.cache
def blake3_checksum(content, block_size=65536):
    """By b3sum."""
    def digest(data):
        return subprocess.run(["b3sum", "--raw"], input=data, stdout=subprocess.PIPE,
                              check=True).stdout
    blocks = [content[i:i + block_size] for i in range(0, len(content), block_size)]
    return digest(b"".join(map(digest, blocks)) + len(content).to_bytes(8, "little")).hex()


def make(directory):
    """All images, once for all builds. Returns what the guest sees on their disk."""
    def qemu_img(*arguments):
        subprocess.run(["qemu-img", *arguments], cwd=directory, check=True,
                       stdout=subprocess.DEVNULL)
    content = write_image(directory / "disk.raw", SPEC)
    write_image(directory / "other.raw", OTHER)
    hole(directory / "zeros.raw", 6 << 30)
    for name, options in CONVERTED.items():
        qemu_img("convert", *options, "disk.raw", name)
    qemu_img("create", "-q", "-f", "qcow2", "-b", "disk.vmdk", "-F", "vmdk", "chain.qcow2")
    bad = bytearray((directory / "disk.qcow2").read_bytes())
    bad[4:8] = (9).to_bytes(4, "big")       # the version
    (directory / "bad.qcow2").write_bytes(bad)
    return content


def short(value):
    text = repr(value)
    return text if len(text) <= 1000 else f"{text[:1000]}... ({len(text)} characters)"


class Checks:
    """Run a disksum on the images, and count. `command` runs it: emulators, and the program."""

    def __init__(self, directory, content, command, report):
        self.directory, self.content, self.command = directory, content, list(map(str, command))
        self.report, self.passed, self.failed = report, 0, 0
        self.written = {}

    def expect(self, name, found, expected):
        if found == expected:
            self.passed += 1
            return
        self.failed += 1
        self.report(f"{name}:\nfound    {short(found)}\nexpected {short(expected)}")

    def run(self, *arguments, input=None):
        """(exit status, what it printed, lines of errors without warnings)"""
        done = subprocess.run([*self.command, *arguments], cwd=self.directory, input=input,
                              stdin=None if input is not None else subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=600)
        errors = done.stderr.decode(errors="replace").splitlines()
        return (done.returncode, done.stdout.decode(errors="replace"), errors)

    def prints(self, arguments, stdout, input=None):
        self.expect(" ".join(arguments), self.run(*arguments, input=input), (0, stdout, []))

    def read_file(self, name):
        path = self.directory / name
        content = path.read_bytes() if path.exists() else None
        path.unlink(missing_ok=True)
        return content

    def checksums(self):
        expected = checksum(self.content)
        names = ["disk.raw", *(name for name in CONVERTED if name != "disk.qed"), "chain.qcow2"]
        self.prints(["disk.raw"], f"{expected}  disk.raw\n")
        for threads in "1", "4":
            self.prints(["-t", threads, *names],
                        "".join(f"{expected}  {name}\n" for name in names))
        self.prints(["-T", "none", "disk.raw", "zlib.qcow2"],
                    f"{expected}  disk.raw\n{expected}  zlib.qcow2\n")
        self.prints(["-"], f"{expected}  -\n", input=self.content)
        status, out, errors = self.run("zeros.raw")
        self.expect("zeros.raw", (status, out[:8], out[60:64], errors), (0, *ZEROS, []))

    def digests(self):
        for digest in DIGESTS:
            self.prints(["-d", digest, "disk.qcow2"],
                        f"{checksum(self.content, digest=digest)}  disk.qcow2\n")
        self.prints(["-d", "blake3", "disk.qcow2"],
                    f"{blake3_checksum(self.content)}  disk.qcow2\n")
        self.prints(["--block-size=4k", "disk.vmdk"],
                    f"{checksum(self.content, block_size=4096)}  disk.vmdk\n")
        self.prints(["--plain=sha256", "disk.vmdk"],
                    f"{hashlib.sha256(self.content).hexdigest()}  disk.vmdk\n")

    def lists(self, others):
        """Lists, and differences: as the others are, if there are any."""
        sum_line = f"{checksum(self.content)}  %s\n"
        for name in "disk.raw", "disk.qcow2", "disk.vmdk", "chain.qcow2":
            self.prints(["--write-list=written", name], sum_line % name)
            written = self.read_file("written")
            self.written[name] = written
            source = read_list(written).source if written else b""
            self.expect(f"the list of {name}", written, write_list(self.content, source))
        for name, arguments in {
                "first": ["--shard=1/2", "--write-list=first", "disk.qcow2"],
                "second": ["--shard=2/2", "--write-list=second", "disk.qcow2"]}.items():
            self.expect(" ".join(arguments), self.run(*arguments)[::2], (0, []))
        self.written["differences"] = self.run("--diff", "disk.qcow2", "other.raw")[:2]
        self.expect("--diff: the status", self.written["differences"][0], 1)
        (self.directory / "list.blkhash").write_bytes(self.written["disk.qcow2"] or b"")
        self.prints(["--diff", "list.blkhash", "disk.vmdk"], "")
        self.expect("-c", self.run("-c", "-", input=(sum_line % "disk.vdi").encode())[:2],
                    (0, "disk.vdi: OK\n"))
        status, out, errors = self.run("--merge", "--write-list=merged", "first", "second")
        self.expect("--merge", (status, out[:64], errors), (0, checksum(self.content), []))
        self.written["merged"] = self.read_file("merged")
        for name in "first", "second", "list.blkhash":
            self.read_file(name)
        if others:
            for name, bytes_or_text in self.written.items():
                self.expect(f"{name}, as of the build of this machine", bytes_or_text,
                            others[name])

    def errors(self):
        for name in "none.raw", "bad.qcow2":
            status, out, errors = self.run(name)
            self.expect(f"{name}: one error", (status, out, len(errors)), (1, "", 1))

    def all(self, others=None):
        self.checksums()
        self.digests()
        self.lists(others)
        self.errors()
