"""The folder through which workers count together (PROMETHEUS_MULTIPROC_DIR): each of their processes writes files into it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def metrics_folder(folder: Path) -> Iterator[None]:
    """Make `folder`, which is called by the server's process id, and remove it in the end, with what dead servers left."""
    for old in _left(folder.parent):
        shutil.rmtree(old, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def forget(folder: Path, worker: int) -> None:
    """Take what a dead worker gauged out of the metrics; what it counted stays."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(worker, str(folder))  # type: ignore[no-untyped-call]


def _left(parent: Path) -> list[Path]:
    import psutil

    found = parent.iterdir() if parent.is_dir() else ()
    return [each for each in found if each.name.isdigit() and not psutil.pid_exists(int(each.name))]
