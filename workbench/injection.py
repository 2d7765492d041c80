"""A step's notebook with its parameters in it, as papermill would write it.

For Python this is done here: importing papermill takes longer than a step of a second. What papermill knows of
other languages is left to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.late_imports import grammar_put_off

with grammar_put_off():
    import nbformat
    from nbformat.v4 import new_code_cell

INJECTED = "injected-parameters"


def parameterized(file: Path, parameters: Mapping[str, Any], kernel: str) -> Any:
    """The notebook with a cell that sets `parameters`, after the cell tagged `parameters` or before all others.

    A cell that an earlier injection left is replaced. Without parameters there is no new cell.
    Raises OSError, and what nbformat raises for a file that is no notebook.
    """
    notebook = nbformat.v4.upgrade(nbformat.read(file, as_version=4))
    if not _is_python(notebook, kernel):
        return _by_papermill(file, parameters, kernel)
    known = ("default_parameters", "parameters", "environment_variables")
    about = nbformat.from_dict({**{name: {} for name in known}, **notebook.metadata.get("papermill", {})})
    notebook.metadata["papermill"] = about
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    if parameters:
        about["parameters"] = nbformat.from_dict(dict(parameters))
        notebook.cells = _injected(notebook.cells, python_code(parameters))
    return notebook


def python_code(parameters: Mapping[str, Any]) -> str:
    """Assignments of plain values: what JSON has, and floats that are no numbers."""
    lines = [f"{name} = {_literal(value)}" for name, value in parameters.items()]
    return "\n".join(["# Parameters", *lines]) + "\n"


def _literal(value: Any) -> str:
    if value is None or isinstance(value, bool | int):
        return repr(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else f'float("{value}")'
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_literal(each) for each in value) + "]"
    return repr(str(value))


def _injected(cells: list[Any], code: str) -> list[Any]:
    fresh = new_code_cell(source=code, metadata={"tags": [INJECTED]})
    for tag, kept in ((INJECTED, 0), ("parameters", 1)):
        for position, cell in enumerate(cells):
            if tag in cell.metadata.tags:
                return [*cells[: position + kept], fresh, *cells[position + 1 :]]
    return [fresh, *cells]


def _is_python(notebook: Any, kernel: str) -> bool:
    if kernel in ("python3", "workbench"):
        return True
    metadata = notebook.metadata
    stated = metadata.get("kernelspec", {}).get("language") or metadata.get("language_info", {}).get("name")
    return bool(stated == "python")


def _by_papermill(file: Path, parameters: Mapping[str, Any], kernel: str) -> Any:
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook

    notebook = load_notebook_node(str(file))
    return parameterize_notebook(notebook, dict(parameters), kernel_name=kernel) if parameters else notebook
