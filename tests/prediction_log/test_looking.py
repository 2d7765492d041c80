"""A few rows to look at: the right ones, and without reading the rest."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.logged import BY_FLIGHT, DAY, MODEL, NOON, entry
from workbench.prediction_log import looking
from workbench.prediction_log.compaction import compact
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.looking import Wanted, look
from workbench.prediction_log.outcomes import add_outcomes
from workbench.settings import Project

FIRST = datetime(2026, 3, 2, tzinfo=UTC)


def log(project: Project, *numbers: int, **more: Any) -> None:
    with PredictionLog.open(project) as opened:
        opened.append([entry(each, came=NOON + each * DAY, rows=3, **more) for each in numbers])


def test_rows_of_a_stretch_from_files_and_the_journal(project: Project) -> None:
    log(project, 0, 1, 2)
    compact(project)
    log(project, 3)
    log(project, 3, kind="shadow", version=2)
    found = look(project, MODEL, Wanted(FIRST + timedelta(1), FIRST + timedelta(2)), 10)
    assert found is not None
    assert found.column("key_flight").to_pylist() == ["1000", "1001", "1002"]
    newest = look(project, MODEL, Wanted(kinds=("champion",)), 5)
    assert newest is not None
    assert newest.column("key_flight").to_pylist() == ["3000", "3001", "3002", "2001", "2002"]
    only = look(project, MODEL, Wanted(version=2), 5)
    assert only is not None
    assert set(only.column("kind").to_pylist()) == {"shadow"}
    assert look(project, MODEL, Wanted(version=9), 5) is None
    assert look(project, "nobody", Wanted(), 5) is None


def test_rows_by_the_day_that_a_key_says(project: Project) -> None:
    log(project, 0, keys={"date": ["2013-04-01", "2013-04-02", "2013-04-03"], "flight": [1, 2, 3]})
    wanted = Wanted(datetime(2013, 4, 2, tzinfo=UTC), datetime(2013, 4, 3, tzinfo=UTC), "date")
    for _ in range(2):
        found = look(project, MODEL, wanted, 10)
        assert found is not None
        assert found.column("key_flight").to_pylist() == ["2"]
        compact(project)  # the same from a file
    assert look(project, MODEL, Wanted(day="nothing", since=FIRST), 10) is None


def test_each_row_has_the_outcome_that_came_last(project: Project) -> None:
    log(project, 0)
    compact(project)
    for late in ([1, 0], [0, 0]):
        told = {"date": ["2026-03-02"] * 2, "flight": [0, 1], "late": late}
        add_outcomes(project, MODEL, told, labelling=BY_FLIGHT)
    found = look(project, MODEL, Wanted(), 10)
    assert found is not None
    assert found.column("outcome").to_pylist() == ["0", "0", None]


def test_only_groups_that_may_have_such_rows_are_opened(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(project, *range(6))
    compact(project)
    opened: list[int] = []
    read = pq.ParquetFile.read_row_group

    def counted(self: pq.ParquetFile, group: int, columns: Any = None) -> Any:
        opened.append(group)
        return read(self, group, columns)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", counted)
    assert look(project, MODEL, Wanted(FIRST, FIRST + timedelta(1)), 10) is not None
    assert len(opened) == 1
    assert look(project, MODEL, Wanted(version=2), 10) is None
    assert len(opened) == 1
    monkeypatch.setattr(looking, "GROUPS", 2)
    newest = look(project, MODEL, Wanted(), 100)
    assert newest is not None
    assert (newest.num_rows, len(opened)) == (6, 3)
