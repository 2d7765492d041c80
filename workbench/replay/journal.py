"""What happened under one policy, month by month. On disk after every month, so an interrupted replay goes on from there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from workbench.digests import write_atomically
from workbench.replay.place import Trained

Did = Literal["kept", "promoted", "set aside", "refused", "rolled back", "ended"]
"""With the champion, at the end of a month. `set aside`: what was trained passed, and was only as good. `ended`: the replay
stops here, so nothing more was trained."""


@dataclass(frozen=True)
class Record:
    """One month of one policy."""

    month: str
    """Its key."""
    version: int
    """That answered."""
    digest: str
    """Of its content."""
    age: int
    """Months since the newest one that it could learn from: 1 is as fresh as can be."""
    did: Did
    reason: str
    """In one sentence, with the figures that decided."""
    alert: bool
    """Whether something was found wrong with the version that answered."""
    after: int
    """The champion from here on."""
    trained: Trained | None = None
    standing: Mapping[str, Any] | None = None
    """How triggers and alerts stand after it, under the policy `yours`: yours.Standing as plain values."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        trained = content["trained"]
        return cls(**{**content, "trained": Trained.from_dict(trained) if trained else None})


@dataclass(frozen=True)
class Journal:
    """Everything that happened under one policy so far."""

    spec: str
    """Digest of all that decides what happens: another one, and the journal is of another replay."""
    first: Trained
    """The champion of the first month."""
    records: tuple[Record, ...] = ()

    def save(self, file: Path) -> None:
        content = {
            "spec": self.spec,
            "first": self.first.as_dict(),
            "records": [record.as_dict() for record in self.records],
        }
        file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(file, json.dumps(content, indent=1) + "\n")


def read_journal(file: Path, spec: str) -> Journal | None:
    """The journal of that replay; None where there is none, or it is of another one."""
    try:
        content = json.loads(file.read_bytes())
        journal = Journal(
            content["spec"],
            Trained.from_dict(content["first"]),
            tuple(Record.from_dict(each) for each in content["records"]),
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None  # damaged, too: it is written anew, mostly from cached steps
    return journal if journal.spec == spec else None
