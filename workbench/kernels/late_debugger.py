"""ipykernel's debugger, loaded at the first request for it.

Every kernel makes a debugger when it starts, and importing one (debugpy) takes 0.15 s, a tenth of a first
kernel's start. Whoever runs notebooks headlessly never asks for it.
"""

from __future__ import annotations

import importlib
import os
import sys
from importlib.util import find_spec
from types import ModuleType
from typing import Any

NAME = "ipykernel.debugger"


class LateDebugger:
    """Takes what `ipykernel.debugger.Debugger` takes, and is one from its first use on."""

    def __init__(self, *arguments: Any) -> None:
        from tornado.locks import Event

        self._arguments = arguments
        self._debugger: Any = None
        self._loaded = Event()

    async def handle_stopped_event(self) -> None:
        """Waits, as the real one does; nothing stops before somebody has asked for a debugger."""
        await self._loaded.wait()
        await self._debugger.handle_stopped_event()

    def __getattr__(self, name: str) -> Any:
        if self._debugger is None:
            self._debugger = load().Debugger(*self._arguments)
            self._loaded.set()
        return getattr(self._debugger, name)


def put_off() -> None:
    """Let `ipykernel.debugger` be a stand-in until somebody uses it; nothing to do where it is there already."""
    if NAME in sys.modules:
        return
    stand_in: Any = ModuleType(NAME)
    stand_in._is_debugpy_available = find_spec("debugpy") is not None
    if stand_in._is_debugpy_available:
        # As importing debugpy does; what a cell starts inherits it.
        os.environ.setdefault("PYDEVD_USE_FRAME_EVAL", "NO")
    stand_in.Debugger = LateDebugger
    stand_in.__getattr__ = _of_the_real_one
    sys.modules[NAME] = stand_in


def _of_the_real_one(name: str) -> Any:
    if name.startswith("__"):  # importing looks whether this is a package
        raise AttributeError(name)
    return getattr(load(), name)


def load() -> ModuleType:
    """The real module. Raises ImportError."""
    if getattr(sys.modules.get(NAME), "Debugger", None) is LateDebugger:
        del sys.modules[NAME]
    return importlib.import_module(NAME)
