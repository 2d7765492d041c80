"""The project: a folder with a `workbench.toml`, and everything that is configured there.

Read once, at the edge (CLI, app, notebook), and passed on as a frozen value. Every location defaults to a
place inside the project, so that the folder can be moved as a whole.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from workbench.errors import Problem, ProjectError, SpecError, did_you_mean
from workbench.setting_keys import (
    DEFAULTS,
    GROUP,
    ROLES,
    AppSettings,
    CanaryLimits,
    Predictions,
    ServiceSettings,
    Serving,
    made,
    parse_duration,
    parse_size,
    problem_of,
)

FILE_NAME = "workbench.toml"
ROOT_VARIABLE = "WORKBENCH_ROOT"
STATE_VARIABLE = "WORKBENCH_STATE"
"""Names another state folder of the same project, relative to its root: `workbench replay` lives in such ones."""
STATE = ".workbench"

_ARTIFACTS = "workbench:/artifacts"


@dataclass(frozen=True)
class Project:
    """One project's places and settings. Paths are absolute; URLs are SQLAlchemy's and MLflow's."""

    root: Path
    name: str
    workers: int
    output_budget: int
    kernel_start_timeout: float
    ledger_url: str
    mlflow_enabled: bool
    mlflow_uri: str
    artifacts_uri: str
    keep_runs: int
    keep_days: int
    file: Path = field(repr=False)
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """People by role. Empty: nobody was named, so whoever works here may do everything."""
    policies: Mapping[str, str] = field(default_factory=dict)
    """Promotion policy by model; the default is under ''."""
    scheduler: str = ""
    """Address of the Dask scheduler that `--executor dask` uses; empty: processes on this machine."""
    serve: Serving = field(default_factory=Serving)
    canary: CanaryLimits = field(default_factory=CanaryLimits)
    predictions: Predictions = field(default_factory=Predictions)
    service: ServiceSettings = field(default_factory=ServiceSettings)
    app: AppSettings = field(default_factory=AppSettings)
    notify: tuple[str, ...] = field(default=(), repr=False)
    """URLs of apprise that alerts are told to, in which `${NAME}` stands for an environment variable. They hold secrets."""
    state_folder: str = STATE
    """Relative to the root: see `beside`."""

    @property
    def state(self) -> Path:
        """The hidden folder with everything the project has done."""
        return self.root / self.state_folder

    @property
    def store(self) -> Path:
        """Content-addressed outputs and their manifests."""
        return self.state / "store"

    @property
    def cells(self) -> Path:
        """What is known of the code of notebooks."""
        return self.store / "cells.json"

    @property
    def request_logs(self) -> Path:
        """What the runs that the service started say, a file a request."""
        return self.state / "service" / "requests"

    @property
    def running(self) -> Path:
        """One folder for each run that has work left: its lock and its scratch."""
        return self.state / "run"

    def delivered(self, model: str, digest: str) -> Path:
        """The marker that says this content is registered as a version: JSON with `version`, `run` and
        `evidence` (the digest of what it was judged by)."""
        return self.store / "delivered" / model / f"{digest}.json"

    def policy(self, model: str) -> str:
        """One of POLICIES: how versions of that model are promoted."""
        return self.policies.get(model) or self.policies.get("") or str(DEFAULTS["models"]["policy"])

    def roles_of(self, person: str, groups: Iterable[str] = ()) -> frozenset[str]:
        """The person's roles, lower ones included; all of them where no roles are set.

        A person may be named by any of their groups, as `group:reviewers`; addresses are the same in capitals.
        """
        if not self.roles:
            return frozenset(ROLES)
        known = {f"{GROUP}{group}" for group in groups}
        if not person.startswith(GROUP):  # who calls themselves so is in no group for that
            known.add(person.casefold() if "@" in person else person)
        highest = max(
            (
                ROLES.index(role)
                for role, people in self.roles.items()
                if known
                & {name.casefold() if "@" in name and not name.startswith(GROUP) else name for name in people}
            ),
            default=-1,
        )
        return frozenset(ROLES[: highest + 1])

    @property
    def notebooks(self) -> Path:
        return self.root / "notebooks"

    @property
    def reports(self) -> Path:
        return self.root / "reports" if self.state_folder == STATE else self.state / "reports"

    def beside(self, folder: str) -> Project:
        """The same project in another state: all that it does is kept in `folder`, relative to the root.

        Databases and artifacts that `workbench.toml` names stay out of it. Raises ProjectError for a folder that is not
        inside of the project.
        """
        path = PurePosixPath(folder)
        if not path.parts or path.is_absolute() or ".." in path.parts:
            raise ProjectError(
                f"{STATE_VARIABLE} is '{folder}'; expected a folder inside of the project, relative to its root"
            )
        state = self.root / path
        return replace(
            self,
            state_folder=path.as_posix(),
            ledger_url=_database(state, "ledger"),
            mlflow_uri=_database(state, "mlflow"),
            artifacts_uri=_ARTIFACTS,
        )


def find_project(start: Path | None = None) -> Project:
    """The project that contains `start` (default: `$WORKBENCH_ROOT`, else the working directory).

    Raises ProjectError when there is none, SpecError when its `workbench.toml` is wrong.
    """
    if start is None and (configured := os.environ.get(ROOT_VARIABLE)):
        start = Path(configured)
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / FILE_NAME).is_file():
            return read_project(folder)
    raise ProjectError(
        f"no {FILE_NAME} in '{here}' or above it; a project is a folder with that file "
        '(at least: [project] name = "my-project")'
    )


def read_project(root: Path) -> Project:
    """Read `root/workbench.toml`. Raises SpecError with every problem in it.

    `$WORKBENCH_STATE` puts the project into another state, see `Project.beside`; raises ProjectError when it cannot.
    """
    root = root.resolve()
    file = root / FILE_NAME
    text, tables = _read(file)
    values, problems = _values(file, text, tables)
    if not problems and not values["project"]["name"]:
        problems.append(Problem("missing; every project has a name", file, key="project.name"))
    if problems:
        raise SpecError(problems)
    state = root / STATE
    project = Project(
        root=root,
        name=values["project"]["name"],
        workers=values["run"]["workers"] or os.cpu_count() or 1,
        output_budget=parse_size(values["run"]["output_budget"]),
        kernel_start_timeout=parse_duration(values["run"]["kernel_start_timeout"]),
        ledger_url=values["ledger"]["url"] or _database(state, "ledger"),
        mlflow_enabled=values["mlflow"]["enabled"],
        mlflow_uri=values["mlflow"]["tracking_uri"] or _database(state, "mlflow"),
        artifacts_uri=values["mlflow"]["artifacts"] or _ARTIFACTS,
        keep_runs=values["gc"]["keep_runs"],
        keep_days=values["gc"]["keep_days"],
        file=file,
        roles={role: tuple(people) for role, people in values["roles"].items()} if "roles" in tables else {},
        policies=_policies(values["models"]),
        scheduler=values["executor"]["scheduler"],
        serve=Serving(**made(values["serve"])),
        canary=CanaryLimits(**values["canary"]),
        predictions=Predictions(**made(values["predictions"])),
        service=ServiceSettings(**made(values["service"])),
        app=AppSettings(**made(values["app"])),
        notify=tuple(values["notify"]["urls"]),
    )
    elsewhere = os.environ.get(STATE_VARIABLE, STATE)
    return project if elsewhere == STATE else project.beside(elsewhere)


def _read(file: Path) -> tuple[str, dict[str, Any]]:
    """The text, and what TOML makes of it."""
    try:
        text = file.read_text(encoding="utf-8")
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"\(at line (\d+)", str(error))
        at = int(place.group(1)) if place else None
        raise SpecError([Problem(f"not valid TOML: {error}", file, at)]) from error
    except UnicodeDecodeError as error:
        raise SpecError([Problem(f"is not UTF-8 text (byte {error.start})", file)]) from error
    except RecursionError:
        raise SpecError([Problem("is nested too deep", file)]) from None
    except OSError as error:
        raise ProjectError(f"cannot read '{file}': {error.strerror}") from error


def _values(
    file: Path, text: str, tables: Mapping[str, Any]
) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    """Every section with its values, and what is wrong with them."""
    problems: list[Problem] = []
    values = {section: dict(keys) for section, keys in DEFAULTS.items()}
    for section, table in tables.items():
        if section not in DEFAULTS:
            message = f"unknown section '{section}'{did_you_mean(section, DEFAULTS)}"
            problems.append(Problem(message, file, _line(text, section)))
        elif not isinstance(table, dict):
            message = f"{table!r} is not a section; expected [{section}] and keys below it"
            problems.append(Problem(message, file, _line(text, section), section))
        else:
            for key, value in table.items():
                if section == "models" and isinstance(value, dict):
                    problems += _model_problems(key, value, file, text)
                elif problem := problem_of(section, key, value):
                    line = _line(text, section, key)
                    problems.append(Problem(problem, file, line, f"{section}.{key}"))
                values[section][key] = value
    return values, problems


def _database(state: Path, name: str) -> str:
    return f"sqlite:///{state / name}.db"


def os_user() -> str:
    """Who works here, as the system knows it: not from `$USER`, which anybody can set."""
    try:
        import pwd
    except ImportError:  # Windows
        import getpass

        return getpass.getuser()
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a container with a number and no name
        return f"uid-{os.geteuid()}"


def _policies(models: Mapping[str, Any]) -> dict[str, str]:
    """The policy of each model with a table of its own, and the default under ''."""
    own = {name: table for name, table in models.items() if isinstance(table, dict)}
    default = models["policy"]
    return {
        "": default if isinstance(default, str) else str(DEFAULTS["models"]["policy"]),  # [models.policy]
        **{name: table["policy"] for name, table in own.items() if "policy" in table},
    }


def _model_problems(model: str, table: Mapping[str, Any], file: Path, text: str) -> list[Problem]:
    """What is wrong with one `[models.NAME]`."""
    problems = []
    for key, value in table.items():
        if problem := problem_of("models", key, value):
            line = _line(text, f"models.{model}", key)
            problems.append(Problem(problem, file, line, f"models.{model}.{key}"))
    return problems


def _line(text: str, section: str, key: str | None = None) -> int | None:
    """Where a section, or a key in it, starts, for messages; tomllib keeps no positions."""
    word = r"\s*[\"']?{}[\"']?\s*"
    dotted = r"\s*\.\s*".join(rf"[\"']?{re.escape(part)}[\"']?" for part in section.split(".", 1))
    header = re.compile(rf"\s*\[\s*{dotted}\s*\]")
    wanted = re.compile(word.format(re.escape(key or section)) + "=")
    inside = key is None
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("["):
            inside = bool(header.match(line))
            if inside and key is None:
                return number
        elif inside and wanted.match(line):
            return number
    return None
