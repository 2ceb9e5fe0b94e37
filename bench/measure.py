# SPDX-License-Identifier: LGPL-2.1-or-later
"""Interleaved runs of commands, and what their times say.

Runs of all candidates take turns, so that other work on the machine meets all
of them, and ratios are formed inside a round, where the noise is most alike.
"""
import dataclasses
import math
import os
import resource
import statistics
import subprocess
import time


class Failed(Exception):
    """A program could not do its work: the row is lost, the others not."""


class Wrong(Exception):
    """A program gave another checksum than it must: no figure counts."""


@dataclasses.dataclass
class Candidate:
    """A command that is measured."""
    name: str
    argv: list
    env: dict = dataclasses.field(default_factory=dict)
    # Names the result: all candidates with the same key must get the same.
    key: object = None
    # The checksum that it must print; of several images, all of them with
    # spaces between. None: not known before the first round, and the same in
    # each.
    expect: str = None
    # Rounds that it takes part in; slow programs in one only.
    rounds: int = None
    # Whether a run that does not count comes first.
    warm_up: bool = True
    # Called before each run, outside of the time.
    before: object = None
    # Gives the CPU seconds so far of a server that works for it.
    server_cpu: object = None
    seconds: list = dataclasses.field(default_factory=list)
    cpu_seconds: list = dataclasses.field(default_factory=list)

    def run(self):
        if self.before:
            self.before()
        cpu = self.cpu()
        start = time.perf_counter()
        done = subprocess.run(self.argv, env={**os.environ, **self.env},
                              stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.seconds.append(time.perf_counter() - start)
        self.cpu_seconds.append(self.cpu() - cpu)

        if done.returncode != 0:
            message = done.stderr.decode(errors='replace').strip()
            raise Failed(f'{self.name}: exit status {done.returncode}: '
                         f'{message}')
        result = sums_of(done.stdout.decode(errors='replace'))
        if self.expect is None:
            self.expect = result
        elif result != self.expect:
            raise Wrong(f'{self.name}: result {result}, not {self.expect}')

    def cpu(self):
        return children_cpu() + (self.server_cpu() if self.server_cpu else 0)

    def forget(self):
        self.seconds.clear()
        self.cpu_seconds.clear()


def sums_of(output):
    """The checksums: the last word of each line with a tag, the first of
    others."""
    # GNU tools put a backslash before a line with an escaped name.
    lines = (line.lstrip('\\') for line in output.splitlines())
    words = [(line, line.split()) for line in lines if line.strip()]
    return ' '.join(word[-1 if ') = ' in line else 0] for line, word in words)


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


# Rounds that agree so far tell what more of them would.
AGREE = 0.03


@dataclasses.dataclass
class Rounds:
    """How often the candidates of a row take turns: at least `least` times and
    at most `most` times; in between, until they agree or the time is up."""
    least: int
    most: int
    end: float = math.inf  # by time.monotonic()

    def are_enough(self, done, candidates):
        if done < self.least:
            return False
        return (done >= self.most or time.monotonic() >= self.end
                or agree([c.seconds for c in candidates if len(c.seconds) == done]))


def agree(samples):
    """Whether the ratios to the first hardly differ between the rounds; of a
    single candidate, its times."""
    if not samples:
        return True
    first, *others = samples
    series = [ratios(other, first) for other in others] or [first]
    return all(max(s) - min(s) <= AGREE * statistics.median(s) for s in series)


def run_rounds(candidates, rounds):
    """Run all candidates, in turns."""
    # A run that does not count: the program comes into memory, and b3sum was
    # seen to take six times as long on its first run over a new image. Not
    # where no cache matters or each run begins with a cold one, nor of what is
    # so slow that it is done only once.
    for candidate in candidates:
        if candidate.warm_up and not candidate.before and not candidate.rounds:
            candidate.run()
            candidate.forget()

    done = 0
    while not rounds.are_enough(done, candidates):
        turn = [c for c in candidates if done < (c.rounds or rounds.most)]
        # Every other round runs backwards: a candidate must not always follow
        # the one that leaves the caches in the best state.
        for candidate in turn if done % 2 == 0 else reversed(turn):
            candidate.run()
        done += 1


def summary(samples):
    return {'median': statistics.median(samples),
            'min': min(samples), 'max': max(samples)}


def ratios(upper, lower):
    """One ratio a round. A single sample is compared with all of the other."""
    if len(upper) == 1:
        upper = upper * len(lower)
    if len(lower) == 1:
        lower = lower * len(upper)
    return [u / l for u, l in zip(upper, lower)]


@dataclasses.dataclass
class Line:
    """A line of the table: some samples, and what they are compared with."""
    what: str
    samples: list
    row: str = ''
    unit: str = 's'
    # What it is compared with: a peer (who does the same work), a limit (of
    # this machine), itself (disksum in another mode), or None.
    kind: str = None
    other: str = ''
    other_samples: list = None
    # 'time': time over the other's time, small is good. 'speed': the other's
    # time over the time, or speed over speed, large is good.
    ratio: str = 'speed'
    # The goal for the median ratio; for the median sample where there is
    # nothing to compare with.
    goal: float = None

    def ratios(self):
        if not self.other_samples:
            return []
        if (self.ratio == 'time') == (self.unit == 's'):
            return ratios(self.samples, self.other_samples)
        return ratios(self.other_samples, self.samples)

    def ratio_summary(self):
        values = self.ratios()
        return summary(values) if values else None

    def small_is_good(self):
        return self.unit == 's' if not self.kind else self.ratio == 'time'

    def verdict(self):
        """'met', 'missed', or '' where there is no goal."""
        if self.goal is None:
            return ''
        got = (self.ratio_summary() or summary(self.samples))['median']
        good = got <= self.goal if self.small_is_good() else got >= self.goal
        return 'met' if good else 'missed'

    def json(self):
        fields = dataclasses.asdict(self)
        fields.update(summary=summary(self.samples), ratios=self.ratios(),
                      ratio_summary=self.ratio_summary(),
                      verdict=self.verdict())
        return fields
