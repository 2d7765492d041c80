"""A shadow: asked what was answered, from the real log and the real trail. Its process: tests/e2e/test_shadow.py."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

from tests.e2e.served import registry_file
from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT, rows
from tests.serving.parts import ADA, Reviewer, one, question, running, until
from workbench import ledger_trail
from workbench.errors import LogError
from workbench.ledger import Ledger
from workbench.locks import locked
from workbench.prediction_log.entries import Logged
from workbench.prediction_log.finding import find
from workbench.prediction_log.log import PredictionLog
from workbench.prediction_log.reading import read
from workbench.registry import place
from workbench.serving.answers import Answer, Question
from workbench.serving.served import Way
from workbench.serving.shadow import BEHIND, MOST, Shadow
from workbench.serving.shadow_note import Note, shadow_note, turn_file
from workbench.settings import Project
from workbench.trail import Entry, standing
from workbench.trials import Trials


@dataclass
class Asking:
    """A shadow as its process has it, step by step, and those who try versions."""

    project: Project
    ledger: Ledger
    log: PredictionLog
    trials: Trials
    counted: Counter[str] = field(default_factory=Counter)
    away: bool = False
    """The log cannot be written."""

    def __post_init__(self) -> None:
        self.shadow = self.another()

    def another(self) -> Shadow:
        return Shadow(self.project, MODEL, self.record, self.count)

    def record(self, entries: Sequence[Logged]) -> str:
        if self.away:
            return "the disk is full"
        self.log.append(entries)
        return ""

    def count(self, model: str, what: str, requests: int) -> None:
        assert model == MODEL
        self.counted[what] += requests

    def trial(self) -> Entry | None:
        return standing(MODEL, ledger_trail.entries(self.ledger, MODEL)).shadow

    def begin(self) -> None:
        self.trials.begin(MODEL, LOGISTIC, ADA, "shadow")
        self.follow()

    def follow(self) -> None:
        self.shadow.follow(self.trial(), self.ledger)

    def ask_all(self) -> int:
        """How many pieces there were."""
        pieces = 0
        while self.shadow.ask():
            pieces += 1
        return pieces

    def note(self) -> Note:
        found = shadow_note(self.project, MODEL)
        assert found is not None
        return found

    def answer(self, *questions: Question) -> list[Answer]:
        """Have the champion answer, on record."""

        async def ask() -> list[Answer]:
            async with running(self.project, self.log) as engine:
                return list(await asyncio.gather(*(engine.ask(each) for each in questions)))

        return asyncio.run(ask())

    def on_record(self) -> Counter[tuple[str, int]]:
        table = read(self.project, MODEL, columns=["kind", "version"]).read_all()
        return Counter(zip(table["kind"].to_pylist(), table["version"].to_pylist(), strict=True))


@pytest.fixture
def asking(scoring: Project, reviewer: Reviewer) -> Iterator[Asking]:
    reviewer.judge(LOGISTIC, WITH_CONTRACT)
    with PredictionLog.open(scoring) as log:
        found = Asking(scoring, reviewer.ledger, log, Trials(scoring, reviewer.ledger))
        yield found
        found.shadow.leave()


def ones(count: int) -> list[Question]:
    return [one(seed) for seed in range(count)]


def test_it_is_asked_what_was_answered_since_it_is_tried(asking: Asking) -> None:
    asking.answer(*ones(3))  # before: not its business
    asking.begin()
    assert asking.shadow.ask() is False
    asked = [*ones(20), question(rows(5)), question(rows(2))]
    given = asking.answer(*asked)
    assert asking.ask_all() == 1
    assert asking.on_record() == {("champion", WITH_CONTRACT): 3 + 27, ("shadow", LOGISTIC): 27}
    for answer in (given[0], given[20], given[21]):
        found = find(asking.project, f"{answer.request}-{len(answer.probabilities) - 1}")
        (beside,) = found.shadows
        assert (found.kind, beside.kind, beside.version) == ("champion", "shadow", LOGISTIC)
        assert (beside.inputs, beside.keys, beside.came) == (found.inputs, found.keys, found.came)
        with Ledger.open(asking.project) as ledger:
            assert beside.digest == place(asking.project, ledger, MODEL, LOGISTIC).digest
    asking.follow()
    assert (asking.note().version, asking.note().scored, asking.note().dropped) == (LOGISTIC, 22, 0)
    assert asking.counted == {"scored": 22}


def test_it_says_what_the_version_says_when_it_serves(asking: Asking, reviewer: Reviewer) -> None:
    asking.begin()
    asked = [*ones(40), question(rows(30)), question(rows(3))]
    given = asking.answer(*asked)
    asking.ask_all()
    reviewer.promote(LOGISTIC)
    served = asking.answer(*asked)
    for answer, expected in zip(given, served, strict=True):
        assert expected.version == LOGISTIC
        found = [find(asking.project, f"{answer.request}-{row}") for row in range(len(answer.probabilities))]
        shadows = np.array([each.shadows[0].probability for each in found if each.shadows], dtype=np.float64)
        assert np.array_equal(shadows, expected.probabilities)


def test_another_process_goes_on_and_nothing_is_scored_twice(asking: Asking) -> None:
    asking.begin()
    asking.answer(*ones(MOST + 10))
    assert asking.shadow.ask()  # the first piece; then it is killed
    asking.shadow._turn.close()  # which the system does then
    asking.shadow = asking.another()
    asking.follow()
    asking.ask_all()
    assert asking.on_record()["shadow", LOGISTIC] == MOST + 10
    requests = read(asking.project, MODEL, kinds=["shadow"], columns=["request"]).read_all()["request"]
    assert len(requests.unique()) == MOST + 10
    assert asking.note().scored == MOST + 10


def test_what_it_has_no_time_for_is_dropped_and_counted(asking: Asking) -> None:
    asking.begin()
    late = [replace(each, came=time.time() - BEHIND - 1) for each in ones(3)]
    trial = asking.trial()
    assert trial is not None
    asking.shadow._tail._words["since"] = 0.0  # type: ignore[union-attr]  # as if it were tried for longer
    asking.answer(*late, *ones(2))
    asking.ask_all()
    asking.follow()
    assert (asking.note().scored, asking.note().dropped) == (2, 3)
    assert asking.counted == {"scored": 2, "dropped": 3}
    assert asking.on_record()["shadow", LOGISTIC] == 2


@pytest.mark.parametrize(
    ("does", "says"), [("nan", "gives nan where a probability is expected"), ("fail", "failed: out of luck")]
)
def test_a_shadow_that_does_no_good_is_said_and_goes_on(asking: Asking, does: str, says: str) -> None:
    """The version itself is good: what it does wrong is put in its place when it is loaded."""
    asking.begin()

    def answers(columns: Any) -> Any:
        if does == "fail":
            raise RuntimeError("out of luck")
        return np.full((len(columns["x"]), 2), np.nan)

    assert asking.shadow._served is not None
    good = asking.shadow._served.way
    object.__setattr__(asking.shadow._served, "way", Way(answers))
    asking.answer(*ones(3))
    asking.ask_all()
    asking.follow()
    assert (asking.note().scored, asking.note().refused) == (0, 3)
    assert says in asking.note().alert
    object.__setattr__(asking.shadow._served, "way", good)
    asking.answer(*ones(2))
    asking.ask_all()
    asking.follow()
    assert (asking.note().scored, asking.note().refused, asking.note().alert) == (2, 3, "")


def test_what_could_not_be_put_on_record_is_asked_again(asking: Asking) -> None:
    asking.begin()
    asking.answer(*ones(3))
    asking.away = True
    assert asking.shadow.ask() is False
    asking.follow()
    assert asking.note().alert == "the prediction log: the disk is full"
    asking.away = False
    asking.ask_all()
    assert asking.on_record()["shadow", LOGISTIC] == 3


def test_a_version_whose_files_are_not_what_they_were_is_not_asked(asking: Asking) -> None:
    """The same check as for any version that serves; it is tried again, and the alert says so."""
    with Ledger.open(asking.project) as ledger:
        digest = place(asking.project, ledger, MODEL, LOGISTIC).digest
    asking.trials.begin(MODEL, LOGISTIC, ADA, "shadow")
    file = registry_file(asking.project, digest, "model.skops")
    content = file.read_bytes()
    file.chmod(0o644)
    file.write_bytes(content[:-1])
    asking.follow()
    assert asking.note().version is None
    assert asking.note().alert.startswith(f"version {LOGISTIC} cannot be asked: ")
    asking.answer(*ones(2))
    assert asking.ask_all() == 0
    file.write_bytes(content)
    asking.follow()
    assert asking.note().version is None  # its next try is a second later
    wait_until(lambda: (asking.follow(), asking.note().version)[1] == LOGISTIC)
    assert asking.note().alert == ""
    asking.ask_all()
    assert asking.on_record()["shadow", LOGISTIC] == 2


def test_a_second_server_of_the_project_stands_by(asking: Asking) -> None:
    with locked(turn_file(asking.project, MODEL)):
        asking.begin()
        asking.answer(*ones(2))
        assert asking.ask_all() == 0
        assert shadow_note(asking.project, MODEL) is None
    asking.follow()  # the other one has ended
    asking.ask_all()
    assert asking.on_record()["shadow", LOGISTIC] == 2


def test_a_trial_that_ends_leaves_nothing_and_a_new_one_begins_anew(asking: Asking) -> None:
    asking.begin()
    asking.answer(*ones(2))
    asking.ask_all()
    asking.trials.end(MODEL, ADA, "shadow")
    asking.follow()
    assert shadow_note(asking.project, MODEL) is None
    asking.answer(*ones(4))
    assert asking.ask_all() == 0
    asking.begin()
    assert asking.note().scored == 0
    assert asking.ask_all() == 0  # what came between the two is not its business
    asking.answer(*ones(1))
    asking.ask_all()
    assert asking.on_record()["shadow", LOGISTIC] == 3


def test_workers_tell_what_it_says_of_itself(asking: Asking) -> None:
    async def listen() -> None:
        async with running(asking.project, asking.log) as engine:
            asking.trials.begin(MODEL, LOGISTIC, ADA, "shadow")
            await asyncio.to_thread(asking.follow)
            await until(engine, lambda now: now.shadow == LOGISTIC)
            for each in ones(4):
                await engine.ask(each)
            await asyncio.to_thread(asking.ask_all)
            await asyncio.to_thread(asking.follow)
            now = await until(engine, lambda now: now.shadowed.get("scored") == 4)
            assert now.shadowed == {"scored": 4, "refused": 0, "dropped": 0}
            asking.shadow._alert("out of luck")
            await asyncio.to_thread(asking.follow)
            await until(engine, lambda now: now.alert == "the shadow: out of luck")
            asking.trials.end(MODEL, ADA, "shadow")
            await until(engine, lambda now: (now.shadow, now.alert, now.shadowed) == (None, "", {}))

    asyncio.run(listen())


def test_a_log_that_cannot_be_read_is_said(asking: Asking) -> None:
    asking.begin()
    asking.answer(one())
    journal = asking.project.state / "predictions" / "journal.db"
    asking.log.close()
    content = journal.read_bytes()
    for file in journal.parent.glob("journal.db*"):
        file.unlink()
    journal.write_bytes(b"no database" * 1000)
    assert asking.ask_all() == 0
    asking.follow()
    assert "is not a database" in asking.note().alert
    with pytest.raises(LogError):
        read(asking.project, MODEL).read_all()
    journal.write_bytes(content)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)
