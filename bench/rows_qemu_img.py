# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about 'qemu-img checksum' (contrib/qemu), where 'make qemu-img' has built
it: see rows.py."""
import os

import rows_nbd
from measure import Candidate, Line
from rows import DISK_DEPTH, PROPOSAL, compare, row
from server import qemu_nbd, serve

# The proposal took 5.0 times as long as disksum on a real disk, raw or qcow2, with
# the library that it came with. The goal is twice its speed.
OF_DISKSUM = 2 / 5.0


def checksum(lab, image, *options, name='qemu-img checksum', source=None, **more):
    """None: it is not built."""
    path = os.path.join(lab.build, 'qemu-img')
    if not os.path.exists(path):
        lab.note("qemu-img with 'checksum' is not built: 'make qemu-img' does that")
        return None
    key = (image.path, 'sha256')
    lab.sums[key] = image.checksum
    return Candidate(name, [path, 'checksum', *options, source or image.path],
                     key=key, **more)


def loop_pair(lab, image, what, goal, *mode, disk=None, **more):
    """The loop against the serial one, and against what bounds both: the CPU time
    that it used on all cores, and the disk where it is read."""
    loop = checksum(lab, image, *mode, **more)
    if not loop:
        return
    serial = checksum(lab, image, *mode, '--serial', name='qemu-img checksum --serial',
                      **more)
    lab.run('qemu-img', loop, serial, disk)
    yield compare(f'qemu-img checksum, {what}', loop, serial, 'itself', goal=goal)
    yield Line(f'qemu-img checksum, {what}', loop.seconds, kind='limit',
               other=f'its CPU time, {lab.cores} cores',
               other_samples=[s / lab.cores for s in loop.cpu_seconds])
    if disk:
        yield compare(f'qemu-img checksum, {what}', loop, disk, 'limit')


def of_disksum(lab, image, what):
    loop = checksum(lab, image)
    if not loop:
        return
    ours = lab.disksum(image)
    lab.run('qemu-img', loop, ours)
    yield compare(f'qemu-img checksum, {what}', loop, ours, 'itself', goal=OF_DISKSUM)


@row('qemu-img')
def qemu_img(lab):
    """The table of the proposal, whose factors are the goals."""
    for name, factors in PROPOSAL.items():
        image = lab.warm(getattr(lab.images, name)())
        yield from loop_pair(lab, image, f'{name}.raw', factors[0])
        if image.takes_direct():
            disk = lab.reader(image, '--direct', DISK_DEPTH)
            yield from loop_pair(lab, image, f'{name}.raw -T none', factors[1],
                                 '-T', 'none', disk=disk)
    image = lab.warm(lab.images.real())
    with serve(lab, qemu_nbd, image) as (uri, cpu):
        if uri:
            yield from loop_pair(lab, image, 'real.raw, NBD', rows_nbd.PROPOSAL[0],
                                 source=uri, server_cpu=cpu)
    if image.takes_direct():
        with serve(lab, qemu_nbd, image, True) as (uri, cpu):
            if uri:
                yield from loop_pair(lab, image, 'real.raw, NBD, cache=none',
                                     rows_nbd.PROPOSAL[1], source=uri, server_cpu=cpu,
                                     disk=lab.reader(image, '--direct', DISK_DEPTH))
    yield from of_disksum(lab, image, 'real.raw')
    yield from of_disksum(lab, lab.warm(lab.images.qcow2(image)), 'real.qcow2')
