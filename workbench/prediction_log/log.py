"""What a server writes to."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.prediction_log.entries import Logged
from workbench.prediction_log.journal import Journal
from workbench.settings import Project


class PredictionLog:
    """The prediction log of one project, open for writing. Threads share one, processes have one each."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    @classmethod
    def open(cls, project: Project) -> PredictionLog:
        """Cheap: the file itself is opened, or made, at the first `append`."""
        return cls(Journal(project, durable=project.predictions.durability == "durable"))

    def append(self, entries: Sequence[Logged]) -> None:
        """Write entries in one transaction: all of them or none, and on disk when this returns.

        With the setting `predictions.durability = "async"` they are with the operating system then: they survive the end
        of any process, and not that of the machine. A broken journal is set aside and a new one begun; `alert` says so.
        Raises LogError (disk full, no right to write), ValueError for columns that have not as many values as rows.
        """
        if entries:
            self._journal.append(entries)

    @property
    def alert(self) -> str:
        """What a person should look at; empty when all is well."""
        return self._journal.alert

    def close(self) -> None:
        self._journal.close()

    def __enter__(self) -> PredictionLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
