"""One model that is served: who answers, the lanes in which questions stand, and how one version gives way to another.

    ask ─┬─ champion's lane ── answer ── on record ── told
         └─ canary's lane ──── answer ── on record ── told      (what it cannot answer goes to the champion)

A shadow has no part in it: a process of its own reads from the record what was asked.

Which version answers as champion is decided when a batch is taken, by one thread: so a version never comes after one that
replaced it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

from workbench.serving.answers import Answer, Kind, Question, Refused
from workbench.serving.asked import Asked, entry_of, settle
from workbench.serving.guard import KEPT
from workbench.serving.joining import answer_all
from workbench.serving.lane import Bounds, Lane
from workbench.serving.recording import Recorder
from workbench.serving.served import Served
from workbench.serving.shadow_note import Note
from workbench.serving.trial import Canary
from workbench.setting_keys import CanaryLimits

log = logging.getLogger(__name__)

Observe = Callable[[str, int, float], None]
"""Told of each batch: model, rows, seconds."""


@dataclass(frozen=True)
class Cast:
    """Which versions play which part. Replaced as a whole."""

    champion: Served | None = None
    former: Served | None = None
    """The champion before, still held: a rollback to it takes no loading."""
    canary: Canary | None = None
    share: float = 0.0
    """Of the requests that the canary answers, 0 to 1."""
    since: float = 0.0
    """When the champion began to answer here: seconds since the epoch."""

    def held(self, version: int) -> Served | None:
        """That version, if it is in memory."""
        for served in (self.champion, self.former, self.canary.served if self.canary else None):
            if served is not None and served.version == version:
                return served
        return None


class ServedModel:
    """One model in one worker. `ask` belongs to the event loop; the rest may be called from any thread."""

    def __init__(
        self,
        name: str,
        recorder: Recorder,
        loop: asyncio.AbstractEventLoop,
        limits: CanaryLimits,
        returned: Callable[[str, int, str], None],
        bounds: Bounds,
        observe: Observe = lambda *_: None,
    ) -> None:
        """`returned` is told of a canary that is taken back: model, version, reason."""
        self.name = name
        self.cast = Cast()
        self.alert = ""
        self.shadow: Note | None = None
        """How its shadow does, in another process."""
        self._recorder, self._loop, self._limits, self._returned = recorder, loop, limits, returned
        self._bounds, self._observe = bounds, observe
        self._recasting = threading.Lock()
        self._seconds: deque[float] = deque(maxlen=KEPT)
        self._lane: Lane[Asked] = Lane(f"{name}: champion", self._answer_as_champion, bounds)

    def start(self) -> None:
        self._lane.start()

    def stop(self, timeout: float) -> None:
        """Answer what is in hand, then end."""
        cast = self.cast
        if cast.canary is not None:  # first: what it cannot answer goes to the champion
            cast.canary.stop(timeout)
        self._lane.stop(timeout)

    @property
    def alive(self) -> bool:
        return self._lane.alive

    def ask(self, question: Question) -> asyncio.Future[Answer]:
        """Put a question into a lane. Raises Refused when nobody can answer it."""
        cast = self.cast
        canary = cast.canary if cast.canary is not None and cast.canary.takes(question, cast.share) else None
        if canary is None:
            if cast.champion is None:
                raise self._nobody()
            if question.version not in (None, cast.champion.version):
                raise _no_version(question, cast)
        asked = Asked(question, self._loop.create_future())
        if canary is not None and cast.champion is not None:
            canary.put(asked)
        else:
            self._lane.put(asked)
        return asked.future

    # Answering

    def _answer_as_champion(self, batch: Sequence[Asked]) -> None:
        cast = self.cast
        if cast.champion is None:
            self._finish(batch, [self._nobody()] * len(batch))
            return
        mine = [asked for asked in batch if asked.question.version in (None, cast.champion.version)]
        if len(mine) < len(batch):  # the version was replaced while they waited
            late = [asked for asked in batch if asked not in mine]
            self._finish(late, [_no_version(asked.question, cast) for asked in late])
        if mine:
            began = time.monotonic()
            found = self._answer(cast.champion, "champion", mine)
            self._seconds.append(time.monotonic() - began)
            if cast.canary is not None:
                pairs = zip(mine, found, strict=True)
                cast.canary.tally.refused += sum(
                    asked.refused_by_canary and isinstance(said, Answer) for asked, said in pairs
                )
            self._finish(mine, found)

    def _answer(self, served: Served, kind: Kind, batch: Sequence[Asked]) -> list[Answer | Refused]:
        began = time.monotonic()
        try:
            found = answer_all(served, kind, [asked.question for asked in batch])
            self._observe(self.name, sum(asked.rows for asked in batch), time.monotonic() - began)
            return found
        except Exception as error:  # whatever a model does, the lane's thread goes on
            log.exception("%s could not answer %d requests", served.scorer.name, len(batch))
            return [Refused(500, "model", f"{served.scorer.name} failed: {error}")] * len(batch)

    def _finish(self, batch: Sequence[Asked], found: Sequence[Answer | Refused]) -> None:
        """Put answers on record and give them."""
        pairs = [(asked, said) for asked, said in zip(batch, found, strict=True) if asked.claim()]
        if not pairs:
            return
        tell = partial(self._tell, [asked for asked, _ in pairs], [said for _, said in pairs])
        if entries := [entry_of(asked, said) for asked, said in pairs if isinstance(said, Answer)]:
            self._recorder.record(entries, tell)
        else:
            tell("")

    def _tell(self, batch: Sequence[Asked], found: Sequence[Answer | Refused], trouble: str) -> None:
        """Have the event loop give the answers, from whichever thread."""
        if trouble:
            unlogged = Refused(503, "log", "the answer cannot be put on record, so it is not given")
            found = [unlogged if isinstance(said, Answer) else said for said in found]
        self._loop.call_soon_threadsafe(settle, batch, found)

    def _nobody(self) -> Refused:
        return Refused(503, "not-ready", self.alert or f"'{self.name}' is not loaded yet")

    # Who plays which part

    def crown(self, served: Served | None) -> None:
        """Make a version champion: every batch that is taken from now on is answered by it."""
        with self._recasting:
            before = self.cast
            self._seconds.clear()
            former = before.champion or before.former
            self.cast = replace(before, champion=served, former=former, since=time.time())

    def try_canary(self, served: Served | None, share: float = 0.0) -> None:
        """Have a version answer a share of the requests; None: nobody any more."""
        with self._recasting:
            before = self.cast
            if served is not None and before.canary is not None and before.canary.served is served:
                self.cast = replace(before, share=share)
                return
            canary = None
            if served is not None:
                canary = Canary(served, self._answer, self._finish_canary, self._lane.put, self._bounds)
            self.cast = replace(before, canary=canary, share=share)
        if before.canary is not None:
            before.canary.end()

    def _finish_canary(self, batch: Sequence[Asked], found: Sequence[Answer | Refused]) -> None:
        self._finish(batch, found)
        self.watch_canary()

    def watch_canary(self) -> None:
        """Take the canary back when there is reason to."""
        canary = self.cast.canary
        if canary is not None and (reason := canary.objection(tuple(self._seconds), self._limits)):
            self.try_canary(None)
            self._returned(self.name, canary.served.version, reason)


def _no_version(question: Question, cast: Cast) -> Refused:
    served = [cast.champion] if cast.champion else []
    served += [cast.canary.served] if cast.canary else []
    numbers = " and ".join(str(each.version) for each in served) or "none"
    return Refused(
        404,
        "no-such-version",
        f"version {question.version} of '{question.model}' is not served; served: {numbers}",
    )
