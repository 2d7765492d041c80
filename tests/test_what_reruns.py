"""What changes a step's decision and what must not. No kernels: results are put into the store by hand."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.loading import load_pipeline
from workbench.plan import Selection, Surroundings, make_plan
from workbench.settings import Project
from workbench.store import Manifest, safe_name

CELLS = ("import mine\nimport fakepkg", "y = x + 1")
DECLARED = "x: int = 1  # help\nsrc: str = ''\nout: str = ''"
PIPELINE = """\
pipeline: p
params: {x: 5}
steps:
  s: {notebook: n.ipynb, inputs: {src: "file:data.csv"}, outputs: {out: o.txt}}
"""


class Made:
    """A one-step project whose step has a result."""

    def __init__(self, project: Project, write: Callable[..., Path]) -> None:
        self.project, self.write = project, write

    def decision(self, **parameters: Any) -> tuple[str, str]:
        decision = make_plan(load_pipeline("p", parameters)).decisions["s"]
        return decision.action, decision.reason

    def finish(self, **parameters: Any) -> None:
        """Store a result for the step as it is now."""
        plan = make_plan(load_pipeline("p", parameters))
        decision = plan.decisions["s"]
        assert decision.ingredients and decision.fingerprint  # noqa: PT018
        scratch = self.project.root / "scratch" / "o.txt"
        scratch.parent.mkdir(exist_ok=True)
        scratch.write_text("result")
        outputs = {"out": plan.surroundings.store.put(scratch)}
        plan.surroundings.store.commit(
            Manifest(decision.fingerprint, "p", "s", "run", 1.0, 1.0, outputs, "s.ipynb"),
            decision.ingredients,
        )


@pytest.fixture
def made(
    project: Project,
    write_notebook: Callable[..., Path],
    write_pipeline: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Made:
    write_notebook("n.ipynb", *CELLS, parameters=DECLARED)
    write_pipeline("p", PIPELINE)
    (project.root / "data.csv").write_text("abc")
    (project.root / "mine.py").write_text("import deeper\n")
    (project.root / "deeper.py").write_text("value = 1\n")
    site = project.root.parent / "site"
    install(site, "1.0")
    monkeypatch.setattr(sys, "path", [*sys.path, str(site)])
    made = Made(project, write_notebook)
    made.finish()
    return made


def install(site: Path, version: str) -> None:
    """A package `fakepkg` of that version, as pip leaves it."""
    (site / "fakepkg").mkdir(parents=True, exist_ok=True)
    (site / "fakepkg" / "__init__.py").touch()
    for old in site.glob("fakepkg-*.dist-info"):
        old.rename(site / f"fakepkg-{version}.dist-info")
    info = site / f"fakepkg-{version}.dist-info"
    info.mkdir(exist_ok=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: fakepkg\nVersion: {version}\n")
    (info / "top_level.txt").write_text("fakepkg\n")
    (info / "RECORD").write_text("fakepkg/__init__.py,,\n")
    os.utime(site, ns=(int(float(version) * 1e9), int(float(version) * 1e9)))


def test_nothing_changed(made: Made) -> None:
    assert made.decision() == ("cached", "unchanged")


def test_a_parameter_and_back_again(made: Made) -> None:
    assert made.decision(x=6) == ("run", "parameter x 5 → 6")
    made.finish(x=6)
    assert made.decision(x=5)[0] == "cached"


def test_a_code_cell(made: Made) -> None:
    made.write("n.ipynb", CELLS[0], "y = x + 2", parameters=DECLARED)
    assert made.decision() == ("run", "cell 3 changed")


def test_an_inputs_content_though_size_and_time_are_put_back(made: Made) -> None:
    file = made.project.root / "data.csv"
    before = file.stat()
    made.decision()
    file.write_text("abd")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert made.decision() == ("run", "input src changed")


@pytest.mark.parametrize("module", ["mine", "deeper"])
def test_a_project_module_also_through_another(made: Made, module: str) -> None:
    file = made.project.root / f"{module}.py"
    file.write_text(file.read_text() + "other = 2\n")
    assert made.decision() == ("run", f"module {module}.py changed")


def test_the_version_of_an_imported_package(made: Made) -> None:
    install(made.project.root.parent / "site", "1.1")
    assert made.decision() == ("run", "fakepkg 1.0 → 1.1")


def test_an_unrelated_package_does_not_count(made: Made) -> None:
    (made.project.root.parent / "site" / "other-9.dist-info").mkdir()
    assert made.decision()[0] == "cached"


@pytest.mark.parametrize("damage", ["deleted", "corrupted"])
def test_a_lost_output(made: Made, damage: str) -> None:
    blob = next(made.project.store.glob("objects/*/*/o.txt"))
    blob.chmod(0o644)
    if damage == "deleted":
        blob.unlink()
    else:
        blob.write_text("resulT")
    assert made.decision()[0] == "run"
    assert "output out is" in made.decision()[1]


def test_a_damaged_manifest_is_a_miss(made: Made) -> None:
    manifest = next(made.project.store.glob("manifests/*/*.json"))
    manifest.write_text(manifest.read_text()[:40])
    assert made.decision()[0] == "run"


def test_what_does_not_count(made: Made) -> None:
    """Comments, formatting, the default of a bound parameter, module comments, markdown, outputs and ids."""
    file = made.write(
        "n.ipynb", CELLS[0] + "   # why", "", "y = (x   +   1)", parameters=DECLARED.replace("= 1", "= 9")
    )
    document = json.loads(file.read_text())
    document["cells"].insert(0, {"cell_type": "markdown", "id": "words", "metadata": {}, "source": "# Words"})
    for number, cell in enumerate(document["cells"]):
        cell["id"] = f"other-{number}"
        if cell["cell_type"] == "code":
            cell["outputs"] = [{"output_type": "stream", "name": "stdout", "text": "printed"}]
            cell["execution_count"] = 7
    file.write_text(json.dumps(document))
    module = made.project.root / "deeper.py"
    module.write_text("# a comment\n" + module.read_text())
    assert made.decision() == ("cached", "unchanged")


def test_forcing_and_unknown_steps(made: Made) -> None:
    pipeline = load_pipeline("p")
    assert make_plan(pipeline, Selection(force=("s",))).decisions["s"].reason == "forced"
    with pytest.raises(Exception, match="has no step 'z'"):
        make_plan(pipeline, Selection(only=("z",)))


def test_a_missing_input_file_is_refused(made: Made) -> None:
    (made.project.root / "data.csv").unlink()
    with pytest.raises(Exception, match=r"there is no file 'data\.csv'"):
        made.decision()


def test_a_thousand_steps_read_their_notebook_once(made: Made, write_pipeline: Any) -> None:
    steps = "".join(
        f"  s{n}: {{notebook: n.ipynb, params: {{x: {n}}}, outputs: {{out: o.txt}}}}\n" for n in range(1000)
    )
    write_pipeline("many", f"pipeline: many\nsteps:\n{steps}")
    pipeline = load_pipeline("many")
    assert len({id(step.notebook) for step in pipeline.steps.values()}) == 1
    assert len(make_plan(pipeline, surroundings=Surroundings(made.project)).decisions) == 1000


def test_two_keys_never_share_a_file_name() -> None:
    keys = ["train", "train[a=1]", "train[a=x y]", "train[a=x-y]", "train[a=1,b=2]", "s" * 300]
    assert len({safe_name(key) for key in keys}) == len(keys)
