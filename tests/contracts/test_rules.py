"""Rules across columns: what is understood, what is refused before anything is evaluated, what it yields."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.contracts.rules import RuleError, parse_rule

TYPES = {
    "n": "int", "x": "float", "s": "text", "k": "category", "b": "bool", "d": "date", "t": "datetime",
    "a b": "int", "größe": "float",
}  # fmt: skip

ROWS = pd.DataFrame({
    "n": [1, 2, 3], "x": [0.5, -2.0, np.nan], "s": ["a", "b", "c"], "k": ["p", "q", "p"], "b": [True, False, True],
    "d": pd.to_datetime(["2013-01-31", "2013-02-01", "2012-02-29"]),
    "t": pd.to_datetime(["2013-01-31T23:59", "1969-12-31T00:01", "2012-02-29T06:00"]),
    "a b": [3, 2, 1], "größe": [1.0, 2.0, 3.0],
})  # fmt: skip

HOSTILE = [
    "__import__('os').system('id')", "open('/etc/passwd')", "n.__class__", "n.__class__.__bases__", "().__class__",
    "[x for x in n]", "lambda: n", "n if b else x", "(y := n) > 1", "f'{n}' == 'a'", "n[0] > 1", "s.str.len() > 1",
    "n.sum() > 1", "n.dt", "n.isna(1)", "n.isna(x=1)", "exec('1')", "col(s) == 1", "col('n', 1) == 1", "*n", "n; x",
    "n ** 99999999 > 1", "n << 9 > 1", "~b", "n is 3", "n @ x > 1", "await n", "yield", "'%s' % s == 'a'",
    "1j == n", "b'a' == s", "n == None", "... == n", "n == 1e999", "n < 9223372036854775808", "s in 'abc'", "n in []", "n in [x]", "n in [[1]]",
    "@n > 1", "n.values > 1", "d.dt.tz == 1", "d.dt.__class__ == 1", "d.dt.month() == 1", "globals()", "n > 1 in [1] == b",
]  # fmt: skip


def holds(text: str) -> list[bool]:
    rule = parse_rule(text, TYPES)
    values = {name: ROWS[name].to_numpy() for name in rule.columns}
    missing = {name: ROWS[name].isna().to_numpy() for name in rule.columns}
    found = np.broadcast_to(np.asarray(rule.holds(values, missing)), 3)
    assert found.dtype == bool
    return list(map(bool, found))


@pytest.mark.parametrize("text", HOSTILE)
def test_whatever_is_no_comparison_is_refused(text: str) -> None:
    with pytest.raises(RuleError):
        parse_rule(text, TYPES)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not an expression"),
        ("n >", "is not an expression"),
        ("n > 1\x00", "is not an expression"),
        ("(" * 300 + "n" + ")" * 300, "is longer than 500 signs"),
        ("not " * 100 + "b", "is nested more than 40 levels deep"),
        ("n + " * 200 + "n > 1", "is longer than 500 signs"),
        ("m > 1", "there is no column 'm'; "),
        ("n", "'n' is a number; a rule is true or false"),
        ("1 < 2", "names no column"),
        ("s > 1", "'s' is text and '1' is a number: they cannot be compared"),
        ("d == 1", "cannot be compared"),
        ("d > '2013-13-01'", "'2013-13-01' is not a date or a time"),
        ("d > s", "cannot be compared"),
        ("b < b", "cannot be compared"),
        ("n and b", "'n' is a number; expected true or false here"),
        ("s + s == 'aa'", "'s' is text; expected a number here"),
        ("s.dt.month == 1", "'s' is text; expected a time here"),
        ("d.dt.mont == 1", "there is no '.dt.mont'; did you mean 'month'"),
        ("n.isnull()", "there is no '.isnull()'; "),
        ("(n + 1).isna()", "asks a column; 'n + 1' is none"),
    ],
)
def test_what_is_not_understood_is_named(text: str, message: str) -> None:
    with pytest.raises(RuleError) as raised:
        parse_rule(text, TYPES)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("n >= 2", [False, True, True]),
        ("1 < n <= 2", [False, True, False]),
        ("n in [1, 3]", [True, False, True]),
        ("n not in [1, 3]", [False, True, False]),
        ("not n == 2", [True, False, True]),
        ("n == 1 or s == 'b' and not b", [True, True, False]),
        ("n % 2 == 0", [False, True, False]),
        ("n / 0 > 1", [True, True, True]),
        ("-n + 2 * n - n // 1 == 0", [True, True, True]),
        ("x.isna()", [False, False, True]),
        ("x.notna() and n > 1", [False, True, False]),
        ("k in ['p'] or s in ('b',)", [True, True, True]),
        ("b == True", [True, False, True]),
        ("d.dt.year == 2013", [True, True, False]),
        ("d.dt.month == 2 and d.dt.day < 29", [False, True, False]),
        ("d.dt.weekday == 3", [True, False, False]),
        ("t.dt.hour == 23 and t.dt.minute == 59", [True, False, False]),
        ("t.dt.minute == 1 and t.dt.year == 1969", [False, True, False]),
        ("d >= '2013-01-31'", [True, True, False]),
        ("'2013-01-31' <= d", [True, True, False]),
        ("d in ['2012-02-29', '2013-02-01']", [False, True, True]),
        ("t > '2013-01-31T23:00+00:00'", [True, False, False]),
        ("t >= d", [True, False, True]),
        ("col('a b') > n", [True, False, False]),
        ("größe.abs() == n", [True, True, True]),
        ("x.abs() > 1", [False, True, False]),
    ],
)
@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
def test_what_a_rule_yields(text: str, expected: list[bool]) -> None:
    assert holds(text) == expected


def test_which_columns_must_be_there() -> None:
    rule = parse_rule("x > 1 or s.isna() and n.notna()", TYPES)
    assert rule.columns == {"x", "s", "n"}
    assert rule.judged == {"x"}


OPERATORS: dict[str, Any] = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip


@settings(max_examples=60, deadline=None)
@given(
    data=st.lists(st.tuples(st.integers(-9, 9), st.integers(-9, 9)), min_size=1, max_size=6),
    sign=st.sampled_from(sorted(OPERATORS)),
    number=st.integers(-9, 9),
)
def test_a_comparison_is_what_python_says(data: list[tuple[int, int]], sign: str, number: int) -> None:
    rule = parse_rule(f"n + {number} {sign} m * 2 or not n {sign} {number}", {"n": "int", "m": "int"})
    n, m = (np.array(side) for side in zip(*data, strict=True))
    nothing = np.zeros(len(n), dtype=bool)
    compare = OPERATORS[sign]
    expected = [compare(a + number, b * 2) or not compare(a, number) for a, b in data]
    assert list(rule.holds({"n": n, "m": m}, {"n": nothing, "m": nothing})) == expected
