"""`workbench gc`"""

from __future__ import annotations

import click

from workbench.cli.options import json_option


@click.command()
@click.option("--dry-run", is_flag=True, help="Only say what would be removed.")
@click.option(
    "--keep-runs", type=click.IntRange(0), metavar="N", help="Keep this many runs of each pipeline."
)
@click.option("--keep-days", type=click.FloatRange(0), metavar="N", help="Keep runs that are younger.")
@json_option
def command(dry_run: bool, keep_runs: int | None, keep_days: float | None, as_json: bool) -> int:
    """Remove what old runs left; never what a model version refers to or a run is using.

    The defaults are in the [gc] section of workbench.toml.
    """
    from workbench.cli.printing import counted, print_json, short_path, size
    from workbench.cli.runs import open_ledger
    from workbench.retention import collect_garbage

    with open_ledger() as (project, ledger):
        freed = collect_garbage(project, ledger, keep_runs=keep_runs, keep_days=keep_days, dry_run=dry_run)
    garbage = freed.garbage
    if as_json:
        print_json({
            "dry_run": dry_run,
            "bytes": freed.size,
            "reports": [str(path) for path in garbage.reports],
            "results": [f"{each.pipeline}/{each.step}/{each.fingerprint}" for each in garbage.manifests],
            "objects": [path.name for path in garbage.objects],
            "leftovers": [str(path) for path in garbage.leftovers],
            "locks": len(garbage.locks),
            "logs": [str(path) for path in garbage.logs],
            "notice": freed.notice,
        })  # fmt: skip
        return 0
    if dry_run:
        for path in (*garbage.reports, *garbage.leftovers, *garbage.logs):
            click.echo(f"would remove {short_path(path)}")
        for each in garbage.manifests:
            click.echo(f"would forget a result of {each.pipeline}: {each.step} ({each.fingerprint[:12]})")
    if garbage.empty:
        click.echo("nothing to remove")
    else:
        parts = [
            counted(len(found), what)
            for found, what in (
                (garbage.reports, "run folder"),
                (garbage.manifests, "result"),
                (garbage.objects, "stored output"),
                (garbage.leftovers, "leftover"),
                (garbage.locks, "lock file"),
                (garbage.logs, "log"),
            )
            if found
        ]
        click.echo(f"{'would free' if dry_run else 'freed'} {size(freed.size)}: {', '.join(parts)}")
    if freed.notice:
        click.echo(f"notice: {freed.notice}")
    return 0
