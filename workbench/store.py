"""Content-addressed storage of outputs, and the manifests that say which step made them.

    objects/ab/abcd…/flights.parquet     content, by digest, read-only, under the name its step gave it
    manifests/12/1234….json              what a finished step produced, by fingerprint
    latest/train/split.json              the ingredients of a step's last result, to tell what changed
    champions/flight-delay.json          which registered version serves, as the last promotion left it

A manifest is written after its outputs and by a rename, so that what is half done does not exist. A damaged
entry is a miss.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from workbench.digests import (
    Digests,
    digest_bytes,
    digest_file,
    digest_names,
    folder_files,
    write_atomically,
)
from workbench.errors import StepError, StoreError
from workbench.fingerprint import Ingredients


@dataclass(frozen=True)
class Stored:
    """One output in the store."""

    digest: str
    file: str
    """The name under which its step wrote it, without the '/' of a folder."""
    size: int
    """Bytes, all files of a folder together."""


@dataclass(frozen=True)
class Manifest:
    """What one finished step produced, kept under its fingerprint."""

    fingerprint: str
    pipeline: str
    step: str
    run: str
    created: float
    """Seconds since the epoch."""
    seconds: float
    outputs: Mapping[str, Stored]
    executed: str
    """Path of the executed notebook, relative to the project root."""


class Store:
    """The store below one folder. Safe to use from several processes and threads at once."""

    def __init__(self, folder: Path, digests: Digests) -> None:
        self.folder, self._digests = folder, digests

    def place(self, stored: Stored) -> Path:
        """Where the content is, or would be."""
        return self.folder / "objects" / stored.digest[:2] / stored.digest / stored.file

    def find(self, fingerprint: str) -> Manifest | None:
        """The manifest under that fingerprint, or None. Says nothing about its outputs: see `lost`."""
        try:
            with open(self._manifest(fingerprint), "rb") as stream:  # noqa: PTH123 - hot path
                value = json.loads(stream.read())
            outputs = {name: _checked(Stored(**stored)) for name, stored in value.pop("outputs").items()}
            manifest = _checked(Manifest(outputs=outputs, **value))
            return manifest if manifest.fingerprint == fingerprint else None
        except FileNotFoundError:
            return None
        except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
            return None  # damaged
        except OSError as error:
            raise StoreError(f"cannot read the store '{self.folder}': {error.strerror}") from error

    def lost(self, manifest: Manifest) -> str | None:
        """Which output is no longer what it was, in words; None when all are as they were stored."""
        for name, stored in manifest.outputs.items():
            found = self._digest(self.place(stored))
            if found is None:
                return f"output {name} is no longer in the store"
            if found != stored.digest:
                return f"output {name} is corrupted in the store"
        return None

    def latest(self, pipeline: str, step: str) -> Ingredients | None:
        """What went into the last result of that step."""
        try:
            return Ingredients.from_json(json.loads(self._latest(pipeline, step).read_bytes()))
        except (OSError, ValueError, TypeError, LookupError, RecursionError):
            return None

    def has_result(self, pipeline: str, step: str) -> bool:
        """Whether that step was ever done: cheaper than `latest`, and no proof that it is cached."""
        return self._latest(pipeline, step).exists()

    def put(self, path: Path) -> Stored:
        """Move one finished output, a file or a folder, into the store.

        Raises StepError when it holds anything but files and folders (a link, a pipe), StoreError when the store
        cannot be written.
        """
        _refuse_what_is_no_file(path)
        files = dict(folder_files(path)) if path.is_dir() else {"": path}
        digests = {name: digest_file(file) for name, file in files.items()}
        digest = digest_names(digests) if path.is_dir() else digests[""]
        stored = Stored(digest, path.name, sum(file.stat().st_size for file in files.values()))
        target = self.place(stored)
        try:
            for file in files.values():  # a read-only folder could not be moved
                file.chmod(0o444)
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.exists():
                if self._digest(target) == stored.digest:
                    remove(path)
                    return stored
                remove(target)
            _move(path, target)
            for name, digest in digests.items():
                self._digests.remember(target / name, digest)
        except OSError as error:
            raise StoreError(f"cannot write to the store '{self.folder}': {error.strerror}") from error
        return stored

    def commit(self, manifest: Manifest, ingredients: Ingredients) -> None:
        """Make a step's result count. Its outputs must be in the store already."""
        try:
            for file, value in (
                (self._manifest(manifest.fingerprint), asdict(manifest)),
                (self._latest(manifest.pipeline, manifest.step), ingredients.as_json()),
            ):
                file.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(file, json.dumps(value))
        except OSError as error:
            raise StoreError(f"cannot write to the store '{self.folder}': {error.strerror}") from error

    def manifests(self) -> list[Manifest]:
        """Every readable manifest, the newest first."""
        names = (path.stem for path in (self.folder / "manifests").glob("*/*.json"))
        found = [manifest for name in names if (manifest := self.find(name))]
        return sorted(found, key=lambda manifest: manifest.created, reverse=True)

    def forget(self, manifest: Manifest) -> None:
        """Remove a manifest; its outputs stay until `sweep`."""
        self._manifest(manifest.fingerprint).unlink(missing_ok=True)

    def objects(self) -> dict[str, Path]:
        """Folder of every stored content, by digest."""
        return {path.name: path for path in (self.folder / "objects").glob("*/*")}

    def _digest(self, place: Path) -> str | None:
        try:
            return self._digests.path(place)
        except FileNotFoundError:
            return None

    def _manifest(self, fingerprint: str) -> Path:
        return self.folder / "manifests" / fingerprint[:2] / f"{fingerprint}.json"

    def _latest(self, pipeline: str, step: str) -> Path:
        return self.folder / "latest" / pipeline / f"{safe_name(step)}.json"


def safe_name(step: str) -> str:
    """A step's key as a file name: `train[algorithm=logistic]` becomes `train-algorithm=logistic`.

    Keys that would fall together, or be too long, get a piece of their digest. Upper and lower case are kept, so
    on a file system that does not tell them apart two keys that differ in nothing else share a name.
    """
    name = re.sub(r"[^A-Za-z0-9_.=,+-]", "-", step.replace("]", "").replace("[", "-"))[:120]
    if name == step or (re.fullmatch(r"[A-Za-z0-9_-]+\[[A-Za-z0-9_.=,+-]*\]", step) and len(step) <= 120):
        return name
    return f"{name}-{digest_bytes(step.encode())[:8]}"


def remove(path: Path) -> None:
    """Remove a file or folder though it is read-only."""
    if path.is_dir() and not path.is_symlink():
        for folder, _, _ in os.walk(path):
            Path(folder).chmod(0o755)
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _move(path: Path, target: Path) -> None:
    try:
        path.rename(target)
    except OSError:
        if not target.is_dir():
            raise
        remove(path)  # another step stored the same folder in this moment


def _refuse_what_is_no_file(path: Path) -> None:
    if not os.path.lexists(path):
        raise StepError(f"'{path.name}' was not written")
    for found in (path, *path.rglob("*")):
        if found.is_symlink():
            raise StepError(f"'{found.name}' is a symbolic link; an output must hold its content itself")
        if not found.is_file() and not found.is_dir():
            raise StepError(f"'{found.name}' is neither a file nor a folder, so it cannot be kept")


def _checked(record: Any) -> Any:
    """A record read from JSON, if its simple values have their types. Raises TypeError."""
    for field in fields(record):
        value = getattr(record, field.name)
        if (field.type == "str" and type(value) is not str) or (
            field.type in ("int", "float") and type(value) not in (int, float)
        ):
            raise TypeError(f"{field.name} is {value!r}")
    return record
