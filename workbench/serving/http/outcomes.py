"""`/outcomes`: labels that come later, by prediction id or by the contract's keys.

    {"model": "flight-delay", "outcomes": [{"id": "…-0", "outcome": 1}, …]}

The label stands under its name or as `outcome`. Nothing is changed: of several outcomes of one prediction the last counts.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from workbench.errors import BadInput, LogError, WorkbenchError, did_you_mean
from workbench.prediction_log.outcomes import add_outcomes
from workbench.serving.answers import Refused, Wrong
from workbench.serving.http.bodies import as_object, parsed
from workbench.serving.http.engine import Engine
from workbench.serving.http.rows import json_type, records
from workbench.settings import Project


def report(project: Project, engine: Engine, body: bytes) -> dict[str, Any]:
    """Put what a request reports on record; gives what became of it. Blocks. Raises Refused."""
    request = as_object(parsed(body), ("model", "outcomes"), ("outcomes",))
    model = _model(engine, request.get("model"))
    rows = records(request["outcomes"], "/outcomes", project.serve.max_rows)
    wrong = [
        Wrong(rows.place.cell(row, name), f"is {json_type(cell)}; expected a plain value")
        for name, cells in rows.columns.items()
        for row, cell in enumerate(cells)
        if isinstance(cell, dict | list) or (isinstance(cell, str) and len(cell) > project.serve.max_text)
    ]
    if wrong:
        raise Refused(422, "malformed", "a value of an outcome is none", wrong)
    try:
        return asdict(
            add_outcomes(project, model, {name: list(cells) for name, cells in rows.columns.items()})
        )
    except BadInput as error:
        raise Refused(422, "outcomes", str(error)) from None
    except LogError as error:
        raise Refused(503, "log", "the outcomes cannot be put on record") from error
    except WorkbenchError as error:
        raise Refused(503, "not-ready", "the registry or the ledger is away; try again") from error


def _model(engine: Engine, name: Any) -> str:
    models = engine.models()
    if name is None and len(models) == 1:
        return next(iter(models))
    if not isinstance(name, str) or name not in models:
        hint = (
            did_you_mean(name, models)
            if isinstance(name, str) and len(name) <= 80
            else f"; known: {', '.join(models)}"
        )
        raise Refused(
            404, "no-such-model", f"'model' names none that serves here{hint}", [Wrong("/model", "unknown")]
        )
    return name
