"""Processes that promote: one that is killed before a write, and several at once. Forked from a server that has
imported MLflow, so that they start in milliseconds."""

from __future__ import annotations

import multiprocessing
import os
import signal
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

from tests.registered import MODEL
from workbench.errors import PromotionError
from workbench.setting_keys import ROLES
from workbench.settings import Project, read_project

WRITES = ("intent", "alias", "done", "marker")
PRELOAD = [
    "mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "workbench.promotion",
    "workbench.mlflow_store",
    "tests.promoters",
]
PATIENCE = 120.0


def context() -> ForkServerContext:
    found = multiprocessing.get_context("forkserver")
    found.set_forkserver_preload(PRELOAD)
    return found


def killed_before(project: Project, kind: str, write: str) -> int | None:
    """The exit code of a process that is killed before it does one of the writes of a move."""
    process = context().Process(target=_move_and_die, args=(str(project.root), kind, write))
    process.start()
    process.join(PATIENCE)
    code = process.exitcode
    process.close()
    return code


def promoters(project: Project, versions: list[int], expected: int | None) -> list[tuple[int, str]]:
    """Have processes promote these versions at the same time; each version, and `promoted` or why it was not."""
    fork = context()
    together = fork.Barrier(len(versions))
    answers: Any = fork.SimpleQueue()
    processes = [
        fork.Process(
            target=_promote, args=(str(project.root), version, expected, f"promoter-{n}", together, answers)
        )
        for n, version in enumerate(versions)
    ]
    for each in processes:
        each.start()
    found = [answers.get() for _ in processes]
    for each in processes:
        each.join(PATIENCE)
        each.close()
    return found


def _move_and_die(root: str, kind: str, write: str) -> None:
    from workbench.ledger import Ledger
    from workbench.mlflow_store import Aliases, connect
    from workbench.promotion import Actor, Promotions

    def before(name: str) -> None:
        if name == write:
            os.kill(os.getpid(), signal.SIGKILL)

    project = read_project(Path(root))
    ada = Actor("ada", frozenset(ROLES))
    with Ledger.open(project) as ledger:
        promotions = Promotions(project, ledger, Aliases(project, connect(project)))
        now = promotions.look(MODEL).champion
        if kind == "promote":
            version = next(
                n
                for n in (3, 4, 1, 2)
                if n != now and (found := ledger.verdict(MODEL, n)) and found.champion_version == now
            )
            promotions.promote(MODEL, version, ada, expected=now, before=before)
        elif kind == "rollback":
            promotions.rollback(MODEL, ada, reason="x", expected=now, before=before)
        else:
            promotions.retire(MODEL, now or 0, ada, reason="x", expected=now, before=before)


def _promote(root: str, version: int, expected: int | None, name: str, together: Any, answers: Any) -> None:
    from workbench.ledger import Ledger
    from workbench.mlflow_store import Aliases, connect
    from workbench.promotion import Actor, Promotions

    said = "crashed"
    try:
        project = read_project(Path(root))
        with Ledger.open(project) as ledger:
            promotions = Promotions(project, ledger, Aliases(project, connect(project)))
            together.wait(PATIENCE)
            promotions.promote(MODEL, version, Actor(name, frozenset(ROLES)), expected=expected)
            said = "promoted"
    except PromotionError as error:
        said = str(error)
    finally:
        answers.put((version, said))
