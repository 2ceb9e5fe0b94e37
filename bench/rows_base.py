# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about disks of which an older list is known: see rows.py."""
import os
import shlex
import subprocess

from measure import Candidate, Line
from rows import compare, row

OVERLAYS = 30
# The part of the disk that is dirty, or in one overlay.
PART = 0.01
# What a run may take of the time of a full one, apart from starting it.
PART_OF_TIME = 0.03


def write_list(lab, image):
    """The list of an image, as this build writes it."""
    path = image.path + '.blkhash'
    lab.say(f'writing {os.path.basename(path)}')
    subprocess.run([lab.command, '-q', f'--write-list={path}', image.path],
                   check=True, stdout=subprocess.DEVNULL)
    return path


@row('base-bitmap')
def bitmap(lab):
    """A bitmap says that 1 % of the disk is dirty."""
    raw = lab.warm(lab.images.real())
    image = lab.warm(lab.images.dirty(raw, PART))
    old = write_list(lab, image)
    ours = lab.disksum(image, f'--base={old}', '--bitmap=nightly')
    full = lab.disksum(image, name='disksum')
    version = lab.version()
    lab.run('base-bitmap', ours, full, version)
    yield compare('1 % dirty', ours, full, 'itself')
    yield Line('1 % dirty', ours.seconds, kind='limit', ratio='time', goal=1,
               other='3 % and start-up',
               other_samples=[PART_OF_TIME * f + v for f, v
                              in zip(full.seconds, version.seconds)])


def restore_points(lab, paths):
    """A script that hashes all images of a chain, each on the list of the one
    below."""
    commands, below = [], None
    for path in paths:
        words = [lab.command, f'--write-list={path}.blkhash', path]
        if below:
            words[1:1] = [f'--base={below}.blkhash', f'--base-image={below}']
        commands.append(shlex.join(words))
        below = path
    return ' && '.join(commands)


@row('base-chain')
def chain(lab):
    """A full image and 30 overlays, and all restore points: a run and a list for each.

    A run starts a process (5 ms), verifies the list of the disk below, hashes its digests
    twice more (the root and the new list), and syncs: some 20 ms beside the overlay, which
    is hashed in as much. Overlays of gigabytes would not show that.
    """
    raw = lab.warm(lab.images.real())
    full = lab.warm(lab.images.qcow2(raw))
    paths = [full.path, *lab.images.overlays(full, OVERLAYS, PART)]
    ours = Candidate('disksum --base', ['sh', '-c', restore_points(lab, paths)],
                     key='chain')
    # Each file once, and nothing of the chain.
    once = Candidate('each file once', [lab.command, '-f', 'raw', *paths],
                     key='chain as raw')
    # So long that noise does not count.
    whole = Candidate('disksum', [lab.command, *paths], key='chain', rounds=1)
    lab.run('base-chain', ours, once, whole)
    what = f'{len(paths)} restore points'
    yield compare(what, ours, once, 'limit', ratio='time', goal=1.3)
    yield compare(what, ours, whole, 'itself')
