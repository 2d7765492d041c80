"""`workbench serve`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from workbench.errors import BadInput, did_you_mean

if TYPE_CHECKING:
    from workbench.settings import Project


@click.command()
@click.argument("models", nargs=-1, metavar="[MODEL]…")
@click.option("--host", metavar="ADDRESS", help="Where to listen (default: [serve] host, 127.0.0.1).")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="0: one that is free (default: [serve] port, 8000)."
)
@click.option(
    "--workers", type=click.IntRange(1, 64), help="Processes that answer (default: [serve] workers, 1)."
)
def command(models: tuple[str, ...], host: str | None, port: int | None, workers: int | None) -> int:
    """Have champions answer over HTTP: the MODELs named, or all that have one. Ctrl-C or SIGTERM ends it.

    A promotion, a rollback or a canary takes effect while it runs, within two seconds. What it answers is in the prediction
    log before it is given. Requests are logged to stderr, a line of JSON each.
    """
    from dataclasses import replace
    from importlib.util import find_spec

    from workbench.cli.printing import counted
    from workbench.serving.http.api_keys import refuse_open_door
    from workbench.serving.listening import changed, listen
    from workbench.serving.supervisor import Supervisor
    from workbench.settings import find_project

    project = find_project()
    if missing := [name for name in ("fastapi", "uvicorn", "httptools", "orjson") if find_spec(name) is None]:
        raise BadInput(f"{missing[0]} is not installed here; try: pip install 'notebook-workbench[serve]'")
    project = replace(project, serve=changed(project.serve, {"host": host, "port": port, "workers": workers}))
    refuse_open_door(project, project.serve)
    chosen = choose(project, models)
    with listen(project.serve) as bound:
        supervisor = Supervisor(project, chosen, bound, click.echo)
        click.echo(f"loading {', '.join(chosen)}; {counted(project.serve.workers, 'worker')}")
        return supervisor.run()


def choose(project: Project, named: tuple[str, ...]) -> tuple[str, ...]:
    """The models to serve. Raises BadInput for one that is unknown or has no champion, and when there is none at all."""
    from workbench import ledger_trail
    from workbench.ledger import Ledger
    from workbench.trail import standing

    with Ledger.open(project) as ledger:
        entries = ledger_trail.entries(ledger)
        delivered = {each.model: each.version for each in ledger.deliveries() if each.version}
    known = {entry.model for entry in entries} | delivered.keys()
    champions = {model for model in known if standing(model, entries).champion is not None}
    for model in named:
        if model not in known:
            raise BadInput(f"no model '{model}'{did_you_mean(model, known)}; see: workbench models list")
        if model not in champions:
            version = delivered.get(model, "VERSION")
            raise BadInput(
                f"'{model}' has no champion that could answer: workbench models promote {model} {version}"
            )
    if not named and not champions:
        raise BadInput("no model has a champion that could answer; see: workbench models list")
    return tuple(dict.fromkeys(named)) or tuple(sorted(champions))
