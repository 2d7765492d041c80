"""Batch scoring goes to the log like online traffic: each part once, before it is seen."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.scored import CONTRACT, MODEL, WITH_CONTRACT, Run, rows, scorer
from workbench import predictions
from workbench.errors import BadInput, ContractError, LogError
from workbench.prediction_log.batches import request_of
from workbench.prediction_log.places import all_days, log_folder
from workbench.prediction_log.reading import read
from workbench.scoring.record import request_of_part
from workbench.settings import Project

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture
def run(scoring: Project) -> Run:
    return scorer(scoring)


def on_record(project: Project) -> pd.DataFrame:
    frame: pd.DataFrame = read(project, MODEL, columns=None).read_pandas()
    return frame.sort_values(["request", "row"]).reset_index(drop=True)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_what_was_scored_is_on_record(scoring: Project, run: Run, suffix: str) -> None:
    table = rows(1_000, x=[50.0] + [1.25] * 999)
    table.loc[5, "k"] = None
    table.to_parquet("in.parquet") if suffix == ".parquet" else table.to_csv(f"in{suffix}", index=False)
    scored = run(f"in{suffix}", "out.parquet", rows=300)
    found, parts = on_record(scoring), pd.read_parquet("out.parquet")
    assert len(found) == scored.counts.scored == 998  # one is out of bounds, of one a value is missing
    assert found["row"].tolist() == parts["row"].tolist()
    assert (found["probability"].to_numpy() == parts["probability"].to_numpy()).all()
    assert found["input_x"].tolist() == table["x"][parts["row"]].tolist()
    assert found["input_k"].astype(str).tolist() == table["k"][parts["row"]].tolist()
    assert set(found["kind"]) == {"batch"}
    assert set(found["version"]) == {WITH_CONTRACT}
    assert set(found["digest"]) == {scored.digest}
    assert found["latency"].isna().all()
    ((job, _),) = scored.parts
    one = predictions.find(scoring, f"{request_of_part(job.stamp)}-7")
    assert (one.probability, one.inputs["x"]) == (parts["probability"][parts["row"] == 7].item(), 1.25)


def test_a_part_counts_once_wherever_it_is_scored(scoring: Project, run: Run) -> None:
    rows(20).to_parquet("in.parquet")
    run("in.parquet", "out.parquet")
    run("in.parquet", "out.parquet")
    run("in.parquet", "again.parquet", keep=("id",))
    assert len(on_record(scoring)) == 20
    rows(20, seed=2).to_parquet("in.parquet")
    run("in.parquet", "out.parquet")
    assert len(on_record(scoring)) == 40


def test_each_file_of_a_folder(scoring: Project, run: Run) -> None:
    Path("in").mkdir()
    for name in ("a", "b"):
        rows(10).to_parquet(f"in/{name}.parquet")
    run("in", "out")
    found = on_record(scoring)
    assert len(found) == 20
    assert found["request"].nunique() == 2
    Path("out/a.parquet").unlink()  # the result is lost, the record is not
    run("in", "out")
    assert on_record(scoring).equals(found)


def test_not_on_record_when_not_wanted_or_not_done(scoring: Project, run: Run) -> None:
    rows(10).to_parquet("in.parquet")
    run("in.parquet", "out.parquet", with_log=False)
    rows(10, x=99.0).drop(columns="k").to_parquet("bad.parquet")
    with pytest.raises(ContractError):
        run("bad.parquet", "bad-out.parquet")
    with pytest.raises(BadInput, match="there are no predictions of 'm' on record"):
        read(scoring, MODEL)
    assert not [path for path in scoring.state.glob("predictions/**/*.parquet*") if path.is_file()]


def test_what_cannot_be_recorded_is_not_scored(scoring: Project, run: Run) -> None:
    rows(10).to_parquet("in.parquet")
    log_folder(scoring).write_text("a file where the folder should be")
    with pytest.raises(LogError, match="the prediction log cannot write"):
        run("in.parquet", "out.parquet")
    assert not Path("out.parquet").exists()


def with_keys(project: Project) -> int:
    """A version whose contract has keys; its number."""
    import shutil

    from tests.registered import deliver, relative
    from workbench.ledger import Ledger

    contract = project.root / "delivered" / "keyed.yaml"
    contract.write_text(CONTRACT.replace("extra: warn", "keys: [day, id, seat]\nextra: stop"))
    fitted = project.root / "fitted"
    with Ledger.open(project) as ledger:
        deliver(project, ledger, fitted, 8, contract=relative(contract, project))
    shutil.rmtree(fitted)
    return 8


@pytest.mark.filterwarnings("ignore")  # MLflow's own, when a model is delivered
def test_keys_come_with_the_rows_and_lead_to_outcomes(scoring: Project, run: Run) -> None:
    version = with_keys(scoring)
    table = rows(50, day=pd.Timestamp("2026-03-02"), seat=np.arange(50)).drop(columns="late")
    table.to_parquet("in.parquet")
    table.to_csv("in.csv", index=False)
    for name in ("in.parquet", "in.csv"):
        scored = run(name, f"out-{name[3:]}.parquet", version=version)
        assert scored.counts.scored == 50
    found = on_record(scoring)
    assert found["key_day"].unique().tolist() == ["2026-03-02"]
    assert found["key_seat"].tolist() == [str(number) for number in range(50)] * 2
    assert found["key_id"].tolist() == table["id"].tolist() * 2
    told = table.assign(late=[0, 1] * 25)[["day", "id", "seat", "late"]]
    said = predictions.add_outcomes(scoring, MODEL, {name: told[name].to_numpy() for name in told})
    assert (said.added, said.predictions, said.unknown) == (50, 100, 0)
    joined = read(scoring, MODEL, columns=["row", "outcome"], outcomes=True).read_pandas()
    assert (joined["outcome"] == joined["row"] % 2).all()


KILLED = """\
import os, signal, sys
from pathlib import Path
from workbench.prediction_log import files
from workbench.scoring import parts
from workbench.scoring.job import score
from workbench.scoring.plan import Asked
from workbench.settings import find_project

where, version = sys.argv[1], int(sys.argv[2])
owner, name = {"while writing": (files.LogWriter, "write"), "before it is on record": (files.LogWriter, "reveal"),
               "before the part": (parts.PartWriter, "commit")}[where]
def die(*_):
    os.kill(os.getpid(), signal.SIGKILL)
setattr(owner, name, die)
score(find_project(), Asked("m", ("in.parquet",), Path("out.parquet"), version))
"""


@pytest.mark.parametrize("where", ["while writing", "before it is on record", "before the part"])
def test_killed_and_done_again(scoring: Project, run: Run, where: str) -> None:
    rows(100).to_parquet("in.parquet")
    ended = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", KILLED, where, str(WITH_CONTRACT)],
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert not Path("out.parquet").exists()
    run("in.parquet", "out.parquet")
    assert len(on_record(scoring)) == 100
    assert len([file for _, _, files in all_days(scoring) for file in files]) == 1
    assert not list(scoring.state.glob("predictions/**/*.unfinished"))


def test_the_request_of_a_part() -> None:
    made = request_of("m", "1", "x")
    assert made == request_of("m", "1", "x")
    assert made != request_of("m", "1x", "")
    assert (len(made), made[12], made[16]) == (32, "8", "8")
