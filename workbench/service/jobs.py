"""What else is due besides runs: a monitored window that has ended, alerts that are to be told. Each is a process of its own.

Both are idempotent (a window is judged once however often it is looked at, a notice is taken by one sender), so it does no
harm when a service is killed and the next one does them again.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from workbench import ledger_alerts, ledger_notices
from workbench.champions import champion_marker
from workbench.kernels.linux import die_with_parent
from workbench.ledger import Ledger
from workbench.monitors import last_whole
from workbench.pipeline import Pipeline
from workbench.settings import Project

FIRST_PAUSE, LAST_PAUSE = 30.0, 3600.0
"""Seconds until a job that failed is tried again: twice as many after each failure."""


@dataclass(frozen=True)
class Job:
    """One command to run."""

    name: str
    words: tuple[str, ...]
    """After `workbench`."""


def due(project: Project, ledger: Ledger, pipelines: Iterable[Pipeline]) -> Iterator[Job]:
    """What is to be done now, by the system's clock: that of the predictions and of the outbox.

    With the last whole window, `workbench monitor` looks again at those that outcomes have come for.
    """
    now = time.time()
    for pipeline in pipelines:
        model = pipeline.model
        if model is None or not model.monitors or champion_marker(project, model.name) is None:
            continue
        _, until = last_whole(model.monitors.window, now)
        seen = ledger_alerts.windows(ledger, model.name, limit=1)
        if not seen or seen[0].until < until:
            yield Job(f"monitor {model.name}", ("monitor", model.name, "--no-send"))
    waiting = ledger_notices.notices(ledger, states=("waiting", "sending"))
    if any(ledger_notices.due(each, now) for each in waiting):
        yield Job("send", ("alerts", "send"))


class Jobs:
    """Jobs at work, one of a name at a time, and when those that failed are tried again."""

    def __init__(self, project: Project, say: Callable[[str], None]) -> None:
        self._project, self._say = project, say
        self._log = project.state / "service" / "jobs.log"
        self._working: dict[str, subprocess.Popen[bytes]] = {}
        self._failed: dict[str, tuple[int, float]] = {}
        """Failures in a row, and when it is tried again by the monotonic clock."""

    def look_after(self, jobs: Iterable[Job]) -> None:
        """Take note of those that have ended, start those that are due."""
        for name, process in list(self._working.items()):
            if (code := process.poll()) is not None:
                del self._working[name]
                self._note(name, code)
        for job in jobs:
            _, again = self._failed.get(job.name, (0, 0.0))
            if job.name not in self._working and time.monotonic() >= again:
                self._working[job.name] = self._start(job)

    def _start(self, job: Job) -> subprocess.Popen[bytes]:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as out:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "workbench", *job.words],
                cwd=self._project.root, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                process_group=0, preexec_fn=partial(die_with_parent, signal.SIGKILL),
            )  # fmt: skip

    def _note(self, name: str, code: int) -> None:
        if code == 0:
            self._failed.pop(name, None)
            self._say(f"{name}: done")
            return
        count = self._failed.get(name, (0, 0.0))[0] + 1
        pause = min(FIRST_PAUSE * 2 ** (count - 1), LAST_PAUSE)
        self._failed[name] = count, time.monotonic() + pause
        self._say(f"{name}: failed with {code}, again in {pause:g} s; log {self._log}")

    def close(self) -> None:
        """End them: what they have not finished is done by the next service."""
        for process in self._working.values():
            process.terminate()
        for process in self._working.values():
            process.wait()
