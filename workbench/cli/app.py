"""`workbench app`"""

from __future__ import annotations

import os
import sys

import click

from workbench.errors import BadInput


@click.command()
@click.option("--host", metavar="ADDRESS", help="Where to listen (default: [app] host, 127.0.0.1).")
@click.option(
    "--port", type=click.IntRange(1, 65535), help="Where to listen (default: [service] app_port, 8501)."
)
def command(host: str | None, port: int | None) -> int:
    """See everything and decide in the browser; Ctrl-C ends it.

    On this machine only and without login, as who you are here; on any other address, and behind a proxy, people have to
    sign in, or it does not start.
    """
    from importlib.util import find_spec

    from workbench.access import auth_section, door_of
    from workbench.service.parts import APP, app_command
    from workbench.settings import find_project

    project = find_project()
    if not (project.root / APP).is_file():
        raise BadInput(f"there is no app in this project ('{APP}')")
    if missing := [name for name in ("streamlit", "plotly") if find_spec(name) is None]:
        raise BadInput(f"{missing[0]} is not installed here; try: pip install 'notebook-workbench[app]'")
    door = door_of(project, host or project.app.host, auth_section(project))
    if door.kind == "oidc" and find_spec("authlib") is None:
        raise BadInput("authlib is not installed here; try: pip install 'notebook-workbench[app,auth]'")
    os.chdir(project.root)
    sys.stdout.flush()
    # Streamlit takes this process over, so that signals and the terminal are its own.
    os.execv(sys.executable, app_command(project, host, port))  # noqa: S606
