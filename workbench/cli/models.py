"""`workbench models`: versions, what was judged about them, and which one serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.commands import Lazy
from workbench.cli.options import json_option
from workbench.errors import BadInput, did_you_mean

if TYPE_CHECKING:
    from workbench.promotion import Promotions
    from workbench.registry import Version

_HOME = "models"


@contextmanager
def open_promotions() -> Iterator[tuple[Promotions, Any]]:
    """The project's promotions, and the MLflow that its versions are in."""
    from workbench.ledger import Ledger
    from workbench.mlflow_store import Aliases, connect
    from workbench.promotion import Promotions
    from workbench.settings import find_project

    project = find_project()
    if not project.mlflow_enabled:
        raise BadInput(f"models are kept in MLflow, which is off: set mlflow.enabled in '{project.file}'")
    with Ledger.open(project) as ledger:
        client = connect(project)
        yield Promotions(project, ledger, Aliases(project, client)), client


def checked(client: Any, model: str, version: int | None = None) -> list[Version]:
    """The model's versions, the newest first. Raises BadInput when the model, or that version, is unknown."""
    from workbench.registry import model_names, versions

    found = versions(client, model)
    if not found:
        known = model_names(client)
        hint = (
            did_you_mean(model, known)
            if known
            else "; a pipeline with a `model:` section registers what it delivers"
        )
        raise BadInput(f"no model '{model}'{hint}")
    if version is not None and version not in [each.version for each in found]:
        numbers = ", ".join(str(each.version) for each in found[:8])
        raise BadInput(f"'{model}' has no version {version}; known: {numbers}")
    return found


@click.command(
    cls=Lazy,
    default="list",
    modules={
        "list": f"{_HOME}:list_models",
        "show": f"{_HOME}:show",
        "compare": f"{_HOME}:compare",
        "promote": f"{_HOME}:promote",
        "reject": f"{_HOME}:reject",
        "rollback": f"{_HOME}:rollback",
        "history": f"{_HOME}:history",
        "retire": f"{_HOME}:retire",
        "canary": "trials:canary",
        "shadow": "trials:shadow",
    },
)
def command() -> None:
    """Judge model versions and decide which one serves.

    list (the default), show, compare; promote, reject, rollback, retire; canary, shadow; history.
    """


@click.command("list")
@click.argument("model", required=False)
@json_option
def list_models(model: str | None, as_json: bool) -> int:
    """List models and their versions, the newest first."""
    from workbench.cli.model_pages import print_versions, version_row
    from workbench.registry import model_names

    with open_promotions() as (promotions, client):
        names = [model] if model else model_names(client)
        rows = []
        for name in names:
            now = promotions.look(name)
            rows += [
                version_row(each, now, promotions.ledger.verdict(name, each.version))
                for each in checked(client, name)
            ]
    print_versions(rows, as_json)
    return 0


@click.command()
@click.argument("model")
@click.argument("version", type=int, required=False)
@json_option
def show(model: str, version: int | None, as_json: bool) -> int:
    """Show one version (default: the newest): its verdict first, then where it comes from."""
    from workbench.cli.model_pages import page_of, print_page
    from workbench.promotion import actor_here

    with open_promotions() as (promotions, client):
        found = checked(client, model, version)
        chosen = next(each for each in found if version in (None, each.version))
        now = promotions.look(model)
        page = page_of(promotions, chosen, now, actor_here(promotions.project))
    print_page(page, as_json)
    return 0


@click.command()
@click.argument("model")
@click.argument("first", type=int)
@click.argument("second", type=int)
@json_option
def compare(model: str, first: int, second: int, as_json: bool) -> int:
    """Show what differs between two versions: metrics, parameters, code, data, packages."""
    from workbench.cli.model_pages import print_differences
    from workbench.comparison import differences, facts_of
    from workbench.registry import locate

    with open_promotions() as (promotions, client):
        facts = []
        for version in (first, second):
            (chosen,) = (each for each in checked(client, model, version) if each.version == version)
            found = locate(promotions.project, promotions.ledger, model, version)
            facts.append(facts_of(found, chosen.tags))
    print_differences(model, (first, second), differences(*facts), as_json)
    return 0


def _replacing(option: Callable[..., Any]) -> Callable[..., Any]:
    return click.option(
        "--replacing", type=int, metavar="VERSION",
        help="The champion that you saw when you decided; refused when it is another one by now.",
    )(option)  # fmt: skip


@click.command()
@click.argument("model")
@click.argument("version", type=int)
@click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit trail.")
@click.option("--override", is_flag=True, help="Against the verdict: needs the role admin and a reason.")
@_replacing
def promote(model: str, version: int, reason: str, override: bool, replacing: int | None) -> int:
    """Make a version champion: the one that serves."""
    from workbench.promotion import actor_here

    with open_promotions() as (promotions, client):
        checked(client, model, version)
        expected = replacing if replacing is not None else promotions.look(model).champion
        actor = actor_here(promotions.project)
        promotions.promote(model, version, actor, expected=expected, reason=reason, override=override)
        mark = promotions.look(model).made_by
    was = "there was none" if expected is None else f"it was version {expected}"
    click.echo(f"version {version} of '{model}' is champion now; {was}")
    for objection in mark.overridden if mark else ():
        click.echo(f"  overridden by '{actor.name}': {objection}")
    if expected is not None:
        click.echo(f"  back: workbench models rollback {model} --reason TEXT")
    return 0


@click.command()
@click.argument("model")
@click.option("--to", type=int, metavar="VERSION", help="Another former champion than the last one.")
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the audit trail.")
@_replacing
def rollback(model: str, to: int | None, reason: str, replacing: int | None) -> int:
    """Make the champion before the current one champion again."""
    from workbench.promotion import actor_here

    with open_promotions() as (promotions, client):
        now = promotions.look(model)
        if not now.periods:  # otherwise it is known, and asking MLflow for its versions takes time
            checked(client, model)
        expected = replacing if replacing is not None else now.champion
        actor = actor_here(promotions.project)
        done = promotions.rollback(model, actor, reason=reason, expected=expected, to=to)
    was = "there was none" if expected is None else f"it was version {expected}"
    click.echo(f"version {done.version} of '{model}' is champion again; {was}")
    return 0


@click.command()
@click.argument("model")
@click.argument("version", type=int)
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the audit trail.")
def reject(model: str, version: int, reason: str) -> int:
    """Say no to a version: it can be promoted only with an override."""
    from workbench.promotion import actor_here

    with open_promotions() as (promotions, client):
        checked(client, model, version)
        promotions.reject(model, version, actor_here(promotions.project), reason=reason)
    click.echo(f"version {version} of '{model}' is rejected: {reason}")
    return 0


@click.command()
@click.argument("model")
@click.argument("version", type=int)
@click.option("--reason", required=True, metavar="TEXT", help="Why; kept in the audit trail.")
def retire(model: str, version: int, reason: str) -> int:
    """Take a version out of use for good; without a champion nothing serves."""
    from workbench.promotion import actor_here

    with open_promotions() as (promotions, client):
        checked(client, model, version)
        expected = promotions.look(model).champion
        promotions.retire(model, version, actor_here(promotions.project), reason=reason, expected=expected)
    click.echo(f"version {version} of '{model}' is retired: {reason}")
    if version == expected:
        click.echo(f"  '{model}' has no champion now; see: workbench models list {model}")
    return 0


@click.command()
@click.argument("model", required=False)
@click.option("--verify", is_flag=True, help="Check the chain of the whole audit trail.")
@click.option(
    "--at", metavar="TIME", help="What was champion then: a day, or a moment like 2026-03-03T14:30."
)
@json_option
def history(model: str | None, verify: bool, at: str | None, as_json: bool) -> int:
    """Show who moved the champion, when and why, the newest first."""
    from workbench import ledger_trail
    from workbench.cli.model_pages import moment, print_history, print_live, print_verified
    from workbench.promotion import trail_problems
    from workbench.registry import model_names
    from workbench.trail import live_during

    span = moment(at) if at else None
    with open_promotions() as (promotions, client):
        names = [model] if model else model_names(client)
        if model:
            checked(client, model)
        standings = [promotions.look(name) for name in names]
        if verify:
            problems = trail_problems(promotions.project, promotions.ledger)
            return print_verified(problems, len(ledger_trail.entries(promotions.ledger)), as_json)
        if span is None:
            print_history(ledger_trail.entries(promotions.ledger, model), standings, as_json)
        else:
            live = {each.model: live_during(each, *span) for each in standings}
            print_live(live, str(at), promotions.ledger, as_json)
    return 0
