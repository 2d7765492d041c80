"""How far a shadow's answers are from those that were given, on the requests that were answered last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from workbench.prediction_log.looking import Wanted, look
from workbench.settings import Project

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

ROWS = 20_000
"""Of the log's newest that are looked at; a shadow's answers are beside those that were given."""
FAR = 0.1
"""Answers that are further apart than that are called far apart."""


@dataclass(frozen=True, eq=False)
class Disagreement:
    """A shadow beside who answered."""

    shadow: int
    """Its version."""
    answered: NDArray[np.float64]
    """(rows,) probabilities that were given."""
    said: NDArray[np.float64]
    """(rows,) those of the shadow, of the same rows."""

    @property
    def rows(self) -> int:
        return len(self.said)

    @property
    def mean(self) -> float:
        """How far apart they are, on average: 0 to 1."""
        return float(np.abs(self.said - self.answered).mean())

    @property
    def bias(self) -> float:
        """The shadow minus what was given, on average."""
        return float((self.said - self.answered).mean())

    @property
    def far(self) -> float:
        """Share of rows whose answers are more than FAR apart."""
        return float((np.abs(self.said - self.answered) > FAR).mean())


def disagreement(project: Project, model: str, rows: int = ROWS) -> Disagreement | None:
    """Of the newest shadow among the last `rows` predictions; None where there is none. Raises LogError."""
    table = look(project, model, Wanted(), rows, ["request", "row", "kind", "version", "probability"])
    if table is None:
        return None
    frame = table.to_pandas().drop_duplicates(["request", "row", "kind", "version"])
    shadows = frame[frame["kind"] == "shadow"]
    if shadows.empty:
        return None
    version = int(shadows["version"].iloc[-1])
    beside = _beside(shadows[shadows["version"] == version], frame[frame["kind"] != "shadow"])
    if beside.empty:
        return None
    return Disagreement(
        version, *(beside[name].to_numpy(float) for name in ("probability", "probability_shadow"))
    )


def _beside(shadow: pd.DataFrame, answered: pd.DataFrame) -> pd.DataFrame:
    """Rows that both have answered."""
    key = ["request", "row"]
    columns = [*key, "probability"]
    return answered[columns].merge(shadow[columns], on=key, suffixes=("", "_shadow")).dropna()
