"""Parameters in a notebook, by papermill."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from workbench.injection import parameterized

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


@pytest.mark.parametrize("kernel", ["python3", "workbench"])
def test_the_cell_sets_each_value(tmp_path: Path, kernel: str) -> None:
    notebook = parameterized(written(tmp_path, cell("x = 1", "parameters"), cell("print(x)")), VALUES, kernel)
    names: dict[str, Any] = {}
    exec(notebook.cells[1].source, names)
    assert {name: names[name] for name in VALUES} == VALUES
    nbformat.validate(notebook)


def test_floats_that_are_no_numbers(tmp_path: Path) -> None:
    notebook = parameterized(written(tmp_path), {"a": math.nan, "b": [math.inf, -math.inf]}, "python3")
    names: dict[str, Any] = {}
    exec(notebook.cells[0].source, names)
    assert math.isnan(names["a"])
    assert names["b"] == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("cells", "place"),
    [
        ((new_markdown_cell("# Title"), cell("x = 1", "parameters"), cell("print(x)")), 2),
        ((cell("x = 1", "parameters"), cell("x = 2", "injected-parameters"), cell("print(x)")), 1),
        ((new_markdown_cell("# Title"), cell("print(x)")), 0),
        ((), 0),
    ],
    ids=["after the parameters", "instead of an earlier injection", "first of all", "in an empty notebook"],
)
def test_where_the_cell_goes(tmp_path: Path, cells: tuple[Any, ...], place: int) -> None:
    notebook = parameterized(written(tmp_path, *cells), {"x": 7}, "python3")
    tagged = [
        n for n, each in enumerate(notebook.cells) if "injected-parameters" in each.metadata.get("tags", [])
    ]
    assert tagged == [place]
    assert notebook.metadata.papermill.parameters == {"x": 7}


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
