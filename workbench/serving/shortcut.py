"""A fitted Pipeline's answers without a data frame: the same fitted parts, given arrays.

scikit-learn spends most of the time of one row on looking columns of a data frame up and on names (measured: 4.2 of 4.9 ms
for the flights' boosting). Nothing is calculated otherwise here, and a shortcut is taken only by a model whose answers it
gave to the last bit when it was tried (see served).
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workbench.contracts.contract import Contract

Columns = Mapping[str, NDArray[Any]]
"""By name, each (rows,)."""
Answers = Callable[[Columns], NDArray[np.float64]]
"""Probabilities of all classes, (rows, classes)."""

_KINDS = {"int": "number", "float": "number", "text": "text", "category": "text"}


def shortcut(estimator: Any, contract: Contract) -> Answers | None:
    """The way around the data frame; None for a Pipeline that is put together otherwise than from columns by name."""
    steps = [step for _, step in getattr(estimator, "steps", ())]
    if len(steps) < 2 or not _splits_columns(steps[0]):
        return None
    kinds = {column.name: _KINDS.get(column.type) for column in contract.columns}
    parts = []
    for _, part, names in steps[0].transformers_:
        if isinstance(part, str) and part == "drop":
            continue
        if not hasattr(part, "transform") or not isinstance(names, list):
            return None
        if not names:  # nothing was fitted on no column, and nothing is asked of it
            continue
        if len({kinds.get(name) for name in names}) != 1 or kinds.get(names[0]) is None:
            return None
        parts.append((_without_names(part), tuple(names)))
    if not parts:
        return None
    sparse = bool(steps[0].sparse_output_)
    rest = [_without_names(step) for step in steps[1:]]

    def answers(columns: Columns) -> NDArray[np.float64]:
        given = _side_by_side([part.transform(_block(columns, names)) for part, names in parts], sparse)
        for step in rest[:-1]:
            given = step.transform(given)
        return np.asarray(rest[-1].predict_proba(given), dtype=np.float64)

    return answers


def _splits_columns(step: Any) -> bool:
    """Whether it is a ColumnTransformer that gives arrays."""
    has = all(hasattr(step, name) for name in ("transformers_", "sparse_output_", "output_indices_"))
    return has and not getattr(step, "_sklearn_output_config", None)


def _without_names(part: Any) -> Any:
    """A copy of a fitted part that does not ask for names of columns, in itself and in what it is made of."""
    copied = copy.deepcopy(part)
    left = [copied]
    while left:
        each = left.pop()
        vars(each).pop("feature_names_in_", None)
        for value in vars(each).values():
            inner = [item[1] for item in value if _is_named(item)] if isinstance(value, list) else [value]
            left += [one for one in inner if hasattr(one, "get_params") and hasattr(one, "__dict__")]
    return copied


def _is_named(item: Any) -> bool:
    return isinstance(item, tuple) and len(item) > 1


def _block(columns: Columns, names: tuple[str, ...]) -> NDArray[Any]:
    """(rows, columns), column after column in memory as a data frame has them: BLAS sums in another order otherwise."""
    first = columns[names[0]]
    block = np.empty((len(first), len(names)), dtype=first.dtype, order="F")
    for place, name in enumerate(names):
        block[:, place] = columns[name]
    return block


def _side_by_side(blocks: list[Any], sparse: bool) -> Any:
    """As ColumnTransformer puts its parts' results together."""
    if sparse:
        from scipy.sparse import hstack

        return hstack(blocks).tocsr()
    return np.hstack([each.toarray() if hasattr(each, "toarray") else each for each in blocks])
