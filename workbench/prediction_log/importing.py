"""Outcomes from a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.errors import BadInput
from workbench.prediction_log.intake import Imported
from workbench.prediction_log.labels import Labelling
from workbench.prediction_log.outcomes import add_outcomes
from workbench.settings import Project


def import_outcomes(project: Project, file: Path, model: str, labelling: Labelling | None = None) -> Imported:
    """Add the outcomes in a Parquet or CSV file. Raises as `add_outcomes` does, and BadInput for a file that is none."""
    return add_outcomes(project, model, _table(file), labelling=labelling)


def _table(file: Path) -> Mapping[str, Any]:
    """Columns of a file; those of CSV as text. Raises BadInput."""
    import pyarrow as pa
    import pyarrow.csv as csv
    import pyarrow.parquet as pq

    if not file.is_file():
        raise BadInput(f"there is no file '{file}'")
    try:
        if file.suffix.lower() == ".parquet":
            table = pq.read_table(file)
        elif file.name.lower().endswith((".csv", ".csv.gz")):
            names = csv.open_csv(file).schema.names
            texts = csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=True
            )
            table = csv.read_csv(file, convert_options=texts)
        else:
            raise BadInput(f"'{file}' is no table of outcomes; expected .parquet, .csv or .csv.gz")
    except (pa.ArrowException, OSError) as error:
        raise BadInput(f"'{file}' cannot be read as a table: {str(error).splitlines()[0]}") from error
    return dict(zip(table.schema.names, table.columns, strict=True))
