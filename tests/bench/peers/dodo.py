"""doit's view of steps.json: one task for each notebook, papermill's command line as its action."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

DOIT_CONFIG = {"default_tasks": ["notebook"], "verbosity": 0, "dep_file": ".doit.db"}
PAPERMILL = str(Path(sys.executable).with_name("papermill"))


def task_notebook() -> Iterator[dict[str, Any]]:
    for step in json.loads(Path(os.environ["STEPS"]).read_text()):
        values = [word for name, value in step["parameters"].items() for word in ("-p", name, value)]
        yield {
            "name": step["name"],
            "actions": [[PAPERMILL, step["notebook"], step["executed"], *values]],
            "file_dep": [step["notebook"], *step["reads"]],
            "targets": step["writes"],
        }
