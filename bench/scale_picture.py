# SPDX-License-Identifier: LGPL-2.1-or-later
"""The picture of docs/scale.md: efficiency by the number of nodes, a panel for each
way to do the work, a line for each speed of a node. As SVG."""
import math
from xml.sax.saxutils import escape

from picture import STYLE

PANEL_WIDTH, PANEL_HEIGHT = 400, 150
LEFT, TOP, GAP = 44, 64, 62
COLUMNS = 2
CLASSES = ('slow', 'middle', 'fast')

LINES = '''
.line { fill: none; stroke-width: 2 } .dot { stroke: none }
.slow { stroke: #2f7ed8 } .middle { stroke: #8250df } .fast { stroke: #1a9c6c }
.dot.slow { fill: #2f7ed8 } .dot.middle { fill: #8250df } .dot.fast { fill: #1a9c6c }
'''


class Panel:
    def __init__(self, left, top, nodes):
        self.left, self.top = left, top
        self.widest = math.log2(nodes[-1])

    def x(self, nodes):
        return self.left + math.log2(nodes) / self.widest * PANEL_WIDTH

    def y(self, part):
        return self.top + (1 - part) * PANEL_HEIGHT


def text(x, y, words, kind='', anchor='start'):
    return (f'<text x="{x:.1f}" y="{y:.1f}" class="{kind}" '
            f'text-anchor="{anchor}">{escape(words)}</text>')


def grid(panel, nodes):
    for part in (0, 0.5, 1):
        y = panel.y(part)
        yield (f'<line x1="{panel.left}" y1="{y:.1f}" x2="{panel.left + PANEL_WIDTH}" '
               f'y2="{y:.1f}" class="grid"/>')
        yield text(panel.left - 6, y + 4, f'{part:.0%}', 'small', 'end')
    for number in nodes:
        yield text(panel.x(number), panel.top + PANEL_HEIGHT + 16, str(number), 'small',
                   'middle')


def curve(panel, nodes, series, kind):
    points = [(panel.x(n), panel.y(o.efficiency()))
              for n, o in zip(nodes, series.outcomes)]
    path = ' '.join(f'{x:.1f},{y:.1f}' for x, y in points)
    yield f'<polyline points="{path}" class="line {kind}"/>'
    for x, y in points:
        yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" class="dot {kind}"/>'


def legend(tables, width):
    x = width - 24
    for series, kind in reversed(list(zip(tables[0][1], CLASSES))):
        words = f'{series.speed / 1e9:.0f} GB/s'
        yield text(x, 34, words, 'small', 'end')
        x -= 62
        yield f'<circle cx="{x}" cy="30" r="4" class="dot {kind}"/>'
        x -= 14


def write(path, nodes, tables):
    rows = -(-len(tables) // COLUMNS)
    width = COLUMNS * (PANEL_WIDTH + LEFT) + 48
    height = TOP + rows * (PANEL_HEIGHT + GAP)
    parts = [f'<rect class="card" width="{width - 1}" height="{height - 1}" x=".5" '
             'y=".5" rx="8"/>',
             text(24, 34, 'Busy nodes, by their number: a simulation', 'title')]
    parts += legend(tables, width)
    for i, (title, all_series) in enumerate(tables):
        panel = Panel(24 + LEFT + i % COLUMNS * (PANEL_WIDTH + LEFT),
                      TOP + 22 + i // COLUMNS * (PANEL_HEIGHT + GAP), nodes)
        parts.append(text(panel.left, panel.top - 10, title, 'panel'))
        parts += grid(panel, nodes)
        for series, kind in zip(all_series, CLASSES):
            parts += curve(panel, nodes, series, kind)
    with open(path, 'w', encoding='utf-8') as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" '
                   f'height="{height}" viewBox="0 0 {width} {height}">\n'
                   f'<style>{STYLE}{LINES}</style>\n' + '\n'.join(parts)
                   + '\n</svg>\n')
