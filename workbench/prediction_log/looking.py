"""A few rows of the log to look at, without reading it: of a stretch of time, or the newest.

Files are looked into from the newest day backwards, one row group at a time, and only into groups whose least and greatest
values, which Parquet keeps, say that they may hold such rows. It ends when there are enough, or GROUPS were opened: a page
takes the same time whether the log has ten thousand rows or ten million.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

from workbench.errors import LogError
from workbench.prediction_log.encoding import Stored
from workbench.prediction_log.joining import outcomes_of
from workbench.prediction_log.places import LogFile, Span, current, day_folder, day_of, days, files_in, spans
from workbench.prediction_log.snapshot import snapshot
from workbench.prediction_log.tables import INPUT, KEY, conformed, table_of, unified
from workbench.settings import Project

if TYPE_CHECKING:
    import pyarrow as pa

GROUPS = 6
"""Row groups that are opened at most: 131,072 rows each."""
ENTRIES = 2_000
"""The journal's newest entries that are looked at."""
OUTCOME = "outcome"


@dataclass(frozen=True)
class Wanted:
    """Which rows."""

    since: datetime | None = None
    until: datetime | None = None
    """Not included; UTC."""
    day: str | None = None
    """The key by which a row belongs to a day, as monitors have it; None: when it came."""
    version: int | None = None
    kinds: tuple[str, ...] = ()
    """None of them: all."""

    @property
    def column(self) -> str:
        return "came" if self.day is None else f"{KEY}{self.day}"

    @property
    def bounds(self) -> tuple[Any, Any]:
        """Of that column; a key is a text."""
        ends = (self.since, self.until)
        return ends if self.day is None else tuple(each and each.date().isoformat() for each in ends)  # type: ignore[return-value]

    def has_day(self, day: date) -> bool:
        """Whether a day's folder may have any."""
        if self.day is not None:
            return True
        return (self.since is None or self.since.date() <= day) and (
            self.until is None or day <= self.until.date()
        )


def look(
    project: Project, model: str, wanted: Wanted, rows: int, columns: Sequence[str] | None = None
) -> pa.Table | None:
    """At most `rows` of a model's predictions, the newest days first, with `outcome` where one has come.

    With `columns` only these are read (of the log's own, see tables), and no outcomes. None where none was found. Raises
    LogError.
    """
    import pyarrow as pa

    found: list[pa.Table] = []
    left = rows
    for day, table in _tables(project, model, wanted, columns):
        chosen = _inside(table, wanted)
        if not chosen.num_rows:
            continue
        chosen = chosen.slice(max(0, chosen.num_rows - left))
        found.append(chosen.select(columns) if columns else _told(project, model, day, chosen))
        left -= chosen.num_rows
        if left <= 0:
            break
    if not found:
        return None
    schema = found[0].schema if columns else unified([each.schema for each in found])
    return pa.concat_tables([conformed(each.combine_chunks(), schema) for each in found])


def most_wrong(table: pa.Table, rows: int) -> pa.Table:
    """Rows of `look` with an outcome of 0 or 1, those first that were least expected; at most so many."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    known = table.filter(pc.is_in(table.column(OUTCOME), pa.array(["0", "1"])))
    late = pc.equal(known.column(OUTCOME), "1").to_numpy()
    said = known.column("probability").to_numpy()
    return known.take(np.argsort(np.where(late, said, 1 - said), kind="stable")[:rows])


def readable(table: pa.Table) -> pa.Table:
    """Rows of `look` as people read them: what came of each first, then what identifies it, then what was given.

    An id stands for its parts; prefixes are left out where that is clear, and columns without any value altogether.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    rows = table.column("row").cast(pa.string())
    table = table.append_column("id", pc.binary_join_element_wise(table.column("request"), rows, "-"))
    first = [OUTCOME, "probability", "came", "id"]
    others = [name for name in table.schema.names if name.startswith((KEY, INPUT))]
    names = [name for name in (*first, *others) if table.column(name).null_count < table.num_rows]
    short = [name.removeprefix(KEY).removeprefix(INPUT) for name in names]
    shown = [name if short.count(bare) > 1 else bare for name, bare in zip(names, short, strict=True)]
    return table.select(names).rename_columns(shown)


def _tables(
    project: Project, model: str, wanted: Wanted, columns: Sequence[str] | None
) -> Iterator[tuple[date, pa.Table]]:
    """The journal is looked at first, as elsewhere: what is moved meanwhile is in a file then, whose name says so."""
    with snapshot(project) as journal:
        entries = list(journal.newest(model, ENTRIES)) if journal else []
    files = {
        day: current(files_in(day_folder(project, model, day)), "predictions", "batch")
        for day in sorted(days(project, model), reverse=True)
        if wanted.has_day(day)
    }
    yield from _waiting(entries, {day: spans(found) for day, found in files.items()})
    opened = 0
    for day, found in files.items():
        for file in reversed(found):
            for table in _groups(file, wanted, columns):
                yield day, table
                opened += 1
                if opened >= GROUPS:
                    return


def _waiting(
    entries: Iterable[Stored], held: Mapping[date, Sequence[Span]]
) -> Iterator[tuple[date, pa.Table]]:
    """Entries of the journal that no file holds, the newest day first."""
    by_day: dict[date, list[Stored]] = {}
    for each in entries:
        day = day_of(each.came)
        if not any(each.sequence in span for span in held.get(day, ())):
            by_day.setdefault(day, []).append(each)
    for day in sorted(by_day, reverse=True):
        yield day, table_of(sorted(by_day[day], key=lambda each: each.sequence))


def _groups(file: LogFile, wanted: Wanted, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    """Row groups that may have such rows, the last first."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(file.path) as opened:
            for group in reversed(range(opened.metadata.num_row_groups)):
                if _may_have(opened.metadata.row_group(group), opened.schema.names, wanted):
                    needed = columns and [*columns, "version", "kind", wanted.column]
                    yield opened.read_row_group(group, needed)
    except FileNotFoundError:  # retention was faster
        return
    except (OSError, pa.ArrowException) as error:
        raise LogError(f"'{file.path}' of the prediction log cannot be read: {error}") from error


def _may_have(group: Any, names: Sequence[str], wanted: Wanted) -> bool:
    low, high = wanted.bounds
    limits = {wanted.column: (low, high), "version": (wanted.version, wanted.version)}
    for name, (least, most) in limits.items():
        if name not in names:
            return False
        known = group.column(names.index(name)).statistics
        if known is None or not known.has_min_max:
            continue
        beyond = most is not None and (known.min >= most if name != "version" else known.min > most)
        if beyond or (least is not None and known.max < least):
            return False
    return True


def _inside(table: pa.Table, wanted: Wanted) -> pa.Table:
    import pyarrow as pa
    import pyarrow.compute as pc

    if wanted.column not in table.schema.names:  # of a version without that key
        return table.slice(0, 0)
    parts = []
    column = table.column(wanted.column)
    if wanted.day is not None:
        column = column.cast(pa.string())
    for bound, compared in zip(wanted.bounds, (pc.greater_equal, pc.less), strict=True):
        if bound is not None:
            value = bound if wanted.day else pa.scalar(bound.astimezone(UTC), pa.timestamp("us", "UTC"))
            parts.append(compared(column, value))
    if wanted.version is not None:
        parts.append(pc.equal(table.column("version"), wanted.version))
    if wanted.kinds:
        parts.append(pc.is_in(table.column("kind").cast(pa.string()), pa.array(wanted.kinds)))
    for part in parts[1:]:
        parts[0] = pc.and_(parts[0], part)
    return table.filter(parts[0]) if parts else table


def _told(project: Project, model: str, day: date, table: pa.Table) -> pa.Table:
    """The same with the newest outcome of each, as text; null while none came."""
    import pyarrow as pa
    import pyarrow.compute as pc

    requests, rows = (table.column(name).combine_chunks() for name in ("request", "row"))
    mine = pc.field("request").isin(requests.unique()) & pc.field("row").isin(rows.unique())
    label, _ = outcomes_of(day_folder(project, model, day), mine).of(requests, rows)
    return table.append_column(OUTCOME, label.cast(pa.string()))
