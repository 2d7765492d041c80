"""A run as lines: for people who read them later, and for programs."""

from __future__ import annotations

import json
import time
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import click

from workbench.cli.printing import coloured, one_line, seconds
from workbench.events import (
    Event,
    ModelJudged,
    ModelRegistered,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
)

if TYPE_CHECKING:
    from workbench.run import RunResult


class Display(Protocol):
    """Shows a run while it happens. `listen` is called from several threads, one at a time."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def listen(self, event: Event) -> None: ...


class Lines(Display):
    """A line with a time for every start, end, retry and failure."""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def listen(self, event: Event) -> None:
        said = _said(event)
        if said:
            clock = time.strftime("%H:%M:%S", time.localtime(event.time))
            click.echo(f"{clock}  {said}")


class JsonLines(Display):
    """One JSON object a line, and nothing else."""

    def __enter__(self) -> JsonLines:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def listen(self, event: Event) -> None:
        click.echo(json.dumps(event.as_json(), default=str))


def print_cached_events(result: RunResult) -> None:
    """The end of each step and of the run, for a run in which there was nothing to do."""
    lines = JsonLines()
    for finished in result.steps.values():
        lines.listen(finished)
    lines.listen(RunFinished(time.time(), "", result.state, result.seconds, "nothing to do"))


def _said(event: Event) -> str:
    """One event in words; '' for those that are too many to read."""
    if isinstance(event, RunStarted):
        return f"run {event.run} of pipeline '{event.pipeline}', {event.workers} at a time"
    if isinstance(event, StepStarted):
        again = f", attempt {event.attempt}" if event.attempt > 1 else ""
        return f"{coloured('running', 'start       ')} {event.step}  ({one_line(event.reason)}{again})"
    if isinstance(event, StepRetried):
        message = one_line(event.failure.message)
        return f"{coloured('failed', 'retry       ')} {event.step}  in {seconds(event.wait)}: {message}"
    if isinstance(event, StepFinished):
        return f"{coloured(event.state, event.state.ljust(12))} {event.step}  {_outcome(event)}".rstrip()
    if isinstance(event, ModelRegistered):
        return f"{coloured('done', 'registered  ')} {event.model} version {event.version}"
    if isinstance(event, ModelJudged):
        word = "promoted" if event.promoted else "judged"
        state = "done" if event.passed else "failed"
        return f"{coloured(state, word.ljust(12))} {event.model} version {event.version}: {one_line(event.summary)}"
    return ""


def _outcome(event: StepFinished) -> str:
    if event.state == "done":
        return seconds(event.seconds)
    if event.failure:
        return f"{seconds(event.seconds)}: {one_line(event.failure.message)}"
    return "" if event.reason == "unchanged" else one_line(event.reason)
