"""Windows over time out of a real ledger."""

from __future__ import annotations

from tests.test_alerts import finding
from tests.test_ledger_alerts import WATCHED
from workbench import ledger_alerts
from workbench.ledger import Ledger
from workbench.ledger_alerts import Window
from workbench.ledger_windows import in_limits, points, state_of_windows, watched_models
from workbench.settings import Project
from workbench.window_reading import features

MOVED = {
    "distance": 0.2, "limit": 0.1, "score": 3.0, "drifted": True, "expected": False, "psi": 0.1, "missing": [0.0, 0.1],
    "unseen": 0.0,
}  # fmt: skip


def seen(number: int, model: str = "m", **watched: object) -> Window:
    content = {"watched": watched or None, "health": {"latency": {"p95": 0.02}, "requests": {"total": 7}}}
    bad = (finding("critical", "x"), finding(None, "y")) if number % 2 else ()
    return Window(model, 3, number * 86_400.0, (number + 7) * 86_400.0, 900, bad, content=content)


def record(ledger: Ledger, *windows: Window) -> None:
    for number, each in enumerate(windows):
        ledger_alerts.record(
            ledger, each, WATCHED, alerting=False, now=lambda number=number: 1_000.0 + number
        )


def test_a_point_has_what_lines_need(project: Project) -> None:
    inputs = [
        {**MOVED, "name": "warm", "expected": True, "distance": 0.9},
        {**MOVED, "name": "x"},
        {**MOVED, "name": "y", "distance": 0.01},
    ]
    with Ledger.open(project) as ledger:
        record(
            ledger, seen(1, inputs=inputs, answer={**MOVED, "name": "probability", "limit": 0.15},
                         declines={"auc": {"value": 0.7}}, performance={"auc": {"value": 0.7}}, outcomes=80),
            seen(2), seen(1, model="other"),
        )  # fmt: skip
        first, second = points(ledger, "m")
        assert watched_models(ledger) == ["m", "other"]
        assert state_of_windows(ledger, "m") == (2, 1_001.0)
        assert state_of_windows(ledger, "none") == (0, 0.0)
        assert [each.since for each in points(ledger, "m", limit=1)] == [2 * 86_400.0]
    assert (first.worst, first.found, first.outcomes) == ("critical", 1, 80)
    assert first.most_moved is not None
    assert (first.most_moved["name"], in_limits(first.most_moved)) == ("x", 2.0)
    answers = first.moved("probability")
    assert answers is not None
    assert answers["limit"] == 0.15
    assert first.declines["auc"]["value"] == 0.7
    assert first.latency == {"p95": 0.02}
    assert (second.worst, second.most_moved, second.declines, second.inputs) == (None, None, {}, ())
    assert second.requests["total"] == 7


def test_features_come_by_impact_then_by_how_far_they_moved() -> None:
    inputs = [
        {**MOVED, "name": "far"},
        {**MOVED, "name": "dear", "distance": 0.01},
        {**MOVED, "name": "warm", "expected": True, "distance": 0.9},
    ]
    explained = [{"feature": "dear", "impact": 0.03, "within": 0.02, "mix": 0.01, "where": ["a"]}]
    found = features(seen(1, inputs=inputs, explained=explained, answer=None))
    assert [each.name for each in found] == ["dear", "far", "warm"]
    assert (found[0].impact, found[0].where, found[1].impact) == (0.03, ("a",), None)
    assert features(seen(2)) == ()
