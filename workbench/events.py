"""What happens in a run, as values: one stream that the terminal, `--json` and the ledger read alike."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

State = Literal["running", "done", "cached", "failed", "skipped", "interrupted", "crashed"]
"""Of a run or a step run. `skipped`: something it depends on failed. `crashed`: its process is gone.

A run is `done` when every step is done or cached. Everything but `running` is final.
"""


@dataclass(frozen=True)
class Failure:
    """Why a step run failed: the summary, the cell, the trace. Execution, not presentation."""

    kind: Literal["cell", "timeout", "kernel", "output", "infrastructure", "interrupted"]
    message: str
    cell: int | None = None
    """Position in the executed notebook, from 0; None when no cell is to blame."""
    line: int | None = None
    """Line within the cell, from 1."""
    source: str = ""
    traceback: str = ""


@dataclass(frozen=True)
class Event:
    """Something that happened at `time` (seconds since the epoch, UTC)."""

    time: float

    def as_json(self) -> dict[str, Any]:
        """A JSON object whose `event` names the kind."""
        return {"event": type(self).__name__, **asdict(self)}


@dataclass(frozen=True)
class RunStarted(Event):
    run: str
    pipeline: str
    file: str
    parameters: Mapping[str, Any]
    steps: tuple[str, ...]
    workers: int
    git_commit: str | None = None
    git_dirty: bool | None = None


@dataclass(frozen=True)
class StepStarted(Event):
    """A step begins to run: it was decided, has its lock and goes to the executor."""

    run: str
    step: str
    reason: str
    fingerprint: str
    notebook: str
    executed: str
    """Path of the executed notebook, relative to the project root."""
    parameters: Mapping[str, Any]
    inputs: Mapping[str, str]
    """Digest of each input by its name."""
    tracked: bool
    """Whether the notebook itself imports mlflow, and so waits for its MLflow run."""
    cells: int = 0
    attempt: int = 1


@dataclass(frozen=True)
class CellStarted(Event):
    run: str
    step: str
    cell: int
    """Counts code cells, from 1."""
    cells: int


@dataclass(frozen=True)
class StepOutput(Event):
    run: str
    step: str
    line: str


@dataclass(frozen=True)
class StepRetried(Event):
    run: str
    step: str
    attempt: int
    wait: float
    failure: Failure


@dataclass(frozen=True)
class StepFinished(Event):
    """A step reached its final state in this run; `cached` and `skipped` steps never started."""

    run: str
    step: str
    state: State
    reason: str
    fingerprint: str | None = None
    seconds: float = 0.0
    outputs: Mapping[str, str] = field(default_factory=dict)
    """Digest of each output by its name; empty unless done or cached."""
    executed: str | None = None
    attempts: int = 0
    failure: Failure | None = None
    peak_memory: int | None = None
    """Bytes; None where the kernel did not tell."""
    notices: tuple[str, ...] = ()
    """What the user should know though nothing failed, such as output that spilled to a file."""


@dataclass(frozen=True)
class ModelReady(Event):
    """The step that the pipeline's `model:` names has an output that is not registered yet."""

    run: str
    model: str
    step: str
    digest: str
    folder: str
    """The model's folder in the store, relative to the project root."""
    evaluation: str | None = None
    """A JSON file in the store, relative to the project root, whose numbers describe the version."""
    attachments: Mapping[str, str] = field(default_factory=dict)
    """Files that go with the version, by name (`contract`, `evidence`, `dossier`, `lineage`, `gates`); paths like `folder`."""


@dataclass(frozen=True)
class ModelRegistered(Event):
    run: str
    model: str
    version: int
    digest: str


@dataclass(frozen=True)
class ModelJudged(Event):
    """The gates have said their verdict on a registered version."""

    run: str
    model: str
    version: int
    passed: bool
    outcome: str
    summary: str
    promoted: bool = False
    """Whether the policy left it to the verdict, and the version is champion now."""


@dataclass(frozen=True)
class RunFinished(Event):
    run: str
    state: State
    seconds: float
    message: str = ""


Listener = Callable[[Event], None]


def without_colours(text: str) -> str:
    """Text without terminal colours."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)
