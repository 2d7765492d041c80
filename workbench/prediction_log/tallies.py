"""What the log's rows do not say: requests that were refused or failed, and rows that batch scoring set aside.

    MODEL/2026-03-02/requests-71-4f….jsonl    a worker of a server: minute, status and reason, how many requests
    MODEL/2026-03-02/batch-….parquet          its metadata say how many rows were set aside for which rule

A row is in the log when it was answered, so shares of errors and of broken rules need these. A worker writes every
FLUSH_SECONDS and when it ends; one that is killed takes what it counted since along, and nothing else.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from workbench.errors import LogError
from workbench.prediction_log.places import day_folder, day_of, days, files_in
from workbench.prediction_log.tables import KEY
from workbench.settings import Project

FLUSH_SECONDS = 10.0
MINUTE = 60
MOST_RULES = 50
"""Different rules of one line; beyond, they are not told apart."""
OTHERS = "…"
TAIL = 512_000
"""Bytes at the end of a worker's file that are read to see what happened lately."""
SET_ASIDE = b"workbench.set_aside"
"""Key of the metadata of a batch's file: JSON, rows by rule."""


@dataclass(frozen=True)
class Requests:
    """Requests of one model in a stretch of time. Those that were turned away before a model was known are not in it."""

    total: int = 0
    statuses: Mapping[int, int] = field(default_factory=dict)
    reasons: Mapping[str, int] = field(default_factory=dict)
    """Of those that were refused or failed."""
    rules: Mapping[str, int] = field(default_factory=dict)
    """Requests that were refused for breaking the contract, by rule; one may break several."""

    @property
    def errors(self) -> int:
        """Failures of the server: status 500 and above."""
        return sum(count for status, count in self.statuses.items() if status >= 500)


class Tally:
    """Counts of one worker. Not safe to use from several threads."""

    def __init__(self, project: Project, clock: Callable[[], float] = time.time) -> None:
        self._project, self._clock = project, clock
        self._name = f"requests-{os.getpid()}-{int(clock() * 1000):x}.jsonl"
        self._waiting: dict[tuple[str, int, int, str], tuple[int, Counter[str]]] = {}

    def count(self, model: str, status: int, reason: str = "", rules: Iterable[str] = ()) -> bool:
        """One request. True when it is the first since the last `flush`, which somebody has to call then."""
        first = not self._waiting
        key = model, int(self._clock() // MINUTE) * MINUTE, status, reason
        known, broken = self._waiting.get(key, (0, Counter()))
        for rule in rules:
            broken[rule if rule in broken or len(broken) < MOST_RULES else OTHERS] += 1
        self._waiting[key] = known + 1, broken
        return first

    def flush(self) -> None:
        """Write what was counted. Raises LogError; what could not be written is written the next time."""
        waiting = self._waiting
        for key in list(waiting):
            model, minute, status, reason = key
            requests, broken = waiting[key]
            line = {
                "minute": minute,
                "status": status,
                "reason": reason,
                "requests": requests,
                "rules": broken,
            }
            file = day_folder(self._project, model, day_of(minute)) / self._name
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("a") as out:
                    out.write(json.dumps(line) + "\n")
            except OSError as error:
                raise LogError(f"the prediction log cannot write '{file}': {error.strerror}") from error
            del waiting[key]


def requests(project: Project, model: str, since: float, until: float) -> Requests:
    """What was counted in the minutes that began from `since` up to, not including, `until` (seconds since the epoch)."""
    total = 0
    statuses: Counter[int] = Counter()
    reasons: Counter[str] = Counter()
    rules: Counter[str] = Counter()
    for line in _lines(project, model, since, until):
        total += line["requests"]
        statuses[line["status"]] += line["requests"]
        if line["reason"]:
            reasons[line["reason"]] += line["requests"]
        rules.update(line["rules"])
    return Requests(total, statuses, reasons, rules)


def minutes(project: Project, model: str, since: float) -> dict[int, Counter[int]]:
    """Requests by the minute that they came in (seconds since the epoch) and by status, of the minutes since then.

    Of each worker's file only the last TAIL bytes are read, some hours of a busy one: enough for who looks at now.
    """
    found: dict[int, Counter[int]] = {}
    for day in days(project, model):
        if day < day_of(since):
            continue
        for file in day_folder(project, model, day).glob("requests-*.jsonl"):
            for line in _parsed(_tail(file)):
                if line["minute"] >= since:
                    found.setdefault(line["minute"], Counter())[line["status"]] += line["requests"]
    return found


def _tail(file: Path) -> str:
    """The last lines of a file, from a whole one on."""
    try:
        with file.open("rb") as opened:
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(0, size - TAIL))
            text = opened.read().decode(errors="replace")
    except FileNotFoundError:  # retention was faster
        return ""
    except OSError as error:
        raise LogError(f"'{file}' of the prediction log cannot be read: {error.strerror}") from error
    return text if size <= TAIL else text.partition("\n")[2]


def _lines(project: Project, model: str, since: float, until: float) -> Iterator[dict[str, Any]]:
    for day in days(project, model):
        if math.isfinite(since) and not day_of(since) <= day <= day_of(until):
            continue
        for file in sorted(day_folder(project, model, day).glob("requests-*.jsonl")):
            yield from (line for line in _parsed(_text(file)) if since <= line["minute"] < until)


def _parsed(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        try:
            yield json.loads(line)
        except ValueError:  # a worker was killed while it wrote
            continue


def _text(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:  # retention was faster
        return ""
    except OSError as error:
        raise LogError(f"'{file}' of the prediction log cannot be read: {error.strerror}") from error


@dataclass(frozen=True)
class Aside:
    """Rows that batch scoring has read for parts of the log, and those of them that it did not score."""

    read: int = 0
    rules: Mapping[str, int] = field(default_factory=dict)
    """Rows set aside, by the first rule that each breaks."""


def set_aside(
    project: Project, model: str, version: int, since: datetime, until: datetime, day: str | None = None
) -> Aside:
    """What was set aside of the files that have rows of the window: scored in it, or with `day` of days in it.

    A file counts as a whole: shares of a month that was scored at once are those of each of its weeks. Raises LogError.
    """
    read, rules = 0, Counter[str]()
    for on in days(project, model):
        if day is None and not since.date() <= on <= until.date():
            continue
        for file in files_in(day_folder(project, model, on)):
            if file.what == "batch" and (known := _metadata(file.path)) is not None:
                if not _has(known, version, since, until, day):
                    continue
                aside = json.loads((known.metadata or {}).get(SET_ASIDE, b"{}"))
                read += known.num_rows + sum(aside.values())
                rules.update(aside)
    return Aside(read, rules)


def _metadata(file: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(file)
    except FileNotFoundError:  # retention was faster
        return None
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"'{file}' of the prediction log cannot be read: {error}") from error


def _has(known: Any, version: int, since: datetime, until: datetime, day: str | None) -> bool:
    """Whether a file may have rows of the window, by the least and greatest values that Parquet keeps."""
    name = "came" if day is None else f"{KEY}{day}"
    low, high = (since, until) if day is None else (since.date().isoformat(), until.date().isoformat())
    for group in range(known.num_row_groups):
        columns = {
            column.path_in_schema: column.statistics
            for column in map(known.row_group(group).column, range(known.num_columns))
        }
        found, of = columns.get(name), columns.get("version")
        if found is None or of is None or not (found.has_min_max and of.has_min_max):
            continue
        if of.min <= version <= of.max and found.max >= low and found.min < high:
            return True
    return False
