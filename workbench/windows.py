"""One window of the version that serves: measured, judged by the declared monitors, on record, with what it changes.

judge
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
from workbench.errors import BadInput, ModelError, did_you_mean
from workbench.findings import findings
from workbench.health import Health, health
from workbench.ledger import Ledger
from workbench.ledger_alerts import Window
from workbench.monitoring import Watched, watch
from workbench.monitors import DAY, Monitors
from workbench.notify import channels
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
    start, end = _span(monitors, since, until, time.time() if now is None else now)
    with Ledger.open(project) as ledger:
        located = locate(project, ledger, model, version)
        champion = located.version if version == ALIAS else _champion(project, ledger, model)
    contract = read_contract(located.contract).of_features() if located.contract else None
    _refuse_unknown(monitors, contract)
    own = health(project, model, located.version, contract, since=start, until=end, day=monitors.day)
    watched, refused = _watched(project, model, located.version, monitors, start, end)
    found = findings(monitors, own, watched, {}, since=start, until=end)
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


def last_whole(window: float, now: float) -> tuple[float, float]:
    """The last window of so many seconds that is over, by seconds since the epoch.

    One of a day or more ends at midnight (UTC), a shorter one where whole ones since the epoch end: whoever asks twice
    on a day means the same window.
    """
    step = min(window, DAY)
    end = now // step * step
    return end - window, end


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
    try:
        found = watch(
            project, model, since=since, until=until, version=version, expected=monitors.expected, day=monitors.day
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
