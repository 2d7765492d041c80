"""What a shadow costs those who ask: `workbench serve` with one and without one, in turns, under the same load.

Both servers run all the time, each in a project of its own. A turn ends when the shadow has dealt with all that was
answered in it, so that it takes no part in the next one.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from race import BODIES, load, medians
from served import MODEL, flights_project, scoring, serving, split_body

from workbench.prediction_log.reading import read
from workbench.settings import Project, read_project

LOADS = {"moderate": (4, 0.02), "saturating": (64, 0.0)}
"""Connections, and seconds that each waits between an answer and its next request."""

PATIENCE = 120.0
WITH, WITHOUT = "with a shadow", "without"
SLOWER = 1.1
"""How much longer the median answer may take under moderate load: noise on a shared machine."""
LESS = 0.9
"""How many of the requests are answered at least where all processors are busy."""


def measure(folder: Path, rounds: int = 5, seconds: float = 4.0) -> dict[str, Any]:
    """By load, with and without: medians of the rounds. The champion is `boosting`, the shadow `logistic`."""
    flights = flights_project(folder / "without")
    with_it = read_project(shutil.copytree(folder / "without", folder / "with"))
    version = scoring.ALGORITHMS.index("logistic") + 1
    words = [sys.executable, "-m", "workbench", "models", "shadow", MODEL, str(version)]
    here = {**os.environ, "WORKBENCH_ROOT": str(with_it.root)}
    subprocess.run(words, cwd=with_it.root, env=here, check=True, stdout=subprocess.DEVNULL)
    bodies = folder / "split.jsonl"
    bodies.write_bytes(b"\n".join(split_body(flights.features.iloc[[number]]) for number in range(BODIES)))
    found: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in LOADS}
    with serving(flights.project) as plain, serving(with_it) as shadowed:
        contestants = {WITHOUT: plain, WITH: shadowed}
        watch = Watch(shadowed, version)
        for number in range(rounds + 1):  # the first does not count: everybody is warm after it
            for name, (connections, pause) in LOADS.items():
                for contestant, url in contestants.items():
                    once = load(f"{url}/invocations", bodies, connections, seconds if number else 1.0, pause)
                    if number:
                        found[name].setdefault(contestant, []).append(once)
                    if contestant == WITH:
                        watch.wait(with_it)
        counts = watch.counts()
    return {
        "rounds": rounds,
        "seconds": seconds,
        **{name: {each: medians(of[each]) for each in of} for name, of in found.items()},
        "shadowed": counts,
        "facts": _facts(found, counts, _ids(with_it)),
    }


@dataclass(frozen=True)
class Watch:
    """The shadow of one server, as that tells it."""

    url: str
    version: int

    def counts(self) -> dict[str, int]:
        with urllib.request.urlopen(f"{self.url}/version", timeout=10) as answer:
            told = json.load(answer)["models"][MODEL]
        return told["shadowed"] if told["shadow"] == self.version else {}

    def wait(self, project: Project) -> None:
        """Until it has dealt with all that is on record. Raises TimeoutError."""
        answered = _ids(project)["champion"].total()
        deadline = time.monotonic() + PATIENCE
        while sum(self.counts().values()) < answered:
            if time.monotonic() > deadline:
                raise TimeoutError(f"the shadow has dealt with {self.counts()} of {answered} requests")
            time.sleep(0.2)


def _ids(project: Project) -> dict[str, Counter[str]]:
    """By kind: how often each prediction is on record."""
    found: dict[str, Counter[str]] = {"champion": Counter(), "shadow": Counter()}
    for batch in read(project, MODEL, columns=["kind", "request"]):
        for kind, request in zip(batch["kind"].to_pylist(), batch["request"].to_pylist(), strict=True):
            found[kind][request] += 1
    return found


def _facts(
    found: dict[str, dict[str, list[dict[str, Any]]]], counts: dict[str, int], ids: dict[str, Counter[str]]
) -> dict[str, bool]:
    facts = {}
    for name, of in found.items():
        p50, p99, rate = (
            statistics.median(
                mine[key] / other[key] for mine, other in zip(of[WITH], of[WITHOUT], strict=True)
            )
            for key in ("p50_ms", "p99_ms", "per_second")
        )
        holds = p50 <= SLOWER if name == "moderate" else rate >= LESS
        facts[
            f"{name} load: with a shadow {p50:.2f} times the p50, {p99:.2f} times the p99, {rate:.2f} times the requests a second"
        ] = holds
    twice = sum(times > 1 for times in ids["shadow"].values())
    strange = len(ids["shadow"].keys() - ids["champion"].keys())
    facts[
        f"of {counts['scored']} requests that it scored {twice} were scored twice, {strange} never answered"
    ] = not twice and not strange and counts["scored"] == len(ids["shadow"])
    bad = sum(
        each["requests"] - each["statuses"].get("200", 0) + each["lost"]
        for of in found.values()
        for rounds in of.values()
        for each in rounds
    )
    facts[f"of all requests {bad} were not answered with 200"] = bad == 0
    return facts
