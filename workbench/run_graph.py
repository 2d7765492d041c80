"""A run's steps as a graph to be drawn: what needs what, and where each step stands. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.ledger_rows import StepRun
    from workbench.pipeline import Pipeline

Needs = Mapping[str, tuple[str, ...]]
"""By step, the steps that must be done before it."""


def needs(steps: Sequence[str], told: Sequence[StepRun], pipeline: Pipeline | None) -> Needs:
    """What each step of a run needed.

    As the pipeline file says while it has all these steps; else by what each step was given: the output of another one of
    the same run, told by its digest.
    """
    if pipeline is not None and set(steps) <= set(pipeline.steps):
        return {step: tuple(each for each in pipeline.steps[step].needs if each in steps) for step in steps}
    made = {digest: each.step for each in told for digest in each.outputs.values()}
    given = {each.step: each.inputs.values() for each in told}
    return {
        step: tuple(dict.fromkeys(made[each] for each in given.get(step, ()) if made.get(each, step) != step))
        for step in steps
    }


def places(wanted: Needs) -> dict[str, tuple[int, float]]:
    """Column and row of each step: a column further than all that it needs, and near to the rows of those.

    Columns count from 0; rows are centred on 0, one apart. Steps that need each other in a circle, which no run has, come
    last.
    """
    column: dict[str, int] = {}
    left = list(wanted)
    while left:
        ready = [step for step in left if all(each in column or each not in wanted for each in wanted[step])]
        for step in ready or left:
            column[step] = 1 + max((column.get(each, -1) for each in wanted[step]), default=-1)
        left = [step for step in left if step not in column]
    found: dict[str, tuple[int, float]] = {}
    for number in range(max(column.values(), default=-1) + 1):
        mine = [step for step in wanted if column[step] == number]
        mine.sort(key=lambda step: _middle([found[each][1] for each in wanted[step] if each in found]))
        for place, step in enumerate(mine):
            found[step] = number, place - (len(mine) - 1) / 2
    return found


def _middle(rows: Sequence[float]) -> float:
    return sum(rows) / len(rows) if rows else 0.0
