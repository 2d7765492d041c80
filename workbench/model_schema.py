"""What a skops schema may say: every node's loader and type against lists of our own, before anything is built.

skops audits files too, and `load_model` has it do so. This check does not depend on it: it imports nothing that a
file names, follows no reference, and refuses the kinds of node that call something when they are built (functions,
methods, operators, partials), whatever type they claim to have.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from workbench.errors import ModelError

TRUSTED_TYPES = (
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""What a model may contain beyond what skops trusts by itself. Written down here and never taken from a file: MLflow
stores a list in the model's own MLmodel, which therefore protects from nothing."""

DEEPEST = 120
"""Nesting of a schema: a scikit-learn Pipeline in a Pipeline has some 30."""

LOADERS = frozenset({
    "BytearrayNode", "BytesNode", "DTypeNode", "DefaultDictNode", "DictNode", "FunctionNode", "JsonNode",
    "ListNode", "LossNode", "MaskedArrayNode", "NdArrayNode", "ObjectNode", "RandomGeneratorNode",
    "RandomStateNode", "SetNode", "SliceNode", "SparseMatrixNode", "TreeNode", "TupleNode", "TypeNode",
})  # fmt: skip
"""Kinds of node that build data. The others build calls, and no model that we save has one."""

_BUILTINS = frozenset({
    "NoneType", "bool", "bytearray", "bytes", "complex", "dict", "float", "frozenset", "int", "list", "set",
    "slice", "str", "tuple",
})  # fmt: skip
_NUMPY = re.compile(
    r"numpy\.(ndarray|dtype|bool_?|str_|bytes_|object_|void|u?int(c|p|\d+)|(long)?(double|long)|float\d+|complex\d+"
    r"|datetime64|timedelta64|ma\.MaskedArray|ma\.core\.MaskedArray"
    r"|random(\._generator|\.mtrand|\.bit_generator)?\.(Generator|RandomState|SeedSequence))"
)
_UFUNCS = frozenset(
    f"numpy.{name}"
    for name in (
        "abs", "absolute", "arcsinh", "cbrt", "cos", "deg2rad", "exp", "expm1", "log", "log10", "log1p", "log2",
        "negative", "rad2deg", "reciprocal", "sign", "sin", "sqrt", "square", "tan", "tanh",
    )
)  # fmt: skip
"""Functions without side effects that a FunctionTransformer may name."""

_SKLEARN = re.compile(r"sklearn(\.[A-Za-z_]\w*)+")
_SPARSE = re.compile(r"scipy\.sparse(\._\w+)?\.(csr|csc|coo|dia|bsr|lil|dok)_(matrix|array)")
_ONLY = {
    "LossNode": re.compile(r"sklearn\.(_loss\._loss|linear_model\._sgd_fast)\.\w+"),
    "TreeNode": re.compile(r"sklearn\.tree\._tree\.Tree"),
    "TypeNode": re.compile(r"(?!sklearn\.).*"),
}
"""Kinds of node that stand for certain types only: a loss and a tree are constructed from arguments."""

_RAW = re.compile(r"sklearn\.(tree\._tree\.\w+|.*\.predictor\.TreePredictor|neighbors\._\w+_tree\.\w+)")
"""Types whose arrays are indexes that compiled code follows without looking: each must be trusted by name."""

_OPENS = re.compile(r"\bsklearn\.(datasets|externals|utils\._testing|conftest)\b")
"""Parts of scikit-learn that read files, reach the network or start processes; no estimator lives there."""

_UNTRUSTED = "not in workbench.model_schema.TRUSTED_TYPES"
_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")


@dataclass(frozen=True)
class Schema:
    """A schema that passed: which members of the archive it uses."""

    files: frozenset[str]


def inspect_schema(data: bytes, members: Collection[str], trusted: Collection[str], what: str) -> Schema:
    """Check a `schema.json`. `trusted` are types beyond scikit-learn's, NumPy's and Python's plain ones.

    Raises ModelError that names `what`, the place in the schema and the reason.
    """
    try:
        root = json.loads(data.decode("utf-8"), parse_constant=_no_constant, object_pairs_hook=_no_double)
    except RecursionError:
        raise ModelError(f"{what} is refused: its schema is nested too deep") from None
    except ValueError as error:  # also UnicodeDecodeError and JSONDecodeError
        raise ModelError(f"{what} is refused: its schema is not plain JSON ({error})") from None
    if not isinstance(root, dict):
        raise ModelError(f"{what} is refused: its schema is a {type(root).__name__}, not an object")
    if type(root.get("protocol")) is not int:
        raise ModelError(f"{what} is refused: its schema has no protocol number ({root.get('protocol')!r})")
    used: set[str] = set()
    for node, depth in _objects(root, what):
        if "__loader__" in node or "__class__" in node or "__module__" in node:
            if problem := _problem(node, members, trusted):
                raise ModelError(f"{what} is refused: {problem} ({depth} levels down in its schema)")
            if "file" in node:
                used.add(node["file"])
    if "__loader__" not in root:
        raise ModelError(f"{what} is refused: its schema describes no object")
    return Schema(frozenset(used))


def _objects(root: dict[str, Any], what: str) -> Iterator[tuple[dict[str, Any], int]]:
    """Every JSON object with its depth. Raises ModelError when they are nested too deep."""
    left: list[tuple[Any, int]] = [(root, 0)]
    while left:
        value, depth = left.pop()
        if depth > DEEPEST:
            raise ModelError(f"{what} is refused: its schema is nested more than {DEEPEST} levels deep")
        if isinstance(value, dict):
            yield value, depth
            left += [(child, depth + 1) for child in value.values()]
        elif isinstance(value, list):
            left += [(child, depth + 1) for child in value]


def _problem(node: dict[str, Any], members: Collection[str], trusted: Collection[str]) -> str | None:
    """What is wrong with one node by itself, or None."""
    loader, module, name = node.get("__loader__"), node.get("__module__"), node.get("__class__")
    if not (isinstance(loader, str) and isinstance(module, str) and isinstance(name, str)):
        return f"a node has no loader, module and class as text: {loader!r}, {module!r}, {name!r}"
    full = f"{module}.{name}"
    if not (_NAME.fullmatch(module) and _NAME.fullmatch(name)):
        return f"'{full[:120]}' is not a type's name"
    if loader not in LOADERS:
        return f"it contains '{full}' as a {loader}, which calls something when it is loaded"
    if loader == "FunctionNode":
        if full not in _UFUNCS and full not in trusted:
            return f"it contains the function '{full}', {_UNTRUSTED}"
    elif not _plain(full) and full not in trusted:
        return f"it contains '{full}', {_UNTRUSTED}"
    elif loader in _ONLY and not _ONLY[loader].fullmatch(full):
        return f"it contains '{full}' as a {loader}, which it is not"
    if "__id__" in node and type(node["__id__"]) not in (int, type(None)):
        return f"'{full}' has the id {node['__id__']!r}, which is not a whole number"
    if loader == "JsonNode":
        return _json_problem(node.get("content"))
    if "file" in node and (not isinstance(node["file"], str) or node["file"] not in members):
        return f"'{full}' is in the file '{str(node['file'])[:120]}', which the archive does not hold"
    return None


def _plain(full: str) -> bool:
    """Whether it is a type of Python's, NumPy's or scikit-learn's that holds data."""
    module, _, name = full.rpartition(".")
    if module == "builtins":
        return name in _BUILTINS
    if full in ("collections.OrderedDict", "collections.defaultdict"):
        return True
    if _SKLEARN.fullmatch(full):
        return not (_OPENS.search(full) or _RAW.fullmatch(full))
    return bool(_NUMPY.fullmatch(full) or _SPARSE.fullmatch(full))


def _json_problem(content: object) -> str | None:
    """A JsonNode holds JSON in a string, which skops parses again."""
    if not isinstance(content, str):
        return f"a JSON value is {type(content).__name__}, not text"
    try:
        json.loads(content)
    except RecursionError:
        return "a JSON value is nested too deep"
    except ValueError as error:
        return f"a JSON value cannot be read ({error})"
    return None


def _no_constant(name: str) -> Any:
    raise ValueError(f"it holds {name}")


def _no_double(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Two parsers may choose differently among two values of one key, so there may be only one."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is there twice")
    return found
