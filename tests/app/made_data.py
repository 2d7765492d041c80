"""What the steps of a made project left in its store: a manifest for each run that trained well, as `Store.commit` writes it.

Data change every 100 runs, so contents are few, as in a store that is addressed by content: a table that was held against a
contract, the result of that, and a page. Every 3rd content had rows that break a rule.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.app import made_runs
from workbench.digests import Digests, digest_bytes
from workbench.ledger import Ledger
from workbench.settings import Project
from workbench.store import Manifest, Store, Stored

if TYPE_CHECKING:
    from tests.app.projects import Scale

CONTRACT = "flights"
ALIKE = 100
"""Runs that found the same data."""
BROKEN = 3
KEPT = 5_000
"""The newest runs, whose results `workbench gc` has left."""


def fill(project: Project, _ledger: Ledger, scale: Scale) -> None:
    """Manifests of the step `ingest`, and the contents that they name."""
    store = Store(project.store, Digests(project.root, project.store / "digests.json"))
    now = time.time()
    known: dict[int, dict[str, Stored]] = {}
    folders, made = project.store / "manifests", set[Path]()
    for number in range(max(0, scale.runs - KEPT), scale.runs):
        if made_runs.pipeline_of(number) != "train" or made_runs.state_of(number) != "done":
            continue
        content = number // ALIKE
        if content not in known:
            known[content] = _contents(store, content)
        fingerprint = digest_bytes(f"ingest{number}".encode())
        run = made_runs.run_id(number)
        created = now - made_runs.HOUR - (scale.runs - number) * 2 * made_runs.HOUR
        manifest = Manifest(
            fingerprint, "train", "ingest", run, created, 4.0, known[content], f"reports/train/{run}/ingest.ipynb"
        )  # fmt: skip
        outputs = {name: vars(stored) for name, stored in manifest.outputs.items()}
        folder = folders / fingerprint[:2]
        if folder not in made:
            folder.mkdir(parents=True, exist_ok=True)
            made.add(folder)
        (folder / f"{fingerprint}.json").write_text(json.dumps({**vars(manifest), "outputs": outputs}))


def _contents(store: Store, content: int) -> dict[str, Stored]:
    """What `ingest` made of one state of the data, put into the store."""
    texts = {
        "rows": ("rows.json", json.dumps({"months": [1, 2, 3 + content]})),
        "check": ("check.json", json.dumps(_checked(content))),
        "profile": ("profile.html", f"<h1>Profile {content}</h1><p>27,000 rows</p>"),
    }
    return {name: _put(store, *each) for name, each in texts.items()}


def _put(store: Store, name: str, text: str) -> Stored:
    stored = Stored(digest_bytes(text.encode()), name, len(text.encode()))
    place = store.place(stored)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return stored


def _checked(content: int) -> dict[str, object]:
    """As contracts.result.Checked.as_dict has it."""
    faulty = 12 if content % BROKEN == 0 else 0
    example = {"row": 3, "value": "-4"}
    broken = [{"rule": "distance at least 0", "severity": "error", "rows": faulty, "examples": [example]}]
    return {
        "contract": CONTRACT, "passed": True,
        "rows": {"read": 27_000 + content, "kept": 27_000 + content - faulty, "quarantined": faulty, "faulty": faulty, "excluded": 0},
        "rules": {"distance at least 0": faulty}, "broken": broken if faulty else [], "stops": [], "warnings": [],
    }  # fmt: skip
