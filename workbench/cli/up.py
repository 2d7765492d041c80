"""`workbench up`"""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.settings import Project


@click.command()
@click.option(
    "--server/--no-server", default=None, help="Champions answer over HTTP (default: [service] server)."
)
@click.option("--app/--no-app", default=None, help="The app in the browser (default: [service] app).")
@click.option("--mlflow/--no-mlflow", default=None, help="MLflow's interface (default: [service] mlflow).")
@click.option("--plain", is_flag=True, help="Lines instead of the status board.")
def command(server: bool | None, app: bool | None, mlflow: bool | None, plain: bool) -> int:
    """Run what makes the loop close: triggers and the queue of runs, the server, the app, MLflow's interface.

    One service a project. What ends is started again; Ctrl-C or SIGTERM ends all of it, and runs that it interrupts go on
    when it starts again. Logs are in .workbench/service/.
    """
    from dataclasses import replace

    from workbench.cli.board import board
    from workbench.cli.printing import counted
    from workbench.locks import locked
    from workbench.service.parts import parts, refuse_bad_configuration
    from workbench.service.supervisor import Supervisor
    from workbench.settings import find_project

    project = find_project()
    chosen = {"server": server, "app": app, "mlflow": mlflow}
    given = {name: wanted for name, wanted in chosen.items() if wanted is not None}
    project = replace(project, service=replace(project.service, **given))
    wanted = parts(project)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(project.state / "service" / "lock", 0.0))
        except TimeoutError:
            raise BadInput(f"the service of this project is up already{_process(project)}") from None
        pipelines = refuse_bad_configuration(project, wanted)
        (project.state / "service" / "pid").write_text(f"{os.getpid()}\n")
        triggers = sum(len(each.triggers) for each in pipelines)
        click.echo(
            f"{counted(len(pipelines), 'pipeline')}, {counted(triggers, 'trigger')}; {', '.join(p.name for p in wanted)}"
        )
        if plain or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
            return Supervisor(project, wanted, click.echo).run()
        shown = stack.enter_context(board(project))
        return Supervisor(project, wanted, shown.say, shown.draw).run()


def _process(project: Project) -> str:
    try:
        return f" (process {int((project.state / 'service' / 'pid').read_text())}); end that one first"
    except (OSError, ValueError):
        return ""
