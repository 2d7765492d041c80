"""May this person make this version champion? Values in, a decision with reasons out.

An objection is about the version and can be overridden, which marks the promotion for ever; a bar is about the
person or the state of things, and cannot.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from workbench.ledger_rows import Verdict
from workbench.trail import Entry, Standing

SHOWN = 5
"""At most so many failed thresholds are named in one reason."""


@dataclass(frozen=True)
class Actor:
    """Who acts: the OS user on a laptop, the signed-in person in the app."""

    name: str
    roles: frozenset[str]


@dataclass(frozen=True)
class Decision:
    """Whether it may be done, and everything that speaks against it."""

    allowed: bool
    reasons: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()
    """Objections that were overruled; empty unless an override was needed."""


@dataclass(frozen=True)
class Asked:
    """What is asked for: a version as champion, by whom, with which words."""

    version: int
    actor: Actor
    reason: str = ""
    override: bool = False


def may_promote(
    policy: str, asked: Asked, verdict: Verdict | None, author: str | None, now: Standing
) -> Decision:
    """Whether a version may become champion.

    `policy` is `auto` (an operator, the verdict decides), `manual` (an approver) or `two-person` (an approver who is
    not `author`, the one who ran the pipeline that delivered the version).
    """
    bars = _bars(policy, asked, author, now)
    found = objections(asked.version, verdict, now)
    if bars:
        return Decision(False, (*bars, *found))
    if not found:
        return Decision(True)
    if not asked.override:
        return Decision(False, found)
    if "admin" not in asked.actor.roles:
        return Decision(False, (f"'{asked.actor.name}' may not override: it needs the role admin", *found))
    if not asked.reason.strip():
        return Decision(False, ("an override needs a reason", *found))
    return Decision(True, (), found)


def replaces_by_itself(passed: bool, outcome: str) -> bool:
    """Whether a verdict alone is reason to make a version champion: what is only as good replaces nothing."""
    return passed and outcome in ("first", "better")


def objections(version: int, verdict: Verdict | None, now: Standing) -> tuple[str, ...]:
    """What speaks against a version, whoever asks."""
    found = []
    if verdict is None:
        found.append(f"version {version} was not judged")
    else:
        if not verdict.passed:
            found.append(f"its verdict is '{verdict.outcome}'{_failed(verdict)}")
        if verdict.champion_version != now.champion:
            was, is_ = _named(verdict.champion_version), _named(now.champion)
            found.append(f"it was judged against {was}, and the champion is {is_} now")
    if version in now.rejected:
        found.append(f"it was rejected by {_said(now.rejected[version])}")
    return tuple(found)


def may_roll_back(target: int | None, actor: Actor, reason: str, now: Standing) -> Decision:
    """Whether the champion may be put back to a version that was champion before."""
    bars = _needs("operator", actor, "roll back") + _worded(reason, "a rollback")
    if target is None:
        bars.append("there was no champion before that one could go back to")
    elif target in now.retired:
        bars.append(f"version {target} was retired by {_said(now.retired[target])}")
    elif target == now.champion and now.foreign is None:
        bars.append(f"version {target} is the champion already")
    elif target != now.champion and target not in now.former:
        bars.append(f"version {target} was never champion; promote it instead")
    return Decision(not bars, tuple(bars))


def may_try(version: int, actor: Actor, verdict: Verdict | None, now: Standing, *, answers: bool) -> Decision:
    """Whether a version may be tried beside the champion. What `answers` has passed its gates; a shadow need not."""
    bars = _needs("operator", actor, "try a version")
    if now.champion is None:
        bars.append("there is no champion that it could be tried beside")
    if version == now.champion:
        bars.append(f"version {version} is the champion already{_since(now)}")
    if version in now.retired:
        bars.append(f"it was retired by {_said(now.retired[version])}")
    if answers:
        if verdict is None:
            bars.append(f"version {version} was not judged")
        elif not verdict.passed:
            bars.append(f"its verdict is '{verdict.outcome}'{_failed(verdict)}")
        if version in now.rejected:
            bars.append(f"it was rejected by {_said(now.rejected[version])}")
    return Decision(not bars, tuple(bars))


def may_reject(version: int, actor: Actor, reason: str, now: Standing) -> Decision:
    """Whether a version may be marked as refused by a reviewer."""
    bars = _needs("approver", actor, "reject") + _worded(reason, "a rejection")
    if version == now.champion:
        bars.append(f"version {version} is the champion; roll back first")
    return Decision(not bars, tuple(bars))


def may_retire(version: int, actor: Actor, reason: str, now: Standing) -> Decision:
    """Whether a version may be taken out of use for good; a champion that is retired leaves none."""
    bars = _needs("approver", actor, "retire") + _worded(reason, "retiring")
    if version in now.retired:
        bars.append(f"version {version} was retired by {_said(now.retired[version])}")
    return Decision(not bars, tuple(bars))


def _bars(policy: str, asked: Asked, author: str | None, now: Standing) -> list[str]:
    """What no override helps against."""
    bars = _needs("operator" if policy == "auto" else "approver", asked.actor, "promote")
    if policy == "two-person" and not author:
        bars.append("its author is not known, so nobody can be the second person")
    elif policy == "two-person" and asked.actor.name == author:
        bars.append(f"'{author}' is its author, and the policy two-person wants another approver")
    if asked.version == now.champion and now.foreign is None:
        bars.append(f"version {asked.version} is the champion already{_since(now)}")
    if asked.version in now.retired:
        bars.append(f"it was retired by {_said(now.retired[asked.version])}")
    return bars


def _needs(role: str, actor: Actor, what: str) -> list[str]:
    if role in actor.roles:
        return []
    has = ", ".join(sorted(actor.roles)) or "none"
    return [f"'{actor.name}' may not {what}: it needs the role {role} (roles: {has})"]


def _worded(reason: str, what: str) -> list[str]:
    return [] if reason.strip() else [f"{what} needs a reason"]


def _failed(verdict: Verdict) -> str:
    failed = [f"{name}: {reason}" if reason else name for name, reason in verdict.failed]
    if not failed:
        return ""
    more = f"; and {len(failed) - SHOWN} more" if len(failed) > SHOWN else ""
    return f" ({'; '.join(failed[:SHOWN])}{more})"


def _since(now: Standing) -> str:
    return f", made so by {_said(now.made_by)}" if now.made_by else ""


def _said(entry: Entry) -> str:
    reason = f": {entry.reason}" if entry.reason else ""
    return f"'{entry.actor}' on {time.strftime('%Y-%m-%d %H:%M', time.localtime(entry.created))}{reason}"


def _named(version: int | None) -> str:
    return "no champion" if version is None else f"version {version}"
