"""A request's body, as far as it may go: bytes are counted as they come, and what is too much is not waited for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from workbench.serving.answers import Refused

Receive = Callable[[], Awaitable[Mapping[str, Any]]]


class Gone(Exception):  # noqa: N818 - reads as the condition it is
    """The client hung up before its request was whole."""


async def read_body(headers: Mapping[bytes, bytes], receive: Receive, most: int) -> bytes:
    """The whole body. Raises Refused (400, 413, 415), Gone."""
    encoding = headers.get(b"content-encoding", b"identity").lower()
    if encoding not in (b"identity", b""):
        raise Refused(415, "media-type", "bodies are read without Content-Encoding only")
    length = headers.get(b"content-length")
    if length is not None and length.isdigit() and int(length[:20]) > most:
        raise _too_large(most)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise Gone
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > most:
            raise _too_large(most)
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise _too_large(most)
        parts.append(part)
    return b"".join(parts)


def _too_large(most: int) -> Refused:
    return Refused(413, "too-large", f"the body is larger than {most:,} bytes, the most that is read")


def media_type(headers: Mapping[bytes, bytes], *known: bytes) -> bytes:
    """The body's media type, one of `known`; UTF-8 is the only charset. Raises Refused (415)."""
    given = headers.get(b"content-type", b"")
    if given in known:
        return given
    media, _, parameters = given.lower().partition(b";")
    media = media.strip()
    charset = parameters.replace(b" ", b"").replace(b'"', b"")
    if media in known and charset in (b"", b"charset=utf-8", b"charset=utf8"):
        return media
    expected = " or ".join(each.decode() for each in known)
    raise Refused(415, "media-type", f"the body's Content-Type must be {expected}, in UTF-8")
