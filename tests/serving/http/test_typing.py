"""Cells into typed columns: what each type takes, and what is said to the rest."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.contracts.contract import Column, Contract
from workbench.serving.answers import Refused
from workbench.serving.http.cells import FEW, SHOWN
from workbench.serving.http.rows import InRecords, Rows, by_column, records
from workbench.serving.http.typing import Typed, Typing

CONTRACT = Contract(
    "rows",
    (
        Column("count", "int"), Column("temp", "float"), Column("dest", "text"), Column("carrier", "category"),
        Column("late", "bool"), Column("day", "date"), Column("at", "datetime"),
    ),
    label="outcome",
    never_features=("arr_delay", "flight"),
    extra="stop",
)  # fmt: skip
ROW: dict[str, Any] = {
    "count": 3, "temp": 39.5, "dest": "LAX", "carrier": "AA", "late": True, "day": "2013-06-30",
    "at": "2013-06-30T18:05:00",
}  # fmt: skip


def typed(*rows: dict[str, Any], contract: Contract = CONTRACT, keys: tuple[str, ...] = ()) -> Typed:
    return Typing(contract, keys, max_text=20).read(records(list(rows), "/rows", 10_000))


def refused(*rows: dict[str, Any], **more: Any) -> dict[str, str]:
    with pytest.raises(Refused) as caught:
        typed(*rows, **more)
    assert (caught.value.status, caught.value.reason) == (422, "contract")
    return {wrong.at: wrong.message for wrong in caught.value.wrong}


def test_a_row_becomes_columns_of_the_contracts_types() -> None:
    found = typed(ROW).columns
    assert {name: values.dtype.str for name, values in found.items()} == {
        "count": "<f8", "temp": "<f8", "dest": "|O", "carrier": "|O", "late": "|O", "day": "<M8[us]", "at": "<M8[us]",
    }  # fmt: skip
    assert [values.tolist() for values in found.values()] == [
        [3.0], [39.5], ["LAX"], ["AA"], [True],
        [np.datetime64("2013-06-30", "us").item()], [np.datetime64("2013-06-30T18:05", "us").item()],
    ]  # fmt: skip


@pytest.mark.parametrize("rows", [1, FEW, FEW + 1, 50])
def test_null_is_the_only_missing_value(rows: int) -> None:
    found = typed(*[dict.fromkeys(ROW)] * rows).columns
    assert np.isnan(found["count"]).all()
    assert np.isnan(found["temp"]).all()
    assert [found[name].tolist() for name in ("dest", "carrier", "late")] == [[None] * rows] * 3
    assert np.isnat(found["day"]).all()
    assert np.isnat(found["at"]).all()


@pytest.mark.parametrize("before", [0, FEW, 60])
@pytest.mark.parametrize(
    ("column", "cell", "said"),
    [
        ("temp", "39.0", "is a text; expected a number"),
        ("temp", "NaN", "is a text; expected a number"),
        ("temp", "", "is a text; expected a number"),
        ("temp", True, "is true or false; expected a number"),
        ("temp", [39.0], "is a list; expected a number"),
        ("temp", 2**53 + 1, "beyond 2**53"),
        ("temp", float("inf"), "is not finite"),
        ("count", 2.5, "is not whole; expected a whole number"),
        ("count", "3", "is a text; expected a whole number"),
        ("count", False, "is true or false; expected a whole number"),
        ("count", 2**53 + 1, "beyond 2**53"),
        ("count", -(2**60), "beyond 2**53"),
        ("count", 1e300, "beyond 2**53"),
        ("dest", 5, "is a number; expected a text"),
        ("dest", {"a": 1}, "is an object; expected a text"),
        ("dest", "x" * 21, "has 21 characters; expected at most 20"),
        ("carrier", True, "is true or false; expected a text"),
        ("late", 1, "is a number; expected true or false"),
        ("late", "true", "is a text; expected true or false"),
        ("day", 15000, "is a number; expected a date"),
        ("day", "30.06.2013", "is not a date such as 2013-06-30"),
        ("day", "2013-02-30", "is not a date"),
        ("day", "2013-06-30T18:05:00", "is not a date"),
        ("day", "20130630", "is not a date"),
        ("day", "٢٠١٣-٠٦-٣٠", "is not a date"),
        ("at", "18:05", "is not a time such as"),
        ("at", "2013-06-30T25:00:00", "is not a time"),
        ("at", "2013-06-30T18:05:00.0000001", "is not a time"),
        ("at", "0001-01-01T00:00:00+14:00", "is not a time"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_named_by_its_place(
    column: str, cell: Any, said: str, before: int
) -> None:
    found = refused(*[ROW] * before, {**ROW, column: cell})
    assert list(found) == [f"/rows/{before}/{column}"]
    assert said in found[f"/rows/{before}/{column}"]


@pytest.mark.parametrize("rows", [1, 50])
def test_whole_numbers_may_be_written_as_decimals_up_to_what_is_held_exactly(rows: int) -> None:
    found = typed(
        *[{**ROW, "count": 3.0, "temp": 5}] * rows, *[{**ROW, "count": 2**53, "temp": -(2**53)}] * rows
    )
    assert found.columns["count"].tolist() == [3.0] * rows + [2.0**53] * rows
    assert found.columns["temp"].tolist() == [5.0] * rows + [-(2.0**53)] * rows


@pytest.mark.parametrize("rows", [1, 50])
def test_a_decimal_may_be_large(rows: int) -> None:
    assert typed(*[{**ROW, "temp": 1e300}] * rows, {**ROW, "temp": 1}).columns["temp"][0] == 1e300


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2013-06-30T18:05:00", "2013-06-30T18:05"), ("2013-06-30 18:05", "2013-06-30T18:05"),
        ("2013-06-30T18:05:00Z", "2013-06-30T18:05"), ("2013-06-30T18:05:00+02:00", "2013-06-30T16:05"),
        ("2013-06-30T18:05:00.123456", "2013-06-30T18:05:00.123456"),
        ("2013-06-30T18:05:00.123000000", "2013-06-30T18:05:00.123"), ("2013-06-30", "2013-06-30"),
    ],
)  # fmt: skip
def test_times_are_utc(text: str, utc: str) -> None:
    assert typed({**ROW, "at": text}).columns["at"][0] == np.datetime64(utc)


@pytest.mark.parametrize(
    "text", ["2013-06-30", "2013-06-30T00:00:00.000", "2013-06-30 00:00", "2013-06-30T00:00:00+02:00"]
)
def test_a_date_may_be_written_as_its_midnight(text: str) -> None:
    assert typed({**ROW, "day": text}).columns["day"][0] == np.datetime64("2013-06-30")


def test_columns_that_are_missing_or_unknown_are_named_with_the_nearest() -> None:
    row = {**ROW, "tmep": 39.0}
    del row["temp"]
    assert refused(row) == {
        "/rows/0/tmep": "column 'tmep' is no column of the contract; did you mean 'temp'?",
        "/rows/0/temp": "column 'temp' is missing; did you mean 'tmep'?",
    }


@pytest.mark.parametrize("extra", ["stop", "warn", "ignore"])
@pytest.mark.parametrize("name", ["outcome", "arr_delay", "flight"])
def test_what_a_model_must_never_see_is_refused(extra: Any, name: str) -> None:
    contract = Contract(**{**vars(CONTRACT), "extra": extra})
    assert refused({**ROW, name: 1}, contract=contract) == {
        f"/rows/0/{name}": f"column '{name}' must never be given to a model"
    }
    assert refused({**ROW, name: 1}, contract=contract.of_features()) != {}


def test_columns_nobody_knows_are_left_out_with_a_warning_or_without() -> None:
    warned = typed({**ROW, "tmep": 1}, contract=Contract(**{**vars(CONTRACT), "extra": "warn"}))
    assert warned.warnings == ("column 'tmep' is no column of the contract; did you mean 'temp'?",)
    silent = typed({**ROW, "tmep": 1}, contract=Contract(**{**vars(CONTRACT), "extra": "ignore"}))
    assert silent.warnings == ()
    assert warned.columns.keys() == silent.columns.keys() == ROW.keys()


def test_keys_are_split_off_even_if_they_are_on_the_deny_list_and_may_be_features_too() -> None:
    found = typed({**ROW, "flight": 1545}, keys=("day", "carrier", "flight"))
    assert found.keys == {"day": ["2013-06-30"], "carrier": ["AA"], "flight": [1545]}
    assert found.columns.keys() == ROW.keys()
    assert typed(ROW, keys=("flight",)).keys == {}


@pytest.mark.parametrize("cell", [[1], {"a": 1}, 2**60, "x" * 21])
def test_a_key_is_a_plain_value(cell: Any) -> None:
    assert list(refused({**ROW, "flight": cell}, keys=("flight",))) == ["/rows/0/flight"]


def test_a_key_of_a_known_type_is_held_to_it() -> None:
    assert list(refused({**ROW, "day": 5}, keys=("day",))) == ["/rows/0/day"]


def test_many_wrong_cells_are_counted_up_to_a_limit() -> None:
    found = refused(*[{**ROW, "temp": "x"}] * 5_000)
    assert len(found) == SHOWN


def test_unknown_names_without_end_are_refused_quickly() -> None:
    row = {**ROW, **{"n" * 5_000 + str(number): 1 for number in range(200)}}
    assert len(refused(row)) == 200


numbers = st.one_of(st.none(), st.integers(-(2**53), 2**53), st.floats(allow_nan=False, allow_infinity=False))


@given(st.lists(numbers, min_size=1, max_size=40))
def test_every_number_arrives_bit_for_bit_however_many_there_are(cells: list[Any]) -> None:
    contract = Contract("c", (Column("x", "float"),))
    found = Typing(contract).read(by_column({"x": cells}, "/inputs", 100)).columns["x"]
    expected = np.array([np.nan if cell is None else float(cell) for cell in cells])
    assert found.tobytes() == expected.tobytes()


cells = st.one_of(
    st.none(), st.booleans(), st.integers(-(2**63), 2**64 - 1), st.floats(), st.text(max_size=30),
    st.lists(st.integers(), max_size=2), st.dictionaries(st.text(max_size=2), st.integers(), max_size=2),
)  # fmt: skip


@given(st.sampled_from(CONTRACT.columns), st.lists(cells, min_size=1, max_size=30))
def test_many_cells_are_judged_as_each_of_them_alone(column: Column, given_cells: list[Any]) -> None:
    typing = Typing(Contract("c", (column,)), max_text=20)

    def judged(some: list[Any]) -> bytes | None:
        try:
            found = typing.read(Rows({column.name: some}, len(some), InRecords("")))
        except Refused:
            return None
        return repr(found.columns[column.name].tolist()).encode()

    alone = [judged([cell]) for cell in given_cells]
    together = judged(given_cells)
    assert (together is None) == (None in alone)
    if together is not None:
        assert together == b"[" + b", ".join(each[1:-1] for each in alone if each) + b"]"


def tensor(kind: str, values: Any) -> Any:
    """What becomes of numbers that came as bytes; None where they are refused."""
    rows = Rows({"x": values}, len(values), InRecords(""))
    return Typing(Contract("c", (Column("x", kind),))).read(rows).columns["x"]  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["<i1", "<u1", "<i4", "<u8", "<i8", "<f2", "<f4", "<f8"])
@pytest.mark.parametrize("kind", ["int", "float"])
def test_numbers_in_bytes_are_widened_without_loss(dtype: str, kind: str) -> None:
    found = tensor(kind, np.arange(40).astype(dtype))
    assert found.dtype == np.float64
    assert found.tolist() == list(range(40))


def test_nan_in_bytes_is_a_missing_value_and_infinity_is_none() -> None:
    for kind in ("int", "float"):
        assert np.isnan(tensor(kind, np.array([1.0, np.nan]))[1])
        with pytest.raises(Refused, match="x is not finite"):
            tensor(kind, np.array([1.0, np.inf]))
    with pytest.raises(Refused, match="x is not whole"):
        tensor("int", np.array([1.0, 1.5]))


@pytest.mark.parametrize("dtype", ["<i8", "<u8"])
@pytest.mark.parametrize("kind", ["int", "float"])
def test_of_large_whole_numbers_in_bytes_the_one_that_does_not_fit_is_found(dtype: str, kind: str) -> None:
    fits = np.full(3 * SHOWN, 2**53).astype(dtype)
    assert tensor(kind, fits).tolist() == [2.0**53] * len(fits)
    fits[-1] += 1
    with pytest.raises(Refused) as caught:
        tensor(kind, fits)
    assert [wrong.at for wrong in caught.value.wrong] == [f"/{len(fits) - 1}/x"]


def test_truths_and_texts_are_no_numbers_in_bytes_either() -> None:
    with pytest.raises(Refused, match="x is true or false; expected a number"):
        tensor("float", np.array([True]))
    with pytest.raises(Refused, match="x is a number; expected a text"):
        tensor("text", np.array([1.0]))
    assert tensor("bool", np.array([True, False])).tolist() == [True, False]
