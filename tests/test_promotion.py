"""Promotions on a real ledger and a real MLflow: what is allowed, what is recorded, what a crash leaves behind."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from tests.promoters import WRITES, killed_before, promoters
from tests.registered import MODEL
from workbench import ledger_trail
from workbench.champions import champion_marker
from workbench.errors import LedgerError, ModelError, PromotionError
from workbench.ledger import Ledger
from workbench.mlflow_store import Aliases, connect
from workbench.promotion import Actor, Promotions, actor_here, trail_problems
from workbench.registry import load, place
from workbench.setting_keys import ROLES
from workbench.settings import Project, os_user
from workbench.trail import Entry, live_during

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

ADA = Actor("ada", frozenset(ROLES))
OPERATOR = Actor("omar", frozenset(ROLES[:2]))


@pytest.fixture
def ledger(models: Project) -> Iterator[Ledger]:
    with Ledger.open(models) as opened:
        yield opened


@pytest.fixture
def promotions(models: Project, ledger: Ledger) -> Promotions:
    return Promotions(models, ledger, Aliases(models, connect(models)))


def judged(ledger: Ledger, version: int, champion: int | None, passed: bool = True, **more: Any) -> None:
    thresholds = [{"name": "auc", "passed": passed, "reason": "0.61 is below 0.65", "value": 0.61}]
    outcome = "promotable" if passed else "refused"
    ledger.record_verdict(
        MODEL, version, passed=passed, outcome=outcome, content={"thresholds": thresholds},
        champion_version=champion, **more,
    )  # fmt: skip


def promoted(promotions: Promotions, *versions: int) -> None:
    """Each in turn, with a verdict that passed."""
    for version in versions:
        expected = promotions.look(MODEL).champion
        judged(promotions.ledger, version, expected)
        promotions.promote(MODEL, version, ADA, expected=expected)


def agree(promotions: Promotions, champion: int | None) -> None:
    """The trail, the alias and the marker say the same, and the chain is whole."""
    now = promotions.look(MODEL)
    marker = champion_marker(promotions.project, MODEL)
    assert now.pending is None
    assert now.champion == champion
    assert now.alias == promotions.aliases.get(MODEL) == champion
    assert (marker.version if marker else None) == champion
    assert trail_problems(promotions.project, promotions.ledger) == []


def test_a_version_with_a_passed_verdict_becomes_champion(models: Project, promotions: Promotions) -> None:
    judged(promotions.ledger, 1, None)
    done = promotions.promote(MODEL, 1, ADA, expected=None, reason="better in every slice")
    agree(promotions, 1)
    begun, ended = ledger_trail.entries(promotions.ledger)
    assert ended == done
    assert (begun.kind, begun.phase, begun.version, begun.replaces) == ("promote", "intent", 1, None)
    assert (begun.actor, begun.reason) == ("ada", "better in every slice")
    assert (ended.phase, ended.refers, ended.previous) == ("done", begun.sequence, begun.hash)
    at = place(models, promotions.ledger, MODEL)
    assert (begun.content["digest"], begun.content["policy"]) == (at.digest, "manual")
    assert begun.content["verdict"]["outcome"] == "promotable"
    marker = champion_marker(models, MODEL)
    assert marker is not None
    assert (marker.digest, marker.sequence, marker.hash) == (at.digest, ended.sequence, ended.hash)
    assert at.folder == models.root / str(marker.folder)
    assert load(models, MODEL, ledger=promotions.ledger).version == 1


def test_without_a_verdict_nothing_is_promoted(promotions: Promotions) -> None:
    with pytest.raises(PromotionError, match="version 1 of 'm' is not promoted: version 1 was not judged"):
        promotions.promote(MODEL, 1, ADA, expected=None)
    assert ledger_trail.entries(promotions.ledger) == []
    agree(promotions, None)


def test_an_override_is_marked_for_ever(promotions: Promotions) -> None:
    judged(promotions.ledger, 1, None, passed=False)
    with pytest.raises(PromotionError, match=r"its verdict is 'refused' \(auc: 0\.61 is below 0\.65\)"):
        promotions.promote(MODEL, 1, ADA, expected=None, reason="I like it")
    with pytest.raises(PromotionError, match="an override needs a reason"):
        promotions.promote(MODEL, 1, ADA, expected=None, override=True)
    promotions.promote(MODEL, 1, ADA, expected=None, override=True, reason="the test set is broken")
    promoted(promotions, 2, 1)  # later promoted with a passed verdict, too
    mark = promotions.look(MODEL).overrides[1]
    assert mark.overridden == ("its verdict is 'refused' (auc: 0.61 is below 0.65)",)
    assert mark.reason == "the test set is broken"
    agree(promotions, 1)


def test_a_verdict_against_another_champion_is_stale(promotions: Promotions) -> None:
    promoted(promotions, 1)
    judged(promotions.ledger, 3, 1)
    promoted(promotions, 2)
    with pytest.raises(
        PromotionError, match="was judged against version 1, and the champion is version 2 now"
    ):
        promotions.promote(MODEL, 3, ADA, expected=2)
    agree(promotions, 2)


def test_two_who_decided_at_once_one_is_told_who_was_faster(promotions: Promotions) -> None:
    promoted(promotions, 1)
    judged(promotions.ledger, 2, 1)
    judged(promotions.ledger, 3, 1)
    promotions.promote(MODEL, 2, replace(ADA, name="grace"), expected=1, reason="faster")
    with pytest.raises(
        PromotionError,
        match=r"decided with version 1 as champion of 'm', but meanwhile 'grace' did a promote of version 2 \(faster\)",
    ):
        promotions.promote(MODEL, 3, ADA, expected=1)
    agree(promotions, 2)


def test_a_rollback_goes_back_step_by_step(promotions: Promotions) -> None:
    promoted(promotions, 1, 2, 3)
    for expected, before in ((2, 3), (1, 2)):
        done = promotions.rollback(MODEL, OPERATOR, reason="late flights doubled", expected=before)
        assert (done.version, done.replaces) == (expected, before)
        agree(promotions, expected)
    with pytest.raises(PromotionError, match="no champion before"):
        promotions.rollback(MODEL, OPERATOR, reason="more", expected=1)
    promotions.rollback(MODEL, OPERATOR, reason="it was not that", expected=1, to=3)
    agree(promotions, 3)


def test_a_rollback_passes_over_what_was_retired(promotions: Promotions) -> None:
    promoted(promotions, 1, 2, 3)
    promotions.retire(MODEL, 2, ADA, reason="leaks the label", expected=3)
    with pytest.raises(PromotionError, match=r"version 2 was retired by 'ada' on .*: leaks the label"):
        promotions.rollback(MODEL, ADA, reason="x", expected=3, to=2)
    promotions.rollback(MODEL, ADA, reason="x", expected=3)
    agree(promotions, 1)
    with pytest.raises(PromotionError, match="it was retired by 'ada'"):
        promotions.promote(MODEL, 2, ADA, expected=1, override=True, reason="x")


def test_only_a_former_champion_can_be_rolled_back_to(promotions: Promotions) -> None:
    promoted(promotions, 1, 2)
    for to, reason in ((3, "was never champion; promote it"), (2, "is the champion already")):
        with pytest.raises(PromotionError, match=reason):
            promotions.rollback(MODEL, ADA, reason="x", expected=2, to=to)
    with pytest.raises(PromotionError, match="a rollback needs a reason"):
        promotions.rollback(MODEL, ADA, reason=" ", expected=2)


def test_a_retired_champion_leaves_none_and_a_rollback_brings_the_one_before(promotions: Promotions) -> None:
    promoted(promotions, 1, 2)
    promotions.retire(MODEL, 2, ADA, reason="leaks the label", expected=2)
    agree(promotions, None)
    promotions.rollback(MODEL, ADA, reason="something must serve", expected=None)
    agree(promotions, 1)


def test_a_rejected_version_needs_an_override(promotions: Promotions) -> None:
    judged(promotions.ledger, 1, None)
    promotions.reject(MODEL, 1, ADA, reason="worse on small airports")
    with pytest.raises(PromotionError, match=r"it was rejected by 'ada' on .*: worse on small airports"):
        promotions.promote(MODEL, 1, ADA, expected=None)
    promotions.promote(MODEL, 1, ADA, expected=None, override=True, reason="measured again")
    assert promotions.look(MODEL).rejected == {}
    with pytest.raises(PromotionError, match="is the champion; roll back first"):
        promotions.reject(MODEL, 1, ADA, reason="x")


def test_a_version_whose_files_were_changed_does_not_become_champion(
    models: Project, promotions: Promotions
) -> None:
    promoted(promotions, 1, 2)
    folder = place(models, promotions.ledger, MODEL, 1).folder
    assert folder is not None
    (folder / "notes.txt").chmod(0o644)
    (folder / "notes.txt").write_text("number 1, improved")
    with pytest.raises(ModelError, match="not those that were registered"):
        promotions.rollback(MODEL, ADA, reason="x", expected=2)
    agree(promotions, 2)


def test_an_alias_moved_behind_our_back_is_seen_and_not_served(
    models: Project, promotions: Promotions
) -> None:
    promoted(promotions, 1, 2)
    promotions.aliases.set(MODEL, 4)
    now = promotions.look(MODEL)
    assert now.foreign is not None
    assert (now.champion, now.alias, now.foreign.kind, now.foreign.version) == (2, 4, "foreign", 4)
    assert promotions.look(MODEL) == now  # noted once
    assert load(models, MODEL, ledger=promotions.ledger).version == 2
    promotions.rollback(MODEL, ADA, reason="nobody judged version 4", expected=2, to=2)
    agree(promotions, 2)
    promotions.aliases.set(MODEL, None)
    assert promotions.look(MODEL).foreign is not None
    promotions.aliases.set(MODEL, 2)
    now = promotions.look(MODEL)
    assert (now.foreign, now.alias) == (None, 2)
    assert [each.kind for each in ledger_trail.entries(promotions.ledger)].count("foreign") == 3
    agree(promotions, 2)


def test_a_foreign_alias_may_be_accepted_by_promoting_it(promotions: Promotions) -> None:
    promoted(promotions, 1)
    promotions.aliases.set(MODEL, 4)
    judged(promotions.ledger, 4, 1)
    promotions.promote(MODEL, 4, ADA, expected=1)
    agree(promotions, 4)


def test_what_was_live_then(promotions: Promotions) -> None:
    promoted(promotions, 1, 2)
    promotions.rollback(MODEL, ADA, reason="x", expected=2)
    now = promotions.look(MODEL)
    first, second, third = now.periods
    assert [each.version for each in now.periods] == [1, 2, 1]
    assert (first.until, second.until, third.until) == (second.since, third.since, None)
    assert live_during(now, first.since - 10, first.since - 5) == ()
    assert live_during(now, first.since - 10, first.since + 0.0) == ()
    assert live_during(now, first.since, first.since) == (first,)
    assert live_during(now, second.since, second.since) == (second,)
    assert live_during(now, first.since, time.time() + 1) == (first, second, third)
    assert live_during(now, time.time() + 5, time.time() + 5) == (third,)


@pytest.mark.parametrize("table", ["promotions", "verdicts"])
def test_the_database_refuses_to_change_the_past(models: Project, promotions: Promotions, table: str) -> None:
    promoted(promotions, 1)
    with sqlite3.connect(models.state / "ledger.db") as connection:
        for change in (f"UPDATE {table} SET model = 'x'", f"DELETE FROM {table}"):
            with pytest.raises(sqlite3.IntegrityError, match="append-only"):
                connection.execute(change)
    connection.close()


def forge(project: Project, *statements: str) -> None:
    """Change the trail in spite of the database's own guard."""
    connection = sqlite3.connect(project.state / "ledger.db")
    connection.execute("DROP TRIGGER IF EXISTS promotions_no_update")
    connection.execute("DROP TRIGGER IF EXISTS promotions_no_delete")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize(
    ("statement", "problems"),
    [
        ("UPDATE promotions SET actor = 'eve' WHERE sequence = 3", ["entry 3 (promote of 'm') was changed"]),
        ("UPDATE promotions SET content = '{}' WHERE sequence = 1", ["entry 1 (promote of 'm') was changed"]),
        ("UPDATE promotions SET created = created - 9 WHERE sequence = 2", ["entry 2 (promote of 'm') was changed"]),
        ("DELETE FROM promotions WHERE sequence = 2", ["entry 2 is missing"]),
        ("DELETE FROM promotions WHERE sequence < 3", ["entry 1 to 2 is missing"]),
        ("DELETE FROM promotions WHERE sequence > 2", ["entry 4 is missing: a marker of the store was written after it"]),
        ("DELETE FROM promotions", ["entry 4 is missing: a marker of the store was written after it"]),
    ],
)  # fmt: skip
def test_a_forged_trail_says_where(
    models: Project, promotions: Promotions, statement: str, problems: list[str]
) -> None:
    promoted(promotions, 1, 2)
    forge(models, statement)
    found = trail_problems(models, promotions.ledger)
    assert [each for each in problems if each not in found] == []


def test_a_trail_that_was_written_anew_does_not_match_the_marker(
    models: Project, promotions: Promotions
) -> None:
    promoted(promotions, 1)
    old = ledger_trail.entries(promotions.ledger)
    forge(models, "DELETE FROM promotions")
    for each in old:
        draft = Entry(each.model, each.kind, each.phase, each.version, each.replaces, "eve", "", each.refers)
        ledger_trail.append(promotions.ledger, draft)
    assert trail_problems(models, promotions.ledger) == [
        "entry 2 is another one: a marker of the store was written after it"
    ]


def test_the_marker_is_written_again_when_it_is_lost(models: Project, promotions: Promotions) -> None:
    promoted(promotions, 1)
    (file,) = (models.store / "champions").iterdir()
    written = file.read_text()
    for damage in ("", "{}", '{"model": "m", "version": "1"}', "[1]"):
        file.write_text(damage)
        assert champion_marker(models, MODEL) is None
        promotions.look(MODEL)
        assert file.read_text() == written
    file.unlink()
    assert place(models, promotions.ledger, MODEL).version == 1  # the trail knows


@pytest.mark.parametrize("kind", ["promote", "rollback", "retire"])
@pytest.mark.parametrize("write", WRITES)
def test_a_move_killed_before_any_write_is_finished_or_undone(models: Project, kind: str, write: str) -> None:
    with Ledger.open(models) as ledger:
        promotions = Promotions(models, ledger, Aliases(models, connect(models)))
        promoted(promotions, 1, 2)
        judged(ledger, 3, 2)
    assert killed_before(models, kind, write) == -signal.SIGKILL
    target = {"promote": 3, "rollback": 1, "retire": None}[kind]
    with Ledger.open(models) as ledger:
        promotions = Promotions(models, ledger, Aliases(models, connect(models)))
        agree(promotions, 2 if write in ("intent", "alias") else target)
        last = ledger_trail.entries(ledger)[-1]
        assert (last.kind, last.phase) == {
            "intent": ("promote", "done"), "alias": ("repair", "failed"), "done": ("repair", "done"), "marker": (kind, "done"),
        }[write]  # fmt: skip
        count = len(ledger_trail.entries(ledger))
        promotions.look(MODEL)
        assert len(ledger_trail.entries(ledger)) == count  # repaired once


def test_five_promote_at_once_and_one_wins(models: Project) -> None:
    with Ledger.open(models) as ledger:
        promotions = Promotions(models, ledger, Aliases(models, connect(models)))
        promoted(promotions, 1)
        for version in (2, 3, 4):
            judged(ledger, version, 1)
    outcomes = promoters(models, [2, 3, 4, 2, 3], expected=1)
    winners = [version for version, said in outcomes if said == "promoted"]
    assert len(winners) == 1
    losers = [said for _, said in outcomes if said != "promoted"]
    assert all("but meanwhile 'promoter-" in said for said in losers)
    with Ledger.open(models) as ledger:
        agree(Promotions(models, ledger, Aliases(models, connect(models))), winners[0])


def test_while_another_moves_it_a_look_does_not_wait(models: Project, promotions: Promotions) -> None:
    promoted(promotions, 1)
    (models.store / "champions" / "m.json").unlink()
    with ledger_trail.exclusively(promotions.ledger, MODEL, 5):
        assert promotions.look(MODEL).champion == 1
        assert champion_marker(models, MODEL) is None  # that is for the one whose turn it is
    promotions.look(MODEL)
    agree(promotions, 1)


def test_whoever_works_here_may_do_everything_until_roles_are_set(models: Project) -> None:
    assert actor_here(models) == Actor(os_user(), frozenset(ROLES))
    limited = replace(models, roles={"approver": ("ada",), "viewer": (os_user(),)})
    assert actor_here(limited).roles == {"viewer"}


def test_a_ledger_that_fails_says_so(models: Project, promotions: Promotions) -> None:
    judged(promotions.ledger, 1, None)

    def break_it(write: str) -> None:
        if write == "done":
            engine = sa.create_engine(models.ledger_url)
            with engine.begin() as connection:
                connection.execute(sa.text("ALTER TABLE promotions RENAME TO elsewhere"))
            engine.dispose()

    with pytest.raises(LedgerError, match="no such table"):
        promotions.promote(MODEL, 1, ADA, expected=None, before=break_it)
    forge(models, "ALTER TABLE elsewhere RENAME TO promotions")
    agree(promotions, 1)  # the alias had been moved
