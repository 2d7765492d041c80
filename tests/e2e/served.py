"""A server of processes, and clients that ask it without a pause: for tests and the benchmark."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from workbench.prediction_log.reading import read
from workbench.settings import Project

PATIENCE = 90.0


class Server:
    """`workbench serve` in a process of its own."""

    def __init__(self, project: Project, *words: str, model: str = "m") -> None:
        self.project, self.model = project, model
        self._log = (project.root / "serve.log").open("wb")
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "workbench", "serve", model, "--port", "0", *words],
            cwd=project.root, env=environment, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )  # fmt: skip
        self.said: list[str] = []
        self.host, self.port = "", 0
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.said.append(line)
            if found := re.search(r"listening on http://([^:]+):(\d+)", line):
                self.host, self.port = found[1], int(found[2])
                break
        assert self.port, f"it did not start: {self.said} {self.log}"
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        self.said += self.process.stdout

    @property
    def log(self) -> str:
        return (self.project.root / "serve.log").read_text()

    def workers(self) -> list[psutil.Process]:
        found = psutil.Process(self.process.pid).children(recursive=True)
        return [each for each in found if "workbench.serving.worker" in " ".join(_words(each))]

    def get(self, path: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        try:
            connection.request("GET", path)
            reply = connection.getresponse()
            return reply.status, json.loads(reply.read() or b"null")
        finally:
            connection.close()

    def versions(self) -> dict[int, int | None]:
        """By worker. The others are held up for a moment: who takes a connection is nobody's choice."""
        found = {}
        workers = self.workers()
        for worker in workers:
            with held_up([each for each in workers if each != worker]):
                status, said = self.get("/version")
            assert status == 200
            found[said["worker"]] = said["models"][self.model]["version"]
        return found

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait; the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(PATIENCE)
        self._reader.join(PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self._log.close()
        return code


@contextmanager
def held_up(processes: Sequence[psutil.Process]) -> Iterator[None]:
    for each in processes:
        each.suspend()
    try:
        yield
    finally:
        for each in processes:
            each.resume()


@contextmanager
def served(project: Project, *words: str, model: str = "m") -> Iterator[Server]:
    """A server that is ended, and nothing is left of it."""
    server = Server(project, *words, model=model)
    family = [psutil.Process(server.process.pid), *server.workers()]
    try:
        yield server
    finally:
        if server.process.poll() is None:
            family = [psutil.Process(server.process.pid), *server.workers()]
            server.end()
        _, alive = psutil.wait_procs(family, PATIENCE)
        assert not alive


@dataclass
class Client:
    """One connection that asks row after row, again when it breaks."""

    server: Server
    rows: Sequence[dict[str, Any]]
    pause: float = 0.0
    """Seconds between two requests."""
    statuses: Counter[int] = field(default_factory=Counter)
    broken: int = 0
    """Requests without an answer."""
    acknowledged: list[str] = field(default_factory=list)
    """Prediction ids that were answered."""
    versions: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def run(self, over: threading.Event) -> None:
        connection: http.client.HTTPConnection | None = None
        number = 0
        while not over.wait(self.pause):
            number += 1
            body = json.dumps({"dataframe_records": [self.rows[number % len(self.rows)]]})
            began = time.perf_counter()
            try:
                if connection is None:
                    connection = http.client.HTTPConnection(
                        self.server.host, self.server.port, timeout=PATIENCE
                    )
                connection.request("POST", "/invocations", body, {"content-type": "application/json"})
                reply = connection.getresponse()
                said = json.loads(reply.read())
            except (OSError, http.client.HTTPException, ValueError):
                self.broken += 1
                if connection is not None:
                    connection.close()
                connection = None
                over.wait(0.01)
                continue
            self.seconds.append(time.perf_counter() - began)
            self.statuses[reply.status] += 1
            if reply.status == 200:
                self.acknowledged += said["ids"]
                self.versions.append(said["version"])
        if connection is not None:
            connection.close()


@contextmanager
def asking(
    server: Server, rows: Sequence[dict[str, Any]], clients: int, pause: float = 0.0
) -> Iterator[list[Client]]:
    """Clients that ask while the block runs."""
    over = threading.Event()
    found = [Client(server, rows, pause) for _ in range(clients)]
    threads = [threading.Thread(target=each.run, args=(over,)) for each in found]
    for thread in threads:
        thread.start()
    try:
        yield found
    finally:
        over.set()
        for thread in threads:
            thread.join(PATIENCE)


def answered(clients: Sequence[Client]) -> int:
    return sum(len(each.acknowledged) for each in clients)


def until(holds: Any, what: str = "it") -> None:
    deadline = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < deadline, f"{what} does not come"
        time.sleep(0.02)


def logged(project: Project, model: str = "m") -> Counter[str]:
    """How often each prediction of the champion is on record, by its id."""
    found: Counter[str] = Counter()
    for batch in read(project, model, kinds=["champion"]):
        found.update(
            f"{request}-{row}"
            for request, row in zip(
                batch.column("request").to_pylist(), batch.column("row").to_pylist(), strict=True
            )
        )
    return found


def _words(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def registry_file(project: Project, digest: str, name: str) -> Path:
    return project.state / "artifacts" / "registry" / "m" / digest / name
