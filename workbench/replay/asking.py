"""What a replay is asked for, held against the project: refused before anything starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from workbench.contracts.contract import read_contract
from workbench.delivery import named_outputs
from workbench.digests import digest_bytes
from workbench.errors import BadInput, did_you_mean
from workbench.loading import load_pipeline
from workbench.monitors import Monitors
from workbench.pipeline import Files, Model, Pipeline
from workbench.plan import Selection, Surroundings, selected
from workbench.replay.course import Scenario
from workbench.replay.months import Month, between, binding_of, learned, month_of
from workbench.replay.policies import POLICIES
from workbench.replay.yours import NAME as YOURS
from workbench.settings import Project
from workbench.trail import canonical

MARGINS = {"log_loss": 0.01, "auc": 0.01}
"""Metrics that are monitored, and the decline that matters of each, where the pipeline file declares none."""

NAMES = (*POLICIES, YOURS)
"""Of all policies."""

FORMAT = 1
"""Of what is kept of a replay; raised when decisions are made in another way."""


@dataclass(frozen=True)
class Asked:
    """What is asked for."""

    pipeline: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    """Parameters of the pipeline, as text."""
    policies: tuple[str, ...] = ()
    """Some of NAMES; none: every one that the pipeline has what it takes for."""
    first: str | None = None
    """The first month that is served; None: the one after those that the pipeline learns from."""
    last: str | None = None
    """None: December."""
    history: int | None = None
    expected: tuple[str, ...] = ()
    anew: bool = False
    """Forget what happened in an earlier replay; finished steps stay."""

    def state(self, policy: str) -> str:
        """The name of the state in which a policy is replayed: another question has another one."""
        question = {
            "arguments": dict(self.arguments),
            "first": self.first,
            "history": self.history,
            "expected": sorted(self.expected),
        }
        if not any(question.values()):
            return policy
        return f"{policy}-{digest_bytes(canonical(question).encode())[:6]}"


def read(project: Project, asked: Asked) -> tuple[Pipeline, Scenario]:
    """What is asked for, held against the project. Raises BadInput."""
    for policy in asked.policies:
        if policy not in NAMES:
            raise BadInput(f"there is no policy '{policy}'{did_you_mean(policy, NAMES)}")
    pipeline = load_pipeline(asked.pipeline, arguments=asked.arguments, project=project)
    if YOURS in asked.policies and not pipeline.triggers:
        raise BadInput(
            f"policy '{YOURS}' asks the triggers of the pipeline, and {pipeline.file.name} has no 'triggers:'"
        )
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
    monitors = model.monitors
    judged = monitors.performance if monitors else None
    expected = frozenset((*asked.expected, *(monitors.expected if monitors else ())))
    return pipeline, Scenario(
        model.name,
        binding,
        known,
        months,
        asked.history,
        {judged.metric: judged.margin} if judged else MARGINS,
        expected,
        pipeline.triggers,
        replace(monitors or Monitors(), expected=tuple(sorted(expected))),
    )


def policies(asked: Asked, pipeline: Pipeline) -> tuple[str, ...]:
    """Those to replay, in order, each once."""
    every = NAMES if pipeline.triggers else tuple(POLICIES)
    return tuple(dict.fromkeys(asked.policies or every))


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


def spec_of(pipeline: Pipeline, scenario: Scenario, policy: str) -> str:
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
    if policy == YOURS:
        decided["yours"] = [repr(scenario.triggers), repr(scenario.monitors)]
    return digest_bytes(canonical(decided).encode())
