"""Tables to be scored, read a piece at a time: Parquet and CSV files, folders and globs of them.

A piece is an Arrow batch, as the file has it; `frame` gives the columns that a contract names as pandas has them. CSV
has no types, so its cells are read as the contract says, one by one: a cell that is none stays text, and the check sets
its row aside, where inferring types would turn a whole column into text.
"""

from __future__ import annotations

import glob
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import BadInput, StoreError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from workbench.contracts.contract import Contract

SUFFIXES = (".parquet", ".csv", ".csv.gz")
CSV_BLOCK = 8_000_000
"""Bytes of CSV read at once: some 80,000 rows of 100 characters."""

HEAD = 1_000_000
"""Bytes in which the names of CSV's columns, and a first row, must be."""

MISSING = [
    "", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA",
    "NULL", "NaN", "None", "n/a", "nan", "null",
]  # fmt: skip
"""Cells without a value, as pandas has them, and so as training has read them."""


@dataclass(frozen=True)
class Source:
    """One file to be scored."""

    path: Path
    name: str
    """Relative to the folder or glob that it was found by; with '/' on every system."""

    @property
    def is_csv(self) -> bool:
        return not self.name.lower().endswith(".parquet")


@dataclass(frozen=True)
class Sources:
    """What was asked for."""

    files: tuple[Source, ...]
    one: bool
    """A single file was named: its scores are a file, not a folder."""
    ignored: tuple[str, ...] = ()
    """Files in a folder that are no tables."""


@dataclass(frozen=True)
class Piece:
    """Rows in the order of their file."""

    batch: pa.RecordBatch
    start: int
    """The number of its first row in the file, counted from 0."""
    done: float
    """The share of the file that has been read with it, 0 to 1."""


def find_sources(inputs: Sequence[str]) -> Sources:
    """The files of names, folders (with what is below them) and globs. Raises BadInput where there is nothing to score.

    What begins with '.' or '_' is left out, as Arrow and Spark do. Files in a folder that are no tables are ignored and
    named; a file that was named itself must be one.
    """
    found: list[Source] = []
    ignored: list[str] = []
    for text in inputs:
        path = Path(text)
        if path.is_dir():
            below = [file for file in sorted(path.rglob("*")) if file.is_file() and not _hidden(file, path)]
            tables = [file for file in below if _is_table(file)]
            found += [Source(file, file.relative_to(path).as_posix()) for file in tables]
            ignored += [str(file) for file in below if not _is_table(file)]
        elif path.exists():
            found.append(_named(path, Path(path.name)))
        elif glob.has_magic(text):
            base = _fixed_part(path)
            matches = [Path(match) for match in sorted(glob.glob(text, recursive=True))]  # noqa: PTH207 - may be absolute
            found += [_named(file, file.relative_to(base)) for file in matches if file.is_file()]
        else:
            near = did_you_mean(path.name, [each.name for each in path.parent.glob("*")])
            raise BadInput(f"there is no file or folder '{text}'{near if 'did you mean' in near else ''}")
    if not found:
        hint = f"; not read: {', '.join(ignored[:5])}" if ignored else ""
        raise BadInput(f"no table in '{' '.join(inputs)}'; expected {', '.join(SUFFIXES)}{hint}")
    return Sources(tuple(found), len(inputs) == 1 and Path(inputs[0]).is_file(), tuple(ignored))


def _is_table(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def _hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)


def _named(path: Path, name: Path) -> Source:
    if not _is_table(path):
        raise BadInput(f"'{path}' is no table that is scored; expected {', '.join(SUFFIXES)}")
    return Source(path, name.as_posix())


def _fixed_part(pattern: Path) -> Path:
    """The folder before the first wildcard."""
    parts = [part for part in pattern.parts if not glob.has_magic(part)]
    while parts and parts != list(pattern.parts[: len(parts)]):
        parts.pop()
    return Path(*parts)


@contextmanager
def reading(source: Source) -> Iterator[None]:
    """Have what is wrong with a file raised as BadInput that names it."""
    import pyarrow as pa

    try:
        yield
    except FileNotFoundError as error:
        raise BadInput(f"there is no file '{source.path}' any more") from error
    except (pa.ArrowException, EOFError, OSError, StoreError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"'{source.path}' cannot be read as a table: {reason}") from error


def schema_of(source: Source) -> pa.Schema:
    """Names and types of its columns, which may be there twice; those of CSV are all text. Raises BadInput."""
    import pyarrow as pa
    import pyarrow.csv
    import pyarrow.parquet

    with reading(source):
        if not source.is_csv:
            schema: pa.Schema = pa.parquet.read_schema(source.path).remove_metadata()
            return schema
        # The names of the first line; what Arrow takes the types for is of no interest.
        with pa.csv.open_csv(source.path, _one_thread(HEAD), _quoted()) as reader:
            return pa.schema([(name, pa.string()) for name in reader.schema.names])


def pieces(source: Source, columns: Sequence[str], rows: int, block: int = CSV_BLOCK) -> Iterator[Piece]:
    """The file's rows: at most `rows` at a time of Parquet, `block` bytes of CSV. Raises BadInput.

    Memory does not grow with the file, however large its row groups are.
    """
    read = _csv(source, columns, block) if source.is_csv else _parquet(source, columns, rows)
    start = 0
    with closing(read), reading(source):
        for batch, done in read:
            yield Piece(batch, start, done)
            start += batch.num_rows


def _parquet(
    source: Source, columns: Sequence[str], rows: int
) -> Generator[tuple[pa.RecordBatch, float], None, None]:
    import pyarrow.parquet as pq

    # A buffer makes Arrow read a column's pages one after the other instead of a row group's whole column.
    with pq.ParquetFile(source.path, buffer_size=1_000_000, pre_buffer=False) as file:
        total, read = max(1, file.metadata.num_rows), 0
        for batch in file.iter_batches(batch_size=rows, columns=list(columns)):
            read += batch.num_rows
            yield batch, read / total


def _csv(
    source: Source, columns: Sequence[str], block: int
) -> Generator[tuple[pa.RecordBatch, float], None, None]:
    import pyarrow as pa
    import pyarrow.csv as csv

    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(columns, pa.string()),
        include_columns=list(columns),
        null_values=MISSING,
        strings_can_be_null=True,
    )
    size = max(1, source.path.stat().st_size)
    with pa.OSFile(str(source.path)) as raw:
        stream = pa.CompressedInputStream(raw, "gzip") if source.name.lower().endswith(".gz") else raw
        reader = csv.open_csv(stream, _one_thread(block), _quoted(), convert)
        for batch in reader:
            yield batch, min(1.0, raw.tell() / size)


def _one_thread(block: int) -> Any:
    """So that a broken line is named by its number."""
    from pyarrow.csv import ReadOptions

    return ReadOptions(block_size=block, use_threads=False)


def _quoted() -> Any:
    from pyarrow.csv import ParseOptions

    return ParseOptions(newlines_in_values=True)


def frame(batch: pa.RecordBatch, contract: Contract, *, is_csv: bool) -> pd.DataFrame:
    """The columns of the contract that the batch has, (rows × columns), to be held against it.

    Text is categorical: each different text becomes an object once, and is checked once. `missing.as_served` makes of it
    what a model takes.
    """
    import pandas as pd
    import pyarrow as pa

    present = set(batch.schema.names)
    read: dict[str, Any] = {}
    for column in contract.columns:
        if column.name not in present:
            continue
        cells = batch.column(column.name)
        if column.type in ("text", "category") and cells.type in (pa.string(), pa.large_string()):
            read[column.name] = cells.dictionary_encode().to_pandas()
        else:
            read[column.name] = _typed(cells, column.type) if is_csv else cells.to_pandas()
    return pd.DataFrame(read, index=pd.RangeIndex(batch.num_rows), copy=False)


def _typed(texts: pa.Array, kind: str) -> Any:
    """Cells of CSV as values of a contract's type other than text; (rows,). Where one of them is none, it stays text."""
    import pandas as pd
    import pyarrow as pa

    if kind == "bool":
        return _or_text(texts.to_pandas().map(_TRUTHS), texts.to_pandas())
    try:
        if kind in ("int", "float"):
            return texts.cast(pa.float64()).to_pandas()
        return pd.to_datetime(texts.to_pandas(), format="ISO8601")
    except (pa.ArrowInvalid, ValueError):
        pass
    if kind in ("int", "float"):
        return _or_text(pd.to_numeric(texts.to_pandas(), errors="coerce"), texts.to_pandas())
    return _or_text(pd.to_datetime(texts.to_pandas(), format="ISO8601", errors="coerce"), texts.to_pandas())


_TRUTHS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def _or_text(read: pd.Series[Any], texts: pd.Series[Any]) -> pd.Series[Any]:
    """What was read, and the text where nothing could be."""
    mixed = read.astype(object)
    return mixed.where(read.notna() | texts.isna(), texts)
