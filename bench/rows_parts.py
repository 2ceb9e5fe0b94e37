# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about parts of a file that are a disk: see rows.py."""
import os
import tarfile

from images import MIB
from rows import compare, row

MEMBER = 'disk.raw'


def write_around(source, path):
    """Other bytes before the disk, and after it."""
    with open(source.path, 'rb') as disk, open(path, 'wb') as file:
        file.write(os.urandom(MIB))
        while piece := disk.read(MIB):
            file.write(piece)
        file.write(os.urandom(MIB))


def write_tar(source, path):
    # Small writes would leave small pieces in the page cache.
    with tarfile.open(path, 'w', copybufsize=MIB) as archive:
        archive.add(source.path, MEMBER)


def part(lab, name, write, *options):
    source = lab.warm(lab.images.packed())
    image = lab.warm(lab.images.derived(
        source, name, lambda path, _: write(source, path), 1))
    ours = lab.disksum(image, *options, name=f'disksum --{name}')
    base = lab.disksum(source, name='disksum')
    lab.run(name, ours, base)
    yield compare(f'a disk by --{name}', ours, base, 'itself', ratio='time',
                  goal=1.03)


@row('offset')
def offset(lab):
    size = lab.images.packed().size
    yield from part(lab, 'offset', write_around, '--offset=1M',
                    f'--length={size}')


@row('member')
def member(lab):
    yield from part(lab, 'member', write_tar, f'--member={MEMBER}')
