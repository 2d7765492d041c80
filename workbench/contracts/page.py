"""What a check found, as one HTML page for people: the verdict, what was set aside and why, column by column."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

from workbench.contracts.contract import Column
from workbench.contracts.result import Breach, Checked
from workbench.contracts.skew import Profile, profile

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1f2933; max-width: 76rem; margin: 2rem auto; padding: 0 1.5rem }
h1 { margin-bottom: .2rem } h2 { margin-top: 2.2rem; font-size: 1.15rem }
.verdict { font-size: 1rem; vertical-align: .35rem; display: inline-block; padding: .15rem .7rem; border-radius: 1rem; color: #fff; font-weight: 600 }
.passed { background: #2f7d4f } .stopped { background: #b5483a }
.muted, th { color: #5c6b7a } .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
table { border-collapse: collapse; width: 100% } th { text-align: left; font-weight: 600; font-size: .85rem }
th, td { padding: .3rem .7rem; border-bottom: 1px solid #e4e7eb; vertical-align: top; overflow-wrap: anywhere }
th, td.word { overflow-wrap: normal; white-space: nowrap }
.tiles { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.4rem 0 }
.tile { border: 1px solid #e4e7eb; border-radius: .5rem; padding: .6rem 1.1rem; min-width: 8rem }
.tile b { display: block; font-size: 1.5rem; font-variant-numeric: tabular-nums }
.bar { background: #d9e2ec; height: .55rem; border-radius: .3rem; min-width: 1px }
.bar.quarantine { background: #d98880 } .bar.stop { background: #b5483a } .bar.warn { background: #e0b04c }
.bar.exclude { background: #9fb3c8 }
.spread { display: flex; align-items: flex-end; height: 1.8rem; gap: 1px; width: 8rem }
.spread i { flex: 1; background: #4c72b0; min-height: 1px }
.tag { font-size: .8rem; padding: .05rem .5rem; border-radius: .3rem; background: #eef2f6; white-space: nowrap }
li.stop { color: #9b2c20; font-weight: 600 } code { background: #eef2f6; padding: 0 .25rem; border-radius: .2rem }
"""

SHOWN = 3
"""Examples of one rule."""

MEANING = {
    "stop": "stops",
    "quarantine": "row set aside",
    "warn": "warning only",
    "exclude": "set aside, no fault",
}


def contract_page(
    checked: Checked, skews: Mapping[str, float] | None = None, reference: str = "the reference"
) -> str:
    """A self-contained page without scripts; every text from the data or the contract is escaped.

    `skews` is how far each column is from a reference (`skew.skew`), `reference` what that is, in words.
    """
    contract = checked.contract
    word = "passed" if checked.passed else "stopped"
    parts = [
        f"<h1>Contract {escape(contract.name)} <span class='verdict {word}'>{word}</span></h1>",
        f"<p class='muted'>{escape(contract.description)}</p>",
        _tiles(checked),
        _messages(checked),
        _rules(checked),
        _columns(checked, skews or {}, reference),
        _never(checked),
    ]
    title = f"<title>Contract {escape(contract.name)}: {word}</title>"
    head = f"<meta charset='utf-8'><meta name='viewport' content='width=device-width'>{title}"
    return f"<!doctype html><html lang='en'><head>{head}<style>{STYLE}</style></head><body>{''.join(parts)}</body></html>\n"


def _tiles(checked: Checked) -> str:
    good = checked.rows - int(checked.set_aside.sum())
    quota = checked.contract.max_share
    allowed = "" if quota is None else f", {quota:.2%} accepted"
    tiles = [
        ("rows read", f"{checked.rows:,}", ""),
        ("rows that keep every rule", f"{good:,}", _share(good, checked.rows)),
        ("faulty", f"{checked.faulty:,}", _share(checked.faulty, checked.rows) + allowed),
        ("set aside, no fault", f"{checked.excluded:,}", _share(checked.excluded, checked.rows)),
        ("rules checked", f"{len(checked.breaches):,}", ""),
    ]
    inside = "".join(
        f"<div class='tile'><span class='muted'>{name}</span><b>{value}</b><span class='muted'>{note}</span></div>"
        for name, value, note in tiles
    )
    return f"<div class='tiles'>{inside}</div>"


def _messages(checked: Checked) -> str:
    if not checked.stops and not checked.warnings:
        return "<p>The data have the columns and types of the contract, and nothing stops.</p>"
    lines = [f"<li class='stop'>{escape(stop)}</li>" for stop in checked.stops]
    lines += [f"<li>{escape(warning)}</li>" for warning in checked.warnings]
    return f"<h2>What stops, and what is worth a look</h2><ul>{''.join(lines)}</ul>"


def _rules(checked: Checked) -> str:
    broken = sorted((breach for breach in checked.breaches if breach.count), key=lambda breach: -breach.count)
    if not broken:
        return "<h2>Rules that rows break</h2><p>None: every row keeps every rule.</p>"
    most = broken[0].count
    body = "".join(_rule(breach, most) for breach in broken)
    head = _head("rule", "", "#rows", "#share", "what happens", "examples (rows counted from 0)")
    return f"<h2>Rules that rows break</h2><table>{head}{body}</table>"


def _rule(breach: Breach, most: int) -> str:
    examples = ", ".join(f"{row}: <code>{escape(value)}</code>" for row, value in breach.examples[:SHOWN])
    meaning = f"<br><span class='muted'>{escape(breach.help)}</span>" if breach.help else ""
    bar = f"<div class='bar {breach.severity}' style='width:{breach.count / most * 10:.2f}rem'></div>"
    return (
        f"<tr><td>{escape(breach.rule)}{meaning}</td><td>{bar}</td><td class='number'>{breach.count:,}</td>"
        f"<td class='number'>{_share(breach.count, len(breach.broken))}</td>"
        f"<td><span class='tag'>{MEANING[breach.severity]}</span></td><td>{examples}</td></tr>"
    )


def _columns(checked: Checked, skews: Mapping[str, float], reference: str) -> str:
    spreads = profile(checked.frame, checked.contract)
    heads = [
        "column",
        "type",
        "allowed",
        "#missing",
        "spread",
        "seen in the data",
        *(["#skew"] if skews else []),
    ]
    body = "".join(
        _column(column, spreads.get(column.name), skews.get(column.name) if skews else None, bool(skews))
        for column in checked.contract.columns
    )
    note = (
        f"<p class='muted'>Skew is the Jensen-Shannon divergence from {escape(reference)}: 0 is alike, 1 has nothing in "
        "common. It is reported, not enforced.</p>"
        if skews
        else ""
    )
    return f"<h2>Columns</h2>{note}<table>{_head(*heads)}{body}</table>"


def _column(column: Column, spread: Profile | None, skew: float | None, skewed: bool) -> str:
    meaning = f"<br><span class='muted'>{escape(column.help)}</span>" if column.help else ""
    cells = [
        f"<td>{escape(column.name)}{meaning}</td><td class='word'>{column.type}</td><td>{escape('; '.join(_allowed(column)))}</td>"
    ]
    if spread is None:
        cells.append("<td></td><td></td><td class='muted'>missing, or not of this type</td>")
    else:
        missing = f"{spread['missing']:.2%}" if spread["missing"] else "–"
        cells.append(
            f"<td class='number'>{missing}</td><td>{_bars(spread)}</td><td>{escape(_seen(spread))}</td>"
        )
    if skewed:
        cells.append(f"<td class='number'>{'' if skew is None else f'{skew:.3f}'}</td>")
    return f"<tr>{''.join(cells)}</tr>"


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
        yield MEANING[column.severity]


def _bars(spread: Profile) -> str:
    """Shares of a text's values, or a histogram of numbers and times."""
    shares = spread.get("histogram") or spread["shares"][: len(spread.get("values", ())) or None]
    if not any(shares):
        return ""
    top = max(shares)
    bars = "".join(f"<i style='height:{share / top:.0%}'></i>" for share in shares)
    return f"<div class='spread'>{bars}</div>"


def _seen(spread: Profile) -> str:
    if "values" in spread:
        if spread["different"] > len(spread["values"]):
            return f"{spread['different']:,} different values, most often {spread['values'][0]}"
        pairs = zip(spread["values"][:4], spread["shares"], strict=False)
        return ", ".join(f"{value} {share:.0%}" for value, share in pairs) + (
            " …" if len(spread["values"]) > 4 else ""
        )
    if "min" not in spread:
        return ""
    return f"{_number(spread['min'])} to {_number(spread['max'])}, median {_number(spread['median'])}"


def _never(checked: Checked) -> str:
    contract = checked.contract
    if not contract.never_features:
        return ""
    names = ", ".join(f"<code>{escape(name)}</code>" for name in contract.never_features)
    return f"<h2>Never features</h2><p>A model must not be given: {names}.</p>"


def _head(*names: str) -> str:
    cells: Iterable[str] = (
        f"<th class='number'>{name[1:]}</th>" if name.startswith("#") else f"<th>{name}</th>"
        for name in names
    )
    return f"<tr>{''.join(cells)}</tr>"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.2%}" if whole else ""


def _number(value: Any) -> str:
    return f"{value:,.6g}" if isinstance(value, float) else str(value)
