"""A pipeline file, its notebooks and the values given to it, into a Pipeline.

Everything that can be wrong is found here, before a kernel starts, and reported at once.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from workbench.errors import Problem, SpecError, did_you_mean
from workbench.notebook import Notebook, Parameter, read_notebook
from workbench.pipeline import Files, Input, Model, OutputOf, Pipeline, Step, find_pipeline
from workbench.schema import REFERENCE, check_shape
from workbench.settings import Project, find_project, parse_duration
from workbench.yamls import Document, Place, parse_value, read_yaml


def load_pipeline(
    name: str | Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    arguments: Mapping[str, str] | None = None,
    project: Project | None = None,
) -> Pipeline:
    """Load a pipeline by name or path.

    `parameters` are values that override those of the file; `arguments` are the same as text, as from a command
    line (`-p months=[1,2]`). Raises SpecError with every problem of the file, its notebooks and these values.
    """
    project = project or find_project()
    file = find_pipeline(project, name)
    document = read_yaml(file)
    if problems := check_shape(document, file):
        raise SpecError(problems)
    return _Loading(project, file, document, dict(parameters or {}), dict(arguments or {})).pipeline()


class _Loading:
    """The state of reading one file: the problems found so far, and each notebook read once.

    pipeline
      _read_notebooks
      _expand            one Step for each branch
        _bind            parameters, by name and type
        _wire            inputs, to the branches that exist
      _order
    """

    def __init__(
        self,
        project: Project,
        file: Path,
        document: Document,
        given: dict[str, Any],
        arguments: dict[str, str],
    ) -> None:
        self.project, self.file, self.document = project, file, document
        self.given, self.arguments = given, arguments
        self.params: dict[str, Any] = document.value.get("params") or {}
        self.specs: dict[str, dict[str, Any]] = document.value["steps"]
        self.problems: list[Problem] = []
        self.notebooks: dict[str, Notebook] = {}
        self.branches: dict[str, list[dict[str, Any]]] = {}
        self.used: set[str] = set()

    def pipeline(self) -> Pipeline:
        self._read_notebooks()
        for name in self.specs:
            self.branches[name] = self._branches(name)
        steps = {step.key: step for name in self.notebooks for step in self._expand(name)}
        self._check_names()
        model = self._model()
        if self.problems:
            raise SpecError(self.problems)
        value = self.document.value
        return Pipeline(
            name=value["pipeline"],
            file=self.file,
            project=self.project,
            parameters={**self.params, **self.given, **self.arguments},
            steps={key: steps[key] for key in self._order(steps)},
            description=value.get("description", ""),
            timeout=_seconds(value.get("timeout")),
            model=model,
        )

    def _problem(self, message: str, *place: str) -> None:
        line = self.document.line(place)
        self.problems.append(Problem(message, self.file, line, ".".join(place) or None))

    def _read_notebooks(self) -> None:
        read: dict[Path, Notebook | SpecError] = {}
        for name, spec in self.specs.items():
            path = (self.file.parent / spec["notebook"]).resolve()
            if path not in read:
                try:
                    read[path] = read_notebook(path)
                except SpecError as error:
                    read[path] = error
                    self._unreadable(name, path, error)
            notebook = read[path]
            if isinstance(notebook, Notebook):
                self.notebooks[name] = notebook

    def _unreadable(self, name: str, path: Path, error: SpecError) -> None:
        if path.exists():
            self.problems += error.problems
        else:
            known = [file.name for file in path.parent.glob("*.ipynb")] if path.parent.is_dir() else []
            given = self.specs[name]["notebook"]
            hint = did_you_mean(path.name, known)
            self._problem(f"there is no notebook '{given}'{hint}", "steps", name, "notebook")

    def _branches(self, name: str) -> list[dict[str, Any]]:
        """The values of each branch; one empty branch for a step without `foreach`."""
        variables: dict[str, list[Any]] = {}
        for variable, values in (self.specs[name].get("foreach") or {}).items():
            if isinstance(values, str):
                self.used.add(values)
                source = self._parameter_value(values)
                if not isinstance(source, list) or not source:
                    known = [key for key, value in self.params.items() if isinstance(value, list)]
                    self._problem(
                        f"'{values}' is not a parameter of this file that holds a list{did_you_mean(values, known)}",
                        "steps", name, "foreach", variable,
                    )  # fmt: skip
                    source = []
                values = source
            variables[variable] = values
        return [
            dict(zip(variables, chosen, strict=True)) for chosen in itertools.product(*variables.values())
        ]

    def _parameter_value(self, name: str) -> Any:
        if name in self.given:
            return self.given[name]
        if name in self.arguments:
            return parse_value(self.arguments[name])
        return self.params.get(name)

    def _expand(self, name: str) -> Iterator[Step]:
        spec, notebook = self.specs[name], self.notebooks[name]
        outputs = spec.get("outputs") or {}
        for wired in ("inputs", "outputs", "foreach"):
            for variable in spec.get(wired) or {}:
                self._declared(notebook, variable, "steps", name, wired, variable)
        fixed = self._bind(name, notebook)
        for branch in self.branches[name]:
            bound = dict(fixed)
            for variable, value in branch.items():
                if variable in notebook.parameters:
                    bound |= self._coerced(
                        notebook.parameters[variable], value, "steps", name, "foreach", variable
                    )
            wiring = self._wire(name, notebook, branch)
            yield Step(
                key=_key(name, branch),
                name=name,
                branch=branch,
                notebook=notebook,
                parameters=bound,
                inputs=wiring,
                outputs=outputs,
                after=self._after(name),
                retries=spec.get("retries", 0),
                timeout=_seconds(spec.get("timeout")),
                cell_timeout=_seconds(spec.get("cell_timeout")),
                kernel=spec.get("kernel") or notebook.kernel,
                cache=spec.get("cache", True),
                refresh=_seconds(spec.get("refresh")),
                secrets=tuple(spec.get("secrets") or ()),
            )

    def _declared(self, notebook: Notebook, variable: str, *place: str) -> bool:
        if variable in notebook.parameters:
            return True
        if notebook.parameters_cell is None:
            self._problem(
                f"{notebook.path.name} has no cell tagged 'parameters', so nothing can be passed to it",
                *place,
            )
        else:
            self._problem(
                f"{notebook.path.name} declares no parameter '{variable}'"
                f"{did_you_mean(variable, notebook.parameters)}",
                *place,
            )
        return False

    def _bind(self, name: str, notebook: Notebook) -> dict[str, Any]:
        """The values that all branches share. What is nearer wins: file, step, then the command line."""
        spec = self.specs[name]
        wired = {*(spec.get("inputs") or {}), *(spec.get("outputs") or {}), *(spec.get("foreach") or {})}
        bound: dict[str, Any] = {}
        for variable, value in self.params.items():
            if variable in notebook.parameters and variable not in wired:
                bound |= self._coerced(notebook.parameters[variable], value, "params", variable)
        for variable, value in (spec.get("params") or {}).items():
            place = ("steps", name, "params", variable)
            if variable in wired:
                self._problem("is an input, an output or a foreach variable of this step already", *place)
            elif self._declared(notebook, variable, *place):
                bound |= self._coerced(notebook.parameters[variable], value, *place)
        for variable in (*self.given, *self.arguments):
            if variable in notebook.parameters and variable not in wired:
                bound |= self._from_outside(notebook.parameters[variable])
        for variable, parameter in notebook.parameters.items():
            if parameter.required and variable not in wired and variable not in bound:
                self._problem(
                    f"{notebook.path.name} needs a value for '{variable}' ({parameter.annotation})",
                    "steps",
                    name,
                )
        return bound

    def _coerced(self, parameter: Parameter, value: Any, *place: str) -> dict[str, Any]:
        try:
            return {parameter.name: parameter.coerce(value)}
        except ValueError as error:
            self._problem(str(error), *place)
            return {}

    def _from_outside(self, parameter: Parameter) -> dict[str, Any]:
        name = parameter.name
        try:
            if name in self.given:
                return {name: parameter.coerce(self.given[name])}
            return {name: parameter.parse(self.arguments[name])}
        except ValueError as error:
            problem = Problem(str(error), key=f"-p {name}")
            if problem not in self.problems:
                self.problems.append(problem)
            return {}

    def _wire(self, name: str, notebook: Notebook, branch: Mapping[str, Any]) -> dict[str, Input]:
        wiring: dict[str, Input] = {}
        for variable, source in (self.specs[name].get("inputs") or {}).items():
            place = ("steps", name, "inputs", variable)
            found = self._source(source, branch, place)
            if found is None:
                continue
            wiring[variable] = found
            sample: Any = {"branch": "path"} if isinstance(found, Mapping) else "path"
            if isinstance(found, Files) and found.many:
                sample = ["path"]
            parameter = notebook.parameters.get(variable)
            if parameter and not parameter.accepts(sample):
                what = {"dict": "a mapping of paths", "list": "a list of paths"}.get(
                    type(sample).__name__, "a path"
                )
                self._problem(f"the notebook receives {what} but declares {parameter.annotation}", *place)
        return wiring

    def _source(self, text: str, branch: Mapping[str, Any], place: Place) -> Input | None:
        where = tuple(map(str, place))
        if text.startswith("file:"):
            return Files(text.removeprefix("file:"))
        match = REFERENCE.fullmatch(text)
        assert match is not None  # the shape was checked
        step, every, chosen, output = match.groups()
        if step not in self.specs:
            self._problem(f"there is no step '{step}'{did_you_mean(step, self.specs)}", *where)
            return None
        outputs = self.specs[step].get("outputs") or {}
        if output not in outputs:
            self._problem(f"step '{step}' has no output '{output}'{did_you_mean(output, outputs)}", *where)
            return None
        branches = self.branches[step]
        if every:
            return {_label(values): OutputOf(_key(step, values), output) for values in branches}
        if chosen:
            key = f"{step}[{chosen.replace(' ', '')}]"
            keys = [_key(step, values) for values in branches]
            if key not in keys:
                self._problem(f"there is no branch '{key}'{did_you_mean(key, keys)}", *where)
                return None
            return OutputOf(key, output)
        if len(branches) == 1 and not branches[0]:
            return OutputOf(step, output)
        same = [values for values in branches if values.items() <= branch.items()]
        if len(same) == 1:
            return OutputOf(_key(step, same[0]), output)
        self._problem(f"step '{step}' has branches; expected '{step}.*.{output}' for all of them", *where)
        return None

    def _after(self, name: str) -> tuple[str, ...]:
        keys: list[str] = []
        for other in self.specs[name].get("after") or ():
            if other not in self.specs:
                message = f"there is no step '{other}'{did_you_mean(other, self.specs)}"
                problem = Problem(
                    message, self.file, self.document.line(("steps", name, "after")), f"steps.{name}.after"
                )
                if problem not in self.problems:
                    self.problems.append(problem)
            else:
                keys += [_key(other, values) for values in self.branches[other]]
        return tuple(keys)

    def _check_names(self) -> None:
        """Every parameter given must be one that some notebook declares."""
        if len(self.notebooks) < len(self.specs):
            return  # a notebook that could not be read may declare it
        declared = {name for notebook in self.notebooks.values() for name in notebook.parameters}
        fixed: dict[str, str] = {}
        for step, spec in self.specs.items():
            for kind in ("inputs", "outputs", "foreach"):
                fixed |= dict.fromkeys(spec.get(kind) or {}, f"{kind} of step '{step}'")
        for name in self.params:
            if name not in declared | self.used:
                self._problem(f"no notebook declares it{did_you_mean(name, declared)}", "params", name)
        bindable = {
            name
            for step, notebook in self.notebooks.items()
            for name in notebook.parameters
            if all(
                name not in (self.specs[step].get(kind) or {}) for kind in ("inputs", "outputs", "foreach")
            )
        }
        for name in (*self.given, *self.arguments):
            if name in bindable | self.used:
                continue
            if name in fixed:
                message = f"is wired in the pipeline file ({fixed[name]}), so no value can be given"
            else:
                message = f"no notebook declares this parameter{did_you_mean(name, bindable)}"
            self.problems.append(Problem(message, key=f"-p {name}"))

    def _model(self) -> Model | None:
        spec = self.document.value.get("model")
        if not spec:
            return None
        found = {
            key: self._source(spec[key], {}, ("model", key)) for key in ("version", "metrics") if key in spec
        }
        version, metrics = found["version"], found.get("metrics")
        if not isinstance(version, OutputOf):
            return None
        return Model(spec["name"], version, metrics if isinstance(metrics, OutputOf) else None)

    def _order(self, steps: Mapping[str, Step]) -> list[str]:
        graph = {key: step.needs for key, step in steps.items()}
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            name = steps[circle[0]].name
            self._problem(f"these steps wait for each other: {' → '.join(circle)}", "steps", name)
            raise SpecError(self.problems) from None


def _key(name: str, branch: Mapping[str, Any]) -> str:
    inside = ",".join(f"{variable}={_word(value)}" for variable, value in branch.items())
    return f"{name}[{inside}]" if inside else name


def _label(branch: Mapping[str, Any]) -> str:
    """What a fan-in calls a branch: its value, or all `variable=value` where there are several."""
    if len(branch) == 1:
        return _word(next(iter(branch.values())))
    return ",".join(f"{variable}={_word(value)}" for variable, value in branch.items())


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else re.sub(r"[\[\],\s]+", "_", str(value))


def _seconds(value: Any) -> float | None:
    return None if value is None else parse_duration(value)
