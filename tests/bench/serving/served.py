"""A throw-away project whose champion predicts late flights, and the servers that answer with it, one at a time.

Every server is a process group of its own on loopback, has one worker and one thread for OpenMP, and is ended and waited
for by its context manager. What it prints goes to a file beside the project.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

HERE = Path(__file__).parent
REPOSITORY = HERE.parents[2]
sys.path[1:1] = [str(REPOSITORY), str(HERE.parent)]

from tests.bench import scoring  # noqa: E402
from tests.registered import MODEL  # noqa: E402
from workbench.contracts.contract import read_contract  # noqa: E402
from workbench.ledger import Ledger  # noqa: E402
from workbench.registry import place  # noqa: E402
from workbench.settings import Project  # noqa: E402

START = 120.0
"""Seconds that a server may take to be ready."""

PINNED = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
BENTOML = "1.4.40"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "workbench-bench"
"""Environments of peers that do not fit into ours."""


@dataclass(frozen=True)
class Flights:
    """The project, its champion's version and the rows that it is asked for."""

    project: Project
    version: int
    features: pd.DataFrame
    """Rows that training did not see, in the order of the model's features."""


def flights_project(folder: Path, algorithm: str = "boosting") -> Flights:
    """A project in `folder` with one version of each algorithm, this one's the champion."""
    table = scoring.flights()
    project = scoring._project(folder, table)
    version = scoring.ALGORITHMS.index(algorithm) + 1
    promote(project, version)
    features = list(read_contract(scoring.CONTRACT).features)
    return Flights(project, version, table[features].sample(10_000, random_state=1, ignore_index=True))


def promote(project: Project, version: int) -> None:
    """Make a version champion; its verdict is that it may be."""
    with Ledger.open(project) as ledger:
        verdict: Any = {
            "passed": True,
            "outcome": "promotable",
            "content": {"thresholds": []},
            "champion_version": None,
        }
        ledger.record_verdict(MODEL, version, **verdict)
    words = [sys.executable, "-m", "workbench", "models", "promote", MODEL, str(version)]
    subprocess.run(words, cwd=project.root, check=True, stdout=subprocess.DEVNULL)


def cells(rows: pd.DataFrame) -> list[list[Any]]:
    """The rows as JSON has them, every bit of a number, null for what is missing."""
    return [
        [None if pd.isna(value) else value for value in row]
        for row in rows.astype(object).itertuples(index=False, name=None)
    ]


def split_body(rows: pd.DataFrame) -> bytes:
    """Rows as MLflow's protocol has them, which ours speaks too."""
    return json.dumps({"dataframe_split": {"columns": list(rows.columns), "data": cells(rows)}}).encode()


def record_body(rows: pd.DataFrame) -> bytes:
    """Rows as BentoML's service takes them."""
    records = [dict(zip(rows.columns, row, strict=True)) for row in cells(rows)]
    return json.dumps({"rows": records}).encode()


@contextmanager
def serving(project: Project, *options: str) -> Iterator[str]:
    """`workbench serve` as it is: prediction log on, durable. Yields its address."""
    port = free_port()
    command = [sys.executable, "-m", "workbench", "serve", MODEL, "--port", str(port), *options]
    here = {"WORKBENCH_ROOT": str(project.root)}  # whatever project was made last in this process
    with _running(command, project.root, port, "/v2/health/ready", here) as address:
        yield address


@contextmanager
def mlflow_serving(flights: Flights) -> Iterator[str]:
    """`mlflow models serve`, one worker, in our environment."""
    with Ledger.open(flights.project) as ledger:
        folder = place(flights.project, ledger, MODEL, flights.version).folder
    port = free_port()
    command = [
        sys.executable, "-m", "mlflow", "models", "serve", "--model-uri", str(folder), "--env-manager", "local",
        "--host", "127.0.0.1", "--port", str(port), "--workers", "1",
    ]  # fmt: skip
    # It starts uvicorn by name.
    ours = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    with _running(command, flights.project.root, port, "/ping", ours) as address:
        yield address


@contextmanager
def floor_serving(folder: Path) -> Iterator[str]:
    """Nothing but HTTP."""
    port = free_port()
    command = [
        sys.executable, "-m", "uvicorn", "floor:app", "--app-dir", str(HERE), "--host", "127.0.0.1",
        "--port", str(port), "--no-access-log", "--log-level", "warning",
    ]  # fmt: skip
    with _running(command, folder, port, "/") as address:
        yield address


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@contextmanager
def _running(
    command: Sequence[str], folder: Path, port: int, ready: str, environment: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Yields the address when `ready` answers 200. Raises RuntimeError, with what was printed, when it does not."""
    printed = folder / f"server-{port}.log"
    settings = {**os.environ, **PINNED, **(environment or {})}
    address = f"http://127.0.0.1:{port}"
    with printed.open("wb") as log:
        server = subprocess.Popen(
            command,
            cwd=folder,
            env=settings,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait(server, f"{address}{ready}", printed)
        yield address
    finally:
        _end(server)


def _wait(server: subprocess.Popen[bytes], address: str, printed: Path) -> None:
    deadline = time.monotonic() + START
    while server.poll() is None and time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(address, timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    state = "is not ready" if server.poll() is None else f"ended with {server.returncode}"
    raise RuntimeError(f"{' '.join(server.args)} {state}:\n{printed.read_text(errors='replace')[-3000:]}")  # type: ignore[arg-type]


def _end(server: subprocess.Popen[bytes]) -> None:
    """SIGTERM, and what does not go then is killed: the group that we started, by its number."""
    if server.poll() is None:
        server.terminate()
        with suppress(subprocess.TimeoutExpired):
            server.wait(20)
    with suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGKILL)
    server.wait()


def environment_of(name: str, *requirements: str) -> Path:
    """The Python of an environment with a peer and what the model needs, made once and kept in CACHE.

    Raises RuntimeError, with uv's reason, when it cannot be installed.
    """
    python = CACHE / name / "bin" / "python"
    if (CACHE / name / "whole").exists():
        return python
    uv = os.environ.get("UV") or shutil.which("uv") or str(REPOSITORY / ".uv" / "bin" / "uv")
    for words in (
        [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(CACHE / name)],
        [uv, "pip", "install", "--quiet", "--python", str(python), *requirements],
    ):
        try:
            subprocess.run(words, capture_output=True, text=True, check=True)
        except OSError as error:
            raise RuntimeError(f"'{name}' cannot be installed without uv: {error}") from error
        except subprocess.CalledProcessError as error:
            raise RuntimeError(f"'{name}' cannot be installed: {error.stderr.strip()[-500:]}") from error
    (CACHE / name / "whole").touch()
    return python


def bento_python() -> Path:
    """BentoML's environment: what it asks for, and the libraries that the model was made with."""
    from importlib.metadata import version

    pins = [f"{name}=={version(name)}" for name in ("scikit-learn", "pandas", "numpy", "scipy", "skops")]
    return environment_of("bentoml", f"bentoml=={BENTOML}", *pins)


@contextmanager
def bento_serving(flights: Flights) -> Iterator[str]:
    """`bentoml serve` with adaptive batching, one worker. Raises RuntimeError when it cannot be installed."""
    python = bento_python()
    with Ledger.open(flights.project) as ledger:
        folder = place(flights.project, ledger, MODEL, flights.version).folder
    assert folder is not None
    port = free_port()
    command = [
        str(python), "-m", "bentoml", "serve", "bento:Flights", "--working-dir", str(HERE / "peers"),
        "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    settings = {
        "MODEL_FILE": str(folder / "model.skops"), "BENTOML_DO_NOT_TRACK": "True",
        "BENTOML_HOME": str(flights.project.root / "bentoml"),
    }  # fmt: skip
    with _running(command, flights.project.root, port, "/readyz", settings) as address:
        yield address
