"""The parts of the service: their commands, what they need, and what is wrong before any of them starts."""

from __future__ import annotations

import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from workbench.access import auth_section, door_of
from workbench.automation import read_pipelines
from workbench.champions import champion_markers
from workbench.errors import BadInput, Problem, SpecError
from workbench.pipeline import Pipeline
from workbench.serving.http.api_keys import refuse_open_door
from workbench.serving.listening import listen
from workbench.settings import Project

PACKAGES = {
    "server": ("serve", "fastapi", "uvicorn", "httptools", "orjson"),
    "app": ("app", "streamlit", "plotly"),
}
"""By part: the extra of ours that brings them, and what must be there."""

APP = Path("app", "server.py")


@dataclass(frozen=True)
class Part:
    """One process of the service."""

    name: str
    command: tuple[str, ...]
    url: str = ""
    guarded: bool = False
    """Whether it starts processes of its own that would outlive it."""
    serves: Callable[[], frozenset[str]] | None = None
    """What it has to serve: it waits while that is nothing, and is started anew when something is added to it."""
    log: Path = Path()


def parts(project: Project) -> list[Part]:
    """Those that are switched on in `[service]`, the scheduler first."""
    service, python = project.service, (sys.executable, "-P", "-m")
    host = f"[{project.serve.host}]" if ":" in project.serve.host else project.serve.host
    command: tuple[str, ...]
    found = [Part("scheduler", (*python, "workbench.service.scheduler", str(project.root)))]
    if service.server:
        serve = ("workbench", "serve", "--host", project.serve.host, "--port", str(project.serve.port))
        command = (*python, *serve, "--workers", str(project.serve.workers))
        found.append(
            Part("server", command, f"http://{host}:{project.serve.port}", serves=lambda: served(project))
        )
    if service.app:
        shown = f"[{project.app.host}]" if ":" in project.app.host else project.app.host
        found.append(Part("app", app_command(project), f"http://{shown}:{service.app_port}", guarded=True))
    if service.mlflow:
        port = str(service.mlflow_port)
        command = (*python, "workbench", "mlflow", "--port", port)
        found.append(Part("mlflow", command, f"http://127.0.0.1:{port}", guarded=True))
    folder = project.state / "service"
    return [replace(part, log=folder / f"{part.name}.log") for part in found]


def app_command(project: Project, host: str | None = None, port: int | None = None) -> tuple[str, ...]:
    """What starts the app; where it listens is the settings' unless it is said."""
    where = (host or project.app.host, str(port or project.service.app_port))
    return sys.executable, str(project.root / APP), *where


def served(project: Project) -> frozenset[str]:
    """Models with a champion."""
    return frozenset(each.model for each in champion_markers(project))


def refuse_bad_configuration(project: Project, chosen: list[Part]) -> list[Pipeline]:
    """Everything that would keep a part from working, at once; the pipelines. Raises SpecError or BadInput."""
    pipelines, problems = read_pipelines(project, startable=True)
    problems += [
        Problem(message, project.file, key=f"service.{part.name}")
        for part in chosen
        for message in _missing(project, part)
    ]
    problems += _ports(project, chosen)
    if problems:
        raise SpecError(problems)
    if any(part.name == "server" for part in chosen):
        refuse_open_door(project, project.serve)
    if any(part.name == "app" for part in chosen):
        door_of(project, project.app.host, auth_section(project))
    return pipelines


def _missing(project: Project, part: Part) -> Iterator[str]:
    extra, *packages = PACKAGES.get(part.name, ("",))
    if missing := [name for name in packages if find_spec(name) is None]:
        yield f"{missing[0]} is not installed: pip install 'notebook-workbench[{extra}]', or leave it out: --no-{part.name}"
    if part.name == "app" and not (project.root / APP).is_file():
        yield f"there is no app in this project ('{APP}'); leave it out: --no-app"
    if part.name == "mlflow" and not project.mlflow_enabled:
        yield "MLflow is switched off ([mlflow] enabled = false); leave it out: --no-mlflow"


def _ports(project: Project, chosen: list[Part]) -> list[Problem]:
    """Ports that are taken, by others or by two of the parts."""
    places = {
        "server": (project.serve.host, project.serve.port, "serve.port"),
        "app": (project.app.host, project.service.app_port, "service.app_port"),
        "mlflow": ("127.0.0.1", project.service.mlflow_port, "service.mlflow_port"),
    }
    problems, seen = [], dict[int, str]()
    for part in chosen:
        if part.name not in places:
            continue
        host, port, key = places[part.name]
        if port and port in seen:
            problems.append(Problem(f"{port} is the port of {seen[port]} as well", project.file, key=key))
        elif why := _taken(project, part.name, host, port):
            problems.append(
                Problem(
                    f"{why}; choose another one, or leave it out: --no-{part.name}", project.file, key=key
                )
            )
        seen[port] = part.name
    return problems


def _taken(project: Project, name: str, host: str, port: int) -> str | None:
    if name == "server":
        try:
            listen(project.serve).close()
        except BadInput as error:
            return str(error).partition(";")[0]
        return None
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            return f"cannot listen on {host}:{port}: {error.strerror}"
    return None
