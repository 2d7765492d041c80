"""A question is the same whether it comes over HTTP or out of the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.logged import NOON, request_id
from workbench.contracts.contract import Contract, read_contract
from workbench.prediction_log.encoding import Stored, decode, encode
from workbench.prediction_log.entries import Logged
from workbench.serving.mirrored import question_of

CONTRACT = """\
contract: rows
label: late
columns:
  number: {type: float, nullable: true}
  whole: {type: int, nullable: true}
  word: {type: text, nullable: true}
  kind: {type: category, values: [a, b], nullable: true}
  flag: {type: bool, nullable: true}
  day: {type: date, nullable: true}
  moment: {type: datetime, nullable: true}
  late: {type: int, values: [0, 1]}
"""
NONE = np.array([None, None], dtype=object)


@pytest.fixture
def contract(tmp_path: Path) -> Contract:
    file = tmp_path / "rows.yaml"
    file.write_text(CONTRACT)
    return read_contract(file)


@pytest.mark.parametrize("keep", [(True, True), (True, False), (False, True), (False, False)])
def test_every_type_with_and_without_what_is_missing(contract: Contract, keep: tuple[bool, bool]) -> None:
    """`keep`: which of the two rows have values."""
    there = np.array(keep)
    missing: dict[str, Any] = {"f": np.nan, "O": None, "M": np.datetime64("NaT", "us")}
    whole = {
        "number": np.array([0.1 + 0.2, -0.0]), "whole": np.array([3.0, 2.0**53]),
        "word": np.array(["ä", ""], dtype=object), "kind": np.array(["a", "b"], dtype=object),
        "flag": np.array([True, False], dtype=object),
        "day": np.array(["2013-06-30", "1969-12-31"], dtype="datetime64[us]"),
        "moment": np.array(["2013-06-30T18:05:00.000001", "1900-01-01"], dtype="datetime64[us]"),
        "nobody knows": np.array([1.5, 2.5]),
    }  # fmt: skip
    asked = {name: np.where(there, values, missing[values.dtype.kind]) for name, values in whole.items()}
    given = Logged(
        request_id(1), "m", 1, "d" * 64, "champion", NOON, 0.01, 2, {name: each.tolist() for name, each in asked.items()},
        [0.5, 0.5], {"flight": [7, 8]}, "ada",
    )  # fmt: skip
    shape, body = encode(given)
    found = question_of(decode(Stored(1, shape, NOON, 2, given.request, body)), contract)
    assert (found.request, found.rows, found.caller, found.came) == (given.request, 2, "ada", NOON)
    assert found.keys == {"flight": ["7", "8"]}
    if not any(keep):  # of which sort that column was, nothing tells any more
        asked["nobody knows"] = NONE
    assert list(found.columns) == list(asked)
    for name, values in asked.items():
        assert found.columns[name].dtype == values.dtype, name
        same = found.columns[name].astype(str) if values.dtype.kind == "M" else found.columns[name]
        np.testing.assert_array_equal(same, values.astype(str) if values.dtype.kind == "M" else values)
        if values.dtype.kind == "f":
            np.testing.assert_array_equal(np.signbit(found.columns[name][there]), np.signbit(values[there]))
