"""`python with_papermill.py steps.json THREADS`: papermill's Python API in one process, on so many threads."""

from __future__ import annotations

import json
import sys
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import papermill


def execute(step: dict[str, Any]) -> None:
    papermill.execute_notebook(
        step["notebook"], step["executed"], step["parameters"], progress_bar=False, log_output=False
    )


def execute_all(steps: list[dict[str, Any]], threads: int) -> None:
    """Each step as soon as what it needs is done and a thread is free."""
    done: set[str] = set()
    waiting = list(steps)
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(threads) as pool:
        while waiting or running:
            for step in [step for step in waiting if done.issuperset(step["needs"])]:
                if len(running) < threads:
                    running[pool.submit(execute, step)] = step["name"]
                    waiting.remove(step)
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                future.result()
                done.add(running.pop(future))


if __name__ == "__main__":
    execute_all(json.loads(Path(sys.argv[1]).read_text()), int(sys.argv[2]))
