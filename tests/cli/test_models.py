"""`workbench models` as people use it, on a real ledger, MLflow and model files."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.registered import MODEL
from workbench.cli import main
from workbench.ledger import Ledger
from workbench.mlflow_store import Aliases, connect
from workbench.settings import Project, os_user, read_project

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")


@pytest.fixture
def ledger(models: Project) -> Iterator[Ledger]:
    with Ledger.open(models) as opened:
        yield opened


def judged(ledger: Ledger, version: int, champion: int | None, passed: bool = True) -> None:
    thresholds = [
        {"name": "auc", "passed": True, "reason": "0.74 is at least 0.65"},
        {"name": "slice carrier=OO", "passed": passed, "reason": "0.51, the champion has 0.66"},
    ]
    outcome = "promotable" if passed else "refused"
    content = {"thresholds": thresholds}
    ledger.record_verdict(
        MODEL, version, passed=passed, outcome=outcome, content=content, champion_version=champion
    )


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["models", *words]) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def asked(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    capsys.readouterr()
    assert main(["models", *words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


def test_from_verdict_to_champion_and_back(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    judged(ledger, 1, None)
    assert "version 1 of 'm' is champion now; there was none" in said(capsys, "promote", MODEL, "1")
    judged(ledger, 2, 1)
    out = said(capsys, "promote", MODEL, "2", "--reason", "more months")
    assert "version 2 of 'm' is champion now; it was version 1" in out
    assert "workbench models rollback m" in out
    rows = asked(capsys)
    assert [(row["version"], row["state"], row["verdict"]) for row in rows] == [
        (4, "candidate", None), (3, "candidate", None), (2, "champion", "promotable"), (1, "former", "promotable"),
    ]  # fmt: skip
    assert rows[0]["metrics"] == {"auc": "0.74"}
    assert "2        champion   passed, promotable" in said(capsys)
    out = said(capsys, "rollback", MODEL, "--reason", "late flights doubled")
    assert out == "version 1 of 'm' is champion again; it was version 2\n"
    lines = said(capsys, "history", MODEL).splitlines()
    assert [line.split()[4] for line in lines[1:]] == ["rollback", "promote", "promote"]
    assert "late flights doubled" in lines[1]
    assert os_user() in lines[1]


def test_the_page_of_a_version_says_the_verdict_first(
    ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(ledger, 4, None, passed=False)
    lines = said(capsys, "show", MODEL).splitlines()
    assert lines[:4] == [
        "version 4 of 'm': failed, refused",
        "  ✓ auc: 0.74 is at least 0.65",
        "  ✗ slice carrier=OO: 0.51, the champion has 0.66",
        lines[3],
    ]
    assert lines[3].endswith("against no champion")
    text = "\n".join(lines)
    for expected in (
        "not promotable by you:", "run-4, step evaluate", f"author     {os_user()}", "commit     c0ffee4", "auc  0.74",
        "contract.yaml",
    ):  # fmt: skip
        assert expected in text
    page = asked(capsys, "show", MODEL, "3")
    assert (page["version"], page["verdict"], page["promotable"]) == (3, None, False)
    assert page["reasons"] == ["version 3 was not judged"]


def test_an_override_is_shown_for_ever(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    judged(ledger, 1, None, passed=False)
    refusal = said(capsys, "promote", MODEL, "1", code=1)
    assert "its verdict is 'refused' (slice carrier=OO: 0.51, the champion has 0.66)" in refusal
    out = said(capsys, "promote", MODEL, "1", "--override", "--reason", "OO does not fly here")
    assert f"overridden by '{os_user()}': its verdict is 'refused'" in out
    judged(ledger, 1, None)
    assert "promoted against its verdict by" in said(capsys, "show", MODEL, "1")
    assert "promoted against its verdict" in said(capsys, "list", MODEL)
    assert "OVERRIDDEN: its verdict is 'refused'" in said(capsys, "history", MODEL)


def test_reject_and_retire(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    judged(ledger, 1, None)
    assert "is rejected: no" in said(capsys, "reject", MODEL, "1", "--reason", "no")
    assert "it was rejected by" in said(capsys, "promote", MODEL, "1", code=1)
    said(capsys, "promote", MODEL, "1", "--override", "--reason", "yes")
    out = said(capsys, "retire", MODEL, "1", "--reason", "leaks the label")
    assert "'m' has no champion now" in out
    assert [row["state"] for row in asked(capsys, "list", MODEL)] == [
        "candidate",
        "candidate",
        "candidate",
        "retired",
    ]


def test_what_differs_between_two_versions(capsys: pytest.CaptureFixture[str], ledger: Ledger) -> None:
    found = {
        (each["section"], each["name"]): (each["first"], each["second"])
        for each in asked(capsys, "compare", MODEL, "1", "3")
    }
    assert found["metrics", "auc"] == (0.71, 0.73)
    assert found["parameters", "months"] == ([1], [1, 2, 3])
    assert found["code", "commit"] == ("c0ffee1", "c0ffee3")
    assert found["data", "split.test"] == ("test1", "test3")
    assert ("files", "contract.yaml") in found
    assert not [section for section, _ in found if section == "packages"]
    assert "parameters  months" in said(capsys, "compare", MODEL, "1", "3")
    assert "differ in nothing" in said(capsys, "compare", MODEL, "2", "2")


def test_the_trail_is_verified(models: Project, ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    judged(ledger, 1, None)
    said(capsys, "promote", MODEL, "1")
    assert "the audit trail is intact: 2 entries" in said(capsys, "history", "--verify")
    with ledger.writing() as connection:
        connection.exec_driver_sql("DROP TRIGGER promotions_no_update")
        connection.exec_driver_sql("UPDATE promotions SET actor = 'eve' WHERE sequence = 1")
    capsys.readouterr()
    assert main(["models", "history", MODEL, "--verify"]) == 1
    assert "entry 1 (promote of 'm') was changed" in capsys.readouterr().out
    assert asked(capsys, "history", "--verify", code=1)["intact"] is False


def test_what_was_champion_then(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    judged(ledger, 1, None)
    said(capsys, "promote", MODEL, "1")
    today = time.strftime("%Y-%m-%d")
    (live,) = asked(capsys, "history", MODEL, "--at", today)
    assert (live["version"], live["run"], live["until"]) == (1, "run-1", None)
    assert "'m' version 1 from" in said(capsys, "history", MODEL, "--at", today)
    assert said(capsys, "history", MODEL, "--at", "2020-03-03") == "'m' had no champion at 2020-03-03\n"
    assert asked(capsys, "history", MODEL, "--at", "2020-03-03T12:00") == []
    assert "'yesterday' is not a time" in said(capsys, "history", MODEL, "--at", "yesterday", code=2)


def test_an_alias_that_somebody_moved_is_shown(
    models: Project, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(ledger, 1, None)
    said(capsys, "promote", MODEL, "1")
    Aliases(models, connect(models)).set(MODEL, 3)
    assert "ALIAS MOVED HERE IN MLFLOW, not served" in said(capsys, "list", MODEL)
    out = said(capsys, "show", MODEL, "1")
    assert "the alias 'champion' was put on version 3 in MLflow, not by the workbench" in out
    assert "foreign" in said(capsys, "history", MODEL)


def test_roles_and_policies_are_those_of_the_settings(
    models: Project, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    judged(ledger, 1, None)
    settings = models.file.read_text()
    models.file.write_text(f'{settings}[models.m]\npolicy = "two-person"\n')
    assert f"'{os_user()}' is its author" in said(capsys, "promote", MODEL, "1", code=1)
    models.file.write_text(f'{settings}[roles]\nadmin = ["ada"]\noperator = ["{os_user()}"]\n')
    assert "needs the role approver" in said(capsys, "promote", MODEL, "1", code=1)
    models.file.write_text(f'{settings}[roles]\noperator = ["{os_user()}"]\n[models]\npolicy = "auto"\n')
    said(capsys, "promote", MODEL, "1")
    assert read_project(models.root).policy(MODEL) == "auto"


def test_the_champion_that_was_seen_may_be_named(ledger: Ledger, capsys: pytest.CaptureFixture[str]) -> None:
    judged(ledger, 1, None)
    said(capsys, "promote", MODEL, "1")
    judged(ledger, 2, 1)
    refusal = said(capsys, "promote", MODEL, "2", "--replacing", "3", code=1)
    assert "you decided with version 3 as champion of 'm', but meanwhile" in refusal


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("show", "mm"), "no model 'mm'; did you mean 'm'?"),
        (("show", "m", "9"), "'m' has no version 9; known: 4, 3, 2, 1"),
        (("promote", "m", "9"), "'m' has no version 9"),
        (("rollback", "n", "--reason", "x"), "no model 'n'; known: m"),
        (("promot", "m", "1"), "no such command 'promot'; did you mean 'promote'?"),
        (("rollback", "m"), "missing option '--reason'"),
        (("promote", "m", "one"), "'one' is not a valid integer"),
    ],
)
@pytest.mark.usefixtures("models")
def test_what_is_wrong_is_said_with_what_is_known(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert message in said(capsys, *words, code=2)


@pytest.mark.usefixtures("project")
def test_without_mlflow_there_are_no_models(capsys: pytest.CaptureFixture[str]) -> None:
    assert "MLflow, which is off: set mlflow.enabled" in said(capsys, "list", code=2)


def test_an_empty_registry_says_how_to_begin(
    models: Project, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    connect(models).delete_registered_model(MODEL)
    assert "a pipeline with a `model:` section registers" in said(capsys, "list")
    assert "no model 'm'" in said(capsys, "show", MODEL, code=2)
    assert "start with: workbench models promote" in said(capsys, "history")


def test_a_rollback_reaches_for_no_network(
    models: Project, ledger: Ledger, capsys: pytest.CaptureFixture[str]
) -> None:
    for version, champion in ((1, None), (2, 1)):
        judged(ledger, version, champion)
        said(capsys, "promote", MODEL, str(version))
    code = (
        "import sys\n"
        "def watch(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.sendto'): print('network:', event, arguments)\n"
        "sys.addaudithook(watch)\n"
        "from workbench.cli import main\n"
        "sys.exit(main(['models', 'rollback', 'm', '--reason', 'x']))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out == "version 1 of 'm' is champion again; it was version 2\n"


def test_help_needs_nothing_heavy() -> None:
    code = (
        "import sys\nfrom workbench.cli import main\nmain(['models', 'promote', '--help'])\n"
        "print([name for name in ('mlflow', 'sqlalchemy', 'sklearn') if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
