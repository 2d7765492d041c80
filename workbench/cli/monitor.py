"""`workbench monitor`: look at a window of the version that serves, on record, and tell whom it concerns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.drift import DATES
from workbench.cli.options import json_option
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.monitors import Finding
    from workbench.notify import Delivered
    from workbench.windows import Seen


@click.command("monitor")
@click.argument("model")
@click.option("--since", type=DATES, help="The window's start (UTC).")
@click.option("--until", type=DATES, help="The window's end (UTC), not included.")
@click.option(
    "--days", type=click.IntRange(1), help="Its length, where only one end is given, or to the last midnight."
)
@click.option(
    "--version", default="champion", show_default=True, metavar="N|ALIAS",
    help="Which version; alerts are those of the champion.",
)  # fmt: skip
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write an HTML page.")
@click.option("--no-send", is_flag=True, help="Leave what is to be told for `workbench alerts send`.")
@json_option
def command(
    model: str, since: datetime | None, until: datetime | None, days: int | None, version: str, report: Path | None,
    no_send: bool, as_json: bool,
) -> int:  # fmt: skip
    """Look at a window of MODEL as its pipeline's `monitors:` say: by default the last whole one.

    And then also those before it that outcomes have come for since they were judged.
    What was found is on record, and opens, confirms or resolves alerts. The same window again changes nothing. Exit code
    1 when somebody was to be told and could not be; an open alert is no failure.
    """
    from workbench.digests import write_atomically
    from workbench.ledger import Ledger
    from workbench.notify import Delivered, deliver
    from workbench.settings import find_project
    from workbench.windows import look

    project = find_project()
    start, end = _span(since, until, days)
    *again, seen = look(project, model, since=start, until=end, version=version)
    if report:
        from workbench.window_page import window_page

        report.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(report, window_page(seen))
    told = Delivered()
    if not no_send:
        with Ledger.open(project) as ledger:
            told = deliver(project, ledger)
    if as_json:
        from workbench.cli.printing import print_json

        print_json({
            **as_plain(seen), "again": [as_plain(each) for each in again], "told": vars(told),
        })  # fmt: skip
    else:
        for each in again:
            click.echo(f"outcomes have come for {_window(each)}; judged again")
            print_changes(each)
        _print(seen, told)
        if report:
            click.echo(f"page: {report}")
    return 1 if told.failed else 0


def as_plain(seen: Seen) -> dict[str, Any]:
    """What was found, for JSON."""
    window = seen.window
    return {
        "window": window.id,
        "model": window.model,
        "version": window.version,
        "since": _iso(window.since),
        "until": _iso(window.until),
        "rows": window.rows,
        "refused": window.refused,
        "findings": [vars(each) for each in window.findings],
        "changes": [
            {"event": change.event, "alert": alert.id, "reason": change.reason}
            for change, alert in seen.changes
        ],
        "open": [vars(alert) for alert in seen.open],
        **window.content,
    }


def _span(
    since: datetime | None, until: datetime | None, days: int | None
) -> tuple[datetime | None, datetime | None]:
    start, end = (each.replace(tzinfo=UTC) if each else None for each in (since, until))
    if days is None:
        return start, end
    if start and end:
        raise BadInput("--days says a length, and --since with --until another; leave one of them out")
    length = timedelta(days=days)
    if start:
        return start, start + length
    end = end or datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return end - length, end


def _print(seen: Seen, told: Delivered) -> None:
    from workbench.cli.printing import counted, print_table

    window = seen.window
    click.echo(f"version {window.version} of '{window.model}', {_window(seen)}: {window.rows:,} rows")
    if window.refused:
        click.echo(click.style(f"not compared with the reference: {window.refused}", fg="yellow"))
    click.echo()
    bad = [each for each in window.findings if each.severity]
    if bad:
        print_table(["", "monitor", "what"], [_line(each) for each in bad])
    fine = len(window.findings) - len(bad)
    click.echo(f"{'also ' if bad else ''}{counted(fine, 'thing')} looked at and found as it should be")
    silent = [
        name for name in seen.monitors.declared if name not in {each.monitor for each in window.findings}
    ]
    if silent:
        click.echo(f"nothing to judge by: {', '.join(silent)}")
    click.echo()
    print_changes(seen)
    click.echo(f"{counted(len(seen.open), 'open alert')}; see: workbench alerts list {window.model}")
    print_told(told)


def print_changes(seen: Seen) -> None:
    """What a window did to alerts."""
    for change, alert in seen.changes:
        colour = "green" if change.event == "resolved" else "yellow"
        click.echo(
            click.style(f"alert {alert.id} {change.event}", fg=colour) + f": {alert.title} ({change.reason})"
        )


def print_told(told: Delivered) -> None:
    """Whom was told, and who could not be."""
    for channel, count in told.sent.items():
        click.echo(f"{count} told to {channel}")
    for channel, count in told.failed.items():
        click.echo(f"{count} not told to {channel}: {told.reasons[channel]}", err=True)


def _line(finding: Finding) -> list[str]:
    return [str(finding.severity), finding.monitor, finding.title]


def _window(seen: Seen) -> str:
    return f"{moment(seen.window.since)} to {moment(seen.window.until)} UTC"


def moment(seconds: float) -> str:
    """A time in UTC, given in seconds since the epoch."""
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"


def _iso(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat()
