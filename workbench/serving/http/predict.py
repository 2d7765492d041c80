"""`/predict/MODEL`: rows as objects, typed from the contract.

{"rows": [{"temp": 39.0, "carrier": "AA", …}]}
{"predictions": [{"id": "…-0", "probability": 0.21}], "model": …, "version": …, …}
"""

from __future__ import annotations

from urllib.parse import parse_qsl

import orjson

from workbench.contracts.contract import Contract
from workbench.serving.answers import Answer, Refused
from workbench.serving.http.bodies import as_object, origin, parsed, prediction_ids
from workbench.serving.http.rows import InForm, Rows, malformed, records
from workbench.serving.http.texts import value_of


def read(body: bytes, max_rows: int) -> Rows:
    """The rows of a request. Raises Refused."""
    return records(as_object(parsed(body), ("rows",), ("rows",))["rows"], "/rows", max_rows)


def read_form(body: bytes, contract: Contract, max_columns: int) -> Rows:
    """The row that a form holds: texts, read by the types of the contract's columns. Raises Refused.

    A column that may be missing may be left out, as browsers do with fields that nobody filled.
    """
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            strict_parsing=bool(body),
            errors="strict",
            max_num_fields=max_columns,
        )
    except ValueError as error:
        raise Refused(400, "not-a-form", f"the body is no form: {error}") from None
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise malformed("", "has a field twice")
    types = {column.name: column.type for column in contract.columns}
    cells = {name: (value_of(text, types.get(name)),) for name, text in fields.items()}
    for name in contract.features:
        if name not in cells and contract.column(name).nullable:
            cells[name] = (None,)
    return Rows(cells, 1, InForm())


def written(answer: Answer) -> bytes:
    """The body of an answer."""
    pairs = zip(prediction_ids(answer), answer.probabilities.tolist(), strict=True)
    predictions = [{"id": each, "probability": probability} for each, probability in pairs]
    return orjson.dumps({"predictions": predictions, **origin(answer)})
