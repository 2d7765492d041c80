"""`workbench up` itself: starts the parts, starts again what ends, ends them all.

    Supervisor.run
    ├── _start     a process with a log of its own
    ├── _bury      how it ended; when it starts again
    ├── _wait      a signal, a death, or the time for something
    └── _stop      SIGTERM to all, SIGKILL to who has not ended in time; nothing is left

It opens no database, so there is little that could hurt it. When it is killed, the system ends the
parts; a run goes on by itself to its end, and the next service finds it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from workbench.kernels import linux
from workbench.service.parts import Part
from workbench.settings import Project
from workbench.waking import woken_by

FIRST_DELAY, LAST_DELAY = 0.5, 60.0
"""Seconds until a part that ended starts again: twice as many each time, unless it had worked for STEADY seconds."""
STEADY = 30.0
LOOK = 1.0
"""Seconds between two looks at what parts wait for, and two drawings of the board."""
DRAIN = 45.0
"""Seconds that the parts have to end: the server answers what is in hand, runs are put back into the queue."""
LARGEST_LOG = 20_000_000
"""Bytes; what is older is kept in one more file of that size."""

CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD)

Say = Callable[[str], None]


@dataclass
class Place:
    """What is known of one part."""

    part: Part
    process: subprocess.Popen[bytes] | None = None
    since: float = 0.0
    """When it was started, by the monotonic clock."""
    again: float = 0.0
    """When it starts (again), by the monotonic clock."""
    delay: float = FIRST_DELAY
    starts: int = 0
    why: str = ""
    """What it waits for, or how it ended."""
    serves: frozenset[str] = field(default_factory=frozenset)

    @property
    def state(self) -> str:
        if self.process is not None:
            return "running"
        return "waiting" if self.part.serves is not None and not self.serves else "failed"


class Supervisor:
    """The parts of one project's service. `draw` is called when there may be something new to see."""

    def __init__(
        self,
        project: Project,
        parts: Sequence[Part],
        say: Say,
        draw: Callable[[Sequence[Place]], None] | None = None,
    ) -> None:
        self._project, self._say, self._draw = project, say, draw
        self.places = [Place(part) for part in parts]
        self._selector = selectors.DefaultSelector()
        self._stops = 0
        self._looked_at_logs = 0.0

    def run(self) -> int:
        """Work until a signal. 0 when every part ended by itself in time, else 1."""
        linux.adopt_orphans()
        with woken_by(CAUGHT, self._selector, self._signalled):
            while not self._stops:
                self._look_after()
                if self._draw is not None:
                    self._draw(self.places)
                self._wait(LOOK)
            return self._stop()

    def _look_after(self) -> None:
        for place in self.places:
            if place.process is not None and place.process.poll() is not None:
                self._bury(place)
            if place.process is None and place.again <= time.monotonic():
                self._start(place)
            elif place.process is not None and place.part.serves is not None:
                self._serve_more(place)
        self._reap()
        self._shorten_logs()

    def _start(self, place: Place) -> None:
        part = place.part
        if part.serves is not None:
            place.serves = part.serves()
            if not place.serves:
                if not place.why:
                    place.why = "no model has a champion yet"
                    self._say(f"{part.name}: waits: {place.why}")
                return
        part.log.parent.mkdir(parents=True, exist_ok=True)
        command = (
            (sys.executable, "-P", "-m", "workbench.service.guard", *part.command)
            if part.guarded
            else part.command
        )
        signalled = signal.SIGTERM if part.guarded else signal.SIGKILL
        with part.log.open("ab") as log:
            place.process = subprocess.Popen(
                command, cwd=self._project.root, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1"},
                process_group=0,  # Ctrl-C in a terminal is the supervisor's to pass on
                preexec_fn=partial(linux.die_with_parent, signalled),  # safe: there are no threads here
            )  # fmt: skip
        place.since, place.why, place.starts = time.monotonic(), "", place.starts + 1
        where = f" on {part.url}" if part.url else ""
        self._say(f"{part.name}: started{where} (process {place.process.pid}), log {self._short(part.log)}")

    def _serve_more(self, place: Place) -> None:
        """Start a part anew that has more to serve than when it was started."""
        assert place.process is not None
        assert place.part.serves is not None
        if more := place.part.serves() - place.serves:
            self._say(f"{place.part.name}: starts anew to serve {', '.join(sorted(more))} too")
            place.process.terminate()
            place.serves |= more  # asked once
            place.since = -STEADY  # its end is no failure

    def _bury(self, place: Place) -> None:
        assert place.process is not None
        code = place.process.returncode
        if time.monotonic() - place.since >= STEADY:
            place.delay = FIRST_DELAY
        place.why = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with exit code {code}"
        self._say(
            f"{place.part.name} (process {place.process.pid}) {place.why}; starts again in {place.delay:g} s; "
            f"log {self._short(place.part.log)}"
        )
        place.process, place.again = None, time.monotonic() + place.delay
        place.delay = min(place.delay * 2, LAST_DELAY)

    def _reap(self) -> None:
        """What lost its parent below us is ours, such as a run of a scheduler that was killed."""
        known = {place.process.pid for place in self.places if place.process is not None}
        for child in linux.children(os.getpid()):
            if child not in known and not linux.is_running(child):
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(child, os.WNOHANG)

    def _shorten_logs(self) -> None:
        """Logs are appended to, so a part goes on with an empty file after its content was copied away."""
        if time.monotonic() - self._looked_at_logs < 60 * LOOK:
            return
        self._looked_at_logs = time.monotonic()
        for place in self.places:
            log = place.part.log
            if log.is_file() and log.stat().st_size > LARGEST_LOG:
                shutil.copyfile(log, log.with_suffix(".log.1"))
                os.truncate(log, 0)

    def _short(self, path: Path) -> str:
        return str(path.relative_to(self._project.root))

    # The end

    def _stop(self) -> int:
        """End all parts, and whatever they leave."""
        running = [place for place in self.places if place.process is not None]
        for place in running:
            assert place.process is not None
            with contextlib.suppress(ProcessLookupError):
                place.process.terminate()
        asked, deadline = self._stops, time.monotonic() + DRAIN
        late = running
        while late and time.monotonic() < deadline and self._stops <= asked:
            self._wait(0.2)
            late = [place for place in late if place.process is not None and place.process.poll() is None]
        for place in late:
            assert place.process is not None
            self._say(f"{place.part.name} had to be killed")
            place.process.kill()
        linux.end_children()
        return 1 if late else 0

    def _wait(self, seconds: float) -> None:
        """For a signal, of a death too."""
        for key, _ in self._selector.select(seconds):
            key.fileobj.recv(4096)  # type: ignore[union-attr]

    def _signalled(self, number: int, frame: object) -> None:
        if number != signal.SIGCHLD:
            self._stops += 1
