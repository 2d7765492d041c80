"""A version as batch scoring uses it: its contract held against every piece of a table, its answers to what is left.

`Scorer` decides and calculates; it neither reads nor writes a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.contracts.check import check
from workbench.contracts.contract import Column, Contract, read_contract
from workbench.contracts.result import Checked
from workbench.digests import digest_file
from workbench.errors import BadInput, ContractError, ModelError
from workbench.missing import as_served
from workbench.registry import Loaded

NO_CONTRACT = "none"

_TYPES = {
    "double": "float", "float": "float", "long": "int", "integer": "int", "string": "text", "boolean": "bool",
    "datetime": "datetime",
}  # fmt: skip
"""Types of a contract by those of MLflow's signatures."""


class NotFinite(ModelError):  # noqa: N818 - reads as the condition it is
    """A model gives NaN or an infinity where a probability is expected."""


@dataclass(frozen=True)
class Scorer:
    """A fitted Pipeline and what its input must be like."""

    name: str
    """For messages: version 3 of 'flight-delay'."""
    estimator: Any
    features: tuple[str, ...]
    """What the Pipeline was fitted on, in its order."""
    contract: Contract
    """Of the features alone, each row by itself."""
    withheld: frozenset[str]
    """Columns that may stand in a table but are never shown to the model: label and deny-list."""
    contract_digest: str
    max_share: float | None
    """The largest share of faulty rows in one file; None for any."""
    label: str

    def name_problems(
        self, names: Sequence[str], kept: Sequence[str]
    ) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What about a table's columns stops, and what warns. Columns passed through are not the model's business."""
        own = {column.name for column in self.contract.columns}
        given = [name for name in names if name in own or name not in self.withheld.union(kept)]
        checked = check(pd.DataFrame(columns=given), self.contract)
        return checked.stops, checked.warnings

    def check(self, frame: pd.DataFrame) -> Checked:
        """Hold a piece of a table against the contract. Raises ContractError for what is wrong with whole columns."""
        checked = check(frame, self.contract)
        stops = checked.stops
        if checked.rows and checked.set_aside.all():
            # That no row is left is the last of the reasons. It says nothing about the table: a piece may be one row.
            stops = stops[:-1]
        if stops:
            raise ContractError("\n".join(stops))
        return checked

    def probabilities(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        """The probability of the label for rows that keep the contract; (rows,). Raises ModelError."""
        if not len(frame):
            return np.empty(0)
        given = frame if tuple(frame.columns) == self.features else frame[list(self.features)]
        numbers = [column.name for column in self.contract.columns if column.type in ("int", "float")]
        objects = [name for name in numbers if name in self.features and given[name].dtype == object]
        try:
            if (
                objects
            ):  # a column without any value, decimals, or one of mixed types whose wrong rows are gone
                given = given.astype(dict.fromkeys(objects, "float64"))
            answers = np.asarray(self.estimator.predict_proba(as_served(given)), dtype=np.float64)
        except (ValueError, TypeError) as error:
            raise ModelError(f"{self.name} cannot score these rows: {error}") from error
        return self.finite(answers[:, 1])

    def finite(self, found: NDArray[np.float64]) -> NDArray[np.float64]:
        """The same (rows,) in one piece. Raises NotFinite where one is no probability."""
        if not np.isfinite(found).all():
            at = int(np.flatnonzero(~np.isfinite(found))[0])
            raise NotFinite(f"{self.name} gives {found[at]} where a probability is expected, in row {at}")
        return np.ascontiguousarray(found)


def scorer_of(loaded: Loaded, *, with_contract: bool) -> Scorer:
    """A version with its own contract, or with its signature in the place of one. Raises BadInput, ModelError."""
    name = f"version {loaded.version} of '{loaded.model}'"
    classes = getattr(loaded.estimator, "classes_", None)
    if not hasattr(loaded.estimator, "predict_proba") or classes is None or len(classes) != 2:
        raise ModelError(
            f"{name} does not give the probability of one of two classes, which is what is scored"
        )
    features = tuple(map(str, getattr(loaded.estimator, "feature_names_in_", ())))
    if not features:
        raise ModelError(f"{name} was fitted without names of columns; fit it on a data frame")
    whole = _own_contract(loaded, name) if with_contract else _of_signature(loaded, name)
    contract = whole.of_features()
    if unknown := [each for each in features if each not in contract.features]:
        raise ModelError(
            f"{name} needs the column '{unknown[0]}', which its contract '{whole.name}' does not have as a feature"
        )
    return Scorer(
        name=name,
        estimator=loaded.estimator,
        features=features,
        contract=contract,
        withheld=frozenset(contract.never_features),
        contract_digest=digest_file(loaded.contract) if with_contract and loaded.contract else NO_CONTRACT,
        max_share=whole.max_share,
        label=str(classes[1]),
    )


def _own_contract(loaded: Loaded, name: str) -> Contract:
    if loaded.contract is None:
        raise BadInput(
            f"{name} has no contract to hold the input against: name one in its pipeline (model: contract:), or "
            "score with --no-contract, and the types of its signature are all that is checked"
        )
    return read_contract(loaded.contract)


def _of_signature(loaded: Loaded, name: str) -> Contract:
    """What a model's signature says of its input: names and types. A value may be missing in any column."""
    inputs = loaded.signature.get("inputs") or []
    unknown = [each for each in inputs if each.get("type") not in _TYPES]
    if unknown or not inputs:
        why = f"'{unknown[0].get('name')}' is {unknown[0].get('type')}" if unknown else "it has none"
        raise ModelError(f"{name} cannot be scored by its signature: {why}")
    columns = tuple(Column(each["name"], _TYPES[each["type"]], nullable=True) for each in inputs)  # type: ignore[arg-type]
    return replace(Contract("signature", columns), extra="ignore")
