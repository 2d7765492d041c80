"""What a server counts (`/metrics`), and what happened between two looks at it. Pure.

Quantiles of latencies are those of Prometheus's `histogram_quantile`: within a bucket, requests count as evenly spread.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import Any

Counts = dict[str, float]


@dataclass(frozen=True)
class Counted:
    """What was counted of one model until a moment, in all workers."""

    statuses: Mapping[str, float]
    """Requests by status."""
    seconds: Mapping[float, float]
    """Requests that took at most so many seconds."""
    rows: float
    swaps: float
    shadowed: Mapping[str, float]
    """Requests of the shadow by what became of them."""
    versions: Mapping[str, int]
    """Workers by the version that they serve."""
    ready: bool
    alert: bool

    @property
    def requests(self) -> float:
        return sum(self.statuses.values())


@dataclass(frozen=True)
class Sample:
    """One look. `at` is seconds since the epoch."""

    at: float
    in_hand: int
    models: Mapping[str, Counted]


@dataclass(frozen=True)
class Rates:
    """What happened between two looks, of one model."""

    requests: float
    """A second."""
    rows: float
    """A second."""
    errors: float | None
    """Share with a status of 500 and above, 0 to 1; None where nothing was asked, as in the next four."""
    refused: float | None
    """Share with a status of 400 to 499."""
    median: float | None
    """Seconds, as the next two."""
    p95: float | None
    p99: float | None


def sample(text: str, at: float) -> Sample:
    """What `/metrics` says. Raises ValueError for a text that is none of Prometheus."""
    from prometheus_client.parser import text_string_to_metric_families

    found: dict[str, dict[str, Any]] = {}
    in_hand = 0.0
    for family in text_string_to_metric_families(text):
        for each in family.samples:
            if each.name == "workbench_requests_in_hand":
                in_hand += each.value
            elif model := each.labels.get("model"):
                _note(found.setdefault(model, _nothing()), each.name, each.labels, each.value)
    return Sample(at, int(in_hand), {model: Counted(**told) for model, told in sorted(found.items())})


def between(before: Sample, now: Sample, model: str) -> Rates | None:
    """None where there is nothing to compare: another server has begun to count, or no time has passed."""
    was, is_ = before.models.get(model), now.models.get(model)
    seconds = now.at - before.at
    if was is None or is_ is None or seconds <= 0 or is_.requests < was.requests:
        return None
    statuses = {status: count - was.statuses.get(status, 0.0) for status, count in is_.statuses.items()}
    asked = sum(statuses.values())
    spread = {at: count - was.seconds.get(at, 0.0) for at, count in is_.seconds.items()}
    return Rates(
        asked / seconds,
        (is_.rows - was.rows) / seconds,
        _share(statuses, asked, 500, 600),
        _share(statuses, asked, 400, 500),
        *(quantile(spread, share) for share in (0.5, 0.95, 0.99)),
    )


def quantile(spread: Mapping[float, float], share: float) -> float | None:
    """Of a cumulative histogram: counts by upper bound, the last one infinite. None where it is empty."""
    bounds = sorted(spread)
    total = spread[bounds[-1]] if bounds else 0.0
    if not total:
        return None
    below, low = 0.0, 0.0
    for bound in bounds:
        if spread[bound] >= share * total:
            if bound == inf:
                return low
            return low + (bound - low) * (share * total - below) / (spread[bound] - below)
        below, low = spread[bound], bound
    return low


def _nothing() -> dict[str, Any]:
    return {
        "statuses": {}, "seconds": {}, "rows": 0.0, "swaps": 0.0, "shadowed": {}, "versions": {}, "ready": False,
        "alert": False,
    }  # fmt: skip


def _note(told: dict[str, Any], name: str, labels: Mapping[str, str], value: float) -> None:
    if name == "workbench_requests_total":
        _add(told["statuses"], labels["status"], value)
    elif name == "workbench_request_seconds_bucket":
        _add(told["seconds"], float(labels["le"]), value)
    elif name == "workbench_rows_total":
        told["rows"] += value
    elif name == "workbench_swaps_total":
        told["swaps"] += value
    elif name == "workbench_shadow_requests_total":
        _add(told["shadowed"], labels["result"], value)
    elif name == "workbench_model_info" and value and labels["version"]:
        _add(told["versions"], labels["version"], int(value))
    elif name == "workbench_model_ready":
        told["ready"] = bool(value)
    elif name == "workbench_model_alert":
        told["alert"] = bool(value)


def _add(counts: dict[Any, Any], key: Any, value: float) -> None:
    counts[key] = counts.get(key, 0) + value


def _share(statuses: Mapping[str, float], asked: float, low: int, high: int) -> float | None:
    if not asked:
        return None
    return sum(count for status, count in statuses.items() if low <= int(status) < high) / asked
