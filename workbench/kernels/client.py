"""The owner's side: one kernel host process, and one connection for each kernel it has."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from workbench.errors import KernelError
from workbench.kernels import late_debugger, linux, threads
from workbench.kernels.wire import KernelExit, Launch, Lines, encode

LONGEST_FOLDER = 80
"""Characters; a unix socket's path must be shorter than 108, ours adds up to 20 to the folder's."""

END_PATIENCE = 5.0
"""Seconds that a host may take to end what it has started."""


def is_supported() -> bool:
    """Whether this platform can run a kernel host: Linux. Elsewhere Jupyter's own provisioner does the work."""
    return sys.platform.startswith("linux") and hasattr(os, "fork")


class KernelHost:
    """A process that imports once what notebooks need and forks one-use kernels.

    `imports`: modules to warm up, in order of need. `excluded`: folders of the project, kept off the host's
    search path so that project modules are read anew by each kernel (default: the working directory).
    `start` returns at once; imports go on in the host. Safe to use from several threads. The host and every
    kernel with all its descendants end with `close`, or with this process, by whatever means it ends.
    """

    def __init__(
        self, imports: Iterable[str] = (), *, excluded: Sequence[str | os.PathLike[str]] = ()
    ) -> None:
        self._imports = list(dict.fromkeys(imports))
        self._excluded = [str(Path(folder).resolve()) for folder in excluded] or [str(Path.cwd())]
        self._lock = threading.Lock()
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self.folder: Path | None = None
        """Private place of all sockets; made by the first `start`."""
        self.address = ""
        self._closed = False
        self.environment: dict[str, str] = {}
        """What the host was started with."""
        self.owner = os.getpid()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int | None:
        """The host process; None while there is none."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Start the process unless it runs. A host that was lost is replaced; its kernels live on."""
        with self._lock:
            if self._closed:
                raise KernelError("this kernel host is closed; make a new KernelHost")
            if self.owner != os.getpid():
                # A fork of the owner: host, folder and connections are the parent's.
                self._process = self._control = self.folder = None
                self.owner = os.getpid()
            if self._process is None or self._process.poll() is not None:
                self._spawn()

    def add_imports(self, names: Iterable[str]) -> None:
        """Announce modules that later kernels will need; imported when nothing more urgent waits."""
        fresh = [name for name in dict.fromkeys(names) if name not in self._imports]
        if not fresh:
            return
        self._imports += fresh
        with self._lock:
            if self._control is not None:
                with contextlib.suppress(OSError):  # the host was lost; its successor starts with all names
                    self._control.sendall(encode({"imports": fresh}))

    def new_place(self) -> str:
        """A path prefix for one kernel's files, in the host's private folder."""
        self.start()
        return f"{self.folder}/k{next(self._numbers)}"

    def launch(self, launch: Launch, descriptors: Sequence[int] = ()) -> KernelProcess:
        """Ask for a kernel; does not wait until it runs. Raises KernelError when no host can be started."""
        for _ in range(3):
            self.start()
            connection = socket.socket(socket.AF_UNIX)
            try:
                connection.connect(self.address)
                message = encode(launch.as_message())
                sent = socket.send_fds(connection, [message], list(descriptors))
                connection.sendall(message[sent:])
                return KernelProcess(connection)
            except OSError:
                connection.close()  # the host was lost just now
        raise KernelError("the kernel host ends as soon as it is started; try --cold")

    def close(self) -> None:
        """End the host, its kernels and all their descendants; remove its folder."""
        with self._lock:
            self._closed = True
            if self._process is None or os.getpid() != self.owner:
                return
            if self._control is not None:
                _hang_up(self._control)
            if not linux.wait_for_end(self._process.pid, END_PATIENCE):
                self._process.kill()
            self._process.wait()
            if self.folder is not None:
                shutil.rmtree(self.folder, ignore_errors=True)

    def _spawn(self) -> None:
        if self.folder is None or not self.folder.is_dir():
            self.folder = _private_folder()
        if self._control is not None:
            self._control.close()
        self.address = f"{self.folder}/host{next(self._numbers)}"
        ours, theirs = socket.socketpair()
        with socket.socket(socket.AF_UNIX) as listener, theirs:
            # Bound here, so that a kernel can be asked for before the host has even started.
            listener.bind(self.address)
            listener.listen(128)
            settings = {
                "listener": listener.fileno(),
                "control": theirs.fileno(),
                "folder": str(self.folder),
                "owner": os.getpid(),
                "imports": self._imports,
                "excluded": self._excluded,
            }
            self.environment = dict(os.environ)
            here = Path(__file__).resolve()
            program = [str(here.with_name("boot.py")), str(here.parents[2])]
            self._process = subprocess.Popen(
                [sys.executable, *program, json.dumps(settings)],
                env={**self.environment, **threads.HOST_ENVIRONMENT},
                stdin=subprocess.DEVNULL,
                pass_fds=(listener.fileno(), theirs.fileno()),
                start_new_session=True,
            )
        self._control = ours


class KernelProcess:
    """One kernel, as its owner sees it. Nothing here blocks; `update` takes in what the guard has sent."""

    def __init__(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        self._connection = connection
        self._lines = Lines()
        self.pid: int | None = None
        self.failure: str | None = None
        self.exit: KernelExit | None = None
        self.imported: list[str] = []
        """Installed modules that its cells have imported, when it was asked to tell."""

    def fileno(self) -> int:
        """Readable when `update` would have news; -1 once the kernel has ended."""
        return self._connection.fileno()

    def update(self) -> KernelExit | None:
        """How the kernel has ended, or None while it lives."""
        while self.exit is None:
            try:
                data = self._connection.recv(1 << 16)
            except BlockingIOError:
                return None
            except OSError:
                data = b""
            for message in self._lines.feed(data):
                self.pid = message.get("ready", self.pid)
                self.failure = message.get("failed", self.failure)
                self.imported += message.get("imported", ())
                if "exited" in message:
                    self.exit = KernelExit(**message["exited"])
            if not data and self.exit is None:
                self.exit = KernelExit(None, None, 0, infrastructure=True)
        self._connection.close()
        return self.exit

    def has_started(self) -> bool:
        """Whether the kernel accepts connections, or has ended before it could."""
        return self.update() is not None or self.pid is not None

    def signal(self, signum: int) -> None:
        """Send a signal to the kernel's process group; nothing when it has ended."""
        if self.update() is None:
            try:
                self._connection.sendall(encode({"signal": int(signum)}))
            except OSError:
                self.update()

    def kill(self) -> None:
        """End the kernel and all its descendants now."""
        self.signal(signal.SIGKILL)

    def close(self) -> None:
        """Let go: a kernel that still runs is killed."""
        _hang_up(self._connection)


def _hang_up(connection: socket.socket) -> None:
    """End a connection for good; closing alone is not enough when this process was forked meanwhile."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()


def _private_folder() -> Path:
    """A new folder that only this user can enter, with a path short enough for sockets."""
    for base in (os.environ.get("XDG_RUNTIME_DIR", ""), tempfile.gettempdir(), "/tmp"):  # noqa: S108
        if base and len(base) < LONGEST_FOLDER - 20 and os.access(base, os.W_OK | os.X_OK):
            return Path(tempfile.mkdtemp(prefix="workbench-", dir=base))
    raise KernelError("no folder for the kernels' sockets; set XDG_RUNTIME_DIR to a short, writable path")


_default: KernelHost | None = None
_default_lock = threading.Lock()


def host() -> KernelHost:
    """This process's kernel host, made at first use and closed when the process ends."""
    import atexit

    global _default
    with _default_lock:
        if _default is None or _default.owner != os.getpid():
            # Who has a notebook open may debug it; then the kernel must not have to load the debugger first.
            _default = KernelHost([late_debugger.NAME])
            atexit.register(_default.close)
        return _default
