"""The audit trail of promotions: what an entry says, the chain of hashes, and what follows from it. Pure.

A move of the champion is two entries: its intent, and later `done` or `failed`, which refers to it. Nothing is ever
changed or removed; where models stand is found by reading the trail from the start.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

Kind = Literal["promote", "rollback", "retire", "reject", "foreign", "repair", "canary", "shadow"]
"""`foreign`: the alias was moved by somebody else. `repair`: a move that was cut short was finished or undone. `canary`
and `shadow`: a version is tried beside the champion from here on; without a version, none is any more."""

Phase = Literal["intent", "done", "failed"]
MOVES: tuple[Kind, ...] = ("promote", "rollback", "retire")
GENESIS = "0" * 64
"""What the first entry names as the hash before it."""


@dataclass(frozen=True)
class Entry:
    """One line of the trail. Times are seconds since the epoch, UTC."""

    model: str
    kind: Kind
    phase: Phase
    version: int | None
    """The version that is promoted, rolled back to, rejected or retired; of `foreign`, where the alias is now."""
    replaces: int | None
    """The champion before."""
    actor: str
    reason: str = ""
    refers: int | None = None
    """The sequence of the intent that this entry ends."""
    content: Mapping[str, Any] = field(default_factory=dict)
    """What it was decided on: model digest, verdict, policy, and under `override` the objections overruled."""
    created: float = 0.0
    sequence: int = 0
    previous: str = GENESIS
    hash: str = ""

    @property
    def target(self) -> int | None:
        """Where a move leads the alias; None takes it away."""
        return None if self.kind == "retire" else self.version

    @property
    def overridden(self) -> tuple[str, ...]:
        """The objections that this entry overruled."""
        return tuple(self.content.get("override", ()))


@dataclass(frozen=True)
class Period:
    """A time in which one version was champion."""

    version: int
    since: float
    until: float | None
    entry: Entry
    """What made it champion."""


@dataclass(frozen=True)
class Standing:
    """Where one model stands, as its trail tells."""

    model: str
    champion: int | None = None
    made_by: Entry | None = None
    """The intent of the move that made it champion."""
    closed_by: Entry | None = None
    """The entry that says that move was done."""
    alias: int | None = None
    """Where the alias in MLflow was last seen or put; not the champion when somebody moved it."""
    foreign: Entry | None = None
    """The alias was last moved by somebody else, and not back since."""
    pending: Entry | None = None
    """A move that began and has not ended."""
    replaced: Mapping[int, int | None] = field(default_factory=dict)
    """The champion before each version that was ever promoted."""
    rejected: Mapping[int, Entry] = field(default_factory=dict)
    retired: Mapping[int, Entry] = field(default_factory=dict)
    overrides: Mapping[int, Entry] = field(default_factory=dict)
    """Versions that were once promoted against their verdict: marked for ever."""
    periods: tuple[Period, ...] = ()
    canary: Entry | None = None
    """The version that answers a share of the requests, until it is promoted, rejected, retired or taken back."""
    taken_back: Entry | None = None
    """What a server said when it took the last canary back, until another is tried or the champion moves."""
    shadow: Entry | None = None
    """The version that is asked what others are asked, and whose answers nobody gets."""

    @property
    def share(self) -> float:
        """Of the requests that the canary answers, 0 to 1."""
        found = self.canary.content.get("share") if self.canary else None
        return float(found) if isinstance(found, int | float) else 0.0

    @property
    def former(self) -> frozenset[int]:
        """Versions that were champion once and are not now."""
        return frozenset(period.version for period in self.periods) - {self.champion}

    def state_of(self, version: int) -> str:
        """What a version is right now: `champion`, `retired`, `rejected`, `former` (was champion once) or `candidate`."""
        if version == self.champion:
            return "champion"
        if version in self.retired:
            return "retired"
        if version in self.rejected:
            return "rejected"
        return "former" if version in self.former else "candidate"

    @property
    def previous(self) -> int | None:
        """The version that a rollback leads to: the last one before, that nobody retired or rejected since."""
        seen = {self.champion}
        at = self.replaced.get(self.champion) if self.champion is not None else self._last
        while at is not None and at not in seen and (at in self.retired or at in self.rejected):
            seen.add(at)
            at = self.replaced.get(at)
        return None if at in seen else at

    @property
    def _last(self) -> int | None:
        return self.periods[-1].version if self.periods else None


def sealed(draft: Entry, last: Entry | None, created: float) -> Entry:
    """A draft as the entry after `last`: with its sequence, the hash before it and its own."""
    sequence, previous = (last.sequence + 1, last.hash) if last else (1, GENESIS)
    content = json.loads(canonical(draft.content))
    entry = replace(draft, content=content, created=created, sequence=sequence, previous=previous, hash="")
    return replace(entry, hash=hash_of(entry))


def hash_of(entry: Entry) -> str:
    """SHA-256 over everything an entry says, the hash before it included."""
    said = {name: value for name, value in asdict(entry).items() if name != "hash"}
    return hashlib.sha256(canonical(said).encode()).hexdigest()


def canonical(value: Any) -> str:
    """JSON that is the same for equal values: sorted, without spaces; numbers that JSON lacks become text."""
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False
    )


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(each) for each in (sorted(value) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, str):  # what both databases take: no lone surrogates and no NUL
        return value.encode("utf-8", "replace").decode().replace("\0", "")
    if isinstance(value, bool) or value is None:
        return value
    if hasattr(value, "item"):  # a number of NumPy's
        return _plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return value if isinstance(value, int) else str(value)


def verify(entries: Sequence[Entry], anchors: Mapping[int, str] | None = None) -> list[str]:
    """What is wrong with a whole trail, in words; nothing when it is intact.

    `anchors` are hashes by sequence that were kept elsewhere: they tell when the end of the trail was cut off, or
    all of it was written anew, which the chain by itself cannot.
    """
    problems: list[str] = []
    last: Entry | None = None
    intents: dict[int, Entry] = {}
    for entry in sorted(entries, key=lambda each: each.sequence):
        expected = (last.sequence + 1) if last else 1
        if entry.sequence != expected:
            missing = (
                f"{expected}" if entry.sequence == expected + 1 else f"{expected} to {entry.sequence - 1}"
            )
            problems.append(f"entry {missing} is missing")
        elif entry.previous != (last.hash if last else GENESIS):
            problems.append(f"entry {entry.sequence} does not follow on entry {entry.sequence - 1}")
        if hash_of(entry) != entry.hash:
            problems.append(f"entry {entry.sequence} ({entry.kind} of '{entry.model}') was changed")
        if entry.phase == "intent":
            intents[entry.sequence] = entry
        elif entry.refers is not None:
            begun = intents.pop(entry.refers, None)
            if begun is None or begun.model != entry.model:
                problems.append(f"entry {entry.sequence} ends entry {entry.refers}, which is no open move")
        last = entry
    known = {entry.sequence: entry.hash for entry in entries}
    for sequence, digest in sorted((anchors or {}).items()):
        if known.get(sequence) != digest:
            what = "is another one" if sequence in known else "is missing"
            problems.append(f"entry {sequence} {what}: a marker of the store was written after it")
    return problems


def standing(model: str, entries: Iterable[Entry]) -> Standing:
    """Where a model stands, from the trail (entries of other models are ignored)."""
    now = Standing(model)
    for entry in sorted(entries, key=lambda each: each.sequence):
        if entry.model == model:
            now = _after(now, entry)
    return now


def _after(now: Standing, entry: Entry) -> Standing:
    if entry.phase == "intent":
        return replace(now, pending=entry)
    if entry.refers is not None:
        begun = now.pending
        now = replace(now, pending=None)
        return now if begun is None or entry.phase == "failed" else _moved(now, begun, entry)
    if entry.kind == "foreign":
        back = entry.version == now.champion
        return replace(now, alias=entry.version, foreign=None if back else entry)
    if entry.kind == "canary":
        ended = entry if entry.version is None and "taken_back" in entry.content else None
        return replace(now, canary=None if entry.version is None else entry, taken_back=ended)
    if entry.kind == "shadow":
        return replace(now, shadow=None if entry.version is None else entry)
    if entry.version is not None and entry.kind == "reject":
        return _untried(replace(now, rejected={**now.rejected, entry.version: entry}), entry.version)
    if entry.version is not None and entry.kind == "retire":
        return _untried(replace(now, retired={**now.retired, entry.version: entry}), entry.version)
    return now


def _untried(now: Standing, version: int | None) -> Standing:
    """Without that version among those that are tried: it is champion now, or nobody wants it any more."""
    canary, shadow = (
        None if tried is None or tried.version == version else tried for tried in (now.canary, now.shadow)
    )
    return replace(now, canary=canary, shadow=shadow)


def _moved(now: Standing, begun: Entry, closing: Entry) -> Standing:
    """After a move is done. It counts from its intent: the alias moved between the two."""
    target = begun.target
    periods = now.periods
    if target != now.champion:
        if periods and periods[-1].until is None:
            periods = (*periods[:-1], replace(periods[-1], until=begun.created))
        if target is not None:
            periods = (*periods, Period(target, begun.created, None, begun))
    moved = replace(
        now, champion=target, made_by=begun, closed_by=closing, alias=target, foreign=None, periods=periods
    )
    moved = replace(_untried(moved, begun.version), taken_back=None)
    if begun.kind == "retire" and begun.version is not None:
        return replace(moved, retired={**now.retired, begun.version: begun})
    if begun.kind == "promote" and begun.version is not None:
        rejected = {version: each for version, each in now.rejected.items() if version != begun.version}
        overrides = {**now.overrides, begun.version: begun} if begun.overridden else now.overrides
        replaced = now.replaced
        if begun.version != now.champion:
            replaced = {**replaced, begun.version: now.champion}
        return replace(moved, rejected=rejected, overrides=overrides, replaced=replaced)
    return moved


def live_during(now: Standing, since: float, until: float) -> tuple[Period, ...]:
    """The periods that touch the time from `since` up to, not including, `until`; equal ones ask for a moment."""
    return tuple(
        period
        for period in now.periods
        if (period.since < until or period.since <= since) and (period.until is None or period.until > since)
    )
