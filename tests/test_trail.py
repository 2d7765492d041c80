"""The audit trail as values: the chain, where it breaks, and what follows from it."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.trail import GENESIS, Entry, canonical, hash_of, live_during, sealed, standing, verify


def chain(*drafts: Entry) -> list[Entry]:
    """Drafts as a trail, one a second."""
    entries: list[Entry] = []
    for second, draft in enumerate(drafts, 1):
        entries.append(sealed(draft, entries[-1] if entries else None, float(second)))
    return entries


def moved(
    version: int | None, replaces: int | None, at: int, kind: str = "promote", model: str = "m"
) -> list[Entry]:
    """The two entries of a move whose intent is the entry number `at`."""
    begun = Entry(model, kind, "intent", version, replaces, "ada")  # type: ignore[arg-type]
    return [begun, replace(begun, phase="done", refers=at)]


def test_an_entry_names_the_one_before_it() -> None:
    first, second = chain(*moved(1, None, 1))
    assert (first.sequence, first.previous, second.sequence, second.previous) == (1, GENESIS, 2, first.hash)
    assert verify([second, first]) == []
    assert verify([]) == []


@pytest.mark.parametrize(
    "change",
    [
        {"actor": "eve"}, {"reason": "x"}, {"version": 7}, {"replaces": 7}, {"created": 9.0}, {"kind": "rollback"},
        {"phase": "failed"}, {"content": {"override": []}}, {"model": "n"}, {"refers": 5},
    ],
)  # fmt: skip
def test_whatever_is_changed_is_noticed(change: dict[str, object]) -> None:
    entries = chain(*moved(1, None, 1), *moved(2, 1, 3))
    entries[2] = replace(entries[2], **change)  # type: ignore[arg-type]
    assert any(problem.startswith("entry 3 (") and "was changed" in problem for problem in verify(entries))


def test_a_change_whose_hash_was_computed_anew_breaks_the_chain_after_it() -> None:
    entries = chain(*moved(1, None, 1), *moved(2, 1, 3))
    forged = replace(entries[1], actor="eve")
    entries[1] = replace(forged, hash=hash_of(forged))
    assert verify(entries) == ["entry 3 does not follow on entry 2"]


def test_an_end_without_an_open_move_is_noticed() -> None:
    twice = [*moved(1, None, 1), replace(moved(1, None, 1)[1], phase="failed")]
    assert verify(chain(*twice)) == ["entry 3 ends entry 1, which is no open move"]
    other = [moved(1, None, 1)[0], replace(moved(1, None, 1)[1], model="n")]
    assert verify(chain(*other)) == ["entry 2 ends entry 1, which is no open move"]


def test_a_repair_of_a_failed_move_changes_nothing() -> None:
    begun = moved(2, 1, 3)[0]
    failed = Entry("m", "repair", "failed", 2, 1, "ada", "cut short", 3)
    now = standing("m", chain(*moved(1, None, 1), begun, failed))
    assert (now.champion, now.alias, now.pending, len(now.periods)) == (1, 1, None, 1)
    finished = standing("m", chain(*moved(1, None, 1), begun, replace(failed, phase="done")))
    assert (finished.champion, finished.alias, finished.replaced) == (2, 2, {1: None, 2: 1})
    assert [(each.version, each.since, each.until) for each in finished.periods] == [
        (1, 1.0, 3.0),
        (2, 3.0, None),
    ]


def test_other_models_do_not_count() -> None:
    entries = chain(*moved(1, None, 1), *moved(5, None, 3, model="n"))
    assert standing("m", entries).champion == 1
    assert standing("n", entries).champion == 5
    assert standing("o", entries).champion is None
    assert verify(entries) == []


def test_promoting_the_same_version_again_starts_no_new_period() -> None:
    now = standing("m", chain(*moved(1, None, 1), *moved(2, 1, 3), *moved(2, 2, 5)))
    assert (now.previous, len(now.periods), now.former) == (1, 2, {1})


def test_live_during_a_day_and_at_a_moment() -> None:
    now = standing("m", chain(*moved(1, None, 1), *moved(2, 1, 3)))
    versions = [
        [each.version for each in live_during(now, *span)]
        for span in ((0, 1), (0, 1.5), (1, 1), (2, 2), (3, 3), (0, 9), (9, 9))
    ]
    assert versions == [[], [1], [1], [1], [2], [1, 2], [2]]


@given(st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20,
))  # fmt: skip
def test_content_is_the_same_after_a_database_had_it(content: object) -> None:
    entry = sealed(Entry("m", "reject", "done", 1, None, "ada", "", None, {"x": content}), None, 1.5)
    stored = json.loads(json.dumps(entry.content))
    assert hash_of(replace(entry, content=stored)) == entry.hash


def test_what_json_lacks_becomes_text_and_numpy_plain() -> None:
    assert canonical({"b": math.nan, "a": (np.float64(0.5), np.int64(3), np.bool_(True), -math.inf)}) == (
        '{"a":[0.5,3,true,"-inf"],"b":"nan"}'
    )
    assert canonical({"x": "\0a\ud800"}) == '{"x":"a?"}'
    assert canonical({"x": {3, 1}}) == '{"x":[1,3]}'
