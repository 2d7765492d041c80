"""Tables from files: Parquet, or CSV read by the types of a contract."""

from __future__ import annotations

from pathlib import Path
from zipfile import BadZipFile

import pandas as pd

from workbench.contracts.contract import Contract
from workbench.errors import BadInput

SUFFIXES = (".parquet", ".csv", ".csv.gz", ".csv.zip")


def read_table(path: Path, contract: Contract | None = None) -> pd.DataFrame:
    """The table in a file. Raises BadInput for a file that is none.

    CSV has no types: text stays text where the contract says so ("007"), times are read where all of a column is one, and
    everything else is what pandas takes it for.
    """
    if not path.is_file():
        raise BadInput(f"there is no file '{path}'")
    if not path.name.lower().endswith(SUFFIXES):
        raise BadInput(f"'{path}' is no table that is read here; expected {', '.join(SUFFIXES)}")
    try:
        if path.suffix.lower() == ".parquet":
            return pd.read_parquet(path)
        return _read_csv(path, contract)
    except (ValueError, OSError, EOFError, BadZipFile) as error:  # those of Arrow and pandas are ValueErrors
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"'{path}' cannot be read as a table: {reason}") from error


def _read_csv(path: Path, contract: Contract | None) -> pd.DataFrame:
    columns = contract.columns if contract else ()
    texts = {
        column.name: str for column in columns if column.type in ("text", "category", "date", "datetime")
    }
    frame = pd.read_csv(path, dtype=texts, low_memory=False)
    for column in columns:
        if column.type in ("date", "datetime") and column.name in frame.columns:
            frame[column.name] = _times(frame[column.name])
    return frame


def _times(texts: pd.Series[str]) -> pd.Series[pd.Timestamp]:
    """ISO times; the column as it was where one of its values is none, so that the check shows which."""
    try:
        return pd.to_datetime(texts, format="ISO8601")
    except ValueError:
        return texts
