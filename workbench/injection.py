"""A step's notebook with its parameters in it, by papermill.

Importing papermill takes longer than a step of a second, most of it for what a local notebook does not need; that is
left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.late_imports import grammar_put_off, left_out

# papermill.iorw looks for pyarrow to read notebooks from HDFS, and says so when one is asked for without it.
with grammar_put_off(), left_out("pyarrow"):
    from papermill.iorw import load_notebook_node
    from papermill.parameterize import parameterize_notebook


def parameterized(file: Path, parameters: Mapping[str, Any], kernel: str) -> Any:
    """The notebook with a cell that sets `parameters`, after the cell tagged `parameters` or before all others.

    A cell that an earlier injection left is replaced. Without parameters there is no new cell.
    Raises OSError, and what nbformat raises for a file that is no notebook.
    """
    notebook = load_notebook_node(str(file))
    if not parameters:
        return notebook
    # A notebook need not say its language; our own kernels say it for it.
    language = "python" if kernel in ("python3", "workbench") else None
    return parameterize_notebook(notebook, dict(parameters), kernel_name=kernel, language=language)
