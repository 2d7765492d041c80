"""Read a notebook without running it: its parameters, its code as parsed, and what it imports.

Nothing here imports nbformat, IPython or pydantic unless a notebook needs it (an old format, a magic, a value
that is not already of the right type): reading is on the path of every command.
"""

from __future__ import annotations

import ast
import json
import re
import tokenize
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any

from workbench.errors import Problem, SpecError
from workbench.parameters import MISSING, TYPES, Parameter, annotated_type, type_name
from workbench.source import Code, CodeMemory, parse_cell

__all__ = ["MISSING", "Notebook", "Parameter", "assigned", "read_notebook"]

_ASSIGNMENT = re.compile(
    r"(?:(?:val|var|let|const)\s+)?(?P<name>[A-Za-z_]\w*)\s*(?:<-|=(?![=>]))\s*"
    r"""(?P<value>(?:"[^"]*"|'[^']*'|[^#"'])+?)\s*;?\s*(?:(?:\#|//)\s*(?P<help>.*))?"""
)
"""A parameter in a language that is not Python: `name <- value` or `name = value` at the start of a line."""


@dataclass(frozen=True)
class Notebook:
    """What the rest of the workbench needs to know of a notebook file."""

    path: Path
    language: str
    kernel: str
    sources: tuple[str, ...]
    """Of the code cells, in order."""
    parameters_cell: int | None
    """Position among the code cells of the cell tagged `parameters`."""
    parameters: Mapping[str, Parameter]
    code: tuple[Code, ...] = field(default=(), compare=False, repr=False)
    """Of each code cell; none for other languages than Python."""
    unseen: bool = field(default=False, compare=False, repr=False)
    """Whether the memory that it was read with met a cell of it for the first time: it is new, or was changed."""

    @cached_property
    def imports(self) -> frozenset[str]:
        """Dotted names of the modules that the code imports; empty for other languages than Python."""
        return frozenset(name for code in self.code for name in code.imports)

    @cached_property
    def trees(self) -> tuple[ast.Module, ...]:
        """The code cells as parsed, magics transformed as IPython does; none for other languages."""
        return tuple(map(parse_cell, self.sources)) if self.code else ()


def read_notebook(path: Path, memory: CodeMemory | None = None) -> Notebook:
    """Read the notebook at `path`. Raises SpecError when it is none, or its code or parameters are wrong.

    `memory` remembers its code, so that a cell seen before is not parsed again.
    """
    document = _load(path)
    metadata = _table(document.get("metadata"))
    kernelspec = _table(metadata.get("kernelspec"))
    language = kernelspec.get("language") or _table(metadata.get("language_info")).get("name")
    language = language.lower() if isinstance(language, str) else "python"
    sources: list[str] = []
    tagged: int | None = None
    for cell in document["cells"]:
        if cell.get("cell_type") != "code":
            continue
        tags = _table(cell.get("metadata")).get("tags")
        if tagged is None and isinstance(tags, list) and "parameters" in tags:
            tagged = len(sources)
        source = cell.get("source", "")
        sources.append("".join(map(str, source)) if isinstance(source, list) else str(source))
    code: tuple[Code, ...] = ()
    unseen = False
    parameters: Mapping[str, Parameter] = {}
    if language == "python":
        memory = memory or CodeMemory()
        met = memory.met
        code = _code(path, sources, memory)
        unseen = memory.met > met
        if tagged is not None:
            parameters = _parameters(path, tagged + 1, sources[tagged])
    elif tagged is not None:
        parameters = _foreign_parameters(sources[tagged])
    kernel = str(kernelspec.get("name") or "python3")
    return Notebook(path, language, kernel, tuple(sources), tagged, parameters, code, unseen)


def _load(path: Path) -> dict[str, Any]:
    """The notebook's JSON, brought to format 4. Raises SpecError."""
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text)
    except FileNotFoundError:
        raise SpecError([Problem("there is no such notebook", path)]) from None
    except OSError as error:
        raise SpecError([Problem(f"cannot be read: {error.strerror}", path)]) from error
    except UnicodeDecodeError as error:
        raise SpecError([Problem(f"is no notebook: not UTF-8 text (byte {error.start})", path)]) from error
    except json.JSONDecodeError as error:
        raise SpecError([Problem(f"not valid JSON: {error.msg}", path, error.lineno)]) from error
    except RecursionError:
        raise SpecError([Problem("is no notebook: its JSON is nested too deep", path)]) from None
    if isinstance(document, dict) and isinstance(document.get("worksheets"), list):
        document = _modern(path, document)
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise SpecError([Problem("is JSON but not a notebook: it has no list 'cells'", path)])
    if wrong := [number for number, cell in enumerate(document["cells"], 1) if not isinstance(cell, dict)]:
        raise SpecError([Problem(f"is no notebook: cell {wrong[0]} is not an object", path)])
    return document


def _modern(path: Path, document: dict[str, Any]) -> Any:
    """A notebook of format 3 as format 4."""
    from workbench.late_imports import grammar_put_off

    with grammar_put_off():
        import nbformat

    mistakes = (AttributeError, LookupError, TypeError, ValueError, nbformat.ValidationError)
    try:
        return nbformat.convert(nbformat.from_dict(document), 4)
    except mistakes as error:
        raise SpecError(
            [Problem(f"is a notebook of an old format that cannot be read: {error}", path)]
        ) from error


def _table(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _code(path: Path, sources: Sequence[str], memory: CodeMemory) -> tuple[Code, ...]:
    found: list[Code] = []
    problems: list[Problem] = []
    for number, source in enumerate(sources, 1):
        try:
            found.append(memory.cell(source))
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            where = f" line {line}" if line else ""
            message = getattr(error, "msg", None) or str(error)
            problems.append(Problem(f"code cell {number}{where}: {message}", path))
    if problems:
        raise SpecError(problems)
    return tuple(found)


def _parameters(path: Path, number: int, source: str) -> dict[str, Parameter]:
    comments = _trailing_comments(source)
    found: dict[str, Parameter] = {}
    problems: list[Problem] = []
    for statement in parse_cell(source).body:
        names, annotation, value = assigned(statement)
        default, computed = _default(value)
        comment = comments.get(statement.end_lineno or 0, "")
        for name in names:
            declared = ast.unparse(annotation) if annotation else type_name(default)
            try:
                kind = annotated_type(annotation) if annotation else TYPES[declared]
                found[name] = Parameter(name, declared, kind, default, computed, comment)
            except ValueError as error:
                where = f"code cell {number}, line {statement.lineno}"
                problems.append(Problem(f"{error} ({where})", path, key=name))
                continue
            try:
                if default is not MISSING:
                    found[name].coerce(default)
            except ValueError as error:
                problems.append(Problem(f"the default {error}", path, key=name))
    if problems:
        raise SpecError(problems)
    return found


def assigned(statement: ast.stmt) -> tuple[list[str], ast.expr | None, ast.expr | None]:
    """The plain names that a statement assigns, their annotation and the value. No names where it does not."""
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id], statement.annotation, statement.value
    if isinstance(statement, ast.Assign):
        names = [target.id for target in statement.targets if isinstance(target, ast.Name)]
        if len(names) == len(statement.targets):
            return names, None, statement.value
    return [], None, None


def _foreign_parameters(source: str) -> dict[str, Parameter]:
    """The names that a cell in another language assigns. Their values are that language's, so of any type."""
    found = filter(None, map(_ASSIGNMENT.fullmatch, source.splitlines()))
    return {
        match["name"]: Parameter(match["name"], "Any", Any, MISSING, match["value"], match["help"] or "")
        for match in found
    }


def _default(value: ast.expr | None) -> tuple[Any, str]:
    """The literal, or MISSING with the source of the expression."""
    if value is None:
        return MISSING, ""
    try:
        return ast.literal_eval(value), ""
    except (ValueError, TypeError, SyntaxError, RecursionError):
        return MISSING, ast.unparse(value)


def _trailing_comments(source: str) -> dict[int, str]:
    """Comment text by the line it ends."""
    comments: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(StringIO(source).readline):
            if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
                comments[token.start[0]] = token.string.lstrip("# ").strip()
    except (tokenize.TokenError, SyntaxError):  # a magic in the cell: help texts are a courtesy
        return comments
    return comments
