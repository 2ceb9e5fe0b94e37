# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measure disksum against other programs, and against the limits of the
machine: make bench.

Prints a table, and writes bench.json and bench.svg to the build directory, and
bench-peers.svg, the picture of README.md, which has whole programs only. The exit
status is 1 if a checksum was wrong or a row could not be measured; a goal that is
missed is no error, since it may be met on another machine.

Environment:
  DISKSUM_BENCH_DIR  where the images are kept (default: bench-images in the
                     build directory)
  DISKSUM_BENCH_GIB  size of the large images (default: 1.5, or less where the
                     memory could not hold them)

Candidates take turns until their ratios agree within 3 %, or the time of their row
is up, but at least three times. Each row gets its share of the time that is left
of --minutes, which includes making images that are not there yet.
"""
import argparse
import os
import sys
import time

import images
import picture
import report
import rows_base  # noqa: F401 (adds its rows)
import rows_diff  # noqa: F401 (adds its rows)
import rows_formats  # noqa: F401 (adds its rows)
import rows_lists  # noqa: F401 (adds its rows)
import rows_nbd  # noqa: F401 (adds its rows)
import rows_parts  # noqa: F401 (adds its rows)
import rows_plain  # noqa: F401 (adds its rows)
import rows_qcow2  # noqa: F401 (adds its rows)
import rows_qemu_img  # noqa: F401 (adds its rows)
from lab import Lab
from measure import Failed, Wrong
from rows import ROWS

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def say(text):
    print(f'bench: {text}', file=sys.stderr, flush=True)


def parse_arguments():
    parser = argparse.ArgumentParser(
        prog='bench.py', description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--rounds', type=int, default=7,
                        help='most runs of each candidate (default: 7)')
    parser.add_argument('--minutes', type=float, default=7,
                        help='the time to aim at (default: 7)')
    parser.add_argument('--only', action='append', metavar='ROW',
                        choices=list(ROWS), help='measure this row; may be '
                        'repeated. Rows: ' + ', '.join(ROWS))
    parser.add_argument('--quick', action='store_true',
                        help='2 rounds of small images: does it work at all?')
    parser.add_argument('--build', default=os.path.join(ROOT, 'build'),
                        metavar='DIR', help='build directory (default: build)')
    arguments = parser.parse_args()
    if arguments.rounds < 1:
        parser.error('--rounds: must be 1 or more')
    return arguments


def large_size(quick):
    """Bytes of the large images; the data of both must fit in memory."""
    text = os.environ.get('DISKSUM_BENCH_GIB')
    if text:
        try:
            gib = float(text)
        except ValueError:
            raise Failed(f'DISKSUM_BENCH_GIB: {text}: no number') from None
    elif quick:
        gib = 1
    else:
        # Half of the memory. What is free now would give another size, and
        # other images, each time.
        memory = report.memory_bytes() or 12 * images.GIB
        gib = min(1.5, max(1, memory // 2 // images.GIB))
    # Whole blocks, also in a quarter of it.
    return max(64, int(gib * 1024) // 4 * 4) * images.MIB


def measure(lab, names):
    """The lines of all rows, and whether all could be measured."""
    lines = []
    whole = True
    for number, name in enumerate(names):
        say(name)
        lab.begin_row(len(names) - number)
        start = time.monotonic()
        try:
            for line in ROWS[name](lab):
                line.row = name
                lines.append(line)
        except (Failed, OSError) as error:
            lab.note(f'{name}: NOT MEASURED: {error}')
            whole = False
        lab.row_seconds[name] = round(time.monotonic() - start, 1)
    return lines, whole


def main():
    start = time.monotonic()
    arguments = parse_arguments()
    build = os.path.abspath(arguments.build)
    directory = os.path.abspath(os.environ.get(
        'DISKSUM_BENCH_DIR', os.path.join(build, 'bench-images')))
    size = large_size(arguments.quick)
    hole = (1 if arguments.quick else 8) * images.TIB
    rounds = 2 if arguments.quick else arguments.rounds
    names = [name for name in ROWS
             if not arguments.only or name in arguments.only]

    lab = Lab(build, images.Images(directory, size, hole, say), rounds,
              60 * arguments.minutes, say)
    facts = report.machine(lab)
    lines, whole = measure(lab, names)

    head = report.headline(facts)
    took = time.monotonic() - start
    times = str(rounds) if lab.least == rounds else f'{lab.least} to {rounds}'
    about = (f'{times} interleaved rounds; real.raw and zero.raw of '
             f'{size / images.GIB:g} GiB, in the page cache where not said '
             'otherwise')
    print(f'{head}\n{about}\n\n{report.table(lines)}')
    for note in lab.notes:
        print(f'note: {note}')
    settings = {'rounds': rounds, 'least_rounds': lab.least,
                'seconds': round(took),
                'row_seconds': lab.row_seconds, 'image_bytes': size, 'hole_bytes': hole}
    report.write_json(os.path.join(build, 'bench.json'), facts, settings,
                      lines, lab.runs, lab.notes)
    picture.write(os.path.join(build, 'bench.svg'), lines, head, about)
    picture.write(os.path.join(build, 'bench-peers.svg'),
                  [line for line in lines if line.unit == 's'], head, about,
                  kinds=('peer',))
    minutes, seconds = divmod(round(took), 60)
    say(f'took {minutes} min {seconds} s')
    say('all checksums agree; bench.json, bench.svg and bench-peers.svg are in '
        + os.path.relpath(build))
    return 0 if whole else 1


if __name__ == '__main__':
    try:
        sys.exit(main())
    except (Failed, Wrong, OSError) as error:
        say(f'error: {error}')
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
