"""A whole server under load: versions that move, workers and the server itself killed, the end."""

from __future__ import annotations

import signal
import socket
from collections import Counter

import pytest

from tests.e2e.served import answered, asking, logged, served, until
from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT, rows
from tests.serving.parts import Reviewer
from workbench.cli import main
from workbench.settings import Project

pytestmark = pytest.mark.e2e

ROWS = rows(50)[["x", "k"]].to_dict("records")


@pytest.fixture
def reviewer(scoring: Project) -> Reviewer:
    ada = Reviewer(scoring)
    ada.promote(WITH_CONTRACT)
    return ada


def test_a_promotion_under_load_fails_no_request_and_reaches_every_worker(
    scoring: Project, reviewer: Reviewer
) -> None:
    with served(scoring, "--workers", "2") as server:
        with asking(server, ROWS, 8) as clients:
            until(lambda: answered(clients) > 50)
            reviewer.promote(LOGISTIC)
            until(lambda: set(server.versions().values()) == {LOGISTIC}, "the new version")
            before = answered(clients)
            until(lambda: answered(clients) > before + 50)
        workers = server.versions()
    assert len(workers) == 2
    assert sum((each.statuses for each in clients), Counter()).keys() == {200}
    assert sum(each.broken for each in clients) == 0
    for each in clients:  # a connection belongs to one worker
        assert each.versions == sorted(each.versions)
        assert {*each.versions} <= {WITH_CONTRACT, LOGISTIC}
    known = logged(scoring)
    assert all(known[each] == 1 for client in clients for each in client.acknowledged)


def test_what_was_acknowledged_is_on_record_once_when_workers_are_killed(
    scoring: Project, reviewer: Reviewer
) -> None:
    with served(scoring, "--workers", "2") as server, asking(server, ROWS, 8) as clients:
        for _ in range(3):
            before = answered(clients)
            until(lambda: answered(clients) > before + 30)  # noqa: B023 - called at once
            victim = server.workers()[0]
            victim.kill()
            until(lambda: victim.pid not in [each.pid for each in server.workers()])  # noqa: B023
        until(lambda: len(server.workers()) == 2)
        before = answered(clients)
        until(lambda: answered(clients) > before + 50)
    known = logged(scoring)
    acknowledged = [each for client in clients for each in client.acknowledged]
    assert len(acknowledged) == len(set(acknowledged))
    assert [each for each in acknowledged if known[each] != 1] == []
    assert max(known.values()) == 1
    assert sum("died: killed by SIGKILL; starts again" in line for line in server.said) == 3


def test_a_server_that_is_killed_takes_its_workers_with_it_and_loses_nothing(
    scoring: Project, reviewer: Reviewer
) -> None:
    with served(scoring, "--workers", "2") as server, asking(server, ROWS, 8) as clients:
        until(lambda: answered(clients) > 50)
        workers = server.workers()
        assert server.end(signal.SIGKILL) == -signal.SIGKILL
        until(lambda: not any(each.is_running() for each in workers), "the end of the workers")
    known = logged(scoring)
    assert [each for client in clients for each in client.acknowledged if known[each] != 1] == []
    with served(scoring) as server:  # the next one tidies up
        assert server.get("/v2/health/ready")[0] == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_has_it_answer_what_is_in_hand_and_end(
    scoring: Project, reviewer: Reviewer, number: signal.Signals
) -> None:
    with served(scoring) as server, asking(server, ROWS, 4) as clients:
        until(lambda: answered(clients) > 20)
        assert server.end(number) == 0
    assert {*sum((each.statuses for each in clients), Counter())} <= {200, 503}
    known = logged(scoring)
    assert [each for client in clients for each in client.acknowledged if known[each] != 1] == []
    assert not list((scoring.state / "serve").iterdir())


def test_what_cannot_be_served_is_said_before_anything_starts(
    scoring: Project, reviewer: Reviewer, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*words: str) -> str:
        assert main(["serve", *words]) == 2
        return capsys.readouterr().err

    assert "no model 'mm'; did you mean 'm'?" in refused("mm")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        said = refused("--port", str(taken.getsockname()[1]))
    assert "cannot listen on 127.0.0.1:" in said
    assert "choose another address: --port" in said
    assert "workbench keys add" in refused("--host", "0.0.0.0")
    reviewer.retire(WITH_CONTRACT)
    assert "'m' has no champion that could answer: workbench models promote m" in refused(MODEL)
    assert "no model has a champion that could answer" in refused()
