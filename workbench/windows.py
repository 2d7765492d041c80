"""Windows of the version that serves: measured, judged by the declared monitors, on record, with what they change.

look        the last whole window, and those before it that outcomes have come for since
judge       one window
├── monitors of the pipeline file (declared)
├── health    the window for itself
├── watch     the window against what the version learned from (monitoring); refused where there is too little of it
├── findings  what the monitors say
└── record    window, alerts and what is to be told: one transaction (ledger_alerts)
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from workbench import ledger_alerts
from workbench.alerts import Alert, Change
from workbench.contracts.contract import Contract, read_contract
from workbench.declared import monitors_for
from workbench.drift.performance import MARGINS
from workbench.errors import BadInput, ModelError, did_you_mean
from workbench.findings import findings
from workbench.health import Health, health
from workbench.ledger import Ledger
from workbench.ledger_alerts import Window
from workbench.monitoring import Watched, watch
from workbench.monitors import Monitors, last_whole
from workbench.notify import channels
from workbench.prediction_log.overview import outcomes_came
from workbench.registry import ALIAS, locate
from workbench.settings import Project


@dataclass(frozen=True)
class Seen:
    """A window that was looked at."""

    window: Window
    monitors: Monitors
    health: Health
    watched: Watched | None
    """None where it could not be compared with the reference: `window.refused` says why."""
    changes: tuple[tuple[Change, Alert], ...]
    open: tuple[Alert, ...]
    """Alerts of the model that are not resolved, the worst first."""


def look(
    project: Project,
    model: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    version: str | int = ALIAS,
    now: float | None = None,
) -> list[Seen]:
    """Judge the last whole window, after those on record that outcomes have come for since; or the one that is asked for.

    Raises as `judge` does.
    """
    if since is not None or until is not None:
        return [judge(project, model, since=since, until=until, version=version, now=now)]
    moment, monitors = time.time() if now is None else now, monitors_for(project, model)
    spans = [*judged_again(project, model, monitors, moment, version), _span(monitors, None, None, moment)]
    return [_judge(project, model, monitors, span, version) for span in spans]


def judged_again(
    project: Project, model: str, monitors: Monitors, now: float, version: str | int = ALIAS
) -> list[tuple[datetime, datetime]]:
    """Windows on record, the oldest first, that outcomes have come for since: as long as `performance: wait` says."""
    if monitors.performance is None:
        return []
    _, newest = last_whole(monitors.window, now)
    with Ledger.open(project) as ledger:
        number = locate(project, ledger, model, version).version
        after = now - monitors.performance.wait
        known = ledger_alerts.windows(ledger, model, version=number, ended_after=after)
    due = []
    for window in reversed(known):
        begin, end = (datetime.fromtimestamp(each, UTC) for each in (window.since, window.until))
        days = (begin.date(), end.date()) if monitors.day is None else (None, None)
        if window.until < newest and outcomes_came(project, model, *days) > window.created:
            due.append((begin, end))
    return due


def judge(
    project: Project,
    model: str,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    version: str | int = ALIAS,
    now: float | None = None,
) -> Seen:
    """Look at a window (UTC; default: the last whole one, see `last_whole`) and put it on record.

    Judging a window again replaces what it was. Alerts are those of the version that serves: a window of another one is
    on record and changes none. Raises BadInput for an unknown model, version, or a window that ends before it starts,
    SpecError for wrong monitors, LogError, LedgerError.
    """
    monitors = monitors_for(project, model)
    span = _span(monitors, since, until, time.time() if now is None else now)
    return _judge(project, model, monitors, span, version)


def _judge(
    project: Project, model: str, monitors: Monitors, span: tuple[datetime, datetime], version: str | int
) -> Seen:
    start, end = span
    with Ledger.open(project) as ledger:
        located = locate(project, ledger, model, version)
        champion = located.version if version == ALIAS else _champion(project, ledger, model)
    contract = read_contract(located.contract).of_features() if located.contract else None
    _refuse_unknown(monitors, contract)
    own = health(project, model, located.version, contract, since=start, until=end, day=monitors.day)
    watched, refused = _watched(project, model, located.version, monitors, start, end)
    found = findings(monitors, own, watched, since=start, until=end)
    window = Window(
        model, located.version, start.timestamp(), end.timestamp(), own.rows, found, refused,
        {"health": own.as_dict(), "watched": watched.as_dict() if watched else None},
    )  # fmt: skip
    with Ledger.open(project) as ledger:
        recorded = ledger_alerts.record(
            ledger, window, monitors, tuple(channels(project)), alerting=located.version == champion
        )
        still = tuple(ledger_alerts.open_alerts(ledger, model))
    return Seen(recorded.window, monitors, own, watched, recorded.changes, still)


def _span(
    monitors: Monitors, since: datetime | None, until: datetime | None, now: float
) -> tuple[datetime, datetime]:
    length = timedelta(seconds=monitors.window)
    if until is None:
        last = datetime.fromtimestamp(last_whole(monitors.window, now)[1], UTC)
        until = last if since is None else since + length
    start = until - length if since is None else since
    if until <= start:
        raise BadInput(f"the window ends at {until:%Y-%m-%d %H:%M}, before it starts")
    return start, until


def _champion(project: Project, ledger: Ledger, model: str) -> int | None:
    try:
        return locate(project, ledger, model).version
    except BadInput:
        return None


def _watched(
    project: Project, model: str, version: int, monitors: Monitors, since: datetime, until: datetime
) -> tuple[Watched | None, str]:
    """The window against the reference, or why it cannot be compared."""
    judged = monitors.performance
    margins = {**MARGINS, **({judged.metric: judged.margin} if judged else {})}
    try:
        found = watch(
            project, model, since=since, until=until, version=version, expected=monitors.expected, day=monitors.day,
            margins=margins,
        )  # fmt: skip
    except (BadInput, ModelError) as error:
        return None, str(error)
    return found, ""


def _refuse_unknown(monitors: Monitors, contract: Contract | None) -> None:
    """Raises BadInput for bounds of rules that neither are the contract's nor begin with one of its columns."""
    if contract is None or monitors.quality is None:
        return
    rules, columns = {rule.name for rule in contract.rules}, {column.name for column in contract.columns}
    for name in monitors.quality.rules:
        if name not in rules and name.split(" ")[0] not in columns:
            raise BadInput(
                f"model: monitors: quality: rules: '{name}' is no rule of the contract"
                f"{did_you_mean(name.split(' ')[0], {*rules, *columns})}"
            )
