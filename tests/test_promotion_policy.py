"""Who may do what, as a table."""

from __future__ import annotations

import pytest

from workbench.ledger_rows import Verdict
from workbench.promotion_policy import (
    Actor,
    Asked,
    may_promote,
    may_reject,
    may_retire,
    may_roll_back,
    replaces_by_itself,
)
from workbench.setting_keys import ROLES
from workbench.trail import Entry, Standing


def person(name: str, role: str | None) -> Actor:
    return Actor(name, frozenset(ROLES[: ROLES.index(role) + 1] if role else ()))


def verdict(passed: bool = True, champion: int | None = 1, failed: int = 0) -> Verdict:
    thresholds = [{"name": f"t{n}", "passed": False, "reason": f"r{n}"} for n in range(failed)]
    return Verdict(
        1, "m", 2, 0.0, None, passed, "ok" if passed else "worse", champion, {"thresholds": thresholds}, "d"
    )


NOW = Standing("m", champion=1, alias=1)


@pytest.mark.parametrize(
    ("policy", "actor", "author", "allowed", "reason"),
    [
        ("auto", person("ada", "operator"), "ada", True, ""),
        ("auto", person("ada", "viewer"), "ada", False, "needs the role operator (roles: viewer)"),
        ("manual", person("ada", "approver"), "ada", True, ""),
        (
            "manual",
            person("ada", "operator"),
            "eve",
            False,
            "'ada' may not promote: it needs the role approver",
        ),
        ("manual", person("ada", None), "eve", False, "(roles: none)"),
        ("two-person", person("ada", "admin"), "eve", True, ""),
        ("two-person", person("ada", "admin"), "ada", False, "'ada' is its author"),
        ("two-person", person("ada", "admin"), None, False, "its author is not known"),
    ],
)
def test_each_policy_wants_its_people(
    policy: str, actor: Actor, author: str | None, allowed: bool, reason: str
) -> None:
    decision = may_promote(policy, Asked(2, actor), verdict(), author, NOW)
    assert decision.allowed == allowed
    assert reason in " ".join(decision.reasons)
    overriding = may_promote(policy, Asked(2, actor, "because", override=True), verdict(), author, NOW)
    assert overriding.allowed == allowed  # an override is about the version, not about the person
    assert overriding.overridden == ()  # and none was needed


@pytest.mark.parametrize(
    ("given", "objection"),
    [
        (None, "version 2 was not judged"),
        (verdict(passed=False), "its verdict is 'worse'"),
        (verdict(passed=False, failed=2), "its verdict is 'worse' (t0: r0; t1: r1)"),
        (verdict(passed=False, failed=7), "(t0: r0; t1: r1; t2: r2; t3: r3; t4: r4; and 2 more)"),
        (verdict(champion=None), "judged against no champion, and the champion is version 1 now"),
        (verdict(champion=3), "judged against version 3, and the champion is version 1 now"),
    ],
)
def test_each_objection_can_be_overridden_and_is_kept(given: Verdict | None, objection: str) -> None:
    admin = person("ada", "admin")
    refused = may_promote("manual", Asked(2, admin, "because"), given, "eve", NOW)
    assert not refused.allowed
    assert objection in refused.reasons[0]
    overridden = may_promote("manual", Asked(2, admin, "because", override=True), given, "eve", NOW)
    assert (overridden.allowed, overridden.overridden) == (True, refused.reasons)
    for asked in (
        Asked(2, admin, " ", override=True),
        Asked(2, person("ada", "approver"), "because", override=True),
    ):
        decision = may_promote("auto", asked, given, "eve", NOW)
        assert not decision.allowed
        assert "needs" in decision.reasons[0]


def test_everything_that_speaks_against_it_is_said_at_once() -> None:
    rejected = Entry("m", "reject", "done", 2, 1, "grace", "slow")
    now = Standing("m", champion=3, rejected={2: rejected})
    decision = may_promote("manual", Asked(2, person("ada", "viewer")), verdict(passed=False), "eve", now)
    assert len(decision.reasons) == 4


def test_nothing_helps_a_retired_version_or_the_champion_itself() -> None:
    retired = Standing("m", champion=1, retired={2: Entry("m", "retire", "done", 2, 1, "grace", "leak")})
    admin = person("ada", "admin")
    decision = may_promote("manual", Asked(2, admin, "x", override=True), verdict(), "eve", retired)
    assert not decision.allowed
    assert "it was retired by 'grace' on " in decision.reasons[0]
    again = may_promote("manual", Asked(1, admin, "x", override=True), verdict(), "eve", NOW)
    assert again.reasons == ("version 1 is the champion already",)
    astray = Standing("m", champion=1, alias=4, foreign=Entry("m", "foreign", "done", 4, 1, "unknown"))
    assert may_promote("manual", Asked(1, admin), verdict(), "eve", astray).allowed  # puts the alias back


def test_the_other_moves_need_their_role_and_a_reason() -> None:
    for decision in (
        may_roll_back(1, person("ada", "viewer"), "", Standing("m", champion=2)),
        may_reject(2, person("ada", "operator"), "", NOW),
        may_retire(2, person("ada", "operator"), "", NOW),
    ):
        assert not decision.allowed
        assert "needs the role" in decision.reasons[0]
        assert "needs a reason" in decision.reasons[1]
    assert may_reject(2, person("ada", "approver"), "x", NOW).allowed
    assert may_retire(1, person("ada", "approver"), "x", NOW).allowed


@pytest.mark.parametrize(
    ("passed", "outcome", "replaces"),
    [(True, "first", True), (True, "better", True), (True, "equivalent", False), (False, "better", False)],
)
def test_what_is_only_as_good_replaces_nothing_by_itself(passed: bool, outcome: str, replaces: bool) -> None:
    assert replaces_by_itself(passed, outcome) is replaces
