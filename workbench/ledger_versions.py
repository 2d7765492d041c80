"""Model versions as the ledger knows them: which run delivered each, and what its newest verdict says.

MLflow holds the same versions; asking it takes seconds at first, and it may be broken while the ledger is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from workbench import ledger_schema as schema
from workbench.ledger import Ledger


@dataclass(frozen=True)
class Registered:
    """One version. Times are seconds since the epoch (UTC)."""

    model: str
    version: int
    digest: str
    run: str
    step: str
    author: str | None
    made: float | None
    """When its run began; None for a run that the ledger does not know any more."""
    commit: str | None
    passed: bool | None
    """What its newest verdict says; None while it was not judged."""
    outcome: str | None
    judged: float | None
    judged_against: int | None
    """The champion at that time."""


def counts(ledger: Ledger) -> dict[str, int]:
    """How many versions each model has, by name."""
    table = schema.deliveries
    query = (
        sa.select(table.c.model, sa.func.count()).where(table.c.version.is_not(None)).group_by(table.c.model)
    )
    return {str(model): int(count) for model, count in sorted(map(tuple, ledger.read(query)))}


def registered(
    ledger: Ledger, model: str, *, limit: int | None = None, offset: int = 0, passed: bool | None = None
) -> list[Registered]:
    """A model's versions, the newest first; with `passed` those whose newest verdict is so."""
    query = _query(passed).where(schema.deliveries.c.model == model)
    query = query.order_by(schema.deliveries.c.version.desc()).limit(limit).offset(offset)
    return [Registered(**row._mapping) for row in ledger.read(query)]


def registered_version(ledger: Ledger, model: str, version: int) -> Registered | None:
    """One version; None when no run of this ledger delivered it."""
    table = schema.deliveries
    found = ledger.read(_query().where(table.c.model == model, table.c.version == version))
    return Registered(**found[0]._mapping) if found else None


def _query(passed: bool | None = None) -> sa.Select[tuple[object, ...]]:
    table, runs, verdicts = schema.deliveries, schema.runs, schema.verdicts
    newest = (
        sa.select(sa.func.max(verdicts.c.id).label("id"))
        .group_by(verdicts.c.model, verdicts.c.version)
        .subquery("newest")
    )
    judged = sa.select(verdicts).join(newest, newest.c.id == verdicts.c.id).subquery("judged")
    same = sa.and_(judged.c.model == table.c.model, judged.c.version == table.c.version)
    query: sa.Select[tuple[object, ...]] = (
        sa.select(
            table.c.model, table.c.version, table.c.digest, table.c.run, table.c.step, table.c.author,
            runs.c.started.label("made"), runs.c.git_commit.label("commit"), judged.c.passed, judged.c.outcome,
            judged.c.created.label("judged"), judged.c.champion_version.label("judged_against"),
        )
        .select_from(table.outerjoin(runs, runs.c.id == table.c.run).outerjoin(judged, same))
        .where(table.c.version.is_not(None))
    )  # fmt: skip
    return query if passed is None else query.where(judged.c.passed.is_(passed))
