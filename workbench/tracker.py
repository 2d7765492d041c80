"""The tracking process, seen from the run that starts it; see tracking for what it does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import IO, Any

from workbench.mlflow_store import environment
from workbench.settings import Project

LEAVE = "leave"
"""Tells the tracking process that this one ends in good order, without waiting for it."""

NICENESS, AWAITED = 19, 5
"""Steps come first: where all cores are busy the tracking process gets next to nothing of them. It gets a fair
part where notebooks wait for their MLflow runs. Without privileges it could not be raised later."""

LOG_BYTES = 1_000_000
"""The log of the tracking process starts anew when it is longer."""


class Tracker:
    """The tracking process, seen from the run: started when first needed, poked, and listened to."""

    def __init__(
        self, project: Project, hear: Callable[[Mapping[str, Any]], None], awaited: bool = True
    ) -> None:
        self.project = project
        self.niceness = AWAITED if awaited else NICENESS
        self.log = project.state / "tracking.log"
        self.down = False
        """It has ended, or said that MLflow cannot be used."""
        self._hear = hear
        self._process: subprocess.Popen[str] | None = None
        self._reader: threading.Thread | None = None

    @property
    def started(self) -> bool:
        return self._process is not None

    def poke(self) -> None:
        """Say that the ledger has something new."""
        self.start()
        try:
            if self._process is not None and self._process.stdin is not None:
                self._process.stdin.write("\n")
                self._process.stdin.flush()
        except (OSError, ValueError):
            self.down = True

    def close(self, timeout: float) -> bool:
        """End its input, and wait for its last sync; whether all was sent.

        With a `timeout` of 0 it is left to itself: it ends when it has sent all.
        """
        if self._process is None:
            return not self.down
        try:
            if self._process.stdin is not None:
                if timeout <= 0:
                    self._process.stdin.write(f"{LEAVE}\n")
                self._process.stdin.close()
        except OSError:
            pass
        if timeout <= 0:
            return True
        try:
            code = self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        if self._reader is not None:
            self._reader.join(5)
        return code == 0

    def start(self) -> None:
        """Start the process unless it was started."""
        if self._process is not None or self.down:
            return
        command = [sys.executable, "-m", "workbench.tracking", str(self.project.root)]
        command += [str(os.getpid()), str(self.niceness)]
        try:
            long = self.log.exists() and self.log.stat().st_size > LOG_BYTES
            with self.log.open("wb" if long else "ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    cwd=self.project.root,
                    env={**os.environ, **environment(self.project)},
                )
        except OSError as error:
            self.down = True
            self._hear({"notice": f"the tracking process cannot be started: {error}"})
            return
        if self._process.stdout is not None:
            self._reader = threading.Thread(
                target=self._read, args=(self._process, self._process.stdout), daemon=True
            )
            self._reader.start()

    def _read(self, process: subprocess.Popen[str], stream: IO[str]) -> None:
        with stream:
            for line in stream:
                message = json.loads(line)
                self.down = bool(message.get("down")) or (self.down and "mlflow_run" not in message)
                self._hear(message)
        self.down = True
        self._hear({})
        process.wait()  # nobody else may do it; a process that was left to itself must not stay as a zombie
