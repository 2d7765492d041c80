"""Notebooks as pipeline steps: cached by content, tracked, with production guarantees on one laptop.

from workbench import load_pipeline, make_plan, run_plan

plan = make_plan(load_pipeline("train", {"months": [1, 2]}))
for decision in plan.decisions.values():
    print(decision.step, decision.action, decision.reason)
result = run_plan(plan)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from workbench import predictions
    from workbench.errors import WorkbenchError
    from workbench.loading import load_pipeline
    from workbench.plan import Plan, Selection, make_plan
    from workbench.run import RunResult, run_plan
    from workbench.settings import find_project

__all__ = [
    "Plan",
    "RunResult",
    "Selection",
    "WorkbenchError",
    "find_project",
    "load_pipeline",
    "make_plan",
    "predictions",
    "run_plan",
]

_HOMES = {
    "Plan": "plan",
    "RunResult": "run",
    "Selection": "plan",
    "WorkbenchError": "errors",
    "find_project": "settings",
    "load_pipeline": "loading",
    "make_plan": "plan",
    "predictions": "predictions",
    "run_plan": "run",
}


def __getattr__(name: str) -> Any:
    """Each name is imported when it is first used: a command pays only for what it needs."""
    if name not in _HOMES:
        raise AttributeError(f"module 'workbench' has no attribute '{name}'")
    home = import_module(f"workbench.{_HOMES[name]}")
    return home if _HOMES[name] == name else getattr(home, name)
