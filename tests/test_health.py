"""A window for itself: real log, real contract, a real server's counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.logged import request_id
from tests.scored import CONTRACT, MODEL, WITH_CONTRACT, Run, rows, scorer
from tests.test_monitoring import START, log
from workbench.contracts.contract import contract_of
from workbench.errors import BadInput
from workbench.health import Health, health
from workbench.prediction_log.entries import Logged
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.places import day_folder
from workbench.prediction_log.tallies import MOST_RULES, OTHERS, Requests, Tally, requests
from workbench.settings import Project
from workbench.yamls import parse_value

WEEK = START, START + timedelta(days=7)
NOON = (START + timedelta(hours=12)).timestamp()
ROWS = contract_of(parse_value(CONTRACT.replace("max: 10}", "max: 10, nullable: true}"))).of_features()


def looked(project: Project, **more: object) -> Health:
    since, until = WEEK
    given = {"since": since, "until": until, **more}
    return health(project, MODEL, WITH_CONTRACT, ROWS, **given)  # type: ignore[arg-type]


def rates(found: Health) -> dict[tuple[str, str], tuple[int, int]]:
    return {(each.rule, each.source): (each.broken, each.of) for each in found.rates if each.broken}


def test_a_window_that_is_as_it_should_be(project: Project) -> None:
    log(project)
    found = looked(project)
    assert (found.rows, rates(found)) == (700, {})
    assert found.newest == START + timedelta(days=6, hours=12)
    assert {each.rule for each in found.rates} == {
        "x is missing", "x is outside -10 to 10", "k is missing", "k is not an allowed value", "no a above five",
    }  # fmt: skip
    assert found.allowed == {"x is missing"}
    assert found.latency is not None
    assert found.latency.requests == 7
    assert found.latency.p95 == pytest.approx(0.01, rel=0.012)
    json.dumps(found.as_dict())


def test_every_rule_is_counted_and_missing_values_with_it(project: Project) -> None:
    log(
        project,
        x=lambda given: given["x"].where(given["x"] < 1, np.nan).where(given["x"] > -1, 11.0),
        k=lambda given: given["k"].replace("c", "z"),
    )
    found = rates(looked(project))
    asked = pd.concat([pd.DataFrame(each) for each in _given()])
    assert found["x is missing", "answered"] == (int((asked["x"] >= 1).sum()), 700)
    assert found["x is outside -10 to 10", "answered"] == (int((asked["x"] <= -1).sum()), 700)
    assert found["k is not an allowed value", "answered"] == (int((asked["k"] == "c").sum()), 700)


def _given() -> list[pd.DataFrame]:
    from tests.test_monitoring import asked

    return [asked(100, seed=10 + day) for day in range(7)]


def test_latencies_are_those_of_requests_and_right_to_a_bin(project: Project) -> None:
    seconds = np.random.default_rng(0).lognormal(-4, 1, 400)
    with PredictionLog.open(project) as opened:
        opened.append([
            Logged(
                request_id(number, NOON), MODEL, WITH_CONTRACT, "d" * 64, "champion", NOON, float(took), 3,
                {"x": [0.0] * 3, "k": ["a"] * 3}, [0.5] * 3,
            )
            for number, took in enumerate(seconds)
        ])  # fmt: skip
    latency = looked(project).latency
    assert latency is not None
    assert latency.requests == 400
    for share, value in ((0.5, latency.median), (0.95, latency.p95), (0.99, latency.p99)):
        assert value == pytest.approx(np.quantile(seconds, share, method="inverted_cdf"), rel=0.012)


def test_nothing_on_record_is_a_window_too(project: Project) -> None:
    assert looked(project) == Health(0, None, (), Requests(), None, frozenset({"x is missing"}))
    log(project, 1)
    later = looked(project, since=START + timedelta(days=20), until=START + timedelta(days=21))
    assert (later.rows, later.newest, later.latency) == (0, None, None)


def test_a_key_may_say_the_day(project: Project) -> None:
    log(project, 9)
    may = {"since": datetime(2026, 5, 3, tzinfo=UTC), "until": datetime(2026, 5, 5, tzinfo=UTC)}
    found = looked(project, **may, day="day")
    assert (found.rows, found.newest) == (200, datetime(2026, 5, 4, tzinfo=UTC))
    with pytest.raises(BadInput, match="no column 'key_dya'"):
        looked(project, **may, day="dya")


# What the rows do not say


def test_requests_are_counted_by_minute_and_what_came_of_them(project: Project) -> None:
    now = NOON
    tally = Tally(project, lambda: now)
    assert tally.count(MODEL, 200)
    assert not tally.count(MODEL, 200)
    tally.count(MODEL, 422, "contract", ["x is outside -10 to 10", "k is missing"])
    now += 60
    tally.count(MODEL, 503, "log")
    tally.flush()
    tally.flush()
    other = Tally(project, lambda: now)
    other.count(MODEL, 422, "contract", ["k is missing"])
    other.flush()
    found = requests(project, MODEL, NOON, NOON + 120)
    assert (found.total, found.errors) == (5, 1)
    assert (found.statuses, found.reasons) == ({200: 2, 422: 2, 503: 1}, {"contract": 2, "log": 1})
    assert found.rules == {"x is outside -10 to 10": 1, "k is missing": 2}
    assert requests(project, MODEL, NOON, NOON + 60).total == 3
    assert requests(project, "n", NOON, NOON + 60) == Requests()
    assert tally.count(MODEL, 200)


def test_what_a_killed_worker_wrote_half_is_left_out(project: Project) -> None:
    tally = Tally(project, lambda: NOON)
    tally.count(MODEL, 200)
    tally.flush()
    (file,) = day_folder(project, MODEL, START.date()).glob("requests-*.jsonl")
    file.write_text(file.read_text() + '{"minute": 17')
    assert requests(project, MODEL, NOON, NOON + 60).total == 1


def test_what_cannot_be_written_is_written_the_next_time(project: Project) -> None:
    from workbench.errors import LogError

    tally = Tally(project, lambda: NOON)
    tally.count(MODEL, 200)
    folder = day_folder(project, MODEL, START.date())
    folder.parent.mkdir(parents=True)
    folder.write_text("in the way")
    with pytest.raises(LogError, match="cannot write"):
        tally.flush()
    folder.unlink()
    tally.flush()
    assert requests(project, MODEL, NOON, NOON + 60).total == 1


def test_not_every_caller_can_make_the_record_grow(project: Project) -> None:
    tally = Tally(project, lambda: NOON)
    for number in range(200):
        tally.count(MODEL, 422, "contract", [f"rule {number}"])
    tally.flush()
    found = requests(project, MODEL, NOON, NOON + 60).rules
    assert len(found) == MOST_RULES + 1
    assert found[OTHERS] == 200 - MOST_RULES


def test_what_is_refused_online_counts_among_requests(project: Project) -> None:
    tally = Tally(project, lambda: NOON)
    for _ in range(18):
        tally.count(MODEL, 200)
    for status, reason, rules in (
        (422, "contract", ["k is missing"]),
        (422, "contract", ["k is missing"]),
        (503, "log", []),
    ):
        tally.count(MODEL, status, reason, rules)
    tally.flush()
    found = looked(project)
    assert rates(found) == {("k is missing", "requests"): (2, 20)}
    assert (found.requests.total, found.requests.errors) == (21, 1)


def test_what_batch_scoring_sets_aside_counts_among_what_it_read(scoring: Project) -> None:
    score: Run = scorer(scoring)
    table = rows(400, day=[f"2026-05-{1 + number // 200:02}" for number in range(400)])
    table.loc[:39, "x"] = 99.0
    table.to_parquet("in.parquet")
    score("in.parquet", "out.parquet")
    now = datetime.now(UTC)
    since, until = now - timedelta(hours=1), now + timedelta(hours=1)
    found = looked(scoring, since=since, until=until)
    assert (found.rows, rates(found)) == (360, {("x is outside -10 to 10", "batch"): (40, 400)})
    assert rates(looked(scoring, since=since - timedelta(days=9), until=until - timedelta(days=9))) == {}


def test_a_file_with_rows_of_the_window_counts_as_a_whole(scoring: Project, tmp_path: Path) -> None:
    from workbench.prediction_log.tallies import set_aside

    contract = scoring.root / "keyed.yaml"
    contract.write_text(CONTRACT + "keys: [day]\n")
    version = _with_keys(scoring, contract)
    table = rows(400, day=[f"2026-05-{1 + number // 200:02}" for number in range(400)])
    table.loc[:39, "x"] = 99.0
    table.to_parquet("in.parquet")
    scorer(scoring)("in.parquet", "out.parquet", version=version)

    def seen(first: int, last: int) -> int:
        days = (datetime(2026, 5, day, tzinfo=UTC) for day in (first, last))
        return set_aside(scoring, MODEL, version, *days, "day").read

    assert (seen(1, 2), seen(2, 3), seen(3, 9)) == (400, 400, 0)
    assert set_aside(scoring, MODEL, version + 1, START, START, "day").read == 0


def _with_keys(project: Project, contract: Path) -> int:
    """A version whose contract has a key."""
    import warnings

    from tests.registered import deliver, relative
    from workbench.ledger import Ledger

    with warnings.catch_warnings(), Ledger.open(project) as ledger:
        warnings.simplefilter("ignore")  # MLflow's own
        deliver(project, ledger, project.root / "fitted", 8, contract=relative(contract, project))
    return 8
