# SPDX-License-Identifier: LGPL-2.1-or-later
"""A guest that writes to its disk, while somebody else makes bitmaps of it."""

import json
import os
import subprocess

from nbd_server import is_listening
from qcow2_qemu import fill


class Daemon:
    """A qemu-storage-daemon with the image of a guest, which writes over NBD."""

    def __init__(self, image, *exports):
        self.process = subprocess.Popen(
            ["qemu-storage-daemon", "--chardev", "stdio,id=c", "--monitor", "chardev=c",
             "--blockdev", f"file,node-name=file,filename={image}",
             "--blockdev", "qcow2,node-name=disk,file=file",
             "--nbd-server", "addr.type=unix,addr.path=guest",
             "--export", ",".join(["nbd,id=guest,node-name=disk,name=guest,writable=on",
                                   *exports])],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.receive()
        self.qmp("qmp_capabilities")
        self.uri = "nbd+unix:///guest?socket=guest"
        assert is_listening("guest")

    def receive(self):
        return json.loads(self.process.stdout.readline())

    def qmp(self, command, **arguments):
        self.process.stdin.write(json.dumps(
            {"execute": command, "arguments": arguments}) + "\n")
        self.process.stdin.flush()
        while "return" not in (answer := self.receive()):
            assert "event" in answer, answer

    def bitmap(self, command, name, **arguments):
        self.qmp(f"block-dirty-bitmap-{command}", node="disk", name=name, **arguments)

    def write(self, *pieces):
        fill(self.uri, pieces, "raw")

    def quit(self):
        self.qmp("quit")
        self.process.communicate(timeout=20)

    def kill(self):
        self.process.kill()
        self.process.communicate(timeout=20)
        os.unlink("guest")
