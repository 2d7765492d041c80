"""A window judged from end to end: real log, registry, contract, ledger and a real receiver of what is told."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.cli.test_commands import call
from tests.scored import MODEL, WITH_CONTRACT
from tests.test_monitoring import LATE, START, known, log
from workbench import ledger_alerts, ledger_notices
from workbench.drift.reference import FILE
from workbench.errors import BadInput, SpecError
from workbench.ledger import Ledger
from workbench.monitors import last_whole
from workbench.notify import channels, deliver
from workbench.prediction_log.outcomes import add_outcomes
from workbench.registration import attach
from workbench.settings import Project, read_project
from workbench.window_page import window_page
from workbench.windows import Seen, judge, look

END = START + timedelta(days=7)
MONITORS = (
    "{inputs: {}, answers: {}, quality: {max_share: 0.02}, volume: {min_rows: 500}, freshness: {max_age: 1d}}"
)

Declare = Callable[[str], None]


@pytest.fixture
def watched(scoring: Project) -> Project:
    with Ledger.open(scoring) as ledger:
        attach(scoring, ledger, MODEL, WITH_CONTRACT, FILE, known().to_json().encode())
    return scoring


@pytest.fixture
def declare(watched: Project) -> Declare:
    """Write a pipeline file that declares these monitors; its notebook is missing, which must not matter."""

    def write(monitors: str) -> None:
        watched.notebooks.mkdir(exist_ok=True)
        (watched.notebooks / "train.yaml").write_text(
            "pipeline: train\nsteps:\n  s: {notebook: gone.ipynb, outputs: {o: o.txt}}\n"
            f"model:\n  name: {MODEL}\n  version: s.o\n  monitors: {monitors}\n"
        )

    write(MONITORS)
    return write


def week(project: Project, days: int = 0, **more: Any) -> Seen:
    """The week of the log, or the one so many days later, as if its version served."""
    shift = timedelta(days=days)
    return judge(project, MODEL, since=START + shift, until=END + shift, version=WITH_CONTRACT, **more)


@pytest.fixture
def champion(watched: Project) -> None:
    """The version under a contract serves."""
    from workbench.mlflow_store import Aliases, connect
    from workbench.promotion import Promotions, actor_here

    with Ledger.open(watched) as ledger:
        promotions = Promotions(watched, ledger, Aliases(watched, connect(watched)))
        person = actor_here(watched)
        promotions.promote(MODEL, WITH_CONTRACT, person, expected=None, override=True, reason="for a test")


def test_an_ordinary_week_has_nothing_to_report(watched: Project, declare: Declare, champion: None) -> None:
    log(watched)
    seen = week(watched)
    assert (seen.window.rows, seen.window.refused, seen.changes, seen.open) == (700, "", (), ())
    assert {each.monitor for each in seen.window.findings} == {
        "inputs",
        "answers",
        "quality",
        "volume",
        "freshness",
    }
    assert not [each for each in seen.window.findings if each.severity]
    assert "Nothing to report" in window_page(seen)
    with Ledger.open(watched) as ledger:
        kept = ledger_alerts.window_of(ledger, seen.window.id)
    assert kept is not None
    assert kept.findings == seen.window.findings
    assert kept.content["watched"]["rows"] == kept.content["health"]["rows"] == 700


def test_what_moved_opens_an_alert_once(watched: Project, declare: Declare, champion: None) -> None:
    log(watched, x=lambda rows: rows["x"] * 1.6)
    first, again = week(watched), week(watched)
    assert [(change.event, alert.monitor, alert.subject) for change, alert in first.changes] == [
        ("opened", "inputs", "x")
    ]
    assert again.changes == ()
    assert again.window.id == first.window.id
    assert [alert.id for alert in again.open] == [1]
    page = window_page(first)
    assert "What this window changed" in page
    assert "more than is ordinary" in page
    assert "Open before, and still" in window_page(again)


def test_a_window_with_too_little_is_refused_and_still_on_record(
    watched: Project, declare: Declare, champion: None
) -> None:
    log(watched, 1)
    seen = week(watched)
    assert "100 rows, expected at least 200" in seen.window.refused
    assert {each.monitor for each in seen.window.findings} == {"quality", "volume", "freshness"}
    assert {alert.monitor for alert in seen.open} == {"volume", "freshness"}
    assert "Not compared" in window_page(seen)
    empty = week(watched, days=30)
    assert (empty.window.rows, {alert.monitor for alert in empty.open}) == (0, {"volume", "freshness"})


def test_alerts_are_those_of_the_version_that_serves(watched: Project, declare: Declare) -> None:
    log(watched, x=lambda rows: rows["x"] * 1.6)
    seen = week(watched)
    assert [each.subject for each in seen.window.findings if each.severity] == ["x"]
    assert (seen.changes, seen.open) == ((), ())


@pytest.mark.parametrize(("window", "expected"), [
    (7 * 86_400.0, ("2026-03-02", "2026-03-09")),
    (86_400.0, ("2026-03-08", "2026-03-09")),
    (3_600.0, ("2026-03-09T17", "2026-03-09T18")),
])  # fmt: skip
def test_the_last_whole_window(window: float, expected: tuple[str, str]) -> None:
    now = datetime(2026, 3, 9, 18, 7, tzinfo=UTC).timestamp()
    begin, end = (datetime.fromisoformat(each).replace(tzinfo=UTC).timestamp() for each in expected)
    assert last_whole(window, now) == (begin, end)


def test_by_default_it_is_the_last_whole_one(watched: Project, declare: Declare, champion: None) -> None:
    log(watched)
    seen = judge(watched, MODEL, now=(END + timedelta(hours=5)).timestamp())
    assert (seen.window.since, seen.window.until) == (START.timestamp(), END.timestamp())
    assert judge(watched, MODEL, since=START).window.until == END.timestamp()
    assert judge(watched, MODEL, until=END).window.since == START.timestamp()


@pytest.mark.parametrize(("monitors", "error", "message"), [
    ("{inpust: {}}", SpecError, "model.monitors.inpust: unknown key; did you mean 'inputs'?"),
    ("{}", BadInput, "'train.yaml' declares no monitors for 'm'; add such as"),
    ("{quality: {max_share: 0.1, rules: {y is missing: 0.2}}}", BadInput, "'y is missing' is no rule of the contract"),
])  # fmt: skip
def test_what_is_declared_wrong_is_refused(
    watched: Project, declare: Declare, monitors: str, error: type[Exception], message: str
) -> None:
    declare(monitors)
    with pytest.raises(error) as caught:
        week(watched)
    assert message in str(caught.value)


def test_whose_monitors_cannot_be_known(watched: Project, declare: Declare) -> None:
    with pytest.raises(BadInput, match="no pipeline delivers a model 'mm'; did you mean 'm'"):
        judge(watched, "mm")
    (watched.notebooks / "again.yaml").write_text((watched.notebooks / "train.yaml").read_text())
    with pytest.raises(BadInput, match=r"declared twice, in 'again\.yaml' and 'train\.yaml'"):
        week(watched)


# On the command line, and told


class Receiver:
    """A webhook that keeps what it gets; it can refuse."""

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        self.status = 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if receiver.status == 200:
                    receiver.got.append(json.loads(body))
                self.send_response(receiver.status)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return None

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"json://127.0.0.1:{self.server.server_port}/hooks/${{HOOK_TOKEN}}"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    thread = Thread(target=found.server.serve_forever)
    thread.start()
    yield found
    found.server.shutdown()
    thread.join()
    found.server.server_close()


@pytest.fixture
def told(watched: Project, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The project with that webhook for a channel."""
    file = watched.root / "workbench.toml"
    file.write_text(file.read_text() + f'\n[notify]\nurls = ["{receiver.url}"]\n')
    monkeypatch.setenv("HOOK_TOKEN", "s3cret-t0ken")
    return read_project(watched.root)


WINDOW = ["--since", f"{START:%Y-%m-%d}", "--until", f"{END:%Y-%m-%d}"]


def test_the_whole_way_by_hand(
    told: Project,
    declare: Declare,
    champion: None,
    receiver: Receiver,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    log(told, x=lambda rows: rows["x"] * 1.6)
    page = tmp_path / "new" / "page.html"
    assert call("monitor", MODEL, *WINDOW, "--report", str(page)) == 0
    out = capsys.readouterr().out
    assert "warning  inputs   'x' moved" in out
    assert "alert 1 opened" in out
    assert "1 told to json-" in out
    assert page.read_text().startswith("<!doctype html>")
    (message,) = receiver.got
    assert message["title"] == "m: alerts 1 new [1]"
    assert message["type"] == "warning"
    assert "inputs: 'x' moved" in message["message"]
    assert call("monitor", MODEL, *WINDOW, "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert (again["changes"], again["told"]["sent"], len(receiver.got)) == ([], {}, 1)

    assert call("alerts", "--json") == 0
    (listed,) = json.loads(capsys.readouterr().out)
    assert (listed["subject"], listed["state"]) == ("x", "open")
    assert call("alerts", "ack", "1") == 0
    assert call("alerts", "show", "1") == 0
    shown = capsys.readouterr().out
    assert "alert 1: warning, acknowledged" in shown
    assert "sent" in shown
    assert call("alerts", "resolve", "1", "--reason", "as the season has it") == 0
    assert call("alerts", "send") == 0
    assert "resolved" in receiver.got[1]["title"]
    assert call("alerts", "list", MODEL) == 0
    assert "no open alert" in capsys.readouterr().out
    assert call("alerts", "list", "--all", "--json") == 0
    assert "s3cret" not in capsys.readouterr().out


@pytest.mark.parametrize(("words", "message"), [
    (["monitor", "mm"], "no pipeline delivers a model 'mm'; did you mean 'm'?"),
    (["monitor", MODEL, *WINDOW, "--days", "3"], "leave one of them out"),
    (["monitor", MODEL, "--since", "2026-03-09", "--until", "2026-03-02"], "before it starts"),
    (["monitor", MODEL, *WINDOW, "--version", "champoin"], "did you mean 'champion'"),
    (["alerts", "list", "mm"], "no model 'mm'; did you mean 'm'?"),
    (["alerts", "show", "7"], "there is no alert 7"),
    (["alerts", "ack", "7"], "there is no alert 7"),
    (["alerts", "resolve", "7", "--reason", " "], "says nothing"),
    (["alerts", "resolve", "7"], "'--reason'"),
    (["alerts", "shw"], "did you mean 'show'?"),
])  # fmt: skip
def test_bad_input_is_refused(
    watched: Project, declare: Declare, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert call(*words) == 2
    assert message in capsys.readouterr().err


def test_a_service_that_is_down_is_told_later_and_no_secret_shown(
    told: Project, declare: Declare, champion: None, receiver: Receiver, capsys: pytest.CaptureFixture[str]
) -> None:
    log(told, x=lambda rows: rows["x"] * 1.6)
    receiver.status = 500
    assert call("monitor", MODEL, *WINDOW) == 1
    said = capsys.readouterr()
    assert "1 not told to json-" in said.err
    assert "s3cret" not in said.out + said.err
    with Ledger.open(told) as ledger:
        (waiting,) = ledger_notices.notices(ledger)
    assert (waiting.state, waiting.attempts) == ("waiting", 1)
    assert waiting.message
    assert "s3cret" not in waiting.message
    receiver.status = 200
    assert call("alerts", "send") == 0  # its next attempt is a minute away
    assert receiver.got == []
    assert call("alerts", "send", "--retry") == 0
    assert [each["title"] for each in receiver.got] == ["m: alerts 1 new [1]"]


def test_a_variable_that_is_not_set_is_named(
    told: Project, declare: Declare, champion: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(told, x=lambda rows: rows["x"] * 1.6)
    seen = week(told)
    assert seen.changes
    monkeypatch.delenv("HOOK_TOKEN")
    with Ledger.open(told) as ledger:
        found = deliver(told, ledger)
        (name,) = channels(told)
        assert found.reasons == {
            name: "[notify] needs the environment variable 'HOOK_TOKEN', which is not set"
        }
        other = read_project(told.root).__class__(**{**vars(told), "notify": ()})
        gone = deliver(other, ledger, every=True)
    assert "not in [notify]" in gone.reasons[name]


def test_a_window_is_judged_again_when_outcomes_have_come(
    watched: Project, declare: Declare, champion: None
) -> None:
    declare("{performance: {metric: log_loss, wait: 3d}}")
    ids = log(watched)
    (first,) = look(watched, MODEL, now=(END + timedelta(hours=1)).timestamp())
    assert [each.window.id for each in look(watched, MODEL, now=(END + timedelta(days=1)).timestamp())] == [2]
    add_outcomes(watched, MODEL, {"id": ids, "late": [0, 1] * 350}, labelling=LATE)
    later = look(watched, MODEL, now=(END + timedelta(days=2)).timestamp())
    assert [each.window.id for each in later] == [first.window.id, 2, 3]
    assert [each.watched.outcomes for each in later if each.watched] == [700, 600, 500]
    assert [each.window.id for each in look(watched, MODEL, now=(END + timedelta(days=2)).timestamp())] == [3]


def test_outcomes_that_come_too_late_are_left_alone(
    watched: Project, declare: Declare, champion: None
) -> None:
    declare("{performance: {metric: log_loss, wait: 3d}}")
    ids = log(watched)
    look(watched, MODEL, now=(END + timedelta(hours=1)).timestamp())
    add_outcomes(watched, MODEL, {"id": ids, "late": [0, 1] * 350}, labelling=LATE)
    assert len(look(watched, MODEL, now=(END + timedelta(days=9)).timestamp())) == 1
    declare("{inputs: {}}")
    assert len(look(watched, MODEL, now=(END + timedelta(days=2)).timestamp())) == 1
