"""What a server does for its prediction log from time to time, in a process of its own that may take its time.

`python -m workbench.serving.housekeeping ROOT`, by a supervisor.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from workbench.errors import LogError
from workbench.prediction_log.compaction import compact
from workbench.settings import read_project


def main(root: str) -> int:
    """Move what was answered from the journal into Parquet files. 1 when that failed: it is tried again later."""
    os.nice(10)
    try:
        compact(read_project(Path(root)))
    except LogError as error:
        print(f"the prediction log was not compacted: {error}", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
