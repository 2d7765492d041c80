"""Two versions beside each other: figures with intervals, slices, curves, and what was made differently."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from charts import MUTED, PALETTE, bars, chart, intervals, line, show
from models_version import show_changes
from models_versions import SIGNS
from sources import card_of

from workbench.drift.curves import Curves
from workbench.ledger import Ledger
from workbench.ledger_versions import Registered, registered
from workbench.model_cards import Card, Figure, better, curves_of, made_differently, same_rows
from workbench.settings import Project
from workbench.trail import Standing

SLICES = 12
COLOURS = PALETTE[0], PALETTE[1]
PARTS = ("Metrics", "Slices", "Curves", "Made of")
Pair = tuple[Card, Card]


def show_comparison(project: Project, ledger: Ledger, now: Standing) -> None:
    """Choose two versions, and what of them to look at."""
    every = registered(ledger, now.model)
    if len(every) < 2:
        st.info("There is one version only; the next run that delivers a model makes another one.", icon="🌱")
        return
    numbers = [each.version for each in every]
    names = {each.version: _name(each, now) for each in every}
    row = st.columns([2, 2, 3], vertical_alignment="bottom")
    other = now.champion if now.champion in numbers and now.champion != numbers[0] else numbers[1]
    second = row[0].selectbox("Version", numbers, format_func=names.__getitem__, key="compared")
    first = row[1].selectbox(
        "against", numbers, index=numbers.index(other), format_func=names.__getitem__, key="against"
    )
    part = row[2].segmented_control("Look at", PARTS, default=PARTS[0], required=True, key="compare-part")
    by_number = {each.version: each for each in every}
    pair = card_of(project, by_number[first]), card_of(project, by_number[second])
    if first == second:
        st.info("These are the same version; choose two.", icon="🔎")
    elif part == "Metrics":
        _show_metrics(pair)
    elif part == "Slices":
        _show_slices(pair)
    elif part == "Curves":
        _show_curves(pair)
    else:
        show_changes(made_differently(*pair))


def _name(version: Registered, now: Standing) -> str:
    state = now.state_of(version.version)
    verdict = (
        "not judged"
        if version.passed is None
        else f"{'passed' if version.passed else 'failed'}, {version.outcome}"
    )
    return f"{version.version} {SIGNS[state]} {state} ({verdict})".replace("  ", " ")


def _show_metrics(pair: Pair) -> None:
    first, second = pair
    names = [name for name in second.metrics if name in first.metrics]
    if not names:
        st.info(
            "No evidence came with both of these versions, so there are no figures to compare.", icon="🔎"
        )
        return
    _say_which_rows(pair)
    paired = second.differences if second.judged_against == first.version else {}
    table: dict[str, list[object]] = {
        "metric": names,
        f"version {first.version}": [_text(first.metrics[name]) for name in names],
        f"version {second.version}": [_text(second.metrics[name]) for name in names],
        "better": [_better(pair, name) for name in names],
    }
    if paired:
        table["difference on the same rows"] = [
            _text(paired[name]) if name in paired else "" for name in names
        ]
    st.dataframe(table, hide_index=True, height="content")
    for at, (column, name) in enumerate(zip(st.columns(len(names)), names, strict=True)):
        figure = chart(name, height=150)
        for card, colour in zip(pair, COLOURS, strict=True):
            one = card.metrics[name]
            intervals(
                figure, [f"v{card.version}"], [one.value], [one.low], [one.high], f"v{card.version}", colour=colour
            )  # fmt: skip
        figure.update_layout(showlegend=False, hovermode="closest")
        show(figure, key=f"metric-{at}", place=column)


def _say_which_rows(pair: Pair) -> None:
    first, second = pair
    if same_rows(first, second):
        st.caption(
            f"Both were measured on the same {second.test.get('rows', '?')} rows. Intervals hold at 95 %."
        )
        return
    spans = [
        f"version {card.version} on {card.test.get('rows', '?')} rows from {card.test.get('from', '?')} to {card.test.get('to', '?')}"
        for card in pair
    ]
    st.caption(
        f"⚠️ Measured on different rows: {', '.join(spans)}. Their difference is partly that of the rows."
    )


def _better(pair: Pair, name: str) -> str:
    first, second = pair
    found = better(second.directions.get(name), first.metrics[name], second.metrics[name])
    return "" if found is None else f"version {second.version if found else first.version}"


def _text(figure: Figure) -> str:
    if figure.low is None or figure.high is None:
        return f"{figure.value:.4f}"
    return f"{figure.value:.4f} ({figure.low:.4f} to {figure.high:.4f})"


def _show_slices(pair: Pair) -> None:
    """Change of the metric against each version's own baseline, in the largest slices that both have."""
    first, second = pair
    theirs = {(each.column, each.value): each for each in first.slices if "baseline" in each.against}
    shared = [
        (each, theirs[each.column, each.value])
        for each in second.slices
        if "baseline" in each.against and (each.column, each.value) in theirs
    ]
    if not shared:
        st.info("No slice was measured for both of these versions.", icon="🔎")
        return
    columns = list(dict.fromkeys(each.column for each, _ in shared))
    column = st.pills("By", columns, default=columns[0], required=True, key="slices-by") or columns[0]
    chosen = [each for each in shared if each[0].column == column][:SLICES]
    figure = chart("log loss against the baseline (nats, below 0 is better)", height=110 + 34 * len(chosen))
    for at, card in enumerate(pair):
        parts = [each[1 - at].against["baseline"] for each in chosen]
        names = [f"{each[0].value} ({each[0].rows} rows)" for each in chosen]
        intervals(
            figure, names, [each.value for each in parts], [each.low for each in parts], [each.high for each in parts],
            f"version {card.version}", colour=COLOURS[at],
        )  # fmt: skip
    figure.update_layout(scattermode="group", scattergap=0.6, hovermode="closest")
    figure.update_yaxes(autorange="reversed", type="category")
    figure.add_vline(0, line={"color": MUTED, "width": 1})
    show(figure, key="slices")
    _say_which_rows(pair)


@st.cache_data(max_entries=100, show_spinner=False)
def _curves(folder: Path | None, _card: Card) -> Curves | None:
    return curves_of(_card)


def _show_curves(pair: Pair) -> None:
    found = [(card, _curves(card.files, card)) for card in pair]
    drawn = [
        (card.version, each, colour) for (card, each), colour in zip(found, COLOURS, strict=True) if each
    ]
    if not drawn:
        st.info("No outcomes were counted with these versions, so there are no curves.", icon="🔎")
        return
    _say_which_rows(pair)
    roc = chart("false positives (share)", "true positives (share)")
    recall = chart("recall (share)", "precision (share)")
    calibration = chart("probability that was said", "share that came true")
    scores = chart("probability that was said", "share of the rows of this label", percent=True)
    for version, each, colour in drawn:
        name = f"version {version}"
        line(roc, each.false_positives, each.true_positives, name, colour=colour, points=False)
        line(recall, each.recall, each.precision, name, colour=colour, points=False)
        line(calibration, each.said, each.came, name, colour=colour, low=each.low, high=each.high)
        bars(scores, each.scores, each.positive, f"{name}, came true", colour=colour)
        line(scores, each.scores, each.negative, f"{name}, did not", colour=colour, points=False)
    for figure in (roc, calibration):
        line(
            figure,
            (0, 1),
            (0, 1),
            "chance" if figure is roc else "as said",
            colour=MUTED,
            dash="dot",
            points=False,
        )
    scores.update_layout(barmode="overlay")
    scores.update_traces(opacity=0.55, selector={"type": "bar"})
    left, right = st.columns(2)
    titled = (
        (left, "ROC", roc),
        (right, "Precision and recall", recall),
        (left, "Calibration", calibration),
        (right, "Scores", scores),
    )
    for place, title, figure in titled:
        place.markdown(f"**{title}**")
        figure.update_layout(hovermode="closest")
        show(figure, key=f"curve-{title}", place=place)
