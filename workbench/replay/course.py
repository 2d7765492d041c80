"""One policy through the year.

follow
├── _first               the champion of the first month
└── _month               (skipped where the journal has it)
    ├── monitoring.seen  score with the champion of then; its outcomes have come
    ├── goes_back        in its first month: against its predecessor on the same rows
    ├── the policy       train again?
    └── Place.train      the pipeline on all months so far, and its gates
    then the journal is written, then the champion is moved: what is cut short in between is done when it goes on
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.errors import PromotionError
from workbench.monitoring import reference_of
from workbench.monitors import DAY, Monitors
from workbench.replay import yours
from workbench.replay.alerting import judged, seconds
from workbench.replay.journal import Did, Journal, Record
from workbench.replay.monitoring import seen
from workbench.replay.months import Binding, Month, parameters, shown
from workbench.replay.outcomes import Outcomes
from workbench.replay.place import Place, Trained
from workbench.replay.policies import POLICIES, Decision, goes_back
from workbench.trigger_keys import Trigger

Say = Callable[[str], None]


@dataclass(frozen=True)
class Scenario:
    """What is replayed, whatever the policy."""

    model: str
    binding: Binding
    learned: tuple[Month, ...]
    """What the first champion learns from."""
    months: tuple[Month, ...]
    """That are served, in a row after those."""
    history: int | None = None
    """How many months a later version learns from, the newest; None: all."""
    margins: Mapping[str, float] = field(default_factory=dict)
    """Metrics that are monitored, and the decline that matters of each."""
    expected: Collection[str] = ()
    """Features that may drift."""
    triggers: tuple[Trigger, ...] = ()
    """Of the pipeline file: the policy `yours`."""
    monitors: Monitors = field(default_factory=Monitors)
    """Whose alerts they may wait for."""

    def known_after(self, number: int) -> tuple[Month, ...]:
        """The months to learn from once the served month of that number is over; -1: before the first."""
        known = (*self.learned, *self.months[: number + 1])
        return known if number < 0 or self.history is None else known[-self.history :]


@dataclass(frozen=True)
class Made:
    """A version, its content, and the number of the last served month that it could learn from."""

    version: int
    digest: str
    after: int


def follow(
    place: Place, policy: str, scenario: Scenario, outcomes: Outcomes, journal: Journal, file: Path, say: Say
) -> Journal:
    """The year under one policy, continued where `journal` ends; it is kept in `file` month by month.

    Raises StepError, ModelError and PromotionError.
    """
    if len(journal.records) < len(scenario.months) and journal.records and journal.records[-1].did == "ended":
        journal = replace(journal, records=journal.records[:-1])
    _settle(place, scenario.model, journal)
    for number in range(len(journal.records), len(scenario.months)):
        record = _month(place, policy, scenario, outcomes, journal, number, say)
        journal = replace(journal, records=(*journal.records, record))
        journal.save(file)
        _settle(place, scenario.model, journal)
        say(f"{scenario.months[number].name}: {record.did}: {record.reason}")
    return journal


def first_champion(place: Place, scenario: Scenario, spec: str, say: Say) -> Journal:
    """Train what serves in the first month. Raises PromotionError where its gates refuse it."""
    say(f"first: trains on {shown(scenario.learned)}")
    trained = place.train(parameters(scenario.learned, scenario.binding))
    if not trained.passed:
        raise PromotionError(
            f"version {trained.version} of '{scenario.model}', trained on {shown(scenario.learned)}, would never have "
            f"served: {trained.summary}; choose other months with --first, or parameters with -p"
        )
    return Journal(spec, trained)


def made(journal: Journal) -> dict[int, Made]:
    """Every version of a policy, by number."""
    found = {journal.first.version: Made(journal.first.version, journal.first.digest, -1)}
    for number, record in enumerate(journal.records):
        if record.trained is not None:
            found[record.trained.version] = Made(record.trained.version, record.trained.digest, number)
    return found


def _month(
    place: Place, policy: str, scenario: Scenario, outcomes: Outcomes, journal: Journal, number: int, say: Say
) -> Record:
    month, before = scenario.months[number], journal.records[-1] if journal.records else None
    version = before.after if before else journal.first.version
    versions = made(journal)
    serving = versions[version]
    decision, standing = _decided(place, policy, scenario, outcomes, before, serving, month)
    did: Did = "kept"
    reason, alert, after = decision.reason, decision.alert, version
    trained: Trained | None = None
    back, compared = False, ""
    if before is not None and before.did == "promoted":
        outcomes.learn(place.located(scenario.model, before.version))
        difference = outcomes.difference(serving.digest, versions[before.version].digest, month)
        back, compared = goes_back(difference)
    if compared and not back:
        decision = replace(decision, reason=f"{decision.reason}; in its first month {compared}, so it stays")
        reason = decision.reason
    if back:
        did, reason, alert, after = "rolled back", compared, True, before.version if before else version
    elif number == len(scenario.months) - 1:
        did, reason = "ended", f"{decision.reason}; nothing is trained after the last month"
    elif decision.retrain:
        known = shown(scenario.known_after(number))
        say(f"{month.name}: trains on {known}: {decision.reason}")
        months = parameters(scenario.known_after(number), scenario.binding)
        trained = place.train({**decision.params, **months})
        did = "promoted" if trained.deserves else "set aside" if trained.passed else "refused"
        reason = f"{decision.reason}; trained on {known}: {trained.summary}"
        after = trained.version if trained.deserves else version
    return Record(
        month.key, version, serving.digest, number - serving.after, did, reason, alert, after, trained,
        standing.as_dict() if standing else None,
    )  # fmt: skip


def _decided(
    place: Place, policy: str, scenario: Scenario, outcomes: Outcomes, before: Record | None, serving: Made, month: Month
) -> tuple[Decision, yours.Standing | None]:  # fmt: skip
    """What the policy decides at the end of a month; with `yours`, how its triggers stand then."""
    located = place.located(scenario.model, serving.version)
    outcomes.learn(located)
    rows, scores = outcomes.rows[month], outcomes.scores(serving.digest, month)
    reference = reference_of(located)
    if policy != yours.NAME:
        found = seen(rows, scores, reference, scenario.margins, scenario.expected)
        return POLICIES[policy](found), None
    standing = yours.Standing.from_dict(before.standing) if before and before.standing else yours.Standing()
    since = seconds(rows.first)
    brought = yours.Month(
        month.name, since, since + rows.length * DAY, serving.version,
        tuple(judged(rows, scores, reference, scenario.monitors)),
    )  # fmt: skip
    return yours.month_over(scenario.triggers, scenario.monitors, scenario.model, standing, brought)


def _settle(place: Place, model: str, journal: Journal) -> None:
    """Make champion whom the journal says."""
    last = journal.records[-1] if journal.records else None
    version, reason = (last.after, last.reason) if last else (journal.first.version, journal.first.summary)
    place.make_champion(model, version, reason)
