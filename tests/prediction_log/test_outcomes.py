"""Outcomes: joined by id or key, counted, never lost, and the same again changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.logged import BY_FLIGHT, DAY, MODEL, NOON, entry, ids
from workbench import predictions
from workbench.contracts.contract import contract_of
from workbench.errors import BadInput
from workbench.prediction_log.compaction import Limits, compact
from workbench.prediction_log.entries import key_text
from workbench.prediction_log.importing import import_outcomes
from workbench.prediction_log.intake import Imported
from workbench.prediction_log.joining import Outcomes
from workbench.prediction_log.labels import Labelling
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.outcomes import add_outcomes
from workbench.prediction_log.reading import read
from workbench.settings import Project

LATE = Labelling.of(contract_of({
    "contract": "c", "label": "late", "keys": ["date", "flight"],
    "columns": {"x": {"type": "float"}, "late": {"type": "int", "values": [0, 1]}},
}))  # fmt: skip
FIRST, SECOND, LATER = entry(1, 3), entry(2, 2), entry(3, 2, came=NOON + DAY)


@pytest.fixture
def logged(project: Project) -> Project:
    """Some of it in files, some in the journal."""
    with PredictionLog.open(project) as log:
        log.append([FIRST, LATER])
        compact(project)
        log.append([SECOND])
    return project


def outcomes(project: Project) -> dict[str, Any]:
    table = read(project, MODEL, columns=["id", "outcome"], outcomes=True).read_all()
    pairs = zip(table["id"].to_pylist(), table["outcome"].to_pylist(), strict=True)
    return {name: label for name, label in pairs if label is not None}


def counts(imported: Imported) -> dict[str, int]:
    """Those that are not 0."""
    return {name: value for name, value in imported.as_dict().items() if isinstance(value, int) and value}


def test_by_id(logged: Project) -> None:
    first, second, later = ids(FIRST), ids(SECOND), ids(LATER)
    given_ = {"id": [first[0], first[1], second[1], later[0]], "late": [1, 0, 1, 0]}
    said = add_outcomes(logged, MODEL, given_, labelling=LATE, now=NOON)
    assert counts(said) == {"read": 4, "added": 4, "predictions": 4}
    expected = {first[0]: 1.0, first[1]: 0.0, second[1]: 1.0, later[0]: 0.0}
    assert outcomes(logged) == expected
    compact(logged)
    assert outcomes(logged) == expected
    assert counts(add_outcomes(logged, MODEL, given_, labelling=LATE)) == {"read": 4, "known": 4}
    table = read(logged, MODEL, columns=["outcome_came"], outcomes=True).read_all()
    assert set(table["outcome_came"].drop_null().to_pylist()) == {pd.Timestamp(NOON, unit="s", tz="UTC")}


def test_each_row_is_counted_once(logged: Project) -> None:
    first = ids(FIRST)
    rows = [
        (first[0], 0), (first[0], 1),            # contradicted, then added
        (first[1], 1), (first[1], "1"),          # repeated, then added
        ("nonsense", 1), (f"{'0' * 32}-0", 1), (f"{FIRST.request}-99", 0),
        (first[2], None), (ids(SECOND)[0], 2), (ids(SECOND)[1], "late"), (ids(LATER)[0], True),
    ]  # fmt: skip
    given_ = {"id": [name for name, _ in rows], "outcome": [label for _, label in rows]}
    said = add_outcomes(logged, MODEL, given_, labelling=LATE)
    assert counts(said) == {
        "read": 11, "added": 3, "contradicted": 1, "repeated": 1, "unknown": 3, "missing": 1, "wrong": 2, "predictions": 3,
    }  # fmt: skip
    assert said.examples["unknown"] == ("nonsense", f"{'0' * 32}-0", f"{FIRST.request}-99")
    assert said.examples["wrong"][1] == f"{ids(SECOND)[1]}: 'late' is not one of 0, 1"
    assert outcomes(logged) == {first[0]: 1.0, first[1]: 1.0, ids(LATER)[0]: 1.0}


def test_a_later_outcome_replaces_and_both_are_kept(logged: Project) -> None:
    one = ids(FIRST)[0]
    for came, label, expected in (
        (1.0, 0, "added"),
        (2.0, 1, "replaced"),
        (3.0, 1, "known"),
        (4.0, 0, "replaced"),
    ):
        said = add_outcomes(logged, MODEL, {"id": [one], "late": [label]}, labelling=LATE, now=NOON + came)
        assert counts(said) == {"read": 1, expected: 1} | ({} if expected == "known" else {"predictions": 1})
        assert outcomes(logged) == {one: float(label)}
    for _ in range(2):
        told = predictions.find(logged, one).outcomes
        assert [(label, moment.timestamp() - NOON) for label, moment in told] == [
            (0.0, 1.0),
            (1.0, 2.0),
            (0.0, 4.0),
        ]
        compact(logged, Limits(many=2, grace=-1e9))


def test_by_key_every_prediction_of_it(logged: Project) -> None:
    """A flight that was asked about twice, once in the shadow, has one outcome."""
    again = entry(9, came=NOON + DAY, kind="shadow", keys={"date": ["2026-03-02"], "flight": [1001]})
    with PredictionLog.open(logged) as log:
        log.append([again])
    given_ = {
        "date": np.array(["2026-03-02", "2026-03-02", "2026-03-03", "NaT"], dtype="datetime64[ns]"),
        "flight": [1001.0, 2000.0, 1001.0, 1002.0], "late": [1, 0, 1, 1], "ignored": list("abcd"),
    }  # fmt: skip
    said = add_outcomes(logged, MODEL, given_, labelling=LATE)
    assert counts(said) == {"read": 4, "added": 2, "unknown": 2, "predictions": 3}
    assert said.examples["unknown"][0] == "date 2026-03-03 00:00:00, flight 1001.0"
    assert outcomes(logged) == {ids(FIRST)[1]: 1.0, ids(again)[0]: 1.0, ids(SECOND)[0]: 0.0}
    assert counts(add_outcomes(logged, MODEL, given_, labelling=LATE)) == {
        "read": 4,
        "known": 2,
        "unknown": 2,
    }


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".parquet"])
def test_a_file(logged: Project, suffix: str) -> None:
    file = Path(f"outcomes{suffix}")
    frame = pd.DataFrame({"date": ["2026-03-02"] * 3, "flight": [1000, 1001, 5], "outcome": [1.0, None, 0.0]})
    frame.to_parquet(file) if suffix == ".parquet" else frame.to_csv(file, index=False)
    table: Any = pd.read_parquet(file) if suffix == ".parquet" else pd.read_csv(file)
    assert len(table) == 3
    said = import_outcomes(logged, file, MODEL, BY_FLIGHT)
    assert counts(said) == {"read": 3, "added": 1, "missing": 1, "unknown": 1, "predictions": 1}
    assert outcomes(logged) == {ids(FIRST)[0]: 1.0}


def test_predictions_without_keys_are_not_matched(project: Project) -> None:
    with PredictionLog.open(project) as log:
        log.append([entry(1, keys={}), entry(2, keys={"date": ["2026-03-02"], "flight": [None]})])
    given_ = {"date": ["2026-03-02", None], "flight": [1000, None], "late": [1, 1]}
    assert counts(add_outcomes(project, MODEL, given_, labelling=LATE)) == {"read": 2, "unknown": 2}


def test_labels_that_are_words(project: Project) -> None:
    words = Labelling.of(contract_of({
        "contract": "c", "label": "fate",
        "columns": {"x": {"type": "int"}, "fate": {"type": "category", "values": ["late", "on time"]}},
    }))  # fmt: skip
    with PredictionLog.open(project) as log:
        log.append([FIRST])
    given_ = {"id": ids(FIRST), "fate": ["late", "on time", "lost"]}
    assert counts(add_outcomes(project, MODEL, given_, labelling=words)) == {
        "read": 3, "added": 2, "wrong": 1, "predictions": 2,
    }  # fmt: skip
    assert outcomes(project) == {ids(FIRST)[0]: "late", ids(FIRST)[1]: "on time"}
    compact(project)
    assert counts(add_outcomes(project, MODEL, given_, labelling=words)) == {
        "read": 3,
        "known": 2,
        "wrong": 1,
    }


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ({"type": "int", "values": [0, 1]}, "1", 1.0),
        ({"type": "int", "values": [0, 1]}, "1.0", 1.0),
        ({"type": "int", "values": [0, 1]}, False, 0.0),
        ({"type": "int", "values": [0, 1]}, "True", 1.0),
        ({"type": "bool"}, "1", 1.0),
        ({"type": "bool"}, np.bool_(False), 0.0),
        ({"type": "bool"}, 2, None),
        ({"type": "float", "min": 0}, "3.5", 3.5),
        ({"type": "float", "min": 0}, -1, None),
        ({"type": "float"}, float("inf"), None),
        ({"type": "int", "max": 9}, 3.5, None),
        ({"type": "int", "max": 9}, 10, None),
        ({"type": "text"}, 5, "5"),
    ],
)
def test_what_a_label_may_be(column: dict[str, Any], value: Any, expected: Any) -> None:
    contract = contract_of({"contract": "c", "label": "y", "columns": {"x": {"type": "int"}, "y": column}})
    labelling = Labelling.of(contract)
    if expected is None:
        with pytest.raises(ValueError, match=r"is not|is outside"):
            labelling.read(value)
    else:
        assert labelling.read(value) == expected
    assert Labelling("outcome").read(True) == 1.0
    assert Labelling("outcome").read("late") == "late"


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"id": ["x"]}, "no column holds the outcome; expected 'late' or 'outcome', found: id"),
        (
            {"date": [1], "late": [1]},
            "no column 'flight': outcomes are joined by 'id', or by all of .* date, flight",
        ),
        ({"id": ["x", "y"], "late": [1]}, "the columns of outcomes are not of one length"),
    ],
)
def test_what_is_no_table_of_outcomes(logged: Project, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        add_outcomes(logged, MODEL, columns, labelling=LATE)


def test_a_model_without_predictions_has_no_outcomes(logged: Project) -> None:
    with pytest.raises(BadInput, match="there are no predictions of 'n' on record"):
        add_outcomes(logged, "n", {"id": [], "late": []}, labelling=LATE)
    with pytest.raises(BadInput, match="the contract declares no keys"):
        add_outcomes(logged, MODEL, {"late": [1]}, labelling=Labelling("late"))
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(BadInput, match="there is no file"):
            import_outcomes(logged, Path(name), MODEL)
    Path("bad.parquet").write_bytes(b"x")
    Path("bad.txt").write_bytes(b"x")
    for name, message in (
        ("bad.parquet", "cannot be read as a table"),
        ("bad.txt", "is no table of outcomes"),
    ):
        with pytest.raises(BadInput, match=message):
            import_outcomes(logged, Path(name), MODEL)


@pytest.mark.parametrize(
    "alike",
    [
        [1545, 1545.0, "1545", np.int16(1545), np.float64(1545)],
        ["2026-03-02", pd.Timestamp("2026-03-02"), "2026-03-02T00:00:00", "2026-03-02 00:00", np.datetime64("2026-03-02"),
         pd.Timestamp("2026-03-02").date(), "2026-03-02T00:00:00+00:00", np.datetime64("2026-03-02", "ns")],
        ["2026-03-02T08:00:00", pd.Timestamp("2026-03-02T10:00+02:00"), "2026-03-02T08:00"],
        [True, np.bool_(True), "true"],
    ],
)  # fmt: skip
def test_one_key_has_many_spellings(alike: list[Any]) -> None:
    assert {key_text(each) for each in alike} == {str(key_text(alike[0]))}


def test_keys_that_are_not_one() -> None:
    assert (
        len({key_text(each) for each in (12, "012", "12.50", 12.5, "2026-13-02T00:00:00", "2026-03-02")}) == 6
    )
    assert {key_text(each) for each in (None, float("nan"), pd.NaT, np.datetime64("NaT"))} == {None}


REQUESTS = [f"{number:032x}" for number in (0, 1, 2**100)]
PAIR = st.tuples(st.sampled_from(REQUESTS), st.integers(0, 3))


@settings(max_examples=100, deadline=None)
@given(told=st.lists(st.tuples(PAIR, st.integers(0, 9))), asked=st.lists(PAIR), skip=st.integers(0, 2))
def test_the_newest_outcome_of_each(told: list[Any], asked: list[Any], skip: int) -> None:
    """Against a dictionary; on arrays that begin somewhere in their buffers, too."""
    table = pa.table({
        "request": pa.array([name for (name, _), _ in told], pa.string()),
        "row": pa.array([row for (_, row), _ in told], pa.int64()),
        "outcome": pa.array([float(label) for _, label in told], pa.float64()),
        "outcome_came": pa.array(list(range(len(told))), pa.timestamp("us", "UTC")),
    })  # fmt: skip
    newest = {pair: float(label) for pair, label in told}
    requests = pa.array([name for name, _ in asked], pa.string())[skip:]
    rows = pa.array([row for _, row in asked], pa.int64())[skip:]
    labels, came = Outcomes(table).of(requests, rows)
    assert labels.to_pylist() == [newest.get(pair) for pair in asked[skip:]]
    assert came.null_count == labels.null_count
