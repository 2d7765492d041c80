"""Golden requests: a saved sample of inputs with the exact answers, to tell whether a loaded model still is the model.

The answers are those to the inputs as JSON gives them back, asked for in one call. A call with other rows may
differ in the last bit, since linear algebra adds up in another order; so a replay asks for all rows at once.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ModelError
from workbench.missing import as_served

FILE = "golden.json"
ROWS = 20
"""Rows spread over the data; the two with most missing values may come on top."""


@dataclass(frozen=True)
class Replay:
    """What came of asking a model its golden requests again."""

    rows: int
    wrong: int
    """Rows whose answer is not exactly the saved one."""
    largest_difference: float

    @property
    def exact(self) -> bool:
        return self.rows > 0 and self.wrong == 0


def requests(model: Any, features: pd.DataFrame, rows: int = ROWS) -> str:
    """JSON with `columns`, `inputs` (rows × columns) and `outputs` (rows × classes): rows spread over `features`,
    those with most missing values among them, and what `model.predict_proba` says to them.

    Raises ModelError for a model that learned from another form of what is missing than it would be served with.
    """
    spread = np.linspace(0, len(features) - 1, num=min(rows, len(features))).astype(int)
    emptiest = np.argsort(-features.isna().sum(axis=1).to_numpy(), kind="stable")[:2]
    chosen = np.unique(np.concatenate([spread, emptiest]))
    _refuse_another_form(model, features.iloc[chosen])
    sample = json.loads(features.iloc[chosen].to_json(orient="split", index=False, double_precision=15))
    content = {"columns": sample["columns"], "inputs": sample["data"]}
    content["outputs"] = model.predict_proba(frame_of(content)).tolist()
    return json.dumps(content, allow_nan=False) + "\n"


def replay(model: Any, content: str) -> Replay:
    """Ask again. Raises ModelError when the requests cannot be read or the model cannot answer them."""
    try:
        golden = json.loads(content)
        saved = np.asarray(golden["outputs"], dtype=float)
        answers = np.asarray(model.predict_proba(frame_of(golden)), dtype=float)
    except (ValueError, TypeError, LookupError, AttributeError) as error:
        raise ModelError(f"the golden requests cannot be replayed: {error}") from error
    if answers.shape != saved.shape:
        raise ModelError(
            f"the golden requests have answers of shape {saved.shape}, the model's are {answers.shape}"
        )
    different = np.abs(answers - saved)
    wrong = int((~(answers == saved)).any(axis=1).sum()) if len(saved) else 0
    return Replay(len(saved), wrong, float(np.nanmax(different, initial=0.0)))


def read_golden(content: str) -> Mapping[str, Any]:
    """Golden requests as they were saved. Raises ModelError when they cannot be read."""
    try:
        golden = json.loads(content)
        if not {"columns", "inputs", "outputs"} <= golden.keys():
            raise ValueError("columns, inputs or outputs are missing")
    except (ValueError, AttributeError) as error:
        raise ModelError(f"the golden requests cannot be read: {error}") from error
    return dict(golden)


def frame_of(golden: Mapping[str, Any]) -> pd.DataFrame:
    """The inputs of golden requests as the model takes them: numbers as float64, what is missing as `missing` says."""
    frame = pd.DataFrame(golden["inputs"], columns=golden["columns"])
    numeric = [name for name in frame.columns if _numeric(frame[name])]
    return as_served(frame.astype(dict.fromkeys(numeric, "float64")))


def _refuse_another_form(model: Any, rows: pd.DataFrame) -> None:
    served = as_served(rows)
    if served is rows:
        return
    wrong = np.flatnonzero((model.predict_proba(rows) != model.predict_proba(served)).any(axis=1))
    if len(wrong):
        row = rows.iloc[wrong[0]]
        names = ", ".join(f"'{name}'" for name in rows.columns[row.isna().to_numpy()])
        raise ModelError(
            f"this model was fitted on a table with another form of what is missing ({names}) than it is served with, and "
            "answers differently: read its table from Parquet, or fit it on workbench.missing.as_served(table)"
        )


def _numeric(column: pd.Series[Any]) -> bool:
    return all(isinstance(each, int | float) for each in column.dropna())
