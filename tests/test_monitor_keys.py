"""What may stand under `model: monitors:`: each mistake with its place, and the values that come of what is right."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from workbench.errors import SpecError
from workbench.evaluation import METRICS
from workbench.loading import load_pipeline
from workbench.monitor_keys import METRICS as NAMES
from workbench.monitor_keys import MONITOR_KEYS, MONITORS_SCHEMA, monitor_problems
from workbench.monitors import (
    MONITORS,
    Freshness,
    Monitors,
    Performance,
    Quality,
    Service,
    Volume,
    monitors_of,
)
from workbench.settings import Project
from workbench.yamls import parse_value, read_yaml

WHOLE = """
window: 1d
day: day
expected: [x]
inputs: {}
answers: {}
quality: {max_share: 0.02, rules: {k is missing: 0.5}, critical: 5}
volume: {min_rows: 500}
freshness: {max_age: 12h}
performance: {metric: log_loss, margin: 0.01}
service: {max_errors: 0.01, max_latency: 200ms}
open_after: 3
resolve_after: 4
"""


def problems(text: str) -> list[tuple[str, str]]:
    return [
        (".".join(map(str, place)), message) for place, message in monitor_problems(parse_value(text), ())
    ]


def test_what_is_declared_becomes_values() -> None:
    assert problems(WHOLE) == []
    found = monitors_of(parse_value(WHOLE))
    assert found == Monitors(
        86_400, "day", ("x",), True, True, Quality(0.02, {"k is missing": 0.5}, 5), Volume(500), Freshness(43_200),
        Performance("log_loss", 0.01), Service(0.01, 0.2), 3, 4,
    )  # fmt: skip
    assert found.declared == MONITORS
    few = monitors_of({"inputs": {}})
    assert (few.declared, few.window, few.open_after, few.resolve_after) == (("inputs",), 7 * 86_400, 1, 2)


@pytest.mark.parametrize(("text", "place", "message"), [
    ("inputs: {}\nqualty: {}", "qualty", "did you mean 'quality'"),
    ("window: 7d", "", "names no monitor; known: inputs, answers, quality"),
    ("inputs: 3", "inputs", "not a mapping"),
    ("inputs: {max: 1}", "inputs.max", "unknown key"),
    ("inputs: {}\nwindow: soon", "window", "not a duration"),
    ("inputs: {}\nopen_after: 0", "open_after", "expected 1, 2, 3"),
    ("quality: {}", "quality.max_share", "is missing"),
    ("quality: {max_share: 2}", "quality.max_share", "a number from 0 to 1"),
    ("quality: {max_share: 0.1, rules: {a: 3}}", "quality.rules", "a: 3 is not a share"),
    ("quality: {max_share: 0.1, rules: {}}", "quality.rules", "or an empty one"),
    ("quality: {max_share: 0.1, critical: 1}", "quality.critical", "not more than 1"),
    ("volume: {min_row: 5}", "volume.min_row", "did you mean 'min_rows'"),
    ("performance: {metric: logloss}", "performance.metric", "did you mean 'log_loss'"),
    ("performance: {metric: auc, margin: -1}", "performance.margin", "negative"),
    ("service: {}", "service", "expected max_errors or max_latency"),
    ("service: {max_latency: fast}", "service.max_latency", "not a duration"),
    ("freshness: {max_age: 8d}", "freshness.max_age", "longer than a window (7d)"),
])  # fmt: skip
def test_each_mistake_has_its_place(text: str, place: str, message: str) -> None:
    (found,) = [each for each in problems(text) if each[0] == place]
    assert message in found[1]


def test_the_schema_says_the_same() -> None:
    jsonschema.Draft202012Validator.check_schema(MONITORS_SCHEMA)
    jsonschema.validate(parse_value(WHOLE), MONITORS_SCHEMA)
    for wrong in (
        "inputs: {max: 1}",
        "quality: {}",
        "volume: {min_rows: 0}",
        "performance: {metric: gini}",
        "{}",
    ):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(parse_value(wrong), MONITORS_SCHEMA)


def test_names_are_those_of_what_they_mean() -> None:
    assert set(NAMES) == set(METRICS)
    assert tuple(MONITOR_KEYS) == MONITORS


CONTRACT = """
contract: rows
label: late
keys: [day]
columns:
  x: {type: float}
  late: {type: int}
"""


@pytest.fixture
def load(project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Callable[[str], Any]:
    write_notebook("s.ipynb", "open(out, 'w').write('1')", parameters="out: str = ''")
    (project.notebooks / "rows.yaml").write_text(CONTRACT)

    def loaded(monitors: str) -> Any:
        write_pipeline("p", (
            "pipeline: p\nsteps:\n  s: {notebook: s.ipynb, outputs: {out: o.txt}}\nmodel:\n  name: m\n  version: s.out\n"
            f"  contract: notebooks/rows.yaml\n  monitors: {monitors}\n"
        ))  # fmt: skip
        return load_pipeline("p", project=project).model

    return loaded


def test_a_pipeline_carries_them(load: Callable[[str], Any]) -> None:
    found = load("{inputs: {}, day: day, expected: [x]}").monitors
    assert (found.declared, found.day, found.expected) == (("inputs",), "day", ("x",))


@pytest.mark.parametrize(("monitors", "message"), [
    ("{inputs: {}, day: dya}", "model.monitors.day: 'dya' is no key of the contract; did you mean 'day'?"),
    ("{inputs: {}, expected: [late]}", "model.monitors.expected: 'late' is no feature of the contract; known: x"),
    ("{inpust: {}}", "model.monitors.inpust: unknown key; did you mean 'inputs'?"),
    ("{quality: {max_share: 2}}", "model.monitors.quality.max_share: 2 is not a share"),
    ("{quality: {}}", "model.monitors.quality.max_share: is missing"),
])  # fmt: skip
def test_names_that_only_the_contract_knows(load: Callable[[str], Any], monitors: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        load(monitors)
    assert message in str(caught.value)
    assert "p.yaml:8" in str(caught.value)


def test_a_contracts_names_are_those_it_has_when_it_is_read(project: Project) -> None:
    from workbench.contracts.contract import read_contract
    from workbench.declared import contract_names

    for file in (Path(__file__).parents[1] / "notebooks" / "contracts").glob("*.yaml"):
        contract = read_contract(file)
        assert contract_names(read_yaml(file).value) == (contract.keys, contract.features)
    assert contract_names(None) == contract_names({"columns": [], "keys": 3}) == ((), ())
