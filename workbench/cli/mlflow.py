"""`workbench mlflow`"""

from __future__ import annotations

import click


@click.command()
@click.option(
    "--port", type=click.IntRange(1, 65535), default=5000, show_default=True, help="Where to listen."
)
def command(port: int) -> int:
    """Show the project's runs in MLflow's own interface, on this machine only; Ctrl-C ends it."""
    from workbench.settings import find_project
    from workbench.tracking import mlflow_ui

    project = find_project()
    click.echo(f"http://127.0.0.1:{port}", err=True)
    return mlflow_ui(project, port)
