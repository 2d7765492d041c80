"""Who takes part: the workbench and its peers, each on a project of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
from measure import PYTHON, Contestant, Took, run
from pipelines import Notebook, empty_peers, write_for_peers, write_project

PEERS = Path(__file__).parent / "peers"
PROGRAMS = Path(PYTHON).parent
DOIT = "doit==0.37.0"
REPOSITORY = Path(__file__).parents[2]
PATIENCE = 120.0


def ours(folder: Path, *arguments: str) -> Took:
    """The whole process, from the command to its end."""
    return run([PROGRAMS / "workbench", *arguments], folder)


def workbench(name: str, folder: Path, *arguments: str) -> Contestant:
    """A run in which nothing is cached."""
    return Contestant(
        name, lambda: ours(folder, "run", folder.name, "--workers", "2", *arguments), lambda: empty(folder), lambda: calm(folder)
    )  # fmt: skip


def empty(folder: Path) -> None:
    """Forget every result. Ledger and MLflow's database stay, as they do between two runs."""
    shutil.rmtree(folder / ".workbench" / "store", ignore_errors=True)


def calm(folder: Path) -> None:
    """Wait until nothing works in `folder` any more. Raises RuntimeError when something goes on for minutes."""
    deadline = time.monotonic() + PATIENCE
    while left := list(processes_in(folder)):
        if time.monotonic() > deadline:
            raise RuntimeError(f"still running in {folder}: {left}")
        time.sleep(0.02)


def processes_in(folder: Path) -> Iterator[psutil.Process]:
    """Processes whose working directory is `folder` or below, but for this one."""
    for process in psutil.process_iter():
        try:
            inside = Path(process.cwd()).is_relative_to(folder) and process.pid != os.getpid()
            if inside and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def peer(name: str, folder: Path, work: Callable[[], Took]) -> Contestant:
    return Contestant(name, work, lambda: empty_peers(folder), lambda: calm(folder))


def papermill_loop(folder: Path) -> Took:
    """The command line once a notebook, one after the other, as in a shell script."""
    took = []
    for step in json.loads((folder / "steps.json").read_text()):
        values = [word for pair in step["parameters"].items() for word in ("-p", *pair)]
        took.append(run([PROGRAMS / "papermill", step["notebook"], step["executed"], *values], folder))
    return Took(sum(each.wall for each in took), sum(each.cpu for each in took))


def papermill(folder: Path, threads: int) -> Took:
    return run([PYTHON, PEERS / "with_papermill.py", "steps.json", str(threads)], folder)


def floor(folder: Path) -> Took:
    return run([PYTHON, PEERS / "floor.py", "steps.json"], folder)


def doit(folder: Path, *arguments: str) -> Took:
    environment = {"PYTHONPATH": str(doit_folder()), "STEPS": "steps.json"}
    command = [PYTHON, "-m", "doit", "-f", PEERS / "dodo.py", "-d", folder, *arguments]
    return run(command, folder, environment)


def doit_folder() -> Path:
    """doit beside our environment, not in our lock file; installed once. Raises RuntimeError when it cannot be."""
    folder = REPOSITORY / ".uv" / "bench" / DOIT
    if not folder.is_dir():
        scratch = folder.with_name("new")
        uv = os.environ.get("UV") or shutil.which("uv") or str(REPOSITORY / ".uv" / "bin" / "uv")
        command = [
            uv,
            "pip",
            "install",
            "--quiet",
            "--compile-bytecode",
            "--python",
            PYTHON,
            "--target",
            str(scratch),
            DOIT,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{DOIT} cannot be installed for the comparison:\n{done.stderr}")
        scratch.rename(folder)
    return folder


def pair(root: Path, name: str, notebooks: Sequence[Notebook], *, mlflow: bool = True) -> tuple[Path, Path]:
    """Our project and the peers' folder with the same notebooks."""
    return (
        write_project(root / name, name, notebooks, mlflow=mlflow),
        write_for_peers(root / f"{name}-peers", notebooks),
    )
