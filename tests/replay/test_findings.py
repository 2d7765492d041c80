"""What is said of a policy afterwards, on rows where it is known which version is the better one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from workbench.cli.replay import print_replay, print_short
from workbench.evaluation import bootstrap_weights
from workbench.replay.course import Scenario
from workbench.replay.findings import Outcome, ages, as_dict, judge
from workbench.replay.journal import Journal, Record, read_journal
from workbench.replay.months import Month
from workbench.replay.outcomes import Outcomes, Rows
from workbench.replay.page import replay_page
from workbench.replay.place import Trained
from workbench.replay.year import Replay

MONTHS = (Month(0, 4), Month(0, 5), Month(0, 6))
SCENARIO = Scenario("m", "months", (Month(0, 3),), MONTHS)


class Blurred:
    """Knows the true probability of each row, up to noise of its own."""

    def __init__(self, noise: float) -> None:
        self.noise = noise

    def predict_proba(self, frame: pd.DataFrame) -> np.ndarray:
        generator = np.random.default_rng(1)
        logits = frame["x"].to_numpy() + generator.normal(scale=self.noise, size=len(frame))
        late = 1 / (1 + np.exp(-logits))
        return np.column_stack([1 - late, late])


@pytest.fixture(scope="module")
def outcomes() -> Outcomes:
    """Versions by how blurred they are: `sharp`, `fair` and `poor`."""
    found = {}
    for month in MONTHS:
        generator = np.random.default_rng(month.number)
        x = generator.normal(size=3000)
        labels = (generator.random(3000) < 1 / (1 + np.exp(-x))).astype(float)
        days = np.repeat(np.arange(30), 100) + np.datetime64(f"2013-{month.number:02}-01")
        found[month] = Rows(pd.DataFrame({"x": x}), labels, days, bootstrap_weights(3000, 200, groups=days))
    known = Outcomes(found)
    for name, noise in (("sharp", 0.1), ("fair", 1.0), ("poor", 2.5)):
        known.know(name, Blurred(noise), ["x"])
    return known


def trained(version: int, digest: str, **more) -> Trained:
    made = Trained(version, digest, True, "better", "passed", ran=3, steps=5, cost=10.0, took=4.0)
    return replace(made, **more)


def record(
    month: int, digest: str, did, after: int, new: Trained | None = None, alert: bool = False
) -> Record:
    version = {"fair": 1, "sharp": 2, "poor": 3}[digest]
    return Record(str(month), version, digest, 1, did, "because", alert, after, new)


FIRST = trained(1, "fair", outcome="first")


def judged(outcomes: Outcomes, *records: Record) -> Outcome:
    return judge("p", Journal("spec", FIRST, records), SCENARIO, outcomes)


def test_a_policy_that_promotes_the_better_version_is_better_and_was_right(outcomes):
    found = judged(
        outcomes,
        record(4, "fair", "promoted", 2, trained(2, "sharp"), alert=True),
        record(5, "sharp", "kept", 2),
        record(6, "sharp", "ended", 2),
    )
    assert found.against["auc"].low > 0
    assert found.against["log_loss"].high < 0
    assert found.months[0].right is True
    assert found.months[0].verdict.startswith("May: better by -0.")
    assert (found.trainings, found.count("promoted"), found.alerts, found.false_alarms) == (1, 1, 1, 0)
    assert (found.cost, found.took) == (20.0, 8.0)
    assert found.months[2].right is None


def test_what_never_changes_differs_from_itself_by_nothing(outcomes):
    found = judged(outcomes, *(record(month, "fair", "kept", 1) for month in (4, 5, 6)))
    for of in found.against.values():
        assert (of.value, of.low, of.high) == (0, 0, 0)
    assert found.quality["auc"].low < found.quality["auc"].value < found.quality["auc"].high


def test_refusals_and_alarms_are_held_against_the_month_after(outcomes):
    wrong = judged(
        outcomes,
        record(4, "fair", "refused", 1, trained(2, "sharp", passed=False), alert=True),
        record(5, "fair", "refused", 1, trained(3, "poor", passed=False), alert=True),
        record(6, "fair", "ended", 1, alert=True),
    )
    assert [each.right for each in wrong.months] == [False, True, None]
    assert wrong.rightly_refused == (1, 2)
    assert (wrong.alerts, wrong.false_alarms) == (3, 1)  # of the last month nobody can say
    content = as_dict(wrong)
    assert (content["refused"], content["rightly_refused"]) == (2, 1)
    assert content["months"][0]["next_month"]["high"] < 0


def test_going_back_is_right_where_the_predecessor_stays_the_better_one(outcomes):
    found = judged(
        outcomes,
        record(4, "fair", "promoted", 3, trained(3, "poor")),
        record(5, "poor", "rolled back", 1, alert=True),
        record(6, "fair", "ended", 1),
    )
    assert [each.right for each in found.months] == [False, True, None]


def test_age_is_measured_against_a_fresh_version_in_the_same_month(outcomes):
    journal = Journal(
        "spec", FIRST, (record(4, "fair", "promoted", 2, trained(2, "sharp")), record(5, "sharp", "kept", 2))
    )
    (two,) = ages([journal], SCENARIO, outcomes)
    assert (two.age, two.months) == (2, 1)
    assert two.loss["auc"].high < 0
    assert two.loss["log_loss"].low > 0
    assert ages([Journal("spec", FIRST)], SCENARIO, outcomes) == ()


def test_a_journal_is_read_as_it_was_written_and_another_replay_s_is_not(tmp_path):
    journal = Journal(
        "spec", FIRST, (record(4, "fair", "promoted", 2, trained(2, "sharp")), record(5, "sharp", "kept", 2))
    )
    file = tmp_path / "state" / "journal.json"
    journal.save(file)
    assert read_journal(file, "spec") == journal
    assert read_journal(file, "other") is None
    file.write_text(file.read_text()[:-40])
    assert read_journal(file, "spec") is None
    assert read_journal(tmp_path / "none", "spec") is None


def test_a_replay_is_shown_in_the_terminal_and_on_a_page(outcomes, capsys, tmp_path):
    never = Journal("spec", FIRST, tuple(record(month, "fair", "kept", 1) for month in (4, 5, 6)))
    loud = Journal(
        "spec",
        FIRST,
        (
            record(4, "fair", "promoted", 3, trained(3, "poor"), alert=True),
            record(5, "poor", "rolled back", 1, alert=True),
            record(6, "fair", "ended", 1),
        ),
    )
    judged_ones = tuple(
        judge(name, each, SCENARIO, outcomes) for name, each in (("never", never), ("drift", loud))
    )
    found = Replay("train", SCENARIO, judged_ones, ages([never, loud], SCENARIO, outcomes))
    print_replay(found, tmp_path / "page.html", 61.0)
    said = capsys.readouterr().out
    assert "'m' from April to June, 3 months" in said
    assert [line.split()[0] for line in said.splitlines() if "because" in line][-3:] == [
        "promoted",
        "rolled",
        "ended",
    ]
    assert "2 months old: AUC +" in said
    assert "took 1 min 01 s" in said
    print_short(found, tmp_path / "page.html")
    *lines, page_line = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert lines[3] == "April (drift), answered by version 1: version 3 promoted: because"
    assert lines[4] == "May (drift), answered by version 3: rolled back: because"
    assert lines[5].endswith("the replay ends: because")
    assert page_line.endswith("page.html")
    page = replay_page(found)
    assert page.count("<svg") == 4
    assert "promoted ✗ !" in page
    assert "rolled back ✓ !" in page
    assert "no surer than leaving it" in page
    unmoved = replay_page(replace(found, outcomes=judged_ones[:1], aging=()))
    assert "No policy replaced the first champion" in unmoved
    assert "No two versions were trained" in unmoved
