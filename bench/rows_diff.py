# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about comparing disks: see rows.py."""
import hashlib
import os
import random
import shutil
import struct
import subprocess

from images import MIB, TIB
from measure import Candidate
from rows import BLOCK, DIGEST_SIZE, compare, row

_, DIGESTS, CHECK, END = range(4)
# Digests in a chunk of a list; it is at most 1 MiB.
CHUNK = MIB // DIGEST_SIZE - 1


def diff(lab, one, other, name='disksum --diff'):
    return Candidate(name, [lab.command, '--diff', one, other])


def peer(lab, program, *words):
    path = shutil.which(program)
    if not path:
        lab.note(f'{program} is not installed')
        return None
    return Candidate(f'{program} compare' if 'compare' in words else program,
                     [path, *words])


def copy_of(lab, image):
    """The same bytes in another file."""
    def copy(path, _):
        subprocess.run(['cp', '--sparse=always', '--reflink=never', image.path,
                        path], check=True)
    return lab.warm(lab.images.derived(image, 'copy.raw', copy, 1))


def both_alone(lab, one, other):
    """What two threads need to copy the bytes of both out of the page cache. qemu-img
    compares with one thread, so two of them are less than three times as fast."""
    program = lab.program('pread')
    return Candidate('two pread alone', [
        'sh', '-c', f'{program} 2 "$0" && {program} 2 "$1"', one.path, other.path])


@row('diff-raw')
def raw(lab):
    one = lab.warm(lab.images.real())
    other = copy_of(lab, one)
    ours = diff(lab, one.path, other.path)
    qemu = peer(lab, 'qemu-img', 'compare', '-f', 'raw', '-F', 'raw', one.path,
                other.path)
    cmp = peer(lab, 'cmp', one.path, other.path)
    bare = both_alone(lab, one, other)
    lab.run('diff-raw', ours, qemu, cmp, bare)
    if qemu:
        yield compare('two of real.raw', ours, qemu, 'peer', goal=3)
    yield compare('two of real.raw', ours, bare, 'limit', ratio='time',
                  goal=1.25)
    if cmp:
        yield compare('two of real.raw', ours, cmp, 'peer')


@row('diff-zlib')
def zlib(lab):
    one = lab.warm(lab.images.real())
    other = lab.warm(lab.images.qcow2(one, '-c'))
    ours = diff(lab, one.path, other.path)
    qemu = peer(lab, 'qemu-img', 'compare', '-f', 'raw', '-F', 'qcow2',
                one.path, other.path)
    lab.run('diff-zlib', ours, qemu)
    if qemu:
        yield compare('real.raw and .qcow2, zlib', ours, qemu, 'peer', goal=3)


@row('diff-holes')
def holes(lab):
    one = lab.images.hole_of(8 * TIB).path
    other = os.path.splitext(one)[0] + '.copy.raw'
    with open(other, 'wb') as file:
        file.truncate(8 * TIB)
    ours = diff(lab, one, other)
    lab.run('diff-holes', ours)
    yield compare('two holes, 8 TiB', ours, goal=0.050)


@row('diff-list')
def image_and_list(lab):
    """To compare digests costs nothing beside their computation."""
    image = lab.warm(lab.images.real())
    path = image.path + '.diff.blkhash'
    subprocess.run([lab.command, '-q', f'--write-list={path}', image.path],
                   check=True, stdout=subprocess.DEVNULL)
    ours = diff(lab, image.path, path)
    hashing = lab.disksum(image)
    lab.run('diff-list', ours, hashing)
    yield compare('real.raw and its list', ours, hashing, 'itself',
                  ratio='time', goal=1.1)


def word(kind, count):
    return struct.pack('<Q', kind << 62 | count)


def write_random_list(path, size):
    """A list as docs/digest-list.md has it, of a disk with no zeros: random
    digests, the same each time."""
    generator = random.Random(1)
    root = hashlib.sha256()
    left = size // BLOCK
    check = b''
    with open(path, 'wb') as file:
        def add(chunk):
            nonlocal check
            chunk += word(CHECK, 0)
            check = hashlib.sha256(check + chunk).digest()
            file.write(chunk + check)

        add(b'BLKLIST\0' + struct.pack('<IIQQQ32s', 1, 74, BLOCK, 0, size,
                                       b'sha256') + b'{}')
        while left:
            count = min(CHUNK, left)
            digests = generator.randbytes(count * DIGEST_SIZE)
            root.update(digests)
            add(word(DIGESTS, count) + digests)
            left -= count
        length = struct.pack('<Q', size)
        root.update(length)
        add(word(END, size // BLOCK) + length + root.digest())


@row('diff-lists')
def lists(lab):
    one, other = (os.path.join(lab.images.directory, f'random-{name}.blkhash')
                  for name in 'ab')
    space = TIB // BLOCK * DIGEST_SIZE + MIB
    if not os.path.exists(one):
        lab.images.make(one, TIB, write_random_list, space)
    if not os.path.exists(other):
        lab.images.make(other, TIB, lambda path, _: shutil.copyfile(one, path),
                        space)
    ours = diff(lab, one, other)
    lab.run('diff-lists', ours)
    yield compare('two lists of 1 TiB', ours, goal=1.5)
