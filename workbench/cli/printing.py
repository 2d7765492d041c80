"""How things look in a terminal: tables, times, sizes, states."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from workbench.errors import Problem

SYMBOLS = {
    "run": "▸", "wait": "◦", "waiting": "·", "running": "▸", "done": "✓", "cached": "=", "failed": "✗",
    "skipped": "-", "interrupted": "!", "crashed": "✗",
}  # fmt: skip
COLOURS = {
    "run": "yellow", "wait": "cyan", "waiting": "bright_black", "running": "yellow", "done": "green",
    "cached": "blue", "failed": "red", "skipped": "bright_black", "interrupted": "magenta", "crashed": "red",
}  # fmt: skip


def print_json(value: Any) -> None:
    """One JSON document."""
    click.echo(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def coloured(state: str, text: str | None = None) -> str:
    """The text (default: the state itself) in the colour of a state; plain when piped."""
    return click.style(state if text is None else text, fg=COLOURS.get(state))


def print_table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Aligned columns, the first in the colour of its state; on a terminal the last one is cut to fit."""
    table = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in [list(head), *table]) for column in range(len(head))]
    limit = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    click.echo(click.style(_line(head, widths, limit), dim=True))
    for row in table:
        line = _line(row, widths, limit)
        click.echo(coloured(row[0], line[: widths[0]]) + line[widths[0] :])


def _line(row: Sequence[str], widths: Sequence[int], limit: int | None) -> str:
    cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
    line = "  ".join(cells).rstrip()
    return cut(line, limit) if limit else line


def cut(text: str, length: int) -> str:
    return text if len(text) <= length else f"{text[: max(0, length - 1)]}…"


def one_line(text: str) -> str:
    """Text without line breaks and control characters: a notebook may print anything."""
    return "".join(sign if sign.isprintable() else " " for sign in text).strip()


def seconds(value: float | None) -> str:
    """0.12 s, 34 s, 2 min 05 s, 1 h 02 min."""
    if value is None:
        return ""
    if value < 59.5:
        return f"{value:.2f} s" if value < 9.995 else f"{value:.0f} s"
    minutes, rest = divmod(round(value), 60)
    if minutes < 60:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def size(count: int) -> str:
    """12 B, 3.4 kB, 5.6 MB, 7.8 GB."""
    value, units = float(count), ["B", "kB", "MB", "GB", "TB"]
    while value >= 999.5 and len(units) > 1:
        value /= 1000
        units.pop(0)
    return f"{value:.0f} {units[0]}" if units[0] == "B" else f"{value:.1f} {units[0]}"


def when(moment: float | None) -> str:
    """Local time."""
    import time

    return "" if moment is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment))


def counted(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def counts(states: Iterable[str], name: Callable[[str], str] = str) -> str:
    """3 done, 5 cached, 1 failed."""
    found: dict[str, int] = {}
    for state in states:
        found[state] = found.get(state, 0) + 1
    return ", ".join(f"{found[state]} {name(state)}" for state in COLOURS if state in found)


def short_path(path: Path | str) -> str:
    """Relative to the working directory where that is shorter to read."""
    try:
        relative = os.path.relpath(path)
    except ValueError:  # another drive
        return str(path)
    return str(path) if relative.startswith(os.pardir) else relative


def short_problem(problem: Problem) -> str:
    return str(replace(problem, file=short_path(problem.file)) if problem.file else problem)
