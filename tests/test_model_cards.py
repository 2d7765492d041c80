"""What a reviewer reads of a version: from the ledger and its files, whatever of them is missing or damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workbench.drift.graded import graded
from workbench.fingerprint import Ingredients
from workbench.ledger import Ledger
from workbench.ledger_versions import Registered, counts, registered, registered_version
from workbench.model_cards import Card, Figure, better, card, curves_of, made_differently, same_rows
from workbench.model_files import ATTACHMENTS
from workbench.registry import address, local_folder
from workbench.settings import Project, read_project

EVIDENCE = {
    "metrics": {"auc": {"value": 0.71, "low": 0.68, "high": 0.74}, "odd": {"value": None}, "rows": 5},
    "directions": {"auc": "higher"},
    "test": {"from": "2013-01-01", "to": "2013-01-21", "rows": 300},
    "champion": {"difference": {"auc": {"value": 0.01, "low": -0.01, "high": 0.03}}},
    "slices": [
        {
            "column": "k",
            "value": "a",
            "rows": 40,
            "rate": 0.2,
            "measured": True,
            "champion": {"auc": {"value": -0.1}},
        }
    ],
    "importances": {"x": 0.4},
}


def version(number: int, digest: str = "abc") -> Registered:
    return Registered(
        "m", number, digest, f"run-{number}", "evaluate", None, 1.0, None, True, "better", 2.0, 1
    )


def made_of(seed: int = 0, test: str = "t1", cells: tuple[str, ...] = ("c",)) -> dict[str, Any]:
    """Ingredients of one step, as the registry keeps them."""
    found = Ingredients(cells, {"seed": seed}, {"test": test}, {"best": "m/"}, {}, {}, "python3", "3.11")
    return {name: list(each) if isinstance(each, tuple) else each for name, each in vars(found).items()}


@pytest.fixture
def files(project: Project) -> Path:
    """Where what travels with version `abc` lies."""
    place = local_folder(project, address(project, "m", "abc"))
    assert place is not None
    (place / ATTACHMENTS).mkdir(parents=True)
    return place / ATTACHMENTS


def test_a_card_says_what_the_files_say(project: Project, files: Path) -> None:
    (files / "evidence.json").write_text(json.dumps(EVIDENCE))
    (files / "ingredients.json").write_text(json.dumps({"evaluate": made_of()}))
    (files / "dossier.html").touch()
    found = card(project, version(2))
    assert found.metrics == {"auc": Figure(0.71, 0.68, 0.74)}
    assert found.differences == {"auc": Figure(0.01, -0.01, 0.03)}
    assert (found.directions, found.importances) == ({"auc": "higher"}, {"x": 0.4})
    assert (found.test["rows"], found.test_data, found.judged_against) == (300, "t1", 1)
    (part,) = found.slices
    assert (part.column, part.value, part.against) == ("k", "a", {"champion": Figure(-0.1)})
    assert found.dossier == files / "dossier.html"


@pytest.mark.parametrize("content", ["", "[1]", "{", '{"metrics": null, "slices": null}'])
def test_what_cannot_be_read_is_left_out(project: Project, files: Path, content: str) -> None:
    for name in ("evidence.json", "ingredients.json", "reference.json"):
        (files / name).write_text(content)
    found = card(project, version(2))
    assert (dict(found.metrics), found.slices, found.dossier, found.test_data) == ({}, (), None, None)
    assert curves_of(found) is None


def test_files_that_are_not_here_leave_an_empty_card(project: Project) -> None:
    found = card(project, version(2, "elsewhere"))
    assert (found.files, dict(found.metrics)) == (None, {})
    assert curves_of(found) is None


def test_curves_come_from_the_reference(project: Project, files: Path) -> None:
    labels, said = np.array([0, 1, 0, 1]), np.array([0.1, 0.4, 0.5, 0.9])
    counted = graded(labels, said, np.full(4, "2013-01-01"))
    (files / "reference.json").write_text(json.dumps({"outcomes": counted.as_dict()}))
    found = curves_of(card(project, version(2)))
    assert found is not None
    assert found.rows == 4


def test_what_two_versions_were_made_of_is_told_apart_by_step() -> None:
    first = Card("m", 1, None, ingredients={"evaluate": made_of(), "old": made_of()})
    second = Card("m", 2, None, ingredients={"evaluate": made_of(seed=7), "new": made_of(), "old": made_of()})
    found = made_differently(first, second)
    assert list(found) == ["evaluate", "new"]
    assert "seed" in found["evaluate"][0]
    assert found["new"] == ["only the second one has this step"]
    assert made_differently(second, first)["new"] == ["only the first one has this step"]
    damaged = Card("m", 3, None, ingredients={"old": {"cells": "?"}, "evaluate": made_of()})
    assert "another version of the workbench" in made_differently(damaged, first)["old"][0]


def test_figures_are_comparable_on_the_same_rows_only() -> None:
    one, same, other, unknown = (
        Card("m", number, None, ingredients=made)
        for number, made in enumerate(
            ({"e": made_of(test="t1")}, {"e": made_of(test="t1")}, {"e": made_of(test="t2")}, {})
        )
    )
    assert [same_rows(one, each) for each in (same, other, unknown)] == [True, False, False]
    assert not same_rows(unknown, unknown)


@pytest.mark.parametrize(
    ("direction", "first", "second", "says"),
    [("higher", 1, 2, True), ("higher", 2, 1, False), ("lower", 1, 2, False), ("lower", 2, 1, True),
     ("higher", 1, 1, None), (None, 1, 2, None), ("sideways", 1, 2, None)],
)  # fmt: skip
def test_which_of_two_is_better(
    direction: str | None, first: float, second: float, says: bool | None
) -> None:
    assert better(direction, Figure(first), Figure(second)) is says


def test_versions_are_listed_from_the_ledger_with_their_newest_verdict(registered_once: Path) -> None:
    project = read_project(registered_once)
    with Ledger.open(project) as ledger:
        assert counts(ledger) == {"m": 4}
        assert [each.version for each in registered(ledger, "m")] == [4, 3, 2, 1]
        assert [each.version for each in registered(ledger, "m", limit=2, offset=1)] == [3, 2]
        assert registered(ledger, "other") == []
        judged = {each.version: each.passed for each in registered(ledger, "m")}
        for passed in (True, False):
            found = registered(ledger, "m", passed=passed)
            assert [each.version for each in found] == [at for at, said in judged.items() if said is passed]
        two = registered_version(ledger, "m", 2)
        assert two is not None
        assert (two.run, two.step, two.commit) == ("run-2", "evaluate", "c0ffee2")
        assert registered_version(ledger, "m", 9) is None
