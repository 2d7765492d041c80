"""Digests of files and folders, and a memory of them so that an unchanged file is not read twice.

A file is taken as unchanged while its size, modification and change times and inode are what they were when it
was read. The change time cannot be set back by a program, so content that was replaced with size and
modification time restored is still noticed. A file that was changed only just now could change again within one
tick of the file system's clock, so it is not remembered (the "racy git" problem).
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import stat
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from workbench.errors import StoreError

CLOCK_TICK_NS = 50_000_000
"""Longer than the timestamp granularity of the usual file systems (1 to 10 ms)."""

Signature = list[int]


def digest_bytes(data: bytes) -> str:
    """SHA-256 as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


class Digests:
    """Digests by path, remembered in one JSON file. Paths inside `root` survive a move of the project."""

    def __init__(self, root: Path, memory: Path) -> None:
        self._root, self._memory = str(root) + os.sep, memory
        self._known: dict[str, tuple[Signature, str]] = {}
        self._changed = False
        try:
            self._known = {
                key: (value[0], value[1]) for key, value in json.loads(memory.read_bytes()).items()
            }
        except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):
            self._known = {}  # a memory that is missing or damaged only costs time

    def file(self, path: Path | str) -> str:
        """The digest of one file's content. Raises FileNotFoundError, or StoreError when it cannot be read."""
        name = str(path)
        status = _status(name)
        signature = _signature(status)
        key = name.removeprefix(self._root)
        known = self._known.get(key)
        if known and known[0] == signature:
            return known[1]
        digest = digest_file(name)
        settled = time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > CLOCK_TICK_NS
        if settled and _signature(_status(name)) == signature:
            self._known[key] = (signature, digest)
            self._changed = True
        return digest

    def path(self, path: Path) -> str:
        """The digest of a file, or of a folder: of the relative names and digests of all files in it."""
        if not path.is_dir():
            return self.file(path)
        return digest_names({name: self.file(file) for name, file in folder_files(path)})

    def remember(self, path: Path, digest: str) -> None:
        """Take the caller's word that this file, which nobody writes any more, has this digest."""
        self._known[str(path).removeprefix(self._root)] = (_signature(path.stat()), digest)
        self._changed = True

    def save(self) -> None:
        """Write the memory, if it changed. Two writers at once lose entries, never truth.

        Where nothing can be written, reading again is all that is lost.
        """
        if not self._changed:
            return
        try:
            self._memory.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._memory, json.dumps(dict(self._known), separators=(",", ":")))
        except OSError:
            return
        self._changed = False


def digest_file(path: Path | str) -> str:
    """The digest of a file's content, read now. Raises FileNotFoundError or StoreError."""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - hot path
            return hashlib.file_digest(stream, "sha256").hexdigest()
    except FileNotFoundError:
        raise
    except OSError as error:
        raise StoreError(f"cannot read '{path}': {error.strerror}") from error


def digest_names(digests: Mapping[str, str]) -> str:
    """One digest for several by name, such as the files of a folder."""
    lines = [f"{name}\0{digest}\n" for name, digest in sorted(digests.items())]
    return digest_bytes("".join(lines).encode(errors="surrogateescape"))


def folder_files(folder: Path) -> list[tuple[str, Path]]:
    """Relative name and path of every file below `folder`, sorted by name; links to folders are followed.

    Raises StoreError when a folder cannot be read.
    """
    return sorted(_files_below(folder, "", frozenset()))


def _files_below(folder: Path, prefix: str, above: frozenset[str]) -> Iterator[tuple[str, Path]]:
    """`above` are the real paths of the folders that lead here: a link back to one of them is left out."""
    real = os.path.realpath(folder)
    if real in above:
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise StoreError(f"cannot read '{folder}': {error.strerror}") from error
    for entry in entries:
        if entry.is_dir():
            yield from _files_below(folder / entry.name, f"{prefix}{entry.name}/", above | {real})
        elif entry.is_file():
            yield prefix + entry.name, folder / entry.name


def write_atomically(path: Path, content: str | bytes) -> None:
    """Replace the file's content so that a reader sees the old or the new, never a part.

    Text is written as UTF-8. What is not valid text (half a surrogate pair, as a kernel may print) is written as a backslash escape.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}.{next(_serial)}")
    try:
        temporary.write_bytes(
            content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace")
        )
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def to_disk(path: Path) -> None:
    """Return when what was written to a file, or into a folder, is on the disk itself."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_serial = itertools.count()


def _status(name: str) -> os.stat_result:
    """Raises FileNotFoundError, or StoreError when it cannot be looked at or is no file (a pipe would block)."""
    try:
        status = os.stat(name)  # noqa: PTH116 - hot path
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(name) from None
    except OSError as error:
        raise StoreError(f"cannot read '{name}': {error.strerror}") from error
    if not stat.S_ISREG(status.st_mode):
        raise StoreError(f"cannot read '{name}': it is no file")
    return status


def _signature(status: os.stat_result) -> Signature:
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]
