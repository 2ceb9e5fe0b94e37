# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about plain digests, of all bytes in one stream: see rows.py."""
from measure import Candidate
from rows import compare, row


def plain(lab, image, *digests, blocks=False):
    """One plain digest alone is what sha256sum and its kin print."""
    options = [f'--plain={digest}' for digest in digests]
    if blocks:
        options[:0] = ['-d', 'sha256']
    alone = len(options) == 1
    key = (image.path, digests[0] + 'sum') if alone else None
    return Candidate(' '.join(['disksum', *options]),
                     [lab.command, *options, image.path], key=key)


@row('plain')
def one_stream(lab):
    """Of data and of zeros; what one core hashes in memory is the limit."""
    for image in lab.warm(lab.images.real()), lab.warm(lab.images.zero()):
        ours = plain(lab, image, 'sha256')
        both = plain(lab, image, 'sha256', blocks=True)
        stream = lab.stream(image.size)
        peer = lab.peer('sha256sum', image, rounds=1)
        lab.run('plain', ours, both, stream, peer)
        name = image.path.rpartition('/')[2] + ' --plain=sha256'
        yield compare(name, ours, stream, 'limit', goal=0.95)
        yield compare(name + ' -d sha256', both, ours, 'itself', ratio='time',
                      goal=1.03)
        if peer:
            yield compare(name, ours, peer, 'peer')


@row('plain-two')
def two_streams(lab):
    """On two cores, as long as the slower one."""
    if lab.cores < 2:
        lab.note('plain-two: needs two cores')
        return
    image = lab.warm(lab.images.real())
    two = plain(lab, image, 'sha256', 'sha512')
    slower = plain(lab, image, 'sha512')
    lab.run('plain-two', two, slower)
    yield compare('real.raw --plain=sha256 --plain=sha512', two, slower,
                  'itself', ratio='time', goal=1.05)
