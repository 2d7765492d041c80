"""One request as it is logged, and the names of its predictions."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Literal

from workbench.errors import BadInput

Kind = Literal["champion", "canary", "shadow", "batch"]
"""As what a version answered."""

KINDS: tuple[Kind, ...] = ("champion", "canary", "shadow", "batch")

_ID = re.compile(r"([0-9a-f]{32})-(\d{1,12})")
_MOMENT = re.compile(r"\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}.*")


@dataclass(frozen=True)
class Logged:
    """The rows of one request that one version answered."""

    request: str
    """32 hexadecimal digits. Row i's prediction id is `{request}-{i}`."""
    model: str
    version: int
    digest: str
    """Of the version's files."""
    kind: Kind
    came: float
    """When the request came: seconds since the epoch, UTC."""
    latency: float
    """Seconds until it was answered."""
    rows: int
    inputs: Mapping[str, Sequence[Any]]
    """What the model was given: by column, (rows,) each. None or NaN: missing."""
    probabilities: Sequence[float]
    """(rows,); NaN where the version gave none."""
    keys: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    """Columns that identify a row, to find its outcome by: (rows,) each."""
    caller: str | None = None
    """Name of the API key."""


def prediction_id(request: str, row: int) -> str:
    return f"{request}-{row}"


def split_id(text: str) -> tuple[str, int]:
    """Request and row of a prediction id. Raises BadInput."""
    match = _ID.fullmatch(text.strip().lower())
    if match is None:
        raise BadInput(
            f"'{text}' is no prediction id; expected 32 hexadecimal digits, '-' and the row's number"
        )
    return match[1], int(match[2])


def whole_micros(moment: float) -> float:
    """Seconds since the epoch without what is less than a microsecond: files keep no more, and a day ends in both alike."""
    return math.floor(moment * 1e6) / 1e6


def key_text(value: Any) -> str | None:
    """A key's value as text, the same for every way it may come: a number, a date or text of JSON, CSV or Parquet.

    1545, 1545.0 and '1545' are one key, and so are the date 2013-01-01, its midnight and the text of either.
    """
    if isinstance(value, str):
        return _moment_text(value) if len(value) > 15 and _MOMENT.fullmatch(value) else value
    if value is None or value != value:  # NaN and NaT differ from themselves
        return None
    if hasattr(value, "item"):  # NumPy's scalars; those of dates in nanoseconds would become integers
        value = value.astype("datetime64[us]").item() if value.dtype.kind == "M" else value.item()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, datetime):
        return _moment(value)
    if isinstance(value, date):
        return value.isoformat()
    return str(value)


def _moment_text(text: str) -> str:
    try:
        return _moment(datetime.fromisoformat(text))
    except ValueError:
        return text


def _moment(moment: datetime) -> str:
    """A date alone where it is midnight; in UTC where it has an offset."""
    plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    text = plain.isoformat()
    return text[:10] if text.endswith("T00:00:00") else text
