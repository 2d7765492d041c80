"""Data held against a contract: what is kept, what is set aside and why, what stops."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.contracts.check import check, enforce
from workbench.contracts.contract import Contract, contract_of, read_contract
from workbench.contracts.infer import schema_of
from workbench.contracts.result import Checked
from workbench.errors import ContractError

REPOSITORY = Path(__file__).parents[2]
NOW = dt.datetime(2013, 1, 10, tzinfo=dt.UTC)


def contract(columns: dict[str, Any], **more: Any) -> Contract:
    return contract_of({"contract": "c", "columns": columns, **more})


def one(kind: str, **more: Any) -> Contract:
    return contract({"x": {"type": kind, **more}})


def broken(checked: Checked) -> dict[str, int]:
    return {breach.rule: breach.count for breach in checked.breaches if breach.count}


@pytest.mark.parametrize("copies", [1, 40])
@pytest.mark.parametrize(
    "column", [{"values": ["a", "b"]}, {"pattern": "[a-c]"}, {"values": ["a"], "nullable": True}]
)
def test_a_categorical_is_judged_as_its_texts_are(copies: int, column: dict[str, Any]) -> None:
    agreed = contract(
        {"x": {"type": "category" if "values" in column else "text", **column}}, rules={"no b": 'x != "b"'}
    )
    texts = pd.Series(["a", None, "b", "d"] * copies, dtype=object)
    plain = check(texts.to_frame("x"), agreed)
    of_more = pd.Categorical(texts, categories=["unused", "d", "b", "a", *map(str, range(200))])
    for coded in (texts.astype("category"), pd.Series(of_more)):
        found = check(coded.to_frame("x"), agreed)
        assert broken(found) == broken(plain)
        assert found.reasons.tolist() == plain.reasons.tolist()
        assert [each.examples for each in found.breaches] == [each.examples for each in plain.breaches]
    assert broken(plain)["no b"] == copies


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        ({"type": "int", "min": 1, "max": 3}, [0, 1, 3, 4], {"x is outside 1 to 3": 2}),
        ({"type": "int", "min": 1}, [0, 1], {"x is below 1": 1}),
        ({"type": "int", "max": 1}, [1, 2], {"x is above 1": 1}),
        ({"type": "int", "nullable": True}, [1.0, np.nan, 2.5], {"x is not a whole number": 1}),
        ({"type": "int"}, [1.0, np.nan], {"x is missing": 1}),
        ({"type": "int", "values": [1, 2]}, [1, 3, 2], {"x is not an allowed value": 1}),
        ({"type": "int", "unique": True}, [1, 2, 1, 1], {"x stands here already": 2}),
        ({"type": "int"}, [1, "a", None], {"x is missing": 1, "x is not a whole number": 1}),
        ({"type": "int"}, [1, True, "1"], {"x is not a whole number": 2}),
        ({"type": "float"}, [1.5, np.inf, -np.inf], {"x is not a finite number": 2}),
        ({"type": "float", "max": 2}, [Decimal("1.5"), Decimal("2.5")], {"x is above 2": 1}),
        ({"type": "float"}, [1, 2], {}),
        ({"type": "text", "pattern": "[a-z]+"}, ["ab", "aB", "ab\n"], {"x does not match [a-z]+": 2}),
        ({"type": "text"}, ["a", 1, b"b"], {"x is not text": 2}),
        ({"type": "category", "values": ["ä", "b"]}, ["ä", "c"], {"x is not an allowed value": 1}),
        ({"type": "bool", "values": [True]}, [True, False], {"x is not an allowed value": 1}),
        ({"type": "bool", "nullable": True}, [True, None, 0], {"x is not true or false": 1}),
        ({"type": "date", "min": "2013-01-02"}, pd.to_datetime(["2013-01-01", "2013-01-02"]), {"x is below 2013-01-02": 1}),
        ({"type": "date"}, pd.to_datetime(["2013-01-01", "2013-01-01T01:00"], format="ISO8601"), {"x is not a date": 1}),
        ({"type": "date", "max": "2013-01-01"}, [dt.date(2013, 1, 1), dt.date(2013, 1, 2)], {"x is above 2013-01-01": 1}),
        ({"type": "date", "values": ["2013-01-01"]}, pd.to_datetime(["2013-01-01", "2013-01-02"]), {"x is not an allowed value": 1}),
        (
            {"type": "datetime", "max": "2013-01-01T00:00+01:00"},
            pd.to_datetime(["2012-12-31T23:00", "2012-12-31T23:01"]).tz_localize("UTC").tz_convert("Asia/Tokyo"),
            {"x is above 2013-01-01T00:00+01:00": 1},
        ),
        ({"type": "datetime"}, [dt.datetime(2013, 1, 1, tzinfo=dt.UTC), None, "x"], {"x is missing": 1, "x is not a time": 1}),
    ],
)  # fmt: skip
def test_what_a_column_is_asked(column: dict[str, Any], values: Any, expected: dict[str, int]) -> None:
    frame = pd.DataFrame({"x": pd.Series(values)})
    checked = check(frame, contract({"x": column}))
    assert broken(checked) == expected
    assert checked.faulty == len(checked.aside) == sum(checked.set_aside)
    assert not checked.stops or len(checked.aside) == len(frame)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("int", pd.Series([1, None, 3], dtype="Int64")),
        ("int", pd.Series([1, None, 3], dtype=pd.ArrowDtype(pa.int32()))),
        ("int", pd.Series(pd.Categorical([1, None, 3]))),
        ("int", pd.Series([1, 2, 3], dtype="uint8")),
        ("float", pd.Series([1.5, None, 3], dtype="Float64")),
        ("float", pd.Series(pd.arrays.SparseArray([1.5, np.nan, 3]))),
        ("text", pd.Series(["a", None, "b"], dtype="string")),
        ("text", pd.Series(["a", None, "b"], dtype="string[pyarrow]")),
        ("text", pd.Series(["a", None, "b"], dtype=pd.ArrowDtype(pa.string()))),
        ("text", pd.Series(pd.Categorical(["a", None, "b"]))),
        ("bool", pd.Series([True, None, False], dtype="boolean")),
        ("date", pd.Series(pd.to_datetime(["2013-01-01", None, "2013-01-02"]).astype("datetime64[s]"))),
        ("date", pd.Series([dt.date(2013, 1, 1), None, dt.date(9999, 1, 2)])),
        ("date", pd.Series(pd.to_datetime(["2013-01-01", None]).tz_localize("Europe/Berlin"))),
        ("date", pd.Series([dt.date(2013, 1, 1), None], dtype=pd.ArrowDtype(pa.date32()))),
        ("datetime", pd.Series(pd.to_datetime(["2013-01-01T01:00", None]).tz_localize("Europe/Berlin"))),
        ("datetime", pd.Series([dt.datetime(2013, 1, 1, 1), None], dtype=pd.ArrowDtype(pa.timestamp("us", "UTC")))),
        *((kind, pd.Series([None] * 3, dtype=dtype)) for kind in ("int", "text", "bool", "date") for dtype in (object, float)),
    ],
)  # fmt: skip
def test_a_type_has_many_spellings(kind: str, values: pd.Series[Any]) -> None:
    frame = values.to_frame("x")
    allowing = check(frame, one(kind, nullable=True))
    assert (allowing.stops, broken(allowing)) == ((), {})
    assert allowing.kept is frame
    missing = int(values.isna().sum())
    assert broken(check(frame, one(kind))) == ({"x is missing": missing} if missing else {})


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("int", ["1", "2"], "column 'x' is object (string), expected int (row 0: '1', row 1: '2')"),
        ("int", [True, False], "column 'x' is bool, expected int"),
        (
            "float",
            pd.to_datetime(["2013-01-01"]),
            "column 'x' is datetime64[ns], expected float (row 0: 2013-01-01",
        ),
        ("text", [1, 2], "column 'x' is int64, expected text (row 0: 1, row 1: 2)"),
        ("text", [b"a"], "column 'x' is object (bytes), expected text"),
        ("text", [["a"], {}], "column 'x' is object (mixed), expected text (row 0: ['a'], row 1: {})"),
        ("bool", [0, 1], "column 'x' is int64, expected bool"),
        ("date", ["2013-01-01"], "column 'x' is object (string), expected date (row 0: '2013-01-01')"),
        ("datetime", pd.to_timedelta([1], unit="s"), "column 'x' is timedelta64[ns], expected datetime"),
        ("float", [1j], "column 'x' is complex128, expected float"),
    ],
)
def test_a_wrong_type_stops_and_shows_values(kind: str, values: Any, message: str) -> None:
    frame = pd.DataFrame({"x": pd.Series(values)})
    checked = check(frame, one(kind, nullable=True))
    assert checked.stops[0].startswith(message)
    assert len(checked.kept) == 0
    with pytest.raises(ContractError, match="contract 'c' is not met"):
        checked.stop()


def test_columns_missing_twice_and_unknown() -> None:
    agreed = contract({"number": {"type": "int"}, "b": {"type": "int"}}, extra="stop")
    frame = pd.DataFrame([[1, 2, 3]], columns=["nmber", "b", "b"])
    assert check(frame, agreed).stops == (
        "column 'number' is missing; did you mean 'nmber'?",
        "column 'b' stands 2 times in the data",
        "column 'nmber' is no column of the contract; did you mean 'number'?",
    )
    extra = pd.DataFrame({"x": [1], "other": [1], 7: [2]})
    assert check(extra, one("int")).warnings == (
        "column 'other' is no column of the contract",
        "column '7' is no column of the contract",
    )
    assert check(extra, contract({"x": {"type": "int"}}, extra="ignore")).warnings == ()
    assert check(pd.DataFrame(), one("int")).stops == ("column 'x' is missing",)


def test_severities_decide_what_happens_to_a_row() -> None:
    rules = {
        "set aside": "x != 1",
        "no label": {"expect": "x != 2", "severity": "exclude"},
        "odd": {"expect": "x != 3", "severity": "warn"},
    }
    frame = pd.DataFrame({"x": [1, 2, 3, 4, 1]}, index=[9, 9, 8, 8, 7])
    checked = check(frame, contract({"x": {"type": "int"}}, rules=rules))
    assert list(checked.kept["x"]) == [3, 4]
    assert list(checked.kept.index) == [8, 8]
    assert list(checked.aside["reason"]) == ["set aside", "no label", "set aside"]
    assert (checked.faulty, checked.excluded, checked.rows) == (2, 1, 5)
    assert checked.warnings == ("odd in 1 of 5 rows: row 2: x 3",)
    assert checked.passed
    stopping = contract({"x": {"type": "int", "max": 3, "severity": "stop"}})
    with pytest.raises(ContractError, match="x is above 3 in 1 of 5 rows: row 3: 4"):
        enforce(frame, stopping)


def test_a_row_that_is_excluded_may_be_faulty_too() -> None:
    agreed = contract(
        {"x": {"type": "int", "max": 5}, "s": {"type": "text"}},
        rules={"cancelled": {"expect": "s != 'c'", "severity": "exclude"}},
    )
    checked = check(pd.DataFrame({"x": [9, 1, 1], "s": ["c", "c", "a"]}), agreed)
    assert (checked.faulty, checked.excluded, len(checked.aside)) == (1, 1, 2)
    assert list(checked.aside["reason"]) == ["cancelled", "cancelled"]
    assert checked.as_dict()["rows"] == {"read": 3, "kept": 1, "quarantined": 2, "faulty": 1, "excluded": 1}


def test_too_many_faulty_rows_stop() -> None:
    agreed = contract({"x": {"type": "int", "min": 0}}, quarantine={"max_share": 0.25})
    assert check(pd.DataFrame({"x": [-1, 0, 0, 0]}), agreed).passed
    stops = check(pd.DataFrame({"x": [-1, -2, 0, 0]}), agreed).stops
    assert stops == (
        "50.00% of the rows are faulty, expected at most 25.00%: x is below 0 in 2 of 4 rows: row 0: -1",
    )


def test_no_row_left_stops() -> None:
    assert check(pd.DataFrame({"x": [-1]}), one("int", min=0)).stops == (
        "no row of 1 keeps every rule: x is below 0 in 1 of 1 rows: row 0: -1",
    )


@pytest.mark.parametrize("rows", [0, 3, 6])
def test_bounds_of_the_number_of_rows(rows: int) -> None:
    agreed = contract({"x": {"type": "int"}}, rows={"min": 2, "max": 4})
    stops = check(pd.DataFrame({"x": np.arange(rows)}), agreed).stops
    assert stops == {
        0: ("0 rows, expected at least 2",), 3: (), 6: ("6 rows, expected at most 4",)
    }[rows]  # fmt: skip


def test_freshness() -> None:
    agreed = contract({"x": {"type": "date", "nullable": True}}, freshness={"column": "x", "days": 3})
    frame = pd.DataFrame({"x": pd.to_datetime(["2013-01-01", None, "2013-01-06"])})
    assert check(frame, agreed, now=NOW).stops == (
        "column 'x' ends at 2013-01-06, 4.0 days ago; expected at most 3 days",
    )
    assert check(frame, agreed, now=NOW - dt.timedelta(days=1)).passed
    assert not check(frame, agreed).passed
    warning = contract(
        {"x": {"type": "date", "nullable": True}}, freshness={"column": "x", "days": 3, "severity": "warn"}
    )
    assert len(check(frame, warning, now=NOW).warnings) == 1
    wrong = pd.DataFrame({"x": pd.to_datetime(["2013-01-06", "2013-01-08T12:00"], format="ISO8601")})
    assert check(wrong, agreed, now=NOW).stops == check(frame, agreed, now=NOW).stops


@pytest.mark.parametrize("values", [[], [None], [pd.NaT, pd.NaT]])
def test_freshness_that_cannot_be_judged_does_not_pass(values: list[Any]) -> None:
    agreed = contract({"x": {"type": "date", "nullable": True}}, freshness={"column": "x", "days": 3})
    checked = check(pd.DataFrame({"x": pd.to_datetime(pd.Series(values, dtype=object))}), agreed, now=NOW)
    assert checked.stops == ("column 'x' has no value, so how fresh the data are cannot be said",)


def test_keys_of_several_columns() -> None:
    agreed = contract({"a": {"type": "int"}, "b": {"type": "text", "nullable": True}}, unique=[["a", "b"]])
    checked = check(pd.DataFrame({"a": [1, 1, 1, 1, 1], "b": ["x", "y", "x", None, None]}), agreed)
    assert list(checked.set_aside) == [False, False, True, False, False]
    assert checked.breaches[-1].examples == ((2, "a 1, b 'x'"),)


def test_a_rule_is_not_judged_where_a_value_is_missing_or_wrong() -> None:
    agreed = contract(
        {"a": {"type": "int", "nullable": True}, "s": {"type": "text", "nullable": True}},
        rules={"small": "a < 5", "named": "s.notna() or a.isna()", "lower": "s < 'm'"},
    )
    frame = pd.DataFrame({"a": [1, None, 9, 9.5], "s": ["a", None, None, 3]}, dtype=object)
    assert broken(check(frame, agreed)) == {
        "small": 1, "named": 1, "a is not a whole number": 1, "s is not text": 1
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint8", "int8", "uint64", "int64", "float32", "float64", "Int16", object])
def test_a_narrow_type_does_not_wrap_around(dtype: Any) -> None:
    agreed = contract(
        {"x": {"type": "int", "min": -1000, "max": 10**18}}, rules={"r": "x - 5 < 0 and x + 300 < 304"}
    )
    assert broken(check(pd.DataFrame({"x": pd.Series([1, 9], dtype=dtype)}), agreed)) == {"r": 1}


def test_numbers_at_the_edge() -> None:
    beyond = pd.Series([10**400, 1, Decimal("1e400")], dtype=object)
    assert broken(check(pd.DataFrame({"x": beyond}), one("float"))) == {"x is not a finite number": 2}
    large = pd.Series([2**64 - 1, 1], dtype="uint64")
    assert broken(check(pd.DataFrame({"x": large}), one("int", max=2**63 - 1))) == {
        "x is above 9223372036854775807": 1
    }
    assert (
        broken(check(pd.DataFrame({"x": pd.Series([1, 2], dtype="float32")}), one("float", max=1e300))) == {}
    )


def test_rules_of_the_caller() -> None:
    frame = pd.DataFrame({"x": [1, 2, 3]})
    checked = check(frame, one("int"), also={"unknown": frame["x"] == 2})
    assert list(checked.aside["reason"]) == ["unknown"]
    with pytest.raises(ValueError, match="expected one truth for each of 3 rows"):
        check(frame, one("int"), also={"unknown": [True]})


def test_a_column_called_reason_stays() -> None:
    frame = pd.DataFrame({"x": [-1, 1], "reason": ["mine", "too"]})
    aside = check(frame, contract({"x": {"type": "int", "min": 0}}, extra="ignore")).aside
    assert list(aside.columns) == ["x", "reason", "reason_"]
    assert list(aside.iloc[0]) == [-1, "mine", "x is below 0"]


def test_what_a_model_is_given_is_checked_row_by_row() -> None:
    agreed = read_contract(REPOSITORY / "notebooks" / "contracts" / "flight-features.yaml").of_features()
    row: dict[str, Any] = {
        column.name: column.min if column.min is not None else "UA" for column in agreed.columns
    }
    row |= {"origin": "EWR", "dest": "ORD", "temp": None, "plane_year": np.nan}
    assert check(pd.DataFrame([row]), agreed).passed
    bad = check(pd.DataFrame([row, row | {"hour": 24}]), agreed)
    assert (bad.passed, list(bad.aside["reason"])) == (True, ["hour is outside 0 to 23"])
    assert check(pd.DataFrame([row | {"date": "2013-01-01", "flight": 1545}]), agreed).passed  # keys
    for name in ("arr_delay", "late", "tailnum"):
        assert (
            f"column '{name}' must never be given to a model"
            in check(pd.DataFrame([row | {name: 1}]), agreed).stops
        )


def test_keys_may_come_with_the_rows() -> None:
    contract = contract_of({
        "contract": "c", "columns": {"a": {"type": "int"}}, "never_features": ["ticket", "after"], "keys": ["ticket", "seat"],
        "extra": "stop",
    }).of_features()  # fmt: skip
    assert check(pd.DataFrame({"a": [1], "ticket": ["x"], "seat": [None]}), contract).passed
    found = check(pd.DataFrame({"a": [1], "ticket": ["x"], "after": [1], "other": [1]}), contract)
    assert found.stops == (
        "column 'after' must never be given to a model", "column 'other' is no column of the contract",
    )  # fmt: skip
    twice = pd.DataFrame([[1, "x", "y"]], columns=["a", "ticket", "ticket"])
    assert check(twice, contract).stops == ("column 'ticket' stands 2 times in the data",)


def test_nothing_is_changed_and_examples_are_few() -> None:
    frame = pd.DataFrame({"x": [-1.0] * 1000 + [1.0] * 9000, "s": ["<b>" * 50] * 10000})
    before = frame.copy(deep=True)
    checked = check(
        frame,
        contract(
            {"x": {"type": "float", "min": 0}, "s": {"type": "category", "values": ["a"], "severity": "warn"}}
        ),
    )
    pd.testing.assert_frame_equal(frame, before)
    assert [len(breach.examples) for breach in checked.breaches if breach.count] == [5, 5]
    assert len(checked.warnings[0]) < 500


COLUMNS: dict[str, Any] = {
    "i": {"type": "int", "min": -3, "max": 3}, "f": {"type": "float", "nullable": True, "min": -1.5},
    "k": {"type": "category", "values": ["a", "b", "ü"], "nullable": True},
    "s": {"type": "text", "pattern": "[a-c]*"}, "u": {"type": "int", "unique": True, "severity": "stop"},
    "d": {"type": "date", "max": "2013-01-05", "nullable": True},
}  # fmt: skip
DAYS = st.dates(dt.date(2013, 1, 1), dt.date(2013, 1, 9))
ROW = st.fixed_dictionaries({
    "i": st.integers(-5, 5), "f": st.none() | st.floats(-3, 3), "k": st.sampled_from(["a", "b", "ü", "c", None]),
    "s": st.text("abcd", max_size=3), "u": st.integers(0, 9), "d": st.none() | DAYS,
})  # fmt: skip


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=8))
def test_pandera_sees_the_same_rows(rows: list[dict[str, Any]]) -> None:
    import pandera.pandas as pandera

    frame = pd.DataFrame(rows)
    frame = frame.assign(d=pd.to_datetime(frame["d"]), f=frame["f"].astype(float))
    agreed = contract(COLUMNS)
    ours = np.zeros(len(frame), dtype=bool)
    for breach in check(frame, agreed).breaches:
        ours |= breach.broken
    theirs = np.zeros(len(frame), dtype=bool)
    try:
        schema_of(agreed).validate(frame, lazy=True)
    except pandera.errors.SchemaErrors as error:
        cases = error.failure_cases
        assert not cases["index"].isna().any()
        repeated = cases["check"] == "field_uniqueness"
        theirs[cases.loc[~repeated, "index"].astype(int)] = True
        theirs |= frame["u"].duplicated().to_numpy()
        assert repeated.any() == frame["u"].duplicated().any()
    assert list(ours) == list(theirs)


@settings(max_examples=40, deadline=None)
@given(rows=st.lists(ROW, max_size=8))
def test_every_row_is_kept_or_set_aside_and_what_is_kept_stays(rows: list[dict[str, Any]]) -> None:
    frame = pd.DataFrame(rows, columns=list(COLUMNS))
    frame = frame.assign(d=pd.to_datetime(frame["d"]), f=frame["f"].astype(float))
    agreed = contract(
        {**COLUMNS, "u": {"type": "int"}}, unique=[["s", "u"]],
        rules={"r": "f < i", "e": {"expect": "k != 'a'", "severity": "exclude"}},
    )  # fmt: skip
    checked = check(frame, agreed)
    assert len(checked.aside) == checked.faulty + checked.excluded == checked.set_aside.sum()
    if checked.passed:
        again = pd.concat([checked.kept, checked.aside.drop(columns="reason")]).sort_index()
        assert again.equals(frame)
        twice = check(checked.kept, agreed)
        assert (twice.kept is checked.kept, len(twice.aside)) == (True, 0)


def test_checking_does_not_import_pandera() -> None:
    import subprocess
    import sys

    code = (
        "import sys, pandas as pd\nfrom workbench.contracts.contract import contract_of\nfrom workbench.contracts.check import check\n"
        "c = contract_of({'contract': 'c', 'columns': {'x': {'type': 'int'}}})\n"
        "assert check(pd.DataFrame({'x': [1]}), c).passed\nprint('pandera' in sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert found.stdout.strip() == "False"
