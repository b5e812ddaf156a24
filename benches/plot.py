"""One SVG for each dimension: a panel for each figure, a line for each server, the cases from left to right.

Scales are logarithmic, as peers differ by factors. Colours are those of a palette that people who see colours otherwise can
tell apart, and every server has its own shape besides.
"""

import math
from xml.sax.saxutils import escape

from results import FIGURES

COLOURS = ["#0072b2", "#d55e00", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#7f7f7f", "#000000"]
SHAPES = ["circle", "square", "diamond", "triangle"]

PANEL_WIDTH, PANEL_HEIGHT = 420, 260
MARGIN_LEFT, MARGIN_TOP, MARGIN_BOTTOM, GAP = 70, 40, 100, 30
COLUMNS = 2
LEGEND_HEIGHT = 26

# Figures that are no comparison.
NOT_DRAWN = {"count"}


def draw(results, dimension):
    """The text of an SVG file; None if there is nothing to draw."""
    figures = [figure for figure in results.figures(dimension) if figure not in NOT_DRAWN]
    names = results.servers(dimension)
    if not figures:
        return None
    rows = math.ceil(len(figures) / COLUMNS)
    columns = min(COLUMNS, len(figures))
    width = columns * (PANEL_WIDTH + MARGIN_LEFT) + GAP
    height = LEGEND_HEIGHT * 2 + rows * (PANEL_HEIGHT + MARGIN_TOP + MARGIN_BOTTOM)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        text(GAP, 20, dimension.capitalize(), size=15, weight="bold"),
        *legend(names),
    ]
    for index, figure in enumerate(figures):
        left = (index % COLUMNS) * (PANEL_WIDTH + MARGIN_LEFT) + MARGIN_LEFT
        top = LEGEND_HEIGHT * 2 + (index // COLUMNS) * (PANEL_HEIGHT + MARGIN_TOP + MARGIN_BOTTOM) + MARGIN_TOP
        parts += panel(results, dimension, figure, names, left, top)
    return "\n".join([*parts, "</svg>"]) + "\n"


def legend(names):
    parts, left = [], GAP
    for index, name in enumerate(names):
        parts += [mark(index, left, 40), text(left + 10, 44, name)]
        left += 32 + 7 * len(name)
    return parts


def panel(results, dimension, figure, names, left, top):
    cases = [
        case
        for case in results.cases(dimension)
        if any(results.median(dimension, case, name, figure) for name in names)
    ]
    found = {
        (case, name): results.median(dimension, case, name, figure)
        for case in cases
        for name in names
        if (results.median(dimension, case, name, figure) or 0) > 0
    }
    parts = [text(left, top - 10, FIGURES[figure][0], weight="bold")]
    if not found:
        return parts
    low, high = scale(found.values())

    def x(case):
        return left + (cases.index(case) + 0.5) / len(cases) * PANEL_WIDTH

    def y(value):
        return top + PANEL_HEIGHT * (1 - math.log(value / low) / math.log(high / low))

    for value in ticks(low, high):
        parts.append(line(left, y(value), left + PANEL_WIDTH, y(value), "#dddddd"))
        parts.append(text(left - 6, y(value) + 4, short(value), anchor="end"))
    for case in cases:
        parts.append(tilted(x(case), top + PANEL_HEIGHT + 14, case, len(cases)))
    for index, name in enumerate(names):
        points = [(x(case), y(found[case, name])) for case in cases if (case, name) in found]
        if not points:
            continue
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in points)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour(index)}" stroke-width="1" opacity="0.45"/>')
        for case in cases:
            if (case, name) in found:
                value = found[case, name]
                parts.append(mark(index, x(case), y(value), f"{name}, {case}: {value:,.4g} {FIGURES[figure][0]}"))
    return parts


def scale(values):
    """Ends of the axis: a 1, 2 or 5 below the least and above the greatest."""
    steps = [digit * 10.0**power for power in range(-4, 9) for digit in (1, 2, 5)]
    low = max((step for step in steps if step < min(values)), default=steps[0])
    high = min((step for step in steps if step > max(values)), default=steps[-1])
    return low, high


def ticks(low, high):
    """The powers of ten between the ends; with 2 and 5 if those are few."""
    digits = (1,) if high / low > 3_000 else (1, 2, 5)
    steps = [digit * 10.0**power for power in range(-4, 9) for digit in digits]
    return [step for step in steps if low * 0.999 <= step <= high * 1.001]


def short(value):
    return f"{value / 1e6:g} M" if value >= 1e6 else f"{value / 1e3:g} k" if value >= 1e3 else f"{value:g}"


def colour(index):
    return COLOURS[index % len(COLOURS)]


def mark(index, x, y, title=None):
    """The shape of a server. Browsers show the title of one that is pointed at."""
    fill, shape = f'fill="{colour(index)}"', SHAPES[index % len(SHAPES)]
    inside = f"<title>{escape(title)}</title>" if title else ""
    if shape == "circle":
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" {fill}>{inside}</circle>'
    corners = {
        "square": [(-3.5, -3.5), (3.5, -3.5), (3.5, 3.5), (-3.5, 3.5)],
        "diamond": [(0, -5), (5, 0), (0, 5), (-5, 0)],
        "triangle": [(0, -5), (4.5, 4), (-4.5, 4)],
    }[shape]
    points = " ".join(f"{x + dx:.1f},{y + dy:.1f}" for dx, dy in corners)
    return f'<polygon points="{points}" {fill}>{inside}</polygon>'


def line(x1, y1, x2, y2, stroke):
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{stroke}"/>'


def text(x, y, words, anchor="start", size=12, weight="normal"):
    style = f'text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {style}>{escape(words)}</text>'


def tilted(x, y, words, count):
    """The name of a case under the axis: level where there is room."""
    if len(words) * 6.5 < PANEL_WIDTH / count:
        return text(x, y, words, anchor="middle", size=11)
    turn = f'text-anchor="end" font-size="10" transform="rotate(-28 {x:.1f} {y:.1f})"'
    return f'<text x="{x:.1f}" y="{y:.1f}" {turn}>{escape(words)}</text>'
