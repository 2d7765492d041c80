"""Ten million answers of a week in the prediction log, and how long `watch` takes over them and what memory it needs.

Run by itself as `python drift_log.py ROWS`: in a process of its own, so that its peak is that of nothing else.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from tests.registered import MODEL
from tests.registered import make as make_registered
from tests.scored import WITH_CONTRACT
from tests.scored import make as make_scored
from workbench.contracts.contract import read_contract
from workbench.drift.reference import FILE, reference
from workbench.ledger import Ledger
from workbench.prediction_log.batches import Batch, BatchLog, request_of
from workbench.prediction_log.tables import logged, logged_type
from workbench.registration import attach
from workbench.settings import Project, read_project

REPOSITORY = Path(__file__).parents[2]
START = datetime(2026, 3, 2, tzinfo=UTC)
DAYS = 7
PART = 131_072
CHILD = """
import json, resource, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from workbench.monitoring import watch
from workbench.settings import read_project
start = datetime(2026, 3, 2, tzinfo=UTC)
began = time.perf_counter()
found = watch(read_project(Path.cwd()), "m", since=start, until=start + timedelta(days=7), version={version})
print(json.dumps({{"rows": found.rows, "outcomes": found.outcomes, "seconds": time.perf_counter() - began,
    "peak_memory_gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9}}))
"""


def made(root: Path, flights: pd.DataFrame, answers: NDArray[np.float64], rows: int) -> Project:
    """A project whose version has these flights as reference and the same, over and over, as a week of answers."""
    make_registered(root / "registered")
    make_scored(root / "registered", root / "project")
    project = read_project(root / "project")
    contract = read_contract(REPOSITORY / "notebooks" / "contracts" / "flight-features.yaml")
    counted = reference(flights, flights["date"], contract, answers, flights["date"], flights["late"])
    with Ledger.open(project) as ledger:
        attach(project, ledger, MODEL, WITH_CONTRACT, FILE, counted.to_json().encode())
    names = [each.name for each in contract.of_features().columns]
    inputs = {name: logged(pa.array(flights[name])) for name in names}
    for day in range(DAYS):
        _log_day(project, day, inputs, answers, rows // DAYS + (day < rows % DAYS))
    return project


def _log_day(
    project: Project, day: int, inputs: Mapping[str, pa.Array], answers: NDArray[np.float64], rows: int
) -> None:
    came = (START + timedelta(days=day, hours=12)).timestamp()
    batch = Batch(request_of("week", str(day)), MODEL, WITH_CONTRACT, "d" * 64, came)
    kinds = {name: logged_type(column.type) for name, column in inputs.items()}
    with BatchLog(project, batch, kinds, ()) as log:
        for first in range(0, rows, PART):
            number = np.arange(first, min(first + PART, rows))
            chosen = number % len(answers)
            columns = {name: column.take(pa.array(chosen)) for name, column in inputs.items()}
            log.write(number, answers[chosen], columns)
        log.commit()


def watched(project: Project) -> dict[str, Any]:
    """What a process of its own says of the week."""
    command = [sys.executable, "-c", CHILD.format(version=WITH_CONTRACT)]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    said = subprocess.run(
        command, cwd=project.root, check=True, capture_output=True, text=True, env=environment
    )
    found: dict[str, Any] = json.loads(said.stdout.splitlines()[-1])
    return {name: round(value, 2) for name, value in found.items()}
