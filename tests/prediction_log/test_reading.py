"""Reading: by time, version, kind and column; versions of other columns side by side; one prediction by its id."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa
import pytest

from tests.logged import DAY, MODEL, NOON, entry, ids
from workbench import predictions
from workbench.errors import BadInput, LogError
from workbench.prediction_log.compaction import Limits, compact
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.overview import overview
from workbench.prediction_log.places import Span as Sequences
from workbench.prediction_log.places import all_days, day_folder, log_folder, span_name
from workbench.prediction_log.reading import read
from workbench.settings import Project, read_project

ENTRIES = {
    "old": entry(1, 2, came=NOON - DAY, version=1),
    "champion": entry(2, version=2, kind="champion"),
    "shadow": entry(3, version=3, kind="shadow", came=NOON + 0.25),
    "canary": entry(4, version=3, kind="canary", came=NOON + DAY),
}


@pytest.fixture(params=["in the journal", "in files", "half and half"])
def logged(project: Project, request: pytest.FixtureRequest) -> Project:
    with PredictionLog.open(project) as log:
        first, *others = ENTRIES.values()
        log.append([first])
        if request.param != "in the journal":
            compact(project)
        log.append(others)
        if request.param == "in files":
            compact(project)
    return project


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, ["old", "champion", "shadow", "canary"]),
        ({"since": NOON}, ["champion", "shadow", "canary"]),
        ({"since": NOON + 0.1}, ["shadow", "canary"]),
        ({"since": "2026-03-02", "until": "2026-03-03"}, ["champion", "shadow"]),
        ({"until": date(2026, 3, 2)}, ["old"]),
        ({"until": datetime(2026, 3, 2, 12, tzinfo=UTC)}, ["old"]),
        ({"since": datetime(2026, 3, 3, 12)}, ["canary"]),
        ({"since": "2026-03-03T13:00+01:00"}, ["canary"]),
        ({"since": "2027-01-01"}, []),
        ({"versions": [1, 3]}, ["old", "shadow", "canary"]),
        ({"versions": []}, []),
        ({"kinds": ["champion", "canary"], "since": "2026-03-02"}, ["champion", "canary"]),
    ],
)
def test_what_is_chosen(logged: Project, asked: dict[str, Any], expected: list[str]) -> None:
    table = read(logged, MODEL, columns=["id"], **asked).read_all()
    assert sorted(table["id"].to_pylist()) == sorted(ids(*(ENTRIES[name] for name in expected)))


def test_only_the_columns_that_were_asked_for(logged: Project) -> None:
    table = read(logged, MODEL, columns=["probability", "kind", "key_flight"], versions=[2]).read_all()
    assert table.to_pylist() == [{"probability": 1 / 2001.7, "kind": "champion", "key_flight": "2000"}]
    assert "id" not in read(logged, MODEL).schema.names
    frame = read(logged, MODEL).read_pandas()
    assert str(frame["input_k"].dtype) == "category"
    with pytest.raises(BadInput, match="have no column 'input_y'; did you mean 'input_x'"):
        read(logged, MODEL, columns=["input_y"])
    with pytest.raises(BadInput, match="have no column 'outcome'; outcomes=True reads it"):
        read(logged, MODEL, columns=["outcome"])


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"model": "n"}, "there are no predictions of 'n' on record; known: m"),
        ({"kinds": ["champ"]}, "'champ' is no kind of prediction; did you mean 'champion'"),
        ({"since": "yesterday"}, "'yesterday' is no date or time; expected such as 2026-03-02"),
    ],
)
def test_what_cannot_be_asked(logged: Project, asked: dict[str, Any], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        read(logged, **{"model": MODEL, **asked})


def test_versions_with_other_columns_live_side_by_side(project: Project) -> None:
    first = entry(1, version=1, inputs={"x": [1.5], "a": ["u"], "gone": [True]}, keys={})
    second = entry(2, version=2, inputs={"x": ["high"], "a": [None], "new": [7]})
    with PredictionLog.open(project) as log:
        log.append([first, second])
        for limits in (None, Limits(), Limits(many=2)):
            if limits:
                compact(project, limits)
            rows = sorted(read(project, MODEL).read_all().to_pylist(), key=lambda row: row["version"])
            found = [
                {name: each for name, each in row.items() if name.startswith(("input_", "key_"))}
                for row in rows
            ]
            assert found == [
                {"key_date": None, "key_flight": None, "input_x": "1.5", "input_a": "u", "input_gone": True, "input_new": None},
                {"key_date": "2026-03-02", "key_flight": "2000", "input_x": "high", "input_a": None, "input_gone": None, "input_new": 7.0},
            ]  # fmt: skip
            log.append([])
    # What did not change its type is read as it was where the other version is left out.
    with PredictionLog.open(project) as log:
        log.append([entry(3, version=1, inputs={"x": [2.5]}, came=NOON + DAY)])
    alone = read(project, MODEL, since=NOON + DAY / 2).read_all()
    assert alone["input_x"].to_pylist() in ([2.5], ["2.5"])


def test_one_prediction_and_its_shadow(project: Project) -> None:
    answered = entry(7, 3, caller="ada")
    shadow = entry(7, 3, version=2, kind="shadow", probabilities=[0.1, 0.2, float("nan")])
    other = entry(8, 3)
    with PredictionLog.open(project) as log:
        log.append([answered])
        compact(project)
        log.append([shadow, other])
        for _ in range(2):
            found = predictions.find(project, ids(answered)[2].upper())
            assert (found.id, found.kind, found.version, found.caller) == (
                ids(answered)[2],
                "champion",
                1,
                "ada",
            )
            assert found.came == datetime(2026, 3, 2, 12, tzinfo=UTC)
            assert found.probability == answered.probabilities[2]
            assert found.inputs == {"x": answered.inputs["x"][2], "k": "ä"}
            assert found.keys == {"date": "2026-03-02", "flight": "7002"}
            (beside,) = found.shadows
            assert (beside.version, beside.probability) == (2, None)
            assert predictions.find(project, ids(other)[0]).shadows == ()
            compact(project)


@pytest.mark.parametrize("request_", ["0" * 32, "f" * 32, "0" * 12 + "7" + "0" * 19])
def test_an_id_that_says_nothing_of_its_time(project: Project, request_: str) -> None:
    with PredictionLog.open(project) as log:
        log.append([entry(1, request=request_), entry(2, came=NOON + DAY)])
    compact(project)
    assert predictions.find(project, f"{request_}-0").request == request_
    for wrong, message in (
        (f"{request_}-1", "there is no prediction"),
        ("x", "'x' is no prediction id; expected 32"),
    ):
        with pytest.raises(BadInput, match=message):
            predictions.find(project, wrong)


def test_a_damaged_file_is_named(logged: Project) -> None:
    compact(logged)
    file = next(files[0].path for _, _, files in all_days(logged) if files)
    file.write_bytes(b"PAR1 and nothing else")
    with pytest.raises(LogError, match=f"'{file}' of the prediction log cannot be read"):
        read(logged, MODEL)


def test_what_retention_removes_while_it_is_read(logged: Project) -> None:
    compact(logged)
    reader = read(logged, MODEL, columns=["id"])
    for file in day_folder(logged, MODEL, date(2026, 3, 1)).iterdir():
        file.unlink()
    found = reader.read_all()["id"].to_pylist()
    assert sorted(found) == sorted(ids(ENTRIES["champion"], ENTRIES["shadow"], ENTRIES["canary"]))


def test_a_reader_that_is_not_used_lets_go(logged: Project) -> None:
    reader = read(logged, MODEL)
    del reader
    assert read(logged, MODEL).read_all().num_rows == 5


def test_small_files_become_one_and_stay_readable_until_nobody_reads(project: Project) -> None:
    with PredictionLog.open(project) as log:
        for number in range(5):
            log.append([entry(number)])
            compact(project, now=NOON)
        assert len(list(day_folder(project, MODEL, date(2026, 3, 2)).iterdir())) == 5
        reader = read(project, MODEL, columns=["id"])
        done = compact(project, Limits(many=5), now=NOON)
        assert (done.moved, done.merged) == (0, 5)
        assert compact(project, now=NOON) == compact(project, now=NOON + DAY)  # nothing to do
        assert len(reader.read_all()) == len(read(project, MODEL).read_all()) == 5
        compact(project, Limits(grace=-1e9), now=NOON)
        (kept,) = day_folder(project, MODEL, date(2026, 3, 2)).iterdir()
        assert kept.name == span_name(Sequences(1, 5))
        log.append([entry(9)])
        compact(project, now=NOON + 2 * DAY)  # the day is over: two files are enough
        assert len(read(project, MODEL).read_all()) == 6


def test_days_that_are_too_old_go(project: Project) -> None:
    (project.root / "workbench.toml").write_text('[project]\nname = "demo"\n[predictions]\nkeep_days = 2\n')
    project = read_project(project.root)
    with PredictionLog.open(project) as log:
        log.append([entry(day, came=NOON + day * DAY) for day in range(5)])
    done = compact(project, now=NOON + 4 * DAY)
    assert done.retired == ("m/2026-03-02", "m/2026-03-03")
    assert sorted(read(project, MODEL, columns=["id"]).read_all()["id"].to_pylist()) == sorted(
        ids(*(entry(day, came=NOON + day * DAY) for day in (2, 3, 4)))
    )


def test_what_there_is(logged: Project) -> None:
    (found,) = overview(logged)
    assert (found.model, found.first, found.last) == (MODEL, date(2026, 3, 1), date(2026, 3, 3))
    assert found.predictions + found.waiting == 5
    compact(logged)
    (found,) = overview(logged)
    assert (found.predictions, found.waiting, found.outcomes, found.files) == (5, 0, 0, 3)
    assert found.size > 0
    assert overview(logged)[0].as_dict()["first"] == "2026-03-01"


def test_only_one_process_compacts(logged: Project) -> None:
    from workbench.locks import locked

    with locked(log_folder(logged) / "compaction.lock"):
        assert compact(logged).busy
    assert not compact(logged).busy


def test_batches_are_typed(logged: Project) -> None:
    schema = read(logged, MODEL).schema
    words = pa.dictionary(pa.int32(), pa.string())
    assert schema.field("came").type == pa.timestamp("us", "UTC")
    assert [schema.field(name).type for name in ("row", "version", "kind", "probability", "input_x", "input_k")] == [
        pa.int64(), pa.int64(), words, pa.float64(), pa.float64(), words,
    ]  # fmt: skip
    for batch in read(logged, MODEL):
        assert batch.schema == schema
