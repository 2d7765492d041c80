"""Parquet files of the log: whole or not there, whatever happens while they are written."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from workbench.digests import to_disk
from workbench.errors import LogError

if TYPE_CHECKING:
    import pyarrow as pa

GROUP_ROWS = 131_072
"""Rows of a row group: what a reader has in memory at once."""


class LogWriter:
    """Writes to a hidden file beside `path`; `commit` makes it visible. Without it nothing is left when the block ends."""

    def __init__(self, path: Path, schema: pa.Schema, unfinished: Path | None = None) -> None:
        self.path, self.schema = path, schema
        self._hidden = unfinished or hidden(path)
        self._writer: Any = None
        self.rows = 0

    def __enter__(self) -> LogWriter:
        import pyarrow.parquet as pq

        try:
            self._hidden.parent.mkdir(parents=True, exist_ok=True)
            self._writer = pq.ParquetWriter(self._hidden, self.schema, **storage(self.schema))
        except OSError as error:
            raise _unwritable(self.path, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            try:
                self._writer.close()
            finally:
                self._hidden.unlink(missing_ok=True)

    def write(self, batch: pa.RecordBatch | pa.Table) -> None:
        """Add rows. Raises LogError."""
        import pyarrow as pa

        table = batch if isinstance(batch, pa.Table) else pa.Table.from_batches([batch])
        try:
            self._writer.write_table(table, row_group_size=GROUP_ROWS)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self.rows += table.num_rows

    def finish(self, metadata: Mapping[bytes, bytes] | None = None) -> None:
        """Have it on disk, still hidden."""
        try:
            if metadata:
                self._writer.add_key_value_metadata(metadata)
            self._writer.close()
            to_disk(self._hidden)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        self._writer = None

    def reveal(self) -> None:
        """Make it visible, for good."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._hidden.replace(self.path)
            if os.name != "nt":  # where a folder cannot be opened
                to_disk(self.path.parent)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def commit(self) -> None:
        self.finish()
        self.reveal()


def hidden(path: Path) -> Path:
    return path.with_name(f".{path.name}.unfinished")


def write_file(path: Path, tables: Iterable[pa.Table | pa.RecordBatch], schema: pa.Schema) -> None:
    """Write a whole file. Raises LogError."""
    with LogWriter(path, schema) as writer:
        for each in tables:
            writer.write(each)
        writer.commit()


def storage(schema: pa.Schema) -> dict[str, Any]:
    """How columns are stored: fast to write, fast to read, a third of the room of plain numbers."""
    import pyarrow as pa

    encodings = {
        each.name: "DELTA_BINARY_PACKED"
        for each in schema
        if each.name == "row" or pa.types.is_timestamp(each.type)
    }
    encodings["probability"] = "BYTE_STREAM_SPLIT"
    encodings = {name: encoding for name, encoding in encodings.items() if name in schema.names}
    others = [each.name for each in schema if each.name not in encodings]
    return {
        "compression": "zstd", "compression_level": 1, "column_encoding": encodings, "use_dictionary": others,
        "write_page_index": False,
    }  # fmt: skip


def _unwritable(path: Path, error: OSError) -> LogError:
    return LogError(f"the prediction log cannot write '{path}': {error.strerror or error}")
