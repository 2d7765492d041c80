"""What HTTP asks of an engine, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from workbench.serving.answers import Answer, Question, Standing


class Engine(Protocol):
    """What answers."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def ask(self, question: Question) -> Answer:
        """Raises Refused."""

    def models(self) -> Mapping[str, Standing]: ...

    def alive(self) -> bool: ...
