"""The commands, as a person types them."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from workbench.cli import main
from workbench.schema import MODEL_KEYS, PIPELINE_KEYS, STEP_KEYS
from workbench.setting_keys import DEFAULTS
from workbench.settings import Project
from workbench.trigger_keys import TRIGGER_KEYS

pytestmark = pytest.mark.measured

HEAVY = ["mlflow", "pandas", "papermill", "sklearn", "sqlalchemy", "rich", "pydantic", "nbformat"]


@pytest.fixture
def hello(project: Project, write_notebook: Callable[..., Path], write_pipeline: Any) -> Project:
    write_notebook(
        "hello.ipynb",
        "print('hello', x)\nopen(out, 'w').write(str(x))",
        parameters="x: int = 1\nout: str = ''",
    )
    write_pipeline("hello", "pipeline: hello\nsteps:\n  s: {notebook: hello.ipynb, outputs: {out: o.txt}}\n")
    return project


def call(*words: str) -> int:
    """The exit code of a command."""
    try:
        code = main(list(words))
    except SystemExit as ended:
        code = ended.code  # type: ignore[assignment]
    return int(code or 0)


def test_a_run_its_record_and_its_log(hello: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("run", "hello") == 0
    assert call("runs", "list", "--json") == 0
    assert call("runs", "show", "latest") == 0
    assert call("runs", "log", "latest", "s") == 0
    assert "hello 1" in capsys.readouterr().out
    assert call("run", "hello") == 0
    assert "nothing to do" in capsys.readouterr().out


def test_json_is_one_object_a_line(hello: Project, capsys: pytest.CaptureFixture[str]) -> None:
    call("run", "hello", "--json")
    events = [json.loads(line)["event"] for line in capsys.readouterr().out.splitlines()]
    assert events[0] == "RunStarted"
    assert "RunFinished" in events


def test_a_dry_run_runs_nothing(hello: Project) -> None:
    assert call("run", "hello", "--dry-run") == 0
    assert not hello.store.joinpath("objects").exists()


def test_the_plan_can_be_drawn(hello: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("plan", "hello", "--graph") == 0
    assert "flowchart" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rn", "hello"], "did you mean 'run'"),
        (["run", "helo"], "did you mean 'hello'"),
        (["run", "hello", "-p", "y=1"], "no notebook declares"),
        (["run", "hello", "-p", "x=one"], "is not int"),
        (["run", "hello", "--step", "t"], "has no step 't'"),
    ],
)
def test_bad_input_is_refused_with_the_nearest_name(
    hello: Project, capsys: pytest.CaptureFixture[str], words: list[str], message: str
) -> None:
    assert call(*words) == 2
    assert message in capsys.readouterr().err


def test_a_failing_notebook_shows_the_line_and_how_to_go_on(
    hello: Project, write_notebook: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    write_notebook("hello.ipynb", "a = 1\na / 0", parameters="x: int = 1\nout: str = ''")
    assert call("run", "hello", "-p", "x=3") == 1
    printed = capsys.readouterr()
    text = printed.out + printed.err
    assert "ZeroDivisionError" in text
    assert re.search(r"→.*a / 0", text)
    assert "workbench run hello -p x=3" in text


def test_checking_without_a_kernel(hello: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert call("check") == 0
    (hello.notebooks / "hello.yaml").write_text("pipeline: hello\nstep: {}\n")
    assert call("check") != 0
    assert call("schema") == 0
    assert call("gc", "--dry-run") == 0


def test_everything_cached_imports_nothing_heavy(hello: Project) -> None:
    assert call("run", "hello") == 0
    code = (
        "import sys\nfrom workbench.cli import main\n"
        "try: main(['run', 'hello'])\nexcept SystemExit as e: assert not e.code\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], cwd=hello.root, capture_output=True, text=True, check=True
    )
    assert out.stdout.splitlines()[-1] == "[]"


def test_ctrl_c_interrupts_and_leaves_nothing_running(
    hello: Project, write_notebook: Callable[..., Path]
) -> None:
    write_notebook(
        "hello.ipynb",
        "print('begun', flush=True)",
        "import time\ntime.sleep(60)",
        parameters="x: int = 1\nout: str = ''",
    )
    command = [sys.executable, "-m", "workbench", "run", "hello", "--json"]
    with subprocess.Popen(command, cwd=hello.root, stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        for line in run.stdout:
            if '"StepOutput"' in line:
                break
        children = psutil.Process(run.pid).children(recursive=True)
        run.send_signal(signal.SIGINT)
        run.stdout.read()
        assert run.wait(30) == 130
    assert not [child for child in psutil.wait_procs(children, 10)[1] if child.status() != "zombie"]
    executed = next((hello.reports / "hello").glob("*/s.ipynb"))
    assert "begun" in json.loads(executed.read_text())["cells"][2]["outputs"][0]["text"]


def test_the_reference_names_everything() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference.md").read_text()
    words = {*PIPELINE_KEYS, *STEP_KEYS, *MODEL_KEYS, *TRIGGER_KEYS}
    words |= {f"{section}.{key}" for section, keys in DEFAULTS.items() for key in keys}
    assert not [word for word in words if f"`{word}`" not in text]
