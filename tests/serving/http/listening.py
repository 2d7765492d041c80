"""The application behind a real socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from workbench.serving.http.connections import uvicorn_config
from workbench.setting_keys import Serving


@contextmanager
def listening(app: Any, serving: Serving) -> Iterator[str]:
    """Serve `app` in a thread, as a worker does; gives `127.0.0.1:PORT`."""
    server = uvicorn.Server(uvicorn_config(app, serving, log_config=None))
    server.config.load()
    bound = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]}, daemon=True)
    thread.start()
    try:
        up = threading.Event()
        while not server.started and thread.is_alive():
            up.wait(0.01)
        assert server.started
        yield f"127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(timeout=20)
        assert not thread.is_alive()
