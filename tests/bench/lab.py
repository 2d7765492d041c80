"""`python tests/bench/lab.py [ROUNDS]`: JupyterLab's "restart the kernel and run all cells", in a real browser.

From the click that confirms the restart to the last cell's output on the screen, for a notebook whose imports
are most of its time. `python3` is Jupyter's own cold kernel, `workbench` the warm one; both notebooks are open
in one JupyterLab and take turns.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "e2e"))
from lab_page import Notebook, chromium, lab

KERNELS = ("python3", "workbench")
CELLS = (
    "import matplotlib.pyplot as plt\nimport mlflow\nimport pandas as pd\nfrom sklearn.ensemble import RandomForestClassifier",
    "table = pd.DataFrame({'x': range(100)})\nmodel = RandomForestClassifier(5).fit(table, table['x'] % 2)",
    "import os\nprint('done in process', os.getpid())",
)
NOT_COUNTED = 2
"""First rounds: files come into the page cache, matplotlib lists fonts, the kernel host learns the imports."""

_FINISHED = """([count, before]) => {
    const cell = [...document.querySelectorAll('.jp-Notebook-cell')][count - 1];
    const output = cell?.querySelector('.jp-OutputArea-output')?.textContent ?? '';
    const prompt = cell?.querySelector('.jp-InputPrompt')?.textContent;
    return prompt === `[${count}]:` && output.includes('done') && output !== before;
}"""


def measure(rounds: int = 7) -> dict[str, Any]:
    """Seconds by kernel and round, their medians, and how many times faster the warm kernel is.

    Raises RuntimeError when there is no chromium.
    """
    seconds: dict[str, list[float]] = {kernel: [] for kernel in KERNELS}
    with tempfile.TemporaryDirectory(prefix="workbench-bench-") as folder:
        home = Path(folder) / "browser"
        home.mkdir()
        with lab(Path(folder), "--cold") as running, chromium(home) as browser:
            notebooks = {
                kernel: Notebook(browser.new_page(), running, running.write(f"{kernel}.ipynb", CELLS, kernel))
                for kernel in KERNELS
            }
            for number in range(NOT_COUNTED + rounds):
                for kernel in KERNELS:
                    taken = _restart_and_run_all(notebooks[kernel])
                    if number >= NOT_COUNTED:
                        seconds[kernel].append(taken)
    medians = {kernel: statistics.median(seconds[kernel]) for kernel in KERNELS}
    return {
        "seconds": seconds,
        "medians": medians,
        "times_faster": medians["python3"] / medians["workbench"],
    }


def _restart_and_run_all(notebook: Notebook) -> float:
    page, count = notebook.page, len(CELLS)
    page.bring_to_front()  # browsers slow hidden pages down
    output = notebook.output(count - 1)
    before = output.first.text_content() if output.count() else ""
    notebook.press("notebook:restart-run-all")
    accept = page.locator(".jp-Dialog .jp-mod-accept")
    accept.wait_for()
    start = time.perf_counter()
    accept.click()
    page.wait_for_function(_FINISHED, arg=[count, before], polling="raf")
    return time.perf_counter() - start


if __name__ == "__main__":
    print(json.dumps(measure(*map(int, sys.argv[1:2])), indent=1))
