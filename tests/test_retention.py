"""What goes and what stays when old runs are cleared away."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.digests import Digests
from workbench.errors import StoreError
from workbench.ledger import Ledger
from workbench.loading import load_pipeline
from workbench.locks import locked
from workbench.plan import make_plan
from workbench.retention import Freed, OldRun, collect_garbage, kept_runs
from workbench.run import run_plan
from workbench.settings import Project
from workbench.store import Store


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the first project of `hello` is kept for those after it."""
    return tmp_path_factory.mktemp("kept") / "project"


@pytest.fixture
def hello(kept: Path, project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Project:
    """Three runs of one step, with 1, 2 and 3."""
    if kept.exists():
        shutil.copytree(kept, project.root, dirs_exist_ok=True)
        return project
    write_notebook("hello.ipynb", "open(out, 'w').write(str(x))", parameters="x: int = 1\nout: str = ''")
    write_pipeline("hello", "pipeline: hello\nsteps:\n  s: {notebook: hello.ipynb, outputs: {out: o.txt}}\n")
    for x in (1, 2, 3):
        made(x)
    shutil.copytree(project.root, kept)
    return project


def made(x: int) -> str:
    """Run with this value: `done` or `cached`."""
    result = run_plan(make_plan(load_pipeline("hello", {"x": x})))
    (state,) = (step.state for step in result.steps.values())
    return state


def collect(project: Project, runs: int = 1, days: float = 0, *, dry_run: bool = False) -> Freed:
    with Ledger.open(project) as ledger:
        return collect_garbage(project, ledger, keep_runs=runs, keep_days=days, dry_run=dry_run)


def runs_of(project: Project) -> list[str]:
    """Ids, the newest first."""
    with Ledger.open(project) as ledger:
        return [run.id for run in ledger.runs(limit=None)]


def folders(project: Project) -> set[str]:
    return {folder.name for folder in project.reports.glob("hello/*") if not folder.is_symlink()}


def contents(project: Project) -> set[str]:
    """What the outputs say that are still there."""
    store = Store(project.store, Digests(project.root, project.store / "digests.json"))
    return {
        file.read_text()
        for folder in store.objects().values()
        for file in folder.rglob("*")
        if file.is_file()
    }


def test_only_the_latest_result_and_run_stay_and_what_went_is_made_again(hello: Project) -> None:
    newest = runs_of(hello)[0]
    freed = collect(hello)
    assert (len(freed.garbage.reports), len(freed.garbage.manifests), len(freed.garbage.objects)) == (2, 2, 2)
    assert freed.size > 0
    assert folders(hello) == {newest}
    assert contents(hello) == {"3"}
    assert collect(hello).garbage.empty
    assert [made(3), made(1)] == ["cached", "done"]


def test_a_dry_run_says_the_same_and_removes_nothing(hello: Project) -> None:
    before = folders(hello)
    told = collect(hello, dry_run=True)
    assert (folders(hello), contents(hello)) == (before, {"1", "2", "3"})
    assert collect(hello) == told


@pytest.mark.parametrize(
    ("runs", "days", "left"), [(2, 0, {"2", "3"}), (0, 1, {"1", "2", "3"}), (3, 0, {"1", "2", "3"})]
)
def test_the_newest_runs_and_the_young_ones_stay_with_what_they_made(
    hello: Project, runs: int, days: float, left: set[str]
) -> None:
    collect(hello, runs, days)
    assert contents(hello) == left
    assert len(folders(hello)) == len(left)


def test_what_a_kept_run_found_in_the_cache_stays(
    hello: Project, write_notebook: Callable[..., Path], write_pipeline: Any
) -> None:
    write_notebook("nine.ipynb", "open(out, 'w').write('9')", parameters="out: str = ''")
    write_pipeline(
        "hello",
        """\
        pipeline: hello
        steps:
          s: {notebook: hello.ipynb, outputs: {out: o.txt}}
          t: {notebook: nine.ipynb, outputs: {out: o.txt}}
        """,
    )
    result = run_plan(make_plan(load_pipeline("hello", {"x": 1})))
    assert {key: step.state for key, step in result.steps.items()} == {"s": "cached", "t": "done"}
    collect(hello)
    assert contents(hello) == {"1", "3", "9"}  # 3: the latest of its step


def test_what_is_or_is_about_to_be_a_model_stays(hello: Project) -> None:
    store = Store(hello.store, Digests(hello.root, hello.store / "digests.json"))
    one = next(digest for digest, folder in store.objects().items() if any(f.read_text() == "1" for f in folder.rglob("*") if f.is_file()))  # fmt: skip
    marker = hello.store / "delivered" / "m" / f"{one}.json"
    marker.parent.mkdir(parents=True)
    marker.write_text(json.dumps({"run": runs_of(hello)[-1]}))
    collect(hello)
    assert contents(hello) == {"1", "3"}
    assert len(folders(hello)) == 2  # its run, too: its notebook says how it came about
    marker.write_text("damaged")
    collect(hello)
    assert contents(hello) == {"1", "3"}


def test_results_stay_while_a_run_is_in_progress(hello: Project) -> None:
    claimed = hello.running / "20260101-000000-abcd"
    claimed.mkdir(parents=True)
    with locked(claimed / "lock"):
        freed = collect(hello)
        assert "a run is in progress" in freed.notice
        assert (len(folders(hello)), contents(hello)) == (1, {"1", "2", "3"})
    assert collect(hello).notice == ""
    assert contents(hello) == {"3"}


def test_scratch_of_a_killed_run_goes_and_other_peoples_files_stay(hello: Project) -> None:
    gone = hello.running / "20260101-000000-abcd"
    (gone / "scratch").mkdir(parents=True)
    (gone / "lock").touch()
    mine = hello.reports / "hello" / "notes"
    mine.mkdir()
    collect(hello)
    assert not (gone / "scratch").exists()
    assert mine.is_dir()


def test_logs_of_requests_go_when_runs_would(hello: Project) -> None:
    hello.request_logs.mkdir(parents=True)
    old, new = hello.request_logs / "1.log", hello.request_logs / "2.log"
    old.touch()
    new.touch()
    os.utime(old, (1000, 1000))
    assert collect(hello, days=1, dry_run=True).garbage.logs == (old,)
    collect(hello, days=1)
    assert [old.exists(), new.exists()] == [False, True]


def test_two_at_once_are_refused(hello: Project) -> None:
    with locked(hello.store / "gc.lock"), pytest.raises(StoreError, match="another `workbench gc`"):
        collect(hello)


def test_runs_are_kept_by_pipeline() -> None:
    runs = [OldRun(f"{name}{at}", name, float(at)) for name in "ab" for at in range(3)]
    assert kept_runs(runs, 1, 9.0) == {"a2", "b2"}
    assert kept_runs(runs, 0, 1.0) == {"a1", "a2", "b1", "b2"}
