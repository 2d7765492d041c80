"""Questions that came while the last ones were answered, answered together: each gets what it would get alone.

The contract is held against all rows at once. Whose rows break it is looked at again alone, so that nobody reads of rows
that are not theirs, and nobody's mistake is another's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.contracts.check import check
from workbench.contracts.glance import plainly_keeps
from workbench.contracts.result import Breach, Skew
from workbench.errors import ModelError
from workbench.scoring.model import NotFinite
from workbench.serving.answers import NOT_FINITE, Answer, Kind, Question, Refused, Wrong, escaped
from workbench.serving.served import Served
from workbench.serving.shortcut import Columns

SHOWN = 20
"""At most so many wrong things are told of one request."""


def answer_all(served: Served, kind: Kind, questions: Sequence[Question]) -> list[Answer | Refused]:
    """An answer or a refusal for each question, in their order."""
    found: dict[int, Answer | Refused] = {}
    for group in _alike(questions) if served.way.joins else [[n] for n in range(len(questions))]:
        asked = [questions[number] for number in group]
        found |= zip(group, _answer_group(served, kind, asked), strict=True)
    return [found[number] for number in range(len(questions))]


def _alike(questions: Sequence[Question]) -> list[list[int]]:
    """Numbers of questions by the names and types of their columns: only what is alike is joined."""
    groups: dict[Any, list[int]] = {}
    for number, question in enumerate(questions):
        shape = tuple((name, values.dtype.str) for name, values in question.columns.items())
        groups.setdefault(shape, []).append(number)
    return list(groups.values())


def _answer_group(served: Served, kind: Kind, questions: Sequence[Question]) -> list[Answer | Refused]:
    joined = _joined(questions)
    looked_at = _clean(served, joined, [question.rows for question in questions])
    judged = [
        ((), ()) if clean else judge(served, question)
        for clean, question in zip(looked_at, questions, strict=True)
    ]
    kept = [number for number, (wrong, _) in enumerate(judged) if not wrong]
    said = iter(
        _ask(served, [questions[number] for number in kept], joined if len(kept) == len(questions) else None)
    )
    return [
        _refused(served, wrong) if wrong else _said(served, kind, question, next(said), warnings)
        for question, (wrong, warnings) in zip(questions, judged, strict=True)
    ]


def _said(
    served: Served,
    kind: Kind,
    question: Question,
    found: NDArray[np.float64] | Refused,
    warnings: tuple[str, ...],
) -> Answer | Refused:
    if isinstance(found, Refused):
        return found
    return Answer(
        question.request,
        served.model,
        served.version,
        served.digest,
        kind,
        served.scorer.label,
        found,
        warnings,
    )


def _clean(served: Served, joined: Columns, rows: Sequence[int]) -> list[bool]:
    """For each question, whether nothing at all is to be said of its rows."""
    if plainly_keeps(joined, sum(rows), served.contract):
        return [True] * len(rows)
    checked = check(_frame(joined), served.contract)
    if checked.skews:
        return [False] * len(rows)
    broken = np.zeros(checked.rows, dtype=bool)
    for breach in checked.breaches:
        if breach.count:
            broken |= breach.broken
    ends = np.cumsum(rows)
    return [not broken[end - count : end].any() for end, count in zip(ends, rows, strict=True)]


def _ask(
    served: Served, questions: Sequence[Question], joined: Columns | None
) -> Iterator[NDArray[np.float64] | Refused]:
    """Each question's probabilities. What the model cannot answer is found by asking each question alone."""
    if not questions:
        return
    columns = _joined(questions) if joined is None else joined
    rows = sum(question.rows for question in questions)
    try:
        probabilities = served.probabilities(columns, rows)
    except ModelError as error:
        if len(questions) == 1:
            yield Refused(500, NOT_FINITE if isinstance(error, NotFinite) else "model", str(error))
            return
        for question in questions:
            yield from _ask(served, [question], question.columns)
        return
    start = 0
    for question in questions:
        yield probabilities[start : start + question.rows]
        start += question.rows


def judge(served: Served, question: Question) -> tuple[tuple[Wrong, ...], tuple[str, ...]]:
    """What is wrong with a question's rows, and what the contract only warns of."""
    checked = check(_frame(question.columns), served.contract)
    wrong = [_skew(skew) for skew in checked.skews if skew.stops]
    for breach in checked.breaches:
        if breach.count and breach.severity != "warn":
            wrong += _breaches(breach)
    return tuple(wrong[:SHOWN]), checked.warnings


def _refused(served: Served, wrong: tuple[Wrong, ...]) -> Refused:
    more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
    return Refused(
        422, "contract", f"{served.scorer.name} does not take these rows: {wrong[0].message}{more}", wrong
    )


def _skew(skew: Skew) -> Wrong:
    return Wrong(pointer(0, skew.column) if skew.column else "", str(skew))


def _breaches(breach: Breach) -> Iterator[Wrong]:
    expected = f"; expected {breach.help}" if breach.column is None and breach.help else ""
    for row, value in breach.examples:
        yield Wrong(pointer(row, breach.column), f"{breach.rule}: {value}{expected}")


def pointer(row: int, column: str | None = None) -> str:
    """A JSON pointer (RFC 6901) to a row, or to a cell of it."""
    if column is None:
        return f"/{row}"
    return f"/{row}/{escaped(column)}"


def _joined(questions: Sequence[Question]) -> Mapping[str, NDArray[Any]]:
    if len(questions) == 1:
        return questions[0].columns
    names = list(questions[0].columns)
    return {name: np.concatenate([question.columns[name] for question in questions]) for name in names}


def _frame(columns: Columns) -> pd.DataFrame:
    return pd.DataFrame(dict(columns), copy=False)
