"""The prediction log, for notebooks:

from workbench import find_project, predictions

project = find_project()
frame = predictions.read(project, "flight-delay", since="2026-03-01", outcomes=True).read_pandas()
one = predictions.find(project, "0195a3…-0")
"""

from __future__ import annotations

from workbench.prediction_log.finding import Prediction, find
from workbench.prediction_log.importing import import_outcomes
from workbench.prediction_log.intake import Imported
from workbench.prediction_log.outcomes import add_outcomes
from workbench.prediction_log.reading import read

__all__ = ["Imported", "Prediction", "add_outcomes", "find", "import_outcomes", "read"]
