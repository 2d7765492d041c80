"""The supervisor's view of the process that asks shadows: it is there while a marker says that a model has one."""

from __future__ import annotations

import logging
import subprocess
import time
from collections.abc import Callable

from workbench.challengers import challengers_marker
from workbench.serving.shadow_note import say_dead
from workbench.settings import Project

LOOK = 1.0
"""Seconds between two looks at the markers."""
FIRST_DELAY, LAST_DELAY, STEADY = 0.5, 60.0, 60.0
"""Seconds until it starts again when it died: twice as many each time, unless it ran for STEADY seconds."""
log = logging.getLogger(__name__)

Wanted = tuple[tuple[str, int], ...]
"""Models that have a shadow, and the audit entries that say so."""


class ShadowPlace:
    """Starts the process, and starts it again when it died."""

    def __init__(
        self,
        project: Project,
        models: tuple[str, ...],
        begin: Callable[[], subprocess.Popen[bytes]],
        say: Callable[[str], None],
    ) -> None:
        self._project, self._models, self._begin, self._say = project, models, begin, say
        self.process: subprocess.Popen[bytes] | None = None
        self._started_for: Wanted = ()
        self._since = 0.0
        self._delay = FIRST_DELAY
        self._again = 0.0
        """When it may start, by the monotonic clock."""
        self.next = 0.0
        """When there is something to look at, by the monotonic clock."""

    def look_after(self) -> int | None:
        """Start it where it is wanted; the id of a process that ended, once."""
        gone = self._bury()
        now = time.monotonic()
        if self.process is None and now >= self.next:
            self.next = now + LOOK
            wanted = self._wanted()
            if wanted and wanted != self._started_for and now >= self._again:
                self.process, self._started_for, self._since = self._begin(), wanted, now
        return gone

    def kill(self) -> None:
        """What it has not done is done by the next one."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _bury(self) -> int | None:
        if self.process is None or (code := self.process.poll()) is None:
            return None
        gone, self.process = self.process.pid, None
        self.next = 0.0
        if code == 0:  # nobody has a shadow: a marker that still says so is not believed until it changes
            self._delay = FIRST_DELAY
            return gone
        now = time.monotonic()
        if now - self._since >= STEADY:
            self._delay = FIRST_DELAY
        how = f"killed by signal {-code}" if code < 0 else f"exit code {code}"
        told = f"what asks shadows (process {gone}) died: {how}; starts again in {self._delay:g} s"
        self._say(told)
        try:
            say_dead(self._project, self._models, gone, told)
        except OSError as error:
            log.warning("that it died cannot be noted: %s", error)
        self._again, self._started_for = now + self._delay, ()
        self._delay = min(self._delay * 2, LAST_DELAY)
        return gone

    def _wanted(self) -> Wanted:
        found = (challengers_marker(self._project, model) for model in self._models)
        return tuple((each.model, each.sequence) for each in found if each and each.shadow is not None)
