"""Requests to the application, without a socket."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any

from workbench.serving.http.app import Application

HOST = {"host": "127.0.0.1:8000"}


@dataclass(frozen=True)
class Said:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def wrong(self) -> dict[str, str]:
        """By place."""
        error = self.json()
        found = error["wrong"] if isinstance(error["error"], str) else error["error"]["wrong"]
        return {each["at"]: each["message"] for each in found}

    @property
    def reason(self) -> str:
        error = self.json()
        return str(error["reason"] if isinstance(error["error"], str) else error["error"]["reason"])


async def called(
    app: Application, method: str, path: str, body: bytes | list[bytes] = b"", **headers: str
) -> Said:
    """One request; a body in several parts comes in chunks. Names of headers are written with '_' for '-'."""
    parts = [body] if isinstance(body, bytes) else list(body)
    named = {**HOST, **{name.replace("_", "-"): value for name, value in headers.items()}}
    path, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": query.encode(), "root_path": "", "scheme": "http",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()],
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 8000), "state": {},
    }  # fmt: skip
    sent: list[MutableMapping[str, Any]] = []

    async def receive() -> MutableMapping[str, Any]:
        part = parts.pop(0)
        return {"type": "http.request", "body": part, "more_body": bool(parts)}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message)

    await app(scope, receive, send)
    start, *rest = sent
    return Said(
        start["status"],
        {name.decode(): value.decode() for name, value in start["headers"]},
        b"".join(message["body"] for message in rest),
    )


def call(app: Application, method: str, path: str, body: Any = b"", **headers: str) -> Said:
    """The same from outside of an event loop; a body that is no bytes is sent as JSON."""
    chunks = isinstance(body, list) and body and all(isinstance(part, bytes) for part in body)
    if not isinstance(body, bytes) and not chunks:
        body = json.dumps(body).encode()
        headers.setdefault("content_type", "application/json")
    return asyncio.run(called(app, method, path, body, **headers))
