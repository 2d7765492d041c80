"""What live data are compared with: the rows that a version learned from and its answers to rows it had not seen.

It is made by the notebook that judges the version and travels with it as `reference.json`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import pandas as pd
from numpy.typing import ArrayLike

from workbench.contracts.contract import Column, Contract
from workbench.drift.graded import Graded, graded
from workbench.drift.losses import Losses, losses
from workbench.drift.sketch import Bins, Sketch, bins_of, sketch
from workbench.errors import BadInput

FILE = "reference.json"
ANSWER = "probability"
"""The column of a model's answers."""


@dataclass(frozen=True)
class Reference:
    """Tables, counted by day."""

    inputs: Sketch
    """Features of the training rows."""
    answers: Sketch
    """The column ANSWER on the test rows."""
    outcomes: Graded | None = None
    """The same answers with what became of them; None in a reference made without labels."""
    losses: Losses | None = None
    """The same by feature; None in a reference made without the test rows."""

    @property
    def bins(self) -> tuple[Bins, ...]:
        """Of inputs and answers: what a window is counted by."""
        return (*self.inputs.bins, *self.answers.bins)

    def to_json(self) -> str:
        """A file that travels with a model version."""
        content = {
            "inputs": self.inputs.as_dict(),
            "answers": self.answers.as_dict(),
            "outcomes": self.outcomes.as_dict() if self.outcomes else None,
            "losses": self.losses.as_dict() if self.losses else None,
        }
        return json.dumps(content) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """Raises BadInput for what `to_json` did not write."""
        try:
            content: dict[str, Any] = json.loads(text)
            outcomes, losses = content.get("outcomes"), content.get("losses")
            return cls(
                Sketch.from_dict(content["inputs"]),
                Sketch.from_dict(content["answers"]),
                Graded.from_dict(outcomes) if outcomes else None,
                Losses.from_dict(losses) if losses else None,
            )
        except (ValueError, TypeError, LookupError) as error:
            raise BadInput(f"this is no reference for drift: {error}") from error


def reference(
    inputs: pd.DataFrame,
    days: ArrayLike,
    contract: Contract,
    probabilities: ArrayLike,
    answered: ArrayLike,
    labels: ArrayLike | None = None,
    answered_rows: pd.DataFrame | None = None,
) -> Reference:
    """Count what a version learned from, how it answered, and how good the answers were.

    `inputs` (rows, columns) are its training rows, `days` (rows,) their dates; `probabilities` (others,) its answers to
    rows that it had not learned from, `answered` (others,) their dates, `labels` (others,) what became of them, 0 or 1, and
    `answered_rows` (others, columns) their features, by which a loss is told apart. Raises BadInput where lengths differ or a feature of the contract is missing.
    """
    columns: Sequence[Column] = contract.of_features().columns
    missing = [each.name for each in columns if each.name not in inputs.columns]
    if missing:
        raise BadInput(
            f"the training rows have no column '{missing[0]}', a feature of contract '{contract.name}'"
        )
    answers = pd.DataFrame({ANSWER: probabilities})
    bins = bins_of(inputs, columns)
    by_feature = None
    if labels is not None and answered_rows is not None:
        by_feature = losses(answered_rows, bins, labels, probabilities, answered)
    return Reference(
        sketch(inputs, bins, days),
        sketch(answers, bins_of(answers, [Column(ANSWER, "float")]), answered),
        None if labels is None else graded(labels, probabilities, answered),
        by_feature,
    )
