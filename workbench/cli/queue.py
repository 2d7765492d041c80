"""`workbench queue`: runs that were asked for."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from workbench.cli import signals
from workbench.cli.commands import Lazy
from workbench.cli.options import json_option

if TYPE_CHECKING:
    from workbench.events import Listener
    from workbench.ledger_queue import Request
    from workbench.plan import Plan


@click.command(
    cls=Lazy,
    default="list",
    modules={
        "list": "queue:list_requests",
        "add": "queue:add",
        "show": "queue:show",
        "cancel": "queue:cancel",
        "retry": "queue:retry",
        "run": "queue:run",
    },
)
def command() -> None:
    """Runs that were asked for: list (the default), add, show, cancel, retry, run.

    `workbench up` runs them, one after the other; so does `workbench queue run`, one of them, here and now.
    """


@click.command("list")
@click.option("--all", "everything", is_flag=True, help="Also those that have ended.")
@click.option("--pipeline", metavar="NAME", help="Only runs of this pipeline.")
@click.option("--limit", type=click.IntRange(1), default=20, show_default=True, help="At most this many.")
@json_option
def list_requests(everything: bool, pipeline: str | None, limit: int, as_json: bool) -> int:
    """List what waits and runs, the newest first."""
    from workbench import ledger_queue
    from workbench.cli.printing import print_json, print_table, when
    from workbench.cli.runs import open_ledger

    with open_ledger() as (_, ledger):
        states = () if everything else ledger_queue.OPEN
        found = ledger_queue.requests(ledger, pipeline=pipeline, states=states, limit=limit)
    if as_json:
        from dataclasses import asdict

        print_json([asdict(each) for each in found])
    elif found:
        rows = [
            (each.state, str(each.id), each.pipeline, when(each.created), each.trigger or each.asked_by, each.run or "", each.message)
            for each in found
        ]  # fmt: skip
        print_table(("state", "request", "pipeline", "asked", "by", "run", ""), rows)
    else:
        click.echo(
            "no such request"
            if everything or pipeline
            else "nothing waits; ask with: workbench queue add PIPELINE"
        )
    return 0


@click.command("add")
@click.argument("pipeline")
@click.option(
    "-p", "parameters", multiple=True, metavar="NAME=VALUE",
    help="Give a parameter a value, read as YAML. May be repeated.",
)  # fmt: skip
@json_option
def add(pipeline: str, parameters: tuple[str, ...], as_json: bool) -> int:
    """Ask for a run of PIPELINE, which `workbench up` starts when its turn comes."""
    from workbench import ledger_queue
    from workbench.cli.options import arguments
    from workbench.cli.runs import open_ledger
    from workbench.ledger_leases import service_is_up
    from workbench.loading import load_pipeline
    from workbench.pipeline import require_findable
    from workbench.service.clock import clock_here
    from workbench.settings import os_user

    given = arguments(parameters)
    with open_ledger() as (project, ledger):
        loaded = load_pipeline(pipeline, arguments=given, project=project)
        values = {name: loaded.parameters[name] for name in given}
        require_findable(loaded)
        request = ledger_queue.ask(ledger, loaded.name, values, os_user(), clock_here().now())
        up = service_is_up(ledger)
    if as_json:
        _print_json(request)
    else:
        click.echo(_waits(request, up))
    return 0


@click.command("show")
@click.argument("request", type=int)
@json_option
def show(request: int, as_json: bool) -> int:
    """Show one REQUEST and all that it is linked to: alert, trigger, run, version, verdict, promotion."""
    from workbench.cli.chain import chain, print_chain
    from workbench.cli.runs import open_ledger

    with open_ledger() as (project, ledger):
        found = chain(project, ledger, request)
    if as_json:
        from workbench.cli.printing import print_json

        print_json(found.as_json())
    else:
        print_chain(found)
    return 0


@click.command("cancel")
@click.argument("request", type=int)
@json_option
def cancel(request: int, as_json: bool) -> int:
    """Take a REQUEST out of the queue, or have its run stopped by the service."""
    from workbench import ledger_queue
    from workbench.cli.runs import open_ledger
    from workbench.service.clock import clock_here
    from workbench.settings import os_user

    with open_ledger() as (_, ledger):
        found = ledger_queue.cancel(ledger, request, os_user(), clock_here().now())
    if as_json:
        _print_json(found)
    elif found.state == "cancelled":
        click.echo(f"request {request} for a run of '{found.pipeline}' is cancelled")
    else:
        click.echo(f"request {request}: the service stops run {found.run or 'that is about to begin'}")
    return 0


@click.command("retry")
@click.argument("request", type=int)
@json_option
def retry(request: int, as_json: bool) -> int:
    """Ask once more for what an ended REQUEST asked for; steps that are done are cached."""
    from workbench import ledger_queue
    from workbench.cli.runs import open_ledger
    from workbench.ledger_leases import service_is_up
    from workbench.service.clock import clock_here
    from workbench.settings import os_user

    with open_ledger() as (_, ledger):
        found = ledger_queue.again(ledger, request, os_user(), clock_here().now())
        up = service_is_up(ledger)
    if as_json:
        _print_json(found)
    else:
        click.echo(_waits(found, up))
    return 0


@click.command("run")
@click.argument("request", type=int)
def run(request: int) -> int:
    """Run one waiting REQUEST in this terminal. Ctrl-C puts it back into the queue."""
    from workbench import ledger_queue
    from workbench.cli.run import Stop, display_of
    from workbench.cli.runs import open_ledger
    from workbench.cli.summary import print_failures, print_summary
    from workbench.service.clock import clock_here
    from workbench.service.requested import perform

    stop = Stop()
    with (
        ExitStack() as stack,
        signals(stop, signal.SIGINT, signal.SIGTERM),
        open_ledger() as (project, ledger),
    ):

        def show_plan(plan: Plan) -> Listener:
            return stack.enter_context(display_of(plan, as_json=False)).listen

        done = perform(project, ledger, request, clock_here(), stop.event, show_plan)
        if done is None:
            found = ledger_queue.request(ledger, request)
            why = (
                "another run of its pipeline is at work"
                if found.state == "waiting"
                else f"it is {found.state}"
            )
            click.echo(f"request {request} is not run: {why}")
            return 0
    print_summary(done.plan, done.result)
    print_failures(done.plan, done.result, lambda _: f"workbench queue add {done.request.pipeline}")
    click.echo(
        f"request {request}: {done.request.state}{': ' if done.request.message else ''}{done.request.message}"
    )
    return 143 if stop.signal == signal.SIGTERM and done.result.exit_code == 130 else done.result.exit_code


def _waits(request: Request, up: bool) -> str:
    later = "" if up else "; no service is up: start it with `workbench up`"
    return f"request {request.id} for a run of '{request.pipeline}' waits{later}"


def _print_json(request: Request) -> None:
    from dataclasses import asdict

    from workbench.cli.printing import print_json

    print_json(asdict(request))
