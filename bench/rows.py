# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured: one function a row, which gives lines of the table.

To add a row: write a function here with @row, in the place where it shall be
in the table. It gets the lab, and yields lines made by compare() or Line().
"""
import json
import os
import subprocess

from measure import Failed, Line, summary

ROWS = {}

# Kernels that one core must be much faster with than OpenSSL's one stream.
FAST_KERNELS = ('shani', 'shani8', 'avx512')
# Pairs of turns in each process of build/bench/memory.
PAIRS = 3
# A direct reader with so many reads in flight has all that a disk gives.
DISK_DEPTH = '16'
BLOCK = 65536
DIGEST_SIZE = 32


def row(name):
    def add(function):
        ROWS[name] = function
        return function
    return add


def compare(what, subject, other=None, kind=None, **options):
    """A line from the runs of two candidates."""
    return Line(what, subject.seconds, kind=kind,
                other=other.name if other else '',
                other_samples=other.seconds if other else None, **options)


# --- the hash core, without files -----------------------------------------

def kernels_of_this_machine(lab):
    done = subprocess.run([lab.program('memory'), '--kernels'], check=True,
                          stdin=subprocess.DEVNULL, capture_output=True)
    return done.stdout.decode().split()


def memory(lab, digest, kernel):
    """Samples of one process. None: the library chooses the kernel."""
    env = {**os.environ}
    env.pop('BLKHASH_SHA256', None)
    if kernel:
        env['BLKHASH_SHA256'] = kernel
    done = subprocess.run([lab.program('memory'), digest, str(PAIRS)], env=env,
                          stdin=subprocess.DEVNULL, capture_output=True)
    if done.returncode != 0:
        raise Failed(done.stderr.decode(errors='replace').strip())
    return json.loads(done.stdout)


def memory_rounds(lab, digest, kernels):
    """Samples of all kernels, in turns."""
    all_samples = {}
    for _ in range(lab.least):
        for kernel in kernels:
            got = memory(lab, digest, kernel)
            lab.agree(('memory', digest), got['check'],
                      f'memory, {digest}, {kernel or "choice"}')
            have = all_samples.setdefault(kernel, got)
            if have is not got:
                have['stream'] += got['stream']
                have['leaf'] += got['leaf']
    return all_samples


@row('memory-sha256')
def memory_sha256(lab):
    kernels = [None, *kernels_of_this_machine(lab)]
    samples = memory_rounds(lab, 'sha256', kernels)
    lab.leaf_speed = summary(samples[None]['leaf'])['median'] * 1e9
    fast = any(kernel in samples for kernel in FAST_KERNELS)

    for kernel, got in samples.items():
        what = kernel or f'choice: {got["kernel"]}'
        yield Line(what, got['leaf'], unit='GB/s', kind='peer',
                   other='OpenSSL stream', other_samples=got['stream'],
                   goal=2.2 if fast and not kernel else None)


@row('memory-blake3')
def memory_blake3(lab):
    if not lab.has_digest('blake3'):
        lab.note('memory-blake3: disksum was built without BLAKE3')
        return
    got = memory_rounds(lab, 'blake3', [None])[None]
    yield Line('leaves, 1 core', got['leaf'], unit='GB/s', kind='peer',
               other='OpenSSL SHA-256', other_samples=got['stream'])


def hash_limit(lab, image):
    """Seconds in which all cores hash the data of an image from memory."""
    if lab.leaf_speed is None:
        list(memory_sha256(lab))
    return image.data / (lab.leaf_speed * lab.cores)


# --- data -----------------------------------------------------------------

@row('raw-buffered')
def raw_buffered(lab):
    image = lab.warm(lab.images.real())
    ours = lab.disksum(image)
    b3sum = lab.peer('b3sum', image)
    blksum = lab.peer('blksum', image)
    # A stream of SHA-256 takes so long that noise does not count.
    slow = [lab.peer('sha256sum', image, rounds=1),
            lab.peer('openssl', image, 'dgst', '-r', '-sha256', rounds=1)]
    lab.run('raw-buffered', ours, b3sum, blksum, *slow)

    if b3sum:
        yield compare('real.raw', ours, b3sum, 'peer', ratio='time', goal=0.65)
    if blksum:
        yield compare('real.raw', ours, blksum, 'peer', goal=4)
    for peer in slow:
        if peer:
            yield compare('real.raw', ours, peer, 'peer')
    yield Line('real.raw', ours.seconds, kind='limit',
               other=f'hash, {lab.cores} cores',
               other_samples=[hash_limit(lab, image)])


@row('raw-threads')
def raw_threads(lab):
    if lab.cores < 2:
        lab.note('raw-threads: needs two cores')
        return
    image = lab.warm(lab.images.real())
    two = lab.disksum(image, '-t', '2')
    one = lab.disksum(image, '-t', '1')
    lab.run('raw-threads', two, one)
    yield compare('real.raw -t 2', two, one, 'itself', goal=1.8)


@row('raw-direct')
def raw_direct(lab):
    image = lab.images.real()
    if not image.takes_direct():
        lab.note('raw-direct: this file system has no direct reads')
        return
    ours = lab.disksum(image, '-T', 'none')
    disk = lab.reader(image, '--direct', DISK_DEPTH)
    lab.run('raw-direct', ours, disk)
    yield compare('real.raw -T none', ours, disk, 'limit', goal=0.9)


@row('raw-cold')
def raw_cold(lab):
    image = lab.images.real()
    image.drop()
    if image.cached() > 0.05:
        lab.note('raw-cold: this file system does not let go of cached pages')
        return
    ours = lab.disksum(image, before=image.drop)
    b3sum = lab.peer('b3sum', image, before=image.drop)
    disk = None
    if image.takes_direct():
        disk = lab.reader(image, '--direct', DISK_DEPTH)
    lab.run('raw-cold', ours, b3sum, disk)
    if b3sum:
        yield compare('real.raw, cold', ours, b3sum, 'peer')
    if disk:
        yield compare('real.raw, cold', ours, disk, 'limit')


@row('blake3')
def blake3(lab):
    if not lab.has_digest('blake3'):
        lab.note('blake3: disksum was built without BLAKE3')
        return
    image = lab.warm(lab.images.real())
    ours = lab.disksum(image, digest='blake3')
    b3sum = lab.peer('b3sum', image)
    lab.run('blake3', ours, b3sum)
    yield compare('real.raw -d blake3', ours, b3sum, 'peer' if b3sum else None)


# --- no data --------------------------------------------------------------

@row('zeros')
def zeros(lab):
    image = lab.warm(lab.images.zero())
    ours = lab.disksum(image)
    reader = lab.reader(image, str(lab.cores))
    lab.run('zeros', ours, reader)
    yield compare('zero.raw', ours, reader, 'limit', ratio='time', goal=1.15)


@row('hole')
def hole(lab):
    image = lab.images.hole()
    ours = lab.disksum(image)
    root = lab.stream(image.size // BLOCK * DIGEST_SIZE)
    lab.run('hole', ours, root)
    yield compare(f'hole.raw, {image.size >> 40} TiB', ours, root, 'limit',
                  ratio='time', goal=1.05)


@row('startup')
def startup(lab):
    small = lab.disksum(lab.warm(lab.images.small()))
    version = lab.version()
    # Short runs: many cost nothing, and their spread is wide.
    lab.run_short('startup', small, version, runs=max(20, 10 * lab.rounds))
    yield compare('small.raw, 1 MiB', small, goal=0.010)
    yield compare('--version', version)


# The images of one call, as a directory of boot sectors or of test data has.
MANY = 10000


@row('many')
def many(lab):
    images = lab.images.many(MANY)
    ours = lab.disksum_of_many(images)
    sha256sum = lab.peer_of_many('sha256sum', images)
    lab.run('many', ours, sha256sum)
    yield compare(f'{MANY} images of a sector', ours, goal=0.3)
    if sha256sum:
        yield compare(f'{MANY} images of a sector', ours, sha256sum, 'peer',
                      ratio='time')


# --- the engine -----------------------------------------------------------

# What a loop of coroutines gained over a serial one in the proposal that led
# to disksum, buffered and direct: the factors to beat.
PROPOSAL = {'zero': (4.67, 2.12), 'real': (1.02, 1.59)}


SERIAL = ['-t', '1', '--queue-depth', '1']


def engine_pair(lab, image, name, goal, *mode, what=None, disk=None, **more):
    """The engine against its own serial mode, and against what bounds both:
    the CPU time that it used on all cores, and the disk where it is read."""
    lab.note('engine: the goals are the factors of the proposal; in the page '
             f'cache, {lab.cores} cores can gain x{lab.cores} at most')
    default = lab.disksum(image, *mode, **more)
    one = lab.disksum(image, *mode, *SERIAL, name='serial', **more)
    lab.run(name, default, one, disk)
    yield compare(what, default, one, 'itself', goal=goal)
    yield Line(what, default.seconds, kind='limit',
               other=f'its CPU time, {lab.cores} cores',
               other_samples=[s / lab.cores for s in default.cpu_seconds])
    if disk:
        yield compare(what, default, disk, 'limit')


@row('engine')
def engine(lab):
    for name, factors in PROPOSAL.items():
        image = getattr(lab.images, name)()
        for mode, goal in zip(([], ['-T', 'none']), factors):
            disk = None
            if not mode:
                lab.warm(image)
            elif not image.takes_direct():
                continue
            else:
                disk = lab.reader(image, '--direct', DISK_DEPTH)
            yield from engine_pair(lab, image, 'engine', goal, *mode, disk=disk,
                                   what=' '.join([f'{name}.raw', *mode]))
