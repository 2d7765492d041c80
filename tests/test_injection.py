"""Parameters in a notebook: as papermill would put them there, without papermill."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from papermill.iorw import load_notebook_node
from papermill.parameterize import parameterize_notebook

from workbench.injection import parameterized, python_code

VALUES: dict[str, Any] = {
    "number": 3,
    "rate": 0.1,
    "tiny": 1e-300,
    "yes": True,
    "nothing": None,
    "text": 'it\'s\n"quoted" \\ ü → {x} %s',
    "many": [1, 2.5, "a", None, [True]],
    "paths": {"train[kind=a b]": "/store/x.parquet", "deep": {"k": [1]}},
}


def written(folder: Path, *cells: Any, **metadata: Any) -> Path:
    file = folder / "notebook.ipynb"
    nbformat.write(new_notebook(cells=list(cells), metadata=metadata), file)
    return file


def cell(source: str, *tags: str) -> Any:
    return new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def test_the_code_sets_each_value() -> None:
    names: dict[str, Any] = {}
    exec(python_code(VALUES), names)
    assert {name: names[name] for name in VALUES} == VALUES


def test_floats_that_are_no_numbers() -> None:
    names: dict[str, Any] = {}
    exec(python_code({"a": math.nan, "b": [math.inf, -math.inf]}), names)
    assert math.isnan(names["a"])
    assert names["b"] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    "cells",
    [
        (new_markdown_cell("# Title"), cell("x = 1", "parameters"), cell("print(x)")),
        (cell("x = 1", "parameters"), cell("x = 2", "injected-parameters"), cell("print(x)")),
        (new_markdown_cell("# Title"), cell("print(x)")),
        (),
    ],
    ids=["after the parameters", "instead of an earlier injection", "first of all", "in an empty notebook"],
)
def test_the_cell_goes_where_papermill_puts_it(tmp_path: Path, cells: tuple[Any, ...]) -> None:
    file = written(tmp_path, *cells)
    ours = parameterized(file, VALUES, "python3")
    theirs = parameterize_notebook(
        load_notebook_node(str(file)), dict(VALUES), kernel_name="python3", language="python"
    )

    def shape(notebook: Any) -> list[Any]:
        injected = "injected-parameters"
        return [
            (
                each.cell_type,
                each.metadata.get("tags", []),
                injected in each.metadata.get("tags", []) or each.source,
            )
            for each in notebook.cells
        ]

    assert shape(ours) == shape(theirs)
    assert ours.metadata.papermill.parameters == theirs.metadata.papermill.parameters
    nbformat.validate(ours)


def test_without_parameters_there_is_no_new_cell(tmp_path: Path) -> None:
    notebook = parameterized(written(tmp_path, cell("print(1)")), {}, "python3")
    assert [each.source for each in notebook.cells] == ["print(1)"]
    assert notebook.metadata.papermill.parameters == {}


def test_other_languages_are_left_to_papermill(tmp_path: Path) -> None:
    spec = {"name": "ir", "display_name": "R", "language": "R"}
    notebook = parameterized(
        written(tmp_path, cell("x"), kernelspec=spec), {"flag": True, "many": [1, 2]}, "ir"
    )
    assert notebook.cells[0].source == "# Parameters\nflag = TRUE\nmany = list(1, 2)\n"
