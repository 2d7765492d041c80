"""From a prediction back to its cause, in Python and as a person types it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from nbclient import NotebookClient
from threadpoolctl import threadpool_limits

from tests.logged import NOON, request_id
from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT, WITHOUT_CONTRACT, rows
from workbench.cli import main
from workbench.digests import digest_file
from workbench.errors import ModelError
from workbench.ledger import Ledger
from workbench.prediction_log.cause import Cause, cause_of
from workbench.prediction_log.entries import Logged
from workbench.prediction_log.finding import find
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.places import log_folder
from workbench.prediction_log.similar import most_similar
from workbench.registration import attach
from workbench.registry import load
from workbench.scoring.model import scorer_of
from workbench.settings import Project

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

TRAIN, TEST = rows(300, seed=3), rows(50, seed=4)


def stored(project: Project, frame: pd.DataFrame, name: str) -> str:
    """Put a table into the store; its digest."""
    scratch = project.root / name
    frame.to_parquet(scratch, index=False)
    digest = digest_file(scratch)
    place = project.store / "objects" / digest[:2] / digest / name
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch.rename(place)
    return digest


def lineage(project: Project, version: int, **steps: Mapping[str, Mapping[str, str]]) -> None:
    content = {
        "run": "r1",
        "pipeline": "train",
        "commit": "c0ffee" * 5,
        "parameters": {"seed": 0},
        "steps": steps,
    }
    with Ledger.open(project) as ledger:
        attach(project, ledger, MODEL, version, "lineage.json", json.dumps(content).encode())


@pytest.fixture
def trained(scoring: Project) -> Project:
    """The version under a contract has a lineage whose tables are in the store."""
    train, test = stored(scoring, TRAIN, "train.parquet"), stored(scoring, TEST, "test.parquet")
    raw = stored(scoring, TRAIN.drop(columns="late"), "raw.parquet")
    steps = {
        "evaluate": {"inputs": {"data": test, "model": "m1"}, "outputs": {"best": "m2"}},
        "fit": {"inputs": {"data": train}, "outputs": {"model": "m1"}},
        "split": {"inputs": {"raw": raw}, "outputs": {"train": train, "test": test}},
    }
    lineage(scoring, WITH_CONTRACT, **steps)
    return scoring


def ask(project: Project, version: int, row: int = 7) -> tuple[str, float]:
    """Have a version answer a row of the training data, as a server would; prediction id and answer."""
    loaded = load(project, MODEL, version)
    scorer = scorer_of(loaded, with_contract=loaded.contract is not None)
    frame = TRAIN.iloc[[row]][list(scorer.features)]
    with threadpool_limits({"blas": 1}):
        answer = scorer.probabilities(frame)
    logged = Logged(
        request_id(row), MODEL, version, loaded.digest, "champion", NOON, 0.004, 1,
        {name: frame[name].to_numpy() for name in frame}, answer, {"id": [TRAIN["id"][row]]}, "ada",
    )  # fmt: skip
    with PredictionLog.open(project) as log:
        log.append([logged])
    return f"{logged.request}-0", float(answer[0])


def cause(project: Project, version: int = WITH_CONTRACT, nearest: int = 3) -> Cause:
    return cause_of(project, find(project, ask(project, version)[0]), nearest)


def test_the_run_and_the_rows_behind_a_prediction(trained: Project) -> None:
    found = cause(trained)
    assert (found.run, found.pipeline, found.label, found.parameters) == ("r1", "train", "late", {"seed": 0})
    assert found.folder == load(trained, MODEL, WITH_CONTRACT).folder
    assert found.training
    assert found.training.name == "split.train"
    nearest = found.similar[0]
    assert (nearest.row, nearest.distance, nearest.values) == (7, 0.0, TRAIN.iloc[7].to_dict())
    assert [each.distance for each in found.similar] == sorted(each.distance for each in found.similar)
    assert json.loads(json.dumps(found.as_dict()))["similar"][0]["values"]["id"] == TRAIN["id"][7]


def test_an_input_called_train_comes_before_others(trained: Project) -> None:
    train, test = (stored(trained, frame, "t.parquet") for frame in (TRAIN, TEST))
    steps = {
        "look": {"inputs": {"data": test}, "outputs": {"seen": "s"}},
        "fit": {"inputs": {"training": train, "seen": "s"}, "outputs": {"model": "m1"}},
    }
    lineage(trained, WITH_CONTRACT, **steps)
    found = cause(trained)
    assert found.training
    assert found.training.name == "fit.training"


def test_training_rows_that_are_gone(trained: Project) -> None:
    for file in trained.store.glob("objects/*/*/train.parquet"):
        file.unlink()
    for file in trained.store.glob("objects/*/*/test.parquet"):
        file.unlink()
    found = cause(trained)
    assert (found.training, found.similar) == (None, ())
    assert found.lacking == (
        "no table of run r1 in the store has its features and 'late'; `workbench gc` removes what old runs left"
    )


def test_another_version_under_the_same_number(trained: Project) -> None:
    prediction = find(trained, ask(trained, WITH_CONTRACT)[0])
    with pytest.raises(ModelError, match=r"with the digest eeeeeeeeeeee…; the one that is registered has"):
        cause_of(trained, type(prediction)(**{**vars(prediction), "digest": "e" * 64}))


@pytest.mark.parametrize("version", [WITHOUT_CONTRACT, LOGISTIC])
def test_the_notebook_says_the_very_same(
    trained: Project, version: int, capsys: pytest.CaptureFixture[str]
) -> None:
    prediction, answer = ask(trained, version)
    out = said(capsys, "predictions", "show", prediction, "--notebook", "--json")
    file = Path(json.loads(out)["notebook"])
    assert file == trained.reports / "predictions" / f"{prediction}.ipynb"
    notebook = nbformat.read(file, 4)
    nbformat.validate(notebook)
    NotebookClient(
        notebook, kernel_name="python3", resources={"metadata": {"path": str(file.parent)}}
    ).execute()
    printed = [each["text"] for cell in notebook.cells for each in cell.get("outputs", []) if "text" in each]
    assert f"then {answer!r}, now {answer!r}: the very same\n" in printed


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(list(words)) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def test_what_a_person_sees(trained: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert "nothing is on record yet" in said(capsys, "predictions")
    prediction, answer = ask(trained, WITH_CONTRACT)
    assert said(capsys, "predictions").splitlines()[1].split() == [
        "m",
        "0",
        "1",
        "0",
        "2026-03-02",
        "2026-03-02",
        "0",
        "B",
    ]
    assert said(capsys, "predictions", "compact") == "1 prediction moved, 0 files merged\n"
    assert json.loads(said(capsys, "predictions", "compact", "--json"))["moved"] == 0
    out = said(capsys, "predictions", "show", prediction, "--similar", "1")
    assert f"answered   {answer:.6g} by version {WITH_CONTRACT} of 'm' as champion" in out
    assert "came       2026-03-02 12:00:00.000000 UTC, in 4.0 ms, for ada" in out
    assert "outcome    none came yet" in out
    assert "run        r1 of 'train', commit c0ffeec0ffee" in out
    assert [line.split() for line in out.splitlines() if line.startswith("(distance)")] == [
        ["(distance)", "0.00"]
    ]
    assert "the rows are those of 'split.train' that are most like it" in out
    Path("late.csv").write_text(f"id,late\n{prediction},1\n{'0' * 32}-0,1\n")
    told = said(capsys, "outcomes", "import", "late.csv").splitlines()
    assert told[0] == "2 outcomes read for 'm', 1 prediction labelled"
    assert [line.split("  ")[0] for line in told[2:]] == ["new", "no such prediction"]
    again = json.loads(said(capsys, "outcomes", "import", "late.csv", "--model", "m", "--json"))
    assert (again["known"], again["unknown"], again["predictions"]) == (1, 1, 0)
    shown = said(capsys, "predictions", "show", prediction, "--similar", "0")
    assert "outcome    1, came 20" in shown
    assert "(distance)" not in shown
    (kept,) = json.loads(said(capsys, "predictions", "list", "--json"))
    assert (kept["predictions"], kept["outcomes"]) == (1, 1)


def test_what_a_person_is_told(trained: Project, capsys: pytest.CaptureFixture[str]) -> None:
    Path("late.csv").write_text(f"id,late\n{'0' * 32}-0,1\n")
    assert "whose outcomes they are must be said: --model MODEL; there are no predictions" in said(
        capsys, "outcomes", "import", "late.csv", code=2
    )
    assert "'x' is no prediction id" in said(capsys, "predictions", "show", "x", code=2)
    ask(trained, WITHOUT_CONTRACT)
    assert main(["outcomes", "import", "late.csv"]) == 1
    (log_folder(trained) / "broken-1.db").write_bytes(b"")
    capsys.readouterr()
    assert main(["predictions"]) == 0
    assert "a broken journal was set aside" in capsys.readouterr().err


def test_how_far_rows_are() -> None:
    """Numbers in standard deviations, one for another text or truth, and for what is missing in one of the two."""
    day = pd.Timestamp("2026-03-02")
    training = pa.Table.from_pandas(pd.DataFrame({
        "n": [0.0, 2.0, np.nan, 4.0], "k": ["a", "b", "a", None], "t": [True, False, True, True], "same": [1, 1, 1, 1],
        "d": [day, day + pd.Timedelta(days=2), day, day], "y": [0, 1, 0, 1],
    }))  # fmt: skip
    spread = float(np.std([0.0, 2.0, 4.0]))
    inputs: dict[str, Any] = {"n": 2.0, "k": "a", "t": True, "same": 1.0, "d": day.to_pydatetime()}
    found = {each.row: each.distance for each in most_similar(inputs, training, 4)}
    one_day = float(np.std([0, 2, 0, 0]))
    assert found == pytest.approx({0: 2 / spread, 1: 2 + 2 / one_day, 2: 1.0, 3: 2 / spread + 1})
    missing = {each.row: each.distance for each in most_similar({"n": None, "k": None}, training, 4)}
    assert missing == {0: 2.0, 1: 2.0, 2: 1.0, 3: 1.0}
    assert [each.row for each in most_similar({"same": 3.0}, training, 2)] == [0, 1]
    assert most_similar({"n": 2.0}, training, 3)[0].values["y"] == 1
