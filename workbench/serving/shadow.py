"""A version that is asked what the others were asked: it reads their answers from the log, and puts its own beside them.

    Shadow
    ├── follow    begin, go on or end, as the audit trail says; load the version like any other that serves
    └── ask       the next requests of the log, in their order; what is too old is dropped and counted

Nobody waits for it, and it asks nothing of those who answer. Where it is, is where its last entry in the log is, so a
request is scored once, whoever was killed when.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from workbench.errors import LogError, WorkbenchError
from workbench.ledger import Ledger
from workbench.locks import locked
from workbench.prediction_log.entries import Logged
from workbench.prediction_log.tail import Tail
from workbench.registry import load
from workbench.serving.failing import Failed, failed
from workbench.serving.mirrored import mirrored
from workbench.serving.served import Served, try_version
from workbench.serving.shadow_note import Note, shadow_note, turn_file, write_note
from workbench.settings import Project
from workbench.trail import Entry

log = logging.getLogger(__name__)

MOST, ROWS = 128, 4096
"""Requests, and rows, that are asked and put on record together. Each time the log is held for some tenths of a millisecond."""

BEHIND = 10.0
"""Seconds after which a request that was not asked yet is dropped."""

Record = Callable[[Sequence[Logged]], str]
"""Puts entries on record; returns '' when they are, else why they are not."""
Count = Callable[[str, str, int], None]
"""Told of each piece: model, `scored`, `refused` or `dropped`, requests."""


class Shadow:
    """The shadow of one model, while it has one."""

    def __init__(self, project: Project, model: str, record: Record, count: Count = lambda *_: None) -> None:
        self._project, self.model, self._record, self._count = project, model, record, count
        self._turn = ExitStack()
        self._trial: Entry | None = None
        self._served: Served | None = None
        self._tail: Tail | None = None
        self._failed: Failed | None = None
        self._note: Note | None = None
        self._told: Note | None = None

    def follow(self, trial: Entry | None, ledger: Ledger) -> None:
        """Have the version of this trial be asked; None: nobody any more."""
        if trial is None or trial.version is None:
            self.end()
            return
        if self._trial is None or self._trial.sequence != trial.sequence:
            self.end()
            if not self._take_turn():
                return
            self._begin(trial)
        again = self._failed.again if self._failed else 0.0
        if self._served is None and again <= time.monotonic():
            self._load(trial.version, ledger)
        self._tell()

    def ask(self) -> bool:
        """Ask what comes next, if anything does; False when there is nothing to do now."""
        if self._served is None or self._tail is None or self._note is None:
            return False
        try:
            piece = self._tail.read(MOST, ROWS)
        except LogError as error:
            self._alert(str(error))
            return False
        if not piece.entries:
            self._tail.passed(piece)
            return False
        oldest = time.time() - BEHIND
        fresh = [entry for entry in piece.entries if entry.came >= oldest]
        said = mirrored(self._served, fresh)
        if trouble := self._record(said.entries) if said.entries else "":
            self._tail.look_again()
            self._alert(f"the prediction log: {trouble}")
            return False
        self._tail.passed(piece)
        self._counted(scored=len(said.entries), refused=said.refused, dropped=len(piece.entries) - len(fresh))
        self._alert(f"the last request that it could not answer: {said.reason}" if said.reason else "")
        self._tell()
        return True

    def end(self) -> None:
        """Ask it nothing more."""
        if self._trial is not None:
            write_note(self._project, self.model, None)
            self._note = None
        self.leave()

    def leave(self) -> None:
        """The same when the process ends: another one goes on."""
        self._tell()
        self._trial = self._served = self._tail = self._failed = self._note = self._told = None
        self._turn.close()

    def _take_turn(self) -> bool:
        try:
            self._turn.enter_context(locked(turn_file(self._project, self.model), timeout=0))
        except TimeoutError:
            return False
        return True

    def _begin(self, trial: Entry) -> None:
        assert trial.version is not None
        self._trial = trial
        self._tail = Tail(self._project, self.model, trial.version, trial.created)
        before = shadow_note(self._project, self.model)
        counted = before if before is not None and before.trial == trial.sequence else Note(trial.sequence, 0)
        self._note = replace(counted, process=os.getpid(), version=None, alert="")

    def _load(self, version: int, ledger: Ledger) -> None:
        assert self._note is not None
        try:
            self._served = try_version(load(self._project, self.model, version, ledger))
        except WorkbenchError as error:
            self._fail(version, str(error))
        except Exception as error:  # whatever loading does, it is tried again
            log.exception("version %s of '%s' cannot be loaded", version, self.model)
            self._fail(version, f"{type(error).__name__}: {error}")
        else:
            log.info("version %s of '%s' is asked as shadow", version, self.model)
            self._failed = None
            self._note = replace(self._note, version=version, alert="")

    def _fail(self, version: int, message: str) -> None:
        self._failed = failed(version, self._failed, time.monotonic())
        self._alert(f"version {version} cannot be asked: {message}")

    def _counted(self, **found: int) -> None:
        assert self._note is not None
        for what, requests in found.items():
            if requests:
                self._count(self.model, what, requests)
        was = self._note
        self._note = replace(
            was, scored=was.scored + found["scored"], refused=was.refused + found["refused"],
            dropped=was.dropped + found["dropped"],
        )  # fmt: skip

    def _alert(self, message: str) -> None:
        assert self._note is not None
        if message and message != self._note.alert:
            log.error("the shadow of '%s': %s", self.model, message)
        self._note = replace(self._note, alert=message)

    def _tell(self) -> None:
        """Write down how it does, where that is new."""
        if self._note is not None and self._note != self._told:
            write_note(self._project, self.model, self._note)
            self._told = self._note
