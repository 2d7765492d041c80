"""A replay from what is asked for to what came of it.

replay
├── read             the pipeline, the months, the policies: refused before anything starts
├── first champion, rows of all months        (in the state of the first policy)
├── course.follow    each policy through its year, in a state of its own
└── findings         judged together, for they share rows and versions
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import WorkbenchError
from workbench.events import Listener
from workbench.executors import KERNEL, LocalExecutor
from workbench.locks import locked
from workbench.pipeline import Pipeline
from workbench.replay.asking import Asked, policies, read, spec_of
from workbench.replay.course import Say, Scenario, first_champion, follow, made
from workbench.replay.findings import Aged, Outcome, ages, as_dict, judge
from workbench.replay.journal import Journal, read_journal
from workbench.replay.months import parameters
from workbench.replay.outcomes import Outcomes, read_outcomes
from workbench.replay.place import FOLDER, Place, Training, place_of, start_anew, take_over
from workbench.replay.results import keep
from workbench.settings import STATE, Project


@dataclass(frozen=True)
class Replay:
    """What came of it."""

    pipeline: str
    scenario: Scenario
    outcomes: tuple[Outcome, ...]
    """One a policy."""
    aging: tuple[Aged, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        scenario = self.scenario
        return {
            "pipeline": self.pipeline,
            "model": scenario.model,
            "learned": [month.key for month in scenario.learned],
            "months": [month.key for month in scenario.months],
            "history": scenario.history,
            "policies": [as_dict(each) for each in self.outcomes],
            "aging": [
                {"age": each.age, "months": each.months}
                | {name: of.as_dict() for name, of in each.loss.items()}
                for each in self.aging
            ],
        }


_TELLING = ("months", "since", "until")
"""Parameters that tell a pipeline its months: from the command line they are of the first champion only."""


def replay(
    project: Project, asked: Asked, say: Say = lambda _: None, listener: Listener | None = None
) -> Replay:
    """Go through the months under each policy. Goes on where an earlier replay was interrupted.

    Raises BadInput for an unknown pipeline, parameter, month, policy or feature, and for a pipeline that cannot be replayed,
    before anything starts; StepError and PromotionError where training or the first champion fails; KeyboardInterrupt.
    """
    pipeline, scenario = read(project, asked)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(project.root / STATE / FOLDER / f"{pipeline.name}.lock", timeout=0))
        except TimeoutError:
            busy = f"'{pipeline.name}' is being replayed by another process; wait for it, or end it"
            raise WorkbenchError(busy) from None
        stack.enter_context(_environment_kept())
        executor = stack.enter_context(LocalExecutor([KERNEL], excluded=[project.root]))
        found = _Year(asked, pipeline, scenario, Training(executor, listener), say).lived()
        keep(project, found.pipeline, found.as_dict())
        return found


@contextmanager
def _environment_kept() -> Iterator[None]:
    """Connecting to a state's MLflow names that state to the whole process: not for what comes after."""
    before = dict(os.environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


class _Year:
    """One replay: the policies one after the other."""

    def __init__(
        self, asked: Asked, pipeline: Pipeline, scenario: Scenario, training: Training, say: Say
    ) -> None:
        self.asked, self.pipeline, self.scenario = asked, pipeline, scenario
        self.project, self.training, self.say = pipeline.project, training, say

    def lived(self) -> Replay:
        outcomes: Outcomes | None = None
        journals: dict[str, Journal] = {}
        for policy in policies(self.asked, self.pipeline):
            self.say(f"policy {policy}")
            with self._place(policy) as (place, journal, file):
                outcomes = outcomes or self._outcomes(place)
                journals[policy] = follow(
                    place, policy, self.scenario, outcomes, journal, file, self._indented
                )
                for version in made(journals[policy]):
                    outcomes.learn(place.located(self.scenario.model, version))
        assert outcomes is not None
        found = tuple(judge(policy, each, self.scenario, outcomes) for policy, each in journals.items())
        return Replay(
            self.pipeline.name, self.scenario, found, ages(list(journals.values()), self.scenario, outcomes)
        )

    @contextmanager
    def _place(self, policy: str) -> Iterator[tuple[Place, Journal, Path]]:
        """The state of a policy with its journal, which has the first champion at least."""
        project = place_of(self.project, self.pipeline.name, self.asked.state(policy))
        file = project.state / "journal.json"
        spec = spec_of(self.pipeline, self.scenario, policy)
        journal = None if self.asked.anew else read_journal(file, spec)
        if journal is None:
            start_anew(project)
        others = [each / "store" for each in sorted(project.state.parent.glob("*")) if each != project.state]
        take_over(project, [self.project.store, *others], self.pipeline.name)
        arguments = {name: text for name, text in self.asked.arguments.items() if name not in _TELLING}
        with Place(project, self.pipeline.file, arguments, self.training) as place:
            if journal is None:
                journal = first_champion(place, self.scenario, spec, self._indented)
                journal.save(file)
            yield place, journal, file

    def _outcomes(self, place: Place) -> Outcomes:
        model = self.pipeline.model
        assert model is not None
        assert model.replay is not None
        more = parameters(self.scenario.months, self.scenario.binding)
        files = [path for path, _ in place.files(more, model.replay.outputs)]
        contract = self.project.root / str(model.contract)
        return Outcomes(read_outcomes(files, contract, model.replay.day, self.scenario.months))

    def _indented(self, text: str) -> None:
        self.say(f"  {text}")
