"""Parts on a Dask cluster: each file is a task, done by the same code as on one machine, so with the same bytes.

    on_cluster          in the process that asked
    ├── _connected      a scheduler that is there, or processes of this machine
    ├── _look_at        every worker has this package and sees the project
    └── _score_there    in a worker: load and verify the version, take the part for itself, stream it

Nothing of a table or a model travels: workers read and write files, and load the version from the registry by its
number and digest. So the project, the inputs and the output must be on a file system that all of them share.
"""

from __future__ import annotations

import hashlib
import logging
import os
import shutil
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput, ModelError, WorkbenchError
from workbench.locks import locked
from workbench.registry import Loaded, load
from workbench.scoring.model import Scorer, scorer_of
from workbench.scoring.parts import Counts, Part, hidden, read_stamp, why_undone
from workbench.scoring.plan import Asked, Job
from workbench.scoring.streaming import Told, crew, score_part
from workbench.settings import Project, read_project

if TYPE_CHECKING:
    from distributed import Client

PATIENCE = 10.0
"""Seconds for a scheduler to answer, and for its first worker to come."""


@dataclass(frozen=True)
class Cluster:
    """Where parts are done: by a Dask scheduler's workers, or by processes of this machine."""

    scheduler: str = ""
    """Its address, such as tcp://10.0.0.5:8786; empty: start processes here, and end them when done."""
    workers: int = 0
    """Processes started here; 0: one a core."""


@dataclass(frozen=True)
class Work:
    """What a worker has to know, beside the job: small, and of plain values."""

    root: str
    asked: Asked
    version: int
    """What `asked` calls champion may be another one by now."""
    digest: str
    rows: int


def on_cluster(
    cluster: Cluster, project: Project, jobs: Mapping[int, Job], asked: Asked, loaded: Loaded, rows: int
) -> Generator[Told, None, None]:
    """Do the jobs, in the order in which they get done.

    Raises BadInput without Dask, WorkbenchError when the cluster is not there or loses a part again and again, and what
    a part raises; the others are left as they are then, whole or not there.
    """
    if not jobs:
        return
    work = Work(str(project.root), asked, loaded.version, loaded.digest, rows)
    there = {number: _absolute(job) for number, job in jobs.items()}
    try:
        with _connected(cluster, project) as client:
            _look_at(client, cluster, project)
            yield from _done(client, work, there)
    finally:
        for job in there.values():
            _sweep(project, job.part)


def _done(client: Client, work: Work, jobs: Mapping[int, Job]) -> Iterator[Told]:
    from distributed import KilledWorker, as_completed

    futures = {
        client.submit(_score_there, work, job, key=f"score-{job.source.name}-{number}", pure=False): number
        for number, job in jobs.items()
    }
    try:
        for future in as_completed(futures, loop=client.loop):
            yield Told(futures[future], future.result(), 1.0, whole=True)
    except KilledWorker as error:
        raise WorkbenchError(
            f"the cluster gave up: {error.allowed_failures + 1} workers died of '{error.task}'; a worker may have too little "
            "memory. The parts that are there stay: score again to go on"
        ) from error
    finally:
        client.cancel(list(futures), reason="nobody waits for it any more")


def _score_there(work: Work, job: Job) -> Counts:
    """Do one part, unless it is there: a worker that was taken for lost may have done it."""
    project = read_project(Path(work.root))
    with locked(_lock(project, job.part)):
        known = read_stamp(job.part.path)
        if known is not None and why_undone(job.part, job.stamp) is None:
            return known[1]
        with crew(1) as threads:
            *_, (counts, _) = score_part(project, job, work.asked, _scorer(work), work.rows, threads)
        return counts


@lru_cache(maxsize=1)
def _scorer(work: Work) -> Scorer:
    loaded = load(read_project(Path(work.root)), work.asked.model, work.version)
    if loaded.digest != work.digest:
        raise ModelError(
            f"version {work.version} of '{work.asked.model}' is another one there than here ({loaded.digest[:12]}…, expected "
            f"{work.digest[:12]}…): the workers' project has another ledger"
        )
    return scorer_of(loaded, with_contract=work.asked.with_contract)


@contextmanager
def _connected(cluster: Cluster, project: Project) -> Iterator[Client]:
    """A client of the scheduler, or of processes that end with the block."""
    try:
        from distributed import Client
    except ImportError:
        raise BadInput(
            "scoring on Dask needs the package distributed: install notebook-workbench[cluster], or score without "
            "--executor dask"
        ) from None
    with ExitStack() as stack:
        place: Any = cluster.scheduler or stack.enter_context(_processes(cluster, project))
        try:
            client = stack.enter_context(Client(place, timeout=PATIENCE, set_as_default=False))
        except (OSError, TimeoutError, ValueError) as error:
            reason = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise WorkbenchError(
                f"no Dask scheduler answers at '{cluster.scheduler}' ({reason}); start one (dask scheduler, and dask "
                "worker ADDRESS), or leave --scheduler out for processes on this machine"
            ) from None
        yield client


@contextmanager
def _processes(cluster: Cluster, project: Project) -> Iterator[Any]:
    """Workers of one thread each, on loopback and by certificates of their own: nobody else can give them work."""
    import dask.config
    from distributed import LocalCluster

    quiet: dict[str, list[str]] = {
        f"distributed.{role}.http.routes": [] for role in ("scheduler", "worker")
    }  # no pages, no API
    scratch = project.state / "scoring" / f"dask-{os.getpid()}"
    try:
        with (
            dask.config.set(quiet),
            LocalCluster(
                n_workers=cluster.workers or os.cpu_count() or 1,
                threads_per_worker=1,
                processes=True,
                host="127.0.0.1",
                security=True,
                dashboard_address="127.0.0.1:0",
                worker_dashboard_address="127.0.0.1:0",
                local_directory=str(scratch),
                silence_logs=logging.ERROR,  # that it ends work which was cancelled is no news
            ) as local,
        ):
            yield local
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _look_at(client: Client, cluster: Cluster, project: Project) -> None:
    """Raises WorkbenchError unless there are workers that can do the work."""
    place = f"the cluster at '{cluster.scheduler}'" if cluster.scheduler else "the cluster on this machine"
    try:
        client.wait_for_workers(1, timeout=PATIENCE)
    except TimeoutError:
        raise WorkbenchError(f"{place} has no workers; start some: dask worker {cluster.scheduler}") from None
    try:
        sees = client.run(_sees, str(project.file))
    except ImportError as error:
        raise WorkbenchError(f"{place}: its workers lack what this project needs: {error}") from None
    if blind := sorted(worker for worker, it_does in sees.items() if not it_does):
        raise WorkbenchError(
            f"{place}: worker {blind[0]} does not see '{project.file}'; the project, the inputs and the output must be on "
            "a file system that all workers share"
        )


def _sees(file: str) -> bool:
    return Path(file).is_file()


def _absolute(job: Job) -> Job:
    """A worker has a working directory of its own."""
    part = Part(job.part.path.absolute(), job.part.quarantine.absolute())
    return replace(job, source=replace(job.source, path=job.source.path.absolute()), part=part)


def _lock(project: Project, part: Part) -> Path:
    name = hashlib.sha256(os.fsencode(part.path)).hexdigest()[:32]
    return project.state / "scoring" / f"{name}.part.lock"


def _sweep(project: Project, part: Part) -> None:
    """Remove what a worker that was ended left of a part; one that still is at it keeps its own."""
    with suppress(TimeoutError), locked(_lock(project, part), timeout=0):
        for path in (part.path, part.quarantine):
            hidden(path).unlink(missing_ok=True)
