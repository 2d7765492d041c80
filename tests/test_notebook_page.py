"""Executed notebooks as pages."""

from __future__ import annotations

import base64
import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hostile_outputs import MARKDOWN, SAMPLES
from workbench.notebook_page import MOST, TAGS, notebook_page, sanitised


class Elements(HTMLParser):
    """Elements that are not known to be harmless, with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.acting: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            inside = (value or "").startswith(("#", "data:image/png;base64,", "data:image/jpeg;base64,"))
            if name not in ("class", "title", "alt", "colspan", "rowspan") and not (
                name in ("href", "src") and inside
            ):
                self.acting.append(f"{tag} {name}={value}")
        if tag not in TAGS:
            self.acting.append(tag)


def written(folder: Path, *cells: dict[str, Any]) -> Path:
    file = folder / "executed.ipynb"
    file.write_text(json.dumps({"cells": list(cells), "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    return file


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "source": source, "execution_count": 1, "outputs": list(outputs)}


def shown(**data: Any) -> dict[str, Any]:
    return {
        "output_type": "display_data",
        "data": {kind.replace("_", "/"): text for kind, text in data.items()},
    }


def test_the_failing_cell_is_on_top_and_the_others_are_folded(tmp_path: Path) -> None:
    error = {
        "output_type": "error",
        "ename": "E",
        "evalue": "v",
        "traceback": ["\x1b[31mline 1\x1b[0m", "E: v"],
    }
    file = written(tmp_path, code("first"), code("second"), code("boom()", error), code("last"))
    page = notebook_page(file, failing=2)
    before, rest = page.split("</details>", 1)
    assert "2 cells before the one that failed" in before
    assert "first" in before
    assert '<div class="cell failed">' in rest
    assert (
        rest.index("boom()") < rest.index("line 1\nE: v") < rest.index("1 cell after it") < rest.index("last")
    )
    assert "<details>" not in notebook_page(file)
    assert "<details>" not in notebook_page(file, failing=9)


def test_tables_pictures_and_prose_are_shown(tmp_path: Path) -> None:
    picture = base64.b64encode(b"\x89PNG").decode()
    svg = '<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'
    file = written(
        tmp_path,
        {"cell_type": "markdown", "source": ["# Flights\n", "| a |\n|---|\n| **1** |"]},
        code("x", shown(text_html="<table><thead><tr><th>n</th></tr></thead></table>", text_plain="no")),
        code("y", shown(image_png=[picture[:3], picture[3:]])),
        code("z", {"output_type": "display_data", "data": {"image/svg+xml": svg}}),
        code("w", {"output_type": "stream", "text": ["a < b\n", "& c"]}),
        code("v", {"output_type": "display_data", "data": {"application/javascript": "alert(1)"}}),
        code("u", shown(text_html="x" * (MOST + 1), text_plain="too long")),
    )  # fmt: skip
    page = notebook_page(file)
    for part in (
        "<h1>Flights</h1>",
        "<strong>1</strong>",
        "<thead><tr><th>n</th>",
        f"data:image/png;base64,{picture}",
    ):
        assert part in page
    assert "a &lt; b\n&amp; c" in page
    assert "too long" in page
    assert f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" in page
    assert "application/javascript" in page
    assert "alert(1)" not in page


@pytest.mark.parametrize(
    "broken",
    [
        "no JSON",
        "[]",
        '{"cells": 3}',
        '{"cells": ["text"]}',
        '{"cells": [{"cell_type": "code", "outputs": [3]}]}',
    ],
)
def test_what_is_no_notebook_is_a_value_error(tmp_path: Path, broken: str) -> None:
    file = tmp_path / "broken.ipynb"
    file.write_text(broken)
    with pytest.raises(ValueError, match=r"."):
        notebook_page(file)


def test_of_hostile_outputs_nothing_is_left_that_could_act(tmp_path: Path) -> None:
    for name, sample in SAMPLES.items():
        assert Elements(sanitised(sample)).acting == [], name
    for name, text in MARKDOWN.items():
        page = notebook_page(written(tmp_path, {"cell_type": "markdown", "source": text}))
        body = page.split("</style>")[-1].partition("</body>")[0]
        assert Elements(body).acting == [], name
