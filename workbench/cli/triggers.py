"""`workbench triggers`: what runs pipelines by itself, and why it did or did not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from workbench.cli.commands import Lazy
from workbench.cli.options import json_option

if TYPE_CHECKING:
    from workbench.automation import Standing
    from workbench.pipeline import Pipeline
    from workbench.settings import Project


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
    from workbench.automation import standings
    from workbench.cli.printing import print_json, print_table, when
    from workbench.cli.runs import open_ledger
    from workbench.service.clock import clock_here

    with open_ledger() as (project, ledger):
        rows = [_row(each) for each in standings(ledger, _pipelines(project), clock_here().now())]
    if as_json:
        print_json(rows)
    elif rows:
        shown = [
            (
                row["state"],
                f"{row['pipeline']}.{row['name']}",
                row["what"],
                when(row["fired"]),
                when(row["due"]),
                row["reason"],
            )
            for row in rows
        ]
        print_table(("state", "trigger", "what", "fired", "due", "why"), shown)
    else:
        click.echo("no pipeline has triggers; see docs/automation.md")
    return 0


def _row(standing: Standing) -> dict[str, Any]:
    from workbench.automation import described

    state = standing.state
    return {
        "pipeline": standing.pipeline.name,
        "name": standing.trigger.name,
        "kind": standing.trigger.kind,
        "what": described(standing.trigger),
        "state": standing.word,
        "fired": state.fired if state else None,
        "due": standing.due,
        "failures": state.failures if state else 0,
        "paused_by": state.paused_by if state else None,
        "reason": standing.reason,
    }


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
    from workbench.automation import find, standings
    from workbench.cli.printing import print_json, print_table, when
    from workbench.cli.runs import open_ledger
    from workbench.service.clock import clock_here

    with open_ledger() as (project, ledger):
        pipelines = _pipelines(project)
        pipeline, found = find(pipelines, trigger)
        standing = next(
            each
            for each in standings(ledger, pipelines, clock_here().now())
            if (each.pipeline, each.trigger) == (pipeline, found)
        )
        slots = ledger_triggers.slots(ledger, pipeline.name, found.name, limit)
        asked = ledger_queue.requests(ledger, pipeline=pipeline.name, trigger=found.name, limit=limit)
    row = _row(standing)
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
    from workbench import automation
    from workbench.cli.runs import open_ledger
    from workbench.service.clock import clock_here
    from workbench.settings import os_user

    with open_ledger() as (project, ledger):
        pipeline, found = automation.find(_pipelines(project), trigger)
        automation.pause(ledger, pipeline, found, os_user(), clock_here().now())
    click.echo(f"{pipeline.name}.{found.name} is paused; go on with: workbench triggers resume {trigger}")
    return 0


@click.command("resume")
@click.argument("trigger")
def resume(trigger: str) -> int:
    """Let TRIGGER go on after a pause or a quarantine; its failures are forgotten."""
    from workbench import ledger_triggers
    from workbench.automation import find
    from workbench.cli.runs import open_ledger

    with open_ledger() as (project, ledger):
        pipeline, found = find(_pipelines(project), trigger)
        ledger_triggers.resume(ledger, pipeline.name, found.name)
    click.echo(f"{pipeline.name}.{found.name} is active")
    return 0


def _pipelines(project: Project) -> list[Pipeline]:
    """All of the project. Raises SpecError when a file is wrong."""
    from workbench.automation import read_pipelines
    from workbench.errors import SpecError

    pipelines, problems = read_pipelines(project)
    if problems:
        raise SpecError(problems)
    return pipelines
