# SPDX-License-Identifier: LGPL-2.1-or-later
"""Rows about VMDK, VHDX, VPC and VDI images: see rows.py."""
from images import TIB
from rows import compare, row

# How qemu-img makes an image of each format that has exactly the size of the
# disk.
FORMATS = {
    'vmdk': ('vmdk',),
    'vhdx': ('vhdx',),
    'vpc': ('vpc', '-o', 'force_size=on'),
    'vdi': ('vdi',),
}


def formats(name, options):
    @row(name)
    def against_raw(lab):
        raw = lab.warm(lab.images.real())
        image = lab.warm(lab.images.converted(raw, *options))
        ours = lab.disksum(image)
        base = lab.disksum(raw, name='disksum raw')
        qemu = lab.disksum(
            image, '--image-opts', name='disksum by QEMU',
            source=f'driver={options[0]},file.filename={image.path}')
        lab.run(name, ours, base, qemu)
        yield compare(f'real.{name}', ours, base, 'itself', ratio='time',
                      goal=1.1)
        yield compare(f'real.{name}', ours, qemu, 'itself', goal=3)

    @row(f'{name}-empty')
    def empty(lab):
        hole = lab.images.hole_of(TIB)
        image = lab.images.empty(hole, *options)
        ours = lab.disksum(image)
        base = lab.disksum(hole, name='disksum hole')
        lab.run(f'{name}-empty', ours, base)
        yield compare(f'1 TiB, empty {name}', ours, base, 'itself',
                      ratio='time', goal=1.5)


for _name, _options in FORMATS.items():
    formats(_name, _options)


@row('vmdk-stream')
def stream(lab):
    """streamOptimized: compressed, as appliances are."""
    raw = lab.warm(lab.images.real())
    image = lab.warm(lab.images.converted(
        raw, 'vmdk', '-o', 'subformat=streamOptimized'))
    zlib = lab.warm(lab.images.qcow2(raw, '-c'))
    ours = lab.disksum(image)
    base = lab.disksum(zlib, name='disksum zlib qcow2')
    qemu = lab.qemu_img(image, 'vmdk')
    lab.run('vmdk-stream', ours, base, qemu)
    yield compare('real.vmdk, stream', ours, base, 'itself', ratio='time',
                  goal=1.1)
    if qemu:
        yield compare('real.vmdk, stream', ours, qemu, 'peer', goal=3)
