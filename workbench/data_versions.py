"""What steps have left in the store: tables by version, results of contracts, pages, and rows that were set aside.

A data version is one content of one output of one step. It is read of the store's manifests, so what `workbench gc` removed is not
among them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.digests import Digests
from workbench.settings import Project
from workbench.store import Manifest, Store

MOST = 2_000
"""The newest results of steps that are looked at."""
LARGEST = 1_000_000
"""Bytes of a result of a contract; a larger file is not read to see whether it is one."""
REASON = ("reason", "reason_")
"""Columns by which rows that were set aside say why."""


@dataclass(frozen=True)
class Output:
    """One output of one step run."""

    pipeline: str
    step: str
    name: str
    run: str
    created: float
    """Seconds since the epoch."""
    digest: str
    file: Path
    size: int
    """Bytes."""

    @property
    def place(self) -> str:
        """`train.validate.clean`: what it is a version of."""
        return f"{self.pipeline}.{self.step}.{self.name}"


@dataclass(frozen=True)
class Held:
    """Data held against a contract by a step, with what it left beside the result."""

    result: Output
    content: Mapping[str, Any]
    """As contracts.result.Checked.as_dict has it."""
    beside: tuple[Output, ...]
    """The other outputs of that step run."""

    @property
    def tables(self) -> tuple[Output, ...]:
        return tuple(each for each in self.beside if each.file.suffix == ".parquet")

    @property
    def pages(self) -> tuple[Output, ...]:
        return tuple(each for each in self.beside if each.file.suffix == ".html")


def outputs(project: Project) -> list[Output]:
    """Files that steps left and that are there, the newest first; each content of an output once, as it was made first."""
    store = Store(project.store, Digests(project.root, project.store / "digests.json"))
    newest = sorted(store.manifests(), key=lambda each: -each.created)[:MOST]
    found: dict[tuple[str, str], Output] = {}
    for manifest in newest:
        for each in _of(store, manifest):
            found[each.place, each.digest] = each
    return sorted(found.values(), key=lambda each: -each.created)


def state_of_store(project: Project) -> int:
    """Changes whenever a result of a step comes or goes: as long as it stays, `outputs` do. Nanoseconds, of a few hundred folders."""
    folders = [project.store / "manifests", *(project.store / "manifests").glob("*")]
    return max((each.stat().st_mtime_ns for each in folders if each.exists()), default=0)


def tables(found: Iterable[Output]) -> list[Output]:
    """Those that are tables."""
    return [each for each in found if each.file.suffix == ".parquet"]


def pages(found: Iterable[Output]) -> list[Output]:
    """The newest page of each output that is one: profiles, reports."""
    seen: dict[str, Output] = {}
    for each in found:
        if each.file.suffix == ".html":
            seen.setdefault(each.place, each)
    return list(seen.values())


def contract_results(found: Sequence[Output], most: int = 20) -> list[Held]:
    """The newest results of contracts: JSON files that say what one was held against and how many rows broke which rule."""
    held = []
    for each in found:
        if each.file.suffix != ".json" or each.size > LARGEST:
            continue
        content = _result(each.file)
        if content is not None:
            beside = [
                o
                for o in found
                if (o.run, o.step, o.pipeline) == (each.run, each.step, each.pipeline) and o != each
            ]
            held.append(Held(each, content, tuple(beside)))
            if len(held) == most:
                break
    return held


def reason_column(file: Path) -> str | None:
    """The column by which a table's rows say why they were set aside; None for a table of another kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        names = pq.read_schema(file).names
    except (OSError, pa.ArrowException):
        return None
    return next((name for name in reversed(REASON) if name in names), None)


def rows_set_aside(file: Path, reason: str, wanted: str | None, most: int) -> tuple[dict[str, int], Any]:
    """How many rows there are of each reason, and the first `most` of them, as an Arrow table: of the `wanted` one or of all."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    counted = pq.read_table(file, columns=[reason]).column(reason).value_counts().to_pylist()
    counts = {str(each["values"]): int(each["counts"]) for each in counted}
    opened = pq.ParquetFile(file)
    found, left = [], most
    for batch in opened.iter_batches(batch_size=10_000):
        chosen = batch if wanted is None else batch.filter(pc.equal(batch.column(reason), wanted))
        found.append(chosen.slice(0, left))
        left -= found[-1].num_rows
        if left <= 0:
            break
    import pyarrow as pa

    table = pa.Table.from_batches(found, schema=opened.schema_arrow)
    return dict(sorted(counts.items(), key=lambda pair: -pair[1])), table


def _of(store: Store, manifest: Manifest) -> Iterable[Output]:
    for name, stored in manifest.outputs.items():
        file = store.place(stored)
        if file.is_file():
            yield Output(
                manifest.pipeline, manifest.step, name, manifest.run, manifest.created, stored.digest, file, stored.size
            )  # fmt: skip


def _result(file: Path) -> Mapping[str, Any] | None:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    if (
        not isinstance(content, dict)
        or not {"contract", "rows", "rules", "broken", "stops"} <= content.keys()
    ):
        return None
    return content
