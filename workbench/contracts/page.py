"""What a check found, as one HTML page for people: the verdict, what was set aside and why, column by column."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from workbench.contracts.contract import Column
from workbench.contracts.result import Breach, Checked
from workbench.contracts.skew import Profile, profile
from workbench.pages import (
    Html,
    banner,
    code,
    length,
    lines,
    marked,
    page,
    points,
    section,
    spread,
    table,
    tiles,
)

SHOWN = 3
"""Examples of one rule."""

MEANING = {
    "stop": ("stops", "bad"),
    "quarantine": ("row set aside", "bad"),
    "warn": ("warning only", "note"),
    "exclude": ("set aside, no fault", "muted"),
}
"""What a breach of each severity does, and its colour."""


def contract_page(
    checked: Checked, skews: Mapping[str, float] | None = None, reference: str = "the reference"
) -> str:
    """A self-contained page without scripts; every text from the data or the contract is escaped.

    `skews` is how far each column is from a reference (`skew.skew`), `reference` what that is, in words.
    """
    contract = checked.contract
    verdict = banner("passed", "good") if checked.passed else banner("stopped", "bad")
    return page(
        f"Contract {contract.name}",
        marked(contract.description, "muted"),
        verdict,
        _numbers(checked),
        _messages(checked),
        _rules(checked),
        _columns(checked, skews or {}, reference),
        *_never(checked),
    )


def _numbers(checked: Checked) -> Html:
    good = checked.rows - int(checked.set_aside.sum())
    quota = checked.contract.max_share
    allowed = "" if quota is None else f", {quota:.2%} accepted"
    return tiles(
        [
            ("rows read", f"{checked.rows:,}", ""),
            ("rows that keep every rule", f"{good:,}", _share(good, checked.rows)),
            ("faulty", f"{checked.faulty:,}", _share(checked.faulty, checked.rows) + allowed),
            ("set aside, no fault", f"{checked.excluded:,}", _share(checked.excluded, checked.rows)),
            ("rules checked", f"{len(checked.breaches):,}", ""),
        ]
    )


def _messages(checked: Checked) -> Html | str:
    if not checked.stops and not checked.warnings:
        return "The data have the columns and types of the contract, and nothing stops."
    stops = [marked(stop, "bad") for stop in checked.stops]
    return section("What stops, and what is worth a look", points(*stops, *checked.warnings))


def _rules(checked: Checked) -> Html:
    broken = sorted((breach for breach in checked.breaches if breach.count), key=lambda breach: -breach.count)
    title = "Rules that rows break"
    if not broken:
        return section(title, "None: every row keeps every rule.")
    head = ("rule", "", "rows", "share", "what happens", "examples (rows counted from 0)")
    return section(title, table(head, [_rule(breach, broken[0].count) for breach in broken]))


def _rule(breach: Breach, most: int) -> tuple[Any, ...]:
    words, colour = MEANING[breach.severity]
    examples = (Html(f"{row}: {code(value).markup}") for row, value in breach.examples[:SHOWN])
    return (
        lines(breach.rule, marked(breach.help, "muted") if breach.help else ""),
        length(breach.count / most, colour),
        breach.count,
        _share(breach.count, len(breach.broken)),
        marked(words, colour),
        lines(*examples),
    )


def _columns(checked: Checked, skews: Mapping[str, float], reference: str) -> Html:
    spreads = profile(checked.frame, checked.contract)
    head = [
        "column",
        "type",
        "allowed",
        "missing",
        "spread",
        "seen in the data",
        *(["skew"] if skews else []),
    ]
    rows = [
        [*_column(column, spreads.get(column.name)), *([skews.get(column.name)] if skews else [])]
        for column in checked.contract.columns
    ]
    note = (
        f"Skew is the Jensen-Shannon divergence from {reference}: 0 is alike, 1 has nothing in common. It is "
        "reported, not enforced."
    )
    return section("Columns", *([marked(note, "muted")] if skews else []), table(head, rows))


def _column(column: Column, seen: Profile | None) -> Iterator[Any]:
    yield lines(column.name, marked(column.help, "muted") if column.help else "")
    yield column.type
    yield "; ".join(_allowed(column))
    if seen is None:
        yield from ("", "", marked("missing, or not of this type", "muted"))
        return
    yield f"{seen['missing']:.2%}" if seen["missing"] else "–"
    yield spread(seen.get("histogram") or seen["shares"][: len(seen.get("values", ())) or None])
    yield _seen(seen)


def _allowed(column: Column) -> Iterator[str]:
    if column.min is not None or column.max is not None:
        yield f"{'…' if column.min is None else column.min} to {'…' if column.max is None else column.max}"
    if column.values is not None:
        names = ", ".join(map(str, column.values[:12]))
        yield names + (f" and {len(column.values) - 12} more" if len(column.values) > 12 else "")
    if column.pattern is not None:
        yield f"pattern {column.pattern}"
    if column.unique:
        yield "each once only"
    if column.nullable:
        yield "may be missing"
    if column.severity != "quarantine":
        yield MEANING[column.severity][0]


def _seen(seen: Profile) -> str:
    if "values" in seen:
        if seen["different"] > len(seen["values"]):
            return f"{seen['different']:,} different values, most often {seen['values'][0]}"
        pairs = zip(seen["values"][:4], seen["shares"], strict=False)
        shown = ", ".join(f"{value} {share:.0%}" for value, share in pairs)
        return shown + (" …" if len(seen["values"]) > 4 else "")
    if "min" not in seen:
        return ""
    return f"{_number(seen['min'])} to {_number(seen['max'])}, median {_number(seen['median'])}"


def _never(checked: Checked) -> Iterator[Html]:
    if names := checked.contract.never_features:
        yield section("Never features", f"A model must not be given: {', '.join(names)}.")


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else ""


def _number(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
