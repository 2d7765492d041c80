"""A notebook with the exact version and row of a prediction loaded, for who wants to know why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workbench.prediction_log.cause import Cause
from workbench.settings import Project

FOLDER = "predictions"
"""Below the project's reports."""


def write_notebook(project: Project, cause: Cause) -> Path:
    """Write it (over an older one of the same prediction); its path."""
    import nbformat
    from nbformat import v4

    made: dict[str, Any] = {"markdown": v4.new_markdown_cell, "code": v4.new_code_cell}
    cells = [made[kind](source, id=f"{kind}-{at}") for at, (kind, source) in enumerate(_cells(cause))]
    kernel = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    notebook = v4.new_notebook(
        cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}}
    )
    file = project.reports / FOLDER / f"{cause.prediction.id}.ipynb"
    file.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, file)
    return file


def _cells(cause: Cause) -> list[tuple[str, str]]:
    prediction = cause.prediction
    made = f", made by run {cause.run} of `{cause.pipeline}`" if cause.run else ""
    cells = [
        ("markdown", f"# Prediction {prediction.id}\n\nOn {prediction.came:%Y-%m-%d %H:%M:%S} UTC, version "
                     f"{prediction.version} of `{prediction.model}`{made}, said {prediction.probability}."),
        ("code", _LOAD.format(id=prediction.id)),
        ("code", "prediction.as_dict()"),
        ("markdown", "The row as the model was given it, and its answer now."),
        ("code", _ANSWER),
        ("code", _COMPARE),
    ]  # fmt: skip
    if cause.training:
        cells += [
            ("markdown", "The training rows that are most like it: how many standard deviations its numbers are away, "
                         "plus one for each text that is another."),
            ("code", _SIMILAR),
        ]  # fmt: skip
    return cells


_LOAD = """\
import pandas as pd
from threadpoolctl import threadpool_limits

from workbench import find_project, predictions
from workbench.prediction_log.cause import cause_of, given_frame
from workbench.registry import load
from workbench.scoring.model import scorer_of

project = find_project()
prediction = predictions.find(project, "{id}")
loaded = load(project, prediction.model, prediction.version)  # every file is verified
assert loaded.digest == prediction.digest
model = loaded.estimator"""

_ANSWER = """\
scorer = scorer_of(loaded, with_contract=loaded.contract is not None)
row = given_frame(prediction, scorer.contract, scorer.features)
with threadpool_limits({"blas": 1}):  # as servers and batch scoring have it
    again = float(scorer.probabilities(row)[0])
row.T.rename(columns={0: "value"})"""

_COMPARE = """\
# Linear algebra may add up in another order when many rows are asked about at once: the last bit may differ then.
print(f"then {prediction.probability!r}, now {again!r}: " + ("the very same" if again == prediction.probability else "not the same"))
assert abs(again - prediction.probability) < 1e-12"""

_SIMILAR = """\
cause = cause_of(project, prediction, nearest=10)
away = pd.Index([round(each.distance, 3) for each in cause.similar], name="away")
pd.DataFrame([each.values for each in cause.similar], index=away)"""
