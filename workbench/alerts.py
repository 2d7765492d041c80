"""An alert's life: opened, acknowledged, resolved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.monitors import Severity

STATES = ("open", "acknowledged", "resolved")


@dataclass(frozen=True)
class Alert:
    """A row of the ledger's table `alerts`. Times are seconds since the epoch (UTC)."""

    id: int
    model: str
    version: int | None
    monitor: str
    """One of monitors.MONITORS."""
    subject: str
    severity: Severity
    """The highest that it had."""
    state: str
    """One of STATES."""
    title: str
    opened: float
    changed: float
    acknowledged: float | None = None
    acknowledged_by: str | None = None
    resolved: float | None = None
    resolved_by: str | None = None
    """A person, or `monitor`."""
    window: int | None = None
    """The newest window that showed it."""
    content: Mapping[str, Any] = field(default_factory=dict)
    """`since`, `until` (seconds) and `evidence` of the finding that it stands on."""
