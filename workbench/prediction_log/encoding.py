"""Entries as rows of the journal, and back into typed columns.

What the entries of a model have in common (version, names and types of columns) is stored once, as a `Shape`; an entry is
then little more than its values, as JSON: 0.2 kB for a row of 18 features. Numbers are read back as the same float64.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import nan
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, cast

from workbench.errors import LogError
from workbench.prediction_log.entries import Kind, Logged, key_text, split_id

if TYPE_CHECKING:
    import pyarrow as pa

Sort = Literal["number", "text", "bool", "time", "null"]
"""Of a column's values; `null` where none of them is there. Times are microseconds, as they stood in the request."""

_EPOCH = datetime(1970, 1, 1)


class Shape(NamedTuple):
    """What many entries have in common."""

    model: str
    version: int
    digest: str
    kind: str
    inputs: tuple[tuple[str, Sort], ...]
    keys: tuple[str, ...]

    def as_text(self) -> str:
        return json.dumps(self._asdict(), separators=(",", ":"), ensure_ascii=False)


@lru_cache(maxsize=1024)
def read_shape(text: str) -> Shape:
    """What `as_text` gave."""
    value = json.loads(text)
    inputs = tuple((name, sort) for name, sort in value.pop("inputs"))
    return Shape(**{**value, "inputs": inputs, "keys": tuple(value["keys"])})


@dataclass(frozen=True)
class Stored:
    """An entry as it is in the journal."""

    sequence: int
    shape: Shape
    came: float
    rows: int
    request: str
    body: bytes


def encode(entry: Logged) -> tuple[Shape, bytes]:
    """Raises BadInput for a request that is no id, ValueError for columns with other than `rows` values."""
    import orjson

    split_id(f"{entry.request}-0")
    names: list[tuple[str, Sort]] = []
    content: list[Any] = [entry.latency, entry.caller, [float(each) for each in entry.probabilities]]
    for name, values in entry.inputs.items():
        sort, plain = _plain(values)
        names.append((name, sort))
        content.append(plain)
    content += [[key_text(value) for value in values] for values in entry.keys.values()]
    for name, values in zip(("probabilities", *entry.inputs, *entry.keys), content[2:], strict=True):
        if len(values) != entry.rows:
            raise ValueError(f"'{name}' has {len(values)} values in a request of {entry.rows} rows")
    shape = Shape(entry.model, int(entry.version), entry.digest, entry.kind, tuple(names), tuple(entry.keys))
    return shape, orjson.dumps(content, option=orjson.OPT_SERIALIZE_NUMPY)


def decode(entry: Stored) -> Logged:
    """What `encode` was given: missing is None, times are datetimes without zone, keys are text. Raises LogError."""
    import orjson

    shape = entry.shape
    try:
        latency, caller, probabilities, *rest = orjson.loads(entry.body)
        inputs = {
            name: _moments(each) if sort == "time" else each
            for (name, sort), each in zip(shape.inputs, rest, strict=False)
        }
        keys = dict(zip(shape.keys, rest[len(shape.inputs) :], strict=True))
    except (ValueError, TypeError) as error:
        raise LogError(f"entry {entry.sequence} of the prediction log cannot be read: {error}") from error
    return Logged(
        request=entry.request, model=shape.model, version=shape.version, digest=shape.digest, kind=cast("Kind", shape.kind),
        came=entry.came, latency=latency, rows=entry.rows, inputs=inputs, keys=keys,
        probabilities=[nan if each is None else each for each in probabilities], caller=caller,
    )  # fmt: skip


def _moments(micros: Sequence[int | None]) -> list[datetime | None]:
    return [None if each is None else _EPOCH + timedelta(microseconds=each) for each in micros]


def _plain(values: Sequence[Any]) -> tuple[Sort, Any]:
    """Values that JSON has, and of which sort they are."""
    array: Any = values
    kind = array.dtype.kind if hasattr(array, "dtype") else "O"
    if kind in "fiu":
        return "number", array.tolist() if kind == "f" else array.astype("float64").tolist()
    if kind == "b":
        return "bool", array.tolist()
    if kind == "M":
        return "time", [
            None if each is None else _micros(each) for each in array.astype("datetime64[us]").tolist()
        ]
    return _plain_objects(values)


def _plain_objects(values: Iterable[Any]) -> tuple[Sort, list[Any]]:
    plain = [value if type(value) is str else _item(value) for value in values]
    types = {type(value) for value in plain}
    types.discard(type(None))
    if types == {str}:
        return "text", plain
    if not types:
        return "null", plain
    if types <= {int, float}:
        return "number", [None if each is None else float(each) for each in plain]
    if types == {bool}:
        return "bool", plain
    if types <= {date, datetime}:
        moments: list[Any] = plain
        return "time", [None if each is None else _micros(each) for each in moments]
    return "text", [None if each is None else str(each) for each in plain]


def _item(value: Any) -> Any:
    """One value of Python's own types; None for what is missing."""
    if value is None or value != value:
        return None
    if isinstance(value, str | bool | int | float):
        return value
    if hasattr(value, "to_pydatetime"):  # pandas' Timestamp, which is a datetime of nanoseconds
        return value.to_pydatetime(warn=False)
    if hasattr(value, "item"):
        return value.item()
    return value if isinstance(value, date) else str(value)


def _micros(moment: date) -> int:
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day)
    plain = moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
    past = plain - _EPOCH
    return (past.days * 86_400 + past.seconds) * 1_000_000 + past.microseconds


def columns_of(shape: Shape, entries: Sequence[Stored]) -> Mapping[str, pa.Array]:
    """Entries of one shape as the columns of a table of the log: see tables. Raises LogError for a damaged one."""
    import orjson
    import pyarrow as pa

    try:
        read = [orjson.loads(entry.body) for entry in entries]
        repeated = [(entry, row) for entry in entries for row in range(entry.rows)]
        width = 3 + len(shape.inputs)
        flat = [[value for each in read for value in each[at]] for at in range(2, width + len(shape.keys))]
        rows = [entry.rows for entry in entries]
        same: Mapping[str, Any] = {
            "request": pa.array([entry.request for entry, _ in repeated], pa.string()),
            "row": pa.array([row for _, row in repeated], pa.int64()),
            "model": _words(pa.array([shape.model] * len(repeated))),
            "version": pa.array([shape.version] * len(repeated), pa.int64()),
            "digest": _words(pa.array([shape.digest] * len(repeated))),
            "kind": _words(pa.array([shape.kind] * len(repeated))),
            "came": pa.array([round(each.came * 1e6) for each, _ in repeated], pa.timestamp("us", "UTC")),
            "latency": pa.array(_spread([each[0] for each in read], rows), pa.float64()),
            "caller": _words(pa.array(_spread([each[1] for each in read], rows), pa.string())),
            "probability": pa.array(flat[0], pa.float64()),
        }
        keys = {
            f"key_{name}": _words(pa.array(values, pa.string()))
            for name, values in zip(shape.keys, flat[len(shape.inputs) + 1 :], strict=True)
        }
        inputs = {
            f"input_{name}": _typed(values, sort)
            for (name, sort), values in zip(shape.inputs, flat[1:], strict=False)
        }
    except (ValueError, TypeError, LookupError) as error:  # Arrow's and JSON's errors are ValueErrors
        raise LogError(
            f"entries {entries[0].sequence} to {entries[-1].sequence} of the prediction log cannot be read: {error}"
        ) from error
    return {**same, **keys, **inputs}


def _spread(values: Sequence[Any], rows: Sequence[int]) -> list[Any]:
    return [value for value, count in zip(values, rows, strict=True) for _ in range(count)]


def _typed(values: Sequence[Any], sort: Sort) -> pa.Array:
    import pyarrow as pa

    types = {"number": pa.float64(), "bool": pa.bool_(), "time": pa.timestamp("us"), "null": pa.null()}
    return pa.array(values, types[sort]) if sort in types else _words(pa.array(values, pa.string()))


def _words(texts: pa.Array) -> pa.DictionaryArray:
    return texts.dictionary_encode()
