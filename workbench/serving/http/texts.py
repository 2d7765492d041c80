"""Values that came as text, because CSV and forms know nothing else, as JSON would have them."""

from __future__ import annotations

from typing import Any

import orjson

from workbench.scoring.tables import MISSING

_MISSING = frozenset(MISSING)
_TRUTHS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def value_of(text: str, kind: str | None) -> Any:
    """By the type of its column, and with the same texts for a missing value as batch scoring of CSV.

    What is not of that type stays text, which typing then refuses.
    """
    if text in _MISSING:
        return None
    if kind in ("int", "float"):
        return _number(text)
    return _TRUTHS.get(text, text) if kind == "bool" else text


def _number(text: str) -> Any:
    try:
        value = orjson.loads(text.strip())
    except orjson.JSONDecodeError:
        return text
    return value if type(value) in (int, float) else text
