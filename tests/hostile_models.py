"""A corpus of model folders that must not be loaded: each is made where it is used, with a payload that would leave
a file behind if anything in it ran."""

from __future__ import annotations

import gzip
import io
import json
import os
import pickle
import struct
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Zip = zipfile.ZipFile
Schema = dict[str, Any]


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self.trace),))


@dataclass(frozen=True)
class Hostile:
    """`make` spoils a good model's folder; `trace` is what would appear if anything were executed."""

    name: str
    reason: str
    make: Callable[[Path, Path], None]


def pickled(trace: Path, protocol: int = 4) -> bytes:
    return pickle.dumps(Payload(trace), protocol)


def node(module: str, name: str, loader: str, **more: Any) -> Schema:
    return {"__module__": module, "__class__": name, "__loader__": loader, **more}


def text(value: str) -> Schema:
    return node("builtins", "str", "JsonNode", content=json.dumps(value))


def several(*items: Schema) -> Schema:
    return node("builtins", "tuple", "TupleNode", content=list(items))


def read(folder: Path) -> tuple[Schema, dict[str, bytes]]:
    with Zip(folder / "model.skops") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return json.loads(members.pop("schema.json")), members


def write(folder: Path, schema: Any, members: dict[str, bytes]) -> None:
    with Zip(folder / "model.skops", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", schema if isinstance(schema, str | bytes) else json.dumps(schema))
        for name, data in members.items():
            archive.writestr(name, data)


def smuggled(made: Callable[[Path], Schema]) -> Callable[[Path, Path], None]:
    """A node deep in the schema of an otherwise good model, as one more attribute of its classifier."""

    def make(folder: Path, trace: Path) -> None:
        schema, members = read(folder)
        steps = schema["content"]["content"]["steps"]["content"]
        classifier = steps[-1]["content"][1]
        classifier["content"]["content"]["note_"] = several(several(made(trace)))
        write(folder, schema, members)

    return make


def changed(change: Callable[[Schema, dict[str, bytes]], Any]) -> Callable[[Path, Path], None]:
    """The schema or the members changed; `change` may return another schema."""

    def make(folder: Path, trace: Path) -> None:
        schema, members = read(folder)
        other = change(schema, members)
        write(folder, schema if other is None else other, members)

    return make


def beside(name: str, content: Callable[[Path], bytes]) -> Callable[[Path, Path], None]:
    def make(folder: Path, trace: Path) -> None:
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(content(trace))

    return make


def described(**flavors: Any) -> Callable[[Path, Path], None]:
    """MLmodel with other flavors, each replacing or adding keys."""

    def make(folder: Path, trace: Path) -> None:
        import yaml

        spec = yaml.safe_load((folder / "MLmodel").read_text())
        for flavor, keys in flavors.items():
            spec["flavors"].setdefault(flavor, {}).update(keys)
        (folder / "MLmodel").write_text(yaml.safe_dump(spec))

    return make


def patched(change: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    """The archive's bytes changed."""

    def make(folder: Path, trace: Path) -> None:
        file = folder / "model.skops"
        file.write_bytes(change(file.read_bytes()))

    return make


def an_array(schema: Schema, members: dict[str, bytes]) -> str:
    """The name of a member with an array."""
    return sorted(name for name in members if name.endswith(".npy"))[0]


def replaced_array(data: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    def change(schema: Schema, members: dict[str, bytes]) -> None:
        name = an_array(schema, members)
        members[name] = data(members[name])

    return changed(change)


def extra_member(name: str, data: bytes = b"x", mode: int = 0o100644) -> Callable[[Path, Path], None]:
    def make(folder: Path, trace: Path) -> None:
        info = zipfile.ZipInfo(name)
        info.external_attr = mode << 16
        with Zip(folder / "model.skops", "a") as archive:
            archive.writestr(info, data)

    return make


def npy(header: str, data: bytes = b"") -> bytes:
    coded = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(coded)) + coded + data


def pointing(file: str) -> Callable[[Path, Path], None]:
    def change(schema: Schema, members: dict[str, bytes]) -> None:
        text_of = json.dumps(schema)
        return json.loads(text_of.replace(json.dumps(an_array(schema, members)), json.dumps(file)))  # type: ignore[no-any-return]

    return changed(change)


def deep(levels: int) -> str:
    kind = '"__module__":"builtins","__class__":"list","__loader__":"ListNode"'
    return f'{{{kind},"content":[' * levels + "]}" * levels


def bomb(folder: Path, trace: Path) -> None:
    schema, members = read(folder)
    members[an_array(schema, members)] = bytes(200_000_000)
    write(folder, schema, members)


def nested_bomb(folder: Path, trace: Path) -> None:
    inner = io.BytesIO()
    with Zip(inner, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("data.npy", bytes(100_000_000))
    schema, members = read(folder)
    members["9.npz"] = inner.getvalue()
    schema["content"]["content"]["note_"] = node(
        "scipy.sparse._csr", "csr_matrix", "SparseMatrixNode", type="scipy", file="9.npz"
    )
    write(folder, schema, members)


def lying_size(data: bytes) -> bytes:
    """The first member's size in the directory and before its data, made smaller than it is."""
    data = bytearray(data)
    local = data.index(b"PK\x03\x04")
    central = data.index(b"PK\x01\x02")
    data[local + 22 : local + 26] = data[central + 24 : central + 28] = struct.pack("<I", 10)
    return bytes(data)


def overlapping(data: bytes) -> bytes:
    """The second entry of the directory points at the first one's data."""
    data = bytearray(data)
    first = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", first + 4)
    data[second + 42 : second + 46] = data[first + 42 : first + 46]
    return bytes(data)


def loop_of_links(folder: Path, trace: Path) -> None:
    (folder / "more").symlink_to(folder)


def model_behind_a_link(folder: Path, trace: Path) -> None:
    (folder / "model.skops").rename(folder.parent / "elsewhere.skops")
    (folder / "model.skops").symlink_to(folder.parent / "elsewhere.skops")


def a_pipe(folder: Path, trace: Path) -> None:
    os.mkfifo(folder / "notes.txt")


def double_key(schema: Schema, members: dict[str, bytes]) -> str:
    return json.dumps(schema)[:-1] + ', "__class__": "system"}'


def call(trace: Path) -> Schema:
    return several(text(str(trace)))


HOSTILE = [
    # A pickle, under any name
    Hostile("pickle as the model", "a pickle", beside("model.skops", pickled)),
    Hostile("protocol 0 pickle as the model", "a pickle", beside("model.skops", lambda t: pickled(t, 0))),
    Hostile("protocol 2 pickle as the model", "a pickle", beside("model.skops", lambda t: pickled(t, 2))),
    Hostile("pickle beside", "it is a pickle", beside("model.pkl", pickled)),
    Hostile("pickle called text", "it is a pickle", beside("notes.txt", lambda t: pickled(t, 0))),
    Hostile("pickle called json", "it is a pickle", beside("golden.json", pickled)),
    Hostile("pickle in a folder", "it is a pickle", beside("artifacts/data.csv", pickled)),
    Hostile("compressed pickle", "a gzip file", beside("model.joblib", lambda t: gzip.compress(pickled(t)))),
    Hostile("pickle as an array", "is a pickle", replaced_array(lambda _: pickled(Path("/nowhere")))),
    Hostile("python beside", "no '.py'", beside("model.py", lambda t: f"open({str(t)!r}, 'w')".encode())),
    Hostile("shared object beside", "no '.so'", beside("model.so", lambda t: b"\x7fELF")),
    # MLmodel that has MLflow load something else
    Hostile("cloudpickle", "serialization_format is 'cloudpickle'", described(sklearn={"serialization_format": "cloudpickle"})),
    Hostile("no format", "serialization_format is None", described(sklearn={"serialization_format": None})),
    Hostile("another file", "pickled_model is 'model.pkl'", described(sklearn={"pickled_model": "model.pkl"})),
    Hostile("another loader", "loader_module is 'payload'", described(python_function={"loader_module": "payload"})),
    Hostile("code", "python_function.code is 'code'", described(python_function={"code": "code"})),
    Hostile("code of sklearn", "sklearn.code is '../x'", described(sklearn={"code": "../x"})),
    Hostile("path out", "model_path is '../model.skops'", described(python_function={"model_path": "../model.skops"})),
    Hostile("another flavor", "has the flavor 'xgboost'", described(xgboost={"data": "model.xgb"})),
    Hostile("trusting more", "trust 'os.system'", described(sklearn={"skops_trusted_types": ["os.system"]})),
    Hostile("yaml tags", "YAML tags", beside("MLmodel", lambda t: f"!!python/object/apply:os.mkdir ['{t}']".encode())),
    Hostile("no yaml", "not YAML", beside("MLmodel", lambda t: b"flavors: [")),
    Hostile("no flavors", "has no flavors", beside("MLmodel", lambda t: b"flavors: 3")),
    # Types
    Hostile("foreign type", "contains 'subprocess.Popen'",
            smuggled(lambda t: node("subprocess", "Popen", "ConstructorFromReduceNode", content=call(t)))),
    Hostile("foreign object", "contains 'os._Environ'", smuggled(lambda t: node("os", "_Environ", "ObjectNode"))),
    Hostile("foreign container", "contains 'os.mkdir'", smuggled(lambda t: node("os", "mkdir", "ListNode", content=[text(str(t))]))),
    Hostile("foreign type as a type", "contains 'os.mkdir'", smuggled(lambda t: node("os", "mkdir", "TypeNode"))),
    Hostile("eval as a type", "contains 'builtins.eval'", smuggled(lambda t: node("builtins", "eval", "TypeNode"))),
    Hostile("eval as a container", "contains 'builtins.eval'",
            smuggled(lambda t: node("builtins", "eval", "TupleNode", content=[text(f"open({str(t)!r}, 'w')")]))),
    Hostile("function", "the function 'os.mkdir'", smuggled(lambda t: node("os", "mkdir", "FunctionNode"))),
    Hostile("function of NumPy", "the function 'numpy.load'", smuggled(lambda t: node("numpy", "load", "FunctionNode"))),
    Hostile("partial", "'functools.partial' as a PartialNode", smuggled(lambda t: node(
        "functools", "partial", "PartialNode", content={
            "func": node("os", "mkdir", "FunctionNode"), "args": call(t), "kwds": several(), "namespace": several()}))),
    Hostile("method", "as a MethodNode", smuggled(lambda t: node(
        "builtins", "str", "MethodNode", content={"func": "format", "obj": text("x")}))),
    Hostile("operator", "as a OperatorFuncNode", smuggled(lambda t: node(
        "operator", "methodcaller", "OperatorFuncNode", attrs=call(t)))),
    Hostile("constructor", "as a ConstructorFromReduceNode", smuggled(lambda t: node(
        "sklearn.pipeline", "Pipeline", "ConstructorFromReduceNode", content=call(t)))),
    Hostile("loss that is none", "'sklearn.pipeline.Pipeline' as a LossNode", smuggled(lambda t: node(
        "sklearn.pipeline", "Pipeline", "LossNode", content=several(), __reduce__={"args": call(t)}))),
    Hostile("part of scikit-learn that reads files", "contains 'sklearn.datasets._base.load_files'",
            smuggled(lambda t: node("sklearn.datasets._base", "load_files", "ListNode", content=[text("/")]))),
    Hostile("untrusted tree", "contains 'sklearn.tree._tree.Tree'",
            smuggled(lambda t: node("sklearn.tree._tree", "Tree", "TreeNode", content=several(), __reduce__={"args": several()}))),
    Hostile("unknown loader", "as a EvalNode", smuggled(lambda t: node("builtins", "str", "EvalNode", content=str(t)))),
    Hostile("no text as a module", "as text", smuggled(lambda t: node(["os"], "mkdir", "TypeNode"))),  # type: ignore[arg-type]
    Hostile("path as a module", "is not a type's name", smuggled(lambda t: node("../evil", "x", "TypeNode"))),
    # Schema
    Hostile("NaN as an id", "holds NaN", changed(lambda s, m: json.dumps(s | {"__id__": float("nan")}))),
    Hostile("text as an id", "id 'x'", changed(lambda s, m: s | {"__id__": "x"})),
    Hostile("truth as an id", "id True", changed(lambda s, m: s | {"__id__": True})),
    Hostile("endless number", "holds Infinity", changed(lambda s, m: json.dumps(s | {"protocol": float("inf")}))),
    Hostile("no protocol", "no protocol", changed(lambda s, m: {k: v for k, v in s.items() if k != "protocol"})),
    Hostile("double key", "a key is there twice", changed(double_key)),
    Hostile("not JSON", "not plain JSON", changed(lambda s, m: "import os")),
    Hostile("not UTF-8", "not plain JSON", changed(lambda s, m: b"\xff\xfe{}")),
    Hostile("a list", "its schema is a list", changed(lambda s, m: "[]")),
    Hostile("describes nothing", "describes no object", changed(lambda s, m: '{"protocol": 2}')),
    Hostile("too deep", "levels deep", smuggled(lambda t: json.loads(deep(200)))),
    Hostile("endlessly deep", "nested too deep", changed(lambda s, m: deep(100_000))),
    Hostile("JSON in JSON that is none", "a JSON value cannot be read", smuggled(lambda t: node("builtins", "str", "JsonNode", content="}"))),
    Hostile("JSON in JSON that is deep", "nested too deep", smuggled(lambda t: node("builtins", "str", "JsonNode", content="[" * 100_000))),
    Hostile("no schema", "holds no schema.json", patched(lambda d: _zip({"x.npy": b""}))),
    Hostile("huge schema", "its schema is larger", changed(lambda s, m: json.dumps(s) + " " * 32_000_001)),
    # Archive
    Hostile("file field out of the archive", "which the archive does not hold", pointing("../../etc/passwd")),
    Hostile("absolute file field", "which the archive does not hold", pointing("/etc/passwd")),
    Hostile("no text as a file", "which the archive does not hold", smuggled(lambda t: node(
        "builtins", "bytes", "BytesNode", file=["x"]))),
    Hostile("path traversal", "leads out of the archive", extra_member("../evil.npy")),
    Hostile("absolute member", "absolute path", extra_member("/etc/evil.npy")),
    Hostile("drive", "absolute path", extra_member("C:evil.npy")),
    Hostile("backslashes", "absolute path", extra_member("..\\evil.npy")),
    Hostile("folder", "is in a folder", extra_member("a/evil.npy")),
    Hostile("symbolic link in the archive", "is no plain file", extra_member("link.npy", b"/etc/passwd", 0o120777)),
    Hostile("stowaway", "nothing in its schema uses", extra_member("stowaway.npy")),
    Hostile("twice", "is there twice", extra_member("schema.json", b"{}")),
    Hostile("zip bomb", "a zip bomb", bomb),
    Hostile("nested bomb", "a zip bomb", nested_bomb),
    Hostile("lying size", "not a readable skops model", patched(lying_size)),
    Hostile("overlap", "overlaps another|differ|Overlapped", patched(overlapping)),
    Hostile("something in front", "overlaps another", patched(lambda d: b"#!/bin/sh\n" + d)),
    Hostile("gzip bomb", "a gzip file", patched(lambda d: gzip.compress(bytes(50_000_000)))),
    Hostile("truncated", "not a readable skops model", patched(lambda d: d[: len(d) // 2])),
    Hostile("corrupt", "not a readable skops model", patched(lambda d: d[:60] + bytes(40) + d[100:])),
    Hostile("no zip", "not a readable skops model", patched(lambda d: b"half of a download")),
    Hostile("empty", "no model in|not a readable", patched(lambda d: b"")),
    # Arrays
    Hostile("array of objects", "values of type '|O'", replaced_array(
        lambda d: npy("{'descr': '|O', 'fortran_order': False, 'shape': (1,)}", pickled(Path("/nowhere"))))),
    Hostile("array that promises more", "promises 8000000000000", replaced_array(
        lambda d: npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,)}"))),
    Hostile("array with a negative shape", "its shape is", replaced_array(
        lambda d: npy("{'descr': '<f8', 'fortran_order': False, 'shape': (-1,)}"))),
    Hostile("header that is code", "no plain NumPy array", replaced_array(
        lambda d: npy("{'descr': __import__('os').getcwd(), 'shape': ()}"))),
    Hostile("no array", "is not a NumPy array", replaced_array(lambda d: b"something else")),
    # Folder
    Hostile("link to a folder", "a symbolic link", loop_of_links),
    Hostile("model behind a link", "a symbolic link", model_behind_a_link),
    Hostile("pipe", "neither a file nor a folder", a_pipe),
    Hostile("text that is none", "not what its name says", beside("notes.txt", lambda t: b"\xff\xfe\x00")),
    Hostile("picture that is none", "not what its name says", beside("plot.png", lambda t: b"<svg>")),
    Hostile("deep JSON beside", "nested too deep", beside("deep.json", lambda t: b"[" * 100_000)),
]  # fmt: skip


def _zip(members: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with Zip(target, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return target.getvalue()


def spoiled(folder: Path, good: Path, hostile: Hostile, trace: Path) -> Path:
    """A copy of a good model's folder, made hostile."""
    import shutil

    shutil.copytree(good, folder)
    hostile.make(folder, trace)
    return folder
