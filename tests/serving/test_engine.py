"""Asking the engine: real versions, a real ledger, a log in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import numpy as np
import pytest

from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT, rows
from tests.serving.parts import Kept, Reviewer, answers, one, question, refused, running, until
from workbench.ledger import Ledger
from workbench.registry import load
from workbench.serving.answers import Question, Wrong
from workbench.setting_keys import Predictions
from workbench.settings import Project


@pytest.mark.parametrize("version", [WITH_CONTRACT, LOGISTIC])
def test_alone_together_and_in_training_the_answers_are_equal_to_the_last_bit(
    scoring: Project, reviewer: Reviewer, version: int
) -> None:
    if version != WITH_CONTRACT:
        reviewer.promote(version)
    table = rows(400)
    with Ledger.open(scoring) as ledger:
        trained = load(scoring, MODEL, version, ledger).estimator.predict_proba(table[["x", "k"]])[:, 1]
    pieces = [table.iloc[start : start + 1] for start in range(200)] + [
        table.iloc[start : start + 40] for start in range(200, 400, 40)
    ]

    async def ask() -> None:
        async with running(scoring) as engine:
            whole = await engine.ask(question(table))
            alone = [await engine.ask(question(piece)) for piece in pieces]
            together = await answers(engine, [question(piece) for piece in pieces])
        for found in (
            whole.probabilities,
            *(np.concatenate([a.probabilities for a in each]) for each in (alone, together)),
        ):
            np.testing.assert_array_equal(found, trained)

    asyncio.run(ask())


def test_questions_that_come_together_share_a_call_and_a_transaction(
    scoring: Project, reviewer: Reviewer
) -> None:
    log = Kept()

    async def ask() -> None:
        async with running(scoring, log) as engine:
            found = await answers(engine, [one(seed) for seed in range(64)])
        assert len({answer.request for answer in found}) == 64

    asyncio.run(ask())
    assert len(log.entries) == 64
    assert log.transactions <= 8  # the first ones are not waited for


def test_every_answer_is_on_record_with_what_was_asked(scoring: Project, reviewer: Reviewer) -> None:
    log = Kept()
    asked = question(rows(2, x=[1.0, float("nan")], k=["a", "b"]).iloc[:1], keys={"id": ["f1"]}, caller="bob")

    async def ask() -> None:
        async with running(scoring, log) as engine:
            answer = await engine.ask(asked)
            (entry,) = log.entries
            assert (entry.request, entry.version, entry.digest) == (
                asked.request,
                answer.version,
                answer.digest,
            )
            assert (entry.kind, entry.caller, entry.keys, entry.rows) == (
                "champion",
                "bob",
                {"id": ["f1"]},
                1,
            )
            assert entry.inputs == {"x": [1.0], "k": ["a"]}
            assert entry.probabilities == answer.probabilities.tolist()

    asyncio.run(ask())


def test_a_row_that_breaks_the_contract_refuses_its_own_request_only(
    scoring: Project, reviewer: Reviewer
) -> None:
    bad = question(rows(3, x=[1.0, 20.0, 7.0], k=["a", "z", "a"]))
    good = [one(seed) for seed in range(10)]

    async def ask() -> None:
        async with running(scoring) as engine:
            alone = await answers(engine, good)
            said = await asyncio.gather(
                engine.ask(good[0]), engine.ask(bad), *map(engine.ask, good[1:]), return_exceptions=True
            )
            refusal = said.pop(1)
            for answer, other in zip(said, alone, strict=True):
                np.testing.assert_array_equal(answer.probabilities, other.probabilities)
        assert (refusal.status, refusal.reason) == (422, "contract")
        assert refusal.wrong == (
            Wrong("/1/x", "x is outside -10 to 10: 20.0"),
            Wrong("/1/k", "k is not an allowed value: 'z'"),
            Wrong("/2", "no a above five: k 'a', x 7.0; expected k != \"a\" or x <= 5"),
        )

    asyncio.run(ask())


def test_columns_that_are_missing_wrong_or_forbidden_are_named(scoring: Project, reviewer: Reviewer) -> None:
    async def ask() -> None:
        async with running(scoring) as engine:
            nothing = await refused(engine, question(rows(2)[["k"]]))
            assert nothing.wrong == (Wrong("/0/x", "column 'x' is missing"),)
            hint = await refused(engine, question(rows(1, hint=["h"]), also=("hint",)))
            assert [each.at for each in hint.wrong] == ["/0/hint"]
            text = one()
            text.columns["x"] = np.array(["many"], dtype=object)
            assert (await refused(engine, text)).wrong[0].at == "/0/x"
            more = await engine.ask(question(rows(1, note=["n"]), also=("note",)))
            assert more.warnings == ("column 'note' is no column of the contract",)

    asyncio.run(ask())


def test_what_is_not_served_is_said(scoring: Project, reviewer: Reviewer) -> None:
    async def ask() -> None:
        async with running(scoring) as engine:
            other = one()
            object.__setattr__(other, "model", "n")
            unknown = await refused(engine, other)
            assert (unknown.status, unknown.reason) == (404, "no-such-model")
            old = await refused(engine, one_of(LOGISTIC))
            assert (old.status, old.reason) == (404, "no-such-version")
            assert str(old) == f"version {LOGISTIC} of 'm' is not served; served: {WITH_CONTRACT}"
            assert (await engine.ask(one_of(WITH_CONTRACT))).version == WITH_CONTRACT

    def one_of(version: int) -> Question:
        return question(rows(1), version=version)

    asyncio.run(ask())


def test_what_cannot_be_put_on_record_is_not_answered(scoring: Project, reviewer: Reviewer) -> None:
    log = Kept()

    async def ask() -> None:
        async with running(scoring, log) as engine:
            log.away = True
            said = await refused(engine, one())
            assert (said.status, said.reason) == (503, "log")
            now = engine.models()[MODEL]
            assert (now.ready, now.alert) == (False, "the prediction log: the disk is full")
            log.away = False
            await engine.ask(one())
            assert engine.models()[MODEL].ready
            assert engine.models()[MODEL].alert == ""

    asyncio.run(ask())
    assert len(log.entries) == 1


def test_answers_that_do_not_wait_for_the_log_are_given_without_it(
    scoring: Project, reviewer: Reviewer
) -> None:
    log = Kept()

    async def ask() -> None:
        async with running(replace(scoring, predictions=Predictions(durability="async")), log) as engine:
            await engine.ask(one())
            await until(engine, lambda _: len(log.entries) == 1)
            log.away = True
            await engine.ask(one(2))

    asyncio.run(ask())
    assert len(log.entries) == 1


def test_stopping_answers_what_is_in_hand_and_refuses_what_comes(
    scoring: Project, reviewer: Reviewer
) -> None:
    log = Kept()

    async def ask() -> None:
        async with running(scoring, log) as engine:
            asked = [asyncio.ensure_future(engine.ask(one(seed))) for seed in range(50)]
            await asyncio.sleep(0)  # they are in hand now
            await engine.stop()
            assert (await refused(engine, one())).reason == "draining"
            assert len(await asyncio.gather(*asked)) == 50

    asyncio.run(ask())
    assert len(log.entries) == 50


def test_without_a_champion_there_is_no_answer_but_a_reason(scoring: Project) -> None:
    async def ask() -> None:
        async with running(scoring) as engine:
            said = await refused(engine, one())
            assert (said.status, said.reason) == (503, "not-ready")
            assert "has no champion: workbench models promote m VERSION" in str(said)
            assert not engine.models()[MODEL].ready
            assert engine.alive()

    asyncio.run(ask())
