"""What the log has of each model, without reading its rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from workbench.prediction_log.places import LogFile, current, day_folder, days, files_in, models
from workbench.prediction_log.snapshot import snapshot
from workbench.settings import Project


@dataclass(frozen=True)
class Kept:
    """The predictions of one model."""

    model: str
    predictions: int
    """In files."""
    waiting: int
    """In the journal; some of them may be in a file already."""
    outcomes: int
    """Labels that came, also those that were replaced."""
    first: date | None
    last: date | None
    """UTC days that have any."""
    files: int
    size: int
    """Bytes of the files."""

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "first": _iso(self.first), "last": _iso(self.last)}


def overview(project: Project) -> list[Kept]:
    """What there is of every model, by name. Raises LogError."""
    with snapshot(project) as journal:
        waiting = journal.rows() if journal else {}
        journal_days = {model: journal.days(model) for model in waiting} if journal else {}
    found = []
    for model in sorted({*models(project), *waiting}):
        known = days(project, model)
        files = [file for day in known for file in files_in(day_folder(project, model, day))]
        there = sorted({*known, *journal_days.get(model, ())})
        found.append(Kept(
            model, _rows(current(files, "predictions", "batch")), waiting.get(model, 0),
            _rows(current(files, "outcomes")), there[0] if there else None, there[-1] if there else None, len(files),
            sum(file.path.stat().st_size for file in files),
        ))  # fmt: skip
    return found


def outcomes_came(project: Project, model: str, first: date | None = None, last: date | None = None) -> float:
    """When outcomes came last for predictions of these days (UTC, both included): seconds since the epoch; 0 for none."""
    newest = 0.0
    for day in days(project, model):
        if (first is None or day >= first) and (last is None or day <= last):
            for file in files_in(day_folder(project, model, day)):
                if file.what == "outcomes":
                    newest = max(newest, _changed(file))
    return newest


def _changed(file: LogFile) -> float:
    try:
        return file.path.stat().st_mtime
    except FileNotFoundError:  # merged, or retention was faster
        return 0.0


def on_record(project: Project) -> set[str]:
    """Names of the models that there may be predictions of."""
    with snapshot(project) as journal:
        waiting = {shape.model for shape in journal.shapes.values()} if journal else set()
    return {*models(project), *waiting}


def _rows(files: list[LogFile]) -> int:
    import pyarrow.parquet as pq

    return sum(int(pq.read_metadata(file.path).num_rows) for file in files)


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
