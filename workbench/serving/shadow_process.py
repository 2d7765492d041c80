"""The process that asks shadows, for all models of a server: `python -m workbench.serving.shadow_process ROOT MODEL…`.

A supervisor starts it while a marker says that there is a shadow. It ends with 0 when the audit trail knows of none, on SIGTERM
when it has asked what is left, and with its supervisor.

    main thread   a little lower than others: follows the trail, loads what is asked
    asking        lowest: reads and asks, and only gets what others leave of the processors
    recording     ordinary: who holds the log keeps those waiting who answer, and must not be kept waiting itself

Only one of them works at a time, the others wait for it: so none waits for the interpreter while a lower one has it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from typing import TYPE_CHECKING

from workbench.errors import WorkbenchError
from workbench.prediction_log.journal import Journal
from workbench.prediction_log.log import PredictionLog
from workbench.serving.priority import Leisure, only_what_is_left
from workbench.serving.recording import Recorder
from workbench.settings import Project, read_project

if TYPE_CHECKING:
    from workbench.prediction_log.entries import Logged
    from workbench.serving.shadow import Count

log = logging.getLogger(__name__)

POLL, LOOK = 0.25, 1.0
"""Seconds between two looks at the log while nothing comes, and at the trail."""
LAST = 2.0
"""Seconds that it goes on asking when it was told to end."""
LOWER = 10
"""How nice it is while it loads: it takes time, but gets it also where others want all that there is."""


class Shadows:
    """The shadows of some models."""

    def __init__(self, project: Project, models: Sequence[str], recorder: Recorder, count: Count) -> None:
        from workbench.serving.shadow import Shadow
        from workbench.serving.watching import Watch

        self._recorder = recorder
        self._watch = Watch(project, models)
        self._shadows = [Shadow(project, model, self._record, count) for model in models]
        self._leisure = Leisure()
        self._next_look = 0.0
        self._stopping = False
        self._trouble = ""
        self.wanted = True
        """Whether some model has a shadow, as far as is known."""

    def stop(self) -> None:
        """Ask what is left, then end."""
        self._stopping = True

    def run(self) -> None:
        """Until nobody wants a shadow any more, or told to stop."""
        with ThreadPoolExecutor(1, "asking", initializer=only_what_is_left) as asking:
            while not self._stopping and self.wanted:
                self.follow()
                if not asking.submit(self.ask, LOOK).result():
                    time.sleep(POLL)
            asking.submit(self.ask, LAST).result()
        for shadow in self._shadows:
            shadow.leave()
        self._watch.close()

    def follow(self) -> None:
        """Do as the trail says, once a second."""
        if time.monotonic() < self._next_look:
            return
        try:
            said = self._watch.look()
            self.wanted = any(said[each.model].shadow is not None for each in self._shadows)
            for shadow in self._shadows:
                shadow.follow(said[shadow.model].shadow, self._watch.ledger())
            self._trouble = ""
        except (WorkbenchError, OSError) as error:
            if str(error) != self._trouble:
                log.warning("shadows go on as they are: %s", error)
            self._trouble = str(error)
        self._next_look = time.monotonic() + LOOK

    def ask(self, seconds: float) -> bool:
        """Have the shadows asked, each in its turn, for so long; False when there was nothing left before that."""
        began = time.monotonic()
        deadline = began + seconds
        while any([shadow.ask() for shadow in self._shadows]):  # noqa: C419 - all of them, not up to the first
            if time.monotonic() >= deadline:
                return True
            if not self._stopping:
                time.sleep(self._leisure.rest(time.monotonic() - began))
            began = time.monotonic()
        return False

    def _record(self, entries: Sequence[Logged]) -> str:
        told: SimpleQueue[str] = SimpleQueue()
        self._recorder.record(entries, told.put)
        return told.get()


def main(root: str, *models: str) -> int:
    """Ask shadows until told to end, or there are none; 0."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the supervisor's to pass on
    project = read_project(Path(root))
    # Not durable: the next answer that is takes these to disk as well, and what is lost with the machine is asked again.
    with PredictionLog(Journal(project, durable=False)) as written:
        recorder = Recorder(written, durable=True)
        recorder.start()
        os.nice(LOWER)  # after that thread was started, before what is heavy is imported
        with _log_lines():
            shadows = Shadows(project, models, recorder, counter())
            signal.signal(signal.SIGTERM, lambda *_: shadows.stop())
            shadows.run()
        recorder.stop()
    return 0


def counter() -> Count:
    """Counts into the files that workers count into: each of them tells it with its own."""
    from prometheus_client import CollectorRegistry, Counter

    counted = Counter(
        "workbench_shadow_requests_total", "Requests that shadows were to be asked, by what became of them.",
        ("model", "result"), registry=CollectorRegistry(),
    )  # fmt: skip
    return lambda model, result, requests: counted.labels(model, result).inc(requests)


@contextmanager
def _log_lines() -> Iterator[None]:
    from workbench.serving.http.request_log import JsonLines, RequestLog

    lines = RequestLog()
    lines.start()
    logger = logging.getLogger("workbench")
    logger.addHandler(JsonLines(lines))
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        lines.stop()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
