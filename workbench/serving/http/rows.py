"""Rows as a request holds them: cells by column, and where each of them stands in the body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from numpy.typing import NDArray

from workbench.serving.answers import Refused, Wrong, escaped

Cells = Sequence[Any] | NDArray[Any]
"""One column, (rows,): values as JSON has them, or numbers that came as bytes."""


class Place(Protocol):
    """Where cells stand in a body, as JSON pointers (RFC 6901)."""

    def cell(self, row: int, column: str) -> str: ...

    def column(self, column: str) -> str: ...

    def row(self, row: int) -> str | None:
        """None where rows have no place of their own."""


@dataclass(frozen=True)
class Rows:
    """What a request holds, whatever its protocol."""

    columns: Mapping[str, Cells]
    rows: int
    place: Place


@dataclass(frozen=True)
class InRecords:
    """One object a row: `/rows/3/temp`."""

    prefix: str

    def cell(self, row: int, column: str) -> str:
        return f"{self.prefix}/{row}/{escaped(column)}"

    def column(self, column: str) -> str:
        return self.cell(0, column)

    def row(self, row: int) -> str | None:
        return f"{self.prefix}/{row}"


@dataclass(frozen=True)
class InForm:
    """One field a column: `/temp`."""

    def cell(self, row: int, column: str) -> str:
        return self.column(column)

    def column(self, column: str) -> str:
        return f"/{escaped(column)}"

    def row(self, row: int) -> str | None:
        return ""


@dataclass(frozen=True)
class InLists:
    """One list a row, beside the names of its columns: `/dataframe_split/data/3/5`."""

    prefix: str
    names: Sequence[str]

    def cell(self, row: int, column: str) -> str:
        return f"{self.prefix}/data/{row}/{self.names.index(column)}"

    def column(self, column: str) -> str:
        known = column in self.names
        return f"{self.prefix}/columns" + (f"/{self.names.index(column)}" if known else "")

    def row(self, row: int) -> str | None:
        return f"{self.prefix}/data/{row}"


@dataclass(frozen=True)
class InColumns:
    """One list a column: `/inputs/temp/3`."""

    prefix: str

    def cell(self, row: int, column: str) -> str:
        return f"{self.prefix}/{escaped(column)}/{row}"

    def column(self, column: str) -> str:
        return f"{self.prefix}/{escaped(column)}"

    def row(self, row: int) -> str | None:
        return None


@dataclass(frozen=True)
class InTensors:
    """One tensor a column: `/inputs/5/data/3`."""

    names: Sequence[str]

    def cell(self, row: int, column: str) -> str:
        return f"{self.column(column)}/data/{row}"

    def column(self, column: str) -> str:
        return f"/inputs/{self.names.index(column)}" if column in self.names else "/inputs"

    def row(self, row: int) -> str | None:
        return None


def unescaped(part: str) -> str:
    """A part of a JSON pointer as a name."""
    return part.replace("~1", "/").replace("~0", "~")


def moved(wrong: Wrong, place: Place) -> Wrong:
    """The same, where it stands in the body: the engine knows rows and columns only (`/3/temp`, `/3`)."""
    row, _, column = wrong.at[1:].partition("/")
    if not row.isdigit():
        return wrong
    if column:
        return Wrong(place.cell(int(row), unescaped(column)), wrong.message)
    at = place.row(int(row))
    return Wrong("", f"row {row}: {wrong.message}") if at is None else Wrong(at, wrong.message)


def records(rows: object, prefix: str, max_rows: int) -> Rows:
    """Rows from a list of objects. Raises Refused."""
    if not isinstance(rows, list):
        raise malformed(prefix, f"is {json_type(rows)}; expected a list of objects, one a row")
    count = len(rows)
    refuse_many_rows(count, max_rows, prefix)
    if not count:
        raise malformed(prefix, "is empty; expected at least one row")
    if wrong := [row for row, each in enumerate(rows) if type(each) is not dict]:
        raise Refused(
            422, "malformed", "each row is an object with a value for every column",
            [Wrong(f"{prefix}/{row}", f"is {json_type(rows[row])}; expected an object") for row in wrong],
        )  # fmt: skip
    names = rows[0].keys()
    place = InRecords(prefix)
    if count == 1:
        return Rows({name: (value,) for name, value in rows[0].items()}, 1, place)
    if any(row.keys() != names for row in rows):
        raise Refused(422, "contract", "the rows do not have the same columns", _uneven(rows, place))
    return Rows({name: [row[name] for row in rows] for name in names}, count, place)


def _uneven(rows: Sequence[Mapping[str, Any]], place: Place) -> list[Wrong]:
    names: dict[str, None] = {}
    for row in rows:
        names.update(dict.fromkeys(row))
    found = []
    for number, row in enumerate(rows):
        found += [
            Wrong(place.cell(number, name), "is missing here but not in every row; write null for no value")
            for name in names
            if name not in row
        ]
        if len(found) > 100:
            break
    return found


def by_column(columns: Mapping[str, object], prefix: str, max_rows: int) -> Rows:
    """Rows from lists by column name; a single value stands for a list of one. Raises Refused."""
    if not columns:
        raise malformed(prefix, "has no column")
    lists = {name: cells if isinstance(cells, list) else [cells] for name, cells in columns.items()}
    counts = {len(cells) for cells in lists.values()}
    refuse_many_rows(max(counts), max_rows, prefix)
    place = InColumns(prefix)
    if len(counts) > 1:
        most = max(counts)
        raise Refused(
            422, "malformed", "the columns are not equally long",
            [
                Wrong(place.column(name), f"has {len(cells)} values where another column has {most}")
                for name, cells in lists.items()
                if len(cells) != most
            ],
        )  # fmt: skip
    if not max(counts):
        raise malformed(prefix, "is empty; expected at least one row")
    return Rows(lists, max(counts), place)


def refuse_many_rows(rows: int, most: int, at: str) -> None:
    """Raises Refused for more rows than one request may hold."""
    if rows > most:
        message = f"holds {rows:,} rows; expected at most {most:,} in one request"
        raise Refused(422, "too-many-rows", f"{at or 'the body'} {message}", [Wrong(at, message)])


def malformed(at: str, message: str) -> Refused:
    """A body that is JSON, but not of the protocol's shape."""
    return Refused(422, "malformed", f"{at or 'the body'} {message}", [Wrong(at, message)])


def json_type(value: object) -> str:
    """What a value is, in JSON's words."""
    return _JSON_TYPES.get(type(value), type(value).__name__)


_JSON_TYPES: dict[type, str] = {
    dict: "an object", list: "a list", str: "a text", int: "a number", float: "a number", bool: "true or false",
    type(None): "null",
}  # fmt: skip
