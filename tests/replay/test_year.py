"""A year of four months on made-up rows: in the third, what is true turns round."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.champions import champion_marker
from workbench.cli import main
from workbench.ledger import Ledger
from workbench.replay.asking import Asked
from workbench.replay.place import place_of
from workbench.settings import STATE_VARIABLE, Project, read_project

DATA = """
import numpy as np
import pandas as pd
parts = []
for month in months:
    days = pd.date_range(f"2013-{month:02}-01", periods=28).repeat(40)
    x = np.random.default_rng(month).normal(size=len(days))
    sure = 3 * x if month < 3 else -3 * x
    late = (np.random.default_rng(100 + month).random(len(days)) < 1 / (1 + np.exp(-sure))).astype(int)
    parts.append(pd.DataFrame({"x": x, "date": days, "late": late}))
rows = pd.concat(parts, ignore_index=True)
newest = rows["date"] >= rows["date"].max() - pd.Timedelta(days=11)
rows[~newest].to_parquet(train, index=False)
rows[newest].to_parquet(test, index=False)
"""
FIT = """
import pandas as pd
from workbench.modeling import make_estimator, save_mlflow_model
rows = pd.read_parquet(train)
save_mlflow_model(make_estimator("logistic", rows[["x"]]).fit(rows[["x"]], rows["late"]), best, rows[["x"]])
"""
REVIEW = """
import json
from pathlib import Path
import pandas as pd
from workbench import evidence as evidence_of
from workbench.contracts.contract import read_contract
from workbench.drift.reference import reference as reference_of
from workbench.evaluation import bootstrap_weights
from workbench.modeling import load_model
rows, learned = pd.read_parquet(test), pd.read_parquet(train)
scores = evidence_of.probabilities(load_model(candidate), rows[["x"]])
weights = bootstrap_weights(len(rows), 100, groups=rows["date"])
found = {"directions": evidence_of.DIRECTIONS, "predictions": evidence_of.predictions(scores), "champion": None}
if champion:
    other = evidence_of.probabilities(load_model(champion), rows[["x"]])
    found["champion"] = {"difference": evidence_of.difference(rows["late"], scores, other, weights)}
Path(evidence).write_text(json.dumps(found))
agreed = read_contract(contract)
counted = reference_of(learned, learned["date"], agreed, scores, rows["date"], rows["late"])
Path(reference).write_text(counted.to_json())
"""
CONTRACT = """\
contract: rows
label: late
never_features: [date]
columns:
  x: {type: float}
  date: {type: date}
  late: {type: int, values: [0, 1]}
"""
PIPELINE = """\
pipeline: yearly
params: {months: [1, 2]}
steps:
  data: {notebook: data.ipynb, outputs: {train: train.parquet, test: test.parquet}}
  fit: {notebook: fit.ipynb, inputs: {train: data.train}, outputs: {best: best/}}
  idle: {notebook: idle.ipynb, inputs: {train: data.train}}
  review:
    notebook: review.ipynb
    inputs:
      train: data.train
      test: data.test
      candidate: fit.best
      champion: "model:m@champion"
      contract: "file:notebooks/contracts/rows.yaml"
    outputs: {evidence: evidence.json, reference: reference.json}
model:
  name: m
  version: fit.best
  contract: notebooks/contracts/rows.yaml
  evidence: review.evidence
  reference: review.reference
  replay: {rows: [data.train, data.test], day: date}
  gates: {champion: {metric: log_loss}}
  monitors: {performance: {metric: log_loss, margin: 0.01}}
triggers:
  - alert: {monitor: performance}
"""


@pytest.fixture
def yearly(project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Project:
    """A pipeline that can be replayed, with MLflow on."""
    project.file.write_text(project.file.read_text().replace("enabled = false", "enabled = true"))
    write_notebook("data.ipynb", DATA, parameters="months: list[int] = [1]\ntrain: str = ''\ntest: str = ''")
    write_notebook("fit.ipynb", FIT, parameters="train: str = ''\nbest: str = ''")
    write_notebook(
        "idle.ipynb", "raise RuntimeError('no model needs this step')", parameters="train: str = ''"
    )
    names = ("train", "test", "candidate", "contract", "evidence", "reference")
    parameters = "\n".join([*(f"{name}: str = ''" for name in names), "champion: str | None = None"])
    write_notebook("review.ipynb", REVIEW, parameters=parameters)
    write_pipeline("yearly", PIPELINE)
    (project.notebooks / "contracts").mkdir()
    (project.notebooks / "contracts" / "rows.yaml").write_text(CONTRACT)
    return read_project(project.root)


@pytest.mark.e2e
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # MLflow's own, of SQLAlchemy
def test_a_replay_goes_on_where_it_was_and_leaves_the_project_alone(
    yearly: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["replay", "yearly", "--policy", "performance", "--history", "1", "--last", "4", "--json"]
    assert main(command) == 0
    assert STATE_VARIABLE not in os.environ
    (folder,) = (yearly.state / "replay" / "yearly").glob("performance-*")
    state = place_of(yearly, "yearly", folder.name)
    found = json.loads(capsys.readouterr().out)
    (policy,) = found["policies"]
    turned, after = policy["months"]
    assert (turned["did"], turned["version"], turned["after"]) == ("promoted", 1, 2)
    assert "confidently worse than when it was judged: log_loss" in turned["reason"]
    assert "trained on March: passed" in turned["reason"]
    assert turned["right"] is True
    assert (after["version"], after["age"], after["did"]) == (2, 1, "ended")
    assert policy["against_never"]["auc"]["low"] > 0
    (aged,) = found["aging"]
    assert (aged["age"], aged["months"]) == (2, 1)
    page = Path(found["page"]).read_text()
    assert "would have been better" in page
    assert "<svg" in page
    assert "<script" not in page
    with Ledger.open(state) as ledger:
        runs = [run.id for run in ledger.runs()]
        steps = {step.step for run in runs for step in ledger.step_runs(run)}
    assert steps == {"data", "fit", "review"}

    # As if it had been cut short in its first month: what was done is found, and nothing runs twice.
    journal = state.state / "journal.json"
    content = json.loads(journal.read_text())
    journal.write_text(json.dumps({**content, "records": []}))
    assert main(command) == 0
    (again,) = json.loads(capsys.readouterr().out)["policies"]
    assert [month["did"] for month in again["months"]] == ["promoted", "ended"]
    assert again["quality"] == policy["quality"]
    with Ledger.open(state) as ledger:
        assert [run.id for run in ledger.runs()] == runs

    # The pipeline's own trigger waits for an alert of that month; its training is the one that there was.
    command[3] = "yours"
    assert main(command) == 0
    (yours,) = json.loads(capsys.readouterr().out)["policies"]
    assert [month["did"] for month in yours["months"]] == ["promoted", "ended"]
    assert "trigger 'alert': warning alert 1, performance of log_loss" in yours["months"][0]["reason"]
    assert yours["months"][0]["trained"]["ran"] == 0
    assert yours["months"][0]["trained"]["digest"] == turned["trained"]["digest"]

    monkeypatch.setenv(STATE_VARIABLE, state.state_folder)
    assert main(["models", "history", "m", "--verify"]) == 0
    assert "intact" in capsys.readouterr().out
    monkeypatch.delenv(STATE_VARIABLE)
    assert champion_marker(yearly, "m") is None
    assert not (yearly.state / "ledger.db").exists()
    assert not (yearly.state / "mlflow.db").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["yearl"], "there is no pipeline 'yearl'.*did you mean 'yearly'"),
        (["yearly", "--policy", "montly"], "there is no policy 'montly'.*did you mean 'monthly'"),
        (["yearly", "--first", "13"], "'13' is not a month; expected a number from 1 to 12"),
        (["yearly", "--last", "2"], "the months end with February, before they start with March"),
        (["yearly", "--first", "1"], "nothing could be learned before 1"),
        (["yearly", "--expected", "y"], "the model has no feature 'y'; known: x"),
        (["yearly", "-p", "month=1"], "no notebook declares this parameter"),
    ],
)
def test_what_cannot_be_replayed_is_refused_before_anything_starts(
    yearly: Project, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert main(["replay", *words]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert re.search(message, error), error
    assert not (yearly.state / "replay").exists()


@pytest.mark.parametrize("key", ["replay", "gates", "reference", "contract"])
def test_a_pipeline_says_what_it_lacks(
    yearly: Project, write_pipeline: Any, capsys: pytest.CaptureFixture[str], key: str
) -> None:
    lines = [line for line in PIPELINE.splitlines() if not line.startswith(f"  {key}:")]
    write_pipeline("yearly", "\n".join(lines))
    assert main(["replay", "yearly"]) == 2
    assert f"has no '{key}', which a replay needs" in capsys.readouterr().err


def test_the_policy_yours_needs_triggers(
    yearly: Project, write_pipeline: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pipeline("yearly", PIPELINE.partition("triggers:")[0])
    assert main(["replay", "yearly", "--policy", "yours"]) == 2
    assert "yearly.yaml has no 'triggers:'" in " ".join(capsys.readouterr().err.split())


def test_another_question_is_replayed_in_another_state() -> None:
    plain, some = Asked("train"), Asked("train", {"sample": "0.5"}, history=3)
    assert plain.state("never") == "never"
    assert some.state("never").startswith("never-")
    others = (Asked("train", {"sample": "0.5"}), Asked("train", first="5"))
    assert len({each.state("never") for each in (plain, some, *others)}) == 4
    assert Asked("train", last="6", policies=("monthly",)).state("never") == "never"
