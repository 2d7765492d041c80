"""`python tests/notebooks [PROCESSES]`: nbval over every notebook, on a small real sample."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from prepare import copy_project, prepare

from workbench.mlflow_store import environment

CELL_SECONDS = 120


def main(processes: str) -> int:
    """pytest's exit code. The sample's project is removed afterwards."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="workbench-nbval-") as folder:
        project = copy_project(Path(folder).resolve() / "flights")
        notebooks = prepare(project)
        print(f"sample run and {len(notebooks)} notebooks prepared in {time.monotonic() - began:.0f} s")
        command = [
            *(sys.executable, "-m", "pytest", "--nbval-lax", "--nbval-kernel-name", "workbench"),
            *("--nbval-cell-timeout", str(CELL_SECONDS), "-q", "-p", "no:cacheprovider", "-c", "/dev/null"),
            *("--rootdir", str(project.root), "-n", processes, "--dist", "loadfile", *map(str, notebooks)),
        ]
        # One thread each: more than the cores, and OpenMP spends its time waiting.
        settings = {**os.environ, **environment(project), "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, cwd=project.root, env=settings, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1] if len(sys.argv) > 1 else "2"))
