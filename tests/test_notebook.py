"""Reading a notebook without running it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import SpecError
from workbench.notebook import MISSING, Notebook, read_notebook

WriteNotebook = Callable[..., Path]
Read = Callable[..., Notebook]


@pytest.fixture
def read(write_notebook: WriteNotebook) -> Read:
    """Read a notebook with this parameters cell and these other cells."""

    def read(parameters: str | None, *cells: str) -> Notebook:
        return read_notebook(write_notebook("n.ipynb", *cells, parameters=parameters))

    return read


def write_document(folder: Path, document: Any) -> Path:
    file = folder / "n.ipynb"
    file.write_text(json.dumps(document))
    return file


def code(source: Any, *tags: str) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {"tags": list(tags)}, "source": source, "outputs": []}


def test_parameters_have_name_type_default_and_help(read: Read) -> None:
    month = read("month: int = 3  # which month").parameters["month"]
    assert (month.name, month.annotation, month.default, month.help) == ("month", "int", 3, "which month")


@pytest.mark.parametrize(
    ("line", "annotation", "default"),
    [
        ("x = 3", "int", 3),
        ("x = 'a'", "str", "a"),
        ("x = None", "Any", None),
        ("x = -1.5", "float", -1.5),
        ("x = [1, 2]", "list", [1, 2]),
        ("x = (1, 2)", "tuple", (1, 2)),
        ("x = {1, 2}", "Any", {1, 2}),
        ("x = b'a'", "Any", b"a"),
        ("x: float = 1", "float", 1),
        ("x: 'int | None' = None", "'int | None'", None),
        ("x: Literal['a', 'b'] = 'a'", "Literal['a', 'b']", "a"),
        ("x: dict[str, float] = {'a': 1}", "dict[str, float]", {"a": 1}),
    ],
)
def test_declarations(read: Read, line: str, annotation: str, default: Any) -> None:
    parameter = read(line).parameters["x"]
    assert (parameter.annotation, parameter.default) == (annotation, default)
    assert not parameter.required


def test_without_default_a_value_is_required(read: Read) -> None:
    assert read("x: int").parameters["x"].required


@pytest.mark.parametrize("expression", ["1 + f()", "datetime.now()", "[a]", "{[1]: 2}", "'a' if b else 'c'"])
def test_a_computed_default_is_kept_as_source(read: Read, expression: str) -> None:
    parameter = read(f"x = {expression}").parameters["x"]
    assert (parameter.default, parameter.computed, parameter.required) == (MISSING, expression, False)


def test_two_names_of_one_value_are_two_parameters(read: Read) -> None:
    assert list(read("a = b = 1").parameters) == ["a", "b"]


def test_the_last_declaration_counts(read: Read) -> None:
    assert read("x = 1\nx = 'two'").parameters["x"].default == "two"


def test_other_statements_declare_nothing(read: Read) -> None:
    notebook = read("import os\na.b = 1\nc[0] = 2\n(d, e) = 1, 2\nx += 1\nif True:\n    y = 1")
    assert not notebook.parameters


def test_help_stands_at_the_end_of_a_declaration(read: Read) -> None:
    parameters = read(
        "# about all\nx = [  # inside\n  1,\n]  # the numbers\ny = '#'\n# about nothing\nz = 1 #short"
    ).parameters
    assert {name: p.help for name, p in parameters.items()} == {"x": "the numbers", "y": "", "z": "short"}


def test_a_magic_beside_parameters(read: Read) -> None:
    notebook = read("%matplotlib inline\nx: int = 3  # help")
    assert notebook.parameters["x"].default == 3


def test_without_tagged_cell_there_are_no_parameters(read: Read) -> None:
    notebook = read(None, "x = 1")
    assert notebook.parameters_cell is None
    assert not notebook.parameters


def test_the_tagged_cell_may_stand_anywhere(project: Any, tmp_path: Path) -> None:
    cells = [
        code("import a"),
        {"cell_type": "markdown", "source": "m"},
        code(["x = 1\n", "y = 2"], "t", "parameters"),
    ]
    notebook = read_notebook(write_document(tmp_path, {"cells": cells, "metadata": {}, "nbformat": 4}))
    assert notebook.parameters_cell == 1
    assert list(notebook.parameters) == ["x", "y"]
    assert notebook.sources == ("import a", "x = 1\ny = 2")


def test_imports_of_all_cells(read: Read) -> None:
    assert read("x = 1", "import a.b", "%matplotlib inline\nfrom c import d").imports == {"a.b", "c", "c.d"}


def test_trees_are_there_for_who_wants_them(read: Read) -> None:
    assert [len(tree.body) for tree in read("x = 1", "a = 1\nb = 2").trees] == [1, 2]


@pytest.mark.parametrize(
    ("metadata", "kernel", "language"),
    [
        ({}, "python3", "python"),
        ({"kernelspec": {"name": "mine", "language": "Python"}}, "mine", "python"),
        ({"language_info": {"name": "R"}, "kernelspec": {"name": "ir"}}, "ir", "r"),
        ({"kernelspec": None, "language_info": 3}, "python3", "python"),
        ({"kernelspec": {"name": 3, "language": ["a"]}}, "3", "python"),
        ([], "python3", "python"),
    ],
)
def test_kernel_and_language(tmp_path: Path, metadata: Any, kernel: str, language: str) -> None:
    notebook = read_notebook(write_document(tmp_path, {"cells": [], "metadata": metadata}))
    assert (notebook.kernel, notebook.language) == (kernel, language)


def test_other_languages_declare_by_assignment(tmp_path: Path) -> None:
    source = "x <- 1L  # how many\nname = 'a # b'\n  inside <- 2\ny == 3\nf(z = 4)\nval w = 5;\nlist.of <- 3\nout <- NULL"
    metadata = {"kernelspec": {"name": "ir", "language": "R"}}
    notebook = read_notebook(
        write_document(
            tmp_path, {"cells": [code(source, "parameters"), code("y <- x[1")], "metadata": metadata}
        )
    )
    assert list(notebook.parameters) == ["x", "name", "w", "out"]
    assert notebook.parameters["x"].help == "how many"
    assert notebook.parameters["x"].computed == "1L"
    assert notebook.parameters["x"].parse("[1, 2]") == [1, 2]
    assert notebook.parameters["name"].computed == "'a # b'"
    assert (notebook.imports, notebook.code, notebook.trees) == (frozenset(), (), ())


def test_a_notebook_of_format_3(tmp_path: Path) -> None:
    cell = {
        "cell_type": "code",
        "input": "import a",
        "language": "python",
        "outputs": [],
        "metadata": {},
        "collapsed": False,
    }
    document = {
        "metadata": {"name": ""},
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": [cell]}],
    }
    assert read_notebook(write_document(tmp_path, document)).sources == ("import a",)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{\n "cells": [\n', "n.ipynb:3: not valid JSON"),
        (b"", "n.ipynb:1: not valid JSON"),
        (b"\x89PNG\xff", "is no notebook: not UTF-8 text"),
        (b"[]", "is JSON but not a notebook"),
        (b'{"cells": {}}', "is JSON but not a notebook"),
        (b'{"cells": [3]}', "is no notebook: cell 1 is not an object"),
        (b'{"worksheets": [3]}', "an old format that cannot be read"),
        (b"[" * 100_000, "nested too deep"),
    ],
)
def test_what_is_no_notebook_is_said(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "n.ipynb"
    file.write_bytes(content)
    with pytest.raises(SpecError) as caught:
        read_notebook(file)
    assert message in str(caught.value)


def test_neither_a_folder_nor_nothing_is_a_notebook(tmp_path: Path) -> None:
    (tmp_path / "x.ipynb").mkdir()
    with pytest.raises(SpecError, match="cannot be read: Is a directory"):
        read_notebook(tmp_path / "x.ipynb")
    with pytest.raises(SpecError, match="there is no such notebook"):
        read_notebook(tmp_path / "y.ipynb")


def test_every_broken_cell_is_named_with_its_line(read: Read) -> None:
    with pytest.raises(SpecError) as caught:
        read("x = 1", "ok = 1\ndef f(:", "fine = 1", "y = '")
    assert [str(problem).partition(": ")[2][:19] for problem in caught.value.problems] == [
        "code cell 2 line 2:",
        "code cell 4 line 1:",
    ]


def test_every_wrong_parameter_is_named(read: Read) -> None:
    with pytest.raises(SpecError) as caught:
        read("x: int = 'a'\ny: Path = 'b'\nz: 'a (' = 1\nw: float = True")
    messages = str(caught.value).splitlines()
    assert "x: the default 'a' is not int" in messages[0]
    assert "y: the annotation 'Path' is not understood" in messages[1]
    assert "(code cell 1, line 2)" in messages[1]
    assert "z: the annotation" in messages[2]
    assert "w: the default True is not float" in messages[3]


@pytest.mark.parametrize("source", [3, None, [1, 2]])
def test_strange_sources_are_read_as_text(tmp_path: Path, source: Any) -> None:
    document = {"cells": [{**code(source), "metadata": {"tags": "parameters"}}], "metadata": {}}
    assert read_notebook(write_document(tmp_path, document)).parameters_cell is None
