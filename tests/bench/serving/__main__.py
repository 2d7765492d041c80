"""`python tests/bench/serving [PART …]`: measure what serving claims, side by side, and write reports/bench-serving.md.

Bounded load on loopback: a race of some two minutes, then the other parts. Exits with 1 when something that must hold does
not. Seconds alone are told and not held against anybody: machines differ.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from served import BENTOML, HERE, REPOSITORY, flights_project, scoring

sys.path.append(str(HERE.parent))

import race
import shadow
import skew
import trouble
from report import asked_for, load, machine

REPORT = REPOSITORY / "reports" / "bench-serving.md"


def _race(folder: Path, rounds: int) -> dict[str, Any]:
    return race.measure(flights_project(folder / "project"), rounds)


def _skew(folder: Path, _: int) -> dict[str, Any]:
    found = {
        name: skew.measure(flights_project(folder / name, name), name) for name in ("boosting", "logistic")
    }
    return {
        **found,
        "facts": {fact: holds for each in found.values() for fact, holds in each["facts"].items()},
    }


def _batch(_: Path, rounds: int) -> dict[str, Any]:
    return scoring.measure(repetitions=rounds)


def _shadow(folder: Path, rounds: int) -> dict[str, Any]:
    return shadow.measure(folder, rounds)


def _trouble(what: str) -> Callable[[Path, int], dict[str, Any]]:
    def part(_: Path, __: int) -> dict[str, Any]:
        found = trouble.measure(what)
        wrong = trouble.missed(found)
        told = [
            f"{name.replace('_', ' ')} {found[name]}" for name in trouble.MUST_BE_NOTHING if name in found
        ]
        sentence = f"{found[what]} {what}: {', '.join(told)}"
        return {**found, "facts": {sentence: not wrong, **dict.fromkeys(wrong, False)}}

    return part


PARTS: dict[str, tuple[str, Callable[[Path, int], dict[str, Any]]]] = {
    "race": ("Against its peers", _race),
    "skew": ("Training, batch and online say the same", _skew),
    "batch": ("Batch against bare predict_proba", _batch),
    "shadow": ("What a shadow costs those who ask", _shadow),
    "swaps": ("Swaps under load", _trouble("swaps")),
    "kills": ("Killed under load", _trouble("kills")),
}


def main() -> int:
    names, rounds = asked_for("make bench-serving", __doc__, PARTS)
    lines = [
        "# Serving",
        "",
        *machine(rounds, load()),
        f"- BentoML {BENTOML}, in an environment of its own",
    ]
    missed: list[str] = []
    for name in names:
        began = time.monotonic()
        print(f"==> {name}", flush=True)
        title, part = PARTS[name]
        with tempfile.TemporaryDirectory(prefix="workbench-serving-") as folder:
            found = part(Path(folder).resolve(), rounds)
        facts: Mapping[str, bool] = found.pop("facts", {})
        missed += [f"{title}: {fact}" for fact, holds in facts.items() if not holds]
        lines += ["", f"## {title}", "", *(_table(found) if name == "race" else ())]
        lines += [f"- {'pass' if holds else '**MISS**'}: {fact}" for fact, holds in facts.items()]
        lines += ["", "```json", json.dumps(found, indent=1, default=str), "```"]
        print(f"    took {time.monotonic() - began:.0f} s", flush=True)
        REPORT.parent.mkdir(exist_ok=True)
        REPORT.write_text("\n".join(lines) + "\n")  # after every part: a later one may be stopped
    print("\n" + REPORT.read_text())
    for bad in missed:
        print(f"missed: {bad}", file=sys.stderr)
    return 1 if missed else 0


def _table(found: Mapping[str, Any]) -> list[str]:
    lines = ["| | connections | requests/s | p50, ms | p99, ms |", "|---|---|---|---|---|"]
    for name, of in found["contestants"].items():
        for connections, each in of.items():
            shown = [
                f"{each[key]:g} ({each[f'{key}_range'][0]:g} to {each[f'{key}_range'][1]:g})"
                for key in ("per_second", "p50_ms", "p99_ms")
            ]
            lines.append(f"| {name} | {connections} | {' | '.join(shown)} |")
    lines += [f"- {name} was not measured: {why}" for name, why in found["absent"].items()]
    return [*lines, ""]


if __name__ == "__main__":
    sys.exit(main())
