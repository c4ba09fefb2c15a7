"""A plot of two servers' costs as SVG: a bar per operation on a logarithmic scale, with the ratio as its number."""

from collections.abc import Sequence
from html import escape
from math import log10

from tests.bench.measuring import Row

WIDTH, LABEL, LINE, TOP = 900, 300, 22, 56
LIGHT, DARK, GRID = "#c9d6e8", "#1f5fa8", "#dddddd"


def ratios(pairs: Sequence[tuple[Row, Row]], title: str) -> str:
    """Bars from the first server's CPU per operation (dark) to the second's (light), with how many times it is."""
    costs = [row.cpu_ms for pair in pairs for row in pair if row.cpu_ms > 0]
    if not costs:
        return _document(TOP, [])
    low, high = _decade(min(costs)), _decade(max(costs)) + 1
    height = TOP + LINE * len(pairs) + 20

    def place(cost_ms: float) -> float:
        return LABEL + (log10(max(cost_ms, 10**low)) - low) / (high - low) * (WIDTH - LABEL - 60)

    parts = [_text(10, 22, title, "font-size='16'")]
    for decade in range(low, high + 1):
        x = place(10**decade)
        parts.append(f"<line x1='{x:.0f}' x2='{x:.0f}' y1='{TOP - 6}' y2='{height - 14}' stroke='{GRID}'/>")
        parts.append(_text(x, TOP - 10, f"{10**decade:g} ms", "text-anchor='middle' fill='#666666'"))
    for index, (ours, theirs) in enumerate(pairs):
        y = TOP + index * LINE
        parts.append(_text(LABEL - 8, y + 14, ours.name, "text-anchor='end'"))
        for row, colour, inset in ((theirs, LIGHT, 2), (ours, DARK, 6)):
            width = place(row.cpu_ms) - LABEL
            size = f"width='{width:.1f}' height='{LINE - 2 * inset - 2}'"
            parts.append(f"<rect x='{LABEL}' y='{y + inset}' {size} fill='{colour}'/>")
        if ours.cpu_ms > 0:
            parts.append(_text(place(theirs.cpu_ms) + 6, y + 14, f"{theirs.cpu_ms / ours.cpu_ms:.1f} x", ""))
    return _document(height, parts)


def _decade(value: float) -> int:
    return int(log10(value) // 1)


def _text(x: float, y: float, text: str, options: str) -> str:
    return f"<text x='{x:.0f}' y='{y:.0f}' {options}>{escape(text)}</text>"


def _document(height: int, parts: Sequence[str]) -> str:
    size = f"width='{WIDTH}' height='{height}' font-family='sans-serif' font-size='12'"
    head = f"<svg xmlns='http://www.w3.org/2000/svg' {size}>"
    return "\n".join([head, "<rect width='100%' height='100%' fill='white'/>", *parts, "</svg>"]) + "\n"
