"""When a canary is taken back: what its answers were like, held against a few rules. Values in, a reason out.

A canary is taken back when
- it gives NaN or an infinity where a probability is expected, once;
- it fails in another way, `max_errors` times;
- it refuses what the champion takes: `max_errors` times, and in more than `max_refused` of what it was asked;
- it is slower than the champion by the factor `max_slowdown`, and by SLOW seconds: the median of its last batches against
  the champion's, once both have answered `min_batches`;
- it has not answered for HUNG seconds.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from workbench.serving.answers import NOT_FINITE, Refused
from workbench.setting_keys import CanaryLimits

SLOW = 0.010
"""Seconds: what is slower by less is not slower."""
HUNG = 2.0
KEPT = 200
"""Batches whose times are kept."""


@dataclass
class Tally:
    """What came of a canary's questions so far. One thread writes it."""

    asked: int = 0
    failed: int = 0
    refused: int = 0
    """What the champion took all the same."""
    not_finite: bool = False
    why: str = ""
    """Of the last failure."""
    seconds: deque[float] = field(default_factory=lambda: deque(maxlen=KEPT))
    """Of its last batches."""
    working_since: float | None = None
    """When the batch that it works on began, by the monotonic clock."""

    def failure(self, refused: Refused) -> None:
        self.failed += 1
        self.why = str(refused)
        self.not_finite |= refused.reason == NOT_FINITE


def objection(tally: Tally, champion: Sequence[float], limits: CanaryLimits, now: float) -> str:
    """Why the canary is to be taken back; '' while it may go on. `champion` are seconds of the champion's batches."""
    if tally.not_finite:
        return f"it gave no probability: {tally.why}"
    if tally.failed >= limits.max_errors:
        return f"it failed {tally.failed} times of {tally.asked}: {tally.why}"
    if tally.refused >= limits.max_errors and tally.refused > limits.max_refused * tally.asked:
        return f"it refused {tally.refused} of {tally.asked} requests that the champion takes"
    if tally.working_since is not None and now - tally.working_since > HUNG:
        return f"it has not answered for {now - tally.working_since:.1f} s"
    if min(len(tally.seconds), len(champion)) >= limits.min_batches:
        own, other = median(tally.seconds), median(champion)
        if own > other * limits.max_slowdown and own - other > SLOW:
            return (
                f"it takes {own * 1000:.0f} ms for a batch, the champion {other * 1000:.0f} ms, and at most "
                f"{limits.max_slowdown:g} times that is accepted"
            )
    return ""
