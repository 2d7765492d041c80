"""Refusals as replies: terse for the caller; the log has the rest, by the request's id."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from workbench.serving.answers import Refused
from workbench.serving.http.replies import Reply

SHOWN = 20
"""Wrong things that an answer names."""

_REASONS: Mapping[int, str] = {
    400: "bad-request", 401: "no-key", 403: "forbidden", 404: "not-found", 405: "method-not-allowed",
    406: "not-acceptable", 413: "too-large", 415: "media-type", 422: "malformed", 500: "internal",
}  # fmt: skip


def said_of(refused: Refused, path: str, request: str) -> dict[str, Any]:
    """The body of a refusal: `{"error": {"reason", "message", "wrong", "request"}}`.

    In the Open Inference Protocol `error` is a text; there, what else is known stands beside it.
    """
    wrong = [{"at": each.at, "message": each.message} for each in refused.wrong[:SHOWN]]
    known = {"reason": refused.reason, "wrong": wrong, "request": request}
    if path.startswith("/v2"):
        return {"error": str(refused), **known}
    return {"error": {"message": str(refused), **known}}


def refusal(refused: Refused, body: Mapping[str, Any]) -> Reply:
    """The reply to what is refused."""
    more: list[tuple[bytes, bytes]] = []
    if refused.status in (408, 413):
        more.append((b"connection", b"close"))  # the rest of the body is not read
    if refused.status in (429, 503):
        more.append((b"retry-after", b"1"))
    if refused.status == 405:
        more.append((b"allow", b"POST"))
    if refused.status == 401:
        more.append((b"www-authenticate", b"Bearer"))
    return Reply(refused.status, orjson.dumps(body), headers=more)


def reason_of(status: int) -> str:
    """A word for a status that a framework gave."""
    return _REASONS.get(status, "refused" if status < 500 else "internal")
