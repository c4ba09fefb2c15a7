"""Plots of two servers' costs as SVG: a bar per operation with the ratio as its number, and curves of growth.

All scales are logarithmic. The first server of a pair is dark, the second light.
"""

import re
from collections.abc import Callable, Sequence
from html import escape
from math import ceil, floor, log10

from tests.bench.measuring import Row

WIDTH, LABEL, LINE, TOP = 900, 300, 22, 56
CHART, MARGIN = 420, 60
LIGHT, DARK, GRID = "#9db8da", "#1f5fa8", "#dddddd"
Pairs = Sequence[tuple[Row, Row]]
Place = Callable[[float], float]
_GROWTH = re.compile(r"growth: (?P<what>.+), (?P<size>[\d,]+) (?P<of>.+)")


def ratios(pairs: Pairs, title: str) -> str:
    """Bars of the CPU per operation of both, with how many times the second costs."""
    costs = [row.cpu_ms for pair in pairs for row in pair if row.cpu_ms > 0]
    if not costs:
        return _document(WIDTH, TOP, [])
    height = TOP + LINE * len(pairs) + 20
    place = _scale(costs, LABEL, WIDTH - 60)
    parts = [_text(10, 22, title, "font-size='16'")]
    for decade in _decades(costs):
        x = place(decade)
        parts.append(_line(x, TOP - 6, x, height - 14))
        parts.append(_text(x, TOP - 10, f"{decade:g} ms", "text-anchor='middle' fill='#666666'"))
    for index, (ours, theirs) in enumerate(pairs):
        y = TOP + index * LINE
        parts.append(_text(LABEL - 8, y + 14, ours.name, "text-anchor='end'"))
        for row, colour, inset in ((theirs, LIGHT, 2), (ours, DARK, 6)):
            size = f"width='{place(max(row.cpu_ms, min(costs))) - LABEL:.1f}' height='{LINE - 2 * inset - 2}'"
            parts.append(f"<rect x='{LABEL}' y='{y + inset}' {size} fill='{colour}'/>")
        if ours.cpu_ms > 0:
            x = place(max(theirs.cpu_ms, ours.cpu_ms)) + 6
            parts.append(_text(x, y + 14, f"{theirs.cpu_ms / ours.cpu_ms:.1f} x", ""))
    return _document(WIDTH, height, parts)


def growth(pairs: Pairs, titles: tuple[str, str]) -> str:
    """A chart for each kind of operation that was measured at several sizes: CPU per operation against the size."""
    charts: dict[str, list[tuple[float, float, float]]] = {}
    for ours, theirs in pairs:
        if found := _GROWTH.fullmatch(ours.name):
            points = charts.setdefault(f"{found['what']}, by {found['of']}", [])
            points.append((float(found["size"].replace(",", "")), ours.cpu_ms, theirs.cpu_ms))
    parts = []
    for index, (name, points) in enumerate(charts.items()):
        parts += [f"<g transform='translate({index * CHART} 0)'>", *_chart(name, points, titles), "</g>"]
    return _document(CHART * max(1, len(charts)), CHART, parts)


def _chart(name: str, points: Sequence[tuple[float, float, float]], titles: tuple[str, str]) -> list[str]:
    costs = [cost for _, *both in points for cost in both if cost > 0] or [1.0]
    across = _scale([size for size, *_ in points], MARGIN, CHART - 20)
    down = _scale(costs, CHART - MARGIN, TOP)
    parts = [_text(MARGIN, 22, name, "font-size='14'")]
    for decade in _decades(costs):
        parts.append(_line(MARGIN, down(decade), CHART - 20, down(decade)))
        parts.append(_text(MARGIN - 6, down(decade) + 4, f"{decade:g} ms", "text-anchor='end' fill='#666666'"))
    for size, *_ in points:
        parts.append(_text(across(size), CHART - MARGIN + 18, f"{size:,.0f}", "text-anchor='middle' fill='#666666'"))
    for which, (title, colour) in enumerate(zip(titles, (DARK, LIGHT), strict=True), 1):
        curve = [(across(point[0]), down(max(point[which], min(costs)))) for point in points]
        where = " ".join(f"{x:.0f},{y:.0f}" for x, y in curve)
        parts.append(f"<polyline points='{where}' fill='none' stroke='{colour}' stroke-width='2'/>")
        parts += [f"<circle cx='{x:.0f}' cy='{y:.0f}' r='3' fill='{colour}'/>" for x, y in curve]
        parts.append(_text(MARGIN, CHART - 8 - 14 * (2 - which), title, f"fill='{colour}'"))
    return parts


def _scale(values: Sequence[float], first: float, last: float) -> Place:
    """A logarithmic scale from the decade below the smallest value to the one above the largest."""
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    return lambda value: first + (log10(value) - low) / max(high - low, 1) * (last - first)


def _decades(values: Sequence[float]) -> list[float]:
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    return [10.0**power for power in range(low, max(high, low + 1) + 1)]


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f"<line x1='{x1:.0f}' y1='{y1:.0f}' x2='{x2:.0f}' y2='{y2:.0f}' stroke='{GRID}'/>"


def _text(x: float, y: float, text: str, options: str) -> str:
    return f"<text x='{x:.0f}' y='{y:.0f}' {options}>{escape(text)}</text>"


def _document(width: int, height: int, parts: Sequence[str]) -> str:
    size = f"width='{width}' height='{height}' font-family='sans-serif' font-size='12'"
    head = f"<svg xmlns='http://www.w3.org/2000/svg' {size}>"
    return "\n".join([head, "<rect width='100%' height='100%' fill='white'/>", *parts, "</svg>"]) + "\n"
