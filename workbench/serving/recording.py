"""Answers on record before they are given: one thread writes what has come while the last write went on.

Each write is one transaction for all of it, so its cost is shared (group commit), and the next answers are calculated
meanwhile. An answer that cannot be written is not given.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from workbench.errors import WorkbenchError
from workbench.prediction_log.entries import Logged
from workbench.serving.lane import Bounds, Lane

log = logging.getLogger(__name__)

MOST_ENTRIES = 4096
"""In one transaction."""


class Log(Protocol):
    """Where answers are put on record; `prediction_log.PredictionLog` is it."""

    def append(self, entries: Sequence[Logged]) -> None: ...

    @property
    def alert(self) -> str:
        """What somebody should look at; '' when all is well."""

    def close(self) -> None: ...


@dataclass(frozen=True)
class Batch:
    """What belongs on record together, and whom to tell when it is there, or why it is not."""

    entries: Sequence[Logged]
    then: Callable[[str], None]
    """Called in the recorder's thread: '' when the entries are on record, else why they are not."""

    @property
    def rows(self) -> int:
        """What the lane counts: entries."""
        return len(self.entries)


class Recorder:
    """The one that writes to the log of this process."""

    def __init__(self, log: Log, *, durable: bool, most_waiting: int = 100_000) -> None:
        self._log, self._durable, self._most_waiting = log, durable, most_waiting
        bounds = Bounds(rows=MOST_ENTRIES, questions=MOST_ENTRIES)
        self._lane: Lane[Batch] = Lane("recording", self._put_on_record, bounds)
        self.trouble = ""
        """Why the last write failed; '' when it did not."""
        self.lost = 0
        """Entries that were answered and are not on record; only where answers do not wait for the log."""

    def start(self) -> None:
        self._lane.start()

    def stop(self) -> None:
        """Write what is there, then end."""
        self._lane.stop()

    @property
    def alive(self) -> bool:
        return self._lane.alive

    def record(self, entries: Sequence[Logged], then: Callable[[str], None]) -> None:
        """Have entries written; `then` is called when they are, or at once where answers do not wait."""
        if self._durable:
            self._lane.put(Batch(entries, then))
            return
        then("")
        self.note(entries)

    def note(self, entries: Sequence[Logged]) -> None:
        """Have entries written that nobody waits for. They are lost, and counted, when too much waits already."""
        if self._lane.waiting > self._most_waiting:
            self.lost += len(entries)
            return
        self._lane.put(Batch(entries, lambda trouble: self._lose(trouble, len(entries))))

    def _lose(self, trouble: str, count: int) -> None:
        if trouble:
            self.lost += count

    def _put_on_record(self, batches: Sequence[Batch]) -> None:
        self.trouble = self._write([entry for batch in batches for entry in batch.entries])
        for batch in batches:
            batch.then(self.trouble)

    def _write(self, entries: Sequence[Logged]) -> str:
        if not entries:
            return self.trouble
        try:
            self._log.append(entries)
        except WorkbenchError as error:
            if not self.trouble:
                log.error("answers cannot be put on record: %s", error)
            return str(error)
        except (
            Exception
        ) as error:  # whatever the log does, this thread goes on: without it nothing is answered
            log.exception("answers cannot be put on record")
            return f"{type(error).__name__}: {error}"
        if self.trouble:
            log.warning("answers are put on record again")
        return ""
