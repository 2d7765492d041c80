"""The columns of a data frame as arrays that a contract can be held against, whatever pandas calls their types."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api import types

Mask = NDArray[np.bool_]

_LARGEST = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Values:
    """One column: `values` (rows,) are numbers, truths, objects that are text, or datetime64 in UTC."""

    values: NDArray[Any]
    missing: Mask
    wrong: Mask | None = None
    """Rows whose value is not of the column's type; None for no row."""
    found: str = ""
    """What the column is, where no value in it is of the type: the column as a whole is wrong then."""
    coded: tuple[NDArray[np.integer[Any]], NDArray[Any]] | None = None
    """Where the column came with its different texts: (rows,) their numbers, -1 for a missing value, and the texts."""

    @property
    def there(self) -> Mask:
        """Rows that have a value of the type."""
        return ~self.missing if self.wrong is None else ~(self.missing | self.wrong)


def read_column(series: pd.Series[Any], kind: str) -> Values:
    """A column as one of a contract's types.

    A float column is `int` where its values are whole (pandas has no other way to leave one out), a categorical is what
    its categories are, and a column without any value is of every type.
    """
    dtype = series.dtype
    if isinstance(dtype, np.dtype):
        missing = _missing(series.to_numpy())
    else:
        if isinstance(dtype, pd.CategoricalDtype):
            if kind in ("text", "category") and _all_texts(dtype.categories):
                return _coded(series)
            series = pd.Series(np.asarray(series))
        missing = np.asarray(series.isna(), dtype=bool)
        series = _plain(series, series.dtype)
        dtype = series.dtype
    read = _READERS[kind](series, dtype, missing)
    if read is not None:
        return read
    if missing.all():
        return Values(_nothing(kind, len(series)), missing)
    if dtype.kind == "O":
        return _objects(series.to_numpy(), missing, kind)
    return Values(_nothing(kind, len(series)), missing, ~missing, str(series.dtype))


def _all_texts(categories: pd.Index[Any]) -> bool:
    return categories.dtype == object and types.infer_dtype(categories) in ("string", "empty")


def _coded(series: pd.Series[Any]) -> Values:
    """A categorical of texts: what is asked of a text is asked of each different one."""
    codes, texts = series.cat.codes.to_numpy(), series.cat.categories.to_numpy()
    return Values(np.array([*texts, None], dtype=object)[codes], np.asarray(codes < 0), coded=(codes, texts))


def _missing(values: NDArray[Any]) -> Mask:
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    if values.dtype.kind in "mM":
        return np.asarray(np.isnat(values))
    if values.dtype.kind == "O":
        return np.asarray(pd.isna(values), dtype=bool)
    return np.zeros(len(values), dtype=bool)


def _plain(series: pd.Series[Any], dtype: Any) -> pd.Series[Any]:
    """Nullable, sparse and Arrow columns as NumPy's; text and times with a zone stay as they are."""
    if isinstance(dtype, np.dtype | pd.StringDtype | pd.DatetimeTZDtype):
        return series
    if types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype):
        return pd.Series(series.to_numpy(dtype="float64", na_value=np.nan))
    return pd.Series(series.to_numpy(dtype=object))


def _numbers(series: pd.Series[Any], dtype: Any, missing: Mask, *, whole: bool) -> Values | None:
    if not isinstance(dtype, np.dtype) or dtype.kind not in "iuf":
        return None
    values = series.to_numpy()
    if (
        dtype.kind != "f" and dtype != np.int64
    ):  # small and unsigned integers wrap around when a rule calculates
        values = values.astype(np.float64 if dtype == np.uint64 and (values > _LARGEST).any() else np.int64)
    return _as_numbers(values, missing, whole=whole)


def _as_numbers(values: NDArray[Any], missing: Mask, *, whole: bool) -> Values:
    if values.dtype.kind == "f":
        fits = np.isfinite(values)
        if whole:
            with np.errstate(invalid="ignore"):
                fits &= values == np.floor(values)
        wrong = ~(fits | missing)
        return Values(values, missing, wrong if wrong.any() else None)
    return Values(values, missing)


def _truths(series: pd.Series[Any], dtype: Any, missing: Mask) -> Values | None:
    return Values(series.to_numpy(), missing) if dtype == np.dtype(bool) else None


def _texts(series: pd.Series[Any], dtype: Any, missing: Mask) -> Values | None:
    if isinstance(dtype, pd.StringDtype):
        return Values(series.to_numpy(dtype=object), missing)
    if (
        isinstance(dtype, np.dtype)
        and dtype.kind == "O"
        and types.infer_dtype(series, skipna=True) in ("string", "empty")
    ):
        return Values(series.to_numpy(), missing)
    return None


def _times(series: pd.Series[Any], dtype: Any, missing: Mask, *, whole: bool) -> Values | None:
    if isinstance(dtype, pd.DatetimeTZDtype):
        series = (
            series.dt.tz_convert("UTC").dt.tz_localize(None) if not whole else series.dt.tz_localize(None)
        )
    elif not (isinstance(dtype, np.dtype) and dtype.kind == "M"):
        return None
    return _as_times(series.to_numpy(), missing, whole=whole)


def _as_times(values: NDArray[Any], missing: Mask, *, whole: bool) -> Values:
    if not whole:
        return Values(values, missing)
    wrong = (values != values.astype("datetime64[D]")) & ~missing
    return Values(values, missing, wrong if wrong.any() else None)


_READERS: dict[str, Callable[..., Values | None]] = {
    "int": partial(_numbers, whole=True),
    "float": partial(_numbers, whole=False),
    "bool": _truths,
    "text": _texts,
    "category": _texts,
    "date": partial(_times, whole=True),
    "datetime": partial(_times, whole=False),
}


def _is_number(value: Any) -> bool:
    return isinstance(value, Real | Decimal) and not isinstance(value, bool | np.bool_)


def _is_time(value: Any) -> bool:
    return isinstance(value, date | np.datetime64)


_IS: dict[str, Callable[[Any], bool]] = {
    "int": _is_number, "float": _is_number, "text": lambda value: isinstance(value, str),
    "category": lambda value: isinstance(value, str), "date": _is_time, "datetime": _is_time,
    "bool": lambda value: isinstance(value, bool | np.bool_),
}  # fmt: skip


def _objects(cells: NDArray[Any], missing: Mask, kind: str) -> Values:
    """A column of Python objects, each of which may be of another type."""
    fits = np.fromiter(map(_IS[kind], cells), dtype=bool, count=len(cells)) & ~missing
    values = _nothing(kind, len(cells))
    if kind in ("int", "float"):
        values[fits] = [_as_float(cell) for cell in cells[fits]]
        read = _as_numbers(values, missing, whole=kind == "int")
    elif kind in ("date", "datetime"):
        values = values.astype("datetime64[us]")
        values[fits] = [_moment(cell, whole=kind == "date") for cell in cells[fits]]
        read = _as_times(values, missing, whole=kind == "date")
    else:
        values[fits] = cells[fits]
        read = Values(values, missing)
    wrong = ~fits & ~missing
    if not wrong.any():
        return read
    found = "" if fits.any() else f"object ({types.infer_dtype(cells, skipna=True)})"
    return Values(values, missing, wrong if read.wrong is None else wrong | read.wrong, found)


def _as_float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return float("inf")


def _moment(value: Any, *, whole: bool) -> np.datetime64:
    if isinstance(value, datetime) and value.tzinfo is not None:
        stamp = pd.Timestamp(value)
        value = stamp.tz_localize(None) if whole else stamp.tz_convert("UTC").tz_localize(None)
    return np.datetime64(value.to_datetime64() if isinstance(value, pd.Timestamp) else value, "us")


def _nothing(kind: str, rows: int) -> NDArray[Any]:
    """Values for rows that have none."""
    if kind in ("date", "datetime"):
        return np.full(rows, np.datetime64("NaT"), dtype="datetime64[ns]")
    if kind == "bool":
        return np.zeros(rows, dtype=bool)
    return np.full(rows, np.nan) if kind in ("int", "float") else np.full(rows, None, dtype=object)
