"""A pipeline file, its notebooks and the values given to it, into a Pipeline.

Everything that can be wrong is found here, before a kernel starts, and reported at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from workbench.declared import PLACE as MONITORS
from workbench.declared import names_problems
from workbench.errors import Problem, SpecError, did_you_mean
from workbench.monitors import Monitors, monitors_of
from workbench.notebook import Notebook, read_notebook
from workbench.parameters import Parameter
from workbench.pipeline import (
    ChampionOf,
    Files,
    Input,
    Model,
    OutputOf,
    Pipeline,
    Rows,
    Step,
    branch_key,
    branch_label,
    find_pipeline,
)
from workbench.schema import CHAMPION, REFERENCE, branch_values, shape_problems
from workbench.setting_keys import parse_duration, parse_size
from workbench.settings import Project, find_project
from workbench.source import CodeMemory
from workbench.trigger_keys import Trigger, declared_triggers
from workbench.yamls import Document, parse_value, read_yaml, without

_WIRED = ("inputs", "outputs", "foreach")
"""Keys of a step whose names are bound by the pipeline file."""


_DELIVERED = ("version", "metrics", "evidence", "dossier", "reference")
"""Keys of `model:` that name outputs."""


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
    return _Loading(project, file, document, dict(parameters or {}), dict(arguments or {})).pipeline()


class _Loading:
    """The state of reading one file: the problems found so far, and each notebook read once.

    pipeline
      _well_formed
      _read_notebooks
      _expand            one Step for each branch
        _bind            parameters, by name and type
        _wire            inputs, to the branches that exist
      _order

    What is wrong in itself is left out from then on; the steps it belongs to are `doubtful`, and what only follows
    from it is not reported.
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
        self.problems: dict[Problem, None] = {}
        self.doubtful: set[str] = set()
        self.params: dict[str, Any] = {}
        self.specs: dict[str, dict[str, Any]] = {}
        self.notebooks: dict[str, Notebook] = {}
        self.branches: dict[str, list[dict[str, Any]]] = {}
        self.used: set[str] = set()
        """Parameters of the file that `foreach` takes its values from."""
        self.outside: dict[str, Any] = {}
        """Values from outside the file, as they are used."""

    def pipeline(self) -> Pipeline:
        value = self._well_formed()
        self.params, self.specs = value.get("params", {}), value["steps"]
        self._read_notebooks()
        for name in self.specs:
            self.branches[name] = self._branches(name)
        steps = {step.key: step for name in self.notebooks for step in self._expand(name)}
        self._check_names()
        model = self._model(value.get("model"))
        triggers = self._triggers(value.get("triggers", ()), model)
        order = self._order(steps)
        if self.problems:
            raise SpecError(self.problems)
        return Pipeline(
            name=value["pipeline"],
            file=self.file,
            project=self.project,
            parameters={**self.params, **self.outside},
            steps={key: steps[key] for key in order},
            description=value.get("description", ""),
            timeout=_seconds(value.get("timeout")),
            model=model,
            triggers=triggers,
        )

    def _well_formed(self) -> dict[str, Any]:
        """The file's value without what is wrong in itself."""
        found = shape_problems(self.document.value)
        for place, message in found:
            self.problem(message, *place)
            if place[:1] == ("steps",) and len(place) > 1:
                self.doubtful.add(str(place[1]))
        # Monitors are made of all that is declared, or not at all.
        wrong = [
            place[: len(MONITORS)] if place[: len(MONITORS)] == MONITORS else place for place, _ in found
        ]
        value = without(self.document.value, wrong)
        if not isinstance(value, dict) or "steps" not in value:
            raise SpecError(self.problems)
        return value

    def problem(self, message: str, *place: str | int) -> None:
        line = self.document.line(place)
        self.problems[Problem(message, self.file, line, ".".join(map(str, place)) or None)] = None

    def _outside_problem(self, name: str, message: str) -> None:
        self.problems[Problem(message, key=f"-p {name}")] = None

    def _read_notebooks(self) -> None:
        memory = CodeMemory(self.project.cells)
        read: dict[str, Notebook | SpecError] = {}
        for name, spec in self.specs.items():
            if "notebook" not in spec:
                continue
            given = spec["notebook"]
            if given not in read:
                try:
                    read[given] = read_notebook((self.file.parent / given).resolve(), memory)
                except SpecError as error:
                    read[given] = error
            notebook = read[given]
            if isinstance(notebook, Notebook):
                self.notebooks[name] = notebook
            else:
                self._unreadable(name, given, notebook)
        memory.save()

    def _unreadable(self, name: str, given: str, error: SpecError) -> None:
        path = self.file.parent / given
        if path.exists():
            self.problems |= dict.fromkeys(error.problems)
        else:
            known = [file.name for file in path.parent.glob("*.ipynb")] if path.parent.is_dir() else []
            hint = did_you_mean(path.name, known)
            self.problem(f"there is no notebook '{given}'{hint}", "steps", name, "notebook")

    def _branches(self, name: str) -> list[dict[str, Any]]:
        """The values of each branch; one empty branch for a step without `foreach`."""
        variables: dict[str, list[Any]] = {}
        for variable, values in self.specs[name].get("foreach", {}).items():
            if isinstance(values, str):
                values = self._list_parameter(values, "steps", name, "foreach", variable)
            variables[variable] = values
        return [
            dict(zip(variables, chosen, strict=True)) for chosen in itertools.product(*variables.values())
        ]

    def _list_parameter(self, name: str, *place: str) -> list[Any]:
        self.used.add(name)
        value: Any = self.params.get(name)
        if name in self.given:
            value = self.outside[name] = self.given[name]
        elif name in self.arguments:
            try:
                value = self.outside[name] = parse_value(self.arguments[name])
            except ValueError as error:
                self._outside_problem(name, str(error))
                return []
        if isinstance(value, list) and value:
            if message := branch_values(value):
                self.problem(f"{name}: {message}", *place)
                return []
            return value
        known = [key for key, value in self.params.items() if isinstance(value, list)]
        self.problem(
            f"'{name}' is not a parameter of this file that holds a list{did_you_mean(name, known)}", *place
        )
        return []

    def _expand(self, name: str) -> Iterator[Step]:
        spec, notebook = self.specs[name], self.notebooks[name]
        for wired in _WIRED:
            for variable in spec.get(wired, ()):
                self._declared(notebook, variable, "steps", name, wired, variable)
        fixed, after = self._bind(name, notebook), self._after(name)
        for branch in self.branches[name]:
            bound = dict(fixed)
            for variable, value in branch.items():
                if variable in notebook.parameters:
                    bound |= self._coerced(
                        notebook.parameters[variable], value, "steps", name, "foreach", variable
                    )
            wiring = self._wire(name, notebook, branch)
            yield Step(
                key=branch_key(name, branch),
                name=name,
                branch=branch,
                notebook=notebook,
                parameters=bound,
                inputs=wiring,
                outputs=spec.get("outputs", {}),
                after=after,
                retries=spec.get("retries", 0),
                timeout=_seconds(spec.get("timeout")),
                cell_timeout=_seconds(spec.get("cell_timeout")),
                memory=parse_size(spec["memory"]) if "memory" in spec else None,
                kernel=spec.get("kernel", notebook.kernel),
                cache=spec.get("cache", True),
                refresh=_seconds(spec.get("refresh")),
                secrets=tuple(spec.get("secrets", ())),
            )

    def _declared(self, notebook: Notebook, variable: str, *place: str) -> bool:
        if variable in notebook.parameters:
            return True
        file = notebook.path.name
        if notebook.parameters_cell is None:
            message = f"{file} has no cell tagged 'parameters', so nothing can be passed to it"
        else:
            message = (
                f"{file} declares no parameter '{variable}'{did_you_mean(variable, notebook.parameters)}"
            )
        self.problem(message, *place)
        return False

    def _bind(self, name: str, notebook: Notebook) -> dict[str, Any]:
        """The values that all branches share. What is nearer wins: file, step, then the command line."""
        spec = self.specs[name]
        wired = _wired(spec)
        bound: dict[str, Any] = {}
        for variable, value in self.params.items():
            if variable in notebook.parameters and variable not in wired:
                bound |= self._coerced(notebook.parameters[variable], value, "params", variable)
        for variable, value in spec.get("params", {}).items():
            place = ("steps", name, "params", variable)
            if self._declared(notebook, variable, *place):
                bound |= self._coerced(notebook.parameters[variable], value, *place)
        for variable in (*self.given, *self.arguments):
            if variable in notebook.parameters and variable not in wired:
                bound |= self._from_outside(notebook.parameters[variable])
        for variable, parameter in notebook.parameters.items():
            if parameter.required and variable not in {*wired, *bound} and name not in self.doubtful:
                message = f"{notebook.path.name} needs a value for '{variable}' ({parameter.annotation})"
                self.problem(message, "steps", name)
        return bound

    def _coerced(self, parameter: Parameter, value: Any, *place: str | int) -> dict[str, Any]:
        try:
            return {parameter.name: parameter.coerce(value)}
        except ValueError as error:
            self.problem(str(error), *place)
            return {}

    def _from_outside(self, parameter: Parameter) -> dict[str, Any]:
        name = parameter.name
        try:
            if name in self.given:
                value = parameter.coerce(self.given[name])
            else:
                value = parameter.parse(self.arguments[name])
        except ValueError as error:
            self._outside_problem(name, str(error))
            return {}
        self.outside[name] = value
        return {name: value}

    def _wire(self, name: str, notebook: Notebook, branch: Mapping[str, Any]) -> dict[str, Input]:
        wiring: dict[str, Input] = {}
        for variable, source in self.specs[name].get("inputs", {}).items():
            place = ("steps", name, "inputs", variable)
            found = self._source(source, branch, place, name)
            if found is None:
                continue
            wiring[variable] = found
            parameter = notebook.parameters.get(variable)
            what, samples = _given(found)
            if parameter and not all(map(parameter.accepts, samples)):
                self.problem(f"the notebook receives {what} but declares {parameter.annotation}", *place)
        return wiring

    def _source(
        self, text: str, branch: Mapping[str, Any], place: tuple[str, ...], reader: str | None = None
    ) -> Input | None:
        if served := CHAMPION.fullmatch(text):
            return ChampionOf(served[1])
        if text.startswith("file:"):
            return Files(text.removeprefix("file:"), self.document.line(place))
        match = REFERENCE.fullmatch(text)
        assert match is not None  # the shape was checked
        step, every, chosen, output = match.groups()
        if step == reader:
            self.problem(f"'{text}' is an output of this step itself", *place)
            return None
        if step in self.doubtful:
            return None
        if step not in self.specs:
            self.problem(f"there is no step '{step}'{did_you_mean(step, self.specs)}", *place)
            return None
        outputs = self.specs[step].get("outputs", {})
        if output not in outputs:
            self.problem(f"step '{step}' has no output '{output}'{did_you_mean(output, outputs)}", *place)
            return None
        branches = self.branches[step]
        if every:
            return {branch_label(values): OutputOf(branch_key(step, values), output) for values in branches}
        if chosen:
            key = f"{step}[{chosen.replace(' ', '')}]"
            keys = [branch_key(step, values) for values in branches]
            if key not in keys:
                self.problem(f"there is no branch '{key}'{did_you_mean(key, keys)}", *place)
                return None
            return OutputOf(key, output)
        same = [values for values in branches if values.items() <= branch.items()]
        if len(same) == 1:
            return OutputOf(branch_key(step, same[0]), output)
        if branches:
            self.problem(
                f"step '{step}' has branches; expected '{step}.*.{output}' for all of them, or one such as "
                f"'{branch_key(step, branches[0])}.{output}'",
                *place,
            )
        return None

    def _after(self, name: str) -> tuple[str, ...]:
        keys: list[str] = []
        for other in self.specs[name].get("after", ()):
            place = ("steps", name, "after")
            if other == name:
                self.problem("a step cannot come after itself", *place)
            elif other in self.specs:
                keys += [branch_key(other, values) for values in self.branches[other]]
            elif other not in self.doubtful:
                self.problem(f"there is no step '{other}'{did_you_mean(other, self.specs)}", *place)
        return tuple(keys)

    def _check_names(self) -> None:
        """Every parameter given must be one that some notebook declares."""
        if self.doubtful or len(self.notebooks) < len(self.specs):
            return  # what could not be read may declare it
        fixed: dict[str, str] = {}
        bindable = set(self.used)
        for step, notebook in self.notebooks.items():
            for kind in _WIRED:
                fixed |= dict.fromkeys(self.specs[step].get(kind, ()), f"{kind} of step '{step}'")
            bindable |= notebook.parameters.keys() - _wired(self.specs[step])

        def problem(name: str) -> str:
            if name in fixed:
                return f"is wired in the pipeline file ({fixed[name]}), so no value can be given"
            return f"no notebook declares this parameter{did_you_mean(name, bindable)}"

        for name in sorted(self.params.keys() - bindable):
            self.problem(problem(name), "params", name)
        for name in sorted({*self.given, *self.arguments} - bindable):
            self._outside_problem(name, problem(name))

    def _model(self, spec: dict[str, Any] | None) -> Model | None:
        if spec is None:
            return None
        found = {key: self._source(spec[key], {}, ("model", key)) for key in _DELIVERED if key in spec}
        outputs = {key: source for key, source in found.items() if isinstance(source, OutputOf)}
        contract = spec.get("contract")
        if contract and not (self.project.root / contract).is_file():
            near = [
                file.relative_to(self.project.root).as_posix()
                for file in self.project.notebooks.rglob("*.y*ml")
            ]
            self.problem(f"there is no file '{contract}'{did_you_mean(contract, near)}", "model", "contract")
        monitors = self._monitors(spec)
        if "version" not in outputs or "name" not in spec:
            return None
        return Model(
            spec["name"],
            contract=contract,
            gates=spec.get("gates", {}),
            monitors=monitors,
            replay=self._rows(spec.get("replay")),
            **outputs,
        )

    def _rows(self, spec: dict[str, Any] | None) -> Rows | None:
        if not spec or not {"rows", "day"} <= spec.keys():
            return None
        found = [self._source(text, {}, ("model", "replay", "rows")) for text in spec["rows"]]
        return Rows(tuple(each for each in found if isinstance(each, OutputOf)), spec["day"])

    def _monitors(self, spec: Mapping[str, Any]) -> Monitors | None:
        if not spec.get("monitors"):
            return None
        try:
            for place, message in names_problems(self.project, spec):
                self.problem(message, *map(str, place))
        except SpecError as error:  # the contract is no YAML
            self.problems |= dict.fromkeys(error.problems)
        return monitors_of(spec["monitors"])

    def _triggers(self, declared: Sequence[Mapping[str, Any]], model: Model | None) -> tuple[Trigger, ...]:
        """What they give to their runs must be what a run can be given."""
        if any(problem.key and problem.key.startswith("triggers") for problem in self.problems):
            return ()
        free = {
            step: notebook.parameters.keys() - _wired(self.specs[step])
            for step, notebook in self.notebooks.items()
        }
        whole = not self.doubtful and len(self.notebooks) == len(self.specs)
        for number, each in enumerate(declared):
            for name, value in each.get("params", {}).items():
                place = ("triggers", number, "params", name)
                steps = [step for step, names in free.items() if name in names]
                for step in steps:
                    self._coerced(self.notebooks[step].parameters[name], value, *place)
                if whole and not steps and name not in self.used:
                    known = {each for names in free.values() for each in names}
                    self.problem(f"no notebook declares this parameter{did_you_mean(name, known)}", *place)
        return declared_triggers(declared, model.name if model else None)

    def _order(self, steps: Mapping[str, Step]) -> list[str]:
        graph = {key: [need for need in step.needs if need in steps] for key, step in steps.items()}
        try:
            return list(TopologicalSorter(graph).static_order())
        except CycleError as error:
            circle = list(reversed(error.args[1]))
            name = steps[circle[0]].name
            self.problem(f"these steps wait for each other: {' → '.join(circle)}", "steps", name)
            return []


def _given(source: Input) -> tuple[str, list[Any]]:
    """What a notebook receives for an input: in words, and examples of every kind of value."""
    if isinstance(source, ChampionOf):
        return "a path, or None while there is no champion,", ["path", None]
    if isinstance(source, Files) and source.many:
        return "a list of paths", [["path"]]
    return (
        ("a path", ["path"])
        if isinstance(source, Files | OutputOf)
        else ("a mapping of paths", [{"branch": "path"}])
    )


def _wired(spec: Mapping[str, Any]) -> set[str]:
    return {name for kind in _WIRED for name in spec.get(kind, ())}


def _seconds(value: Any) -> float | None:
    return None if value is None else parse_duration(value)
