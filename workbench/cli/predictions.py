"""`workbench predictions`: what was answered, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.commands import Lazy
from workbench.cli.options import json_option

if TYPE_CHECKING:
    from workbench.prediction_log.cause import Cause


@click.command(
    cls=Lazy,
    default="list",
    modules={
        "list": "predictions:list_predictions",
        "show": "predictions:show_prediction",
        "compact": "predictions:compact_log",
    },
)
def command() -> None:
    """The prediction log: list (the default), show, compact.

    ID is a prediction's id, as an answer carries it: REQUEST-ROW.
    """


@click.command("list")
@json_option
def list_predictions(as_json: bool) -> int:
    """What is on record of each model."""
    from workbench.cli.printing import print_json, print_table, size
    from workbench.prediction_log.journal import broken_journals
    from workbench.prediction_log.overview import overview
    from workbench.settings import find_project

    project = find_project()
    found = overview(project)
    if as_json:
        print_json([each.as_dict() for each in found])
    elif not found:
        click.echo("nothing is on record yet; workbench serve and workbench score write here")
    else:
        rows = [
            (each.model, f"{each.predictions:,}", f"{each.waiting:,}", f"{each.outcomes:,}", str(each.first),
             str(each.last), size(each.size))
            for each in found
        ]  # fmt: skip
        print_table(("model", "predictions", "in the journal", "outcomes", "from", "to", "size"), rows)
    _warn_of(broken_journals(project))
    return 0


@click.command("show")
@click.argument("prediction", metavar="ID")
@click.option(
    "--similar", default=5, show_default=True, type=click.IntRange(0, 1000), help="How many training rows."
)
@click.option("--notebook", is_flag=True, help="Write a notebook with the exact version and row loaded.")
@click.option("--open", "opens", is_flag=True, help="Write it, and open it in JupyterLab.")
@json_option
def show_prediction(prediction: str, similar: int, notebook: bool, opens: bool, as_json: bool) -> int:
    """Show a prediction: what was asked and answered, what came of it, the run and the training rows behind it."""
    from workbench.cli.printing import print_json, short_path
    from workbench.prediction_log.cause import cause_of
    from workbench.prediction_log.finding import find
    from workbench.settings import find_project

    project = find_project()
    cause = cause_of(project, find(project, prediction), similar)
    written = None
    if notebook or opens:
        from workbench.prediction_log.revisit import write_notebook

        written = write_notebook(project, cause)
    if as_json:
        print_json(cause.as_dict() | {"notebook": str(written) if written else None})
    else:
        _print_cause(cause)
        if written:
            click.echo(f"\nnotebook  {short_path(written)}")
    if opens and written:
        _open(written)
    return 0


@click.command("compact")
@json_option
def compact_log(as_json: bool) -> int:
    """Move what is in the journal into Parquet files, merge small files, remove what is too old.

    A server does this by itself.
    """
    from dataclasses import asdict

    from workbench.cli.printing import counted, print_json
    from workbench.prediction_log.compaction import compact
    from workbench.settings import find_project

    done = compact(find_project())
    if as_json:
        print_json(asdict(done))
    elif done.busy:
        click.echo("another process is compacting; nothing was done")
    else:
        retired = f", {counted(len(done.retired), 'day')} removed" if done.retired else ""
        click.echo(
            f"{counted(done.moved, 'prediction')} moved, {counted(done.merged, 'file')} merged{retired}"
        )
    return 0


def _warn_of(broken: list[Path]) -> None:
    from workbench.cli.printing import coloured, short_path

    for file in broken:
        click.echo(
            f"{coloured('run', 'warning')}: a broken journal was set aside: {short_path(file)}", err=True
        )


def _print_cause(cause: Cause) -> None:
    from workbench.cli.printing import print_table

    found = cause.prediction
    took = f", in {found.latency * 1000:.1f} ms" if found.latency is not None else ""
    caller = f", for {found.caller}" if found.caller else ""
    click.echo(f"prediction {found.id}")
    click.echo(
        f"  answered   {_shown(found.probability)} by version {found.version} of '{found.model}' as {found.kind}"
    )
    click.echo(f"  came       {found.came:%Y-%m-%d %H:%M:%S.%f} UTC{took}{caller}")
    for other in found.shadows:
        click.echo(f"  {other.kind:9}  {_shown(other.probability)} by version {other.version}")
    for label, came in found.outcomes:
        click.echo(f"  outcome    {_shown(label)}, came {came:%Y-%m-%d %H:%M:%S} UTC")
    if not found.outcomes:
        click.echo("  outcome    none came yet")
    if cause.run:
        click.echo(
            f"  run        {cause.run} of '{cause.pipeline}', commit {(cause.commit or 'unknown')[:12]}"
        )
    click.echo(f"  digest     {found.digest}")
    for name, value in found.keys.items():
        click.echo(f"  key        {name} {_shown(value)}")
    click.echo()
    _print_rows(cause, print_table)


def _print_rows(cause: Cause, print_table: Any) -> None:
    """The inputs, one a line, and beside each of them what the training rows have."""
    similar = cause.similar
    head = ["input", "asked", *(f"row {each.row:,}" for each in similar)]
    rows = [
        [name, _shown(value), *(_shown(each.values.get(name)) for each in similar)]
        for name, value in cause.prediction.inputs.items()
    ]
    if similar and cause.label:
        rows.append(
            [
                cause.label,
                _shown(cause.prediction.outcome),
                *(_shown(each.values.get(cause.label)) for each in similar),
            ]
        )
    if similar:
        rows.append(["(distance)", "", *(f"{each.distance:.2f}" for each in similar)])
    print_table(head, rows)
    if cause.training:
        click.echo(
            f"\nthe rows are those of '{cause.training.name}' that are most like it: see workbench.prediction_log.similar"
        )
    else:
        click.echo(f"\nno training rows: {cause.lacking}")


def _shown(value: Any) -> str:
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.6g}"
    return "" if value is None else str(value)


def _open(notebook: Path) -> None:
    from workbench.cli.lab import command as lab

    lab.main([str(notebook)], standalone_mode=False)
