"""MLflow's `/invocations`: what `mlflow models serve` takes, and an answer that MLflow's clients read.

    {"dataframe_split": {"columns": [...], "data": [[...]]}}   {"dataframe_records": [{...}]}
    {"instances": [{...}]}                                     {"inputs": {"temp": [39.0], ...}}
    text/csv with a header line

    {"predictions": [0.21, ...], "ids": ["…-0", ...], "model": …, "version": …, …}

Unlike there, rows without names of columns are refused: which value is which must not depend on an order.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

import orjson

from workbench.serving.answers import Answer, Refused, Wrong
from workbench.serving.http.bodies import as_object, origin, parsed, prediction_ids
from workbench.serving.http.rows import (
    InLists,
    InRecords,
    Rows,
    by_column,
    json_type,
    malformed,
    records,
    refuse_many_rows,
)
from workbench.serving.http.texts import value_of

FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")


def read(body: bytes, max_rows: int) -> Rows:
    """The rows of a JSON request. Raises Refused."""
    request = as_object(parsed(body, nan_is_null=True), (*FORMATS, "params"))
    given = [name for name in FORMATS if name in request]
    if len(given) != 1:
        found = f"found {' and '.join(given)}" if given else "found none"
        raise malformed("", f"has exactly one of {', '.join(FORMATS)}; {found}")
    if request.get("params"):
        raise malformed("/params", "must be empty: the model takes no parameters")
    kind, value = given[0], request[given[0]]
    if kind == "dataframe_split":
        return _split(value, max_rows)
    if kind == "inputs" and isinstance(value, dict):
        return by_column(value, "/inputs", max_rows)
    if (
        kind in ("instances", "inputs")
        and isinstance(value, list)
        and value
        and not isinstance(value[0], dict)
    ):
        raise malformed(
            f"/{kind}/0", f"is {json_type(value[0])}; expected an object with a value for every column"
        )
    return records(value, f"/{kind}", max_rows)


def _split(value: Any, max_rows: int) -> Rows:
    at = "/dataframe_split"
    if not isinstance(value, dict):
        raise malformed(at, f"is {json_type(value)}; expected an object with columns and data")
    names, data = value.get("columns"), value.get("data")
    if not isinstance(names, list) or set(map(type, names)) != {str}:
        raise malformed(f"{at}/columns", "is not a list of names")
    if len({*names}) < len(names):
        raise malformed(f"{at}/columns", "names a column twice")
    if not isinstance(data, list) or not data:
        raise malformed(f"{at}/data", "is not a list of rows, with at least one")
    refuse_many_rows(len(data), max_rows, f"{at}/data")
    for number, row in enumerate(data):
        if type(row) is not list or len(row) != len(names):
            found = f"{len(row)} values" if type(row) is list else json_type(row)
            raise malformed(f"{at}/data/{number}", f"is {found}; expected a list of {len(names)} values")
    columns = dict(zip(names, zip(*data, strict=True), strict=True))
    return Rows(columns, len(data), InLists(at, names))


def read_csv(body: bytes, types: Mapping[str, str], max_rows: int) -> Rows:
    """The rows of CSV: a line of names, then values, read by the contract's types as batch scoring reads them.

    `types` are those of the contract's columns. A value that is not of its type stays text. Raises Refused.
    """
    try:
        lines = csv.reader(io.StringIO(body.decode("utf-8-sig"), newline=""), strict=True)
        names = next(lines, [])
        table = []
        for line in lines:
            if line:  # an empty line at the end is none
                table.append(line)
            if len(table) > max_rows:
                refuse_many_rows(len(table), max_rows, "")
            if line and len(line) != len(names):
                message = f"has {len(line)} values where the first line has {len(names)} names"
                raise Refused(
                    400, "not-csv", f"line {lines.line_num} {message}", [Wrong(f"/{len(table) - 1}", message)]
                )
    except UnicodeDecodeError as error:
        raise Refused(400, "not-csv", f"the body is not UTF-8 (byte {error.start})") from None
    except csv.Error as error:
        raise Refused(400, "not-csv", f"the body is not CSV: {error}") from None
    if len({*names}) < len(names):
        raise Refused(400, "not-csv", "the first line names a column twice")
    if not table:
        raise Refused(
            422, "malformed", "there is no row below the names", [Wrong("", "expected at least one row")]
        )
    columns = {
        name: [value_of(text, types.get(name)) for text in texts]
        for name, texts in zip(names, zip(*table, strict=True), strict=True)
    }
    return Rows(columns, len(table), InRecords(""))


def written(answer: Answer) -> bytes:
    """The body of an answer. MLflow's clients read `predictions` and pass the rest on."""
    return orjson.dumps(
        {"predictions": answer.probabilities.tolist(), "ids": prediction_ids(answer), **origin(answer)}
    )
