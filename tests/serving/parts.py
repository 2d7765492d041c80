"""What tests of serving need: somebody who promotes, questions, a log in memory and an engine that runs."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from tests.scored import MODEL, rows
from workbench.errors import LedgerError
from workbench.ledger import Ledger
from workbench.prediction_log.entries import Logged
from workbench.promotion import Before, Promotions
from workbench.promotion_policy import Actor
from workbench.serving.answers import Answer, Question, Refused, Standing
from workbench.serving.engine import Engine
from workbench.setting_keys import ROLES
from workbench.settings import Project

ADA = Actor("ada", frozenset(ROLES))
PATIENCE = 30.0


@dataclass
class Aliases:
    """Where the alias is, without MLflow: in the test's own memory."""

    at: dict[str, int | None] = field(default_factory=dict)

    def get(self, model: str) -> int | None:
        return self.at.get(model)

    def set(self, model: str, version: int | None) -> None:
        self.at[model] = version


class Reviewer:
    """Somebody who moves the champion of a project."""

    def __init__(self, project: Project, aliases: Aliases | None = None) -> None:
        self.project = project
        self.ledger = Ledger.open(project)
        self.promotions = Promotions(project, self.ledger, aliases or Aliases())

    def promote(self, version: int, before: Before = lambda _: None) -> None:
        now = self.promotions.look(MODEL).champion
        self.judge(version, now)
        self.promotions.promote(MODEL, version, ADA, expected=now, before=before)

    def judge(self, version: int, champion: int | None, *, passed: bool = True) -> None:
        self.ledger.record_verdict(
            MODEL, version, passed=passed, outcome="promotable" if passed else "refused",
            content={"thresholds": []}, champion_version=champion,
        )  # fmt: skip

    def rollback(self) -> None:
        now = self.promotions.look(MODEL).champion
        self.promotions.rollback(MODEL, ADA, reason="a test", expected=now)

    def retire(self, version: int) -> None:
        now = self.promotions.look(MODEL).champion
        self.promotions.retire(MODEL, version, ADA, reason="a test", expected=now)

    def close(self) -> None:
        self.ledger.close()


class Kept:
    """A log in memory, which can be away."""

    def __init__(self) -> None:
        self.entries: list[Logged] = []
        self.transactions = 0
        self.away = False
        self.alert = ""

    def append(self, entries: Sequence[Logged]) -> None:
        if self.away:
            raise LedgerError("the disk is full")
        self.transactions += 1
        self.entries += entries

    def close(self) -> None:
        """Nothing is open."""


@asynccontextmanager
async def running(project: Project, log: Any = None) -> AsyncIterator[Engine]:
    engine = Engine(project, [MODEL], log or Kept(), project.serve)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.stop()


def question(table: pd.DataFrame, also: Sequence[str] = (), **more: Any) -> Question:
    """A table of tests.scored as the protocols make a question of it."""
    columns = {
        name: table[name].to_numpy(dtype=np.float64 if name == "x" else object).copy()
        for name in table.columns
        if name in ("x", "k", *also)
    }
    return Question(uuid.uuid4().hex, MODEL, columns, len(table), came=time.time(), **more)


def one(seed: int = 1, **columns: Any) -> Question:
    """A question of one row."""
    return question(rows(1, seed, **columns))


async def refused(engine: Engine, asked: Question) -> Refused:
    """Why a question was refused."""
    try:
        answer = await engine.ask(asked)
    except Refused as error:
        return error
    raise AssertionError(f"not refused, but answered by version {answer.version}")


async def until(engine: Engine, holds: Callable[[Standing], bool]) -> Standing:
    """Where the model stands, as soon as that holds."""
    deadline = time.monotonic() + PATIENCE
    while not holds(now := engine.models()[MODEL]):
        assert time.monotonic() < deadline, f"still {now}"
        await asyncio.sleep(0.01)
    return now


async def answers(engine: Engine, asked: Sequence[Question]) -> list[Answer]:
    """All of them at once."""
    return list(await asyncio.gather(*(engine.ask(each) for each in asked)))
