"""Contracts as values: a file read with every problem at once, written, compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.contracts.contract import (
    Column,
    Contract,
    Freshness,
    Rule,
    Unique,
    contract_of,
    contract_text,
    find_contract,
    read_contract,
    write_contract,
)
from workbench.contracts.diff import diff
from workbench.contracts.rules import parse_rule
from workbench.contracts.schema import (
    COLUMN_KEYS,
    CONTRACT_KEYS,
    FRESHNESS_KEYS,
    RULE_KEYS,
    TYPES,
    contract_problems,
)
from workbench.errors import ContractError, SpecError

REPOSITORY = Path(__file__).parents[2]

GOOD = """\
contract: trips
description: One row a trip.
rows: {min: 1, max: 1000}
freshness: {column: day, days: 7, severity: warn}
label: late
never_features: [arrival, day, nowhere]
keys: [day, number, nowhere]
unique: [[day, number], {columns: [number], severity: warn}]
quarantine: {max_share: 0.05}
extra: stop
columns:
  day: {type: date, min: 2013-01-01}
  number: {type: int, min: 1, max: 99}
  arrival: {type: datetime, nullable: true, max: "2014-01-01T00:00+01:00"}
  kind: {type: category, values: [bus, tram]}
  stop: {type: text, pattern: "[A-Z]{3}", severity: stop, help: three letters}
  late: {type: bool}
  Größe in m: {type: float, nullable: true}
rules:
  in the week: day.dt.weekday < 5
  arrived: {expect: arrival.notna(), severity: exclude, help: no label without}
"""

WRONG = [
    ("[]", "is empty or no mapping; a contract starts with 'contract: NAME'"),
    ("contract: a b\ncolumns: {x: {type: int}}", "contract: 'a b' is not a name"),
    ("columns: {x: {type: int}}", "contract: is missing: the contract's name"),
    ("contract: a", "columns: is missing"),
    ("contract: a\ncolumns: {}", "columns: {} is not a mapping, or an empty one"),
    ("contract: a\ncolums: {}\ncolumns: {x: {type: int}}", "colums: unknown key; did you mean 'columns'?"),
    ("contract: a\ncolumns: {x: int}", "columns.x: 'int' is not a mapping with 'type'"),
    ("contract: a\ncolumns: {'': {type: int}}", "a column needs a name"),
]
WRONG_COLUMNS = [
    ("{}", "columns.x.type: is missing: one of int, float"),
    ("{type: integer}", "columns.x.type: 'integer' is not known here; did you mean 'int'?"),
    ("{type: 3}", "columns.x.type: 3 is not known here; known: int"),
    ("{type: int, mim: 1}", "columns.x.mim: unknown key; did you mean 'min'?"),
    ("{type: int, min: 1.5}", "columns.x.min: 1.5 is not a whole number"),
    ("{type: int, max: true}", "columns.x.max: True is not a whole number"),
    ("{type: float, max: .inf}", "columns.x.max: inf is not a number"),
    ("{type: float, min: .nan}", "columns.x.min: nan is not a number"),
    ("{type: int, min: 3, max: 2}", "columns.x.min: 3 is above max, 2"),
    (f"{{type: int, max: 1{'0' * 400}}}", "columns.x.max: is a number beyond 64 bits"),
    ("{type: float, min: 9223372036854775808}", "columns.x.min: is a number beyond 64 bits"),
    ("{type: date, min: 2013-02-30}", "columns.x.min: '2013-02-30' is not a date or a time"),
    ("{type: date, min: 2013-02-03T12:00}", "columns.x.min: '2013-02-03T12:00' is not a date"),
    ("{type: date, min: 2013}", "columns.x.min: 2013 is not a date"),
    ("{type: datetime, min: 2013-02-03, max: 2013-02-02}", "columns.x.min: 2013-02-03 is above max"),
    ("{type: text, min: a}", "columns.x.min: a text column has no 'min'"),
    ("{type: bool, max: true}", "columns.x.max: a bool column has no 'max'"),
    ("{type: int, pattern: a}", "columns.x.pattern: a int column has no 'pattern'"),
    ("{type: text, pattern: '['}", "columns.x.pattern: '[' is not a regular expression"),
    ("{type: category}", "columns.x.values: is missing: a category column names its values"),
    ("{type: category, values: []}", "columns.x.values: [] is not a list, or an empty one"),
    ("{type: category, values: [a, 1]}", "columns.x.values.1: 1 is not text"),
    ("{type: category, values: [a, a]}", "columns.x.values.1: 'a' stands here twice"),
    ("{type: int, nullable: 'yes'}", "columns.x.nullable: 'yes' is neither true nor false"),
    ("{type: int, severity: exclude}", "columns.x.severity: 'exclude' is not known here"),
    ("{type: int, severity: [stop]}", "columns.x.severity: ['stop'] is not known here"),
    ("{type: int, help: ''}", "columns.x.help: '' is not text"),
]
WRONG_PARTS = [
    ("rows: {min: -1}", "rows.min: -1 is not a count"),
    ("rows: {min: 3, max: 2}", "rows.min: 3 is above max, 2"),
    ("rows: {least: 3}", "rows.least: unknown key"),
    ("freshness: {column: x, days: 3}", "freshness.column: 'x' is int; expected a date or datetime column"),
    ("freshness: {column: when, days: 0}", "freshness.days: 0 is not a number of days above 0"),
    (f"freshness: {{column: when, days: 1{'0' * 400}}}", "is not a number of days above 0"),
    ("freshness: {column: wen, days: 1}", "freshness.column: there is no column 'wen'; did you mean 'when'?"),
    (
        "freshness: {column: when, days: 1, severity: quarantine}",
        "freshness.severity: 'quarantine' is not known",
    ),
    ("label: y", "label: there is no column 'y'"),
    ("label: x\nnever_features: [when]", "leave no column that a model could be given"),
    ("never_features: when", "never_features: 'when' is not a list of column names"),
    ("never_features: [a, a]", "never_features: 'a' stands here twice"),
    ("keys: x", "keys: 'x' is not a list of column names"),
    ("label: x\nkeys: [when, x]", "keys: 'x' is the label; what identifies a row is known before"),
    ("unique: [x]", "unique.0: 'x' is not a list of column names"),
    ("unique: [[]]", "unique.0: names no column"),
    ("unique: [[y]]", "unique.0: there is no column 'y'"),
    ("unique: [{severity: stop}]", "unique.0.columns: is missing"),
    ("quarantine: {max_share: 2}", "quarantine.max_share: 2 is not a share; expected a number from 0 to 1"),
    ("extra: no", "extra: 'no' is not known here"),
    ("rules: {a: 3}", "rules.a: 3 is neither an expression nor a mapping with 'expect'"),
    ("rules: {a: {severity: warn}}", "rules.a.expect: is missing"),
    ("rules: {a: {expect: x > 1, severity: maybe}}", "rules.a.severity: 'maybe' is not known here"),
    ("rules: {a: y > 1}", "rules.a: there is no column 'y'"),
    ("rules: {a: x > 'b'}", "rules.a: 'x' is a number and ''b'' is text: they cannot be compared"),
]


def problems(folder: Path, text: str) -> list[str]:
    file = folder / "c.yaml"
    file.write_text(text)
    with pytest.raises(SpecError) as raised:
        read_contract(file)
    assert all(problem.file == file for problem in raised.value.problems)
    return [str(replace(problem, file=None, line=None)) for problem in raised.value.problems]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_wrong_with_a_file(tmp_path: Path, text: str, message: str) -> None:
    assert any(each.startswith(message) or message in each for each in problems(tmp_path, text))


@pytest.mark.parametrize(("column", "message"), WRONG_COLUMNS)
def test_what_is_wrong_with_a_column(tmp_path: Path, column: str, message: str) -> None:
    assert [each for each in problems(tmp_path, f"contract: a\ncolumns:\n  x: {column}\n") if message in each]


@pytest.mark.parametrize(("part", "message"), WRONG_PARTS)
def test_what_is_wrong_with_the_rest(tmp_path: Path, part: str, message: str) -> None:
    text = f"contract: a\ncolumns: {{x: {{type: int}}, when: {{type: date}}}}\n{part}\n"
    found = problems(tmp_path, text)
    assert len(found) == 1
    assert message in found[0]


def test_every_problem_at_once_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("contract: a\ncolumns:\n  x: {type: nit}\n  y:\n    type: int\n    min: low\nextra: 1\n")
    with pytest.raises(SpecError) as raised:
        read_contract(file)
    assert [(each.line, each.key) for each in raised.value.problems] == [
        (7, "extra"),
        (3, "columns.x.type"),
        (6, "columns.y.min"),
    ]


@pytest.mark.parametrize(
    "content",
    [
        b"\xff\xfe\x00",
        b"contract: [",
        b"a: &a [*a]",
        b"--- 1\n--- 2\n",
        b"",
        b"contract: !!python/object:os.system x",
    ],
)
def test_a_hostile_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "c.yaml").write_bytes(content)
    with pytest.raises(SpecError):
        read_contract(tmp_path / "c.yaml")


def test_a_missing_file_and_an_unknown_name(tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="cannot be read"):
        read_contract(tmp_path / "c.yaml")
    (tmp_path / "flights.yaml").write_text("contract: flights\ncolumns: {x: {type: int}}\n")
    with pytest.raises(SpecError, match=r"there is no contract 'flight' .*did you mean 'flights'"):
        find_contract("flight", tmp_path)
    assert find_contract("flights", tmp_path) == tmp_path / "flights.yaml"
    assert find_contract(tmp_path / "flights.yaml", tmp_path) == tmp_path / "flights.yaml"


def test_reading_a_contract(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(GOOD, encoding="utf-8")
    contract = read_contract(tmp_path / "c.yaml")
    assert (contract.min_rows, contract.max_rows, contract.max_share) == (1, 1000, 0.05)
    assert contract.freshness == Freshness("day", 7, "warn")
    assert contract.unique == (Unique(("day", "number")), Unique(("number",), "warn"))
    assert contract.column("stop") == Column(
        "stop", "text", pattern="[A-Z]{3}", severity="stop", help="three letters"
    )
    assert [(rule.name, rule.severity) for rule in contract.rules] == [
        ("in the week", "quarantine"),
        ("arrived", "exclude"),
    ]
    assert contract.features == ("number", "kind", "stop", "Größe in m")
    with pytest.raises(KeyError):
        contract.column("none")


def test_what_a_model_is_given(tmp_path: Path) -> None:
    contract = contract_of({
        "contract": "c",
        "columns": {"a": {"type": "int"}, "b": {"type": "float"}, "y": {"type": "int"}, "after": {"type": "int"}},
        "label": "y", "never_features": ["after"], "rows": {"min": 5}, "unique": [["a"]],
        "rules": {"inside": "a <= b", "outside": "a <= after"}, "quarantine": {"max_share": 0.1},
    })  # fmt: skip
    given_ = contract.of_features()
    assert [column.name for column in given_.columns] == ["a", "b"] == list(given_.features)
    assert [rule.name for rule in given_.rules] == ["inside"]
    assert set(given_.never_features) == {"after", "y"}
    assert (given_.min_rows, given_.max_share, given_.unique, given_.label) == (None, None, (), None)
    assert contract.choose_features() == ["a", "b"]
    assert contract.choose_features(["b"]) == ["b"]
    with pytest.raises(ContractError, match="'after', 'y' must never be a feature"):
        contract.choose_features(["a", "after", "y"])
    with pytest.raises(ContractError, match=r"has no column 'bb'; did you mean 'b'\?"):
        contract.choose_features(["bb"])


def test_a_key_is_a_feature_only_where_it_is_one_anyway() -> None:
    contract = contract_of({
        "contract": "c", "columns": {"a": {"type": "int"}, "b": {"type": "int"}, "day": {"type": "date"}},
        "never_features": ["day", "ticket"], "keys": ["day", "a", "ticket", "seat"],
    })  # fmt: skip
    assert contract.features == ("a", "b")
    given_ = contract.of_features()
    assert (given_.keys, given_.features) == (contract.keys, ("a", "b"))
    with pytest.raises(ContractError, match="'ticket' must never be a feature"):
        contract.choose_features(["ticket"])


def test_a_written_contract_reads_back(tmp_path: Path) -> None:
    (tmp_path / "c.yaml").write_text(GOOD, encoding="utf-8")
    contract = read_contract(tmp_path / "c.yaml")
    write_contract(contract, tmp_path / "deep" / "d.yaml")
    assert read_contract(tmp_path / "deep" / "d.yaml") == contract
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["d.yaml"]
    lines = contract_text(contract).splitlines()
    assert "  number: {type: int, min: 1, max: 99}" in lines
    assert "  kind: {type: category, values: [bus, tram]}" in lines
    assert "  arrived: {expect: arrival.notna(), severity: exclude, help: no label without}" in lines


@pytest.mark.parametrize("name", ["flights", "flight-features"])
def test_the_projects_own_contracts_read_back(name: str, tmp_path: Path) -> None:
    contract = read_contract(REPOSITORY / "notebooks" / "contracts" / f"{name}.yaml")
    write_contract(contract, tmp_path / "c.yaml")
    assert read_contract(tmp_path / "c.yaml") == contract


TEXT = st.one_of(
    st.sampled_from(
        [
            "no",
            "1e3",
            "0o7",
            "2013-01-01",
            "~",
            "null",
            ".inf",
            "true",
            "a: b",
            "#",
            "- x",
            "'",
            '"',
            "é\n",
            " ",
        ]
    ),
    st.text(min_size=1, max_size=8),
)
FINITE = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def columns(draw: Any, name: str) -> Column:
    kind = draw(st.sampled_from(TYPES))
    more: dict[str, Any] = {}
    if kind in ("int", "float"):
        bounds = sorted(
            draw(
                st.lists(
                    st.integers(1 - 2**63, 2**63 - 1) if kind == "int" else FINITE, min_size=2, max_size=2
                )
            )
        )
        more = draw(
            st.sampled_from(
                [{}, {"min": bounds[0]}, {"max": bounds[1]}, dict(zip(("min", "max"), bounds, strict=True))]
            )
        )
    if kind in ("text", "category"):
        more = {"values": tuple(draw(st.lists(TEXT, min_size=1, max_size=4, unique=True)))}
    if kind == "datetime":
        more = {"min": draw(st.datetimes()).isoformat()}
    return Column(
        name, kind, draw(st.booleans()), unique=draw(st.booleans()), help=draw(st.one_of(st.just(""), TEXT)),
        severity=draw(st.sampled_from(["stop", "quarantine", "warn"])), **more,
    )  # fmt: skip


@st.composite
def contracts(draw: Any) -> Contract:
    names = draw(st.lists(TEXT, min_size=1, max_size=4, unique=True))
    found = tuple(draw(columns(name)) for name in names)
    types = {column.name: column.type for column in found}
    rules = tuple(
        Rule(
            name,
            parse_rule(f"col({column.name!r}).notna()", types),
            draw(st.sampled_from(["exclude", "warn", "stop"])),
        )
        for name, column in zip(draw(st.lists(TEXT, max_size=2, unique=True)), found, strict=False)
    )
    return Contract(
        "c", found, description=draw(st.one_of(st.just(""), TEXT)), min_rows=draw(st.none() | st.integers(0, 5)),
        max_rows=draw(st.none() | st.integers(5, 9)), rules=rules, unique=(Unique(tuple(names)),),
        never_features=tuple(draw(st.lists(TEXT, max_size=2, unique=True))),
        keys=tuple(draw(st.lists(TEXT, max_size=2, unique=True))),
        max_share=draw(st.none() | st.floats(0, 1)), extra=draw(st.sampled_from(["ignore", "warn", "stop"])),
    )  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(contract=contracts())
def test_any_contract_reads_back(contract: Contract, tmp_path_factory: pytest.TempPathFactory) -> None:
    file = tmp_path_factory.mktemp("c") / "c.yaml"
    write_contract(contract, file)
    assert read_contract(file) == contract


@settings(max_examples=60, deadline=None)
@given(old=contracts(), new=contracts())
def test_the_difference_is_empty_exactly_for_equal_contracts(old: Contract, new: Contract) -> None:
    assert diff(old, old) == ()
    assert bool(diff(old, new)) == (old != new)
    for change in diff(old, new):
        assert change.place
        assert str(change)


BASE = contract_of({
    "contract": "c", "rows": {"min": 5}, "never_features": ["z"], "unique": [["a"]], "extra": "warn",
    "columns": {"a": {"type": "int", "min": 0, "max": 9}, "k": {"type": "category", "values": ["x", "y"]}},
    "rules": {"r": "a < 9"}, "quarantine": {"max_share": 0.1},
})  # fmt: skip


def changed(**more: Any) -> Contract:
    return contract_of({**BASE.as_dict(), **more})


def column_a(**more: Any) -> dict[str, Any]:
    return {"columns": {**BASE.as_dict()["columns"], "a": {"type": "int", "min": 0, "max": 9, **more}}}


@pytest.mark.parametrize(
    ("new", "place", "direction"),
    [
        (changed(**column_a(max=10)), "columns.a.max", "looser"),
        (changed(**column_a(min=-1)), "columns.a.min", "looser"),
        (changed(**column_a(min=1)), "columns.a.min", "stricter"),
        (changed(**column_a(nullable=True)), "columns.a.nullable", "looser"),
        (changed(**column_a(unique=True)), "columns.a.unique", "stricter"),
        (changed(**column_a(severity="stop")), "columns.a.severity", "stricter"),
        (changed(**column_a(severity="warn")), "columns.a.severity", "looser"),
        (changed(**column_a(help="h")), "columns.a.help", "other"),
        (changed(columns={"a": {"type": "int", "min": 0, "max": 9}}), "columns.k", "looser"),
        (changed(never_features=["z", "w"]), "never_features", "stricter"),
        (changed(never_features=["w"]), "never_features", "other"),
        (changed(keys=["a"]), "keys", "looser"),
        (changed(unique=[["a"], ["k"]]), "unique", "stricter"),
        (changed(extra="stop"), "extra", "stricter"),
        (changed(rows={"min": 4}), "rows.min", "looser"),
        (changed(rows={"min": 5, "max": 9}), "rows.max", "stricter"),
        (changed(rules={"r": "a < 9", "s": "a > 1"}), "rules.s", "stricter"),
        (changed(rules={"r": "a < 8"}), "rules.r", "other"),
        (changed(quarantine={"max_share": 0.2}), "quarantine.max_share", "looser"),
    ],
)  # fmt: skip
def test_which_changes_let_more_data_through(new: Contract, place: str, direction: str) -> None:
    changes = diff(BASE, new)
    assert [(change.place, change.direction) for change in changes] == [(place, direction)]
    opposite = {"looser": "stricter", "stricter": "looser", "other": "other"}[direction]
    assert [change.direction for change in diff(new, BASE)] == [opposite]


def test_bounds_of_another_type_have_no_direction() -> None:
    timely = contract_of({"contract": "c", "columns": {"a": {"type": "date", "min": "2013-01-01"}}})
    counted = contract_of({"contract": "c", "columns": {"a": {"type": "int", "min": 1}}})
    assert [change.direction for change in diff(timely, counted)] == ["other", "other"]


def test_allowed_values_may_widen() -> None:
    wider = changed(
        columns={**BASE.as_dict()["columns"], "k": {"type": "category", "values": ["x", "y", "z"]}}
    )
    assert [str(change) for change in diff(BASE, wider)] == [
        "columns.k.values: ['x', 'y'] → ['x', 'y', 'z'] (looser)"
    ]


@pytest.mark.parametrize("name", ["severity", "min", "columns", "values", "a.b"])
def test_a_name_may_be_a_word_of_the_file(name: str) -> None:
    columns = {**BASE.as_dict()["columns"], name: {"type": "int", "nullable": True}}
    changes = diff(BASE, changed(columns=columns, rules={"r": "a < 9", name: "a > 1"}))
    assert [(change.place, change.direction) for change in changes] == [
        (f"columns.{name}", "stricter"),
        (f"rules.{name}", "stricter"),
    ]


def test_the_order_of_columns_is_a_difference() -> None:
    turned = replace(BASE, columns=tuple(reversed(BASE.columns)))
    assert "order of columns" in str(diff(BASE, turned)[0])


def test_plain_values_are_checked_like_a_file() -> None:
    with pytest.raises(SpecError, match="is missing"):
        contract_of({"contract": "a"})
    assert contract_problems({"contract": "a", "columns": {"x": {"type": "int"}}}) == []


def test_reading_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys\nfrom workbench.contracts.contract import read_contract\nfrom workbench.contracts.diff import diff\n"
        f"c = read_contract({str(REPOSITORY / 'notebooks' / 'contracts' / 'flights.yaml')!r})\ndiff(c, c)\n"
        "print([name for name in ('pandas', 'numpy', 'pandera', 'pydantic') if name in sys.modules])"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=REPOSITORY
    )
    assert found.stdout.strip() == "[]"


def test_the_reference_names_every_key() -> None:
    text = (REPOSITORY / "docs" / "reference.md").read_text()
    words = {*CONTRACT_KEYS, *COLUMN_KEYS, *RULE_KEYS, *FRESHNESS_KEYS, *TYPES}
    assert not [word for word in words if f"`{word}`" not in text]
