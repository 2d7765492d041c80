"""The one form in which a model sees what is missing, wherever its rows come from.

Numbers have NaN, times have NaT, and everything in an object column (text, categories, truths with a gap) has None. That
is what pandas reads from Parquet, so what training sees. It matters: scikit-learn's encoders take None and NaN for two
categories, and a model that learned one of them answers differently to the other.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd


def as_served(frame: pd.DataFrame) -> pd.DataFrame:
    """`frame` (rows × columns) in that form; itself where it has it already.

    Categoricals and pandas' own strings become objects, its nullable numbers float64. An object column of truths without
    a gap becomes bool, as Parquet has it.
    """
    changed = {}
    for position, dtype in enumerate(frame.dtypes):
        if not isinstance(dtype, np.dtype) or dtype.kind == "O":
            column = frame.iloc[:, position]
            new = _served(column, dtype)
            if new is not None:
                changed[position] = new
    if not changed:
        return frame
    columns = {number: changed.get(number, frame.iloc[:, number]) for number in range(frame.shape[1])}
    served = pd.DataFrame(columns, index=frame.index, copy=False)
    served.columns = frame.columns
    return served


def _served(column: pd.Series[Any], dtype: Any) -> Any:
    """(rows,) values in that form; None where the column has it."""
    if isinstance(dtype, pd.DatetimeTZDtype):
        return None
    if isinstance(dtype, pd.CategoricalDtype):
        return _of_codes(column)
    if pd.api.types.is_numeric_dtype(dtype) and not pd.api.types.is_bool_dtype(dtype):
        return column.to_numpy(dtype="float64", na_value=np.nan)
    plain = isinstance(dtype, np.dtype)
    values = column.to_numpy() if plain else column.astype(object).to_numpy()
    gaps = np.asarray(pd.isna(values), dtype=bool)
    if not gaps.any():
        if len(values) and isinstance(values[0], bool | np.bool_) and _all_truths(values):
            return values.astype(bool)
        return None if plain else values
    if plain and all(value is None for value in values[gaps]):
        return None
    values = values.copy()
    values[gaps] = None
    return values


def _of_codes(column: pd.Series[Any]) -> Any:
    """A categorical's values: each is there once, and looked up. A code of -1 is the None at the end."""
    categories = column.cat.categories
    if categories.dtype.kind in "iuf":
        return column.to_numpy(dtype="float64", na_value=np.nan)
    return np.array([*categories, None], dtype=object)[column.cat.codes.to_numpy()]


def _all_truths(values: Any) -> bool:
    return all(isinstance(value, bool | np.bool_) for value in values)
