"""`workbench keys`: who may call the server."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from workbench.cli.commands import Lazy
from workbench.cli.options import json_option
from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.serving.http.api_keys import Key

expires_option = click.option(
    "--expires", metavar="DURATION", help="After which the key is not valid any more, such as 90d."
)


@click.command(
    cls=Lazy,
    default="list",
    modules={"add": "keys:add", "list": "keys:list_keys", "rotate": "keys:rotate", "revoke": "keys:revoke"},
)
def command() -> None:
    """API keys of `workbench serve`: needed as soon as others can reach it. A running server follows within a second."""


@click.command()
@click.argument("name")
@click.option(
    "--role", type=click.Choice(["caller", "operator"]), default="caller", show_default=True,
    help="Callers ask models; operators also report outcomes and read metrics.",
)  # fmt: skip
@expires_option
@json_option
def add(name: str, role: str, expires: str | None, as_json: bool) -> int:
    """A key for NAME, a person or a service. It is printed once, and kept nowhere."""
    from workbench.serving.http.api_keys import add_key
    from workbench.settings import find_project

    _refuse_odd(name)
    key, token = add_key(find_project(), name, role, _end(expires))
    return _show_token(key, token, as_json)


@click.command()
@click.argument("name")
@click.option(
    "--overlap",
    default="1d",
    show_default=True,
    metavar="DURATION",
    help="For which the old key stays valid.",
)
@expires_option
@json_option
def rotate(name: str, overlap: str, expires: str | None, as_json: bool) -> int:
    """A new key for NAME; the one before it ends after the overlap."""
    from workbench.serving.http.api_keys import rotate_key
    from workbench.settings import find_project

    key, token = rotate_key(find_project(), name, _seconds(overlap), _end(expires))
    return _show_token(key, token, as_json)


@click.command()
@click.argument("name")
@json_option
def revoke(name: str, as_json: bool) -> int:
    """End the keys of NAME, or the one of that id, at once."""
    from workbench.cli.printing import counted, print_json
    from workbench.serving.http.api_keys import revoke_key
    from workbench.settings import find_project

    ended = revoke_key(find_project(), name)
    if as_json:
        print_json({"revoked": [key.id for key in ended]})
    else:
        click.echo(f"{counted(len(ended), 'key')} of '{ended[0].name}' revoked")
    return 0


@click.command("list")
@json_option
def list_keys(as_json: bool) -> int:
    """All keys: whose, what for, until when, when used last. The keys themselves are kept nowhere."""
    from workbench.cli.printing import print_json, print_table, when
    from workbench.serving.http.api_keys import keys_file, last_used, read_keys
    from workbench.settings import find_project

    project = find_project()
    keys = read_keys(keys_file(project))
    if as_json:
        print_json([{**_plain(key), "state": _state(key), "used": last_used(project, key)} for key in keys])
    elif not keys:
        click.echo("no API key; make one: workbench keys add NAME")
    else:
        print_table(
            ("state", "name", "role", "id", "made", "until", "used"),
            [
                (
                    _state(key), key.name, key.role, key.id, when(key.created), when(key.revoked or key.expires) or "always",
                    when(last_used(project, key)) or "never",
                )
                for key in keys
            ],
        )  # fmt: skip
    return 0


def _plain(key: Key) -> dict[str, Any]:
    return {name: value for name, value in vars(key).items() if name != "sha256"}


def _state(key: Key) -> str:
    import time

    if key.revoked is not None:
        return "revoked"
    return "valid" if key.valid(time.time()) else "expired"


def _show_token(key: Key, token: str, as_json: bool) -> int:
    from workbench.cli.printing import print_json, when

    if as_json:
        print_json({**_plain(key), "key": token})
        return 0
    until = f", valid until {when(key.expires)}" if key.expires else ""
    click.echo(token)
    click.echo(f"the key of '{key.name}' ({key.role}{until}); it is shown this once", err=True)
    click.echo("send it as: Authorization: Bearer KEY", err=True)
    return 0


def _end(expires: str | None) -> float | None:
    import time

    return None if expires is None else time.time() + _seconds(expires)


def _seconds(text: str) -> float:
    from workbench.setting_keys import parse_duration

    try:
        return parse_duration(text)
    except ValueError as error:
        raise BadInput(str(error)) from error


def _refuse_odd(name: str) -> None:
    import re

    if not re.fullmatch(r"[\w.@ -]{1,100}", name):
        raise BadInput(
            f"{name!r} is no name of a key; expected letters, digits, '.', '_', '-', '@' and spaces"
        )
