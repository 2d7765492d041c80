"""The address that a server listens on: settings, what the command line says otherwise, and the socket."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workbench.errors import BadInput
from workbench.setting_keys import Serving

BACKLOG = 2048
"""Connections that may wait to be accepted."""


def changed(serving: Serving, given: Mapping[str, Any]) -> Serving:
    """The settings with what the command line says otherwise; None: it says nothing."""
    return replace(serving, **{name: value for name, value in given.items() if value is not None})


def listen(serving: Serving) -> socket.socket:
    """A socket that listens. Raises BadInput when the address is taken or is none."""
    family = socket.AF_INET6 if ":" in serving.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((serving.host, serving.port))
        bound.listen(BACKLOG)
    except OSError as error:
        bound.close()
        where = f"{serving.host}:{serving.port}"
        raise BadInput(
            f"cannot listen on {where}: {error.strerror or error}; choose another address: --port NUMBER "
            "(0: one that is free), --host ADDRESS"
        ) from error
    return bound
