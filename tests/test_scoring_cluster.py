"""Parts on a Dask cluster of real processes: the bytes of one machine, and nothing left when it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.scored import MODEL, WITH_CONTRACT, numbers_then_words, rows
from workbench.cli import main
from workbench.errors import ContractError, WorkbenchError
from workbench.locks import locked
from workbench.scoring.cluster import Cluster, Work, _lock, _score_there
from workbench.scoring.job import score
from workbench.scoring.parts import Part, hidden, read_stamp
from workbench.scoring.plan import Asked
from workbench.scoring.result import Progress
from workbench.settings import Project

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    # Certificates that Dask makes for one cluster are made by what cryptography is about to rename.
    pytest.mark.filterwarnings("ignore::cryptography.utils.CryptographyDeprecationWarning"),
]

TWO = Cluster(workers=2)
COMMAND = [sys.executable, "-m", "workbench", "score", MODEL, "in", "out", "--version", str(WITH_CONTRACT)]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Every process that a test started has ended with it."""
    before = set(psutil.Process().children(recursive=True))
    yield
    _, alive = psutil.wait_procs(
        set(psutil.Process().children(recursive=True)) - before - set(_trackers()), timeout=20
    )
    assert alive == []


def _trackers() -> list[psutil.Process]:
    """Python's own, one for each process that ever used multiprocessing; it ends with that process."""
    return [
        each
        for each in psutil.Process().children()
        if any("resource_tracker" in word for word in each.cmdline())
    ]


def tables(count: int = 5, size: int = 3_000) -> None:
    Path("in/deep").mkdir(parents=True)
    for number in range(count):
        name = f"in/{'deep/' if number == 1 else ''}{number}.parquet"
        rows(size, seed=number, x=[50.0] + [1.5] * (size - 1)).to_parquet(name)


def asked(output: str = "out", keep: tuple[str, ...] = ("id",)) -> Asked:
    return Asked(MODEL, ("in",), Path(output), WITH_CONTRACT, keep)


def content(folder: str) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in Path(folder).rglob("*")
        if path.is_file()
    }


def test_the_bytes_are_those_of_one_machine_and_what_is_done_is_not_done_again(scoring: Project) -> None:
    tables()
    rows(500).to_csv("in/more.csv", index=False)
    told: list[Progress] = []
    listening: set[str] = set()

    def listen(progress: Progress) -> None:
        told.append(progress)
        for process in [psutil.Process(), *psutil.Process().children(recursive=True)]:
            found = process.net_connections("inet")
            listening.update(each.laddr.ip for each in found if each.status == "LISTEN")

    score(scoring, asked("alone"), rows=1_000)
    scored = score(scoring, asked(), listen, rows=1_000, cluster=TWO)
    assert content("out") == content("alone")
    assert listening == {"127.0.0.1"}  # nothing can be reached from another machine
    assert (scored.counts.read, scored.counts.quarantined) == (15_500, 5)
    assert sorted(progress.number for progress in told) == [1, 2, 3, 4, 5, 6]
    assert {progress.state for progress in told} == {"done"}
    assert told[-1].share == 1.0
    assert list((scoring.state / "scoring").glob("dask-*")) == []

    Path("out/2.parquet").unlink()
    again = score(scoring, asked(), rows=1_000, cluster=TWO)
    assert [job.part.path.name for job, _ in again.parts if job.reason] == ["2.parquet"]
    assert again.counts == scored.counts
    assert content("out") == content("alone")


def test_when_all_is_done_no_cluster_is_started(scoring: Project) -> None:
    tables(2)
    first = score(scoring, asked())
    nowhere = Cluster("tcp://127.0.0.1:9")
    assert score(scoring, asked(), cluster=nowhere).counts == first.counts


def test_an_error_in_one_part_leaves_the_others_whole(scoring: Project) -> None:
    tables(3)
    numbers_then_words(Path("in/1.csv"))
    with pytest.raises(
        ContractError, match=r"1\.csv', rows \d+ to \d+: column 'x' is object .*nothing of this file"
    ):
        score(scoring, asked(keep=()), cluster=TWO)
    assert not Path("out/1.csv.parquet").exists()
    assert list(Path("out").rglob("*.unfinished")) == []
    for part in Path("out").rglob("[!.]*.parquet"):
        if "_quarantine" not in part.parts:
            known = read_stamp(part)
            assert known
            assert known[1].read == 3_000


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_ended_from_outside_nothing_runs_on_and_it_goes_on_where_it_was(
    scoring: Project, number: signal.Signals
) -> None:
    tables(8, 30_000)
    command = [*COMMAND, "--executor", "dask", "--keep", "id"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        first = run.stdout.readline()
        family = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(number)
        run.stdout.read()
        errors = run.stderr.read()
        code = run.wait(60)
    assert first.startswith("done"), errors
    assert family
    _, alive = psutil.wait_procs(family, timeout=20)
    assert alive == []
    assert code == {signal.SIGKILL: -9, signal.SIGTERM: 143, signal.SIGINT: 130}[number], errors
    if number != signal.SIGKILL:
        assert "Traceback" not in errors
        assert list(Path("out").rglob("*.unfinished")) == []
    before = {path: path.stat().st_ino for path in Path("out").glob("[!.]*.parquet")}
    again = score(scoring, asked())
    assert {path: path.stat().st_ino for path in before} == before
    assert again.counts.read == 240_000
    score(scoring, asked("alone"))
    assert content("out") == content("alone")


@contextmanager
def scheduler(*, workers: int, folder: Path) -> Iterator[str]:
    """A scheduler of somebody else, as `dask scheduler` and `dask worker` start it: other processes, another folder."""
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        local_directory=str(folder),
    ) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_that_is_there_is_used_and_stays(
    scoring: Project, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from distributed import Client

    tables(3)
    with scheduler(workers=2, folder=tmp_path / "dask") as address:
        scoring.file.write_text(f'{scoring.file.read_text()}\n[executor]\nscheduler = "{address}"\n')
        words = ["score", MODEL, "in", "out", "--version", str(WITH_CONTRACT), "--executor", "dask"]
        assert main(words) == 0
        assert main([*words[:3], "again", *words[4:], "--scheduler", address]) == 0
        with Client(address, set_as_default=False) as client:
            assert len(client.scheduler_info()["workers"]) == 2
    assert capsys.readouterr().out.count("8,997 of 9,000 rows scored") == 2
    assert {name: data for name, data in content("out").items() if name.endswith(".parquet")} == {
        name: data for name, data in content("again").items() if name.endswith(".parquet")
    }


def test_a_cluster_without_workers(scoring: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tables(2)
    monkeypatch.setattr("workbench.scoring.cluster.PATIENCE", 1.0)
    with (
        scheduler(workers=0, folder=tmp_path / "dask") as address,
        pytest.raises(
            WorkbenchError,
            match=f"the cluster at '{address}' has no workers; start some: dask worker {address}",
        ),
    ):
        score(scoring, asked(), cluster=Cluster(address))
    assert not list(Path("out").glob("[!_]*"))


@pytest.mark.parametrize(
    "address", ["tcp://127.0.0.1:9", "127.0.0.1:9", "gopher://x:1", "tcp://no.such.host.invalid:8786"]
)
def test_a_scheduler_that_is_not_there(
    scoring: Project, address: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tables(2)
    monkeypatch.setattr("workbench.scoring.cluster.PATIENCE", 1.0)
    words = [*COMMAND[3:], "--executor", "dask", "--scheduler", address]
    assert main(words) == 1
    told = capsys.readouterr().err
    assert f"no Dask scheduler answers at '{address}'" in told
    assert "leave --scheduler out" in told


def test_a_scheduler_without_dask_is_asked_for(scoring: Project, capsys: pytest.CaptureFixture[str]) -> None:
    tables(1)
    assert main([*COMMAND[3:], "--scheduler", "tcp://127.0.0.1:9"]) == 2
    assert "--scheduler is for --executor dask" in capsys.readouterr().err


def test_without_the_package(scoring: Project) -> None:
    tables(1)
    code = (
        "import sys\nsys.modules['distributed'] = None\nfrom workbench.cli import main\n"
        f"sys.exit(main({[*COMMAND[3:], '--executor', 'dask']}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "needs the package distributed: install notebook-workbench[cluster]" in done.stderr


def test_one_part_is_done_by_one_worker_at_a_time(scoring: Project) -> None:
    """A worker that was taken for lost may be at it still: the second waits, and finds the part there."""
    tables(1)
    scored = score(scoring, asked())
    ((job, counts),) = scored.parts
    before = job.part.path.stat().st_ino
    loaded = Work(str(scoring.root), asked(), WITH_CONTRACT, scored.digest, 1_000)
    assert _score_there(loaded, job) == counts
    assert job.part.path.stat().st_ino == before


def test_what_another_worker_is_writing_is_left_alone(scoring: Project) -> None:
    from workbench.scoring.cluster import _sweep

    part = Part(scoring.root / "out" / "a.parquet", scoring.root / "out" / "_quarantine" / "a.parquet")
    part.path.parent.mkdir()
    hidden(part.path).write_text("half")
    with locked(_lock(scoring, part)):
        _sweep(scoring, part)
        assert hidden(part.path).exists()
    _sweep(scoring, part)
    assert not hidden(part.path).exists()


def test_workers_with_another_project_are_refused(scoring: Project) -> None:
    tables(1)
    ((job, _),) = score(scoring, asked()).parts
    job.part.path.unlink()
    other = Work(str(scoring.root), asked(), WITH_CONTRACT, "0" * 64, 1_000)
    with pytest.raises(WorkbenchError, match="is another one there than here"):
        _score_there(other, job)
    assert not job.part.path.exists()


def test_help_says_where_parts_are_done(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", "--help"]) == 0
    assert "--executor [local|dask]" in capsys.readouterr().out
