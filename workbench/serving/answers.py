"""What is asked of a served model, what it answers, and why a question is refused.

The protocols make questions of requests, the engine answers them; neither knows the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.contracts.contract import Contract
from workbench.errors import WorkbenchError
from workbench.prediction_log.entries import Kind as Kind

NOT_FINITE = "not-finite"
"""The reason of a refusal when a model gives NaN or an infinity where a probability is expected."""


@dataclass(frozen=True)
class Question:
    """One request: rows for one model. Types were looked at; whether values keep the contract was not."""

    request: str
    """A UUID of version 7 in hexadecimal: ordered by time. Row i's prediction id is `{request}-{i}`."""
    model: str
    columns: Mapping[str, NDArray[Any]]
    """By name, each (rows,), as `contracts` reads the column's type: float64 for numbers (NaN: missing), object for text
    (None: missing) and bool, datetime64[us] for date and datetime (NaT: missing)."""
    rows: int
    keys: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Columns that identify a row, to find its outcome by: on record, but never shown to the model."""
    version: int | None = None
    """The only version that may answer; None: whoever serves."""
    sticky: str | None = None
    """Who asks: the same one is always answered by the same side of a canary. None: every request for itself."""
    caller: str | None = None
    """Name of the API key."""
    came: float = 0.0
    """Seconds since the epoch, UTC."""


@dataclass(frozen=True)
class Answer:
    """What a version says to a question."""

    request: str
    model: str
    version: int
    digest: str
    kind: Kind
    label: str
    """Whose probability it is."""
    probabilities: NDArray[np.float64]
    """(rows,)"""
    warnings: Sequence[str] = ()


@dataclass(frozen=True)
class Standing:
    """How one model stands in one worker."""

    model: str
    version: int | None = None
    digest: str | None = None
    contract: Contract | None = None
    """Of the features alone, each row by itself; None until a version was loaded."""
    features: tuple[str, ...] = ()
    label: str = ""
    ready: bool = False
    since: float = 0.0
    """When this version began to answer here: seconds since the epoch, UTC."""
    alert: str = ""
    """What somebody should look at; '' when all is well."""
    canary: int | None = None
    share: float = 0.0
    """Of the requests that the canary answers, 0 to 1."""
    shadow: int | None = None
    """The version that another process asks what is asked here; None while it is not loaded."""
    keys: tuple[str, ...] = ()
    """Columns that identify a row, to find its outcome by."""
    shadowed: Mapping[str, int] = field(default_factory=dict)
    """Requests that the shadow `scored`, `refused` and `dropped`, as it had no time for them; empty without a shadow."""


@dataclass(frozen=True)
class Wrong:
    """One thing that is wrong with a request."""

    at: str
    """Where, as a JSON pointer into the rows as asked: `/3/temp`; empty: the whole."""
    message: str
    """What was found and what is expected."""


def escaped(name: str) -> str:
    """A name as a part of a JSON pointer (RFC 6901)."""
    return name.replace("~", "~0").replace("/", "~1")


class Refused(WorkbenchError):  # noqa: N818 - reads as the condition it is
    """A question that gets no answer: HTTP status, a reason for machines, a sentence for people."""

    def __init__(self, status: int, reason: str, message: str, wrong: Sequence[Wrong] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        """A word such as `contract`, `too-many-rows`, `no-such-model`, `busy`, `not-ready`."""
        self.wrong = tuple(wrong)
