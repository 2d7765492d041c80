"""The table that a command is given: a file, or what a step wrote."""

from __future__ import annotations

import re
from pathlib import Path

from workbench.errors import BadInput, did_you_mean
from workbench.keys import NAME
from workbench.schema import REFERENCE

_SOURCE = re.compile(rf"({NAME})\.({REFERENCE.pattern})")


def table_of(source: str) -> tuple[Path, str]:
    """The file of FILE or PIPELINE.STEP.OUTPUT, and a name for what is in it. Raises BadInput."""
    path = Path(source)
    match = _SOURCE.fullmatch(source)
    if path.exists() or match is None:
        return path, path.name.partition(".")[0]
    pipeline = match[1]
    step, _, output = match[2].rpartition(".")
    from workbench.loading import load_pipeline
    from workbench.plan import make_plan

    plan = make_plan(load_pipeline(pipeline))
    if step not in plan.decisions:
        raise BadInput(f"pipeline '{pipeline}' has no step '{step}'{did_you_mean(step, plan.decisions)}")
    outputs = plan.pipeline.steps[step].outputs
    if output not in outputs:
        raise BadInput(f"step '{step}' has no output '{output}'{did_you_mean(output, outputs)}")
    decision = plan.decisions[step]
    if decision.manifest is None:
        command = f"workbench run {pipeline} --step '{step}'"
        raise BadInput(f"'{source}' must be made first ({decision.reason}); run: {command}")
    return plan.surroundings.store.place(decision.manifest.outputs[output]), output
