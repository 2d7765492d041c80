"""Every notebook of the repository under nbval, on a small real sample: `python tests/notebooks` as one test.

It is the longest test by far, so it is begun first (conftest), and most of its work is done in processes of its own.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
NOTEBOOKS = FOLDER.parents[1] / "notebooks"


@pytest.mark.e2e
@pytest.mark.first
def test_every_notebook(
    record_property: Callable[[str, object], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTEST_XDIST_WORKER", "PYTEST_XDIST_TESTRUNUID", "PYTEST_ADDOPTS"):
        monkeypatch.delenv(name, raising=False)
    done = subprocess.run([sys.executable, str(FOLDER)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-20_000:] + done.stderr[-5_000:]
    (notebooks,) = re.findall(r"and (\d+) notebooks prepared", done.stdout)
    (cells,) = re.findall(r"^(\d+) passed", done.stdout, re.MULTILINE)
    assert int(notebooks) >= len(list(NOTEBOOKS.glob("*.ipynb")))
    record_property("said", f"nbval: {cells} cells of {notebooks} notebooks passed")
