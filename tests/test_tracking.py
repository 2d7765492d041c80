"""MLflow made to agree with the ledger: real databases, real processes, a real kernel."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import nbformat
import psutil
import pytest
from mlflow import MlflowClient

from workbench import recorder as recorder_module
from workbench.errors import TrackingError
from workbench.events import Failure, RunFinished, RunStarted, State, StepFinished, StepStarted
from workbench.ledger import Ledger, Run, StepRun
from workbench.mlflow_store import connect, environment
from workbench.mlflow_sync import next_job, sync
from workbench.recorder import Recorder
from workbench.rendering import render
from workbench.settings import Project, read_project
from workbench.tracker import Tracker
from workbench.tracking import kernel_environment

# MLflow 3.17 uses what SQLAlchemy 2.1 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

RUN = "20261123-234512-a1b2"
NOW = 1_795_478_983.25


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty MLflow database: making one takes seconds."""
    root = tmp_path_factory.mktemp("template")
    (root / "workbench.toml").write_text('[project]\nname = "demo"\n')
    before = dict(os.environ)
    connect(read_project(root))
    os.environ.clear()
    os.environ.update(before)
    return root / ".workbench" / "mlflow.db"


@pytest.fixture
def tracked(project: Project, made_once: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with MLflow."""
    for name, value in environment(project).items():
        monkeypatch.setenv(name, value)
    project.state.mkdir()
    shutil.copy(made_once, project.state / "mlflow.db")
    return replace(project, mlflow_enabled=True)


@pytest.fixture
def ledger(tracked: Project) -> Iterator[Ledger]:
    with Ledger.open(tracked) as opened:
        yield opened


@pytest.fixture
def client(tracked: Project) -> MlflowClient:
    return connect(tracked)


def run_started(run: str = RUN, steps: tuple[str, ...] = ("ingest", "train", "old")) -> RunStarted:
    return RunStarted(NOW, run, "train", "notebooks/train.yaml", {"months": [1, 2]}, steps, 2, "c0ffee", True)


def step_started(step: str = "ingest", run: str = RUN, **changes: Any) -> StepStarted:
    event = StepStarted(
        NOW + 1, run, step, "never ran", f"f-{step}", f"notebooks/{step}.ipynb", f"runs/{step}.ipynb",
        {"months": [1, 2], "rate": 0.1}, {"raw": "d-raw"}, False, 5,
    )  # fmt: skip
    return replace(event, **changes)


def step_finished(step: str = "ingest", state: Any = "done", run: str = RUN, **changes: Any) -> StepFinished:
    event = StepFinished(
        NOW + 3,
        run,
        step,
        state,
        "never ran",
        f"f-{step}",
        2.0,
        {"out": f"d-{step}"},
        f"runs/{step}.ipynb",
        1,
    )
    return replace(event, **changes)


def executed(project: Project, step: str = "ingest") -> Path:
    """An executed notebook where the events say it is."""
    output = nbformat.v4.new_output("stream", text="hello\n")
    cell = nbformat.v4.new_code_cell("print('hello')", execution_count=1, outputs=[output])
    file = project.root / "runs" / f"{step}.ipynb"
    file.parent.mkdir(exist_ok=True)
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# $x^2$"), cell]), file)
    return file


def recorded(client: MlflowClient) -> dict[str, Any]:
    """All runs in MLflow by name; fails when a name is there twice."""
    everywhere = [each.experiment_id for each in client.search_experiments()]
    found = client.search_runs(everywhere)
    names = [each.info.run_name for each in found]
    assert sorted(names) == sorted(set(names)), "a run is there twice"
    return dict(zip(names, found, strict=True))


def test_a_run_and_its_steps_are_sent(tracked: Project, ledger: Ledger, client: MlflowClient) -> None:
    executed(tracked)
    failure = Failure("cell", "ValueError: no", 2)
    ledger.record_all([run_started(), step_started(), step_started("train")])
    ledger.record_all([step_finished(), step_finished("train", "failed", failure=failure)])
    ledger.record_all([step_finished("old", "cached"), RunFinished(NOW + 4, RUN, "failed", 4.0, "1 failed")])
    said: list[Any] = []
    sync(tracked, ledger, said.append)

    runs = recorded(client)
    assert set(runs) == {RUN, "ingest", "train"}  # what was cached is told on the run
    parent, ingest, train = runs[RUN], runs["ingest"], runs["train"]
    assert client.get_experiment(parent.info.experiment_id).name == "demo/train"
    assert (parent.info.status, ingest.info.status, train.info.status) == ("FAILED", "FINISHED", "FAILED")
    assert (ingest.info.start_time, ingest.info.end_time) == (1_795_478_984_250, 1_795_478_986_250)
    assert ingest.data.tags["mlflow.parentRunId"] == parent.info.run_id
    assert ingest.data.params == {"months": "[1, 2]", "rate": "0.1"}
    tags = ingest.data.tags
    assert (tags["workbench.fingerprint"], tags["workbench.reason"]) == ("f-ingest", "never ran")
    assert (tags["workbench.input.raw"], tags["workbench.output.out"]) == ("d-raw", "d-ingest")
    assert (tags["mlflow.source.git.commit"], tags["workbench.git.dirty"]) == ("c0ffee", "true")
    assert train.data.tags["workbench.failure"] == "ValueError: no"
    assert [each.path for each in client.list_artifacts(ingest.info.run_id)] == [
        "ingest.html",
        "ingest.ipynb",
    ]
    table = json.loads(Path(client.download_artifacts(parent.info.run_id, "steps.json")).read_text())
    assert [(each["step"], each["state"]) for each in table] == [
        ("ingest", "done"),
        ("train", "failed"),
        ("old", "cached"),
    ]
    assert {each["step"] for each in said} == {None, "ingest", "train"}
    assert ledger.settled()


def test_sending_again_changes_nothing(tracked: Project, ledger: Ledger, client: MlflowClient) -> None:
    ledger.record_all(
        [run_started(), step_started(), step_finished(), RunFinished(NOW + 4, RUN, "done", 4.0)]
    )
    sync(tracked, ledger)
    before = {name: each.to_dictionary() for name, each in recorded(client).items()}
    for step in (None, "ingest"):  # as if the process had died between making a run and noting it
        ledger.note_mlflow(RUN, step, mlflow_run=None, synced=None)
    sync(tracked, ledger)
    after = {name: each.to_dictionary() for name, each in recorded(client).items()}
    assert after == before
    assert ledger.settled()


def test_what_somebody_waits_for_comes_first(ledger: Ledger) -> None:
    assert next_job(ledger, set()) is None
    ledger.record_all([run_started(), step_started(), step_finished(), step_started("train", tracked=True)])
    job = next_job(ledger, set())
    assert job is not None
    assert isinstance(job.of, StepRun)
    assert (job.kind, job.of.step) == ("open", "train")
    following = next_job(ledger, {job.key})
    assert following is not None
    assert isinstance(following.of, Run)


def test_a_running_run_is_seen_at_once(tracked: Project, ledger: Ledger, client: MlflowClient) -> None:
    ledger.record_all([run_started(), step_started()])
    sync(tracked, ledger)
    assert {name: each.info.status for name, each in recorded(client).items()} == {
        RUN: "RUNNING",
        "ingest": "RUNNING",
    }


def test_no_run_stays_running_after_a_crash(tracked: Project, ledger: Ledger, client: MlflowClient) -> None:
    ledger.record_all([run_started(), step_started(tracked=True)])
    sync(tracked, ledger)
    mine = recorded(client)["ingest"].info
    trial = client.create_run(mine.experiment_id, tags={"mlflow.parentRunId": mine.run_id}, run_name="trial")
    client.create_run(
        mine.experiment_id, tags={"mlflow.parentRunId": trial.info.run_id}, run_name="inner trial"
    )
    ledger.record_all([step_finished(state="crashed"), RunFinished(NOW + 4, RUN, "crashed", 4.0)])
    sync(tracked, ledger)
    assert {each.info.status for each in recorded(client).values()} == {"KILLED"}
    ledger.record_all([RunFinished(NOW + 4, RUN, "running", 4.0)])  # it lived after all
    sync(tracked, ledger)
    assert recorded(client)[RUN].info.status == "RUNNING"


def test_what_the_notebook_logged_itself_stays(
    tracked: Project, ledger: Ledger, client: MlflowClient
) -> None:
    ledger.record_all([run_started(), step_started(tracked=True)])
    sync(tracked, ledger)
    id_ = recorded(client)["ingest"].info.run_id
    client.log_param(id_, "rate", "10 %")  # MLflow never lets a parameter change
    client.log_metric(id_, "auc", 0.7)
    client.set_terminated(id_, "FINISHED")
    ledger.record(step_finished(state="failed"))
    sync(tracked, ledger)
    ingest = recorded(client)["ingest"]
    assert ingest.data.params == {"months": "[1, 2]", "rate": "10 %"}
    assert (ingest.data.metrics, ingest.info.status) == ({"auc": 0.7}, "FAILED")


def test_values_beyond_the_limits_are_cut(tracked: Project, ledger: Ledger, client: MlflowClient) -> None:
    many = {f"p{n}": n for n in range(150)} | {"long": "x" * 10_000, "größe": None}
    step = "train[algorithm='a\"b', n=1]"
    ledger.record_all([run_started(), step_started(step, parameters=many, reason="y" * 10_000)])
    ledger.record(step_finished(step, outputs={"a[b]": "d"}, executed=None))
    sync(tracked, ledger)
    sent = recorded(client)[step]
    assert len(sent.data.params) == 152
    assert sent.data.params["long"].endswith("x…")
    assert (sent.data.params["größe"], sent.data.tags["workbench.output.a_b_"]) == ("None", "d")
    assert sent.info.status == "FINISHED"


def test_a_run_that_vanished_from_mlflow_is_made_anew(
    tracked: Project, ledger: Ledger, client: MlflowClient
) -> None:
    ledger.record_all([run_started(), step_started(), step_finished()])
    for step in (None, "ingest"):
        ledger.note_mlflow(RUN, step, mlflow_run="0" * 32)
    ledger.record(RunFinished(NOW + 4, RUN, "done", 4.0))
    sync(tracked, ledger)
    assert {each.info.status for each in recorded(client).values()} == {"FINISHED"}
    assert ledger.settled()


def test_what_a_person_deleted_in_mlflow_stays_deleted(
    tracked: Project, ledger: Ledger, client: MlflowClient
) -> None:
    ledger.record_all([run_started(), step_started()])
    sync(tracked, ledger)
    runs = recorded(client)
    experiment = runs[RUN].info.experiment_id
    for each in runs.values():
        client.delete_run(each.info.run_id)
    client.delete_experiment(experiment)
    ledger.record_all([step_finished(), RunFinished(NOW + 4, RUN, "done", 4.0)])
    sync(tracked, ledger)
    assert ledger.settled()
    assert recorded(client) == {}
    ledger.record_all([run_started("next"), step_started(run="next"), step_finished(run="next")])
    sync(tracked, ledger)  # the experiment comes back with the next run
    found = client.search_runs([runs[RUN].info.experiment_id], "tags.`workbench.run` = 'next'")
    assert {each.info.run_name for each in found} == {"next", "ingest"}


def test_a_damaged_database_is_told_and_everything_sent_later(
    tracked: Project, ledger: Ledger, made_once: Path
) -> None:
    file = tracked.state / "mlflow.db"
    file.write_bytes(b"no database" * 1000)
    recorder = Recorder(tracked)
    for event in (run_started(), step_started(tracked=True)):
        recorder.listen(event)
    begun = time.monotonic()
    assert recorder.mlflow_run(RUN, "ingest", timeout=60) is None
    assert time.monotonic() - begun < 30  # it does not wait for what will not come
    for event in (step_finished(), RunFinished(NOW + 4, RUN, "done", 4.0)):
        recorder.listen(event)
    recorder.close()
    damaged = [notice for notice in recorder.notices if "is damaged" in notice]
    assert len(damaged) == 1
    assert f"mv '{file}' '{file}.damaged'" in damaged[0]
    assert ledger.run(RUN).state == "done"
    assert not ledger.settled()
    with pytest.raises(TrackingError, match="is damaged"):
        sync(tracked, ledger)
    shutil.copy(made_once, file)
    sync(tracked, ledger)
    assert ledger.settled()


def test_the_recorder_gives_a_notebook_its_run(
    tracked: Project, ledger: Ledger, client: MlflowClient
) -> None:
    executed(tracked)
    recorder = Recorder(tracked)
    for event in (run_started(), step_started(tracked=True)):
        recorder.listen(event)
    id_ = recorder.mlflow_run(RUN, "ingest", timeout=60)
    assert id_ is not None
    assert client.get_run(id_).info.status == "RUNNING"
    for event in (step_finished(), RunFinished(NOW + 4, RUN, "done", 4.0)):
        recorder.listen(event)
    recorder.close()
    assert recorder.notices == []
    assert ledger.settled()
    assert {each.info.status for each in recorded(client).values()} == {"FINISHED"}


def tracking_processes() -> list[int]:
    """Children of this process that send to MLflow, also those that nobody has waited for."""
    found = []
    for child in psutil.Process().children():
        try:
            if "workbench.tracking" in child.cmdline():
                found.append(child.pid)
        except psutil.ZombieProcess:
            found.append(child.pid)
        except psutil.NoSuchProcess:
            continue
    return found


@pytest.mark.parametrize("awaited", [True, False])
def test_steps_come_first_unless_a_notebook_waits_for_its_run(tracked: Project, awaited: bool) -> None:
    tracker = Tracker(tracked, lambda _: None, awaited)
    before = os.nice(0)
    tracker.start()
    (child,) = tracking_processes()
    wait_for(lambda: psutil.Process(child).nice() == min(19, before + tracker.niceness))
    assert tracker.close(60)


@pytest.mark.measured
def test_a_long_run_is_sent_before_it_ends(
    tracked: Project, ledger: Ledger, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recorder_module, "PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(recorder_module, "HEARTBEAT_SECONDS", 0.3)
    recorder = Recorder(tracked, awaited=False)
    for event in (run_started(), step_started()):
        recorder.listen(event)
    wait_for(lambda: {each.info.status for each in recorded(client).values()} == {"RUNNING"})
    for event in (step_finished(), RunFinished(NOW + 4, RUN, "done", 4.0)):
        recorder.listen(event)
    recorder.close()
    assert ledger.settled()


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_run_that_does_not_wait_leaves_the_rest_to_the_tracking_process(
    tracked: Project, ledger: Ledger, client: MlflowClient, state: State
) -> None:
    executed(tracked)
    recorder = Recorder(tracked, awaited=False)
    for event in (run_started(), step_started(), step_finished()):
        recorder.listen(event)
    wait_for(lambda: bool(ledger.step_runs(RUN)))
    assert tracking_processes() == []  # a short run leaves the cores to its steps
    recorder.listen(RunFinished(NOW + 4, RUN, state, 4.0))
    recorder.close(wait=False)
    assert recorder.notices == []
    if state == "done":
        assert ledger.run(RUN).state == "done"
        wait_for(ledger.settled)
    assert ledger.settled()  # one that did not go well is waited for in any case
    assert {each.info.status for each in recorded(client).values()} <= {"FINISHED", "FAILED"}
    wait_for(lambda: not tracking_processes())


def test_a_tracking_process_killed_at_any_moment_leaves_nothing_twice(
    tracked: Project, ledger: Ledger, client: MlflowClient
) -> None:
    steps = tuple(f"step-{n}" for n in range(12))
    ledger.record(run_started(steps=steps))
    for step in steps:
        ledger.record_all([step_started(step), step_finished(step)])
    ledger.record(RunFinished(NOW + 4, RUN, "done", 4.0))
    for _ in range(2):
        done = len(recorded(client))
        process = _child(tracked)
        wait_for(lambda done=done: len(recorded(client)) > done)  # type: ignore[misc]
        process.kill()
        process.communicate()
    sync(tracked, ledger)
    runs = recorded(client)
    assert set(runs) == {RUN, *steps}
    assert {each.info.status for each in runs.values()} == {"FINISHED"}
    assert ledger.settled()


def test_when_the_run_is_killed_its_tracker_finishes_and_ends(
    tracked: Project, ledger: Ledger, client: MlflowClient
) -> None:
    code = (
        "import time; from dataclasses import replace; from workbench.settings import find_project\n"
        "from workbench.recorder import Recorder; from workbench.events import *\n"
        "recorder = Recorder(replace(find_project(), mlflow_enabled=True))\n"
        f"recorder.listen(RunStarted(1.0, '{RUN}', 'train', 'f', {{}}, ('a',), 1))\n"
        f"recorder.listen(StepStarted(1.0, '{RUN}', 'a', 'r', 'f', 'n', 'e', {{}}, {{}}, True))\n"
        f"print(recorder.mlflow_run('{RUN}', 'a', 60), recorder._tracker._process.pid, flush=True)\n"
        "time.sleep(600)"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tracked.root,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert run.stdout is not None
    id_, pid = run.stdout.readline().split()
    assert client.get_run(id_).info.status == "RUNNING"
    os.kill(int(pid), signal.SIGINT)  # Ctrl-C reaches the whole group; the tracker is not impressed
    run.kill()
    run.wait()
    run.stdout.close()
    wait_for(lambda: not psutil.pid_exists(int(pid)))
    assert {each.info.status for each in recorded(client).values()} == {"KILLED"}
    assert ledger.run(RUN).state == "crashed"
    assert ledger.settled()


def test_a_new_database_is_made_once_by_several_processes(project: Project) -> None:
    code = (
        "from workbench.settings import find_project; from workbench.mlflow_store import connect\n"
        "print(len(connect(find_project()).search_experiments()))"
    )
    (project.state).mkdir()
    (project.state / "mlflow.db.new").write_text("left by a process that was killed")
    both = [
        subprocess.Popen(
            [sys.executable, "-c", code], cwd=project.root, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        for _ in range(2)
    ]
    assert [each.communicate(timeout=120)[0] for each in both] == [b"1\n", b"1\n"]
    assert not list(project.state.glob("mlflow.db.new*"))
    assert not (project.root / "mlruns").exists()


NOTEBOOK = """\
import mlflow
mlflow.log_metric("auc", 0.71)
mlflow.log_params({"rate": 0.1})
mlflow.log_text("a plot", "plot.txt")
with mlflow.start_run(nested=True, run_name="trial"):
    mlflow.log_metric("loss", 0.2)
"""


def test_plain_calls_in_a_notebook_land_in_its_step(
    tracked: Project, ledger: Ledger, client: MlflowClient
) -> None:
    ledger.record_all([run_started(), step_started(tracked=True)])
    sync(tracked, ledger)
    step = ledger.step_run(RUN, "ingest")
    assert step is not None
    _execute(tracked, kernel_environment(tracked, step.mlflow_run), NOTEBOOK)
    ledger.record_all([step_finished(), RunFinished(NOW + 4, RUN, "done", 4.0)])
    sync(tracked, ledger)
    runs = recorded(client)
    assert set(runs) == {RUN, "ingest", "trial"}
    ingest, trial = runs["ingest"], runs["trial"]
    assert (ingest.data.metrics, ingest.data.params["rate"]) == ({"auc": 0.71}, "0.1")
    assert (trial.data.metrics, trial.data.tags["mlflow.parentRunId"]) == ({"loss": 0.2}, ingest.info.run_id)
    assert "plot.txt" in [each.path for each in client.list_artifacts(ingest.info.run_id)]
    assert {each.info.status for each in runs.values()} == {"FINISHED"}
    assert ingest.info.end_time == round((NOW + 3) * 1000)


def test_a_notebook_that_logs_runs_also_without_mlflow(tracked: Project, client: MlflowClient) -> None:
    _execute(tracked, kernel_environment(tracked, None), NOTEBOOK)
    assert recorded(client) == {}
    assert not (tracked.root / "mlruns").exists()
    assert not (tracked.root / "mlflow.db").exists()


def test_a_moved_project_keeps_its_runs(
    tracked: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    executed(tracked)
    with Ledger.open(tracked) as ledger:
        ledger.record_all([run_started(), step_started(), step_finished()])
        sync(tracked, ledger)
    monkeypatch.chdir(tmp_path)
    moved = read_project(tracked.root.rename(tmp_path / "moved here"))
    client = connect(moved)  # sets the variables again, which monkeypatch restores
    id_ = recorded(client)["ingest"].info.run_id
    assert "hello" in Path(client.download_artifacts(id_, "ingest.html")).read_text()
    with Ledger.open(moved) as ledger:
        ledger.record_all([RunFinished(NOW + 4, RUN, "done", 4.0)])
        sync(moved, ledger)
        assert ledger.settled()


def test_the_page_of_a_notebook_needs_no_network(project: Project) -> None:
    notebook = executed(project)
    page = render(notebook)
    assert page is not None
    text = page.read_text()
    assert "hello" in text
    for tag in ("<script src", "<link", "cdn", "unpkg"):
        assert tag not in text.lower()
    written = page.stat().st_mtime_ns
    assert render(notebook) == page
    assert page.stat().st_mtime_ns == written  # once is enough
    notebook.write_text("no notebook")
    os.utime(notebook, ns=(written + 1, written + 1))
    assert render(notebook) is None
    assert render(project.root / "missing.ipynb") is None


@pytest.mark.e2e
def test_the_interface_of_mlflow_shows_artifacts_and_ends_with_ctrl_c(tracked: Project) -> None:
    executed(tracked)
    with Ledger.open(tracked) as ledger:
        ledger.record_all([run_started(), step_started(), step_finished()])
        sync(tracked, ledger)
        (step,) = ledger.step_runs(RUN)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    code = (
        "from workbench.settings import find_project; from workbench.tracking import mlflow_ui\n"
        f"raise SystemExit(mlflow_ui(find_project(), {port}))"
    )
    log = (tracked.root / "server.log").open("wb")
    server = subprocess.Popen(
        [sys.executable, "-c", code], cwd=tracked.root, stdout=log, stderr=log, start_new_session=True
    )
    log.close()
    base = f"http://127.0.0.1:{port}"
    wait_for(lambda: _get(f"{base}/health") is not None, 90)
    listed = json.loads(_get(f"{base}/ajax-api/2.0/mlflow/artifacts/list?run_id={step.mlflow_run}") or "{}")
    assert [each["path"] for each in listed["files"]] == ["ingest.html", "ingest.ipynb"]
    assert "hello" in (_get(f"{base}/get-artifact?path=ingest.html&run_uuid={step.mlflow_run}") or "")
    assert _get(f"{base}/get-artifact?path=../../../mlflow.db&run_uuid={step.mlflow_run}") is None
    os.killpg(server.pid, signal.SIGINT)
    server.wait(20)
    wait_for(lambda: _get(f"{base}/health") is None)


def wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "did not happen in time"
        time.sleep(0.02)


def _child(project: Project) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "workbench.tracking", str(project.root), str(os.getpid()), "0"]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _execute(project: Project, variables: dict[str, str], code: str) -> None:
    """Run a notebook as papermill does, in a process of its own with these variables."""
    source = project.root / "source.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)]), source)
    command = (
        "import papermill, sys; papermill.execute_notebook(sys.argv[1], sys.argv[2], "
        "kernel_name='python3', progress_bar=False)"
    )
    subprocess.run(
        [sys.executable, "-c", command, str(source), str(project.root / "executed.ipynb")],
        cwd=project.root,
        env={**os.environ, **variables},
        check=True,
        capture_output=True,
    )


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return str(answer.read().decode())
    except OSError:
        return None
