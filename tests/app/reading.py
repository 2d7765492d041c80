"""What a page says, for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest


def text_of(app: AppTest) -> str:
    """All that a page says in words; a page that broke has none."""
    assert not app.exception, [each.value for each in app.exception]
    kinds = ("title", "subheader", "caption", "markdown", "info", "success", "error", "warning", "code")
    return "\n".join(str(element.value) for kind in kinds for element in app.get(kind))
