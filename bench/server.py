# SPDX-License-Identifier: LGPL-2.1-or-later
"""NBD servers that rows read from, each on a unix socket of its own."""
import contextlib
import os
import shutil
import subprocess
import tempfile
import time

from measure import Failed

# How long a server may take until its socket is there.
PATIENCE = 20


def qemu_nbd(image, sock, direct):
    return ['qemu-nbd', '--persistent', '--read-only', '--format=raw',
            '--shared=8', '--cache=none' if direct else '--cache=writeback',
            '--aio=native' if direct else '--aio=threads',
            f'--socket={sock}', image.path]


def nbdkit(image, sock, direct):
    del direct  # its file plugin has no direct reads
    return ['nbdkit', '--foreground', '--readonly', f'--unix={sock}',
            'file', image.path]


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
        # After the name, which may have spaces: fields from the third on.
        fields = file.read().rpartition(')')[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


@contextlib.contextmanager
def serve(lab, command, image, direct=False):
    """Export an image by one of the servers above, and give its URI and a
    function for its CPU time. (None, None) where it is not installed."""
    with tempfile.TemporaryDirectory() as directory:
        sock = os.path.join(directory, 'socket')
        argv = command(image, sock, direct)
        if not shutil.which(argv[0]):
            lab.note(f'{argv[0]} is not installed')
            yield None, None
            return
        with open(os.path.join(directory, 'log'), 'w+', encoding='utf-8',
                  errors='replace') as log:
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL,
                                       stdout=log, stderr=log)
            try:
                wait_for(process, sock, argv[0], log)
                yield (f'nbd+unix:///?socket={sock}',
                       lambda: cpu_seconds(process.pid))
            finally:
                process.terminate()
                process.wait()


def wait_for(process, sock, name, log):
    end = time.monotonic() + PATIENCE
    while not os.path.exists(sock):
        if process.poll() is not None or time.monotonic() > end:
            log.seek(0)
            raise Failed(f'{name} does not serve: {log.read().strip()}')
        time.sleep(0.01)
