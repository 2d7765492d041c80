"""`workbench runs`: what has run."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, get_args

import click

from workbench.cli.commands import Lazy
from workbench.cli.options import json_option
from workbench.errors import BadInput
from workbench.events import State

if TYPE_CHECKING:
    from workbench.ledger import Ledger, Run, StepRun
    from workbench.settings import Project

LATEST = "latest"


@contextmanager
def open_ledger() -> Iterator[tuple[Project, Ledger]]:
    """The project and its ledger, in which runs whose process is gone are marked as crashed."""
    from workbench.ledger import Ledger
    from workbench.settings import find_project

    project = find_project()
    with Ledger.open(project) as ledger:
        ledger.reconcile()
        yield project, ledger


def find_run(ledger: Ledger, name: str) -> Run:
    """A run by `latest`, its id or the beginning of it. Raises BadInput."""
    if name != LATEST:
        return ledger.run(name)
    newest = ledger.runs(limit=1)
    if not newest:
        raise BadInput("nothing has run yet; start with: workbench run PIPELINE")
    return newest[0]


@click.command(
    cls=Lazy,
    default="list",
    modules={
        "list": "runs:list_runs",
        "show": "runs:show_run",
        "log": "run_log:log",
        "open": "run_log:open_run",
    },
)
def command() -> None:
    """Show what has run: list (the default), show, log, open.

    RUN is a run's id, the beginning of it, or `latest`.
    """


@click.command("list")
@click.option("--pipeline", metavar="NAME", help="Only runs of this pipeline.")
@click.option("--state", type=click.Choice(get_args(State)), help="Only runs in this state.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most this many.")
@json_option
def list_runs(pipeline: str | None, state: str | None, limit: int, as_json: bool) -> int:
    """List runs, the newest first."""
    from workbench.cli.printing import print_json, print_table, seconds, when

    with open_ledger() as (_, ledger):
        runs = ledger.runs(pipeline, state, limit)
    if as_json:
        from dataclasses import asdict

        print_json([asdict(run) for run in runs])
    elif runs:
        rows = [
            (run.state, run.id, run.pipeline, when(run.started), seconds(run.seconds), run.message)
            for run in runs
        ]
        print_table(("state", "run", "pipeline", "started", "took", ""), rows)
    else:
        chosen = pipeline or state
        click.echo("no such run" if chosen else "nothing has run yet; start with: workbench run PIPELINE")
    return 0


@click.command("show")
@click.argument("run", default=LATEST)
@json_option
def show_run(run: str, as_json: bool) -> int:
    """Show one run with its steps (default: the latest)."""
    from workbench.ledger_queue import request_of

    with open_ledger() as (project, ledger):
        found = find_run(ledger, run)
        steps = ledger.step_runs(found.id)
        request = request_of(ledger, found.id)
        made = {digest for step in steps for digest in (step.outputs or {}).values()}
        models = [each for each in ledger.deliveries() if each.run == found.id or each.digest in made]
        verdicts = {
            each.digest: ledger.verdict(each.model, each.version)
            for each in models
            if each.version is not None
        }
    from workbench.cli.printing import coloured

    if as_json:
        from dataclasses import asdict

        from workbench.cli.printing import print_json

        print_json({
            **asdict(found), "step_runs": [asdict(step) for step in steps],
            "models": [asdict(model) for model in models],
            "request": asdict(request) if request else None,
        })  # fmt: skip
        return 0
    _print_run(project, found)
    if request is not None:
        from workbench.cli.chain import came_from

        click.echo(
            f"  request   {request.id} of {came_from(request)}; see: workbench queue show {request.id}"
        )
    _print_steps(steps)
    for model in models:
        version = (
            f"version {model.version}" if model.version is not None else f"not registered ({model.state})"
        )
        since = "" if model.run == found.id else f", the same since run {model.run}"
        click.echo(f"model {model.model}: {version}{since}")
        if verdict := verdicts.get(model.digest):
            click.echo(
                f"verdict: {coloured('done' if verdict.passed else 'failed', str(verdict.content.get('summary', verdict.outcome)))}"
            )
        if model.evaluation:
            from workbench.cli.scores import print_scores

            print_scores(project.root / model.evaluation)
    return 0


def _print_run(project: Project, run: Run) -> None:
    from workbench.cli.printing import coloured, seconds, short_path, when

    click.echo(f"run {run.id} of pipeline '{run.pipeline}': {coloured(run.state)}")
    if run.message:
        click.echo(f"  {run.message}")
    click.echo(f"  started   {when(run.started)}, took {seconds(run.seconds) or 'an unknown time'}")
    click.echo(f"  on        {run.host}, process {run.pid}, {run.workers} at a time")
    if run.git_commit:
        click.echo(f"  commit    {run.git_commit[:12]}{' and uncommitted changes' if run.git_dirty else ''}")
    for name, value in run.parameters.items():
        click.echo(f"  parameter {name} = {value!r}")
    folder = project.reports / run.pipeline / run.id
    gone = "" if folder.is_dir() else " (removed by `workbench gc`)"
    click.echo(f"  folder    {short_path(folder)}{gone}")


def _print_steps(steps: list[StepRun]) -> None:
    from workbench.cli.printing import print_table, seconds

    rows = [
        (
            step.state,
            step.step,
            seconds(step.seconds or None),
            step.failure.message if step.failure else step.reason,
        )
        for step in steps
    ]
    print_table(("state", "step", "took", "reason"), rows)
    for step in steps:
        for notice in step.notices:
            click.echo(f"notice: {step.step}: {notice}")
