"""Scores on disk: a Parquet file that says what it was made of, visible when it is whole and not before.

    Stamp       what a part was made of and under which conditions; two equal stamps mean equal files
    PartWriter  rows go to a hidden file beside the part; `commit` makes it, and the rows set aside, visible

A part says so itself, in its Parquet metadata, and needs no other file to be believed: after a `kill -9` the parts that
are there are done. Nothing in a part depends on the time or the machine, so doing it again gives the same bytes.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from workbench.digests import to_disk
from workbench.errors import BadInput, did_you_mean

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa
    from numpy.typing import NDArray

PREFIX = "workbench."
FORMAT = "1"
COLUMNS = ("source", "row", "probability", "model", "version", "model_digest")
"""Ours in every part; what is passed through comes after them."""
QUARANTINE = "_quarantine"
"""Folder of rows set aside, in a folder of parts: what begins with '_' is no part to those who read the folder."""


@dataclass(frozen=True)
class Stamp:
    """What a part was made of. Texts, as they stand in its metadata under `workbench.NAME`."""

    model: str
    version: str
    model_digest: str
    contract: str
    """The digest of the contract that was enforced; `none` where the model's signature stood in for it."""
    input: str
    """What was asked to be scored: a file, a folder or a glob, relative to the project where it is inside."""
    source: str
    source_digest: str
    columns: str
    """Those passed through, as JSON."""
    label: str
    """The class that `probability` is the probability of."""
    format: str = FORMAT


@dataclass(frozen=True)
class Counts:
    """Rows of a part: each that was read is scored or set aside."""

    read: int = 0
    scored: int = 0
    quarantined: int = 0
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Rows set aside, by the first rule that each breaks."""
    warnings: Mapping[str, int] = field(default_factory=dict)
    """Rows scored though they break a rule that only warns, by rule."""

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.read + other.read,
            self.scored + other.scored,
            self.quarantined + other.quarantined,
            dict(sum((Counter(each) for each in (self.reasons, other.reasons)), Counter())),
            dict(sum((Counter(each) for each in (self.warnings, other.warnings)), Counter())),
        )


@dataclass(frozen=True)
class Part:
    """Where the scores of one file go."""

    path: Path
    quarantine: Path


def part_of_file(output: Path) -> Part:
    """The scores of a single file."""
    return Part(output, output.with_name(f"{output.name.removesuffix('.parquet')}.quarantine.parquet"))


def part_in_folder(output: Path, source: str) -> Part:
    """The scores of one file of many: named as it is, Parquet."""
    name = source if source.lower().endswith(".parquet") else f"{source}.parquet"
    return Part(output / name, output / QUARANTINE / name)


def read_stamp(path: Path) -> tuple[Stamp, Counts] | None:
    """What a part says about itself; None when there is none, or the file is not ours."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_metadata(path).metadata or {}
    except (OSError, pa.ArrowException):
        return None
    said = {
        key.decode().removeprefix(PREFIX): value.decode(errors="replace")
        for key, value in metadata.items()
        if key.startswith(PREFIX.encode())
    }
    try:
        counts = json.loads(said["counts"])
        return Stamp(**{each.name: said[each.name] for each in fields(Stamp)}), Counts(**counts)
    except (KeyError, ValueError, TypeError):
        return None


def why_undone(part: Part, wanted: Stamp) -> str | None:
    """Why a part has to be done; None when it is there and made of the same."""
    known = read_stamp(part.path)
    if known is None:
        return "not done yet"
    stamp, counts = known
    if counts.quarantined and not part.quarantine.is_file():
        return f"'{part.quarantine.name}' is gone"
    for name, meaning in _MEANINGS.items():
        old, new = getattr(stamp, name), getattr(wanted, name)
        if old != new:
            shown = f" ({old} → {new})" if len(old) < 30 and len(new) < 30 else ""
            return f"{meaning} changed{shown}"
    return None


_MEANINGS = {
    "version": "the version", "model_digest": "the model", "contract": "the contract", "source": "the input's name",
    "source_digest": "the input", "columns": "what is kept", "label": "the label", "format": "the format",
}  # fmt: skip


def passed_through(schema: pa.Schema, keep: Sequence[str], where: str) -> list[pa.Field]:
    """The columns that `keep` names (`*`: all). Raises BadInput for one that is not there, or would be there twice."""
    names = list(dict.fromkeys(schema.names if "*" in keep else keep))
    for name in names:
        if name not in schema.names:
            raise BadInput(f"'{where}' has no column '{name}' to keep{did_you_mean(name, schema.names)}")
        if schema.names.count(name) > 1:
            raise BadInput(f"'{where}' has {schema.names.count(name)} columns '{name}': none can be kept")
        if name in COLUMNS:
            raise BadInput(
                f"'{where}' has a column '{name}', which the scores have too: it cannot be kept; rename it, or "
                f"join on source and row"
            )
    return [schema.field(name).remove_metadata() for name in names]


class PartWriter:
    """Writes one part. Without `commit`, nothing is left of it when the block ends."""

    def __init__(self, part: Part, stamp: Stamp, kept: Sequence[pa.Field], read: Sequence[pa.Field]) -> None:
        """`kept` are the columns passed through, `read` those that a row set aside is shown with."""
        import pyarrow as pa

        self._part, self._stamp = part, stamp
        self.counts = Counts()
        words = pa.dictionary(pa.int32(), pa.string())
        said = {f"{PREFIX}{name}": value for name, value in asdict(stamp).items()}
        types = (words, pa.int64(), pa.float64(), words, pa.int64(), words)
        self._schema = pa.schema([*zip(COLUMNS, types, strict=True), *kept], metadata=said)
        ours = [_free(name, [each.name for each in read]) for name in ("source", "row", "reason")]
        self._aside = pa.schema(
            [*zip(ours, (words, pa.int64(), pa.string()), strict=True), *read], metadata=said
        )
        self._writers: dict[Path, Any] = {}

    def __enter__(self) -> PartWriter:
        hidden(self._part.quarantine).unlink(missing_ok=True)  # of an attempt that was killed
        try:
            self._writer(self._part.path, self._schema)
        except BaseException:  # Ctrl-C, too
            self._discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._discard()

    def _discard(self) -> None:
        """Take away what is not whole; after `commit` nothing is there."""
        for writer in self._writers.values():
            writer.close()
        for path in (self._part.path, self._part.quarantine):
            hidden(path).unlink(missing_ok=True)

    def write(self, rows: NDArray[np.int64], probability: NDArray[np.float64], kept: pa.RecordBatch) -> None:
        """Scores, (rows,) each, with their numbers in the source and the columns passed through."""
        import pyarrow as pa

        same = len(rows)
        columns = [
            _repeated(self._stamp.source, same), pa.array(rows), pa.array(probability),
            _repeated(self._stamp.model, same), pa.repeat(pa.scalar(int(self._stamp.version), pa.int64()), same),
            _repeated(self._stamp.model_digest, same),
            *(kept.column(each.name) for each in list(self._schema)[len(COLUMNS):]),
        ]  # fmt: skip
        self._writers[self._part.path].write_batch(pa.record_batch(columns, schema=self._schema))
        self.counts += Counts(read=same, scored=same)

    def set_aside(self, rows: NDArray[np.int64], reasons: Sequence[str], read: pa.RecordBatch) -> None:
        """Rows that are not scored, why, and what they hold."""
        import pyarrow as pa

        names = [each.name for each in list(self._aside)[3:]]
        columns = [
            _repeated(self._stamp.source, len(rows)), pa.array(rows), pa.array(list(reasons), pa.string()),
            *(read.column(name) for name in names),
        ]  # fmt: skip
        writer = self._writer(self._part.quarantine, self._aside)
        writer.write_batch(pa.record_batch(columns, schema=self._aside))
        self.counts += Counts(read=len(rows), quarantined=len(rows), reasons=Counter(reasons))

    def warn(self, rules: Mapping[str, int]) -> None:
        """Count rows that break a rule that only warns."""
        self.counts += Counts(warnings=rules)

    def commit(self) -> None:
        """Make it visible: first the rows set aside, then the part, whose name means that all is done."""
        counts = {f"{PREFIX}counts": json.dumps(asdict(self.counts))}
        for path, writer in self._writers.items():
            writer.add_key_value_metadata(counts)
            writer.close()
            to_disk(hidden(path))
        if self._part.quarantine in self._writers:
            hidden(self._part.quarantine).replace(self._part.quarantine)
        else:
            self._part.quarantine.unlink(missing_ok=True)
        hidden(self._part.path).replace(self._part.path)
        self._writers.clear()

    def _writer(self, path: Path, schema: pa.Schema) -> Any:
        import pyarrow.parquet as pq

        if path not in self._writers:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._writers[path] = pq.ParquetWriter(hidden(path), schema, **_storage(schema))
        return self._writers[path]


def hidden(path: Path) -> Path:
    """Where a part is written until it is whole: the same name every time, so that the next attempt writes over it."""
    return path.with_name(f".{path.name}.unfinished")


def folder_manifest(parts: Mapping[str, Mapping[str, Any]], job: Mapping[str, Any], *, finished: bool) -> str:
    """The text of a folder's `_manifest.json`."""
    return json.dumps({**job, "finished": finished, "parts": parts}, indent=1, ensure_ascii=False) + "\n"


def _storage(schema: pa.Schema) -> dict[str, Any]:
    """How columns are stored. With Arrow's defaults, scores take twice the time to write and twice the room."""
    import pyarrow as pa

    numbers = [each.name for each in schema if pa.types.is_floating(each.type)]
    encodings = {**dict.fromkeys(numbers, "BYTE_STREAM_SPLIT"), schema.names[1]: "DELTA_BINARY_PACKED"}
    others = [each.name for each in schema if each.name not in encodings]
    return {"compression": "zstd", "column_encoding": encodings, "use_dictionary": others}


def _free(name: str, taken: Sequence[str]) -> str:
    while name in taken:
        name += "_"
    return name


def _repeated(text: str, rows: int) -> Any:
    import pyarrow as pa

    indices = pa.repeat(pa.scalar(0, pa.int32()), rows)
    return pa.DictionaryArray.from_arrays(indices, pa.array([text]))
