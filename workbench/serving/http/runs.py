"""`/runs`: ask for a run of a pipeline. It is put into the queue of the ledger, and `workbench up` runs it.

{"pipeline": "train", "parameters": {"months": [4, 5, 6]}}
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from typing import Any

from workbench import ledger_queue
from workbench.errors import LedgerError, SpecError
from workbench.keys import NAME
from workbench.ledger import Ledger
from workbench.loading import load_pipeline
from workbench.pipeline import require_findable
from workbench.serving.answers import Refused, Wrong
from workbench.serving.http.bodies import as_object, parsed
from workbench.settings import Project


def ask_for_run(project: Project, body: bytes, caller: str | None) -> dict[str, Any]:
    """Put a request into the queue; its number. Blocks. Raises Refused."""
    wanted = as_object(parsed(body), ("pipeline", "parameters"), ("pipeline",))
    name, parameters = wanted["pipeline"], wanted.get("parameters", {})
    # A name, never a path: whoever asks from elsewhere does not choose files.
    if not isinstance(name, str) or not re.fullmatch(NAME, name):
        raise Refused(
            422, "malformed", "'pipeline' is not the name of one", [Wrong("/pipeline", "expected a name")]
        )
    if not isinstance(parameters, Mapping):
        raise Refused(
            422, "malformed", "'parameters' is no object", [Wrong("/parameters", "expected an object")]
        )
    try:
        pipeline = load_pipeline(name, parameters, project=project)
        require_findable(pipeline)
    except SpecError as error:
        raise Refused(
            422, "pipeline", "it cannot be run like this",
            [Wrong(_place(each.key), each.message.replace(f"{project.root}/", "")) for each in error.problems],
        ) from None  # fmt: skip
    try:
        with Ledger.open(project) as ledger:
            who = f"http: {caller}" if caller else "http"
            request = ledger_queue.ask(ledger, pipeline.name, parameters, who, time.time())
    except LedgerError as error:
        raise Refused(503, "not-ready", "the ledger is away; try again") from error
    return {"request": request.id, "pipeline": request.pipeline, "state": request.state}


def _place(key: str | None) -> str:
    """Where in the body: a value that was given, else the pipeline."""
    given = key is not None and key.startswith("-p ")
    return f"/parameters/{key.removeprefix('-p ')}" if given and key else "/pipeline"
