"""`workbench triggers`: what runs pipelines by itself, and why it did or did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from workbench.cli.commands import Lazy
from workbench.cli.options import json_option
from workbench.errors import BadInput, did_you_mean

if TYPE_CHECKING:
    from workbench.ledger_triggers import TriggerState
    from workbench.pipeline import Pipeline
    from workbench.settings import Project
    from workbench.trigger_keys import Trigger


@click.command(
    cls=Lazy,
    default="list",
    modules={
        "list": "triggers:list_triggers",
        "why": "triggers:why",
        "pause": "triggers:pause",
        "resume": "triggers:resume",
    },
)
def command() -> None:
    """What runs pipelines by itself: list (the default), why, pause, resume.

    TRIGGER is a trigger's name, or PIPELINE.NAME where several pipelines have one of that name.
    """


@click.command("list")
@json_option
def list_triggers(as_json: bool) -> int:
    """List the triggers of all pipelines, and what the service said of each last."""
    from workbench import ledger_triggers
    from workbench.cli.printing import print_json, print_table, when
    from workbench.cli.runs import open_ledger

    with open_ledger() as (project, ledger):
        declared = _declared(project)
        states = ledger_triggers.states(ledger)
    rows = [
        _row(pipeline, trigger, states.get((pipeline.name, trigger.name))) for pipeline, trigger in declared
    ]
    if as_json:
        print_json(rows)
    elif rows:
        shown = [
            (row["state"], f"{row['pipeline']}.{row['name']}", row["what"], when(row["fired"]), row["reason"])
            for row in rows
        ]
        print_table(("state", "trigger", "what", "fired", "why"), shown)
    else:
        click.echo("no pipeline has triggers; see docs/automation.md")
    return 0


def _row(pipeline: Pipeline, trigger: Trigger, state: TriggerState | None) -> dict[str, Any]:
    paused = state is not None and state.paused_by is not None
    return {
        "pipeline": pipeline.name,
        "name": trigger.name,
        "kind": trigger.kind,
        "what": described(trigger),
        "state": "unseen" if state is None else "paused" if paused else "active",
        "fired": state.fired if state else None,
        "failures": state.failures if state else 0,
        "paused_by": state.paused_by if state else None,
        "reason": state.reason if state else "no service has looked at it yet: workbench up",
    }


def described(trigger: Trigger) -> str:
    """What a trigger waits for, in a few words."""
    from workbench.triggers import elapsed

    if trigger.kind == "schedule":
        return f"{trigger.schedule} ({trigger.zone}, catch up {trigger.catch_up})"
    if trigger.kind == "new_data":
        return ", ".join(trigger.new_data)
    if trigger.kind == "alert":
        monitor = trigger.alert.get("monitor", "any monitor")
        return f"{monitor} of {trigger.alert['model']}, {trigger.alert['min_severity']} or worse"
    return f"older than {elapsed(trigger.staleness)}"


@click.command("why")
@click.argument("trigger")
@click.option(
    "--limit",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="At most this many slots and requests.",
)
@json_option
def why(trigger: str, limit: int, as_json: bool) -> int:
    """Why TRIGGER fired or did not: its state, the times of its schedule, the runs that it asked for."""
    from dataclasses import asdict

    from workbench import ledger_queue, ledger_triggers
    from workbench.cli.printing import print_json, print_table, when
    from workbench.cli.runs import open_ledger

    with open_ledger() as (project, ledger):
        pipeline, found = _find(project, trigger)
        state = ledger_triggers.states(ledger).get((pipeline.name, found.name))
        slots = ledger_triggers.slots(ledger, pipeline.name, found.name, limit)
        asked = ledger_queue.requests(ledger, pipeline=pipeline.name, trigger=found.name, limit=limit)
    row = _row(pipeline, found, state)
    if as_json:
        print_json(
            {**row, "slots": [asdict(each) for each in slots], "requests": [asdict(each) for each in asked]}
        )
        return 0
    click.echo(f"{pipeline.name}.{found.name}: {row['what']}: {row['state']}")
    click.echo(f"  {row['reason']}")
    if slots:
        shown = [(each.state, when(each.due), str(each.request or ""), each.reason) for each in slots]
        print_table(("slot", "due", "request", "why"), shown)
    if asked:
        requests = [
            (each.state, str(each.id), when(each.created), each.run or "", each.cause.get("reason", ""))
            for each in asked
        ]
        print_table(("state", "request", "asked", "run", "why"), requests)
    return 0


@click.command("pause")
@click.argument("trigger")
def pause(trigger: str) -> int:
    """Hold TRIGGER up; times of a schedule that pass meanwhile are skipped, and say so."""
    from workbench import ledger_triggers
    from workbench.cli.runs import open_ledger
    from workbench.service.clock import clock_here
    from workbench.settings import os_user

    now = clock_here().now()
    with open_ledger() as (project, ledger):
        pipeline, found = _find(project, trigger)
        ledger_triggers.known(ledger, pipeline.name, found.name, now)
        ledger_triggers.pause(ledger, pipeline.name, found.name, os_user(), now)
    click.echo(f"{pipeline.name}.{found.name} is paused; go on with: workbench triggers resume {trigger}")
    return 0


@click.command("resume")
@click.argument("trigger")
def resume(trigger: str) -> int:
    """Let TRIGGER go on after a pause or a quarantine; its failures are forgotten."""
    from workbench import ledger_triggers
    from workbench.cli.runs import open_ledger

    with open_ledger() as (project, ledger):
        pipeline, found = _find(project, trigger)
        ledger_triggers.resume(ledger, pipeline.name, found.name)
    click.echo(f"{pipeline.name}.{found.name} is active")
    return 0


def _declared(project: Project) -> list[tuple[Pipeline, Trigger]]:
    from workbench.loading import load_pipeline
    from workbench.pipeline import pipeline_files

    pipelines = [load_pipeline(file, project=project) for file in pipeline_files(project)]
    return [(pipeline, trigger) for pipeline in pipelines for trigger in pipeline.triggers]


def _find(project: Project, name: str) -> tuple[Pipeline, Trigger]:
    """The trigger of that name. Raises BadInput when there is none, or more than one."""
    declared = _declared(project)
    by_name = {f"{pipeline.name}.{trigger.name}": (pipeline, trigger) for pipeline, trigger in declared}
    found = [key for key, (_, trigger) in by_name.items() if name in (key, trigger.name)]
    if len(found) == 1:
        return by_name[found[0]]
    if found:
        raise BadInput(f"'{name}' is a trigger of several pipelines: {', '.join(found)}")
    known = {*by_name, *(trigger.name for _, trigger in by_name.values())}
    raise BadInput(f"no trigger '{name}'{did_you_mean(name, known)}; see: workbench triggers")
