"""A row that a version can be asked: the most complete of its golden requests, as JSON has it."""

from __future__ import annotations

import json
from typing import Any

from workbench.contracts.contract import Contract
from workbench.errors import WorkbenchError
from workbench.golden import FILE
from workbench.ledger import Ledger
from workbench.registry import address, local_folder
from workbench.settings import Project


def golden_row(
    project: Project, model: str, version: int | None, contract: Contract | None
) -> dict[str, Any] | None:
    """One value for each of the contract's features; None where the ledger or the version's files are away."""
    if version is None or contract is None:
        return None
    try:
        with Ledger.open(project) as ledger:
            delivery = ledger.delivery(model, version)
        if delivery is None:
            return None
        folder = local_folder(project, address(project, model, delivery.digest))
        if folder is None:
            return None
        golden = json.loads((folder / FILE).read_bytes())
        columns, rows = golden["columns"], golden["inputs"]
    except (WorkbenchError, OSError, ValueError, LookupError, TypeError):
        return None
    whole = min(rows, key=lambda row: sum(cell is None for cell in row), default=None)
    if whole is None or {*contract.features} - {*columns}:
        return None
    types = {column.name: column.type for column in contract.columns}
    row = dict(zip(columns, whole, strict=True))
    return {name: _as_json(row[name], types[name]) for name in contract.features}


def _as_json(value: Any, kind: str) -> Any:
    whole = kind == "int" and isinstance(value, float) and value.is_integer()
    return int(value) if whole else value
