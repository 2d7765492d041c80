"""Months, and the parameters by which a pipeline is told to learn from some of them. Pure."""

from __future__ import annotations

import calendar
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

from workbench.errors import BadInput

Binding = Literal["months", "dates"]
"""How a pipeline takes its months: a list `months` of numbers (all of one year), or two dates `since` and `until`."""


@dataclass(frozen=True, order=True)
class Month:
    """A month; without year where the pipeline knows only numbers from 1 to 12."""

    year: int
    """0: not known."""
    number: int

    @property
    def name(self) -> str:
        return f"{self.year}-{self.number:02}" if self.year else calendar.month_name[self.number]

    @property
    def key(self) -> str:
        """How it is typed and kept: `4`, or `2013-04`."""
        return f"{self.year}-{self.number:02}" if self.year else str(self.number)

    @property
    def following(self) -> Month:
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    def holds(self, day: date) -> bool:
        return day.month == self.number and (not self.year or day.year == self.year)


def month_of(text: str, binding: Binding) -> Month:
    """The month of `4`, or `2013-04` where the pipeline takes dates. Raises BadInput."""
    pattern, expected = {
        "months": (r"()(\d{1,2})", "a number from 1 to 12"),
        "dates": (r"(\d{4})-(\d{2})", "a year and a month such as 2013-04"),
    }[binding]
    match = re.fullmatch(pattern, text.strip())
    if match is None or not 1 <= int(match[2]) <= 12:
        raise BadInput(f"'{text}' is not a month; expected {expected}")
    return Month(int(match[1] or 0), int(match[2]))


def between(first: Month, last: Month) -> tuple[Month, ...]:
    """The months from `first` to `last`, both included. Raises BadInput for an empty stretch."""
    if last < first:
        raise BadInput(f"the months end with {last.name}, before they start with {first.name}")
    found = [first]
    while found[-1] != last:
        found.append(found[-1].following)
    return tuple(found)


def binding_of(declared: Collection[str], pipeline: str) -> Binding:
    """How a pipeline whose notebooks declare these parameters is told its months. Raises BadInput where it cannot be."""
    if "months" in declared:
        return "months"
    if {"since", "until"} <= set(declared):
        return "dates"
    raise BadInput(
        f"pipeline '{pipeline}' cannot be told which months to learn from: no notebook declares 'months' (a list of "
        "numbers), nor 'since' and 'until' (dates)"
    )


def learned(parameters: Mapping[str, Any], binding: Binding, pipeline: str) -> tuple[Month, ...]:
    """The months that a pipeline's own parameters name: what the first champion learns from. Raises BadInput."""
    if binding == "months":
        numbers = parameters.get("months") or []
        months = sorted({Month(0, int(number)) for number in numbers})
        if not months or between(months[0], months[-1]) != tuple(months):
            raise BadInput(
                f"'months' of pipeline '{pipeline}' is {numbers}; expected months in a row, such as [1, 2, 3]"
            )
        return tuple(months)
    try:
        since, until = (date.fromisoformat(str(parameters[name])[:10]) for name in ("since", "until"))
    except (KeyError, ValueError):
        since = until = date.min
    if since >= until or since.day != 1 or until.day != 1:
        raise BadInput(
            f"'since' and 'until' of pipeline '{pipeline}' are {parameters.get('since')} and {parameters.get('until')}; "
            "expected the first days of two months, such as 2013-01-01 and 2013-04-01: those in between are learned from first"
        )
    whole = between(Month(since.year, since.month), Month(until.year, until.month))
    return whole[:-1]


def parameters(months: Sequence[Month], binding: Binding) -> dict[str, Any]:
    """The values that tell a pipeline to use these months."""
    if binding == "months":
        return {"months": [month.number for month in months]}
    first, after = months[0], months[-1].following
    return {"since": f"{first.key}-01", "until": f"{after.key}-01"}


def shown(months: Sequence[Month]) -> str:
    """`January to April`, or the one there is."""
    return months[0].name if len(months) == 1 else f"{months[0].name} to {months[-1].name}"
