"""States beside the project's own: what they take over, and what they forget."""

from __future__ import annotations

from typing import Any

from workbench import load_pipeline, make_plan, run_plan
from workbench.replay.place import place_of, start_anew, take_over
from workbench.settings import Project


def test_steps_that_were_done_are_taken_over_and_stay_when_all_else_is_forgotten(
    project: Project, write_notebook: Any, write_pipeline: Any
) -> None:
    text = "from pathlib import Path\nPath(out).write_text(str(x))"
    folder = "from pathlib import Path\nPath(out).mkdir()\n(Path(out) / 'part').write_text('1')"
    write_notebook("file.ipynb", text, parameters="x: int = 1\nout: str = ''")
    write_notebook("folder.ipynb", folder, parameters="out: str = ''")
    steps = (
        "{a: {notebook: file.ipynb, outputs: {out: a.txt}}, b: {notebook: folder.ipynb, outputs: {out: b/}}}"
    )
    write_pipeline("two", f"pipeline: two\nsteps: {steps}\n")
    run_plan(make_plan(load_pipeline("two", project=project)))

    there = place_of(project, "two", "never")
    assert there.state == project.root / ".workbench/replay/two/never"
    assert not make_plan(load_pipeline("two", project=there)).cached
    assert take_over(there, [project.store], "other") == 0
    assert take_over(there, [project.store, there.root / "none"], "two") == 2
    assert take_over(there, [project.store], "two") == 0
    plan = make_plan(load_pipeline("two", project=there))
    assert plan.cached
    files = sorted(
        path.relative_to(there.store) for path in (there.store / "objects").rglob("*") if path.is_file()
    )
    assert [path.name for path in files] == ["a.txt", "part"] or [path.name for path in files] == [
        "part",
        "a.txt",
    ]
    assert all((project.store / path).samefile(there.store / path) for path in files)

    (there.state / "journal.json").write_text("{}")
    (there.store / "champions").mkdir()
    start_anew(there)
    assert [path.name for path in there.state.iterdir()] == ["store"]
    assert {path.name for path in there.store.iterdir()} == {"objects", "manifests"}
    assert make_plan(load_pipeline("two", project=there)).cached
    start_anew(place_of(project, "two", "nothing there"))
    assert make_plan(load_pipeline("two", project=project)).cached
