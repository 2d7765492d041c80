"""`workbench lab`"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.errors import BadInput, did_you_mean

if TYPE_CHECKING:
    from workbench.settings import Project

START_PAGE = "explore.ipynb"
"""The notebook that opens when none is named and the project has it."""

_NOTIFICATIONS = """\
{
    // JupyterLab would ask at its first start whether to fetch news, and look for newer versions.
    "fetchNews": "false",
    "checkForUpdates": false
}
"""


_PROGRAM = """
from jupyterlab.labapp import main
from workbench.leaving import leave
main()
leave(0, wait=False)  # now and then a thread of AnyIO's is left, which never ends
"""


@click.command()
@click.argument("notebook", required=False)
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Where to listen (default: the first free from 8888)."
)
@click.option("--no-browser", is_flag=True, help="Print the address, open nothing.")
@click.option(
    "--cold", is_flag=True, help="Start a fresh interpreter for each kernel of 'Python 3 (ipykernel)'."
)
def command(notebook: str | None, port: int | None, no_browser: bool, cold: bool) -> int:
    """JupyterLab with warm kernels, on this machine only, in the project; Ctrl-C ends it.

    Opens NOTEBOOK, or notebooks/explore.ipynb where there is one. What Jupyter writes for itself (settings,
    history, sockets) goes to .workbench/jupyter/, unless JUPYTER_CONFIG_DIR and its like say otherwise.
    """
    from importlib.util import find_spec

    from workbench.settings import find_project

    project = find_project()
    if find_spec("jupyterlab") is None:
        raise BadInput("JupyterLab is not installed here; try: pip install 'notebook-workbench[lab]'")
    arguments = lab_arguments(project, to_open(project, notebook), port=port, browser=not no_browser)
    environment = lab_environment(project, os.environ, cold=cold)
    _without_questions(project, environment)
    os.chdir(project.root)
    sys.stdout.flush()
    # Jupyter takes this process over, so that signals and the terminal are its own. -P: a file of the project
    # that is called like a module of Jupyter's must not be imported in its place.
    os.execve(sys.executable, [sys.executable, "-P", "-c", _PROGRAM, *arguments], environment)  # noqa: S606


def to_open(project: Project, notebook: str | None) -> str | None:
    """The notebook's path below the project's root, as a URL has it; `notebook` is relative to the working
    directory or to `notebooks/`. Raises BadInput.
    """
    from urllib.parse import quote

    if notebook is None:
        page = project.notebooks / START_PAGE
        return quote(page.relative_to(project.root).as_posix()) if page.is_file() else None
    for folder in (Path.cwd(), project.notebooks):
        for name in (notebook, f"{notebook}.ipynb"):
            path = (folder / name).resolve()
            if path.is_file() and path.is_relative_to(project.root):
                return quote(path.relative_to(project.root).as_posix())
    known = [path.name for path in project.notebooks.glob("*.ipynb")]
    raise BadInput(f"no notebook '{notebook}' in the project '{project.root}'{did_you_mean(notebook, known)}")


def lab_arguments(project: Project, page: str | None, *, port: int | None, browser: bool) -> list[str]:
    """JupyterLab's command line: loopback and the project's folder, whatever its configuration says."""
    arguments = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.root_dir={project.root}",
        # Searching for language servers runs npm, which writes to the home folder; the lock file has none.
        "--LanguageServerManager.autodetect=False",
    ]
    if page is not None:
        arguments.append(f"--LabApp.default_url=/lab/tree/{page}")
    if port is not None:
        arguments += [f"--ServerApp.port={port}", "--ServerApp.port_retries=0"]
    if not browser:
        arguments.append("--no-browser")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        arguments.append("--allow-root")
    return arguments


def lab_environment(project: Project, given: Mapping[str, str], *, cold: bool) -> dict[str, str]:
    """The server's and its kernels' environment: Jupyter's folders in the project, kernels through our host."""
    folder = project.state / "jupyter"
    ours = {
        "JUPYTER_CONFIG_DIR": str(folder / "config"),
        "JUPYTER_DATA_DIR": str(folder / "data"),
        "JUPYTER_RUNTIME_DIR": str(folder / "runtime"),
        "IPYTHONDIR": str(folder / "ipython"),
    }
    if not cold:
        # Kernelspecs that name no provisioner, such as `python3`, which is what committed notebooks name.
        ours["JUPYTER_DEFAULT_PROVISIONER_NAME"] = "workbench-provisioner"
    return {**ours, **given}


def _without_questions(project: Project, environment: Mapping[str, str]) -> None:
    """Answer what JupyterLab asks at its first start here; what a user has chosen since then stays."""
    settings = Path(environment["JUPYTER_CONFIG_DIR"], "lab", "user-settings")
    file = settings / "@jupyterlab" / "apputils-extension" / "notification.jupyterlab-settings"
    if file.is_relative_to(project.state) and not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(_NOTIFICATIONS, encoding="utf-8")
