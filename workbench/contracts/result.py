"""What came of holding data against a contract, as values that a report, a test or a server can use."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from workbench.contracts.contract import Contract, Severity
from workbench.errors import ContractError

if TYPE_CHECKING:
    import pandas as pd

    from workbench.contracts.columns import Mask

Examples = tuple[tuple[int, str], ...]
"""Rows, counted from 0, and their values as people read them."""


@dataclass(frozen=True)
class Skew:
    """Something about a column as a whole, or about the whole set."""

    column: str
    """Empty where it is no column."""
    message: str
    stops: bool = True
    examples: Examples = ()

    def __str__(self) -> str:
        shown = f" ({_rows(self.examples)})" if self.examples else ""
        return (f"column '{self.column}' {self.message}" if self.column else self.message) + shown


@dataclass(frozen=True, eq=False)
class Breach:
    """One rule and the rows that break it, which may be none."""

    rule: str
    severity: Severity
    broken: Mask = field(repr=False)
    """(rows,) truths."""
    count: int
    """Rows that break the rule."""
    column: str | None = None
    help: str = ""
    examples: Examples = ()

    def sentence(self, examples: int = 5) -> str:
        """The rule, how many rows break it and some of their values."""
        shown = f": {_rows(self.examples[:examples])}" if self.examples else ""
        return f"{self.rule} in {self.count:,} of {len(self.broken):,} rows{shown}"


@dataclass(frozen=True, eq=False)
class Checked:
    """Data that were held against a contract."""

    contract: Contract
    rows: int
    """Rows that were read: those kept and those set aside."""
    frame: pd.DataFrame = field(repr=False)
    """The data as they came."""
    set_aside: Mask = field(repr=False)
    """(rows,) truths."""
    faulty: int
    """Rows that break a rule of severity `quarantine`."""
    excluded: int
    """Rows set aside that are no fault of the data."""
    breaches: tuple[Breach, ...] = field(repr=False)
    """Every rule that was checked, whether or not a row breaks it, in the order of reasons."""
    stops: tuple[str, ...]
    warnings: tuple[str, ...]
    skews: tuple[Skew, ...] = field(default=(), repr=False)
    """What is wrong with whole columns and the whole set, as values; `stops` and `warnings` say it in words."""

    @cached_property
    def kept(self) -> pd.DataFrame:
        """Rows that keep every rule but warnings, in their order and with their index; the frame itself where none is
        set aside, and no row where something stops: such data must not be used."""
        if self.stops:
            return self.frame.iloc[:0]
        return self.frame[~self.set_aside] if self.set_aside.any() else self.frame

    @cached_property
    def aside(self) -> pd.DataFrame:
        """The other rows, with a column `reason` (`reason_` where there is one): the first rule that each breaks."""
        name = "reason"
        while name in self.frame.columns:
            name += "_"
        return self.frame[self.set_aside].assign(**{name: self.reasons[self.set_aside]})

    @property
    def reasons(self) -> NDArray[Any]:
        """The first rule that each row breaks and is set aside for, (rows,) texts; None for a row that is kept."""
        found = np.full(self.rows, None, dtype=object)
        for breach in reversed(self.breaches):
            if breach.count and breach.severity in ("quarantine", "exclude"):
                found[breach.broken] = breach.rule
        return found

    @property
    def passed(self) -> bool:
        """Whether nothing stops."""
        return not self.stops

    def stop(self) -> None:
        """Raise ContractError, which says all that stops, unless nothing does."""
        if self.stops:
            lines = [f"contract '{self.contract.name}' is not met:", *(f"  {stop}" for stop in self.stops)]
            raise ContractError("\n".join(lines))

    def as_dict(self) -> dict[str, Any]:
        """Counts by rule and every message, for JSON. Of data that stop, no row is kept."""
        aside = int(self.set_aside.sum())
        return {
            "contract": self.contract.name,
            "passed": self.passed,
            "rows": {
                "read": self.rows,
                "kept": len(self.kept),
                "quarantined": aside,
                "faulty": self.faulty,
                "excluded": self.excluded,
            },
            "rules": {breach.rule: breach.count for breach in self.breaches},
            "broken": [
                {
                    "rule": breach.rule,
                    "severity": breach.severity,
                    "rows": breach.count,
                    "examples": [{"row": row, "value": value} for row, value in breach.examples],
                }
                for breach in self.breaches
                if breach.count
            ],
            "stops": list(self.stops),
            "warnings": list(self.warnings),
        }


def _rows(examples: Examples) -> str:
    return ", ".join(f"row {row}: {value}" for row, value in examples)
