"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click

from workbench.errors import BadInput

if TYPE_CHECKING:
    from workbench.pipeline import Pipeline
    from workbench.plan import Plan, Selection

_Command = TypeVar("_Command", bound=Callable[..., Any])

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@dataclass(frozen=True)
class Asked:
    """A pipeline with values and steps, as asked for on the command line."""

    pipeline: str
    parameters: tuple[str, ...]
    step: tuple[str, ...]
    start: tuple[str, ...]
    force: tuple[str, ...]

    def plan(self) -> Plan:
        """What would run. Raises BadInput."""
        from workbench.plan import make_plan

        return make_plan(self.load(), self.selection())

    def selection(self) -> Selection:
        from workbench.plan import Selection

        return Selection(self.step, self.start, self.force)

    def load(self) -> Pipeline:
        from workbench.loading import load_pipeline

        return load_pipeline(self.pipeline, arguments=arguments(self.parameters))

    def continuing(self, failed: tuple[str, ...]) -> str:
        """The command that goes on from here: what is done is cached, what was forced and failed still is."""
        import shlex

        words = ["workbench", "run", self.pipeline]
        words += [word for each in self.parameters for word in ("-p", each)]
        words += [word for each in self.step for word in ("--step", each)]
        if self.start:
            words += [word for each in failed for word in ("--from", each)]
        elif self.force:
            forced = [each for each in failed if each in self.force or each.partition("[")[0] in self.force]
            words += [word for each in forced for word in ("--force", each)]
        return shlex.join(words)


def asked(command: _Command) -> _Command:
    """PIPELINE, -p, --step, --from and --force."""
    for decorate in reversed((
        click.argument("pipeline"),
        click.option(
            "-p", "parameters", multiple=True, metavar="NAME=VALUE",
            help="Give a parameter a value, read as YAML. May be repeated.",
        ),
        click.option(
            "--step", multiple=True, metavar="STEP",
            help="Only this step and what it needs. May be repeated.",
        ),
        click.option(
            "--from", "start", multiple=True, metavar="STEP",
            help="Run this step and everything after it, cached or not. May be repeated.",
        ),
        click.option(
            "--force", multiple=True, metavar="STEP", help="Run this step, cached or not. May be repeated."
        ),
    )):  # fmt: skip
        command = decorate(command)
    return command


def arguments(parameters: tuple[str, ...]) -> dict[str, str]:
    """`name=value` texts as a mapping; the last of a name wins. Raises BadInput."""
    values = {}
    for text in parameters:
        name, sign, value = text.partition("=")
        if not sign or not name.strip().isidentifier():
            raise BadInput(f"-p '{text}' is not NAME=VALUE, such as -p learning_rate=0.1")
        values[name.strip()] = value
    return values
