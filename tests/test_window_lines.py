"""What is drawn of windows: values, how sure they are, and where an ordinary window lies."""

from __future__ import annotations

from typing import Any

from workbench.ledger_windows import Point
from workbench.monitors import Monitors, Performance, Service, Volume
from workbench.window_lines import COLUMN, ERRORS, LATENCY, MOST_MOVED, ROWS, first_choice, line, measures

MOVED = {"name": "x", "distance": 0.2, "limit": 0.1, "expected": False}
TOLD = {"value": 0.75, "low": 0.7, "high": 0.8}


def point(**more: Any) -> Point:
    plain: dict[str, Any] = {
        "id": 1, "version": 1, "since": 0.0, "until": 1.0, "rows": 900, "refused": "", "outcomes": 0, "worst": None, "found": 0,
        "declines": {}, "performance": {}, "inputs": (), "answer": None, "latency": None, "requests": {},
    }  # fmt: skip
    return Point(**{**plain, **more})


def decline(value: float, low: float, high: float) -> dict[str, Any]:
    return {"reference": 0.5, "margin": 0.01, "difference": {"value": value, "low": low, "high": high}}


def test_a_metric_is_outside_of_its_band_exactly_where_it_is_worse() -> None:
    worse, fine = decline(0.25, 0.05, 0.45), decline(0.25, 0.0, 0.5)
    known = [point(performance={"log_loss": TOLD}, declines={"log_loss": each}) for each in (worse, fine)]
    (log_loss, rows) = measures(known)
    assert (log_loss.better, rows.key) == ("lower", ROWS)
    drawn = line([*known, point(performance={"log_loss": TOLD}), point()], log_loss)
    assert drawn.values == [0.75, 0.75, 0.75, None]
    assert drawn.intervals[0] == (0.7, 0.8)
    tops = [top for _, top in drawn.ordinary]
    assert tops[0] is not None
    assert tops[1] is not None
    assert tops[0] < 0.75 < tops[1]  # 0.05 is beyond the margin of 0.01, 0 is not
    assert tops[2:] == [None, None]


def test_not_a_number_is_a_gap() -> None:
    drawn = line([point(performance={"auc": {"value": "nan", "low": "nan", "high": "nan"}})], measures(
        [point(performance={"auc": TOLD})])[0])  # fmt: skip
    assert drawn.values == [None]


def test_columns_are_drawn_below_their_limit_unless_they_may_move() -> None:
    known = [point(inputs=[MOVED, {**MOVED, "name": "warm", "expected": True, "distance": 0.9}])]
    by_key = {each.key: each for each in measures(known)}
    most = line(known, by_key[MOST_MOVED])
    assert (most.values, most.ordinary) == ([2.0], [(0.0, 1.0)])
    assert line(known, by_key[f"{COLUMN}x"]).ordinary == [(0.0, 0.1)]
    assert line(known, by_key[f"{COLUMN}warm"]).ordinary == [(None, None)]


def test_service_has_the_limits_that_are_declared() -> None:
    known = [point(latency={"p95": 0.02}, requests={"total": 200, "errors": 1}), point()]
    monitors = Monitors(volume=Volume(800), service=Service(0.01, 0.2), performance=Performance("auc"))
    by_key = {each.key: each for each in measures(known)}
    drawn = {key: line(known, by_key[key], monitors) for key in (ROWS, LATENCY, ERRORS)}
    assert {key: (tuple(each.values), each.limit) for key, each in drawn.items()} == {
        ROWS: ((900, 900), 800), LATENCY: ((20.0, None), 200.0), ERRORS: ((0.5, None), 1.0),
    }  # fmt: skip
    assert line(known, by_key[ROWS]).limit is None
    assert first_choice(measures(known), monitors) == by_key[ROWS]
    assert first_choice((), monitors) is None
