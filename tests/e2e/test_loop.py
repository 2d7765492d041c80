"""The whole loop, closed by itself: new data, an alert, a retrain, the gates, a promotion, the swap; then back along the links."""

from __future__ import annotations

import http.client
import json
import shutil
import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tests.registered import deliver, fit
from tests.serving.parts import Reviewer
from workbench import ledger_queue as queue
from workbench import ledger_trail
from workbench.cli import main
from workbench.ledger import Ledger
from workbench.ledger_alerts import alerts
from workbench.mlflow_store import Aliases, connect
from workbench.settings import Project, read_project

from .served import answered, asking, until
from .services import up

FIT = """
import pandas as pd
from workbench.modeling import make_estimator, save_mlflow_model
rows = pd.concat([pd.read_csv(path) for path in sorted(data)]).tail(newest)
features = rows[["x", "k"]]
save_mlflow_model(make_estimator("logistic", features).fit(features, rows["late"]), best, features)
"""
REVIEW = """
import json
from pathlib import Path
import pandas as pd
from workbench.evaluation import bootstrap_weights
from workbench.evidence import difference, predictions, probabilities
from workbench.modeling import load_model
rows = pd.read_csv(sorted(data)[-1])
weights = bootstrap_weights(len(rows), 200)
scores = probabilities(load_model(candidate), rows[["x", "k"]])
compared = None
if champion:
    others = probabilities(load_model(champion), rows[["x", "k"]])
    compared = {"difference": difference(rows["late"], scores, others, weights)}
found = {"directions": {"log_loss": "lower"}, "champion": compared, "predictions": predictions(scores)}
Path(evidence).write_text(json.dumps(found))
"""
PIPELINE = """\
pipeline: loop
steps:
  fit: {notebook: fit.ipynb, inputs: {data: "file:data/*.csv"}, outputs: {best: best/}}
  review:
    notebook: review.ipynb
    inputs: {candidate: fit.best, champion: "model:m@champion", data: "file:data/*.csv"}
    outputs: {evidence: evidence.json}
model:
  name: m
  version: fit.best
  evidence: review.evidence
  contract: notebooks/contracts/rows.yaml
  gates: {champion: {metric: log_loss, margin: 0.01}, serving: {}}
  monitors: {window: 5s, quality: {max_share: 0.05, critical: 5}}
triggers:
  - {alert: {monitor: quality, min_severity: critical}, cool_down: 1h}
"""
CONTRACT = """\
contract: rows
label: late
columns:
  x: {type: float, min: -10, max: 4, severity: warn}
  k: {type: category, values: [a, b, c]}
  late: {type: int, values: [0, 1]}
"""
SETTINGS = """\
[project]
name = "loop"
[models]
policy = "auto"
[serve]
port = %d
[service]
check_every = "500ms"
app = false
mlflow = false
"""
OLD, NEW = 8, 9
"""The version that serves at first, and the one that the loop makes."""


@dataclass(frozen=True)
class Served:
    """The server that the service runs."""

    host: str
    port: int

    @property
    def version(self) -> int | None:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request("GET", "/version")
            return json.loads(connection.getresponse().read())["models"]["m"]["version"]  # type: ignore[no-any-return]
        except OSError:
            return None
        finally:
            connection.close()


def table(seed: int, centre: float, sign: int) -> pd.DataFrame:
    """Four hundred rows around `centre`, on one side of which the label is 1."""
    generator = np.random.default_rng(seed)
    x = centre + generator.normal(size=400)
    late = (sign * (x - centre) + generator.normal(scale=0.5, size=400) > 0).astype(int)
    return pd.DataFrame({"x": x, "k": generator.choice(list("ab"), 400), "late": late})


def questions(rows: pd.DataFrame) -> list[dict[str, Any]]:
    return rows[["x", "k"]].to_dict("records")


@pytest.fixture
def loop(
    project: Project, write_notebook: Callable[..., Path], write_pipeline: Any, scoring: Project
) -> Project:
    """A project whose model `m` has a champion under the contract."""
    write_notebook("fit.ipynb", FIT, parameters="data: list[str] = []\nnewest: int = 400\nbest: str = ''")
    write_notebook(
        "review.ipynb", REVIEW,
        parameters="data: list[str] = []\ncandidate: str = ''\nchampion: str | None = None\nevidence: str = ''",
    )  # fmt: skip
    write_pipeline("loop", PIPELINE)
    shutil.copytree(project.notebooks, scoring.notebooks)
    contract = scoring.notebooks / "contracts" / "rows.yaml"
    contract.parent.mkdir()
    contract.write_text(CONTRACT)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        scoring.file.write_text(SETTINGS % taken.getsockname()[1])
    arrives(scoring, "2013-01", table(1, 0, 1))
    fit(scoring.root / "fitted-again", "logistic")
    with Ledger.open(scoring) as ledger:
        deliver(scoring, ledger, scoring.root / "fitted-again", OLD, contract="notebooks/contracts/rows.yaml")
    Reviewer(scoring, Aliases(scoring, connect(scoring))).promote(OLD)
    return read_project(scoring.root)


def arrives(project: Project, name: str, rows: pd.DataFrame) -> None:
    """A file that is there all at once."""
    folder = project.root / "data"
    folder.mkdir(exist_ok=True)
    rows.to_csv(folder / f".{name}", index=False)
    (folder / f".{name}").rename(folder / f"{name}.csv")


@pytest.mark.e2e
@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")
def test_the_loop_closes_by_itself_and_every_link_leads_both_ways(
    loop: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    served, rows = Served("127.0.0.1", loop.serve.port), questions(table(3, 0, 1))
    with up(loop) as service:
        until(lambda: served.version == OLD, f"the champion: {service.said}")
        with asking(served, rows, 2, pause=0.02) as clients:  # type: ignore[arg-type]
            until(lambda: answered(clients) > 20)
            arrives(loop, "2013-02", table(2, 6, -1))
            rows[:] = questions(table(4, 6, -1))  # and what is asked from now on is like it
            until(lambda: served.version == NEW, "the new version")
            before = answered(clients)
            until(lambda: answered(clients) > before + 20)
    assert sum((each.statuses for each in clients), Counter()).keys() == {200}
    assert sum(each.broken for each in clients) == 0
    for each in clients:
        assert each.versions == sorted(each.versions)
        assert {*each.versions} == {OLD, NEW}

    with Ledger.open(loop) as ledger:
        (alert,) = alerts(ledger, "m")
        (request,) = queue.requests(ledger)
        promoted = ledger_trail.entries(ledger, "m")[-2]
    assert (alert.monitor, alert.severity, request.state) == ("quality", "critical", "done")
    assert (promoted.actor, promoted.version, promoted.phase) == ("service", NEW, "intent")
    cause = promoted.content["cause"]
    assert (cause["request"], cause["trigger"], cause["alert"]) == (request.id, "alert", alert.id)
    assert (
        f"request {request.id} of trigger 'alert': critical alert {alert.id}, quality of" in promoted.reason
    )
    assert main(["queue", "show", str(request.id)]) == 0
    said = capsys.readouterr().out
    for link in (
        f"(alert {alert.id})",
        f"run       {request.run}: done",
        f"version   m {NEW}",
        "better than",
        "by service",
    ):
        assert link in said
    assert main(["alerts", "show", str(alert.id)]) == 0
    assert f"request {request.id} for a run of 'loop': done" in capsys.readouterr().out
    assert main(["runs", "show", str(request.run)]) == 0
    assert f"see: workbench queue show {request.id}" in capsys.readouterr().out
