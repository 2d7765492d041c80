"""Work that libraries do when they are imported and that we do not need, put off until somebody does.

Importing nbformat imports jsonschema, which imports rfc3987_syntax where that is installed (JupyterLab brings
it): it compiles a grammar of IRIs, in four times the time of all the rest, for two formats that notebooks do
not have.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import ModuleType

GRAMMAR = "rfc3987_syntax"


@contextmanager
def grammar_put_off() -> Iterator[None]:
    """While nbformat is imported for the first time. Checks of IRIs work as ever; the first one is slow."""
    if GRAMMAR in sys.modules or "jsonschema" in sys.modules or find_spec(GRAMMAR) is None:
        yield
        return
    stand_in = ModuleType(GRAMMAR)
    stand_in.is_valid_syntax = _is_valid_syntax  # type: ignore[attr-defined]
    sys.modules[GRAMMAR] = stand_in
    try:
        yield
    finally:
        if sys.modules.get(GRAMMAR) is stand_in:
            del sys.modules[GRAMMAR]


@contextmanager
def left_out(name: str) -> Iterator[None]:
    """While something is imported that makes do without the module `name`: importing it fails.

    A module that is there already stays.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # as importlib spells it
    try:
        yield
    finally:
        del sys.modules[name]


def _is_valid_syntax(term: str, value: str) -> bool:
    """The real one, imported at its first use."""
    from rfc3987_syntax import is_valid_syntax  # type: ignore[import-untyped]

    return bool(is_valid_syntax(term, value))
