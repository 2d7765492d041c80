"""The history of runs, a page at a time: what is shown is what is asked for, however many runs there are."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench.ledger import Ledger
from workbench.ledger_rows import Run, as_run


@dataclass(frozen=True)
class Filter:
    """Which runs are looked for; None: whatever it is."""

    pipeline: str | None = None
    state: str | None = None


def counts(ledger: Ledger) -> dict[tuple[str, str], int]:
    """How many runs there are, by pipeline and state."""
    table = schema.runs
    query = sa.select(table.c.pipeline, table.c.state, sa.func.count().label("number")).group_by(
        table.c.pipeline, table.c.state
    )
    return {(row.pipeline, row.state): row.number for row in ledger.read(query)}


def matching(counted: dict[tuple[str, str], int], wanted: Filter) -> int:
    """How many of the counted runs a filter leaves."""
    return sum(
        count
        for (pipeline, state), count in counted.items()
        if wanted.pipeline in (None, pipeline) and wanted.state in (None, state)
    )


def page(ledger: Ledger, wanted: Filter, offset: int, limit: int) -> list[Run]:
    """Runs, the newest first, from the one at `offset` (0: the newest)."""
    table = schema.runs
    query = sa.select(table).order_by(table.c.started.desc(), table.c.id.desc())
    if wanted.pipeline is not None:
        query = query.where(table.c.pipeline == wanted.pipeline)
    if wanted.state is not None:
        query = query.where(table.c.state == wanted.state)
    return [as_run(row) for row in ledger.read(query.offset(offset).limit(limit))]


def step_counts(ledger: Ledger, runs: list[str]) -> dict[str, Counter[str]]:
    """How many steps of each run are in which state."""
    table = schema.step_runs
    query = sa.select(table.c.run, table.c.state, sa.func.count().label("number")).where(
        table.c.run.in_(runs)
    )
    found: dict[str, Counter[str]] = {run: Counter() for run in runs}
    for row in ledger.read(query.group_by(table.c.run, table.c.state)):
        found[row.run][row.state] = row.number
    return found


def by_id(ledger: Ledger, run: str) -> list[Run]:
    """The run with this id: one, or none."""
    return [as_run(row) for row in ledger.read(sa.select(schema.runs).where(schema.runs.c.id == run))]
