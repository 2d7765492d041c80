"""Propose a contract for a table, through pandera, which knows every type that pandas has.

A proposal is for people to review. What pandera infers is the sample itself, and its bounds fail next month: here ranges
are widened, a set of values is proposed only where each was seen often, and what a model must not see is not guessed.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from workbench.contracts.columns import read_column
from workbench.contracts.contract import Column, Contract, Type
from workbench.errors import BadInput

if TYPE_CHECKING:
    from pandera.pandas import DataFrameSchema

MOST_VALUES = 20
"""Different texts that are still a set of values rather than free text."""
SEEN = 10
"""Rows for each different text, on average, before a set of values is proposed."""
WIDER = 5
"""Spans of the sample that a range is widened by, on either side."""
KEY_ROWS = 50
"""Rows before a column without a repetition is proposed as unique."""


def infer(frame: pd.DataFrame, name: str, *, description: str = "", label: str | None = None) -> Contract:
    """Propose a contract that `frame` meets. Raises BadInput for a table that nothing can be learned from."""
    _usable(frame)
    import pandera.pandas as pa

    schema: Any = pa.infer_schema(frame)
    columns, untyped = [], []
    for column, series in frame.items():
        inferred = schema.columns[column]
        kind = _kind(series, str(inferred.dtype))
        if kind is None:
            untyped.append(f"'{column}' ({_content(series)})")
        else:
            columns.append(_propose(str(column), series, kind, bool(inferred.nullable)))
    if untyped:
        raise BadInput(
            f"no type of a contract fits {', '.join(untyped)}; make each of one type, or leave it out of the table"
        )
    if label is not None and label not in frame.columns:
        raise BadInput(
            f"there is no column '{label}' to be the label; the table has: {', '.join(frame.columns)}"
        )
    return Contract(
        name=name,
        columns=tuple(columns),
        description=description,
        min_rows=max(1, len(frame) // 10),
        label=label,
        max_share=0.01,
    )


def remarks(contract: Contract) -> list[str]:
    """What a reviewer of a proposal should decide, as sentences."""
    found = [
        f"'{column.name}' is different in every row: if it is an identifier, put it into never_features"
        for column in contract.columns
        if column.unique
    ]
    times = [column.name for column in contract.columns if column.type in ("date", "datetime")]
    if times and contract.freshness is None:
        found.append(
            f"'{times[0]}' tells how old the data are: consider freshness: {{column: {times[0]}, days: 7}}"
        )
    if not contract.never_features:
        found.append("never_features is empty: name what is known only after the moment of prediction")
    return found


def schema_of(contract: Contract) -> DataFrameSchema:
    """The column rules of a contract as a pandera schema, for tools and tests that speak pandera.

    Types are left to the data, rules across columns and bounds of the set are not carried over.
    """
    import pandera.pandas as pa

    columns = {
        column.name: pa.Column(
            checks=_checks(column), nullable=column.nullable, unique=column.unique, name=column.name
        )
        for column in contract.columns
    }
    unique = [list(each.columns) for each in contract.unique]
    return pa.DataFrameSchema(
        columns, strict=contract.extra == "stop", name=contract.name, unique=unique[0] if unique else None
    )


def _checks(column: Column) -> list[Any]:
    import pandera.pandas as pa

    timely = column.type in ("date", "datetime")
    warns = column.severity == "warn"

    def value(bound: Any) -> Any:
        return pd.Timestamp(bound) if timely else bound

    checks = []
    if column.min is not None:
        checks.append(pa.Check.ge(value(column.min), raise_warning=warns))
    if column.max is not None:
        checks.append(pa.Check.le(value(column.max), raise_warning=warns))
    if column.values is not None:
        checks.append(pa.Check.isin([value(each) for each in column.values], raise_warning=warns))
    if column.pattern is not None:
        checks.append(pa.Check.str_matches(rf"(?:{column.pattern})\Z", raise_warning=warns))
    return checks


def _usable(frame: pd.DataFrame) -> None:
    names = list(frame.columns)
    if not names or not len(frame):
        raise BadInput(
            f"a table of {len(frame)} rows and {len(names)} columns; there is nothing to infer from"
        )
    if twice := [str(name) for name in dict.fromkeys(names) if names.count(name) > 1]:
        raise BadInput(f"the table has several columns called '{twice[0]}'; give each a name of its own")
    if odd := [name for name in names if not isinstance(name, str) or not name]:
        raise BadInput(f"the column {odd[0]!r} has no name that is text; name every column")


def _content(series: pd.Series[Any]) -> str:
    return pd.api.types.infer_dtype(series, skipna=True) if series.dtype == object else str(series.dtype)


def _kind(series: pd.Series[Any], dtype: str) -> Type | None:
    """The type of a contract that a column is of; `dtype` is pandera's word for it."""
    word = dtype.lower()
    if word == "category":
        return _kind(series.astype(series.cat.categories.dtype), str(series.cat.categories.dtype))
    if word.startswith(("int", "uint")):
        return "int"
    if word.startswith(("float", "double")):
        return "float"
    if word.startswith("bool"):
        return "bool"
    if word.startswith(("datetime", "timestamp")):
        return "date" if read_column(series, "date").wrong is None else "datetime"
    if word.startswith(("str", "large_string")):
        return "text"
    fitting: tuple[Type, ...] = ("text", "bool", "int", "float", "date", "datetime")
    return next((kind for kind in fitting if read_column(series, kind).wrong is None), None)


def _propose(name: str, series: pd.Series[Any], kind: Type, nullable: bool) -> Column:
    read = read_column(series, kind)
    values = read.values[read.there]
    nullable = nullable or bool(read.missing.any())
    different = len(pd.unique(values)) if kind in ("int", "text") else 0
    unique = kind in ("int", "text") and not nullable and different == len(series) >= KEY_ROWS
    if kind == "text" and 0 < different <= min(MOST_VALUES, len(values) // SEEN):
        return Column(name, "category", nullable, values=tuple(sorted(pd.unique(values))))
    low, high = _range(values, kind) if kind in ("int", "float") and len(values) else (None, None)
    return Column(name, kind, nullable, low, high, unique=unique)


def _range(values: Any, kind: str) -> tuple[Any, Any]:
    """Bounds well outside the sample, rounded outward to two digits. A floor of zero stays a floor."""
    low, high = values.min().item(), values.max().item()
    if kind == "int":
        low, high = int(low), int(high)
        if (low, high) == (0, 1):
            return 0, 1
    span = (high - low) or abs(high) or 1
    floor = low == 0 or (kind == "int" and low > 0)
    below = type(low)(0) if floor else _outward(low - WIDER * span, math.floor, kind)
    return below, _outward(high + WIDER * span, math.ceil, kind)


def _outward(value: Any, toward: Any, kind: str) -> Any:
    """`value` to two significant digits; None where that is beyond what a float holds."""
    if kind == "int":
        step = 10 ** max(0, len(str(abs(value))) - 2)
        whole: int = value // step * step if toward is math.floor else -(-value // step) * step
        return whole if abs(whole) < 2**63 else None
    if not np.isfinite(value) or value == 0:
        return None if not np.isfinite(value) else 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - 1)
    if step == 0:
        return float(value)
    rounded = float(f"{toward(value / step) * step:.6g}")
    return rounded if math.isfinite(rounded) else None
