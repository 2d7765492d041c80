"""`workbench alerts`: what monitoring has raised, who knows of it, and whom it was told."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from workbench.cli.commands import Lazy
from workbench.cli.options import json_option
from workbench.errors import BadInput, did_you_mean

if TYPE_CHECKING:
    from workbench.alerts import Alert
    from workbench.ledger import Ledger

_HOME = "alerts"


@click.command(
    cls=Lazy,
    default="list",
    modules={
        "list": f"{_HOME}:list_alerts",
        "show": f"{_HOME}:show",
        "ack": f"{_HOME}:ack",
        "resolve": f"{_HOME}:resolve",
        "send": f"{_HOME}:send",
    },
)
def command() -> None:
    """Alerts: opened by `workbench monitor`, acknowledged by people, resolved by either.

    list (the default), show; ack, resolve; send.
    """


@click.command("list")
@click.argument("model", required=False)
@click.option("--all", "every", is_flag=True, help="Also those that are resolved.")
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@json_option
def list_alerts(model: str | None, every: bool, limit: int, as_json: bool) -> int:
    """List alerts that are not resolved, of MODEL or all: the worst first. Exit code 0, whether there are any or not."""
    from workbench import ledger_alerts
    from workbench.cli.printing import print_json, print_table, when
    from workbench.ledger import Ledger
    from workbench.settings import find_project

    with Ledger.open(find_project()) as ledger:
        if every:
            found = ledger_alerts.alerts(ledger, model, limit=limit)
        else:
            found = ledger_alerts.open_alerts(ledger, model)[:limit]
        if model and not found:
            _refuse_unknown(ledger, model)
    if as_json:
        print_json([vars(alert) for alert in found])
    elif not found:
        click.echo("no open alert" if not every else "no alert")
    else:
        print_table(
            ["id", "severity", "state", "model", "monitor", "opened", "what"],
            [
                [
                    str(each.id),
                    each.severity,
                    each.state,
                    each.model,
                    each.monitor,
                    when(each.opened),
                    each.title,
                ]
                for each in found
            ],
        )
    return 0


@click.command()
@click.argument("alert_id", metavar="ID", type=int)
@json_option
def show(alert_id: int, as_json: bool) -> int:
    """Show one alert: what it stands on, who knows, and whom it was told."""
    from workbench import ledger_alerts, ledger_notices, ledger_queue
    from workbench.cli.printing import print_json, print_table, when
    from workbench.ledger import Ledger
    from workbench.settings import find_project

    with Ledger.open(find_project()) as ledger:
        alert = ledger_alerts.alert_of(ledger, alert_id)
        told = ledger_notices.notices(ledger, alert=alert_id)
        asked = ledger_queue.requests_for(ledger, alert_id)
    if as_json:
        own = [{**vars(each), "alert": each.alert.id} for each in told]
        print_json({**vars(alert), "notifications": own, "requests": [vars(each) for each in asked]})
        return 0
    _print(alert)
    for each in asked:
        click.echo(
            f"request {each.id} for a run of '{each.pipeline}': {each.state}; see: workbench queue show {each.id}"
        )
    if told:
        click.echo()
        print_table(
            ["id", "event", "channel", "state", "at", "why"],
            [
                [str(each.id), each.event, each.channel, each.state, when(each.finished),
                 each.message if each.state in ("waiting", "failed") else ""]
                for each in told
            ],
        )  # fmt: skip
    return 0


@click.command()
@click.argument("alert_id", metavar="ID", type=int)
@json_option
def ack(alert_id: int, as_json: bool) -> int:
    """Say that you know of an alert and look after it."""
    from workbench import ledger_alerts
    from workbench.cli.printing import print_json
    from workbench.ledger import Ledger
    from workbench.promotion import actor_here
    from workbench.settings import find_project

    project = find_project()
    with Ledger.open(project) as ledger:
        alert = ledger_alerts.acknowledge(ledger, alert_id, actor_here(project).name)
    if as_json:
        print_json(vars(alert))
    else:
        click.echo(f"alert {alert.id} is acknowledged by '{alert.acknowledged_by}': {alert.title}")
    return 0


@click.command()
@click.argument("alert_id", metavar="ID", type=int)
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept with the alert.")
@json_option
def resolve(alert_id: int, reason: str, as_json: bool) -> int:
    """End an alert. Only a newer window can raise it again."""
    from workbench import ledger_alerts
    from workbench.cli.printing import print_json
    from workbench.ledger import Ledger
    from workbench.notify import channels
    from workbench.promotion import actor_here
    from workbench.settings import find_project

    project = find_project()
    if not reason.strip():
        raise BadInput("--reason '' says nothing; why is it no matter any more?")
    with Ledger.open(project) as ledger:
        alert = ledger_alerts.resolve(
            ledger, alert_id, actor_here(project).name, reason.strip(), tuple(channels(project))
        )
    if as_json:
        print_json(vars(alert))
    else:
        click.echo(f"alert {alert.id} is resolved: {reason.strip()}")
    return 0


@click.command()
@click.option("--retry", is_flag=True, help="Also what failed, or waits for its next attempt.")
@json_option
def send(retry: bool, as_json: bool) -> int:
    """Tell what is to be told, to the URLs of [notify] in workbench.toml. Exit code 1 when somebody could not be."""
    from workbench.cli.monitor import print_told
    from workbench.cli.printing import print_json
    from workbench.ledger import Ledger
    from workbench.notify import deliver
    from workbench.settings import find_project

    project = find_project()
    with Ledger.open(project) as ledger:
        told = deliver(project, ledger, every=retry)
    if as_json:
        print_json(vars(told))
    elif not told.sent and not told.failed:
        click.echo("nothing to tell")
    else:
        print_told(told)
    return 1 if told.failed else 0


def _refuse_unknown(ledger: Ledger, model: str) -> None:
    """Raises BadInput for a model that neither was monitored nor delivered."""
    from workbench import ledger_alerts

    known = {each.model for each in ledger.deliveries()}
    if model not in known and not ledger_alerts.windows(ledger, model, limit=1):
        raise BadInput(f"no model '{model}'{did_you_mean(model, known)}")


def _print(alert: Alert) -> None:
    from workbench.cli.monitor import moment
    from workbench.cli.printing import when

    colour = "green" if alert.state == "resolved" else "red" if alert.severity == "critical" else "yellow"
    click.echo(click.style(f"alert {alert.id}: {alert.severity}, {alert.state}", fg=colour))
    click.echo(alert.title)
    click.echo()
    content = alert.content
    facts = {
        "model": f"{alert.model}, version {alert.version}",
        "monitor": f"{alert.monitor} {alert.subject}".strip(),
        "window": f"{moment(content['since'])} to {moment(content['until'])} UTC"
        if "since" in content
        else "",
        "windows": f"{content['windows']} in a row" if "windows" in content else "",
        "opened": when(alert.opened),
        "acknowledged": f"{when(alert.acknowledged)} by {alert.acknowledged_by}"
        if alert.acknowledged
        else "",
        "resolved": f"{when(alert.resolved)} by {alert.resolved_by}" if alert.resolved else "",
        "reason": content.get("reason", ""),
    }
    for name, value in facts.items():
        if value:
            click.echo(f"{name:<14} {value}")
