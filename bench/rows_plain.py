# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about plain sums: see rows.py."""
from rows import compare, row

# The speed of OpenSSL's stream that one stream of disksum must reach.
GOAL = 1 / 0.95
# What noise may cost where two things are to take the same time.
SAME = 1.03


def plain(lab, name, image, truth):
    """One stream against OpenSSL alone, and with other sums beside it. truth:
    another program that prints the sum."""
    alone = lab.plain(image, 'sha256')
    both = lab.plain(image, 'sha256', '-d', 'sha256')
    slow = lab.plain(image, 'sha512')
    two = lab.plain(image, 'sha256', '--plain=sha512')
    stream = lab.stream(image.size)
    if truth:
        lab.run(name, truth)
    lab.run(name, alone, both, slow, two, stream)
    yield compare(name, alone, stream, 'limit', ratio='time', goal=GOAL)
    yield compare(f'{name}, and blocks', both, alone, 'itself', ratio='time',
                  goal=SAME)
    if lab.cores > 1:
        yield compare(f'{name}, two', two, slow, 'itself', ratio='time',
                      goal=SAME)


@row('plain-data')
def plain_data(lab):
    image = lab.warm(lab.images.packed())
    yield from plain(lab, 'plain-data', image,
                     lab.peer('sha256sum', image, rounds=1))


@row('plain-zeros')
def plain_zeros(lab):
    """A hole: all of it is hashed, and nothing is read."""
    image = lab.images.hole_of(lab.images.packed().size)
    yield from plain(lab, 'plain-zeros', image,
                     lab.peer('sha256sum', image, rounds=1))
