"""What the owner, the kernel host and a kernel's guard say to one another.

Lines of JSON over one unix socket per kernel. The owner writes a `Launch` first, then requests
(`{"signal": 2}`, `{"kill": true}`); it reads `ready` or `failed`, perhaps `imported`, and at the end `exited`. The connection is
the kernel's lease: when the owner's end closes, by whatever means, the kernel and its descendants are killed;
when the owner reads the end of the stream without `exited`, the guard was lost (infrastructure, not the
user's code).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from types import ModuleType
from typing import Any


@dataclass(frozen=True)
class Launch:
    """One kernel to start. `warm` forks and runs ipykernel in the fork; else `argv` is executed."""

    argv: tuple[str, ...]
    env: dict[str, str] = field(repr=False)
    cwd: str
    warm: bool = False
    imports: tuple[str, ...] = ()
    memory_limit: int | None = None
    threads: int | None = None
    learn: bool = False
    """Whether the kernel tells its owner of all that it imports, not only of parts of packages that it has."""
    streams: tuple[str, ...] = ()
    """Which of stdin, stdout, stderr come along as file descriptors, in this order."""

    def as_message(self) -> dict[str, Any]:
        return {"launch": asdict(self)}

    @classmethod
    def from_message(cls, fields: dict[str, Any]) -> Launch:
        return cls(**{**fields, **{key: tuple(fields[key]) for key in ("argv", "imports", "streams")}})


@dataclass(frozen=True)
class KernelExit:
    """How a kernel ended.

    `code` is its exit status, or None when a signal ended it (`signal`) or nothing is known
    (`infrastructure`: the process that watched it was lost; retry, it was not the notebook).
    `peak_memory` is in bytes: of the kernel and of the children it has waited for, and with a memory limit of
    its whole process tree. `oom` is True when it was killed for exceeding its memory limit.
    """

    code: int | None
    signal: int | None
    peak_memory: int
    oom: bool = False
    infrastructure: bool = False

    @property
    def returncode(self) -> int:
        """As `subprocess.Popen.returncode`: negative for a signal."""
        if self.code is not None:
            return self.code
        return -(self.signal or 9)


@dataclass(frozen=True)
class Origin:
    """What the host knows and a kernel needs to look as if it had been started by itself."""

    folder: str
    path: tuple[str, ...]
    """`sys.path` of a fresh interpreter, without the entries of PYTHONPATH."""
    variables: dict[str, str]
    """Environment variables that imports have set; the libraries count on them."""
    kernel_modules: tuple[str, ...]
    """What ipykernel itself has imported: the debugger steps over these and no others."""
    own_modules: dict[str, ModuleType]
    """This package, as loaded in the host."""


class Lines:
    """Messages out of a byte stream that arrives in pieces."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[dict[str, Any]]:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield json.loads(line)


def encode(message: dict[str, Any]) -> bytes:
    return json.dumps(message, separators=(",", ":")).encode() + b"\n"
