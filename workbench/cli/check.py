"""`workbench check`"""

from __future__ import annotations

import click

from workbench.cli.options import json_option


@click.command()
@click.argument("pipelines", nargs=-1, metavar="[PIPELINE]...")
@json_option
def command(pipelines: tuple[str, ...], as_json: bool) -> int:
    """Check everything that can be checked without a kernel: settings, pipeline files, notebooks.

    Errors would stop a run and give exit code 2; warnings do not.
    """
    from workbench.cli.checks import check_project
    from workbench.cli.printing import coloured, counted, print_json, short_problem
    from workbench.settings import find_project

    checked = check_project(find_project(), pipelines)
    if as_json:
        print_json({
            "pipelines": checked.pipelines,
            "notebooks": checked.notebooks,
            "errors": checked.errors,
            "findings": [
                {
                    "severity": each.severity,
                    "message": each.problem.message,
                    "file": None if each.problem.file is None else str(each.problem.file),
                    "line": each.problem.line,
                    "key": each.problem.key,
                }
                for each in checked.findings
            ],
        })  # fmt: skip
        return 2 if checked.errors else 0
    for each in sorted(checked.findings, key=lambda finding: finding.severity):
        state = "failed" if each.severity == "error" else "run"
        click.echo(f"{coloured(state, each.severity)}: {short_problem(each.problem)}")
    warnings = len(checked.findings) - checked.errors
    looked_at = f"{counted(len(checked.pipelines), 'pipeline')}, {counted(checked.notebooks, 'notebook')}"
    click.echo(f"{looked_at}: {counted(checked.errors, 'error')}, {counted(warnings, 'warning')}")
    return 2 if checked.errors else 0
