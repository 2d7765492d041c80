"""`python floor.py steps.json`: all cells of all notebooks in one process, the imports done once.

What no orchestrator of notebooks can beat on one core: no kernels, no isolation, no cache, no record.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

for step in json.loads(Path(sys.argv[1]).read_text()):
    parameters, *cells = json.loads(Path(step["notebook"]).read_text())["cells"]
    names: dict[str, object] = {"__name__": "__main__"}
    exec(parameters["source"], names)
    names.update(step["parameters"])
    for cell in cells:
        exec(cell["source"], names)
