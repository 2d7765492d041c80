"""How a run ended: the summary, and each failure with the cell that caused it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import click

from workbench.cli.printing import coloured, counted, counts, print_table, seconds, short_path

if TYPE_CHECKING:
    from workbench.events import Failure, ModelJudged, StepFinished
    from workbench.plan import Plan
    from workbench.run import RunResult


MANY = 24
"""More cached steps than this are counted instead of listed."""


def print_summary(plan: Plan, result: RunResult) -> None:
    """Counts, time, what was registered and where to look."""
    steps = result.steps.values()
    if result.run is None:
        if len(result.steps) <= MANY:
            print_table(("", "step"), [(step.state, step.step) for step in steps])
        click.echo(f"nothing to do: {counted(len(result.steps), 'step')} cached")
    else:
        state = coloured(result.state, "done" if result.state == "done" else result.state)
        click.echo(f"{state} in {seconds(result.seconds)}: {counts(step.state for step in steps)}")
    if result.version is not None and plan.pipeline.model:
        click.echo(f"registered: {plan.pipeline.model.name} version {result.version}")
    if result.judged:
        print_judged(result.judged)
    if result.folder and any(step.attempts for step in steps):
        click.echo(f"executed notebooks: {short_path(result.folder)}")
    for step in steps:
        for notice in step.notices:
            click.echo(f"notice: {step.step}: {notice}")
    for notice in result.notices:
        click.echo(f"notice: {notice}")


def print_judged(judged: ModelJudged) -> None:
    """The verdict on a new version, and the command that follows from it."""
    model, version = judged.model, judged.version
    click.echo(f"verdict: {coloured('done' if judged.passed else 'failed', judged.summary)}")
    if judged.promoted:
        click.echo(f"promoted: {model} version {version} is the champion now")
    elif judged.passed:
        click.echo(f"promote it with: workbench models promote {model} {version}")
    else:
        click.echo(f"see: workbench models show {model} {version}")


def print_failures(plan: Plan, result: RunResult, continuing: Callable[[tuple[str, ...]], str]) -> None:
    """On stderr: what failed, where, and the command that goes on."""
    if result.state == "done":
        return
    failed = [step for step in result.steps.values() if step.failure and step.state == "failed"]
    for step in failed:
        click.echo("\n" + "\n".join(_failure_lines(plan, step)), err=True)
    unfinished = [key for key, step in result.steps.items() if step.state in ("failed", "interrupted")]
    what = "after correcting it, continue with" if failed else "continue with"
    click.echo(f"\n{what}: {continuing(tuple(unfinished))}", err=True)


def _failure_lines(plan: Plan, step: StepFinished) -> Iterator[str]:
    failure = step.failure
    assert failure is not None
    from workbench.step_output import marked_source

    notebook = plan.pipeline.steps[step.step].notebook.path
    tried = f" after {step.attempts} attempts" if step.attempts > 1 else ""
    yield f"error: step '{step.step}' failed{tried}: {failure.message}"
    if failure.source:
        cells = plan.pipeline.steps[step.step].notebook.sources
        cell = f", code cell {cells.index(failure.source) + 1}" if failure.source in cells else ""
        line = f", line {failure.line}" if failure.line else ""
        yield f"  in {short_path(notebook)}{cell}{line}:"
        yield from (f"  {text}" for text in marked_source(failure))
    if trace := short_traceback(failure):
        yield "  traceback:"
        yield from (f"    {text}" for text in trace)
    if step.executed:
        yield f"  executed notebook: {short_path(plan.pipeline.project.root / step.executed)}"


def short_traceback(failure: Failure) -> list[str]:
    """Each frame's place and its line, for errors that came up below the cell itself; the message is known."""
    places: list[str] = []
    for line in failure.traceback.split("\n"):
        if re.match(r"(File |Cell In\[)", line):
            places.append(line.strip())
        elif places and (found := re.match(r"-+> *\d+ (.*)", line)):
            places.append(f"  {found.group(1).strip()}")
    frames = [line for line in places if not line.startswith("  ")]
    return places[-12:] if len(frames) > 1 else []
