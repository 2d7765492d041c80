"""`triggers:` in a pipeline file: what is refused, with its place, and what the values are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from workbench.errors import SpecError
from workbench.loading import load_pipeline
from workbench.schema import json_schema, shape_problems
from workbench.settings import Project
from workbench.trigger_keys import TRIGGER_KEYS, Trigger
from workbench.yamls import parse_value

FILE = "{pipeline: p, steps: {a: {notebook: a.ipynb}}, triggers: %s}"
MODEL = "{pipeline: p, steps: {a: {notebook: a.ipynb}}, model: {name: m, version: a.m}, triggers: %s}"

WRONG = [
    ("[]", "triggers: [] is not a list of triggers"),
    ("{schedule: x}", "triggers: {'schedule': 'x'} is not a list of triggers"),
    ("[weekly]", "triggers.0: 'weekly' is not a mapping with one of schedule, new_data, alert, staleness"),
    ("[{name: x}]", "triggers.0: has none of schedule, new_data, alert, staleness"),
    ("[{scedule: '0 6 * * 1'}]", "triggers.0.scedule: unknown key; did you mean 'schedule'?"),
    ("[{staleness: 3d, new_data: a}]", "triggers.0: is both new_data and staleness; write two triggers"),
    ("[{schedule: 6}]", "triggers.0.schedule: 6 is not a schedule"),
    ("[{schedule: '0 6 * *'}]", "triggers.0.schedule: '0 6 * *' has 4 fields; expected five"),
    ("[{schedule: '0 6 * * 1', catch_up: last}]", "triggers.0.catch_up: 'last' is not one of latest, all, skip"),
    ("[{new_data: ''}]", "triggers.0.new_data: '' is not a pattern of files"),
    ("[{new_data: []}]", "triggers.0.new_data: [] is not a pattern of files"),
    ("[{alert: performance}]", "triggers.0.alert: 'performance' is not a mapping"),
    ("[{alert: {monitr: inputs}}]", "triggers.0.alert.monitr: unknown key; did you mean 'monitor'?"),
    ("[{alert: {model: m, monitor: drift}}]", "triggers.0.alert.monitor: 'drift' is not one of inputs, answers"),
    ("[{alert: {model: m, min_severity: warn}}]", "did you mean 'warning'?"),
    ("[{staleness: soon}]", "triggers.0.staleness: 'soon' is not a duration"),
    ("[{staleness: 30d, budget: 0}]", "triggers.0.budget: 0 is not a number of runs"),
    ("[{staleness: 30d, cool_down: 0}]", "triggers.0.cool_down: 0 is not more than nothing"),
    ("[{staleness: 30d, quarantine_after: -1}]", "triggers.0.quarantine_after: -1 is not a count"),
    ("[{staleness: 30d, params: 3}]", "triggers.0.params: 3 is not a mapping"),
]  # fmt: skip
ONLY_CHECKED = [
    ("[{schedule: '0 6 30 2 *'}]", "triggers.0.schedule: '0 6 30 2 *' has no valid day-of-month"),
    ("[{schedule: '0 6 * * 1', zone: Europe/Berln}]", "triggers.0.zone: 'Europe/Berln' is not a time zone; did you mean 'Europe/Berlin'?"),
    ("[{new_data: ../up.csv}]", "triggers.0.new_data: '../up.csv' is not in the project"),
    ("[{new_data: 'a/**b'}]", "'a/**b' is not a pattern; '**' stands for folders"),
    ("[{alert: {}}]", "triggers.0.alert: this pipeline delivers no model, so 'model' must say which one is meant"),
    ("[{staleness: 3d, zone: UTC}]", "triggers.0.zone: is for a schedule, and this is 'staleness'"),
    ("[{staleness: 3d}, {staleness: 4d}]", "triggers.1: 'staleness' is the trigger above already; give one of them another 'name'"),
]  # fmt: skip


def problems(text: str) -> list[str]:
    return [f"{'.'.join(map(str, place))}: {message}" for place, message in shape_problems(parse_value(text))]


@pytest.mark.parametrize(("triggers", "message"), WRONG + ONLY_CHECKED)
def test_each_mistake_has_its_place_and_message(triggers: str, message: str) -> None:
    found = problems(FILE % triggers)
    assert any(message in each for each in found), found


@pytest.mark.parametrize(("triggers", "message"), WRONG)
def test_the_json_schema_refuses_it_too(triggers: str, message: str) -> None:
    assert not jsonschema.Draft202012Validator(json_schema()).is_valid(parse_value(FILE % triggers))


def test_every_key_is_in_the_json_schema_with_its_meaning() -> None:
    described = json_schema()["properties"]["triggers"]["items"]["properties"]
    assert described.keys() == TRIGGER_KEYS.keys()
    assert all(len(each["description"]) > 10 for each in described.values())


DECLARED = """\
pipeline: p
params: {seed: 1}
steps:
  a: {notebook: a.ipynb, outputs: {m: m/}}
model: {name: flights, version: a.m}
triggers:
  - {schedule: "0 6 * * 1", zone: Europe/Berlin, catch_up: all, name: weekly, params: {months: [4, 5]}}
  - {new_data: data/*.parquet, cool_down: 1h, budget: 4}
  - {alert: {monitor: performance}, quarantine_after: 0}
  - {staleness: 30d}
"""


@pytest.fixture
def declared(project: Project, write_notebook: Any, write_pipeline: Any) -> Path:
    write_notebook(
        "a.ipynb", "open(m, 'w')", parameters="months: list[int] = [1]\nseed: int = 0\nm: str = ''"
    )
    file: Path = write_pipeline("p", DECLARED)
    return file


def test_declared_triggers_are_values(declared: Path) -> None:
    found = load_pipeline("p").triggers
    assert found == (
        Trigger("weekly", "schedule", schedule="0 6 * * 1", zone="Europe/Berlin", catch_up="all", params={"months": [4, 5]}),
        Trigger("new_data", "new_data", new_data=("data/*.parquet",), cool_down=3600.0, budget=4),
        Trigger(
            "alert", "alert", quarantine_after=0,
            alert={"min_severity": "warning", "model": "flights", "monitor": "performance"},
        ),
        Trigger("staleness", "staleness", staleness=30 * 86_400.0),
    )  # fmt: skip
    jsonschema.validate(parse_value(DECLARED), json_schema())


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ("{months: [4, x]}", "[4, 'x'] is not list[int]"),
        ("{month: [4]}", "no notebook declares this parameter; did you mean 'months'?"),
        ("{m: here}", "no notebook declares this parameter"),
    ],
)
def test_what_a_trigger_gives_to_its_runs_is_checked_like_the_files_own(
    declared: Path, params: str, message: str
) -> None:
    declared.write_text(DECLARED.replace("{months: [4, 5]}", params))
    with pytest.raises(SpecError) as caught:
        load_pipeline("p")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == (declared.resolve(), 7)
    assert (problem.key or "").startswith("triggers.0.params.m")
    assert message in problem.message
