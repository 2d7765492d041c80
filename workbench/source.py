"""What is known of a piece of Python without running it: a digest of what it does, and what it imports.

Parsing is most of the work of reading a notebook, so what was found is remembered by the source's content.
"""

from __future__ import annotations

import ast
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from workbench.digests import digest_bytes, write_atomically

FORMAT = f"1, Python {sys.version_info.major}.{sys.version_info.minor}"
"""Changes whenever the same source would be described differently, so that nothing old is believed."""

LARGEST_MEMORY = 50_000
"""Sources. Above it, those that were not asked for are forgotten."""


@dataclass(frozen=True)
class Code:
    """What a source does, as far as it matters here."""

    digest: str
    """Of the code as parsed: comments, formatting and positions do not count. Empty where there is no code."""
    imports: tuple[str, ...]
    """Dotted names of modules, some of which may be names inside a module."""


class CodeMemory:
    """Describes sources, each parsed once, remembered in the JSON file `memory` if there is one."""

    def __init__(self, memory: Path | None = None) -> None:
        self._memory = memory
        self._known: dict[str, Code] = {}
        self._used: set[str] = set()
        self._changed = False
        self.met = 0
        """Sources that were described here for the first time."""
        if memory is None:
            return
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            kept = json.loads(memory.read_bytes())
            if kept["format"] == FORMAT:
                self._known = {
                    key: Code(digest, tuple(imports)) for key, (digest, imports) in kept["known"].items()
                }

    def cell(self, source: str) -> Code:
        """A notebook's cell. Raises SyntaxError or ValueError."""
        content = source.encode(errors="surrogatepass")
        return self._described(content, "", lambda: parse_cell(source))

    def module(self, source: bytes, package: str) -> Code:
        """A module in `package`. Where it cannot be parsed its bytes stand for it."""

        def parse() -> ast.Module | None:
            with suppress(SyntaxError, ValueError):
                return parse_code(source)
            return None

        return self._described(source, package, parse)

    def save(self) -> None:
        """Write the memory, if it changed and can be written."""
        if self._memory is None or not self._changed:
            return
        if len(self._known) > LARGEST_MEMORY:
            self._known = {key: self._known[key] for key in self._used}
        known = {key: (code.digest, code.imports) for key, code in self._known.items()}
        with suppress(OSError):
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._memory, json.dumps({"format": FORMAT, "known": known}))
            self._changed = False

    def _described(self, source: bytes, package: str, parse: Callable[[], ast.Module | None]) -> Code:
        content = digest_bytes(source)
        key = f"{package}:{content}"
        self._used.add(key)
        if key not in self._known:
            self._known[key] = _describe(parse(), package, content)
            self._changed = True
            self.met += 1
        return self._known[key]


def parse_cell(source: str) -> ast.Module:
    """A cell as parsed, magics transformed as IPython does. Raises SyntaxError or ValueError."""
    try:
        return parse_code(source)
    except (SyntaxError, ValueError):
        from IPython.core.inputtransformer2 import TransformerManager

        return parse_code(TransformerManager().transform_cell(source))


def parse_code(source: str | bytes) -> ast.Module:
    """Python source as parsed, silently. Raises SyntaxError or ValueError."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "\\d" in a string is the author's business, when the code runs
        try:
            return ast.parse(source)
        except (RecursionError, MemoryError):
            raise ValueError("this is nested too deep for Python") from None


def code_digest(tree: ast.AST) -> str:
    """A digest of what code does: comments, formatting and positions do not count. Raises ValueError."""
    try:
        return digest_bytes(ast.dump(tree).encode())
    except RecursionError:
        raise ValueError("this is nested too deep for Python") from None


def imported_modules(tree: ast.AST, package: str = "") -> Iterator[str]:
    """Every module named by an import statement in `tree`, at any depth, except for type checkers only.

    `from a import b` may import a module `a.b` or a name of `a`, so both are given. `package` resolves
    relative imports; without it they are left out.
    """
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.expr):
            continue
        if isinstance(node, ast.If) and _is_type_checking(node.test):
            waiting += node.orelse
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from _imported_from(node, package)
        else:
            waiting += ast.iter_child_nodes(node)


def _imported_from(node: ast.ImportFrom, package: str) -> Iterator[str]:
    base = node.module or ""
    if node.level:
        parents = package.split(".") if package else []
        if node.level > len(parents):
            return
        base = ".".join([*parents[: len(parents) - node.level + 1], *([base] if base else [])])
    yield base
    yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")


def _is_type_checking(test: ast.expr) -> bool:
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", None)
    return name == "TYPE_CHECKING"


def _describe(tree: ast.Module | None, package: str, content: str) -> Code:
    if tree is None:
        return Code(content, ())
    imports = tuple(sorted(set(imported_modules(tree, package))))
    return Code(code_digest(tree) if tree.body else "", imports)
