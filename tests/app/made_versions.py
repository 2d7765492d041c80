"""Model versions of a made project: what delivered each, its verdict, the files that travel with it, and the audit trail.

Everything follows from the number of a version, counted from 1: every 4th failed its gates and was rejected, every 25th was
promoted and taken back within the hour; version 1 was champion first, and version 2 is since. There are no weights: the app
reads none, and a year of them would be gigabytes. Rows are inserted in bulk, and the trail is sealed as `ledger_trail.append`
does it, so that its chain holds.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.app import made_runs
from workbench import ledger_schema as schema
from workbench.champions import Champion, write_champion
from workbench.digests import digest_bytes
from workbench.ledger import Ledger
from workbench.model_files import ATTACHMENTS
from workbench.registry import address, local_folder
from workbench.settings import Project
from workbench.trail import Entry, sealed

if TYPE_CHECKING:
    from tests.app.projects import Scale

MODEL = "delay"
HOUR, DAY = 3600.0, 86_400.0
FAILED, TAKEN_BACK = 4, 25
CHAMPION = 2
AUTHORS = ("ada", "grace", "service")
CARRIERS = ("9E", "AA", "B6", "DL", "EV", "FL", "MQ", "UA", "US", "VX", "WN", "YV")
METRICS = {"auc": 0.70, "log_loss": 0.47, "brier": 0.15, "calibration_error": 0.02}
Row = dict[str, Any]


def fill(project: Project, ledger: Ledger, scale: Scale) -> None:
    """Versions, spread evenly over the runs that trained well, and what people decided about them."""
    every = [_delivery(version, number) for version, number in enumerate(_trained(scale), 1)]
    now = time.time()
    moments = [
        now - 2 * HOUR - (scale.versions - version) * 30.0 * DAY * scale.months / scale.versions
        for version in range(1, scale.versions + 1)
    ]
    trail = _trail(moments)
    with ledger.writing() as connection:
        connection.execute(schema.deliveries.insert(), every)
        connection.execute(
            schema.verdicts.insert(), [_verdict(*each) for each in zip(every, moments, strict=True)]
        )
        connection.execute(schema.promotions.insert(), [dict(vars(each)) for each in trail])
    for row in every:
        _write_files(project, row)
    closing = [each for each in trail if each.refers is not None][-1]
    digest = every[CHAMPION - 1]["digest"]
    champion = Champion(MODEL, CHAMPION, digest, None, closing.sequence, closing.hash)
    write_champion(project, MODEL, champion)


def passed(version: int) -> bool:
    """Whether a version's gates said yes."""
    return version % FAILED != 0


def _trained(scale: Scale) -> list[int]:
    """Numbers of the runs that delivered, the oldest first."""
    good = [
        number for number in range(scale.runs)
        if made_runs.pipeline_of(number) == "train" and made_runs.state_of(number) == "done"
    ]  # fmt: skip
    every = len(good) // scale.versions
    return good[::-every][: scale.versions][::-1]


def _delivery(version: int, number: int) -> Row:
    return {
        "model": MODEL, "digest": digest_bytes(f"version {version}".encode()), "run": made_runs.run_id(number),
        "step": "evaluate", "folder": f"store/{version}", "evaluation": None, "state": "registered", "version": version,
        "author": AUTHORS[version % len(AUTHORS)], "attachments": None,
    }  # fmt: skip


def _verdict(row: Row, moment: float) -> Row:
    version = row["version"]
    good = passed(version)
    thresholds = [
        {"gate": "champion", "name": f"{metric} against the champion", "passed": good or metric != "auc",
         "reason": "0.004 worse, 0.010 allowed" if good else "0.021 worse, 0.010 allowed"}
        for metric in METRICS
    ] + [
        {"gate": "slices", "name": f"carrier {carrier}", "passed": True, "reason": f"{100 + place} rows, not worse"}
        for place, carrier in enumerate(CARRIERS)
    ]  # fmt: skip
    return {
        "model": MODEL, "version": version, "created": moment, "run": row["run"], "passed": good,
        "outcome": "better" if good else "worse", "champion_version": _champion_before(version),
        "content": {"summary": "better than the champion" if good else "worse than the champion", "thresholds": thresholds},
        "digest": digest_bytes(f"verdict {version}".encode()),
    }  # fmt: skip


def _champion_before(version: int) -> int | None:
    return None if version == 1 else min(version - 1, CHAMPION)


def _trail(moments: list[float]) -> list[Entry]:
    """Its entries, each with the hash of the one before it."""
    found: list[Entry] = []
    for version, moment in enumerate(moments, 1):
        for minutes, draft in enumerate(_decided(version)):
            last = found[-1] if found else None
            ends = last.sequence if last is not None and last.phase == "intent" else None
            found.append(sealed(replace(draft, refers=ends), last, moment + 60.0 * minutes))
    return found


def _decided(version: int) -> Iterator[Entry]:
    """What people did about a version, once it was there."""
    if version <= CHAMPION:
        yield from _move("promote", version, _champion_before(version), "the best we have")
    elif not passed(version):
        yield Entry(MODEL, "reject", "done", version, None, "ada", "worse at noon")
    elif version % TAKEN_BACK == 0:
        yield from _move("promote", version, CHAMPION, "looks better")
        yield from _move("rollback", CHAMPION, version, "errors went up")


def _move(kind: Any, version: int, replaces: int | None, reason: str) -> Iterator[Entry]:
    for phase in ("intent", "done"):
        yield Entry(MODEL, kind, phase, version, replaces, "grace", reason)  # type: ignore[arg-type]


def _write_files(project: Project, row: Row) -> None:
    place = local_folder(project, address(project, MODEL, row["digest"]))
    assert place is not None
    folder = place / ATTACHMENTS
    folder.mkdir(parents=True)
    (folder / "evidence.json").write_text(json.dumps(_evidence(row["version"])))
    (folder / "ingredients.json").write_text(json.dumps(_ingredients(row["version"])))
    (folder / "dossier.html").write_text(f"<h1>Version {row['version']}</h1><p>{row['run']}</p>")


def _evidence(version: int) -> Row:
    shift = (version % 17) / 1000
    around = {name: _about(value + shift) for name, value in METRICS.items()}
    slices = [
        {"column": "carrier", "value": carrier, "rows": 100 + place, "rate": 0.2, "measured": True,
         "baseline": {"log_loss": _about(-0.05)}, "champion": {"log_loss": _about(shift - 0.008)}}
        for place, carrier in enumerate(CARRIERS)
    ]  # fmt: skip
    return {
        "metrics": around, "directions": {name: "higher" if name == "auc" else "lower" for name in METRICS},
        "test": {"from": "2013-03-01", "to": "2013-03-31", "rows": 27_000},
        "champion": {"difference": {name: _about(shift - 0.008) for name in METRICS}}, "slices": slices,
        "importances": {f"feature_{number:02}": 0.1 / (number + 1) for number in range(20)},
    }  # fmt: skip


def _about(value: float) -> Row:
    return {"value": value, "low": value - 0.01, "high": value + 0.01}


def _ingredients(version: int) -> Row:
    common = {"cells": ["one", "two", f"three{version // 10}"], "parameters": {"seed": version}, "outputs": {},
              "modules": {"notebooks/features.py": f"digest{version // 50}"}, "packages": {"pandas": "3.0"},
              "kernel": "python3", "python": "3.13"}  # fmt: skip
    return {
        "train[algorithm=boosting]": {**common, "inputs": {"rows": f"rows{version // 5}"}},
        "evaluate": {**common, "inputs": {"test": f"test{version // 5}"}},
    }
