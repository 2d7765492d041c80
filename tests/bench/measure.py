"""Time whole processes, contestants in turn, so that a busy machine is as unfair to one as to another."""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

PYTHON = sys.executable


@dataclass(frozen=True)
class Took:
    """One measurement, in seconds; `cpu` counts the process and all that it waited for."""

    wall: float
    cpu: float = float("nan")


@dataclass(frozen=True)
class Contestant:
    """Something to measure. `before` makes things ready, `after` waits until nothing of it runs; neither counts."""

    name: str
    work: Callable[[], Took]
    before: Callable[[], None] = lambda: None
    after: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Target:
    """`ours` must be at most `limit` times `peer`, both measured in the same rounds; a peer of None means seconds."""

    ours: str
    limit: float
    peer: str | None = None


@dataclass(frozen=True)
class Result:
    """One benchmark: what was measured, what it was to be, and facts that are right or wrong."""

    title: str
    took: Mapping[str, Sequence[Took]] = field(default_factory=dict)
    targets: Sequence[Target] = ()
    facts: Mapping[str, bool] = field(default_factory=dict)
    """A sentence, and whether it holds."""
    notes: Sequence[str] = ()


def run(command: Sequence[str | Path], folder: Path, environment: Mapping[str, str] | None = None) -> Took:
    """Run a command to its end. Raises RuntimeError, with what it printed, when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [str(word) for word in command], cwd=folder, env={**os.environ, **(environment or {})}, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))} failed with {done.returncode}:\n{done.stdout}")
    return Took(wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def interleaved(contestants: Iterable[Contestant], rounds: int) -> dict[str, list[Took]]:
    """Every contestant once a round. The first round, in which files are read for the first time, does not count."""
    everyone = list(contestants)
    took: dict[str, list[Took]] = {each.name: [] for each in everyone}
    for number in range(rounds + 1):
        for each in everyone:
            each.before()
            measured = each.work()
            each.after()
            say(f"    {'warm-up' if number == 0 else f'round {number}'}  {each.name}: {measured.wall:.3f} s")
            if number:
                took[each.name].append(measured)
    return took


def median(values: Iterable[float]) -> float:
    return statistics.median(list(values))


def say(line: str) -> None:
    print(line, flush=True)
