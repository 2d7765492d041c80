"""A contract: what one data set must be like, read from a file that is reviewed like code.

Values only; nothing here imports pandas. `check` holds data against a contract, `infer` proposes one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from workbench.contracts.rules import Expression, parse_rule
from workbench.contracts.schema import contract_problems
from workbench.errors import ContractError, Problem, SpecError, did_you_mean
from workbench.yamls import parse_value, read_yaml

Type = Literal["int", "float", "text", "category", "bool", "date", "datetime"]
Severity = Literal["stop", "quarantine", "warn", "exclude"]
"""What a breach does. `exclude` sets a row aside that is no fault of the data and counts for no quota."""
Extra = Literal["ignore", "warn", "stop"]
FOLDER = "contracts"
"""Where the contracts of a project are, in its notebooks' folder."""
Scalar = str | int | float | bool


@dataclass(frozen=True)
class Column:
    """What one column must be like. Bounds are inclusive; those of dates are ISO texts."""

    name: str
    type: Type
    nullable: bool = False
    min: int | float | str | None = None
    max: int | float | str | None = None
    values: tuple[Scalar, ...] | None = None
    pattern: str | None = None
    unique: bool = False
    severity: Severity = "quarantine"
    help: str = ""


@dataclass(frozen=True)
class Unique:
    """Columns whose values may stand together once only; the first such row is kept."""

    columns: tuple[str, ...]
    severity: Severity = "quarantine"


@dataclass(frozen=True)
class Rule:
    """What must hold in every row, across columns."""

    name: str
    expect: Expression
    severity: Severity = "quarantine"
    help: str = ""


@dataclass(frozen=True)
class Freshness:
    """How old the latest value of a column may be."""

    column: str
    days: float
    severity: Severity = "stop"


@dataclass(frozen=True)
class Contract:
    """The schema that a data set must meet."""

    name: str
    columns: tuple[Column, ...]
    description: str = ""
    min_rows: int | None = None
    max_rows: int | None = None
    freshness: Freshness | None = None
    label: str | None = None
    never_features: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    """Columns that identify a row, to find its outcome by. They may come with a table whatever else is said of them, and
    need not be among `columns`; only those that are features anyway are given to a model."""
    unique: tuple[Unique, ...] = ()
    rules: tuple[Rule, ...] = ()
    max_share: float | None = None
    """The largest share of faulty rows that is accepted; None for any."""
    extra: Extra = "warn"
    file: Path | None = field(default=None, compare=False, repr=False)

    @property
    def features(self) -> tuple[str, ...]:
        """The columns that a model may be given: all but the label and the deny-list."""
        never = {self.label, *self.never_features}
        return tuple(column.name for column in self.columns if column.name not in never)

    def column(self, name: str) -> Column:
        """The column of this name. Raises KeyError."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)

    def of_features(self) -> Contract:
        """The part that a request to a model must meet: features only, each row by itself, no bounds of the set.

        A column of the deny-list, or the label, stops, unless it is one of the keys; rules that name such columns are
        left out.
        """
        kept = set(self.features)
        return replace(
            self,
            columns=tuple(column for column in self.columns if column.name in kept),
            rules=tuple(rule for rule in self.rules if rule.expect.columns <= kept),
            unique=(),
            never_features=tuple(
                dict.fromkeys([*self.never_features, *([self.label] if self.label else [])])
            ),
            label=None,
            min_rows=None,
            max_rows=None,
            freshness=None,
            max_share=None,
        )

    def choose_features(self, names: Iterable[str] = ()) -> list[str]:
        """These names (default: all features), if a model may be given each. Raises ContractError naming the others."""
        chosen = list(names) or list(self.features)
        never = {*self.never_features, *([self.label] if self.label else [])}
        if denied := [name for name in chosen if name in never]:
            raise ContractError(
                f"contract '{self.name}': {_quoted(denied)} must never be a feature (label and never_features); "
                f"a model may be given: {', '.join(self.features)}"
            )
        if unknown := [name for name in chosen if name not in self.features]:
            raise ContractError(
                f"contract '{self.name}' has no column {_quoted(unknown)}{did_you_mean(unknown[0], self.features)}"
            )
        return chosen

    def as_dict(self) -> dict[str, Any]:
        """Plain values, as they stand in its file; what is at its default is left out."""
        rows = _given(min=self.min_rows, max=self.max_rows)
        fresh, quota = self.freshness, self.max_share
        return _given(
            contract=self.name,
            description=self.description or None,
            rows=rows or None,
            freshness=fresh and _given(
                column=fresh.column, days=fresh.days, severity=_unless(fresh.severity, "stop")
            ),
            label=self.label,
            never_features=list(self.never_features) or None,
            keys=list(self.keys) or None,
            unique=[_unique_as_plain(each) for each in self.unique] or None,
            columns={column.name: _column_as_plain(column) for column in self.columns},
            rules={rule.name: _rule_as_plain(rule) for rule in self.rules} or None,
            quarantine=None if quota is None else {"max_share": quota},
            extra=_unless(self.extra, "warn"),
        )  # fmt: skip


def read_contract(path: Path | str) -> Contract:
    """Read a contract's file. Raises SpecError with every problem of it: file, line, key, value, what was expected."""
    file = Path(path)
    document = read_yaml(file)
    if found := contract_problems(document.value):
        raise SpecError(
            Problem(message, file, document.line(place), ".".join(map(str, place)) or None)
            for place, message in found
        )
    return replace(contract_of(document.value), file=file)


def contract_of(value: Mapping[str, Any]) -> Contract:
    """A contract from plain values. Raises SpecError with every problem."""
    if found := contract_problems(value):
        raise SpecError(Problem(message, key=".".join(map(str, place)) or None) for place, message in found)
    types = {name: spec["type"] for name, spec in value["columns"].items()}
    rows, fresh = value.get("rows", {}), value.get("freshness")
    return Contract(
        name=value["contract"],
        columns=tuple(_column(name, spec) for name, spec in value["columns"].items()),
        description=value.get("description", ""),
        min_rows=rows.get("min"),
        max_rows=rows.get("max"),
        freshness=Freshness(**fresh) if fresh else None,
        label=value.get("label"),
        never_features=tuple(value.get("never_features", ())),
        keys=tuple(value.get("keys", ())),
        unique=tuple(_unique(each) for each in value.get("unique", ())),
        rules=tuple(_rule(name, rule, types) for name, rule in value.get("rules", {}).items()),
        max_share=value.get("quarantine", {}).get("max_share"),
        extra=value.get("extra", "warn"),
    )


def find_contract(name: str | Path, folder: Path) -> Path:
    """The file of the contract called `name` in `folder`, or at that path. Raises SpecError with the nearest name."""
    path = Path(name)
    candidates = [path] if path.suffix in (".yaml", ".yml") else []
    for candidate in (*candidates, *(folder / f"{name}{suffix}" for suffix in (".yaml", ".yml"))):
        if candidate.is_file():
            return candidate
    known = [file.stem for suffix in ("*.yaml", "*.yml") for file in folder.glob(suffix)]
    raise SpecError([Problem(f"there is no contract '{name}' in '{folder}'{did_you_mean(str(name), known)}")])


def contract_text(contract: Contract) -> str:
    """The contract as it stands in a file: YAML that `read_contract` reads back to an equal contract."""
    import yaml

    class Line(dict[str, Any]):
        """A mapping that is written in braces: one column, or one rule, a line."""

    class Dumper(yaml.SafeDumper):
        """Quotes exactly where our reader (YAML 1.2) needs them."""

        yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as in the base

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def scalar(dumper: Any, value: Any) -> Any:
        text = str(value).lower() if isinstance(value, bool) else str(value)
        quoted = isinstance(value, str) and not _reads_back(value)
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if quoted else None)

    def line(dumper: Any, value: Line) -> Any:
        return dumper.represent_mapping("tag:yaml.org,2002:map", value, flow_style=True)

    for kind in (str, int, float, bool):
        Dumper.add_representer(kind, scalar)
    Dumper.add_representer(Line, line)
    plain = contract.as_dict()
    for part in {"columns", "rules"} & plain.keys():
        plain[part] = {
            name: Line(each) if isinstance(each, dict) else each for name, each in plain[part].items()
        }
    text: str = yaml.dump(
        plain, Dumper=Dumper, sort_keys=False, default_flow_style=None, allow_unicode=True, width=110
    )
    return text


def write_contract(contract: Contract, path: Path) -> None:
    """Write `contract_text`, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_name(f".{path.name}.new")
    scratch.write_text(contract_text(contract), encoding="utf-8")
    scratch.replace(path)


def _reads_back(text: str) -> bool:
    try:
        return bool(parse_value(text) == text)
    except ValueError:
        return False


def _column(name: str, spec: Mapping[str, Any]) -> Column:
    values = spec.get("values")
    return Column(name=name, **{**spec, "values": None if values is None else tuple(values)})


def _unique(each: Any) -> Unique:
    if isinstance(each, list):
        return Unique(tuple(each))
    return Unique(tuple(each["columns"]), each.get("severity", "quarantine"))


def _rule(name: str, rule: Any, types: Mapping[str, str]) -> Rule:
    spec = {"expect": rule} if isinstance(rule, str) else rule
    return Rule(name=name, **{**spec, "expect": parse_rule(spec["expect"], types)})


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _unless(value: Any, default: Any) -> Any:
    return None if value == default else value


def _column_as_plain(column: Column) -> dict[str, Any]:
    return _given(
        type=column.type,
        nullable=column.nullable or None,
        min=column.min,
        max=column.max,
        values=None if column.values is None else list(column.values),
        pattern=column.pattern,
        unique=column.unique or None,
        severity=_unless(column.severity, "quarantine"),
        help=column.help or None,
    )


def _unique_as_plain(each: Unique) -> Any:
    if each.severity == "quarantine":
        return list(each.columns)
    return {"columns": list(each.columns), "severity": each.severity}


def _rule_as_plain(rule: Rule) -> Any:
    if rule.severity == "quarantine" and not rule.help:
        return rule.expect.text
    return _given(
        expect=rule.expect.text, severity=_unless(rule.severity, "quarantine"), help=rule.help or None
    )


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
