"""The app's process: `workbench app`. Whoever comes passes the doorkeeper; what they see is main.py's."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import access
import streamlit as st
from doorkeeper import Doorkeeper
from starlette.middleware import Middleware
from streamlit.runtime.pages_manager import PagesManager

from workbench.access import GROUPS, Door, auth_section, door_of
from workbench.errors import WorkbenchError
from workbench.settings import find_project

MAIN = Path(__file__).with_name("main.py")


def options(door: Door, host: str, port: int) -> dict[str, Any]:
    """Streamlit's settings. What is not for this app is off: statistics, watching files, its interface for programs."""
    trusted = {door.user_header: "user", door.groups_header: GROUPS}
    return {
        "server.address": host,
        "server.port": port,
        "server.headless": True,
        "server.enableCORS": True,
        "server.enableXsrfProtection": True,
        "server.xsrfCookieSameSite": "strict" if door.kind == "loopback" else "lax",
        "server.allowedHosts": sorted(door.hosts),
        "server.trustedUserHeaders": json.dumps({name: key for name, key in trusted.items() if name}),
        "server.fileWatcherType": "none",
        "server.runOnSave": False,
        "server.enableAgentApi": False,
        "server.enableStaticServing": False,
        "server.maxUploadSize": 1,
        "client.toolbarMode": "minimal",
        "client.allowedOrigins": [],
        "client.showErrorDetails": "full" if door.kind == "loopback" else "none",
        "browser.gatherUsageStats": False,
        "runner.magicEnabled": False,
        "logger.hideWelcomeMessage": True,
    }


def start_script() -> str:
    """SHA-256 of the script in Streamlit's own page, the only one that is not in a file; as a content policy has it."""
    page = Path(st.__file__).with_name("static").joinpath("index.html").read_text(encoding="utf-8")
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


@asynccontextmanager
async def warm(_: st.App) -> AsyncIterator[None]:
    """Import what pages need and what takes seconds while nobody waits for it yet."""
    thread = Thread(target=_import, name="warm", daemon=True)
    thread.start()
    yield


def _import() -> None:
    for name in ("plotly.graph_objects", "pandas", "mlflow", "workbench.mlflow_store"):
        try:
            import_module(name)
        except ImportError:  # the page that needs it says so
            return


def main(host: str, port: int) -> int:
    """Serve until a signal comes. 2 when it may not start."""
    try:
        project = find_project()
        door = door_of(project, host, auth_section(project))
    except WorkbenchError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    access.open_door(door)
    # A folder `pages` beside the router would be Streamlit's own idea of pages, which run without the router.
    PagesManager.uses_pages_directory = False
    os.environ["FORWARDED_ALLOW_IPS"] = ""  # who sends a request is who is connected, whatever a header says
    keeper = Middleware(Doorkeeper, door=door, start=start_script())
    app = st.App(str(MAIN), middleware=[keeper], lifespan=warm)
    shown = f"[{host}]" if ":" in host else host
    print(f"the app listens on http://{shown}:{port}", flush=True)
    app.run(config=options(door, host, port))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
