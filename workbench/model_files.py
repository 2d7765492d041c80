"""Looking at a model's files before anything in them is loaded: what is refused is refused by reading bytes.

    inspect_folder        a folder with a model: every file, its digest, and the model itself as bytes
    ├── inspect_skops     the archive: members, sizes, arrays, then the schema (see model_schema)
    └── inspect_mlmodel   MLflow's description: no other flavour, no code, no pickle

A model is loaded from the very bytes that were looked at, so that nothing can be exchanged in between. Imports the
standard library and PyYAML only: a rollback checks what it rolls back to without waiting for scikit-learn.
"""

from __future__ import annotations

import ast
import io
import json
import math
import os
import pickletools
import re
import stat
import zipfile
import zlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.digests import digest_bytes, digest_names
from workbench.errors import ModelError
from workbench.model_schema import inspect_schema

MODEL_FILE = "model.skops"
"""MLflow's name for it too."""

DESCRIPTION = "MLmodel"
ATTACHMENTS = "workbench"
"""Folder of a version that holds what belongs to it but is not the model: contract, verdict, evidence."""
MEGABYTE = 1_000_000
LARGEST_FILE = 1024 * MEGABYTE
LARGEST_TEXT = 64 * MEGABYTE
LARGEST_SCHEMA = 32 * MEGABYTE
MOST_FILES = 200
MOST_MEMBERS = 200_000
LARGEST_UNPACKED = 4096 * MEGABYTE
UNPACKED_FREELY = 64 * MEGABYTE
"""Up to so much an archive may unpack to, however small it is: a table of zeros is no attack."""
LARGEST_RATIO = 100

TEXTS = frozenset({".json", ".yaml", ".yml", ".txt", ".md", ".csv", ".html", ".lock", ".toml"})
PICTURES = {".png": b"\x89PNG\r\n\x1a\n"}
_ARCHIVES = {
    b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"PK\x03\x04": "zip", b"\x28\xb5\x2f\xfd": "zstd",
    b"\x04\x22\x4d\x18": "lz4", b"\x78\x01": "zlib", b"\x78\x9c": "zlib", b"\x78\xda": "zlib",
}  # fmt: skip
_IMPORTED = re.compile(r"[A-Za-z_][\w.]* [A-Za-z_][\w.]*")
_CALLS = frozenset({
    "GLOBAL", "STACK_GLOBAL", "INST", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD", "EXT1", "EXT2", "EXT4",
})  # fmt: skip


@dataclass(frozen=True)
class Inspected:
    """A model's folder that may be loaded."""

    folder: Path
    digest: str
    """Of all files but the attachments, as the store computes it."""
    model: bytes
    """The content of `model.skops`."""
    description: Mapping[str, Any]
    """What MLmodel says; empty where there is none."""
    attachments: Mapping[str, str]
    """Digest of each attachment by its file name."""


def inspect_folder(folder: Path, trusted: Collection[str]) -> Inspected:
    """Look at every file in a model's folder. Raises ModelError with the file and the reason.

    `trusted` are types beyond scikit-learn's, NumPy's and Python's plain ones that a model may contain.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no folder '{folder}' with a model")
    digests: dict[str, str] = {}
    attachments: dict[str, str] = {}
    model, description = b"", {}
    for name, path in _files(folder):
        data = _read(path, LARGEST_FILE if name == MODEL_FILE else LARGEST_TEXT)
        if name == MODEL_FILE:
            inspect_skops(data, trusted, f"'{path}'")
            model = data
        elif name == DESCRIPTION:
            description = inspect_mlmodel(data, trusted, f"'{path}'")
        else:
            _inspect_other(data, path)
        if name.startswith(f"{ATTACHMENTS}/"):
            attachments[name.partition("/")[2]] = digest_bytes(data)
        else:
            digests[name] = digest_bytes(data)
    if not model:
        raise ModelError(f"no model in '{folder}': expected a file '{MODEL_FILE}' written by save_model")
    return Inspected(folder, digest_names(digests), model, description, attachments)


def inspect_skops(data: bytes, trusted: Collection[str], what: str) -> None:
    """Look at a skops archive: nothing in it is built, and it is never unpacked as a whole. Raises ModelError."""
    if problem := _disguise(data, expected="zip"):
        raise ModelError(f"{what} is refused: it is {problem}, not a skops archive")
    try:
        members = _inspect_zip(data, what)
        if "schema.json" not in members:
            raise ModelError(f"{what} is not a readable skops model: it holds no schema.json; train it again")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if archive.getinfo("schema.json").file_size > LARGEST_SCHEMA:
                raise ModelError(f"{what} is refused: its schema is larger than {LARGEST_SCHEMA} bytes")
            schema = inspect_schema(archive.read("schema.json"), members, trusted, what)
            if unused := sorted(members - schema.files - {"schema.json"}):
                raise ModelError(f"{what} is refused: nothing in its schema uses its member '{unused[0]}'")
            for name in sorted(schema.files):
                _inspect_member(name, archive.read(name), what)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError) as error:
        raise ModelError(f"{what} is not a readable skops model ({error}); train it again") from error


def inspect_mlmodel(data: bytes, trusted: Collection[str], what: str) -> dict[str, Any]:
    """Look at MLflow's description of a model: it must have MLflow load this very skops file. Raises ModelError."""
    import yaml

    if len(data) > MEGABYTE or b"!" in data:
        raise ModelError(f"{what} is refused: it is too large, or names YAML tags")
    try:
        found = yaml.load(data, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe loader
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ModelError(f"{what} is refused: it is not YAML ({str(error).splitlines()[0]})") from None
    flavors = found.get("flavors") if isinstance(found, dict) else None
    if not isinstance(flavors, dict) or not all(isinstance(each, dict) for each in flavors.values()):
        raise ModelError(f"{what} is refused: it has no flavors")
    if other := sorted(map(str, set(flavors) - {"sklearn", "python_function"})):
        raise ModelError(
            f"{what} is refused: it has the flavor '{other[0]}'; only skops in 'sklearn' is loaded"
        )
    expected = (
        ("sklearn", "serialization_format", ("skops",)), ("sklearn", "pickled_model", (MODEL_FILE,)),
        ("sklearn", "code", (None, "")), ("python_function", "loader_module", ("mlflow.sklearn",)),
        ("python_function", "model_path", (MODEL_FILE,)), ("python_function", "code", (None, "")),
    )  # fmt: skip
    for flavor, key, allowed in expected:
        if flavor in flavors and flavors[flavor].get(key) not in allowed:
            raise ModelError(
                f"{what} is refused: flavors.{flavor}.{key} is {flavors[flavor].get(key)!r}; "
                f"expected {allowed[0] or 'none'}"
            )
    claimed = flavors.get("sklearn", {}).get("skops_trusted_types") or []
    if foreign := sorted(set(map(str, claimed if isinstance(claimed, list) else [claimed])) - set(trusted)):
        raise ModelError(f"{what} is refused: it has MLflow trust '{foreign[0]}', which we do not")
    return dict(found)


def _files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Relative name and path of every file, sorted. Raises ModelError for links and for what is no file."""
    left, found = [folder], []
    while left:
        with os.scandir(left.pop()) as scanned:
            entries = list(scanned)
        for entry in entries:
            path = Path(entry.path)
            if entry.is_symlink():
                raise ModelError(f"'{path}' is refused: it is a symbolic link, and its target may change")
            if entry.is_dir(follow_symlinks=False):
                left.append(path)
            elif entry.is_file(follow_symlinks=False):
                found.append(path)
            else:
                raise ModelError(f"'{path}' is refused: it is neither a file nor a folder")
        if len(found) > MOST_FILES:
            raise ModelError(f"'{folder}' is refused: it holds more than {MOST_FILES} files")
    for path in sorted(found):
        yield path.relative_to(folder).as_posix(), path


def _read(path: Path, largest: int) -> bytes:
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_size > largest:
                raise ModelError(f"'{path}' is refused: it is larger than {largest} bytes")
            return stream.read(largest)
    except OSError as error:
        raise ModelError(f"cannot read '{path}': {error.strerror}") from error


def _disguise(data: bytes, expected: str) -> str | None:
    """What the bytes really are, when that is a pickle or an archive of another kind than expected."""
    if is_pickle(data):
        return "a pickle, which runs code when it is loaded,"
    for magic, kind in _ARCHIVES.items():
        if kind != expected and data.startswith(magic):
            return f"a {kind} file"
    return None


def is_pickle(data: bytes) -> bool:
    """Whether these bytes are a pickle: of a binary protocol, or text that names something and calls it."""
    if re.match(rb"\x80[\x01-\x05]", data):
        return True
    called = False
    try:
        for opcode, argument, _ in pickletools.genops(data[:MEGABYTE]):
            if opcode.name in ("GLOBAL", "INST") and not _IMPORTED.fullmatch(str(argument)):
                return False
            called = called or opcode.name in _CALLS
    except Exception:  # noqa: BLE001 - whatever it stumbles over: these are no opcodes
        return False
    return called


def _inspect_other(data: bytes, path: Path) -> None:
    """A file beside the model: text or a picture, by its name and by its content."""
    if problem := _disguise(data, expected=""):
        raise ModelError(f"'{path}' is refused: it is {problem.rstrip(',')}")
    kind = path.suffix.lower()
    if kind in PICTURES:
        if not data.startswith(PICTURES[kind]):
            raise ModelError(f"'{path}' is refused: it is not what its name says")
        return
    if kind not in TEXTS:
        raise ModelError(
            f"'{path}' is refused: a model's folder holds {MODEL_FILE}, {DESCRIPTION} and texts "
            f"({', '.join(sorted(TEXTS))}), no '{kind or path.name}'"
        )
    try:
        text = data.decode("utf-8")
        if kind == ".json":
            json.loads(text)
    except RecursionError:
        raise ModelError(f"'{path}' is refused: it is nested too deep") from None
    except ValueError as error:
        raise ModelError(f"'{path}' is refused: it is not what its name says ({error})") from None


def _inspect_zip(data: bytes, what: str) -> frozenset[str]:
    """Names of an archive's members, after reading each of them once within limits. Raises ModelError."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        if len(members) > MOST_MEMBERS:
            raise ModelError(f"{what} is refused: it has {len(members)} members")
        seen: set[str] = set()
        for member in members:
            if problem := _member_problem(member, seen):
                raise ModelError(f"{what} is refused: its member '{member.filename[:120]}' {problem}")
            seen.add(member.filename)
        _refuse_overlap(data, members, archive, what)
        declared = sum(member.file_size for member in members)
        allowed = min(LARGEST_UNPACKED, max(UNPACKED_FREELY, LARGEST_RATIO * len(data)))
        if declared > allowed:
            raise ModelError(f"{what} is refused: {len(data)} bytes would unpack to {declared} (a zip bomb)")
        for member in members:
            with archive.open(
                member
            ) as stream:  # reads no further than the declared size, then checks the CRC
                while stream.read(MEGABYTE):
                    pass
    return frozenset(seen)


def _member_problem(member: zipfile.ZipInfo, seen: Collection[str]) -> str | None:
    name = member.orig_filename
    if name in seen:
        return "is there twice"
    if name.startswith("/") or "\\" in name or "\0" in name or re.match(r"[A-Za-z]:", name):
        return "has an absolute path, or one that is not plain"
    if ".." in name.split("/"):
        return "leads out of the archive"
    if member.is_dir() or "/" in name:
        return "is in a folder, which no skops model has"
    if stat.S_IFMT(member.external_attr >> 16) not in (0, stat.S_IFREG):
        return "is no plain file (a symbolic link?)"
    if member.flag_bits & 0x1:
        return "is encrypted"
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {member.compress_type}"
    return None


def _refuse_overlap(data: bytes, members: list[zipfile.ZipInfo], archive: zipfile.ZipFile, what: str) -> None:
    """Members must lie one after the other from the first byte on: overlapping ones unpack to any size."""
    end = 0
    for member in sorted(members, key=lambda each: each.header_offset):
        if member.header_offset < end or (end == 0 and member.header_offset):
            raise ModelError(f"{what} is refused: its member '{member.filename[:120]}' overlaps another one")
        end = member.header_offset + 30 + len(member.orig_filename.encode()) + member.compress_size
    if archive.comment or end > archive.start_dir:
        raise ModelError(f"{what} is refused: it holds more than its members, or less")


def _inspect_member(name: str, data: bytes, what: str) -> None:
    """An array in NumPy's format that holds what it says, sparse ones as an archive of such, or plain bytes."""
    kind = Path(name).suffix
    if kind == ".npy":
        if problem := _array_problem(data):
            raise ModelError(f"{what} is refused: its member '{name}' {problem}")
    elif kind == ".npz":
        inner = f"{what} in '{name}'"
        for each in sorted(_inspect_zip(data, inner)):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                if Path(each).suffix != ".npy":
                    raise ModelError(f"{inner} is refused: its member '{each}' is no array")
                _inspect_member(each, archive.read(each), inner)
    elif kind != ".bin":
        raise ModelError(f"{what} is refused: its member '{name}' is of no kind that skops writes")


def _array_problem(data: bytes) -> str | None:
    """What is wrong with an `.npy`, or None: it must hold as many bytes as its shape and type say, no objects."""
    if is_pickle(data):
        return "is a pickle"
    if not data.startswith(b"\x93NUMPY") or len(data) < 12:
        return "is not a NumPy array"
    wide = 2 if data[6] == 1 else 4
    start = 8 + wide
    length = int.from_bytes(data[8:start], "little")
    try:
        if length > 65_536 or start + length > len(data):
            raise ValueError("its header is cut")
        header = ast.literal_eval(data[start : start + length].decode("utf-8").strip())
        shape = header["shape"]
        if not all(type(each) is int and each >= 0 for each in shape):
            raise ValueError(f"its shape is {shape!r}")
        promised = math.prod(shape) * _item_size(header["descr"])
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        return f"is no plain NumPy array ({error})"
    held = len(data) - start - length
    return None if held == promised else f"holds {held} bytes and promises {promised}"


def _item_size(descr: Any) -> int:
    """Bytes of one value of a NumPy type as a header spells it. Raises ValueError for objects and the unknown."""
    if isinstance(descr, list):
        return sum(_item_size(field[1]) * math.prod(field[2] if len(field) > 2 else ()) for field in descr)
    if match := re.fullmatch(r"[<>|=]?([biufcmMSUV?])(\d*)(\[\w+\])?", str(descr)):
        return int(match.group(2) or 1) * (4 if match.group(1) == "U" else 1)
    raise ValueError(f"values of type {descr!r}")
