"""A load generator: `python load.py URL BODIES --connections 64 --seconds 5` prints what was answered as JSON.

A process of its own, raw HTTP/1.1 over connections that are kept alive, one request at a time on each: as little as Python
can do for a request, so that what is measured is the server. BODIES is a file with one body a line; connections take
them in turn, so no two requests that follow each other are the same. Loopback only.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

LONGEST = 30.0
"""Seconds that an answer may take before its connection counts as hanging."""


class Client(asyncio.Protocol):
    """One connection: sends a request, takes its answer apart, sends the next."""

    def __init__(self, requests: Sequence[bytes], start: int, tally: Tally, pause: float) -> None:
        self._requests, self._next, self._tally, self._pause = requests, start, tally, pause
        self._buffer = bytearray()
        self._sent, self._whole, self._status = 0.0, 0, 0
        self.gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport
        self._send()

    def _send(self) -> None:
        request = self._requests[self._next % len(self._requests)]
        self._next += 1
        self._sent = time.perf_counter()
        self._transport.write(request)

    def _send_after_a_pause(self) -> None:
        if self._pause:
            asyncio.get_running_loop().call_later(self._pause, self._send)
        else:
            self._send()

    def data_received(self, data: bytes) -> None:
        buffer = self._buffer
        buffer += data
        if not self._whole:
            head = buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            self._status = int(buffer[9:12])
            length = buffer[:head].lower().find(b"content-length:")
            if length < 0:
                raise ValueError(f"an answer without Content-Length: {bytes(buffer[:head])!r}")
            self._whole = head + 4 + int(buffer[length + 15 : buffer.index(b"\r", length)])
        if len(buffer) < self._whole:
            return
        del buffer[: self._whole]
        self._whole = 0
        if self._tally.count(self._status, self._sent, time.perf_counter()):
            self._send_after_a_pause()
        else:
            self._transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.gone.done():
            self.gone.set_result(None)
        if not self._tally.over:
            self._tally.lost += 1


class Tally:
    """What was answered between `begin` and `end`."""

    def __init__(self, begin: float, end: float) -> None:
        self.begin, self.end, self.over = begin, end, False
        self.statuses: Counter[int] = Counter()
        self.seconds: list[float] = []
        self.lost = 0
        """Connections that the server closed before the end."""

    def count(self, status: int, sent: float, came: float) -> bool:
        """Note an answer; whether another is to be asked for."""
        if sent >= self.begin and came <= self.end:
            self.statuses[status] += 1
            self.seconds.append(came - sent)
        self.over = came >= self.end
        return not self.over


async def load(
    url: str, bodies: Sequence[bytes], connections: int, seconds: float, warm_up: float, pause: float = 0.0
) -> Tally:
    """Ask for `seconds`, after `warm_up` seconds that do not count; `pause` after each answer. Raises TimeoutError."""
    place = urlsplit(url)
    head = f"POST {place.path} HTTP/1.1\r\nHost: {place.netloc}\r\nContent-Type: application/json\r\n"
    requests = [f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body for body in bodies]
    begin = time.perf_counter() + warm_up
    tally = Tally(begin, begin + seconds)
    loop = asyncio.get_running_loop()
    clients = []
    for number in range(connections):
        _, client = await loop.create_connection(
            lambda start=number: Client(requests, start * 17, tally, pause), place.hostname, place.port
        )
        clients.append(client)
    await asyncio.wait_for(asyncio.gather(*(each.gone for each in clients)), warm_up + seconds + LONGEST)
    return tally


def figures(tally: Tally, connections: int) -> dict[str, Any]:
    """Answers a second, latencies in ms, and answers by status."""
    times = sorted(tally.seconds)
    cuts = statistics.quantiles(times, n=100, method="inclusive") if len(times) > 1 else [float("nan")] * 99
    return {
        "connections": connections,
        "requests": len(times),
        "per_second": round(len(times) / (tally.end - tally.begin), 1),
        "p50_ms": round(cuts[49] * 1e3, 2),
        "p99_ms": round(cuts[98] * 1e3, 2),
        "statuses": {str(status): count for status, count in sorted(tally.statuses.items())},
        "lost": tally.lost,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("url")
    parser.add_argument("bodies", type=Path)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--warm-up", type=float, default=1.0)
    parser.add_argument(
        "--pause", type=float, default=0.0, help="seconds between an answer and the next request"
    )
    asked = parser.parse_args()
    if urlsplit(asked.url).hostname not in ("127.0.0.1", "localhost", "::1"):
        parser.error(f"'{asked.url}' is not on this machine: this generator loads nobody else's server")
    import uvloop

    bodies = asked.bodies.read_bytes().splitlines()
    tally = uvloop.run(load(asked.url, bodies, asked.connections, asked.seconds, asked.warm_up, asked.pause))
    print(json.dumps(figures(tally, asked.connections)))


if __name__ == "__main__":
    main()
