"""From a prediction to a notebook in JupyterLab, as `workbench predictions show ID --open` brings somebody there."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.lab_page import PATIENCE, wait_until
from tests.logged import entry, ids
from tests.scored import MODEL, WITH_CONTRACT
from workbench.ledger import Ledger
from workbench.prediction_log.log import PredictionLog
from workbench.registry import place
from workbench.settings import Project

pytestmark = pytest.mark.e2e


def test_it_opens_its_notebook_from_any_folder_of_the_project(scoring: Project, tmp_path: Path) -> None:
    with Ledger.open(scoring) as ledger:
        digest = place(scoring, ledger, MODEL, WITH_CONTRACT).digest
    inputs = {"x": [0.5], "k": np.array(["a"], dtype=object)}
    logged = entry(1, version=WITH_CONTRACT, digest=digest, inputs=inputs)
    with PredictionLog.open(scoring) as log:
        log.append([logged])
    (prediction,) = ids(logged)
    opened, browser = tmp_path / "opened", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{opened}.new" && mv "{opened}.new" "{opened}"\n')
    browser.chmod(0o755)
    folder = scoring.root / "notebooks"
    folder.mkdir(exist_ok=True)
    command = [sys.executable, "-m", "workbench", "predictions", "show", prediction, "--open"]
    with (
        (tmp_path / "said").open("wb") as said,
        subprocess.Popen(
            command, cwd=folder, env={**os.environ, "BROWSER": f"{browser} %s", "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        ) as lab,
    ):  # fmt: skip
        wait_until(lambda: opened.exists() or lab.poll() is not None)
        assert lab.poll() is None, (tmp_path / "said").read_text()
        page = Path(opened.read_text().strip().removeprefix("file://")).read_text()
        lab.send_signal(signal.SIGTERM)
        lab.wait(PATIENCE)
    (url,) = set(re.findall(r'href="([^"?]+)', page))
    assert url.endswith(f"/lab/tree/reports/predictions/{prediction}.ipynb")
    assert (scoring.reports / "predictions" / f"{prediction}.ipynb").is_file()
