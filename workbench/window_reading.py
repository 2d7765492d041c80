"""What the record of a window says, feature by feature: what the loss came with first, then what moved most. Pure.

Where window_page shows a window that was just looked at, this reads one that has been on record for long.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from workbench.drift.distribution import Distribution, distribution
from workbench.drift.reference import ANSWER, Reference
from workbench.ledger_alerts import Window


@dataclass(frozen=True)
class Feature:
    """One column of a window against the reference."""

    name: str
    impact: float | None
    """Log loss a row that came with it; None where outcomes are too few to tell."""
    within: float | None
    """Of it: rows that became harder."""
    mix: float | None
    """Of it: more of the rows that were always hard."""
    where: tuple[str, ...]
    """The bins that are certainly worse off, the dearest first."""
    distance: float
    limit: float
    """From which the distance is drift."""
    drifted: bool
    expected: bool
    """Declared to move, so it never alerts."""
    psi: float
    missing: tuple[float, float]
    """Share of rows without a value: reference, window."""
    unseen: float
    """Share of rows with a value that the reference does not have."""


def features(window: Window) -> tuple[Feature, ...]:
    """Every feature and the answers, by impact, then by how far they moved; none where nothing could be compared."""
    watched = window.content.get("watched") or {}
    explained = {each["feature"]: each for each in watched.get("explained", ())}
    moved = [*watched.get("inputs", ()), *([watched["answer"]] if watched.get("answer") else [])]
    found = [_feature(each, explained.get(each["name"])) for each in moved]
    return tuple(sorted(found, key=_rank))


def distributions(window: Window, reference: Reference) -> Iterator[Distribution]:
    """How each column is spread in the reference and in the window; nothing for windows judged before that was kept."""
    counts = (window.content.get("watched") or {}).get("counts", {})
    for sketch in (reference.inputs, reference.answers):
        for bins in sketch.bins:
            mine = counts.get(bins.name, ())
            if len(mine) == bins.slots:
                yield distribution(bins, sketch.total(bins.name), mine)


def shown_name(feature: str) -> str:
    """The answers' column as people call it."""
    return "answers" if feature == ANSWER else feature


def _feature(moved: Mapping[str, Any], explained: Mapping[str, Any] | None) -> Feature:
    told: Mapping[str, Any] = explained or {"impact": None, "within": None, "mix": None, "where": ()}
    return Feature(
        moved["name"], told["impact"], told["within"], told["mix"], tuple(told["where"]), moved["distance"],
        moved["limit"], moved["drifted"], moved["expected"], moved["psi"], tuple(moved["missing"]), moved["unseen"],
    )  # fmt: skip


def _rank(feature: Feature) -> tuple[float, bool, float]:
    return -(feature.impact or 0.0), feature.expected, -feature.distance / (feature.limit or 1.0)
