"""The ledger on a real SQLite file, with real processes."""

from __future__ import annotations

import math
import os
import sqlite3
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pytest
import sqlalchemy as sa

from workbench import ledger_schema, spool
from workbench.errors import BadInput, LedgerError
from workbench.events import (
    CellStarted,
    Failure,
    ModelReady,
    ModelRegistered,
    RunFinished,
    RunStarted,
    StepFinished,
    StepRetried,
    StepStarted,
)
from workbench.ledger import STALE_SECONDS, Ledger
from workbench.settings import Project, os_user

NOW = 1_795_478_983.25


@pytest.fixture
def ledger(project: Project):
    with Ledger.open(project) as opened:
        yield opened


def run_started(run: str = "20261123-234512-a1b2", at: float = NOW, **changes: object) -> RunStarted:
    event = RunStarted(
        at, run, "train", "notebooks/train.yaml", {"months": [1, 2]}, ("ingest", "train"), 2, "abc", True
    )
    return replace(event, **changes)


def step_started(run: str = "20261123-234512-a1b2", step: str = "ingest", attempt: int = 1) -> StepStarted:
    return StepStarted(
        NOW + 1, run, step, "never ran", "f1", "notebooks/ingest.ipynb", "runs/ingest.ipynb",
        {"months": [1, 2]}, {"raw": "d1"}, True, 5, attempt,
    )  # fmt: skip


def test_a_run_from_start_to_end(ledger: Ledger) -> None:
    run = run_started().run
    ledger.record(run_started())
    ledger.record(step_started())
    ledger.record(CellStarted(NOW + 1, run, "ingest", 1, 5))
    begun = ledger.step_run(run, "ingest")
    assert begun is not None
    assert (begun.state, begun.started, begun.finished, begun.tracked) == ("running", NOW + 1, None, True)
    ledger.record(
        StepFinished(
            NOW + 3,
            run,
            "ingest",
            "done",
            "never ran",
            "f1",
            2.0,
            {"flights": "d2"},
            "runs/ingest.ipynb",
            1,
            None,
            1000,
            ("spilled",),
        )
    )
    ledger.record(StepFinished(NOW + 3, run, "train", "cached", "cached", "f2", outputs={"model": "d3"}))
    ledger.record(RunFinished(NOW + 4, run, "done", 4.0, "all well"))

    found = ledger.run(run)
    assert (found.state, found.started, found.finished, found.seconds) == ("done", NOW, NOW + 4, 4.0)
    assert (found.parameters, found.steps, found.message) == (
        {"months": [1, 2]},
        ("ingest", "train"),
        "all well",
    )
    assert (found.git_commit, found.git_dirty, found.pid) == ("abc", True, os.getpid())
    ingest, train = ledger.step_runs(run)
    assert (ingest.state, ingest.seconds, ingest.outputs) == ("done", 2.0, {"flights": "d2"})
    assert (ingest.inputs, ingest.parameters) == ({"raw": "d1"}, {"months": [1, 2]})
    assert (ingest.peak_memory, ingest.notices, ingest.attempts) == (1000, ("spilled",), 1)
    assert (train.state, train.started, train.finished) == ("cached", NOW + 3, NOW + 3)


def test_a_failure_and_its_retries_are_kept(ledger: Ledger) -> None:
    failure = Failure("cell", "ValueError: \ud800 \0", 3, 2, "1/0", "Traceback")
    run = run_started().run
    ledger.record_all([run_started(), step_started(), StepRetried(NOW + 2, run, "ingest", 1, 0.5, failure)])
    retried = ledger.step_run(run, "ingest")
    assert retried is not None
    assert retried.failure == failure
    ledger.record(step_started(attempt=2))
    ledger.record(StepFinished(NOW + 5, run, "ingest", "failed", "x", "f1", attempts=2, failure=failure))
    failed = ledger.step_run(run, "ingest")
    assert failed is not None
    assert (failed.state, failed.attempts, failed.failure) == ("failed", 2, failure)


def test_text_that_no_database_takes_is_cleaned(ledger: Ledger) -> None:
    ledger.record_all(
        [run_started(), RunFinished(NOW, run_started().run, "failed", 1.0, "bad \ud800 \0 text")]
    )
    assert ledger.run(run_started().run).message == "bad ?  text"


def test_writing_an_event_again_changes_nothing(ledger: Ledger) -> None:
    events = [run_started(), step_started(), RunFinished(NOW + 1, run_started().run, "done", 1.0)]
    ledger.record_all(events)
    before = (ledger.runs(), ledger.step_runs(run_started().run))
    ledger.record_all(events)
    assert (ledger.runs(), ledger.step_runs(run_started().run)) == before


def test_a_batch_is_written_whole_or_not_at_all(ledger: Ledger) -> None:
    with pytest.raises(LedgerError):
        ledger.record_all([run_started(), step_started(run="unknown")])
    assert ledger.runs() == []


def test_runs_are_found_by_a_prefix(ledger: Ledger) -> None:
    ledger.record_all(
        [run_started("20261123-a1b2"), run_started("20261123-a1c3"), run_started("20261124-d4")]
    )
    assert ledger.run("20261124").id == "20261124-d4"
    assert ledger.run("20261123-a1b2").id == "20261123-a1b2"
    with pytest.raises(BadInput, match="more than one run: 20261123-a1b2, 20261123-a1c3"):
        ledger.run("20261123")
    with pytest.raises(BadInput, match=r"no run '20261123-a1b3'; did you mean '20261123-a1"):
        ledger.run("20261123-a1b3")
    with pytest.raises(BadInput, match="no run '%'"):
        ledger.run("%")


def test_a_run_in_an_empty_ledger_says_how_to_begin(ledger: Ledger) -> None:
    with pytest.raises(BadInput, match="workbench run PIPELINE"):
        ledger.run("x")


def test_runs_are_listed_newest_first(ledger: Ledger) -> None:
    ledger.record_all([run_started(f"r{n}", NOW + n) for n in range(3)])
    ledger.record(run_started("other", NOW + 9, pipeline="score"))
    ledger.record(RunFinished(NOW + 9, "r1", "done", 1.0))
    assert [run.id for run in ledger.runs("train")] == ["r2", "r1", "r0"]
    assert [run.id for run in ledger.runs(limit=2)] == ["other", "r2"]
    assert [run.id for run in ledger.runs(state="done")] == ["r1"]


def test_the_last_step_run_is_one_that_ran(ledger: Ledger) -> None:
    ledger.record_all([run_started("r1"), step_started("r1"), run_started("r2", NOW + 5)])
    ledger.record(StepFinished(NOW + 6, "r2", "ingest", "cached", "cached", "f1"))
    last = ledger.last_step_run("train", "ingest")
    assert last is not None
    assert last.run == "r1"
    assert ledger.last_step_run("score", "ingest") is None


def test_untracked_tells_what_mlflow_lacks(ledger: Ledger) -> None:
    run = run_started().run
    ledger.record_all([run_started(), step_started(), run_started("cached", NOW + 1)])
    ledger.record(StepFinished(NOW + 2, "cached", "ingest", "cached", "cached", "f1"))
    assert [each.id for each in ledger.untracked()[0]] == [run]  # a run in which nothing ran is not science
    ledger.note_mlflow(run, mlflow_run="m1", synced="running")
    ledger.note_mlflow(run, "ingest", mlflow_run="m2", synced="running")
    assert ledger.untracked() == ([], [])
    ledger.record(StepFinished(NOW + 2, run, "ingest", "done", "never ran", "f1"))
    ledger.record(RunFinished(NOW + 2, run, "done", 2.0))
    runs, steps = ledger.untracked()
    assert ([each.id for each in runs], [each.step for each in steps]) == ([run], ["ingest"])
    assert ledger.mlflow_run_of("f1") == "m2"
    assert not ledger.settled()


def test_a_delivery_is_pending_until_it_is_registered(ledger: Ledger) -> None:
    ready = ModelReady(NOW, "r1", "flight-delay", "evaluate", "d1", "store/d1/model", "store/e.json")
    ledger.record(ready)
    assert [each.digest for each in ledger.deliveries("pending")] == ["d1"]
    ledger.record(ModelRegistered(NOW, "r1", "flight-delay", 3, "d1"))
    (delivery,) = ledger.deliveries()
    assert (delivery.state, delivery.version, delivery.folder) == ("registered", 3, "store/d1/model")
    ledger.record(ready)  # its marker was lost: it is registered again, as the same version
    assert ledger.deliveries("pending")


def test_a_delivery_tells_who_ran_it_and_what_goes_with_it(ledger: Ledger) -> None:
    ready = ModelReady(NOW, "r1", "m", "evaluate", "d1", "store/d1", None, {"contract": "store/c.yaml"})
    ledger.record(ready)
    ledger.record(ModelRegistered(NOW, "r1", "m", 1, "d1"))
    delivery = ledger.delivery("m", 1)
    assert delivery is not None
    assert (delivery.author, delivery.attachments) == (os_user(), {"contract": "store/c.yaml"})
    assert ledger.delivery("m", 2) is None


def test_the_newest_verdict_counts_and_holds_plain_values(ledger: Ledger) -> None:
    assert ledger.verdict("m", 1) is None
    for passed in (True, False):
        value = np.float64(0.61) if passed else math.nan
        content = {
            "thresholds": [{"name": "auc", "passed": passed, "reason": "why", "value": value}],
            "margin": (1, 2),
        }
        given = ledger.record_verdict(
            "m", 1, passed=passed, outcome="promotable" if passed else "refused", content=content,
            champion_version=None if passed else 3, run="r1", created=NOW,
        )  # fmt: skip
        assert ledger.verdict("m", 1) == given
    newest = ledger.verdict("m", 1)
    assert newest is not None
    assert (newest.passed, newest.outcome, newest.champion_version, newest.created) == (
        False,
        "refused",
        3,
        NOW,
    )
    assert newest.content["thresholds"][0]["value"] == "nan"  # no database keeps NaN in JSON
    assert newest.content["margin"] == [1, 2]
    assert newest.failed == (("auc", "why"),)
    assert len(newest.digest) == 64
    assert ledger.verdict("m", 2) is None


def test_a_ledger_of_an_older_version_is_brought_up_to_date(project: Project) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(ledger_schema.__file__).parent / "migrations"))
    project.state.mkdir()
    engine = sa.create_engine(project.ledger_url)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.execute(sa.text(
            "INSERT INTO deliveries (model, digest, run, step, folder, state, version) "
            "VALUES ('m', 'd', 'r', 's', 'f', 'registered', 1)"
        ))  # fmt: skip
    with Ledger.open(project) as ledger:
        delivery = ledger.delivery("m", 1)
        assert delivery is not None
        assert (delivery.digest, delivery.author, delivery.attachments) == ("d", None, None)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0001")
        assert "promotions" not in sa.inspect(connection).get_table_names()
    engine.dispose()


def test_a_live_run_is_left_alone(ledger: Ledger) -> None:
    ledger.record(run_started())
    assert ledger.reconcile() == []


def test_a_run_whose_process_is_gone_is_crashed(project: Project, ledger: Ledger) -> None:
    code = (
        "from pathlib import Path; from workbench.settings import read_project\n"
        "from workbench.ledger import Ledger; from workbench.events import *\n"
        f"ledger = Ledger.open(read_project(Path({str(project.root)!r})))\n"
        "ledger.record(RunStarted(1.0, 'r1', 'train', 'f', {}, ('a', 'b'), 1))\n"
        "ledger.record(StepStarted(1.0, 'r1', 'a', 'x', 'f', 'n', 'e', {}, {}, False))\n"
        "ledger.record(StepFinished(1.0, 'r1', 'b', 'done', 'x'))\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert ledger.reconcile() == ["r1"]
    run = ledger.run("r1")
    assert (run.state, run.finished) == ("crashed", run.heartbeat)
    assert "is gone" in run.message
    assert [step.state for step in ledger.step_runs("r1")] == ["crashed", "done"]
    assert ledger.reconcile() == []


def test_a_reused_pid_is_not_mistaken_for_the_run(project: Project, ledger: Ledger) -> None:
    ledger.record(run_started("mine"))
    _change(project, "mine", process_started=psutil.Process().create_time() - 3600)
    assert ledger.reconcile() == ["mine"]


def test_on_another_host_the_heartbeat_decides(project: Project, ledger: Ledger) -> None:
    ledger.record_all([run_started("fresh"), run_started("stale")])
    _change(project, "fresh", host="elsewhere", heartbeat=time.time())
    _change(project, "stale", host="elsewhere", heartbeat=time.time() - STALE_SECONDS - 1)
    assert ledger.reconcile() == ["stale"]
    ledger.heartbeat("stale")  # it lives after all
    assert ledger.run("stale").state == "running"


def test_two_processes_make_the_same_new_ledger(project: Project) -> None:
    code = (
        "import sys; from pathlib import Path; from workbench.settings import read_project\n"
        "from workbench.ledger import Ledger; from workbench.events import *\n"
        "project, me = read_project(Path(sys.argv[1])), sys.argv[2]\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "ledger = Ledger.open(project)\n"
        "for n in range(20): ledger.record(RunStarted(1.0, f'{me}-{n}', 'p', 'f', {}, (), 1))\n"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(project.root), me],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for me in "abc"
    ]  # fmt: skip
    for each in both:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in both:
        assert each.stdin is not None
        each.stdin.write("\n")
        each.stdin.flush()
    assert [each.communicate(timeout=60) and each.returncode for each in both] == [0, 0, 0]
    with Ledger.open(project) as ledger:
        assert len(ledger.runs(limit=None)) == 60


def test_the_migrations_make_exactly_the_tables_of_the_code(ledger: Ledger, project: Project) -> None:
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext
    from alembic.script import ScriptDirectory

    migrations = Path(ledger_schema.__file__).parent / "migrations"
    assert ScriptDirectory(str(migrations)).get_heads() == [ledger_schema.HEAD]
    engine = sa.create_engine(project.ledger_url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), ledger_schema.metadata) == []
    engine.dispose()


def test_a_ledger_at_its_newest_schema_opens_without_alembic(project: Project) -> None:
    Ledger.open(project).close()
    code = (
        "import sys; from pathlib import Path; from workbench.settings import read_project\n"
        f"from workbench.ledger import Ledger; Ledger.open(read_project(Path({str(project.root)!r})))\n"
        "print([name for name in ('alembic', 'mlflow', 'pandas', 'nbformat') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


def test_a_ledger_from_a_newer_version_is_refused(project: Project) -> None:
    Ledger.open(project).close()
    connection = sqlite3.connect(project.state / "ledger.db")
    connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.commit()
    connection.close()
    with pytest.raises(LedgerError, match="newer version of workbench"):
        Ledger.open(project)


def test_a_damaged_ledger_says_what_to_do(project: Project) -> None:
    project.state.mkdir()
    (project.state / "ledger.db").write_bytes(b"no database" * 100)
    with pytest.raises(LedgerError, match=r"damaged.*mv .*ledger\.db\.damaged"):
        Ledger.open(project)


def test_a_ledger_that_cannot_be_made_says_where(project: Project) -> None:
    project.state.write_text("a file where the folder should be")
    with pytest.raises(LedgerError, match=r"\.workbench"):
        Ledger.open(project)


@pytest.mark.parametrize("url", ["nonsense", "oracle+nothing://x/y"])
def test_a_wrong_url_is_refused(project: Project, url: str) -> None:
    with pytest.raises(LedgerError, match="cannot be used"):
        Ledger.open(replace(project, ledger_url=url))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("attempt to write a readonly database", "check the permissions"),
        ("database or disk is full", "free some disk space"),
        ("database is locked", "is locked by another process"),
        ("something else", "cannot be used"),
    ],
)
def test_troubles_are_worded(text: str, said: str) -> None:
    assert said in ledger_schema.unusable("ledger.db", sqlite3.OperationalError(text))


def test_a_spooled_run_is_taken_in_when_the_ledger_is_opened(project: Project) -> None:
    run = run_started().run
    cached = StepFinished(NOW, run, "ingest", "cached", "cached", "f1", outputs={"flights": "d"})
    failed = StepFinished(NOW, run, "train", "skipped", "x", failure=Failure("output", "gone"))
    spool.put(project, run, [run_started(), cached, failed, RunFinished(NOW + 1, run, "done", 1.0)])
    (project.state / "spool" / "broken.json").write_text("{")
    with Ledger.open(project) as ledger:
        assert ledger.run(run).state == "done"
        ingest, train = ledger.step_runs(run)
        assert (ingest.outputs, train.failure) == ({"flights": "d"}, Failure("output", "gone"))
        assert ledger.settled()
    assert [file.name for file in spool.waiting(project)] == ["broken.json"]


def _change(project: Project, run: str, **values: object) -> None:
    engine = sa.create_engine(project.ledger_url)
    with engine.begin() as connection:
        connection.execute(ledger_schema.runs.update().where(ledger_schema.runs.c.id == run).values(**values))
    engine.dispose()
