"""What a window looks like, as one HTML page for people."""

from __future__ import annotations

from typing import Any

from workbench.drift.compare import Moved
from workbench.drift.coverage import Coverage
from workbench.drift.ordinary import ALPHA
from workbench.evaluation import Interval
from workbench.monitoring import LABELLED, Watched
from workbench.pages import Content, Html, banner, folded, length, marked, page, section, table, tiles

TILES = ("auc", "log_loss")
SHOWN = 6
"""Features that a loss is told apart by."""


def drift_page(found: Watched) -> str:
    """A self-contained page without scripts; names from the data are escaped."""
    window = f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC"
    numbers = [("rows", f"{found.rows:,}", window), ("outcomes", f"{found.outcomes:,}", "have come")]
    numbers += [
        (words(name), f"{each.value:.4f}", f"{each.reference:.4f} in the reference period")
        for name, each in found.declines.items()
        if name in TILES
    ]
    return page(
        f"{found.model}, version {found.version}",
        marked(f"What it was asked from {window}, against what it learned from", "muted"),
        _verdict(found),
        tiles(numbers),
        _performance(found),
        _explained(found),
        _slices(found),
        _estimates(found),
        _columns(found),
    )


def words(name: str) -> str:
    """A metric as people call it."""
    return {"auc": "AUC", "brier": "Brier score"}.get(name, name.replace("_", " "))


def _verdict(found: Watched) -> Html:
    if found.worse:
        return banner(
            f"Worse than in the reference period: {', '.join(map(words, found.worse))}", "bad", _moved(found)
        )
    if found.drifted:
        return banner(_moved(found), "note")
    return banner("Nothing moved more than is ordinary", "good")


def _moved(found: Watched) -> str:
    drifted = found.drifted
    return f"{len(drifted)} moved more than is ordinary: {', '.join(drifted)}" if drifted else ""


def _performance(found: Watched) -> Html:
    title = "How good the answers were"
    parts: list[Content] = []
    if found.coverage and found.coverage.selective:
        parts.append(banner(missing_words(found.coverage), "note"))
    elif found.coverage and found.coverage.missing:
        parts.append(marked(missing_words(found.coverage), "muted"))
    if not found.performance:
        few = f"Not known: fewer than {LABELLED} outcomes, or only one kind of them, have come."
        return section(title, few, *parts)
    if not found.declines:
        rows = [(words(name), each.value, each.low, each.high) for name, each in found.performance.items()]
        return section(title, *parts, table(["metric", "value", "from", "to"], rows, "with 95 % intervals"))
    lines = [
        (
            marked(words(name), "bad") if each.worse else words(name),
            each.value, each.reference, each.difference.value, _span(each.difference),
            marked("worse", "bad") if each.worse else "",
        )
        for name, each in found.declines.items()
    ]  # fmt: skip
    about = "95 % intervals, from how much days differ and hang together; worse is beyond the margin with all of its interval"
    return section(
        title, *parts, table(["metric", "value", "reference", "difference", "from … to", ""], lines, about)
    )


def missing_words(coverage: Coverage) -> str:
    """What is to be known of outcomes that have not come."""
    some = f"{coverage.missing:,} of {coverage.rows:,} outcomes have not come"
    if not coverage.selective:
        return f"{some}; answers with one are like the others."
    return (
        f"{some}, and not by chance: answers with one differ from the others (distance {coverage.distance:.2f}, by chance up "
        f"to {coverage.limit:.2f}). What is measured does not hold for all."
    )


def _span(interval: Interval) -> str:
    return f"{interval.low:+.4f} … {interval.high:+.4f}" if interval.low == interval.low else ""


def _explained(found: Watched) -> Html:
    named = [each for each in found.explained if each.impact > 0][:SHOWN]
    level = found.level
    if not found.worse or not (named or (level and level.certain)):
        return Html("")
    parts: list[Content] = []
    if level and level.certain:
        (was, rate), (_, answer) = level.rate, level.answer
        parts.append(
            f"All answers together: {answer:.1%} answered, {rate:.1%} came true ({was:.1%} in the reference period); "
            f"shifting all answers alike would take away {level.loss:.4f} of log loss."
        )
    most = max((each.impact for each in named), default=0) or 1
    rows = [
        (
            each.feature, length(each.impact / most, "bad"), each.within, each.mix,
            ", ".join(each.where[:4]), f"{each.rows:.1%}",
        )
        for each in named
    ]  # fmt: skip
    head = ["feature", "", "harder rows", "more hard rows", "where", "of the rows"]
    about = "log loss a row; where: beyond what happened to all other rows of the same days"
    parts += [table(head, rows, about)] if rows else []
    return section("Which feature the loss came with", *parts)


def _slices(found: Watched) -> Html:
    if not found.slices:
        return Html("")
    rows = [
        (
            marked(f"{each.feature} {each.value}", "bad") if each.worse else f"{each.feature} {each.value}",
            each.rows, each.log_loss[1], each.log_loss[0], each.difference.value if each.measured else "too few",
            _span(each.difference), each.answer[1], each.rate[1],
        )
        for each in found.slices
    ]  # fmt: skip
    head = ["slice", "rows", "log loss", "reference", "beyond others", "from … to", "answered", "came true"]
    about = "beyond others: change of log loss beyond that of the other rows of the same days; all intervals hold together"
    worse = sum(each.worse for each in found.slices)
    title = f"Slice by slice: {worse} of {len(rows)} worse" if worse else "Slice by slice: none worse"
    return section("For whom", folded(title, table(head, rows, about)))


def _estimates(found: Watched) -> Html:
    if not found.estimates:
        return Html("")
    rows = [
        (
            words(name),
            each.value,
            each.checked,
            each.measured,
            "" if each.wrong is None else f"{each.wrong:+.4f}",
        )
        for name, each in found.estimates.items()
    ]
    about = (
        "An estimate from the answers alone, without outcomes: it sees that harder rows came, not that rows became harder. "
        "The last three columns say how wrong it is, on the rows whose outcome has come."
    )
    head = ["metric", "estimated, all rows", "estimated", "measured", "wrong by"]
    return section(
        "Without outcomes", folded("Estimated performance", marked(about, "muted"), table(head, rows))
    )


def _columns(found: Watched) -> Html:
    moved = [*([found.answer] if found.answer else []), *found.inputs]
    most = max((each.distance for each in moved), default=0) or 1
    head = ["column", "", "distance", "drift from", "PSI", "Wasserstein", "missing", "unseen", "detectable"]
    days = "day" if found.limits.days == 1 else "days"
    about = (
        f"The distance is Jensen-Shannon's, 0 to 1. It is drift from where fewer than {ALPHA:.0%} of ordinary windows of "
        f"{found.limits.days} {days} and {found.limits.rows:,} rows have any column that far away; "
        f"{found.limits.stretches} stretches of the reference say what is ordinary. Wasserstein is in standard deviations. "
        "Detectable is the share of rows that would be noticed if they all had a value never seen before."
    )
    return section(
        "Column by column", marked(about, "muted"), table(head, [_row(each, most) for each in moved])
    )


def _row(moved: Moved, most: float) -> tuple[Any, ...]:
    colour = "note" if moved.drifted else "muted"
    before, now = moved.missing
    return (
        marked(moved.name, "note") if moved.drifted else moved.name,
        length(moved.distance / most, colour),
        moved.distance,
        "expected to move" if moved.expected else moved.limit,
        moved.psi,
        "" if moved.wasserstein is None else moved.wasserstein,
        f"{before:.1%} → {now:.1%}" if before or now else "",
        f"{moved.unseen:.1%}" if moved.unseen else "",
        f"{moved.detectable:.1%}",
    )
