"""An executed notebook as a page that can be looked at at once: sanitised, and with the cell that failed on top.

It takes a hundredth of the time of nbconvert, which is imported for it in a second. What is shown holds data that nobody has
checked: text is escaped; of HTML only what tables and prose are made of is left; pictures become data of the page, so that
none is loaded and no script of an SVG runs. Whoever shows the page puts it into a sandbox besides.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workbench.events import without_colours
from workbench.pages import Content, Html, code, escaped, folded, page

TAGS = frozenset({
    "a", "b", "blockquote", "br", "caption", "code", "dd", "del", "details", "div", "dl", "dt", "em", "h1", "h2",
    "h3", "h4", "h5", "h6", "hr", "i", "img", "li", "ol", "p", "pre", "s", "small", "span", "strong", "sub",
    "summary", "sup", "table", "tbody", "td", "tfoot", "th", "thead", "tr", "u", "ul",
})  # fmt: skip
"""What markdown and DataFrames are drawn with; others are left out."""

PICTURES = ("image/png", "image/jpeg", "image/gif", "image/webp", "image/svg+xml")
MOST = 1_000_000
"""Characters of one output that are shown; of what is longer the beginning, as text."""

STYLE = """<style>
body { max-width: none; margin: 0; padding: .5rem 1rem } pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere }
.cell { border-left: .25rem solid var(--line); padding: .1rem 0 .1rem .8rem; margin: .7rem 0 } .source { background: #8881; padding: .5rem .7rem; border-radius: 4px }
.cell.failed { border-color: var(--bad); background: #cf222e14 } .output { padding: .3rem .7rem } .count { color: var(--muted); font-size: .8em }
table { display: block; overflow-x: auto } td, th { padding-right: .8rem }
</style>"""


def notebook_page(notebook: Path, failing: int | None = None) -> str:
    """The executed notebook as HTML. `failing` is the position of the cell that failed, from 0: those around it are folded.

    Raises OSError or ValueError when it cannot be read.
    """
    try:
        cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
        shown = [_cell(cell, failed=place == failing) for place, cell in enumerate(cells)]
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"'{notebook.name}' is no notebook: {error!r}") from error
    parts: list[Content] = [Html(STYLE)]
    if failing is None or failing >= len(shown):
        return page(notebook.stem, *parts, *shown)
    before, after = shown[:failing], shown[failing + 1 :]
    if before:
        parts.append(folded(f"{_cells(len(before))} before the one that failed", *before))
    parts.append(shown[failing])
    if after:
        parts.append(folded(f"{_cells(len(after))} after it", *after))
    return page(notebook.stem, *parts)


def _cells(count: int) -> str:
    return "1 cell" if count == 1 else f"{count} cells"


def _cell(cell: Mapping[str, Any], *, failed: bool) -> Html:
    source = _text(cell.get("source", ""))
    if cell.get("cell_type") == "markdown":
        return Html(f'<div class="cell">{_markdown(source)}</div>')
    if cell.get("cell_type") != "code":
        return Html(f'<div class="cell"><pre>{escaped(source)}</pre></div>')
    count = cell.get("execution_count")
    outputs = "".join(part for output in cell.get("outputs", ()) for part in _output(output))
    return Html(
        f'<div class="cell{" failed" if failed else ""}"><div class="count">[{escaped(count or " ")}]'
        f'{" failed" if failed else ""}</div><pre class="source">{escaped(source)}</pre>{outputs}</div>'
    )


def _output(output: Mapping[str, Any]) -> Iterator[str]:
    kind = output.get("output_type")
    if kind == "stream":
        yield _pre(_text(output.get("text", "")))
    elif kind == "error":
        trace = "\n".join(map(str, output.get("traceback", ())))
        yield _pre(trace or f"{output.get('ename')}: {output.get('evalue')}")
    else:
        yield _shown(output.get("data") or {})


def _shown(data: Mapping[str, Any]) -> str:
    """The best of the forms that an output has: a picture, HTML, markdown, text."""
    for kind in PICTURES:
        if kind in data and (encoded := _encoded(kind, _text(data[kind]))):
            return f'<div class="output"><img alt="" src="data:{kind};base64,{encoded}"></div>'
    for kind, draw in (("text/html", sanitised), ("text/markdown", _markdown)):
        if kind in data and len(text := _text(data[kind])) <= MOST:
            return f'<div class="output">{draw(text)}</div>'
    if "text/plain" in data:
        return _pre(_text(data["text/plain"]))
    kinds = ", ".join(map(str, data))
    return f'<div class="output muted">an output of {code(kinds).markup}</div>'


def _encoded(kind: str, text: str) -> str:
    """A picture as base64; nothing where it is none."""
    if kind == "image/svg+xml":
        return base64.b64encode(text.encode()).decode()
    try:
        return base64.b64encode(base64.b64decode(text, validate=False)).decode()
    except (binascii.Error, ValueError):
        return ""


def sanitised(html: str) -> str:
    """HTML out of a notebook without anything that runs, loads or leads away; styles and tags that are not known are gone."""
    from bleach.sanitizer import Cleaner

    bare = re.sub(r"(?is)<(script|style)\b.*?(</\1\s*>|\Z)", "", html)  # their text would be left as text
    return str(Cleaner(tags=TAGS, attributes=_allowed, protocols=frozenset({"data"}), strip=True).clean(bare))


def _allowed(tag: str, name: str, value: str) -> bool:
    if tag == "img":
        return name == "alt" or (name == "src" and value.startswith(("data:image/png;", "data:image/jpeg;")))
    if tag == "a":
        return name == "title" or (name == "href" and value.startswith("#"))
    return name in ("class", "colspan", "rowspan")


def _markdown(text: str) -> str:
    from mistune import create_markdown

    return sanitised(str(create_markdown(escape=True, plugins=["table", "strikethrough"])(text)))


def _pre(text: str) -> str:
    plain = without_colours(text)
    more = f"\n… {len(plain) - MOST:,} characters more" if len(plain) > MOST else ""
    return f'<div class="output"><pre>{escaped(plain[:MOST] + more)}</pre></div>'


def _text(value: Any) -> str:
    """Text of a notebook's file, where it may be a list of lines."""
    return (
        value
        if isinstance(value, str)
        else "".join(map(str, value))
        if isinstance(value, list)
        else str(value)
    )
