"""The project's own triggers as a policy: the replay's clock asks the same decision as the service does. Pure.

The clock stops at the end of each window of the monitors, and of the month. A run that a trigger asks for waits until the month is
over, since a replay learns from whole months; all that was asked for in a month is one training.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

from workbench.alerts import Judged
from workbench.monitors import DAY, Monitors
from workbench.replay.alerting import Told, told
from workbench.replay.policies import Decision
from workbench.trigger_keys import Trigger
from workbench.triggers import LATE, Known, World, decide

NAME = "yours"
"""As `workbench replay --policy` takes it."""

WAITING = 1
"""The number of the request that waits for the end of the month."""


@dataclass(frozen=True)
class Standing:
    """How triggers and alerts stand at the end of a month."""

    told: Told = field(default_factory=Told)
    known: Mapping[str, Known] = field(default_factory=dict)
    """By the trigger's name."""
    months: tuple[str, ...] = ()
    """Names of those that are over: to a trigger on new data each is a file."""
    trained: float | None = None
    """When the pipeline ran last."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "told": self.told.as_dict(),
            "known": {name: asdict(each) for name, each in self.known.items()},
            "months": list(self.months),
            "trained": self.trained,
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        known = {name: Known(**each) for name, each in content["known"].items()}
        return cls(Told.from_dict(content["told"]), known, tuple(content["months"]), content["trained"])


@dataclass(frozen=True)
class Month:
    """What one month brings."""

    name: str
    since: float
    until: float
    """Seconds since the epoch."""
    version: int
    """That answers."""
    windows: Sequence[Judged]


def month_over(
    triggers: Sequence[Trigger], monitors: Monitors, model: str, before: Standing, month: Month
) -> tuple[Decision, Standing]:
    """What the triggers ask for in a month, and how they stand after it."""
    known = {each.name: before.known.get(each.name, _first(each, month)) for each in triggers}
    trained = month.since if before.trained is None else before.trained
    alerts, months, opened = before.told, before.months, before.told.opened
    reasons: dict[str, str] = {}
    asked: dict[str, str] = {}
    last = month.since
    for now, window in _stops(month):
        if window is not None:
            alerts = told(alerts, window, month.version, monitors, model)
        if now == month.until:
            months = (*months, month.name)
        world = World(
            now, dict.fromkeys(months, "over"), alerts.open, trained, late=LATE + now - last
        )  # its clock goes from stop to stop: a time in between was not missed
        for each in triggers:
            decision = decide(each, known[each.name], world)
            reasons[each.name] = decision.reason
            if decision.fire:
                asked.setdefault(each.name, decision.reason)
            known[each.name] = _after(known[each.name], decision.fire, decision.seen, now)
        last = now
    known = {name: replace(each, open_request=None) for name, each in known.items()}
    standing = Standing(alerts, known, months, month.until if asked else trained)
    said = "; ".join(f"trigger '{name}': {reason}" for name, reason in (asked or reasons).items())
    params = {name: value for each in triggers if each.name in asked for name, value in each.params.items()}
    return Decision(bool(asked), said, alerts.opened > opened, params), standing


def _first(trigger: Trigger, month: Month) -> Known:
    """At the first look: nothing has fired, and no month is there as new data."""
    return Known(month.since, seen={"files": {}} if trigger.kind == "new_data" else {})


def _stops(month: Month) -> list[tuple[float, Judged | None]]:
    """The ends of windows, each with what was seen in it, and that of the month."""
    stops: list[tuple[float, Judged | None]] = [(each.until, each) for each in month.windows]
    return stops if stops and stops[-1][0] == month.until else [*stops, (month.until, None)]


def _after(known: Known, fired: bool, seen: Mapping[str, Any] | None, now: float) -> Known:
    recent = [each for each in known.recent if now - DAY < each]
    known = replace(known, seen=known.seen if seen is None else seen, recent=recent)
    return replace(known, fired=now, recent=[*recent, now], open_request=WAITING) if fired else known
