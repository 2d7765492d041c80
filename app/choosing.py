"""What is looked at: a view of a page, a part of a long list."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st


def choose_view(views: Mapping[str, str], key: str, asked: str | None = None) -> str:
    """One of the views, which are named by what `views` says of them: the one in the address when the page is
    opened, else `asked`, else the first."""
    if key not in st.session_state:
        wanted = st.query_params.get("view", asked)
        st.session_state[key] = wanted if wanted in views else next(iter(views))
    return str(
        st.segmented_control(
            "View", list(views), format_func=views.__getitem__, key=key, required=True, label_visibility="collapsed"
        )
    )  # fmt: skip


def choose_page(place: Any, count: int, size: int, key: str, what: str) -> slice:
    """The part of `count` things that is looked at, `size` of them at most; nothing to choose where all fit.

    `place` is a container, or streamlit itself.
    """
    pages = -(-count // size)
    if pages <= 1:
        return slice(0, size)
    label = f"Page of {pages:,} ({count:,} {what})"
    number = int(place.number_input(label, 1, pages, key=key, width=220))
    return slice(size * (number - 1), size * number)
