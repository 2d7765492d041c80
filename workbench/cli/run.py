"""`workbench run`"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import ExitStack
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from workbench.cli import signals
from workbench.cli.options import Asked, asked

if TYPE_CHECKING:
    from workbench.cli.lines import Display
    from workbench.plan import Plan


@click.command()
@asked
@click.option("--workers", type=click.IntRange(1), metavar="N", help="Run this many steps at a time.")
@click.option("--keep-going", is_flag=True, help="After a failure, still run what does not need that step.")
@click.option("--cold", is_flag=True, help="Start ordinary kernels instead of warm ones.")
@click.option("--wait", is_flag=True, help="End only when MLflow has everything, too.")
@click.option("--dry-run", is_flag=True, help="Only show the plan.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a line for everything that happens."
)
def command(
    workers: int | None,
    keep_going: bool,
    cold: bool,
    wait: bool,
    dry_run: bool,
    as_json: bool,
    **given: Any,
) -> int:
    """Run a pipeline: the steps that are not cached, and what depends on what they change.

    A failed run is continued by running it again: finished steps are cached.
    """
    wanted = Asked(**given)
    stop = Stop()
    with signals(stop, signal.SIGINT, signal.SIGTERM), ExitStack() as stack:
        if dry_run:
            return _show(wanted.plan(), as_json)
        from workbench.executors import HeadStart

        start = stack.enter_context(HeadStart())
        if not cold:
            start.guess()  # before all that has yet to be imported here
        from workbench.plan import Surroundings, make_plan
        from workbench.run import run_plan

        pipeline, selection = wanted.load(), wanted.selection()
        surroundings = Surroundings(pipeline.project)
        early = None if cold else start.decide(pipeline, selection, surroundings)
        plan = make_plan(pipeline, selection, surroundings)
        with display_of(plan, as_json=as_json) as display:
            result = run_plan(
                plan,
                workers=workers,
                keep_going=keep_going,
                cold=cold,
                listener=display.listen,
                executor=early,
                stop=stop.event,
                wait=wait,
            )
    from workbench.cli.summary import print_failures, print_summary

    if as_json:
        if result.run is None:
            from workbench.cli.lines import print_cached_events

            print_cached_events(result)
    else:
        print_summary(plan, result)
    print_failures(plan, result, wanted.continuing)
    return 143 if stop.signal == signal.SIGTERM and result.exit_code == 130 else result.exit_code


class Stop:
    """The first Ctrl-C or SIGTERM stops the run in good order; another one ends the command."""

    def __init__(self) -> None:
        self.event = threading.Event()
        self.signal: int | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number
        self.event.set()


def _show(plan: Plan, as_json: bool) -> int:
    from workbench.cli.plan import plan_as_json, print_plan

    if as_json:
        from workbench.cli.printing import print_json

        print_json(plan_as_json(plan))
    else:
        print_plan(plan)
    return 0


def display_of(plan: Plan, *, as_json: bool) -> Display:
    """How to show the run; what is all cached shows nothing while it runs, and needs no library."""
    from workbench.cli.lines import JsonLines, Lines

    if as_json:
        return JsonLines()
    if plan.cached or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        return Lines()
    from workbench.cli.progress import LiveBoard

    return LiveBoard(list(plan.decisions))
