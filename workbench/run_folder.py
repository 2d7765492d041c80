"""A run's folders: which were left by runs that are gone, what people look at, and the state of the project's code."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from workbench.locks import locked
from workbench.settings import Project
from workbench.store import Manifest, Store, remove, safe_name

REPORTS = (".html", ".png", ".svg", ".pdf")
"""Outputs that people look at: linked into the run's folder in `reports/`."""


def abandoned(project: Project) -> list[Path]:
    """Folders of runs whose process is gone without having finished."""
    found = []
    for folder in project.running.glob("*-*"):
        try:
            with locked(folder / "lock", timeout=0):
                found.append(folder)
        except (TimeoutError, OSError):
            continue
    return found


def removed(folders: Iterable[Path]) -> Iterator[str]:
    """Remove these folders; a notice for each that cannot be."""
    for folder in folders:
        try:
            remove(folder)
        except OSError as error:
            yield f"cannot remove '{folder}': {error.strerror}"


def link_reports(folder: Path, manifests: Mapping[str, Manifest], store: Store) -> None:
    """Put what people look at into a run's folder; what is there already stays."""
    for key, manifest in manifests.items():
        for stored in manifest.outputs.values():
            source = store.place(stored)
            name = stored.file if "[" not in key else f"{safe_name(key)}-{stored.file}"
            target = folder / name
            if source.suffix not in REPORTS or not source.is_file() or target.exists():
                continue
            try:
                target.hardlink_to(source)
            except OSError:
                shutil.copyfile(source, target)


def git_state(root: Path) -> tuple[str | None, bool | None]:
    """The commit of the project and whether anything in it is not committed; None outside of git."""
    import subprocess

    def ask(*arguments: str) -> str | None:
        try:
            answer = subprocess.run(
                ["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return answer.stdout.strip() if answer.returncode == 0 else None

    commit = ask("rev-parse", "HEAD")
    return commit, None if commit is None else bool(ask("status", "--porcelain"))
