"""What is done with the champion at the end of a month. What was seen in, a decision with its reason out; pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from workbench.evaluation import Interval
from workbench.gates import compared

MARGIN = 0.002
"""In nats of log loss: less is no reason to go back."""


@dataclass(frozen=True)
class Seen:
    """What the monitors say of the champion at the end of a month, once the outcomes are there."""

    drifted: Mapping[str, int] = field(default_factory=dict)
    """In how many weeks each feature, or the answers, drifted; only those that did."""
    weeks: int = 0
    """That were judged."""
    worse: tuple[str, ...] = ()
    """Metrics by which it is confidently worse than in its reference period, in words."""
    better_than: str = ""
    """What was found instead where nothing is worse, in words."""


@dataclass(frozen=True)
class Decision:
    """Whether to train again, and why; `alert`: because something was wrong."""

    retrain: bool
    reason: str
    alert: bool = False
    params: Mapping[str, Any] = field(default_factory=dict)
    """Values for the training, where what asks for it has some."""


Policy = Callable[[Seen], Decision]


def never(seen: Seen) -> Decision:
    return Decision(False, "the policy never trains again")


def monthly(seen: Seen) -> Decision:
    return Decision(True, "a month is over")


def on_drift(seen: Seen) -> Decision:
    """Train again when any column drifted in most of the weeks: one odd week is weather."""
    lasting = {name: weeks for name, weeks in seen.drifted.items() if weeks * 2 > seen.weeks}
    if lasting:
        most = sorted(lasting, key=lambda name: (-lasting[name], name))
        more = f" and {len(most) - 3} more" if len(most) > 3 else ""
        return Decision(True, f"drifted in most weeks: {', '.join(most[:3])}{more}", alert=True)
    if not seen.weeks:
        return Decision(False, "no week could be judged for drift")
    some = f"; now and then: {', '.join(sorted(seen.drifted)[:3])}" if seen.drifted else ""
    return Decision(False, f"nothing drifted in most of {seen.weeks} weeks{some}")


def on_performance(seen: Seen) -> Decision:
    if seen.worse:
        return Decision(
            True, f"confidently worse than when it was judged: {'; '.join(seen.worse)}", alert=True
        )
    return Decision(False, f"not confidently worse than when it was judged: {seen.better_than}")


POLICIES: Mapping[str, Policy] = {
    "never": never,
    "monthly": monthly,
    "drift": on_drift,
    "performance": on_performance,
}
"""By the name that `workbench replay --policy` takes."""


def goes_back(difference: Interval, margin: float = MARGIN) -> tuple[bool, str]:
    """Whether a champion in its first month gives way to its predecessor, and why.

    `difference`: its log loss minus that of its predecessor on the same rows, paired.
    """
    outcome = compared(difference.as_dict(), margin, higher_is_better=False)
    said = f"log loss {difference.value:+.4f} ({difference.low:+.4f} to {difference.high:+.4f}) against its predecessor"
    return outcome == "worse", f"{outcome}: {said}"
