"""Batch scoring: tables of any size in, one probability a row out, in bounded memory, and never half a result.

    score
    ├── find_sources    which files (tables)
    ├── champion_or     which version, loaded and verified (registry), and its contract (model)
    ├── plan_jobs       each file, its part, and whether that has to be done: a decision with a reason (parts)
    ├── _look_ahead     schema skew in any of the files stops before anything is written
    └── one_by_one      part after part in this process (streaming)
        or on_cluster   many at a time in others (cluster)

A file gives a file of scores; a folder, a glob or several files give a folder with a part for each, and `_manifest.json`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Literal

from workbench import ledger_trail
from workbench.errors import BadInput, ContractError, WorkbenchError
from workbench.ledger import Ledger
from workbench.locks import locked
from workbench.registry import ALIAS, Loaded, load
from workbench.scoring.cluster import Cluster, on_cluster
from workbench.scoring.model import Scorer, scorer_of
from workbench.scoring.parts import Counts, passed_through, read_stamp
from workbench.scoring.plan import (
    Asked,
    Job,
    left_over,
    plan_jobs,
    refuse_foreign,
    refuse_places,
    write_manifest,
)
from workbench.scoring.result import Progress, Scored
from workbench.scoring.streaming import ROWS, Told, one_by_one, wanted
from workbench.scoring.tables import find_sources, frame, pieces, schema_of
from workbench.settings import Project
from workbench.trail import standing

HEAD_ROWS, HEAD_BYTES = 1_000, 200_000
"""What is looked at of every file before anything is written."""


Listener = Callable[[Progress], None]


def score(
    project: Project,
    asked: Asked,
    listen: Listener = lambda _: None,
    rows: int = ROWS,
    cluster: Cluster | None = None,
) -> Scored:
    """Score files; parts that are there and made of the same are left as they are.

    With a `cluster` parts are done there, many at a time; their bytes are the same. Raises BadInput for what cannot be
    read, found or written over, ContractError for schema skew and for more faulty rows than the contract allows,
    ModelError for a version that cannot score, WorkbenchError for a cluster that is not there or gives up.
    """
    sources = find_sources(asked.inputs)
    refuse_places(sources, asked)
    with Ledger.open(project) as ledger:
        loaded = champion_or(project, ledger, asked.model, asked.version)
    scorer = scorer_of(loaded, with_contract=asked.with_contract)
    with _alone(project, asked.output):
        refuse_foreign(project, sources, asked)
        jobs = plan_jobs(project, sources, asked, loaded, scorer)
        warnings = _look_ahead(jobs, asked, scorer)
        if not sources.one:
            write_manifest(project, jobs, asked, finished=False)
        undone = {number: job for number, job in enumerate(jobs) if job.reason is not None}
        if cluster is None:
            told = one_by_one(project, undone, asked, scorer, rows)
        else:
            told = on_cluster(cluster, project, undone, asked, loaded, rows)
        with closing(told):  # Ctrl-C may come while it waits for us; its unfinished part goes away then, too
            parts = tuple(zip(jobs, _follow(jobs, told, listen), strict=True))
        if not sources.one:
            write_manifest(project, jobs, asked, finished=True)
    left = () if sources.one else left_over(asked.output, jobs)
    return Scored(
        loaded.model, loaded.version, loaded.digest, scorer.contract_digest, asked.output, parts,
        sources.ignored, left, warnings,
    )  # fmt: skip


def champion_or(project: Project, ledger: Ledger, model: str, version: str | int) -> Loaded:
    """The version, loaded. Raises BadInput as the registry does, and for a model without a champion what to do."""
    known = [each.version for each in ledger.deliveries() if each.model == model and each.version]
    if version == ALIAS and known and standing(model, ledger_trail.entries(ledger, model)).champion is None:
        latest = max(known)
        raise BadInput(
            f"'{model}' has no champion yet: workbench models promote {model} {latest}, or name a version: "
            f"--version {latest}"
        )
    return load(project, model, version, ledger)


@contextmanager
def _alone(project: Project, output: Path) -> Iterator[None]:
    name = hashlib.sha256(os.fsencode(output.resolve())).hexdigest()[:32]
    try:
        with locked(project.state / "scoring" / f"{name}.lock", timeout=0):
            yield
    except TimeoutError:
        raise WorkbenchError(f"another process is scoring into '{output}'; wait for it, or stop it") from None


def _look_ahead(jobs: Sequence[Job], asked: Asked, scorer: Scorer) -> tuple[str, ...]:
    """Names and types of every file that is to be scored; returns warnings. Raises ContractError with all that stops."""
    problems: list[str] = []
    warnings: dict[str, None] = {}
    for job in jobs:
        if job.reason is None:
            continue
        names = schema_of(job.source).names
        passed_through(schema_of(job.source), asked.keep, str(job.source.path))
        stops, warned = scorer.name_problems(names, names if "*" in asked.keep else asked.keep)
        warnings |= dict.fromkeys(f"{job.source.path}: {each}" for each in warned)
        problems += [f"{job.source.path}: {each}" for each in stops]
        if not stops:
            head = next(pieces(job.source, wanted(scorer, ()), HEAD_ROWS, HEAD_BYTES), None)
            try:
                if head is not None:
                    scorer.check(frame(head.batch, scorer.contract, is_csv=job.source.is_csv))
            except ContractError as error:
                problems += [f"{job.source.path}: {line}" for line in str(error).splitlines()]
    if problems:
        told = "\n".join(f"  {each}" for each in problems)
        raise ContractError(f"the input is not what {scorer.name} takes; nothing was written:\n{told}")
    return tuple(warnings)


def _follow(jobs: Sequence[Job], coming: Iterable[Told], listen: Listener) -> list[Counts]:
    """Pass on how far it is, and give every job's counts in the end: of the parts that are there already, too."""
    sizes = [max(1, job.source.path.stat().st_size) for job in jobs]
    shares = [0.0] * len(jobs)
    counts = [Counts()] * len(jobs)

    def tell(state: Literal["cached", "scoring", "done"], number: int) -> None:
        share = sum(size * part for size, part in zip(sizes, shares, strict=True)) / sum(sizes)
        job = jobs[number]
        of = (job.source.name, number + 1, len(jobs), counts[number])
        listen(Progress(state, *of, share, job.reason or ""))

    for number, job in enumerate(jobs):
        known = read_stamp(job.part.path) if job.reason is None else None
        if known is not None:
            counts[number], shares[number] = known[1], 1.0
            tell("cached", number)
    for told in coming:
        counts[told.number], shares[told.number] = told.counts, told.share
        tell("done" if told.whole else "scoring", told.number)
    return counts
