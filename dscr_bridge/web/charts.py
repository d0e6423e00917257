"""Charts as SVG made on the server: shapes and classes only, each beside a table that says the same in numbers."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

WIDTH, HEIGHT = 640, 250
_LEFT, _RIGHT, _TOP, _BOTTOM = 62, 12, 16, 38


@dataclass(frozen=True)
class Line:
    """One series: its name, its values by column (none where there is no figure), and whether it is published."""

    name: str
    values: tuple[float | None, ...]
    published: bool = False


def lines(title: str, columns: Sequence[str], series: Sequence[Line], unit: str = "") -> Markup:
    """Draw lines over columns; a gap stays a gap."""
    top = 100.0 if unit == "%" else _nice(max([v for s in series for v in s.values if v is not None], default=1.0))
    parts = [_frame(columns, top, unit)]
    for n, one in enumerate(series):
        parts.append(_line(one, n, len(columns), top))
    return _svg(title, parts)


def bars(title: str, columns: Sequence[str], used: Sequence[float | None], most: Sequence[float | None]) -> Markup:
    """Draw how much of a limit is used, month by month: a filled bar in an outlined one."""
    top = _nice(max([v for v in (*used, *most) if v is not None], default=1.0))
    width = _step(len(columns)) * 0.6
    parts = [_frame(columns, top, "")]
    for n, (value, limit) in enumerate(zip(used, most, strict=True)):
        x = _x(n, len(columns)) - width / 2
        if limit is not None:
            parts.append(_rect(x, limit, width, top, "chart-limit"))
        if value is not None:
            parts.append(_rect(x + 3, value, width - 6, top, "chart-used"))
    return _svg(title, parts)


def months(title: str, states: Sequence[tuple[str, str, str]]) -> Markup:
    """Draw a strip of months: (name, tone, words) each; tone is good, bad, look or none, and never the only sign."""
    step = (WIDTH - 8) / max(len(states), 1)
    marks = {"good": "\N{CHECK MARK}", "bad": "\N{MULTIPLICATION X}", "look": "!", "none": "\N{EN DASH}"}
    parts = []
    for n, (name, tone, _said) in enumerate(states):
        x, odd = 4 + n * step, " chart-odd" if n % 2 else ""
        parts.append(
            f'<rect class="chart-month chart-{tone}" x="{x + 2:.1f}" y="4" width="{step - 4:.1f}" height="44" rx="3"/>'
            f'<text class="chart-mark chart-mark-{tone}" x="{x + step / 2:.1f}" y="33">{marks[tone]}</text>'
            f'<text class="chart-label{odd}" x="{x + step / 2:.1f}" y="70">{escape(name)}</text>'
        )
    return _svg(title, parts, height=78)


def beds(title: str, kinds: Sequence[tuple[str, int]]) -> Markup:
    """Draw beds as squares, one each, by kind: occupied, reserved, accepting, other."""
    squares = [kind for kind, n in kinds for _ in range(n)]
    across = 10  # two fives, as people count
    rows = max(1, -(-len(squares) // across))
    size = 28
    parts = []
    for n, kind in enumerate(squares):
        x, y = (n % across) * size, (n // across) * size
        side = size - 5
        parts.append(
            f'<rect class="bed bed-{escape(kind)}" x="{x + 2}" y="{y + 2}" width="{side}" height="{side}" rx="3"/>'
        )
        if kind != "accepting":
            letter = {"occupied": "O", "reserved": "R"}.get(kind, "\N{EN DASH}")
            middle = x + size / 2 - 0.5
            parts.append(
                f'<text class="bed-letter bed-letter-{escape(kind)}" x="{middle}" y="{y + 19}">{letter}</text>'
            )
    return _svg(title, parts, width=across * size, height=rows * size, kind="chart chart-beds")


def _svg(
    title: str, parts: Sequence[str], width: int = WIDTH, height: int = HEIGHT, kind: str = "chart"
) -> Markup:
    head = f'<svg class="{kind}" viewBox="0 0 {width} {height}" role="img" aria-label="{escape(title)}">'
    return Markup(f"{head}{''.join(parts)}</svg>")  # noqa: S704  (numbers and escaped words only)


def _frame(columns: Sequence[str], top: float, unit: str) -> str:
    parts = []
    for n in range(5):
        value = top * n / 4
        y = _y(value, top)
        parts.append(f'<line class="chart-grid" x1="{_LEFT}" x2="{WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="chart-tick" x="{_LEFT - 6}" y="{y + 4:.1f}">{value:,.0f}{escape(unit)}</text>')
    every = max(1, -(-len(columns) // 12))
    for n, name in enumerate(columns):
        if n % every == 0:
            x = _x(n, len(columns))
            odd = " chart-odd" if n % 2 else ""  # on a phone there is room for every other one
            parts.append(f'<text class="chart-label{odd}" x="{x:.1f}" y="{HEIGHT - 10}">{escape(name)}</text>')
    return "".join(parts)


def _line(one: Line, n: int, count: int, top: float) -> str:
    kind = "chart-published" if one.published else f"chart-line chart-line-{n % 4}"
    runs: list[list[str]] = [[]]
    dots = []
    for at, value in enumerate(one.values):
        if value is None:
            runs.append([])
            continue
        x, y = _x(at, count), _y(value, top)
        runs[-1].append(f"{x:.1f},{y:.1f}")
        dots.append(_dot(n, x, y, one.published))
    drawn = "".join(f'<polyline class="{kind}" points="{" ".join(run)}"/>' for run in runs if len(run) > 1)
    return drawn + "".join(dots)


def _dot(n: int, x: float, y: float, published: bool) -> str:
    """A shape of its own for each series, so that colour is never the only sign."""
    kind = "chart-dot-published" if published else f"chart-dot-{n % 4}"
    if published or n % 4 == 0:
        return f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="4"/>'
    if n % 4 == 1:
        return f'<rect class="{kind}" x="{x - 4:.1f}" y="{y - 4:.1f}" width="8" height="8"/>'
    corners = [(0, -5), (5, 4), (-5, 4)] if n % 4 == 2 else [(0, -5), (5, 0), (0, 5), (-5, 0)]
    path = "L".join(f"{x + across:.1f} {y + down:.1f}" for across, down in corners)
    return f'<path class="{kind}" d="M{path}Z"/>'


def _rect(x: float, value: float, width: float, top: float, kind: str) -> str:
    y = _y(value, top)
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{max(_y(0, top) - y, 0):.1f}"/>'


def _step(count: int) -> float:
    return (WIDTH - _LEFT - _RIGHT) / max(count, 1)


def _x(n: int, count: int) -> float:
    return _LEFT + _step(count) * (n + 0.5)


def _y(value: float, top: float) -> float:
    return HEIGHT - _BOTTOM - (HEIGHT - _BOTTOM - _TOP) * min(value, top) / top


def _nice(most: float) -> float:
    """Give the next round number at or above, so that four grid lines fall on readable values."""
    size = 4.0
    while size < most:
        for factor in (1.0, 1.5, 2.0, 3.0, 5.0):
            if size * factor >= most:
                return size * factor
        size *= 10
    return size
