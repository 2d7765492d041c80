"""`workbench models canary` and `shadow`."""

from __future__ import annotations

import json

import pytest

from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT
from tests.serving.parts import Reviewer
from workbench import ledger_trail
from workbench.challengers import challengers_file
from workbench.cli import main
from workbench.settings import Project
from workbench.trail import standing, verify


@pytest.fixture
def reviewer(scoring: Project) -> Reviewer:
    ada = Reviewer(scoring)
    ada.promote(WITH_CONTRACT)
    ada.judge(LOGISTIC, WITH_CONTRACT)
    return ada


def test_a_canary_begins_and_ends_on_record(
    scoring: Project, reviewer: Reviewer, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "canary", MODEL, str(LOGISTIC), "--share", "12.5%", "--reason", "looks good"]) == 0
    assert "version 7 of 'm' answers 12.5% of the requests as canary" in capsys.readouterr().out
    now = standing(MODEL, ledger_trail.entries(reviewer.ledger, MODEL))
    assert now.canary is not None
    assert (now.canary.version, now.share, now.canary.reason) == (LOGISTIC, 0.125, "looks good")
    assert json.loads(challengers_file(scoring, MODEL).read_text())["canary"] == LOGISTIC
    assert main(["models", "shadow", MODEL, str(LOGISTIC)]) == 0
    assert main(["models", "canary", MODEL, "--off"]) == 0
    assert "version 7 of 'm' is no canary any more" in capsys.readouterr().out
    entries = ledger_trail.entries(reviewer.ledger, MODEL)
    now = standing(MODEL, entries)
    assert (now.canary, now.champion) == (None, WITH_CONTRACT)
    assert now.shadow is not None
    assert verify(entries) == []
    assert main(["models", "shadow", MODEL, "--off"]) == 0
    assert not challengers_file(scoring, MODEL).exists()
    reviewer.close()


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["canary", MODEL], "name a version, or --off: workbench models canary m VERSION"),
        (["canary", MODEL, "7", "--off"], "name a version, or --off"),
        (["canary", MODEL, "7", "--share", "0"], "'0' is no share; expected more than 0%"),
        (["shadow", MODEL, "--off"], "no version of 'm' is tried as shadow"),
        (["shadow", MODEL, "99"], "'m' has no version 99"),
    ],
)
def test_what_makes_no_sense_is_said(
    reviewer: Reviewer, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    assert main(["models", *words]) == 2
    assert says in capsys.readouterr().err
    reviewer.close()
