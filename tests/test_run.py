"""The loop over a plan: what runs, what does not, and what is left when something goes wrong."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import SpecError, WorkbenchError
from workbench.events import Event, StepFinished, StepRetried
from workbench.loading import load_pipeline
from workbench.plan import Selection, make_plan
from workbench.run import RunResult, run_plan
from workbench.settings import Project, read_project

WriteNotebook = Callable[..., Path]

DIAMOND = """\
pipeline: diamond
params: {x: 1}
steps:
  source: {notebook: source.ipynb, outputs: {out: number.txt}}
  parity: {notebook: parity.ipynb, inputs: {src: source.out}, outputs: {out: parity.txt}}
  each:
    notebook: each.ipynb
    foreach: {factor: [2, 3]}
    inputs: {src: source.out}
    outputs: {out: product.txt}
  total:
    notebook: total.ipynb
    inputs: {products: each.*.out, parity: parity.out}
    outputs: {out: total.txt}
"""


@pytest.fixture
def diamond(project: Project, write_notebook: WriteNotebook, write_pipeline: Any) -> Project:
    """source → {parity, each × 2} → total; every notebook notes in `ran.txt` that it ran."""
    note = "open('ran.txt', 'a').write('{} ')"
    write_notebook(
        "source.ipynb", note.format("source"), "open(out, 'w').write(str(x))",
        parameters="x: int = 0\nout: str = ''",
    )  # fmt: skip
    write_notebook(
        "parity.ipynb", note.format("parity"), "open(out, 'w').write(str(int(open(src).read()) % 2))",
        parameters="src: str = ''\nout: str = ''",
    )  # fmt: skip
    write_notebook(
        "each.ipynb", note.format("each"), "open(out, 'w').write(str(int(open(src).read()) * factor))",
        parameters="src: str = ''\nfactor: int = 1\nout: str = ''",
    )  # fmt: skip
    write_notebook(
        "total.ipynb", note.format("total"),
        "open(out, 'w').write(str(sum(int(open(p).read()) for p in products.values())) + open(parity).read())",
        parameters="products: dict[str, str] = {}\nparity: str = ''\nout: str = ''",
    )  # fmt: skip
    write_pipeline("diamond", DIAMOND)
    return project


def run(
    name: str = "diamond", selection: Selection | None = None, *, parameters: Mapping[str, Any] | None = None,
    project: Project | None = None, **options: Any,
) -> RunResult:  # fmt: skip
    return run_plan(make_plan(load_pipeline(name, parameters, project=project), selection), **options)


def ran(project: Project) -> list[str]:
    """Which notebooks ran since the last call."""
    file = project.root / "ran.txt"
    names = sorted(file.read_text().split()) if file.exists() else []
    file.unlink(missing_ok=True)
    return names


def content(project: Project, result: RunResult, step: str, file: str) -> str:
    digest = result.steps[step].outputs["out"]
    return (project.store / "objects" / digest[:2] / digest / file).read_text()


def test_a_pipeline_runs_and_then_is_cached(diamond: Project) -> None:
    first = run()
    assert first.state == "done"
    assert ran(diamond) == ["each", "each", "parity", "source", "total"]
    assert content(diamond, first, "total", "total.txt") == "51"
    again = run()
    assert again.run is None
    assert {step.state for step in again.steps.values()} == {"cached"}
    assert ran(diamond) == []


def test_going_back_to_an_earlier_parameter_is_a_hit(diamond: Project) -> None:
    run()
    run(parameters={"x": 2})
    ran(diamond)
    assert run(parameters={"x": 1}).run is None


def test_identical_outputs_stop_the_wave(diamond: Project) -> None:
    """1 → 3 changes the products but not the parity's content; the parity step runs, what needs only it does not."""
    run()
    ran(diamond)
    result = run(parameters={"x": 3})
    assert ran(diamond) == ["each", "each", "parity", "source", "total"]
    assert result.steps["total"].reason == "input products changed"


def test_a_step_that_makes_the_same_again_reruns_nothing_after_it(
    diamond: Project, write_notebook: WriteNotebook
) -> None:
    run()
    ran(diamond)
    write_notebook(
        "source.ipynb", "print('more words')", "open('ran.txt', 'a').write('source ')",
        "open(out, 'w').write(str(x))", parameters="x: int = 0\nout: str = ''",
    )  # fmt: skip
    result = run()
    assert ran(diamond) == ["source"]
    assert "added at cell" in result.steps["source"].reason
    assert {key: step.state for key, step in result.steps.items()} == {
        "source": "done", "parity": "cached", "each[factor=2]": "cached", "each[factor=3]": "cached",
        "total": "cached",
    }  # fmt: skip


def test_a_deleted_or_corrupted_output_is_made_again(diamond: Project) -> None:
    result = run()
    ran(diamond)
    digest = result.steps["parity"].outputs["out"]
    blob = diamond.store / "objects" / digest[:2] / digest / "parity.txt"
    blob.chmod(0o644)
    blob.write_text("9")
    again = run()
    assert ran(diamond) == ["parity"]
    assert again.steps["parity"].reason == "output out is corrupted in the store"
    assert blob.read_text() == "1"
    blob.unlink()
    assert run().steps["parity"].reason == "output out is no longer in the store"
    assert ran(diamond) == ["parity"]


def test_forcing_a_step_runs_it_alone(diamond: Project) -> None:
    run()
    ran(diamond)
    assert run(selection=Selection(force=("parity",))).steps["parity"].reason == "forced"
    assert ran(diamond) == ["parity"]
    run(selection=Selection(start=("parity",)))
    assert ran(diamond) == ["parity", "total"]


def test_one_step_and_what_it_needs(diamond: Project) -> None:
    result = run(selection=Selection(only=("parity",)))
    assert list(result.steps) == ["source", "parity"]


def test_a_failed_step_skips_what_needs_it(diamond: Project, write_notebook: WriteNotebook) -> None:
    write_notebook("parity.ipynb", "1 / 0", parameters="src: str = ''\nout: str = ''")
    result = run(keep_going=True)
    assert (result.state, result.exit_code) == ("failed", 1)
    assert result.steps["parity"].failure is not None
    assert result.steps["parity"].failure.message == "ZeroDivisionError: division by zero"
    assert (result.steps["total"].state, result.steps["total"].reason) == ("skipped", "needs parity")
    assert result.steps["each[factor=3]"].state == "done"


def test_what_was_done_before_a_failure_is_kept(diamond: Project, write_notebook: WriteNotebook) -> None:
    total = (diamond.notebooks / "total.ipynb").read_text()
    write_notebook("total.ipynb", "1 / 0", parameters="products: dict = {}\nparity: str = ''\nout: str = ''")
    run()
    ran(diamond)
    (diamond.notebooks / "total.ipynb").write_text(total)
    assert run().state == "done"
    assert ran(diamond) == ["total"]


def test_retries_try_again_and_keep_every_attempt(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook(
        "flaky.ipynb", "from pathlib import Path\nfirst = not Path('tried').exists()\nPath('tried').touch()",
        "assert not first", parameters=None,
    )  # fmt: skip
    write_pipeline("flaky", "pipeline: flaky\nsteps:\n  s: {notebook: flaky.ipynb, retries: 1}\n")
    events: list[Event] = []
    result = run("flaky", listener=events.append)
    assert result.state == "done"
    assert result.steps["s"].attempts == 2
    retried = next(event for event in events if isinstance(event, StepRetried))
    assert retried.failure.message == "AssertionError"
    assert result.folder is not None
    assert sorted(file.name for file in result.folder.iterdir()) == ["s.attempt1.ipynb", "s.ipynb"]


def test_a_step_must_not_change_its_inputs(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("a.ipynb", "open(out, 'w').write('a')", parameters="out: str = ''")
    write_notebook(
        "b.ipynb", "import os\nos.chmod(src, 0o644)\nopen(src, 'a').write('b')", "open(out, 'w').write('b')",
        parameters="src: str = ''\nout: str = ''",
    )  # fmt: skip
    write_pipeline(
        "p",
        """\
        pipeline: p
        steps:
          a: {notebook: a.ipynb, outputs: {out: a.txt}}
          b: {notebook: b.ipynb, inputs: {src: a.out}, outputs: {out: b.txt}}
        """,
    )
    result = run("p")
    assert result.steps["b"].failure is not None
    assert "must not change its inputs" in result.steps["b"].failure.message


def test_stopping_interrupts_what_runs_and_skips_the_rest(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("slow.ipynb", "print('begun', flush=True)\nimport time\ntime.sleep(60)", parameters=None)
    write_notebook("next.ipynb", "1", parameters=None)
    write_pipeline(
        "slow",
        "pipeline: slow\nsteps:\n  s: {notebook: slow.ipynb}\n  t: {notebook: next.ipynb, after: [s]}\n",
    )
    stop = threading.Event()
    result = run(
        "slow", stop=stop, listener=lambda e: stop.set() if type(e).__name__ == "StepOutput" else None
    )
    assert (result.state, result.exit_code) == ("interrupted", 130)
    assert {key: step.state for key, step in result.steps.items()} == {"s": "interrupted", "t": "skipped"}
    assert result.folder is not None
    assert "begun" in (result.folder / "s.ipynb").read_text()


def test_a_run_over_its_timeout_fails(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("slow.ipynb", "import time\ntime.sleep(60)", parameters=None)
    write_pipeline("slow", "pipeline: slow\ntimeout: 1s\nsteps:\n  s: {notebook: slow.ipynb}\n")
    assert run("slow").state == "failed"


def test_a_missing_kernel_or_secret_is_refused_before_anything_starts(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("r.ipynb", "1", parameters=None, kernel="ir")
    write_notebook("s.ipynb", "1", parameters=None)
    write_pipeline(
        "p",
        "pipeline: p\nsteps:\n  r: {notebook: r.ipynb}\n  s: {notebook: s.ipynb, secrets: [NO_SUCH_SECRET]}\n",
    )
    with pytest.raises(SpecError) as caught:
        run("p")
    assert [problem.key for problem in caught.value.problems] == ["steps.r", "steps.s.secrets"]
    assert "'ir' of r.ipynb is not installed" in str(caught.value)
    assert not project.running.exists()


def test_a_project_that_cannot_be_written_is_refused(diamond: Project) -> None:
    """A file where the folder should be stops root too, whom permissions do not."""
    diamond.reports.write_text("in the way")
    with pytest.raises(WorkbenchError, match="cannot write to the project"):
        run()


def test_html_and_pictures_are_linked_into_the_runs_folder(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("page.ipynb", "open(page, 'w').write('<p>hello')", parameters="page: str = ''")
    write_pipeline(
        "page", "pipeline: page\nsteps:\n  s: {notebook: page.ipynb, outputs: {page: page.html}}\n"
    )
    result = run("page")
    assert result.folder is not None
    assert (result.folder / "page.html").read_text() == "<p>hello"


def test_two_runs_at_once_share_the_work(diamond: Project) -> None:
    command = [sys.executable, "-c", "from workbench import *; run_plan(make_plan(load_pipeline('diamond')))"]
    runs = [subprocess.Popen(command, cwd=diamond.root) for _ in range(2)]
    assert [process.wait(60) for process in runs] == [0, 0]
    assert ran(diamond) == ["each", "each", "parity", "source", "total"]
    assert run().run is None


def test_a_project_that_was_moved_is_still_cached(diamond: Project, tmp_path: Path, monkeypatch: Any) -> None:
    run()
    ran(diamond)
    moved = tmp_path / "elsewhere"
    diamond.root.rename(moved)
    monkeypatch.chdir(moved)
    assert run(project=read_project(moved)).run is None
    assert not (moved / "ran.txt").exists()


def test_a_step_told_not_to_cache_runs_every_time(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("clock.ipynb", "1", parameters=None)
    write_pipeline("clock", "pipeline: clock\nsteps:\n  s: {notebook: clock.ipynb, cache: false}\n")
    assert run("clock").steps["s"].state == "done"
    assert run("clock").steps["s"].reason == "cache: false"


def test_events_tell_the_whole_story_and_are_json(diamond: Project) -> None:
    events: list[Event] = []
    run(listener=events.append)
    names = [type(event).__name__ for event in events]
    assert names[0] == "RunStarted"
    assert names[-1] == "RunFinished"
    assert names.count("StepStarted") == names.count("StepFinished") == 5
    assert all(json.loads(json.dumps(event.as_json())) for event in events)
    finished = [event for event in events if isinstance(event, StepFinished)]
    assert all(event.seconds > 0 and event.executed for event in finished)


def test_files_and_globs_from_outside_are_inputs(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    (project.root / "data").mkdir()
    for name in "ab":
        (project.root / "data" / f"{name}.csv").write_text(name)
    write_notebook(
        "join.ipynb", "open(out, 'w').write(''.join(open(p).read() for p in parts) + open(one).read())",
        parameters="parts: list[str] = []\none: str = ''\nout: str = ''",
    )  # fmt: skip
    write_pipeline(
        "join",
        """\
        pipeline: join
        steps:
          s:
            notebook: join.ipynb
            inputs: {parts: "file:data/*.csv", one: "file:data/a.csv"}
            outputs: {out: all.txt}
        """,
    )
    assert content(project, run("join"), "s", "all.txt") == "aba"
    (project.root / "data" / "c.csv").write_text("c")
    result = run("join")
    assert result.steps["s"].reason == "input parts changed"
    assert content(project, result, "s", "all.txt") == "abca"


def test_a_step_over_its_memory_limit_is_ended_and_says_so(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("big.ipynb", "held = bytearray(600_000_000)", parameters="out: str = ''")
    write_pipeline("big", "pipeline: big\nsteps:\n  big: {notebook: big.ipynb, memory: 300MB}\n")
    failure = run("big").steps["big"].failure
    assert failure is not None
    assert "exceeding its memory limit of 0.3 GB in code cell 2 of 2" in failure.message
