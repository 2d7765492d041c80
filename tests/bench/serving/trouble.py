"""What must hold while versions move and processes die: `python tests/bench/serving/trouble.py swaps|kills [TIMES]`.

`swaps`: promotions under 32 connections to two workers; each one waits until every worker answers with the new version.
`kills`: `kill -9` of a worker, and each tenth time of the server itself, under 8 connections; then every answer that was given
is looked for in the prediction log. Both print JSON and exit with 1 when something does not hold.

The model is small, so that a lot happens in little time; each promotion is one that has to be loaded.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import statistics
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
sys.path.insert(1, str(REPOSITORY))

from tests import registered, scored  # noqa: E402
from tests.e2e.served import Client, answered, asking, logged, served, until  # noqa: E402
from tests.serving.parts import Reviewer  # noqa: E402
from workbench.ledger import Ledger  # noqa: E402
from workbench.settings import Project, read_project  # noqa: E402

CYCLE = (scored.WITH_CONTRACT, scored.LOGISTIC, 8, 9)
"""Versions in the order in which they are promoted. A worker holds two, so each promotion loads one."""

CONVERGED = 2.0
"""Seconds after which every worker answers with the promoted version."""


def swaps(project: Project, times: int = 100, connections: int = 32) -> dict[str, Any]:
    """Promote again and again; what the connections saw."""
    reviewer = Reviewer(project)
    reviewer.promote(CYCLE[0])
    rows = scored.rows(50)[["x", "k"]].to_dict("records")
    seconds, moments = [], [(0.0, CYCLE[0])]
    with served(project, "--workers", "2") as server, asking(server, rows, connections) as clients:
        until(lambda: answered(clients) > 20 * connections)
        before = [len(each.seconds) for each in clients]
        for version in itertools.islice(itertools.cycle(CYCLE[1:] + CYCLE[:1]), times):
            began = time.monotonic()
            reviewer.promote(version)
            promoted = time.monotonic()
            until(lambda: set(server.versions().values()) == {version}, f"version {version}")  # noqa: B023
            seconds.append(time.monotonic() - promoted)
            moments.append((began, version))
    reviewer.close()
    quiet = [each for client, n in zip(clients, before, strict=True) for each in client.seconds[:n]]
    moved = [each for client, n in zip(clients, before, strict=True) for each in client.seconds[n:]]
    statuses = sum((each.statuses for each in clients), Counter[int]())
    return {
        "swaps": times,
        "connections": connections,
        "requests": sum(statuses.values()),
        "not_2xx": sum(count for status, count in statuses.items() if status != 200),
        "broken_connections": sum(each.broken for each in clients),
        "never_promoted": sum(version not in CYCLE for each in clients for version in each.versions),
        "went_back": sum(backwards(each) for each in clients),
        "seconds_to_converge": {
            "median": round(statistics.median(seconds), 2),
            "most": round(max(seconds), 2),
        },
        "p99_ms": {"before": _p99(quiet), "while_versions_move": _p99(moved)},
    }


def backwards(client: Client) -> int:
    """How often a connection, which belongs to one worker, saw a version that does not come next."""
    follows = dict(zip(CYCLE, CYCLE[1:] + CYCLE[:1], strict=True))
    return sum(
        after not in (before, follows[before]) for before, after in itertools.pairwise(client.versions)
    )


def kills(project: Project, times: int = 50, connections: int = 8) -> dict[str, Any]:
    """Kill again and again; what is on record of what was answered."""
    reviewer = Reviewer(project)
    reviewer.promote(CYCLE[0])
    reviewer.close()
    rows = scored.rows(50)[["x", "k"]].to_dict("records")
    done, everybody = 0, []
    while done < times:
        with served(project, "--workers", "2") as server, asking(server, rows, connections) as clients:
            everybody += clients
            for _ in range(min(10, times - done)):
                until(lambda: len(server.workers()) > 1)
                before = answered(clients)
                until(lambda: answered(clients) > before + 5 * connections)  # noqa: B023
                done += 1
                if done % 10 == 0:
                    server.end(signal.SIGKILL)
                    break
                server.workers()[done % 2].kill()
    known = logged(project)
    acknowledged = [each for client in everybody for each in client.acknowledged]
    return {
        "kills": done,
        "acknowledged": len(acknowledged),
        "acknowledged_and_not_on_record": sum(known[each] == 0 for each in acknowledged),
        "on_record_more_than_once": sum(count > 1 for count in known.values()),
        "on_record_and_not_acknowledged": len(known) - len(acknowledged),
        "requests_without_an_answer": sum(each.broken for each in everybody),
    }


MUST_BE_NOTHING = (
    "not_2xx", "broken_connections", "never_promoted", "went_back",
    "acknowledged_and_not_on_record", "on_record_more_than_once",
)  # fmt: skip


def measure(what: str, times: int | None = None) -> dict[str, Any]:
    """`swaps` or `kills` in a throw-away project."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="workbench-trouble-") as folder:
        try:
            project = make(Path(folder).resolve())
            do = {"swaps": swaps, "kills": kills}[what]
            return do(project) if times is None else do(project, times)
        finally:
            os.environ.clear()
            os.environ.update(before)


def missed(found: dict[str, Any]) -> list[str]:
    """What does not hold."""
    wrong = [f"{name}: {found[name]}" for name in MUST_BE_NOTHING if found.get(name)]
    most = found.get("seconds_to_converge", {}).get("most", 0.0)
    return [*wrong, *([f"a swap took {most} s, expected at most {CONVERGED}"] if most > CONVERGED else [])]


def make(folder: Path) -> Project:
    """A project with the versions of CYCLE."""
    registered.make(folder / "registered")
    scored.make(folder / "registered", folder / "project")
    project = read_project(folder / "project")
    contract = registered.relative(project.root / "delivered" / "rows.yaml", project)
    with warnings.catch_warnings(), Ledger.open(project) as ledger:
        warnings.simplefilter("ignore")  # MLflow's own, which importing and saving with it gives
        for version in CYCLE[2:]:
            registered.deliver(project, ledger, project.root / "fitted", version, contract=contract)
    return project


def _p99(seconds: Sequence[float]) -> float:
    return round(sorted(seconds)[int(len(seconds) * 0.99)] * 1000, 1)


if __name__ == "__main__":
    result = measure(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else None)
    print(json.dumps(result, indent=1))
    for each in missed(result):
        print(f"missed: {each}", file=sys.stderr)
    sys.exit(1 if missed(result) else 0)
