"""Which predictions are read, and what of them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Any

from workbench.errors import BadInput, did_you_mean
from workbench.prediction_log.encoding import Stored
from workbench.prediction_log.entries import KINDS, whole_micros

Moment = datetime | date | str | float


@dataclass(frozen=True)
class Asked:
    """Which predictions, and what of them. Moments are seconds since the epoch."""

    since: float = -math.inf
    until: float = math.inf
    versions: frozenset[int] | None = None
    kinds: frozenset[str] | None = None
    columns: Sequence[str] | None = None
    outcomes: bool = False

    @classmethod
    def of(
        cls, since: Moment | None, until: Moment | None, versions: Collection[int] | None, kinds: Collection[str] | None,
        columns: Sequence[str] | None, *, outcomes: bool,
    ) -> Asked:  # fmt: skip
        """As `read` takes them. Raises BadInput."""
        for kind in kinds or ():
            if kind not in KINDS:
                raise BadInput(f"'{kind}' is no kind of prediction{did_you_mean(kind, KINDS)}")
        return cls(
            _moment(since, -math.inf), _moment(until, math.inf),
            None if versions is None else frozenset(map(int, versions)),
            None if kinds is None else frozenset(kinds), columns, outcomes,
        )  # fmt: skip

    def has_day(self, day: date) -> bool:
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        after = (start + timedelta(days=1)).timestamp()
        return after > self.since and start.timestamp() < self.until

    def has(self, entry: Stored) -> bool:
        return (
            self.since <= entry.came < self.until
            and (self.versions is None or entry.shape.version in self.versions)
            and (self.kinds is None or entry.shape.kind in self.kinds)
        )

    @cached_property
    def filter(self) -> Any:
        """The same for Arrow; None for all."""
        import pyarrow as pa
        import pyarrow.dataset as ds

        moment = pa.timestamp("us", "UTC")
        parts = []
        if math.isfinite(self.since):
            parts.append(ds.field("came") >= pa.scalar(round(self.since * 1e6), moment))
        if math.isfinite(self.until):
            parts.append(ds.field("came") < pa.scalar(round(self.until * 1e6), moment))
        if self.versions is not None:
            parts.append(ds.field("version").isin(sorted(self.versions)))
        if self.kinds is not None:
            parts.append(ds.field("kind").cast(pa.string()).isin(sorted(self.kinds)))
        whole = None
        for part in parts:
            whole = part if whole is None else whole & part
        return whole


def _moment(value: Moment | None, default: float) -> float:
    """Seconds since the epoch. Raises BadInput."""
    if value is None or isinstance(value, int | float):
        return default if value is None or math.isinf(value) else whole_micros(value)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError:
            raise BadInput(
                f"'{value}' is no date or time; expected such as 2026-03-02 or 2026-03-02T08:00"
            ) from None
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    return whole_micros((value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp())
