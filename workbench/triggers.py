"""Should a pipeline run now by itself? Pure: what is declared, known and seen in, a decision with its reason out.

    decide
    ├── _on_schedule     each due time becomes a slot: requested, or skipped with the reason
    ├── _on_new_data     files that were not there, or not like this, when it fired last
    ├── _on_alert        once for each alert, again when it got worse
    └── _on_staleness    the last good run is too old

Whatever asks for a run can be held up: paused (by a person, or as a quarantine after failures), by its cool-down and by its
budget. What is held up is not forgotten: it is decided anew the next time. A time of a schedule is: it is skipped for
good, and says so.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from typing import Any

from workbench.alerts import Alert
from workbench.monitors import SEVERITIES
from workbench.schedules import due, next_due
from workbench.trigger_keys import Trigger

DAY = 86_400.0
LOOK_BACK = 31 * DAY
"""Seconds: times of a schedule that were missed longer ago are not listed one by one."""

LATE = 300.0
"""Seconds: a slot that is noticed so much after its time is not called missed; a tick of the service may take a while."""

FIRST_RETRY, LAST_RETRY = 300.0, 6 * 3600.0
"""Seconds until a trigger whose run failed asks again: twice as many after each failure."""

QUARANTINE = "quarantine"
"""Who paused a trigger that failed too often."""


@dataclass(frozen=True)
class Known:
    """What is known of one trigger. Times are seconds since the epoch."""

    first_seen: float
    fired: float | None = None
    seen: Mapping[str, Any] = field(default_factory=dict)
    """What there was when it fired last: `files` by path, `alerts` by id; `slot`: the newest slot there is."""
    failures: int = 0
    """Failed runs in a row."""
    failed_at: float | None = None
    """When the last one did."""
    paused_by: str | None = None
    open_request: int | None = None
    """A request of this trigger that waits or runs."""
    recent: Sequence[float] = ()
    """When it asked for runs in the last 24 hours."""
    reason: str = field(default="", compare=False)
    """Of the last decision that is on record."""


@dataclass(frozen=True)
class World:
    """What there is now."""

    now: float
    files: Mapping[str, str] = field(default_factory=dict)
    """Digest of each file that the trigger's patterns match, by path."""
    alerts: Sequence[Alert] = ()
    """Those that are not resolved."""
    last_success: float | None = None
    """When the pipeline's last good run ended."""
    late: float = LATE


@dataclass(frozen=True)
class Slot:
    """One due time of a schedule, and what becomes of it."""

    due: float
    run: bool
    reason: str
    since: float | None = None
    """The due time of the slot before it that ran: what a run for this one has to make up for."""


@dataclass(frozen=True)
class Decision:
    """Whether to ask for a run now, and why or why not."""

    fire: bool
    reason: str
    cause: Mapping[str, Any] = field(default_factory=dict)
    """What the request is to say of where it came from."""
    seen: Mapping[str, Any] | None = None
    """What the trigger has seen from now on; None: as before."""
    slots: tuple[Slot, ...] = ()
    """Of a schedule, the oldest first. Each that runs is a request of its own."""
    quarantine: bool = False
    """It failed so often that it is to be paused."""


def decide(trigger: Trigger, known: Known, world: World) -> Decision:
    """What to do about one trigger at `world.now`."""
    if _quarantined(trigger, known):
        failed = f"{known.failures} runs in a row failed"
        reason = f"{failed}, so it is paused; look at them, then: workbench triggers resume"
        return replace(_held(trigger, known, world, reason), quarantine=True)
    if known.paused_by is not None:
        return _held(trigger, known, world, _paused(known))
    if trigger.kind == "schedule":
        return _on_schedule(trigger, known, world)
    kinds = {"new_data": _on_new_data, "alert": _on_alert, "staleness": _on_staleness}
    wanted = kinds[trigger.kind](trigger, known, world)
    if not wanted.fire:
        return wanted
    if held := _waits(trigger, known, world):
        return Decision(False, f"{wanted.reason}, but {held}")
    if known.failures:
        return replace(wanted, reason=f"{wanted.reason}; the {_ordinal(known.failures)} try failed")
    return wanted


def _on_schedule(trigger: Trigger, known: Known, world: World) -> Decision:
    """Each due time since the newest slot: by `catch_up`, then as cool-down and budget allow."""
    slots = _due(trigger, known, world)
    if not slots:
        coming = next_due(trigger.schedule, trigger.zone, max(world.now, _last_slot(known)))
        return Decision(
            False, "it never comes again" if coming is None else f"the next time is {moment(coming)}"
        )
    newest = slots[-1]
    decided: list[Slot] = []
    fired, recent, ran = known.fired, list(known.recent), known.seen.get("ran")
    for slot in slots:
        held = _missed(trigger, slot, newest, world) or _limits(trigger, fired, recent, world.now)
        late = "" if world.now - slot.due <= world.late else f", {elapsed(world.now - slot.due)} late"
        decided.append(
            replace(slot, run=not held, reason=held or f"due at {moment(slot.due)}{late}", since=ran)
        )
        if not held:
            fired, ran = world.now, slot.due
            recent.append(world.now)
    last = decided[-1]
    reason = last.reason if last.run else f"the time {moment(last.due)} is skipped: {last.reason}"
    seen = {**known.seen, "slot": newest.due, **({"ran": ran} if ran else {})}
    return Decision(any(slot.run for slot in decided), reason, seen=seen, slots=tuple(decided))


def _due(trigger: Trigger, known: Known, world: World) -> list[Slot]:
    """Slots that are due and new. A clock that was set back finds none until it is past the newest again."""
    start = max(_last_slot(known), world.now - LOOK_BACK)
    return [Slot(time, False, "") for time in due(trigger.schedule, trigger.zone, start, world.now)]


def _last_slot(known: Known) -> float:
    return max(float(known.seen.get("slot", known.first_seen)), known.first_seen)


def _missed(trigger: Trigger, slot: Slot, newest: Slot, world: World) -> str | None:
    """Why the catch-up policy leaves a slot out."""
    late = world.now - slot.due
    if late <= world.late or trigger.catch_up == "all":
        return None
    if trigger.catch_up == "latest" and slot is newest:
        return None
    missed = f"missed, noticed {elapsed(late)} later; catch_up: {trigger.catch_up}"
    return f"{missed} runs the newest only" if trigger.catch_up == "latest" else missed


def _on_new_data(trigger: Trigger, known: Known, world: World) -> Decision:
    if "files" not in known.seen:
        reason = (
            f"{_count(len(world.files), 'file')} there at the first look; it runs when one is new or changed"
        )
        return Decision(False, reason, seen={**known.seen, "files": dict(world.files)})
    before = known.seen["files"]
    missing = set(known.seen.get("fresh", ())) if known.failures else set()
    new = sorted(path for path in world.files if path not in before)
    changed = sorted(path for path, digest in world.files.items() if before.get(path, digest) != digest)
    if not (new or changed):
        if missing:
            return _data(known, world, missing, f"not taken in yet: {_listed(sorted(missing))}")
        return Decision(False, f"nothing new among {_count(len(world.files), 'file')}")
    said = [
        f"{len(each)} {what}: {_listed(each)}" for what, each in (("new", new), ("changed", changed)) if each
    ]
    return _data(known, world, {*new, *changed, *missing}, "; ".join(said))


def _data(known: Known, world: World, fresh: Set[str], reason: str) -> Decision:
    """Files that went are forgotten: when one comes back it is new."""
    listed = sorted(fresh)
    return Decision(
        True, reason, {"files": listed}, {**known.seen, "files": dict(world.files), "fresh": listed}
    )


def _on_alert(trigger: Trigger, known: Known, world: World) -> Decision:
    least = SEVERITIES.index(trigger.alert["min_severity"])
    wanted = [
        each
        for each in world.alerts
        if each.model == trigger.alert["model"]
        and each.monitor == trigger.alert.get("monitor", each.monitor)
        and SEVERITIES.index(each.severity) >= least
    ]
    if not wanted:
        return Decision(False, f"no such alert of '{trigger.alert['model']}' is open")
    answered = {} if known.failures else known.seen.get("alerts", {})
    for alert in sorted(wanted, key=lambda each: (-SEVERITIES.index(each.severity), each.id)):
        before = answered.get(str(alert.id))
        if before is None or SEVERITIES.index(before) < SEVERITIES.index(alert.severity):
            subject = f" of {alert.subject}" if alert.subject else ""
            worse = "" if before is None else f", worse than the {before} that it ran for"
            reason = f"{alert.severity} alert {alert.id}, {alert.monitor}{subject}: {alert.title}{worse}"
            seen = {**known.seen, "alerts": {str(each.id): each.severity for each in wanted}}
            return Decision(True, reason, {"alert": alert.id}, seen)
    ids = ", ".join(str(each.id) for each in wanted)
    return Decision(False, f"it ran for what is open already: {ids}")


def _on_staleness(trigger: Trigger, known: Known, world: World) -> Decision:
    limit = elapsed(trigger.staleness)
    if world.last_success is None:
        return Decision(True, "there has been no good run", {"last": None})
    age = world.now - world.last_success
    if age > trigger.staleness:
        reason = f"the last good run, of {moment(world.last_success)}, is older than {limit}"
        return Decision(True, reason, {"last": world.last_success})
    stale = moment(world.last_success + trigger.staleness)
    return Decision(False, f"the last good run is not older than {limit}; it is from {stale} on")


# What holds it up


def _quarantined(trigger: Trigger, known: Known) -> bool:
    often = bool(trigger.quarantine_after) and known.failures >= trigger.quarantine_after
    return often and known.paused_by is None


def _paused(known: Known) -> str:
    if known.paused_by == QUARANTINE:
        return f"in quarantine after {known.failures} failed runs; go on with: workbench triggers resume"
    return f"paused by {known.paused_by}; go on with: workbench triggers resume"


def _held(trigger: Trigger, known: Known, world: World, reason: str) -> Decision:
    """Nothing is asked for; due times of a schedule are skipped for good."""
    if trigger.kind != "schedule":
        return Decision(False, reason)
    slots = tuple(replace(slot, reason=reason) for slot in _due(trigger, known, world))
    seen = {**known.seen, "slot": slots[-1].due} if slots else None
    return Decision(False, reason, seen=seen, slots=slots)


def _waits(trigger: Trigger, known: Known, world: World) -> str | None:
    if known.open_request is not None:
        return f"request {known.open_request} of it has not ended"
    if known.failures and known.failed_at is not None:
        pause = min(FIRST_RETRY * 2 ** (known.failures - 1), LAST_RETRY)
        # When the clock was set back, no failure lies in the future.
        if 0 <= world.now - known.failed_at < pause:
            return f"its last run failed; it tries again at {moment(known.failed_at + pause)}"
    return _limits(trigger, known.fired, known.recent, world.now)


def _limits(trigger: Trigger, fired: float | None, recent: Sequence[float], now: float) -> str | None:
    if trigger.cool_down and fired is not None and 0 <= now - fired < trigger.cool_down:
        return f"it ran at {moment(fired)}; cool_down: {elapsed(trigger.cool_down)}"
    within = [each for each in recent if now - DAY < each <= now]
    if trigger.budget is not None and len(within) >= trigger.budget:
        return f"its budget of {_count(trigger.budget, 'run')} in 24 hours is used up"
    return None


# Words


def moment(at: float) -> str:
    """A time as in reasons: UTC, to the second."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def elapsed(seconds: float) -> str:
    """A length of time as in reasons: 45 s, 10 min, 3 h, 2 days."""
    for size, unit in ((DAY, "days"), (3600.0, "h"), (60.0, "min")):
        if seconds >= size:
            count = round(seconds / size, 1)
            return f"{count:g} {'day' if unit == 'days' and count == 1 else unit}"
    return f"{seconds:.0f} s"


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _ordinal(number: int) -> str:
    return {1: "first", 2: "second", 3: "third"}.get(number, f"{number}th")


def _listed(paths: Sequence[str], most: int = 3) -> str:
    return ", ".join(paths[:most]) + (f" and {len(paths) - most} more" if len(paths) > most else "")
