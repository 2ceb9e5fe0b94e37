# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about digest lists: see rows.py."""
import os
import tempfile

from images import TIB
from rows import compare, row


@row('write-list')
def write_list(lab):
    """The list is written on the way: what does it cost?"""
    images = lab.warm(lab.images.real()), lab.images.hole_of(TIB)
    with tempfile.TemporaryDirectory(dir=lab.images.directory) as directory:
        for image in images:
            name = os.path.basename(image.path)
            ours = lab.disksum(image, '--write-list',
                               os.path.join(directory, name + '.blkhash'),
                               name='disksum --write-list')
            base = lab.disksum(image)
            lab.run('write-list', ours, base)
            yield compare(name, ours, base, 'itself', ratio='time', goal=1.03)
