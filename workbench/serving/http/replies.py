"""What goes back: a status, headers and a body."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from workbench.serving.answers import Answer

Headers = Sequence[tuple[bytes, bytes]]

JSON = b"application/json"


@dataclass(frozen=True)
class Reply:
    """An answer as HTTP has it."""

    status: int
    body: bytes
    media: bytes = JSON
    headers: Headers = ()

    def messages(self, request: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """ASGI's two messages."""
        headers = [
            (b"content-type", self.media),
            (b"content-length", b"%d" % len(self.body)),
            (b"x-request-id", request.encode()),
            (b"x-content-type-options", b"nosniff"),
            *self.headers,
        ]
        return (
            {"type": "http.response.start", "status": self.status, "headers": headers},
            {"type": "http.response.body", "body": self.body},
        )


def answered(answer: Answer, body: bytes, media: bytes = JSON, *more: tuple[bytes, bytes]) -> Reply:
    """A prediction's reply: who said it stands in its headers, whatever place the protocol has for it."""
    return Reply(200, body, media, (*origin_headers(answer), *more))


def origin_headers(answer: Answer) -> Headers:
    return (
        (b"x-model", answer.model.encode()),
        (b"x-model-version", b"%d" % answer.version),
        (b"x-model-digest", answer.digest.encode()),
        (b"x-model-kind", answer.kind.encode()),
    )
