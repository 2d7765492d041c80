"""What steps left in a real store, as data to look at."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench import load_pipeline, make_plan, run_plan
from workbench.data_versions import contract_results, outputs, pages, reason_column, rows_set_aside, tables
from workbench.settings import Project

CHECKS = """\
import json
import pandas as pd
from workbench.contracts.check import check
from workbench.contracts.contract import contract_of
"""
WORK = """\
agreed = contract_of({"contract": "c", "columns": {"x": {"type": "int", "max": high}}})
checked = check(pd.DataFrame({"x": [1, 2, 3, 99]}), agreed)
checked.kept.to_parquet(clean)
checked.aside.to_parquet(aside)
json.dump(checked.as_dict(), open(result, "w"))
open(page, "w").write("<p>hello</p>")
"""


@pytest.fixture
def ran(project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Project:
    """Two versions of the same data: in the second, a rule is stricter."""
    names = ("clean", "aside", "result", "page")
    parameters = "\n".join(["high: int = 10", *(f"{name}: str = ''" for name in names)])
    write_notebook("held.ipynb", CHECKS, WORK, parameters=parameters)
    ends = {"clean": "parquet", "aside": "parquet", "result": "json", "page": "html"}
    made = ", ".join(f"{name}: {name}.{end}" for name, end in ends.items())
    write_pipeline(
        "p",
        f"pipeline: p\nparams: {{high: 10}}\nsteps:\n  held: {{notebook: held.ipynb, outputs: {{{made}}}}}\n",
    )
    for high in ("10", "2"):
        plan = make_plan(load_pipeline("p", arguments={"high": high}, project=project))
        assert run_plan(plan).state == "done"
    return project


def test_results_tables_and_pages_of_steps(ran: Project) -> None:
    found = outputs(ran)
    assert [each.place for each in tables(found)].count("p.held.clean") == 2
    assert [each.place for each in pages(found)] == [
        "p.held.page"
    ]  # the newest of each, and the same content once
    newest, before = contract_results(found)
    assert [each.content["rows"]["kept"] for each in (newest, before)] == [2, 3]
    asides = [each for each in newest.tables if reason_column(each.file)]
    assert [each.name for each in asides] == ["aside"]
    counts, rows = rows_set_aside(asides[0].file, "reason", None, 1)
    ((reason, number),) = counts.items()
    assert (number, rows.num_rows) == (2, 1)
    _, others = rows_set_aside(asides[0].file, "reason", "another", 9)
    assert others.num_rows == 0
    assert reason in rows.column("reason").to_pylist()
