"""Everything that can go wrong and is expected, as one tree.

    WorkbenchError            exit code 1
    ├── BadInput              exit code 2; refused before any work starts
    │   ├── ProjectError      no project here, or its workbench.toml is wrong
    │   └── SpecError         a pipeline file, a notebook or a parameter is wrong (all problems at once)
    ├── KernelError           a kernel did not start or died
    ├── StepError             a step failed while it ran
    ├── ContractError         data do not meet their contract
    ├── StoreError            the store cannot be read or written
    ├── LedgerError           the ledger cannot be read or written
    ├── LogError              the prediction log cannot be read or written
    ├── TrackingError         MLflow cannot be reached or refuses
    ├── ModelError            a model cannot be saved, loaded or registered
    ├── PromotionError        a version may not become champion, or not by this person, or not any more
    └── AccessError           somebody may not come in, or not do that

A message says what, where and what to do next; it is shown to people as it is, without a traceback.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


class WorkbenchError(Exception):
    """An expected failure, worded for the person who reads it."""

    exit_code = 1


class BadInput(WorkbenchError):  # noqa: N818 - reads as the condition it is
    """The user's input is wrong; nothing was started."""

    exit_code = 2


class ProjectError(BadInput):
    """There is no project here, or its settings are wrong."""


class SpecError(BadInput):
    """One or more problems in a pipeline file, its notebooks or the values given to it."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class KernelError(WorkbenchError):
    """A kernel could not be started, or died."""


class StepError(WorkbenchError):
    """A step failed while it ran."""


class ContractError(WorkbenchError):
    """Data do not meet their contract, or a model would be given what it must not see."""


class StoreError(WorkbenchError):
    """The store cannot be read or written."""


class LedgerError(WorkbenchError):
    """The ledger cannot be read or written."""


class LogError(WorkbenchError):
    """The prediction log cannot be read or written."""


class TrackingError(WorkbenchError):
    """MLflow cannot be reached, or refuses."""


class ModelError(WorkbenchError):
    """A model cannot be saved, loaded or registered."""


class PromotionError(WorkbenchError):
    """A version may not become champion, or not by this person, or somebody was faster."""


class AccessError(WorkbenchError):
    """Somebody may not come in, or may not do what they asked for."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong in one place: `file:line: key: message`."""

    message: str
    file: Path | str | None = None
    line: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        where = str(self.file) if self.file else ""
        if self.line is not None:
            where += f":{self.line}"
        parts = [part for part in (where, self.key, self.message) if part]
        return ": ".join(parts)


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A hint to append to a message about an unknown name: the nearest known one, else all of them."""
    from difflib import get_close_matches

    names = sorted(known)
    if near := get_close_matches(name, names, n=1, cutoff=0.6):
        return f"; did you mean '{near[0]}'?"
    if not names:
        return ""
    shown = ", ".join(names[:8]) + (", …" if len(names) > 8 else "")
    return f"; known: {shown}"
