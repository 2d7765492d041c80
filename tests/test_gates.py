"""Evidence in, a verdict with reasons out."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.gate_keys import GATE_KEYS, gate_problems
from workbench.gates import Verdict, compared, judge
from workbench.yamls import parse_value

LOSS = {"log_loss": {"value": -0.01, "low": -0.02, "high": -0.005}}
WORSE = {"log_loss": {"value": 0.01, "low": 0.005, "high": 0.02}}
SAME = {"log_loss": {"value": 0.001, "low": -0.004, "high": 0.006}}


def evidence(**more: Any) -> dict[str, Any]:
    """A version that is better than everything."""
    whole = {
        "directions": {"log_loss": "lower", "auc": "higher"},
        "metrics": {"auc": {"value": 0.71, "low": 0.67, "high": 0.74}},
        "baseline": {"name": "rates", "difference": LOSS},
        "champion": {"digest": "c1", "difference": LOSS},
        "slices": [
            {"column": "origin", "value": "JFK", "rows": 900, "measured": True, "champion": LOSS, "baseline": LOSS},
            {"column": "origin", "value": "LGA", "rows": 9, "measured": False},
        ],
        "seeds": {"auc": [0.70, 0.705]},
        "behaviour": [{"name": "later", "expect": "not lower", "rows": 100, "violations": 1, "allowed": 0.02, "worst": "row 3"}],
        "predictions": {"rows": 1000, "not_finite": 0},
        "features": {"used": ["hour", "temp"], "never": ["arr_delay"]},
        "serves": {"version": 1, "digest": "c1"},
        "serving": {"golden": {"rows": 50, "different": 0, "largest": 0.0}, "latency_ms": 4.2, "size": 90_000},
        "provenance": {"commit": "a" * 40, "dirty": False, "contract": "d1", "lock": "d2", "inputs": {"train": "d3"}},
    }  # fmt: skip
    return {**whole, **more}


def gates(text: str) -> dict[str, Any]:
    """Gates as they stand in a pipeline file, and well-formed."""
    declared: dict[str, Any] = parse_value(text)
    assert list(gate_problems(declared, ())) == []
    return declared


ALL = gates(
    """
    metrics: {auc: {min: 0.65, max: 0.99}}
    baseline: {metric: log_loss}
    champion: {metric: log_loss, margin: 0.002}
    slices: {metric: log_loss, margin: 0.01}
    seeds: {metric: auc, max_spread: 0.01}
    behaviour: {min_tests: 1}
    features: {never: [dep_delay]}
    serving: {max_latency: 50ms, max_size: 1MB}
    provenance: {commit: clean}
    """
)


def reasons(verdict: Verdict) -> str:
    return "; ".join(f"{each.name}: {each.reason}" for each in verdict.failures)


def test_a_good_version_passes_and_says_how() -> None:
    verdict = judge(ALL, evidence())
    assert verdict.passed, reasons(verdict)
    assert verdict.outcome == "better"
    assert "better than the champion" in verdict.summary
    assert {threshold.gate for threshold in verdict.thresholds} >= ALL.keys()


@pytest.mark.parametrize("kind", sorted(ALL))
def test_nothing_passes_without_evidence(kind: str) -> None:
    verdict = judge({kind: ALL[kind]}, {"predictions": {"rows": 1, "not_finite": 0}, "serves": None})
    assert not verdict.passed
    assert "cannot be evaluated" in reasons(verdict)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"metrics": {"auc": {"value": 0.6, "low": 0.5, "high": 0.7}}}, "auc is 0.6000 (0.5000 to 0.7000), expected ≥ 0.65"),
        ({"metrics": {"auc": {"value": None}}}, "'value' in the evidence is None, expected a number"),
        ({"baseline": {"name": "rates", "difference": SAME}}, "better than the baseline 'rates' by log_loss: equivalent"),
        ({"champion": {"digest": "c1", "difference": WORSE}}, "not worse than the champion by log_loss: worse"),
        ({"seeds": {"auc": [0.70, 0.72]}}, "0.0200 apart"),
        ({"seeds": {"auc": [0.70]}}, "fewer than two seeds"),
        ({"behaviour": []}, "0 behaviour tests, expected 1 or more"),
        ({"features": {"used": ["hour", "arr_delay"], "never": ["arr_delay"]}}, "the model uses arr_delay"),
        ({"features": {"used": ["dep_delay"], "never": []}}, "the model uses dep_delay"),
        ({"serving": {"error": "it is a pickle"}}, "it is a pickle"),
        ({"predictions": {"rows": 10, "not_finite": 2}}, "2 of 10 predictions are not finite"),
        ({"predictions": {"rows": 0, "not_finite": 0}}, "0 predictions"),
        ({"directions": {"log_loss": "up", "auc": "higher"}}, "the direction of 'log_loss' is 'up'"),
        ({"slices": [{"column": "o", "value": "x", "rows": 3, "measured": False}]}, "none of 1 slices has enough rows"),
        ({"serves": {"version": 2, "digest": "c2"}}, "version 2 serves now, which the evidence does not compare with"),
        ({"serves": None}, "no version serves now, which the evidence does not compare with"),
    ],
)  # fmt: skip
def test_each_fault_is_refused_with_its_reason(changed: dict[str, Any], reason: str) -> None:
    verdict = judge(ALL, evidence(**changed))
    assert not verdict.passed
    assert reason in reasons(verdict)
    assert verdict.summary.startswith("failed: ")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"golden": {"rows": 50, "different": 3, "largest": 0.2}}, "3 of 50 answers differ, by up to 0.2"),
        ({"golden": {"rows": 0, "different": 0, "largest": 0}}, "0 requests"),
        ({"latency_ms": 51.0}, "one row takes 51.0 ms, 50 ms allowed"),
        ({"size": 2_000_000}, "2.00 MB, 1 MB allowed"),
    ],
)
def test_what_the_served_model_must_keep(changed: dict[str, Any], reason: str) -> None:
    assert reason in reasons(judge(ALL, evidence(serving={**evidence()["serving"], **changed})))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"dirty": True}, "with uncommitted changes"),
        ({"dirty": None}, "git commit clean"),
        ({"commit": None}, "no git commit"),
        ({"contract": None}, "there is no contract"),
        ({"lock": ""}, "there is no lock"),
        ({"inputs": {}}, "no digest of the training data"),
    ],
)
def test_what_must_be_known_of_its_origin(changed: dict[str, Any], reason: str) -> None:
    assert reason in reasons(judge(ALL, evidence(provenance={**evidence()["provenance"], **changed})))


def test_a_commit_with_changes_is_recorded_where_that_is_asked() -> None:
    changed = evidence(provenance={**evidence()["provenance"], "dirty": True})
    assert judge(gates("provenance: {commit: recorded}"), changed).passed


def test_a_broken_slice_is_named() -> None:
    broken = {
        "column": "carrier",
        "value": "UA",
        "rows": 3000,
        "measured": True,
        "champion": WORSE,
        "baseline": LOSS,
    }
    verdict = judge(gates("slices: {metric: log_loss}"), evidence(slices=[*evidence()["slices"], broken]))
    assert [each.name for each in verdict.failures] == ["carrier UA not worse than the champion"]
    assert judge(
        gates("slices: {metric: log_loss, against: baseline}"),
        evidence(slices=[*evidence()["slices"], broken]),
    ).passed


def test_being_worse_than_the_champion_is_said_first() -> None:
    verdict = judge(
        ALL, evidence(champion={"digest": "c1", "difference": WORSE}, seeds={"auc": [0.1, 0.9]}, baseline={})
    )
    assert verdict.outcome == "worse"
    assert verdict.summary.startswith("failed: not worse than the champion by log_loss: worse")
    assert verdict.summary.endswith("(and 2 more)")


def test_the_first_version_has_no_champion_to_beat() -> None:
    first = [{**each, "champion": None} for each in evidence()["slices"]]
    verdict = judge(ALL, evidence(champion=None, serves=None, slices=first))
    assert verdict.passed, reasons(verdict)
    assert verdict.outcome == "first"


def test_better_can_be_required() -> None:
    tie = evidence(champion={"digest": "c1", "difference": SAME})
    assert judge(gates("champion: {metric: log_loss}"), tie).passed
    assert judge(gates("champion: {metric: log_loss}"), tie).outcome == "equivalent"
    assert not judge(gates("champion: {metric: log_loss, require: better}"), tie).passed


def test_no_gates_is_no_pass() -> None:
    assert not judge({}, evidence()).passed


def test_a_verdict_is_json() -> None:
    found = judge(ALL, evidence()).as_json()
    assert found["passed"] is True
    assert {"gate", "name", "passed", "reason", "found"} == found["thresholds"][0].keys()


@given(
    value=st.floats(-1, 1), half=st.floats(0, 0.5), margin=st.floats(0, 0.5), higher=st.booleans()
)  # fmt: skip
def test_outcomes_are_symmetric(value: float, half: float, margin: float, higher: bool) -> None:
    """Turning a difference round turns the outcome round; noise around zero is never more than equivalent."""
    there = compared(
        {"value": value, "low": value - half, "high": value + half}, margin, higher_is_better=higher
    )
    back = compared(
        {"value": -value, "low": -value - half, "high": -value + half}, margin, higher_is_better=higher
    )
    turned = {"better": "worse", "worse": "better"}
    assert back == turned.get(there, there)
    if abs(value) <= max(half, margin):
        assert there == "equivalent"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("metric: {}", "unknown gate; did you mean 'metrics'?"),
        ("metrics: {}", "names no metric"),
        ("metrics: {auc: 0.7}", "0.7 is not a mapping"),
        ("metrics: {auc: {least: 1}}", "unknown key"),
        ("metrics: {auc: {confident: true}}", "bounds nothing"),
        ("champion: {metric: auc, require: equal}", "'equal' is not one of equivalent, better; did you mean 'equivalent'?"),
        ("champion: {}", "is missing: the metric"),
        ("champion: {metric: auc, margin: -1}", "-1 is negative"),
        ("champion: {metric: auc, margin: .nan}", "nan is not a number"),
        ("serving: {max_latency: quick}", "'quick' is not a duration"),
        ("serving: {max_size: big}", "'big' is not a size"),
        ("provenance: {contract: 1}", "1 is neither true nor false"),
        ("behaviour: []", "[] is not a mapping"),
        ("features: {never: arr_delay}", "'arr_delay' is not a list of names"),
        ("seeds: {metric: auc}", "is missing: the largest distance"),
    ],
)  # fmt: skip
def test_what_is_declared_wrongly_is_refused(text: str, message: str) -> None:
    found = [problem for _, problem in gate_problems(parse_value(text), ("model", "gates"))]
    assert any(message in each for each in found), found


def test_every_kind_of_gate_has_a_judge() -> None:
    for kind in ("metrics", *GATE_KEYS):
        assert kind in ALL


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers(-9, 9) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["log_loss", "auc", "digest", "difference", "rows", "value", "low"]), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(st.sampled_from(sorted(evidence())), JSON)
def test_malformed_evidence_fails_and_never_raises(part: str, value: Any) -> None:
    verdict = judge(ALL, {**evidence(), part: value})
    assert verdict.as_json()["summary"]
    assert {threshold.gate for threshold in verdict.thresholds} >= ALL.keys()
