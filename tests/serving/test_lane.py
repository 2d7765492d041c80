"""What came meanwhile is the next batch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass

from tests.serving.parts import PATIENCE, Kept
from workbench.prediction_log.entries import Logged
from workbench.serving.lane import Bounds, Lane
from workbench.serving.recording import Recorder


@dataclass(frozen=True)
class Item:
    name: int
    rows: int = 1


class Slow:
    """Answers batches; the first one when it is let."""

    def __init__(self, bounds: Bounds) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.lane: Lane[Item] = Lane("test", self.answer, bounds)
        self.lane.start()

    def answer(self, batch: Sequence[Item]) -> None:
        self.batches.append([item.name for item in batch])
        self.begun.set()
        assert self.go_on.wait(PATIENCE)

    def asked(self, *items: Item) -> list[list[int]]:
        """The batches that these make, when they come while item 0 is answered."""
        self.lane.put(Item(0))
        assert self.begun.wait(PATIENCE)
        for item in items:
            self.lane.put(item)
        self.go_on.set()
        self.lane.stop(PATIENCE)
        assert not self.lane.alive
        return self.batches


def test_nobody_waits_and_what_came_meanwhile_goes_together() -> None:
    assert Slow(Bounds()).asked(*(Item(n) for n in range(1, 6))) == [[0], [1, 2, 3, 4, 5]]


def test_a_batch_has_no_more_rows_and_questions_than_it_may() -> None:
    assert Slow(Bounds(rows=5)).asked(Item(1, 3), Item(2, 2), Item(3, 4), Item(4, 9), Item(5)) == [
        [0], [1, 2], [3], [4], [5],
    ]  # fmt: skip
    assert Slow(Bounds(questions=2)).asked(*(Item(n) for n in range(1, 6))) == [[0], [1, 2], [3, 4], [5]]


def entry(number: int) -> Logged:
    return Logged(f"{number:032x}", "m", 1, "d", "champion", 0.0, 0.0, 1, {"x": [1.0]}, [0.5])


class SlowLog(Kept):
    """A log whose first write takes until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.go_on = threading.Event(), threading.Event()

    def append(self, entries: Sequence[Logged]) -> None:
        self.begun.set()
        assert self.go_on.wait(PATIENCE)
        super().append(entries)


def test_what_came_while_the_log_was_written_is_one_transaction_and_nobody_is_told_before() -> None:
    log, told = SlowLog(), list[str]()
    recorder = Recorder(log, durable=True)
    recorder.start()
    recorder.record([entry(0)], told.append)
    assert log.begun.wait(PATIENCE)
    for number in range(1, 6):
        recorder.record([entry(number)], told.append)
    assert told == []
    log.go_on.set()
    recorder.stop()
    assert told == [""] * 6
    assert log.transactions == 2
    assert [int(each.request, 16) for each in log.entries] == list(range(6))


def test_a_log_that_fails_in_an_unexpected_way_does_not_end_the_recorder() -> None:
    class Broken(Kept):
        def append(self, entries: Sequence[Logged]) -> None:
            if self.away:
                raise ZeroDivisionError("a bug")
            super().append(entries)

    log, told = Broken(), list[str]()
    log.away = True
    recorder = Recorder(log, durable=True)
    recorder.start()
    first = threading.Event()
    recorder.record([entry(0)], lambda trouble: (told.append(trouble), first.set()))
    assert first.wait(PATIENCE)
    assert recorder.trouble == "ZeroDivisionError: a bug"
    log.away = False
    recorder.record([entry(1)], told.append)
    recorder.stop()
    assert told == ["ZeroDivisionError: a bug", ""]
    assert recorder.trouble == ""
