"""A window of the prediction log against what the version was trained on: real log, real registry."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.cli.test_commands import call
from tests.logged import request_id
from tests.scored import CONTRACT, MODEL, WITH_CONTRACT
from workbench.contracts.contract import contract_of
from workbench.drift.reference import FILE, Reference, reference
from workbench.errors import BadInput, ModelError
from workbench.ledger import Ledger
from workbench.monitoring import KINDS, watch
from workbench.monitoring_page import drift_page
from workbench.prediction_log.entries import Logged
from workbench.prediction_log.labels import Labelling
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.outcomes import add_outcomes
from workbench.registration import attach
from workbench.settings import Project
from workbench.yamls import parse_value

START = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = {"since": START, "until": START + timedelta(days=7), "version": WITH_CONTRACT}
LATE = Labelling("late")


def asked(rows: int, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame({"x": generator.normal(size=rows), "k": generator.choice(list("abc"), rows)})


def answers(rows: pd.DataFrame) -> np.ndarray:
    return 1 / (1 + np.exp(-rows["x"].to_numpy()))


def known() -> Reference:
    """Eight weeks of training rows, four of test rows; 100 a day."""
    train, test = asked(5_600, 0), asked(2_800, 1)
    days = np.datetime64("2026-01-01") + np.arange(5_600) // 100
    contract = contract_of(parse_value(CONTRACT))
    late = np.random.default_rng(2).random(2_800) < answers(test)
    return reference(train, days, contract, answers(test), days[:2_800], late, test)


def log(project: Project, days: int = 7, *, kind: Any = "champion", **changed: Any) -> list[str]:
    """A request of 100 rows a day; ids of the rows."""
    ids = []
    with PredictionLog.open(project) as opened:
        for day in range(days):
            rows = asked(100, seed=10 + day)
            came = (START + timedelta(days=day, hours=12)).timestamp()
            given = rows.assign(**{name: change(rows) for name, change in changed.items()})
            request = request_id(day + 500 * KINDS.index(kind) if kind in KINDS else day + 900, came)
            inputs = {name: given[name].to_numpy() for name in given}
            opened.append([
                Logged(
                    request=request, model=MODEL, version=WITH_CONTRACT, digest="d" * 64, kind=kind, came=came,
                    latency=0.01, rows=100, inputs=inputs,
                    keys={"day": [f"2026-05-{day + 1:02}"] * 100}, probabilities=answers(rows).tolist(),
                )
            ])  # fmt: skip
            ids += [f"{request}-{row}" for row in range(100)]
    return ids


@pytest.fixture
def watched(scoring: Project) -> Project:
    with Ledger.open(scoring) as ledger:
        attach(scoring, ledger, MODEL, WITH_CONTRACT, FILE, known().to_json().encode())
    return scoring


def test_an_ordinary_week(watched: Project) -> None:
    log(watched)
    found = watch(watched, MODEL, **WEEK)
    assert (found.rows, found.version, found.drifted, found.outcomes) == (700, WITH_CONTRACT, (), 0)
    assert found.answer is not None
    assert not found.performance


def test_what_changed_is_named(watched: Project) -> None:
    log(watched, x=lambda rows: rows["x"] * 1.6, k=lambda rows: rows["k"].replace("c", "z"))
    found = watch(watched, MODEL, **WEEK)
    assert set(found.drifted) == {"x", "k"}
    unseen = {each.name: each.unseen for each in found.inputs}
    assert unseen == {"x": 0, "k": pytest.approx(1 / 3, abs=0.1)}
    only = watch(watched, MODEL, **WEEK, expected=["k"])
    assert only.drifted == ("x",)


def test_only_this_window_and_what_was_answered_to_somebody(watched: Project) -> None:
    log(watched, 9, x=lambda rows: rows["x"])
    log(watched, 9, kind="shadow", x=lambda rows: rows["x"] + 9)
    log(watched, 9, kind="batch")
    found = watch(watched, MODEL, **WEEK)
    assert (found.rows, found.drifted) == (1_400, ())


def test_a_key_may_say_the_day(watched: Project) -> None:
    log(watched, 9, x=lambda rows: rows["x"] * 1.6)
    may = {"since": datetime(2026, 5, 1, tzinfo=UTC), "until": datetime(2026, 5, 8, tzinfo=UTC)}
    found = watch(watched, MODEL, **{**WEEK, **may}, day="day")
    assert (found.rows, found.limits.days, found.drifted) == (700, 7, ("x",))
    with pytest.raises(BadInput, match="no column 'key_dya'"):
        watch(watched, MODEL, **{**WEEK, **may}, day="dya")


def test_how_good_the_answers_were(watched: Project) -> None:
    ids = log(watched)
    truth = np.random.default_rng(5).random(700) < np.concatenate(
        [answers(asked(100, 10 + day)) for day in range(7)]
    )
    add_outcomes(watched, MODEL, {"id": ids[:150], "late": truth[:150].astype(int)}, labelling=LATE)
    few = watch(watched, MODEL, **WEEK)
    assert (few.outcomes, few.performance) == (150, {})
    add_outcomes(watched, MODEL, {"id": ids, "late": truth.astype(int)}, labelling=LATE)
    found = watch(watched, MODEL, **WEEK)
    assert found.outcomes == 700
    area = found.performance["auc"]
    assert 0.6 < area.low < area.value < area.high < 0.9
    assert found.performance["calibration_error"].value < 0.15


def became(project: Project, ids: list[str], **flipped: str) -> None:
    """Outcomes of a week's rows, turned round where `k` has this value."""
    week = pd.concat([asked(100, 10 + day) for day in range(7)])
    late = np.random.default_rng(5).random(700) < answers(week)
    turned = week["k"].to_numpy() == flipped.get("k", "")
    add_outcomes(
        project, MODEL, {"id": ids, "late": np.where(turned, ~late, late).astype(int)}, labelling=LATE
    )


def test_an_unchanged_week_is_not_worse(watched: Project) -> None:
    became(watched, log(watched))
    found = watch(watched, MODEL, **WEEK)
    assert found.worse == ()
    assert set(found.declines) == {"auc", "log_loss", "brier", "calibration_error"}
    assert found.coverage is not None
    assert (found.coverage.missing, found.coverage.selective) == (0, False)
    assert found.estimates["auc"].wrong == pytest.approx(0, abs=0.06)
    assert "loss came with" not in drift_page(found)


def test_a_slice_that_was_wronged_is_named(watched: Project, capsys: pytest.CaptureFixture[str]) -> None:
    became(watched, log(watched), k="b")
    found = watch(watched, MODEL, **WEEK)
    assert "k = b" in found.worse
    assert "log_loss" in found.worse
    assert found.explained[0].feature == "k"
    assert found.explained[0].where == ("b",)
    page = drift_page(found)
    assert "Worse than in the reference period: log loss" in page.replace("AUC, ", "")
    assert "Which feature the loss came with" in page
    window = ["--since", "2026-03-02", "--until", "2026-03-09", "--version", str(WITH_CONTRACT)]
    assert call("drift", MODEL, *window) == 0
    told = capsys.readouterr().out
    assert "k = b" in told
    assert "the loss came with" in told
    assert call("drift", MODEL, *window, "--json") == 0
    assert "k = b" in json.loads(capsys.readouterr().out)["worse"]


def test_outcomes_of_some_answers_only_are_noticed(watched: Project) -> None:
    ids = log(watched)
    week = pd.concat([asked(100, 10 + day) for day in range(7)])
    high = answers(week) > 0.5
    late = np.random.default_rng(5).random(700) < answers(week)
    chosen = [each for each, here in zip(ids, high, strict=True) if here]
    add_outcomes(watched, MODEL, {"id": chosen, "late": late[high].astype(int)}, labelling=LATE)
    found = watch(watched, MODEL, **WEEK)
    assert found.coverage is not None
    assert found.coverage.selective
    assert f"{700 - high.sum():,} of 700 outcomes have not come, and not by chance" in drift_page(found)


def test_a_reference_without_labels_still_says_how_good_the_answers_were(scoring: Project) -> None:
    test = asked(2_800, 1)
    days = np.datetime64("2026-01-01") + np.arange(2_800) // 100
    counted = reference(test, days, contract_of(parse_value(CONTRACT)), answers(test), days)
    with Ledger.open(scoring) as ledger:
        attach(scoring, ledger, MODEL, WITH_CONTRACT, FILE, counted.to_json().encode())
    became(scoring, log(scoring))
    found = watch(scoring, MODEL, **WEEK)
    assert (found.declines, found.slices, found.level) == ({}, (), None)
    assert found.performance["auc"].low < found.performance["auc"].value
    assert "AUC" in drift_page(found)


@pytest.mark.parametrize(("more", "message"), [
    ({"until": START - timedelta(days=1)}, "before it starts"),
    ({"since": START + timedelta(days=6, hours=1)}, "answered nothing"),
    ({"until": START + timedelta(days=1)}, "100 rows, expected at least 200"),
    ({"until": START + timedelta(days=40)}, "56 days, expected at least 120"),
    ({"expected": ["X"]}, "no feature 'X'; known: k, x"),
    ({"version": 6}, "has no reference.json"),
])  # fmt: skip
def test_what_cannot_be_judged_is_refused(watched: Project, more: dict[str, Any], message: str) -> None:
    log(watched, 6)
    with pytest.raises((BadInput, ModelError), match=message):
        watch(watched, MODEL, **{**WEEK, **more})


def test_a_reference_that_is_none(scoring: Project) -> None:
    with Ledger.open(scoring) as ledger:
        attach(scoring, ledger, MODEL, WITH_CONTRACT, FILE, b"{}")
    log(scoring)
    with pytest.raises(ModelError, match="cannot be read"):
        watch(scoring, MODEL, **WEEK)


def test_the_page_says_the_same(watched: Project) -> None:
    log(watched, k=lambda rows: rows["k"].replace("c", "<i>z</i>"))
    page = drift_page(watch(watched, MODEL, **WEEK))
    assert "1 moved more than is ordinary: k" in page
    assert "fewer than 200 outcomes" in page


def test_the_command(watched: Project, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    log(watched, x=lambda rows: rows["x"] * 1.6)
    window = ["--since", "2026-03-02", "--until", "2026-03-09", "--version", str(WITH_CONTRACT)]
    assert call("drift", MODEL, *window, "--report", str(tmp_path / "new" / "page.html")) == 0
    told = capsys.readouterr().out
    assert "drifted: x" in told
    assert "0 outcomes have come: too few" in told
    assert (tmp_path / "new" / "page.html").read_text().startswith("<!doctype html>")
    assert call("drift", MODEL, *window, "--expected", "x", "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert found["drifted"] == []
    assert [each["expected"] for each in found["inputs"]] == [False, True]
    assert call("drift", "n", *window) == 2
    assert "no model 'n'" in capsys.readouterr().err
