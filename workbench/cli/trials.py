"""`workbench models canary` and `shadow`: a version tried beside the champion, on the requests of whoever serves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.promotion_policy import Actor
    from workbench.trials import Part, Trials

Command = Callable[..., Any]


@contextmanager
def _open() -> Iterator[tuple[Trials, Actor]]:
    from workbench.ledger import Ledger
    from workbench.promotion import actor_here
    from workbench.settings import find_project
    from workbench.trials import Trials

    project = find_project()
    with Ledger.open(project) as ledger:
        yield Trials(project, ledger), actor_here(project)


def _asked(part: Part) -> Callable[[Command], Command]:
    """MODEL, VERSION, --off and --reason."""

    def decorate(command: Command) -> Command:
        for option in reversed(
            (
                click.argument("model"),
                click.argument("version", type=int, required=False),
                click.option("--off", is_flag=True, help=f"No {part} any more."),
                click.option("--reason", default="", metavar="TEXT", help="Why; kept in the audit trail."),
            )
        ):
            command = option(command)
        return command

    return decorate


@click.command()
@_asked("canary")
@click.option(
    "--share", metavar="SHARE", default="10%", show_default=True, help="Of the requests, such as 5%."
)
def canary(model: str, version: int | None, off: bool, reason: str, share: str) -> int:
    """Have VERSION answer a share of MODEL's requests; who asks again gets the same side.

    It must have passed its gates. A server takes it back by itself when it fails, gives no probability, refuses what the
    champion takes, or is much slower; `workbench models history` says so.
    """
    from workbench.trials import share_of

    try:
        part = share_of(share)
    except ValueError as error:
        raise BadInput(f"--share: {error}") from None
    if not _ended(model, version, "canary", off=off, reason=reason):
        with _open() as (trials, actor):
            trials.begin(model, int(version or 0), actor, "canary", share=part, reason=reason)
        click.echo(f"version {version} of '{model}' answers {part * 100:g}% of the requests as canary")
        click.echo(f"  end it: workbench models canary {model} --off")
    return 0


@click.command()
@_asked("shadow")
def shadow(model: str, version: int | None, off: bool, reason: str) -> int:
    """Have VERSION be asked what MODEL is asked; its answers are in the prediction log, and nobody gets them."""
    if not _ended(model, version, "shadow", off=off, reason=reason):
        with _open() as (trials, actor):
            trials.begin(model, int(version or 0), actor, "shadow", reason=reason)
        click.echo(f"version {version} of '{model}' is asked what the champion is asked, as shadow")
        click.echo(f"  end it: workbench models shadow {model} --off")
    return 0


def _ended(model: str, version: int | None, part: Part, *, off: bool, reason: str) -> bool:
    """With --off: end it and say so. Raises BadInput when neither or both of VERSION and --off are given."""
    if off == (version is not None):
        raise BadInput(f"name a version, or --off: workbench models {part} {model} VERSION")
    if off:
        with _open() as (trials, actor):
            ended = trials.end(model, actor, part, reason=reason)
        click.echo(f"version {ended} of '{model}' is no {part} any more")
    return off
