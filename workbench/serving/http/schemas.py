"""What JSON Schema can say: of a row, from its contract, and of the bodies that all models share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.contracts.contract import Column, Contract
from workbench.serving.http.binary import DATATYPES
from workbench.serving.http.cells import LARGEST
from workbench.serving.http.invocations import FORMATS
from workbench.serving.http.open_inference import OUTPUTS
from workbench.setting_keys import Serving

Row = Mapping[str, Any]

OUTCOMES_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {
                    "model": {"type": "string", "description": "May be left out where one model serves."},
                    "outcomes": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                },
                "required": ["outcomes"],
                "additionalProperties": False,
            },
            "example": {"outcomes": [{"id": "01a20f92ad45758fab6515193519c79f-0", "outcome": 1}]},
        }
    },
}
"""What `/outcomes` takes."""

RUN_BODY = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"pipeline": {"type": "string"}, "parameters": {"type": "object"}},
                "required": ["pipeline"],
                "additionalProperties": False,
            },
            "example": {"pipeline": "train", "parameters": {"months": [4, 5, 6]}},
        }
    },
}
"""What `/runs` takes."""

_TYPES = {"int": "integer", "float": "number", "bool": "boolean"}
_NOT_IN_BROWSERS = re.compile(r"\(\?[^:=!<]|\\[AZzpPuUN]|[*+?}]\+")
"""Of Python's regular expressions what ECMA-262 reads otherwise or not at all."""


def row_schema(contract: Contract, keys: Sequence[str], serving: Serving) -> dict[str, Any]:
    """One row as an object of JSON."""
    columns = [contract.column(name) for name in contract.features]
    properties = {column.name: column_schema(column, serving) for column in columns}
    for key in keys:
        properties.setdefault(
            key,
            {
                "type": ["string", "number", "boolean", "null"],
                "description": "Finds the outcome; no feature.",
            },
        )
    return {
        "type": "object",
        "description": contract.description,
        "properties": properties,
        "required": [column.name for column in columns],
        "additionalProperties": contract.extra != "stop",
    }


def column_schema(column: Column, serving: Serving) -> dict[str, Any]:
    """What one value must be like, as far as JSON Schema can say it. What only warns is not said: it is accepted."""
    schema: dict[str, Any] = {"type": _TYPES.get(column.type, "string")}
    bounds = _of_numbers if column.type in ("int", "float") else _of_texts
    schema |= (
        bounds(column, serving)
        if column.severity != "warn"
        else bounds(Column(column.name, column.type), serving)
    )
    if said := "; ".join(each for each in (column.help, _range(column)) if each):
        schema["description"] = said
    if column.nullable:
        schema["type"] = [schema["type"], "null"]
        if "enum" in schema:
            schema["enum"] = [*schema["enum"], None]
    return schema


def _range(column: Column) -> str:
    bounds = [f"{word} {at}" for word, at in (("from", column.min), ("to", column.max)) if at is not None]
    return " ".join(bounds)


def _of_numbers(column: Column, _: Serving) -> dict[str, Any]:
    if column.values is not None:
        return {"enum": list(column.values)}
    least, most = (-LARGEST, LARGEST) if column.type == "int" else (None, None)
    found = {
        "minimum": least if column.min is None else column.min, "maximum": most if column.max is None else column.max
    }  # fmt: skip
    return {name: bound for name, bound in found.items() if bound is not None}


def _of_texts(column: Column, serving: Serving) -> dict[str, Any]:
    if column.type in ("date", "datetime"):
        return {"format": "date" if column.type == "date" else "date-time"}
    if column.values is not None:
        return {"enum": list(column.values)}
    if column.type == "bool":
        return {}
    found: dict[str, Any] = {"maxLength": serving.max_text}
    if column.pattern and not _NOT_IN_BROWSERS.search(column.pattern):
        found["pattern"] = f"^(?:{column.pattern})$"
    return found


def example_of(contract: Contract) -> dict[str, Any]:
    """A row of a contract that has no golden requests at hand: the first that it allows of everything."""
    return {name: _example(contract.column(name)) for name in contract.features}


def _example(column: Column) -> Any:
    if column.values:
        return column.values[0]
    if column.type in ("int", "float"):
        return next((bound for bound in (column.min, column.max) if bound is not None), 0)
    if column.type == "bool":
        return True
    if column.type in ("date", "datetime"):
        return column.min or "2013-06-30"
    return None if column.nullable else "text"


def form_schema(contract: Contract, keys: Sequence[str], example: Row, serving: Serving) -> dict[str, Any]:
    """One row as fields: a value that may be missing may be left empty."""
    whole = row_schema(contract, keys, serving)
    properties = {}
    for name, schema in whole["properties"].items():
        kind = schema["type"]
        field = {**schema, "type": kind[0] if isinstance(kind, list) else kind}
        if "enum" in field:
            field["enum"] = [each for each in field["enum"] if each is not None]
        if example.get(name) is not None:
            field["example"] = example[name]
        properties[name] = field
    required = [name for name in whole["required"] if not contract.column(name).nullable]
    return {**whole, "properties": properties, "required": required}


def shared_schemas() -> dict[str, Any]:
    """What requests and answers look like, whatever the model."""
    text, number, texts = (
        {"type": "string"},
        {"type": "number"},
        {"type": "array", "items": {"type": "string"}},
    )
    origin = {
        "request": text, "model": text, "version": {"type": "integer"}, "digest": text,
        "kind": {"enum": ["champion", "canary"]}, "label": {**text, "description": "Whose probability it is."},
        "warnings": texts,
    }  # fmt: skip
    prediction = _object({"id": text, "probability": {"type": "number", "minimum": 0, "maximum": 1}})
    wrong = _object({"at": {**text, "description": "A JSON pointer into the body."}, "message": text})
    refusal = {"message": text, "reason": text, "wrong": {"type": "array", "items": wrong}, "request": text}
    tensor = {
        "name": text, "shape": {"type": "array", "items": {"type": "integer"}}, "datatype": {"enum": list(DATATYPES)},
        "data": {"type": "array"}, "parameters": {"type": "object"},
    }  # fmt: skip
    wanted = {"name": {"enum": list(OUTPUTS)}, "parameters": {"type": "object"}}
    inputs = {"type": "array", "minItems": 1, "items": _object(tensor, "name", "shape", "datatype")}
    return {
        "Answer": _object({"predictions": {"type": "array", "items": prediction}, **origin}),
        "Invocation": {
            "oneOf": [_object({name: {}, "params": {"type": "object", "maxProperties": 0}}, name) for name in FORMATS]
        },
        "Invoked": _object({"predictions": {"type": "array", "items": number}, "ids": texts, **origin}),
        "InferRequest": _object(
            {
                "id": {**text, "maxLength": 200}, "parameters": {"type": "object"}, "inputs": inputs,
                "outputs": {"type": "array", "items": _object(wanted, "name")},
            },
            "inputs",
        ),
        "Inferred": _object(
            {
                "model_name": text, "model_version": text, "id": text, "parameters": {"type": "object"},
                "outputs": {"type": "array", "items": _object(tensor, "name", "shape", "datatype")},
            },
            "model_name", "model_version", "outputs",
        ),
        "Problem": {"oneOf": [_object({"error": _object(refusal)}), _object({**refusal, "error": text}, "error")]},
    }  # fmt: skip


def _object(properties: Mapping[str, Any], *required: str) -> dict[str, Any]:
    """An object with these properties; all of them are there unless `required` names some."""
    return {"type": "object", "properties": dict(properties), "required": list(required or properties)}
