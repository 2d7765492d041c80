"""A question in a lane: who waits for its answer, and that it is answered and put on record once."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from workbench.prediction_log.entries import Logged
from workbench.serving.answers import Answer, Question, Refused


@dataclass(frozen=True, eq=False)
class Asked:
    """A question, and the future of who asked."""

    question: Question
    future: asyncio.Future[Answer]
    refused_by_canary: bool = False
    _unclaimed: list[bool] = field(default_factory=lambda: [True])

    @property
    def rows(self) -> int:
        return self.question.rows

    def claim(self) -> bool:
        """True for the first who says so, in whichever thread: that one answers and puts it on record."""
        try:
            return self._unclaimed.pop()
        except IndexError:
            return False


def entry_of(asked: Asked, said: Answer) -> Logged:
    """An answer as it is put on record."""
    question = asked.question
    return Logged(
        request=question.request,
        model=said.model,
        version=said.version,
        digest=said.digest,
        kind=said.kind,
        came=question.came,
        latency=max(0.0, time.time() - question.came),
        rows=question.rows,
        inputs={name: values.tolist() for name, values in question.columns.items()},
        probabilities=said.probabilities.tolist(),
        keys=question.keys,
        caller=question.caller,
    )


def settle(batch: Sequence[Asked], found: Sequence[Answer | Refused]) -> None:
    """Give who asked what was found; in the event loop."""
    for asked, said in zip(batch, found, strict=True):
        if asked.future.done():  # who asked has gone
            continue
        if isinstance(said, Refused):
            asked.future.set_exception(said)
        else:
            asked.future.set_result(said)
