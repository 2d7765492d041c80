"""One worker process: uvicorn, the application, the engine. `python -m workbench.serving.worker ORDERS`, by a supervisor.

It ends when the supervisor does, and drains on SIGTERM: what is in hand is answered, then it ends with 0.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import signal
import socket
import sys
from dataclasses import replace
from pathlib import Path

import uvicorn

from workbench.prediction_log.log import PredictionLog
from workbench.serving.engine import DRAIN_SECONDS, Engine
from workbench.serving.http.app import Application
from workbench.serving.http.connections import uvicorn_config
from workbench.serving.http.metrics import Metrics
from workbench.serving.http.request_log import JsonLines, RequestLog
from workbench.serving.orders import Orders, Report, read_orders, report_line
from workbench.settings import Project, read_project

SWITCH_SECONDS = 0.0005
"""How long a thread may keep the interpreter while others want it. With Python's 5 ms, loading a version would each time keep
an answer waiting for so long."""


class Worker(uvicorn.Server):
    """A server that tells its supervisor when it listens, and ends with it."""

    def __init__(self, config: uvicorn.Config, engine: Engine, line: socket.socket) -> None:
        super().__init__(config)
        self._engine, self._line = engine, line

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.should_exit:
            return
        gc.collect()
        gc.freeze()  # what is there stays: later collections need not look at it
        found = [
            Report(each.model, each.version, each.ready, each.alert)
            for each in self._engine.models().values()
        ]
        self._line.sendall(report_line(found))
        asyncio.get_running_loop().add_reader(self._line.fileno(), self._supervisor_gone)

    def _supervisor_gone(self) -> None:
        """Nothing is ever sent here: that there is something to read means that it ended."""
        asyncio.get_running_loop().remove_reader(self._line.fileno())
        self.should_exit = True


def main(argument: str) -> int:
    """Serve until told to end; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    orders = read_orders(argument)
    sys.setswitchinterval(SWITCH_SECONDS)
    project = project_of(orders)
    lines = RequestLog()
    logging.getLogger("workbench").addHandler(JsonLines(lines))
    logging.getLogger("workbench").setLevel(logging.INFO)
    with PredictionLog.open(project) as log:
        metrics = Metrics()
        engine = Engine(project, orders.models, metrics.timed(log), project.serve, metrics.batch)
        config = uvicorn_config(
            Application(project, engine, metrics=metrics, log=lines), project.serve, log_config=None, log_level="warning",
            timeout_graceful_shutdown=int(DRAIN_SECONDS),
        )  # fmt: skip
        worker = Worker(config, engine, socket.socket(fileno=orders.line))
        # uvicorn takes signals while it runs, and raises them again when it has ended.
        with contextlib.suppress(SystemExit):
            worker.run(sockets=[socket.socket(fileno=orders.listening)])
    return 0 if worker.started or worker.should_exit else 1


def project_of(orders: Orders) -> Project:
    """The project with what the command line changed."""
    project = read_project(Path(orders.root))
    changed = {**orders.serve}
    if "hosts" in changed:
        changed["hosts"] = tuple(changed["hosts"])
    return replace(project, serve=replace(project.serve, **changed))


def _end(number: int, frame: object) -> None:
    """A signal while nothing is served yet, or any more. Ctrl-C is the supervisor's to pass on."""
    if number == signal.SIGTERM:
        sys.exit(0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
