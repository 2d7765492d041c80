"""What monitors say of measured values: plain values in, findings out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from scipy.stats import binomtest

from workbench.drift.compare import Moved
from workbench.drift.explain import Explained
from workbench.drift.ordinary import Ordinary
from workbench.drift.performance import Decline
from workbench.evaluation import Interval
from workbench.findings import findings, wilson_low
from workbench.health import Health, Latency, Rate
from workbench.monitoring import Watched
from workbench.monitors import Finding, monitors_of
from workbench.prediction_log.tallies import Requests

SINCE, UNTIL = datetime(2026, 3, 2, tzinfo=UTC), datetime(2026, 3, 9, tzinfo=UTC)


def moved(name: str, distance: float, *, expected: bool = False) -> Moved:
    drifted = distance > 0.1 and not expected
    return Moved(name, distance, 0.1, distance * 10, drifted, expected, 0.1, 0.1, 0.1, None, (0, 0), 0, 0.05)


def watched(answer: Moved | None, *inputs: Moved) -> Watched:
    return Watched("m", 3, SINCE, UNTIL, 900, inputs, answer, Ordinary(7, 900, 20, {}, {}, 3.0), 0)


def said(
    declared: Mapping[str, Any],
    health: Health | None = None,
    *,
    seen: Watched | None = None,
    **declines: Decline,
) -> list[Finding]:
    monitors = monitors_of(declared)
    given = health or Health(900, UNTIL - timedelta(hours=1), ())
    if declines:
        seen = replace(seen or watched(None), declines=declines)
    return list(findings(monitors, given, seen, since=SINCE, until=UNTIL))


def severities(found: list[Finding]) -> dict[str, str | None]:
    return {each.subject: each.severity for each in found}


def test_what_moved_is_a_finding_and_what_did_not_is_one_too() -> None:
    seen = watched(
        moved("probability", 0.3), moved("x", 0.2), moved("k", 0.05), moved("temp", 0.5, expected=True)
    )
    inputs = said({"inputs": {}}, seen=seen)
    assert [(each.subject, each.severity) for each in inputs] == [
        ("x", "warning"),
        ("k", None),
        ("temp", None),
    ]
    assert inputs[0].title == "'x' moved 0.200, more than is ordinary (0.100)"
    (answers,) = said({"answers": {}}, seen=seen)
    assert (answers.subject, answers.severity) == ("", "warning")
    assert answers.title.startswith("the model's answers moved")


def test_what_could_not_be_compared_says_nothing() -> None:
    assert said({"inputs": {}, "answers": {}}) == []
    assert said({"answers": {}}, seen=watched(None)) == []
    assert said({"performance": {"metric": "auc"}}) == []
    assert said({"service": {"max_errors": 0.1, "max_latency": "1s"}}) == []


def test_a_rule_is_judged_where_it_is_broken_most() -> None:
    health = Health(900, UNTIL, (
        Rate("k is not an allowed value", "requests", 90, 900), Rate("k is not an allowed value", "answered", 0, 5000),
        Rate("x is outside 0 to 1", "answered", 10, 5000), Rate("y is missing", "answered", 2000, 5000),
    ), allowed=frozenset({"y is missing"}))  # fmt: skip
    found = said({"quality": {"max_share": 0.02, "critical": 4}}, health)
    assert severities(found) == {"k is not an allowed value": "critical", "x is outside 0 to 1": None}
    assert found[0].title == "k is not an allowed value in 10.00% of 900 requests, at most 2.00% allowed"
    own = said(
        {"quality": {"max_share": 0.02, "rules": {"x is outside 0 to 1": 0.001, "y is missing": 0.3}}}, health
    )
    assert severities(own) == dict.fromkeys(
        ["y is missing", "k is not an allowed value", "x is outside 0 to 1"], "warning"
    )


def test_what_few_rows_show_by_chance_is_no_finding() -> None:
    few = Health(50, UNTIL, (Rate("r", "answered", 2, 50),))
    many = Health(5000, UNTIL, (Rate("r", "answered", 200, 5000),))
    assert severities(said({"quality": {"max_share": 0.02}}, few)) == {"r": None}
    assert severities(said({"quality": {"max_share": 0.02}}, many)) == {"r": "warning"}
    one = Health(5000, UNTIL, (Rate("r", "answered", 1, 5000),))
    assert severities(said({"quality": {"max_share": 0, "critical": 9}}, one)) == {"r": "critical"}


@pytest.mark.parametrize(("part", "total"), [(0, 10), (1, 10), (10, 10), (3, 700), (690, 700)])
def test_the_limit_is_wilsons(part: int, total: int) -> None:
    expected = binomtest(part, total).proportion_ci(method="wilson").low
    assert wilson_low(part, total) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize(
    ("rows", "severity"), [(500, None), (499, "warning"), (100, "critical"), (0, "critical")]
)
def test_volume(rows: int, severity: str | None) -> None:
    (found,) = said({"volume": {"min_rows": 500, "critical": 5}}, Health(rows, None, ()))
    assert (found.severity, found.title) == (severity, f"{rows} rows, at least 500 expected")


@pytest.mark.parametrize(("hours", "severity"), [(0, None), (24, None), (25, "warning"), (73, "critical")])
def test_freshness(hours: int, severity: str | None) -> None:
    declared = {"freshness": {"max_age": "1d", "critical": 3}}
    (found,) = said(declared, Health(900, UNTIL - timedelta(hours=hours), ()))
    assert found.severity == severity
    (by_day,) = said({**declared, "day": "date"}, Health(900, UNTIL - timedelta(hours=hours + 24), ()))
    assert by_day.severity == severity


def test_no_row_at_all_is_not_fresh() -> None:
    (found,) = said({"freshness": {"max_age": "1d"}}, Health(0, None, ()))
    assert (found.severity, found.title) == (
        "warning",
        "no row since 2026-03-02 00:00 UTC, expected one within 24 h",
    )


def decline(metric: str, low: float, high: float) -> Decline:
    middle = (low + high) / 2
    return Decline(
        metric, 0.5 + middle, Interval(0.5, 0.4, 0.6), 0.5, Interval(middle, low, high), 0.0, worse=False
    )


@pytest.mark.parametrize(("metric", "low", "high", "severity"), [
    ("log_loss", -0.01, 0.09, None), ("log_loss", 0.005, 0.09, None), ("log_loss", 0.02, 0.09, "warning"),
    ("log_loss", 0.04, 0.09, "critical"), ("log_loss", -0.09, -0.04, None), ("auc", 0.04, 0.09, None),
    ("auc", -0.09, -0.005, None), ("auc", -0.09, -0.02, "warning"), ("auc", -0.09, -0.04, "critical"),
])  # fmt: skip
def test_performance_is_judged_by_the_near_end(
    metric: str, low: float, high: float, severity: str | None
) -> None:
    declared = {"performance": {"metric": metric, "margin": 0.01, "critical": 3}}
    (found,) = said(declared, **{metric: decline(metric, low, high), "brier": decline("brier", 1, 2)})
    assert (found.subject, found.severity) == (metric, severity)
    assert ("not worse by more than 0.01" in found.title) is (severity is None)


def test_without_a_margin_any_decline_that_is_sure_is_one() -> None:
    declared = {"performance": {"metric": "brier"}}
    assert severities(said(declared, brier=decline("brier", 0.001, 0.002))) == {"brier": "warning"}
    assert severities(said(declared, brier=decline("brier", -0.001, 0.002))) == {"brier": None}


def test_a_decline_says_what_it_came_with() -> None:
    seen = replace(watched(None), explained=(Explained("carrier", 0.0, 0.03, ("UA", "B6"), 0.2, 3.0),))
    declared = {"performance": {"metric": "brier"}}
    (found,) = said(declared, seen=seen, brier=decline("brier", 0.001, 0.002))
    assert found.title.endswith("; most of it came with 'carrier' (UA, B6)")
    assert found.evidence["explained"][0]["feature"] == "carrier"
    assert said(declared, seen=seen, brier=decline("brier", float("nan"), float("nan"))) == []


def test_service() -> None:
    health = Health(
        900, UNTIL, (), Requests(1000, {200: 950, 503: 50}, {"log": 50}), Latency(950, 0.01, 0.3, 1.5)
    )
    declared = {"service": {"max_errors": 0.01, "max_latency": "200ms", "critical": 3}}
    found = said(declared, health)
    assert severities(found) == {"errors": "critical", "latency": "warning"}
    assert [each.title for each in found] == [
        "5.00% of 1,000 requests ended in an error, at most 1.00% allowed",
        "95 of 100 requests took up to 300 ms, at most 200 ms allowed",
    ]
    assert severities(said({"service": {"max_errors": 0.1}}, health)) == {"errors": None}
