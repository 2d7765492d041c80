"""Which months are replayed, and how a pipeline is told them."""

from __future__ import annotations

import pytest

from workbench.errors import BadInput
from workbench.replay.months import Month, between, binding_of, learned, month_of, parameters, shown

APRIL, JUNE = Month(0, 4), Month(0, 6)


@pytest.mark.parametrize(
    ("text", "binding", "month"),
    [("4", "months", APRIL), (" 12 ", "months", Month(0, 12)), ("2013-04", "dates", Month(2013, 4))],
)
def test_a_month_is_typed_as_its_pipeline_takes_it(text, binding, month):
    assert month_of(text, binding) == month
    assert month_of(month.key, binding) == month


@pytest.mark.parametrize(
    ("text", "binding"),
    [("13", "months"), ("0", "months"), ("April", "months"), ("4", "dates"), ("2013-13", "dates")],
)
def test_what_is_no_month_is_refused_with_what_was_expected(text, binding):
    with pytest.raises(BadInput, match=f"'{text}' is not a month; expected"):
        month_of(text, binding)


def test_months_follow_each_other_over_a_year_s_end():
    found = between(Month(2013, 11), Month(2014, 2))
    assert [month.key for month in found] == ["2013-11", "2013-12", "2014-01", "2014-02"]
    assert shown(found) == "2013-11 to 2014-02"
    assert shown([APRIL]) == "April"
    with pytest.raises(BadInput, match="end with April, before they start with June"):
        between(JUNE, APRIL)


def test_a_pipeline_takes_numbers_or_dates():
    assert binding_of(["seed", "months"], "train") == "months"
    assert binding_of(["until", "since"], "train") == "dates"
    with pytest.raises(BadInput, match="'train' cannot be told which months"):
        binding_of(["since"], "train")
    assert parameters([APRIL, Month(0, 5), JUNE], "months") == {"months": [4, 5, 6]}
    dates = {"since": "2013-11-01", "until": "2014-01-01"}
    months = between(Month(2013, 11), Month(2013, 12))
    assert parameters(months, "dates") == dates
    assert learned(dates, "dates", "train") == months
    assert learned({"months": [2, 1]}, "months", "train") == (Month(0, 1), Month(0, 2))


@pytest.mark.parametrize(
    ("given", "binding"),
    [
        ({"months": [1, 3]}, "months"),
        ({"months": []}, "months"),
        ({}, "months"),
        ({"since": "2013-01-15", "until": "2013-04-01"}, "dates"),
        ({"since": "2013-04-01", "until": "2013-01-01"}, "dates"),
        ({"since": "2013-04-01"}, "dates"),
        ({"since": "soon", "until": "2013-01-01"}, "dates"),
    ],
)
def test_what_the_first_champion_learns_from_must_be_whole_months_in_a_row(given, binding):
    with pytest.raises(BadInput, match="of pipeline 'train'"):
        learned(given, binding, "train")
