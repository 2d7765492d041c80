"""Drawings say what they show, and hold nothing that runs or that breaks a page."""

from __future__ import annotations

from math import nan
from xml.etree import ElementTree

from workbench.evaluation import Interval
from workbench.replay.charts import HEIGHT, WIDTH, Line, chart

SVG = "{http://www.w3.org/2000/svg}"


def drawn(markup: str) -> ElementTree.Element:
    return ElementTree.fromstring(markup.replace("<svg ", f'<svg xmlns="{SVG[1:-1]}" '))


def test_every_figure_is_a_dot_inside_the_picture_with_its_numbers():
    lines = [
        Line("never", [Interval(0.6, 0.55, 0.65), None, Interval(0.7, nan, nan)], "#888888"),
        Line("a <b>", [Interval(0.5, 0.45, 0.55)] * 3, "#4c7fd0"),
    ]
    root = drawn(chart("AUC <up>", ["Apr", "May", "Jun"], lines).markup)
    dots = list(root.iter(f"{SVG}circle"))
    assert len(dots) == 5
    assert all(
        0 <= float(dot.get("cx", "")) <= WIDTH and 0 <= float(dot.get("cy", "")) <= HEIGHT for dot in dots
    )
    assert [dot.findtext(f"{SVG}title") for dot in dots][:1] == ["never: 0.6000 (0.5500 to 0.6500)"]
    higher, lower = (float(dots[n].get("cy", "")) for n in (1, 2))
    assert higher < lower  # 0.7 is drawn above 0.5
    texts = "".join(root.itertext())
    assert "Apr" in texts
    assert "a <b>" in texts


def test_a_flat_line_and_no_line_are_drawn_too():
    flat = drawn(chart("flat", ["1"], [Line("x", [Interval(0.0, 0.0, 0.0)], "#888888")], zero=True).markup)
    assert len(list(flat.iter(f"{SVG}circle"))) == 1
    assert not list(drawn(chart("none", ["1"], [Line("x", [None], "#888888")]).markup).iter(f"{SVG}circle"))
