"""`workbench score`, as a person types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.scored import LOGISTIC, MODEL, WITH_CONTRACT, WITHOUT_CONTRACT, rows
from workbench.cli import main
from workbench.ledger import Ledger
from workbench.settings import Project

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning")

COMMAND = [sys.executable, "-m", "workbench", "score", MODEL]


def promote(project: Project, version: int) -> None:
    with Ledger.open(project) as ledger:
        ledger.record_verdict(
            MODEL,
            version,
            passed=True,
            outcome="promotable",
            content={"thresholds": []},
            champion_version=None,
        )
    assert main(["models", "promote", MODEL, str(version)]) == 0


def said(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> str:
    capsys.readouterr()
    assert main(["score", *words]) == code
    printed = capsys.readouterr()
    return printed.err if code else printed.out


def test_the_champion_scores(scoring: Project, capsys: pytest.CaptureFixture[str]) -> None:
    promote(scoring, WITH_CONTRACT)
    rows(100, x=[50.0] + [1.0] * 99).to_parquet("in.parquet")
    out = said(capsys, MODEL, "in.parquet", "out.parquet", "--keep", "id")
    assert out.splitlines() == [
        "done    in.parquet  99 rows scored, 1 set aside",
        "99 of 100 rows scored by version 5 of 'm' into out.parquet",
        "set aside               rows",
        "x is outside -10 to 10  1",
        "set aside, with reasons: out.quarantine.parquet",
    ]
    frame = pd.read_parquet("out.parquet")
    assert set(frame["version"]) == {WITH_CONTRACT}
    assert frame["id"].tolist() == rows(100)["id"].tolist()[1:]
    assert said(capsys, MODEL, "in.parquet", "out.parquet", "--keep", "id").startswith("cached  in.parquet")


def test_json_is_one_document(scoring: Project, capsys: pytest.CaptureFixture[str]) -> None:
    Path("in").mkdir()
    for number in range(2):
        rows(10, seed=number).to_parquet(f"in/{number}.parquet")
    found = json.loads(said(capsys, MODEL, "in", "out", "--version", str(WITH_CONTRACT), "--json"))
    assert found["rows"] == {"read": 20, "scored": 20, "quarantined": 0, "reasons": {}, "warnings": {}}
    assert [part["source"] for part in found["parts"]] == ["0.parquet", "1.parquet"]
    assert (found["model"], found["version"], found["output"]) == (MODEL, WITH_CONTRACT, "out")


def test_several_files_as_a_shell_expands_them(scoring: Project, capsys: pytest.CaptureFixture[str]) -> None:
    rows(3).to_parquet("a.parquet")
    rows(4).to_csv("b.csv", index=False)
    out = said(capsys, MODEL, "a.parquet", "b.csv", "out", "--version", str(LOGISTIC))
    assert "7 of 7 rows scored by version 7 of 'm' into out in 2 parts" in out
    out = said(capsys, MODEL, "a.parquet", "b.csv", "out", "--version", str(LOGISTIC))
    assert "in 2 parts; 2 of them were there already" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("mm", "in.parquet", "out.parquet"), "no model 'mm'; did you mean 'm'?"),
        ((MODEL, "in.parquet", "out.parquet"), "'m' has no champion yet: workbench models promote m 7"),
        ((MODEL, "in.parquet", "out.parquet", "--version", "77"), "'m' has no version 77; known: 7, 6, 5"),
        ((MODEL, "in.parquet", "out.parquet", "--version", "chempion"), "has no alias 'chempion'; did you mean 'champion'?"),
        ((MODEL, "in.parquet", "out.parquet", "--version", "6"), "version 6 of 'm' has no contract"),
        ((MODEL, "in.parque", "out.parquet", "--version", "5"), "no file or folder 'in.parque'; did you mean 'in.parquet'?"),
        ((MODEL, "in.parquet", "out", "--version", "5"), "expected a name like 'out.parquet'"),
        ((MODEL, "in.parquet", "out.parquet", "--version", "5", "--keep", "idd"), "has no column 'idd' to keep; did you mean 'id'?"),
        ((MODEL, "in.parquet"), "missing argument"),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("scoring")
def test_what_is_wrong_is_said_with_what_to_do(
    words: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows(3).to_parquet("in.parquet")
    assert message in said(capsys, *words, code=2)
    assert not list(Path().glob("*out*"))


@pytest.mark.usefixtures("scoring")
def test_a_table_without_a_feature_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    rows(3).rename(columns={"x": "X", "k": "kind"}).to_parquet("in.parquet")
    told = said(capsys, MODEL, "in.parquet", "out.parquet", "--version", "5", code=1)
    assert "the input is not what version 5 of 'm' takes; nothing was written" in told
    assert "in.parquet: column 'x' is missing" in told
    assert "in.parquet: column 'k' is missing" in told


@pytest.mark.usefixtures("scoring")
def test_that_no_contract_was_enforced_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    rows(3).to_parquet("in.parquet")
    words = (MODEL, "in.parquet", "out.parquet", "--version", str(WITHOUT_CONTRACT), "--no-contract")
    assert "warning: no contract was enforced" in said(capsys, *words)


@pytest.mark.usefixtures("scoring")
def test_no_row_scored_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    rows(3, x=50.0).to_parquet("in.parquet")
    assert main(["score", MODEL, "in.parquet", "out.parquet", "--version", "5"]) == 1
    assert "0 of 3 rows scored" in capsys.readouterr().out
    assert len(pd.read_parquet("out.quarantine.parquet")) == 3


@pytest.mark.parametrize(("number", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143)])
@pytest.mark.usefixtures("scoring")
def test_ended_from_outside_it_goes_on_where_it_was(number: signal.Signals, code: int) -> None:
    Path("in").mkdir()
    for each in range(8):
        rows(40_000, seed=each).to_parquet(f"in/{each}.parquet")
    command = [*COMMAND, "in", "out", "--version", str(WITH_CONTRACT)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as run:
        assert run.stdout is not None
        lines = [run.stdout.readline() for _ in range(2)]
        run.send_signal(number)
        run.stdout.read()
        assert run.wait(60) == code
    assert all(line.startswith("done") for line in lines)
    if number != signal.SIGKILL:
        assert not list(Path("out").glob(".*.unfinished"))
    before = {path: path.stat().st_ino for path in Path("out").glob("[!.]*.parquet")}
    assert 2 <= len(before) < 8
    assert len(pd.read_parquet("out")) == 40_000 * len(before)
    again = subprocess.run([*command, "--json"], capture_output=True, text=True, check=True)
    parts = json.loads(again.stdout)["parts"]
    assert sum(part["done_because"] is None for part in parts) == len(before)
    assert {path: path.stat().st_ino for path in before} == before
    assert len(pd.read_parquet("out")) == 320_000


@pytest.mark.usefixtures("scoring")
def test_a_bar_on_a_terminal() -> None:
    rows(1_000).to_parquet("in.parquet")
    ours, theirs = os.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    words = [*COMMAND, "in.parquet", "out.parquet", "--version", str(WITH_CONTRACT)]
    with subprocess.Popen(words, stdout=theirs, stderr=theirs, env=environment) as run:
        os.close(theirs)
        shown = b"".join(iter(lambda: _read(ours), b"")).decode()
    os.close(ours)
    assert run.returncode == 0, shown
    assert "1,000 rows" in shown
    assert "━" in shown
    assert "1,000 of 1,000 rows scored" in shown


def _read(descriptor: int) -> bytes:
    """What a terminal shows; b'' when nobody writes to it any more, which Linux reports as an error."""
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


def test_help_needs_nothing_heavy() -> None:
    heavy: list[Any] = ["mlflow", "pandas", "pyarrow", "sklearn", "sqlalchemy", "rich"]
    code = (
        "import sys\nfrom workbench.cli import main\nmain(['score', '--help'])\n"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"
