"""`workbench plan`"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from workbench.cli.options import Asked, asked, json_option

if TYPE_CHECKING:
    from workbench.plan import Plan


@click.command()
@asked
@click.option("--graph", is_flag=True, help="Print the steps as a Mermaid flowchart.")
@json_option
def command(graph: bool, as_json: bool, **given: Any) -> int:
    """Show what would run, and why."""
    plan = Asked(**given).plan()
    plan.surroundings.digests.save()
    if graph:
        from workbench.cli.graph import mermaid

        click.echo(mermaid(plan))
    elif as_json:
        from workbench.cli.printing import print_json

        print_json(plan_as_json(plan))
    else:
        print_plan(plan)
    return 0


def print_plan(plan: Plan) -> None:
    """A line a step and a sentence."""
    from workbench.cli.printing import counts, print_table

    decisions = plan.decisions.values()
    print_table(("", "step", "reason"), [(each.action, each.step, each.reason) for each in decisions])
    names = {"run": "to run", "wait": "to decide after them"}
    said = counts((each.action for each in decisions), lambda action: names.get(action, action))
    if plan.cached:
        click.echo(f"{said}: nothing to do")
        return
    if plan.deliver and plan.pipeline.model:
        said += f"; the model '{plan.pipeline.model.name}' is to be registered"
    click.echo(said)


def plan_as_json(plan: Plan) -> dict[str, Any]:
    """The plan for programs."""
    steps = plan.pipeline.steps
    return {
        "pipeline": plan.pipeline.name,
        "file": str(plan.pipeline.file),
        "parameters": dict(plan.pipeline.parameters),
        "cached": plan.cached,
        "deliver": plan.deliver,
        "steps": [
            {
                "step": each.step,
                "action": each.action,
                "reason": each.reason,
                "fingerprint": each.fingerprint,
                "notebook": str(steps[each.step].notebook.path),
                "needs": list(steps[each.step].needs),
            }
            for each in plan.decisions.values()
        ],
    }
