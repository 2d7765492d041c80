"""What runs pipelines by itself, as people look at it: each trigger, how it stands, when it is due, why it did or did not."""

from __future__ import annotations

from dataclasses import dataclass

from workbench import ledger_queue, ledger_triggers
from workbench.errors import BadInput, Problem, SpecError, did_you_mean
from workbench.ledger import Ledger
from workbench.ledger_triggers import TriggerState
from workbench.loading import load_pipeline
from workbench.pipeline import Pipeline, pipeline_files, require_findable
from workbench.schedules import next_due
from workbench.settings import Project
from workbench.trigger_keys import Trigger
from workbench.triggers import elapsed


@dataclass(frozen=True)
class Standing:
    """One trigger, and how the service left it."""

    pipeline: Pipeline
    trigger: Trigger
    state: TriggerState | None
    """None: no service has looked at it yet."""
    due: float | None
    """When it asks for a run next, if nothing else happens; seconds since the epoch by the service's clock."""

    @property
    def name(self) -> str:
        return f"{self.pipeline.name}.{self.trigger.name}"

    @property
    def word(self) -> str:
        """`unseen`, `paused` or `active`."""
        if self.state is None:
            return "unseen"
        return "active" if self.state.paused_by is None else "paused"

    @property
    def reason(self) -> str:
        return self.state.reason if self.state else "no service has looked at it yet: workbench up"


def read_pipelines(project: Project, *, startable: bool = False) -> tuple[list[Pipeline], list[Problem]]:
    """The project's pipelines, and what is wrong with the files of the others.

    With `startable`, one with triggers is wrong if it cannot be found again by its name, as a run by itself has to.
    """
    pipelines: list[Pipeline] = []
    problems: list[Problem] = []
    for file in pipeline_files(project):
        try:
            pipeline = load_pipeline(file, project=project)
            if startable and pipeline.triggers:
                require_findable(pipeline)
            pipelines.append(pipeline)
        except SpecError as error:
            problems += error.problems
    return pipelines, problems


def standings(ledger: Ledger | None, pipelines: list[Pipeline], now: float) -> list[Standing]:
    """Every trigger of these pipelines. `now` is by the service's clock."""
    states = ledger_triggers.states(ledger) if ledger else {}
    return [
        Standing(pipeline, trigger, state, _due(ledger, pipeline, trigger, state, now))
        for pipeline in pipelines
        for trigger in pipeline.triggers
        for state in (states.get((pipeline.name, trigger.name)),)
    ]


def _due(
    ledger: Ledger | None, pipeline: Pipeline, trigger: Trigger, state: TriggerState | None, now: float
) -> float | None:
    """When time alone makes a trigger ask. Files and alerts come when they come, and what is paused does not ask."""
    if state is not None and state.paused_by is not None:
        return None
    if trigger.kind == "schedule":
        return next_due(trigger.schedule, trigger.zone, now)
    if trigger.kind == "staleness":
        last = ledger_queue.last_success(ledger, pipeline.name) if ledger else None
        return now if last is None else last + trigger.staleness
    return None


def described(trigger: Trigger) -> str:
    """What a trigger waits for, in a few words."""
    if trigger.kind == "schedule":
        return f"{trigger.schedule} ({trigger.zone}, catch up {trigger.catch_up})"
    if trigger.kind == "new_data":
        return ", ".join(trigger.new_data)
    if trigger.kind == "alert":
        monitor = trigger.alert.get("monitor", "any monitor")
        return f"{monitor} of {trigger.alert['model']}, {trigger.alert['min_severity']} or worse"
    return f"older than {elapsed(trigger.staleness)}"


def find(pipelines: list[Pipeline], name: str) -> tuple[Pipeline, Trigger]:
    """The trigger of that name, with its pipeline's before it or not. Raises BadInput when there is none, or more than one."""
    known = {
        f"{pipeline.name}.{trigger.name}": (pipeline, trigger)
        for pipeline in pipelines
        for trigger in pipeline.triggers
    }
    found = [key for key, (_, trigger) in known.items() if name in (key, trigger.name)]
    if len(found) == 1:
        return known[found[0]]
    if found:
        raise BadInput(f"'{name}' is a trigger of several pipelines: {', '.join(found)}")
    names = {*known, *(trigger.name for _, trigger in known.values())}
    raise BadInput(f"no trigger '{name}'{did_you_mean(name, names)}; see: workbench triggers")


def pause(ledger: Ledger, pipeline: Pipeline, trigger: Trigger, by: str, now: float) -> None:
    """Hold a trigger up, also one that no service has looked at yet."""
    ledger_triggers.known(ledger, pipeline.name, trigger.name, now)
    ledger_triggers.pause(ledger, pipeline.name, trigger.name, by, now)
