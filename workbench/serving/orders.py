"""What a supervisor tells a worker at its start, and what a worker tells back: JSON on a command line and on a socket."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True)
class Orders:
    """What one worker is to do."""

    root: str
    """The project's folder."""
    models: tuple[str, ...]
    serve: Mapping[str, Any]
    """Settings of [serve] that the command line changed."""
    listening: int
    """The file descriptor of the socket that all workers accept from."""
    line: int
    """That of the socket to the supervisor: when it ends, so does the worker."""

    def text(self) -> str:
        return json.dumps(asdict(self))


def read_orders(text: str) -> Orders:
    found = json.loads(text)
    return Orders(**{**found, "models": tuple(found["models"])})


@dataclass(frozen=True)
class Report:
    """Where one model stands when a worker begins to listen."""

    model: str
    version: int | None
    ready: bool
    alert: str


def report_line(reports: list[Report]) -> bytes:
    return json.dumps([asdict(each) for each in reports]).encode() + b"\n"


def read_report(line: bytes) -> list[Report]:
    return [Report(**each) for each in json.loads(line)]
