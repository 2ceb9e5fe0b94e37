# SPDX-License-Identifier: LGPL-2.1-or-later
"""Makes the images that are measured, and keeps them for the next time.

To add one: a function that writes it to the path it is given, and a line in
Images that names it.
"""
import json
import os
import random
import shutil
import subprocess
import tempfile

import oracle

MIB = 1 << 20
GIB = 1 << 30
TIB = 1 << 40


def write_real(path, size):
    """An ext4 file system, half full: a quarter system files, a quarter random
    data that no program can make smaller. mke2fs fills it without root."""
    staging = tempfile.mkdtemp(dir=os.path.dirname(path))
    full = os.path.join(staging, 'image')
    try:
        copy_files(['/usr/lib', '/usr/share'], os.path.join(staging, 'files'),
                   size // 4)
        write_random(os.path.join(staging, 'files/random'), size // 4)
        with open(full, 'wb') as file:
            file.truncate(size)
        # PATH of users lacks the directory of mke2fs on some systems. No inode
        # tables are left to the kernel, a fixed UUID and hash seed: the same
        # files give nearly the same image.
        uuid = '64697361-6b73-756d-6265-6e6368000000'
        env = {**os.environ, 'PATH': os.environ['PATH'] + ':/usr/sbin:/sbin'}
        subprocess.run(['mke2fs', '-q', '-t', 'ext4', '-U', uuid,
                        '-E', f'lazy_itable_init=0,hash_seed={uuid}',
                        '-d', os.path.join(staging, 'files'), full],
                       env=env, check=True)
        # mke2fs leaves extents that are allocated and not written. Whether
        # lseek() takes them for data depends on what is in the page cache, and
        # so would the bytes that a run reads.
        shutil.rmtree(os.path.join(staging, 'files'))
        subprocess.run(['cp', '--sparse=always', full, path], check=True)
    finally:
        shutil.rmtree(staging)


def copy_files(directories, target, limit):
    """Copy files, in order of their names, until there are limit bytes."""
    for directory in directories:
        for parent, names, files in os.walk(directory):
            names.sort()
            # A file that may be replaced while we look is no reason to stop.
            for name in sorted(files):
                source = os.path.join(parent, name)
                try:
                    if os.path.islink(source) or not os.path.isfile(source):
                        continue
                    length = os.path.getsize(source)
                    if length > limit:
                        continue
                    copy = os.path.join(target, source.lstrip('/'))
                    os.makedirs(os.path.dirname(copy), exist_ok=True)
                    shutil.copy2(source, copy)
                except (FileNotFoundError, PermissionError):
                    continue
                limit -= length
                if limit < MIB:
                    return


def write_random(path, size):
    source = random.Random(size)
    with open(path, 'wb') as file:
        for _ in range(size // MIB):
            file.write(source.randbytes(MIB))


def write_zeros(path, size):
    """Zeros that were written. Allocated alone, they would be a hole to
    lseek(), and no program would read them."""
    with open(path, 'wb') as file:
        for _ in range(size // MIB):
            file.write(bytes(MIB))


def write_hole(path, size):
    with open(path, 'wb') as file:
        file.truncate(size)


ALTERNATE = 65536


def write_alternating(path, size):
    """Data and holes, a cluster of qcow2 each."""
    source = random.Random(size)
    with open(path, 'wb') as file:
        for offset in range(0, size, 2 * ALTERNATE):
            file.seek(offset)
            file.write(source.randbytes(ALTERNATE))
        file.truncate(size)


SECTOR = 512


def write_many(path, size):
    """A directory of images of one sector."""
    source = random.Random(size)
    os.makedirs(path, exist_ok=True)
    for number in range(size // SECTOR):
        with open(os.path.join(path, f'{number}.raw'), 'wb') as file:
            file.write(source.randbytes(SECTOR))


def write_packed(path, size):
    """The data of write_alternating() in a row."""
    source = random.Random(2 * size)
    with open(path, 'wb') as file:
        for _ in range(size // ALTERNATE):
            file.write(source.randbytes(ALTERNATE))


def create_qcow2(path, size, *options):
    subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', *options, path,
                    str(size)], check=True)


def write_part(path, size, part, command, seed=0):
    """Write to a part of a qcow2, in pieces of 256 KiB at random places."""
    piece = 256 << 10
    source = random.Random(seed)
    places = source.sample(range(size // piece), int(size * part) // piece)
    commands = ''.join(f'{command} {place * piece} {piece}\n'
                       for place in places)
    subprocess.run(['qemu-io', '-f', 'qcow2', path], input=commands.encode(),
                   stdout=subprocess.DEVNULL, check=True)


class Image:
    """A file, with the checksum that an oracle found for it."""

    def __init__(self, path, checksum, data):
        self.path = path
        self.checksum = checksum
        self.data = data  # bytes in blocks that are not zero
        self.size = os.path.getsize(path)
        self.allocated = os.stat(path).st_blocks * 512

    def warm(self):
        """Bring the data into the page cache."""
        with open(self.path, 'rb', buffering=0) as file:
            buf = bytearray(MIB)
            for begin, end in self.extents(file.fileno()):
                file.seek(begin)
                while begin < end:
                    begin += file.readinto(buf)

    def drop(self):
        """Put the data out of the page cache. Needs no root."""
        with open(self.path, 'rb') as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def takes_direct(self):
        try:
            os.close(os.open(self.path, os.O_RDONLY | os.O_DIRECT))
        except OSError:
            return False
        return True

    def cached(self):
        """How much of the data is in the page cache, by samples: 0 to 1."""
        probes = hits = 0
        with open(self.path, 'rb') as file:
            fd = file.fileno()
            for begin, end in self.extents(fd):
                for offset in range(begin, end, 16 * MIB):
                    probes += 1
                    try:
                        hits += os.preadv(fd, [bytearray(1)], offset,
                                          os.RWF_NOWAIT)
                    except BlockingIOError:
                        pass
        return hits / probes if probes else 1

    def extents(self, fd):
        end = 0
        while end < self.size:
            try:
                begin = os.lseek(fd, end, os.SEEK_DATA)
            except OSError:  # holes to the end
                return
            end = os.lseek(fd, begin, os.SEEK_HOLE)
            yield begin, end


class ManyImages:
    """Images of one sector in a directory, with their checksums."""

    def __init__(self, path):
        self.path = path
        self.paths = [os.path.join(path, name)
                      for name in sorted(os.listdir(path))]
        self.checksum = ' '.join(self.read_all())

    def read_all(self):
        for path in self.paths:
            with open(path, 'rb') as file:
                yield oracle.checksum_of_block(file.read())


def kind(form, options):
    """The end of the name of an image: its format, and options of qemu-img."""
    return '-'.join([form, *[option.split('=')[-1].strip('-')
                             for option in options if option != '-o']])


class Images:
    """The images of a directory; each is made when it is first asked for."""

    def __init__(self, directory, size, hole_size, say):
        self.directory = directory
        self.size = size
        self.hole_size = hole_size
        self.say = say
        self.have = {}

    def real(self):
        return self.get('real', self.size, write_real, 5 / 4)

    def zero(self):
        return self.get('zero', self.size, write_zeros, 1)

    def hole(self):
        return self.get('hole', self.hole_size, write_hole, 0)

    def small(self):
        return self.get('small', MIB, write_random, 1)

    def many(self, count):
        path = os.path.join(self.directory, f'many-{count}')
        if not os.path.exists(path):
            # A file takes a block of 4 KiB.
            self.make(path, count * SECTOR, write_many, count * 4096)
        return ManyImages(path)

    def metadata(self):
        """A qcow2 in which each cluster has a place, and none was written."""
        def create(path, size):
            subprocess.run(['qemu-img', 'create', '-q', '-f', 'qcow2', '-o',
                            'preallocation=metadata', path, str(size)],
                           check=True)
        return self.derived(self.hole_of(TIB), 'metadata', create, 0)

    def hole_of(self, size):
        return self.get('hole', size, write_hole, 0)

    def alternating(self):
        return self.get('alternating', self.size // 2, write_alternating, 0.5)

    def packed(self):
        return self.get('packed', self.size // 4, write_packed, 1)

    def qcow2(self, source, *options):
        """What qemu-img makes of an image. options: of 'convert'."""
        def convert(path, _):
            subprocess.run(['qemu-img', 'convert', '-O', 'qcow2', *options,
                            '-m', '4', '-W' if '-c' in options else '-q',
                            source.path, path], check=True)
        return self.derived(source, kind('qcow2', options), convert, 0.6)

    def dirty(self, source, part):
        """A qcow2 whose bitmap 'nightly' says that a part of it is dirty. Its
        content is that of the source."""
        def convert(path, size):
            bits = path + '.bits'
            subprocess.run(['qemu-img', 'convert', '-O', 'qcow2', '-m', '4',
                            source.path, path], check=True)
            create_qcow2(bits, size)
            for image in bits, path:
                subprocess.run(['qemu-img', 'bitmap', '--add', '-f', 'qcow2',
                                image, 'nightly'], check=True)
            write_part(bits, size, part, 'write -z')
            subprocess.run(['qemu-img', 'bitmap', '--merge', 'nightly', '-f',
                            'qcow2', '-b', bits, '-F', 'qcow2', path,
                            'nightly'], check=True)
            os.remove(bits)
        return self.derived(source, 'dirty.qcow2', convert, 0.6)

    def overlays(self, source, count, part):
        """Paths of overlays on a qcow2, each on the one before, and each with
        a part of the disk."""
        size = self.size
        path = os.path.splitext(source.path)[0] + f'-{count}-overlays'

        def create(directory, _):
            os.makedirs(directory, exist_ok=True)
            below = os.path.join('..', os.path.basename(source.path))
            for number in range(1, count + 1):
                name = f'{number}.qcow2'
                image = os.path.join(directory, name)
                create_qcow2(image, size, '-b', below, '-F', 'qcow2')
                write_part(image, size, part, 'write -q -P 77', number)
                below = name
        if not os.path.exists(path):
            self.make(path, size, create, int(size * part * count))
        return [os.path.join(path, f'{number}.qcow2')
                for number in range(1, count + 1)]

    def converted(self, source, form, *options):
        """An image in another format. options: of 'convert'."""
        def convert(path, _):
            subprocess.run(['qemu-img', 'convert', '-q', '-O', form, *options,
                            source.path, path], check=True)
        return self.derived(source, kind(form, options), convert, 0.6)

    def empty(self, source, form, *options):
        """An image of a disk that nobody has written to."""
        def create(path, size):
            subprocess.run(['qemu-img', 'create', '-q', '-f', form, *options,
                            path, str(size)], check=True)
        return self.derived(source, kind(form, options), create, 0)

    def derived(self, source, name, write, space):
        """Another image of the same disk, so with the same checksum."""
        path = os.path.splitext(source.path)[0] + '.' + name
        if path not in self.have:
            if not os.path.exists(path):
                self.make(path, source.size, write, int(source.size * space))
            self.have[path] = Image(path, source.checksum, source.data)
        return self.have[path]

    def get(self, name, size, write, space):
        """Make an image, unless it is there. space: the bytes it needs at
        most while it is made, as a part of its size."""
        path = os.path.join(self.directory, f'{name}-{size // MIB}m.raw')
        if path in self.have:
            return self.have[path]
        if not os.path.exists(path):
            self.make(path, size, write, int(size * space))
        self.have[path] = Image(path, *self.known(path))
        return self.have[path]

    def make(self, path, size, write, space):
        os.makedirs(self.directory, exist_ok=True)
        free = shutil.disk_usage(self.directory).free
        if free < space + 256 * MIB:
            raise OSError(f'{self.directory}: {free / GIB:.1f} GiB free, '
                          f'{space / GIB:.1f} needed; set DISKSUM_BENCH_GIB to '
                          'less, or DISKSUM_BENCH_DIR to another directory')
        self.say(f'making {os.path.basename(path)}')
        # Under another name until it is whole, and on the disk: pages that
        # wait to be written cannot be put out of the cache.
        part = path + '.part'
        write(part, size)
        fd = os.open(part, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
        os.rename(part, path)

    def known(self, path):
        """What the oracle says; asked once for a state of the file."""
        stat = os.stat(path)
        state = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        try:
            with open(path + '.json', encoding='ascii') as file:
                known = json.load(file)
            if known['state'] == state:
                return known['sha256'], known['data']
        except (FileNotFoundError, ValueError, KeyError):
            pass
        self.say(f'checking {os.path.basename(path)}')
        checksum, data = oracle.checksum(path)
        with open(path + '.json', 'w', encoding='ascii') as file:
            json.dump({'state': state, 'sha256': checksum, 'data': data}, file)
        return checksum, data
