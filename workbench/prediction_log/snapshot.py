"""The journal as it is at one moment, while others go on writing."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date, timedelta
from pathlib import Path

from workbench.errors import LogError
from workbench.prediction_log.encoding import Stored, read_shape
from workbench.prediction_log.places import log_folder
from workbench.settings import Project

FILE = "journal.db"
WAIT = 30.0
"""Seconds that a writer waits for others; they take milliseconds each."""

SELECT = """SELECT sequence, text, came, rows, request, body FROM entries JOIN shapes ON shapes.id = shape"""


@contextmanager
def snapshot(project: Project) -> Iterator[Snapshot | None]:
    """The journal as it is now, while others go on writing; None where there is none. Raises LogError."""
    with opened(project) as connection:
        yield None if connection is None else Snapshot(connection)


@contextmanager
def opened(project: Project) -> Iterator[sqlite3.Connection | None]:
    """The journal to read from, in a transaction; None where there is none. Raises LogError."""
    file = log_folder(project) / FILE
    if not file.is_file():
        yield None
        return
    try:
        connection = sqlite3.connect(
            f"{file.as_uri()}?mode=ro", uri=True, timeout=WAIT, isolation_level=None, check_same_thread=False
        )
        with closing(connection):
            connection.execute("BEGIN")
            yield connection
    except sqlite3.Error as error:
        raise LogError(explained(file, error)) from error


class Snapshot:
    """One moment of the journal."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        # This first read is what fixes the moment.
        found = connection.execute("SELECT id, text FROM shapes WHERE id IN (SELECT shape FROM entries)")
        self.shapes = {int(id_): read_shape(text) for id_, text in found}
        """What its entries have in common."""

    def of_request(self, request: str) -> Iterator[Stored]:
        """Entries of a request: one, and one more for each version that was asked in the shadow."""
        yield from map(stored, self._connection.execute(f"{SELECT} WHERE request = ?", (request,)))

    def entries(self, model: str, since: float = -math.inf, until: float = math.inf) -> Iterator[Stored]:
        """Entries of a model that came from `since` to before `until`, in order."""
        where = f"{self._of(model)} AND came >= ? AND came < ? ORDER BY sequence"
        yield from map(stored, self._connection.execute(f"{SELECT} WHERE {where}", (since, until)))

    def newest(self, model: str, most: int) -> Iterator[Stored]:
        """The last `most` entries of a model, the newest first."""
        query = f"{SELECT} WHERE {self._of(model)} ORDER BY sequence DESC LIMIT ?"
        yield from map(stored, self._connection.execute(query, (most,)))

    def days(self, model: str) -> set[date]:
        """UTC days on which a model's entries came."""
        query = "SELECT DISTINCT CAST(came / 86400 AS INTEGER) FROM entries WHERE "
        found = self._connection.execute(query + self._of(model))
        return {date(1970, 1, 1) + timedelta(day) for (day,) in found}

    def rows(self) -> dict[str, int]:
        """How many predictions there are of each model."""
        found: dict[str, int] = {}
        for shape, rows in self._connection.execute("SELECT shape, sum(rows) FROM entries GROUP BY shape"):
            model = self.shapes[shape].model
            found[model] = found.get(model, 0) + int(rows)
        return found

    def _of(self, model: str) -> str:
        return (
            f"shape IN ({','.join(str(id_) for id_, shape in self.shapes.items() if shape.model == model)})"
        )


def stored(row: tuple[int, str, float, int, str, bytes]) -> Stored:
    """A row of SELECT."""
    sequence, shape, came, rows, request, body = row
    return Stored(sequence, read_shape(shape), came, rows, request, body)


def explained(file: Path, error: Exception) -> str:
    """What is said of a database that cannot be used."""
    hint = ""
    if "full" in str(error) or "I/O error" in str(error):
        hint = "; is the disk full? What was logged before is there, what was being written is not"
    return f"the prediction log '{file}' cannot be used: {error}{hint}"
