"""A replay as one HTML page for people: the policies side by side, how models age, and every decision with its reason."""

from __future__ import annotations

from workbench.evaluation import Interval
from workbench.pages import Content, Html, banner, folded, lines, marked, page, section, table, tiles
from workbench.replay.asking import NAMES
from workbench.replay.charts import COLOURS, NARROW, Line, beside, chart
from workbench.replay.findings import Judged, Outcome
from workbench.replay.months import shown
from workbench.replay.outcomes import RESAMPLES
from workbench.replay.policies import MARGIN
from workbench.replay.year import Replay

KINDS = {
    "promoted": "good",
    "refused": "bad",
    "rolled back": "note",
    "set aside": "muted",
    "kept": "muted",
    "ended": "muted",
}


def replay_page(found: Replay) -> str:
    """A self-contained page without scripts."""
    scenario = found.scenario
    about = (
        f"{shown(scenario.months)} as they would have been: the first champion learned from {shown(scenario.learned)}; a "
        f"later one from {'all months' if scenario.history is None else f'the newest {scenario.history} months'} known by "
        "then. Each month is answered by the champion of then; what is trained passes the ordinary gates, or does not."
    )
    ticks = [month.name[:3] if not month.year else month.name for month in scenario.months]
    return page(
        f"{scenario.model}: the year as it would have been",
        marked(about, "muted"),
        _banner(found),
        _tiles(found),
        section("Policies", *_policies(found)),
        section("Month by month", *_charts(found, ticks)),
        section("What was decided", _grid(found)),
        section("How models age", *_aging(found)),
        section("Every decision, and what the month after showed", *map(_decisions, found.outcomes)),
        section("How this was measured", *_method()),
    )


def _banner(found: Replay) -> Content:
    active = [each for each in found.outcomes if each.count("promoted", "rolled back")]
    if not active:
        return banner("No policy replaced the first champion", "note")
    best = min(active, key=lambda each: each.quality["log_loss"].value)
    auc, loss = best.against["auc"], best.against["log_loss"]
    sure = loss.high < 0
    told = f"AUC {_signed(auc)}, log loss {_signed(loss)}, against leaving the first champion in place"
    return banner(
        f"'{best.policy}' would have been {'better' if sure else 'no surer than leaving it'}",
        "good" if sure else "note",
        told,
    )


def _tiles(found: Replay) -> Html:
    trained = len({r.record.trained.digest for o in found.outcomes for r in o.months if r.record.trained})
    right = sum(each.rightly_refused[0] for each in found.outcomes)
    refused = sum(each.rightly_refused[1] for each in found.outcomes)
    return tiles([
        ("months", len(found.scenario.months), shown(found.scenario.months)),
        ("versions trained", trained, "after the first, all policies"),
        ("refused", refused, f"{right} of them rightly"),
        ("rolled back", sum(each.count("rolled back") for each in found.outcomes), "in their first month"),
    ])  # fmt: skip


def _policies(found: Replay) -> list[Html]:
    quality = [
        (
            each.policy,
            _interval(each.quality["auc"]),
            _coloured(each.against["auc"], 1),
            _interval(each.quality["log_loss"]),
            _coloured(each.against["log_loss"], -1),
        )
        for each in found.outcomes
    ]
    actions = [
        (
            each.policy,
            each.trainings,
            each.count("promoted"),
            "{1}, {0} of them rightly".format(*each.rightly_refused) if each.rightly_refused[1] else 0,
            each.count("rolled back"),
            each.alerts,
            each.false_alarms,
            f"{each.cost:,.0f} s",
        )
        for each in found.outcomes
    ]
    return [
        table(
            ["policy", "AUC", "against never", "log loss", "against never"],
            quality,
            "means over the months, with 95 % intervals",
        ),
        table(
            ["policy", "trained", "promoted", "refused", "rolled back", "alerts", "false alarms", "cost"],
            actions,
        ),
    ]


def _charts(found: Replay, ticks: list[str]) -> list[Html]:
    drawn = []
    for metric, title in (("auc", "AUC: more is better"), ("log_loss", "Log loss: less is better")):
        shown_lines = [
            Line(each.policy, [month.quality[metric] for month in each.months], _colour(each.policy))
            for each in found.outcomes
        ]
        drawn.append(chart(title, ticks, shown_lines))
    return drawn


def _colour(policy: str) -> str:
    """The same for a policy whichever others are beside it."""
    return COLOURS[NAMES.index(policy) % len(COLOURS)]


def _grid(found: Replay) -> Html:
    months = found.scenario.months
    rows = [[each.policy, *(_cell(judged) for judged in each.months)] for each in found.outcomes]
    caption = "at the end of each month; ! marks an alert"
    return table(["policy", *(month.name for month in months)], rows, caption)


def _cell(judged: Judged) -> Html:
    record = judged.record
    proved = {True: " ✓", False: " ✗", None: ""}[judged.right]
    return _whole(f"{record.did}{proved}{' !' if record.alert else ''}", KINDS[record.did])


def _aging(found: Replay) -> list[Content]:
    if not found.aging:
        return ["No two versions were trained that could be compared in the same month."]
    ticks = [str(each.age) for each in found.aging]
    colour = COLOURS[1]
    drawn = beside(
        *(
            chart(
                title,
                ticks,
                [Line(title, [each.loss[metric] for each in found.aging], colour)],
                zero=True,
                width=NARROW,
            )
            for metric, title in (
                ("auc", "AUC, aged minus fresh"),
                ("log_loss", "Log loss, aged minus fresh"),
            )
        )
    )
    rows = [
        (f"{each.age} months", each.months, _signed(each.loss["auc"]), _signed(each.loss["log_loss"]))
        for each in found.aging
    ]
    about = "A version so old, against one as fresh as can be, on the rows of the same month."
    return [about, drawn, table(["age", "months measured", "AUC", "log loss"], rows)]


def _decisions(outcome: Outcome) -> Html:
    rows = [
        (
            each.month.name,
            f"version {each.record.version}, {each.record.age} month{'s' if each.record.age > 1 else ''} old",
            _interval(each.quality["auc"]),
            _cell(each),
            each.record.reason,
            each.verdict,
        )
        for each in outcome.months
    ]
    head = ["month", "answered by", "AUC", "then", "why", "the month after"]
    return folded(f"{outcome.policy}: {len(rows)} decisions", table(head, rows))


def _method() -> list[Content]:
    return [
        f"Intervals are of 95 %, from {RESAMPLES} resamples of whole days within each month; months count alike. Versions "
        "are compared on the same rows under the same resamples.",
        f"A decision is right (✓) where the month after shows it: what was promoted was better there, what was refused was "
        f"not. Better and worse: the interval of the difference in log loss excludes zero and it is more than {MARGIN:g}.",
        "An alert is false where what was trained because of it would not have been better in the month after. Alerts of "
        "months in which nothing was trained are counted, and not judged.",
        "Drift is judged by whole weeks with the version's own limits; performance by the whole month against the test "
        "weeks that the version was judged on. In its first month a champion is held against its predecessor, and gives "
        "way to it when worse.",
        "Cost is the seconds that the steps of all trainings took when they were executed; what another policy had done "
        "before was cached.",
    ]


def _interval(of: Interval) -> Html:
    """The figure, and below it how sure it is."""
    return lines(f"{of.value:.3f}", _whole(f"{of.low:.3f} to {of.high:.3f}", "muted"))


def _whole(text: str, kind: str) -> Html:
    """Not broken into lines."""
    return Html(f'<span style="white-space:nowrap">{marked(text, kind).markup}</span>')


def _signed(of: Interval) -> str:
    return f"{of.value:+.4f} ({of.low:+.4f} to {of.high:+.4f})"


def _coloured(of: Interval, sign: int) -> Content:
    low, high = sorted((sign * of.low, sign * of.high))
    kind = "good" if low > 0 else "bad" if high < 0 else "muted"
    return lines(marked(f"{of.value:+.4f}", kind), _whole(f"{of.low:+.4f} to {of.high:+.4f}", "muted"))
