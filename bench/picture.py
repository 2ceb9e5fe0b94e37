# SPDX-License-Identifier: LGPL-2.1-or-later
"""A picture of the ratios: two panels of bars, as SVG.

All bars show speed, so that longer is better; ratios of time are turned
round. The upper panel, against other programs, has a logarithmic axis, since
ratios reach from 1 to 50; the lower, against limits, a linear one.
"""
import math
from xml.sax.saxutils import escape

BAR = 14
STEP = 26
PLOT = 420
VALUE = 70      # room for a figure beside the longest bar
LEGEND = 860     # the line below the panels
MARGIN = 24
CHARACTER = 6.9  # an upper estimate of the width of a letter of 13 pixels

# The picture brings its own background, and a dark one where the reader's
# system is dark, so it is readable on any page.
STYLE = '''
text { font: 13px system-ui, "DejaVu Sans", Arial, sans-serif; fill: #24292f;
  paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
.title { font-size: 17px; font-weight: 600 }
.panel { font-size: 14px; font-weight: 600 }
.small { font-size: 11.5px; fill: #57606a }
.card { fill: #ffffff; stroke: #d0d7de }
.grid { stroke: #d8dee4 } .one { stroke: #8c959f }
.peer { fill: #2f7ed8 } .itself { fill: #8250df } .limit { fill: #1a9c6c }
.spread { stroke: #24292f; stroke-width: 1.5 }
.goal { stroke: #d1242f; stroke-width: 2.5 }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; stroke: #0d1117 } .small { fill: #9198a1 }
  .card { fill: #0d1117; stroke: #3d444d }
  .grid { stroke: #2a313c } .one { stroke: #656c76 }
  .peer { fill: #4493f8 } .itself { fill: #ab7df8 } .limit { fill: #2ea67a }
  .spread { stroke: #e6edf3 } .goal { stroke: #ff7b72 }
}
'''


class Bar:
    """A line of the table, as speed."""

    def __init__(self, line):
        turn = (lambda x: 1 / x) if line.ratio == 'time' else (lambda x: x)
        got = line.ratio_summary()
        self.kind = line.kind
        self.label = f'{line.row}: {line.what}'
        self.against = f'against {line.other}'
        self.value = turn(got['median'])
        self.low, self.high = sorted((turn(got['min']), turn(got['max'])))
        self.goal = turn(line.goal) if line.goal is not None else None

    def largest(self):
        return max(self.high, self.goal or 0)

    def smallest(self):
        return min(self.low, self.goal or self.low)


class Axis:
    """Where a ratio is, in pixels from the left edge of the plot."""

    def __init__(self, bars, logarithmic):
        self.logarithmic = logarithmic
        if logarithmic:
            self.low = math.floor(min(
                0, *(math.log2(bar.smallest()) for bar in bars)))
            self.high = math.ceil(max(
                1, *(math.log2(bar.largest()) for bar in bars)))
            self.marks = [2.0 ** e for e in range(self.low, self.high + 1)]
            self.base = 1
        else:
            self.low = 0
            self.high = math.ceil(5 * max(1, *(b.largest() for b in bars))) / 5
            self.marks = [i / 5 for i in range(round(self.high * 5) + 1)]
            self.base = 0

    def at(self, ratio):
        position = math.log2(ratio) if self.logarithmic else ratio
        return (position - self.low) / (self.high - self.low) * PLOT

    def name(self, mark):
        return f'x{mark:g}' if self.logarithmic else f'{mark:.0%}'

    def figure(self, ratio):
        if not self.logarithmic:
            return f'{ratio:.0%}'
        return f'x{ratio:.1f}' if ratio >= 10 else f'x{ratio:.2f}'


class Drawing:
    def __init__(self):
        self.parts = []

    def text(self, x, y, text, css='', anchor='start'):
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" class="{css}" '
                          f'text-anchor="{anchor}">{escape(text)}</text>')

    def line(self, x1, y1, x2, y2, css):
        self.parts.append(f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" '
                          f'y2="{y2:.1f}" class="{css}"/>')

    def rect(self, x, y, width, height, css, radius=2):
        self.parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" rx="{radius}" '
                          f'width="{width:.1f}" height="{height:.1f}" '
                          f'class="{css}"/>')


def draw_panel(drawing, top, left, title, bars, axis):
    """Returns the y below it."""
    drawing.text(MARGIN, top, title, 'panel')
    top += 14
    bottom = top + STEP * len(bars)
    for mark in axis.marks:
        x = left + axis.at(mark)
        drawing.line(x, top, x, bottom + 4, 'one' if mark == 1 else 'grid')
        drawing.text(x, bottom + 18, axis.name(mark), 'small', 'middle')

    for number, bar in enumerate(bars):
        middle = top + STEP * number + STEP / 2
        draw_bar(drawing, middle, left, bar, axis)
    return bottom + 48


def draw_bar(drawing, middle, left, bar, axis):
    base, end = left + axis.at(axis.base), left + axis.at(bar.value)
    low, high = left + axis.at(bar.low), left + axis.at(bar.high)
    drawing.text(MARGIN, middle + 4.5, bar.label)
    drawing.text(left - 14, middle + 4.5, bar.against, 'small', 'end')
    drawing.rect(min(base, end), middle - BAR / 2, abs(end - base), BAR,
                 bar.kind)
    if high - low > 1:
        drawing.line(low, middle, high, middle, 'spread')
    right = max(base, end, high)
    if bar.goal is not None:
        goal = left + axis.at(bar.goal)
        drawing.line(goal, middle - BAR / 2 - 3, goal, middle + BAR / 2 + 3,
                     'goal')
        right = max(right, goal)
    drawing.text(right + 8, middle + 4.5, axis.figure(bar.value))


def draw_legend(drawing, y, kinds):
    names = (('peer', 'against another program'),
             ('itself', 'against disksum with one thread or read'),
             ('limit', 'against a limit of this machine'))
    x = MARGIN
    for kind, name in names:
        if kind in kinds:
            drawing.rect(x, y - 9, 12, 10, kind)
            drawing.text(x + 18, y, name, 'small')
            x += 18 + len(name) * 6.2 + 22
    drawing.line(x + 4, y - 10, x + 4, y + 2, 'goal')
    drawing.text(x + 14, y, 'goal', 'small')
    drawing.line(x + 62, y - 4, x + 82, y - 4, 'spread')
    drawing.text(x + 90, y, 'spread', 'small')


def write(path, lines, head, about, kinds=('peer', 'itself', 'limit')):
    bars = [Bar(line) for line in lines
            if line.other_samples and line.kind in kinds]
    panels = (('Times as fast as other programs' +
               (', and as itself' if 'itself' in kinds else ''),
               [bar for bar in bars if bar.kind != 'limit'], True),
              ('Share of what this machine allows',
               [bar for bar in bars if bar.kind == 'limit'], False))
    left = MARGIN + 50 + CHARACTER * max(
        [20, *(len(bar.label) + 0.85 * len(bar.against) for bar in bars)])
    width = max(LEGEND, left + PLOT + VALUE) + MARGIN

    drawing = Drawing()
    drawing.text(MARGIN, 36, 'disksum: speed, longer is better', 'title')
    drawing.text(MARGIN, 56, head, 'small')
    drawing.text(MARGIN, 73, about, 'small')
    y = 108
    for title, some, logarithmic in panels:
        if some:
            y = draw_panel(drawing, y, left, title, some,
                           Axis(some, logarithmic))
    draw_legend(drawing, y, {bar.kind for bar in bars})
    height = y + MARGIN

    with open(path, 'w', encoding='utf-8') as file:
        file.write(f'<svg xmlns="http://www.w3.org/2000/svg" '
                   f'width="{width:.0f}" height="{height:.0f}" '
                   f'viewBox="0 0 {width:.0f} {height:.0f}">\n'
                   f'<title>Speed of disksum</title>\n'
                   f'<style>{STYLE}</style>\n')
        card = Drawing()
        card.rect(0.5, 0.5, width - 1, height - 1, 'card', 8)
        file.write('\n'.join(card.parts + drawing.parts))
        file.write('\n</svg>\n')
