"""From a decision about a trigger to the requests that it makes: their parameters, and what they say of where they came from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from workbench import ledger_triggers
from workbench.ledger import Ledger
from workbench.pipeline import Pipeline, bindable
from workbench.trigger_keys import Trigger
from workbench.triggers import Decision, Known, World, decide

WINDOW = ("since", "until")
"""Parameters that a notebook may declare to be given the window of its request, as ISO 8601 text."""

Wanted = tuple[float | None, Mapping[str, Any], Mapping[str, Any]]
"""Slot, parameters and cause of one request."""


def look_at(
    ledger: Ledger, pipeline: Pipeline, trigger: Trigger, known: Known, world: World
) -> tuple[Decision, list[int]]:
    """Decide about a trigger and write down what came of it; the numbers of the requests made."""
    decision = decide(trigger, known, world)
    wanted = list(requests(pipeline, trigger, decision, known, world))
    # A tick that says nothing new writes nothing.
    news = decision.reason != known.reason or decision.seen is not None
    if decision.fire or decision.quarantine or news:
        made = ledger_triggers.record(ledger, pipeline.name, trigger.name, known, decision, wanted, world.now)
        return decision, made or []
    return decision, []


def requests(
    pipeline: Pipeline, trigger: Trigger, decision: Decision, known: Known, world: World
) -> Iterator[Wanted]:
    """What the decision asks for: one request, or one for each slot that runs."""
    base = {"trigger": trigger.name, "reason": decision.reason, **decision.cause}
    if trigger.kind == "schedule":
        for slot in decision.slots:
            if slot.run:
                cause = {
                    **base,
                    "reason": slot.reason,
                    "slot": slot.due,
                    "since": slot.since,
                    "until": slot.due,
                }
                yield slot.due, _parameters(pipeline, trigger, cause), cause
    elif decision.fire:
        alert = next((each for each in world.alerts if each.id == decision.cause.get("alert")), None)
        window = alert.content if alert else {"since": known.fired, "until": world.now}
        since, until = window.get("since"), window.get("until")
        cause = {**base, "since": since, "until": until}
        yield None, _parameters(pipeline, trigger, cause), cause


def _parameters(pipeline: Pipeline, trigger: Trigger, cause: Mapping[str, Any]) -> dict[str, Any]:
    """Those that the trigger gives, and the window where a notebook asks for it."""
    free = bindable(pipeline)
    window = {
        name: datetime.fromtimestamp(cause[name], UTC).isoformat()
        for name in WINDOW
        if name in free and cause[name] is not None
    }
    return {**window, **trigger.params}
