"""A canary: a version that is tried on real requests, and whose answers are given.

It makes no request fail: what it cannot answer goes to the champion.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from workbench.serving.answers import Answer, Kind, Question, Refused
from workbench.serving.asked import Asked
from workbench.serving.guard import Tally, objection
from workbench.serving.lane import Bounds, Lane
from workbench.serving.served import Served
from workbench.setting_keys import CanaryLimits

Answering = Callable[[Served, Kind, Sequence[Asked]], list[Answer | Refused]]
Finish = Callable[[Sequence[Asked], Sequence[Answer | Refused]], None]


class Canary:
    """A version that answers a share of the requests, in a lane of its own."""

    def __init__(
        self,
        served: Served,
        answering: Answering,
        finish: Finish,
        champion: Callable[[Asked], None],
        bounds: Bounds,
    ) -> None:
        self.served = served
        self.tally = Tally()
        self._answering, self._finish, self._champion = answering, finish, champion
        self._in_hand: dict[int, Asked] = {}
        self._ended = False
        self._lane: Lane[Asked] = Lane(f"{served.model}: canary", self._answer, bounds)
        self._lane.start()

    def takes(self, question: Question, share: float) -> bool:
        """Whether this question is for the canary: one who asks again is always on the same side."""
        if question.version is not None:
            return question.version == self.served.version
        who = f"{self.served.model}\0{self.served.version}\0{question.sticky or question.request}"
        digest = hashlib.sha256(who.encode("utf-8", "surrogatepass")).digest()
        return int.from_bytes(digest[:8], "big") < share * 2**64

    def put(self, asked: Asked) -> None:
        self._in_hand[id(asked)] = asked
        self._lane.put(asked)
        if self._ended:  # meanwhile: whoever takes it out of hand passes it on
            self._pass_on(id(asked))

    def objection(self, champion: Sequence[float], limits: CanaryLimits) -> str:
        """Why it is to be taken back; '' while it may go on."""
        return objection(self.tally, champion, limits, time.monotonic())

    def end(self) -> None:
        """Answer nothing more: what is in hand goes to the champion, also when this one's thread never comes back."""
        self._ended = True
        self._lane.end()
        for key in list(self._in_hand):
            self._pass_on(key)

    def _pass_on(self, key: int) -> None:
        if (asked := self._in_hand.pop(key, None)) is not None:
            self._champion(asked)

    def stop(self, timeout: float) -> None:
        """Answer what is in hand, then end."""
        self._lane.stop(timeout)

    def _answer(self, batch: Sequence[Asked]) -> None:
        if self._ended:
            return
        tally = self.tally
        tally.asked += len(batch)
        began = tally.working_since = time.monotonic()
        found = self._answering(self.served, "canary", batch)
        tally.working_since = None
        tally.seconds.append(time.monotonic() - began)
        mine, said = [], []
        for asked, each in zip(batch, found, strict=True):
            if self._in_hand.pop(id(asked), None) is None:
                continue  # it was taken back, and the champion has it
            if isinstance(each, Refused) and asked.question.version is None:
                if each.reason != "contract":
                    tally.failure(each)
                self._champion(replace(asked, refused_by_canary=each.reason == "contract"))
            else:
                mine.append(asked)
                said.append(each)
        self._finish(mine, said)
