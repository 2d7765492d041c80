"""What HTTP asks of an engine, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from workbench.contracts.contract import Contract
from workbench.serving.answers import Answer, Question


class Standing(Protocol):
    """How one model stands in this worker."""

    @property
    def model(self) -> str: ...
    @property
    def version(self) -> int | None: ...
    @property
    def digest(self) -> str | None: ...
    @property
    def contract(self) -> Contract | None:
        """Of the features, each row by itself; None until a version was loaded."""

    @property
    def keys(self) -> tuple[str, ...]: ...
    @property
    def ready(self) -> bool: ...
    @property
    def since(self) -> float:
        """Seconds since the epoch, UTC."""

    @property
    def alert(self) -> str:
        """Empty when all is well."""

    @property
    def canary(self) -> int | None: ...
    @property
    def share(self) -> float: ...
    @property
    def shadow(self) -> int | None: ...


class Engine(Protocol):
    """What answers."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def ask(self, question: Question) -> Answer:
        """Raises Refused."""

    def models(self) -> Mapping[str, Standing]: ...

    def alive(self) -> bool: ...
