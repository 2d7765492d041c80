"""A line of questions before one model, and the thread that answers them: whatever came meanwhile is the next batch.

Nothing waits for a batch to fill: when nobody else asks, a question is answered at once and alone.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar


class Sized(Protocol):
    """What stands in a lane."""

    @property
    def rows(self) -> int: ...


T = TypeVar("T", bound=Sized)


@dataclass(frozen=True)
class Bounds:
    """How much one batch may be."""

    rows: int = 4096
    """A batch is closed when it has as many; a question with more is a batch by itself."""
    questions: int = 512


class Lane(Generic[T]):
    """One thread that answers batches, in the order in which their questions came."""

    def __init__(self, name: str, answer: Callable[[Sequence[T]], None], bounds: Bounds) -> None:
        self._answer, self._bounds = answer, bounds
        self._queue: SimpleQueue[T | None] = SimpleQueue()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._held: T | None = None

    def start(self) -> None:
        self._thread.start()

    def put(self, asked: T) -> None:
        self._queue.put(asked)

    @property
    def waiting(self) -> int:
        """Questions that were not taken yet, about."""
        return self._queue.qsize()

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def end(self) -> None:
        """Answer what is there, then end; this does not wait for it."""
        self._queue.put(None)

    def stop(self, timeout: float | None = None) -> None:
        """The same, and wait for it, at most `timeout` seconds."""
        self.end()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def _run(self) -> None:
        while True:
            batch, last = self._take()
            if batch:
                self._answer(batch)
            if last:
                return

    def _take(self) -> tuple[list[T], bool]:
        """What there is, at least one question; and whether it is the last."""
        first = self._held
        if first is None:
            first = self._queue.get()
        self._held = None
        if first is None:
            return [], True
        batch, rows = [first], first.rows
        while rows < self._bounds.rows and len(batch) < self._bounds.questions:
            try:
                each = self._queue.get_nowait()
            except Empty:
                break
            if each is None:
                return batch, True
            if rows + each.rows > self._bounds.rows:
                self._held = each
                break
            batch.append(each)
            rows += each.rows
        return batch, False
