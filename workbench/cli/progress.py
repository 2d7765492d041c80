"""A run on a terminal: one line a step, redrawn while it happens.

With more steps than lines: those that run, what failed, and counts of the rest.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from workbench.cli.lines import Display
from workbench.cli.printing import COLOURS, SYMBOLS, counts, one_line, seconds
from workbench.events import (
    CellStarted,
    Event,
    RunStarted,
    StepFinished,
    StepOutput,
    StepRetried,
    StepStarted,
)

NARROW, NARROWER = 72, 40
"""Columns below which the cell count, and then the last output, is left out."""


@dataclass
class Row:
    """What is known of one step."""

    step: str
    state: str = "waiting"
    since: float = 0.0
    took: float | None = None
    cell: int = 0
    cells: int = 0
    said: str = ""
    """The last line of output while it runs; else the reason or the failure."""


class LiveBoard(Display):
    """The display on a terminal."""

    def __init__(self, steps: Sequence[str], console: Console | None = None) -> None:
        self._console = console or Console()
        self._rows = {step: Row(step) for step in steps}
        self._run = ""
        self._live = Live(get_renderable=self._draw, console=self._console, refresh_per_second=8)

    def __enter__(self) -> LiveBoard:
        self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()

    def listen(self, event: Event) -> None:
        if isinstance(event, RunStarted):
            self._run = event.run
        step = getattr(event, "step", None)
        row = self._rows.get(step) if step else None
        if row is None:
            return
        if isinstance(event, StepStarted):
            row.state, row.since, row.cell, row.cells = "running", event.time, 0, event.cells
            row.said = event.reason
        elif isinstance(event, CellStarted):
            row.cell, row.cells = event.cell, event.cells
        elif isinstance(event, StepOutput):
            row.said = event.line
        elif isinstance(event, StepRetried):
            row.state = "waiting"
            row.said = f"attempt {event.attempt} failed: {event.failure.message}"
        elif isinstance(event, StepFinished):
            row.state, row.took = event.state, event.seconds or None
            row.said = event.failure.message if event.failure else _calm(event.reason)

    def _draw(self) -> RenderableType:
        now, width = time.time(), self._console.width
        rows = list(self._rows.values())
        room = max(3, self._console.height - 2)
        shown = rows if len(rows) <= room else _important(rows, room - 1)
        table = Table.grid(padding=(0, 1))
        table.add_column(width=1)
        table.add_column(no_wrap=True, overflow="ellipsis", max_width=max(8, width * 2 // 5))
        table.add_column(no_wrap=True, justify="right")
        if width >= NARROW:
            table.add_column(no_wrap=True, justify="right")
        if width >= NARROWER:
            table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        for row in shown:
            table.add_row(*_cells(row, now, width))
        if len(shown) < len(rows):
            table.add_row("", Text(counts(row.state for row in rows), overflow="ellipsis"))
        return table


def _cells(row: Row, now: float, width: int) -> list[Text]:
    colour = COLOURS[row.state]
    took = row.took if row.state != "running" else now - row.since
    cells = [Text(SYMBOLS[row.state], colour), Text(row.step), Text(seconds(took), "dim")]
    if width >= NARROW:
        cells.append(Text(f"{row.cell}/{row.cells}" if row.state == "running" and row.cells else "", "dim"))
    if width >= NARROWER:
        said = row.said or (row.state if row.state != "waiting" else "")
        cells.append(Text(one_line(said), "red" if row.state == "failed" else "dim"))
    return cells


def _important(rows: Sequence[Row], room: int) -> list[Row]:
    """As many rows as fit: running ones, failed ones, then those that ended last; in the order of the steps."""
    rank = {"running": 0, "failed": 1, "interrupted": 2, "done": 3}
    ended = [(rank[row.state], -row.since, place) for place, row in enumerate(rows) if row.state in rank]
    return [rows[place] for place in sorted(place for _, _, place in sorted(ended)[:room])]


def _calm(reason: str) -> str:
    return "" if reason == "unchanged" else reason
