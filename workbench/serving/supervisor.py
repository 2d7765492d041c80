"""`workbench serve` itself: one socket, some workers that accept from it, started again when they die.

    Supervisor.run
    ├── _start    a worker: a process with the socket, told what to serve
    ├── ShadowPlace   the process that asks shadows, while there are any
    ├── _wait     a signal, a death, a word from a worker, or the time for something
    ├── _bury     why it died; when it starts again
    └── _drain    SIGTERM to all, SIGKILL to who has not ended in time

It imports neither scikit-learn nor pandas: it stays small, and nothing that a model does can hurt it. When it dies, the
kernel kills its workers.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial

from workbench.kernels.linux import die_with_parent
from workbench.kernels.threads import VARIABLES
from workbench.serving.metrics_folder import forget, metrics_folder
from workbench.serving.orders import Orders, Report, read_report
from workbench.serving.shadow_place import ShadowPlace
from workbench.settings import Project
from workbench.waking import woken_by

FIRST_DELAY, LAST_DELAY = 0.1, 10.0
"""Seconds until a worker that died starts again: twice as many each time, unless it had listened for STEADY seconds."""
STEADY = 5.0
DRAIN = 30.0
"""Seconds that workers have to answer what is in hand when the server ends."""
SHADOW_DRAIN = 5.0
"""Seconds that shadows then have to be asked what is left."""

CAUGHT = (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD)

Say = Callable[[str], None]


@dataclass
class Place:
    """One worker's place: who has it now, and when it is filled again."""

    number: int
    process: subprocess.Popen[bytes] | None = None
    line: socket.socket | None = None
    since: float = 0.0
    """When it began to listen, by the monotonic clock; 0: it does not yet."""
    delay: float = FIRST_DELAY
    again: float = 0.0
    """When the next one starts, by the monotonic clock."""
    reports: list[Report] = field(default_factory=list)


class Supervisor:
    """Workers on one socket."""

    def __init__(self, project: Project, models: Sequence[str], bound: socket.socket, say: Say) -> None:
        self._project, self._models, self._bound, self._say = project, tuple(models), bound, say
        self._places = [Place(number) for number in range(1, project.serve.workers + 1)]
        self._folder = project.state / "serve" / str(os.getpid())
        self._selector = selectors.DefaultSelector()
        self._stops = 0
        self._listening = False
        self._shadows = ShadowPlace(project, self._models, self._begin_shadows, say)
        self._tidying: subprocess.Popen[bytes] | None = None
        self._next_tidy = time.monotonic() + project.predictions.compact_every

    @property
    def url(self) -> str:
        host, port = self._bound.getsockname()[:2]
        return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    def run(self) -> int:
        """Serve until a signal; returns the exit code: 0 when all that was in hand was answered, else 1."""
        with metrics_folder(self._folder), woken_by(CAUGHT, self._selector, self._signalled):
            for place in self._places:
                self._start(place)
            failed = False
            while not self._stops and not failed:
                self._wait(self._next())
                failed = self._look_after()
            self._bound.close()
            drained = self._drain()
        return 0 if drained and not failed else 1

    def _look_after(self) -> bool:
        """Bury who died, fill places; True when the first workers did not even begin to listen."""
        for place in self._places:
            if place.process is not None and place.process.poll() is not None:
                self._bury(place)
            if place.process is None and place.again <= time.monotonic():
                if not self._listening:
                    return True
                self._start(place)
        if self._listening and (gone := self._shadows.look_after()):
            forget(self._folder, gone)
        self._tidy()
        return False

    def _begin_shadows(self) -> subprocess.Popen[bytes]:
        return self._begin("workbench.serving.shadow_process", (str(self._project.root), *self._models))

    def _tidy(self) -> None:
        """Have the prediction log compacted, one process at a time."""
        if self._tidying is not None and self._tidying.poll() is not None:
            self._tidying = None
            self._next_tidy = time.monotonic() + self._project.predictions.compact_every
        if self._tidying is None and self._next_tidy <= time.monotonic():
            self._tidying = self._begin("workbench.serving.housekeeping", (str(self._project.root),))

    def _start(self, place: Place) -> None:
        ours, theirs = socket.socketpair()
        orders = Orders(
            root=str(self._project.root), models=self._models, serve=asdict(self._project.serve),
            listening=self._bound.fileno(), line=theirs.fileno(),
        )  # fmt: skip
        place.process = self._begin(
            "workbench.serving.worker", (orders.text(),), (self._bound.fileno(), theirs.fileno())
        )
        theirs.close()
        place.line, place.since, place.reports = ours, 0.0, []
        self._selector.register(ours, selectors.EVENT_READ, place)

    def _begin(
        self, module: str, arguments: Sequence[str], passed: tuple[int, ...] = ()
    ) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", module, *arguments],
            pass_fds=passed,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            process_group=0,  # Ctrl-C in a terminal is the supervisor's to pass on
            preexec_fn=partial(die_with_parent, signal.SIGKILL),  # safe: there are no threads here
        )

    def _environment(self) -> dict[str, str]:
        """One thread a worker for linear algebra and trees: requests are what runs side by side (LIBRARIES)."""
        own = dict.fromkeys(VARIABLES, "1") | {"PROMETHEUS_MULTIPROC_DIR": str(self._folder)}
        return {**os.environ, **own}

    def _next(self) -> float | None:
        """Seconds until there is something to do by the clock; None: nothing is."""
        times = [place.again for place in self._places if place.process is None]
        if self._tidying is None:
            times.append(self._next_tidy)
        if self._listening and self._shadows.process is None:
            times.append(self._shadows.next)
        return max(0.0, min(times) - time.monotonic()) if times else None

    def _wait(self, seconds: float | None) -> None:
        """For a signal, a death or a word from a worker."""
        for key, _ in self._selector.select(seconds):
            if isinstance(key.data, Place):
                self._hear(key.data)
            else:
                key.fileobj.recv(4096)  # type: ignore[union-attr]

    def _hear(self, place: Place) -> None:
        """A worker says once that it listens, and where its models stand."""
        assert place.line is not None
        with contextlib.suppress(ConnectionError):
            if line := place.line.recv(1_000_000):
                place.reports, place.since = read_report(line), time.monotonic()
                self._tell(place)
                return
        self._hang_up(place)  # it died: SIGCHLD says so as well

    def _tell(self, place: Place) -> None:
        for each in place.reports:
            what = f"version {each.version}" if each.version is not None else "no version"
            self._say(
                f"worker {place.number}: '{each.model}' {what}{f' — {each.alert}' if each.alert else ''}"
            )
        if not self._listening and all(each.reports for each in self._places):
            self._listening = True
            self._say(f"listening on {self.url}; try it: {self.url}/docs")

    def _bury(self, place: Place) -> None:
        assert place.process is not None
        code = place.process.returncode
        self._hang_up(place)
        forget(self._folder, place.process.pid)
        if place.since and time.monotonic() - place.since >= STEADY:
            place.delay = FIRST_DELAY
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        self._say(
            f"worker {place.number} (process {place.process.pid}) died: {how}; starts again in {place.delay:g} s"
        )
        place.process, place.again = None, time.monotonic() + place.delay
        place.delay = min(place.delay * 2, LAST_DELAY)

    def _hang_up(self, place: Place) -> None:
        if place.line is not None:
            self._selector.unregister(place.line)
            place.line.close()
            place.line = None

    # The end

    def _drain(self) -> bool:
        """End all workers; True when each ended by itself in time."""
        if self._tidying is not None:  # what it has not finished is done by the next one
            self._tidying.kill()
            self._tidying.wait()
        running = [place.process for place in self._places if place.process is not None]
        in_a_hurry = max(self._stops, 1)
        self._end(running, DRAIN, in_a_hurry)
        late = [process for process in running if process.poll() is None]
        for process in late:
            process.kill()
            process.wait()
        if self._shadows.process is not None:  # after the workers: it is to ask what they answered last
            self._end([self._shadows.process], SHADOW_DRAIN, in_a_hurry)
            self._shadows.kill()
        for place in self._places:
            self._hang_up(place)
        if late:
            self._say(f"{len(late)} of {len(running)} workers had to be killed")
        return not late and all(process.returncode == 0 for process in running)

    def _end(self, running: Sequence[subprocess.Popen[bytes]], seconds: float, in_a_hurry: int) -> None:
        """SIGTERM, and wait for it, unless there come more signals than so many."""
        for process in running:
            process.terminate()
        deadline = time.monotonic() + seconds
        while any(process.poll() is None for process in running) and time.monotonic() < deadline:
            if self._stops > in_a_hurry:
                break
            self._wait(max(0.0, deadline - time.monotonic()))

    def _signalled(self, number: int, frame: object) -> None:
        if number != signal.SIGCHLD:
            self._stops += 1
