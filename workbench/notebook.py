"""Read a notebook without running it: its parameters, its code as parsed, and what it imports.

Nothing here imports nbformat, IPython or pydantic unless a notebook needs it (an old format, a magic, a value
that is not already of the right type): reading is on the path of every command.
"""

from __future__ import annotations

import ast
import json
import tokenize
import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from io import StringIO
from pathlib import Path
from typing import Any, Literal, Optional, Union, get_args, get_origin

from workbench.errors import Problem, SpecError

_TYPES: dict[str, Any] = {
    "int": int, "float": float, "str": str, "bool": bool, "list": list, "dict": dict, "tuple": tuple,
    "None": None, "Any": Any, "object": Any, "Literal": Literal, "Optional": Optional, "Union": Union,
    "List": list, "Dict": dict,
}  # fmt: skip

MISSING: Any = type("Missing", (), {"__repr__": lambda _: "<no default>", "__bool__": lambda _: False})()
"""Stands for a default that is not there, or that only running the notebook would tell."""


@dataclass(frozen=True)
class Parameter:
    """One name that the parameters cell assigns."""

    name: str
    annotation: str
    """As written, or the type of the default where nothing is written; 'Any' where that says nothing."""
    type: Any = field(compare=False, repr=False)
    default: Any
    """The literal default, or MISSING when it is required or computed."""
    computed: str = ""
    """The default's source where it is an expression rather than a literal."""
    help: str = ""

    @property
    def required(self) -> bool:
        """Whether a value must be given: annotated without a default."""
        return self.default is MISSING and not self.computed

    def accepts(self, value: Any) -> bool:
        """Whether `value` is already of the declared type, without any conversion."""
        return _is(value, self.type)

    def coerce(self, value: Any) -> Any:
        """`value` as the declared type, strictly: an int is a float, '3' is not an int.

        Raises ValueError that says what was expected.
        """
        if self.type is float and type(value) is int:
            return float(value)
        if self.accepts(value):
            return value
        from pydantic import TypeAdapter, ValidationError

        try:
            return TypeAdapter(self.type).validate_python(value, strict=True)
        except ValidationError as error:
            first = error.errors()[0]
            where = "".join(
                f"[{part!r}]" for part in first["loc"] if not isinstance(part, str) or "[" not in part
            )
            inside = f" at {where}" if isinstance(value, list | dict) and where else ""
            raise ValueError(f"{value!r} is not {self.annotation}{inside} ({first['msg'].lower()})") from None

    def parse(self, text: str) -> Any:
        """A value typed on a command line: read as YAML where that gives the declared type, else as a string.

        Raises ValueError as `coerce` does.
        """
        from workbench.yamls import parse_value

        try:
            value = parse_value(text)
        except ValueError:
            value = text
        if self.accepts(value) or (self.type is float and type(value) is int):
            return self.coerce(value)
        if self.accepts(text):
            return text
        return self.coerce(value)


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

    @cached_property
    def trees(self) -> tuple[ast.Module, ...]:
        """The code cells as parsed, magics transformed as IPython does. Raises SpecError."""
        return tuple(_parse(self.path, number, source) for number, source in enumerate(self.sources, 1))

    @cached_property
    def imports(self) -> frozenset[str]:
        """Dotted names of the modules that the code imports; empty for other languages than Python."""
        if self.language != "python":
            return frozenset()
        return frozenset(name for tree in self.trees for name in imported_modules(tree))


def read_notebook(path: Path) -> Notebook:
    """Read the notebook at `path`. Raises SpecError when it is no notebook or its parameters are wrong."""
    document = _load(path)
    metadata = document.get("metadata") or {}
    kernelspec = metadata.get("kernelspec") or {}
    language = (
        kernelspec.get("language") or (metadata.get("language_info") or {}).get("name") or "python"
    ).lower()
    sources: list[str] = []
    tagged: int | None = None
    for cell in document["cells"]:
        if cell.get("cell_type") != "code":
            continue
        if tagged is None and "parameters" in ((cell.get("metadata") or {}).get("tags") or ()):
            tagged = len(sources)
        source = cell.get("source", "")
        sources.append(source if isinstance(source, str) else "".join(source))
    parameters: Mapping[str, Parameter] = {}
    if tagged is not None and language == "python":
        parameters = _parameters(path, tagged + 1, sources[tagged])
    return Notebook(
        path=path,
        language=language,
        kernel=kernelspec.get("name") or "python3",
        sources=tuple(sources),
        parameters_cell=tagged,
        parameters=parameters,
    )


def imported_modules(tree: ast.AST, package: str = "") -> Iterator[str]:
    """Every module named by an import statement in `tree`, at any depth.

    `from a import b` may import a module `a.b` or a name of `a`, so both are given. `package` resolves
    relative imports; without it they are left out.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parents = package.split(".") if package else []
                if not package or node.level > len(parents):
                    continue
                base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _load(path: Path) -> dict[str, Any]:
    """The notebook's JSON, brought to format 4. Raises SpecError."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise SpecError([Problem("there is no such notebook", path)]) from None
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError([Problem(f"cannot be read: {error}", path)]) from error
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise SpecError([Problem(f"not valid JSON: {error.msg}", path, error.lineno)]) from error
    if isinstance(document, dict) and isinstance(document.get("worksheets"), list):
        import nbformat

        document = nbformat.convert(nbformat.from_dict(document), 4)
    if not isinstance(document, dict) or not isinstance(document.get("cells"), list):
        raise SpecError([Problem("is JSON but not a notebook: it has no list 'cells'", path)])
    return document


def _parse(path: Path, number: int, source: str) -> ast.Module:
    """One code cell as Python. `number` counts code cells from 1, for the message."""
    try:
        return ast.parse(source)
    except (SyntaxError, ValueError):
        from IPython.core.inputtransformer2 import TransformerManager

        try:
            return ast.parse(TransformerManager().transform_cell(source))
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            where = f" line {line}" if line else ""
            message = getattr(error, "msg", None) or str(error)
            raise SpecError([Problem(f"code cell {number}{where}: {message}", path)]) from None


def _parameters(path: Path, number: int, source: str) -> dict[str, Parameter]:
    tree = _parse(path, number, source)
    comments = _trailing_comments(source)
    found: dict[str, Parameter] = {}
    problems: list[Problem] = []
    for statement in tree.body:
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            name, value = statement.target.id, statement.value
            annotation: ast.expr | None = statement.annotation
        elif isinstance(statement, ast.Assign) and all(isinstance(t, ast.Name) for t in statement.targets):
            name, value, annotation = statement.targets[0].id, statement.value, None  # type: ignore[attr-defined]
        else:
            continue
        default, computed = _default(value)
        declared = ast.unparse(annotation) if annotation else _type_name(default)
        try:
            kind = _annotation(annotation) if annotation else _TYPES[declared]
        except ValueError as error:
            problems.append(Problem(f"{error} (code cell {number}, line {statement.lineno})", path, key=name))
            continue
        parameter = Parameter(
            name, declared, kind, default, computed, comments.get(statement.end_lineno or 0, "")
        )
        if default is not MISSING:
            try:
                parameter.coerce(default)
            except ValueError as error:
                problems.append(Problem(f"the default {error}", path, key=name))
        found[name] = parameter
    if problems:
        raise SpecError(problems)
    return found


def _default(value: ast.expr | None) -> tuple[Any, str]:
    """The literal, or MISSING with the source of the expression."""
    if value is None:
        return MISSING, ""
    try:
        return ast.literal_eval(value), ""
    except ValueError:
        return MISSING, ast.unparse(value)


def _type_name(default: Any) -> str:
    """What a parameter without annotation may be: its default's type."""
    name = type(default).__name__
    return name if name in ("int", "float", "str", "bool", "list", "dict", "tuple") else "Any"


def _annotation(node: ast.expr) -> Any:
    """The type that an annotation spells, made of builtins and `typing` names only. Raises ValueError."""
    if isinstance(node, ast.Constant) and node.value is None:
        return None
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _annotation(ast.parse(node.value, mode="eval").body)
    if isinstance(node, ast.Attribute):
        return _annotation(ast.Name(id=node.attr))
    if isinstance(node, ast.Name) and node.id in _TYPES:
        return _TYPES[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        return Union[_annotation(node.left), _annotation(node.right)]  # noqa: UP007 - built at run time
    if isinstance(node, ast.Subscript):
        outer = _annotation(node.value)
        items = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if outer is Literal:
            return Literal[tuple(ast.literal_eval(item) for item in items)]
        inner = tuple(
            ... if isinstance(i, ast.Constant) and i.value is ... else _annotation(i) for i in items
        )
        return outer[inner if len(inner) > 1 else inner[0]]
    known = "int, float, str, bool, None, list, dict, X | None, Literal[...], list[X], dict[str, X]"
    raise ValueError(f"the annotation '{ast.unparse(node)}' is not understood; expected {known}")


def _trailing_comments(source: str) -> dict[int, str]:
    """Comment text by the line it ends."""
    comments: dict[int, str] = {}
    try:
        for token in tokenize.generate_tokens(StringIO(source).readline):
            if token.type == tokenize.COMMENT and token.line[: token.start[1]].strip():
                comments[token.start[0]] = token.string.lstrip("# ").strip()
    except (tokenize.TokenError, IndentationError):  # a magic in the cell: help texts are a courtesy
        return comments
    return comments


def _is(value: Any, kind: Any) -> bool:
    """Whether `value` is exactly of type `kind`, through containers and unions."""
    if kind is Any:
        return True
    if kind is None or kind is type(None):
        return value is None
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return any(type(value) is type(choice) and value == choice for choice in arguments)
    if origin in (Union, types.UnionType):
        return any(_is(value, option) for option in arguments)
    if origin is list:
        return type(value) is list and all(_is(item, arguments[0]) for item in value)
    if origin is dict:
        return type(value) is dict and all(
            _is(key, arguments[0]) and _is(item, arguments[1]) for key, item in value.items()
        )
    return isinstance(kind, type) and type(value) is kind
