"""What a loss came with is named, for whom it got worse is found, and noise is neither."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from workbench.contracts.contract import Column
from workbench.drift.explain import Explained, Level, explain, level
from workbench.drift.graded import Graded, graded
from workbench.drift.losses import Losses, group_names, grouping, losses
from workbench.drift.sketch import Bins, bins_of
from workbench.drift.slices import slices

FIRST = np.datetime64("2026-03-02")
COLUMNS = (
    Column("load", "float", nullable=True), Column("hub", "text"), Column("who", "category"), Column("hour", "int"),
)  # fmt: skip


def live(days: int, seed: int, *, per_day: int = 300) -> pd.DataFrame:
    """Rows with a calibrated probability and their label; `hub` goes with `who`, days are stormy or calm for everybody."""
    generator = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    total = len(day)
    who = generator.choice(["a", "b", "c", "d"], total, p=[0.4, 0.3, 0.2, 0.1])
    hub = np.where(generator.random(total) < 0.6, who, generator.choice(["a", "b", "c"], total))
    hour = generator.integers(5, 23, total)
    load = np.where(generator.random(total) < 0.05, np.nan, generator.gamma(2, 3, total))
    odds = -2.5 + 0.1 * (hour - 5) + 0.1 * np.nan_to_num(load)
    storm = generator.normal(0, 0.4, days)[day]
    frame = pd.DataFrame({"who": who, "hub": hub, "hour": hour, "load": load, "p": 1 / (1 + np.exp(-odds))})
    frame["late"] = (generator.random(total) < 1 / (1 + np.exp(-odds - storm))).astype(float)
    return frame.assign(day=FIRST + day)


@pytest.fixture(scope="module")
def bins() -> tuple[Bins, ...]:
    return bins_of(live(21, 0), COLUMNS)


def cost(frame: pd.DataFrame, bins: tuple[Bins, ...]) -> Losses:
    return losses(frame, bins, frame["late"], frame["p"], frame["day"])


def outcomes(frame: pd.DataFrame, like: Graded | None = None) -> Graded:
    return graded(frame["late"], frame["p"], frame["day"], like.edges if like else None)


@pytest.fixture(scope="module")
def reference(bins: tuple[Bins, ...]) -> Losses:
    return cost(live(21, 0), bins)


def flipped(week: pd.DataFrame, who: str) -> pd.DataFrame:
    return week.assign(late=np.where(week["who"] == who, 1 - week["late"], week["late"]))


def test_a_flipped_slice_is_named_before_what_goes_with_it(reference: Losses, bins: tuple[Bins, ...]) -> None:
    for seed in range(30, 35):
        found = explain(cost(flipped(live(7, seed), "c"), bins), reference, bins)
        assert (found[0].feature, found[0].where[0]) == ("who", "c")
        assert found[0].rows == pytest.approx(0.2, abs=0.03)
        assert found[0].impact > 2 * found[2].impact


def test_the_slice_is_worse_and_others_are_not(reference: Losses, bins: tuple[Bins, ...]) -> None:
    found = slices(cost(flipped(live(7, 31), "d"), bins), reference, bins, 0.02)
    assert [each.value for each in found if each.worse] == ["d"]
    assert found[0].difference.low > 0.02
    assert found[0].rate[1] > found[0].rate[0]
    assert {each.feature for each in found} == {"who"}
    assert json.loads(json.dumps(found[0].as_dict()))["worse"] is True


def test_ordinary_weeks_seldom_have_a_worse_slice(bins: tuple[Bins, ...]) -> None:
    worse = [
        slices(cost(live(7, seed), bins), cost(live(21, 500 + seed), bins), bins, 0.0)[0].worse
        for seed in range(100, 140)
    ]
    assert sum(worse) <= 4  # 1.25 % are expected


def test_more_hard_rows_are_a_mix(reference: Losses, bins: tuple[Bins, ...]) -> None:
    week = live(7, 40, per_day=900)
    evening = week[(week["hour"] > 18) | (np.random.default_rng(0).random(len(week)) < 0.2)]
    found = {each.feature: each for each in explain(cost(evening, bins), reference, bins)}
    assert found["hour"].mix > 0.02
    assert all(abs(found[name].mix) < 0.005 for name in ("who", "hub"))
    assert not found["hour"].where


def test_mix_and_within_are_all_of_the_change(reference: Losses, bins: tuple[Bins, ...]) -> None:
    """Kitagawa's identity, with plain sums."""
    now, then = (each.sums["hour"].sum(axis=0) for each in (cost(live(7, 41), bins), reference))
    shares = [each[:, 0] / each[:, 0].sum() for each in (then, now)]
    loss = [
        np.divide(each[:, 1], each[:, 0], out=np.zeros(len(each)), where=each[:, 0] > 0)
        for each in (then, now)
    ]
    mix = float(np.sum((shares[1] - shares[0]) * loss[0]))
    within = float(np.sum(shares[1] * (loss[1] - loss[0])))
    change = now[:, 1].sum() / now[:, 0].sum() - then[:, 1].sum() / then[:, 0].sum()
    assert mix + within == pytest.approx(change)
    found = next(each for each in explain(cost(live(7, 41), bins), reference, bins) if each.feature == "hour")
    assert found.mix == pytest.approx(mix)


def test_a_new_value_costs_what_it_costs(reference: Losses, bins: tuple[Bins, ...]) -> None:
    week = flipped(live(7, 42), "d")
    found = explain(cost(week.assign(who=week["who"].replace("d", "new")), bins), reference, bins)
    assert (found[0].feature, found[0].where) == ("who", ("others",))


def test_a_shift_of_all_labels_is_the_level() -> None:
    reference = outcomes(live(21, 0))
    ordinary: Level = level(outcomes(live(7, 50), reference), reference)
    assert not ordinary.certain
    week = live(7, 51, per_day=600)
    late = week[(week["late"] == 1) | (np.random.default_rng(0).random(len(week)) < 0.3)]
    found = level(outcomes(late, reference), reference)
    assert found.certain
    assert found.rate[1] > found.rate[0] + 0.1
    assert found.loss > 0.05


def test_parts_add_up_and_travel(reference: Losses, bins: tuple[Bins, ...]) -> None:
    week = live(7, 60)
    odd = np.arange(len(week)) % 3 == 0
    whole = cost(week, bins)
    joined = cost(week[odd], bins) + cost(week[~odd], bins)
    for name, held in whole.sums.items():
        np.testing.assert_allclose(joined.sums[name], held)
    again = Losses.from_dict(json.loads(json.dumps(reference.as_dict())))
    found: tuple[Explained, ...] = explain(whole, again, bins)
    for ours, theirs in zip(found, explain(whole, reference, bins), strict=True):
        assert ours.feature == theirs.feature
        assert ours.mix == pytest.approx(theirs.mix, abs=1e-6)


def test_groups_have_names(bins: tuple[Bins, ...]) -> None:
    for each in bins:
        assert len(group_names(each)) == grouping(each)[-1] + 1
        assert group_names(each)[-1] == "missing"
    names = {each.name: group_names(each) for each in bins}
    assert names["who"] == ["a", "b", "c", "d", "others", "missing"]
    assert names["load"][0].startswith("0.0")
    few = bins_of(pd.DataFrame({"n": [1.0, 2.0, 3.0]}), [Column("n", "float")])[0]
    assert group_names(few) == ["1", "2", "3", "missing"]
