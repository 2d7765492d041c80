"""`workbench serve` with its durable log against its peers: one model, one machine, in turns.

All servers run all the time, each with one worker and OpenMP on one thread; the load goes to one of them at a time, round
by round, so that what slows a round down slows everybody. Requests are of one row, no two in a row the same.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

from served import (
    HERE,
    Flights,
    bento_serving,
    floor_serving,
    mlflow_serving,
    record_body,
    serving,
    split_body,
)

CONNECTIONS = (1, 64)
BODIES = 2_000
OURS, MLFLOW, BENTO, FLOOR = "workbench serve", "mlflow models serve", "bentoml serve", "HTTP alone"


def measure(flights: Flights, rounds: int = 5, seconds: float = 3.0) -> dict[str, Any]:
    """By contestant and number of connections: medians of the rounds, and whether ours is as much quicker as it should be."""
    folder = flights.project.root
    split, records = folder / "split.jsonl", folder / "records.jsonl"
    rows = [flights.features.iloc[[number]] for number in range(BODIES)]
    split.write_bytes(b"\n".join(map(split_body, rows)))
    records.write_bytes(b"\n".join(map(record_body, rows)))
    contestants: dict[str, tuple[Callable[[], AbstractContextManager[str]], str, Path]] = {
        OURS: (lambda: serving(flights.project), "/invocations", split),
        MLFLOW: (lambda: mlflow_serving(flights), "/invocations", split),
        BENTO: (lambda: bento_serving(flights), "/predict", records),
        FLOOR: (lambda: floor_serving(folder), "/", split),
    }
    absent: dict[str, str] = {}
    found: dict[str, dict[int, list[dict[str, Any]]]] = {}
    with ExitStack() as stack:
        places = {}
        for name, (start, path, bodies) in contestants.items():
            try:
                places[name] = (stack.enter_context(start()) + path, bodies)
            except RuntimeError as error:
                if name in (OURS, MLFLOW):
                    raise
                absent[name] = str(error)
        for number in range(rounds + 1):  # the first does not count: everybody is warm after it
            for name, (url, bodies) in places.items():
                for connections in CONNECTIONS:
                    once = load(url, bodies, connections, seconds if number else 1.0)
                    if number:
                        found.setdefault(name, {}).setdefault(connections, []).append(once)
    return {
        "rounds": rounds,
        "seconds": seconds,
        "contestants": {
            name: {str(connections): medians(each) for connections, each in of.items()}
            for name, of in found.items()
        },
        "absent": absent,
        "facts": _facts(found),
    }


def load(url: str, bodies: Path, connections: int, seconds: float, pause: float = 0.0) -> dict[str, Any]:
    """What the load generator says."""
    words = [
        url,
        str(bodies),
        "--connections",
        str(connections),
        "--seconds",
        str(seconds),
        "--warm-up",
        "0.3",
        "--pause",
        str(pause),
    ]
    done = subprocess.run(
        [sys.executable, str(HERE / "load.py"), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise RuntimeError(f"the load on {url} failed:\n{done.stderr[-2000:]}")
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def medians(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    told: dict[str, Any] = {}
    for name in ("per_second", "p50_ms", "p99_ms"):
        values = [each[name] for each in rounds]
        told[name] = statistics.median(values)
        told[f"{name}_range"] = [min(values), max(values)]
    told["requests"] = sum(each["requests"] for each in rounds)
    told["not_2xx"] = sum(
        count for each in rounds for status, count in each["statuses"].items() if status[0] != "2"
    )
    told["lost"] = sum(each["lost"] for each in rounds)
    return told


def _facts(found: dict[str, dict[int, list[dict[str, Any]]]]) -> dict[str, bool]:
    facts = {}
    for connections, times in ((1, 1.3), (64, 8.0)):
        ours, theirs = found[OURS][connections], found[MLFLOW][connections]
        ratio = _ratio(ours, theirs, "per_second")
        facts[
            f"{ratio:.1f} times the requests a second of {MLFLOW} at {connections} connection(s) "
            f"({times:g} times are asked for)"
        ] = ratio >= times
    tail = _ratio(found[OURS][1], found[MLFLOW][1], "p99_ms")
    facts[f"at 1 connection the slowest of a hundred takes {tail:.2f} times as long as with {MLFLOW}"] = (
        tail < 1
    )
    bad = sum(
        each["requests"] - each["statuses"].get("200", 0) + each["lost"]
        for of in found[OURS].values()
        for each in of
    )
    facts[f"of all requests to {OURS} {bad} were not answered with 200"] = bad == 0
    return facts


def _ratio(ours: list[dict[str, Any]], theirs: list[dict[str, Any]], name: str) -> float:
    """The median of the rounds' ratios."""
    return statistics.median(mine[name] / other[name] for mine, other in zip(ours, theirs, strict=True))
