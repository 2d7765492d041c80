"""The tables: medians with their spread, each ratio against its target, and the machine that it was."""

from __future__ import annotations

import argparse
import os
import platform
import time
from collections.abc import Collection, Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from measure import Result, Target, median

PACKAGES = (
    "papermill",
    "nbclient",
    "ipykernel",
    "jupyter-client",
    "mlflow",
    "pandas",
    "numpy",
    "scikit-learn",
)


def asked_for(program: str, about: str | None, known: Collection[str]) -> tuple[list[str], int]:
    """What the command line asks for: names (default: all) and rounds."""
    parser = argparse.ArgumentParser(prog=program, description=about)
    parser.add_argument("names", nargs="*", help=f"any of {', '.join(known)}; default: all")
    parser.add_argument("--rounds", type=int, default=5, help="measurements of each contestant (default: 5)")
    given = parser.parse_args()
    names = [name for words in given.names for name in words.split(",") if name] or list(known)
    if unknown := set(names) - set(known):
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return names, given.rounds


def markdown(results: Sequence[Result], rounds: int, load_before: str) -> str:
    """The whole report."""
    lines = ["# Benchmarks", "", *machine(rounds, load_before)]
    for result in results:
        lines += ["", f"## {result.title}", "", *_table(result), *_verdicts(result)]
        lines += ["", *result.notes] if result.notes else []
    return "\n".join(lines) + "\n"


def missed(results: Sequence[Result]) -> list[str]:
    """Ratios missed by more than the noise, and facts that do not hold. Seconds are told, never held against it."""
    bad = []
    for result in results:
        for target in result.targets:
            if target.peer is not None and min(_ratios(result, target)) > target.limit:
                bad.append(f"{result.title}: {_sentence(target)}")
        bad += [f"{result.title}: {fact}" for fact, holds in result.facts.items() if not holds]
    return bad


def machine(rounds: int, load_before: str) -> Iterator[str]:
    """What it was measured on, and by which versions."""
    cpu = next(
        (line.partition(":")[2].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line),
        platform.machine(),
    )  # fmt: skip
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    yield f"- {time.strftime('%Y-%m-%d %H:%M UTC', time.gmtime())}, {rounds} rounds, contestants in turn; medians (least to most)"
    yield f"- {len(os.sched_getaffinity(0))} cores ({cpu}), {memory:.0f} GiB, {platform.system()} {platform.release()}"
    yield f"- load before {load_before}, after {load()}"
    found = ", ".join(f"{name} {version(name)}" for name in PACKAGES)
    yield f"- Python {platform.python_version()}, {found}; one environment for all, its bytecode compiled"


def load() -> str:
    return " ".join(f"{value:.1f}" for value in os.getloadavg())


def _table(result: Result) -> Iterator[str]:
    if not result.took:
        return
    yield "| contestant | wall, s | CPU, s |"
    yield "|---|---|---|"
    for name, took in result.took.items():
        walls, cpus = [each.wall for each in took], [each.cpu for each in took]
        cpu = f"{median(cpus):.2f}" if cpus == [value for value in cpus if value == value] else ""
        yield f"| {name} | {median(walls):.3f} ({min(walls):.3f} to {max(walls):.3f}) | {cpu} |"


def _verdicts(result: Result) -> Iterator[str]:
    if result.targets:
        yield ""
        yield "| target | measured | |"
        yield "|---|---|---|"
    for target in result.targets:
        ratios = _ratios(result, target)
        unit = " s" if target.peer is None else " x"
        measured = f"{median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}){unit}"
        yield f"| {_sentence(target)} | {measured} | {_verdict(ratios, target)} |"
    if result.facts:
        yield ""
    for fact, holds in result.facts.items():
        yield f"- {'pass' if holds else '**MISS**'}: {fact}"


def _verdict(ratios: Sequence[float], target: Target) -> str:
    if median(ratios) <= target.limit:
        return "pass"
    return "miss, within the noise" if min(ratios) <= target.limit else "**MISS**"


def _ratios(result: Result, target: Target) -> list[float]:
    """Round by round: what slows a round down slows both of them."""
    ours = [took.wall for took in result.took[target.ours]]
    if target.peer is None:
        return ours
    return [mine / other.wall for mine, other in zip(ours, result.took[target.peer], strict=True)]


def _sentence(target: Target) -> str:
    if target.peer is None:
        return f"{target.ours}: at most {target.limit:g} s"
    return f"{target.ours}: at most {target.limit:.3g} x {target.peer}"
