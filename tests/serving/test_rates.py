"""What happened between two looks at a server's counts."""

from __future__ import annotations

import pytest
from prometheus_client.parser import text_string_to_metric_families

from workbench.serving.answers import Standing
from workbench.serving.http.metrics import Metrics
from workbench.serving.rates import Sample, between, quantile, sample


def asked(metrics: Metrics, *seconds: float, status: int = 200) -> None:
    for each in seconds:
        metrics.request("m", "predict", status, each)


def test_rates_are_of_what_came_between_two_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PROMETHEUS_MULTIPROC_DIR", raising=False)
    metrics = Metrics()
    asked(metrics, 9.0, 9.0)
    metrics.serving([Standing("m", 3, "d", ready=True)])
    first = sample(metrics.text().decode(), 100.0)
    asked(metrics, *[0.004] * 90, *[0.2] * 8)
    asked(metrics, 0.001, status=422)
    asked(metrics, 0.001, status=500)
    metrics.answered("m", "champion", 98)
    second = sample(metrics.text().decode(), 110.0)
    assert second.models["m"].versions == {"3": 1}
    assert second.models["m"].ready
    rates = between(first, second, "m")
    assert rates is not None
    assert (rates.requests, rates.rows, rates.errors, rates.refused) == (10.0, 9.8, 0.01, 0.01)
    assert rates.median is not None
    assert 0.0025 < rates.median < 0.005  # the old ones, of 9 s, are not in it
    assert rates.p99 is not None
    assert 0.1 < rates.p99 <= 0.25


def test_nothing_is_said_where_nothing_can_be_compared() -> None:
    empty = Sample(1.0, 0, {})
    assert between(empty, empty, "m") is None
    metrics = Metrics()
    asked(metrics, 0.1)
    one = sample(metrics.text().decode(), 2.0)
    assert between(empty, one, "m") is None
    newer = sample(Metrics().text().decode(), 3.0)
    assert between(one, newer, "m") is None  # another server
    again = sample(metrics.text().decode(), 4.0)
    quiet = between(one, again, "m")
    assert quiet is not None
    assert (quiet.requests, quiet.errors, quiet.p95) == (0.0, None, None)


def test_quantiles_lie_within_their_bucket() -> None:
    infinite = float("inf")
    assert quantile({0.1: 50, 0.2: 100, infinite: 100}, 0.75) == pytest.approx(0.15)
    assert quantile({0.1: 0, infinite: 10}, 0.5) == 0.1
    assert quantile({}, 0.5) is None


def test_what_is_counted_is_what_is_read() -> None:
    names = {family.name for family in text_string_to_metric_families(Metrics().text().decode())}
    assert {
        "workbench_requests",
        "workbench_request_seconds",
        "workbench_rows",
        "workbench_model_info",
    } <= names
