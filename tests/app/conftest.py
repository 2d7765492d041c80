"""The app without a browser, as who works here; its folder is where a page finds what pages share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from workbench.access import Door

if TYPE_CHECKING:
    from streamlit.testing.v1 import AppTest

MAIN = Path(__file__).parents[2] / "app" / "main.py"
SECONDS = 60
"""The first page imports pandas and plotly."""

OpenApp = Callable[..., "AppTest"]


@pytest.fixture
def app_folder(monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the app's modules are imported from: `from charts import …` works inside of the test."""
    monkeypatch.syspath_prepend(str(MAIN.parent))
    # AppTest makes the script `__main__`, which processes that other tests start would run again.
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    import access

    monkeypatch.setattr(access, "_door", Door("loopback"))
    return MAIN.parent


@pytest.fixture
def open_app(app_folder: Path) -> OpenApp:
    """The app on its first page, or on `open_app("models")`, in the project that is the working directory.

    Streamlit is imported here, because its import sets MPLBACKEND for the process, and so for every kernel of other tests.
    """
    from streamlit.testing.v1 import AppTest

    def start(page: str = "") -> AppTest:
        app = AppTest.from_file(str(app_folder / "main.py"), default_timeout=SECONDS)
        return app.switch_page(f"pages/{page}.py").run() if page else app.run()

    return start
