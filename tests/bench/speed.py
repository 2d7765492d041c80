"""What is measured in seconds against a peer: W1, W2, a kernel, nothing to do, one change, a large plan."""

from __future__ import annotations

import asyncio
import re
import time
from pathlib import Path
from typing import Any

from contestants import (
    calm,
    doit,
    floor,
    ours,
    pair,
    papermill,
    papermill_loop,
    peer,
    workbench,
)
from measure import Contestant, Result, Target, Took, interleaved, median
from pipelines import IMPORTS, MODELS, chain, fan, machine_learning, write_project

KERNEL_IMPORTS = ("numpy", "pandas", "sklearn.ensemble", "sklearn.metrics", "sklearn.pipeline")


def w1(root: Path, rounds: int) -> Result:
    """The machine-learning pipeline, from the command to its end, with nothing cached."""
    notebooks = machine_learning()
    project, peers = pair(root, "w1", notebooks)
    unrecorded = write_project(root / "unrecorded", "unrecorded", notebooks, mlflow=False)
    took = interleaved(
        [
            workbench("ours", project),
            workbench("ours, waiting for MLflow", project, "--wait"),
            workbench("ours, without MLflow", unrecorded),
            peer("floor", peers, lambda: floor(peers)),
            peer("papermill on two threads", peers, lambda: papermill(peers, 2)),
            peer("papermill in one process", peers, lambda: papermill(peers, 1)),
            peer("papermill CLI in a loop", peers, lambda: papermill_loop(peers)),
            peer("doit + papermill", peers, lambda: doit(peers, "-n", "2", "-P", "thread")),
        ],
        rounds,
    )
    targets = [
        Target(name, limit, other)
        for name in ("ours", "ours, without MLflow")
        for limit, other in (
            (1 / 5, "papermill CLI in a loop"),
            (1 / 3, "papermill on two threads"),
            (1.5, "floor"),
        )
    ]
    notes = (
        "`floor`: all cells in one process, imports done once; no kernels, no isolation, no cache, no record. "
        "`ours`: results and ledger are written when it ends; a process goes on for a moment to send the run to "
        "MLflow, and no contestant starts before that is gone. `--wait` ends with it.",
    )
    return Result(
        "W1: ingest, validate, profile and features, three trains, evaluate", took, targets, {}, notes
    )


def w2(root: Path, rounds: int) -> Result:
    """Light notebooks, forty at once."""
    notebooks = fan()
    project, peers = pair(root, "w2", notebooks)
    took = interleaved(
        [
            workbench("ours", project),
            workbench("ours, waiting for MLflow", project, "--wait"),
            peer("papermill on two threads", peers, lambda: papermill(peers, 2)),
        ],
        rounds,
    )
    rates = [f"{name} {len(notebooks) / median(each.wall for each in took[name]):.1f}" for name in took]
    notes = (f"Notebooks a second: {', '.join(rates)}.",)
    return Result(
        f"W2: one notebook, {len(notebooks) - 2} after it, one after them",
        took, [Target("ours", 1 / 5, "papermill on two threads")], {}, notes,
    )  # fmt: skip


def kernel(root: Path, rounds: int) -> Result:
    """One kernel: from nothing, through a cell that uses pandas and scikit-learn, to gone."""
    from nbclient import NotebookClient
    from nbformat.v4 import new_code_cell, new_notebook

    from workbench.kernels import KernelHost, kernel_manager

    async def execute(**options: Any) -> None:
        notebook = new_notebook(
            cells=[new_code_cell(f"{IMPORTS}\npd.DataFrame({{'a': np.arange(3)}}).a.sum()")]
        )
        client = NotebookClient(notebook, **options)
        client.owns_km = True
        await client.async_execute(cwd=str(root))
        assert notebook.cells[0].outputs, "the cell has no output"

    def timed(**options: Any) -> Took:
        began = time.perf_counter()
        asyncio.run(execute(**options))
        return Took(time.perf_counter() - began)

    with KernelHost(KERNEL_IMPORTS, excluded=[root]) as host:

        def warm() -> Took:
            began = time.perf_counter()
            km = kernel_manager("python3", host=host, imports=KERNEL_IMPORTS)
            took = timed(km=km, shutdown_kernel="immediate")
            return Took(time.perf_counter() - began, took.cpu)

        took = interleaved(
            [
                Contestant("warm kernel", warm),
                Contestant("cold kernel (nbclient, python3)", lambda: timed(kernel_name="python3")),
            ],
            max(rounds, 10),
        )
    targets = [
        Target("warm kernel", 1 / 8, "cold kernel (nbclient, python3)"),
        Target("warm kernel", 0.30),
    ]
    return Result("One kernel, from nothing to gone, with pandas and scikit-learn used", took, targets)


def noop(root: Path, rounds: int) -> Result:
    """W1 again when everything is cached, and after a change of one cell in one train."""
    project, peers = pair(root, "noop", machine_learning())
    ours(project, "run", "noop", "--workers", "2", "--wait")
    doit(peers, "-n", "2", "-P", "thread")
    nothing = interleaved(
        [
            Contestant("ours, nothing to do", lambda: ours(project, "run", "noop")),
            Contestant("doit, nothing to do", lambda: doit(peers)),
        ],
        max(rounds, 15),
    )
    changed = next(iter(MODELS))
    seeds = iter(range(1, 1000))

    def edit(folder: Path) -> None:
        """Another random state in the train's model, and so other predictions."""
        file = folder / "notebooks" / f"{changed}.ipynb"
        file.write_text(re.sub(r"random_state=\d+", f"random_state={next(seeds)}", file.read_text()))

    def done(folder: Path) -> set[str]:
        newest = max((folder / "reports" / "noop").iterdir(), key=lambda each: each.stat().st_mtime_ns)
        return {each.stem for each in newest.glob("*.ipynb")}

    change = interleaved(
        [
            Contestant(
                "ours, one cell changed", lambda: ours(project, "run", "noop", "--workers", "2"),
                lambda: edit(project), lambda: calm(project),
            ),
            Contestant(
                "doit, one cell changed", lambda: doit(peers, "-n", "2", "-P", "thread"), lambda: edit(peers),
                lambda: calm(peers),
            ),
        ],
        rounds,
    )  # fmt: skip
    targets = [
        Target("ours, nothing to do", 0.20 / 0.15, "doit, nothing to do"),
        Target("ours, nothing to do", 0.20),
        Target("ours, one cell changed", 2.0 / 8.3, "doit, one cell changed"),
        Target("ours, one cell changed", 2.0),
    ]
    facts = {
        f"after a change in {changed} that step and evaluate ran, nothing else": done(project)
        == {changed, "evaluate"}
    }
    notes = ("doit's targets are what 0.20 s and 2 s were to its 0.15 s and 8.3 s where they were set.",)
    return Result(
        "W1 again: nothing to do, and one cell changed", {**nothing, **change}, targets, facts, notes
    )


def plan(root: Path, rounds: int) -> Result:
    """`workbench plan` of a thousand steps that are all cached."""
    steps = 1000
    project = write_project(root / "large", "large", chain(steps), mlflow=False)
    ours(project, "run", "large", "--workers", "2")
    name = f"ours, {steps} steps cached"
    took = interleaved([Contestant(name, lambda: ours(project, "plan", "large"))], rounds)
    return Result(f"The plan of {steps} cached steps", took, [Target(name, 2.0)])
