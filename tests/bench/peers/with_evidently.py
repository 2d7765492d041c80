"""`python with_evidently.py FOLDER`: Evidently's default drift preset on tables, in its own environment.

FOLDER has `task.json`: pairs of Parquet files (reference, window) and the methods; what it says goes to `said.json`: of each
pair the seconds, the share of drifted columns that makes a data set drift, and every column's value and whether it drifted.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import pandas as pd  # noqa: E402
from evidently import Report  # noqa: E402
from evidently.presets import DataDriftPreset  # noqa: E402

folder = Path(sys.argv[1])
said = []
for pair in json.loads((folder / "task.json").read_text()):
    reference, window = (pd.read_parquet(folder / pair[name]) for name in ("reference", "window"))
    report = Report([DataDriftPreset(**pair["methods"])])
    began = time.perf_counter()
    snapshot = report.run(reference_data=reference, current_data=window)
    seconds = time.perf_counter() - began
    metrics = snapshot.dict()["metrics"]
    columns = {
        each["config"]["column"]: {
            "method": each["config"]["method"],
            "value": float(each["value"]),
            "threshold": each["config"]["threshold"],
        }
        for each in metrics
        if "column" in each["config"]
    }
    said.append({"seconds": seconds, "share": metrics[0]["value"]["share"], "columns": columns})
(folder / "said.json").write_text(json.dumps(said))
