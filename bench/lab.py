# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the rows work with: the programs, the images, and the checksums that
all candidates must agree on."""
import json
import os
import shlex
import shutil
import subprocess
import tempfile
import time

from measure import Candidate, Failed, Rounds, Wrong, run_rounds


# A median needs so many rounds at least.
LEAST_ROUNDS = 3
# The part of what is left of a row's time that one comparison gets.
PART_OF_ROW = 0.5
# The words of a command that are recorded.
MAX_WORDS = 20


class Lab:
    def __init__(self, build, images, rounds, seconds, say):
        """rounds: the most of each candidate. seconds: for all rows."""
        self.build = build
        self.images = images
        self.rounds = rounds
        self.least = min(rounds, LEAST_ROUNDS)
        self.end = time.monotonic() + seconds
        self.end_of_row = self.end
        self.row_seconds = {}
        self.say = say
        self.cores = len(os.sched_getaffinity(0))
        self.leaf_speed = None  # bytes a second of one core, once measured
        self.notes = []
        self.runs = []
        self.sums = {}
        self.command = os.path.join(build, 'disksum')
        digests = subprocess.run([self.command, '--list-digests'], check=True,
                                 stdout=subprocess.PIPE, text=True)
        self.digests = digests.stdout.split()

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def has_digest(self, name):
        return name in self.digests

    def program(self, name):
        return os.path.join(self.build, 'bench', name)

    def warm(self, image):
        image.warm()
        cached = image.cached()
        if cached < 0.99:
            self.note(f'{os.path.basename(image.path)}: only {cached:.0%} stay '
                      'in the page cache; set DISKSUM_BENCH_GIB to less')
        return image

    # --- candidates: None for a program that is not installed

    def disksum(self, image, *options, digest='sha256', name=None, source=None,
                **more):
        """source: where the image is read from, in place of its file."""
        key = (image.path, digest)
        if digest == 'sha256':
            self.sums[key] = image.checksum
        more.setdefault('warm_up', 'none' not in options)  # direct reads
        return Candidate(name or ' '.join(['disksum', *options]),
                         [self.command, '-d', digest, *options,
                          source or image.path], key=key, **more)

    def plain(self, image, digest, *options, **more):
        """The plain digest, and what the options ask for."""
        key = (image.path, 'plain', digest, options)
        if not options:
            key = (image.path, f'{digest}sum')
        return Candidate(' '.join(['disksum', f'--plain={digest}', *options]),
                         [self.command, f'--plain={digest}', *options,
                          image.path], key=key, **more)

    def disksum_of_many(self, images):
        key = (images.path, 'sha256')
        self.sums[key] = images.checksum
        return Candidate('disksum', [self.command, *images.paths], key=key)

    def peer_of_many(self, program, images):
        path = shutil.which(program)
        if not path:
            self.note(f'{program} is not installed')
            return None
        return Candidate(program, [path, *images.paths],
                         key=(images.path, program))

    def version(self):
        return Candidate('disksum --version', [self.command, '--version'])

    def peer(self, program, image, *options, **more):
        path = shutil.which(program)
        if not path:
            self.note(f'{program} is not installed')
            return None
        return Candidate(program, [path, *options, image.path],
                         key=(image.path, program), **more)

    def qemu_img(self, image, form='qcow2'):
        """QEMU reads and decodes, and hashes nothing. None: not installed."""
        path = shutil.which('qemu-img')
        if not path:
            self.note('qemu-img is not installed')
            return None
        size = os.path.getsize(os.path.splitext(image.path)[0] + '.raw')
        return Candidate('qemu-img convert',
                         [path, 'convert', '-f', form, '-n',
                          '--target-image-opts',
                          image.path, f'driver=null-co,size={size}'])

    def nbdcopy(self, uri, *options):
        """A client that reads an export, and does nothing with it."""
        path = shutil.which('nbdcopy')
        if not path:
            self.note('nbdcopy is not installed')
            return None
        return Candidate('nbdcopy to null:', [path, *options, uri, 'null:'])

    def reader(self, image, *options):
        direct = '--direct' in options
        return Candidate('disk alone' if direct else 'pread alone',
                         [self.program('pread'), *options, image.path],
                         warm_up=not direct)

    def stream(self, size):
        return Candidate('OpenSSL stream',
                         [self.program('stream'), str(size)])

    # --- runs

    def begin_row(self, rows_left):
        """Give the next row its share of the time that is left."""
        now = time.monotonic()
        self.end_of_row = now + max(0, self.end - now) / rows_left

    def run(self, row, *candidates, rounds=None):
        """Measure some candidates against each other. rounds: exactly so
        many."""
        now = time.monotonic()
        end = now + max(0, self.end_of_row - now) * PART_OF_ROW
        rounds = (Rounds(rounds, rounds) if rounds
                  else Rounds(self.least, self.rounds, end))
        candidates = [c for c in candidates if c]
        for c in candidates:
            c.expect = self.sums.get(c.key)
        run_rounds(candidates, rounds)
        for c in candidates:
            if c.key:
                self.agree(c.key, c.expect, c.name)
            self.add_run(row, c)

    def add_run(self, row, c):
        self.runs.append({
            'row': row, 'name': c.name,
            # Names alone: where files are is nobody's business. Of many images
            # the first few.
            'argv': [os.path.basename(word) for word in c.argv[:MAX_WORDS]],
            'seconds': c.seconds, 'cpu_seconds': c.cpu_seconds})

    def run_short(self, row, *candidates, runs):
        """As run(), for runs so short that to start a process from here would
        be a large part of them: hyperfine, which is small, starts them."""
        path = shutil.which('hyperfine')
        if not path:
            self.note('hyperfine is not installed: the times of short runs '
                      'have the start of a process by Python in them')
            self.run(row, *candidates, rounds=runs)
            return
        # Once here, for what they print.
        self.run(row, *candidates, rounds=1)
        del self.runs[-len(candidates):]
        with tempfile.NamedTemporaryFile(suffix='.json') as out:
            done = subprocess.run(
                [path, '-N', '--style=none', '--warmup=3', f'--runs={runs}',
                 f'--export-json={out.name}',
                 *(shlex.join(c.argv) for c in candidates)],
                stdin=subprocess.DEVNULL, capture_output=True)
            if done.returncode != 0:
                message = done.stderr.decode(errors='replace').strip()
                raise Failed(f'hyperfine: {message}')
            results = json.load(out)['results']
        for c, result in zip(candidates, results):
            c.seconds = result['times']
            c.cpu_seconds = [result['user'] + result['system']]
            self.add_run(row, c)

    def agree(self, key, result, who):
        """All that hash the same must get the same."""
        expected = self.sums.setdefault(key, result)
        if result != expected:
            raise Wrong(f'{who}: checksum {result}, not {expected}')
