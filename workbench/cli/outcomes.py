"""`workbench outcomes`: labels that come later."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.commands import Lazy
from workbench.cli.options import json_option
from workbench.errors import BadInput, did_you_mean

if TYPE_CHECKING:
    from workbench.prediction_log.intake import Imported
    from workbench.settings import Project


@click.command(cls=Lazy, modules={"import": "outcomes:import_file"})
def command() -> None:
    """Labels that come after the prediction: import."""


@click.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--model", metavar="MODEL", help="Whose outcomes they are (default: the only model on record).")
@json_option
def import_file(file: Path, model: str | None, as_json: bool) -> int:
    """Join the labels in FILE (Parquet or CSV) to predictions.

    FILE has the label under its name, or as `outcome`, and `id` with prediction ids, or all key columns of the contract.
    Importing it again changes nothing. Exit code 1 when no row of it belongs to a prediction.
    """
    from workbench.prediction_log.importing import import_outcomes
    from workbench.settings import find_project

    project = find_project()
    imported = import_outcomes(project, file, model or _only_model(project))
    if as_json:
        from workbench.cli.printing import print_json

        print_json(imported.as_dict())
    else:
        _print(imported)
    return 1 if imported.read and not imported.added + imported.replaced + imported.known else 0


def _only_model(project: Project) -> str:
    from workbench.prediction_log.overview import overview

    known = [each.model for each in overview(project)]
    if len(known) != 1:
        hint = did_you_mean("", known) if known else "; there are no predictions on record"
        raise BadInput(f"whose outcomes they are must be said: --model MODEL{hint}")
    return known[0]


_MEANINGS = {
    "added": "new", "replaced": "replace another label", "known": "known already",
    "repeated": "the same stands further down", "contradicted": "another label stands further down, and counts",
    "unknown": "no such prediction", "wrong": "no label of this model", "missing": "no label yet",
}  # fmt: skip


def _print(imported: Imported) -> None:
    from workbench.cli.printing import coloured, counted, print_table

    state = "done" if imported.added + imported.replaced + imported.known or not imported.read else "failed"
    said = f"{counted(imported.read, 'outcome')} read"
    click.echo(
        f"{coloured(state, said)} for '{imported.model}', {counted(imported.predictions, 'prediction')} labelled"
    )
    rows = [
        (meaning, f"{getattr(imported, name):,}", "; ".join(imported.examples.get(name, ())))
        for name, meaning in _MEANINGS.items()
        if getattr(imported, name)
    ]
    if rows:
        print_table(("outcomes", "rows", "for example"), rows)
