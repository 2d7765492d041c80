"""The commands by name; the module of a command is imported when it is called."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from workbench.errors import did_you_mean

_MODULES = {
    "run": "run",
    "plan": "plan",
    "check": "check",
    "runs": "runs",
    "models": "models",
    "score": "score",
    "serve": "serve",
    "app": "app",
    "up": "up",
    "queue": "queue",
    "triggers": "triggers",
    "keys": "keys",
    "predictions": "predictions",
    "outcomes": "outcomes",
    "drift": "drift",
    "monitor": "monitor",
    "alerts": "alerts",
    "replay": "replay",
    "contract": "contract",
    "gc": "gc",
    "lab": "lab",
    "mlflow": "mlflow",
    "schema": "schema",
}


class Lazy(click.Group):
    """A group whose commands are imported on demand, and that says which command was meant."""

    def __init__(
        self, *args: Any, modules: Mapping[str, str], default: str | None = None, **more: Any
    ) -> None:
        super().__init__(*args, **more)
        self._modules, self._default = modules, default

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._modules)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._modules:
            return None
        module, _, attribute = self._modules[cmd_name].partition(":")
        found: click.Command = getattr(import_module(f"workbench.cli.{module}"), attribute or "command")
        return found

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        own = {"--help", "-h"}
        if self._default and (not args or (args[0].startswith("-") and args[0] not in own)):
            args = [self._default, *args]
        return super().parse_args(ctx, args)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if not name.startswith("-") and name not in self._modules:
            raise click.UsageError(f"no such command '{name}'{did_you_mean(name, self._modules)}", ctx)
        return super().resolve_command(ctx, args)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        click.echo(f"workbench {version('notebook-workbench')}")
        ctx.exit()


@click.command(
    cls=Lazy,
    modules=_MODULES,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="A pipeline is a YAML file beside its notebooks: `workbench run NAME` finds notebooks/NAME.yaml.",
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version,
    help="Print the version.",
)  # fmt: skip
@click.pass_context
def root(ctx: click.Context) -> int:
    """Notebooks as pipeline steps: run, cached, tracked."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    return 0
