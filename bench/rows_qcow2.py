# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about qcow2 images: see rows.py."""
import os
import subprocess

from measure import Failed, Line
from rows import compare, hash_limit, row


@row('qcow2')
def qcow2(lab):
    raw = lab.warm(lab.images.real())
    image = lab.warm(lab.images.qcow2(raw))
    ours = lab.disksum(image)
    base = lab.disksum(raw, name='disksum raw')
    blksum = lab.peer('blksum', image)
    lab.run('qcow2', ours, base, blksum)
    yield compare('real.qcow2', ours, base, 'itself', ratio='time', goal=1.1)
    if blksum:
        yield compare('real.qcow2', ours, blksum, 'peer')


@row('qcow2-direct')
def qcow2_direct(lab):
    raw = lab.images.real()
    if not raw.takes_direct():
        lab.note('qcow2-direct: this file system has no direct reads')
        return
    ours = lab.disksum(lab.images.qcow2(raw), '-T', 'none')
    base = lab.disksum(raw, '-T', 'none', name='disksum raw')
    lab.run('qcow2-direct', ours, base)
    yield compare('real.qcow2 -T none', ours, base, 'itself', ratio='time',
                  goal=1.1)


def decode_seconds(lab, image):
    """One core, decoding alone: samples."""
    samples = []
    for _ in range(lab.least):
        done = subprocess.run([lab.program('decode'), image.path],
                              stdin=subprocess.DEVNULL, capture_output=True)
        if done.returncode:
            raise Failed(done.stderr.decode(errors='replace').strip())
        samples.append(float(done.stdout.split()[0]))
    return samples


def compressed(lab, codec, goal, *options):
    raw = lab.warm(lab.images.real())
    image = lab.warm(lab.images.qcow2(raw, '-c', *options))
    ours = lab.disksum(image)
    qemu = lab.qemu_img(image)
    blksum = lab.peer('blksum', image)
    lab.run(f'qcow2-{codec}', ours, qemu, blksum)
    if qemu:
        yield compare(f'real.qcow2, {codec}', ours, qemu, 'peer', ratio='time',
                      goal=goal)
    if blksum:
        yield compare(f'real.qcow2, {codec}', ours, blksum, 'peer')
    decoding = decode_seconds(lab, image)
    limit = [seconds / lab.cores + hash_limit(lab, raw)
             for seconds in decoding]
    yield Line(f'real.qcow2, {codec}', ours.seconds, kind='limit', goal=0.85,
               other='decode and hash', other_samples=limit)


@row('qcow2-zlib')
def zlib(lab):
    yield from compressed(lab, 'zlib', 0.45)


@row('qcow2-zstd')
def zstd(lab):
    yield from compressed(lab, 'zstd', 0.65, '-o', 'compression_type=zstd')


@row('qcow2-metadata')
def metadata(lab):
    """Each cluster has a place in the file, which is a hole."""
    image = lab.images.metadata()
    hole = lab.images.hole_of(1 << 40)
    ours = lab.disksum(image)
    base = lab.disksum(hole, name='disksum hole')
    lab.run('qcow2-metadata', ours, base)
    size = os.path.getsize(hole.path) >> 40
    yield compare(f'{size} TiB, metadata', ours, base, 'itself', ratio='time',
                  goal=1.5)


@row('qcow2-alternating')
def alternating(lab):
    """Data and holes in turns, against the data alone."""
    image = lab.warm(lab.images.qcow2(lab.images.alternating()))
    packed = lab.warm(lab.images.qcow2(lab.images.packed()))
    ours = lab.disksum(image)
    base = lab.disksum(packed, name='disksum packed')
    lab.run('qcow2-alternating', ours, base)
    yield compare('64k of data, 64k of hole', ours, base, 'itself',
                  ratio='time', goal=1.3)
