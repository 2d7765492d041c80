"""One ASGI application in front of one engine.

    Application
    ├── lifespan     the engine starts and stops with the server
    ├── _reply       who may call (guard), how much is read (intake), how long it may take
    │   ├── Questions.ask   the hot paths: predictions in three protocols
    │   └── site            everything else, by FastAPI
    └── _tell        a line in the log, a count in the metrics

A request costs no middleware but this; nothing here is between a prediction and its caller that is not needed.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from workbench.errors import LogError
from workbench.prediction_log.tallies import FLUSH_SECONDS, Tally
from workbench.serving.answers import Refused
from workbench.serving.http.engine import Engine
from workbench.serving.http.guard import Guard
from workbench.serving.http.intake import Gone, Receive, read_body
from workbench.serving.http.keyring import Keyring
from workbench.serving.http.metrics import Metrics
from workbench.serving.http.problems import refusal, said_of
from workbench.serving.http.questions import Questions, Told, route_of
from workbench.serving.http.replies import Reply
from workbench.serving.http.request_ids import new_request
from workbench.serving.http.request_log import RequestLog
from workbench.serving.http.site import make_site
from workbench.settings import Project

FAILED = "an error, which the log has by this request's id"

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application:
    """See above. One for each worker process."""

    def __init__(
        self,
        project: Project,
        engine: Engine,
        *,
        metrics: Metrics | None = None,
        log: RequestLog | None = None,
    ) -> None:
        """Raises BadInput when the file of API keys cannot be read."""
        self._engine, self._serving = engine, project.serve
        self._metrics, self._log = metrics or Metrics(), log or RequestLog()
        self._guard = Guard(project.serve, Keyring(project))
        self._questions = Questions(engine, project.serve)
        self._site = make_site(project, engine, self._metrics)
        self._tally = Tally(project)
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        self._log.start()
        try:
            await self._engine.start()
        except Exception as error:  # noqa: BLE001 - the server says it, and does not start
            self._log.failure("", error)
            self._log.stop()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._engine.stop()
        self._keep_count()
        self._log.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = time.perf_counter()
        told = Told(new_request())
        self._inside += 1
        self._metrics.inside(self._inside)
        try:
            reply = await self._reply(scope, receive, told)
            start, body = reply.messages(told.request)
            await send(start)
            await send(body)
            status = reply.status
        except Gone:
            status = 499
        finally:
            self._inside -= 1
            self._metrics.inside(self._inside)
        self._tell(scope, told, status, time.perf_counter() - started)

    async def _reply(self, scope: Scope, receive: Receive, told: Told) -> Reply:
        """Whatever happens, there is one; only a client that hung up gets none."""
        route = route_of(scope["path"])
        if route is not None:
            told.route = route.protocol
        reading = True
        try:
            headers: dict[bytes, bytes] = dict(scope["headers"])
            told.caller = self._guard.admit(headers, scope["method"], scope["path"]).name
            if (
                route is not None and self._inside > self._serving.max_waiting
            ):  # probes are answered all the same
                raise Refused(429, "busy", f"{self._inside - 1} requests are in hand; try again")
            async with asyncio.timeout(self._serving.read_timeout) as limit:
                body = await read_body(headers, receive, self._serving.max_body)
                reading = False
                limit.reschedule(asyncio.get_running_loop().time() + self._serving.timeout)
                if route is None:
                    return await self._from_site(scope, body, told)
                if scope["method"] != "POST":
                    raise Refused(405, "method-not-allowed", "predictions are asked for by POST")
                return await self._questions.ask(route, headers, scope["query_string"], body, told)
        except Refused as refused:
            if refused.status == 500:  # of a model: what it says of itself is for the log
                self._log.failure(told.request, refused)
                refused = Refused(500, refused.reason, FAILED)
            return self._refusal(refused, scope, told)
        except TimeoutError:
            return self._refusal(_too_late(reading), scope, told)
        except Gone:
            raise
        except Exception as error:  # noqa: BLE001 - a bug: the log has it in full, the caller its number
            self._log.failure(told.request, error)
            return self._refusal(Refused(500, "internal", FAILED), scope, told)

    async def _from_site(self, scope: Scope, body: bytes, told: Told) -> Reply:
        """What FastAPI says to a request whose body was read already."""
        messages: list[MutableMapping[str, Any]] = [
            {"type": "http.request", "body": body, "more_body": False}
        ]
        status, headers, parts = 500, [], []

        async def receive() -> MutableMapping[str, Any]:
            return messages.pop() if messages else {"type": "http.disconnect"}

        async def send(message: MutableMapping[str, Any]) -> None:
            nonlocal status, headers
            if message["type"] == "http.response.start":
                status, headers = message["status"], list(message["headers"])
            else:
                parts.append(message.get("body", b""))

        own = {**scope, "workbench.told": told}
        await self._site(own, receive, send)
        told.route = getattr(own.get("route"), "path", told.route)
        media = dict(headers).get(b"content-type", b"application/json")
        kept = [(name, value) for name, value in headers if name not in (b"content-type", b"content-length")]
        return Reply(status, b"".join(parts), media, kept)

    def _refusal(self, refused: Refused, scope: Scope, told: Told) -> Reply:
        told.reason, told.at = refused.reason, [wrong.at for wrong in refused.wrong[:20]]
        if refused.reason == "contract":
            told.rules = sorted({rule_of(wrong.message) for wrong in refused.wrong})
        return refusal(refused, said_of(refused, scope["path"], told.request))

    def _tell(self, scope: Scope, told: Told, status: int, seconds: float) -> None:
        self._metrics.request(told.model, told.route, status, seconds)
        if told.version is not None:
            self._metrics.answered(told.model, told.kind, told.rows)
            if told.kind == "champion" and not self._metrics.met(told.model, told.version):
                self._metrics.serving(self._engine.models().values())
        values: dict[str, Any] = {
            "event": "request", "request": told.request, "method": scope["method"], "route": told.route,
            "status": status, "ms": round(seconds * 1000, 3), "caller": told.caller,
        }  # fmt: skip
        if told.model:
            values |= {"model": told.model, "version": told.version, "kind": told.kind, "rows": told.rows}
            if self._tally.count(told.model, status, told.reason, told.rules):
                asyncio.get_running_loop().call_later(FLUSH_SECONDS, self._keep_count)
        if told.reason:
            values |= {"reason": told.reason, "at": told.at}
        self._log.line(**values)

    def _keep_count(self) -> None:
        """Have what was counted on record; what cannot be is kept for the next time."""
        try:
            self._tally.flush()
        except LogError as error:
            self._log.line(level="error", event="log", message=str(error))


def rule_of(message: str) -> str:
    """What of the contract is broken, without the value that breaks it: what stands before it in the sentence."""
    return re.split(": |; ", message, maxsplit=1)[0][:120]


def _too_late(reading: bool) -> Refused:
    if reading:
        return Refused(408, "too-slow", "the body did not arrive in time")
    return Refused(504, "timeout", "the answer took too long")
