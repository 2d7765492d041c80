"""Tables counted by day: added, cut, kept in a file, and never losing a row."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.contracts.contract import Column
from workbench.drift.sketch import INNER, VALUES, Sketch, bins_of, sketch
from workbench.errors import BadInput

COLUMNS = (
    Column("x", "float"),
    Column("n", "int"),
    Column("who", "category"),
    Column("at", "datetime"),
    Column("on", "bool"),
)


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    x = generator.normal(size=rows)
    x[generator.random(rows) < 0.1] = np.nan
    return pd.DataFrame({
        "x": x, "n": generator.integers(0, 5, rows), "who": generator.choice(["a", "b", None], rows),
        "at": np.datetime64("2026-01-01") + generator.integers(0, 86_400 * 30, rows).astype("timedelta64[s]"),
        "on": generator.random(rows) < 0.3,
    })  # fmt: skip


def days(frame: pd.DataFrame) -> np.ndarray:
    return frame["at"].to_numpy().astype("datetime64[D]")


def same(ours: Sketch, theirs: Sketch) -> None:
    assert ours.bins == theirs.bins
    assert ours.days == theirs.days
    assert ours.rows.tolist() == theirs.rows.tolist()
    for name, held in ours.counts.items():
        assert held.tolist() == theirs.counts[name].tolist()
    for name, totals in ours.sums.items():
        assert totals == pytest.approx(theirs.sums[name])


@given(st.lists(st.integers(0, 400), max_size=4))
def test_parts_add_up_to_the_whole(cuts: list[int]) -> None:
    whole = table(400)
    bins = bins_of(table(300, 1), COLUMNS)
    limits = [0, *sorted(cuts), 400]
    pieces = [whole.iloc[low:high] for low, high in itertools.pairwise(limits)]
    parts = [sketch(piece, bins, days(piece)) for piece in pieces]
    total = parts[0]
    for part in parts[1:]:
        total += part
    same(total, sketch(whole, bins, days(whole)))
    assert total.rows.sum() == 400
    assert all(held.sum() == 400 for held in total.counts.values())


def test_what_was_written_is_read() -> None:
    frame = table(500)
    counted = sketch(frame, bins_of(frame, COLUMNS), days(frame))
    same(Sketch.from_dict(json.loads(json.dumps(counted.as_dict()))), counted)


def test_counts_that_do_not_fit_are_refused() -> None:
    frame = table(50)
    content = sketch(frame, bins_of(frame, COLUMNS), days(frame)).as_dict()
    content["counts"]["n"][0].append(1)
    with pytest.raises(ValueError, match="inhomogeneous"):
        Sketch.from_dict(content)


def test_days_are_cut_at_their_limits() -> None:
    frame = table(1_000)
    counted = sketch(frame, bins_of(frame, COLUMNS), days(frame))
    part = counted.between("2026-01-05", "2026-01-07")
    assert part.days == ("2026-01-05", "2026-01-06")
    here = (frame["at"] >= "2026-01-05") & (frame["at"] < "2026-01-07")
    same(part, sketch(frame[here], counted.bins, days(frame[here])))


def test_few_different_numbers_have_a_bin_each() -> None:
    bins = {each.name: each for each in bins_of(table(5_000), COLUMNS)}
    counted = sketch(table(500), [bins["n"]], np.repeat("2026-01-01", 500))
    assert counted.counts["n"][0].tolist() == [*table(500)["n"].value_counts().sort_index().tolist(), 0]
    assert len(bins["x"].edges) == len(INNER) + 2


def test_texts_beyond_the_commonest_are_one_slot() -> None:
    frame = pd.DataFrame({"s": [f"v{number % (VALUES + 50)}" for number in range(2_000)]})
    (bins,) = bins_of(frame, [Column("s", "text")])
    counted = sketch(frame, [bins], np.repeat("2026-01-01", 2_000)).counts["s"][0]
    assert len(counted) == VALUES + 2
    assert counted[-2] == 2_000 - counted[:-2].sum()


def test_a_categorical_counts_as_its_texts() -> None:
    frame = table(300)
    bins = bins_of(frame, COLUMNS[2:3])
    other = frame.assign(who=frame["who"].where(frame["who"] != "b", "c"))
    same(sketch(other.astype({"who": "category"}), bins, days(other)), sketch(other, bins, days(other)))
    assert sketch(other, bins, days(other)).counts["who"].sum(axis=0)[-2] == (other["who"] == "c").sum()


def test_a_column_without_values_or_with_one() -> None:
    frame = pd.DataFrame({"x": [np.nan, np.nan], "n": [3, 3]})
    bins = bins_of(frame, COLUMNS[:2])
    counted = sketch(frame, bins, ["2026-01-01", "2026-01-02"])
    assert counted.counts["x"].tolist() == [[0, 1], [0, 1]]
    assert counted.counts["n"].tolist() == [[1, 0], [1, 0]]


def test_what_is_missing_is_said() -> None:
    frame = table(10)
    bins = bins_of(frame, COLUMNS)
    with pytest.raises(BadInput, match="no column 'who'"):
        sketch(frame.drop(columns="who"), bins, days(frame))
    with pytest.raises(BadInput, match="9 days for 10 rows"):
        sketch(frame, bins, days(frame)[1:])
    with pytest.raises(BadInput, match="different bins"):
        sketch(frame, bins, days(frame)) + sketch(frame, bins[1:], days(frame))
