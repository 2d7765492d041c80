"""What the supervisor decides by itself; the whole of it is in tests/e2e/test_serving.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from workbench.serving.listening import changed
from workbench.serving.metrics_folder import metrics_folder
from workbench.serving.orders import Orders, Report, read_orders, read_report, report_line
from workbench.setting_keys import Serving

HEAVY = ("numpy", "pandas", "sklearn", "mlflow", "fastapi", "uvicorn", "pyarrow")


def test_it_stays_small() -> None:
    code = f"import sys, workbench.serving.supervisor, workbench.cli.serve; print([m for m in {HEAVY} if m in sys.modules])"
    said = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert said.stdout.strip() == "[]"


def test_what_is_told_arrives() -> None:
    orders = Orders("/p", ("a", "b"), {"port": 0, "hosts": ["x"]}, 3, 4)
    assert read_orders(orders.text()) == orders
    reports = [Report("a", 3, True, ""), Report("b", None, False, "no champion")]
    assert read_report(report_line(reports)) == reports


def test_the_command_line_changes_what_it_names() -> None:
    assert changed(Serving(port=9000), {"host": None, "port": 0, "workers": 4}) == Serving(port=0, workers=4)


def test_metrics_of_dead_servers_are_removed_and_those_of_living_ones_stay(tmp_path: Path) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    dead, living, other = (tmp_path / name for name in (str(gone.pid), str(os.getppid()), "note"))
    for folder in (dead, living, other):
        folder.mkdir()
    with metrics_folder(tmp_path / str(os.getpid())):
        assert {each.name for each in tmp_path.iterdir()} == {str(os.getpid()), living.name, "note"}
    assert {each.name for each in tmp_path.iterdir()} == {living.name, "note"}
