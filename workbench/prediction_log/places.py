"""Where the prediction log is, and which file holds what.

    .workbench/predictions/
      journal.db                                    what was answered last, not in a Parquet file yet
      flight-delay/2026-03-02/
        000000000101-000000000350.parquet           the journal's entries 101 to 350, those of this model and day
        batch-3f…a9.parquet                         one part of batch scoring
        outcomes-000000000351-000000000351.parquet  what became of predictions of this day

Days are UTC. Spans of one folder are apart from each other or inside each other: a file whose span is inside another's
was merged into that one, and counts no more. A file is there when it is whole.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Literal

from workbench.settings import Project

FOLDER = "predictions"
What = Literal["predictions", "batch", "outcomes"]

_SPAN = re.compile(r"(outcomes-)?(\d{12})-(\d{12})\.parquet")
_BATCH = re.compile(r"batch-([0-9a-f]{32})\.parquet")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, order=True)
class Span:
    """Sequence numbers of the journal, both ends included."""

    first: int
    last: int

    def __contains__(self, sequence: int) -> bool:
        return self.first <= sequence <= self.last

    def includes(self, other: Span) -> bool:
        return self.first <= other.first and other.last <= self.last


@dataclass(frozen=True)
class LogFile:
    """A Parquet file of the log."""

    path: Path
    what: What
    span: Span | None
    """None for a batch."""


def log_folder(project: Project) -> Path:
    return project.state / FOLDER


def model_folder(project: Project, model: str) -> Path:
    return log_folder(project) / model


def day_folder(project: Project, model: str, day: date) -> Path:
    return model_folder(project, model) / day.isoformat()


def day_of(moment: float) -> date:
    """The UTC day of a moment in seconds since the epoch."""
    return datetime.fromtimestamp(moment, UTC).date()


def span_name(span: Span, what: What = "predictions") -> str:
    before = "outcomes-" if what == "outcomes" else ""
    return f"{before}{span.first:012}-{span.last:012}.parquet"


def batch_name(request: str) -> str:
    return f"batch-{request}.parquet"


def models(project: Project) -> list[str]:
    """Names of the models that have files in the log."""
    folder = log_folder(project)
    return sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []


def days(project: Project, model: str) -> list[date]:
    """Days of which the log has files of this model, in order."""
    folder = model_folder(project, model)
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(date.fromisoformat(name) for name in names if _DAY.fullmatch(name))


def files_in(folder: Path) -> list[LogFile]:
    """Every file of a day, also those that were merged into others, in the order of their spans."""
    try:
        found = [each for path in folder.iterdir() if (each := _log_file(path))]
    except FileNotFoundError:  # retention was faster
        return []
    return sorted(found, key=lambda each: (each.what, each.span or Span(0, 0), each.path.name))


def current(files: Sequence[LogFile], *what: What) -> list[LogFile]:
    """Those of these kinds that count: the ones that were not merged into another."""
    chosen = [each for each in files if each.what in what]
    return [each for each in chosen if not merged_into(each, chosen)]


def merged_into(file: LogFile, files: Iterable[LogFile]) -> list[LogFile]:
    """Those of these files that hold all that this one does, and more."""
    span = file.span
    if span is None:
        return []
    larger = (each for each in files if each.what == file.what and each.span != span)
    return [each for each in larger if each.span and each.span.includes(span)]


def spans(files: Iterable[LogFile]) -> list[Span]:
    return [each.span for each in files if each.what == "predictions" and each.span]


def last_sequence(project: Project) -> int:
    """The highest sequence number in any file's name: a new journal must go on behind it."""
    found = (file.span.last for _, _, files in all_days(project) for file in files if file.span)
    return max(found, default=0)


def all_days(project: Project) -> Iterator[tuple[str, date, list[LogFile]]]:
    for model in models(project):
        for day in days(project, model):
            yield model, day, files_in(day_folder(project, model, day))


def made_on(request: str) -> date | None:
    """The day that a request says it was made on: a UUID of version 7 begins with its milliseconds."""
    if request[12] != "7":
        return None
    try:
        return day_of(int(request[:12], 16) / 1000)
    except (ValueError, OverflowError, OSError):  # some other number of that form
        return None


def near(known: Iterable[date], made: date | None) -> list[date]:
    """Days on which a request may have come that was made on this one: clocks may differ a little at midnight."""
    return [day for day in known if made is not None and abs(day - made) <= timedelta(1)]


def find_batch(project: Project, model: str, request: str) -> Path | None:
    """The file of a part of batch scoring, whatever day it was scored."""
    return next(iter(model_folder(project, model).glob(f"*/{batch_name(request)}")), None)


def _log_file(path: Path) -> LogFile | None:
    if match := _SPAN.fullmatch(path.name):
        what: What = "outcomes" if match[1] else "predictions"
        return LogFile(path, what, Span(int(match[2]), int(match[3])))
    return LogFile(path, "batch", None) if _BATCH.fullmatch(path.name) else None
