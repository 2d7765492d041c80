"""`workbench replay`: the year as it would have been, under one policy after the other."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.options import arguments, json_option

if TYPE_CHECKING:
    from workbench.evaluation import Interval
    from workbench.replay.findings import Outcome
    from workbench.replay.year import Replay


@click.command("replay")
@click.argument("pipeline")
@click.option(
    "-p", "parameters", multiple=True, metavar="NAME=VALUE",
    help="Give a parameter a value, read as YAML. May be repeated.",
)  # fmt: skip
@click.option(
    "--policy", "policies", multiple=True, metavar="POLICY",
    help="never, monthly, drift, performance, or yours (the triggers of the pipeline file); all of them if not given. May be repeated.",
)  # fmt: skip
@click.option("--first", metavar="MONTH", help="The first month that is served (4, or 2013-04).")
@click.option("--last", metavar="MONTH", help="The last one.")
@click.option(
    "--history", type=click.IntRange(1), metavar="N", help="Train again on the newest N months, not on all."
)
@click.option(
    "--expected", multiple=True, metavar="FEATURE",
    help="A feature that may drift, such as a temperature. May be repeated.",
)  # fmt: skip
@click.option("--anew", is_flag=True, help="Forget what happened in an earlier replay; finished steps stay.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Where the HTML page goes.")
@click.option("--short", is_flag=True, help="Print a line for each month, and no tables.")
@json_option
def command(
    pipeline: str, parameters: tuple[str, ...], policies: tuple[str, ...], first: str | None, last: str | None,
    history: int | None, expected: tuple[str, ...], anew: bool, report: Path | None, short: bool, as_json: bool,
) -> int:  # fmt: skip
    """Go through the months that followed, as they would have been.

    Each month is answered by the champion of then; its outcomes come, monitors speak, a policy decides, and what is
    trained again passes the ordinary gates or does not. Policies are compared. The project's own models are not touched.
    An interrupted replay goes on where it was.
    """
    from workbench.digests import write_atomically
    from workbench.replay.asking import Asked
    from workbench.replay.page import replay_page
    from workbench.replay.year import replay
    from workbench.settings import find_project

    project = find_project()
    asked = Asked(pipeline, arguments(parameters), policies, first, last, history, expected, anew)
    began = time.monotonic()
    try:
        found = replay(project, asked, _say)
    except KeyboardInterrupt:
        _say("stopped; the same command goes on from here")
        raise
    page = report or project.reports / f"replay-{found.pipeline}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(page, replay_page(found))
    if as_json:
        from workbench.cli.printing import print_json

        print_json({**found.as_dict(), "page": str(page)})
    elif short:
        print_short(found, page)
    else:
        print_replay(found, page, time.monotonic() - began)
    return 0


def _say(text: str) -> None:
    """What happens, as it happens, beside the result."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)  # noqa: T201


def print_short(found: Replay, page: Path) -> None:
    """A line for each month: what was decided, and why."""
    from workbench.cli.printing import short_path

    for outcome in found.outcomes:
        for each in outcome.months:
            record = each.record
            trained = f"version {record.trained.version} " if record.trained else ""
            told = f"{trained}{record.did}" if record.did != "ended" else "the replay ends"
            click.echo(
                f"{each.month.name} ({outcome.policy}), answered by version {record.version}: {told}: {record.reason}"
            )
    click.echo(f"page: {short_path(page)}")


def print_replay(found: Replay, page: Path, took: float) -> None:
    """Every decision, the policies side by side, and how versions age; `took` seconds."""
    from workbench.cli.printing import print_table, seconds, short_path
    from workbench.replay.months import shown

    click.echo(
        f"'{found.scenario.model}' from {shown(found.scenario.months)}, {len(found.scenario.months)} months"
    )
    for outcome in found.outcomes:
        click.echo(f"\n{outcome.policy}")
        rows = [
            [
                each.record.did,
                each.month.name,
                f"version {each.record.version}",
                f"{each.quality['auc'].value:.3f}",
                each.record.reason + (f" ({each.verdict})" if each.verdict else ""),
            ]
            for each in outcome.months
        ]
        print_table(["", "month", "answered by", "AUC", "why, and what the month after showed"], rows)
    click.echo()
    print_table(
        ["policy", "AUC", "against never", "log loss", "against never"],
        [_quality(each) for each in found.outcomes],
    )
    click.echo()
    print_table(
        ["policy", "trained", "promoted", "refused", "rolled back", "alerts", "false", "cost"],
        [_actions(each) for each in found.outcomes],
    )
    click.echo()
    for aged in found.aging:
        auc, loss = aged.loss["auc"], aged.loss["log_loss"]
        click.echo(f"{aged.age} months old: AUC {_signed(auc)}, log loss {_signed(loss)} against a fresh one")
    click.echo(f"took {seconds(took)}; page: {short_path(page)}")


def _quality(outcome: Outcome) -> list[str]:
    values = (outcome.quality, outcome.against)
    shown = [
        show(of[metric])
        for metric in ("auc", "log_loss")
        for of, show in zip(values, (_interval, _signed), strict=True)
    ]
    return [outcome.policy, *shown]


def _actions(outcome: Outcome) -> list[str]:
    from workbench.cli.printing import seconds

    right, refused = outcome.rightly_refused
    return [
        outcome.policy,
        str(outcome.trainings),
        str(outcome.count("promoted")),
        f"{refused}, {right} rightly" if refused else "0",
        str(outcome.count("rolled back")),
        str(outcome.alerts),
        str(outcome.false_alarms),
        seconds(outcome.cost),
    ]


def _interval(of: Interval) -> str:
    return f"{of.value:.3f} ({of.low:.3f} to {of.high:.3f})"


def _signed(of: Interval) -> str:
    return f"{of.value:+.4f} ({of.low:+.4f} to {of.high:+.4f})"
