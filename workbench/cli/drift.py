"""`workbench drift`: what a model was asked lately, against what it learned from."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.options import json_option

if TYPE_CHECKING:
    from workbench.drift.compare import Moved
    from workbench.monitoring import Watched

_DATES = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"])


@click.command("drift")
@click.argument("model")
@click.option(
    "--days", type=click.IntRange(1), default=7, show_default=True, help="The window: the last so many days."
)
@click.option("--since", type=_DATES, help="The window's start (UTC), instead of --days.")
@click.option("--until", type=_DATES, help="The window's end (UTC), not included; now if not given.")
@click.option("--version", default="champion", show_default=True, metavar="N|ALIAS", help="Which version.")
@click.option(
    "--expected", multiple=True, metavar="FEATURE",
    help="A feature that may move, such as a temperature. May be repeated.",
)  # fmt: skip
@click.option(
    "--day",
    metavar="KEY",
    help="The key column that says which day a row belongs to, not when it was answered.",
)
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write an HTML page.")
@json_option
def command(
    model: str, days: int, since: datetime | None, until: datetime | None, version: str, expected: tuple[str, ...],
    day: str | None, report: Path | None, as_json: bool,
) -> int:  # fmt: skip
    """Compare what MODEL was asked lately with what it learned from.

    A feature has drifted when it is further from the training rows than ordinary weeks of those are from each other.
    Once outcomes have come, also how good the answers were.
    """
    from workbench.digests import write_atomically
    from workbench.monitoring import watch
    from workbench.settings import find_project

    end = until.replace(tzinfo=UTC) if until else datetime.now(UTC)
    start = since.replace(tzinfo=UTC) if since else end - timedelta(days=days)
    found = watch(find_project(), model, since=start, until=end, version=version, expected=expected, day=day)
    if report:
        from workbench.monitoring_page import drift_page

        report.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(report, drift_page(found))
    if as_json:
        from workbench.cli.printing import print_json

        print_json(found.as_dict())
    else:
        _print(found)
        if report:
            click.echo(f"page: {report}")
    return 0


def _print(found: Watched) -> None:
    from workbench.cli.printing import print_table

    window = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    click.echo(f"version {found.version} of '{found.model}', {window}: {found.rows:,} rows")
    click.echo()
    moved = [*found.inputs, *([found.answer] if found.answer else [])]
    print_table(
        ["", "column", "distance", "drift from", "missing", "unseen"], [_line(each) for each in moved]
    )
    if found.answer is None:
        click.echo("The reference has too few days of answers to judge the model's own.")
    click.echo()
    _print_performance(found)
    if found.drifted:
        click.echo(click.style(f"drifted: {', '.join(found.drifted)}", fg="yellow"))
    else:
        click.echo(click.style("nothing moved more than is ordinary", fg="green"))


def _print_performance(found: Watched) -> None:
    from workbench.cli.printing import print_table
    from workbench.monitoring_page import missing_words

    if not found.performance:
        click.echo(f"{found.outcomes:,} outcomes have come: too few to say how good the answers were")
    for name, metric in found.performance.items():
        if (decline := found.declines.get(name)) is None:
            click.echo(f"{name:<18} {metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f})")
            continue
        apart = decline.difference
        line = (
            f"{name:<18} {metric.value:.4f} ({metric.low:.4f} to {metric.high:.4f}), reference {decline.reference:.4f}: "
            f"{apart.value:+.4f} ({apart.low:+.4f} to {apart.high:+.4f})"
        )
        click.echo(click.style(f"{line} worse", fg="red") if decline.worse else line)
    for name, each in found.estimates.items():
        known = "" if each.wrong is None else f"; on rows with an outcome it is wrong by {each.wrong:+.4f}"
        click.echo(f"{'estimated ' + name:<18} {each.value:.4f} without outcomes{known}")
    if found.coverage and found.coverage.missing and found.performance:
        click.echo(
            click.style(missing_words(found.coverage), fg="yellow" if found.coverage.selective else None)
        )
    if not found.worse:
        return
    click.echo(click.style(f"worse than in the reference period: {', '.join(found.worse)}", fg="red"))
    named = [each for each in found.explained if each.impact > 0][:3]
    print_table(
        ["", "the loss came with", "log loss", "where"],
        [["", each.feature, f"{each.impact:+.4f}", ", ".join(each.where[:3])] for each in named],
    )


def _line(moved: Moved) -> list[str]:
    mark = "drift" if moved.drifted else "expected" if moved.expected else ""
    before, now = moved.missing
    missing = f"{before:.1%} → {now:.1%}" if before or now else ""
    unseen = f"{moved.unseen:.1%}" if moved.unseen else ""
    return [mark, moved.name, f"{moved.distance:.3f}", f"{moved.limit:.3f}", missing, unseen]
