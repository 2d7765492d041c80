"""An executed notebook as one HTML page that needs no network."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

from workbench.digests import write_atomically
from workbench.late_imports import grammar_put_off

EMPTY_SCRIPT = re.compile(r'<script src="">\s*</script>')
"""What is left of the template's links when their addresses are empty."""


def render(notebook: Path) -> Path | None:
    """Write `notebook` as HTML beside it, unless that is there and newer; None when it cannot be read."""
    page = notebook.with_suffix(".html")
    try:
        written = notebook.stat().st_mtime_ns
    except OSError:
        return None
    if page.is_file() and page.stat().st_mtime_ns >= written:
        return page
    with grammar_put_off():
        from nbformat.reader import NotJSONError

    try:
        body, _ = _exporter().from_filename(str(notebook))
    except (NotJSONError, KeyError, ValueError, AttributeError, UnicodeDecodeError):
        return None
    write_atomically(page, EMPTY_SCRIPT.sub("", body))
    return page


@cache
def _exporter() -> Any:
    """Made once: compiling the template takes five times as long as a page."""
    with grammar_put_off():
        from nbconvert.exporters import HTMLExporter

    # The template links these on public servers; without them formulas and Mermaid diagrams stay as text.
    names = ("mathjax_url", "require_js_url", "jquery_url", "mermaid_js_url", "mermaid_layout_elk_js_url")
    exporter = HTMLExporter(template_name="lab", **dict.fromkeys(names, ""))
    exporter.exclude_anchor_links = True
    return exporter
