"""What batch scoring would do: which file goes to which part, which parts have to be done, and why.

Everything that is wrong with the places that were asked for is refused here, before a model is loaded or a file written.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from workbench.digests import Digests, write_atomically
from workbench.errors import BadInput
from workbench.registry import ALIAS, Loaded
from workbench.scoring.model import Scorer
from workbench.scoring.parts import (
    QUARANTINE,
    Part,
    Stamp,
    folder_manifest,
    part_in_folder,
    part_of_file,
    read_stamp,
    why_undone,
)
from workbench.scoring.tables import Source, Sources, reading
from workbench.settings import Project

MANIFEST = "_manifest.json"


@dataclass(frozen=True)
class Asked:
    """What is to be scored, by what, into what."""

    model: str
    inputs: tuple[str, ...]
    output: Path
    version: str | int = ALIAS
    keep: tuple[str, ...] = ()
    """Columns of the input that are passed through; `*` for all."""
    with_contract: bool = True
    with_log: bool = True
    """Have what is scored in the prediction log."""


@dataclass(frozen=True)
class Job:
    """One file, the part that its scores go to, and why it has to be done; None when it is done."""

    source: Source
    part: Part
    stamp: Stamp
    reason: str | None


def refuse_places(sources: Sources, asked: Asked) -> None:
    output = asked.output
    if sources.one and output.suffix.lower() != ".parquet":
        raise BadInput(
            f"the scores of one file are a Parquet file; expected a name like '{output.name}.parquet'"
        )
    if not sources.one and (output.suffix.lower() in (".parquet", ".csv") or output.is_file()):
        raise BadInput(f"the scores of several files are a folder; '{output}' is the name of a file")
    where = output.resolve()
    for source in sources.files:
        path = source.path.resolve()
        if where == path or (not sources.one and where in path.parents):
            raise BadInput(f"'{source.path}' would be both input and output")
    for text in asked.inputs:
        if Path(text).is_dir() and Path(text).resolve() in where.parents:
            raise BadInput(f"the output '{output}' is inside the input '{text}': the next run would score it")
    places: dict[Path, Source] = {}
    for source in () if sources.one else sources.files:
        part = part_in_folder(output, source.name).path
        if part in places:
            raise BadInput(f"'{places[part].path}' and '{source.path}' would both be scored into '{part}'")
        places[part] = source


def refuse_foreign(project: Project, sources: Sources, asked: Asked) -> None:
    """An output that is there must be of the same model and the same input. Raises BadInput."""
    output, wanted = asked.output, (asked.model, _input(project, asked))
    found: tuple[str, str] | None = None
    if sources.one:
        if not output.exists():
            return
        known = read_stamp(output)
        found = (known[0].model, known[0].input) if known else None
    else:
        if not output.exists() or all(each.name.startswith(".") for each in output.iterdir()):
            return
        try:
            manifest = json.loads((output / MANIFEST).read_text(encoding="utf-8"))
            found = (manifest["model"], manifest["input"])
        except (OSError, ValueError, LookupError, TypeError):
            found = None
    if found != wanted:
        is_what = f"holds the scores of '{found[0]}' for '{found[1]}'" if found else "holds no scores"
        raise BadInput(f"'{output}' is there already and {is_what}; remove it, or choose another OUTPUT")


def _input(project: Project, asked: Asked) -> str:
    """The input as it is remembered: a project that is moved keeps what it has done."""
    named = []
    for text in asked.inputs:
        path = Path(text).resolve()
        named.append(
            path.relative_to(project.root).as_posix() if path.is_relative_to(project.root) else str(path)
        )
    return " ".join(named)


def plan_jobs(
    project: Project, sources: Sources, asked: Asked, loaded: Loaded, scorer: Scorer
) -> tuple[Job, ...]:
    digests = Digests(project.root, project.store / "digests.json")
    jobs = []
    for source in sources.files:
        with reading(source):
            digest = digests.file(source.path.resolve())
        stamp = Stamp(
            model=loaded.model, version=str(loaded.version), model_digest=loaded.digest,
            contract=scorer.contract_digest, input=_input(project, asked), source=source.name,
            source_digest=digest, columns=json.dumps(asked.keep, ensure_ascii=False), label=scorer.label,
        )  # fmt: skip
        part = part_of_file(asked.output) if sources.one else part_in_folder(asked.output, source.name)
        jobs.append(Job(source, part, stamp, why_undone(part, stamp)))
    digests.save()
    return tuple(jobs)


def left_over(output: Path, jobs: Sequence[Job]) -> tuple[str, ...]:
    """Parts of files that are not among the sources any more: kept, since they may be all that is left of them."""
    ours = {job.part.path for job in jobs}
    others = [path for path in sorted(output.rglob("*.parquet")) if path not in ours and path.name[0] != "."]
    return tuple(str(path) for path in others if QUARANTINE not in path.relative_to(output).parts)


def write_manifest(project: Project, jobs: Sequence[Job], asked: Asked, *, finished: bool) -> None:
    parts = {}
    for job in jobs:
        known = read_stamp(job.part.path) if finished else None
        counts = {"rows": asdict(known[1])} if known else {}
        name = job.part.path.relative_to(asked.output).as_posix()
        parts[name] = {"source": job.source.name, "source_digest": job.stamp.source_digest, **counts}
    stamp = jobs[0].stamp
    about = {
        name: getattr(stamp, name)
        for name in ("model", "version", "model_digest", "contract", "input", "columns")
    }
    asked.output.mkdir(parents=True, exist_ok=True)
    write_atomically(asked.output / MANIFEST, folder_manifest(parts, about, finished=finished))
