"""An engine without batches, swaps and log: real versions, asked directly; and models for it that need no registry."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from workbench.contracts.contract import Contract, contract_of
from workbench.modeling import make_estimator
from workbench.scoring.model import Scorer
from workbench.serving.answers import Answer, Question, Refused, Standing
from workbench.serving.joining import answer_all
from workbench.serving.served import Served, Way

DIGEST = "d" * 64

FLIGHTS = contract_of({
    "contract": "flights", "label": "late", "never_features": ["arr_delay", "flight", "day"], "extra": "stop",
    "columns": {
        "hour": {"type": "int", "min": 0, "max": 23},
        "seats": {"type": "int", "nullable": True, "min": 1, "max": 600, "help": "of the plane"},
        "temp": {"type": "float", "nullable": True, "min": -40, "max": 130, "help": "degrees Fahrenheit"},
        "carrier": {"type": "category", "values": ["AA", "B6", "UA", "ÜX"]},
        "dest": {"type": "text", "nullable": True, "pattern": "[A-Z0-9]{3}"},
        "late": {"type": "int", "values": [0, 1]},
    },
    "rules": {"no night flights of AA": 'carrier != "AA" or hour >= 5'},
})  # fmt: skip


def flights(rows: int, seed: int = 0) -> pd.DataFrame:
    """Rows that keep the contract; some values are missing."""
    generator = np.random.default_rng(seed)
    missing = generator.random(rows) < 0.2
    return pd.DataFrame({
        "hour": generator.integers(5, 24, rows),
        "seats": np.where(missing, np.nan, generator.integers(1, 600, rows)),
        "temp": np.where(generator.random(rows) < 0.2, np.nan, generator.uniform(-40, 130, rows)),
        "carrier": generator.choice(["AA", "B6", "UA", "ÜX"], rows),
        "dest": np.where(missing, None, generator.choice(["LAX", "ORD", "MIA"], rows)),
    })  # fmt: skip


def scorer(contract: Contract = FLIGHTS) -> Scorer:
    """A small real model under that contract."""
    features = flights(200)
    label = (features["temp"].fillna(50) > 60).astype(int)
    model = make_estimator("boosting", features, max_iter=5).fit(features, label)
    own = contract.of_features()
    return Scorer("version 3", model, tuple(features), own, frozenset(own.never_features), "c", None, "1")


class DirectEngine:
    """Answers for one version of each model."""

    def __init__(self, scorers: Mapping[str, Scorer], keys: tuple[str, ...] = (), version: int = 3) -> None:
        self.scorers, self._keys, self._version = dict(scorers), keys, version
        self.standings = {name: Standing(name) for name in scorers}
        self.asked: list[Question] = []
        self.hold: asyncio.Event | None = None
        """Answers wait for it."""

    async def start(self) -> None:
        for name, each in self.scorers.items():
            self.serve(name, each, self._version)

    def serve(self, name: str, each: Scorer, version: int) -> None:
        """Have that version answer from now on."""
        self.scorers[name] = each
        self.standings[name] = Standing(
            name, version, DIGEST, each.contract, keys=self._keys, ready=True, since=time.time()
        )

    async def stop(self) -> None:
        self.standings = {name: replace(each, ready=False) for name, each in self.standings.items()}

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        if self.hold is not None:
            await self.hold.wait()
        standing = self.standings[question.model]
        assert standing.version is not None
        if question.version not in (None, standing.version):
            raise Refused(404, "no-such-version", f"version {question.version} does not serve")
        served = Served(
            self.scorers[question.model],
            question.model,
            standing.version,
            DIGEST,
            Way(None, 1),
            standing.since,
        )
        (said,) = answer_all(served, "champion", [question])
        if isinstance(said, Refused):
            raise said
        return said

    def models(self) -> Mapping[str, Standing]:
        return self.standings

    def alive(self) -> bool:
        return True
