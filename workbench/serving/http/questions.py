"""From a request to its reply, whatever its protocol: body, rows, typed columns, question, answer, body."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal
from urllib.parse import parse_qs

from workbench.contracts.contract import Contract
from workbench.errors import did_you_mean
from workbench.serving.answers import Answer, Question, Refused, Standing
from workbench.serving.http import invocations, open_inference, predict
from workbench.serving.http.engine import Engine
from workbench.serving.http.intake import media_type
from workbench.serving.http.open_inference import Wanted
from workbench.serving.http.replies import Reply, answered
from workbench.serving.http.rows import Rows, moved
from workbench.serving.http.typing import Typed, Typing
from workbench.setting_keys import Serving

Protocol = Literal["predict", "invocations", "infer"]

LARGE = 100_000
"""Bytes of a body above which it is read by a thread, so that others need not wait meanwhile."""

JSON, CSV = b"application/json", b"text/csv"
BINARY, FORM = b"application/octet-stream", b"application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Route:
    """Whom a request is for, as its path says."""

    protocol: Protocol
    model: str | None = None
    """None: the only model there is."""
    version: str | None = None


@dataclass
class Told:
    """What the log and the metrics are told of a request."""

    request: str
    route: str = "other"
    model: str = ""
    version: int | None = None
    kind: str = ""
    rows: int = 0
    caller: str | None = None
    reason: str = ""
    at: list[str] = field(default_factory=list)
    rules: list[str] = field(default_factory=list)
    """Of the contract, that its rows break."""


def route_of(path: str) -> Route | None:
    """The hot paths; None for all others."""
    if path == "/invocations":
        return Route("invocations")
    first, _, rest = path[1:].partition("/")
    if first == "predict" and rest and "/" not in rest:
        return Route("predict", rest)
    if first in ("gateway", "endpoints") and rest.endswith("/invocations") and rest.count("/") == 1:
        return Route("invocations", rest.partition("/")[0])
    if first == "v2" and rest.endswith("/infer"):
        parts = rest.split("/")
        if parts[0] == "models" and len(parts) == 3:
            return Route("infer", parts[1])
        if parts[0] == "models" and len(parts) == 5 and parts[2] == "versions":
            return Route("infer", parts[1], parts[3])
    return None


class Questions:
    """Asks an engine what requests ask."""

    def __init__(self, engine: Engine, serving: Serving) -> None:
        self._engine, self._serving = engine, serving
        self._typings: dict[str, tuple[Contract, Typing]] = {}

    async def ask(
        self, route: Route, headers: Mapping[bytes, bytes], query: bytes, body: bytes, told: Told
    ) -> Reply:
        """The reply to one request. Raises Refused."""
        standing = self._standing(route.model)
        told.model = standing.model
        version = _version(route, query)
        typing = self._typing(standing)
        read = self._reader(route, headers, body, standing)
        if len(body) > LARGE:
            rows, wanted, typed = await asyncio.to_thread(self._rows, read, typing)
        else:
            rows, wanted, typed = self._rows(read, typing)
        told.rows = rows.rows
        question = Question(
            request=told.request,
            model=standing.model,
            columns=typed.columns,
            rows=rows.rows,
            keys=typed.keys,
            version=version,
            sticky=_sticky(headers),
            caller=told.caller,
            came=time.time(),
        )
        answer = await self._answer(question, rows, typed)
        told.version, told.kind = answer.version, answer.kind
        return _reply(route.protocol, answer, wanted)

    async def _answer(self, question: Question, rows: Rows, typed: Typed) -> Answer:
        try:
            answer = await self._engine.ask(question)
        except Refused as refused:
            if not refused.wrong:
                raise
            wrong = [moved(each, rows.place) for each in refused.wrong]
            raise Refused(refused.status, refused.reason, str(refused), wrong) from None
        if typed.warnings:
            return replace(answer, warnings=(*typed.warnings, *answer.warnings))
        return answer

    def _rows(
        self, read: Callable[[], tuple[Rows, Wanted | None]], typing: Typing
    ) -> tuple[Rows, Wanted | None, Typed]:
        rows, wanted = read()
        if len(rows.columns) > self._serving.max_columns:
            raise Refused(
                422, "too-many-columns",
                f"{len(rows.columns):,} columns in one request; expected at most {self._serving.max_columns:,}",
            )  # fmt: skip
        return rows, wanted, typing.read(rows)

    def _reader(
        self, route: Route, headers: Mapping[bytes, bytes], body: bytes, standing: Standing
    ) -> Callable[[], tuple[Rows, Wanted | None]]:
        most = self._serving.max_rows
        if route.protocol == "predict":
            contract = standing.contract
            if media_type(headers, JSON, FORM) == FORM and contract is not None:
                return lambda: (predict.read_form(body, contract, self._serving.max_columns), None)
            return lambda: (predict.read(body, most), None)
        if route.protocol == "infer":
            media_type(headers, JSON, BINARY, b"")
            size = headers.get(b"inference-header-content-length")
            return lambda: open_inference.read(body, size, most)
        if media_type(headers, JSON, CSV) == CSV:
            columns = standing.contract.columns if standing.contract else ()
            types = {column.name: column.type for column in columns}
            return lambda: (invocations.read_csv(body, types, most), None)
        return lambda: (invocations.read(body, most), None)

    def _standing(self, name: str | None) -> Standing:
        models = self._engine.models()
        if name is None:
            if len(models) == 1:
                return next(iter(models.values()))
            known = ", ".join(models) or "none"
            raise Refused(
                404, "no-such-model", f"several models serve ({known}): ask /endpoints/MODEL/invocations"
            )
        found = models.get(name)
        if found is None:
            hint = did_you_mean(name, models) if len(name) <= 80 else ""
            raise Refused(404, "no-such-model", f"no model '{name[:80]}' serves here{hint}")
        return found

    def _typing(self, standing: Standing) -> Typing:
        """The typing of the contract that serves now; it is made anew when the version changed."""
        contract = standing.contract
        if contract is None:
            raise Refused(503, "not-ready", f"model '{standing.model}' is not ready")
        known = self._typings.get(standing.model)
        if known is None or known[0] is not contract:
            known = contract, Typing(contract, standing.keys, self._serving.max_text)
            self._typings[standing.model] = known
        return known[1]


def _version(route: Route, query: bytes) -> int | None:
    given = route.version
    if given is None and query:
        given = next(iter(parse_qs(query.decode("latin-1"), max_num_fields=20).get("version", ())), None)
    if given is None:
        return None
    if not given.isascii() or not given.isdigit() or len(given) > 9:
        raise Refused(404, "no-such-version", f"'{given[:80]}' is no version; expected a number")
    return int(given)


def _sticky(headers: Mapping[bytes, bytes]) -> str | None:
    given = headers.get(b"x-sticky")
    if given is None:
        return None
    if len(given) > 200:
        raise Refused(400, "bad-request", "X-Sticky has more than 200 characters")
    return given.decode("latin-1")


def _reply(protocol: Protocol, answer: Answer, wanted: Wanted | None) -> Reply:
    if protocol == "predict":
        return answered(answer, predict.written(answer))
    if protocol == "invocations" or wanted is None:
        return answered(answer, invocations.written(answer))
    body, size = open_inference.written(answer, wanted)
    if size is None:
        return answered(answer, body)
    return answered(answer, body, BINARY, (b"inference-header-content-length", b"%d" % size))
