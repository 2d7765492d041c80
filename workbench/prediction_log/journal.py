"""The journal: what was answered last, in one SQLite file for each project, written by many processes.

An entry is there when `append` has returned, and stays until compaction has written it to a Parquet file. A sequence number
is given once, in the order of commits, and never again, not even when the journal is lost: a new one goes on behind the
numbers in the files' names.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

from workbench.errors import LogError
from workbench.locks import locked
from workbench.prediction_log.encoding import Shape, Stored, encode
from workbench.prediction_log.entries import Logged, whole_micros
from workbench.prediction_log.places import last_sequence, log_folder
from workbench.prediction_log.snapshot import FILE, SELECT, WAIT, explained, stored
from workbench.settings import Project

FORMAT = 1
CHECKPOINT = 4_000
"""Pages (of 4 kB) after which a commit moves the write-ahead log into the file, where compaction did not."""

_TABLES = f"""
CREATE TABLE shapes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE entries (
  sequence INTEGER PRIMARY KEY AUTOINCREMENT, shape INTEGER NOT NULL REFERENCES shapes(id),
  came REAL NOT NULL, rows INTEGER NOT NULL, request TEXT NOT NULL, body BLOB NOT NULL
) STRICT;
INSERT INTO sqlite_sequence (name, seq) VALUES ('entries', {{last}});
PRAGMA user_version = {FORMAT};
"""  # noqa: S608 - a number of ours


class Journal:
    """An open journal. Threads share one, processes have one each. Every method raises LogError when it fails."""

    def __init__(self, project: Project, *, durable: bool = True) -> None:
        self.file = log_folder(project) / FILE
        self._project, self._durable = project, durable
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        self._inode = 0
        self._shapes: dict[Shape, int] = {}
        self.alert = ""
        """What a person should look at; empty when all is well."""

    def append(self, entries: Sequence[Logged]) -> None:
        """Write entries, all of them or none, and return when they are on disk."""
        rows = [(encode(entry), entry) for entry in entries]
        with self._lock, self._translated():
            try:
                self._write(rows)
            except sqlite3.DatabaseError as error:
                if not _broken(error):
                    raise
                self._set_aside(error)
                self._write(rows)

    def _write(self, rows: Sequence[tuple[tuple[Shape, bytes], Logged]]) -> None:
        with self._writing() as connection:
            values = [
                (self._shape(connection, shape), whole_micros(each.came), each.rows, each.request, body)
                for (shape, body), each in rows
            ]
            connection.executemany(
                "INSERT INTO entries (shape, came, rows, request, body) VALUES (?, ?, ?, ?, ?)", values
            )

    def reserve(self) -> int:
        """A sequence number that no entry has."""
        with self._lock, self._translated(), self._writing() as connection:
            connection.execute("UPDATE sqlite_sequence SET seq = seq + 1 WHERE name = 'entries'")
            found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'entries'").fetchone()
            return int(found[0])

    def oldest(self, rows: int) -> list[Stored]:
        """The oldest entries, in order, until they have `rows` rows together."""
        found: list[Stored] = []
        with self._lock, self._translated():
            cursor = self._ready().execute(f"{SELECT} ORDER BY sequence")
            with closing(cursor):
                for row in cursor:
                    found.append(stored(row))
                    rows -= found[-1].rows
                    if rows <= 0:
                        break
        return found

    def forget(self, last: int) -> None:
        """Remove the entries up to this one, which files hold now."""
        with self._lock, self._translated(), self._writing() as connection:
            connection.execute("DELETE FROM entries WHERE sequence <= ?", (last,))

    def tidy(self) -> None:
        """Move the write-ahead log into the file, so that it does not grow. Waits for nobody."""
        with self._lock, self._translated():
            self._ready().execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def close(self) -> None:
        with self._lock:
            self._disconnect()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _alone(self) -> AbstractContextManager[None]:
        """Writers, and who opens the file, queue here: SQLite's own lock has them sleep and try again."""
        return locked(self.file.with_suffix(".lock"))

    def _ready(self) -> sqlite3.Connection:
        with self._alone():
            return self._open()

    def _open(self) -> sqlite3.Connection:
        """The connection, made again when another process has set the file aside. Only for who is alone."""
        if self._connection is not None and self._inode == _inode(self.file):
            return self._connection
        self._disconnect()
        try:
            self._connection = connection = self._connect()
        except sqlite3.DatabaseError as error:
            if not _broken(error):
                raise
            self._move(error)
            self._connection = connection = self._connect()
        self._inode = _inode(self.file)
        return connection

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(
            self.file, timeout=WAIT, isolation_level=None, check_same_thread=False, cached_statements=16
        )
        try:
            version = int(connection.execute("PRAGMA user_version").fetchone()[0])
            if version > FORMAT:
                raise LogError(f"'{self.file}' was written by a newer version of the workbench; update it")
            connection.execute("PRAGMA journal_mode = WAL").fetchall()
            connection.execute(f"PRAGMA synchronous = {'FULL' if self._durable else 'NORMAL'}")
            connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}").fetchall()
            if version == 0:
                script = _TABLES.format(last=last_sequence(self._project))
                connection.executescript(f"BEGIN IMMEDIATE; {script} COMMIT;")
            elif (found := connection.execute("PRAGMA quick_check(1)").fetchone()) != ("ok",):
                raise sqlite3.DatabaseError(f"malformed: {found[0]}")
        except BaseException:
            connection.close()
            raise
        return connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction."""
        with self._alone():
            connection = self._open()
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                self._disconnect()  # which rolls back, also where ROLLBACK itself would fail
                raise

    def _shape(self, connection: sqlite3.Connection, shape: Shape) -> int:
        if shape not in self._shapes:
            text = shape.as_text()
            connection.execute("INSERT OR IGNORE INTO shapes (text) VALUES (?)", (text,))
            found = connection.execute("SELECT id FROM shapes WHERE text = ?", (text,)).fetchone()
            self._shapes[shape] = int(found[0])
        return self._shapes[shape]

    def _set_aside(self, error: sqlite3.DatabaseError) -> None:
        with self._alone():
            if self._inode == _inode(self.file):  # else another process has done so already
                self._move(error)

    def _move(self, error: sqlite3.DatabaseError) -> None:
        """Keep a broken journal under another name: what can be saved of it is a person's to decide."""
        kept = self.file.with_name(f"broken-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.db")
        for ending in ("-wal", "-shm", ""):
            with suppress(FileNotFoundError):
                self.file.with_name(self.file.name + ending).rename(kept.with_name(kept.name + ending))
        self.alert = f"the journal was broken ({error}) and is kept as '{kept}'; a new one was begun"

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None
        self._shapes.clear()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:  # TimeoutError is an OSError
            raise LogError(explained(self.file, error)) from error


def broken_journals(project: Project) -> list[Path]:
    """Journals that were set aside and nobody has dealt with."""
    return sorted(log_folder(project).glob("broken-*.db"))


def _inode(file: Path) -> int:
    try:
        return file.stat().st_ino
    except FileNotFoundError:
        return 0


def _broken(error: sqlite3.DatabaseError) -> bool:
    """Whether the file is damaged, rather than locked, full or out of reach."""
    text = str(error)
    return "malformed" in text or "not a database" in text
