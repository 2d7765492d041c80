"""An engine without batches, swaps and log: real versions, asked directly."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from workbench.contracts.contract import Contract
from workbench.errors import ContractError
from workbench.ledger import Ledger
from workbench.registry import load
from workbench.scoring.model import Scorer, scorer_of
from workbench.serving.answers import Answer, Question, Refused, Wrong
from workbench.settings import Project


@dataclass(frozen=True)
class Standing:
    model: str
    version: int | None = None
    digest: str | None = None
    contract: Contract | None = None
    keys: tuple[str, ...] = ()
    ready: bool = False
    since: float = 0.0
    alert: str = ""
    canary: int | None = None
    share: float = 0.0
    shadow: int | None = None


class DirectEngine:
    """Answers for one version of each model."""

    def __init__(self, project: Project, versions: Mapping[str, int]) -> None:
        self._project, self._versions = project, versions
        self.scorers: dict[str, Scorer] = {}
        self.standings = {name: Standing(name) for name in versions}
        self.asked: list[Question] = []

    async def start(self) -> None:
        await asyncio.to_thread(self.load)

    async def stop(self) -> None:
        self.standings = {name: replace(each, ready=False) for name, each in self.standings.items()}

    def load(self) -> None:
        with Ledger.open(self._project) as ledger:
            for name, version in self._versions.items():
                loaded = load(self._project, name, version, ledger)
                self.scorers[name] = scorer = scorer_of(loaded, with_contract=True)
                self.standings[name] = Standing(
                    name, version, loaded.digest, scorer.contract, ready=True, since=time.time()
                )

    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        return await asyncio.to_thread(self._answer, question)

    def _answer(self, question: Question) -> Answer:
        scorer, standing = self.scorers[question.model], self.standings[question.model]
        if question.version not in (None, standing.version):
            raise Refused(404, "no-such-version", f"version {question.version} does not serve")
        frame = pd.DataFrame(dict(question.columns))
        try:
            checked = scorer.check(frame)
        except ContractError as error:
            raise Refused(422, "contract", str(error)) from error
        wrong = [Wrong(f"/{row}", str(reason)) for row, reason in enumerate(checked.reasons) if reason]
        if wrong:
            raise Refused(422, "contract", "rows do not keep the contract", wrong)
        return Answer(
            question.request, question.model, standing.version or 0, standing.digest or "", "champion", scorer.label,
            scorer.probabilities(frame), checked.warnings,
        )  # fmt: skip

    def models(self) -> Mapping[str, Standing]:
        return self.standings

    def alive(self) -> bool:
        return True
