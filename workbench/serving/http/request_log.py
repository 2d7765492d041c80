"""The log of requests: one line of JSON each, without what was asked; written by a thread, a few lines at a time.

A reader that stands still keeps no request waiting: lines beyond WAITING are dropped, and the next line says how many.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import traceback
from collections import deque
from typing import Any, BinaryIO

import orjson

WAITING = 10_000
TOGETHER = 0.05
"""Seconds for which lines are gathered."""


class RequestLog:
    """Lines to a stream (default: the process's stderr)."""

    def __init__(self, stream: BinaryIO | None = None) -> None:
        self._stream = stream or sys.stderr.buffer
        self._lines: deque[dict[str, Any]] = deque()
        self._dropped = 0
        self._some, self._over = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._write, name="request-log", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what is there, then end."""
        self._over.set()
        self._some.set()
        if self._thread.is_alive():
            self._thread.join(timeout=2)

    def line(self, **values: Any) -> None:
        """One line. Times are seconds since the epoch."""
        if len(self._lines) >= WAITING:
            self._dropped += 1
            return
        self._lines.append({"time": time.time(), **values})
        if not self._some.is_set():
            self._some.set()

    def failure(self, request: str, error: BaseException) -> None:
        """What is not expected, in full: the caller got the request's id only."""
        trace = "".join(traceback.format_exception(error))
        self.line(level="error", event="failure", request=request, trace=trace)

    def _write(self) -> None:
        while not (self._over.is_set() and not self._lines):
            self._some.wait()
            self._over.wait(TOGETHER)
            self._some.clear()
            lines = [self._lines.popleft() for _ in range(len(self._lines))]
            if self._dropped:
                lines.append(
                    {"time": time.time(), "level": "warning", "event": "dropped", "lines": self._dropped}
                )
                self._dropped = 0
            try:
                self._stream.write(b"".join(orjson.dumps(line, default=str) + b"\n" for line in lines))
                self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more: that is no reason not to answer
                return


class JsonLines(logging.Handler):
    """Python's log records as lines of the request log."""

    def __init__(self, log: RequestLog) -> None:
        super().__init__(logging.INFO)
        self._log = log

    def emit(self, record: logging.LogRecord) -> None:
        values: dict[str, Any] = {"level": record.levelname.lower(), "event": "log", "logger": record.name}
        if record.exc_info:
            values["trace"] = logging.Formatter().formatException(record.exc_info)
        self._log.line(**values, message=record.getMessage())
