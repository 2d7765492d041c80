"""A promotion in the browser reaches the running server, and its way back too; of two who decide at once one is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT
from tests.serving.parts import Reviewer
from workbench import ledger_trail
from workbench.ledger import Ledger
from workbench.settings import Project

from .app_page import AppPage, started, window
from .lab_page import chromium
from .served import Server, served, until

pytestmark = pytest.mark.e2e


def test_the_server_follows_the_page_and_the_second_reviewer_is_told(
    scoring: Project, tmp_path: Path
) -> None:
    reviewer = Reviewer(scoring)
    reviewer.promote(WITH_CONTRACT)
    reviewer.judge(LOGISTIC, WITH_CONTRACT)
    reviewer.close()
    with (
        served(scoring, "--workers", "1") as server,
        started(scoring) as app,
        chromium(tmp_path) as browser,
        window(browser, app) as ada,
        window(browser, app) as bob,
    ):
        assert version(server) == WITH_CONTRACT
        for each, reason in ((ada, "as good, and simpler"), (bob, "me, too")):
            ask(each, f"Promote version {LOGISTIC}", reason)
        ada.press(f"Promote version {LOGISTIC}")
        ada.says(f"version {LOGISTIC} of 'm' is champion now; it was version {WITH_CONTRACT}")
        until(lambda: version(server) == LOGISTIC, "the promoted version")
        bob.press(f"Promote version {LOGISTIC}")
        bob.says(f"nothing was moved: you decided with version {WITH_CONTRACT} as champion of")
        assert moves(scoring)[1:] == [("promote", LOGISTIC, "as good, and simpler")]

        ada.press(f"Roll back to version {WITH_CONTRACT} …")
        ada.page.get_by_role("textbox", name="Reason").fill("it was not")
        ada.press(f"Roll back to version {WITH_CONTRACT}")
        ada.says(f"version {WITH_CONTRACT} of 'm' is champion again")
        until(lambda: version(server) == WITH_CONTRACT, "the version that was rolled back to")
        assert moves(scoring)[2:] == [("rollback", WITH_CONTRACT, "it was not")]
        assert ada.asked == []


def ask(page: AppPage, words: str, reason: str) -> None:
    """Open the dialog that asks once more, and give the reason."""
    page.goto_page("Models")
    page.press(f"{words} …")
    page.page.get_by_role("textbox", name="Reason").fill(reason)


def version(server: Server) -> int | None:
    """What the server answers with."""
    status, said = server.get("/version")
    assert status == 200
    return said["models"][MODEL]["version"]  # type: ignore[no-any-return]


def moves(project: Project) -> list[tuple[str, int, str]]:
    with Ledger.open(project) as ledger:
        found = ledger_trail.entries(ledger, MODEL)
    return [(each.kind, each.version, each.reason) for each in found if each.phase == "intent"]
