"""Pages that come from data (executed notebooks, dossiers, profiles), shown so that nothing in them acts.

`st.iframe` gives what it shows the app's own origin and lets it run scripts. So it is given a page of ours, which holds the
foreign one in a frame of its own: sandboxed, that is of no origin, without scripts, forms, windows and downloads; and under
a policy of ours that lets it load nothing and lets the frame go nowhere, a link that is clicked included.
"""

from __future__ import annotations

import html
import re
from pathlib import Path

import streamlit as st

POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; font-src data:; "
    "base-uri 'none'; form-action 'none'"
)
"""The inner page inherits it: it is of the frame that was asked for, not of what it says of itself."""

OUTER = """\
<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta http-equiv="x-dns-prefetch-control" content="off"><meta name="referrer" content="no-referrer">
<style>html, body {{ margin: 0; height: 100% }} iframe {{ border: 0; width: 100%; height: 100%; display: block }}</style>
</head><body><iframe sandbox="" referrerpolicy="no-referrer" title="{title}" srcdoc="{page}"></iframe></body></html>
"""

BESIDE_POLICIES = re.compile(
    r"<(?:meta|link|base|i?frame|frameset|fencedframe|portal|object|embed|applet|form|area)\b[^>]*>?",
    re.IGNORECASE,
)
"""Elements for which a browser opens a connection before it asks whether it may: no policy covers that."""

LINK = re.compile(r"<a\b([^>]*)>?", re.IGNORECASE)
INSIDE = re.compile(r"""(?:\s+(?:class|id|name|title)="[\w .:,-]*"|\s+href="#[\w.:-]*")*\s*""")
"""The attributes of a link that stays on its page."""


def show_page(page: str | Path, height: int, *, title: str = "page") -> None:
    """Show HTML that nobody has checked, or a file of it, `height` pixels high; it scrolls inside.

    `title` is for those who cannot see it. A file that is gone or is no text is said to be.
    """
    if isinstance(page, Path):
        try:
            page = page.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            st.warning(f"'{page.name}' cannot be shown: {getattr(error, 'strerror', error)}", icon="📄")
            return
    st.iframe(caged(page, title), height=height, alt=title)


def caged(page: str, title: str = "page") -> str:
    """A page of ours around a foreign one, which can do nothing in it."""
    return OUTER.format(policy=html.escape(POLICY), title=html.escape(title), page=html.escape(inert(page)))


def inert(page: str) -> str:
    """A page without what acts beside any policy. A blank takes the place of an element, so that none is made of two."""
    return LINK.sub(_kept, BESIDE_POLICIES.sub(" ", page))


def _kept(link: re.Match[str]) -> str:
    return link[0] if INSIDE.fullmatch(link[1]) and link[0].endswith(">") else "<span>"
