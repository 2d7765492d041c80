"""What batch scoring says: while it goes on, and what came of it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from workbench.scoring.parts import Counts
from workbench.scoring.plan import Job


@dataclass(frozen=True)
class Progress:
    """How far it is. `share` is of the bytes of all files, 0 to 1."""

    state: Literal["cached", "scoring", "done"]
    source: str
    number: int
    """Of the part, from 1."""
    parts: int
    counts: Counts
    share: float
    reason: str = ""
    """Why the part is done (again)."""


@dataclass(frozen=True)
class Scored:
    """What came of it."""

    model: str
    version: int
    digest: str
    contract: str
    output: Path
    parts: tuple[tuple[Job, Counts], ...]
    ignored: tuple[str, ...]
    """Files in the input's folder that are no tables."""
    left: tuple[str, ...]
    """Parts in the output of files that are not there any more."""
    warnings: tuple[str, ...]

    @property
    def counts(self) -> Counts:
        """Rows of all parts."""
        return sum((counts for _, counts in self.parts), Counts())

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "model": self.model,
            "version": self.version,
            "digest": self.digest,
            "contract": self.contract,
            "output": str(self.output),
            "rows": asdict(self.counts),
            "parts": [
                {
                    "source": job.source.name, "file": str(job.part.path), "done_because": job.reason,
                    "quarantine": str(job.part.quarantine) if counts.quarantined else None, **asdict(counts),
                }
                for job, counts in self.parts
            ],
            "ignored": list(self.ignored),
            "left": list(self.left),
            "warnings": list(self.warnings),
        }  # fmt: skip
