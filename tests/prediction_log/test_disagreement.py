"""A shadow beside who answered, in a real log."""

from __future__ import annotations

import time

import pytest

from tests.logged import MODEL, NOON, entry
from workbench.errors import BadInput
from workbench.prediction_log import tallies
from workbench.prediction_log.compaction import compact
from workbench.prediction_log.disagreement import disagreement
from workbench.prediction_log.finding import find
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.tallies import Tally, minutes
from workbench.settings import Project


def test_the_newest_shadow_is_held_against_the_answers_of_the_same_rows(project: Project) -> None:
    assert disagreement(project, MODEL) is None
    answered = [entry(number, rows=2) for number in range(3)]
    with PredictionLog.open(project) as opened:
        opened.append(answered)
    assert disagreement(project, MODEL) is None
    for version, shift in ((2, 0.9), (3, 0.2)):
        with PredictionLog.open(project) as opened:
            opened.append([
                entry(n, rows=2, kind="shadow", version=version, probabilities=answered[n].probabilities * (1 - shift))
                for n in range(2)
            ])  # fmt: skip
    for _ in range(2):
        found = disagreement(project, MODEL)
        assert found is not None
        assert (found.shadow, found.rows) == (3, 4)  # what it was not asked counts for nothing
        assert found.bias == pytest.approx(-0.2 * found.answered.mean())
        assert found.mean == pytest.approx(-found.bias)
        compact(project)


def test_an_id_is_looked_for_where_it_says_unless_everywhere_is_asked(project: Project) -> None:
    one = entry(0, request=entry(0, came=NOON - 30 * 86_400).request)  # its id says another day
    with PredictionLog.open(project) as opened:
        opened.append([one])
    compact(project)
    assert find(project, f"{one.request}-0").request == one.request
    with pytest.raises(BadInput, match="there is no prediction"):
        find(project, f"{one.request}-0", everywhere=False)


def test_the_last_minutes_are_read_from_the_end_of_a_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    tally = Tally(project, lambda: now)
    for _ in range(3):
        tally.count(MODEL, 200)
    tally.count(MODEL, 422, "contract", ["x is missing"])
    tally.flush()
    minute = int(now // 60) * 60
    assert minutes(project, MODEL, now - 3_600) == {minute: {200: 3, 422: 1}}
    assert minutes(project, MODEL, now + 60) == {}
    monkeypatch.setattr(tallies, "TAIL", 150)  # less than two lines: the first is cut
    assert minutes(project, MODEL, now - 3_600) == {minute: {422: 1}}
