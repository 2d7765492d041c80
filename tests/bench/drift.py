"""Monitoring: how often it cries wolf, whether it finds what was changed, how fast it is, and what Evidently says.

Evidently is installed into an environment of its own (tests/bench/peers/evidently.lock), once.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import drift_log
import drift_weeks
import numpy as np
import pandas as pd

from workbench.contracts.contract import Column
from workbench.drift.compare import Moved, compare
from workbench.drift.ordinary import ordinary
from workbench.drift.sketch import bins_of, sketch

TRIALS = int(os.environ.get("DRIFT_TRIALS", "200"))
SEEDS = tuple(map(int, os.environ.get("DRIFT_SEEDS", "90001,90002,90003").split(",")))
"""Of the draws of weeks; TRIALS each. None of them was seen before the method was settled; Evidently has the first one's."""
PEER_TRIALS = int(os.environ.get("DRIFT_PEER_TRIALS", str(TRIALS)))
"""Evidently takes 2 to 3 seconds a week, so 200 take some four minutes of two cores."""
CORES = len(os.sched_getaffinity(0))
ROWS = 100_000
LOG_ROWS = 10_000_000
PEERS = Path(__file__).parent / "peers"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workbench-bench"


def measure() -> dict[str, Any]:
    """Everything, with the limits beside it."""
    rows = drift_weeks.flights()
    year = drift_weeks.Year.of(rows)
    python = _evidently()
    with tempfile.TemporaryDirectory(prefix="workbench-drift-") as folder:
        root = Path(folder)
        found = {
            "trials": TRIALS,
            "seeds": SEEDS,
            **_weeks(year),
            "evidently in unchanged weeks": _peer_unchanged(root, python, rows),
            "speed": _speed(root, python),
        }
        first = rows[rows["week"] < 13].sample(frac=1, random_state=0).reset_index(drop=True)
        project = drift_log.made(
            root / "log", first.assign(plane_engines=2.0), first["probability"].to_numpy(), LOG_ROWS
        )
        found["log"] = drift_log.watched(project)
    return found


def _weeks(year: drift_weeks.Year) -> dict[str, Any]:
    """Alerts in unchanged weeks, and changes found: one figure a seed."""
    with ProcessPoolExecutor(CORES, multiprocessing.get_context("fork")) as pool:
        quiet = [pool.submit(drift_weeks.unchanged, year, seed, TRIALS) for seed in SEEDS]
        named = {
            name: [pool.submit(drift_weeks.injected, year, seed + 1_000, TRIALS, name) for seed in SEEDS]
            for name in drift_weeks.INJECTED
        }
        alerts = [each.result() for each in quiet]
        return {
            "alerts in unchanged weeks": {name: [each[name] for each in alerts] for name in alerts[0]},
            "injected": {
                name: {
                    "effect": drift_weeks.INJECTED[name][0],
                    "named first": [each.result() for each in found],
                }
                for name, found in named.items()
            },
        }


def _evidently() -> Path:
    """The Python of Evidently's environment. Raises RuntimeError, with uv's reason, when it cannot be made."""
    home = CACHE / "evidently"
    python = home / "bin" / "python"
    if (home / "whole").exists():
        return python
    uv = os.environ.get("UV") or "uv"
    for words in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(home)],
        [uv, "pip", "install", "--quiet", "--python", str(python), "-r", str(PEERS / "evidently.lock")],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"Evidently cannot be installed: {done.stderr.strip()[-500:]}")
    (home / "whole").touch()
    return python


def _ask(root: Path, python: Path, pairs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    (root / "task.json").write_text(json.dumps(list(pairs)))
    environment = {**os.environ, "DO_NOT_TRACK": "1"}
    subprocess.run(
        [python, PEERS / "with_evidently.py", root], check=True, capture_output=True, env=environment
    )
    said: list[dict[str, Any]] = json.loads((root / "said.json").read_text())
    return said


def _peer_unchanged(root: Path, python: Path, rows: pd.DataFrame) -> dict[str, Any]:
    """The same weeks, in the same roles, by its default preset."""
    generator = np.random.default_rng(SEEDS[0])
    features = rows.astype(dict.fromkeys(drift_weeks.TEXTS, object))
    pairs = []
    for number in range(PEER_TRIALS):
        trial = drift_weeks.drawn(generator)
        for name, weeks in (("reference", trial.learned), ("window", (trial.window,))):
            chosen = features.loc[features["week"].isin(weeks), list(drift_weeks.FEATURES)]
            chosen.to_parquet(root / f"{name}-{number}.parquet", index=False)
        pairs.append({
            "reference": f"../reference-{number}.parquet", "window": f"../window-{number}.parquet", "methods": {},
        })  # fmt: skip
    parts = [root / f"part-{number}" for number in range(CORES)]
    for part in parts:
        part.mkdir()
    with ThreadPoolExecutor(CORES) as pool:
        asked = pool.map(lambda at: _ask(parts[at], python, pairs[at::CORES]), range(CORES))
        said = [each for one in asked for each in one]
    some = [any(each["value"] >= each["threshold"] for each in one["columns"].values()) for one in said]
    return {
        "weeks": len(said),
        "some column drifts": round(float(np.mean(some)), 3),
        "half of the columns drift (its data set drift)": round(
            float(np.mean([one["share"] >= 0.5 for one in said])), 3
        ),
    }


def _table(seed: int, moved: float) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    numbers = {
        f"n{index}": generator.normal(moved * (index % 4), 1 + index, ROWS)
        if index % 3
        else generator.gamma(2, 3 + moved, ROWS)
        for index in range(15)
    }
    texts = {}
    for index in range(5):
        weights = np.arange(1, 10 * index + 11) ** (1 + moved / 5)
        codes = generator.choice(len(weights), ROWS, p=weights / weights.sum())
        texts[f"c{index}"] = pd.Categorical.from_codes(codes, [f"v{code}" for code in range(len(weights))])
    return pd.DataFrame(numbers | texts)


def _speed(root: Path, python: Path, repetitions: int = 7) -> dict[str, Any]:
    """Twenty columns of a window against a reference that was counted before; and whether the two agree."""
    reference, window = _table(0, 0.0), _table(1, 0.3)
    columns = [Column(name, "float" if name[0] == "n" else "category") for name in reference]
    days = np.datetime64("2026-01-01") + np.arange(ROWS) * 63 // ROWS
    counted = sketch(reference, bins_of(reference, columns), days)
    usual = ordinary(counted, 7, ROWS)
    when = np.datetime64("2026-03-02") + np.arange(ROWS) * 7 // ROWS
    took = []
    for _ in range(repetitions):
        began = time.perf_counter()
        moved = compare(counted, sketch(window, counted.bins, when), usual)
        took.append(time.perf_counter() - began)
    texts = [each.name for each in columns if each.type == "category"]
    for name, table in (("reference", reference), ("window", window)):
        table.astype(dict.fromkeys(texts, object)).to_parquet(root / f"{name}.parquet")
    pair = {"reference": "reference.parquet", "window": "window.parquet"}
    said = _ask(root, python, [
        pair | {"methods": methods}
        for methods in ({}, {}, {}, {"num_method": "psi", "cat_method": "psi"})
    ])  # fmt: skip
    seconds = statistics.median(took)
    peer = statistics.median(each["seconds"] for each in said[1:3])
    return {
        "seconds": round(seconds, 3),
        "evidently seconds": round(peer, 2),
        "times faster": round(peer / seconds, 1),
        "largest difference": _apart(moved, said[0]["columns"], said[3]["columns"]),
    }


def _apart(moved: Sequence[Moved], default: Mapping[str, Any], psi: Mapping[str, Any]) -> dict[str, float]:
    """Of the same effect sizes: Wasserstein in standard deviations, Jensen-Shannon and PSI of texts.

    Their Jensen-Shannon is in nats, ours in bits.
    """
    pairs: dict[str, list[float]] = {"wasserstein": [], "jensen_shannon": [], "psi": []}
    for each in moved:
        theirs = default[each.name]["value"]
        if each.wasserstein is not None:
            pairs["wasserstein"].append(abs(each.wasserstein - theirs))
        else:
            pairs["jensen_shannon"].append(abs(each.distance - theirs / np.sqrt(np.log(2))))
            pairs["psi"].append(abs(each.psi - psi[each.name]["value"]))
    return {name: round(max(values), 5) for name, values in pairs.items()}


if __name__ == "__main__":
    sys.path[1:1] = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2])]
    print(json.dumps(measure(), indent=1))
