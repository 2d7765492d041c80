"""Bodies of requests as JSON, and what every protocol says of an answer."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import orjson

from workbench.errors import did_you_mean
from workbench.serving.answers import Answer, Refused, Wrong


def parsed(body: bytes, *, nan_is_null: bool = False) -> Any:
    """A body as JSON. Raises Refused (400, `not-json`).

    `nan_is_null`: take the bare word NaN, which is no JSON but what Python's json writes, for null. Infinity stays wrong.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        if nan_is_null and b"NaN" in body:
            return _with_nan(body)
        raise Refused(400, "not-json", f"the body is not JSON: {error}") from None


def _with_nan(body: bytes) -> Any:
    try:
        # Written and read again, so that what is JSON is decided in one place.
        return orjson.loads(orjson.dumps(json.loads(body, parse_constant=_constant)))
    except (ValueError, TypeError, RecursionError) as error:  # those of orjson are ValueErrors and TypeErrors
        raise Refused(400, "not-json", f"the body is not JSON: {error}") from None


def _constant(word: str) -> None:
    if word != "NaN":
        raise ValueError(f"{word} is no value")


def as_object(value: Any, known: Iterable[str], required: Iterable[str] = ()) -> dict[str, Any]:
    """A body that is an object with these keys and no others. Raises Refused (422, `malformed`)."""
    if not isinstance(value, dict):
        raise Refused(422, "malformed", "the body is not an object", [Wrong("", "expected an object")])
    names = tuple(known)
    for key in value:
        if key not in names:
            hint = did_you_mean(key, names) if len(key) <= 80 else ""
            raise Refused(
                422,
                "malformed",
                f"unknown key '{key[:80]}'{hint}",
                [Wrong(f"/{key[:80]}", f"unknown key{hint}")],
            )
    for key in required:
        if key not in value:
            raise Refused(422, "malformed", f"'{key}' is missing", [Wrong(f"/{key}", "is missing")])
    return value


def prediction_ids(answer: Answer) -> list[str]:
    """Of each row: what its outcome is reported by."""
    return [f"{answer.request}-{row}" for row in range(len(answer.probabilities))]


def origin(answer: Answer) -> dict[str, Any]:
    """Who said it: under the same names in every protocol that has a place for them."""
    return {
        "request": answer.request,
        "model": answer.model,
        "version": answer.version,
        "digest": answer.digest,
        "kind": answer.kind,
        "label": answer.label,
        "warnings": list(answer.warnings),
    }
