"""Versions that are tried beside the champion, with the real trail: who may be, and canaries. Shadows: test_shadow."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT
from tests.serving.parts import ADA, Kept, Reviewer, one, running, until
from workbench import ledger_trail
from workbench.challengers import Challengers, challengers_file, challengers_marker, challengers_markers
from workbench.errors import BadInput, PromotionError
from workbench.promotion_policy import Actor
from workbench.serving.engine import Engine
from workbench.serving.served import Way
from workbench.setting_keys import CanaryLimits
from workbench.settings import Project
from workbench.trail import standing
from workbench.trials import Trials


@pytest.fixture
def trials(scoring: Project, reviewer: Reviewer) -> Trials:
    """Version 7 has passed its gates."""
    reviewer.judge(LOGISTIC, WITH_CONTRACT)
    return Trials(scoring, reviewer.ledger)


async def ask(engine: Engine, count: int, **more: Any) -> list[Any]:
    questions = [replace(one(seed), **more) for seed in range(count)]
    return [await engine.ask(each) for each in questions]


def test_a_canary_answers_its_share_and_always_the_same_callers(scoring: Project, trials: Trials) -> None:
    async def compare() -> None:
        trials.begin(MODEL, LOGISTIC, ADA, "canary", share=0.3)
        async with running(scoring) as engine:
            now = engine.models()[MODEL]
            assert (now.version, now.canary, now.share) == (WITH_CONTRACT, LOGISTIC, 0.3)
            found = Counter((answer.kind, answer.version) for answer in await ask(engine, 400))
            assert found.keys() == {("champion", WITH_CONTRACT), ("canary", LOGISTIC)}
            assert 70 < found["canary", LOGISTIC] < 170
            for who in ("ada", "bob", "eve"):
                assert len({answer.version for answer in await ask(engine, 10, sticky=who)}) == 1
            (answer,) = await ask(engine, 1, version=LOGISTIC)
            assert answer.kind == "canary"

    asyncio.run(compare())


def test_a_canary_that_is_promoted_answers_everything(
    scoring: Project, trials: Trials, reviewer: Reviewer
) -> None:
    async def promote() -> None:
        async with running(scoring) as engine:
            trials.begin(MODEL, LOGISTIC, ADA, "canary", share=0.5)
            await until(engine, lambda now: now.canary == LOGISTIC)
            held = engine._models[MODEL].cast.held(LOGISTIC)
            await asyncio.to_thread(reviewer.promote, LOGISTIC)
            await until(engine, lambda now: now.version == LOGISTIC and now.canary is None)
            assert engine._models[MODEL].cast.champion is held  # it was not loaded again

    asyncio.run(promote())


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("nan", "it gave no probability"),
        ("fail", "it failed 3 times"),
        ("hang", "it has not answered for"),
        ("slow", "ms for a batch"),
    ],
)
def test_a_canary_that_does_no_good_is_taken_back_and_fails_nobody(
    scoring: Project, trials: Trials, reviewer: Reviewer, does: str, says: str
) -> None:
    """The version itself is good: what it does wrong is put in its place when it is loaded."""
    log = Kept()
    project = replace(scoring, canary=CanaryLimits(max_errors=3, min_batches=5))

    def answers(columns: Any) -> Any:
        rows = len(columns["x"])
        if does == "fail":
            raise RuntimeError("out of luck")
        if does in ("hang", "slow"):
            time.sleep(4.0 if does == "hang" else 0.05)
        return np.full((rows, 2), np.nan if does == "nan" else 0.5)

    async def try_it() -> None:
        async with running(project, log) as engine:
            trials.begin(MODEL, LOGISTIC, ADA, "canary", share=1.0)
            await until(engine, lambda now: now.canary == LOGISTIC)
            canary = engine._models[MODEL].cast.canary
            assert canary is not None
            object.__setattr__(canary.served, "way", Way(answers))
            seed = 0
            if does == "slow":
                engine._models[MODEL]._seconds.extend([0.001] * 10)
            while engine.models()[MODEL].canary is not None:
                seed += 1
                answer = await engine.ask(one(seed))
                assert answer.version == WITH_CONTRACT or does == "slow"
            now = await until(engine, lambda now: says in now.alert)
            assert now.ready
            assert (await engine.ask(one())).version == WITH_CONTRACT
            await until(engine, lambda _: said().taken_back is not None)

    def said() -> Any:
        return standing(MODEL, ledger_trail.entries(reviewer.ledger, MODEL))

    asyncio.run(try_it())
    back = said().taken_back
    assert says in back.reason
    assert back.actor.startswith("workbench serve")
    assert said().canary is None
    requests = [entry.request for entry in log.entries]
    assert len(requests) == len(set(requests))


def test_only_a_version_that_passed_its_gates_is_a_canary(scoring: Project, reviewer: Reviewer) -> None:
    trials = Trials(scoring, reviewer.ledger)
    with pytest.raises(
        PromotionError, match="version 7 of 'm' is not tried as canary: version 7 was not judged"
    ):
        trials.begin(MODEL, LOGISTIC, ADA, "canary", share=0.1)
    reviewer.judge(LOGISTIC, WITH_CONTRACT, passed=False)
    with pytest.raises(PromotionError, match="its verdict is 'refused'"):
        trials.begin(MODEL, LOGISTIC, ADA, "canary", share=0.1)
    with pytest.raises(PromotionError, match="needs the role operator"):
        trials.begin(MODEL, LOGISTIC, Actor("eve", frozenset({"viewer"})), "shadow")
    with pytest.raises(PromotionError, match="version 5 is the champion already"):
        trials.begin(MODEL, WITH_CONTRACT, ADA, "shadow")
    with pytest.raises(BadInput, match="no version of 'm' is tried as canary"):
        trials.end(MODEL, ADA, "canary")
    trials.begin(MODEL, LOGISTIC, ADA, "shadow")  # nobody gets its answers, so it may
    assert [(entry.kind, entry.version) for entry in ledger_trail.entries(reviewer.ledger, MODEL)][-1] == (
        "shadow",
        LOGISTIC,
    )
    assert challengers_marker(scoring, MODEL) == Challengers(MODEL, None, 0.0, LOGISTIC, 3)
    reviewer.promotions.reject(MODEL, LOGISTIC, ADA, reason="no")
    assert standing(MODEL, ledger_trail.entries(reviewer.ledger, MODEL)).shadow is None
    assert challengers_marker(scoring, MODEL) is None


def test_a_version_that_is_promoted_is_tried_no_longer_and_the_marker_says_so(
    scoring: Project, trials: Trials, reviewer: Reviewer
) -> None:
    trials.begin(MODEL, LOGISTIC, ADA, "shadow")
    trials.begin(MODEL, LOGISTIC, ADA, "canary", share=0.5)
    assert [each.share for each in challengers_markers(scoring)] == [0.5]
    challengers_file(scoring, MODEL).write_text("{")
    assert list(challengers_markers(scoring)) == []  # damaged; the next move puts that right as well
    reviewer.promote(LOGISTIC)
    assert not challengers_file(scoring, MODEL).exists()


def test_who_comes_when_a_canary_has_just_ended_is_answered_by_the_champion(
    scoring: Project, trials: Trials
) -> None:
    async def come_late() -> None:
        async with running(scoring) as engine:
            trials.begin(MODEL, LOGISTIC, ADA, "canary", share=1.0)
            await until(engine, lambda now: now.canary == LOGISTIC)
            model = engine._models[MODEL]
            cast = model.cast
            model.try_canary(None)
            model.cast = cast  # as who asks has seen it before the canary ended
            asked = model.ask(one())
            assert (await asked).version == WITH_CONTRACT

    asyncio.run(come_late())
