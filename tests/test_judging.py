"""A registered version is judged: its files, its evidence, the champion of now; and the verdict is everywhere it belongs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.registered import MODEL, deliver
from workbench import ledger_trail, registry
from workbench.dossier import completed
from workbench.errors import PromotionError
from workbench.gates import Threshold, Verdict
from workbench.judging import judge_waiting, what_changed
from workbench.ledger import Ledger
from workbench.mlflow_store import Aliases, connect
from workbench.pages import SLOT, page
from workbench.promotion import Promotions, actor_here
from workbench.settings import Project, read_project

LOSS = {"log_loss": {"value": -0.01, "low": -0.02, "high": -0.005}}
GATES = {
    "champion": {"metric": "log_loss"},
    "serving": {"max_size": "1MB"},
    "provenance": {"commit": "recorded"},
}
EVIDENCE = {
    "directions": {"log_loss": "lower"},
    "champion": None,
    "predictions": {"rows": 80, "not_finite": 0},
}
INGREDIENTS = {
    "train": {
        "cells": ["a", "b"], "parameters": {"rate": 0.1}, "inputs": {"rows": "d1"}, "outputs": {}, "modules": {},
        "packages": {"sklearn": "scikit-learn 1.8"}, "kernel": "python3", "python": "3.11",
    }
}  # fmt: skip

Deliver = Callable[..., int]


@pytest.fixture
def ledger(models: Project) -> Iterator[Ledger]:
    with Ledger.open(models) as opened:
        yield opened


@pytest.fixture
def deliver_judged(models: Project, ledger: Ledger) -> Deliver:
    """Register the next version with these gates and this evidence; its number."""
    numbers = iter(range(5, 99))

    def make(
        gates: dict[str, Any] = GATES,
        evidence: Any = EVIDENCE,
        champion: str | None = None,
        ingredients: dict[str, Any] = INGREDIENTS,
    ) -> int:
        number = next(numbers)
        folder = models.root / "given" / str(number)
        folder.mkdir(parents=True)
        contents = {
            "gates": {"gates": gates, "champion": champion}, "evidence": evidence, "ingredients": ingredients,
        }  # fmt: skip
        files = {}
        for name, content in contents.items():
            (folder / f"{name}.json").write_text(json.dumps(content))
            files[name] = f"given/{number}/{name}.json"
        (folder / "review.html").write_text(page("Review", SLOT, "the notebook's own part"))
        (folder / "environment.txt").write_text("python==3.11\n")
        files |= {"review": f"given/{number}/review.html", "environment": f"given/{number}/environment.txt"}
        deliver(models, ledger, models.root / "fitted", number, **files)
        return number

    return make


def digest_of(ledger: Ledger, version: int) -> str:
    delivery = ledger.delivery(MODEL, version)
    assert delivery is not None
    return delivery.digest


def test_a_good_version_is_judged_once_and_on_record(
    models: Project, ledger: Ledger, deliver_judged: Deliver
) -> None:
    version = deliver_judged()
    (judged,) = judge_waiting(models, ledger)
    assert judged.passed, judged.summary
    verdict = ledger.verdict(MODEL, version)
    assert verdict is not None
    assert (verdict.passed, verdict.outcome, verdict.champion_version) == (True, "first", None)
    located = registry.locate(models, ledger, MODEL, version)
    assert json.loads(located.attachments["verdict.json"].read_text())["passed"] is True
    dossier = located.attachments["dossier.html"].read_text()
    assert f"May be promoted: {MODEL} version {version}" in dossier
    assert dossier.index("May be promoted") < dossier.index("own part") < dossier.index("Where it comes from")
    assert judge_waiting(models, ledger) == []


def test_versions_without_gates_are_left_alone(models: Project, ledger: Ledger) -> None:
    assert ledger.unjudged() == []


def test_a_file_that_was_changed_fails_the_version(
    models: Project, ledger: Ledger, deliver_judged: Deliver
) -> None:
    version = deliver_judged()
    folder = registry.place(models, ledger, MODEL, version).folder
    assert folder is not None
    model = folder / "model.skops"
    model.chmod(0o644)
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    (judged,) = judge_waiting(models, ledger)
    assert not judged.passed
    assert f"version {version} of 'm' is refused" in judged.summary


@pytest.mark.parametrize("evidence", [{}, [], None, {"champion": 3}])
def test_evidence_that_says_nothing_fails_it(
    models: Project, ledger: Ledger, deliver_judged: Deliver, evidence: Any
) -> None:
    version = deliver_judged(evidence=evidence)
    judge_waiting(models, ledger)
    verdict = ledger.verdict(MODEL, version)
    assert verdict is not None
    assert not verdict.passed
    assert any("cannot be evaluated" in reason for _, reason in verdict.failed)


def promote(models: Project, ledger: Ledger, version: int, expected: int | None) -> None:
    Promotions(models, ledger, Aliases(models, connect(models))).promote(
        MODEL, version, actor_here(models), expected=expected
    )


def test_the_champion_of_now_must_be_the_one_compared_with(
    models: Project, ledger: Ledger, deliver_judged: Deliver
) -> None:
    first = deliver_judged()
    judge_waiting(models, ledger)
    promote(models, ledger, first, None)
    stale = deliver_judged()  # its evidence knows of no champion
    judge_waiting(models, ledger)
    assert not ledger.verdict(MODEL, stale).passed  # type: ignore[union-attr]
    changed = json.loads(json.dumps(INGREDIENTS))
    changed["train"]["parameters"]["rate"] = 0.05
    better = deliver_judged(
        evidence={**EVIDENCE, "champion": {"difference": LOSS}},
        champion=digest_of(ledger, first),
        ingredients=changed,
    )
    judge_waiting(models, ledger)
    verdict = ledger.verdict(MODEL, better)
    assert verdict is not None
    assert (verdict.passed, verdict.outcome, verdict.champion_version) == (True, "better", first)
    dossier = registry.locate(models, ledger, MODEL, better).attachments["dossier.html"].read_text()
    assert "parameter rate 0.1 → 0.05" in dossier
    with pytest.raises(PromotionError, match=r"verdict is"):
        promote(models, ledger, stale, first)
    promote(models, ledger, better, first)


def test_where_the_policy_says_auto_the_verdict_promotes(
    models: Project, ledger: Ledger, deliver_judged: Deliver
) -> None:
    models.file.write_text(models.file.read_text() + f'\n[models.{MODEL}]\npolicy = "auto"\n')
    project = read_project(models.root)
    version = deliver_judged()
    (judged,) = judge_waiting(project, ledger)
    assert judged.promoted, judged.summary
    assert [entry.version for entry in ledger_trail.entries(ledger, MODEL)] == [version, version]
    tie = {"difference": {"log_loss": {"value": 0.0, "low": -0.01, "high": 0.01}}}
    deliver_judged(evidence={**EVIDENCE, "champion": tie}, champion=digest_of(ledger, version))
    (judged,) = judge_waiting(project, ledger)
    assert judged.passed
    assert not judged.promoted


def test_what_changed_is_told_step_by_step() -> None:
    newer = json.loads(json.dumps(INGREDIENTS))
    newer["train"]["packages"]["sklearn"] = "scikit-learn 1.9"
    newer["tune"] = INGREDIENTS["train"]
    assert what_changed(newer, INGREDIENTS) == {
        "train": ["scikit-learn 1.8 → 1.9"],
        "tune": ["only the candidate has this step"],
    }
    assert what_changed(INGREDIENTS, INGREDIENTS) == {}


def test_a_dossier_without_room_gets_its_verdict_all_the_same() -> None:
    verdict = Verdict(False, "worse", (Threshold("champion", "not <worse>", False, "it & is"),))
    for text in ("<html><body class=x><p>own</p></body></html>", "no html at all"):
        found = completed(text, "m", 2, verdict, {"serves": {"version": 1}, "provenance": {}}, {})
        assert "own" in found or "no html" in found
        if "<body" in text:
            assert found.index("Must not be promoted") < found.index("own")
            assert "not &lt;worse&gt;" in found
