"""A replay from what is asked for to what came of it.

replay
├── read             the pipeline, the months, the policies: refused before anything starts
├── first champion, rows of all months        (in the state of the first policy)
├── course.follow    each policy through its year, in a state of its own
└── findings         judged together, for they share rows and versions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench.contracts.contract import read_contract
from workbench.delivery import named_outputs
from workbench.digests import digest_bytes
from workbench.errors import BadInput, WorkbenchError, did_you_mean
from workbench.events import Listener
from workbench.executors import KERNEL, LocalExecutor
from workbench.loading import load_pipeline
from workbench.locks import locked
from workbench.pipeline import Files, Model, Pipeline
from workbench.plan import Selection, Surroundings, selected
from workbench.replay.course import Say, Scenario, first_champion, follow, made
from workbench.replay.findings import Aged, Outcome, ages, as_dict, judge
from workbench.replay.journal import Journal, read_journal
from workbench.replay.months import Month, between, binding_of, learned, month_of, parameters
from workbench.replay.outcomes import Outcomes, read_outcomes
from workbench.replay.place import FOLDER, Place, Training, place_of, start_anew, take_over
from workbench.replay.policies import POLICIES
from workbench.settings import Project
from workbench.trail import canonical

FORMAT = 1
"""Of what is kept of a replay; raised when decisions are made in another way."""


@dataclass(frozen=True)
class Asked:
    """What is asked for."""

    pipeline: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the pipeline, as text."""
    policies: tuple[str, ...] = tuple(POLICIES)
    first: str | None = None
    """The first month that is served; None: the one after those that the pipeline learns from."""
    last: str | None = None
    """None: December."""
    history: int | None = None
    expected: tuple[str, ...] = ()
    anew: bool = False
    """Forget what happened in an earlier replay; finished steps stay."""


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
    try:
        with locked(project.state / FOLDER / f"{pipeline.name}.lock", timeout=0), ExitStack() as stack:
            executor = stack.enter_context(LocalExecutor([KERNEL], excluded=[project.root]))
            return _Year(asked, pipeline, scenario, Training(executor, listener), say).lived()
    except TimeoutError:
        raise WorkbenchError(
            f"'{pipeline.name}' is being replayed by another process; wait for it, or end it"
        ) from None


def read(project: Project, asked: Asked) -> tuple[Pipeline, Scenario]:
    """What is asked for, held against the project. Raises BadInput."""
    for policy in asked.policies:
        if policy not in POLICIES:
            raise BadInput(f"there is no policy '{policy}'{did_you_mean(policy, POLICIES)}")
    pipeline = load_pipeline(asked.pipeline, arguments=asked.arguments, project=project)
    model = _replayable(pipeline)
    declared = {name for step in pipeline.steps.values() for name in step.notebook.parameters}
    binding = binding_of(declared, pipeline.name)
    known = learned(pipeline.parameters, binding, pipeline.name)
    if asked.first is not None:
        known = tuple(each for each in between(known[0], month_of(asked.first, binding)))[:-1]
        if not known:
            raise BadInput(
                f"nothing could be learned before {asked.first}, the first month of the pipeline's data"
            )
    if asked.last is None and binding == "dates":
        raise BadInput("which month is the last? Say --last, such as 2013-12")
    last = Month(0, 12) if asked.last is None else month_of(asked.last, binding)
    months = between(known[-1].following, last)
    features = read_contract(project.root / str(model.contract)).features
    for name in asked.expected:
        if name not in features:
            raise BadInput(f"the model has no feature '{name}'{did_you_mean(name, features)}")
    return pipeline, Scenario(
        model.name, binding, known, months, asked.history, expected=frozenset(asked.expected)
    )


def _replayable(pipeline: Pipeline) -> Model:
    """Its model. Raises BadInput where something is missing that a replay needs."""
    model, file = pipeline.model, pipeline.file.name
    if model is None:
        raise BadInput(
            f"pipeline '{pipeline.name}' delivers no model, so there is nothing to replay ({file})"
        )
    missing = {
        "replay": model.replay,
        "contract": model.contract,
        "gates": model.gates,
        "reference": model.reference,
    }
    if absent := [key for key, value in missing.items() if not value]:
        example = ": {rows: [split.train, split.test], day: date}" if absent[0] == "replay" else ""
        raise BadInput(f"'model:' of {file} has no '{absent[0]}', which a replay needs{example}")
    if not pipeline.project.mlflow_enabled:
        raise BadInput("a replay registers versions: set 'enabled = true' under [mlflow] in workbench.toml")
    return model


class _Year:
    """One replay: the policies one after the other."""

    def __init__(
        self, asked: Asked, pipeline: Pipeline, scenario: Scenario, training: Training, say: Say
    ) -> None:
        self.asked, self.pipeline, self.scenario = asked, pipeline, scenario
        self.project, self.training, self.say = pipeline.project, training, say
        self.spec = _spec(pipeline, scenario)

    def lived(self) -> Replay:
        outcomes: Outcomes | None = None
        journals: dict[str, Journal] = {}
        for policy in dict.fromkeys(self.asked.policies):
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
        project = place_of(self.project, self.pipeline.name, policy)
        file = project.state / "journal.json"
        journal = None if self.asked.anew else read_journal(file, self.spec)
        if journal is None:
            start_anew(project)
        others = [
            place_of(self.project, self.pipeline.name, each).store for each in POLICIES if each != policy
        ]
        take_over(project, [self.project.store, *others], self.pipeline.name)
        arguments = {name: text for name, text in self.asked.arguments.items() if name not in _TELLING}
        with Place(project, self.pipeline.file, arguments, self.training) as place:
            if journal is None:
                journal = first_champion(place, self.scenario, self.spec, self._indented)
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


def _spec(pipeline: Pipeline, scenario: Scenario) -> str:
    """Digest of all that decides what happens in a month: code, parameters, files from outside, gates, what was learned."""
    model = pipeline.model
    assert model is not None
    surroundings = Surroundings(pipeline.project)
    wanted = tuple(each.step for each in named_outputs(model).values())
    steps = selected(pipeline, Selection(only=wanted))
    surroundings.learn(steps.values())
    made_of = {}
    for key, step in steps.items():
        outside = {name: source for name, source in step.inputs.items() if isinstance(source, Files)}
        ingredients = surroundings.ingredients(replace(step, inputs=outside), {})
        made_of[key] = ingredients.fingerprint()
    decided = {
        "format": FORMAT,
        "steps": made_of,
        "gates": dict(model.gates),
        "learned": [each.key for each in scenario.learned],
        "history": scenario.history,
        "margins": dict(scenario.margins),
        "expected": sorted(scenario.expected),
    }
    return digest_bytes(canonical(decided).encode())
