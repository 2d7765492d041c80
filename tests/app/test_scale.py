"""Every page of a project with 10,000 runs, 500 versions and a year of windows; and with a ledger that is locked."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.app import made_runs, projects
from tests.app.conftest import OpenApp
from tests.app.reading import text_of
from workbench.settings import Project, read_project

PAGES = {
    "overview": "version 2",
    "runs": made_runs.run_id(projects.LARGE.runs - 1),
    "data": "🟢 train.ingest",
    "models": "Version 500 failed",
    "monitoring": "Window 360",
    "serving": "127.0.0.1:8000",
    "automation": "3 failed runs in a row",
}
LEDGERS = ("overview", "runs", "models", "monitoring", "serving", "automation")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return projects.large(tmp_path_factory.mktemp("made") / "large").root


@pytest.fixture
def large(made: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    monkeypatch.chdir(made)
    return read_project(made)


def test_every_page_shows_a_year(large: Project, open_app: OpenApp) -> None:
    for page, says in PAGES.items():
        app = open_app(page)
        shown = text_of(app) + "".join(f"{each.label} {each.value}" for each in app.metric)
        assert says in shown, page
        assert all(len(each.value) <= 50 for each in app.dataframe), page


def test_a_locked_ledger_is_said_by_every_page(
    made: Path, tmp_path: Path, open_app: OpenApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sources  # where pages get what they share

    # A copy, which nobody else has open: an app that was looked at before keeps its connections.
    root = tmp_path / "large"
    shutil.copytree(made, root, ignore=shutil.ignore_patterns("manifests", "registry", "objects", "reports"))
    monkeypatch.chdir(root)

    monkeypatch.setattr(sources, "PATIENCE", 0.2)
    holder = sqlite3.connect(read_project(root).state / "ledger.db", isolation_level=None)
    # In WAL mode a writer keeps no reader out; this does, as a ledger on a file system without shared memory would.
    holder.execute("PRAGMA locking_mode=EXCLUSIVE")
    holder.execute("BEGIN EXCLUSIVE")
    try:
        for page in LEDGERS:
            assert "is locked by another process" in text_of(open_app(page)), page
    finally:
        holder.rollback()
        holder.close()
