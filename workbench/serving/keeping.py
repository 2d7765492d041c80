"""Keeping to what the audit trail says: one thread that looks, loads beside what serves, and switches.

    turn, every POLL seconds
    ├── canaries that do not answer are taken back
    ├── markers changed, or LOOK seconds over, or something failed and is due again?
    └── follow the trail: champion, canary; tell what the process that asks the shadow says of it

Whatever goes wrong, whoever serves goes on, the alert says why, and it is tried again, more and more rarely.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Mapping
from queue import Empty, SimpleQueue

from workbench.errors import LedgerError, WorkbenchError
from workbench.registry import load
from workbench.serving.failing import Failed, failed
from workbench.serving.last_good import load_good, note_good
from workbench.serving.served import Served, try_version
from workbench.serving.served_model import ServedModel
from workbench.serving.shadow_note import shadow_note
from workbench.serving.watching import Wanted, Watch
from workbench.settings import Project
from workbench.trail import Entry
from workbench.trials import Trials

log = logging.getLogger(__name__)

POLL, LOOK = 0.25, 1.0
"""Seconds between two looks at the markers, and at the trail."""


class Keeper:
    """Has models follow the trail. Alerts are by model and by what they are about."""

    def __init__(self, project: Project, models: Mapping[str, ServedModel]) -> None:
        self._project, self._models = project, models
        self._watch = Watch(project, list(models))
        self._signs: object = None
        self._next_look = 0.0
        self._failed: dict[tuple[str, str], Failed] = {}
        self._alerts: dict[str, dict[str, str]] = {name: {} for name in models}
        self._to_record: SimpleQueue[tuple[str, int, str]] = SimpleQueue()
        self._denied: set[tuple[str, int]] = set()
        self._fell_back = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeping", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._watch.close()

    def returned(self, model: str, version: int, reason: str) -> None:
        """Told of a canary that was taken back; from any thread."""
        log.error("the canary of '%s', version %s, is taken back: %s", model, version, reason)
        self._denied.add((model, version))
        self._to_record.put((model, version, reason))

    def _run(self) -> None:
        while not self._stopping.wait(POLL):
            try:
                self.turn()
            except Exception:  # the thread must go on: without it, no version would ever give way again
                log.exception("looking for new versions failed")

    def turn(self) -> None:
        """Look once, and follow what is there."""
        for model in self._models.values():
            model.watch_canary()
        signs, now = self._watch.signs(), time.monotonic()
        due = any(each.again <= now for each in self._failed.values())
        if signs == self._signs and now < self._next_look and not due and self._to_record.empty():
            return
        if signs != self._signs:  # somebody did something: what failed may work now
            self._failed = {key: each.at_once() for key, each in self._failed.items()}
        self._signs, self._next_look = signs, now + LOOK
        try:
            self._record()
            said = self._watch.look()
        except WorkbenchError as error:
            self._say_all("ledger", f"{error}; whoever serves goes on")
            self._fall_back()
            return
        self._say_all("ledger", "")
        for name, model in self._models.items():
            self._follow(model, said[name])

    def _fall_back(self) -> None:
        """Have the champions that were noted last serve where nobody does, once: the ledger was away at the start."""
        if self._fell_back:
            return
        self._fell_back = True
        for model in self._models.values():
            if model.cast.champion is None:
                try:
                    if loaded := load_good(self._project, model.name):
                        model.crown(try_version(loaded))
                except WorkbenchError as error:
                    self._say(model.name, "champion", f"what served last cannot serve: {error}")

    def _record(self) -> None:
        """Put into the trail what was taken back. Raises LedgerError; what was not written is tried again."""
        while True:
            try:
                model, version, reason = self._to_record.get_nowait()
            except Empty:
                return
            self._say(model, "canary", f"version {version} was taken back as canary: {reason}")
            try:
                trials = Trials(self._project, self._watch.ledger())
                trials.take_back(model, version, f"workbench serve (process {os.getpid()})", reason)
            except WorkbenchError as error:
                self._to_record.put((model, version, reason))
                raise LedgerError(f"that a canary was taken back is not in the trail yet: {error}") from error

    # Following

    def _follow(self, model: ServedModel, wanted: Wanted) -> None:
        self._follow_champion(model, wanted)
        self._follow_shadow(model, wanted.shadow)
        self._follow_canary(model, wanted)

    def _follow_champion(self, model: ServedModel, wanted: Wanted) -> None:
        current = model.cast.champion
        served = self._part(model, "champion", wanted.made_by if wanted.champion else None, current)
        if wanted.champion is None:
            self._say(
                model.name,
                "champion",
                f"'{model.name}' has no champion: workbench models promote {model.name} VERSION",
            )
        if served is not current and (served is not None or wanted.champion is None):
            model.crown(served)
            version = served.version if served else None
            log.info("version %s of '%s' answers now", version, model.name)

    def _follow_shadow(self, model: ServedModel, trial: Entry | None) -> None:
        note = shadow_note(self._project, model.name) if trial else None
        model.shadow = note if note and trial and note.trial == trial.sequence else None
        alert = model.shadow.alert if model.shadow else ""
        self._say(model.name, "shadow", alert and f"the shadow: {alert}")

    def _follow_canary(self, model: ServedModel, wanted: Wanted) -> None:
        current = model.cast.canary.served if model.cast.canary else None
        entry = wanted.canary
        if entry is None or entry.version is None:
            self._denied = {each for each in self._denied if each[0] != model.name}
            back = wanted.taken_back
            if back is not None:
                was = back.content.get("version")
                self._say(model.name, "canary", f"version {was} was taken back as canary: {back.reason}")
            elif (model.name, "canary") not in self._failed:
                self._say(model.name, "canary", "")
        elif (model.name, entry.version) in self._denied:
            return
        served = self._part(model, "canary", entry, current, quiet=entry is None)
        if served is not current or (served is not None and wanted.share != model.cast.share):
            model.try_canary(served, wanted.share)

    def _part(
        self,
        model: ServedModel,
        part: str,
        entry: Entry | None,
        current: Served | None,
        *,
        quiet: bool = False,
    ) -> Served | None:
        """The version that is to play a part, loaded when it is not held; the current one while it cannot be."""
        key = (model.name, part)
        if entry is None or entry.version is None:
            self._failed.pop(key, None)
            if not quiet:
                self._say(model.name, part, "")
            return None
        version = entry.version
        if current is not None and current.version == version:
            self._failed.pop(key, None)
            self._say(model.name, part, "")
            return current
        before = self._failed.get(key)
        if before is not None and before.version == version and before.again > time.monotonic():
            return current
        try:
            served = model.cast.held(version) or self._load(model.name, version, part)
        except WorkbenchError as error:
            self._fail(key, version, before, str(error), current)
            return current
        except Exception as error:  # whatever loading does, whoever serves goes on
            log.exception("version %s of '%s' cannot be loaded", version, model.name)
            self._fail(key, version, before, f"{type(error).__name__}: {error}", current)
            return current
        self._failed.pop(key, None)
        self._say(model.name, part, "")
        return served

    def _load(self, model: str, version: int, part: str) -> Served:
        began = time.monotonic()
        loaded = load(self._project, model, version, self._watch.ledger())
        served = try_version(loaded)
        log.info("version %s of '%s' loaded in %.2f s", version, model, time.monotonic() - began)
        if part == "champion":
            try:
                note_good(self._project, loaded)
            except OSError as error:
                log.warning("which version served last cannot be noted: %s", error)
        return served

    def _fail(
        self, key: tuple[str, str], version: int, before: Failed | None, message: str, current: Served | None
    ) -> None:
        self._failed[key] = failed(version, before, time.monotonic())
        stays = f"version {current.version} goes on" if current is not None else "nobody answers"
        told = f"version {version} cannot serve as {key[1]}, {stays}: {message}"
        self._say(*key, told)

    # Alerts

    def _say_all(self, about: str, message: str) -> None:
        for name in self._models:
            self._say(name, about, message)

    def _say(self, model: str, about: str, message: str) -> None:
        alerts = self._alerts[model]
        if message and alerts.get(about) != message:
            log.error("%s: %s", model, message)
        if message:
            alerts[about] = message
        else:
            alerts.pop(about, None)
        self._models[model].alert = "; ".join(alerts.values())
