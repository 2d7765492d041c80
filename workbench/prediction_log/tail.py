"""Following the journal: what was answered since one last looked, in the order in which it was put on record.

Where a follower is, is not noted anywhere: it is where the last entry is that it has written itself. Both are in the journal
or have left it from the front, so what is in the journal behind the answered entry has not been scored, whoever was killed
when.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass

from workbench.prediction_log.encoding import Stored
from workbench.prediction_log.places import log_folder
from workbench.prediction_log.snapshot import FILE, SELECT, opened, stored
from workbench.settings import Project

_SHAPES = (
    "SELECT id FROM shapes WHERE json_extract(text, '$.model') = :model AND json_extract(text, '$.kind')"
)
_ANSWERED = f"{_SHAPES} IN ('champion', 'canary')"
_SHADOWED = f"{_SHAPES} = 'shadow' AND json_extract(text, '$.version') = :version"

_NEXT = f"{SELECT} WHERE sequence > :after AND came >= :since AND shape IN ({_ANSWERED}) ORDER BY sequence"
_LAST_SHADOWED = f"SELECT request FROM entries WHERE shape IN ({_SHADOWED}) ORDER BY sequence DESC LIMIT 1"  # noqa: S608 - words of ours
_WHERE = f"SELECT max(sequence) FROM entries WHERE request = :request AND shape IN ({_ANSWERED})"  # noqa: S608


@dataclass(frozen=True)
class Piece:
    """Some entries that follow each other, and how far one has read with them."""

    entries: tuple[Stored, ...]
    last: int
    """A sequence number: nothing up to it is left to read."""


class Tail:
    """What champion and canary of a model have answered, for a version that is asked the same. One thread's."""

    def __init__(self, project: Project, model: str, version: int, since: float) -> None:
        """Nothing that came before `since`, in seconds since the epoch, is given."""
        self._project = project
        self._words = {"model": model, "version": version, "since": since}
        self._after: int | None = None
        self._inode = 0

    def read(self, most: int, rows: int) -> Piece:
        """What comes next: at most so many entries, closed when they have so many rows. Raises LogError.

        The same again until `passed` is called.
        """
        file = log_folder(self._project) / FILE
        inode = file.stat().st_ino if file.is_file() else 0
        with opened(self._project) as connection:
            # Another file than before: the old one was set aside, and numbers may begin anew.
            if connection is None or inode != (file.stat().st_ino if file.is_file() else 0):
                return Piece((), self._after or 0)
            if self._after is None or inode != self._inode:
                self._after, self._inode = self._where_left(connection), inode
            return self._read(connection, self._after, most, rows)

    def passed(self, piece: Piece) -> None:
        """What was read is dealt with."""
        self._after = piece.last

    def look_again(self) -> None:
        """Find out from the log where one is: it is not known whether what was written is there."""
        self._after = None

    def _read(self, connection: sqlite3.Connection, after: int, most: int, rows: int) -> Piece:
        found: list[Stored] = []
        with closing(connection.execute(_NEXT, {**self._words, "after": after})) as cursor:
            for row in cursor:
                found.append(stored(row))
                rows -= found[-1].rows
                if len(found) == most or rows <= 0:
                    return Piece(tuple(found), found[-1].sequence)
        (last,) = connection.execute("SELECT max(sequence) FROM entries").fetchone()
        return Piece(tuple(found), max(after, last or 0))

    def _where_left(self, connection: sqlite3.Connection) -> int:
        """The entry that was scored last; 0 when it has left the journal, or there is none."""
        last = connection.execute(_LAST_SHADOWED, self._words).fetchone()
        if last is None:
            return 0
        (found,) = connection.execute(_WHERE, {**self._words, "request": last[0]}).fetchone()
        return found or 0
