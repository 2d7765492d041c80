"""Drawings of figures with their intervals, as SVG inside a page: no script, no picture file, light or dark as the page is."""

from __future__ import annotations

import html
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from workbench.evaluation import Interval
from workbench.pages import Html, escaped

COLOURS = ("#8a8f98", "#4c7fd0", "#dd8452", "#3fa66b", "#9d6fd0", "#c9577a")
"""Readable on white and on black."""

WIDTH, NARROW, HEIGHT = 760.0, 430.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 56.0, 14.0, 14.0, 30.0


@dataclass(frozen=True)
class Line:
    """Figures that belong together, one a tick; None leaves a gap."""

    name: str
    values: Sequence[Interval | None]
    colour: str


def chart(
    title: str, ticks: Sequence[str], lines: Sequence[Line], *, zero: bool = False, width: float = WIDTH
) -> Html:
    """Lines over ticks, each figure with its interval; with `zero`, the line at nought is drawn."""
    known = [each for line in lines for each in line.values if each is not None]
    low, high = _range(known, zero)
    steps = _steps(low, high)
    scale = _Scale(width, len(ticks), len(lines), min(low, steps[0]), max(high, steps[-1]))
    drawn = [*_grid(scale, steps, ticks, zero)]
    for number, line in enumerate(lines):
        drawn += _line(scale, line, number)
    legend = "".join(
        f'<span style="margin-right:1.2rem"><b style="color:{line.colour}">●</b> {escaped(line.name)}</span>'
        for line in lines
    )
    return Html(
        f'<figure><figcaption class="muted">{html.escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {width:g} {HEIGHT:g}" role="img" aria-label="{html.escape(title)}" '
        'style="width:100%;height:auto;font-size:13px" fill="currentColor">'
        f"{''.join(drawn)}</svg>{legend if len(lines) > 1 else ''}</figure>"
    )


def beside(*parts: Html) -> Html:
    """Drawings next to each other where there is room."""
    inside = "".join(f'<div style="flex:1 1 24rem">{part.markup}</div>' for part in parts)
    return Html(f'<div style="display:flex;flex-wrap:wrap;gap:1rem">{inside}</div>')


@dataclass(frozen=True)
class _Scale:
    """From figures to places."""

    width: float
    ticks: int
    lines: int
    low: float
    high: float

    def x(self, tick: int, line: float) -> float:
        room = (self.width - LEFT - RIGHT) / self.ticks
        return LEFT + room * (tick + 0.5) + (line - (self.lines - 1) / 2) * min(7.0, room / (self.lines + 1))

    def y(self, value: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (self.high - value) / (self.high - self.low)


def _range(known: Sequence[Interval], zero: bool) -> tuple[float, float]:
    limits = [limit for each in known for limit in (each.low, each.value, each.high) if math.isfinite(limit)]
    limits += [0.0] if zero or not limits else []
    low, high = min(limits), max(limits)
    return (low, high) if high - low > 1e-9 else (low - 0.01, high + 0.01)


def _steps(low: float, high: float) -> list[float]:
    """Round figures around the range, four to eight of them."""
    rough = (high - low) / 4
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * each for each in (1, 2, 2.5, 5, 10) if power * each >= rough)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [each * step for each in range(first, last + 1)]


def _grid(scale: _Scale, steps: Sequence[float], ticks: Sequence[str], zero: bool) -> Iterator[str]:
    digits = max(0, -math.floor(math.log10(steps[1] - steps[0]) + 1e-9))
    digits += 1 if round((steps[1] - steps[0]) * 10**digits, 6) % 1 else 0
    for step in steps:
        y = scale.y(step)
        strong = zero and abs(step) < 1e-12
        yield (
            f'<line x1="{LEFT:g}" x2="{scale.width - RIGHT:g}" y1="{y:.1f}" y2="{y:.1f}" stroke="currentColor" '
            f'stroke-opacity="{0.6 if strong else 0.15}"/>'
            f'<text x="{LEFT - 8:g}" y="{y + 4:.1f}" text-anchor="end" opacity="0.7">{step:.{digits}f}</text>'
        )
    for number, tick in enumerate(ticks):
        x = scale.x(number, (scale.lines - 1) / 2)
        yield (
            f'<text x="{x:.1f}" y="{HEIGHT - 8:g}" text-anchor="middle" opacity="0.7">{html.escape(tick)}</text>'
        )


def _line(scale: _Scale, line: Line, number: int) -> Iterator[str]:
    colour = line.colour
    places = [(scale.x(tick, number), each) for tick, each in enumerate(line.values) if each is not None]
    path = " ".join(f"{x:.1f},{scale.y(each.value):.1f}" for x, each in places)
    yield f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.8"/>'
    for x, each in places:
        if math.isfinite(each.low) and math.isfinite(each.high):
            yield (
                f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{scale.y(each.low):.1f}" y2="{scale.y(each.high):.1f}" '
                f'stroke="{colour}" stroke-opacity="0.55" stroke-width="1.4"/>'
            )
        told = f"{line.name}: {each.value:.4f} ({each.low:.4f} to {each.high:.4f})"
        yield (
            f'<circle cx="{x:.1f}" cy="{scale.y(each.value):.1f}" r="3.6" fill="{colour}">'
            f"<title>{html.escape(told)}</title></circle>"
        )
