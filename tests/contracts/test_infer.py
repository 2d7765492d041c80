"""A proposed contract: what the sample meets, and the next month will."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.contracts.check import check
from workbench.contracts.contract import Column, contract_of, contract_text
from workbench.contracts.infer import infer, remarks, schema_of
from workbench.errors import BadInput


def column(values: Any) -> Column:
    return infer(pd.DataFrame({"x": pd.Series(values)}), "c").column("x")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 2, 3], Column("x", "int", min=0, max=13)),
        ([0, 1, 1], Column("x", "int", min=0, max=1)),
        ([-5, 5], Column("x", "int", min=-55, max=55)),
        ([2013] * 3, Column("x", "int", min=0, max=13000)),
        ([10.5, 40.2, None], Column("x", "float", nullable=True, min=-140.0, max=190.0)),
        ([0.0, 0.25], Column("x", "float", min=0, max=1.5)),
        ([1.5, np.inf], Column("x", "float", min=-6.0, max=9.0)),
        ([1e308, -1e308], Column("x", "float")),
        ([0.0, 0.0], Column("x", "float", min=0, max=5.0)),
        ([2**62, 2**62 + 1], Column("x", "int", min=0, max=4700000000000000000)),
        ([2**63 - 1, 0], Column("x", "int", min=0)),
        (["a", "b"] * 10, Column("x", "category", values=("a", "b"))),
        (["a", "b"] * 9, Column("x", "text")),
        (pd.Categorical(["ü", None] * 10), Column("x", "category", nullable=True, values=("ü",))),
        (pd.Categorical([1, 2]), Column("x", "int", min=0, max=7)),
        ([True, False], Column("x", "bool")),
        ([True, None], Column("x", "bool", nullable=True)),
        (pd.array([1, None], dtype="Int64"), Column("x", "int", nullable=True, min=0, max=6)),
        (pd.array(["a", None], dtype="string"), Column("x", "text", nullable=True)),
        ([None, None], Column("x", "text", nullable=True)),
        (pd.to_datetime(["2013-01-01", "2013-01-02"]), Column("x", "date")),
        (pd.to_datetime(["2013-01-01T12:00"]).tz_localize("Europe/Berlin"), Column("x", "datetime")),
        ([dt.date(2013, 1, 1)], Column("x", "date")),
        ([f"id{n}" for n in range(50)], Column("x", "text", unique=True)),
        (list(range(49)), Column("x", "int", min=0, max=290)),
    ],
)  # fmt: skip
def test_what_is_proposed_for_a_column(values: Any, expected: Column) -> None:
    assert column(values) == expected


def test_a_proposal_is_no_frozen_sample() -> None:
    january = pd.DataFrame({"month": [1] * 30, "day": range(1, 31), "temp": np.linspace(11, 60, 30)})
    december = pd.DataFrame({"month": [12] * 30, "day": range(2, 32), "temp": np.linspace(-5, 70, 30)})
    proposal = infer(january, "weather", label="temp")
    checked = check(december, proposal)
    assert {breach.rule: breach.count for breach in checked.breaches if breach.count} == {
        "month is outside 0 to 6": 30
    }
    assert (proposal.min_rows, proposal.label, proposal.never_features) == (3, "temp", ())


def test_what_a_reviewer_is_told() -> None:
    frame = pd.DataFrame({"id": range(60), "when": pd.Timestamp("2013-01-01")})
    told = remarks(infer(frame, "c"))
    assert [each.split(":")[0].split(" ")[0] for each in told] == ["'id'", "'when'", "never_features"]


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (pd.DataFrame(), "a table of 0 rows and 0 columns; there is nothing to infer from"),
        (pd.DataFrame({"x": []}), "a table of 0 rows and 1 columns"),
        (pd.DataFrame([[1, 2]], columns=["x", "x"]), "several columns called 'x'"),
        (pd.DataFrame([[1, 2]]), "the column 0 has no name that is text"),
        (pd.DataFrame({"": [1]}), "the column '' has no name that is text"),
        (pd.DataFrame({"x": [1, "a"], "y": [[1], [2]]}), "fits 'x' (mixed-integer), 'y' (mixed); make each"),
        (pd.DataFrame({"x": pd.to_timedelta([1], unit="s")}), "no type of a contract fits 'x' (timedelta64[ns])"),
    ],
)  # fmt: skip
def test_what_nothing_can_be_inferred_from(frame: pd.DataFrame, message: str) -> None:
    with pytest.raises(BadInput) as raised:
        infer(frame, "c")
    assert message in str(raised.value)
    with pytest.raises(BadInput, match="there is no column 'y' to be the label"):
        infer(pd.DataFrame({"x": [1]}), "c", label="y")


NAMES = st.lists(st.text(min_size=1, max_size=6), min_size=1, max_size=4, unique=True)
FINITE = st.floats(allow_nan=True, allow_infinity=False)
SERIES = st.integers(1, 80).flatmap(
    lambda rows: st.tuples(
        *[
            st.one_of(
                st.lists(st.integers(-(2**63), 2**63 - 1), min_size=rows, max_size=rows),
                st.lists(FINITE | st.none(), min_size=rows, max_size=rows),
                st.lists(st.text(max_size=3) | st.none(), min_size=rows, max_size=rows),
                st.lists(st.sampled_from("abc"), min_size=rows, max_size=rows).map(pd.Categorical),
                st.lists(st.booleans() | st.none(), min_size=rows, max_size=rows),
                st.lists(st.datetimes(dt.datetime(1700, 1, 1), dt.datetime(2200, 1, 1)), min_size=rows, max_size=rows),
                st.lists(st.dates() | st.none(), min_size=rows, max_size=rows),
                st.lists(st.integers(0, 9) | st.none(), min_size=rows, max_size=rows).map(
                    lambda values: pd.array(values, dtype="Int64")
                ),
            )
            for _ in range(4)
        ]
    )
)  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(names=NAMES, values=SERIES)
def test_what_was_inferred_is_met(names: list[str], values: tuple[Any, ...]) -> None:
    frame = pd.DataFrame({name: pd.Series(each) for name, each in zip(names, values, strict=False)})
    proposal = infer(frame, "c")
    checked = check(frame, proposal)
    assert (checked.stops, checked.warnings, checked.faulty) == ((), (), 0)
    assert contract_of(proposal.as_dict()) == proposal
    assert contract_text(proposal)


def test_a_contract_as_a_pandera_schema() -> None:
    agreed = contract_of({
        "contract": "c", "extra": "stop", "unique": [["k", "d"]],
        "columns": {
            "k": {"type": "category", "values": ["a", "b"], "severity": "warn"},
            "d": {"type": "date", "min": "2013-01-01", "max": "2013-01-05"},
            "s": {"type": "text", "pattern": "a|b"},
        },
    })  # fmt: skip
    schema = schema_of(agreed)
    frame = pd.DataFrame(
        {"k": ["a", "b"], "d": pd.to_datetime(["2013-01-01", "2013-01-05"]), "s": ["a", "b"]}
    )
    pd.testing.assert_frame_equal(schema.validate(frame), frame)
    assert schema.strict
    assert schema.unique == ["k", "d"]
    with pytest.warns(UserWarning, match="isin"):
        schema.validate(frame.assign(k=["a", "c"]))
