"""`workbench runs log` and `workbench runs open`: the executed notebooks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.runs import LATEST, find_run, open_ledger
from workbench.errors import BadInput, WorkbenchError, did_you_mean

if TYPE_CHECKING:
    from workbench.ledger import StepRun


@click.command("log")
@click.argument("run", default=LATEST)
@click.argument("step", required=False)
def log(run: str, step: str | None) -> int:
    """Print what the notebooks of a run printed (default: the latest run, every step that ran)."""
    from workbench.cli.printing import coloured, seconds
    from workbench.step_output import notebook_log

    with open_ledger() as (project, ledger):
        found = find_run(ledger, run)
        steps = choose_steps(ledger.step_runs(found.id), step)
    for each in steps:
        took = f" · {seconds(each.seconds)}" if each.seconds else ""
        click.echo(f"── {each.step} · {coloured(each.state)}{took} · {each.executed or each.reason}")
        if each.executed and (step or each.state != "cached"):
            click.echo("\n".join(notebook_log(project.root / each.executed, each)))
    return 0


@click.command("open")
@click.argument("run", default=LATEST)
@click.argument("step", required=False)
def open_run(run: str, step: str | None) -> int:
    """Open the executed notebook of a step as HTML, or the run's folder; prints the path without a display."""
    with open_ledger() as (project, ledger):
        found = find_run(ledger, run)
        steps = choose_steps(ledger.step_runs(found.id), step)
    failed = [each for each in steps if each.state == "failed"]
    chosen = next(iter(failed or (steps if step else [])), None)
    if chosen is None:
        place = project.reports / found.pipeline / found.id
    elif chosen.executed is None:
        raise BadInput(f"step '{chosen.step}' has no executed notebook: {chosen.state}, {chosen.reason}")
    else:
        place = readable(project.root / chosen.executed)
    if not place.exists():
        raise WorkbenchError(f"'{place}' is gone; `workbench gc` removes what old runs left")
    if has_display():
        import webbrowser

        webbrowser.open(place.as_uri())
    click.echo(str(place))
    return 0


def choose_steps(steps: Sequence[StepRun], name: str | None) -> list[StepRun]:
    """The step runs called `name`, by step or by key; all without a name. Raises BadInput."""
    if name is None:
        return list(steps)
    found = [each for each in steps if name in (each.step, each.step.partition("[")[0])]
    if not found:
        known = [each.step for each in steps]
        raise BadInput(f"the run has no step '{name}'{did_you_mean(name, known)}")
    return found


def readable(notebook: Path) -> Path:
    """The notebook as HTML, else itself."""
    from workbench.rendering import render

    return render(notebook) or notebook


def has_display() -> bool:
    """Whether a desktop is there to open something with."""
    import os
    import sys

    return sys.platform in ("win32", "darwin") or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER")
    )
