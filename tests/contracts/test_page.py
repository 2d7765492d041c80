"""The page of a check: complete, self-contained, and safe to open whatever the data hold."""

from __future__ import annotations

from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

from workbench.contracts.check import check
from workbench.contracts.contract import Contract, contract_of
from workbench.contracts.page import contract_page

EVIL = "<script>alert(1)</script>'\"&"


class Outline(HTMLParser):
    """Every tag and every text of a page; whether each tag is closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [
            str(value) for name, value in attrs if name in ("src", "href") or name.startswith("on")
        ]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def evil() -> Contract:
    return contract_of({
        "contract": "c", "description": EVIL, "never_features": [EVIL],
        "columns": {
            EVIL: {"type": "text", "pattern": EVIL, "help": EVIL}, "k": {"type": "category", "values": [EVIL], "help": EVIL},
            "n": {"type": "float", "min": 0, "nullable": True},
        },
        "rules": {EVIL: {"expect": "n < 5", "help": EVIL, "severity": "warn"}},
    })  # fmt: skip


def test_every_text_is_escaped(evil: Contract) -> None:
    frame = pd.DataFrame({EVIL: [EVIL + "x", EVIL], "k": ["a", EVIL], "n": [9, np.nan], "<b>": [1, 2]})
    checked = check(frame, evil)
    outline = Outline(contract_page(checked, {EVIL: 0.5}, EVIL))
    assert outline.open == []
    assert set(outline.tags).isdisjoint({"script", "b>", "img", "link", "iframe"})
    assert outline.links == []
    assert outline.text.count(EVIL) >= 9
    assert "column '<b>' is no column of the contract" in outline.text


def test_what_stops_is_said_first(evil: Contract) -> None:
    outline = Outline(contract_page(check(pd.DataFrame({"n": ["a"]}), evil)))
    assert "stopped" in outline.text
    assert "column 'n' is object (string), expected float" in outline.text
    assert outline.text.index("expected float") < outline.text.index("Columns")
    assert "missing, or not of this type" in outline.text


def test_counts_and_skew_of_good_data() -> None:
    agreed = contract_of(
        {"contract": "c", "columns": {"x": {"type": "int", "max": 97}}, "quarantine": {"max_share": 0.1}}
    )
    checked = check(pd.DataFrame({"x": range(100)}), agreed)
    text = Outline(contract_page(checked, {"x": 0.125})).text
    for part in ("passed", "2.00%, 10.00% accepted", "x is above 97", "98", "0.125", "0 to 99, median 50"):
        assert part in text
    assert contract_page(checked) == contract_page(checked)
    assert "Skew" not in contract_page(checked)


def test_an_empty_table_has_a_page() -> None:
    agreed = contract_of({"contract": "c", "columns": {"x": {"type": "int"}, "s": {"type": "text"}}})
    text = Outline(contract_page(check(pd.DataFrame({"x": [], "s": []}), agreed))).text
    assert "every row keeps every rule" in text
