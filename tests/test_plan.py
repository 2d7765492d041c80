"""What runs and why. No kernels: results are put into the store by hand."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.champions import Champion, write_champion
from workbench.digests import CLOCK_TICK_NS, Digests
from workbench.errors import SpecError, StoreError
from workbench.loading import load_pipeline
from workbench.pipeline import Files
from workbench.plan import Plan, Selection, Surroundings, decide, make_plan
from workbench.settings import Project, read_project
from workbench.store import Manifest, remove

WriteNotebook = Callable[..., Path]

DECLARED = "x: int = 1\nsrc: Any = None\nout: str = ''"
LINE = """
pipeline: p
steps:
  make: {notebook: make.ipynb, inputs: {src: "file:data.csv"}, outputs: {out: o.txt}}
  use: {notebook: use.ipynb, inputs: {src: make.out}, outputs: {out: o.txt}}
  other: {notebook: other.ipynb, outputs: {out: o.txt}}
"""


class Results:
    """A project whose steps get results without running."""

    def __init__(self, project: Project) -> None:
        self.project = project

    def plan(self, *, selection: Selection | None = None, **parameters: Any) -> Plan:
        """As a new process would make it."""
        return make_plan(load_pipeline("p", parameters), selection)

    def reasons(self, **more: Any) -> dict[str, str]:
        """Why each step runs that is not cached."""
        decisions = self.plan(**more).decisions.values()
        return {d.step: d.reason for d in decisions if d.action != "cached"}

    def finish(
        self, content: Callable[[str], str] = str, created: float | None = None, **parameters: Any
    ) -> None:
        """Give every step that would run a result; `content` says what it writes, by its key."""
        while not (plan := self.plan(**parameters)).cached:
            for key, decision in plan.decisions.items():
                if decision.action == "run":
                    self.finish_one(plan, key, content(key), created or time.time())

    def finish_one(self, plan: Plan, key: str, content: str, created: float) -> None:
        decision, step = plan.decisions[key], plan.pipeline.steps[key]
        assert decision.ingredients is not None
        assert decision.fingerprint is not None
        store = plan.surroundings.store
        outputs = {}
        for name, file in step.outputs.items():
            path = self.project.state / "scratch" / file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)
            outputs[name] = store.put(path)
        made = Manifest(decision.fingerprint, "p", key, "run", created, 1.0, outputs, "s.ipynb")
        store.commit(made, decision.ingredients)

    def blob(self, key: str) -> Path:
        """Where the output of that step is stored."""
        plan = self.plan()
        found = plan.decisions[key].manifest
        assert found is not None
        return plan.surroundings.store.place(found.outputs["out"])


@pytest.fixture
def results(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Callable[[str, str], Path]
) -> Results:
    """`make` and `use` in a line and `other` alone, all with results; `make` imports a module and a package."""
    (project.root / "data.csv").write_text("abc")
    (project.root / "mine.py").write_text("import deeper\n")
    (project.root / "deeper.py").write_text("value = 1\n")
    write_notebook("make.ipynb", "import mine\nimport fakepkg", "y = x + 1", parameters=DECLARED)
    write_notebook("use.ipynb", "z = 1", parameters=DECLARED)
    write_notebook("other.ipynb", "z = 1", parameters=DECLARED)
    write_pipeline("p", LINE)
    results = Results(project)
    results.finish()
    return results


@pytest.fixture
def judged(project: Project, write_notebook: WriteNotebook, write_pipeline: Any) -> Callable[[str], None]:
    """A step that reads the champion; the function promotes a model of that content."""
    write_notebook("judge.ipynb", parameters="best: str | None = None\nout: str = ''")
    write_pipeline(
        "p",
        "pipeline: p\nsteps:\n  j: {notebook: judge.ipynb, inputs: {best: 'model:m@champion'}, outputs: {out: o.txt}}",
    )

    def promote(content: str) -> None:
        folder = project.state / "artifacts" / content
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.skops").write_text(content)
        digest = Digests(project.root, project.store / "d.json").path(folder)
        where = folder.relative_to(project.root).as_posix()
        write_champion(project, "m", Champion("m", 1, digest, where, 2, "hash"))

    return promote


def test_a_promotion_reruns_what_compares_with_the_champion(
    project: Project, judged: Callable[[str], None]
) -> None:
    results = Results(project)
    results.finish()
    assert results.plan().cached
    judged("one")
    assert results.reasons() == {"j": "input best changed"}
    results.finish()
    judged("one")
    assert results.plan().cached
    judged("two")
    assert results.reasons() == {"j": "input best changed"}
    judged("one")
    assert results.plan().cached


def test_a_champion_that_was_tampered_with_is_refused(
    project: Project, judged: Callable[[str], None]
) -> None:
    judged("one")
    (project.state / "artifacts" / "one" / "model.skops").write_text("other")
    with pytest.raises(StoreError, match=r"version 1 of 'm', which serves, is not what was registered"):
        Results(project).plan()


def test_a_champion_elsewhere_cannot_be_compared_with(
    project: Project, judged: Callable[[str], None]
) -> None:
    write_champion(project, "m", Champion("m", 3, "digest", None, 2, "hash"))
    with pytest.raises(StoreError, match="version 3 of 'm', which serves, is not on this machine"):
        Results(project).plan()


def test_first_everything_runs(project: Project, write_notebook: WriteNotebook, write_pipeline: Any) -> None:
    for name in ("make", "use", "other"):
        write_notebook(f"{name}.ipynb", parameters=DECLARED)
    (project.root / "data.csv").touch()
    write_pipeline("p", LINE)
    decisions = Results(project).plan().decisions
    assert {d.step: (d.action, d.reason) for d in decisions.values()} == {
        "make": ("run", "first run"),
        "use": ("wait", "after make"),
        "other": ("run", "first run"),
    }


def test_then_everything_is_cached(results: Results) -> None:
    plan = results.plan()
    assert plan.cached
    assert {d.reason for d in plan.decisions.values()} == {"unchanged"}


def test_a_cell(results: Results, write_notebook: WriteNotebook) -> None:
    write_notebook("make.ipynb", "import mine\nimport fakepkg", "y = x + 2", parameters=DECLARED)
    assert results.reasons() == {"make": "cell 3 changed", "use": "after make"}


def test_a_parameter_and_back_again(results: Results) -> None:
    assert set(results.reasons(x=2)) == {"make", "use", "other"}
    assert results.reasons(x=2)["make"] == "parameter x 1 → 2"
    results.finish(x=2)
    assert results.reasons(x=2) == {}
    assert results.reasons(x=1) == {}


@pytest.mark.parametrize("content", ["abd", "longer"])
def test_an_inputs_content(results: Results, content: str) -> None:
    (results.project.root / "data.csv").write_text(content)
    assert results.reasons() == {"make": "input src changed", "use": "after make"}


def test_an_inputs_content_though_size_and_time_are_put_back(results: Results) -> None:
    file = results.project.root / "data.csv"
    time.sleep(2 * CLOCK_TICK_NS / 1e9)
    results.plan()
    status = file.stat()
    file.write_text("xyz")
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert results.reasons()["make"] == "input src changed"


@pytest.mark.parametrize("module", ["mine.py", "deeper.py"])
def test_an_imported_module(results: Results, module: str) -> None:
    file = results.project.root / module
    file.write_text(file.read_text() + "more = 1\n")
    assert results.reasons() == {"make": f"module {module} changed", "use": "after make"}


@pytest.mark.parametrize("text", ["import   deeper  # why\n", "\n\nimport deeper\n"])
def test_comments_and_format_of_a_module_do_not_count(results: Results, text: str) -> None:
    (results.project.root / "mine.py").write_text(text)
    assert results.reasons() == {}


def install(site: Path, name: str, version: str) -> None:
    for old in site.glob(f"{name}-*.dist-info"):
        remove(old)
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "top_level.txt").write_text(name)


def test_the_version_of_an_imported_package_and_no_other(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    install(site, "fakepkg", "1.0")
    monkeypatch.syspath_prepend(str(site))
    assert results.reasons()["make"] == "package fakepkg: not installed → fakepkg 1.0"
    results.finish()
    install(site, "fakepkg", "1.1")
    assert results.reasons() == {"make": "fakepkg 1.0 → 1.1", "use": "after make"}
    results.finish()
    install(site, "unrelated", "2.0")
    assert results.reasons() == {}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (remove, "output out is no longer in the store"),
        (lambda blob: (blob.chmod(0o644), blob.write_text("longer")), "output out is corrupted in the store"),
        (lambda blob: (blob.chmod(0o644), blob.write_text(blob.read_text()[::-1])), "output out is corrupted in the store"),
    ],
)  # fmt: skip
def test_a_lost_output(results: Results, damage: Callable[[Path], Any], reason: str) -> None:
    blob = results.blob("make")
    damage(blob)
    assert results.reasons() == {"make": reason, "use": "after make"}
    results.finish()
    assert results.reasons() == {}


def test_a_lost_manifest(results: Results) -> None:
    fingerprint = results.plan().decisions["make"].fingerprint
    assert fingerprint
    (results.project.store / "manifests" / fingerprint[:2] / f"{fingerprint}.json").write_text("{")
    assert results.reasons()["make"] == "the last result is gone"


def test_a_manifest_without_the_output_is_a_miss(results: Results) -> None:
    fingerprint = results.plan().decisions["make"].fingerprint
    assert fingerprint
    file = results.project.store / "manifests" / fingerprint[:2] / f"{fingerprint}.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "outputs": {}}))
    assert results.reasons()["make"] == "the last result is gone"


def test_identical_outputs_do_not_run_what_follows(results: Results, write_notebook: WriteNotebook) -> None:
    write_notebook("make.ipynb", "other = 'code'", parameters=DECLARED)
    plan = results.plan()
    results.finish_one(plan, "make", "make", 1.0)
    assert results.reasons() == {}


def test_different_outputs_run_what_follows(results: Results, write_notebook: WriteNotebook) -> None:
    write_notebook("make.ipynb", "other = 'code'", parameters=DECLARED)
    results.finish_one(results.plan(), "make", "something else", 1.0)
    assert results.reasons() == {"use": "input src changed"}


def edited(path: Path, edit: Callable[[list[dict[str, Any]]], Any]) -> None:
    document = json.loads(path.read_text())
    edit(document["cells"])
    path.write_text(json.dumps(document, indent=3))


MARKDOWN = {"cell_type": "markdown", "metadata": {}, "source": "words", "id": "m"}
EMPTY = {"cell_type": "code", "metadata": {}, "source": "\n# nothing\n", "outputs": [], "id": "e"}


@pytest.mark.parametrize(
    "edit",
    [
        lambda cells: cells.insert(0, MARKDOWN),
        lambda cells: cells.insert(1, EMPTY),
        lambda cells: [cell.update(id=f"new-{n}") for n, cell in enumerate(cells)],
        lambda cells: cells[1].update(outputs=[{"output_type": "stream", "name": "stdout", "text": "hi"}], execution_count=3),
        lambda cells: cells[1].update(metadata={"collapsed": True, "tags": ["slow"]}),
        lambda cells: cells[1].update(source="import mine  # why\n\n\nimport fakepkg"),
        lambda cells: cells[2].update(source=["y  =  (x+1)\n", "# the end"]),
        lambda cells: cells[0].update(source=DECLARED.replace("x: int = 1", "x = 1  # help")),
    ],
    ids=["markdown", "empty", "ids", "outputs", "metadata", "comment", "format", "annotation"],
)  # fmt: skip
def test_what_does_not_count(results: Results, edit: Callable[[list[dict[str, Any]]], Any]) -> None:
    edited(results.project.notebooks / "make.ipynb", edit)
    assert results.reasons() == {}


def test_the_default_of_an_overridden_parameter_does_not_count(results: Results, write_pipeline: Any) -> None:
    write_pipeline("p", LINE + "params: {x: 5}\n")
    results.finish()
    file = results.project.notebooks / "make.ipynb"
    edited(file, lambda cells: cells[0].update(source=DECLARED.replace("x: int = 1", "x: int = 7")))
    assert results.reasons() == {}
    write_pipeline("p", LINE)
    assert results.reasons()["make"] == "parameter x 5 → 7"


def test_any_literal_default_can_be_planned(results: Results, write_notebook: WriteNotebook) -> None:
    write_notebook(
        "other.ipynb", parameters=DECLARED + "\ns = {'b', 'a'}\nt = (1, 2)\nb = b'x'\nd = {1: 2, 'a': 3}"
    )
    results.finish()
    assert results.reasons() == {}
    write_notebook(
        "other.ipynb", "z = 2", parameters=DECLARED + "\ns = {'b', 'a'}\nt = (1, 2)\nb = b'y'\nd = {1: 2}"
    )
    assert results.reasons()["other"].endswith(
        "parameter b b'x' → b'y'; parameter d {'(1)': 2, 'a': 3} → {'(1)': 2}"
    )


def test_the_project_folder_may_be_renamed(results: Results, monkeypatch: pytest.MonkeyPatch) -> None:
    old = results.project.root
    time.sleep(2 * CLOCK_TICK_NS / 1e9)
    results.plan()
    monkeypatch.chdir(old.parent)
    old.rename(old.parent / "renamed")
    project = read_project(old.parent / "renamed")
    memory = (project.store / "digests.json").read_text()
    assert make_plan(load_pipeline("p", project=project)).cached
    assert (project.store / "digests.json").read_text() == memory, "nothing was read again"


# Selections


def test_forced_steps_run_and_what_follows_waits(results: Results) -> None:
    assert results.reasons(selection=Selection(force=("make",))) == {"make": "forced", "use": "after make"}


def test_from_a_step_everything_after_it_runs(results: Results) -> None:
    plan = results.plan(selection=Selection(start=("make",)))
    assert plan.forced == {"make": "--from", "use": "--from"}
    assert {d.step: (d.action, d.reason) for d in plan.decisions.values() if d.action != "cached"} == {
        "make": ("run", "--from"),
        "use": ("run", "--from"),
    }


def test_only_a_step_and_what_it_needs(results: Results) -> None:
    assert list(results.plan(selection=Selection(only=("use",))).decisions) == ["make", "use"]


@pytest.mark.parametrize(("option", "shown"), [("only", "--step"), ("start", "--from"), ("force", "--force")])
def test_an_unknown_step_comes_with_the_nearest(results: Results, option: str, shown: str) -> None:
    with pytest.raises(SpecError, match=rf"{shown}: pipeline 'p' has no step 'mak'; did you mean 'make'\?"):
        results.plan(selection=Selection(**{option: ("mak",)}))


def test_branches_are_selected_by_name_or_key(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("n.ipynb", parameters=DECLARED)
    write_pipeline(
        "p", "pipeline: p\nsteps:\n  s: {notebook: n.ipynb, foreach: {x: [1, 2]}, outputs: {out: o}}\n"
    )
    results = Results(project)
    results.finish()
    assert results.reasons(selection=Selection(force=("s",))) == {"s[x=1]": "forced", "s[x=2]": "forced"}
    assert results.reasons(selection=Selection(force=("s[x=2]",))) == {"s[x=2]": "forced"}


# Age, and steps without cache


def test_a_result_that_is_too_old(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("n.ipynb", parameters=DECLARED)
    write_pipeline("p", "pipeline: p\nsteps: {s: {notebook: n.ipynb, outputs: {out: o}, refresh: 1d}}\n")
    results = Results(project)
    results.finish()
    plan = results.plan()
    step, ingredients, made = (
        plan.pipeline.steps["s"],
        plan.decisions["s"].ingredients,
        plan.decisions["s"].manifest,
    )
    assert ingredients is not None
    assert made is not None
    young = decide(step, ingredients, "p", plan.surroundings.store, now=made.created + 86_399)
    old = decide(step, ingredients, "p", plan.surroundings.store, now=made.created + 86_401)
    assert (young.action, old.action, old.reason) == ("cached", "run", "older than 1d")


@pytest.mark.parametrize(
    ("refresh", "shown"), [("90s", "90s"), ("2h", "2h"), ("1.5s", "1.5s"), ("30m", "30m")]
)
def test_ages_are_shown_as_they_are_written(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any, refresh: str, shown: str
) -> None:
    write_notebook("n.ipynb", parameters=DECLARED)
    write_pipeline(
        "p", f"pipeline: p\nsteps: {{s: {{notebook: n.ipynb, outputs: {{out: o}}, refresh: {refresh}}}}}\n"
    )
    results = Results(project)
    plan = results.plan()
    results.finish_one(plan, "s", "x", created=1.0)
    assert results.reasons() == {"s": f"older than {shown}"}


def test_a_step_without_cache_always_runs(results: Results, write_pipeline: Any) -> None:
    write_pipeline("p", LINE.replace("{notebook: make.ipynb,", "{notebook: make.ipynb, cache: false,"))
    assert results.reasons() == {"make": "cache: false", "use": "after make"}


def test_a_step_without_cache_runs_after_what_runs(results: Results, write_pipeline: Any) -> None:
    write_pipeline("p", LINE.replace("{notebook: use.ipynb,", "{notebook: use.ipynb, cache: false,"))
    assert results.reasons(selection=Selection(force=("make",))) == {"make": "forced", "use": "cache: false"}


# Inputs from outside


@pytest.fixture
def outside(project: Project, write_notebook: WriteNotebook, write_pipeline: Any) -> Callable[..., Results]:
    """One step that reads files matching a pattern; `data/` holds a.csv and sub/b.csv."""
    (project.root / "data" / "sub").mkdir(parents=True)
    (project.root / "data" / "a.csv").write_text("1")
    (project.root / "data" / "sub" / "b.csv").write_text("2")
    write_notebook("n.ipynb", parameters=DECLARED)

    def outside(pattern: str) -> Results:
        write_pipeline(
            "p",
            f"pipeline: p\nsteps: {{s: {{notebook: n.ipynb, inputs: {{src: 'file:{pattern}'}}, outputs: {{out: o}}}}}}\n",
        )
        results = Results(project)
        results.finish()
        return results

    return outside


@pytest.mark.parametrize(
    ("pattern", "change", "same"),
    [
        ("data", "data/sub/b.csv", False),
        ("data", "data/new.csv", False),
        ("data", "elsewhere.csv", True),
        ("data/*.csv", "data/a.csv", False),
        ("data/*.csv", "data/new.csv", False),
        ("data/*.csv", "data/sub/b.csv", True),
        ("data/**/*.csv", "data/sub/b.csv", False),
        ("data/*", "data/sub/new.csv", False),
        ("data/[ab].csv", "data/new.csv", True),
        ("*", ".workbench/new", True),
        ("**/*.json", ".workbench/new.json", None),
    ],
)
def test_folders_and_patterns_are_inputs(
    outside: Callable[..., Results], project: Project, pattern: str, change: str, same: bool | None
) -> None:
    if same is None:
        (project.root / "some.json").touch()
    results = outside(pattern)
    (project.root / change).write_text("changed")
    assert results.reasons() == ({"s": "input src changed"} if same is False else {})


def test_absolute_paths_and_patterns(outside: Callable[..., Results], tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "a.csv").write_text("1")
    results = outside(f"{tmp_path}/far/*.csv")
    (tmp_path / "far" / "a.csv").write_text("2")
    assert results.reasons() == {"s": "input src changed"}


def test_files_are_given_sorted(outside: Callable[..., Results], project: Project) -> None:
    outside("data")
    found = Surroundings(project).files(Files("data/**/*.csv"))
    assert found == [project.root / "data" / "a.csv", project.root / "data" / "sub" / "b.csv"]


def test_all_missing_files_are_reported_at_once(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("n.ipynb", parameters="x: int = 1\nsrc: Any = None\nmore: Any = None\nout: str = ''")
    write_pipeline("p", """\
pipeline: p
steps:
  s:
    notebook: n.ipynb
    foreach: {x: [1, 2]}
    inputs: {src: "file:nowhere.csv"}
    outputs: {out: o}
  t: {notebook: n.ipynb, inputs: {src: "file:none/*.csv"}}
  u: {notebook: n.ipynb, inputs: {src: s.*.out}}
""")  # fmt: skip
    with pytest.raises(SpecError) as caught:
        Results(project).plan()
    assert [(p.line, p.key, p.message.partition(" in ")[0]) for p in caught.value.problems] == [
        (6, "steps.s.inputs.src", "there is no file 'nowhere.csv'"),
        (8, "steps.t.inputs.src", "no file matches 'none/*.csv'"),
    ]


def test_fan_in_counts_by_branch_and_content(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("n.ipynb", parameters=DECLARED)
    text = "pipeline: p\nsteps:\n  s: {notebook: n.ipynb, foreach: {x: [1, 2]}, outputs: {out: o}}\n"
    write_pipeline("p", text + "  all: {notebook: n.ipynb, inputs: {src: s.*.out}, outputs: {out: o}}\n")
    results = Results(project)
    results.finish()
    write_pipeline(
        "p",
        text.replace("[1, 2]", "[2, 1]")
        + "  all: {notebook: n.ipynb, inputs: {src: s.*.out}, outputs: {out: o}}\n",
    )
    assert results.reasons() == {}
    write_pipeline(
        "p",
        text.replace("[1, 2]", "[1]")
        + "  all: {notebook: n.ipynb, inputs: {src: s.*.out}, outputs: {out: o}}\n",
    )
    assert results.reasons() == {"all": "input src changed"}


# Delivery, kernels, size


def test_a_model_that_is_not_registered_is_still_to_do(results: Results, write_pipeline: Any) -> None:
    settings = (results.project.root / "workbench.toml").read_text()
    (results.project.root / "workbench.toml").write_text(
        settings.replace("enabled = false", "enabled = true")
    )
    write_pipeline("p", LINE + "model: {name: m, version: use.out}\n")
    plan = results.plan()
    assert (plan.deliver, plan.cached) == (True, False)
    made = plan.decisions["use"].manifest
    assert made is not None
    marker = results.project.delivered("m", made.outputs["out"].digest)
    marker.parent.mkdir(parents=True)
    marker.write_text(json.dumps({"version": 1, "run": "r", "evidence": None}))
    assert results.plan().cached
    assert not results.plan(selection=Selection(only=("make",))).deliver
    assert not results.plan(selection=Selection(force=("use",))).deliver


def test_a_warm_kernel_imports_packages_and_nothing_of_the_project(results: Results) -> None:
    plan = results.plan()
    assert plan.surroundings.warm_imports(plan.pipeline.steps["make"].notebook) == ("fakepkg",)


def test_a_thousand_steps_read_their_notebook_once(
    project: Project, write_notebook: WriteNotebook, write_pipeline: Any
) -> None:
    write_notebook("n.ipynb", "import json", parameters=DECLARED)
    lines = [f"  s{n}: {{notebook: n.ipynb, params: {{x: {n}}}, outputs: {{out: o}}}}" for n in range(1000)]
    write_pipeline("p", "pipeline: p\nsteps:\n" + "\n".join(lines))
    plan = Results(project).plan()
    assert len(plan.decisions) == 1000
    assert len({id(step.notebook) for step in plan.pipeline.steps.values()}) == 1
    assert len({id(d.ingredients.cells) for d in plan.decisions.values() if d.ingredients}) == 1


def test_planning_imports_nothing_heavy(results: Results) -> None:
    script = """
import sys
from workbench import load_pipeline, make_plan
assert make_plan(load_pipeline("p")).cached
heavy = {"pydantic", "pandas", "nbformat", "IPython", "mlflow", "papermill", "sqlalchemy", "importlib.metadata"}
print(sorted(heavy & set(sys.modules)))
"""
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=results.project.root
    )
    found = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=results.project.root
    )
    assert found.stdout.strip() == "[]"
