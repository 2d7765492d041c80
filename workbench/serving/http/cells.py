"""The cells of one column as an array of its type, strictly: no text is a number, no number is a truth.

A few cells are looked at one by one, many all at once: both are to judge alike.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.serving.http.rows import Cells, json_type

LARGEST = 2**53
"""Beyond it a float64, which is what models calculate with, skips whole numbers."""

SHOWN = 20
"""Wrong cells that an answer names."""

_NONE = type(None)
_NUMBERS = {int, float, _NONE}

FEW = 8
"""Up to so many cells it is faster to look at each than to look at all of them at once."""


class Bad(Exception):  # noqa: N818 - reads as the condition it is
    """Cells that are not of their column's type: row numbers, and what is wrong with each."""

    def __init__(self, cells: Sequence[tuple[int, str]]) -> None:
        super().__init__(cells)
        self.cells = cells


def _each(cells: Iterable[Any], message: Callable[[Any], str | None]) -> list[tuple[int, str]]:
    """The first wrong cells, and what is wrong with each."""
    found = []
    for row, cell in enumerate(cells):
        if said := message(cell):
            found.append((row, said))
            if len(found) >= SHOWN:
                break
    return found


def _ints(cells: Cells) -> NDArray[np.float64]:
    return _numbers(cells, whole=True)


def _floats(cells: Cells) -> NDArray[np.float64]:
    return _numbers(cells, whole=False)


def _numbers(cells: Cells, *, whole: bool) -> NDArray[np.float64]:
    if isinstance(cells, np.ndarray):
        return _tensor(cells, whole=whole)
    if len(cells) > FEW and set(map(type, cells)) <= _NUMBERS:
        values = np.array(cells, dtype=np.float64)
        if _fit(values, whole=whole):
            return values
    message = _wrong_int if whole else _wrong_float
    if bad := _each(cells, message):
        raise Bad(bad)
    return np.array(cells, dtype=np.float64)


def _fit(values: NDArray[np.float64], *, whole: bool) -> bool:
    """Whether each is missing or safely within what a float64 holds exactly and, if asked, whole. If not, cells have to
    be looked at one by one: a float may be larger, and a whole number was rounded."""
    missing = np.isnan(values)
    fits = missing | (np.abs(values) < LARGEST)
    if whole:
        fits &= missing | (values == np.floor(values))
    return bool(fits.all())


def _tensor(values: NDArray[Any], *, whole: bool) -> NDArray[np.float64]:
    """Numbers that came as bytes; NaN is a missing value there, since a tensor has no null."""
    if values.dtype.kind not in "iuf":
        return _numbers(values.tolist(), whole=whole)
    numbers = values.astype(np.float64)
    missing = np.isnan(numbers)
    fits = missing | np.isfinite(numbers)
    if whole or values.dtype.kind in "iu":
        fits &= missing | ((np.abs(numbers) < LARGEST) & (numbers == np.floor(numbers)))
    if fits.all():
        return numbers
    message = _wrong_int if whole or values.dtype.kind in "iu" else _wrong_float
    rows = np.flatnonzero(~fits)
    if bad := _each(values[rows].tolist(), message):
        raise Bad([(int(rows[at]), said) for at, said in bad])
    return numbers


def _wrong_int(cell: Any) -> str | None:
    if cell is None:
        return None
    if type(cell) is float:
        if not math.isfinite(cell):
            return "is not finite; expected a whole number, or null for none"
        if not cell.is_integer():
            return "is not whole; expected a whole number"
    elif type(cell) is not int:
        return f"is {json_type(cell)}; expected a whole number"
    return "is beyond 2**53, where not every whole number can be held" if abs(cell) > LARGEST else None


def _wrong_float(cell: Any) -> str | None:
    if cell is None:
        return None
    if type(cell) is float:
        return None if math.isfinite(cell) else "is not finite; expected a number, or null for none"
    if type(cell) is not int:
        return f"is {json_type(cell)}; expected a number"
    return "is a whole number beyond 2**53, which cannot be held exactly" if abs(cell) > LARGEST else None


def _texts(most: int, cells: Cells) -> NDArray[Any]:
    given: Sequence[Any] = cells.tolist() if isinstance(cells, np.ndarray) else cells
    try:
        if max(map(len, given)) <= most and set(map(type, given)) == {str}:
            return _objects(given)
    except TypeError:
        pass  # null, or no text: looked at one by one
    if bad := _each(given, partial(_wrong_text, most)):
        raise Bad(bad)
    return _objects(given)


def _wrong_text(most: int, cell: Any) -> str | None:
    if cell is None:
        return None
    if type(cell) is not str:
        return f"is {json_type(cell)}; expected a text"
    return f"has {len(cell):,} characters; expected at most {most:,}" if len(cell) > most else None


def _objects(cells: Sequence[Any]) -> NDArray[Any]:
    values = np.empty(len(cells), dtype=object)
    values[:] = cells
    return values


def _truths(cells: Cells) -> NDArray[Any]:
    given: Sequence[Any] = cells.tolist() if isinstance(cells, np.ndarray) else cells
    if not set(map(type, given)) <= {bool, _NONE}:
        raise Bad(_each(given, _wrong_truth))
    return _objects(given)


def _wrong_truth(cell: Any) -> str | None:
    return None if cell is None or type(cell) is bool else f"is {json_type(cell)}; expected true or false"


_DATE = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]00:00(?::00(?:\.0{1,9})?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII)
_TIME = re.compile(
    r"\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.(\d{1,9}))?)?(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII
)


def _moments(cells: Cells, *, whole: bool) -> NDArray[np.datetime64]:
    given: Sequence[Any] = cells.tolist() if isinstance(cells, np.ndarray) else cells
    read, message = (
        (_date, "a date such as 2013-06-30") if whole else (_time, "a time such as 2013-06-30T18:05:00")
    )
    values = np.empty(len(given), dtype="datetime64[us]")
    bad: list[tuple[int, str]] = []
    for row, cell in enumerate(given):
        try:
            values[row] = np.datetime64("NaT") if cell is None else read(cell)
        except (ValueError, OverflowError):
            bad.append((row, f"is not {message}, in ISO 8601"))
        except TypeError:
            bad.append((row, f"is {json_type(cell)}; expected {message}"))
        if len(bad) >= SHOWN:
            break
    if bad:
        raise Bad(bad)
    return values


def _date(text: Any) -> datetime:
    """A day; of a time with a zone, the day there, as contracts read it. Raises ValueError, TypeError."""
    if not (found := _DATE.fullmatch(text)):
        raise ValueError(text)
    return datetime.fromisoformat(found[1])


def _time(text: Any) -> datetime:
    """A time in UTC without its zone. Raises ValueError, TypeError, OverflowError."""
    if not (found := _TIME.fullmatch(text)):
        raise ValueError(text)
    if found[1] and found[1][6:].strip("0"):
        raise ValueError("finer than a microsecond")
    read = datetime.fromisoformat(text)
    return read.astimezone(UTC).replace(tzinfo=None) if read.tzinfo else read


READERS: dict[str, Callable[..., NDArray[Any]]] = {
    "int": _ints, "float": _floats, "text": _texts, "category": _texts, "bool": _truths,
    "date": partial(_moments, whole=True), "datetime": partial(_moments, whole=False),
}  # fmt: skip
TEXTS = ("text", "category")


def key_reader(kind: str | None, max_text: int) -> Callable[[Cells], Sequence[Any]]:
    """Values that identify a row stay what JSON makes of them, if they are of their column's type."""
    reader = READERS.get(kind or "")
    typed = partial(reader, max_text) if reader and kind in TEXTS else reader

    def read(cells: Cells) -> Sequence[Any]:
        given: Sequence[Any] = cells.tolist() if isinstance(cells, np.ndarray) else cells
        if typed is not None:
            typed(cells)
        elif bad := _each(given, partial(_wrong_key, max_text)):
            raise Bad(bad)
        return list(given)

    return read


def _wrong_key(most: int, cell: Any) -> str | None:
    if type(cell) is str:
        return _wrong_text(most, cell)
    if type(cell) in (dict, list):
        return f"is {json_type(cell)}; expected a text, a number, true, false or null"
    return _wrong_float(cell) if type(cell) in (int, float) else None
