"""What is ordinary does not alert, what was injected is found and named first."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from workbench.contracts.contract import Column
from workbench.drift.compare import Moved, compare, detectable
from workbench.drift.distances import jensen_shannon
from workbench.drift.ordinary import Ordinary, ordinary
from workbench.drift.sketch import Sketch, bins_of, sketch
from workbench.errors import BadInput

NUMBERS = ("temp", "wind", "load", "size")
COLUMNS = (*(Column(name, "float", nullable=True) for name in NUMBERS), Column("who", "category"))
FIRST = np.datetime64("2026-01-01")


def live(days: int, seed: int, rows: int = 300) -> pd.DataFrame:
    """Some days of a feed: weather that stays for days, and an even mix of everything else."""
    generator = np.random.default_rng(seed)
    weather = np.zeros(days)
    for day in range(1, days):
        weather[day] = 0.8 * weather[day - 1] + generator.normal(0, 0.6)
    day = np.repeat(np.arange(days), rows)
    total = len(day)
    return pd.DataFrame({
        "day": FIRST + day,
        "temp": weather[day] + generator.normal(0, 1, total),
        "wind": 0.5 * weather[day] + generator.normal(0, 1, total),
        "load": generator.gamma(2, 3, total),
        "size": generator.integers(1, 200, total).astype(float),
        "who": generator.choice(["a", "b", "c", "d"], total, p=[0.4, 0.3, 0.2, 0.1]),
    })  # fmt: skip


def counted(frame: pd.DataFrame, like: Sketch | None = None) -> Sketch:
    bins = like.bins if like else bins_of(frame, COLUMNS)
    return sketch(frame, bins, frame["day"])


@pytest.fixture(scope="module")
def reference() -> Sketch:
    return counted(live(91, seed=1))


@pytest.fixture(scope="module")
def usual(reference: Sketch) -> Ordinary:
    return ordinary(reference, 7, 2_100)


def judged(week: pd.DataFrame, reference: Sketch, usual: Ordinary, *expected: str) -> tuple[Moved, ...]:
    return compare(reference, counted(week, reference), usual, expected)


def test_ordinary_weeks_seldom_alert(reference: Sketch, usual: Ordinary) -> None:
    # 60 independent weeks of the same feed: 5 % may alert, and 8 of 60 happen by chance once in 10,000 times then.
    alerts = [
        any(each.drifted for each in judged(live(7, seed), reference, usual)) for seed in range(100, 160)
    ]
    assert sum(alerts) <= 7


@pytest.mark.parametrize(("column", "change"), [
    ("load", lambda week: week["load"] * 1.3),
    ("size", lambda week: week["size"].where(np.arange(len(week)) % 5 != 0)),
    ("who", lambda week: week["who"].replace("d", "x")),
    ("who", lambda week: week["who"].replace("a", "b")),
    ("temp", lambda week: week["temp"] + 8),
])  # fmt: skip
def test_what_was_changed_is_named_first(
    column: str, change: object, reference: Sketch, usual: Ordinary
) -> None:
    for seed in range(200, 205):
        week = live(7, seed)
        found = judged(week.assign(**{column: change(week)}), reference, usual)  # type: ignore[operator]
        assert found[0].name == column
        assert found[0].drifted


def test_what_may_move_is_listed_last_and_never_alerts(reference: Sketch) -> None:
    usual = ordinary(reference, 7, 2_100, expected=["temp"])
    week = live(7, 300)
    found = judged(week.assign(temp=week["temp"] + 8), reference, usual, "temp")
    assert found[-1].name == "temp"
    assert found[-1].distance > found[-1].limit
    assert not any(each.drifted for each in found)


def test_the_effects_are_those_of_the_values(reference: Sketch, usual: Ordinary) -> None:
    week = live(7, 301)
    found = {
        each.name: each
        for each in judged(week.assign(load=week["load"] + 10_000, who=None), reference, usual)
    }
    scale = next(each.scale for each in reference.bins if each.name == "load")
    assert found["load"].wasserstein == pytest.approx(10_000 / scale, rel=0.01)
    assert found["who"].missing == (0, 1)
    assert found["who"].wasserstein is None
    assert found["load"].cramers_v is None


def test_unseen_values_are_told(reference: Sketch, usual: Ordinary) -> None:
    week = live(7, 302)
    found = {each.name: each for each in judged(week.assign(who="new"), reference, usual)}
    assert found["who"].unseen == 1
    assert found["who"].distance == pytest.approx(1)


def test_fewer_rows_have_wider_limits(reference: Sketch, usual: Ordinary) -> None:
    small = ordinary(reference, 7, 200)
    assert all(small.limit(name) > usual.limit(name) for name in ("load", "size", "who"))


def test_too_little_is_refused(reference: Sketch) -> None:
    with pytest.raises(BadInput, match="91 days, expected at least 120"):
        ordinary(reference, 40, 10_000)
    with pytest.raises(BadInput, match="199 rows, expected at least 200"):
        ordinary(reference, 7, 199)


def test_the_smallest_effect_is_where_the_limit_is() -> None:
    share = detectable(0.2)
    assert float(jensen_shannon([1, 0], [1 - share, share])) == pytest.approx(0.2)
    assert detectable(1.0) == 1
