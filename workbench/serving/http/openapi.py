"""The OpenAPI document: what FastAPI knows of its own routes, and the predictions, from the contracts that serve now."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.contracts.contract import Contract
from workbench.serving.answers import Standing
from workbench.serving.http.schemas import Row, example_of, form_schema, row_schema, shared_schemas
from workbench.setting_keys import Serving

FORM = "application/x-www-form-urlencoded"


def document(
    base: Mapping[str, Any], standings: Sequence[Standing], examples: Mapping[str, Row], serving: Serving
) -> dict[str, Any]:
    """`base` with the predictions of every model that is loaded. `examples` are rows by model."""
    paths: dict[str, Any] = {}
    schemas: dict[str, Any] = {**base.get("components", {}).get("schemas", {}), **shared_schemas()}
    for each in standings:
        if each.contract is None:
            continue
        example = examples.get(each.model) or example_of(each.contract)
        schemas[f"{each.model}.Row"] = row_schema(each.contract, each.keys, serving)
        paths |= _paths(each, example, serving, only=len(standings) == 1)
    paths |= base["paths"]
    names = [each.model for each in standings]
    for path in paths.values():
        for operation in path.values():
            operation.setdefault("responses", {})["default"] = _response("Refused, and why", "Problem")
            for parameter in operation.get("parameters", ()):
                if parameter["name"] == "model":
                    parameter["schema"] = {"type": "string", "enum": names}
    return {
        **base,
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer", "description": "An API key"}},
        },
        "security": [{}, {"key": []}],
    }


def _paths(each: Standing, example: Row, serving: Serving, *, only: bool) -> dict[str, Any]:
    """How one model can be asked."""
    contract = each.contract
    assert contract is not None
    row = {"$ref": f"#/components/schemas/{each.model}.Row"}
    rows = {"type": "array", "items": row, "minItems": 1, "maxItems": serving.max_rows}
    body = {
        "type": "object",
        "properties": {"rows": rows},
        "required": ["rows"],
        "additionalProperties": False,
    }
    content = {
        FORM: {"schema": form_schema(contract, each.keys, example, serving)},
        "application/json": {"schema": body, "example": {"rows": [example]}},
    }
    title = f"{each.model}, version {each.version}"
    split = {"dataframe_split": {"columns": list(example), "data": [list(example.values())]}}
    invocations = {
        "application/json": {"schema": {"$ref": "#/components/schemas/Invocation"}, "example": split},
        "text/csv": {"schema": {"type": "string"}, "example": _csv(example)},
    }
    tensors = {
        "inputs": [
            {"name": name, "shape": [1], "datatype": _datatype(contract, name), "data": [value]}
            for name, value in example.items()
        ]
    }
    infer = {
        "application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}, "example": tensors}
    }
    paths = {
        f"/predict/{each.model}": _post(title, _said(contract), content, "Answer", _QUERY),
        f"/endpoints/{each.model}/invocations": _post(
            title, "As MLflow's clients ask.", invocations, "Invoked", _QUERY
        ),
        f"/v2/models/{each.model}/infer": _post(
            title,
            "As clients of the Open Inference Protocol ask: one tensor a column.",
            infer,
            "Inferred",
            _STICKY,
        ),
    }
    if only:
        paths["/invocations"] = paths[f"/endpoints/{each.model}/invocations"]
    return {
        path: {"post": {**said, "operationId": path.strip("/").replace("/", "_")}}
        for path, said in paths.items()
    }


def _said(contract: Contract) -> str:
    rules = "".join(
        f"\n- {rule.name}: `{rule.expect.text}`" for rule in contract.rules if rule.severity != "warn"
    )
    across = f"\n\nWhat must hold across columns:\n{rules}" if rules else ""
    return f"Rows as objects, or one row as a form. {contract.description}{across}".strip()


def _post(title: str, said: str, content: Any, answer: str, parameters: Any) -> dict[str, Any]:
    return {
        "tags": ["predictions"],
        "summary": title,
        "description": said,
        "parameters": parameters,
        "requestBody": {"required": True, "content": content},
        "responses": {"200": _response("What the model says", answer)},
    }


def _csv(example: Row) -> str:
    def cell(value: Any) -> str:
        text = "" if value is None else str(value)
        return '"' + text.replace('"', '""') + '"' if re.search(r'[",\r\n]', text) else text

    return f"{','.join(map(cell, example))}\n{','.join(map(cell, example.values()))}\n"


def _datatype(contract: Contract, name: str) -> str:
    kinds = {"int": "INT64", "float": "FP64", "bool": "BOOL"}
    return kinds.get(contract.column(name).type, "BYTES") if name in contract.features else "BYTES"


def _response(said: str, schema: str) -> dict[str, Any]:
    return {
        "description": said,
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
    }


_STICKY = [
    {
        "name": "X-Sticky", "in": "header", "required": False, "schema": {"type": "string", "maxLength": 200},
        "description": "Who asks: the same one is answered by the same side of a canary.",
    }
]  # fmt: skip
_QUERY = [
    {
        "name": "version", "in": "query", "required": False, "schema": {"type": "integer", "minimum": 1},
        "description": "The only version that may answer.",
    },
    *_STICKY,
]  # fmt: skip
