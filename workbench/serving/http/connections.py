"""How long a client may take for a request's head, how long that may be, and how many may be connected.

uvicorn has no such limits of its own: a client that sends a byte a minute would hold its connection, and a head without end
would be kept in memory.
"""

from __future__ import annotations

import asyncio
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from workbench.setting_keys import Serving

MAX_HEAD = 64_000
"""Bytes of a request's line and headers."""

KEEP_ALIVE = 75.0
"""Seconds for which a connection may wait for its next request."""

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
_TOO_MANY = (
    b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nretry-after: 1\r\nconnection: close\r\n\r\n"
)


def uvicorn_config(app: Any, serving: Serving, **more: Any) -> uvicorn.Config:
    """How `app` is served: within limits, without an access log of uvicorn's own. `more` goes to uvicorn.Config."""
    return uvicorn.Config(
        app,
        http=limited(serving.read_timeout, 4 * serving.max_waiting),
        access_log=False,
        server_header=False,
        timeout_keep_alive=int(KEEP_ALIVE),
        proxy_headers=False,
        lifespan="on",
        ws="none",
        **more,
    )


def limited(seconds: float, most: int) -> type[HttpToolsProtocol]:
    """uvicorn's protocol, for which a request's head must come within `seconds`, on at most `most` connections."""

    class Limited(HttpToolsProtocol):
        head_timer: asyncio.TimerHandle | None = None
        head_size = 0

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            if len(self.connections) > most:
                self._end(_TOO_MANY)
            else:
                self._await_head()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

        def data_received(self, data: bytes) -> None:
            if self.head_timer is None and self._between_requests():
                self._await_head()
            self.head_size += len(data)
            super().data_received(data)
            if self.head_timer is not None and self.head_size > MAX_HEAD:
                self._end(_TOO_LARGE)

        def on_headers_complete(self) -> None:
            self._stop_timer()
            super().on_headers_complete()

        def timeout_keep_alive_handler(self) -> None:
            if self.transport.get_write_buffer_size():  # an answer that nobody reads is not waited for
                self.transport.abort()
            super().timeout_keep_alive_handler()

        def _between_requests(self) -> bool:
            return self.cycle is not None and self.cycle.response_complete

        def _await_head(self) -> None:
            self.head_size = 0
            self.head_timer = self.loop.call_later(seconds, self._end, _TOO_SLOW)

        def _stop_timer(self) -> None:
            if self.head_timer is not None:
                self.head_timer.cancel()
                self.head_timer = None

        def _end(self, said: bytes) -> None:
            self._stop_timer()
            if not self.transport.is_closing():
                self.transport.write(said)
                self.transport.close()

    return Limited
