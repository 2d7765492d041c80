"""The OpenAPI document holds what it promises: schemathesis asks by it, well and badly, over a real socket."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def test_every_operation_answers_as_documented(address: str, tmp_path: Path) -> None:
    """No 5xx, no undocumented status or body, nothing accepted that the document forbids, some hundred requests.

    That what it allows is accepted is not asked: rules across columns are beyond JSON Schema.
    """
    done = subprocess.run(
        [
            Path(sys.executable).with_name("st"), "run", f"http://{address}/openapi.json", "--max-examples", "10",
            "--phases", "examples,coverage,fuzzing", "--exclude-checks", "positive_data_acceptance", "--seed", "1",
            "--no-color", "--continue-on-failure", "--request-timeout", "20",
        ],
        cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert "17/17" in done.stdout
