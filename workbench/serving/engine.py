"""The served models of one worker: asked, swapped while they answer, everything that they answer on record.

Engine
├── ServedModel  one for each model: who answers, and the lanes in which questions stand
├── Keeper       the thread that follows the audit trail
└── Recorder     the thread that writes the prediction log
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from workbench.errors import did_you_mean
from workbench.serving.answers import Answer, Question, Refused, Standing
from workbench.serving.keeping import Keeper
from workbench.serving.lane import Bounds
from workbench.serving.recording import Log, Recorder
from workbench.serving.served_model import Observe, ServedModel
from workbench.serving.shadow_note import Note
from workbench.setting_keys import Serving
from workbench.settings import Project

DRAIN_SECONDS = 20.0
"""How long what is in hand may take when the engine stops."""


class Engine:
    """What answers. `start`, `ask` and `stop` belong to one event loop."""

    def __init__(
        self, project: Project, models: Sequence[str], log: Log, settings: Serving,
        observe: Observe = lambda *_: None,
    ) -> None:  # fmt: skip
        """`observe` is told of each batch that a model was asked."""
        self._observe = observe
        self._project, self._names, self._settings = project, tuple(models), settings
        self._durable = project.predictions.durability == "durable"
        self._log = log
        self._recorder = Recorder(log, durable=self._durable)
        self._models: dict[str, ServedModel] = {}
        self._keeper: Keeper | None = None
        self._in_hand = 0
        self._stopping = False

    async def start(self) -> None:
        """Load the champions. A model that cannot be loaded is not ready and says why; it is tried again."""
        loop = asyncio.get_running_loop()
        for name in self._names:
            self._models[name] = ServedModel(
                name, self._recorder, loop, self._project.canary, self._returned, Bounds(), self._observe
            )
        self._keeper = Keeper(self._project, self._models)
        self._recorder.start()
        for model in self._models.values():
            model.start()
        await asyncio.to_thread(self._keeper.turn)
        self._keeper.start()

    async def stop(self) -> None:
        """Answer what is in hand, refuse what comes, then end."""
        self._stopping = True
        if self._keeper is not None:
            await asyncio.to_thread(self._keeper.stop)
        for model in self._models.values():
            await asyncio.to_thread(model.stop, DRAIN_SECONDS)
        if self._models:
            await asyncio.to_thread(self._recorder.stop)

    async def ask(self, question: Question) -> Answer:
        """The answer, when it is on record. Raises Refused."""
        if self._stopping:
            raise Refused(503, "draining", "this server is about to end")
        model = self._models.get(question.model)
        if model is None:
            hint = did_you_mean(question.model, self._models)
            raise Refused(404, "no-such-model", f"no model '{question.model}' is served{hint}")
        if self._in_hand >= self._settings.max_waiting:
            raise Refused(429, "busy", f"{self._in_hand} requests are in hand; try again")
        self._in_hand += 1
        try:
            return await model.ask(question)
        finally:
            self._in_hand -= 1

    def models(self) -> Mapping[str, Standing]:
        """Where each model stands, by name, in the order in which they were asked for."""
        return {name: self._standing(model) for name, model in self._models.items()}

    def alive(self) -> bool:
        """Whether the threads that answer are there."""
        return self._recorder.alive and all(model.alive for model in self._models.values())

    def _standing(self, model: ServedModel) -> Standing:
        cast, trouble = model.cast, self._recorder.trouble
        served = cast.champion
        of_log = trouble or self._log.alert
        alerts = [model.alert, f"the prediction log: {of_log}" if of_log else ""]
        contract = served.contract if served else None
        return Standing(
            model=model.name,
            version=served.version if served else None,
            digest=served.digest if served else None,
            contract=contract,
            features=served.scorer.features if served else (),
            label=served.scorer.label if served else "",
            ready=served is not None and not self._stopping and not (trouble and self._durable),
            since=cast.since,
            alert="; ".join(each for each in alerts if each),
            canary=cast.canary.served.version if cast.canary else None,
            share=cast.share if cast.canary else 0.0,
            shadow=model.shadow.version if model.shadow else None,
            keys=contract.keys if contract else (),
            shadowed=_shadowed(model.shadow),
        )

    def _returned(self, model: str, version: int, reason: str) -> None:
        if self._keeper is not None:
            self._keeper.returned(model, version, reason)


def _shadowed(note: Note | None) -> Mapping[str, int]:
    return {"scored": note.scored, "refused": note.refused, "dropped": note.dropped} if note else {}
