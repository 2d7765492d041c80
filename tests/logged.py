"""Requests for the prediction log, as a server would write them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import numpy as np

from workbench.prediction_log.entries import Logged
from workbench.prediction_log.labels import Labelling

MODEL = "m"
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
DAY = 86_400.0
BY_FLIGHT = Labelling("late", ("date", "flight"))


def request_id(number: int, moment: float = NOON) -> str:
    """A UUID of version 7, different for each number."""
    return f"{round(moment * 1000):012x}7{number % 4096:03x}8{uuid.uuid5(uuid.NAMESPACE_OID, str(number)).hex[:15]}"


def entry(number: int = 0, rows: int = 1, **more: Any) -> Logged:
    """A request whose values all differ from those of other numbers."""
    came = more.pop("came", NOON)
    values = np.arange(rows, dtype=np.float64) + number * 1_000
    told: dict[str, Any] = {
        "request": request_id(number, came), "model": MODEL, "version": 1, "digest": "d" * 64, "kind": "champion",
        "came": came, "latency": 0.004, "rows": rows, "probabilities": 1 / (values + 1.7),
        "inputs": {"x": values / 3, "k": np.array(["ä"] * rows, dtype=object)},
        "keys": {"date": ["2026-03-02"] * rows, "flight": (number * 1_000 + np.arange(rows)).tolist()},
    }  # fmt: skip
    return Logged(**{**told, **more})


def ids(*entries: Logged) -> list[str]:
    return [f"{each.request}-{row}" for each in entries for row in range(each.rows)]
