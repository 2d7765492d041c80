"""What came of each policy: how good it was, what it cost, which alarms were false, and how models age. Pure.

Months count alike: a figure over all of them is the mean of theirs, and its interval the spread of that mean over
resamples of days within the months. Differences are of the same rows under the same resamples, hence paired.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from workbench.evaluation import Interval, Measured, compare
from workbench.gates import compared
from workbench.replay.course import Scenario, made
from workbench.replay.journal import Journal, Record
from workbench.replay.months import Month
from workbench.replay.outcomes import Outcomes
from workbench.replay.policies import MARGIN

METRICS = ("auc", "log_loss")


@dataclass(frozen=True)
class Judged:
    """A month's record, and what the next month showed of its decision."""

    month: Month
    record: Record
    quality: Mapping[str, Interval]
    """Of the version that answered, by METRICS."""
    next_month: Interval | None
    """Log loss of what was trained minus that of the champion then, in the month after; None where nothing was trained."""
    right: bool | None
    """Whether that month proved the decision right; None where it does not say."""
    verdict: str
    """The same in words."""


@dataclass(frozen=True)
class Outcome:
    """One policy over all months."""

    policy: str
    quality: Mapping[str, Interval]
    against: Mapping[str, Interval]
    """Minus the first champion, left in place all the time."""
    months: tuple[Judged, ...]
    cost: float
    """Seconds that its steps take when nothing is cached, the first champion's included."""
    took: float
    """Seconds that they took here."""

    def count(self, *did: str) -> int:
        return sum(each.record.did in did for each in self.months)

    @property
    def trainings(self) -> int:
        """After the first one."""
        return sum(each.record.trained is not None for each in self.months)

    @property
    def alerts(self) -> int:
        return sum(each.record.alert for each in self.months)

    @property
    def false_alarms(self) -> int:
        """Alerts in months in which a model trained anew would not have been better."""
        return sum(
            each.record.alert and each.next_month is not None and _is(each.next_month) != "better"
            for each in self.months
        )

    @property
    def rightly_refused(self) -> tuple[int, int]:
        """How many refusals the month after proved right, and how many there were."""
        refused = [each for each in self.months if each.record.did in ("refused", "set aside")]
        return sum(bool(each.right) for each in refused), len(refused)


@dataclass(frozen=True)
class Aged:
    """What versions lose by their age, against one as fresh as can be."""

    age: int
    """Months since what they could learn from; 1 is fresh."""
    months: int
    """That it was measured in."""
    loss: Mapping[str, Interval]
    """By METRICS: the aged minus the fresh one, the mean over those months."""


def judge(policy: str, journal: Journal, scenario: Scenario, outcomes: Outcomes) -> Outcome:
    """What came of one policy."""
    records = journal.records[: len(scenario.months)]
    served = [outcomes.measured(r.digest, m) for r, m in zip(records, scenario.months, strict=True)]
    first = [outcomes.measured(journal.first.digest, month) for month in scenario.months]
    ours, theirs = mean(served), mean(first)
    trained = [journal.first, *(each.trained for each in records if each.trained)]
    return Outcome(
        policy,
        _chosen(ours.intervals()),
        _chosen(compare(ours, theirs)),
        tuple(_judged(n, records, served[n], scenario, outcomes, journal) for n in range(len(records))),
        round(sum(each.cost for each in trained), 1),
        round(sum(each.took for each in trained), 1),
    )


def ages(journals: Sequence[Journal], scenario: Scenario, outcomes: Outcomes) -> tuple[Aged, ...]:
    """How versions age: every one that any policy trained, in every month in which a fresh one is known, too."""
    by_month: dict[int, str] = {}
    for journal in journals:
        by_month |= {each.after: each.digest for each in made(journal).values()}
    found = []
    for age in range(2, len(scenario.months) + 1):
        pairs = [
            (outcomes.measured(by_month[at - age], month), outcomes.measured(by_month[at - 1], month))
            for at, month in enumerate(scenario.months)
            if at - age in by_month and at - 1 in by_month
        ]
        if pairs:
            aged, fresh = (mean([pair[side] for pair in pairs]) for side in (0, 1))
            found.append(Aged(age, len(pairs), _chosen(compare(aged, fresh))))
    return tuple(found)


def mean(months: Sequence[Measured]) -> Measured:
    """The mean over months that were resampled independently of each other."""
    names = months[0].values
    values = {name: float(np.mean([each.values[name] for each in months])) for name in names}
    resampled = {name: np.mean([each.resampled[name] for each in months], axis=0) for name in names}
    return Measured(values, resampled, sum(each.units for each in months))


def _judged(
    number: int, records: Sequence[Record], served: Measured, scenario: Scenario, outcomes: Outcomes, journal: Journal
) -> Judged:  # fmt: skip
    record, month = records[number], scenario.months[number]
    quality = _chosen(served.intervals())
    if number + 1 == len(scenario.months):
        return Judged(month, record, quality, None, None, "the year ends here")
    following = scenario.months[number + 1]
    candidate, champion = record.trained.digest if record.trained else None, record.digest
    if record.did == "rolled back":
        candidate = made(journal)[record.after].digest
    if candidate is None:
        return Judged(month, record, quality, None, None, "")
    apart = outcomes.difference(candidate, champion, following)
    moved = record.did in ("promoted", "rolled back")
    outcome = _is(apart)
    right = {"better": moved, "worse": not moved}.get(outcome, None if moved else True)
    said = f"{following.name}: {outcome} by {apart.value:+.4f} ({apart.low:+.4f} to {apart.high:+.4f})"
    return Judged(month, record, quality, apart, right, said)


def _is(difference: Interval) -> str:
    return compared(difference.as_dict(), MARGIN, higher_is_better=False)


def _chosen(found: Mapping[str, Interval]) -> dict[str, Interval]:
    return {name: found[name] for name in METRICS}


def as_dict(outcome: Outcome) -> dict[str, Any]:
    """Plain values, for JSON."""
    right, refused = outcome.rightly_refused
    return {
        "policy": outcome.policy,
        "quality": {name: each.as_dict() for name, each in outcome.quality.items()},
        "against_never": {name: each.as_dict() for name, each in outcome.against.items()},
        "trainings": outcome.trainings,
        "promoted": outcome.count("promoted"),
        "refused": refused,
        "rightly_refused": right,
        "rolled_back": outcome.count("rolled back"),
        "alerts": outcome.alerts,
        "false_alarms": outcome.false_alarms,
        "cost_seconds": outcome.cost,
        "took_seconds": outcome.took,
        "months": [
            {
                **each.record.as_dict(),
                "quality": {name: of.as_dict() for name, of in each.quality.items()},
                "next_month": each.next_month.as_dict() if each.next_month else None,
                "right": each.right,
                "verdict": each.verdict,
            }
            for each in outcome.months
        ],
    }
