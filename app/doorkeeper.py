"""What stands before the app: whose requests are answered, and what browsers may do with the answers.

Streamlit by itself answers pages of every site that runs on this machine under another port, and asks another host for its
own address to compare; here a request is compared with the address that it was sent to, before Streamlit sees it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from workbench.access import Door, refusal

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]

HEALTH = "/_stcore/health"

CONTENT_POLICY = "; ".join([
    "default-src 'self'",
    "script-src 'self' 'sha256-{start}'",
    "style-src 'self' 'unsafe-inline'",  # Streamlit writes its styles as it draws
    "img-src 'self' data: blob:",
    "font-src 'self' data:",
    "connect-src 'self'",
    "worker-src 'self' blob:",
    "frame-src 'self' blob: data:",
    "frame-ancestors 'self'",
    "object-src 'none'",
    "base-uri 'self'",
    "form-action 'self'",
])  # fmt: skip
"""A page with a script that slipped through everything else has it blocked here. What is shown in a frame inherits it."""

HEADERS = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Doorkeeper:
    """ASGI middleware around the whole app. `start` is the SHA-256 of the one script that Streamlit's page holds."""

    def __init__(self, app: Application, door: Door, start: str) -> None:
        self._app, self._door = app, door
        self._headers = [
            (name.encode(), value.encode())
            for name, value in {
                **HEADERS,
                "content-security-policy": CONTENT_POLICY.format(start=start),
            }.items()
        ]

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind not in ("http", "websocket") or scope["path"] == HEALTH:
            await self._app(scope, receive, send)
        elif refused := self._refused(scope):
            await (_answer if kind == "http" else _hang_up)(receive, send, *refused)
        elif kind == "http":
            await self._app(scope, receive, self._with_headers(send))
        else:
            await self._app(scope, _until(self._door.session, receive, send), send)

    def _refused(self, scope: MutableMapping[str, Any]) -> tuple[int, str] | None:
        headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            small = name.decode("latin-1").lower()
            if small in headers and small in (
                self._door.user_header,
                self._door.groups_header,
                "host",
                "origin",
            ):
                return 400, f"the header {small} is there twice"
            headers[small] = value.decode("latin-1")
        method = scope.get("method", "WEBSOCKET")
        peer = (scope.get("client") or ("", 0))[0]
        return refusal(self._door, method=method, peer=peer, headers=headers, path=scope["path"])

    def _with_headers(self, send: Send) -> Send:
        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                ours = {name for name, _ in self._headers}
                kept = [
                    (name, self._kept(name, value))
                    for name, value in message["headers"]
                    if name.lower() not in ours
                ]
                message = {**message, "headers": [*kept, *self._headers]}
            await send(message)

        return sending

    def _kept(self, name: bytes, value: bytes) -> bytes:
        """A cookie is for https only where people come by it; Streamlit leaves that out."""
        if not self._door.secure or name.lower() != b"set-cookie" or b"secure" in value.lower().split(b"; "):
            return value
        return value + b"; Secure"


async def _answer(receive: Receive, send: Send, status: int, why: str) -> None:
    body = f"{why}\n".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _hang_up(receive: Receive, send: Send, status: int, why: str) -> None:
    await receive()
    await send({"type": "websocket.close", "code": 1008, "reason": why})


def _until(seconds: float, receive: Receive, send: Send) -> Receive:
    """A connection that ends with the session: the page connects anew, and whose it is, is looked at anew."""
    deadline = asyncio.get_running_loop().time() + seconds

    async def receiving() -> Message:
        left = deadline - asyncio.get_running_loop().time()
        try:
            return await asyncio.wait_for(receive(), max(left, 0.001))
        except TimeoutError:
            await send({"type": "websocket.close", "code": 1001, "reason": "the session is over"})
            return {"type": "websocket.disconnect", "code": 1001}

    return receiving
