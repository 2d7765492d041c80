"""How the values of a table are spread, and how far another table's are from that: information, never enforced.

The distance is the Jensen-Shannon divergence in bits (Lin, "Divergence measures based on the Shannon entropy", IEEE
Transactions on Information Theory 37, 1991): 0 for equal shares, 1 for shares that have nothing in common. Unlike the
population stability index it needs no correction for a bin that is empty on one side. Numbers are counted in the
reference's own deciles, texts by value; a missing value is a bin of its own, so that a feed that stops shows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from workbench.contracts.columns import Values, read_column
from workbench.contracts.contract import Contract

Profile = Mapping[str, Any]
"""Of each column: rows, shares, and the edges or values they belong to. Plain values, for JSON."""

BINS = 10
BARS = 20
MOST_VALUES = 30
"""Texts counted one by one; the rest are one bin."""


def profile(frame: pd.DataFrame, contract: Contract) -> dict[str, Profile]:
    """How each column of the contract that the frame has is spread."""
    found: dict[str, Profile] = {}
    for column in contract.columns:
        if list(frame.columns).count(column.name) == 1:
            read = read_column(frame[column.name], column.type)
            if not read.found:
                found[column.name] = _spread(read, column.type)
    return found


def skew(reference: Mapping[str, Profile], frame: pd.DataFrame, contract: Contract) -> dict[str, float]:
    """The divergence of each column from its profile, 0 to 1, the largest first; columns in both only."""
    found: dict[str, float] = {}
    for column in contract.columns:
        known = reference.get(column.name)
        if known is None or list(frame.columns).count(column.name) != 1:
            continue
        read = read_column(frame[column.name], column.type)
        if not read.found:
            shares = _shares(read, known)
            found[column.name] = round(
                float(divergence(np.array([*known["shares"], known["missing"]]), shares)), 6
            )
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def divergence(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """The Jensen-Shannon divergence in bits of vectors of shares or counts, (…, bins) each, broadcast: (…), 0 to 1.

    It is 0 where either is empty.
    """
    first, second = as_shares(ours), as_shares(theirs)
    middle = (first + second) / 2
    found = np.zeros(middle.shape[:-1])
    for shares in (first, second):
        there = (shares > 0) & (middle > 0)
        ratio = np.divide(shares, middle, out=np.ones_like(middle), where=there)
        found = found + np.sum(shares * np.log2(ratio), axis=-1) / 2
    return np.clip(np.nan_to_num(found), 0, 1)


def as_shares(counts: ArrayLike) -> NDArray[np.float64]:
    """Counts (…, bins) as shares of their sum; NaN where there are none."""
    given = np.asarray(counts, dtype=np.float64)
    total = given.sum(axis=-1, keepdims=True)
    shares: NDArray[np.float64] = np.divide(given, total, out=np.full_like(given, np.nan), where=total > 0)
    return shares


def _spread(read: Values, kind: str) -> Profile:
    rows = len(read.missing)
    values = read.values[read.there]
    known: dict[str, Any] = {"rows": rows}
    if kind in ("text", "category", "bool"):
        counted = pd.Series(values).value_counts()
        known |= {
            "values": [str(value) for value in counted.index[:MOST_VALUES]],
            "different": len(counted),
        }
    else:
        numbers = as_numbers(values)
        inner = np.linspace(0, 1, BINS + 1)[1:-1]
        known["edges"] = (
            [float(edge) for edge in np.unique(np.quantile(numbers, inner))] if len(numbers) else []
        )
        known |= _summary(values, numbers)
    *shares, missing = (round(float(share), 6) for share in _shares(read, known))
    return known | {"shares": shares, "missing": missing}


def _summary(values: NDArray[Any], numbers: NDArray[np.float64]) -> dict[str, Any]:
    """For people: the least, the middle and the greatest value, and a histogram of all but the outermost percent."""
    if not len(numbers):
        return {}
    low, high = np.quantile(numbers, [0.01, 0.99])
    counts, _ = np.histogram(numbers, bins=BARS, range=(low, high) if low < high else (low - 1, low + 1))
    total = max(1, int(counts.sum()))
    order = np.argsort(numbers, kind="stable")
    chosen = {"min": values[order[0]], "median": values[order[len(order) // 2]], "max": values[order[-1]]}
    shown = {
        name: str(value.astype("datetime64[m]")).replace("T00:00", "")
        if values.dtype.kind == "M"
        else value.item()
        for name, value in chosen.items()
    }
    return {**shown, "histogram": [round(count / total, 4) for count in counts.tolist()]}


def as_numbers(values: NDArray[Any]) -> NDArray[np.float64]:
    """Numbers as they are, times as seconds since the epoch."""
    if values.dtype.kind == "M":
        values = values.astype("datetime64[s]").astype("int64")
    return values.astype(np.float64)


def _shares(read: Values, known: Profile) -> NDArray[np.float64]:
    """The share of each bin of a profile, and of the missing values at the end."""
    values, rows = read.values[read.there], max(1, len(read.missing))
    if "values" in known:
        names = known["values"]
        counted = pd.Series(values).astype(str).value_counts() if len(values) else {}
        counts = [int(counted.get(name, 0)) for name in names]
        bins = np.array([*counts, len(values) - sum(counts)], dtype=np.float64)
    else:
        edges = np.array(known["edges"], dtype=np.float64)
        placed = np.searchsorted(edges, as_numbers(values), side="left")
        bins = np.bincount(placed, minlength=len(edges) + 1).astype(np.float64)
    return np.append(bins, rows - len(values)) / rows
