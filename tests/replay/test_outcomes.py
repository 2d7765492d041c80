"""The rows of the months, and what the monitors say of answers to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from workbench.contracts.contract import read_contract
from workbench.drift.reference import Reference
from workbench.drift.reference import reference as reference_of
from workbench.errors import BadInput
from workbench.replay.monitoring import seen
from workbench.replay.months import Month
from workbench.replay.outcomes import Rows, read_outcomes
from workbench.replay.policies import on_drift

CONTRACT = """\
contract: rows
label: late
never_features: [date]
columns:
  x: {type: float}
  date: {type: date}
  late: {type: int, values: [0, 1]}
"""
APRIL, MAY = Month(0, 4), Month(0, 5)
MARGINS = {"log_loss": 0.01, "auc": 0.01}


def frame(since: str, days: int, *, shift: float = 0.0, turned: bool = False, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    x = generator.normal(loc=shift, size=days * 60)
    sure = -2 * x if turned else 2 * x
    late = (generator.random(len(x)) < 1 / (1 + np.exp(-sure))).astype(int)
    return pd.DataFrame({"x": x, "date": pd.date_range(since, periods=days).repeat(60), "late": late})


def answers(rows: pd.DataFrame) -> np.ndarray:
    return 1 / (1 + np.exp(-2 * rows["x"].to_numpy()))


@pytest.fixture
def contract(tmp_path: Path) -> Path:
    file = tmp_path / "rows.yaml"
    file.write_text(CONTRACT)
    return file


def written(folder: Path, *frames: pd.DataFrame) -> list[Path]:
    files = [folder / f"{number}.parquet" for number in range(len(frames))]
    for file, each in zip(files, frames, strict=True):
        each.to_parquet(file)
    return files


def test_rows_of_several_files_are_taken_apart_by_month(tmp_path: Path, contract: Path) -> None:
    files = written(tmp_path, frame("2013-04-01", 20), frame("2013-04-21", 30))
    found = read_outcomes(files, contract, "date", [APRIL, MAY])
    assert {month: len(rows.labels) for month, rows in found.items()} == {APRIL: 30 * 60, MAY: 20 * 60}
    assert found[MAY].weights.shape == (200, 20 * 60)
    assert set(found[APRIL].days) == set(np.arange("2013-04-01", "2013-05-01", dtype="datetime64[D]"))


def test_months_without_enough_labelled_rows_are_refused(tmp_path: Path, contract: Path) -> None:
    april = frame("2013-04-01", 30)
    with pytest.raises(BadInput, match="May has 0 rows with label 'late', expected at least 200"):
        read_outcomes(written(tmp_path, april), contract, "date", [APRIL, MAY])
    with pytest.raises(BadInput, match=r"April has 1800 rows .* of 0 and 1 both"):
        read_outcomes(written(tmp_path, april.assign(late=1)), contract, "date", [APRIL])
    with pytest.raises(BadInput, match=r"has no column 'day'.*date"):
        read_outcomes(written(tmp_path, april), contract, "day", [APRIL])
    contract.write_text(CONTRACT.replace("label: late\n", ""))
    with pytest.raises(BadInput, match="names no label"):
        read_outcomes(written(tmp_path, april), contract, "date", [APRIL])


def watched(contract: Path, month: pd.DataFrame, reference: Reference | None = None, **more):
    learned, tested = frame("2013-01-01", 60, seed=1), frame("2013-03-02", 30, seed=2)
    agreed = read_contract(contract)
    made = reference_of(learned, learned["date"], agreed, answers(tested), tested["date"], tested["late"])
    days = month["date"].to_numpy().astype("datetime64[D]")
    rows = Rows(month, month["late"].to_numpy(dtype=float), days, np.empty((0, 0), dtype=np.uint16))
    return seen(rows, answers(month), reference or made, MARGINS, **more)


def test_a_month_like_those_before_is_neither_drifted_nor_worse(contract: Path) -> None:
    found = watched(contract, frame("2013-04-01", 30, seed=3))
    assert (found.weeks, found.worse) == (4, ())
    assert not on_drift(found).retrain
    assert "log_loss 0." in found.better_than


def test_a_shift_is_drift_in_every_week_unless_it_is_expected(contract: Path) -> None:
    month = frame("2013-04-01", 30, shift=1.5, seed=3)
    found = watched(contract, month)
    assert found.drifted["x"] == found.drifted["probability"] == found.weeks == 4
    assert "x" not in watched(contract, month, expected=("x",)).drifted


def test_what_turned_round_is_worse_and_no_drift(contract: Path) -> None:
    found = watched(contract, frame("2013-04-01", 30, turned=True, seed=3))
    assert [text.split()[0] for text in found.worse] == ["log_loss", "auc"]
    assert not on_drift(found).retrain


def test_a_reference_without_outcomes_or_weeks_says_so(contract: Path) -> None:
    month = frame("2013-04-01", 5, seed=3)
    found = watched(contract, month)
    assert found.weeks == 0
    agreed = read_contract(contract)
    bare = reference_of(month, month["date"], agreed, answers(month), month["date"])
    found = watched(contract, frame("2013-04-01", 30, seed=3), bare)
    assert (found.weeks, found.worse) == (0, ())
    assert found.better_than == "its reference has no outcomes to compare with"
