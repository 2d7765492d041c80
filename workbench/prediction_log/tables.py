"""Rows of the log as typed columns, and tables of different columns made alike.

    request, row           prediction id: `{request}-{row}`
    model, version, digest, kind, came (UTC), latency (seconds), caller, probability
    key_NAME               text: what identifies the row
    input_NAME             float64, text, bool or timestamp: what the model was given

Texts are dictionaries (a code a row), which is what makes reading ten million rows fast. Versions with other columns live
side by side: what a version was not given is null. Where a column changed its type, it is text.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from workbench.prediction_log.encoding import Shape, Stored, columns_of

if TYPE_CHECKING:
    import pyarrow as pa

KEY, INPUT = "key_", "input_"


@cache
def base_schema() -> pa.Schema:
    """The columns that every row has."""
    import pyarrow as pa

    words = pa.dictionary(pa.int32(), pa.string())
    return pa.schema([
        ("request", pa.string()), ("row", pa.int64()), ("model", words), ("version", pa.int64()), ("digest", words),
        ("kind", words), ("came", pa.timestamp("us", "UTC")), ("latency", pa.float64()), ("caller", words),
        ("probability", pa.float64()),
    ])  # fmt: skip


def shape_schema(shape: Shape) -> pa.Schema:
    """The columns of a journal's entries."""
    import pyarrow as pa

    return pa.schema([(name, column.type) for name, column in columns_of(shape, ()).items()])


def table_of(entries: Sequence[Stored]) -> pa.Table:
    """Entries as one table, (predictions × columns); grouped by what they have in common, else in order."""
    import pyarrow as pa

    groups: dict[Shape, list[Stored]] = {}
    for entry in entries:
        groups.setdefault(entry.shape, []).append(entry)
    tables = [pa.table(dict(columns_of(shape, group))) for shape, group in groups.items()]
    schema = unified([table.schema for table in tables])
    return pa.concat_tables([conformed(table, schema) for table in tables]).unify_dictionaries()


def unified(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """One schema for tables of these: the columns that all rows have, then keys, then inputs."""
    import pyarrow as pa

    types: dict[str, pa.DataType] = {each.name: each.type for each in base_schema()}
    for schema in schemas:
        for each in schema:
            types[each.name] = _common(types.get(each.name, each.type), each.type)
    own = [name for name in types if not name.startswith((KEY, INPUT))]
    ordered = [*own, *(name for part in (KEY, INPUT) for name in types if name.startswith(part))]
    return pa.schema([(name, types[name]) for name in ordered])


def outcome_schema(schemas: Iterable[pa.Schema]) -> pa.Schema:
    """The columns of a table of outcomes: prediction, label (float64, or text), and when it came."""
    import pyarrow as pa

    label: pa.DataType = pa.null()
    for schema in schemas:
        label = _common(label, schema.field("outcome").type)
    moment = pa.timestamp("us", "UTC")
    return pa.schema([
        ("request", pa.string()), ("row", pa.int64()), ("outcome", label), ("outcome_came", moment),
    ])  # fmt: skip


def _common(first: pa.DataType, second: pa.DataType) -> pa.DataType:
    import pyarrow as pa

    if first == second or pa.types.is_null(second):
        return first
    if pa.types.is_null(first):
        return second
    return pa.dictionary(pa.int32(), pa.string())


def conformed(table: Any, schema: pa.Schema) -> Any:
    """A table or a batch with exactly these columns; null where it has none."""
    import pyarrow as pa

    names = set(table.schema.names)
    columns = [
        cast(table.column(each.name), each.type)
        if each.name in names
        else pa.nulls(table.num_rows, each.type)
        for each in schema
    ]
    return type(table).from_arrays(columns, schema=schema)


def cast(column: Any, wanted: pa.DataType) -> Any:
    """A column of the log as one of another type of the log."""
    import pyarrow as pa

    if column.type == wanted:
        return column
    if pa.types.is_dictionary(wanted) and not pa.types.is_dictionary(column.type):
        return column.cast(pa.string()).dictionary_encode()
    return column.cast(wanted)


def logged(column: pa.Array) -> pa.Array:
    """A column of any table as an input is logged: numbers as float64, texts as a dictionary, times in microseconds."""
    import pyarrow as pa

    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return column.cast(pa.float64(), safe=False)
    if pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column.cast(kind)
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return column.cast(pa.timestamp("us"), safe=False)
    words = pa.dictionary(pa.int32(), pa.string())
    return (
        column.cast(words)
        if pa.types.is_dictionary(column.type)
        else column.cast(pa.string()).dictionary_encode()
    )


def logged_type(kind: pa.DataType) -> pa.DataType:
    """The type of `logged` for a column of this type."""
    import pyarrow as pa

    return logged(pa.nulls(0, kind)).type


def key_column(column: pa.Array) -> pa.Array:
    """A key's values as the log has them: see entries.key_text. Each different value is written once."""
    import pyarrow as pa

    from workbench.prediction_log.entries import key_text

    coded = column if pa.types.is_dictionary(column.type) else column.dictionary_encode()
    words = [key_text(value) for value in coded.dictionary.to_pylist()]
    if len(set(words)) == len(words) and None not in words:
        return pa.DictionaryArray.from_arrays(coded.indices.cast(pa.int32()), pa.array(words, pa.string()))
    return pa.array(words, pa.string()).take(coded.indices).dictionary_encode()
