"""What a run's evaluation says, as a table: one line a model, the delivered one marked.

An evaluation is the JSON that a pipeline's `model: metrics:` names: `metrics` of the delivered model, and where several
were compared, `models` with the metrics of each and `best`. A metric is a number or `{value, low, high}`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from workbench.cli.printing import print_table


def print_scores(file: Path) -> None:
    """Print what `file` says; nothing when it is gone or says nothing of the kind."""
    head, rows = score_table(_read(file))
    if rows:
        click.echo()
        print_table(head, rows)


def score_table(evaluation: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Head and rows: each model with each metric, and the interval where there is one."""
    models = evaluation.get("models")
    if not isinstance(models, Mapping) or not models:
        models = {"model": evaluation.get("metrics")}
    tables = {name: each for name, each in models.items() if isinstance(each, Mapping) and each}
    metrics = list(dict.fromkeys(metric for each in tables.values() for metric in each))
    best = evaluation.get("best")
    rows = [
        [str(name), *(_shown(each.get(metric)) for metric in metrics), "← delivered" if name == best else ""]
        for name, each in tables.items()
    ]
    return ["model", *metrics, ""], rows


def _shown(metric: Any) -> str:
    if isinstance(metric, Mapping):
        value, low, high = (metric.get(key) for key in ("value", "low", "high"))
        interval = f" ({low:.3f}-{high:.3f})" if _number(low) and _number(high) else ""
        return f"{value:.4f}{interval}" if _number(value) else ""
    return f"{metric:.4f}" if _number(metric) else ""


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _read(file: Path) -> Mapping[str, Any]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, Mapping) else {}
