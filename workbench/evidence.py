"""Evidence for the gates: what one model does on the test rows, beside its baseline and the champion.

For binary classifiers, scored by the probability of the label. Everything is a plain mapping, as JSON has it; what it
must hold is said in `workbench.gates`. Models compared with each other are measured under the same resamples.

Sources: intervals of slices by the bootstrap standard error, widened for their number (Bonferroni) and for few days,
Efron and Tibshirani (1993), chapter 13; invariance and directional tests, Ribeiro et al., CheckList (2020), section 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone

from workbench.errors import BadInput, did_you_mean
from workbench.evaluation import LEVEL, METRICS, Counts, Floats, compare, measure, point, quantile, units

DIRECTIONS = {name: "higher" if name == "auc" else "lower" for name in METRICS}
"""Which is better, of every metric in `workbench.evaluation`."""

EXPECTATIONS = ("same", "not lower", "not higher", "between")
_TEST_KEYS = ("name", "only", "set", "add", "expect", "within", "low", "high", "allowed")


def probabilities(model: Any, rows: pd.DataFrame) -> Floats:
    """The probability of the label: (rows,)."""
    scores: Floats = np.asarray(model.predict_proba(rows), dtype=np.float64)[:, 1]
    return scores


def predictions(scores: ArrayLike) -> dict[str, int]:
    """How many predictions there are, and how many are NaN or infinite."""
    found = np.asarray(scores, dtype=np.float64)
    return {"rows": len(found), "not_finite": int((~np.isfinite(found)).sum())}


def metrics(labels: ArrayLike, scores: ArrayLike, weights: Counts) -> dict[str, dict[str, float | None]]:
    """Every metric with its interval. Raises ValueError as `evaluation.measure` does."""
    return {name: each.as_dict() for name, each in measure(labels, scores, weights).intervals().items()}


def difference(
    labels: ArrayLike, scores: ArrayLike, others: ArrayLike, weights: Counts
) -> dict[str, dict[str, float | None]]:
    """Every metric of `scores` minus that of `others`, paired, with its interval."""
    found = compare(measure(labels, scores, weights), measure(labels, others, weights))
    return {name: each.as_dict() for name, each in found.items()}


def slices(
    labels: ArrayLike,
    scores: ArrayLike,
    against: Mapping[str, ArrayLike],
    columns: Mapping[str, ArrayLike],
    weights: Counts,
    *,
    minimum: int = 200,
    metric: str = "log_loss",
) -> list[dict[str, Any]]:
    """The difference of `metric` from each model in `against`, in every value of every column, largest first.

    A slice of fewer than `minimum` rows, of one day or with one class only has `"measured": false`: it is named, so that nobody
    takes its absence for a pass. With k slices each interval has the level 1 - (1 - LEVEL) / k, so that all of them
    together hold at LEVEL.
    """
    actual = np.asarray(labels, dtype=np.float64)
    parts = [
        (column, str(value), np.asarray(values).astype(str) == value)
        for column, values in columns.items()
        for value in np.unique(np.asarray(values).astype(str))
    ]
    large = [_measurable(actual[inside], weights[:, inside], minimum) for _, _, inside in parts]
    level = 1 - (1 - LEVEL) / max(1, sum(large))
    found = []
    for (column, value, inside), measured in zip(parts, large, strict=True):
        entry: dict[str, Any] = {
            "column": column,
            "value": value,
            "rows": int(inside.sum()),
            "rate": round(float(actual[inside].mean()), 6),
            "measured": measured,
        }
        if measured:
            drawn = weights[:, inside]
            ours = METRICS[metric](actual[inside], np.asarray(scores)[inside], drawn)
            for name, other in against.items():
                theirs = METRICS[metric](actual[inside], np.asarray(other)[inside], drawn)
                at = _point(metric, actual, scores, inside) - _point(metric, actual, other, inside)
                entry[name] = {metric: _widened(at, ours - theirs, units(drawn), level)}
        found.append(entry)
    return sorted(found, key=lambda entry: (-entry["rows"], entry["column"], entry["value"]))


def seeds(
    model: Any,
    train: tuple[pd.DataFrame, ArrayLike],
    test: tuple[pd.DataFrame, ArrayLike],
    numbers: Sequence[int],
) -> dict[str, list[float]]:
    """Every metric on `test` of `model` fitted again on `train`, once for each seed."""
    found: dict[str, list[float]] = {name: [] for name in METRICS}
    for number in numbers:
        again = clone(model)
        states = [name for name in again.get_params() if name.rpartition("__")[2] == "random_state"]
        again.set_params(**dict.fromkeys(states, number)).fit(*train)
        for name, value in point(test[1], probabilities(again, test[0])).items():
            found[name].append(round(value, 6))
    return found


def behaviour(model: Any, rows: pd.DataFrame, tests: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """How `model` answers when `rows` are changed as each test says.

    A test is `{name, expect, ...}`. `set: {column: value}` and `add: {column: number}` change rows; `only: {column: value}`
    or `{column: [low, high]}` chooses them. `expect` is `same`, `not lower` or `not higher` than before the change, up to
    `within`; or `between` `low` and `high`. `allowed` is the share of rows that may break it (0 by default).
    Raises BadInput for an unknown key, column or expectation.
    """
    before = probabilities(model, rows)
    return [_behave(model, rows, before, test) for test in tests]


def importances(model: Any, rows: pd.DataFrame, labels: ArrayLike, *, seed: int = 0) -> dict[str, float]:
    """How much the log loss grows when a column is shuffled (permutation importance, Breiman 2001), largest first."""
    generator = np.random.default_rng(seed)
    whole = point(labels, probabilities(model, rows))["log_loss"]
    found = {}
    for column in rows.columns:
        shuffled = rows.assign(**{column: rows[column].to_numpy()[generator.permutation(len(rows))]})
        shuffled[column] = shuffled[column].astype(rows[column].dtype)
        found[str(column)] = round(point(labels, probabilities(model, shuffled))["log_loss"] - whole, 6)
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def _behave(model: Any, rows: pd.DataFrame, before: Floats, test: Mapping[str, Any]) -> dict[str, Any]:
    _check_test(test, rows)
    chosen = np.ones(len(rows), dtype=bool)
    for column, value in test.get("only", {}).items():
        inside = rows[column].between(*value) if isinstance(value, list) else rows[column] == value
        chosen &= inside.to_numpy()
    changed = rows[chosen].copy()
    for column, value in test.get("set", {}).items():
        changed[column] = pd.Series([value] * len(changed), index=changed.index, dtype=rows[column].dtype)
    for column, value in test.get("add", {}).items():
        changed[column] = changed[column] + value
    after = probabilities(model, changed) if len(changed) else np.empty(0)
    excess = _excess(test, before[chosen], after)
    entry: dict[str, Any] = {
        "name": test["name"],
        "expect": test["expect"],
        "rows": int(chosen.sum()),
        "violations": int((excess > 0).sum()),
        "allowed": float(test.get("allowed", 0)),
        "worst": None,
    }
    if entry["violations"]:
        worst = int(np.argmax(excess))
        entry["worst"] = (
            f"row {np.flatnonzero(chosen)[worst]}: {before[chosen][worst]:.3f} → {after[worst]:.3f}"
        )
    return entry


def _excess(test: Mapping[str, Any], before: Floats, after: Floats) -> Floats:
    """By how much each row breaks the expectation; not above 0 where it keeps it."""
    within = float(test.get("within", 0))
    if test["expect"] == "between":
        low, high = float(test.get("low", 0)), float(test.get("high", 1))
        return np.maximum(low - after, after - high)
    moved = after - before
    signed = {"same": np.abs(moved), "not lower": -moved, "not higher": moved}[test["expect"]]
    # What is left of a sum that is the same to the last digits is no violation.
    return signed - max(within, 1e-12)


def _check_test(test: Mapping[str, Any], rows: pd.DataFrame) -> None:
    name = test.get("name")
    if not name:
        raise BadInput(f"behaviour test {dict(test)!r} has no 'name'")
    for problem in _test_problems(test, rows):
        raise BadInput(f"behaviour test '{name}': {problem}")


def _test_problems(test: Mapping[str, Any], rows: pd.DataFrame) -> Iterator[str]:
    for key in test:
        if key not in _TEST_KEYS:
            yield f"unknown key '{key}'{did_you_mean(key, _TEST_KEYS)}"
    if test.get("expect") not in EXPECTATIONS:
        expected = ", ".join(EXPECTATIONS)
        yield f"expect is {test.get('expect')!r}, one of {expected} was expected"
    for key in ("only", "set", "add"):
        for column in test.get(key, {}):
            if column not in rows.columns:
                yield f"no column '{column}'{did_you_mean(column, map(str, rows.columns))}"
    if test.get("expect") == "between" and not {"low", "high"} & test.keys():
        yield "'between' needs low, high or both"
    if not {"set", "add"} & test.keys() and test.get("expect") != "between":
        yield "nothing is changed: 'set' or 'add' was expected"


def _measurable(labels: Floats, weights: Counts, minimum: int) -> bool:
    return bool(len(labels) >= minimum and 0 < labels.mean() < 1 and units(weights) > 1)


def _point(metric: str, labels: Floats, scores: ArrayLike, inside: NDArray[Any]) -> float:
    once = np.ones((1, int(inside.sum())))
    return float(METRICS[metric](labels[inside], np.asarray(scores, dtype=np.float64)[inside], once)[0])


def _widened(value: float, resampled: Floats, units: int, level: float) -> dict[str, float | None]:
    known = resampled[np.isfinite(resampled)]
    if len(known) < 2 or units < 2:
        return {"value": round(value, 6), "low": None, "high": None}
    error = float(known.std(ddof=1)) * quantile(units, level)
    return {"value": round(value, 6), "low": round(value - error, 6), "high": round(value + error, 6)}
