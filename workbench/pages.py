"""Pages for people: one self-contained HTML file, readable in light and dark, without scripts or network.

A page is a title and sections; what comes from data is escaped here, so no caller has to think of it.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""Whatever slipped through: no script runs and nothing is loaded."""

STYLE = """
:root { color-scheme: light dark; --line: #8884; --muted: #777; --good: #1a7f37; --bad: #cf222e; --note: #9a6700 }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --bad: #f85149; --note: #d29922; --muted: #999 } }
body { font: 15px/1.5 system-ui, "Segoe UI", "DejaVu Sans", sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1.5rem }
h1 { font-size: 1.6rem; margin: 0 0 .3rem } h2 { font-size: 1.15rem; margin: 2.2rem 0 .6rem }
p { margin: .4rem 0 } .muted { color: var(--muted) }
table { border-collapse: collapse; margin: .6rem 0; font-size: .92em } caption { text-align: left; color: var(--muted) }
th, td { text-align: left; padding: .25rem 1.1rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td.number { text-align: right; font-variant-numeric: tabular-nums } th { font-weight: 600 }
figure { margin: .6rem 0 } img { max-width: 100%; background: #fff; border-radius: 4px }
.verdict { border-left: .4rem solid var(--line); padding: .3rem 1rem; margin: 1.2rem 0 } .verdict strong { font-size: 1.2rem }
.good { color: var(--good) } .bad { color: var(--bad) } .note { color: var(--note) }
.verdict.good { border-color: var(--good) } .verdict.bad { border-color: var(--bad) } .verdict.note { border-color: var(--note) }
.verdict p { color: CanvasText } summary { cursor: pointer; color: var(--muted) }
code { font-size: .92em } td { overflow-wrap: break-word } li.bad { font-weight: 600 }
.tiles { display: flex; flex-wrap: wrap; gap: 1rem; margin: 1.2rem 0 }
.tile { border: 1px solid var(--line); border-radius: .5rem; padding: .5rem 1.1rem; min-width: 8rem }
.tile b { display: block; font-size: 1.4rem; font-variant-numeric: tabular-nums }
.length { display: block; background: currentColor; height: .55rem; border-radius: .3rem; min-width: 1px }
.spread { display: flex; align-items: flex-end; height: 1.8rem; gap: 1px; width: 8rem }
.spread i { flex: 1; background: #4c72b0; min-height: 1px }
"""


@dataclass(frozen=True)
class Html:
    """Markup that is safe already. Everything else that goes into a page is text, and escaped."""

    markup: str


SLOT = Html("<!-- verdict -->")
"""Where a page leaves room for what is known only later."""

Content = Html | str


def escaped(content: Any) -> str:
    return content.markup if isinstance(content, Html) else html.escape(str(content))


def page(title: str, *parts: Content) -> str:
    """A whole HTML document; a part that is text becomes a paragraph."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        f"<title>{html.escape(title)}</title><style>{STYLE}</style></head>\n"
        f"<body><h1>{html.escape(title)}</h1>\n{_joined(parts)}\n</body></html>\n"
    )


def section(title: str, *parts: Content) -> Html:
    return Html(f"<section><h2>{html.escape(title)}</h2>\n{_joined(parts)}\n</section>")


def marked(text: Any, kind: str) -> Html:
    """Text in the colour of `good`, `bad`, `note` or `muted`."""
    return Html(f'<span class="{html.escape(kind)}">{escaped(text)}</span>')


def banner(text: Any, kind: str, *more: Content) -> Html:
    """The one sentence that a reader must not miss."""
    return Html(
        f'<div class="verdict {html.escape(kind)}"><strong>{escaped(text)}</strong>{_joined(more)}</div>'
    )


def folded(title: str, *parts: Content) -> Html:
    """Parts that show when their title is clicked."""
    return Html(f"<details><summary>{html.escape(title)}</summary>{_joined(parts)}</details>")


def table(head: Sequence[str], rows: Iterable[Sequence[Any]], caption: str = "") -> Html:
    """Rows under a head; numbers stand to the right."""
    top = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    lines = "\n".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    title = f"<caption>{html.escape(caption)}</caption>" if caption else ""
    return Html(f"<table>{title}<thead><tr>{top}</tr></thead><tbody>\n{lines}\n</tbody></table>")


def facts(values: Mapping[str, Any]) -> Html:
    """Names and values, one a line."""
    lines = "".join(f"<tr><th>{html.escape(name)}</th>{_cell(value)}</tr>" for name, value in values.items())
    return Html(f"<table><tbody>{lines}</tbody></table>")


def points(*texts: Content) -> Html:
    """A list of short sentences."""
    return Html(f"<ul>{''.join(_point(text) for text in texts)}</ul>")


def tiles(values: Iterable[tuple[str, Any, str]]) -> Html:
    """The few numbers that matter: name, value and a note, side by side."""
    inside = "".join(
        f'<div class="tile"><span class="muted">{escaped(name)}</span><b>{escaped(value)}</b>'
        f'<span class="muted">{escaped(note)}</span></div>'
        for name, value, note in values
    )
    return Html(f'<div class="tiles">{inside}</div>')


def length(share: float, kind: str) -> Html:
    """A bar as long as a share (0 to 1) of ten letters, in the colour of `good`, `bad`, `note` or `muted`."""
    return Html(f'<i class="length {html.escape(kind)}" style="width:{share * 10:.2f}rem"></i>')


def spread(shares: Sequence[float]) -> Html:
    """A small histogram; nothing where all shares are zero."""
    top = max(shares, default=0)
    if not top:
        return Html("")
    bars = "".join(f'<i style="height:{share / top:.0%}"></i>' for share in shares)
    return Html(f'<div class="spread">{bars}</div>')


def lines(*parts: Content) -> Html:
    """Parts of one cell, each on a line of its own; empty ones are left out."""
    return Html("<br>".join(text for part in parts if (text := escaped(part))))


def code(text: Any) -> Html:
    return Html(f"<code>{escaped(text)}</code>")


def picture(figure: Any, description: str) -> Html:
    """A matplotlib figure as it is; `description` is for those who cannot see it."""
    image = io.BytesIO()
    # Without the software's name and date, the same figure is the same bytes.
    figure.savefig(image, format="png", dpi=110, metadata={"Software": None})
    data = base64.b64encode(image.getvalue()).decode()
    return Html(f'<figure><img alt="{html.escape(description)}" src="data:image/png;base64,{data}"></figure>')


def _joined(parts: Iterable[Content]) -> str:
    return "\n".join(part.markup if isinstance(part, Html) else f"<p>{escaped(part)}</p>" for part in parts)


def _point(text: Content) -> str:
    return f"<li>{escaped(text)}</li>"


def _cell(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return f"<td>{escaped('' if value is None else value)}</td>"
    shown = f"{value:,}" if isinstance(value, int) else f"{value:.4g}"
    return f'<td class="number">{shown}</td>'
