"""The journal followed: every answer once, in order, whoever was killed when."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.logged import MODEL, NOON, entry
from workbench.challengers import challengers_file
from workbench.champions import write_marker
from workbench.errors import LogError
from workbench.prediction_log.compaction import FOLLOWED, Limits, compact, steps
from workbench.prediction_log.encoding import Stored, decode, encode
from workbench.prediction_log.entries import Logged
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.places import log_folder
from workbench.prediction_log.snapshot import FILE
from workbench.prediction_log.tail import Tail
from workbench.settings import Project

SHADOW = 7


def tail(project: Project, since: float = 0.0) -> Tail:
    return Tail(project, MODEL, SHADOW, since)


def read(follower: Tail, most: int = 100, rows: int = 1_000) -> list[str]:
    """Requests that come next; they are dealt with."""
    piece = follower.read(most, rows)
    follower.passed(piece)
    return [each.request for each in piece.entries]


def shadowed(*answered: Logged) -> list[Logged]:
    return [replace(each, version=SHADOW, kind="shadow") for each in answered]


def requests(entries: Sequence[Logged]) -> list[str]:
    return [each.request for each in entries]


def test_what_champion_and_canary_answer_is_read_in_order_and_nothing_else(project: Project) -> None:
    follower = tail(project, since=NOON)
    assert read(follower) == []  # there is no journal yet
    wanted = [entry(1), entry(2, kind="canary", version=2), entry(3)]
    others = [entry(4, model="another"), entry(5, kind="batch"), entry(6, came=NOON - 1)]
    with PredictionLog.open(project) as log:
        log.append([wanted[0], *others, *wanted[1:]])
        assert read(follower) == requests(wanted)
        log.append([*shadowed(*wanted), *others, entry(7)])
        assert read(follower) == requests([entry(7)])
        assert read(follower) == []


def test_a_piece_has_no_more_requests_and_rows_than_it_may(project: Project) -> None:
    with PredictionLog.open(project) as log:
        log.append([entry(1), entry(2, rows=5), entry(3), entry(4), entry(5)])
    follower = tail(project)
    assert read(follower, rows=6) == requests([entry(1), entry(2)])
    unfinished = follower.read(2, 1_000)
    assert follower.read(2, 1_000) == unfinished  # the same again, until it is dealt with
    assert read(follower, most=2) == requests([entry(3), entry(4)])
    assert read(follower) == requests([entry(5)])


@pytest.mark.parametrize("moved", [0, 1, 2, 3, 4, 5, 6])
def test_another_goes_on_where_one_was_killed_also_when_entries_have_left_the_journal(
    project: Project, moved: int
) -> None:
    """`moved`: so many entries of the six go into a file before."""
    answered = [entry(number, came=NOON + number) for number in range(4)]
    with PredictionLog.open(project) as log:
        log.append(answered[:2])
        log.append(shadowed(answered[0]))
        log.append(answered[2:3])
        log.append(shadowed(answered[1]))
        log.append(answered[3:])
    compact_first(project, moved)
    left = requests(answered[2:])
    gone = {6: 2, 4: 1, 5: 1}.get(moved, 0)  # of those two: what the journal has no more is not asked for
    assert read(tail(project)) == left[gone:]


def compact_first(project: Project, entries: int) -> None:
    """Move as many entries, one at a time, and stop there as a killed process would."""
    walk = steps(project, Limits(rows=1), NOON)
    done = 0
    while done < entries:
        done += next(walk).did == "forgot"
    walk.close()


def test_a_journal_that_was_set_aside_is_followed_by_the_new_one(project: Project) -> None:
    with PredictionLog.open(project) as log:
        log.append([entry(number) for number in range(5)])
        follower = tail(project)
        assert len(read(follower)) == 5
    for file in log_folder(project).glob(f"{FILE}*"):
        file.rename(file.with_name(file.name.replace("journal", "broken-1")))
    assert read(follower) == []
    with PredictionLog.open(project) as log:  # its numbers begin with 1 again
        log.append([entry(9)])
        assert read(follower) == requests([entry(9)])
        assert read(follower) == []


def test_who_does_not_know_whether_it_was_written_finds_out(project: Project) -> None:
    follower = tail(project)
    with PredictionLog.open(project) as log:
        log.append([entry(1), entry(2)])
        piece = follower.read(1, 10)
        log.append(shadowed(entry(1)))
        follower.look_again()
        assert read(follower) == requests([entry(2)])
        assert [each.request for each in piece.entries] == requests([entry(1)])


def test_what_a_shadow_may_still_want_stays_in_the_journal(project: Project) -> None:
    now = NOON + 1_000
    ages = (FOLLOWED + 1, FOLLOWED - 1, -5.0)  # the last was answered before the clock was set back
    answered = [entry(number, came=now - age) for number, age in enumerate(ages)]
    with PredictionLog.open(project) as log:
        log.append(answered)
    marker = {"model": MODEL, "canary": None, "share": 0.0, "shadow": SHADOW, "sequence": 3}
    write_marker(challengers_file(project, MODEL), marker)
    assert compact(project, now=now).moved == 1
    assert read(tail(project)) == requests(answered[1:])
    write_marker(challengers_file(project, MODEL), {**marker, "shadow": None})
    assert compact(project, now=now).moved == 2
    assert read(tail(project)) == []


VALUES = st.one_of(
    st.lists(st.none() | st.floats(allow_nan=False, allow_infinity=False), min_size=2, max_size=2),
    st.lists(st.none() | st.text(), min_size=2, max_size=2),
    st.lists(st.none() | st.booleans(), min_size=2, max_size=2),
    st.lists(st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2200, 1, 1)), min_size=2, max_size=2),
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from("abcdate"), VALUES, max_size=4), st.none() | st.just("ada"))
def test_an_entry_is_read_back_as_it_was(inputs: dict[str, list[Any]], caller: str | None) -> None:
    """A key may be called like an input."""
    told = entry(
        3,
        rows=2,
        inputs=inputs,
        caller=caller,
        keys={"a": ["2026-03-02", None]},
        probabilities=[0.25, math.nan],
    )
    shape, body = encode(told)
    found = decode(Stored(1, shape, told.came, told.rows, told.request, body))
    assert (found.inputs, found.keys) == (inputs, told.keys)
    assert math.isnan(found.probabilities[1])
    assert replace(found, probabilities=[]) == replace(told, probabilities=[])
    assert encode(found) == (shape, body)  # a shadow's entry has the very inputs and keys of the answer


def test_a_damaged_entry_is_named() -> None:
    shape, _ = encode(entry(1))
    with pytest.raises(LogError, match="entry 12 of the prediction log cannot be read"):
        decode(Stored(12, shape, NOON, 1, entry(1).request, b"[1,"))
