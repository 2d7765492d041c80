"""Judging versions that runs registered: what only the registered version shows is added to the evidence, the gates say
their verdict, and the verdict goes on record, into the version and on top of its dossier.

`python -m workbench.judging ROOT` judges every registered version that waits for it and prints what came of it as JSON
lines. It is a process of its own because "loads in a fresh process from the registry alone" is one of the questions.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median
from typing import Any

from workbench import dossier, ledger_queue, ledger_trail, registration, registry
from workbench.digests import write_atomically
from workbench.errors import ModelError, WorkbenchError
from workbench.events import ModelJudged
from workbench.fingerprint import Ingredients
from workbench.gates import Threshold, Verdict, judge
from workbench.golden import frame_of, replay
from workbench.ledger import Delivery, Ledger
from workbench.ledger_queue import Request
from workbench.mlflow_store import Aliases, connect
from workbench.promotion import Promotions, actor_here
from workbench.promotion_policy import Actor, replaces_by_itself
from workbench.settings import Project, read_project
from workbench.trail import standing

SERVICE = Actor("service", frozenset({"viewer", "operator"}))
"""Who promotes what came of a request, under the policy `auto`: it may do what the verdict allows, and never overrides."""

TIMES = 30
"""How often one row is predicted to time it."""


def judge_waiting(project: Project, ledger: Ledger) -> list[ModelJudged]:
    """Judge every registered version that waits for it; what came of it, in order."""
    return [judge_delivery(project, ledger, delivery) for delivery in ledger.unjudged()]


def judge_delivery(project: Project, ledger: Ledger, delivery: Delivery) -> ModelJudged:
    """The verdict on one version, on record. Files that are not what was registered fail it before anything else."""
    assert delivery.version is not None
    model, version = delivery.model, delivery.version
    champion = standing(model, ledger_trail.entries(ledger, model)).champion
    evidence: dict[str, Any] = {"serves": _serves(ledger, model, champion)}
    documents: dict[str, Any] = {}
    try:
        documents = _documents(project, ledger, model, version)
    except WorkbenchError as error:
        verdict = Verdict(
            False, "unknown", (Threshold("serving", "files are what was registered", False, str(error)),)
        )
    else:
        declared = documents["gates.json"]
        evidence |= {
            **_compared(documents.get("evidence.json"), declared["champion"]),
            "serving": _serving(project, ledger, model, version),
            "provenance": _provenance(ledger, delivery, documents),
        }
        verdict = judge(declared["gates"], evidence)
    ledger.record_verdict(
        model, version, passed=verdict.passed, outcome=verdict.outcome, content=verdict.as_json(),
        champion_version=champion, run=delivery.run,
    )  # fmt: skip
    _publish(project, ledger, delivery, verdict, evidence, documents)
    summary = verdict.summary
    promoted = False
    if verdict.passed and _promotes_itself(project, model, verdict):
        request = ledger_queue.request_of(ledger, delivery.run)
        actor = actor_here(project) if request is None else SERVICE
        try:
            Promotions(project, ledger, Aliases(project, connect(project))).promote(
                model, version, actor, expected=champion, reason=f"{summary}{_asked(request)}",
                cause=None if request is None else {**request.cause, "request": request.id},
            )  # fmt: skip
            promoted = True
        except WorkbenchError as error:
            summary += f"; {error}"
    return ModelJudged(
        time.time(), delivery.run, model, version, verdict.passed, verdict.outcome, summary, promoted
    )


def _documents(project: Project, ledger: Ledger, model: str, version: int) -> dict[str, Any]:
    """The JSON files that belong to a version, by name. Raises ModelError when any file of it was changed."""
    located = registry.locate(project, ledger, model, version)
    return {
        name: json.loads(path.read_bytes())
        for name, path in located.attachments.items()
        if path.suffix == ".json"
    }


def _serves(ledger: Ledger, model: str, champion: int | None) -> dict[str, Any] | None:
    if champion is None:
        return None
    delivery = ledger.delivery(model, champion)
    return {"version": champion, "digest": delivery.digest if delivery else None}


def _compared(evidence: Any, champion: str | None) -> dict[str, Any]:
    """The notebook's evidence, and which champion it compares with: the digest that its step was given."""
    if not isinstance(evidence, dict):
        return {}
    compared = evidence.get("champion")
    if isinstance(compared, dict):
        compared = {**compared, "digest": champion}
    return {**evidence, **({"champion": compared} if "champion" in evidence else {})}


def _serving(project: Project, ledger: Ledger, model: str, version: int) -> dict[str, Any]:
    """Load the version as a server would, and ask it."""
    try:
        loaded = registry.load(project, model, version, ledger)
        if loaded.golden is None:
            raise ModelError(
                f"version {version} of '{model}' has no golden requests: save it with save_mlflow_model"
            )
        content = loaded.golden.read_text(encoding="utf-8")
        again = replay(loaded.estimator, content)
        took = _one_row(loaded.estimator, content)
    except WorkbenchError as error:
        return {"error": str(error)}
    size = sum(file.stat().st_size for file in loaded.folder.glob("*") if file.is_file())
    return {
        "golden": {"rows": again.rows, "different": again.wrong, "largest": again.largest_difference},
        "latency_ms": round(took * 1000, 3),
        "size": size,
    }


def _one_row(estimator: Any, content: str) -> float:
    """Seconds that one row takes, the median of TIMES; on one thread, as it is served.

    Threads that wait for each other on a busy machine would say more of the machine than of the model.
    """
    from threadpoolctl import threadpool_limits

    row = frame_of(json.loads(content)).head(1)
    took = []
    with threadpool_limits(1):
        for _ in range(TIMES):
            began = time.perf_counter()
            estimator.predict_proba(row)
            took.append(time.perf_counter() - began)
    return median(took)


def _provenance(ledger: Ledger, delivery: Delivery, documents: Mapping[str, Any]) -> dict[str, Any]:
    run = ledger.run(delivery.run)
    attached = ledger_trail.attached(ledger, delivery.model, delivery.version or 0)
    made_of = documents.get("ingredients.json", {})
    return {
        "commit": run.git_commit,
        "dirty": run.git_dirty,
        "contract": attached.get("contract.yaml"),
        "lock": attached.get("environment.txt"),
        "inputs": {
            f"{step}.{name}": digest
            for step, each in made_of.items()
            for name, digest in each["inputs"].items()
        },
    }


def _publish(
    project: Project,
    ledger: Ledger,
    delivery: Delivery,
    verdict: Verdict,
    evidence: Mapping[str, Any],
    documents: Mapping[str, Any],
) -> None:
    """The verdict beside the version, and on top of its dossier: in the registry and in the run's folder."""
    model, version = delivery.model, delivery.version
    assert version is not None
    said = json.dumps(verdict.as_json(), indent=1, sort_keys=True) + "\n"
    registration.attach(project, ledger, model, version, "verdict.json", said.encode())
    path = (delivery.attachments or {}).get("review")
    if path is None or not (project.root / path).is_file():
        return
    changes: dict[str, list[str]] = {}
    if serves := evidence["serves"]:
        try:
            older = _documents(project, ledger, model, serves["version"]).get("ingredients.json", {})
            changes = what_changed(documents.get("ingredients.json", {}), older)
        except WorkbenchError as error:
            changes = {"the champion": [str(error)]}
    review = (project.root / path).read_text(encoding="utf-8")
    page = dossier.completed(review, model, version, verdict, evidence, changes)
    registration.attach(project, ledger, model, version, "dossier.html", page.encode())
    pipeline = ledger.run(delivery.run).pipeline
    folder = project.reports / pipeline / delivery.run
    if folder.is_dir():
        write_atomically(folder / "dossier.html", page)


def what_changed(newer: Mapping[str, Any], older: Mapping[str, Any]) -> dict[str, list[str]]:
    """How two versions were made differently, step by step, in words. Only steps that differ."""
    found = {}
    for step in dict.fromkeys((*newer, *older)):
        if step not in newer or step not in older:
            found[step] = [
                "only the candidate has this step" if step in newer else "the candidate has no such step"
            ]
            continue
        made, before = Ingredients.from_json(newer[step]), Ingredients.from_json(older[step])
        if differences := made.differences(before):
            found[step] = differences
    return found


def _promotes_itself(project: Project, model: str, verdict: Verdict) -> bool:
    """Whether the policy leaves it to the verdict."""
    return project.policy(model) == "auto" and replaces_by_itself(verdict.passed, verdict.outcome)


def _asked(request: Request | None) -> str:
    """Why there was a run at all, for the reason of a promotion that nobody asked for."""
    if request is None:
        return ""
    if request.trigger is None:
        return f"; request {request.id} of {request.asked_by}"
    return f"; request {request.id} of trigger '{request.trigger}': {request.cause.get('reason', '')}"


def main(root: Path) -> int:
    """Judge what waits in the project at `root`; one JSON object a line."""
    project = read_project(root)
    with Ledger.open(project) as ledger:
        for delivery in ledger.unjudged():
            try:
                said: Mapping[str, Any] = judge_delivery(project, ledger, delivery).as_json()
            except WorkbenchError as error:
                said = {"notice": f"'{delivery.model}' version {delivery.version} is not judged: {error}"}
            print(json.dumps(said), flush=True)  # noqa: T201 - it is a program
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
