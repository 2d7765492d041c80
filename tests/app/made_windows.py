"""Windows and alerts of a made project, in the ledger by bulk inserts: a window a day.

Everything follows from the number of a window, counted from 0: every 7th is worse than it should be, every 11th could not be
compared; version 1 served the first half.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from workbench import ledger_schema as schema
from workbench.ledger import Ledger
from workbench.settings import Project

if TYPE_CHECKING:
    from tests.app.projects import Scale

MODEL = "delay"
DAY = 86_400.0
FEATURES = tuple(f"feature_{number:02}" for number in range(20))
SLICES = 120
MOVED, WORSE = 7, 11


def fill(project: Project, ledger: Ledger, scale: Scale) -> None:
    """Windows until yesterday, the alerts that they opened, three of them open still."""
    count = 30 * scale.months
    end = time.time() // DAY * DAY
    windows = [_window(number, count, end - (count - number) * DAY) for number in range(count)]
    with ledger.writing() as connection:
        connection.execute(schema.windows.insert(), windows)
        connection.execute(schema.alerts.insert(), list(_alerts(count, end)))


def _window(number: int, count: int, since: float) -> dict[str, Any]:
    refused = number % WORSE == 0
    bad = number % MOVED == 0 and not refused
    findings = [
        {"monitor": "inputs", "subject": name, "severity": "warning" if bad and name == FEATURES[0] else None,
         "title": f"'{name}' moved 0.100", "evidence": _moved(name, bad=bad)}
        for name in FEATURES
    ]  # fmt: skip
    health = {"rows": 900, "latency": {"requests": 900, "median": 0.004, "p95": 0.02, "p99": 0.05},
              "requests": {"total": 1000, "errors": number % 3, "statuses": {"200": 997}, "reasons": {}, "rules": {}}}  # fmt: skip
    content = {
        "findings": [] if refused else findings,
        "health": health,
        "watched": None if refused else _watched(bad=bad),
    }
    return {
        "id": number + 1, "model": MODEL, "version": 1 if number < count // 2 else 2, "since": since, "until": since + DAY,
        "created": since + DAY, "rows": 900 + number % 50, "content": content,
        "refused": "the window has 12 rows, expected at least 200" if refused else "",
    }  # fmt: skip


def _watched(*, bad: bool) -> dict[str, Any]:
    apart = {"value": 0.05, "low": 0.03, "high": 0.07} if bad else {"value": 0.0, "low": -0.02, "high": 0.02}
    decline = {"value": 0.5 + apart["value"], "interval": {"value": 0.5, "low": 0.48, "high": 0.52}, "reference": 0.5,
               "difference": apart, "margin": 0.01, "worse": bad}  # fmt: skip
    own = {"value": decline["value"], "low": decline["value"] - 0.02, "high": decline["value"] + 0.02}
    explained = [
        {"feature": FEATURES[3], "impact": 0.02, "within": 0.02, "mix": 0.0, "where": ["a"], "rows": 0.1}
    ]
    return {
        "inputs": [_moved(name, bad=bad and name == FEATURES[0]) for name in FEATURES], "answer": None, "outcomes": 800,
        "performance": {"log_loss": own}, "declines": {"log_loss": decline}, "explained": explained if bad else [],
        "slices": [{"feature": "k", "value": str(number), "rows": 9, "log_loss": [0.5, 0.5], "brier": [0.2, 0.2],
                    "difference": {"value": 0.0, "low": -0.1, "high": 0.1}} for number in range(SLICES)],
    }  # fmt: skip


def _moved(name: str, *, bad: bool) -> dict[str, Any]:
    return {"name": name, "distance": 0.2 if bad else 0.05, "limit": 0.1, "score": 1.0, "drifted": bad, "expected": False,
            "psi": 0.01, "wasserstein": 0.1, "kolmogorov_smirnov": 0.1, "cramers_v": None, "missing": [0.0, 0.01],
            "unseen": 0.0, "detectable": 0.02}  # fmt: skip


def _alerts(count: int, end: float) -> Any:
    """One a window that was bad; the newest three go on."""
    bad = [number for number in range(count) if number % MOVED == 0 and number % WORSE]
    for place, number in enumerate(bad):
        open_ = place >= len(bad) - 3
        moment = end - (count - number - 1) * DAY
        yield {
            "model": MODEL, "version": 2, "monitor": "inputs", "subject": FEATURES[place % 3], "severity": "warning",
            "state": "open" if open_ else "resolved", "title": f"'{FEATURES[place % 3]}' moved 0.200, more than is ordinary (0.100)",
            "opened": moment, "changed": moment, "resolved": None if open_ else moment + DAY,
            "resolved_by": None if open_ else "monitor", "window": number + 1,
            "content": {"windows": 1, "since": moment - DAY, "until": moment, "evidence": {}},
        }  # fmt: skip
