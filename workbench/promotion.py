"""Moving the champion: an intent in the audit trail, the alias in MLflow, done in the trail, the marker beside it.

    Promotions.promote / rollback / retire / reject
    ├── look            repair what was cut short, note what others moved
    ├── promotion_policy   may they?
    └── _move           intent → alias → done → marker

One process at a time does this for a model (see ledger_trail.exclusively). Whoever gets its turn and finds an open
move knows that its process died: if the alias is where the move wanted it, the move is finished, else it is undone
by saying so. Either way the trail, the alias and the marker agree after the next look, whoever looks.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from workbench import ledger_trail, registry
from workbench.challengers import mark_challengers
from workbench.champions import Champion, champion_marker, write_champion
from workbench.errors import PromotionError, TrackingError
from workbench.ledger import Ledger, Verdict
from workbench.promotion_policy import (
    Actor,
    Asked,
    Decision,
    may_promote,
    may_reject,
    may_retire,
    may_roll_back,
)
from workbench.settings import Project, os_user
from workbench.trail import Entry, Kind, Standing, standing

WAIT_SECONDS = 30.0
"""How long a move waits for another one of the same model; it takes milliseconds."""

Before = Callable[[str], None]
"""Told of each write that is about to happen: `intent`, `alias`, `done`, `marker`. A test may end the process."""


class Aliases(Protocol):
    """Where the alias is kept; `mlflow_store.Aliases` keeps it in MLflow."""

    def get(self, model: str) -> int | None: ...
    def set(self, model: str, version: int | None) -> None: ...


@dataclass(frozen=True)
class Promotions:
    """The promotions of one project. Every method may raise LedgerError and TrackingError.

    Those that move something raise PromotionError with every reason when they may not, and when the champion is not
    `expected` any more: the version that the caller saw as champion when it decided (None: there was none).
    """

    project: Project
    ledger: Ledger
    aliases: Aliases

    def look(self, model: str) -> Standing:
        """Where a model stands, after repairing what was cut short and noting what others moved.

        While another process is moving this very champion, what the trail says so far.
        """
        now = self._standing(model)
        if self._settled(now, self.aliases.get(model)):
            return now
        try:
            with self._exclusively(model, 0.2):
                return self._settle(model)
        except PromotionError:
            return self._standing(model)

    def promote(
        self,
        model: str,
        version: int,
        actor: Actor,
        *,
        expected: int | None,
        reason: str = "",
        override: bool = False,
        cause: Mapping[str, Any] | None = None,
        before: Before = lambda _: None,
    ) -> Entry:
        """Make a version champion in place of `expected`; the entry that says it is done.

        `cause` goes on record with it: the request of the run that made the version, where nobody asked for this.
        `override` overrules a missing, failed or stale verdict and a rejection; that is kept with the version for ever.
        """
        with self._exclusively(model):
            now = self._settle(model)
            self._compare(now, expected)
            delivery = self.ledger.delivery(model, version)
            verdict = self.ledger.verdict(model, version)
            author = delivery.author if delivery else None
            policy = self.project.policy(model)
            asked = Asked(version, actor, reason, override)
            decision = may_promote(policy, asked, verdict, author, now)
            self._refuse(decision, f"version {version} of '{model}' is not promoted")
            content = {"policy": policy, "author": author, **_judged(verdict), "cause": cause}
            if decision.overridden:
                content["override"] = list(decision.overridden)
            return self._move(now, "promote", version, actor, reason, content, before)

    def rollback(
        self,
        model: str,
        actor: Actor,
        *,
        reason: str,
        expected: int | None,
        to: int | None = None,
        before: Before = lambda _: None,
    ) -> Entry:
        """Make the champion before the current one, or the former champion `to`, champion again."""
        with self._exclusively(model):
            now = self._settle(model)
            self._compare(now, expected)
            target = now.previous if to is None else to
            self._refuse(may_roll_back(target, actor, reason, now), f"'{model}' is not rolled back")
            return self._move(now, "rollback", target, actor, reason, {}, before)

    def retire(
        self,
        model: str,
        version: int,
        actor: Actor,
        *,
        reason: str,
        expected: int | None,
        before: Before = lambda _: None,
    ) -> Entry:
        """Take a version out of use for good. Retiring the champion leaves the model without one."""
        with self._exclusively(model):
            now = self._settle(model)
            self._compare(now, expected)
            self._refuse(
                may_retire(version, actor, reason, now), f"version {version} of '{model}' is not retired"
            )
            if version == now.champion:
                return self._move(now, "retire", version, actor, reason, {}, before)
            return self._put_away(Entry(model, "retire", "done", version, now.champion, actor.name, reason))

    def reject(self, model: str, version: int, actor: Actor, *, reason: str) -> Entry:
        """Record that a reviewer says no to a version."""
        with self._exclusively(model):
            now = self._settle(model)
            self._refuse(
                may_reject(version, actor, reason, now), f"version {version} of '{model}' is not rejected"
            )
            return self._put_away(Entry(model, "reject", "done", version, now.champion, actor.name, reason))

    def _put_away(self, entry: Entry) -> Entry:
        """Record that a version which is not champion is not wanted: whoever tries it stops."""
        appended = self._append(entry)
        mark_challengers(self.project, self._standing(entry.model))
        return appended

    # The move

    def _move(
        self,
        now: Standing,
        kind: Kind,
        version: int | None,
        actor: Actor,
        reason: str,
        content: Mapping[str, Any],
        before: Before,
    ) -> Entry:
        """The four writes. Only files that are what they were when they were delivered become champion."""
        intent = Entry(now.model, kind, "intent", version, now.champion, actor.name, reason)
        target = intent.target
        digest = None
        if target is not None:
            digest = registry.locate(self.project, self.ledger, now.model, target).digest
        before("intent")
        begun = self._append(_with(intent, {**content, "digest": digest, "roles": sorted(actor.roles)}))
        before("alias")
        try:
            self.aliases.set(now.model, target)
        except TrackingError:
            self._settle(now.model)  # it may have been set all the same; whichever it is, the trail says so
            raise
        before("done")
        done = self._append(_ending(begun, begun.kind, "done", actor.name))
        before("marker")
        self._mark(self._standing(now.model))
        return done

    # What is there, and making it agree

    def _settle(self, model: str) -> Standing:
        """Make trail, alias and marker agree. Only for who holds the lock."""
        now = self._standing(model)
        alias = self.aliases.get(model)
        if begun := now.pending:
            done = alias == begun.target
            why = (
                "the alias was moved, so it counts"
                if done
                else "the alias was not moved, so it does not count"
            )
            phase = "done" if done else "failed"
            repair = _ending(begun, "repair", phase, os_user(), f"a {begun.kind} was cut short; {why}")
            self._append(repair)
            now = self._standing(model)
        if alias != now.alias:
            reason = f"the alias '{registry.ALIAS}' was moved in MLflow, not by the workbench"
            self._append(Entry(model, "foreign", "done", alias, now.champion, "unknown", reason))
            now = self._standing(model)
        self._mark(now)
        return now

    def _settled(self, now: Standing, alias: int | None) -> bool:
        marker = champion_marker(self.project, now.model)
        marked = (marker.version, marker.sequence) if marker else (None, None)
        expected = (now.champion, now.closed_by.sequence) if now.champion and now.closed_by else (None, None)
        return now.pending is None and alias == now.alias and marked == expected

    def _mark(self, now: Standing) -> None:
        mark_challengers(self.project, now)
        if now.champion is None or now.closed_by is None:
            write_champion(self.project, now.model, None)
            return
        if self._settled(now, now.alias):
            return
        found = registry.place(self.project, self.ledger, now.model, now.champion)
        folder = _relative(found.folder, self.project.root) if found.folder else None
        closing = now.closed_by
        marker = Champion(now.model, now.champion, found.digest, folder, closing.sequence, closing.hash)
        write_champion(self.project, now.model, marker)

    def _standing(self, model: str) -> Standing:
        return standing(model, ledger_trail.entries(self.ledger, model))

    def _append(self, entry: Entry) -> Entry:
        return ledger_trail.append(self.ledger, entry)

    def _compare(self, now: Standing, expected: int | None) -> None:
        """Refuse when somebody was faster. Raises PromotionError that says who did what."""
        if now.champion == expected:
            return
        was = "no champion" if expected is None else f"version {expected} as champion"
        by = now.made_by
        did = f"'{by.actor}' did a {by.kind} of version {by.version}" if by else "the champion changed"
        why = f" ({by.reason})" if by and by.reason else ""
        raise PromotionError(
            f"nothing was moved: you decided with {was} of '{now.model}', but meanwhile {did}{why}; "
            f"look again: workbench models show {now.model}"
        )

    def _refuse(self, decision: Decision, what: str) -> None:
        if not decision.allowed:
            raise PromotionError(f"{what}: {'; '.join(decision.reasons)}")

    def _exclusively(self, model: str, timeout: float = WAIT_SECONDS) -> AbstractContextManager[None]:
        of = f"the champion of '{model}'"
        return ledger_trail.turn(
            self.ledger,
            model,
            timeout,
            busy=f"{of} is being moved right now",
            broken=f"{of} cannot be locked",
        )


def actor_here(project: Project) -> Actor:
    """Whoever works here, with the roles that `workbench.toml` gives them."""
    name = os_user()
    return Actor(name, project.roles_of(name))


def trail_problems(project: Project, ledger: Ledger) -> list[str]:
    """What is wrong with the audit trail of the project, markers of the store considered; nothing if intact."""
    from workbench.champions import champion_markers
    from workbench.trail import verify

    anchors = {each.sequence: each.hash for each in champion_markers(project)}
    return verify(ledger_trail.entries(ledger), anchors)


def _ending(
    begun: Entry,
    kind: Kind,
    phase: Any,
    actor: str,
    reason: str = "",
    content: Mapping[str, Any] | None = None,
) -> Entry:
    return Entry(
        begun.model, kind, phase, begun.version, begun.replaces, actor, reason, begun.sequence, content or {}
    )


def _with(entry: Entry, content: Mapping[str, Any]) -> Entry:
    from dataclasses import replace

    return replace(entry, content={name: value for name, value in content.items() if value is not None})


def _judged(verdict: Verdict | None) -> dict[str, Any]:
    if verdict is None:
        return {}
    return {"verdict": {"passed": verdict.passed, "outcome": verdict.outcome, "digest": verdict.digest}}


def _relative(folder: Path, root: Path) -> str:
    return os.path.relpath(folder, root) if folder.is_relative_to(root) else str(folder)
