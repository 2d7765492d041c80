"""The kernel host: a single-threaded process that imports what notebooks need and forks their guards.

It imports one module at a time and looks for requests between two. **Order of imports:** what waiting kernels
need comes first, then what was announced. **A kernel waits for its imports:** they cost the same in the host
as in the fork, and the next kernel finds them done; a kernel whose imports are done is forked at once, so at
most one module's import stands in its way. A module that starts a thread when it is imported cannot be forked
safely: the host executes itself anew and does without it.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from dataclasses import asdict, dataclass, replace
from typing import NoReturn

from workbench.kernels import linux, threads
from workbench.kernels.guard import guard_kernel
from workbench.kernels.imports import BASE, Imports, split_path
from workbench.kernels.waiting import Request, read_request, restore, save
from workbench.kernels.wire import Lines, Origin

LONGEST_END = 4
"""Seconds after which the system ends a host that does not get to its end by itself."""

SIGNALS = (signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD)


@dataclass(frozen=True)
class Settings:
    """Handed to the host on its command line, and on to itself when it executes itself anew."""

    listener: int
    control: int
    folder: str
    owner: int
    imports: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    """Folders of the project: the host imports nothing from them."""
    unsafe: tuple[str, ...] = ()
    pending: int | None = None
    """File with the requests that were not served before the host executed itself anew."""


class Host:
    """serve → _accept · _fork · _import_one, until the owner is gone → _end."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.listener = socket.socket(fileno=settings.listener)
        self.control = socket.socket(fileno=settings.control)
        self.lines = Lines()
        # Without imports to come there may be cold kernels only; a warm one asks for BASE itself.
        self.imports = Imports((*BASE, *settings.imports) if settings.imports else (), settings.unsafe)
        self.environment = dict(os.environ)
        package = __package__.partition(".")[0]
        self.origin = Origin(
            folder=settings.folder,
            path=tuple(split_path(settings.excluded)),
            variables={},
            kernel_modules=(),
            own_modules={
                name: module for name, module in sys.modules.items() if name.partition(".")[0] == package
            },
        )
        self.requests = list(restore(settings.pending))
        # None at first; those of before when this program has executed itself anew.
        self.guards = set(linux.children(os.getpid()))
        self.owner_pidfd = linux.open_pidfd(settings.owner)
        self.wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        # Nothing that an import prints belongs in the owner's terminal; kernels get the real streams back.
        self.streams = (os.open(os.devnull, os.O_RDWR), os.dup(1), os.dup(2))

    def serve(self) -> NoReturn:
        for standard in (0, 1, 2):
            os.dup2(self.streams[0], standard)
        gc.disable()
        with selectors.DefaultSelector() as selector:
            self._watch(selector)
            while True:
                busy = self.requests or self.imports.announced
                for key, _ in selector.select(0 if busy else None):
                    key.data()
                for request in [request for request in self.requests if self.imports.done(request.imports)]:
                    self.requests.remove(request)
                    self._fork(request, selector)
                self._import_one()

    def _watch(self, selector: selectors.BaseSelector) -> None:
        """Notice requests, guards that end, and in three independent ways that the owner is gone."""
        self.listener.setblocking(False)
        selector.register(self.listener, selectors.EVENT_READ, self._accept)
        selector.register(self.control, selectors.EVENT_READ, self._obey)
        selector.register(self.wakeup[0], selectors.EVENT_READ, self._collect)
        if self.owner_pidfd is not None:
            selector.register(self.owner_pidfd, selectors.EVENT_READ, self._end)
        signal.set_wakeup_fd(self.wakeup[1], warn_on_full_buffer=False)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, lambda *_: self._end())
        # In the middle of an import, too. It also comes when the thread that started the host ends.
        signal.signal(signal.SIGHUP, lambda *_: self._end_without_owner())
        linux.die_with_parent(signal.SIGHUP)
        linux.adopt_orphans()
        linux.name_process("kernel-host")
        self._end_without_owner()

    def _end_without_owner(self) -> None:
        if os.getppid() != self.settings.owner:
            self._end()

    def _accept(self) -> None:
        try:
            owner, _ = self.listener.accept()
        except BlockingIOError:
            return
        try:
            self.requests.append(read_request(owner))
        except (OSError, ValueError, KeyError, TypeError):
            owner.close()

    def _obey(self) -> None:
        """More imports from the owner; or the end of the stream: it has closed this host."""
        data = self.control.recv(1 << 16)
        if not data:
            self._end()
        for message in self.lines.feed(data):
            self.imports.announce(message["imports"])

    def _collect(self) -> None:
        """Reap guards; what one that was killed left behind has fallen to this process, and ends."""
        os.read(self.wakeup[0], 4096)
        ended = False
        try:
            while pid := os.waitpid(-1, os.WNOHANG)[0]:
                ended = True
                self.guards.discard(pid)
            if ended:
                for stray in set(linux.children(os.getpid())) - self.guards:
                    os.kill(stray, signal.SIGKILL)
        except ChildProcessError:
            self.guards.clear()

    def _fork(self, request: Request, selector: selectors.BaseSelector) -> None:
        if request.launch.warm:
            threads.find_pools()
        gc.freeze()
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        pid = os.fork()
        if pid == 0:
            selector.close()
            self._become_guard(request)
        self.guards.add(pid)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        request.close()

    def _become_guard(self, request: Request) -> NoReturn:
        """In the fork: let go of everything that is the host's, so that no kernel inherits it."""
        signal.set_wakeup_fd(-1)
        given = dict(zip(request.launch.streams, request.streams, strict=True))
        names = ("stdin", "stdout", "stderr")
        streams = [given.get(name, own) for name, own in zip(names, self.streams, strict=True)]
        unused = {*self.wakeup, *self.streams, self.settings.listener, self.settings.control}
        if self.owner_pidfd is not None:
            unused.add(self.owner_pidfd)
        for other in self.requests:
            unused |= other.descriptors
        for descriptor in unused - set(streams):
            os.close(descriptor)
        origin = replace(
            self.origin,
            kernel_modules=self.imports.base_modules,
            variables={key: value for key, value in os.environ.items() if self.environment.get(key) != value},
        )
        guard_kernel(request.launch, request.owner, streams, origin)

    def _import_one(self) -> None:
        name = self.imports.next(name for request in self.requests for name in request.imports)
        if name is None:
            return
        if not self.imports.import_module(name):
            self._start_anew(name)
        if not self.requests and not self.imports.announced:
            gc.collect()

    def _start_anew(self, unsafe: str) -> NoReturn:
        """Execute this program again without the module that started a thread; guards and requests stay."""
        pending = save(self.requests)
        os.set_inheritable(self.settings.listener, True)
        os.set_inheritable(self.settings.control, True)
        for standard in (1, 2):
            os.dup2(self.streams[standard], standard)
        settings = replace(
            self.settings,
            imports=(*self.imports.tried, *self.imports.announced),
            unsafe=(*self.imports.unsafe, unsafe),
            pending=pending,
        )
        signal.set_wakeup_fd(-1)
        # Until the program has its handlers again, the signal would end it before it could clear up.
        linux.die_with_parent(0)
        os.execve(sys.executable, [*sys.orig_argv[:-1], json.dumps(asdict(settings))], self.environment)  # noqa: S606

    def _end(self) -> NoReturn:
        """Stop the guards, which end their kernels; leave nothing."""
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        # This may have come in the middle of an import, and what was imported may have replaced os._exit by
        # something that waits, as coverage does.
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(LONGEST_END)
        for pid in self.guards:
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + 1.5
        while time.monotonic() < deadline:
            try:
                if not os.waitpid(-1, os.WNOHANG)[0]:
                    time.sleep(0.002)
            except ChildProcessError:
                break
        linux.end_children()
        shutil.rmtree(self.settings.folder, ignore_errors=True)
        os._exit(0)


def main() -> NoReturn:
    """Serve with the settings in the last argument."""
    fields = json.loads(sys.argv[-1])
    settings = Settings(**fields)
    for descriptor in (settings.listener, settings.control):
        os.set_inheritable(descriptor, False)
    Host(settings).serve()
