"""What Prometheus reads. With PROMETHEUS_MULTIPROC_DIR set, several workers write to files and any of them answers for all.

The engine tells `batch`; the prediction log is timed by standing before it (`timed`); which versions serve is looked at
after every request, so that a swap counts when the first request meets it, or when somebody reads.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from workbench.serving.answers import Standing
from workbench.serving.recording import Log

CONTENT_TYPE = b"text/plain; version=0.0.4; charset=utf-8"

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 4096, 16384)


class Metrics:
    """All that one process counts."""

    def __init__(self) -> None:
        self._registry = own = CollectorRegistry()
        self._requests = Counter(
            "workbench_requests_total", "Requests.", ("model", "route", "status"), registry=own
        )
        self._seconds = Histogram(
            "workbench_request_seconds", "From a request's head to its answer.", ("model", "route"),
            buckets=_SECONDS, registry=own,
        )  # fmt: skip
        self._rows = Counter("workbench_rows_total", "Rows answered.", ("model", "kind"), registry=own)
        self._batches = Histogram(
            "workbench_batch_rows",
            "Rows that the model was asked at once.",
            ("model",),
            buckets=_ROWS,
            registry=own,
        )
        self._model_seconds = Histogram(
            "workbench_model_seconds",
            "What the model took for a batch.",
            ("model",),
            buckets=_SECONDS,
            registry=own,
        )
        self._swaps = Counter(
            "workbench_swaps_total", "Changes of the version that serves.", ("model",), registry=own
        )
        self._log_seconds = Histogram(
            "workbench_log_seconds", "Until a batch was on record.", buckets=_SECONDS, registry=own
        )
        self._inside = Gauge(
            "workbench_requests_in_hand",
            "Requests that are being answered.",
            registry=own,
            multiprocess_mode="livesum",
        )
        self._ready = Gauge(
            "workbench_model_ready", "Whether a worker can answer for the model.", ("model",), registry=own,
            multiprocess_mode="livemin",
        )  # fmt: skip
        self._alerts = Gauge(
            "workbench_model_alert", "Whether somebody should look at the model: /version says why.", ("model",),
            registry=own, multiprocess_mode="livemax",
        )  # fmt: skip
        self._info = Gauge(
            "workbench_model_info", "Workers that serve this version.", ("model", "version", "digest"), registry=own,
            multiprocess_mode="livesum",
        )  # fmt: skip
        self._known: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self._serving: dict[str, tuple[str, str]] = {}

    def request(self, model: str, route: str, status: int, seconds: float) -> None:
        """One request was answered."""
        found = self._known.get((model, route, status))
        if found is None:
            found = self._requests.labels(model, route, str(status)), self._seconds.labels(model, route)
            self._known[model, route, status] = found
        found[0].inc()
        found[1].observe(seconds)

    def answered(self, model: str, kind: str, rows: int) -> None:
        self._rows.labels(model, kind).inc(rows)

    def inside(self, requests: int) -> None:
        """So many are in hand now."""
        self._inside.set(requests)

    def batch(self, model: str, rows: int, seconds: float) -> None:
        """The model was asked once."""
        self._batches.labels(model).observe(rows)
        self._model_seconds.labels(model).observe(seconds)

    def recorded(self, seconds: float) -> None:
        """A batch is in the prediction log."""
        self._log_seconds.observe(seconds)

    def serving(self, standings: Iterable[Standing]) -> None:
        """Which versions answer now."""
        for each in standings:
            self._ready.labels(each.model).set(int(each.ready))
            self._alerts.labels(each.model).set(int(bool(each.alert)))
            now = str(each.version or ""), each.digest or ""
            before = self._serving.get(each.model)
            if before == now:
                continue
            if before is not None:
                self._info.labels(each.model, *before).set(0)
                self._swaps.labels(each.model).inc()
            self._info.labels(each.model, *now).set(1)
            self._serving[each.model] = now

    def met(self, model: str, version: int) -> bool:
        """Whether it is known already that this version serves."""
        before = self._serving.get(model)
        return before is not None and before[0] == str(version)

    def timed(self, log: Log) -> Log:
        """The same log; how long it takes is noted."""
        return _Timed(log, self)

    def text(self) -> bytes:
        """Prometheus's text format; of all workers, where there are several."""
        registry = self._registry
        if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
            registry = CollectorRegistry()
            MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)


class _Timed:
    def __init__(self, log: Log, metrics: Metrics) -> None:
        self._log, self._metrics = log, metrics

    @property
    def alert(self) -> str:
        return self._log.alert

    def append(self, entries: Sequence[Any]) -> None:
        began = time.perf_counter()
        self._log.append(entries)
        self._metrics.recorded(time.perf_counter() - began)

    def close(self) -> None:
        self._log.close()
