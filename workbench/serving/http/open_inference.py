"""The Open Inference Protocol, version 2: one tensor a column, as KServe, Triton and MLServer clients send them.

    {"inputs": [{"name": "temp", "shape": [1], "datatype": "FP64", "data": [39.0]}, …]}
    {"model_name": …, "model_version": "3", "outputs": [{"name": "probability", "datatype": "FP64", …}, …], …}

Tensors may follow the JSON as bytes (`binary`). NaN in a tensor of bytes is a missing value; in JSON it is null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from workbench.contracts.contract import Contract
from workbench.errors import did_you_mean
from workbench.serving.answers import Answer, Refused
from workbench.serving.http.binary import DATATYPES, tensor, texts_as_bytes
from workbench.serving.http.bodies import as_object, origin, parsed, prediction_ids
from workbench.serving.http.rows import InTensors, Rows, json_type, malformed, refuse_many_rows

EXTENSIONS = ("binary_tensor_data",)
OUTPUTS = {"probability": "FP64", "prediction_id": "BYTES"}
"""What can be asked for, and its type; each has the shape (rows,)."""

_OF_TYPE = {"int": "INT64", "float": "FP64", "bool": "BOOL"}


@dataclass(frozen=True)
class Wanted:
    """How a request wants its answer."""

    id: str = ""
    outputs: Mapping[str, bool] = field(default_factory=dict)
    """By name: whether as bytes."""


def read(body: bytes, header: bytes | None, max_rows: int) -> tuple[Rows, Wanted]:
    """The rows of a request, and how it wants the answer; `header` is Inference-Header-Content-Length. Raises Refused."""
    size = _header_size(header, len(body))
    request = as_object(
        parsed(body if size is None else body[:size]), ("id", "parameters", "inputs", "outputs"), ("inputs",)
    )
    wanted = _wanted(request)
    given = request["inputs"]
    if not isinstance(given, list) or not given:
        raise malformed("/inputs", "is not a list of tensors, with at least one")
    raw = memoryview(body)[len(body) if size is None else size :]
    columns: dict[str, Any] = {}
    rows = None
    for number, each in enumerate(given):
        at = f"/inputs/{number}"
        name, count, cells, raw = _input(each, at, raw, max_rows)
        if name in columns:
            raise malformed(f"{at}/name", f"stands twice: '{name[:80]}'")
        if rows not in (None, count):
            raise malformed(f"{at}/shape", f"has {count} rows where the first tensor has {rows}")
        rows, columns[name] = count, cells
    if len(raw):
        raise malformed("", f"ends with {len(raw)} bytes that belong to no tensor")
    return Rows(columns, rows or 0, InTensors(tuple(columns))), wanted


def _header_size(header: bytes | None, total: int) -> int | None:
    if header is None:
        return None
    if not header.isdigit() or len(header) > 12 or int(header) > total:
        raise Refused(
            400,
            "malformed",
            f"Inference-Header-Content-Length is not a number of bytes up to {total}, the body's",
        )
    return int(header)


def _input(each: Any, at: str, raw: memoryview, max_rows: int) -> tuple[str, int, Any, memoryview]:
    """One tensor: its name, how many rows it has, its values, and the bytes that are left for the others."""
    if not isinstance(each, dict):
        raise malformed(at, f"is {json_type(each)}; expected a tensor")
    name, datatype, count = each.get("name"), each.get("datatype"), _count(each.get("shape"), at)
    if not isinstance(name, str):
        raise malformed(f"{at}/name", "is not a text")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        hint = did_you_mean(datatype, DATATYPES) if isinstance(datatype, str) and len(datatype) < 20 else ""
        raise malformed(f"{at}/datatype", f"is not a type of tensor that is read here{hint}")
    refuse_many_rows(count, max_rows, f"{at}/shape")
    parameters = each.get("parameters") or {}
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is not None:
        if type(size) is not int or not 0 <= size <= len(raw):
            raise malformed(
                f"{at}/parameters/binary_data_size",
                f"is not a number of bytes up to {len(raw)}, which are left",
            )
        return name, count, tensor(bytes(raw[:size]), datatype, count, at), raw[size:]
    data = each.get("data")
    if isinstance(data, list) and data and type(data[0]) is list and set(map(type, data)) == {list}:
        data = [cell for part in data for cell in part]
    if not isinstance(data, list) or len(data) != count:
        found = f"{len(data)} values" if isinstance(data, list) else json_type(data)
        raise malformed(f"{at}/data", f"is {found}; the shape says {count}")
    return name, count, data, raw


def _count(shape: Any, at: str) -> int:
    """Rows of a tensor that is one column."""
    if not isinstance(shape, list) or (shape and (set(map(type, shape)) != {int} or min(shape) < 0)):
        raise malformed(f"{at}/shape", "is not a list of sizes")
    if not shape or (len(shape) > 1 and set(shape[1:]) != {1}):
        raise malformed(
            f"{at}/shape", "is not that of one column: expected [rows] or [rows, 1], a tensor a column"
        )
    if not shape[0]:
        raise malformed(f"{at}/shape", "has no row; expected at least one")
    return int(shape[0])


def _wanted(request: Mapping[str, Any]) -> Wanted:
    named, parameters = request.get("id", ""), request.get("parameters") or {}
    if not isinstance(named, str) or len(named) > 200:
        raise malformed("/id", "is not a text of at most 200 characters")
    if not isinstance(parameters, dict):
        raise malformed("/parameters", f"is {json_type(parameters)}; expected an object")
    all_binary = parameters.get("binary_data_output") is True
    asked = request.get("outputs")
    if not asked:
        return Wanted(named, dict.fromkeys(OUTPUTS, all_binary))
    if not isinstance(asked, list):
        raise malformed("/outputs", f"is {json_type(asked)}; expected a list of outputs")
    outputs: dict[str, bool] = {}
    for number, each in enumerate(asked):
        name = each.get("name") if isinstance(each, dict) else None
        if not isinstance(name, str) or name not in OUTPUTS:
            hint = did_you_mean(name, OUTPUTS) if isinstance(name, str) and len(name) < 80 else ""
            raise malformed(f"/outputs/{number}", f"names no output of the model{hint}")
        own = each.get("parameters") or {}
        outputs[name] = own.get("binary_data", all_binary) is True if isinstance(own, dict) else all_binary
    return Wanted(named, outputs)


def written(answer: Answer, wanted: Wanted) -> tuple[bytes, int | None]:
    """The body of an answer and, where tensors follow as bytes, the size of the JSON before them."""
    outputs, behind = [], []
    for name, as_bytes in wanted.outputs.items():
        output: dict[str, Any] = {
            "name": name,
            "datatype": OUTPUTS[name],
            "shape": [len(answer.probabilities)],
        }
        if as_bytes:
            raw = (
                answer.probabilities.astype("<f8").tobytes()
                if name == "probability"
                else texts_as_bytes(prediction_ids(answer))
            )
            behind.append(raw)
            output["parameters"] = {"binary_data_size": len(raw)}
        else:
            output["data"] = (
                answer.probabilities.tolist() if name == "probability" else prediction_ids(answer)
            )
        outputs.append(output)
    said = origin(answer)
    body = orjson.dumps({
        "model_name": said.pop("model"),
        "model_version": str(said.pop("version")),
        **({"id": wanted.id} if wanted.id else {}),
        "parameters": {**said, "warnings": "; ".join(answer.warnings)},
        "outputs": outputs,
    })  # fmt: skip
    return (b"".join([body, *behind]), len(body)) if behind else (body, None)


def metadata(model: str, versions: Sequence[int], contract: Contract | None) -> dict[str, Any]:
    """What a model takes and gives. A whole number that may be missing is FP64: there, NaN says so."""
    columns = [] if contract is None else [contract.column(name) for name in contract.features]
    inputs = [
        {
            "name": each.name,
            "datatype": "FP64" if each.type == "int" and each.nullable else _OF_TYPE.get(each.type, "BYTES"),
            "shape": [-1],
        }
        for each in columns
    ]
    return {
        "name": model,
        "versions": [str(version) for version in versions],
        "platform": "workbench_sklearn",
        "inputs": inputs,
        "outputs": [{"name": name, "datatype": kind, "shape": [-1]} for name, kind in OUTPUTS.items()],
    }
