"""Trying a version beside the champion: as a canary that answers a share of the requests, or as a shadow that only listens.

Who began and ended it is in the audit trail; servers follow the trail. Its files are verified before it is tried, like
those of any version that serves.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from workbench import ledger_trail, registry
from workbench.challengers import mark_challengers
from workbench.errors import BadInput, PromotionError
from workbench.ledger import Ledger
from workbench.promotion_policy import Actor, may_try
from workbench.settings import Project
from workbench.trail import Entry, Standing, standing

WAIT_SECONDS = 30.0
Part = Literal["canary", "shadow"]


@dataclass(frozen=True)
class Trials:
    """The trials of one project. Every method may raise LedgerError, and PromotionError when it may not be done."""

    project: Project
    ledger: Ledger

    def begin(
        self,
        model: str,
        version: int,
        actor: Actor,
        part: Part,
        *,
        share: float | None = None,
        reason: str = "",
    ) -> Entry:
        """Try a version. `share`, 0 to 1, is a canary's. Raises ModelError when its files are not what they were."""
        digest = registry.locate(self.project, self.ledger, model, version).digest
        with self._alone(model):
            now = self._standing(model)
            verdict = self.ledger.verdict(model, version)
            decision = may_try(version, actor, verdict, now, answers=part == "canary")
            if not decision.allowed:
                raise PromotionError(
                    f"version {version} of '{model}' is not tried as {part}: {'; '.join(decision.reasons)}"
                )
            content = {"digest": digest, "roles": sorted(actor.roles)} | ({"share": share} if share else {})
            entry = Entry(model, part, "done", version, now.champion, actor.name, reason, content=content)
            return self._append(entry)

    def end(self, model: str, actor: Actor, part: Part, *, reason: str = "") -> int:
        """Try it no longer; which version it was. Raises BadInput when none is tried."""
        with self._alone(model):
            now = self._standing(model)
            tried = now.canary if part == "canary" else now.shadow
            if tried is None or tried.version is None:
                raise BadInput(f"no version of '{model}' is tried as {part}")
            if "operator" not in actor.roles:
                raise PromotionError(f"'{actor.name}' may not end a trial: it needs the role operator")
            content = {"version": tried.version}
            self._append(Entry(model, part, "done", None, now.champion, actor.name, reason, content=content))
            return tried.version

    def take_back(self, model: str, version: int, server: str, reason: str) -> None:
        """A server's word that a canary is no good; nothing when it is not tried any more."""
        with self._alone(model):
            now = self._standing(model)
            if now.canary is None or now.canary.version != version:
                return
            content = {"version": version, "taken_back": True}
            self._append(Entry(model, "canary", "done", None, now.champion, server, reason, content=content))

    def _append(self, entry: Entry) -> Entry:
        appended = ledger_trail.append(self.ledger, entry)
        mark_challengers(self.project, self._standing(entry.model))
        return appended

    def _standing(self, model: str) -> Standing:
        return standing(model, ledger_trail.entries(self.ledger, model))

    def _alone(self, model: str) -> AbstractContextManager[None]:
        vain = f"the trail of '{model}' cannot be written now"
        return ledger_trail.turn(self.ledger, model, WAIT_SECONDS, busy=vain, broken=vain)


def share_of(text: str) -> float:
    """'10%' or '0.1' as a share, 0 to 1. Raises ValueError that says what is expected."""
    plain = text.strip()
    try:
        number = float(plain.removesuffix("%")) / (100 if plain.endswith("%") else 1)
    except ValueError:
        number = math.nan
    if not math.isfinite(number) or not 0 < number <= 1:
        raise ValueError(f"'{text}' is no share; expected more than 0% and at most 100%, such as 10%")
    return number
