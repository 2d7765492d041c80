"""What one monitor says of one subject in one window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("warning", "critical")
"""From the lesser to the greater."""

MONITORS = ("inputs", "answers", "quality", "volume", "freshness", "performance", "service")


@dataclass(frozen=True)
class Finding:
    """What one monitor says of one subject in one window; what could not be judged makes no finding."""

    monitor: str
    """One of MONITORS."""
    subject: str
    """What of it: a feature, a rule, a metric; empty where the monitor has only one."""
    severity: Severity | None
    """None: as it should be."""
    title: str
    """One sentence for people, with the numbers that decide."""
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Plain values, for JSON."""
