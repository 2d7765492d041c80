"""Kernels that wait for their imports: received from their owners, and kept when the host starts anew."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from workbench.kernels.imports import BASE
from workbench.kernels.wire import Launch

REQUEST_LIMIT = 1 << 22
"""Bytes of one launch request; environments are a few kilobytes."""

REQUEST_PATIENCE = 5.0
"""Seconds for the rest of a request to arrive; owners send it in one go."""


@dataclass(frozen=True)
class Request:
    """A kernel to be, its owner's connection and the descriptors that came along."""

    owner: socket.socket
    launch: Launch
    streams: tuple[int, ...]

    @property
    def imports(self) -> tuple[str, ...]:
        return (*BASE, *self.launch.imports) if self.launch.warm else ()

    @property
    def descriptors(self) -> set[int]:
        return {self.owner.fileno(), *self.streams}

    def close(self) -> None:
        """Let go of it, once another process has it."""
        self.owner.close()
        for stream in self.streams:
            os.close(stream)


def read_request(owner: socket.socket) -> Request:
    """The first line that an owner sends. Raises OSError, ValueError, KeyError or TypeError if it is none."""
    owner.settimeout(REQUEST_PATIENCE)
    data, descriptors, _, _ = socket.recv_fds(owner, 1 << 16, 3)
    while not data.endswith(b"\n"):
        more = owner.recv(1 << 16)
        data += more
        if not more or len(data) > REQUEST_LIMIT:
            raise ValueError("not a request")
    owner.settimeout(None)
    return Request(owner, Launch.from_message(json.loads(data)["launch"]), tuple(descriptors))


def save(requests: Iterable[Request]) -> int:
    """Write down what waits in a file without a name (environments hold secrets); its inheritable descriptor."""
    waiting = list(requests)
    saved = os.memfd_create("waiting")
    with os.fdopen(os.dup(saved), "w") as file:
        json.dump([[entry.owner.fileno(), asdict(entry.launch), entry.streams] for entry in waiting], file)
    for descriptor in {saved}.union(*(entry.descriptors for entry in waiting)):
        os.set_inheritable(descriptor, True)
    return saved


def restore(saved: int | None) -> Iterator[Request]:
    """What `save` has written, after the exec."""
    if saved is None:
        return
    with os.fdopen(saved, "r") as file:
        file.seek(0)
        entries: list[Any] = json.load(file)
    for descriptor, launch, streams in entries:
        for inherited in (descriptor, *streams):
            os.set_inheritable(inherited, False)
        yield Request(socket.socket(fileno=descriptor), Launch.from_message(launch), tuple(streams))
