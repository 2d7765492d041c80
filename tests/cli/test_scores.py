"""An evaluation as a table; whatever a notebook wrote there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from workbench.cli.scores import print_scores, score_table


def test_each_model_with_its_metrics_and_the_delivered_one_marked() -> None:
    head, rows = score_table({
        "best": "b",
        "models": {"a": {"auc": {"value": 0.5, "low": 0.4, "high": 0.6}}, "b": {"auc": 0.7, "loss": 1}},
    })  # fmt: skip
    assert head == ["model", "auc", "loss", ""]
    assert rows == [["a", "0.5000 (0.400-0.600)", "", ""], ["b", "0.7000", "1.0000", "← delivered"]]


def test_one_model_needs_no_name() -> None:
    assert score_table({"metrics": {"auc": 0.7}})[1] == [["model", "0.7000", ""]]


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"models": []}', '{"metrics": 3}', '{"models": {"a": null}}']
)
def test_what_says_nothing_prints_nothing(
    content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evaluation.json").write_text(content)
    print_scores(tmp_path / "evaluation.json")
    print_scores(tmp_path / "gone.json")
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("metric", [None, True, "high", {"value": None}, {}, []])
def test_what_is_no_number_stays_empty(
    metric: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps({"metrics": {"auc": metric, "loss": 0.25}}))
    print_scores(tmp_path / "evaluation.json")
    assert "0.2500" in capsys.readouterr().out
