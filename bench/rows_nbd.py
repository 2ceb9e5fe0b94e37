# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about NBD exports: see rows.py."""
from measure import Line, summary
from rows import DISK_DEPTH, compare, engine_pair, hash_limit, row
from server import nbdkit, qemu_nbd, serve

# What the proposal's loop gained on an export: see rows.PROPOSAL.
PROPOSAL = (1.36, 2.02)


def limit(lab, image, copy):
    """The larger of two limits: moving the bytes, and hashing them. The server
    runs on the same cores, so a client cannot have both for itself."""
    hashing = hash_limit(lab, image)
    if copy and summary(copy.seconds)['median'] > hashing:
        return copy.name, copy.seconds
    return f'hash, {lab.cores} cores', [hashing]


def export(lab, name, server, connections):
    image = lab.warm(lab.images.real())
    with serve(lab, server, image) as (uri, _):
        if not uri:
            return
        option = f'--connections={connections}'
        ours = lab.disksum(image, option, source=uri)
        copy = lab.nbdcopy(uri, option)
        lab.run(name, ours, copy)
    other, samples = limit(lab, image, copy)
    yield Line(f'real.raw, {connections} connection'
               + ('s' if connections > 1 else ''), ours.seconds,
               kind='limit', other=other, other_samples=samples, ratio='time',
               goal=1.25)


@row('nbd-qemu')
def nbd_qemu(lab):
    for connections in 4, 1:
        yield from export(lab, 'nbd-qemu', qemu_nbd, connections)


@row('nbd-nbdkit')
def nbd_nbdkit(lab):
    for connections in 4, 1:
        yield from export(lab, 'nbd-nbdkit', nbdkit, connections)


@row('nbd-threads')
def nbd_threads(lab):
    """One connection, and the hashing on one core or on all. The server has a
    core for itself only while one thread hashes."""
    image = lab.warm(lab.images.real())
    with serve(lab, qemu_nbd, image) as (uri, _):
        if not uri or lab.cores < 2:
            return
        options = ['--connections=1', '-t']
        many = lab.disksum(image, *options, str(lab.cores), source=uri)
        one = lab.disksum(image, *options, '1', source=uri)
        lab.run('nbd-threads', many, one)
    yield compare(f'one connection, -t {lab.cores}', many, one, 'itself')


@row('engine-nbd')
def engine_nbd(lab):
    """Server and client share the cores: the time that both use of the CPU,
    on all cores, is a limit."""
    image = lab.images.real()
    for direct, goal in zip((False, True), PROPOSAL):
        if not direct:
            lab.warm(image)
        elif not image.takes_direct():
            continue
        what = 'real.raw, ' + ('cache=none' if direct else 'cached')
        with serve(lab, qemu_nbd, image, direct) as (uri, cpu):
            if not uri:
                return
            disk = direct and lab.reader(image, '--direct', DISK_DEPTH)
            yield from engine_pair(lab, image, 'engine-nbd', goal, source=uri,
                                   server_cpu=cpu, what=what, disk=disk)
