"""Asking a version what another has answered already: from entries of the log to entries of the log."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.contracts.contract import Contract
from workbench.errors import LogError
from workbench.prediction_log.encoding import Stored, decode
from workbench.prediction_log.entries import Logged
from workbench.serving.answers import Answer, Question, Refused
from workbench.serving.joining import answer_all
from workbench.serving.served import Served

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Mirrored:
    """What a shadow made of some requests."""

    entries: tuple[Logged, ...]
    """Its answers as they are put on record: under the same ids, keys and inputs as the ones that were given."""
    refused: int
    """Requests without one."""
    reason: str = ""
    """Why the last of them has none."""


def mirrored(served: Served, entries: Sequence[Stored]) -> Mirrored:
    """Ask a version the questions of these entries, together."""
    given, reason = [], ""
    for each in entries:
        try:
            given.append(decode(each))
        except LogError as error:
            reason = str(error)
    found = _asked(served, [question_of(each, served.contract) for each in given])
    now = time.time()
    answered = []
    for logged, said in zip(given, found, strict=True):
        if isinstance(said, Refused):
            reason = str(said)
            continue
        answered.append(
            replace(
                logged, version=said.version, digest=said.digest, kind="shadow", latency=max(0.0, now - logged.came),
                probabilities=said.probabilities.tolist(),
            )
        )  # fmt: skip
    return Mirrored(tuple(answered), len(entries) - len(answered), reason)


def question_of(logged: Logged, contract: Contract) -> Question:
    """The question that this answers. What the log has no type for, as all is missing, gets that of `contract`."""
    types = {column.name: column.type for column in contract.columns}
    columns = {name: _column(values, types.get(name, "")) for name, values in logged.inputs.items()}
    return Question(
        logged.request,
        logged.model,
        columns,
        logged.rows,
        keys=logged.keys,
        caller=logged.caller,
        came=logged.came,
    )


def _asked(served: Served, questions: Sequence[Question]) -> Sequence[Answer | Refused]:
    try:
        return answer_all(served, "shadow", questions)
    except Exception as error:  # whatever a model does, the next requests are asked
        log.exception("%s could not answer %d requests as shadow", served.scorer.name, len(questions))
        return [Refused(500, "model", f"{served.scorer.name} failed: {error}")] * len(questions)


def _column(values: Sequence[Any], kind: str) -> NDArray[Any]:
    """Values of the log as a question has them: see answers.Question."""
    sample = next((each for each in values if each is not None), None)
    if sample is None:
        types = {"int": "float64", "float": "float64", "date": "datetime64[us]", "datetime": "datetime64[us]"}
        return np.array(values, dtype=types.get(kind, "object"))
    if isinstance(sample, str | bool):
        return np.array(values, dtype=object)
    return np.array(values, dtype=np.float64 if isinstance(sample, int | float) else "datetime64[us]")
