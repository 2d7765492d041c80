"""`python tests/bench [NAME …] [--rounds N]`: measure what the README claims, and write reports/bench.md.

Exits with 1 when a ratio to a peer of the same run misses its target by more than the noise, or when something
that must hold does not. Seconds alone are told and not held against anybody: machines differ.
"""

from __future__ import annotations

import compileall
import os
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]
sys.path[1:1] = [str(REPOSITORY / "tests"), str(REPOSITORY)]

import endurance  # noqa: E402
import loop  # noqa: E402
import pages  # noqa: E402
import speed  # noqa: E402
from contestants import doit_folder  # noqa: E402
from measure import Result, say  # noqa: E402
from measured import KINDS, benchmark  # noqa: E402
from report import asked_for, load, markdown, missed  # noqa: E402

BENCHMARKS: dict[str, Callable[[Path, int], Result]] = {
    "w1": speed.w1,
    "w2": speed.w2,
    "kernel": speed.kernel,
    "noop": speed.noop,
    "plan": speed.plan,
    "soak": endurance.soak,
    "kills": endurance.kills,
    "loop": loop.loop,
    "app": pages.app,
    **{name: benchmark(name) for name in KINDS},
}
REPORT = REPOSITORY / "reports" / "bench.md"


def main() -> int:
    """Measure what was asked for; 1 when a target is missed."""
    names, rounds = asked_for("make bench", __doc__, BENCHMARKS)
    _same_start_for_all()
    before = load()
    results = []
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        for name in names:
            began = time.monotonic()
            say(f"==> {name}")
            root = Path(folder).resolve() / name
            root.mkdir()
            results.append(BENCHMARKS[name](root, rounds))
            say(f"    took {time.monotonic() - began:.0f} s")
    REPORT.write_text(markdown(results, rounds, before))
    say("\n" + REPORT.read_text())
    for bad in missed(results):
        print(f"missed: {bad}", file=sys.stderr)
    return 1 if missed(results) else 0


def _same_start_for_all() -> None:
    """Compile what is not: an import without bytecode takes three times as long, and warm kernels would gain by it."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for place in (sysconfig.get_path("purelib"), str(REPOSITORY / "workbench")):
        compileall.compile_dir(place, quiet=2, workers=0)
    compileall.compile_dir(doit_folder(), quiet=2)


if __name__ == "__main__":
    sys.exit(main())
