"""What is missing looks the same to a model, whichever way its rows come in."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from workbench.errors import ModelError
from workbench.golden import frame_of, replay, requests
from workbench.missing import as_served
from workbench.modeling import make_estimator

TABLE = pd.DataFrame({
    "number": [1.5, np.nan, 3.0],
    "text": ["a", None, "ü"],
    "truth": pd.Series([True, None, False], dtype=object),
    "whole": [True, False, True],
    "time": pd.to_datetime(["2013-01-01", None, "2013-01-03"]),
})  # fmt: skip


def same_form(frame: pd.DataFrame, columns: list[str]) -> None:
    """The cells are those of TABLE, and of the same types: None is no NaN here."""
    for name in columns:
        assert frame[name].dtype == TABLE[name].dtype, name
        found = [type(value) for value in frame[name].tolist()]
        assert found == [type(value) for value in TABLE[name].tolist()], name
    pd.testing.assert_frame_equal(frame[columns], TABLE[columns])


def test_parquet_as_training_reads_it_has_the_form(tmp_path: Path) -> None:
    TABLE.to_parquet(tmp_path / "t.parquet")
    read = pd.read_parquet(tmp_path / "t.parquet")
    same_form(read, list(TABLE))
    assert as_served(read) is read


@pytest.mark.parametrize(
    "way",
    [
        {"text": "category", "truth": "boolean", "number": "Float64"},
        {"text": "string", "whole": object},
        {"text": pd.ArrowDtype(pa.string()), "number": pd.ArrowDtype(pa.float64())},
        {},
    ],
)
def test_every_type_of_pandas_is_brought_into_the_form(way: dict[str, object]) -> None:
    same_form(as_served(TABLE.astype(way)), list(TABLE))


def test_csv_in_memory_has_nan_for_missing_text_and_is_brought_into_the_form() -> None:
    read = pd.read_csv(io.StringIO(TABLE[["text", "number"]].to_csv(index=False)))
    assert isinstance(read["text"][1], float)
    same_form(as_served(read), ["text", "number"])


def test_json_of_golden_requests_has_the_form() -> None:
    sample = json.loads(TABLE[["number", "text"]].to_json(orient="split", index=False))
    same_form(frame_of({"columns": sample["columns"], "inputs": sample["data"]}), ["number", "text"])


def test_rows_columns_of_one_name_and_the_index_stay() -> None:
    frame = pd.DataFrame([["a", np.nan], [np.nan, "b"]], columns=["k", "k"], index=[7, 3])
    served = as_served(frame)
    assert list(served.columns) == ["k", "k"]
    assert served.index.tolist() == [7, 3]
    assert served.to_numpy().tolist() == [["a", None], [None, "b"]]
    assert as_served(frame.iloc[:0]).empty


def test_categories_of_numbers_are_numbers() -> None:
    served = as_served(pd.DataFrame({"n": pd.Categorical([2, None, 1])}))
    np.testing.assert_array_equal(served["n"].to_numpy(), [2.0, np.nan, 1.0])


def fitted(missing: object) -> tuple[object, pd.DataFrame]:
    table = pd.DataFrame({"x": np.arange(80.0), "k": pd.Series(["a", "b", missing, "c"] * 20, dtype=object)})
    return make_estimator("logistic", table).fit(table, [0, 1, 1, 0] * 20), table


def test_a_model_that_learned_from_another_form_is_refused_when_it_is_saved() -> None:
    model, table = fitted(np.nan)
    with pytest.raises(
        ModelError, match=r"another form of what is missing \('k'\).*read its table from Parquet"
    ):
        requests(model, table)
    requests(model, table.dropna())  # without a gap there is nothing to differ in


def test_golden_requests_ask_for_the_answers_of_training() -> None:
    model, table = fitted(None)
    content = requests(model, table)
    assert replay(model, content).exact
    asked = json.loads(content)
    gaps = [row for row, inputs in enumerate(asked["inputs"]) if inputs[1] is None]
    assert gaps
    trained = {
        row["x"]: answer
        for row, answer in zip(table.to_dict("records"), model.predict_proba(table), strict=True)
    }  # type: ignore[attr-defined]
    for row in gaps:
        assert asked["outputs"][row] == pytest.approx(trained[asked["inputs"][row][0]], abs=1e-12)
