"""A project whose model `m` has versions that batch scoring can use, and tables for them."""

from __future__ import annotations

import os
import shutil
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tests.registered import MODEL, deliver, fit, relative
from workbench.ledger import Ledger
from workbench.scoring.job import score
from workbench.scoring.plan import Asked
from workbench.scoring.result import Scored
from workbench.settings import Project, read_project

WITH_CONTRACT, WITHOUT_CONTRACT, LOGISTIC = 5, 6, 7

CONTRACT = """\
contract: rows
label: late
never_features: [day, hint]
extra: warn
columns:
  x: {type: float, min: -10, max: 10}
  k: {type: category, values: [a, b, c, d]}
  late: {type: int, values: [0, 1]}
rules:
  no a above five: k != "a" or x <= 5
"""


def make(registered: Path, root: Path) -> None:
    """A copy of the registered project, with a version under a contract, one without, and another kind of model."""
    before = dict(os.environ)
    shutil.copytree(registered, root)
    project = read_project(root)
    contract = root / "delivered" / "rows.yaml"
    contract.write_text(CONTRACT)
    fitted = root / "fitted"
    try:
        with warnings.catch_warnings(), Ledger.open(project) as ledger:
            warnings.simplefilter("ignore")  # MLflow's own, which importing and saving with it gives
            deliver(project, ledger, fitted, WITH_CONTRACT, contract=relative(contract, project))
            deliver(project, ledger, fitted, WITHOUT_CONTRACT, contract="")
            shutil.rmtree(fitted)
            fit(fitted, "logistic")
            deliver(project, ledger, fitted, LOGISTIC, contract=relative(contract, project))
    finally:
        os.environ.clear()
        os.environ.update(before)


Run = Callable[..., Scored]


def scorer(project: Project) -> Run:
    """Scores `inputs` into `output`, both relative to the project, by the version under a contract."""

    def scored(*places: str, **more: Any) -> Scored:
        *inputs, output = places
        passed = {name: more.pop(name) for name in ("listen", "rows") if name in more}
        asked = Asked(MODEL, tuple(inputs), Path(output), **{"version": WITH_CONTRACT, **more})
        return score(project, asked, **passed)

    return scored


def rows(count: int, seed: int = 1, **columns: Any) -> pd.DataFrame:
    """A table that keeps the contract: a key, the two features (one category was never trained on), the label."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({
        "id": [f"ü{number:06}" for number in range(count)],
        "x": generator.uniform(-4, 4, count),
        "k": generator.choice(list("abcd"), count),
        "late": generator.integers(0, 2, count),
    })  # fmt: skip
    return frame.assign(**columns)


def numbers_then_words(file: Path) -> None:
    """A CSV file whose column x holds numbers in the first block that is read, and only words in those that follow."""
    blank = " " * 4_000
    lines = [f"{'word' if number > 4_000 else number % 5},b,{blank}" for number in range(6_500)]
    file.write_text("\n".join(["x,k,blank", *lines, ""]))


__all__ = [
    "CONTRACT",
    "LOGISTIC",
    "MODEL",
    "WITHOUT_CONTRACT",
    "WITH_CONTRACT",
    "Run",
    "make",
    "numbers_then_words",
    "rows",
    "scorer",
]
