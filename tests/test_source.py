"""What is known of Python source without running it, and that it is remembered."""

from __future__ import annotations

import ast
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.source import CodeMemory, code_digest, imported_modules, parse_cell


def imports(source: str, package: str = "") -> set[str]:
    return set(imported_modules(ast.parse(source), package))


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("import a, b.c as d", {"a", "b.c"}),
        ("from a import b, c", {"a", "a.b", "a.c"}),
        ("from a import *", {"a"}),
        ("def f():\n    import a\n    class C:\n        import b", {"a", "b"}),
        ("try:\n    import a\nexcept ImportError:\n    import b", {"a", "b"}),
        ("with x:\n    match y:\n        case 1:\n            import a", {"a"}),
        ("if TYPE_CHECKING:\n    import a\nelse:\n    import b", {"b"}),
        ("import typing\nif typing.TYPE_CHECKING:\n    import a", {"typing"}),
        ("from . import a", set()),
    ],
)
def test_imports_are_found_at_any_depth(source: str, found: set[str]) -> None:
    assert imports(source) == found


@pytest.mark.parametrize(
    ("source", "package", "found"),
    [
        ("from . import a", "p", {"p", "p.a"}),
        ("from .a import b", "p.q", {"p.q.a", "p.q.a.b"}),
        ("from ..a import b", "p.q", {"p.a", "p.a.b"}),
        ("from ... import a", "p.q", set()),
    ],
)
def test_relative_imports_are_resolved_in_their_package(source: str, package: str, found: set[str]) -> None:
    assert imports(source, package) == found


SPACES = st.sampled_from(["", " ", "  "])


@given(SPACES, SPACES, st.text(st.characters(exclude_categories=["C"]), max_size=10), st.integers(0, 3))
def test_formatting_and_comments_do_not_count(left: str, right: str, comment: str, lines: int) -> None:
    plain = "x = 1\ny = f(x, 2)"
    written = (
        "\n" * lines
        + f"x{left}={right}1  # {comment}\n"
        + "\n" * lines
        + f"y = f({left}x,{right}2{left})\n# {comment}"
    )
    assert CodeMemory().cell(written).digest == CodeMemory().cell(plain).digest


@pytest.mark.parametrize("other", ["x = 2", "x = 1.0", "y = 1", "x = '1'", "x = 1\nx", ""])
def test_other_code_has_another_digest(other: str) -> None:
    assert CodeMemory().cell(other).digest != CodeMemory().cell("x = 1").digest


@pytest.mark.parametrize("source", ["", "\n\n", "# only a comment", "  "])
def test_no_code_has_no_digest(source: str) -> None:
    assert CodeMemory().cell(source).digest == ""


@pytest.mark.parametrize(
    "source",
    [
        "%matplotlib inline\nimport a",
        "!ls -l\nimport a",
        "f?\nimport a",
        "files = !ls\nimport a",
        "%time import a\nimport a",
    ],
)
def test_magics_are_read_as_ipython_does(source: str) -> None:
    assert CodeMemory().cell(source).imports[-1] == "a"


def test_a_cell_magic_counts_with_its_body() -> None:
    memory = CodeMemory()
    assert memory.cell("%%bash\necho 1").digest != memory.cell("%%bash\necho 2").digest


def test_await_outside_of_functions_is_code() -> None:
    assert isinstance(parse_cell("await f()").body[0], ast.Expr)


def test_strange_strings_do_not_warn() -> None:
    assert CodeMemory().cell(r"x = '\d'").digest


@pytest.mark.parametrize(
    "source", ["def f(:", "x = " + "(" * 150 + "1", "x = '\ud800'", "1" + " + 1" * 20_000]
)
def test_what_is_no_python_is_an_error(source: str) -> None:
    with pytest.raises((SyntaxError, ValueError)):
        CodeMemory().cell(source)


def test_code_too_deep_for_a_digest_is_an_error() -> None:
    tree: ast.expr = ast.Constant(1)
    for _ in range(5000):
        tree = ast.UnaryOp(ast.USub(), tree)
    with pytest.raises(ValueError, match="nested too deep"):
        code_digest(tree)


def test_the_bytes_of_a_broken_module_stand_for_it() -> None:
    memory = CodeMemory()
    assert memory.module(b"def f(:", "").digest != memory.module(b"def g(:", "").digest
    assert memory.module(b"def f(:", "").imports == ()


def test_what_was_parsed_is_remembered(tmp_path: Path) -> None:
    file = tmp_path / "store" / "cells.json"
    first = CodeMemory(file)
    code = first.cell("import a")
    first.save()
    kept = json.loads(file.read_text())
    (key,) = kept["known"]
    kept["known"][key] = ["told", ["by the memory"]]
    file.write_text(json.dumps(kept))
    assert CodeMemory(file).cell("import a").digest == "told"
    assert code.imports == ("a",)


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"format": "old", "known": {}}', '{"known": 3}'])
def test_a_memory_that_is_damaged_or_old_is_not_believed(tmp_path: Path, content: str) -> None:
    file = tmp_path / "cells.json"
    file.write_text(content)
    assert CodeMemory(file).cell("import a") == CodeMemory().cell("import a")


def test_a_memory_with_damaged_entries_is_not_believed(tmp_path: Path) -> None:
    file = tmp_path / "cells.json"
    memory = CodeMemory(file)
    memory.cell("import a")
    memory.save()
    kept = json.loads(file.read_text())
    file.write_text(json.dumps({**kept, "known": dict.fromkeys(kept["known"], 5)}))
    assert CodeMemory(file).cell("import a").imports == ("a",)


def test_a_memory_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    memory = CodeMemory(tmp_path / "file" / "cells.json")
    memory.cell("x = 1")
    memory.save()
    CodeMemory().save()
