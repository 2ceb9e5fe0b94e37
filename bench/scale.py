# SPDX-License-Identifier: LGPL-2.1-or-later
"""Simulate one digest by many machines: python3 bench/scale.py

Nobody here has 4,096 nodes, so the two ways to use them (docs/scale.md) are
simulated by events: ranks that ask rank 0 for slices, as those of disksum-mpi do,
and nodes that run the parts of an array. What rank 0 costs was measured on one
machine (Costs); the speed of a node is given, from 2 to 25 GB/s. Of 100 nodes one
is slow: it has a tenth of the speed.

Prints tables. With --picture FILE it draws them, too.
"""
import argparse
import collections
import dataclasses
import heapq
import random

import scale_picture

MIB = 1 << 20
GIB = 1 << 30
PIB = 1 << 50

BLOCK = 64 << 10
DIGEST = 32
SLOW_PART = 0.01
SLOW_SPEED = 0.1
NODES = (1, 4, 16, 64, 256, 1024, 4096)
SPEEDS = (2e9, 8e9, 25e9)


@dataclasses.dataclass(frozen=True)
class Costs:
    """Of rank 0, and of the parts of an array. docs/scale.md says where each
    comes from."""
    # Bytes of digests that the root hashes in a second.
    root: float = 2.0e9
    # Seconds of rank 0's CPU for a slice of another rank, and its two messages.
    message: float = 12e-6
    # Seconds from a request to its answer if rank 0 is idle.
    latency: float = 1e-3
    # Bytes of digests that rank 0 receives in a second.
    network: float = 10e9
    # Seconds until a part of an array runs: the scheduler, the image, the list.
    start: float = 2.0
    # Bytes of lists that a merge reads and hashes in a second.
    merge: float = 1e9
    # Seconds after which a node fails, and until a job that it ended goes on from
    # its list (--resume).
    life: float = 5 * 365 * 86400
    restart: float = 60.0


def digests(size, block=BLOCK):
    return -(-size // block) * DIGEST


def speeds_of(nodes, speed):
    slow = set(random.Random(1).sample(range(nodes), int(nodes * SLOW_PART)))
    return [speed * (SLOW_SPEED if i in slow else 1) for i in range(nodes)]


@dataclasses.dataclass(frozen=True)
class Outcome:
    seconds: float
    ideal: float   # if all nodes were busy all of the time
    rank0: float   # seconds that rank 0 worked, or that the merge took
    waits: float   # the part of requests that waited since the window was full
    center: str = 'rank 0'

    def with_failures(self, nodes, costs):
        """Of a job that each failure ends: what it has in its list is not lost."""
        failures = self.seconds * nodes / costs.life
        return dataclasses.replace(
            self, seconds=self.seconds + failures * costs.restart)

    def efficiency(self):
        return self.ideal / self.seconds

    def bound(self):
        """What most of the time that is lost is lost to."""
        if self.efficiency() > 0.9:
            return 'nodes'
        if self.rank0 > 0.8 * self.seconds:
            return self.center
        return 'window' if self.waits > 0.1 else 'end'


class Ranks:
    """A disk and disksum-mpi (mpi/coordinator.c, whose constants are here). Rank 0
    serves messages one after the other, and commits slices in order of the disk.
    A rank has a slice that it hashes, and one more for the time until the next
    message arrives."""
    CREDIT = 2
    WINDOW, WINDOW_OF_RANK = 64 * MIB, 1 * MIB
    SHARES = 4
    MAX_SLICE, MIN_SLICE = 4 * GIB, 64 * MIB

    def __init__(self, total, speeds, costs, block=BLOCK, by_speed=True):
        """by_speed: a slow rank gets shorter slices."""
        self.left = total
        self.speeds, self.costs, self.block = speeds, costs, block
        ranks = len(speeds)
        self.window = max(ranks * self.WINDOW_OF_RANK, self.WINDOW)
        room = self.window // (2 * self.CREDIT * ranks) // DIGEST * block
        self.largest = min(room, self.MAX_SLICE)
        self.smallest = min(self.MIN_SLICE, self.largest)
        self.by_speed = by_speed
        self.known = [0.0] * ranks   # the speed of each, once it is known
        self.rank_free = [0.0] * ranks
        self.sizes, self.done = [], bytearray()
        self.committed = self.ahead = self.asked = self.waited = 0
        self.free = self.busy = self.end = 0.0  # of rank 0
        self.waiting = collections.deque()
        self.events = [(0.0, rank, -1) for rank in range(ranks)
                       for _ in range(self.CREDIT)]

    def work(self, now, seconds):
        self.free = max(self.free, now) + seconds
        self.busy += seconds

    def commit(self, now, index):
        self.done[index] = True
        self.work(now, digests(self.sizes[index], self.block) / self.costs.network)
        while self.committed < len(self.sizes) and self.done[self.committed]:
            size = digests(self.sizes[self.committed], self.block)
            self.work(now, size / self.costs.root)
            self.ahead -= size
            self.committed += 1
        self.end = self.free

    def slice_size(self, rank):
        size = self.left // (len(self.speeds) * self.SHARES)
        size = min(max(size, self.smallest), self.largest)
        if self.by_speed:
            share = self.known[rank] / max(self.known) if self.known[rank] else 0
            size = max(int(size * share), self.smallest // 16)
        return min(-(-size // self.block) * self.block, self.left)

    def hand_out(self, rank):
        """False: the window is full."""
        if not self.left:
            return True
        if self.ahead >= self.window:
            return False
        size = self.slice_size(rank)
        self.left -= size
        self.ahead += digests(size, self.block)
        begin = max(self.rank_free[rank], self.free + self.costs.latency)
        self.rank_free[rank] = begin + size / self.speeds[rank]
        heapq.heappush(self.events, (self.rank_free[rank], rank, len(self.sizes)))
        self.sizes.append(size)
        self.done.append(False)
        return True

    def run(self):
        total = self.left
        while self.events:
            now, rank, index = heapq.heappop(self.events)
            if index >= 0:
                self.work(now, self.costs.message)
                self.known[rank] = self.speeds[rank]
                self.commit(now, index)
            self.asked += 1
            self.waiting.append(rank)
            while self.waiting and self.hand_out(self.waiting[0]):
                self.waiting.popleft()
            self.waited += len(self.waiting) > 0
        return Outcome(self.end, total / sum(self.speeds), self.busy,
                       self.waited / self.asked)


def disk_by_ranks(total, nodes, speed, costs=Costs(), **options):
    """Most of a large disk goes by at one pace: what is more than a part of it
    takes as long as two parts take, less one."""
    speeds = speeds_of(nodes, speed)
    part = max(nodes * 16, 32768) * Ranks(total, speeds, costs, **options).largest
    if total <= 2 * part:
        return Ranks(total, speeds, costs, **options).run().with_failures(nodes, costs)
    one, two = (Ranks(n * part, speeds, costs, **options).run() for n in (1, 2))
    more = total / part - 2
    return Outcome(two.seconds + more * (two.seconds - one.seconds),
                   total / sum(speeds), two.rank0 + more * (two.rank0 - one.rank0),
                   two.waits).with_failures(nodes, costs)


def images_by_ranks(count, size, nodes, speed, costs=Costs()):
    """While there are many images for each rank, one rank hashes an image, and
    sends no more than its checksum."""
    speeds = speeds_of(nodes, speed)
    events = [(0.0, i) for i in range(nodes)]
    free = busy = end = 0.0
    for _ in range(count):
        now, rank = heapq.heappop(events)
        free = max(free, now) + costs.message
        busy += costs.message
        end = max(end, free + costs.latency + size / speeds[rank])
        heapq.heappush(events, (free + costs.latency + size / speeds[rank], rank))
    return Outcome(end, count * size / sum(speeds), busy, 0).with_failures(nodes, costs)


def disk_by_array(total, parts, nodes, speed, costs=Costs(), failures=0.0):
    """Parts of one size on whichever node is free, and a merge of their lists.
    failures: of how many parts a run is lost, at some moment, and done again."""
    chance = random.Random(2)
    speeds = speeds_of(nodes, speed)
    free = [(0.0, i) for i in range(nodes)]
    left, end = parts, 0.0
    while left:
        now, i = heapq.heappop(free)
        seconds = costs.start + total / parts / speeds[i]
        left -= 1
        if chance.random() < failures:
            seconds *= chance.random()
            left += 1
        heapq.heappush(free, (now + seconds, i))
        end = max(end, now + seconds)
    merge = digests(total) / costs.merge
    return Outcome(end + merge, total / sum(speeds), merge, 0, 'merge')


def images_by_array(count, size, parts, nodes, speed, costs=Costs(), failures=0.0):
    """Each part is a list of names. There is nothing to merge."""
    free = dataclasses.replace(costs, merge=float('inf'))
    return disk_by_array(count * size, parts, nodes, speed, free, failures)


# --- tables ---------------------------------------------------------------

def duration(seconds):
    for limit, unit in ((120, 's'), (7200, 'min'), (172800, 'h')):
        if seconds < limit:
            return f'{seconds / limit * 120:.3g} {unit}' if unit == 's' else \
                f'{seconds / (60 if unit == "min" else 3600):.3g} {unit}'
    return f'{seconds / 86400:.3g} d'


@dataclasses.dataclass(frozen=True)
class Series:
    """A way to do the work, with nodes of one speed: an outcome for each number
    of nodes."""
    way: str
    speed: float
    outcomes: list


def table(title, series):
    print(f'\n{title}\n')
    print(f'{"nodes":>6}' + ''.join(
        f'  {f"{s.way}, {s.speed / 1e9:.0f} GB/s":>27}' for s in series))
    for row, nodes in enumerate(NODES):
        cells = []
        for s in series:
            o = s.outcomes[row]
            cells.append(f'{duration(o.seconds):>10} {o.efficiency():>5.2f}'
                         f' {o.bound():>11}')
        print(f'{nodes:>6}  ' + '  '.join(cells))


def by_nodes(way, speed, run):
    return Series(way, speed, [run(nodes, speed) for nodes in NODES])


def simulate():
    """The tables: a title, and series."""
    disk = [by_nodes('ranks', v, lambda n, v: disk_by_ranks(PIB, n, v))
            for v in SPEEDS]
    arrays = [by_nodes('array', v, lambda n, v: disk_by_array(
        PIB, n * 16, n, v, failures=0.001)) for v in SPEEDS]
    blocks = [by_nodes('ranks', v, lambda n, v: disk_by_ranks(
        PIB, n, v, block=16 * BLOCK)) for v in SPEEDS]
    count = 1_000_000
    images = [by_nodes('ranks', v, lambda n, v: images_by_ranks(
        count, 10 * GIB, n, v)) for v in SPEEDS]
    lists = [by_nodes('array', v, lambda n, v: images_by_array(
        count, 10 * GIB, n * 16, n, v, failures=0.001)) for v in SPEEDS]
    return [('A disk of 1 PiB, by disksum-mpi', disk),
            ('The same with --block-size=1M', blocks),
            ('The same by an array of 16 parts a node, and a merge', arrays),
            ('A million images of 10 GiB, by disksum-mpi', images),
            ('The same by an array of 16 parts a node', lists)]


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--picture', metavar='FILE', help='draw it, as SVG')
    arguments = parser.parse_args()
    tables = simulate()
    print('time, efficiency (time if all nodes were busy all of the time, over the '
          'time), and what\nmost of the rest is lost to')
    for title, series in tables:
        table(title, series)
    if arguments.picture:
        scale_picture.write(arguments.picture, NODES, tables)


if __name__ == '__main__':
    main()
