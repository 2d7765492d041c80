"""`workbench score`: the probability of every row of a table, a folder of tables or a glob."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.options import json_option

if TYPE_CHECKING:
    from workbench.scoring.cluster import Cluster
    from workbench.scoring.result import Progress, Scored
    from workbench.settings import Project


@click.command("score")
@click.argument("model")
@click.argument("inputs", metavar="INPUT…", nargs=-1, required=True)
@click.argument("output", type=click.Path(path_type=Path))
@click.option(
    "--version", default="champion", show_default=True, metavar="N|ALIAS", help="Which version scores."
)
@click.option(
    "--keep",
    multiple=True,
    metavar="COLUMN",
    help="Pass a column of the input through, such as a key; '*' for all. May be repeated.",
)
@click.option(
    "--no-contract", is_flag=True, help="Check nothing but the names and types that the model was trained on."
)
@click.option(
    "--executor",
    type=click.Choice(["local", "dask"]),
    default="local",
    show_default=True,
    help="Part after part in this process, or many at a time on a Dask cluster: the same bytes.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="The cluster's, such as tcp://host:8786. Default: executor.scheduler, else processes on this machine.",
)
@click.option("--no-log", is_flag=True, help="Leave it out of the prediction log, as for a trial.")
@json_option
def command(
    model: str, inputs: tuple[str, ...], output: Path, version: str, keep: tuple[str, ...], no_contract: bool,
    executor: str, scheduler: str | None, no_log: bool, as_json: bool,
) -> int:  # fmt: skip
    """Score INPUT, a Parquet or CSV file, into OUTPUT, a Parquet file.

    INPUT may be several files, a folder or a glob; OUTPUT is a folder then, with a part for each file. Called again, it
    does what is not done yet. Exit code 1 when no row could be scored.
    """
    from workbench.scoring.job import score
    from workbench.scoring.plan import Asked
    from workbench.settings import find_project

    project = find_project()
    asked = Asked(model, inputs, output, version, keep, not no_contract, not no_log)
    cluster = _cluster(project, executor, scheduler)
    with _display(as_json) as listen:
        scored = score(project, asked, listen, cluster=cluster)
    if as_json:
        from workbench.cli.printing import print_json

        print_json(scored.as_dict())
    else:
        _print_scored(scored)
    return 1 if scored.counts.read and not scored.counts.scored else 0


def _cluster(project: Project, executor: str, scheduler: str | None) -> Cluster | None:
    from workbench.scoring.cluster import Cluster

    if executor == "local":
        if scheduler is not None:
            raise click.UsageError("--scheduler is for --executor dask")
        return None
    return Cluster(project.scheduler if scheduler is None else scheduler, project.workers)


@contextmanager
def _display(as_json: bool) -> Iterator[Callable[[Progress], None]]:
    """A bar on a terminal, else a line for each part; nothing beside JSON."""
    if as_json:
        yield lambda _: None
    elif sys.stdout.isatty():
        with _bar() as listen:
            yield listen
    else:
        yield _print_line


@contextmanager
def _bar() -> Iterator[Callable[[Progress], None]]:
    from rich import progress as bars

    columns = (
        bars.TextColumn("{task.description}", markup=False), bars.BarColumn(), bars.TaskProgressColumn(),
        bars.TextColumn("{task.fields[said]}", markup=False), bars.TimeRemainingColumn(),
    )  # fmt: skip
    with bars.Progress(*columns, transient=True) as shown:
        task = shown.add_task("loading", total=1.0, said="")
        before: dict[int, int] = {}

        def listen(now: Progress) -> None:
            before[now.number] = now.counts.read
            name = now.source if now.parts == 1 else f"{now.source} ({now.number} of {now.parts})"
            said = f"{sum(before.values()):,} rows"
            shown.update(task, completed=now.share, description=name, said=said)

        yield listen


def _print_line(now: Progress) -> None:
    from workbench.cli.printing import coloured, one_line

    if now.state == "scoring":
        return
    said = f"{now.counts.scored:,} rows scored, {now.counts.quarantined:,} set aside"
    why = "" if now.reason in ("", "not done yet") else f"  ({one_line(now.reason)})"
    click.echo(f"{coloured(now.state, now.state.ljust(6))}  {one_line(now.source)}  {said}{why}")


def _print_scored(scored: Scored) -> None:
    from workbench.cli.printing import coloured, counted, print_table, short_path

    counts = scored.counts
    done = sum(job.reason is not None for job, _ in scored.parts)
    parts = "" if len(scored.parts) == 1 else f" in {counted(len(scored.parts), 'part')}"
    again = "" if done == len(scored.parts) else f"; {len(scored.parts) - done} of them were there already"
    state = "done" if counts.scored or not counts.read else "failed"
    click.echo(
        f"{coloured(state, f'{counts.scored:,} of {counts.read:,} rows scored')} by version {scored.version} of "
        f"'{scored.model}' into {short_path(scored.output)}{parts}{again}"
    )
    if scored.contract == "none":
        click.echo(f"{coloured('run', 'warning')}: no contract was enforced")
    for title, rules in (("set aside", counts.reasons), ("scored in spite of", counts.warnings)):
        if rules:
            ordered = sorted(rules.items(), key=lambda pair: -pair[1])
            print_table((title, "rows"), [(rule, f"{rows:,}") for rule, rows in ordered])
    for job, of_part in scored.parts[:20]:
        if of_part.quarantined:
            click.echo(f"set aside, with reasons: {short_path(job.part.quarantine)}")
    for what, names in (("no table, not scored", scored.ignored), ("its input is gone", scored.left)):
        for name in names:
            click.echo(f"{coloured('run', 'warning')}: {short_path(name)}: {what}", err=True)
    for warning in scored.warnings:
        click.echo(f"{coloured('run', 'warning')}: {warning}", err=True)
