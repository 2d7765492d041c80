"""How a version is asked: the shortcut gives the model's own bits, and eight rows are eight rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from workbench.contracts.contract import Contract, contract_of
from workbench.modeling import make_estimator
from workbench.scoring.model import Scorer
from workbench.serving.served import Way, _way_of
from workbench.serving.shortcut import shortcut

WIDTH = 15
ROWS = 2000


def table(*, texts: bool) -> pd.DataFrame:
    generator = np.random.default_rng(3)
    numbers = {f"n{place}": generator.normal(size=ROWS) for place in range(WIDTH)}
    found = pd.DataFrame(numbers).mask(generator.random((ROWS, WIDTH)) < 0.05)
    if texts:
        found["k"] = generator.choice(list("abcdefg"), ROWS).astype(object)
        found.loc[::17, "k"] = None
    return found


def contract(frame: pd.DataFrame) -> Contract:
    types = {name: {"type": "text" if name == "k" else "float", "nullable": True} for name in frame.columns}
    return contract_of({"contract": "c", "columns": types})


def fitted(algorithm: str, *, texts: bool) -> tuple[Scorer, pd.DataFrame]:
    frame = table(texts=texts)
    label = (frame["n0"].fillna(0) + frame["n1"].fillna(0) > 0.3).astype(int)
    more = {"max_iter": 20} if algorithm == "boosting" else {}
    model = make_estimator(algorithm, frame, **more).fit(frame, label)
    rules = contract(frame)
    return Scorer("a model", model, tuple(frame.columns), rules, frozenset(), "", None, "1"), frame


def columns(frame: pd.DataFrame) -> dict[str, NDArray[Any]]:
    return {name: frame[name].to_numpy() for name in frame.columns}


@pytest.mark.parametrize("algorithm", ["logistic", "boosting"])
@pytest.mark.parametrize("texts", [True, False])
def test_any_number_of_rows_gets_the_answers_that_training_gives(algorithm: str, texts: bool) -> None:
    scorer, frame = fitted(algorithm, texts=texts)
    sample = columns(frame.iloc[:22])
    way = _way_of(scorer, sample)
    assert way.joins
    assert way.shortcut is not None
    trained = scorer.estimator.predict_proba(frame)[:, 1]
    for size in (1, 3, 13, 64):
        found = [
            way.ask(scorer, columns(frame.iloc[start : start + size]), min(size, ROWS - start))
            for start in range(0, 150 if size < 8 else ROWS, size)
        ]
        together = np.concatenate(found)
        np.testing.assert_array_equal(together, trained[: len(together)])


def test_a_category_that_was_never_seen_and_nothing_at_all_go_the_same_way() -> None:
    for algorithm in ("logistic", "boosting"):
        scorer, frame = fitted(algorithm, texts=True)
        odd = frame.iloc[:3].copy()
        odd["k"] = pd.Series(["never", None, "a"], index=odd.index, dtype=object)
        odd.loc[1, "n0":"n9"] = np.nan
        way = _way_of(scorer, columns(frame.iloc[:22]))
        expected = Way(None).ask(scorer, columns(odd), 3)
        np.testing.assert_array_equal(way.ask(scorer, columns(odd), 3), expected)


def test_a_shortcut_that_gives_other_bits_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    scorer, frame = fitted("boosting", texts=True)
    real = shortcut(scorer.estimator, scorer.contract)
    assert real is not None
    monkeypatch.setattr(
        "workbench.serving.served.shortcut", lambda *_: lambda given: np.nextafter(real(given), 1)
    )
    assert _way_of(scorer, columns(frame.iloc[:22])).shortcut is None


class Moody:
    """A model whose answers hang on how many rows it is asked."""

    def predict_proba(self, frame: pd.DataFrame) -> NDArray[np.float64]:
        return np.full((len(frame), 2), 1 / len(frame))


def test_a_model_whose_answers_hang_on_the_other_rows_is_asked_alone() -> None:
    _, frame = fitted("boosting", texts=False)
    scorer = Scorer("a model", Moody(), tuple(frame.columns), contract(frame), frozenset(), "", None, "1")
    assert not _way_of(scorer, columns(frame.iloc[:22])).joins
