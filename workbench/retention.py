"""What old runs left, and removing it: folders of executed notebooks, results, and content nobody refers to.

    find_garbage      decides; touches nothing
    remove_garbage    acts, and leaves results alone as soon as a run is in progress

Kept are the newest runs of each pipeline and all young ones, with what they made or used; the latest result of
every step; and what a model version refers to. A result that went is computed again when it is asked for.
What MLflow and the ledger know of old runs stays.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.digests import Digests
from workbench.errors import StoreError
from workbench.locks import locked
from workbench.settings import Project
from workbench.store import Manifest, Store, remove

if TYPE_CHECKING:
    from workbench.ledger import Ledger

DAY = 86400.0
LOCK_SECONDS = DAY
"""A lock file of a step that nobody touched for so long is stale."""

_RUN = re.compile(r"(\d{8}-\d{6})-[0-9a-f]{4}")


@dataclass(frozen=True)
class OldRun:
    """A run as far as retention cares."""

    id: str
    pipeline: str
    started: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Garbage:
    """What may go. Paths are absolute."""

    reports: tuple[Path, ...] = ()
    """Folders of old runs."""
    manifests: tuple[Manifest, ...] = ()
    objects: tuple[Path, ...] = ()
    """Folders of the store, one for each content."""
    leftovers: tuple[Path, ...] = ()
    """Scratch of runs whose process is gone, and of a collection that was cut short."""
    locks: tuple[Path, ...] = ()
    logs: tuple[Path, ...] = ()
    """Of runs that the service started, when nothing was written to them for as long as runs are kept."""

    @property
    def empty(self) -> bool:
        return not (
            self.reports or self.manifests or self.objects or self.leftovers or self.locks or self.logs
        )


@dataclass(frozen=True)
class Freed:
    """What was removed, or would be."""

    garbage: Garbage
    size: int
    """Bytes of room that this makes: content that something else links to does not count."""
    notice: str = ""


def collect_garbage(
    project: Project,
    ledger: Ledger,
    *,
    keep_runs: int | None = None,
    keep_days: float | None = None,
    dry_run: bool = False,
) -> Freed:
    """Remove what the project's settings (or these) do not keep; with `dry_run` only say what that is.

    Safe beside a run in progress, whose results and inputs stay. Raises StoreError when another collection is
    at work or something cannot be removed.
    """
    keep_runs = project.keep_runs if keep_runs is None else keep_runs
    keep_days = project.keep_days if keep_days is None else keep_days
    try:
        with locked(project.store / "gc.lock", timeout=0):
            garbage = find_garbage(project, ledger, keep_runs, time.time() - keep_days * DAY)
            files = {path: list(_files(path)) for path in _places(garbage)}
            removed, notice = (garbage, "") if dry_run else remove_garbage(project, garbage)
            return Freed(removed, _room(files[path] for path in _places(removed)), notice)
    except TimeoutError:
        raise StoreError("another `workbench gc` is at work in this project") from None
    except OSError as error:
        raise StoreError(f"cannot remove '{error.filename}': {error.strerror}") from error


def find_garbage(project: Project, ledger: Ledger, keep_runs: int, since: float) -> Garbage:
    """What is not among the newest `keep_runs` runs of a pipeline, began before `since`, and nothing refers to."""
    store = Store(project.store, Digests(project.root, project.store / "digests.json"))
    live, gone = claimed_runs(project)
    models = _delivered(project, ledger)
    known = {run.id: OldRun(run.id, run.pipeline, run.started) for run in ledger.runs(limit=None)}
    folders = _run_folders(project)
    for run in folders.values():
        known.setdefault(run.id, run)
    kept = kept_runs(known.values(), keep_runs, since) | live | set(models.values())
    used = {step.fingerprint for run in kept for step in ledger.step_runs(run) if step.fingerprint}
    manifests = store.manifests()
    old = old_manifests(manifests, kept, used, models, since)
    going = {manifest.fingerprint for manifest in old}
    stay = [manifest for manifest in manifests if manifest.fingerprint not in going]
    content = models.keys() | {stored.digest for each in stay for stored in each.outputs.values()}
    shown = kept | {manifest.run for manifest in stay}
    return Garbage(
        reports=tuple(folder for folder, run in folders.items() if run.id not in shown),
        manifests=tuple(old),
        objects=tuple(path for digest, path in store.objects().items() if digest not in content),
        leftovers=tuple([p for run in gone for p in run.iterdir() if p.name != "lock"] + _trash(project)),
        locks=tuple(
            file
            for file in (project.store / "locks").glob("*.lock")
            if time.time() - file.stat().st_mtime > LOCK_SECONDS
        ),
        logs=tuple(file for file in project.request_logs.glob("*.log") if file.stat().st_mtime < since),
    )


def kept_runs(runs: Iterable[OldRun], newest: int, since: float) -> set[str]:
    """The newest runs of each pipeline, whatever their age, and all that began after `since`."""
    kept: set[str] = set()
    seen: dict[str, int] = {}
    for run in sorted(runs, key=lambda run: run.started, reverse=True):
        place = seen[run.pipeline] = seen.get(run.pipeline, 0) + 1
        if place <= newest or run.started >= since:
            kept.add(run.id)
    return kept


def old_manifests(
    manifests: Iterable[Manifest],
    runs: Collection[str],
    used: Collection[str],
    delivered: Collection[str],
    since: float,
) -> list[Manifest]:
    """Manifests, the newest first, that are no step's latest, and that no kept run and no model refers to."""
    latest: set[tuple[str, str]] = set()
    old = []
    for manifest in manifests:
        step = (manifest.pipeline, manifest.step)
        wanted = step not in latest or manifest.created >= since
        wanted = wanted or manifest.run in runs or manifest.fingerprint in used
        if not wanted and not any(stored.digest in delivered for stored in manifest.outputs.values()):
            old.append(manifest)
        latest.add(step)
    return old


def remove_garbage(project: Project, garbage: Garbage) -> tuple[Garbage, str]:
    """Remove it; what was removed, and why something was left.

    A run that starts meanwhile has claimed its folder before it uses anything, so content is renamed away only
    after looking that nobody has: what such a run finds is either complete or not there at all.
    """
    store = Store(project.store, Digests(project.root, project.store / "digests.json"))
    for path in (*garbage.reports, *garbage.leftovers, *garbage.logs):
        remove(path)
    only_reports = Garbage(reports=garbage.reports, leftovers=garbage.leftovers, logs=garbage.logs)
    if claimed_runs(project)[0]:
        return only_reports, "a run is in progress, so all results stay for now"
    for manifest in garbage.manifests:
        store.forget(manifest)
    removed: list[Path] = []
    trash = project.store / "trash"
    for folder in garbage.objects:
        if claimed_runs(project)[0]:
            break
        trash.mkdir(exist_ok=True)
        folder.rename(trash / folder.name)
        removed.append(folder)
    for folder in _trash(project):
        remove(folder)
    complete = len(removed) == len(garbage.objects)
    for file in garbage.locks if complete else ():
        file.unlink(missing_ok=True)
    result = replace(garbage, objects=tuple(removed), locks=garbage.locks if complete else ())
    return result, "" if complete else "a run has started, so the rest stays for now"


def claimed_runs(project: Project) -> tuple[set[str], list[Path]]:
    """Ids of the runs in progress, and the folders of those whose process is gone."""
    from workbench.run_folder import abandoned

    gone = abandoned(project)
    return {folder.name for folder in project.running.glob("*-*")} - {folder.name for folder in gone}, gone


def _delivered(project: Project, ledger: Ledger) -> dict[str, str]:
    """The run behind each content that is, or is about to be, a model version."""
    found = {each.digest: each.run for each in ledger.deliveries()}
    for marker in (project.store / "delivered").glob("*/*.json"):
        try:
            run = str(json.loads(marker.read_text(encoding="utf-8")).get("run", ""))
        except (OSError, ValueError, AttributeError):
            run = ""  # the name alone says what must stay
        found.setdefault(marker.stem, run)
    return found


def _run_folders(project: Project) -> Mapping[Path, OldRun]:
    """The runs' folders in `reports/`; nothing else there is ours to remove."""
    found = {}
    for folder in project.reports.glob("*/*"):
        match = _RUN.fullmatch(folder.name)
        if match and folder.is_dir() and not folder.is_symlink():
            began = datetime.strptime(match.group(1), "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
            found[folder] = OldRun(folder.name, folder.parent.name, began.timestamp())
    return found


def _trash(project: Project) -> list[Path]:
    """Content that was renamed away and not removed yet."""
    return list((project.store / "trash").glob("*"))


def _places(garbage: Garbage) -> Iterator[Path]:
    yield from (*garbage.reports, *garbage.objects, *garbage.leftovers, *garbage.logs)


def _files(path: Path) -> Iterator[os.stat_result]:
    for file in path.rglob("*") if path.is_dir() and not path.is_symlink() else (path,):
        status = file.lstat()
        if not file.is_dir():
            yield status


def _room(found: Iterable[Iterable[os.stat_result]]) -> int:
    """Bytes freed: those of a file that is linked from several places when all of them go."""
    links: dict[tuple[int, int], int] = {}
    total = 0
    for status in (status for files in found for status in files):
        key = status.st_dev, status.st_ino
        links[key] = links.get(key, 0) + 1
        if links[key] == status.st_nlink:
            total += status.st_size
    return total
