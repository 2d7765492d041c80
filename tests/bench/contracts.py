"""How long a contract takes: a year of flights, a feed that is broken throughout, and the one row of a request."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from workbench.contracts.check import check
from workbench.contracts.contract import Contract, contract_of, read_contract

REPOSITORY = Path(__file__).parents[2]

ROWS = 336_776
NUMBERS, TEXTS = 20, 10


def measure(rows: int = ROWS, repetitions: int = 5) -> dict[str, Any]:
    """Seconds for `rows` rows of 30 columns, and milliseconds for one row: medians of `repetitions`."""
    contract, frame = _wide(rows)
    broken = frame.assign(**{f"number{n}": 1e6 for n in range(NUMBERS)})
    request, model = _request()
    return {
        "rows": rows,
        "columns": frame.shape[1],
        "rules": len(check(frame, contract).breaches),
        "good_seconds": _median(lambda: check(frame, contract), repetitions),
        "broken_seconds": _median(lambda: check(broken, contract).as_dict(), repetitions),
        "quarantine_seconds": _median(lambda: check(broken, contract).aside, repetitions),
        "one_row_columns": request.shape[1],
        "one_row_ms": 1000 * _median(lambda: check(request, model), 40 * repetitions),
    }


def _wide(rows: int) -> tuple[Contract, pd.DataFrame]:
    generator = np.random.default_rng(0)
    words = np.array([f"word{n}" for n in range(100)], dtype=object)
    frame = pd.DataFrame({
        **{f"number{n}": generator.normal(size=rows) for n in range(NUMBERS)},
        **{f"text{n}": generator.choice(words, rows) for n in range(TEXTS)},
    })  # fmt: skip
    columns: dict[str, Any] = {f"number{n}": {"type": "float", "min": -10, "max": 10} for n in range(NUMBERS)}
    columns |= {f"text{n}": {"type": "category", "values": list(words)} for n in range(TEXTS // 2)}
    columns |= {f"text{n}": {"type": "text", "pattern": "[a-z]+[0-9]+"} for n in range(TEXTS // 2, TEXTS)}
    rules = {"two numbers": "number0 < number1 + 100", "text and number": "text0 != 'x' or number2 > 0"}
    plain = {"contract": "wide", "columns": columns, "rules": rules, "unique": [["number0", "text0"]]}
    return contract_of(plain), frame


def _request() -> tuple[pd.DataFrame, Contract]:
    """One row as a model of late flights is given it."""
    model = read_contract(REPOSITORY / "notebooks" / "contracts" / "flight-features.yaml").of_features()
    row = {column.name: column.min if column.min is not None else "UA" for column in model.columns}
    return pd.DataFrame([row | {"origin": "EWR", "dest": "ORD"}]), model


def _median(work: Callable[[], Any], repetitions: int) -> float:
    seconds = []
    for _ in range(repetitions):
        began = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - began)
    return round(statistics.median(seconds), 6)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=2))
