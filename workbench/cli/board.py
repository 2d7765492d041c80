"""The status board of `workbench up`: parts, queue, triggers, and what happened lately."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from workbench import ledger_queue, ledger_triggers
from workbench.cli.printing import COLOURS, SYMBOLS, one_line, seconds, when
from workbench.errors import LedgerError
from workbench.ledger import Ledger
from workbench.service.supervisor import Place
from workbench.settings import Project

LINES = 5
"""Of what happened lately."""
REQUESTS, TRIGGERS = 6, 8


class Board:
    """Draws when it is told to, in the caller's thread: a supervisor has no others."""

    def __init__(self, project: Project, ledger: Ledger, live: Live) -> None:
        self._project, self._ledger, self._live = project, ledger, live
        self._said: deque[str] = deque(maxlen=LINES)

    def say(self, line: str) -> None:
        self._said.append(f"{time.strftime('%H:%M:%S')}  {line}")

    def draw(self, places: Sequence[Place]) -> None:
        self._live.update(self.shown(places), refresh=True)

    def shown(self, places: Sequence[Place]) -> RenderableType:
        """Everything there is to see now."""
        try:
            known = [self._queue(), self._triggers()]
        except LedgerError as error:
            known = [Text(one_line(str(error)), "red")]
        said = Text("\n".join(map(one_line, self._said)), "dim", overflow="ellipsis", no_wrap=True)
        return Group(_parts(places), Text(), *known, Text(), said)

    def _queue(self) -> RenderableType:
        found = ledger_queue.requests(self._ledger, limit=REQUESTS)
        table = _table("queue")
        for each in found:
            why = each.message or each.cause.get("reason", "") or f"asked by {each.asked_by}"
            table.add_row(_sign(each.state), f"{each.id} {each.pipeline}", each.state, one_line(str(why)))
        return table if found else Text("queue  empty: workbench queue add PIPELINE", "dim")

    def _triggers(self) -> RenderableType:
        found = sorted(ledger_triggers.states(self._ledger).values(), key=lambda each: -(each.fired or 0))
        table = _table("triggers")
        for each in found[:TRIGGERS]:
            state = "failed" if each.paused_by else "done"
            fired = f"fired {when(each.fired)}" if each.fired else "not yet"
            table.add_row(_sign(state), f"{each.pipeline}.{each.trigger}", fired, one_line(each.reason))
        return table if found else Text("triggers  none: docs/automation.md", "dim")


@contextmanager
def board(project: Project) -> Iterator[Board]:
    """A board on this terminal while the block runs."""
    with Ledger.open(project) as ledger, Live(console=Console(), auto_refresh=False) as live:
        yield Board(project, ledger, live)


def _parts(places: Sequence[Place]) -> Table:
    table = _table("parts")
    for place in places:
        up = seconds(time.monotonic() - place.since) if place.process is not None else ""
        again = f", started {place.starts} times" if place.starts > 1 else ""
        what = (
            place.why
            or f"{place.part.url}  process {place.process.pid if place.process else ''}{again}".strip()
        )
        table.add_row(_sign(place.state), place.part.name, up or place.state, what)
    return table


def _table(title: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False
    )
    table.add_column(width=1)
    for _ in range(2):
        table.add_column(no_wrap=True, overflow="ellipsis")
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
    return table


def _sign(state: str) -> Text:
    return Text(SYMBOLS.get(state, "-"), COLOURS.get(state, "bright_black"))
