"""What a model does on the test rows, as the gates read it."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from workbench import evidence
from workbench.errors import BadInput
from workbench.evaluation import bootstrap_weights
from workbench.gates import compared, judge

ROWS = 600


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    generator = np.random.default_rng(1)
    return pd.DataFrame(
        {
            "hour": generator.integers(5, 23, ROWS).astype(float),
            "noise": generator.normal(size=ROWS),
            "place": generator.choice(["EWR", "JFK"], ROWS),
        }
    )


@pytest.fixture(scope="module")
def labels(rows: pd.DataFrame) -> np.ndarray:
    generator = np.random.default_rng(2)
    return (generator.random(ROWS) < 1 / (1 + np.exp(-(rows["hour"] - 14) / 3))).astype(int).to_numpy()


class OfHour:
    """Knows the truth, for rows of any place."""

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        late = 1 / (1 + np.exp(-(rows["hour"].to_numpy() - 14) / 3))
        return np.column_stack([1 - late, late])


def test_directional_and_invariance_tests(rows: pd.DataFrame) -> None:
    found = evidence.behaviour(
        OfHour(),
        rows,
        [
            {"name": "later", "add": {"hour": 2}, "expect": "not lower"},
            {"name": "later, wrongly", "add": {"hour": 2}, "expect": "not higher", "allowed": 0.1},
            {"name": "place", "set": {"place": "LGA"}, "expect": "same"},
            {"name": "a little", "add": {"hour": 0.01}, "expect": "same", "within": 0.01},
            {"name": "evening", "set": {"hour": 22}, "expect": "between", "low": 0.9},
            {"name": "only mornings", "only": {"hour": [5, 8]}, "expect": "between", "high": 0.2},
            {"name": "nobody", "only": {"place": "SFO"}, "set": {"hour": 3}, "expect": "same"},
        ],
    )
    by_name = {each["name"]: each for each in found}
    assert by_name["later"]["violations"] == 0
    assert by_name["later, wrongly"]["violations"] == ROWS
    assert "→" in by_name["later, wrongly"]["worst"]
    assert by_name["place"]["violations"] == by_name["a little"]["violations"] == 0
    assert by_name["evening"]["violations"] == 0
    assert by_name["only mornings"]["rows"] == int(rows["hour"].between(5, 8).sum())
    assert by_name["only mornings"]["violations"] == 0
    assert by_name["nobody"]["rows"] == 0
    verdict = judge({"behaviour": {}}, {"behaviour": found, "predictions": {"rows": 1, "not_finite": 0}})
    assert {each.name for each in verdict.failures} == {"later, wrongly", "nobody"}


@pytest.mark.parametrize(
    ("test", "message"),
    [
        ({"expect": "same"}, "has no 'name'"),
        ({"name": "x", "expect": "equal", "set": {"hour": 1}}, "expect is 'equal', one of same"),
        ({"name": "x", "expect": "same"}, "nothing is changed"),
        ({"name": "x", "expect": "same", "set": {"hours": 1}}, "no column 'hours'; did you mean 'hour'?"),
        ({"name": "x", "expect": "between", "set": {"hour": 1}}, "'between' needs low, high or both"),
        ({"name": "x", "expect": "same", "ad": {"hour": 1}}, "unknown key 'ad'; did you mean 'add'?"),
    ],
)
def test_a_test_that_says_nothing_is_refused(rows: pd.DataFrame, test: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=re.escape(message)):
        evidence.behaviour(OfHour(), rows, [test])


def test_slices_are_measured_or_named(rows: pd.DataFrame, labels: np.ndarray) -> None:
    weights = bootstrap_weights(ROWS, 200)
    scores = evidence.probabilities(OfHour(), rows)
    broken = np.where(rows["place"] == "JFK", 1 - scores, scores)
    place = rows["place"].where(np.arange(ROWS) > 20, "tiny")
    found = evidence.slices(labels, broken, {"champion": scores}, {"place": place}, weights, minimum=100)
    assert [each["measured"] for each in found] == [True, True, False]
    assert json.loads(json.dumps(found)) == found
    by_value = {each["value"]: each for each in found}
    outcome = {
        value: compared(by_value[value]["champion"]["log_loss"], 0, higher_is_better=False)
        for value in ("EWR", "JFK")
    }
    assert outcome == {"EWR": "equivalent", "JFK": "worse"}


def test_metrics_and_differences_have_directions(rows: pd.DataFrame, labels: np.ndarray) -> None:
    weights = bootstrap_weights(ROWS, 100)
    scores = evidence.probabilities(OfHour(), rows)
    found = evidence.metrics(labels, scores, weights)
    against = evidence.difference(labels, scores, np.full(ROWS, labels.mean()), weights)
    assert found.keys() == against.keys() == evidence.DIRECTIONS.keys()
    for name in ("auc", "log_loss", "brier"):
        higher = evidence.DIRECTIONS[name] == "higher"
        assert compared(against[name], 0, higher_is_better=higher) == "better"


def test_seeds_change_what_is_random_and_nothing_else(rows: pd.DataFrame, labels: np.ndarray) -> None:
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows[["hour", "noise"]], labels)
    part = (rows[["hour", "noise"]], labels)
    found = evidence.seeds(model, part, part, [1, 2, 3])
    assert len(found["auc"]) == 3
    assert len(set(found["auc"])) == 1


def test_importances_rank_what_matters_first(rows: pd.DataFrame, labels: np.ndarray) -> None:
    found = evidence.importances(OfHour(), rows, labels)
    assert next(iter(found)) == "hour"
    assert found["noise"] == found["place"] == 0


def test_what_is_not_finite_is_counted() -> None:
    assert evidence.predictions([0.1, float("nan"), float("inf")]) == {"rows": 3, "not_finite": 2}


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_two_equal_models_are_equivalent_in_every_metric(seed: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.random(80)
    labels = (generator.random(80) < 0.5).astype(int)
    found = evidence.difference(labels, scores, scores, bootstrap_weights(80, 50, seed=seed))
    for name, each in found.items():
        assert compared(each, 0, higher_is_better=evidence.DIRECTIONS[name] == "higher") == "equivalent"
