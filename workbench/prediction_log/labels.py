"""What an outcome of a model may be: the label of its contract, and the keys that lead to a prediction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput
from workbench.prediction_log.entries import key_text
from workbench.settings import Project

if TYPE_CHECKING:
    from workbench.contracts.contract import Column, Contract

ANY_LABEL = "outcome"
"""The name under which a label may always come."""

_TRUTHS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class Labelling:
    """How outcomes of a model are read."""

    label: str
    """The column that holds them, as the contract calls it."""
    keys: tuple[str, ...] = ()
    column: Column | None = None
    """What the contract says of the label; None: a number or a text."""

    @classmethod
    def of(cls, contract: Contract) -> Labelling:
        """As a version's whole contract says."""
        known = {column.name: column for column in contract.columns}
        return cls(contract.label or ANY_LABEL, contract.keys, known.get(contract.label or ""))

    def read(self, value: Any) -> float | str:
        """A label as it is stored: numbers and truths as float, else text. Raises ValueError that says what is wrong."""
        text = key_text(value)
        column = self.column
        if column is not None and (column.values is not None or column.type == "bool"):
            allowed = {key_text(each): each for each in column.values or (False, True)}
            if text in allowed:
                return _stored(allowed[text])
            number = _TRUTHS.get(str(text).lower(), _number(text))
            alike = [each for each in allowed.values() if number is not None and _number(each) == number]
            if not alike:
                raise ValueError(f"{value!r} is not one of {', '.join(map(str, allowed))}")
            return _stored(alike[0])
        number = _number(text)
        if column is None:
            return _TRUTHS.get(str(text).lower(), str(text)) if number is None else number
        if column.type not in ("int", "float"):
            return str(text)
        if number is None or (column.type == "int" and not number.is_integer()):
            raise ValueError(f"{value!r} is not of type {column.type}")
        low = -math.inf if column.min is None else float(column.min)
        high = math.inf if column.max is None else float(column.max)
        if not low <= number <= high:
            raise ValueError(f"{value!r} is outside {column.min} to {column.max}")
        return number


def labelling_of(project: Project, model: str) -> Labelling:
    """As the contract of the champion says, or of the newest version where there is no champion.

    Raises BadInput for a model that no run delivered, ModelError when the version's files are not what they were.
    """
    from workbench import ledger_trail
    from workbench.contracts.contract import read_contract
    from workbench.ledger import Ledger
    from workbench.registry import ALIAS, locate
    from workbench.trail import standing

    with Ledger.open(project) as ledger:
        known = [each.version for each in ledger.deliveries() if each.model == model and each.version]
        champion = standing(model, ledger_trail.entries(ledger, model)).champion if known else None
        which: str | int = champion or (max(known) if known else ALIAS)
        found = locate(project, ledger, model, which)
    return Labelling(ANY_LABEL) if found.contract is None else Labelling.of(read_contract(found.contract))


def label_column(labelling: Labelling, columns: Mapping[str, Any]) -> str:
    """The column that holds the labels. Raises BadInput."""
    for name in (labelling.label, ANY_LABEL):
        if name in columns:
            return name
    wanted = f"'{labelling.label}' or '{ANY_LABEL}'" if labelling.label != ANY_LABEL else f"'{ANY_LABEL}'"
    raise BadInput(
        f"no column holds the outcome; expected {wanted}, found: {', '.join(map(str, columns)) or 'none'}"
    )


def _stored(value: Any) -> float | str:
    return float(value) if isinstance(value, bool | int | float) else str(value)


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None
