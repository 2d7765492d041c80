"""What is too much, too slow or too odd: each gets the right 4xx, quickly, over a real socket where that matters."""

from __future__ import annotations

import asyncio
import io
import json
import re
import socket
import threading
from dataclasses import replace
from typing import Any

import pytest

from tests.serving.http.calling import call, called
from tests.serving.http.direct import DirectEngine, flights
from tests.serving.http.test_protocols import records
from workbench.scoring.model import Scorer
from workbench.serving.http.app import Application
from workbench.serving.http.connections import MAX_HEAD
from workbench.serving.http.request_log import RequestLog
from workbench.settings import Project

ROW = records(flights(1))[0]
JSON = "application/json"


def connected(address: str) -> socket.socket:
    host, _, port = address.partition(":")
    return socket.create_connection((host, int(port)), timeout=30)


def heard(connection: socket.socket) -> bytes:
    """All that the server says until it hangs up."""
    parts = []
    while True:
        try:
            part = connection.recv(65536)
        except ConnectionResetError:
            break
        if not part:
            break
        parts.append(part)
    return b"".join(parts)


def one_answer(connection: socket.socket) -> bytes:
    """Head and body, however they are cut on the way; the connection stays open."""
    said = b""
    while not (found := re.search(rb"content-length: (\d+)\r\n(?s:.*?)\r\n\r\n", said)):
        said += some(connection)
    while len(said) < found.end() + int(found[1]):
        said += some(connection)
    return said


def some(connection: socket.socket) -> bytes:
    part = connection.recv(65536)
    assert part, "the server hung up"
    return part


def status_of(said: bytes) -> int:
    return int(said.split(b" ", 2)[1])


HEAD = b"POST /predict/late HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n"


def test_a_gigabyte_that_is_announced_is_refused_before_it_comes(address: str) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD + b"content-length: 1000000000\r\n\r\n{")
        assert status_of(heard(connection)) == 413


def test_a_gigabyte_that_is_not_announced_is_refused_when_it_is_too_much(address: str) -> None:
    sent = 0
    with connected(address) as connection:
        connection.sendall(HEAD + b"transfer-encoding: chunked\r\n\r\n")
        chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
        try:
            while sent < 1_000_000_000:
                connection.sendall(chunk)
                sent += 65536
        except (BrokenPipeError, ConnectionResetError):
            pass
        assert sent < 100_000_000
    assert call_over(address, {"rows": [ROW]})[0] == 200


def call_over(address: str, body: Any, path: str = "/predict/late") -> tuple[int, Any]:
    content = json.dumps(body).encode()
    with connected(address) as connection:
        connection.sendall(
            b"POST %s HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%s" % (path.encode(), len(content), content)
        )
        said = heard(connection)
    return status_of(said), json.loads(said.partition(b"\r\n\r\n")[2])


@pytest.mark.parametrize(
    "begun",
    [b"", b"POST /predict/late HT", HEAD, HEAD + b"x: " + b"y" * 1000],
    ids=["nothing", "line", "head", "long"],
)
def test_who_does_not_finish_the_head_is_let_go(address: str, begun: bytes) -> None:
    with connected(address) as connection:
        connection.sendall(begun)
        assert status_of(heard(connection)) == 408


def test_a_byte_now_and_then_does_not_buy_time(address: str) -> None:
    with connected(address) as connection:
        stop = threading.Event()

        def drip() -> None:
            for byte in HEAD:
                if stop.wait(0.1):
                    return
                try:
                    connection.sendall(bytes([byte]))
                except OSError:
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        said = heard(connection)
        stop.set()
        dripping.join()
    assert status_of(said) == 408


def test_who_does_not_finish_the_body_is_told_and_let_go(address: str) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD + b'content-length: 50\r\n\r\n{"rows"')
        said = heard(connection)
    assert status_of(said) == 408
    assert json.loads(said.partition(b"\r\n\r\n")[2])["error"]["reason"] == "too-slow"


def test_a_head_without_end_is_refused(address: str) -> None:
    with connected(address) as connection:
        connection.sendall(HEAD)
        try:
            for number in range(2 * MAX_HEAD // 1000):
                connection.sendall(b"x%d: %s\r\n" % (number, b"y" * 1000))
        except (BrokenPipeError, ConnectionResetError):
            return
        assert status_of(heard(connection)) == 431


def test_a_second_request_on_a_connection_has_its_own_time(address: str) -> None:
    content = json.dumps({"rows": [ROW]}).encode()
    whole = HEAD + b"content-length: %d\r\n\r\n%s" % (len(content), content)
    with connected(address) as connection:
        for _ in range(2):
            connection.sendall(whole)
            assert status_of(one_answer(connection)) == 200
        connection.sendall(HEAD)
        assert status_of(heard(connection)) == 408


def test_a_million_rows_are_refused_whatever_their_protocol(folder: Project, model: Scorer) -> None:
    large = replace(folder, serve=replace(folder.serve, max_body=100_000_000))
    engine = DirectEngine({"late": model})
    asyncio.run(engine.start())
    app = Application(large, engine, log=RequestLog(io.BytesIO()))
    million = 1_000_000
    row = b"[6,1,1,null,null]"
    split = b'{"dataframe_split":{"columns":["hour","seats","temp","carrier","dest"],"data":[%s]}}'
    tensor = b'{"inputs":[{"name":"hour","shape":[%d],"datatype":"INT64","data":[6]}]}' % million
    requests = {
        "/invocations": split % b",".join([row] * million),
        "/predict/late": b'{"rows":[%s]}' % b",".join([b"{}"] * million),
        "/v2/models/late/infer": tensor,
    }
    for path, body in requests.items():
        said = call(app, "POST", path, body, content_type=JSON)
        assert (said.status, said.reason) == (422, "too-many-rows"), path
    said = call(app, "POST", "/invocations", b"hour\n" + b"1\n" * million, content_type="text/csv")
    assert (said.status, said.reason) == (422, "too-many-rows")
    assert engine.asked == []


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b'{"rows": [{"hour": 1e400}]}', 400, "not-json"), (b'{"rows": [{"hour": NaN}]}', 400, "not-json"),
        (b'{"rows": [{"hour": Infinity}]}', 400, "not-json"), (b"[" * 100_000, 400, "not-json"),
        (b'{"a":' * 100_000, 400, "not-json"), (b"\xff\xfe", 400, "not-json"), (b'"\\ud800"', 400, "not-json"),
        (b"", 400, "not-json"), (b"null", 422, "malformed"), (b'{"rows": []}', 422, "malformed"),
        (b'{"rows": [[]]}', 422, "malformed"), (b'{"rows": [{}]}', 422, "contract"), (b'{"row": []}', 422, "malformed"),
    ],
)  # fmt: skip
def test_odd_json_is_refused(app: Application, body: bytes, status: int, reason: str) -> None:
    for path in ("/predict/late", "/invocations"):
        said = call(app, "POST", path, body, content_type=JSON)
        assert said.status == status or (path == "/invocations" and said.status in (400, 422)), (
            path,
            said.body,
        )
    assert call(app, "POST", "/predict/late", body, content_type=JSON).reason == reason


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ({"carrier": "ZZ"}, "/rows/0/carrier"), ({"carrier": "aa"}, "/rows/0/carrier"), ({"carrier": ""}, "/rows/0/carrier"),
        ({"carrier": None}, "/rows/0/carrier"), ({"dest": "lax"}, "/rows/0/dest"), ({"dest": "ＬＡＸ"}, "/rows/0/dest"),
        ({"dest": "x" * 101}, "/rows/0/dest"), ({"hour": -1}, "/rows/0/hour"), ({"hour": 2**53}, "/rows/0/hour"),
        ({"temp": 1e308}, "/rows/0/temp"), ({"temp": "NaN"}, "/rows/0/temp"), ({"late": 1}, "/rows/0/late"),
        ({"day": "2013-01-01"}, "/rows/0/day"), ({"tempe": 1}, "/rows/0/tempe"), ({"hour": 3}, "/rows/0"),
    ],
)  # fmt: skip
def test_values_that_do_not_keep_the_contract_are_named(
    app: Application, change: dict[str, Any], at: str
) -> None:
    row = {**ROW, "carrier": "AA" if "hour" in change and change["hour"] == 3 else "B6", **change}
    said = call(app, "POST", "/predict/late", {"rows": [row]})
    assert (said.status, said.reason, list(said.wrong)) == (422, "contract", [at])


def test_a_category_beyond_ascii_is_answered(app: Application) -> None:
    assert call(app, "POST", "/predict/late", {"rows": [{**ROW, "carrier": "ÜX"}]}).status == 200


def test_too_many_columns_are_refused_without_looking_at_them(app: Application) -> None:
    row = {f"c{number}": 1 for number in range(51)}
    said = call(app, "POST", "/predict/late", {"rows": [row]})
    assert (said.status, said.reason) == (422, "too-many-columns")


def test_a_shape_without_end_is_not_multiplied_out(app: Application) -> None:
    """That would take minutes."""
    shape = b"[1" + b",4611686018427387904" * 90_000 + b"]"
    body = b'{"inputs":[{"name":"hour","datatype":"INT64","data":[6],"shape":' + shape + b"}]}"
    said = call(app, "POST", "/v2/models/late/infer", body, content_type=JSON)
    assert (said.status, list(said.wrong)) == (422, ["/inputs/0/shape"])


def test_chunks_are_counted_as_they_come(app: Application) -> None:
    parts = [b" " * 500_000] * 20
    said = call(app, "POST", "/predict/late", parts, content_type=JSON)
    assert (said.status, said.reason, said.headers["connection"]) == (413, "too-large", "close")
    whole = json.dumps({"rows": [ROW]}).encode()
    said = call(app, "POST", "/predict/late", [whole[:5], whole[5:], b""], content_type=JSON)
    assert said.status == 200


def test_what_is_compressed_is_refused(app: Application) -> None:
    said = call(app, "POST", "/predict/late", b"x", content_type=JSON, content_encoding="gzip")
    assert (said.status, said.reason) == (415, "media-type")


def test_more_requests_than_are_taken_in_hand_are_told_to_come_back(folder: Project, model: Scorer) -> None:
    small = replace(folder, serve=replace(folder.serve, max_waiting=2))
    engine = DirectEngine({"late": model})
    app = Application(small, engine, log=RequestLog(io.BytesIO()))
    body = json.dumps({"rows": [ROW]}).encode()

    async def crowd() -> list[int]:
        await engine.start()
        engine.hold = asyncio.Event()
        first = [
            asyncio.create_task(called(app, "POST", "/predict/late", body, content_type=JSON))
            for _ in range(2)
        ]
        while len(engine.asked) < 2:
            await asyncio.sleep(0)
        late = await called(app, "POST", "/predict/late", body, content_type=JSON)
        assert (late.reason, late.headers["retry-after"]) == ("busy", "1")
        assert (await called(app, "GET", "/ping")).status == 200
        engine.hold.set()
        return [*[(await each).status for each in first], late.status]

    assert asyncio.run(crowd()) == [200, 200, 429]


def test_an_answer_that_takes_too_long_is_given_up(folder: Project, model: Scorer) -> None:
    quick = replace(folder, serve=replace(folder.serve, timeout=0.05))
    engine = DirectEngine({"late": model})
    app = Application(quick, engine, log=RequestLog(io.BytesIO()))

    async def ask() -> Any:
        await engine.start()
        engine.hold = asyncio.Event()
        return await called(
            app, "POST", "/predict/late", json.dumps({"rows": [ROW]}).encode(), content_type=JSON
        )

    said = asyncio.run(ask())
    assert (said.status, said.reason) == (504, "timeout")
