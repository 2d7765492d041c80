"""What a reviewer reads of a version, and of two beside each other, out of the files that travel with it.

For reading only: nothing is verified here, so nothing of it decides. A promotion reads and verifies the files anew.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.drift.curves import Curves, curves
from workbench.drift.graded import Graded
from workbench.fingerprint import Ingredients
from workbench.ledger_versions import Registered
from workbench.model_files import ATTACHMENTS
from workbench.registry import address, local_folder
from workbench.settings import Project

DOSSIER, EVIDENCE, REFERENCE, INGREDIENTS = (
    "dossier.html",
    "evidence.json",
    "reference.json",
    "ingredients.json",
)


@dataclass(frozen=True)
class Figure:
    """A number with its interval; None where it could not be told."""

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Slice:
    """A part of the test rows: how much a metric changes there against the baseline, and against the champion."""

    column: str
    value: str
    rows: int
    rate: float
    measured: bool
    against: Mapping[str, Figure] = field(default_factory=dict)
    """By `baseline` and `champion`."""


@dataclass(frozen=True)
class Card:
    """What is on record of one version. Empty parts: it was delivered without them, or its files are not here."""

    model: str
    version: int
    files: Path | None
    """The folder of what travels with it."""
    metrics: Mapping[str, Figure] = field(default_factory=dict)
    directions: Mapping[str, str] = field(default_factory=dict)
    """By metric: `higher` or `lower` is better."""
    test: Mapping[str, Any] = field(default_factory=dict)
    """`from`, `to` (days) and `rows` that it was measured on."""
    judged_against: int | None = None
    """The champion that it was held against."""
    differences: Mapping[str, Figure] = field(default_factory=dict)
    """By metric: its own minus that champion's on the same rows, paired."""
    slices: tuple[Slice, ...] = ()
    importances: Mapping[str, float] = field(default_factory=dict)
    ingredients: Mapping[str, Any] = field(default_factory=dict)

    @property
    def dossier(self) -> Path | None:
        file = self.files / DOSSIER if self.files else None
        return file if file is not None and file.is_file() else None

    @property
    def test_data(self) -> str | None:
        """Digest of the rows that it was measured on."""
        inputs = [step.get("inputs") for step in self.ingredients.values()]
        found = [each["test"] for each in inputs if isinstance(each, Mapping) and "test" in each]
        return str(found[-1]) if found else None


def card(project: Project, of: Registered) -> Card:
    """The version's card; what cannot be read is left out."""
    place = local_folder(project, address(project, of.model, of.digest))
    files = place / ATTACHMENTS if place is not None and (place / ATTACHMENTS).is_dir() else None
    if files is None:
        return Card(of.model, of.version, None)
    evidence, made = (_read(files / name) for name in (EVIDENCE, INGREDIENTS))
    ingredients = {step: each for step, each in made.items() if isinstance(each, Mapping)}
    return Card(
        of.model, of.version, files,
        dict(_figures(evidence.get("metrics"))), dict(evidence.get("directions") or {}), dict(evidence.get("test") or {}),
        of.judged_against, dict(_figures((evidence.get("champion") or {}).get("difference"))),
        tuple(_slices(evidence)), dict(evidence.get("importances") or {}), ingredients,
    )  # fmt: skip


def curves_of(card: Card) -> Curves | None:
    """Of the version's answers to its test rows; None where they were not counted."""
    content = _read(card.files / REFERENCE).get("outcomes") if card.files else None
    if not isinstance(content, dict):
        return None
    try:
        return curves(Graded.from_dict(content))
    except (ValueError, TypeError, LookupError):
        return None


def same_rows(first: Card, second: Card) -> bool:
    """Whether both were measured on the same rows, so that their figures can be held against each other."""
    return first.test_data is not None and first.test_data == second.test_data


def made_differently(first: Card, second: Card) -> dict[str, list[str]]:
    """By step: in which cells, parameters, modules, packages and data the second differs from the first."""
    found: dict[str, list[str]] = {}
    for step in sorted({*first.ingredients, *second.ingredients}):
        one, two = first.ingredients.get(step), second.ingredients.get(step)
        if one is None or two is None:
            found[step] = [
                "only the second one has this step" if one is None else "only the first one has this step"
            ]
            continue
        try:
            differences = Ingredients.from_json(two).differences(Ingredients.from_json(one))
        except (TypeError, KeyError):
            differences = ["what it was made of was written down by another version of the workbench"]
        if differences:
            found[step] = differences
    return found


def better(direction: str | None, first: Figure, second: Figure) -> bool | None:
    """Whether the second figure is better, going by their values alone; None when that is not known."""
    if direction not in ("higher", "lower") or first.value == second.value:
        return None
    return (second.value > first.value) == (direction == "higher")


def _figures(found: Any) -> Iterator[tuple[str, Figure]]:
    for name, each in (found or {}).items():
        if isinstance(each, Mapping) and isinstance(each.get("value"), int | float):
            yield str(name), Figure(float(each["value"]), each.get("low"), each.get("high"))


def _slices(evidence: Mapping[str, Any]) -> Iterator[Slice]:
    for each in evidence.get("slices") or ():
        against = {}
        for other in ("baseline", "champion"):
            for _, figure in _figures(each.get(other)):
                against[other] = figure
        yield Slice(each["column"], each["value"], each["rows"], each["rate"], each["measured"], against)


def _read(file: Path) -> dict[str, Any]:
    try:
        content = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
