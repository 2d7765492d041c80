"""Overview without a browser: nothing there, weeks with alerts, a champion."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app import projects
from tests.app.conftest import OpenApp
from tests.app.made_windows import MODEL
from tests.app.reading import text_of
from workbench import ledger_trail
from workbench.ledger import Ledger
from workbench.promotion import actor_here
from workbench.settings import Project
from workbench.trail import standing


def test_nothing_there_then_weeks_with_alerts_then_a_damaged_ledger(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_app: OpenApp
) -> None:
    project = projects.empty(tmp_path / "empty")
    monkeypatch.chdir(project.root)
    assert "Nothing has run yet" in text_of(open_app())
    project = projects.typical(tmp_path / "typical")
    monkeypatch.chdir(project.root)
    app = open_app()
    said = text_of(app)
    assert MODEL in said
    assert "Look into it under *Monitoring*" in said
    assert {each.label: each.value for each in app.metric}["Open alerts"] == "3"
    assert not app.exception


def test_two_triggers_that_are_due_at_the_same_moment_are_both_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, open_app: OpenApp
) -> None:
    project = projects.empty(tmp_path / "one")
    projects.write_pipelines(project)
    Ledger.open(project).close()
    for name in ("one", "two"):  # a staleness of what never ran is due now, to the second
        file = projects.SCORE.replace("pipeline: score", f"pipeline: {name}")
        (project.notebooks / f"{name}.yaml").write_text(
            file.replace('new_data: "data/*.csv"', "staleness: 30d")
        )
    monkeypatch.chdir(project.root)
    app = open_app()
    assert not app.exception
    said = text_of(app)
    assert [f"**{name}.staleness** due now" in said for name in ("one", "two")] == [True, True]


def test_a_promotion_from_the_app_is_on_the_trail_and_on_the_overview(
    models: Project, open_app: OpenApp
) -> None:
    def promote(*, override: bool) -> None:
        app = open_app("models")
        app.button(key="promote").click().run()
        app.checkbox(key="decision-override").set_value(override)
        app.text_area(key="decision-reason").set_value("the best we have")
        app.button(key="promote-now").click().run()

    def champion() -> int | None:
        with Ledger.open(models) as ledger:
            return standing("m", ledger_trail.entries(ledger, "m")).champion

    promote(override=False)
    assert champion() is None
    promote(override=True)
    assert champion() == 4
    assert {each.label: each.value for each in open_app().metric}["Champion"] == "version 4"
    from sources import promotions  # where pages get what they share

    # Somebody else was quicker: what this page was drawn for is no longer so.
    late = open_app("models")
    late.button(key="retire").click().run()
    with Ledger.open(models) as ledger:
        promotions(models, ledger).retire("m", 4, actor_here(models), expected=4, reason="by another")
    late.text_area(key="decision-reason").set_value("me, too")
    late.button(key="retire-now").click().run()
    with Ledger.open(models) as ledger:
        moves = [each for each in ledger_trail.entries(ledger, "m") if each.phase == "intent"]
    assert [(each.kind, each.reason) for each in moves] == [
        ("promote", "the best we have"),
        ("retire", "by another"),
    ]


def test_who_may_only_look_cannot_promote(models: Project, open_app: OpenApp) -> None:
    app = open_app("models")
    app.button(key="promote").click().run()
    app.checkbox(key="decision-override").set_value(True)
    app.text_area(key="decision-reason").set_value("I want to")
    # The role is taken away while the dialog is open: the button is pressed all the same.
    models.file.write_text(models.file.read_text() + f'\n[roles]\nviewer = ["{actor_here(models).name}"]\n')
    app.button(key="promote-now").click().run()
    with Ledger.open(models) as ledger:
        assert ledger_trail.entries(ledger, "m") == []
    assert app.button(key="promote").disabled
