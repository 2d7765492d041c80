"""The journal: on disk when it says so, by many processes at once, and never less than it was."""

from __future__ import annotations

import math
import multiprocessing
import sqlite3
import threading
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.logged import MODEL, NOON, entry, ids
from workbench.errors import BadInput, LogError
from workbench.prediction_log.compaction import compact
from workbench.prediction_log.encoding import Stored, encode
from workbench.prediction_log.journal import broken_journals
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.places import log_folder
from workbench.prediction_log.reading import read
from workbench.prediction_log.snapshot import FILE, snapshot
from workbench.prediction_log.tables import table_of
from workbench.settings import Project


def logged_ids(project: Project, model: str = MODEL) -> list[str]:
    found: list[str] = read(project, model, columns=["id"]).read_all()["id"].to_pylist()
    return found


def back(**columns: Any) -> dict[str, list[Any]]:
    """What is read of inputs that were written."""
    rows = len(next(iter(columns.values())))
    shape, body = encode(entry(rows=rows, inputs=columns))
    table = table_of([Stored(1, shape, NOON, rows, entry().request, body)])
    return {
        name.removeprefix("input_"): table[name].to_pylist()
        for name in table.schema.names
        if name.startswith("input_")
    }


def test_what_was_appended_is_read(project: Project) -> None:
    with PredictionLog.open(project) as log:
        log.append([entry(1, rows=2, caller="ada"), entry(2, kind="shadow", version=3)])
        log.append([])
    first, second, third = read(project, MODEL).read_all().to_pylist()
    assert (first["row"], second["row"], third["row"]) == (0, 1, 0)
    assert second == {
        "request": entry(1).request, "row": 1, "model": MODEL, "version": 1, "digest": "d" * 64, "kind": "champion",
        "came": datetime(2026, 3, 2, 12, tzinfo=UTC), "latency": 0.004, "caller": "ada",
        "probability": 1 / 1002.7, "key_date": "2026-03-02", "key_flight": "1001", "input_x": 1001 / 3, "input_k": "ä",
    }  # fmt: skip
    assert (third["kind"], third["version"], third["caller"]) == ("shadow", 3, None)
    assert logged_ids(project) == ids(entry(1, rows=2), entry(2))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(allow_nan=True, allow_infinity=False), min_size=1, max_size=5))
def test_numbers_are_read_back_bit_for_bit(values: list[float]) -> None:
    (found,) = back(x=np.array(values)).values()
    expected = [None if math.isnan(each) else each.hex() for each in values]
    assert [None if each is None else each.hex() for each in found] == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([1, 2], dtype=np.int8), [1.0, 2.0]),
        ([1, None], [1.0, None]),
        ([2**70, 0.5], [float(2**70), 0.5]),
        ([True, None], [True, None]),
        (np.array([True, False]), [True, False]),
        (np.array(["a", None], dtype=object), ["a", None]),
        (np.array(["ü", float("nan")], dtype=object), ["ü", None]),
        ([None, None], [None, None]),
        (["a", 3], ["a", "3"]),
        (np.array(["2026-03-02", "NaT"], dtype="datetime64[us]"), [datetime(2026, 3, 2), None]),
        ([pd.Timestamp("2026-03-02T08:00:00.5"), pd.NaT], [datetime(2026, 3, 2, 8, 0, 0, 500_000), None]),
        ([date(2026, 3, 2), datetime(2026, 3, 2, 8, tzinfo=UTC)], [datetime(2026, 3, 2), datetime(2026, 3, 2, 8)]),
        ([np.float32(0.5), np.int64(3)], [0.5, 3.0]),
    ],
)  # fmt: skip
def test_every_sort_of_column(values: Any, expected: list[Any]) -> None:
    assert back(x=values) == {"x": expected}


def test_what_is_no_request_is_not_written(project: Project) -> None:
    with PredictionLog.open(project) as log:
        with pytest.raises(ValueError, match="'x' has 2 values in a request of 3 rows"):
            log.append([entry(1), entry(2, rows=3, inputs={"x": [1, 2]})])
        with pytest.raises(BadInput, match="'no-0' is no prediction id"):
            log.append([entry(1, request="no")])
        log.append([entry(3)])
    assert logged_ids(project) == ids(entry(3))


def write_some(root: Path, writer: int, count: int) -> None:
    from workbench.settings import read_project

    with PredictionLog.open(read_project(root)) as log:
        for number in range(count):
            log.append([entry(writer * 1_000 + number), entry(writer * 1_000 + 500 + number, rows=2)])


def test_four_processes_write_while_one_compacts(project: Project) -> None:
    context = multiprocessing.get_context("spawn")
    writers = [context.Process(target=write_some, args=(project.root, each, 25)) for each in range(4)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        compact(project)
    assert [writer.exitcode for writer in writers] == [0, 0, 0, 0]
    numbers = [writer * 1_000 + each for writer in range(4) for each in range(25)]
    expected = ids(*map(entry, numbers), *(entry(500 + each, rows=2) for each in numbers))
    assert sorted(logged_ids(project)) == sorted(expected)
    compact(project)
    assert sorted(logged_ids(project)) == sorted(expected)


def test_threads_share_a_log(project: Project) -> None:
    with PredictionLog.open(project) as log:
        threads = [threading.Thread(target=log.append, args=([entry(number)],)) for number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(logged_ids(project)) == sorted(ids(*map(entry, range(20))))


def test_a_full_disk_is_said_and_nothing_is_lost(project: Project) -> None:
    with PredictionLog.open(project) as log:
        log.append([entry(1)])
        connection = log._journal._open()
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(LogError, match=r"is full; is the disk full\? What was logged before is there"):
            log.append([entry(number, rows=200) for number in range(2, 20)])
        assert logged_ids(project) == ids(entry(1))
        log.append([entry(30)])  # there is room again
    assert logged_ids(project) == ids(entry(1), entry(30))


def test_a_broken_journal_is_set_aside_and_its_numbers_are_not_given_again(project: Project) -> None:
    with PredictionLog.open(project) as log:
        log.append([entry(1), entry(2)])
    compact(project)
    journal = log_folder(project) / FILE
    journal.write_bytes(b"this is no database" * 500)
    with PredictionLog.open(project) as log:
        log.append([entry(3)])
        assert "was broken" in log.alert
        (kept,) = broken_journals(project)
        assert str(kept) in log.alert
        assert kept.read_bytes().startswith(b"this is no database")
    compact(project)
    assert sorted(logged_ids(project)) == sorted(ids(entry(1), entry(2), entry(3)))


def test_who_has_a_broken_journal_open_goes_on_in_the_new_one(project: Project) -> None:
    with PredictionLog.open(project) as first, PredictionLog.open(project) as second:
        first.append([entry(1)])
        second.append([entry(2)])
        compact(project)
        journal = log_folder(project) / FILE
        with journal.open("r+b") as file:
            file.write(b"\0" * 4096)
        third = PredictionLog.open(project)
        third.append([entry(3)])
        first.append([entry(4)])
        second.append([entry(5)])
        third.close()
    assert len(broken_journals(project)) == 1
    assert sorted(logged_ids(project)) == sorted(ids(*map(entry, range(1, 6))))


def test_a_deleted_journal_goes_on_behind_the_files(project: Project) -> None:
    with PredictionLog.open(project) as log:
        log.append([entry(1), entry(2)])
        compact(project)
        for file in log_folder(project).glob(f"{FILE}*"):
            file.unlink()
        log.append([entry(3)])
    compact(project)
    assert sorted(logged_ids(project)) == sorted(ids(entry(1), entry(2), entry(3)))


def test_a_journal_of_a_newer_version_is_left_alone(project: Project) -> None:
    with PredictionLog.open(project) as log:
        log.append([entry(1)])
    connection = sqlite3.connect(log_folder(project) / FILE)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with PredictionLog.open(project) as log, pytest.raises(LogError, match="newer version of the workbench"):
        log.append([entry(2)])
    assert logged_ids(project) == ids(entry(1))


def test_a_snapshot_does_not_see_what_comes_later(project: Project) -> None:
    with PredictionLog.open(project) as log:
        log.append([entry(1)])
        with snapshot(project) as seen:
            assert seen
            log.append([entry(2)])
            compact(project)
            assert [each.request for each in seen.entries(MODEL)] == [entry(1).request]
            assert seen.days(MODEL) == {date(2026, 3, 2)}
