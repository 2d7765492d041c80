"""Cells of a request into typed columns, strictly and by contract: no text is a number, no number is a truth.

Whether the values keep the contract (bounds, patterns, missing ones) is the engine's to say; what is looked at here is what
a value is. A few microseconds a column: this is on the way of every request.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from numpy.typing import NDArray

from workbench.contracts.contract import Contract
from workbench.errors import did_you_mean
from workbench.serving.answers import Refused, Wrong
from workbench.serving.http.cells import READERS, SHOWN, TEXTS, Bad, key_reader
from workbench.serving.http.rows import Rows


@dataclass(frozen=True)
class Typed:
    """What is asked, in the types of a contract."""

    columns: Mapping[str, NDArray[Any]]
    """As Question.columns: each (rows,)."""
    keys: Mapping[str, Sequence[Any]]
    """As Question.keys: JSON's own values."""
    warnings: tuple[str, ...] = ()


class Typing:
    """A contract made ready for the cells of requests."""

    def __init__(self, contract: Contract, keys: Iterable[str] = (), max_text: int = 10_000) -> None:
        types = {column.name: column.type for column in contract.columns}
        self._extra = contract.extra
        self._features = contract.features
        read = {
            kind: partial(reader, max_text) if kind in TEXTS else reader for kind, reader in READERS.items()
        }
        self._readers = {name: read[types[name]] for name in contract.features}
        self._keys = {name: key_reader(types.get(name), max_text) for name in keys}
        self._forbidden = {*contract.never_features, *([contract.label] if contract.label else [])} - {
            *self._keys
        }

    def read(self, rows: Rows) -> Typed:
        """Raises Refused (422, `contract`) with every wrong cell and column, up to SHOWN of them."""
        columns: dict[str, NDArray[Any]] = {}
        keys: dict[str, Sequence[Any]] = {}
        wrong: list[Wrong] = []
        unknown: list[str] = []
        for name, cells in rows.columns.items():
            reader = self._readers.get(name)
            try:
                if name in self._keys:
                    keys[name] = self._keys[name](cells)
                elif reader is None:
                    unknown.append(name)
                if reader is not None:
                    columns[name] = reader(cells)
            except Bad as bad:
                wrong += [
                    Wrong(rows.place.cell(row, name), f"{name} {message}") for row, message in bad.cells
                ]
        warnings = self._unknown(unknown, rows, wrong) if unknown else ()
        if len(columns) < len(self._readers):
            present = {*rows.columns}
            wrong += [
                Wrong(rows.place.column(name), f"column '{name}' is missing{_hint(name, unknown)}")
                for name in self._features
                if name not in present
            ]
        if wrong:
            raise Refused(422, "contract", _sentence(wrong), wrong)
        return Typed(columns, keys, warnings)

    def _unknown(self, names: Sequence[str], rows: Rows, wrong: list[Wrong]) -> tuple[str, ...]:
        """What to say of columns that are no features; those that must not come are added to `wrong`."""
        warnings = []
        for number, name in enumerate(names):
            if name in self._forbidden:
                wrong.append(
                    Wrong(rows.place.column(name), f"column '{name}' must never be given to a model")
                )
            elif self._extra != "ignore":
                hint = _hint(name, self._features) if number < SHOWN else ""
                message = f"column '{_short(name)}' is no column of the contract{hint}"
                if self._extra == "stop":
                    wrong.append(Wrong(rows.place.column(name), message))
                elif number < SHOWN:
                    warnings.append(message)
        return tuple(warnings)


def _sentence(wrong: Sequence[Wrong]) -> str:
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return f"what is asked does not keep the contract: {wrong[0].message}{more}"


def _hint(name: str, known: Iterable[str]) -> str:
    """The nearest name; long names, which nobody wrote by hand, are not compared: that takes long."""
    if len(name) > 80:
        return ""
    hint = did_you_mean(name, [each for each in known if len(each) <= 80])
    return hint if "did you mean" in hint else ""


def _short(name: str) -> str:
    return name if len(name) <= 80 else f"{name[:79]}…"
