# SPDX-License-Identifier: LGPL-2.1-or-later
"""The results as a table for a terminal, and as JSON."""
import json
import os
import platform
import subprocess
import time

from measure import summary

# How to read a ratio.
LEGEND = ('x: speed over the speed of the other, more is better; '
          't: time over its time, less is better')

HEADER = ('row', 'measured', 'median', 'spread', 'against', 'its median',
          'ratio', 'spread', 'goal', '')
# Columns of figures stand to the right.
RIGHT = (2, 3, 5, 6, 7, 8)


def value(number, unit):
    if unit == 's' and number < 0.1:
        return f'{number * 1000:.1f} ms'
    return f'{number:.2f} {unit}'


def spread(got, unit=''):
    scale = 1000 if unit == 's' and got['median'] < 0.1 else 1
    digits = 1 if scale == 1000 or got['median'] >= 10 else 2
    return (f'{got["min"] * scale:.{digits}f}..'
            f'{got["max"] * scale:.{digits}f}')


def cells(line, last_row):
    fields = line.json()
    sign = '<=' if line.small_is_good() else '>='
    other = ratio = ratio_spread = goal = ''
    if line.other_samples:
        other = value(summary(line.other_samples)['median'], line.unit)
        got = fields['ratio_summary']
        digits = 1 if got['median'] >= 10 else 2
        mark = 't' if line.ratio == 'time' else 'x'
        ratio = f'{got["median"]:.{digits}f} {mark}'
        ratio_spread = spread(got)
    if line.goal is not None:
        goal = f'{line.goal:.2f}' if line.kind else value(line.goal, line.unit)
        goal = f'{sign} {goal}'
    return (line.row if line.row != last_row else '', line.what,
            value(fields['summary']['median'], line.unit),
            spread(fields['summary'], line.unit), line.other, other,
            ratio, ratio_spread, goal, fields['verdict'])


def table(lines):
    rows = [HEADER]
    last_row = None
    for line in lines:
        rows.append(cells(line, last_row))
        last_row = line.row
    widths = [max(len(row[i]) for row in rows) for i in range(len(HEADER))]
    text = []
    for row in rows:
        padded = (cell.rjust(width) if i in RIGHT else cell.ljust(width)
                  for i, (cell, width) in enumerate(zip(row, widths)))
        text.append('  '.join(padded).rstrip())
    return '\n'.join([*text, '', LEGEND])


def first_line(*argv):
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL)
    except OSError:
        return None
    return done.stdout.split('\n')[0] or None


def proc_value(path, key):
    try:
        with open(path, encoding='utf-8') as file:
            for line in file:
                name, _, text = line.partition(':')
                if name.strip() == key:
                    return text.strip()
    except OSError:
        pass
    return None


def memory_bytes():
    text = proc_value('/proc/meminfo', 'MemTotal')
    return int(text.split()[0]) * 1024 if text else None


def machine(lab):
    return {
        'cpu': proc_value('/proc/cpuinfo', 'model name') or platform.machine(),
        'cores': lab.cores,
        'memory_bytes': memory_bytes(),
        'kernel': platform.release(),
        # Other work on the machine, in case the figures look odd.
        'load': os.getloadavg()[0],
        'time': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime()),
        'disksum': first_line(lab.command, '--version'),
        'openssl': first_line('openssl', 'version'),
        'b3sum': first_line('b3sum', '--version'),
        'blksum': first_line('blksum', '--version'),
    }


def headline(facts):
    memory = facts['memory_bytes']
    version = facts['kernel'].partition('-')[0]  # without the name of who built it
    return (f'{facts["cpu"]}, {facts["cores"]} cores'
            + (f', {memory / 2**30:.0f} GiB' if memory else '')
            + f', Linux {version}')


def write_json(path, facts, settings, lines, runs, notes):
    with open(path, 'w', encoding='utf-8') as file:
        json.dump({'machine': facts, 'settings': settings,
                   'rows': [line.json() for line in lines],
                   'runs': runs, 'notes': notes}, file, indent=1)
        file.write('\n')
