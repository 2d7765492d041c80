"""The guard: one small process between the host and each kernel, parent of that kernel alone.

It is the kernel's subreaper, so everything that a notebook starts, even a daemon in a session of its own,
falls to the guard when its parent dies, and ends with the kernel. It holds the owner's connection, so
requests and the exit report do not wait while the host imports, and a kernel survives the loss of the host.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from workbench.kernels import linux
from workbench.kernels.child import become_kernel
from workbench.kernels.wire import KernelExit, Launch, Lines, Origin, encode

MEMORY_INTERVAL = 0.1
"""Seconds between two looks at a limited kernel's memory; an overshoot is what can be touched in that time."""

OWNER_INTERVAL = 0.5
"""Seconds between two looks for the owner where there are no pidfds."""


def guard_kernel(launch: Launch, owner: socket.socket, streams: Sequence[int], origin: Origin) -> NoReturn:
    """Start the kernel in a fork of this process and stay until it and all its descendants are gone."""
    code = 1
    try:
        linux.name_process("kernel-guard")
        linux.adopt_orphans()
        wakeup = _wake_on_signals()
        kernel = os.fork()
        if kernel == 0:
            for descriptor in wakeup:
                os.close(descriptor)
            become_kernel(launch, owner, streams, origin)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, signal.valid_signals())
        for stream in set(streams):
            os.close(stream)
        _Guard(launch, owner, kernel, wakeup[0], origin.folder).watch()
        code = 0
    finally:
        os._exit(code)


@dataclass
class _End:
    """The kernel's end as wait4 saw it."""

    status: int
    max_rss: int


class _Guard:
    """watch → _answer (owner's requests) · _check_memory · _collect (the kernel's end) → report."""

    def __init__(self, launch: Launch, owner: socket.socket, kernel: int, wakeup: int, folder: str) -> None:
        self.limit = launch.memory_limit
        self.owner = owner
        self.kernel = kernel
        self.wakeup = wakeup
        self.folder = folder
        self.owner_pid = _peer(owner)
        self.owner_fd = linux.open_pidfd(self.owner_pid)
        self.lines = Lines()
        self.peak = 0
        self.oom = False
        self.end: _End | None = None

    def watch(self) -> None:
        poll = select.poll()
        for descriptor in (self.owner.fileno(), self.wakeup, self.owner_fd):
            if descriptor is not None:
                poll.register(descriptor, select.POLLIN)
        owned = True
        while owned and not self.end:
            events = dict(poll.poll(self._patience()))
            if self.wakeup in events:
                owned = _drain(self.wakeup)
            if self.owner.fileno() in events:
                owned = owned and self._answer()
            owned = owned and not self._owner_gone(events)
            self._check_memory()
            self._collect()
        self._finish()

    def _patience(self) -> int | None:
        """Milliseconds until there is something to look at unasked."""
        if self.limit is not None:
            return int(MEMORY_INTERVAL * 1000)
        return None if self.owner_fd is not None else int(OWNER_INTERVAL * 1000)

    def _answer(self) -> bool:
        """Do what the owner asks; False when its end is closed."""
        try:
            data = self.owner.recv(65536)
        except OSError:
            return False
        for message in self.lines.feed(data):
            if "signal" in message:
                self._signal(message["signal"])
            elif "kill" in message:
                self._signal(signal.SIGKILL)
        return bool(data)

    def _signal(self, signum: int) -> None:
        """To the kernel's process group, as Jupyter does; the group exists once the kernel has called setsid."""
        self._collect()
        if self.end:
            return
        try:
            os.killpg(self.kernel, signum)
        except ProcessLookupError:
            os.kill(self.kernel, signum)

    def _owner_gone(self, events: dict[int, Any]) -> bool:
        if self.owner_fd is not None:
            return self.owner_fd in events
        return not linux.is_running(self.owner_pid)

    def _check_memory(self) -> None:
        if self.limit is None or self.end:
            return
        pids = [self.kernel, *linux.descendants(self.kernel)]
        used = linux.memory_of(pids, exact=False)
        if used > self.limit:
            # Forked workers share pages; only what they hold together counts.
            used = linux.memory_of(pids, exact=True) or used
            if used > self.limit:
                self.oom = True
                self._signal(signal.SIGKILL)
        self.peak = max(self.peak, used)

    def _collect(self) -> None:
        """Reap what has ended: the kernel, and orphans of its descendants that fell to this process."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self.kernel:
                self.end = _End(status, usage.ru_maxrss * 1024)

    def _finish(self) -> None:
        """End what is left, then tell the owner: when it knows, nothing runs any more."""
        if not self.end:
            os.kill(self.kernel, signal.SIGKILL)
            _, status, usage = os.wait4(self.kernel, 0)
            self.end = _End(status, usage.ru_maxrss * 1024)
        linux.end_children()
        code = os.waitstatus_to_exitcode(self.end.status)
        report = KernelExit(
            code=code if code >= 0 else None,
            signal=-code if code < 0 else None,
            peak_memory=max(self.peak, self.end.max_rss),
            oom=self.oom,
        )
        try:
            self.owner.sendall(encode({"exited": vars(report)}))
        except OSError:
            self._leave_nothing()

    def _leave_nothing(self) -> None:
        """The owner is gone: if it did not just let go of this kernel, its folder has no use any more."""
        deadline = time.monotonic() + 0.2
        while linux.is_running(self.owner_pid):
            if time.monotonic() > deadline:
                return
            time.sleep(0.02)
        shutil.rmtree(self.folder, ignore_errors=True)


def _wake_on_signals() -> tuple[int, int]:
    """A pipe that receives the number of each SIGCHLD and SIGTERM; requests to stop come as SIGTERM."""
    read, write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    for signum in (signal.SIGINT, signal.SIGHUP):
        signal.signal(signum, signal.SIG_IGN)
    for signum in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(signum, lambda *_: None)
    signal.set_wakeup_fd(write, warn_on_full_buffer=False)
    return read, write


def _drain(wakeup: int) -> bool:
    """Empty the pipe; False when one of the signals was a request to stop."""
    return signal.SIGTERM not in os.read(wakeup, 4096)


def _peer(connection: socket.socket) -> int:
    """Process at the other end."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid: int = struct.unpack("3i", credentials)[0]
    return pid
