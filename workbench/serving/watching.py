"""What the audit trail says should serve: looked at again and again, at almost no cost while nothing changes.

The markers beside the store say in microseconds that something may have moved; the trail decides. When the trail cannot be
read, or no longer holds what it said before, nothing is believed and whoever serves goes on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench import ledger_trail
from workbench.challengers import challengers_file
from workbench.champions import Champion, champion_file, champion_marker
from workbench.errors import LedgerError
from workbench.ledger import Ledger
from workbench.ledger_schema import database_file
from workbench.settings import Project
from workbench.trail import Entry, standing


@dataclass(frozen=True)
class Wanted:
    """Who should answer for a model, and the audit entries that say so."""

    champion: int | None
    made_by: Entry | None
    """What closed the move that made it champion."""
    canary: Entry | None = None
    share: float = 0.0
    """Of the requests that the canary answers, 0 to 1."""
    shadow: Entry | None = None
    taken_back: Entry | None = None
    """What a server said of the last canary."""


class Watch:
    """The trail of some models, as one process sees it. Not to be used by two threads at once."""

    def __init__(self, project: Project, models: Sequence[str]) -> None:
        self._project, self._models = project, tuple(models)
        self._ledger: Ledger | None = None
        self._file: tuple[int, int] | None = None
        self._newest: tuple[int, str] | None = None  # of an empty trail as well
        self._said: Mapping[str, Wanted] = {}

    def signs(self) -> tuple[bytes | None, ...]:
        """What the markers hold: something may have moved when it is not what it was."""
        files = (
            file(self._project, model) for model in self._models for file in (champion_file, challengers_file)
        )
        return tuple(_content(file) for file in files)

    def look(self) -> Mapping[str, Wanted]:
        """By model. Raises LedgerError when the trail is away, or is another one than before."""
        ledger = self.ledger()
        newest = ledger_trail.newest(ledger)
        if not self._said or newest != self._newest:
            self._said = self._read(ledger)
            self._newest = newest
        return self._said

    def _read(self, ledger: Ledger) -> dict[str, Wanted]:
        found = {}
        for model in self._models:
            entries = ledger_trail.entries(ledger, model)
            before = self._said.get(model)
            known = before.made_by if before else champion_marker(self._project, model)
            if known is not None:
                _refuse_another(model, known, entries)
            now = standing(model, entries)
            found[model] = Wanted(
                champion=now.champion,
                made_by=now.closed_by if now.champion is not None else None,
                canary=now.canary,
                share=now.share,
                shadow=now.shadow,
                taken_back=now.taken_back,
            )
        return found

    def ledger(self) -> Ledger:
        """The ledger, opened again when its file is another one. Raises LedgerError; a missing one is not made."""
        file = database_file(self._project.ledger_url)
        if file is None:
            self._ledger = self._ledger or Ledger.open(self._project)
            return self._ledger
        try:
            stat = file.stat()
        except OSError as error:
            self.close()
            raise LedgerError(f"the ledger '{file}' cannot be read ({error.strerror})") from error
        if self._ledger is None or self._file != (stat.st_dev, stat.st_ino):
            self.close()
            self._ledger = Ledger.open(self._project)
            self._file = (stat.st_dev, stat.st_ino)
        return self._ledger

    def close(self) -> None:
        if self._ledger is not None:
            self._ledger.close()
        self._ledger = None


def _refuse_another(model: str, known: Entry | Champion, entries: Sequence[Entry]) -> None:
    """A trail that does not hold what it held was cut, or put in the place of the one that was there."""
    if not any((entry.sequence, entry.hash) == (known.sequence, known.hash) for entry in entries):
        raise LedgerError(
            f"the audit trail does not hold entry {known.sequence} any more, which made version {known.version} of "
            f"'{model}' champion: it was cut or replaced, and nothing that it says is followed"
        )


def _content(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except OSError:
        return None
