"""`workbench contract`, as a person types it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from workbench.cli import main
from workbench.contracts.contract import read_contract
from workbench.settings import Project

CONTRACT = """\
contract: trips
description: One row a trip.
label: late
never_features: [arrival]
columns:
  id: {type: int, min: 0}
  kind: {type: category, values: [bus, tram], severity: warn}
  arrival: {type: float, nullable: true}
  late: {type: int, values: [0, 1]}
rules:
  on time or late: {expect: late == 1 or arrival < 5, severity: exclude}
"""


@pytest.fixture
def trips(project: Project) -> Path:
    """A project with a contract and a table that meets it; the table's path."""
    (project.notebooks / "contracts").mkdir()
    (project.notebooks / "contracts" / "trips.yaml").write_text(CONTRACT)
    rows = 100
    table = pd.DataFrame({
        "id": range(rows), "kind": ["bus", "tram"] * 50, "arrival": np.linspace(0, 4, rows), "late": [0, 1] * 50
    })  # fmt: skip
    table.to_parquet(project.root / "trips.parquet")
    return project.root / "trips.parquet"


def call(*words: str | Path) -> int:
    try:
        return main([str(word) for word in words])
    except SystemExit as ended:
        return int(ended.code or 0)


def test_a_table_that_meets_its_contract(trips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("contract", "check", "trips", trips) == 0
    assert "contract 'trips': passed; 100 rows read, 100 kept, 0 faulty" in capsys.readouterr().out


def test_a_table_that_does_not(trips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = trips.with_name("bad.csv")
    table = pd.read_parquet(trips).assign(kind="boat")
    table.loc[3, "id"] = -1
    table.to_csv(bad, index=False)
    page = trips.with_name("out") / "page.html"
    assert call("contract", "check", "trips", bad, "--report", page, "--reference", trips) == 0
    out = capsys.readouterr().out
    assert "warning: kind is not an allowed value in 100 of 100 rows: row 0: 'boat'" in out
    assert "id is below 0" in out
    assert "kind     1.000" in out
    assert "Contract trips" in page.read_text()
    table.drop(columns="late").to_csv(bad, index=False)
    assert call("contract", "check", "trips", bad, "--json") == 1
    found = json.loads(capsys.readouterr().out)
    assert found["stops"] == ["column 'late' is missing"]
    assert found["rows"]["read"] == 100


def test_what_a_model_is_given(trips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("contract", "check", "trips", trips, "--features") == 1
    out = capsys.readouterr().out
    assert "stop: column 'arrival' must never be given to a model" in out
    assert "stop: column 'late' must never be given to a model" in out


def test_a_proposal_is_printed_or_written(trips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("contract", "infer", trips, "--label", "late") == 0
    printed = capsys.readouterr()
    assert "consider: never_features is empty" in printed.err
    target = trips.with_name("trips.yaml")
    target.write_text(printed.out)
    assert read_contract(target).label == "late"
    assert call("contract", "infer", trips, "--name", "other", "--output", target) == 2
    assert "is there already; --force writes over it" in capsys.readouterr().err
    assert call("contract", "infer", trips, "--name", "other", "--output", target, "--force", "--json") == 0
    assert json.loads(capsys.readouterr().out)["contract"]["contract"] == "other"
    assert read_contract(target).name == "other"
    assert call("contract", "check", target, trips) == 0


def test_a_difference_is_shown_with_its_direction(trips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    new = trips.with_name("new.yaml")
    new.write_text(CONTRACT.replace("min: 0", "min: -5"))
    assert call("contract", "diff", "trips", "trips") == 0
    assert capsys.readouterr().out == "no difference\n"
    assert call("contract", "diff", "trips", new) == 1
    assert capsys.readouterr().out == "columns.id.min: 0 → -5 (looser)\n"
    assert call("contract", "diff", "trips", new, "--json") == 1
    assert json.loads(capsys.readouterr().out) == [
        {"place": "columns.id.min", "old": 0, "new": -5, "direction": "looser"}
    ]


def test_a_contract_is_shown(trips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("contract", "show", "trips") == 0
    out = capsys.readouterr().out
    assert "id       int       feature" in out
    assert "arrival  float     never a feature" in out
    assert "never features: arrival" in out
    assert call("contract", "show", "trips", "--json") == 0
    assert json.loads(capsys.readouterr().out)["features"] == ["id", "kind"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["shw", "trips"], "no such command 'shw'; did you mean 'show'"),
        (["show", "trip"], "there is no contract 'trip'"),
        (["show", "trip"], "did you mean 'trips'"),
        (["check", "trips", "nowhere.parquet"], "there is no file 'nowhere.parquet'"),
        (["check", "trips", "workbench.toml"], "is no table that is read here"),
        (["infer", "trips.parquet", "--name", "a b"], "'a b' is not a contract's name"),
        (["infer", "trips.parquet", "--label", "lat"], "there is no column 'lat' to be the label"),
        (["diff", "trips"], "missing argument 'NEW'"),
    ],
)
def test_bad_input_is_refused(
    trips: Path, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert call("contract", *words) == 2
    assert message in capsys.readouterr().err


def test_a_contract_with_problems_names_each(trips: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (trips.parent / "notebooks" / "contracts" / "trips.yaml").write_text(
        "contract: a\ncolumns: {x: {type: nit}}\n"
    )
    assert call("check") == 2
    assert (
        "error: notebooks/contracts/trips.yaml:2: columns.x.type: 'nit' is not known"
        in capsys.readouterr().out
    )
    assert call("contract", "show", "trips") == 2
    assert (
        "trips.yaml:2: columns.x.type: 'nit' is not known here; did you mean 'int'?"
        in capsys.readouterr().err
    )


def test_an_output_of_a_step(
    trips: Path, write_notebook: Callable[..., Path], write_pipeline: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    write_notebook(
        "copy.ipynb",
        f"import shutil\nshutil.copy({str(trips)!r}, table)",
        parameters="kind: str = 'a'\ntable: str = ''",
    )
    write_pipeline(
        "copy",
        "pipeline: copy\nsteps:\n  s: {notebook: copy.ipynb, foreach: {kind: [a]}, outputs: {table: t.parquet}}\n",
    )
    assert call("contract", "check", "trips", "copy.s[kind=a].table") == 2
    assert "run: workbench run copy" in capsys.readouterr().err
    assert call("run", "copy") == 0
    assert call("contract", "check", "trips", "copy.s[kind=a].table") == 0
    assert call("contract", "infer", "copy.s[kind=a].table") == 0
    assert "contract: table" in capsys.readouterr().out
    assert call("contract", "check", "trips", "copy.t.table") == 2
    assert "pipeline 'copy' has no step 't'" in capsys.readouterr().err
    assert call("contract", "check", "trips", "copy.s[kind=a].tabel") == 2
    assert "has no output 'tabel'; did you mean 'table'?" in capsys.readouterr().err
