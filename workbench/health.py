"""A window of the prediction log for itself: does it keep the contract, is it enough, is it fresh, is it answered in time.

health
├── rows of the window, batch by batch, held against the version's contract (prediction_log, contracts)
├── rows that batch scoring set aside, and requests that were refused or failed (prediction_log.tallies)
└── how long requests took, which the rows themselves say

A server refuses what breaks the contract before it is answered, and batch scoring sets it aside, so the rows of the log
alone would always look well: each rule is measured where it can be broken (see Rate.source).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from workbench.contracts.check import check
from workbench.contracts.contract import Column, Contract
from workbench.monitoring import KINDS, rows_within
from workbench.prediction_log.overview import on_record
from workbench.prediction_log.reading import read
from workbench.prediction_log.tables import INPUT, KEY
from workbench.prediction_log.tallies import Requests, requests, set_aside
from workbench.settings import Project

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

EDGES = np.geomspace(1e-5, 1e3, 1_601)
"""Seconds between which latencies are counted: quantiles are right to 1.2 %, whatever the number of requests."""

Source = Literal["answered", "batch", "requests"]


@dataclass(frozen=True)
class Rate:
    """How often one rule of the contract is broken."""

    rule: str
    source: Source
    """Of `answered` rows; of rows that `batch` scoring read; of `requests` to a server, answered or refused."""
    broken: int
    of: int

    @property
    def share(self) -> float:
        """0 to 1."""
        return self.broken / self.of if self.of else 0.0


@dataclass(frozen=True)
class Latency:
    """Seconds from a request's head to its answer, in the server; shares of requests below."""

    requests: int
    median: float
    p95: float
    p99: float


@dataclass(frozen=True)
class Health:
    """What a window looks like by itself."""

    rows: int
    newest: datetime | None
    """When its newest row was answered, or the day of it (UTC); None for a window without rows."""
    rates: tuple[Rate, ...]
    """Every rule of the contract that could be looked at, the most broken first."""
    requests: Requests = field(default_factory=Requests)
    """Of the model, whichever version; none where no server has counted."""
    latency: Latency | None = None
    """None where no row was answered by a server."""
    allowed: frozenset[str] = frozenset()
    """Rules among `rates` that the contract does not have: how often a column is missing that may be."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "rows": self.rows,
            "newest": self.newest.isoformat() if self.newest else None,
            "rates": [{**asdict(each), "share": each.share} for each in self.rates],
            "requests": {**asdict(self.requests), "errors": self.requests.errors},
            "latency": asdict(self.latency) if self.latency else None,
        }


def health(
    project: Project,
    model: str,
    version: int,
    contract: Contract | None,
    *,
    since: datetime,
    until: datetime,
    day: str | None = None,
) -> Health:
    """Measure what a version answered from `since` up to, not including, `until` (UTC).

    `day` as for `watch` (monitoring). `contract` is the version's; None where it has none. Raises BadInput for a key that
    no prediction has, LogError.
    """
    counted = _Counted()
    if model in on_record(project):
        for frame, moments in _frames(project, model, version, contract, (since, until), day):
            counted.add(frame, moments, contract)
    asked = requests(project, model, since.timestamp(), until.timestamp())
    aside = set_aside(project, model, version, since, until, day)
    rates = [Rate(rule, "answered", broken, counted.rows) for rule, broken in counted.broken.items()]
    rates += [Rate(rule, "batch", broken, aside.read) for rule, broken in aside.rules.items()]
    judged = sum(count for status, count in asked.statuses.items() if status < 400 or status == 422)
    rates += [Rate(rule, "requests", broken, judged) for rule, broken in asked.rules.items()]
    rates.sort(key=lambda rate: (-rate.share, rate.rule))
    columns = contract.columns if contract else ()
    allowed = frozenset(missing_rule(column) for column in columns if column.nullable)
    return Health(counted.rows, counted.newest, tuple(rates), asked, counted.latency, allowed)


def missing_rule(column: Column) -> str:
    """The name under which it is counted that a column has no value."""
    return f"{column.name} is missing"


class _Counted:
    """What was seen of the rows so far."""

    def __init__(self) -> None:
        self.rows = 0
        self.broken: Counter[str] = Counter()
        self._newest: np.datetime64 | None = None
        self._latencies: NDArray[np.int64] = np.zeros(len(EDGES) + 1, dtype=np.int64)

    def add(self, frame: pd.DataFrame, moments: NDArray[np.datetime64], contract: Contract | None) -> None:
        self.rows += len(frame)
        newest = moments.max()
        self._newest = newest if self._newest is None else max(self._newest, newest)
        first = frame["latency"].to_numpy(dtype=float)[frame["row"].to_numpy() == 0]
        placed = np.searchsorted(EDGES, first[~np.isnan(first)])
        self._latencies += np.bincount(placed, minlength=len(self._latencies))
        if contract is not None:
            for rule, broken in _broken(frame, contract).items():
                self.broken[rule] += broken

    @property
    def newest(self) -> datetime | None:
        if self._newest is None:
            return None
        found: datetime = self._newest.astype("datetime64[us]").item()
        return found.replace(tzinfo=UTC)

    @property
    def latency(self) -> Latency | None:
        total = int(self._latencies.sum())
        if not total:
            return None
        reached = np.cumsum(self._latencies)
        places = [int(np.searchsorted(reached, share * total)) for share in (0.5, 0.95, 0.99)]
        median, p95, p99 = (float(EDGES[min(place, len(EDGES) - 1)]) for place in places)
        return Latency(total, median, p95, p99)


def _broken(frame: pd.DataFrame, contract: Contract) -> Mapping[str, int]:
    """Rows that break each rule, and those without a value of a column that may have none."""
    features = [column for column in contract.columns if f"{INPUT}{column.name}" in frame.columns]
    given = frame[[f"{INPUT}{column.name}" for column in features]]
    given.columns = given.columns.str.removeprefix(INPUT)
    checked = check(given, contract)
    found = {each.rule: each.count for each in checked.breaches if each.severity != "exclude"}
    found |= {
        missing_rule(column): int(given[column.name].isna().sum()) for column in features if column.nullable
    }
    return found


def _frames(
    project: Project,
    model: str,
    version: int,
    contract: Contract | None,
    window: tuple[datetime, datetime],
    day: str | None,
) -> Iterator[tuple[pd.DataFrame, NDArray[np.datetime64]]]:
    """Rows of the window with what the model was given, batch by batch, and the moment or day of each."""
    time = "came" if day is None else f"{KEY}{day}"
    wanted = [f"{INPUT}{column.name}" for column in contract.columns] if contract else []
    since, until = window if day is None else (None, None)
    log = {"since": since, "until": until, "versions": [version], "kinds": KINDS}
    there = _columns(read(project, model, **log))  # type: ignore[arg-type]
    if not any(name.startswith(INPUT) for name in there):
        return  # whatever was asked was refused
    columns = [time, "latency", "row", *(name for name in wanted if name in there)]
    yield from rows_within(read(project, model, columns=columns, **log), time, window)  # type: ignore[arg-type]


def _columns(reader: pa.RecordBatchReader) -> set[str]:
    """What there is, without reading any of it."""
    with reader:
        return set(reader.schema.names)
