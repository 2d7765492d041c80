"""Everything that can be said about a project without starting a kernel."""

from __future__ import annotations

import ast
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from workbench.contracts.contract import FOLDER, read_contract
from workbench.errors import Problem, SpecError, did_you_mean
from workbench.imports import ProjectModules, package_versions
from workbench.loading import load_pipeline
from workbench.notebook import Notebook, read_notebook
from workbench.pipeline import Files, Pipeline, find_pipeline, pipeline_files
from workbench.settings import Project

BUILT_IN_KERNELS = frozenset({"python3", "workbench"})
"""Those that the workbench starts by itself."""


@dataclass(frozen=True)
class Finding:
    """Something about the project: an error stops a run, a warning does not."""

    severity: Literal["error", "warning"]
    problem: Problem


@dataclass(frozen=True)
class Checked:
    """What was looked at, and what was found."""

    pipelines: tuple[str, ...]
    notebooks: int
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        return sum(finding.severity == "error" for finding in self.findings)


def check_project(project: Project, names: Sequence[str] = ()) -> Checked:
    """Check these pipelines with their notebooks, or all of the project. Raises SpecError for unknown names."""
    files = [find_pipeline(project, name) for name in names] or pipeline_files(project)
    findings: list[Finding] = []
    pipelines: list[Pipeline] = []
    for file in files:
        try:
            pipelines.append(load_pipeline(file, project=project))
        except SpecError as error:
            findings += _errors(error.problems)
    notebooks = {step.notebook.path: step.notebook for each in pipelines for step in each.steps.values()}
    if not names:
        findings += _read_others(project, notebooks)
        findings += _contracts(project)
    findings += _pipelines_alike(pipelines)
    for pipeline in pipelines:
        findings += _around(project, pipeline)
    for notebook in notebooks.values():
        findings += _notebook(notebook)
    findings += _packages(project, notebooks.values())
    if not files:
        findings.append(_warning(f"there is no pipeline file in '{project.notebooks}'"))
    unique = dict.fromkeys(findings)
    return Checked(tuple(each.name for each in pipelines), len(notebooks), tuple(unique))


def _read_others(project: Project, known: dict[Path, Notebook]) -> Iterator[Finding]:
    """Notebooks that no pipeline uses, into `known`; what keeps them from being read."""
    for path in sorted(project.notebooks.rglob("*.ipynb")):
        hidden = any(part.startswith(".") for part in path.relative_to(project.notebooks).parts)
        if path in known or hidden:
            continue
        try:
            known[path] = read_notebook(path)
        except SpecError as error:
            yield from _errors(error.problems)


def _contracts(project: Project) -> Iterator[Finding]:
    """What is wrong with the data contracts."""
    for path in sorted((project.notebooks / FOLDER).glob("*.y*ml")):
        try:
            read_contract(path)
        except SpecError as error:
            yield from _errors(error.problems)


def _pipelines_alike(pipelines: Iterable[Pipeline]) -> Iterator[Finding]:
    """Names that fall together, or that `workbench run` would not find."""
    files: dict[str, Path] = {}
    for pipeline in pipelines:
        if other := files.get(pipeline.name):
            message = f"'{pipeline.name}' is the name of the pipeline in {other.name} too"
            yield Finding("error", Problem(message, pipeline.file, key="pipeline"))
        elif pipeline.file.stem != pipeline.name:
            message = f"the pipeline '{pipeline.name}' is run as `workbench run {pipeline.file.stem}`"
            yield _warning(f"{message}; better give both one name", pipeline.file, "pipeline")
        files.setdefault(pipeline.name, pipeline.file)


def _around(project: Project, pipeline: Pipeline) -> Iterator[Finding]:
    """What a pipeline needs from outside: kernels, files, secrets."""
    kernels = BUILT_IN_KERNELS
    if any(step.kernel not in kernels for step in pipeline.steps.values()):
        from jupyter_client.kernelspec import KernelSpecManager

        kernels |= set(KernelSpecManager().find_kernel_specs())
    for step in pipeline.steps.values():
        place = f"steps.{step.name}"
        if step.kernel not in kernels:
            message = f"the kernel '{step.kernel}' of {step.notebook.path.name} is not installed"
            yield Finding(
                "error", Problem(message + did_you_mean(step.kernel, kernels), pipeline.file, key=place)
            )
        for name, source in step.inputs.items():
            if isinstance(source, Files) and not _exists(project, source):
                message = f"no file matches '{source.pattern}' in '{project.root}'"
                yield _warning(message, pipeline.file, f"{place}.inputs.{name}")
        for name in step.secrets:
            if name not in os.environ:
                message = f"the environment variable '{name}' is not set"
                yield _warning(message, pipeline.file, f"{place}.secrets")


def _exists(project: Project, source: Files) -> bool:
    path = Path(source.pattern)
    if not source.many:
        return (project.root / path).exists()
    base = Path(path.anchor) if path.is_absolute() else project.root
    pattern = str(path.relative_to(path.anchor)) if path.is_absolute() else source.pattern
    return next(base.glob(pattern), None) is not None


def _notebook(notebook: Notebook) -> Iterator[Finding]:
    """Cells that cannot be parsed, parameters that nothing uses, outputs that would be committed."""
    if notebook.language == "python":
        try:
            trees = notebook.trees
        except SpecError as error:
            yield from _errors(error.problems)
        else:
            used = {name for tree in trees for node in ast.walk(tree) for name in _read(node)}
            for name in notebook.parameters.keys() - used:
                yield _warning("no cell uses this parameter", notebook.path, name)
    cells = json.loads(notebook.path.read_text(encoding="utf-8")).get("cells", [])
    if any(
        isinstance(cell, Mapping) and (cell.get("outputs") or cell.get("execution_count")) for cell in cells
    ):
        yield _warning("has outputs; strip them before it is committed (nbstripout)", notebook.path)


def _read(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
        yield node.id


def _packages(project: Project, notebooks: Iterable[Notebook]) -> Iterator[Finding]:
    """Imports that would fail in a kernel of this environment."""
    modules = ProjectModules(project.root)
    users: dict[str, list[Path]] = {}
    for notebook in notebooks:
        if notebook.kernel not in BUILT_IN_KERNELS:
            continue
        try:
            imports = modules.follow(notebook.imports, notebook.path.parent)
        except SpecError:
            continue  # told already
        for name in imports.packages:
            users.setdefault(name, []).append(notebook.path)
    versions = package_versions(users, project.store / "packages.json")
    for name, version in versions.items():
        if version == "not installed":
            for path in users[name]:
                yield _warning(f"imports '{name}', which is not installed here", path)


def _errors(problems: Iterable[Problem]) -> list[Finding]:
    return [Finding("error", problem) for problem in problems]


def _warning(message: str, file: Path | None = None, key: str | None = None) -> Finding:
    return Finding("warning", Problem(message, file, key=key))
