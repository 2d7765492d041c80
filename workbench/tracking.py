"""Sending runs to MLflow beside the steps, from a process of its own: importing mlflow takes seconds.

`python -m workbench.tracking ROOT PARENT NICENESS` reads lines on its standard input, each of which says that the ledger has
something new, and writes what it did as JSON lines on its standard output. It ends after a last sync when
the input ends, which also happens when the process that started it dies; the line LEAVE says that this process
is going to end, in good order, and does not wait for the last sync.
"""

from __future__ import annotations

import gc
import json
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from workbench import spool
from workbench.errors import LedgerError, TrackingError
from workbench.mlflow_store import PREFIX, environment
from workbench.settings import Project, read_project
from workbench.tracker import LEAVE

if TYPE_CHECKING:
    from workbench.ledger import Ledger

LAST_SYNC_SECONDS = 120.0
"""How long the last sync may take while the run waits for it (it prints as it goes, and may be killed)."""

ORPHAN_SECONDS = 30.0
"""The same when the run is gone without a word; what is left is sent by the next run."""

NOT_NEEDED = ("numpy", "pandas")
"""MLflow works without them (mlflow-skinny comes without) and nothing here needs them: a third of its start."""


def kernel_environment(project: Project, mlflow_run: str | None) -> dict[str, str]:
    """Variables with which a notebook's plain `mlflow.log_*` calls land in its step's run.

    Without an MLflow run (MLflow is off, or down) they land in a database aside: a notebook that logs must
    not fail because nobody is listening.
    """
    variables = environment(project)
    if mlflow_run is not None:
        # No experiment: MLflow takes the run's own, and refuses when another one is named.
        return {**variables, "MLFLOW_RUN_ID": mlflow_run}
    aside = project.state / "unrecorded"
    aside.mkdir(parents=True, exist_ok=True)
    return {**variables, "MLFLOW_TRACKING_URI": f"{PREFIX}{aside / 'mlflow.db'}"}


def mlflow_ui(project: Project, port: int = 5000) -> int:
    """Run MLflow's own interface on loopback until Ctrl-C; its exit code. Raises TrackingError."""
    import subprocess

    from workbench.mlflow_store import connect

    connect(project)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--workers", "1", "--backend-store-uri", project.mlflow_uri, "--no-serve-artifacts"]
    command += ["--default-artifact-root", project.artifacts_uri]
    # One worker and no job runners: 0.5 GB instead of 2.
    settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
    process = subprocess.Popen(
        command, cwd=project.root, env={**os.environ, **environment(project), **settings}
    )
    while True:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()  # the server has had the signal too; this ends it also when it had not


def main(root: Path, parent: int) -> int:
    """The tracking process; see the module. Returns an exit code: 1 when MLflow could not be reached."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C stops the run, which then ends this one orderly
    out = _take_stdout()
    pokes: queue.SimpleQueue[bool] = queue.SimpleQueue()
    ended, left = threading.Event(), threading.Event()
    threading.Thread(target=_listen, args=(pokes, ended, left), daemon=True).start()
    threading.Thread(target=_end_in_time, args=(pokes, ended, left, parent), daemon=True).start()
    project = read_project(root)
    from workbench.ledger import Ledger

    def say(message: Mapping[str, Any]) -> None:
        try:
            out.write(json.dumps(message) + "\n")
            out.flush()
        except OSError:
            pass  # nobody reads any more; the ledger has it too

    trouble = ""
    more = True
    tried: set[tuple[str, str, str]] = set()
    with Ledger.open(project) as ledger:
        while more:
            trouble = _sync_once(project, ledger, say, trouble)
            _judge(project, ledger, say, tried)
            gc.enable()
            more = _wait(pokes)
            if not more:
                ledger.reconcile()
                trouble = _sync_once(project, ledger, say, trouble)
                _judge(project, ledger, say, tried)
        if left.is_set() and ledger.settled():
            spool.settle(project)  # the run did not wait to do it
    return 1 if trouble else 0


def _start_light(niceness: int) -> None:
    """What imports cost, and steps pay for: others go first, and no search for garbage while there is none."""
    if hasattr(os, "nice"):
        os.nice(niceness)
    sys.modules.update(dict.fromkeys(NOT_NEEDED))  # type: ignore[arg-type]  # None: importing it fails
    gc.disable()


def _sync_once(project: Project, ledger: Ledger, say: Any, trouble: str) -> str:
    """One sync; tells of trouble when it is new. Returns the trouble, or ''."""
    from workbench.mlflow_sync import sync

    try:
        sync(project, ledger, say)
    except (TrackingError, LedgerError) as error:
        if str(error) != trouble:
            say({"notice": str(error), "down": True})
        return str(error)
    return ""


def _judge(project: Project, ledger: Ledger, say: Any, tried: set[tuple[str, str, str]]) -> None:
    """Have new versions judged, in a process of its own, once each; what it says is passed on."""
    import subprocess

    try:
        waiting = {(each.model, each.digest, each.run) for each in ledger.unjudged()}
    except LedgerError:
        return  # the sync before it has said so
    if waiting <= tried:
        return
    tried |= waiting
    command = [sys.executable, "-m", "workbench.judging", str(project.root)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    for line in done.stdout.splitlines():
        say(json.loads(line))
    if done.returncode:
        say({"warning": f"a new version is not judged: see {project.state / 'tracking.log'}"})


def _wait(pokes: queue.SimpleQueue[bool]) -> bool:
    """Wait for a poke and take all that are there; False when the input has ended."""
    more = pokes.get()
    while more:
        try:
            more = pokes.get_nowait()
        except queue.Empty:
            break
    return more


def _listen(pokes: queue.SimpleQueue[bool], ended: threading.Event, left: threading.Event) -> None:
    for line in sys.stdin:
        if line.strip() == LEAVE:
            left.set()
        pokes.put(True)
    pokes.put(False)
    ended.set()


def _end_in_time(
    pokes: queue.SimpleQueue[bool], ended: threading.Event, left: threading.Event, parent: int
) -> None:
    """See to it that this process ends after its input or its parent has, whatever MLflow does."""
    deadline = float("inf")
    orphaned = False
    while time.monotonic() < deadline:
        if ended.is_set():
            deadline = min(deadline, time.monotonic() + LAST_SYNC_SECONDS)
        if not orphaned and os.getppid() != parent:
            # The input may stay open for ever where a process that the run started has inherited it.
            orphaned = True
            deadline = min(
                deadline, time.monotonic() + (LAST_SYNC_SECONDS if left.is_set() else ORPHAN_SECONDS)
            )
            pokes.put(False)
        time.sleep(0.5)
    os._exit(3)


def _take_stdout() -> TextIO:
    """The real standard output, for us alone: what libraries print goes to the log."""
    ours = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return ours


if __name__ == "__main__":
    _start_light(int(sys.argv[3]))
    code = main(Path(sys.argv[1]), int(sys.argv[2]))
    sys.stderr.flush()
    os._exit(code)  # all is written; taking mlflow's modules down would take another half second
