"""`kill -9` of a run and the run after it, as the test does it five times and the benchmark fifty."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

from workbench.ledger import Ledger
from workbench.mlflow_store import database
from workbench.settings import Project

PATIENCE = 60.0
"""Seconds that what a killed run leaves may take to end: the tracking process sends what it has begun."""


@dataclass(frozen=True)
class Killed:
    """What a run that was killed has left."""

    in_time: bool
    """Whether it was killed before it ended by itself."""
    committed: dict[Path, int]
    """Modification time (ns) of each manifest."""
    seconds: float
    """Until no process of it was left."""
    left: list[psutil.Process]
    """Those that were still there when patience ended."""


def kill_run(project: Project, pipeline: str, after: float) -> Killed:
    """Start a run, kill its process `after` seconds, wait until nothing of it runs."""
    command = [sys.executable, "-m", "workbench", "run", pipeline]
    run = subprocess.Popen(
        command,
        cwd=project.root,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )
    try:
        run.wait(after)
    except subprocess.TimeoutExpired:
        run.send_signal(signal.SIGKILL)
        run.wait()
    killed = time.monotonic()
    while (left := list(processes_of(project))) and time.monotonic() - killed < PATIENCE:
        time.sleep(0.05)
    return Killed(run.returncode == -signal.SIGKILL, manifests(project), time.monotonic() - killed, left)


def manifests(project: Project) -> dict[Path, int]:
    """What is committed: a step that is done again writes its manifest again."""
    return {file: file.stat().st_mtime_ns for file in project.store.glob("manifests/*/*.json")}


def processes_of(project: Project) -> Iterator[psutil.Process]:
    """Processes that work in the project's folder, but for this one."""
    for process in psutil.process_iter():
        try:
            inside = process.cwd().startswith(str(project.root)) and process.pid != os.getpid()
            if inside and process.status() != psutil.STATUS_ZOMBIE:
                yield process
        except psutil.Error:
            continue


def still_running(project: Project) -> list[str]:
    """Runs that ledger or MLflow believe to be running."""
    with Ledger.open(project) as ledger:
        found = [f"ledger: {run.id}" for run in ledger.runs(state="running", limit=None)]
    file = database(project)
    if project.mlflow_enabled and file is not None and file.exists():
        connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=20)
        try:
            rows = connection.execute("SELECT run_uuid FROM runs WHERE status = 'RUNNING'").fetchall()
        finally:
            connection.close()
        found += [f"MLflow: {run}" for (run,) in rows]
    return found
