"""Signals that wake a program which waits for other things as well."""

from __future__ import annotations

import selectors
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def woken_by(
    numbers: Sequence[int], selector: selectors.BaseSelector, handler: Callable[[int, Any], None]
) -> Iterator[None]:
    """Signals come as bytes on a socket, between other things, and not as exceptions in the middle of them.

    The socket is in `selector`, which is closed at the end, with None as its data: read it when it is ready. `handler` is
    told the number of each.
    """
    woken, waker = socket.socketpair()
    woken.setblocking(False)
    waker.setblocking(False)
    before: dict[int, Any] = {}
    for caught in numbers:
        before[caught] = signal.signal(caught, handler)
    old = signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
    selector.register(woken, selectors.EVENT_READ, None)
    try:
        yield
    finally:
        signal.set_wakeup_fd(old)
        for number, handled in before.items():
            signal.signal(number, handled)
        selector.close()
        woken.close()
        waker.close()
